#include "proc/source.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

#define MONEY_MAX_DIGITS 16 /* in front of the point of a numeric(18,2) */

const struct source_column_info source_columns[SOURCE_COLUMNS] = {
    [SOURCE_ORDER_ID] = { "order_id", SOURCE_BIGINT, 0, true },
    [SOURCE_ORDER_NUMBER] = { "order_number", SOURCE_BIGINT, 0, false },
    [SOURCE_CUSTOMER_ID] = { "customer_id", SOURCE_BIGINT, 0, false },
    [SOURCE_ORDER_DATE] = { "order_date", SOURCE_TIMESTAMP, 0, true },
    [SOURCE_CREATED_AT] = { "created_at", SOURCE_TIMESTAMP, 0, false },
    [SOURCE_YEAR] = { "year", SOURCE_INT, 0, false },
    [SOURCE_QUARTER] = { "quarter", SOURCE_INT, 0, false },
    [SOURCE_MONTH] = { "month", SOURCE_INT, 0, false },
    [SOURCE_MONTH_NAME] = { "month_name", SOURCE_TEXT, 20, false },
    [SOURCE_WEEK] = { "week", SOURCE_INT, 0, false },
    [SOURCE_DAY] = { "day", SOURCE_INT, 0, false },
    [SOURCE_WEEK_DAY] = { "week_day", SOURCE_TEXT, 20, false },
    [SOURCE_SKU] = { "sku", SOURCE_TEXT, 255, false },
    [SOURCE_PRODUCT_ID] = { "product_id", SOURCE_BIGINT, 0, false },
    [SOURCE_PRODUCT_NAME] = { "product_name", SOURCE_TEXT, 0, false },
    [SOURCE_VARIANT_NAME] = { "variant_name", SOURCE_TEXT, 0, false },
    [SOURCE_PRODUCT_TYPE] = { "product_type", SOURCE_TEXT, 255, false },
    [SOURCE_CATEGORY] = { "category", SOURCE_TEXT, 255, false },
    [SOURCE_QUANTITY] = { "quantity", SOURCE_BIGINT, 0, true },
    [SOURCE_LINE_ITEM_SALES] = { "line_item_sales", SOURCE_NUMERIC_18_2, 0, true },
    [SOURCE_LINE_ITEM_DISCOUNT] = { "line_item_discount", SOURCE_NUMERIC_18_2, 0, false },
    [SOURCE_LINE_ITEM_REFUNDS] = { "line_item_refunds", SOURCE_NUMERIC_18_2, 0, false },
    [SOURCE_CURRENCY] = { "currency", SOURCE_TEXT, 10, false },
    [SOURCE_SALES_CHANNEL] = { "sales_channel", SOURCE_TEXT, 255, false },
    [SOURCE_LATITUDE] = { "latitude", SOURCE_DOUBLE, 0, false },
    [SOURCE_LONGITUDE] = { "longitude", SOURCE_DOUBLE, 0, false },
    [SOURCE_FULFILLMENT_STATUS] = { "fulfillment_status", SOURCE_TEXT, 100, false },
    [SOURCE_FINANCIAL_STATUS] = { "financial_status", SOURCE_TEXT, 100, false },
    [SOURCE_ORDER_TOTAL] = { "order_total", SOURCE_NUMERIC_18_2, 0, false },
    [SOURCE_ORDER_TOTAL_ITEMS] = { "order_total_items", SOURCE_BIGINT, 0, false },
};

const struct source_ops *source_for(const struct conf *conf)
{
    if (!conf_source_configured(conf))
        return NULL;
    if (strncmp(conf->sync_source, "csv:", 4) == 0)
        return &source_csv_ops;
    return &source_tds_ops;
}

