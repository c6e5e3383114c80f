/*
 * events: composing an event's line and handing it to the journal or to stderr.
 *
 * A line is built on the stack and never longer than LOG_LINE_BYTES: a field
 * that finds no room is left out whole, so that JSON stays JSON. In the
 * journal every field is a journal field of its own; elsewhere the plain line carries level, role, pid
 * and time as its last fields.
 */
#include "core/events.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "core/json.h"

#define SENTENCE_BYTES 2048
#define MAX_FIELDS     40

/* A finished event, as both destinations need it. */
struct record {
    const struct event *event;
    enum log_level level;
    const char *sentence;
    const struct event_field *fields;
    size_t count;
};

/* A buffer over memory of the stack: it fails instead of growing. `room` has one byte more than the buffer, for the
 * NUL of a print. */
static struct buf stack_buf(char *room, size_t size)
{
    return (struct buf){ .data = room, .cap = size - 1, .max_bytes = size - 1 };
}

/* Takes back what was added since `len` if it did not fit. */
static bool keep_or_drop(struct buf *b, size_t len)
{
    if (!b->failed)
        return true;
    b->failed = false;
    b->len = len;
    return false;
}

struct event_field event_str(const char *key, struct str value)
{
    return (struct event_field){ .key = key, .type = EVENT_FIELD_STR, .text = value };
}

struct event_field event_cstr(const char *key, const char *value)
{
    if (value == NULL)
        return (struct event_field){ .key = key, .type = EVENT_FIELD_NULL };
    return event_str(key, str_from(value));
}

struct event_field event_i64(const char *key, int64_t value)
{
    return (struct event_field){ .key = key, .type = EVENT_FIELD_I64, .integer = value };
}

struct event_field event_f64(const char *key, double value)
{
    return (struct event_field){ .key = key, .type = EVENT_FIELD_F64, .number = value };
}

struct event_field event_bool(const char *key, bool value)
{
    return (struct event_field){ .key = key, .type = EVENT_FIELD_BOOL, .integer = value };
}

bool event_enabled(enum event_id id)
{
    return log_enabled(event_get(id)->level);
}

/* Would the text be misread between blanks, as it is? */
static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return true;
    }
    return s.len == 0;
}

static void put_text(struct buf *b, struct str s)
{
    if (!needs_quotes(s)) {
        buf_add_str(b, s);
        return;
    }
    buf_add_char(b, '"');
    json_escape(b, s);
    buf_add_char(b, '"');
}

/* A value as it stands behind "key=". */
static void put_plain_value(struct buf *b, const struct event_field *f)
{
    char number[FMT_MAX];

    switch (f->type) {
    case EVENT_FIELD_STR:
        put_text(b, f->text);
        break;
    case EVENT_FIELD_I64:
        buf_add_i64(b, f->integer);
        break;
    case EVENT_FIELD_F64:
        buf_add(b, number, fmt_fixed(number, f->number, 6));
        break;
    case EVENT_FIELD_BOOL:
        buf_add_cstr(b, f->integer != 0 ? "true" : "false");
        break;
    case EVENT_FIELD_NULL:
        buf_add_cstr(b, "null");
        break;
    }
}

static void put_plain_field(struct buf *b, const struct event_field *f)
{
    size_t len = b->len;

    buf_add_char(b, ' ');
    buf_add_cstr(b, f->key);
    buf_add_char(b, '=');
    put_plain_value(b, f);
    (void)keep_or_drop(b, len);
}

static void put_plain_line(struct buf *b, const struct record *r)
{
    buf_add_cstr(b, r->event->name);
    buf_add_char(b, ':');
    if (r->sentence[0] != '\0') {
        buf_add_char(b, ' ');
        buf_add_cstr(b, r->sentence);
    }
    for (size_t i = 0; i < r->count; i++)
        put_plain_field(b, &r->fields[i]);
}

