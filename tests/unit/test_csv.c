/* csv and source_csv: records at every split, what is broken costs one line, files that can't be read whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proc/csv.h"
#include "proc/source.h"

#define HEADER "order_id,order_date,quantity,line_item_sales\n"

static struct csv_record record;

/* Parses as a reader does that gets the bytes in two reads, the second one after `split`. */
static void describe(struct buf *out, const char *data, size_t n, size_t split)
{
    size_t pos = 0, have = split;
    bool skipping = false;

    for (;;) {
        enum csv_status status = csv_parse(&record, data + pos, have - pos, have == n);
        if (status == CSV_END)
            return;
        if (status == CSV_MORE) {
            assert_true(have < n);
            have = n;
            continue;
        }
        assert_false(skipping);
        buf_printf(out, "%u%s:", record.lines, status == CSV_BROKEN ? "!" : "");
        for (unsigned i = 0; i < record.field_count; i++) {
            char text[256];
            memcpy(text, record.fields[i].p, record.fields[i].len);
            size_t len = record.doubled[i] ? csv_undouble(text, record.fields[i].len) : record.fields[i].len;
            buf_printf(out, "<%.*s>", (int)len, text);
        }
        buf_add_char(out, '\n');
        assert_true(record.bytes > 0);
        pos += record.bytes;
    }
}

static void assert_records(const char *data, size_t n, const char *expected)
{
    for (size_t split = 0; split <= n; split++) {
        struct buf out = { .max_bytes = 65536 };
        describe(&out, data, n, split);
        assert_string_equal(out.len > 0 ? buf_cstr(&out) : "", expected);
        buf_free(&out);
    }
}

#define RECORDS(data, expected) assert_records(data, sizeof(data) - 1, expected)

static void test_records(void **state)
{
    (void)state;
    RECORDS("", "");
    RECORDS("a,b\nc,d\n", "1:<a><b>\n1:<c><d>\n");
    RECORDS("a,b\r\nc,d", "1:<a><b>\n1:<c><d>\n");
    RECORDS("a,b\r\nc,d\r\n", "1:<a><b>\n1:<c><d>\n");
    RECORDS(",\n\n", "1:<><>\n1:<>\n");
    RECORDS("\"a\",\"b,c\"\r\n\"\",x", "1:<a><b,c>\n1:<><x>\n");
    RECORDS("\"say \"\"hi\"\"\",\"\"\"\"\n", "1:<say \"hi\"><\">\n");
    RECORDS("\"two\nlines\",x\ny,\"three\r\n\r\nlines\"\n", "2:<two\nlines><x>\n3:<y><three\r\n\r\nlines>\n");
    RECORDS("5\" pipe,a\"b\"\n", "1:<5\" pipe><a\"b\">\n");
    RECORDS("a\rb,c\n", "1:<a\rb><c>\n");
}

static void test_broken_quotes_cost_one_line(void **state)
{
    (void)state;
    RECORDS("a,\"b\nc,d\ne,f\n", "1!:\n1:<c><d>\n1:<e><f>\n");
    RECORDS("a,\"b\"x\nc,d\n", "1!:\n1:<c><d>\n");
    RECORDS("a,\"b\nc,\"d\ne,f\n", "1!:\n1!:\n1:<e><f>\n");
    RECORDS("a,\"b", "1!:\n");
    RECORDS("a,\"b\"\rc\nd,e\n", "1!:\n1:<d><e>\n");
}

static void test_long_record_is_broken(void **state)
{
    size_t n = CSV_MAX_RECORD_BYTES + 100;
    char *data = malloc(n);

    (void)state;
    memset(data, 'x', n);
    assert_int_equal(csv_parse(&record, data, CSV_MAX_RECORD_BYTES - 1, false), CSV_MORE);
    assert_int_equal(csv_parse(&record, data, n, true), CSV_BROKEN);
    assert_true(record.cut);
    assert_int_equal(record.bytes, CSV_MAX_RECORD_BYTES);
    memcpy(data, "a,\"b\nc", 6);
    assert_int_equal(csv_parse(&record, data, n, true), CSV_BROKEN);
    assert_false(record.cut);
    assert_int_equal(record.bytes, 5);
    free(data);
}

