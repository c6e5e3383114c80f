/*
 * source_csv: order lines out of CSV files (SYNC_SOURCE=csv:PATH).
 *
 * Every file begins with a header naming the columns of combined_sales in any order; only the required ones must be
 * there. A file has no index, so every reading goes through all of it and hands out the lines of the range. Memory is
 * one window of input and one batch of text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "proc/csv.h"
#include "proc/source.h"
#include "proc/source_csv_input.h"

#define WINDOW_BYTES     (4 * CSV_MAX_RECORD_BYTES)
#define BATCH_TEXT_BYTES (4U << 20)
#define ROW_TEXT_BYTES   (CSV_MAX_RECORD_BYTES + 256) /* most a row takes of the batch: its record and its calendar */
#define NO_FIELD         (-1)

/* The columns a file may lack because the order's day gives them. */
struct calendar {
    int32_t day; /* CLOCK_NO_DAY: not filled in this batch */
    struct str year, quarter, month, month_name, week, mday, week_day;
};

struct csv_source {
    struct source base;
    struct source_env env;
    struct csv_input *input;
    struct source_range range;
    bool file_open, input_end, noted_unknown, skipping; /* skipping: drop bytes up to the next LF */
    int16_t field_of[SOURCE_COLUMNS];
    unsigned field_count;
    int64_t line_number; /* of the next record */
    int64_t rows_given, records_seen;
    char *window; /* WINDOW_BYTES */
    size_t window_pos, window_len;
    char *text; /* BATCH_TEXT_BYTES: what the rows of the batch point to */
    size_t text_len;
    struct calendar calendar;
    struct csv_record record;
};

static const char *const month_names[12] = { "January", "February", "March",     "April",   "May",      "June",
                                             "July",    "August",   "September", "October", "November", "December" };
static const char *const week_day_names[7] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                               "Friday", "Saturday", "Sunday" };

static void close_source(struct source *base)
{
    struct csv_source *s = (struct csv_source *)base;

    csv_input_free(s->input);
    free(s->window);
    free(s->text);
    free(s);
}

static struct source *open_source(const struct source_env *env, struct source_error *err)
{
    struct csv_source *s = calloc(1, sizeof(*s));

    if (s == NULL || (s->window = malloc(WINDOW_BYTES)) == NULL || (s->text = malloc(BATCH_TEXT_BYTES)) == NULL) {
        if (s != NULL)
            close_source(&s->base);
        *err = (struct source_error){ .reason = SB_REASON_MEMORY, .text = "out of memory to read CSV" };
        return NULL;
    }
    s->base.ops = &source_csv_ops;
    s->env = *env;
    s->input = csv_input_new(env->conf->sync_source + strlen("csv:"), err);
    if (s->input == NULL) {
        close_source(&s->base);
        return NULL;
    }
    return &s->base;
}

static enum source_status begin(struct source *base, const struct source_range *range, struct source_error *err)
{
    struct csv_source *s = (struct csv_source *)base;

    (void)err;
    s->range = *range;
    s->rows_given = s->records_seen = 0;
    s->file_open = false;
    csv_input_rewind(s->input);
    return SOURCE_OK;
}

/* Brings more bytes behind those at window_pos. */
static enum source_status read_more(struct csv_source *s, struct source_error *err)
{
    if (!s->env.beat(s->env.arg))
        return SOURCE_STOPPED;
    memmove(s->window, s->window + s->window_pos, s->window_len - s->window_pos);
    s->window_len -= s->window_pos;
    s->window_pos = 0;
    ssize_t n = csv_input_read(s->input, s->window + s->window_len, WINDOW_BYTES - s->window_len, err);
    if (n < 0)
        return SOURCE_ERROR;
    s->window_len += (size_t)n;
    s->input_end = n == 0;
    return SOURCE_OK;
}

static enum source_status skip_line(struct csv_source *s, struct source_error *err)
{
    while (s->skipping) {
        char *from = s->window + s->window_pos;
        char *nl = memchr(from, '\n', s->window_len - s->window_pos);
        s->window_pos = nl != NULL ? (size_t)(nl + 1 - s->window) : s->window_len;
        s->skipping = nl == NULL && !s->input_end;
        enum source_status status = s->skipping ? read_more(s, err) : SOURCE_OK;
        if (status != SOURCE_OK)
            return status;
    }
    return SOURCE_OK;
}