/* What the journal knows by itself. */
static void put_origin(struct buf *b, const struct record *r)
{
    char time[CLOCK_TIME_SIZE];
    const struct event_field origin[] = {
        event_cstr("level", log_level_name(r->level)),
        event_cstr("role", log_role()),
        event_i64("pid", getpid()),
        event_cstr("timestamp", clock_format_us(time, clock_wall_us())),
    };

    for (size_t i = 0; i < sizeof(origin) / sizeof(origin[0]); i++)
        put_plain_field(b, &origin[i]);
}

static void put_json_field(struct json_writer *w, const struct event_field *f)
{
    size_t len = w->out->len;

    switch (f->type) {
    case EVENT_FIELD_STR:
        json_kv_str(w, f->key, f->text);
        break;
    case EVENT_FIELD_I64:
        json_kv_int(w, f->key, f->integer);
        break;
    case EVENT_FIELD_F64:
        json_kv_fixed(w, f->key, f->number, 6);
        break;
    case EVENT_FIELD_BOOL:
        json_kv_bool(w, f->key, f->integer != 0);
        break;
    case EVENT_FIELD_NULL:
        json_kv_null(w, f->key);
        break;
    }
    (void)keep_or_drop(w->out, len);
}

/* One JSON object; the last byte of the buffer is kept for its bracket. */
static void put_json_line(struct buf *b, const struct record *r)
{
    struct json_writer w;

    b->max_bytes--;
    b->cap--;
    json_writer_init(&w, b);
    json_object_begin(&w);
    json_kv_us(&w, "timestamp", clock_wall_us());
    json_kv_cstr(&w, "level", log_level_name(r->level));
    json_kv_cstr(&w, "event", r->event->name);
    json_kv_cstr(&w, "message", r->sentence);
    json_kv_int(&w, "pid", getpid());
    json_kv_cstr(&w, "role", log_role());
    for (size_t i = 0; i < r->count; i++)
        put_json_field(&w, &r->fields[i]);
    b->max_bytes++;
    b->cap++;
    json_object_end(&w);
}

/* Is descriptor 2 the stream that systemd says leads to the journal? Asked once: neither changes. */
static bool stderr_is_journal(void)
{
    static enum {
        UNKNOWN,
        NO,
        YES
    } known = UNKNOWN;
    const char *stream;
    unsigned long long device, inode;
    struct stat st;

    if (known != UNKNOWN)
        return known == YES;
    known = NO;
    stream = getenv("JOURNAL_STREAM");
    if (stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
        st.st_dev == device && st.st_ino == inode)
        known = YES;
    return known == YES;
}

struct journal_entry {
    struct iovec iov[MAX_FIELDS + 5];
    int count;
    struct buf text;
};

/* Ends the field begun at `from`. */
static void journal_end(struct journal_entry *e, size_t from)
{
    if (keep_or_drop(&e->text, from))
        e->iov[e->count++] = (struct iovec){ e->text.data + from, e->text.len - from };
}

static void journal_add(struct journal_entry *e, const char *key, struct str value)
{
    size_t from = e->text.len;

    for (const char *p = key; *p != '\0'; p++)
        buf_add_char(&e->text, (char)toupper((unsigned char)*p));
    buf_add_char(&e->text, '=');
    buf_add_str(&e->text, value);
    journal_end(e, from);
}

static void journal_add_field(struct journal_entry *e, const struct event_field *f)
{
    char room[FMT_MAX + 1];
    struct buf value = stack_buf(room, sizeof(room));

    if (f->type == EVENT_FIELD_STR) {
        journal_add(e, f->key, f->text);
        return;
    }
    put_plain_value(&value, f);
    journal_add(e, f->key, buf_str(&value));
}

/* syslog's numbers for our levels. */
static const char *priority_of(enum log_level level)
{
    static const char *const priorities[] = { "7", "6", "4", "3", "2" };

    return priorities[level];
}