/* Fields of every length, of every byte that ends none. */
static void test_fields_end_where_they_end(void **state)
{
    (void)state;
    char data[3 * 64];
    struct csv_record r;

    for (int byte = 0; byte < 256; byte++) {
        if (byte == ',' || byte == '\n' || byte == '\r' || byte == '"')
            continue;
        for (size_t n = 0; n < 40; n++) {
            memset(data, byte, sizeof(data));
            data[n] = ',';
            data[2 * n + 1] = '\n';
            assert_int_equal(csv_parse(&r, data, sizeof(data), false), CSV_RECORD);
            assert_int_equal(r.field_count, 2);
            assert_int_equal(r.fields[0].len, n);
            assert_int_equal(r.fields[1].len, n);
            assert_int_equal(r.bytes, 2 * n + 2);
        }
    }
}

static void test_many_fields_are_counted(void **state)
{
    char data[2 * CSV_MAX_FIELDS + 16];

    (void)state;
    memset(data, ',', sizeof(data));
    assert_int_equal(csv_parse(&record, data, sizeof(data), true), CSV_RECORD);
    assert_int_equal(record.field_count, sizeof(data) + 1);
}

/* ---- the source ---- */

struct world {
    char dir[64];
    struct conf conf;
    char setting[160];
    struct source_env env;
    int notes;
    char note[256];
};

static bool beat(void *arg)
{
    (void)arg;
    return true;
}

