#include "proc/sync_row.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "proc/sync_db.h"

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

/* "2025-03-03 08:15:30.654425", what is zero at the end left out. */
static void put_time(struct buf *out, int64_t us)
{
    char text[CLOCK_TIME_SIZE];

    clock_format_us(text, us);
    text[10] = ' ';
    size_t n = us % (86400 * CLOCK_US_PER_S) == 0 ? 10 : us % CLOCK_US_PER_S == 0 ? 19 : 26;
    buf_add(out, text, n);
}

static void put_double(struct buf *out, double v)
{
    char text[FMT_MAX];

    buf_add(out, text, fmt_double(text, v + 0.0)); /* no negative zero */
}

static void put_cents(struct buf *out, int64_t cents)
{
    char text[FMT_MAX];

    buf_add(out, text, fmt_cents_text(text, cents));
}

static void put_value(struct buf *out, enum source_kind kind, struct str s)
{
    int64_t integer = 0;
    double number = 0;

    if (s.p == NULL) {
        buf_add(out, "\\N", 2);
        return;
    }
    switch (kind) {
    case SOURCE_BIGINT:
    case SOURCE_INT:
        str_to_i64(s, &integer);
        buf_add_i64(out, integer);
        return;
    case SOURCE_NUMERIC_18_2:
        source_parse_money(s, &integer);
        put_cents(out, integer);
        return;
    case SOURCE_DOUBLE:
        str_to_double(s, &number);
        put_double(out, number);
        return;
    case SOURCE_TIMESTAMP:
        clock_parse_time(s, &integer);
        put_time(out, integer);
        return;
    case SOURCE_TEXT:
        sync_db_copy_escape(out, s);
    }
}

/* The thirty values, each with a tab behind it; answers their hash. */
static int64_t put_values(struct buf *out, const struct source_row *row)
{
    size_t start = out->len;

    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        put_value(out, source_columns[i].kind, row->values[i]);
        buf_add_char(out, '\t');
    }
    return out->failed ? 0 : (int64_t)hash_fast(0, out->data + start, out->len - start);
}

void sync_row_put(struct buf *out, const struct source_row *row)
{
    buf_add_i64(out, put_values(out, row));
    buf_add_char(out, '\n');
}

int64_t sync_row_hash(struct buf *scratch, const struct source_row *row)
{
    buf_reset(scratch);
    return put_values(scratch, row);
}

static bool is_id(int column)
{
    return column == SOURCE_ORDER_ID || column == SOURCE_ORDER_NUMBER || column == SOURCE_CUSTOMER_ID ||
           column == SOURCE_PRODUCT_ID;
}

static void put_json_value(struct json_writer *w, int column, struct str s)
{
    int64_t integer = 0;
    double number = 0;
    char time[CLOCK_TIME_SIZE];

    switch (source_columns[column].kind) {
    case SOURCE_BIGINT:
    case SOURCE_INT:
        if (is_id(column))
            json_str(w, s);
        else if (str_to_i64(s, &integer))
            json_int(w, integer);
        return;
    case SOURCE_NUMERIC_18_2:
        source_parse_money(s, &integer);
        json_cents(w, integer);
        return;
    case SOURCE_DOUBLE:
        str_to_double(s, &number);
        json_fixed(w, number, 6);
        return;
    case SOURCE_TIMESTAMP:
        clock_parse_time(s, &integer);
        json_cstr(w, clock_format_seconds(time, integer));
        return;
    case SOURCE_TEXT:
        json_str(w, s);
    }
}

void sync_row_put_json(struct json_writer *w, const struct source_row *row)
{
    json_object_begin(w);
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        json_key(w, source_columns[i].name);
        if (row->values[i].p == NULL)
            json_null(w);
        else
            put_json_value(w, i, row->values[i]);
    }
    json_object_end(w);
}
