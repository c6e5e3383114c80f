#include "proc/sync_row.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "proc/sync_db.h"

#define EPOCH_US (946684800 * CLOCK_US_PER_S) /* 2000-01-01: where PostgreSQL counts from */

const char *sync_row_columns(void)
{
    static char names[1024];
    size_t n = 0;

    if (names[0] != '\0')
        return names;
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        n += (size_t)snprintf(names + n, sizeof(names) - n, "%s,", source_columns[i].name);
    snprintf(names + n, sizeof(names) - n, "line_hash");
    return names;
}

/* What a text of the source says. */
struct value {
    enum source_kind kind;
    bool null;
    int64_t integer; /* also hundredths, and microseconds since 1970 */
    double number;
    struct str text;
};

static struct value parse(int column, struct str s)
{
    struct value v = { .kind = source_columns[column].kind, .null = s.p == NULL, .text = s };

    if (v.null)
        return v;
    switch (v.kind) {
    case SOURCE_BIGINT:
    case SOURCE_INT:
        str_to_i64(s, &v.integer);
        break;
    case SOURCE_NUMERIC_18_2:
        source_parse_money(s, &v.integer);
        break;
    case SOURCE_DOUBLE:
        str_to_double(s, &v.number);
        v.number += 0.0; /* no negative zero */
        break;
    case SOURCE_TIMESTAMP:
        clock_parse_time(s, &v.integer);
        break;
    case SOURCE_TEXT:
        break;
    }
    return v;
}

/* "2025-03-03 08:15:30.654425", what is zero at the end left out. */
static void spell_time(struct buf *out, int64_t us)
{
    char text[CLOCK_TIME_SIZE];

    clock_format_us(text, us);
    text[10] = ' ';
    size_t n = us % (86400 * CLOCK_US_PER_S) == 0 ? 10 : us % CLOCK_US_PER_S == 0 ? 19 : 26;
    buf_add(out, text, n);
}

/* The one spelling of a value, a tab behind it. */
static void spell(struct buf *out, const struct value *v)
{
    char text[FMT_MAX];

    if (v->null)
        buf_add(out, "\\N", 2);
    else if (v->kind == SOURCE_TEXT)
        sync_db_copy_escape(out, v->text);
    else if (v->kind == SOURCE_TIMESTAMP)
        spell_time(out, v->integer);
    else if (v->kind == SOURCE_NUMERIC_18_2)
        buf_add(out, text, fmt_cents_text(text, v->integer));
    else if (v->kind == SOURCE_DOUBLE)
        buf_add(out, text, fmt_double(text, v->number));
    else
        buf_add_i64(out, v->integer);
    buf_add_char(out, '\t');
}

static int64_t hash_of(const struct buf *spelled)
{
    return spelled->failed ? 0 : (int64_t)hash_fast(0, spelled->data, spelled->len);
}

int64_t sync_row_hash(struct buf *scratch, const struct source_row *row)
{
    buf_reset(scratch);
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        struct value v = parse(i, row->values[i]);
        spell(scratch, &v);
    }
    return hash_of(scratch);
}

/* The highest byte first. */
static void put_bytes(struct buf *out, int64_t v, size_t bytes)
{
    uint64_t big = htobe64((uint64_t)v << (64 - 8 * bytes));

    buf_add(out, &big, bytes);
}

static void put_integer(struct buf *out, int64_t v, size_t bytes)
{
    put_bytes(out, (int64_t)bytes, 4);
    put_bytes(out, v, bytes);
}

/* PostgreSQL's numeric: digits of base 10000, the first one's power of it, sign, decimals. */
static void put_cents(struct buf *out, int64_t cents)
{
    uint64_t magnitude = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    int64_t digits[8];
    size_t n = 0;

    for (uint64_t unit = 1000000000000; unit > 0; unit /= 10000) {
        digits[n] = (int64_t)(magnitude / 100 / unit % 10000);
        n += n > 0 || digits[0] > 0;
    }
    int64_t power = (int64_t)n - 1;
    digits[n++] = (int64_t)(magnitude % 100 * 100);
    put_bytes(out, (int64_t)(8 + 2 * n), 4);
    put_bytes(out, (int64_t)n, 2);
    put_bytes(out, power, 2);
    put_bytes(out, cents < 0 ? 0x4000 : 0, 2);
    put_bytes(out, 2, 2);
    for (size_t i = 0; i < n; i++)
        put_bytes(out, digits[i], 2);
}

static void put_value(struct buf *out, const struct value *v)
{
    int64_t bits;

    if (v->null) {
        put_bytes(out, -1, 4);
        return;
    }
    switch (v->kind) {
    case SOURCE_BIGINT:
        put_integer(out, v->integer, 8);
        return;
    case SOURCE_INT:
        put_integer(out, v->integer, 4);
        return;
    case SOURCE_NUMERIC_18_2:
        put_cents(out, v->integer);
        return;
    case SOURCE_DOUBLE:
        memcpy(&bits, &v->number, sizeof(bits));
        put_integer(out, bits, 8);
        return;
    case SOURCE_TIMESTAMP:
        put_integer(out, v->integer - EPOCH_US, 8);
        return;
    case SOURCE_TEXT:
        put_bytes(out, (int64_t)v->text.len, 4);
        buf_add_str(out, v->text);
    }
}

void sync_row_begin(struct buf *out)
{
    static const char signature[] = "PGCOPY\n\377\r\n"; /* and its NUL */

    buf_add(out, signature, sizeof(signature));
    put_bytes(out, 0, 4); /* no flags */
    put_bytes(out, 0, 4); /* nothing more in the head */
}

void sync_row_put(struct buf *out, struct buf *scratch, const struct source_row *row)
{
    buf_reset(scratch);
    put_bytes(out, SOURCE_COLUMNS + 1, 2);
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        struct value v = parse(i, row->values[i]);
        spell(scratch, &v);
        put_value(out, &v);
    }
    put_integer(out, hash_of(scratch), 8);
    out->failed |= scratch->failed;
}

void sync_row_end(struct buf *out)
{
    put_bytes(out, -1, 2);
}

static bool is_id(int column)
{
    return column == SOURCE_ORDER_ID || column == SOURCE_ORDER_NUMBER || column == SOURCE_CUSTOMER_ID ||
           column == SOURCE_PRODUCT_ID;
}

static void put_json_value(struct json_writer *w, int column, const struct value *v)
{
    char time[CLOCK_TIME_SIZE];

    if (v->null)
        json_null(w);
    else if (v->kind == SOURCE_TEXT || is_id(column))
        json_str(w, v->text);
    else if (v->kind == SOURCE_TIMESTAMP)
        json_cstr(w, clock_format_seconds(time, v->integer));
    else if (v->kind == SOURCE_NUMERIC_18_2)
        json_cents(w, v->integer);
    else if (v->kind == SOURCE_DOUBLE)
        json_fixed(w, v->number, 6);
    else
        json_int(w, v->integer);
}

void sync_row_put_json(struct json_writer *w, const struct source_row *row)
{
    json_object_begin(w);
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        struct value v = parse(i, row->values[i]);
        json_key(w, source_columns[i].name);
        put_json_value(w, i, &v);
    }
    json_object_end(w);
}