/* Parses one record into s->record and moves behind it; its bytes stay until the next call. SOURCE_END: no more. */
static enum source_status next_record(struct csv_source *s, struct source_error *err)
{
    enum source_status status = skip_line(s, err);

    while (status == SOURCE_OK) {
        const char *from = s->window + s->window_pos;
        size_t n = s->window_len - s->window_pos;
        enum csv_status parsed = csv_parse(&s->record, from, n, s->input_end);
        if (parsed == CSV_END)
            return SOURCE_END;
        if (parsed == CSV_RECORD && s->record.lines > 1 && s->field_count > 0 &&
            s->record.field_count != s->field_count)
            csv_break(&s->record, from, n, s->input_end, "wrong number of fields, or a quote that is never closed");
        if (parsed != CSV_MORE) {
            s->window_pos += s->record.bytes;
            s->skipping = s->record.cut;
            return SOURCE_OK;
        }
        status = read_more(s, err);
    }
    return status;
}

static void header_error(const struct csv_source *s, struct source_error *err, const char *detail, const char *column)
{
    err->reason = SB_REASON_VALIDATION;
    snprintf(err->text, sizeof(err->text), "header of %.100s: %s%.60s", csv_input_name(s->input), detail, column);
}

static int find_column(struct str name)
{
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        if (str_ieq(name, source_columns[i].name))
            return i;
    return -1;
}

static void note_unknown(struct csv_source *s, struct str name)
{
    char text[160];

    if (s->noted_unknown)
        return;
    s->noted_unknown = true;
    snprintf(text, sizeof(text), "%.60s has columns that are not known and not read, the first is \"%.*s\"",
             csv_input_name(s->input), (int)(name.len < 60 ? name.len : 60), name.len > 0 ? name.p : "");
    s->env.note(s->env.arg, text);
}

static bool map_header(struct csv_source *s, struct source_error *err)
{
    const struct csv_record *r = &s->record;

    for (int i = 0; i < SOURCE_COLUMNS; i++)
        s->field_of[i] = NO_FIELD;
    if (r->reason != NULL || r->field_count > CSV_MAX_FIELDS) {
        header_error(s, err, r->reason != NULL ? r->reason : "more than 256 columns", "");
        return false;
    }
    for (unsigned f = 0; f < r->field_count; f++) {
        struct str name = str_trim(r->fields[f]);
        int column = find_column(name);
        if (column < 0) {
            note_unknown(s, name);
        } else if (s->field_of[column] != NO_FIELD) {
            header_error(s, err, "twice the column ", source_columns[column].name);
            return false;
        } else {
            s->field_of[column] = (int16_t)f;
        }
    }
    s->field_count = r->field_count;
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        if (source_columns[i].required && s->field_of[i] == NO_FIELD) {
            header_error(s, err, "no column ", source_columns[i].name);
            return false;
        }
    return true;
}

/* UTF-8's mark is skipped, UTF-16's refused by name. */
static enum source_status skip_mark(struct csv_source *s, struct source_error *err)
{
    while (s->window_len < 3 && !s->input_end) {
        enum source_status status = read_more(s, err);
        if (status != SOURCE_OK)
            return status;
    }
    if (s->window_len >= 3 && memcmp(s->window, "\xef\xbb\xbf", 3) == 0)
        s->window_pos = 3;
    if (s->window_len >= 2 && (memcmp(s->window, "\xff\xfe", 2) == 0 || memcmp(s->window, "\xfe\xff", 2) == 0)) {
        header_error(s, err, "the file is UTF-16; convert it to UTF-8", "");
        return SOURCE_ERROR;
    }
    return SOURCE_OK;
}