static bool send_to_journal(const struct record *r, struct str line)
{
    char room[2 * LOG_LINE_BYTES];
    struct journal_entry e = { .text = stack_buf(room, sizeof(room)) };

    journal_add(&e, "MESSAGE", line);
    journal_add(&e, "PRIORITY", str_from(priority_of(r->level)));
    journal_add(&e, "MESSAGE_ID", str_from(r->event->message_id));
    journal_add(&e, "EVENT", str_from(r->event->name));
    journal_add(&e, "ROLE", str_from(log_role()));
    for (size_t i = 0; i < r->count && i < MAX_FIELDS; i++)
        journal_add_field(&e, &r->fields[i]);
    return sd_journal_sendv(e.iov, e.count) == 0;
}

static void write_record(const struct record *r)
{
    char room[LOG_LINE_BYTES];
    struct buf line = stack_buf(room, sizeof(room));
    bool journal = stderr_is_journal();
    int saved = errno;

    if (log_json())
        put_json_line(&line, r);
    else
        put_plain_line(&line, r);
    if (!journal && !log_json())
        put_origin(&line, r);
    if (!journal || !send_to_journal(r, buf_str(&line)))
        log_raw(line.data, line.len);
    errno = saved;
}

bool event_quota_take(struct event_quota *q, unsigned most, uint64_t now_ns, uint64_t *suppressed)
{
    *suppressed = 0;
    if (q->lines == 0 || now_ns - q->since_ns >= EVENT_QUOTA_NS) {
        *suppressed = q->suppressed;
        *q = (struct event_quota){ .since_ns = now_ns, .lines = 1 };
        return true;
    }
    if (q->lines < most) {
        q->lines++;
        return true;
    }
    q->suppressed++;
    return false;
}

/* Copies the fields and tells how many lines were left out, beside what the caller left out himself. */
static size_t copy_fields(struct event_field all[MAX_FIELDS], const struct event_field *fields, size_t count,
                          uint64_t suppressed)
{
    bool told = false;

    for (size_t i = 0; i < count; i++) {
        all[i] = fields[i];
        if (strcmp(fields[i].key, "suppressed") == 0) {
            all[i].integer += (int64_t)suppressed;
            told = true;
        }
    }
    if (!told)
        all[count] = event_i64("suppressed", (int64_t)suppressed);
    return told ? count : count + 1;
}

static void log_sentence(enum log_level level, enum event_id id, const struct event_field *fields, size_t count,
                         const char *sentence, va_list ap) __attribute__((format(printf, 5, 0)));

static void log_sentence(enum log_level level, enum event_id id, const struct event_field *fields, size_t count,
                         const char *sentence, va_list ap)
{
    static struct event_quota quotas[EVENT_COUNT];
    struct event_field all[MAX_FIELDS];
    char text[SENTENCE_BYTES] = "";
    struct record r = { event_get(id), level, text, fields, count };
    uint64_t suppressed = 0;

    if (!log_enabled(level))
        return;
    if (r.event->quota > 0 && !event_quota_take(&quotas[id], r.event->quota, clock_mono_ns(), &suppressed))
        return;
    if (suppressed > 0 && count < MAX_FIELDS) {
        r.count = copy_fields(all, fields, count, suppressed);
        r.fields = all;
    }
    (void)vsnprintf(text, sizeof(text), sentence, ap);
    write_record(&r);
}

void event_log(enum event_id id, const struct event_field *fields, size_t count, const char *sentence, ...)
{
    va_list ap;

    va_start(ap, sentence);
    log_sentence(event_get(id)->level, id, fields, count, sentence, ap);
    va_end(ap);
}

void event_log_at(enum log_level level, enum event_id id, const struct event_field *fields, size_t count,
                  const char *sentence, ...)
{
    va_list ap;

    va_start(ap, sentence);
    log_sentence(level, id, fields, count, sentence, ap);
    va_end(ap);
}

void event_journal(enum event_id id, const struct event_field *fields, size_t count, const char *sentence)
{
    const struct event *e = event_get(id);
    const struct record r = { e, e->level, sentence, fields, count };
    char room[LOG_LINE_BYTES];
    struct buf line = stack_buf(room, sizeof(room));

    put_plain_line(&line, &r);
    (void)send_to_journal(&r, buf_str(&line));
}