static void note(void *arg, const char *text)
{
    struct world *w = arg;

    w->notes++;
    snprintf(w->note, sizeof(w->note), "%s", text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    snprintf(w->dir, sizeof(w->dir), "/tmp/patrond-test-csv-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->env = (struct source_env){ .conf = &w->conf, .beat = beat, .note = note, .arg = w };
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static const char *path_of(struct world *w, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    return path;
}

static void write_bytes(struct world *w, const char *name, const void *data, size_t n)
{
    FILE *f = fopen(path_of(w, name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_text(struct world *w, const char *name, const char *text)
{
    write_bytes(w, name, text, strlen(text));
}

/* One gzip member; the bytes are the caller's to free. */
static unsigned char *compress_text(const char *text, size_t *n)
{
    z_stream z = { 0 };
    size_t size = strlen(text) + 1024;
    unsigned char *out = malloc(size);

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = out;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *n = size - z.avail_out;
    deflateEnd(&z);
    return out;
}

/* Reads all: "line:order_id/order_date/quantity/sales" or "line!reason" a row, then the end's reason or ".". */
static struct buf read_range(struct world *w, const char *name, const struct source_range *range, size_t batch)
{
    struct buf out = { .max_bytes = 1 << 20 };
    struct source_error err = { 0 };
    struct source_row *rows = calloc(batch, sizeof(*rows));
    enum source_status status = SOURCE_ERROR;
    size_t count = 0;

    snprintf(w->setting, sizeof(w->setting), "csv:%s", path_of(w, name));
    w->conf.sync_source = w->setting;
    struct source *s = source_csv_ops.open(&w->env, &err);
    if (s != NULL)
        status = s->ops->begin(s, range, &err);
    while (status == SOURCE_OK) {
        status = s->ops->next(s, rows, batch, &count, &err);
        for (size_t i = 0; i < count; i++) {
            const struct source_row *r = &rows[i];
            buf_printf(&out, "%.*s%s%lld", (int)r->file.len, r->file.len > 0 ? r->file.p : "",
                       r->file.len > 0 ? "@" : "", (long long)r->line_number);
            if (r->bad != NULL) {
                buf_printf(&out, "!%s|%.*s\n", r->bad, (int)r->raw.len, r->raw.p);
                continue;
            }
            static const int shown[4] = { SOURCE_ORDER_ID, SOURCE_ORDER_DATE, SOURCE_QUANTITY,
                                          SOURCE_LINE_ITEM_SALES };
            for (int k = 0; k < 4; k++)
                buf_printf(&out, "%c%.*s", k == 0 ? ':' : '/', (int)r->values[shown[k]].len,
                           r->values[shown[k]].p != NULL ? r->values[shown[k]].p : "");
            buf_add_char(&out, '\n');
        }
    }
    if (status == SOURCE_ERROR)
        buf_printf(&out, "%s: %s", sb_reason_name(err.reason), err.text);
    else
        buf_add_char(&out, '.');
    if (s != NULL)
        s->ops->close(s);
    free(rows);
    return out;
}

static const struct source_range everything = { .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY };

static void assert_read(struct world *w, const char *name, const char *expected)
{
    for (size_t batch = 1; batch < 4; batch++) {
        struct buf out = read_range(w, name, &everything, batch);
        assert_string_equal(buf_cstr(&out), expected);
        buf_free(&out);
    }
}

/* The end is an error whose text holds `words`. */
static void assert_refused(struct world *w, const char *name, const char *words)
{
    struct buf out = read_range(w, name, &everything, 100);
    const char *text = buf_cstr(&out);

    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, text);
    buf_free(&out);
}

static void test_file(void **state)
{
    struct world *w = *state;

    write_text(w, "a.csv",
               "\xef\xbb\xbfQuantity, line_item_sales ,ORDER_ID,order_date,colour\r\n"
               "1,9.99,7,2024-02-03,red\r\n"
               "\r\n"
               "2,\"1.50\",8,\"2024-02-04 10:00:00\",\"blue\r\nish\"\r\n"
               "3,2,9\r\n"
               "4,5,10,2024-02-05,x\"\"");
    assert_read(w, "a.csv",
                "2:7/2024-02-03/1/9.99\n4:8/2024-02-04 10:00:00/2/1.50\n6!wrong number of fields|3,2,9\n"
                "7:10/2024-02-05/4/5\n.");
    assert_true(w->notes > 0);
    assert_non_null(strstr(w->note, "\"colour\""));
}

static void test_stray_quote_swallows_nothing(void **state)
{
    struct world *w = *state;

    /* The two stray quotes pair up into one record of three lines with too many fields. */
    write_text(w, "q.csv", HEADER "1,2024-01-01,1,\"1\n2,2024-01-02,1,2\n3,2024-01-03,1,\"3\n4,2024-01-04,1,4\n");
    assert_read(w, "q.csv",
                "2!text behind a closing quote|1,2024-01-01,1,\"1\n3:2/2024-01-02/1/2\n"
                "4!a quote that is never closed|3,2024-01-03,1,\"3\n5:4/2024-01-04/1/4\n.");
    write_text(w, "q.csv", HEADER "1,2024-01-01,1,\"1\n2,2024-01-02,1,2\n3,2024-01-03,1,3\",9\n4,2024-01-04,1,4\n");
    assert_read(w, "q.csv",
                "2!wrong number of fields, or a quote that is never closed|1,2024-01-01,1,\"1\n"
                "3:2/2024-01-02/1/2\n4!wrong number of fields|3,2024-01-03,1,3\",9\n5:4/2024-01-04/1/4\n.");
}

static void test_long_line_is_one_bad_row(void **state)
{
    struct world *w = *state;
    struct buf text = { .max_bytes = 1 << 20 };

    buf_add_cstr(&text, HEADER "1,2024-01-01,1,");
    for (int i = 0; i < 300000; i++)
        buf_add_char(&text, '9');
    buf_add_cstr(&text, "\n2,2024-01-02,1,2\n");
    write_bytes(w, "long.csv", text.data, text.len);
    buf_free(&text);
    struct buf out = read_range(w, "long.csv", &everything, 10);
    const char *got = buf_cstr(&out);
    assert_int_equal(strncmp(got, "2!line longer than 65536 bytes", 30), 0);
    assert_string_equal(strrchr(got, '|') + 1 + SOURCE_RAW_BYTES, "\n3:2/2024-01-02/1/2\n.");
    buf_free(&out);
}

static void test_headers_refused(void **state)
{
    struct world *w = *state;

    write_text(w, "h.csv", "");
    assert_refused(w, "h.csv", "the file is empty");
    write_text(w, "h.csv", "order_id,order_date,quantity\n1,2,3\n");
    assert_refused(w, "h.csv", "validation: header of h.csv: no column line_item_sales");
    write_text(w, "h.csv", "order_id,order_date,quantity,line_item_sales,Quantity\n");
    assert_refused(w, "h.csv", "twice the column quantity");
    write_bytes(w, "h.csv", "\xff\xfeo\0r\0", 6);
    assert_refused(w, "h.csv", "UTF-16");
    assert_refused(w, "missing.csv", "source_connect: cannot read");
    assert_int_equal(unlink(path_of(w, "h.csv")), 0);
    assert_refused(w, ".", "no *.csv");
}

static void test_directory(void **state)
{
    struct world *w = *state;
    size_t n;
    unsigned char *z = compress_text("quantity,order_id,order_date,line_item_sales\n5,3,2024-01-03,1\n", &n);

    write_text(w, "b.csv", HEADER "2,2024-01-02,1,2");
    write_text(w, "a.csv", HEADER "1,2024-01-01,1,1\n");
    write_bytes(w, "c.csv.gz", z, n);
    write_text(w, "notes.txt", "nothing\n");
    free(z);
    assert_read(w, ".", "a.csv@2:1/2024-01-01/1/1\nb.csv@2:2/2024-01-02/1/2\nc.csv.gz@2:3/2024-01-03/5/1\n.");
}

static void test_gzip(void **state)
{
    struct world *w = *state;
    struct buf text = { .max_bytes = 1 << 22 };
    size_t n, m;

    buf_add_cstr(&text, HEADER);
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "%d,2024-01-01,1,%d.00\n", i, i);
    unsigned char *z = compress_text(buf_cstr(&text), &n);
    unsigned char *more = compress_text("7,2024-01-02,2,7\n", &m);
    write_bytes(w, "z.csv.gz", z, n);
    struct buf out = read_range(w, "z.csv.gz", &everything, 5000);
    assert_non_null(strstr(buf_cstr(&out), "\n20001:19999/2024-01-01/1/19999.00\n."));
    buf_free(&out);

    for (size_t cut = 1; cut < n; cut += 997) { /* never a short read */
        write_bytes(w, "z.csv.gz", z, n - cut);
        assert_refused(w, "z.csv.gz", "source_query: cannot decompress z.csv.gz");
    }
    z[n / 2] ^= 0x40;
    write_bytes(w, "z.csv.gz", z, n);
    assert_refused(w, "z.csv.gz", "source_query");
    z[n / 2] ^= 0x40;

    unsigned char *both = malloc(n + m);
    memcpy(both, z, n);
    memcpy(both + n, more, m);
    write_bytes(w, "z.csv.gz", both, n + m); /* two members are one file */
    out = read_range(w, "z.csv.gz", &everything, 5000);
    assert_non_null(strstr(buf_cstr(&out), "\n20002:7/2024-01-02/2/7\n."));
    buf_free(&out);
    memcpy(both + n, "rubbish", 7);
    write_bytes(w, "z.csv.gz", both, n + 7);
    assert_refused(w, "z.csv.gz", "source_query");
    free(both);
    free(more);
    free(z);
    buf_free(&text);
}

static void test_ranges(void **state)
{
    struct world *w = *state;
    int64_t orders[] = { 2, 4 };
    struct source_range range = everything;
    struct buf out;

    write_text(w, "r.csv",
               HEADER "1,2024-01-01,1,1\n2,2024-01-02,1,1\n2,2024-01-05,1,1\n3,2024-01-03,1,1\nx,never,1,1\n"
                      "short\n4,never,1,1\n");
    range.start_day = clock_day_of(2024, 1, 2);
    range.end_day = clock_day_of(2024, 1, 3);
    out = read_range(w, "r.csv", &range, 2);
    assert_string_equal(buf_cstr(&out), "3:2/2024-01-02/1/1\n5:3/2024-01-03/1/1\n6:x/never/1/1\n"
                                        "7!wrong number of fields|short\n8:4/never/1/1\n.");
    buf_free(&out);
    range.orders = orders;
    range.order_count = 2;
    out = read_range(w, "r.csv", &range, 10);
    assert_string_equal(buf_cstr(&out), "3:2/2024-01-02/1/1\n4:2/2024-01-05/1/1\n8:4/never/1/1\n.");
    buf_free(&out);
    range = everything;
    range.start_day = clock_day_of(2024, 1, 5);
    range.days = (const int32_t[]){ clock_day_of(2024, 1, 1), clock_day_of(2024, 1, 3) };
    range.day_count = 2;
    out = read_range(w, "r.csv", &range, 10);
    assert_string_equal(buf_cstr(&out), "2:1/2024-01-01/1/1\n4:2/2024-01-05/1/1\n5:3/2024-01-03/1/1\n"
                                        "6:x/never/1/1\n7!wrong number of fields|short\n8:4/never/1/1\n.");
    buf_free(&out);
    range = everything;
    range.row_limit = 3;
    out = read_range(w, "r.csv", &range, 2);
    assert_string_equal(buf_cstr(&out), "2:1/2024-01-01/1/1\n3:2/2024-01-02/1/1\n4:2/2024-01-05/1/1\n.");
    buf_free(&out);
}

static void test_lines_of_a_customer(void **state)
{
    struct world *w = *state;
    int64_t customer = 7;
    struct source_range range = everything;

    range.customer_id = &customer;
    write_text(w, "k.csv",
               "order_id,order_date,quantity,line_item_sales,customer_id\n1,2024-01-01,1,1,7\n2,2024-01-02,1,1,8\n"
               "3,never,1,1,7\n4,2024-01-04,1,1,\nshort\n");
    struct buf out = read_range(w, "k.csv", &range, 10);
    assert_string_equal(buf_cstr(&out), "2:1/2024-01-01/1/1\n4:3/never/1/1\n.");
    buf_free(&out);
}

/* "day:lines/orders/sales/refunds/quantity" a day of January 2024, read `max` days at a time. */
static struct buf read_days(struct world *w, const char *name, struct source_range range, size_t max)
{
    struct buf out = { .max_bytes = 1 << 16 };
    struct source_error err = { 0 };
    struct source_day_total totals[8];
    enum source_status status = SOURCE_OK;
    size_t count = 0;

    snprintf(w->setting, sizeof(w->setting), "csv:%s", path_of(w, name));
    w->conf.sync_source = w->setting;
    struct source *s = source_csv_ops.open(&w->env, &err);
    assert_non_null(s);
    while (status == SOURCE_OK) {
        status = s->ops->day_totals(s, &range, totals, max, &count, &err);
        for (size_t i = 0; i < count; i++) {
            const struct source_day_total *t = &totals[i];
            buf_printf(&out, "%d:%lld/%lld/%lld/%lld/%lld ", t->day - clock_day_of(2024, 1, 1) + 1,
                       (long long)t->lines, (long long)t->orders, (long long)t->sales_cents,
                       (long long)t->refunds_cents, (long long)t->quantity);
        }
        if (count > 0)
            range.start_day = totals[count - 1].day + 1;
    }
    assert_int_equal(status, SOURCE_END);
    s->ops->close(s);
    return out;
}

/* Out of order, an order on two days, bad lines: the same totals however few days are asked for at a time. */
static void test_totals_of_days(void **state)
{
    struct world *w = *state;
    struct source_range range = everything;
    struct buf out;

    write_text(
        w, "d.csv",
        "order_id,order_date,quantity,line_item_sales,line_item_refunds\n5,2024-01-09,1,1,\n1,2024-01-01,1,1,\n"
        "2,2024-01-02,2,1.50,-0.25\n2,2024-01-02 23:59:59.999,-1,2,0\n2,2024-01-05,1,1,\n"
        "3,2024-01-02,3,-4,\nx,2024-01-01,1,1,\n4,2024-01-01,1,rubbish,\n6,never,1,1,\nshort\n");
    for (size_t max = 1; max <= 8; max++) {
        out = read_days(w, "d.csv", range, max);
        assert_string_equal(buf_cstr(&out), "1:1/1/100/0/1 2:3/2/-50/-25/4 5:1/1/100/0/1 9:1/1/100/0/1 ");
        buf_free(&out);
    }
    range.start_day = clock_day_of(2024, 1, 2);
    range.end_day = clock_day_of(2024, 1, 8);
    out = read_days(w, "d.csv", range, 1);
    assert_string_equal(buf_cstr(&out), "2:3/2/-50/-25/4 5:1/1/100/0/1 ");
    buf_free(&out);
}

static void assert_value(const struct source_row *row, enum source_column column, const char *expected)
{
    if (!str_eq_lit(row->values[column], expected))
        fail_msg("%s: \"%.*s\" instead of \"%s\"", source_columns[column].name, (int)row->values[column].len,
                 row->values[column].p != NULL ? row->values[column].p : "", expected);
}

static void test_calendar_is_computed_where_absent(void **state)
{
    struct world *w = *state;
    struct source_error err;
    static struct source_row rows[4];
    size_t count;

    write_text(w, "c.csv",
               "order_id,order_date,quantity,line_item_sales,month_name\n"
               "1,2021-01-03 23:59:59,1,1,Janvier\n2,2021-01-03,1,1,\n3,2020-12-31,1,1,x\n");
    snprintf(w->setting, sizeof(w->setting), "csv:%s", path_of(w, "c.csv"));
    w->conf.sync_source = w->setting;
    struct source *s = source_csv_ops.open(&w->env, &err);
    assert_non_null(s);
    assert_int_equal(s->ops->begin(s, &everything, &err), SOURCE_OK);
    assert_int_equal(s->ops->next(s, rows, 4, &count, &err), SOURCE_OK);
    assert_int_equal(count, 3);
    assert_value(&rows[0], SOURCE_YEAR, "2021");
    assert_value(&rows[0], SOURCE_QUARTER, "1");
    assert_value(&rows[0], SOURCE_MONTH, "1");
    assert_value(&rows[0], SOURCE_WEEK, "53"); /* ISO: a Sunday of the old year's last week */
    assert_value(&rows[0], SOURCE_DAY, "3");
    assert_value(&rows[0], SOURCE_WEEK_DAY, "Sunday");
    assert_value(&rows[0], SOURCE_MONTH_NAME, "Janvier");
    assert_null(rows[1].values[SOURCE_MONTH_NAME].p);
    assert_value(&rows[2], SOURCE_WEEK, "53");
    assert_value(&rows[2], SOURCE_WEEK_DAY, "Thursday");
    assert_int_equal(s->ops->next(s, rows, 4, &count, &err), SOURCE_END);
    s->ops->close(s);
    assert_true(source_csv_ops.check(&w->env, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_broken_quotes_cost_one_line),
        cmocka_unit_test(test_long_record_is_broken),
        cmocka_unit_test(test_fields_end_where_they_end),
        cmocka_unit_test(test_many_fields_are_counted),
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stray_quote_swallows_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line_is_one_bad_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_of_a_customer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_totals_of_days, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calendar_is_computed_where_absent, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