/* Opens the next file and reads its header. SOURCE_END: that was the last one. */
static enum source_status next_file(struct csv_source *s, struct source_error *err)
{
    if (!csv_input_next_file(s->input, err))
        return err->reason == SB_REASON_NONE ? SOURCE_END : SOURCE_ERROR;
    s->window_pos = s->window_len = 0;
    s->input_end = s->skipping = false;
    s->field_count = 0;
    s->line_number = 1;
    enum source_status status = skip_mark(s, err);
    if (status == SOURCE_OK)
        status = next_record(s, err);
    if (status == SOURCE_END) {
        header_error(s, err, "the file is empty", "");
        return SOURCE_ERROR;
    }
    if (status != SOURCE_OK)
        return status;
    if (!map_header(s, err))
        return SOURCE_ERROR;
    s->line_number += s->record.lines;
    s->file_open = true;
    return SOURCE_OK;
}

static struct str keep(struct csv_source *s, const char *bytes, size_t n)
{
    char *dst = s->text + s->text_len;

    memcpy(dst, bytes, n);
    s->text_len += n;
    return (struct str){ dst, n };
}

static struct str keep_int(struct csv_source *s, int v)
{
    char digits[FMT_MAX];

    return keep(s, digits, fmt_i64(digits, v));
}

static int iso_week(int32_t day)
{
    int32_t thursday = day - clock_weekday_of(day) + 3;
    int year, month, mday;

    clock_civil_of(thursday, &year, &month, &mday);
    return (thursday - clock_day_of(year, 1, 1)) / 7 + 1;
}

static const struct calendar *calendar_of(struct csv_source *s, int32_t day)
{
    struct calendar *c = &s->calendar;
    int year, month, mday;

    if (c->day == day)
        return c;
    clock_civil_of(day, &year, &month, &mday);
    c->day = day;
    c->year = keep_int(s, year);
    c->quarter = keep_int(s, (month - 1) / 3 + 1);
    c->month = keep_int(s, month);
    c->month_name = str_from(month_names[month - 1]);
    c->week = keep_int(s, iso_week(day));
    c->mday = keep_int(s, mday);
    c->week_day = str_from(week_day_names[clock_weekday_of(day)]);
    return c;
}

static void fill_calendar(struct csv_source *s, struct source_row *row, int32_t day)
{
    static const enum source_column derived[7] = { SOURCE_YEAR, SOURCE_QUARTER, SOURCE_MONTH,   SOURCE_MONTH_NAME,
                                                   SOURCE_WEEK, SOURCE_DAY,     SOURCE_WEEK_DAY };
    const struct calendar *c = calendar_of(s, day);
    const struct str values[7] = { c->year, c->quarter, c->month, c->month_name, c->week, c->mday, c->week_day };

    for (unsigned i = 0; i < 7; i++)
        if (s->field_of[derived[i]] == NO_FIELD)
            row->values[derived[i]] = values[i];
}

/* A field of the record as it stands in the file; an empty one is no value. */
static struct str field(const struct csv_source *s, enum source_column column)
{
    int f = s->field_of[column];

    return f == NO_FIELD || s->record.fields[f].len == 0 ? STR_NONE : s->record.fields[f];
}

/* Copies the record into the batch, and its fields as values. */
static void take_fields(struct csv_source *s, struct source_row *row)
{
    const char *found = s->record.raw.p;
    char *copy = s->text + s->text_len;

    keep(s, found, s->record.raw.len);
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        struct str v = field(s, (enum source_column)i);
        if (v.p == NULL)
            continue;
        char *text = copy + (v.p - found);
        row->values[i] = (struct str){ text, s->record.doubled[s->field_of[i]] ? csv_undouble(text, v.len) : v.len };
    }
}

static void keep_raw(struct csv_source *s, struct source_row *row)
{
    size_t n = s->record.raw.len;

    row->raw = keep(s, s->record.raw.p, n < SOURCE_RAW_BYTES ? n : SOURCE_RAW_BYTES);
}

static bool in_range(const struct csv_source *s, bool bad, bool has_day, int32_t day)
{
    int64_t id;

    if (s->range.orders != NULL)
        return !bad && str_to_i64(field(s, SOURCE_ORDER_ID), &id) && source_range_has_order(&s->range, id);
    if (s->range.customer_id != NULL)
        return !bad && str_to_i64(field(s, SOURCE_CUSTOMER_ID), &id) && id == *s->range.customer_id;
    return !has_day || source_range_has_day(&s->range, day);
}