static bool list_has_day(const struct source_range *range, int32_t day)
{
    size_t low = 0, high = range->day_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (range->days[middle] < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low < range->day_count && range->days[low] == day;
}

bool source_range_has_day(const struct source_range *range, int32_t day)
{
    if (list_has_day(range, day))
        return true;
    if (range->start_day != CLOCK_NO_DAY && day < range->start_day)
        return false;
    return range->end_day == CLOCK_NO_DAY || day <= range->end_day;
}

bool source_range_next_stretch(const struct source_range *range, size_t *position, int32_t *start_day,
                               int32_t *end_day)
{
    size_t i = *position;

    if (i > range->day_count)
        return false;
    if (i == range->day_count) {
        *start_day = range->start_day;
        *end_day = range->end_day;
        *position = i + 1;
        return true;
    }
    *start_day = range->days[i];
    while (i + 1 < range->day_count && range->days[i + 1] == range->days[i] + 1)
        i++;
    *end_day = range->days[i];
    *position = i + 1;
    return true;
}

bool source_range_has_order(const struct source_range *range, int64_t order_id)
{
    size_t low = 0, high = range->order_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (range->orders[middle] < order_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < range->order_count && range->orders[low] == order_id;
}

bool source_day(struct str s, int32_t *day)
{
    const int64_t us_per_day = 86400 * CLOCK_US_PER_S;
    int64_t us;

    if (s.p == NULL || !clock_parse_time(s, &us))
        return false;
    *day = (int32_t)((us - (us < 0 ? us_per_day - 1 : 0)) / us_per_day);
    return true;
}

static size_t count_digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - start);
}

const char *source_parse_money(struct str s, int64_t *cents)
{
    const char *p = s.p, *end = s.p + s.len;
    bool negative = false;
    int64_t v = 0;

    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    size_t whole = count_digits(p, end);
    const char *fraction = p + whole;
    size_t decimals = fraction < end && *fraction == '.' ? count_digits(fraction + 1, end) : 0;
    const char *stop = fraction + (fraction < end && *fraction == '.') + decimals;
    if (stop != end || whole + decimals == 0)
        return "is not a decimal number";
    while (whole > 1 && *p == '0')
        p++, whole--;
    if (whole > MONEY_MAX_DIGITS)
        return "is too large";
    for (size_t i = 0; i < whole; i++)
        v = v * 10 + (p[i] - '0');
    for (size_t i = 0; i < 2; i++)
        v = v * 10 + (i < decimals ? fraction[1 + i] - '0' : 0);
    for (size_t i = 2; i < decimals; i++)
        if (fraction[1 + i] != '0')
            return "has more than two decimals";
    *cents = negative ? -v : v;
    return NULL;
}

static const char *check_integer(struct str s, int64_t least, int64_t most)
{
    int64_t v;

    if (!str_to_i64(s, &v))
        return "is not a whole number in range";
    return v < least || v > most ? "is out of range" : NULL;
}

static const char *check_text(struct str s, unsigned max_chars)
{
    if (memchr(s.p, '\0', s.len) != NULL)
        return "holds a NUL byte";
    if (!utf8_valid(s))
        return "is not valid UTF-8";
    return max_chars > 0 && s.len > max_chars && utf8_length(s) > max_chars ? "is too long" : NULL;
}

static const char *check_value(const struct source_column_info *column, struct str s)
{
    int64_t integer;
    double number;

    switch (column->kind) {
    case SOURCE_BIGINT:
        return check_integer(s, INT64_MIN, INT64_MAX);
    case SOURCE_INT:
        return check_integer(s, INT32_MIN, INT32_MAX);
    case SOURCE_NUMERIC_18_2:
        return source_parse_money(s, &integer);
    case SOURCE_DOUBLE:
        return str_to_double(s, &number) ? NULL : "is not a finite number";
    case SOURCE_TIMESTAMP:
        return clock_parse_time(s, &integer) ? NULL : "is not a date or time (YYYY-MM-DD[ hh:mm:ss])";
    case SOURCE_TEXT:
        return check_text(s, column->max_chars);
    }
    return "is of an unknown kind";
}

const char *source_validate(const struct source_row *row)
{
    static char reason[128];

    for (unsigned i = 0; i < SOURCE_COLUMNS; i++) {
        const struct source_column_info *column = &source_columns[i];
        const char *wrong = NULL;
        if (row->values[i].p != NULL)
            wrong = check_value(column, row->values[i]);
        else if (column->required)
            wrong = "is empty";
        if (wrong != NULL) {
            snprintf(reason, sizeof(reason), "%s %s", column->name, wrong);
            return reason;
        }
    }
    return NULL;
}
