#include "proc/csv.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum field_end {
    FIELD_COMMA,
    FIELD_LINE,
    FIELD_OPEN,  /* the bytes ran out */
    FIELD_WRONG, /* something behind a closing quote */
};

struct cursor {
    const char *p, *end;
    bool last;
};

/* What stands at the cursor ends the field or not; moves behind it. */
static enum field_end take_end(struct cursor *c)
{
    if (c->p == c->end)
        return c->last ? FIELD_LINE : FIELD_OPEN;
    if (*c->p == ',') {
        c->p++;
        return FIELD_COMMA;
    }
    if (*c->p == '\n') {
        c->p++;
        return FIELD_LINE;
    }
    if (*c->p != '\r')
        return FIELD_WRONG;
    if (c->p + 1 == c->end)
        return c->last ? FIELD_WRONG : FIELD_OPEN;
    if (c->p[1] != '\n')
        return FIELD_WRONG;
    c->p += 2;
    return FIELD_LINE;
}

static enum field_end take_quoted(struct cursor *c, struct csv_record *r, struct str *field, bool *doubled)
{
    const char *start = ++c->p;

    *doubled = false;
    for (;;) {
        const char *quote = memchr(c->p, '"', (size_t)(c->end - c->p));
        const char *stop = quote != NULL ? quote : c->end;
        for (const char *nl = c->p; (nl = memchr(nl, '\n', (size_t)(stop - nl))) != NULL; nl++)
            r->lines++;
        if (quote == NULL)
            return FIELD_OPEN;
        c->p = quote + 1;
        if (c->p == c->end || *c->p != '"') {
            *field = (struct str){ start, (size_t)(quote - start) };
            return take_end(c);
        }
        *doubled = true;
        c->p++;
    }
}

/* A high bit for each byte that is c; above the lowest one there may be others that mean nothing. */
static uint64_t bytes_equal(uint64_t word, char c)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t other = word ^ (ones * (unsigned char)c);

    return (other - ones) & ~other & (ones << 7);
}

/* The first comma or line feed, or the end; eight bytes at a time, because most of a reading is spent here. */
static const char *find_end(const char *p, const char *end)
{
    for (uint64_t word; end - p >= (ptrdiff_t)sizeof(word); p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        word = le64toh(word);
        uint64_t found = bytes_equal(word, ',') | bytes_equal(word, '\n');
        if (found != 0)
            return p + __builtin_ctzll(found) / 8;
    }
    while (p < end && *p != ',' && *p != '\n')
        p++;
    return p;
}

static enum field_end take_plain(struct cursor *c, struct str *field)
{
    const char *start = c->p;

    c->p = find_end(c->p, c->end);
    *field = (struct str){ start, (size_t)(c->p - start) };
    if (c->p == c->end)
        return c->last ? FIELD_LINE : FIELD_OPEN;
    if (*c->p++ == ',')
        return FIELD_COMMA;
    if (field->len > 0 && field->p[field->len - 1] == '\r')
        field->len--;
    return FIELD_LINE;
}

static struct str without_line_end(const char *data, size_t n)
{
    if (n > 0 && data[n - 1] == '\n')
        n--;
    if (n > 0 && data[n - 1] == '\r')
        n--;
    return (struct str){ data, n };
}

enum csv_status csv_break(struct csv_record *r, const char *data, size_t n, bool last, const char *reason)
{
    const char *nl = memchr(data, '\n', n);

    r->reason = reason;
    r->lines = 1;
    r->field_count = 0;
    r->cut = nl == NULL && !last;
    r->bytes = nl != NULL ? (size_t)(nl + 1 - data) : n;
    r->raw = without_line_end(data, r->bytes);
    return CSV_BROKEN;
}

/* Text behind a closing quote; the line must be in sight to its end. */
static enum csv_status wrong(struct csv_record *r, const char *data, size_t n, bool last)
{
    if (!last && n < CSV_MAX_RECORD_BYTES && memchr(data, '\n', n) == NULL)
        return CSV_MORE;
    return csv_break(r, data, n, last, "text behind a closing quote");
}

static enum csv_status unfinished(struct csv_record *r, const char *data, size_t n, bool last)
{
    if (n >= CSV_MAX_RECORD_BYTES)
        return csv_break(r, data, n, last, "line longer than 65536 bytes, or a quote that is never closed");
    if (last)
        return csv_break(r, data, n, last, "a quote that is never closed");
    return CSV_MORE;
}

enum csv_status csv_parse(struct csv_record *r, const char *data, size_t n, bool last)
{
    if (n == 0)
        return last ? CSV_END : CSV_MORE;
    if (n > CSV_MAX_RECORD_BYTES) {
        n = CSV_MAX_RECORD_BYTES;
        last = false;
    }

    struct cursor c = { data, data + n, last };
    r->lines = 1;
    r->field_count = 0;
    r->cut = false;
    r->reason = NULL;
    for (;;) {
        struct str field = STR_NONE;
        bool doubled = false;
        enum field_end end =
            c.p < c.end && *c.p == '"' ? take_quoted(&c, r, &field, &doubled) : take_plain(&c, &field);
        if (end == FIELD_OPEN)
            return unfinished(r, data, n, last);
        if (end == FIELD_WRONG)
            return wrong(r, data, n, last);
        if (r->field_count < CSV_MAX_FIELDS) {
            r->fields[r->field_count] = field;
            r->doubled[r->field_count] = doubled;
        }
        r->field_count++;
        if (end == FIELD_LINE)
            break;
    }
    r->bytes = (size_t)(c.p - data);
    r->raw = without_line_end(data, r->bytes);
    return CSV_RECORD;
}

size_t csv_undouble(char *text, size_t n)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        text[out++] = text[i];
        if (text[i] == '"' && i + 1 < n && text[i + 1] == '"')
            i++;
    }
    return out;
}