/* What is wrong with the record as a whole, or NULL. */
static const char *fault_of(const struct csv_source *s)
{
    if (s->record.reason != NULL)
        return s->record.reason;
    return s->record.field_count != s->field_count ? "wrong number of fields" : NULL;
}

/* The record as a row of the batch; false when the range does not want it: most records of a partial reading. */
static bool take_row(struct csv_source *s, struct source_row *row)
{
    const char *bad = fault_of(s);
    int32_t day = CLOCK_NO_DAY;
    bool has_day = bad == NULL && source_day(field(s, SOURCE_ORDER_DATE), &day);

    if (!in_range(s, bad != NULL, has_day, day))
        return false;
    *row = (struct source_row){ .line_number = s->line_number, .bad = bad };
    if (csv_input_file_count(s->input) > 1)
        row->file = str_from(csv_input_name(s->input));
    if (bad != NULL)
        keep_raw(s, row);
    else
        take_fields(s, row);
    if (has_day)
        fill_calendar(s, row, day);
    return true;
}

static bool blank(const struct csv_record *r)
{
    return r->reason == NULL && r->raw.len == 0;
}

/* Rows of the open file until the batch is full, or the file's end (file_open is then false). */
static enum source_status fill_batch(struct csv_source *s, struct source_row *rows, size_t max, size_t *count,
                                     struct source_error *err)
{
    while (*count < max && s->text_len + ROW_TEXT_BYTES <= BATCH_TEXT_BYTES) {
        enum source_status status = next_record(s, err);
        if (status == SOURCE_END) {
            s->file_open = false;
            return SOURCE_OK;
        }
        if (status != SOURCE_OK)
            return status;
        size_t text_before = s->text_len;
        if (!blank(&s->record)) {
            s->records_seen++;
            if (take_row(s, &rows[*count]))
                (*count)++;
            else
                s->text_len = text_before;
        }
        s->line_number += s->record.lines;
        if (s->range.row_limit > 0 && s->rows_given + (int64_t)*count >= s->range.row_limit)
            return SOURCE_END;
    }
    return SOURCE_OK;
}

static enum source_status next(struct source *base, struct source_row *rows, size_t max, size_t *count,
                               struct source_error *err)
{
    struct csv_source *s = (struct csv_source *)base;
    enum source_status status = SOURCE_OK;

    *count = 0;
    s->text_len = 0;
    s->calendar.day = CLOCK_NO_DAY;
    while (status == SOURCE_OK && *count == 0) {
        if (!s->file_open)
            status = next_file(s, err);
        if (status == SOURCE_OK)
            status = fill_batch(s, rows, max, count, err);
    }
    s->rows_given += (int64_t)*count;
    return status;
}

/* From the share of the bytes gone through; known for a reading of everything only. */
static int64_t estimate(struct source *base)
{
    const struct csv_source *s = (const struct csv_source *)base;
    uint64_t taken = csv_input_taken_bytes(s->input), total = csv_input_total_bytes(s->input);
    bool everything = s->range.orders == NULL && s->range.customer_id == NULL && s->range.start_day == CLOCK_NO_DAY &&
                      s->range.end_day == CLOCK_NO_DAY && s->range.row_limit == 0;

    if (!everything || taken == 0 || s->records_seen == 0)
        return -1;
    double rows = (double)s->records_seen * (double)total / (double)taken;
    return rows < (double)s->records_seen ? s->records_seen : (int64_t)rows;
}

static bool check(const struct source_env *env, struct source_error *err)
{
    struct source *base = open_source(env, err);

    if (base == NULL)
        return false;
    enum source_status status = next_file((struct csv_source *)base, err);
    if (status == SOURCE_STOPPED)
        *err = (struct source_error){ .reason = SB_REASON_ABORTED, .text = "stopped" };
    close_source(base);
    return status == SOURCE_OK;
}

const struct source_ops source_csv_ops = {
    .name = "csv",
    .open = open_source,
    .begin = begin,
    .next = next,
    .estimate = estimate,
    .day_totals = source_days_by_reading,
    .check = check,
    .close = close_source,
};
