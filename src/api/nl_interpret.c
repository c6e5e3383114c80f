/*
 * nl_interpret: from a question to its meaning: remembered, or from Redis, or from Claude; else by the rules.
 *
 * NL_TIMEOUT_MS after the request began the rules answer, whatever is under way. Who asks the same as another at the
 * same time waits for that one's answer (data/cache), but no longer than that.
 */
#include <stdio.h>

#include "api/cached.h"
#include "api/claude.h"
#include "api/errors.h"
#include "api/nl.h"
#include "api/nl_memory.h"
#include "api/request.h"
#include "api/tools.h"
#include "base/clock.h"

#define NS_PER_MS 1000000ULL
#define GRACE_MS  50 /* Claude's own end comes first, and tells why */

struct asking {
    struct api_request *q;
    struct str question, key; /* key: the question as it is remembered */
    uint64_t deadline_ns;
    struct claude_call *call;
    struct loop_timer *timer;
};

/* Letters in lower case, blanks as one, without the marks at its end; and what the answer depends on besides. */
static struct str make_key(struct api_request *q, struct str question)
{
    char *text = arena_alloc(&q->http->arena, question.len + 32);
    size_t n, start;

    if (text == NULL)
        return STR_NONE;
    n = start = (size_t)snprintf(text, 32, "nl %016llx ", (unsigned long long)claude_identity(q->api->claude));
    for (size_t i = 0; i < question.len; i++) {
        char c = question.p[i];

        if (c == '\t' || c == '\n' || c == '\r')
            c = ' ';
        if (c == ' ' && text[n - 1] == ' ')
            continue;
        text[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    while (n > start && (text[n - 1] == ' ' || text[n - 1] == '?' || text[n - 1] == '!' || text[n - 1] == '.'))
        n--;
    return (struct str){ text, n };
}

/* ---- ends: each is the last thing that happens to `a` ---- */

static void leave(struct asking *a)
{
    loop_timer_free(a->timer);
    a->timer = NULL;
    if (a->call != NULL)
        claude_cancel(a->call);
    a->call = NULL;
    a->q->cancel = NULL;
}

static void answer_by_rules(struct asking *a)
{
    struct api_request *q = a->q;
    struct str question = a->question;
    struct nl_meaning meaning;

    leave(a);
    cached_end(q);
    if (nl_by_rules(q, question, &meaning))
        nl_answer(q, question, &meaning);
    else
        error_no_memory(q);
}

/* The meaning as it is kept: {"tool": …, "arguments": {…}}. False: it is none of ours. */
static bool read_meaning(struct asking *a, struct str text, struct nl_meaning *m)
{
    const char *why;
    struct json *kept = json_parse(&a->q->http->arena, text, &why);
    const struct json *tool = json_get(kept, "tool");

    *m = (struct nl_meaning){ .type = METRIC_NL_GENERAL_RESPONSE, .interpreter = NL_CLAUDE };
    if (tool == NULL)
        return false;
    if (tool->type == JSON_NULL)
        return true;
    m->tool = tool->type == JSON_STRING ? tools_find(tool->text) : NULL;
    m->arguments = (struct json *)json_get(kept, "arguments");
    return m->tool != NULL && m->tool->answers && m->arguments != NULL && m->arguments->type == JSON_OBJECT;
}

static void answer_as_kept(struct asking *a, struct str text)
{
    struct nl_meaning meaning;

    if (!read_meaning(a, text, &meaning)) {
        answer_by_rules(a);
        return;
    }
    leave(a);
    nl_answer(a->q, a->question, &meaning);
}

/* ---- Claude ---- */

static void on_claude(const struct claude_result *r, void *arg)
{
    struct asking *a = arg;
    struct api *api = a->q->api;
    struct json_writer w;
    const char *text;

    a->call = NULL;
    if (r->error != METRIC_AI_OK) {
        answer_by_rules(a);
        return;
    }
    buf_reset(&api->scratch);
    json_writer_init(&w, &api->scratch);
    json_object_begin(&w);
    json_kv_cstr(&w, "tool", r->tool != NULL ? r->tool->name : NULL);
    if (r->tool != NULL) {
        json_key(&w, "arguments");
        json_raw(&w, r->arguments);
    }
    json_object_end(&w);
    text = api->scratch.failed ? NULL : arena_strdup(&a->q->http->arena, buf_str(&api->scratch));
    if (text == NULL) {
        answer_by_rules(a);
        return;
    }
    nl_memory_put(api->nl_memory, a->key, str_from(text), clock_mono_ns());
    cached_keep(a->q, str_from(text));
    answer_as_kept(a, str_from(text));
}

static void ask_claude(struct asking *a)
{
    a->call = claude_ask(a->q->api->claude, a->question, a->deadline_ns, on_claude, a);
    if (a->call == NULL)
        answer_by_rules(a);
}

/* ---- what is known ---- */

static void on_value(struct str value, void *arg)
{
    struct asking *a = arg;

    if (value.p == NULL) { /* this one leads: its ticket ends with what Claude says */
        ask_claude(a);
        return;
    }
    a->q->ticket = NULL;
    nl_memory_put(a->q->api->nl_memory, a->key, value, clock_mono_ns());
    answer_as_kept(a, value);
}

static void on_deadline(void *arg)
{
    answer_by_rules(arg);
}

/* The asker is gone; request.c ends the ticket. */
static void cancel(struct api_request *q)
{
    leave(q->pending);
}

static void ask(struct asking *a)
{
    struct api_request *q = a->q;
    struct cache_question question = { .type = METRIC_CACHE_QUERY, .text = a->key };

    a->timer = loop_timer_new(q->api->env.loop, on_deadline, a);
    if (a->timer == NULL) {
        answer_by_rules(a);
        return;
    }
    loop_timer_set(a->timer, (uint64_t)q->api->env.conf->nl_timeout_ms + GRACE_MS);
    q->pending = a;
    q->cancel = cancel;
    q->ticket = cache_ask(q->api->env.cache, &question, on_value, a);
    if (q->ticket == NULL)
        ask_claude(a);
}

void nl_ask(struct api_request *q, struct str question)
{
    struct asking *a = arena_zalloc(&q->http->arena, sizeof(*a));
    struct str known;

    if (a == NULL) {
        error_no_memory(q);
        return;
    }
    *a = (struct asking){ .q = q, .question = question };
    if (!claude_is_configured(q->api->claude)) {
        answer_by_rules(a);
        return;
    }
    a->deadline_ns = q->http->start_ns + (uint64_t)q->api->env.conf->nl_timeout_ms * NS_PER_MS;
    a->key = make_key(q, question);
    if (a->key.p == NULL) {
        error_no_memory(q);
        return;
    }
    known = nl_memory_get(q->api->nl_memory, a->key, clock_mono_ns());
    if (known.p != NULL)
        answer_as_kept(a, known);
    else
        ask(a);
}
