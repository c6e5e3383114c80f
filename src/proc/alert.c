/*
 * alert: see the header.
 */
#include "proc/alert.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "core/json.h"

const struct alert alerts_table[ALERT_COUNT] = {
    [ALERT_API] = { ALERT_API, "api", "P0", "No worker answers", "Workers answer again",
                    "patronctl status; journalctl -u patrond" },
    [ALERT_DATABASE] = { ALERT_DATABASE, "database", "P0",
                         "PostgreSQL is down: reads go on from the last data, order history does not",
                         "PostgreSQL answers again", "patronctl check postgres" },
    [ALERT_WORKERS] = { ALERT_WORKERS, "workers", "P1", "A process crashed, hung or was killed for memory",
                        "No process has died for a while",
                        "journalctl -u patrond, worker_crashed, worker_hung, worker_oom_killed" },
    [ALERT_ERRORS] = { ALERT_ERRORS, "errors", "P1", "More than 5 % of the answers are 5xx",
                       "Less than 5 % of the answers are 5xx", "patronctl doctor; journalctl -u patrond" },
    [ALERT_SLOW] = { ALERT_SLOW, "slow", "P1", "More than 5 % of the answers take longer than 2 s",
                     "Answers take less than 2 s again", "patronctl top; journalctl -u patrond, slow_query" },
    [ALERT_CACHE] = { ALERT_CACHE, "cache", "P1", "Redis is down: the same answers, slower", "Redis answers again",
                      "patronctl check redis" },
    [ALERT_AI] = { ALERT_AI, "ai", "P1", "Claude does not answer: questions go to the rules", "Claude answers again",
                   "journalctl -u patrond, claude_failed" },
    [ALERT_SOURCE] = { ALERT_SOURCE, "source", "P2", "The source of the sales cannot be read",
                       "The source can be read again", "patronctl check source" },
    [ALERT_SYNC] = { ALERT_SYNC, "sync", "P2", "The last sync failed", "A sync succeeded again",
                     "journalctl -u patrond, sync_failed; patronctl sync --wait" },
    [ALERT_STALE] = { ALERT_STALE, "stale", "P2", "The data are stale", "The data are fresh again",
                      "patronctl status; patronctl sync --wait" },
};

void alert_address(struct alert_board *board, const char *url)
{
    uint8_t digest[HASH_SHA256_BYTES];
    uint64_t webhook;

    hash_sha256(digest, url, strlen(url));
    memcpy(&webhook, digest, sizeof(webhook));
    if (board->webhook != webhook && board->webhook != 0)
        *board = (struct alert_board){ 0 };
    board->webhook = webhook;
}

static bool was_told(const struct alert_board *b, unsigned i)
{
    return b->told[i].since_s != 0;
}

static bool differs(const struct alert_board *b, unsigned i, enum alert_verdict verdict)
{
    return verdict != ALERT_UNKNOWN && (verdict == ALERT_FIRING) != was_told(b, i);
}

static bool may_tell(const struct alert_board *b, unsigned i, int64_t now_s)
{
    return b->told[i].paid_off_s - now_s <= (ALERT_BURST - 1) * ALERT_PAUSE_S;
}

uint32_t alert_due(const struct alert_board *board, const struct alert_state now[ALERT_COUNT], int64_t now_s)
{
    uint32_t due = 0;

    if (now_s < board->retry_s && board->retry_s - now_s <= ALERT_RETRY_MAX_S)
        return 0;
    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        if (differs(board, i, now[i].verdict) && may_tell(board, i, now_s))
            due |= 1U << i;
    }
    return due;
}

static void write_span(struct buf *out, int64_t s)
{
    if (s < 120)
        buf_printf(out, "%lld s", (long long)(s > 0 ? s : 0));
    else
        buf_printf(out, "%lld min", (long long)(s / 60));
}

static void write_line(struct buf *out, const struct alert *a, const struct alert_state *now, int64_t told_since_s,
                       int64_t now_s)
{
    if (now->verdict == ALERT_FIRING) {
        buf_printf(out, ":red_circle: *%s: %s.* What to do: %s", a->severity, a->fires, a->action);
        return;
    }
    if (now->verdict == ALERT_UNWATCHED) {
        buf_printf(out, ":white_circle: *No longer watched: %s.* (%s, it is not configured now)", a->fires,
                   a->severity);
        return;
    }
    buf_printf(out, ":large_green_circle: *Recovered: %s.* (%s, after ", a->ends, a->severity);
    write_span(out, now_s - told_since_s);
    buf_add_char(out, ')');
}

/* {"text": …}; the text in Slack's mark-up is our own words but for `where`. */
static void wrap(struct buf *out, const struct buf *text)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    json_key(&w, "text");
    json_str(&w, buf_str(text));
    json_object_end(&w);
}

static void write_where(struct buf *out, const char *where)
{
    for (const char *p = where; *p != '\0'; p++) {
        if (*p == '&' || *p == '<' || *p == '>' || *p == '*')
            buf_add_char(out, '_');
        else
            buf_add_char(out, *p);
    }
}

void alert_write(struct buf *out, uint32_t due, const struct alert_board *board,
                 const struct alert_state now[ALERT_COUNT], const char *where, int64_t now_s)
{
    struct buf text;
    char time[CLOCK_TIME_SIZE];

    buf_init(&text, 8192);
    buf_add_cstr(&text, "patrond on ");
    write_where(&text, where);
    buf_printf(&text, ", %s", clock_format_seconds(time, now_s * CLOCK_US_PER_S));
    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        if (due & (1U << i)) {
            buf_add_char(&text, '\n');
            write_line(&text, &alerts_table[i], &now[i], board->told[i].since_s, now_s);
        }
    }
    wrap(out, &text);
    buf_free(&text);
}

void alert_summarize(struct buf *out, uint32_t due, const struct alert_state told[ALERT_COUNT])
{
    const char *between = "";

    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        if (!(due & (1U << i)))
            continue;
        buf_printf(out, "%s%s %s", between, alerts_table[i].name,
                   told[i].verdict == ALERT_FIRING ? "fires" : "is over");
        between = ", ";
    }
}

void alert_write_test(struct buf *out, const char *where)
{
    struct buf text;

    buf_init(&text, 1024);
    buf_add_cstr(&text, ":white_check_mark: Test: alerts of patrond on ");
    write_where(&text, where);
    buf_add_cstr(&text, " arrive here.");
    wrap(out, &text);
    buf_free(&text);
}

void alert_sent(struct alert_board *board, uint32_t due, const struct alert_state told[ALERT_COUNT], int64_t now_s)
{
    board->retry_s = board->pause_s = 0;
    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        if (!(due & (1U << i)))
            continue;
        board->told[i].since_s = told[i].verdict != ALERT_FIRING ? 0 : told[i].since_s > 0 ? told[i].since_s : now_s;
        if (board->told[i].paid_off_s < now_s)
            board->told[i].paid_off_s = now_s;
        board->told[i].paid_off_s += ALERT_PAUSE_S;
    }
}

void alert_failed(struct alert_board *board, int64_t now_s)
{
    board->pause_s = board->pause_s == 0 ? ALERT_RETRY_S : 2 * board->pause_s;
    if (board->pause_s > ALERT_RETRY_MAX_S)
        board->pause_s = ALERT_RETRY_MAX_S;
    board->retry_s = now_s + board->pause_s;
}
