/*
 * orders: see the header. Rows come one a line, grouped by order; the order's own columns repeat.
 */
#include "data/orders.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fmt.h"

#define DATE_MIN  "-infinity"
#define DATE_MAX  "infinity"
#define TERM_LIST 8192

/* ---- the question ---- */

bool orders_split_terms(struct orders_query *q, struct str list)
{
    struct str piece;

    q->term_count = 0;
    while (str_split(&list, ',', &piece)) {
        piece = str_trim(piece);
        if (piece.len == 0)
            continue;
        if (q->term_count == ORDERS_MAX_TERMS)
            return false;
        q->terms[q->term_count++] = piece;
    }
    return true;
}

/* One element of a text array: a substring pattern for ILIKE, then quoted for the array. */
static void add_pattern(struct buf *out, struct str term)
{
    buf_add_cstr(out, "\"%");
    for (size_t i = 0; i < term.len; i++) {
        char c = term.p[i];

        if (c == '%' || c == '_')
            buf_add_cstr(out, "\\\\"); /* a backslash for ILIKE, written as two in the array */
        else if (c == '\\')
            buf_add_cstr(out, "\\\\\\"); /* two for ILIKE, four in the array */
        else if (c == '"')
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
    buf_add_cstr(out, "%\"");
}

/* NULL without terms; *ok false when it does not fit. */
static const char *format_terms(const struct orders_query *q, struct arena *a, bool *ok)
{
    struct buf list = { .max_bytes = TERM_LIST };
    const char *text = NULL;

    if (q->term_count == 0)
        return NULL;
    for (size_t i = 0; i < q->term_count; i++) {
        buf_add_char(&list, i == 0 ? '{' : ',');
        add_pattern(&list, q->terms[i]);
    }
    buf_add_char(&list, '}');
    if (!list.failed)
        text = arena_strdup(a, buf_str(&list));
    buf_free(&list);
    *ok = *ok && text != NULL;
    return text;
}

static int32_t first_day(const struct orders_query *q)
{
    int32_t day = q->start_day;

    if (q->months_ago > 0 && clock_months_before(q->as_of_day, q->months_ago) > day)
        day = clock_months_before(q->as_of_day, q->months_ago);
    return day; /* CLOCK_NO_DAY is below every day */
}

static const char *format_day(struct arena *a, int32_t day)
{
    char text[CLOCK_DAY_SIZE];

    return arena_strdup(a, str_from(clock_format_day(text, day)));
}

static const char *format_i64(struct arena *a, int64_t v)
{
    char text[FMT_MAX];
    size_t n = fmt_i64(text, v);

    return arena_strdup(a, (struct str){ text, n });
}

bool orders_params(const struct orders_query *q, struct arena *a, const char *values[SQL_CO_PARAMS])
{
    int32_t from = first_day(q);
    char at[CLOCK_TIME_SIZE];
    bool ok = true;

    values[SQL_CO_CUSTOMER] = format_i64(a, q->customer_id);
    values[SQL_CO_DATA_END] = format_day(a, q->as_of_day + 1);
    values[SQL_CO_FROM] = from == CLOCK_NO_DAY ? DATE_MIN : format_day(a, from);
    values[SQL_CO_BEFORE] = q->end_day == CLOCK_NO_DAY ? DATE_MAX : format_day(a, q->end_day + 1);
    values[SQL_CO_TERMS] = format_terms(q, a, &ok);
    values[SQL_CO_AFTER_AT] = DATE_MAX;
    if (q->cursor.present)
        values[SQL_CO_AFTER_AT] = arena_strdup(a, str_from(clock_format_us(at, q->cursor.at_us)));
    values[SQL_CO_AFTER_ID] = format_i64(a, q->cursor.present ? q->cursor.order_id : INT64_MAX);
    values[SQL_CO_LIMIT] = format_i64(a, q->limit);
    values[SQL_CO_MAX_LINES] = format_i64(a, ORDERS_MAX_LINES + 1);
    for (int i = 0; i < SQL_CO_PARAMS; i++)
        ok = ok && (values[i] != NULL || i == SQL_CO_TERMS);
    return ok;
}

/* ---- the answer ---- */

struct reader {
    const PGresult *r;
    struct arena *arena;
    int row;
    bool malformed;
};

static struct str value(const struct reader *d, int column)
{
    return (struct str){ PQgetvalue(d->r, d->row, column), (size_t)PQgetlength(d->r, d->row, column) };
}

static bool is_null(const struct reader *d, int column)
{
    return PQgetisnull(d->r, d->row, column) != 0;
}

static int64_t read_i64(struct reader *d, int column, int64_t initial)
{
    int64_t v = initial;

    if (!is_null(d, column) && !str_to_i64(value(d, column), &v))
        d->malformed = true;
    return v;
}

static int64_t read_cents(struct reader *d, int column)
{
    int64_t v = 0;

    if (!is_null(d, column) && !str_to_cents(value(d, column), &v))
        d->malformed = true;
    return v;
}

static int64_t read_time(struct reader *d, int column)
{
    int64_t us = 0;

    if (!is_null(d, column) && !clock_parse_time(value(d, column), &us))
        d->malformed = true;
    return us;
}

static const char *read_text(struct reader *d, int column)
{
    return is_null(d, column) ? NULL : arena_strdup(d->arena, value(d, column));
}

static void read_order(struct reader *d, struct orders_order *o)
{
    int64_t sales = read_cents(d, SQL_CO_ORDER_SALES);

    o->order_id = read_i64(d, SQL_CO_ORDER_ID, 0);
    o->number = read_i64(d, SQL_CO_ORDER_NUMBER, o->order_id);
    o->at_us = read_time(d, SQL_CO_ORDER_AT);
    o->created_us = read_time(d, SQL_CO_CREATED_AT);
    o->total_cents = is_null(d, SQL_CO_TOTAL) ? sales : read_cents(d, SQL_CO_TOTAL);
    o->refunds_cents = read_cents(d, SQL_CO_ORDER_REFUNDS);
    o->net_cents = sales - o->refunds_cents;
    o->currency = read_text(d, SQL_CO_CURRENCY);
    o->sales_channel = read_text(d, SQL_CO_CHANNEL);
    o->fulfillment_status = read_text(d, SQL_CO_FULFILLMENT);
    o->financial_status = read_text(d, SQL_CO_FINANCIAL);
}

static void read_line(struct reader *d, struct orders_line *l)
{
    l->title = read_text(d, SQL_CO_TITLE);
    l->variant = read_text(d, SQL_CO_VARIANT);
    l->sku = read_text(d, SQL_CO_SKU);
    l->category = read_text(d, SQL_CO_CATEGORY);
    l->product_type = read_text(d, SQL_CO_PRODUCT_TYPE);
    l->quantity = read_i64(d, SQL_CO_QUANTITY, 0);
    l->sales_cents = read_cents(d, SQL_CO_SALES);
    l->discount_cents = read_cents(d, SQL_CO_DISCOUNT);
    l->refunds_cents = read_cents(d, SQL_CO_REFUNDS);
}

/* Rows from here on that belong to the order of this row. */
static int count_rows(struct reader *d, int row, int rows)
{
    int64_t place;
    int n = 0;

    d->row = row;
    place = read_i64(d, SQL_CO_PLACE, 0);
    for (; row + n < rows; n++) {
        d->row = row + n;
        if (read_i64(d, SQL_CO_PLACE, 0) != place)
            break;
    }
    d->row = row;
    return n;
}

/* False: no memory. */
static bool read_lines(struct reader *d, int rows, struct orders_order *o)
{
    int first = d->row;

    o->lines = arena_calloc(d->arena, (size_t)rows, sizeof *o->lines);
    if (o->lines == NULL)
        return false;
    for (int i = 0; i < rows; i++) {
        d->row = first + i;
        read_line(d, &o->lines[o->line_count++]);
    }
    return true;
}

static void end_page(struct orders_page *page)
{
    const struct orders_order *last = &page->orders[page->count - 1];

    page->next = (struct orders_cursor){ .present = true, .at_us = last->at_us, .order_id = last->order_id };
}

enum orders_read orders_read(const PGresult *r, const struct orders_query *q, struct arena *a,
                             struct orders_page *page)
{
    struct reader d = { .r = r, .arena = a };
    int rows = PQntuples(r), n;
    bool cut = rows > ORDERS_MAX_LINES; /* the last order may lack lines */

    *page = (struct orders_page){ .count = 0 };
    if (PQnfields(r) != SQL_CO_COLUMNS)
        return ORDERS_READ_MALFORMED;
    page->orders = arena_calloc(a, q->limit, sizeof *page->orders);
    if (page->orders == NULL)
        return ORDERS_READ_NO_MEMORY;
    for (int row = 0; row < rows; row += n) {
        struct orders_order *o = &page->orders[page->count];

        n = count_rows(&d, row, rows);
        if (page->count == q->limit || (cut && page->count > 0 && row + n == rows)) {
            end_page(page);
            break;
        }
        read_order(&d, o);
        if (!is_null(&d, SQL_CO_LINE) && !read_lines(&d, n, o))
            return ORDERS_READ_NO_MEMORY;
        page->count++;
    }
    if (cut && !page->next.present) /* one order took all the room: nobody knows what is behind it */
        end_page(page);
    if (a->exhausted)
        return ORDERS_READ_NO_MEMORY;
    return d.malformed ? ORDERS_READ_MALFORMED : ORDERS_READ_OK;
}
