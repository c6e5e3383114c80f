/*
 * verify: "my data looks wrong": one customer in all four places side by side, what differs marked.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "core/json.h"
#include "ctl/ctl.h"
#include "ctl/verify.h"

#define MAX_JSON   (64U << 20)
#define CELL       16  /* width of a column */
#define LINES_MOST 200 /* equal lines shown; those that differ are all shown */

enum item {
    ITEM_LINES,
    ITEM_ORDERS,
    ITEM_GROSS,
    ITEM_REFUNDS,
    ITEM_NET,
    ITEM_FIRST,
    ITEM_LAST,
    ITEM_COUNT
};
static const char *const item_names[ITEM_COUNT] = { "lines",     "orders",           "gross_sales",    "refunds",
                                                    "net_sales", "first_order_date", "last_order_date" };

static int64_t item_value(const struct verify_sums *s, enum item item)
{
    switch (item) {
    case ITEM_LINES:
        return s->lines;
    case ITEM_ORDERS:
        return s->orders;
    case ITEM_GROSS:
        return s->gross_cents;
    case ITEM_REFUNDS:
        return s->refunds_cents;
    case ITEM_NET:
        return s->gross_cents - s->refunds_cents;
    case ITEM_FIRST:
        return s->first_day;
    default:
        return s->last_day;
    }
}

static bool is_money(enum item item)
{
    return item >= ITEM_GROSS && item <= ITEM_NET;
}

static bool known(const struct verify_view *view)
{
    return view->configured && view->error[0] == '\0';
}

/* Do the places that are known say different things? */
static bool item_differs(const struct verify *v, enum item item)
{
    const struct verify_sums *first = NULL;

    for (int i = 0; i < VERIFY_PLACES; i++) {
        const struct verify_sums *s = &v->views[i].sums;
        if (!known(&v->views[i]))
            continue;
        if (first != NULL && item_value(s, item) != item_value(first, item))
            return true;
        first = s;
    }
    return false;
}

static bool versions_differ(const struct verify *v)
{
    const struct verify_view *facts = &v->views[VERIFY_FACTS], *population = &v->views[VERIFY_POPULATION];

    return known(facts) && known(population) && facts->data_version != population->data_version;
}

static bool line_differs(const struct verify *v, const struct verify_line *l)
{
    return known(&v->views[VERIFY_SOURCE]) && known(&v->views[VERIFY_TABLE]) && l->in_source != l->in_table;
}

static int64_t count_differences(const struct verify *v)
{
    int64_t n = versions_differ(v) + v->views[VERIFY_SOURCE].unusable;

    for (int i = 0; i < ITEM_COUNT; i++)
        n += item_differs(v, (enum item)i);
    for (size_t i = 0; i < v->line_count; i++)
        n += line_differs(v, &v->lines[i]);
    return n;
}

static bool all_read(const struct verify *v)
{
    for (int i = 0; i < VERIFY_PLACES; i++)
        if (v->views[i].configured && v->views[i].error[0] != '\0')
            return false;
    return true;
}

/* For people */

static const char *say_day(char dst[CLOCK_DAY_SIZE], int32_t day)
{
    return day == CLOCK_NO_DAY ? "-" : clock_format_day(dst, day);
}

static const char *say_money(char dst[FMT_MAX], int64_t cents)
{
    dst[fmt_cents_text(dst, cents)] = '\0';
    return dst;
}

static const char *say_version(char dst[24], const struct verify_view *view)
{
    (void)snprintf(dst, 24, "%lld", (long long)view->data_version);
    return known(view) ? dst : "?";
}

static void print_item(const struct verify *v, enum item item)
{
    char text[FMT_MAX], day[CLOCK_DAY_SIZE];

    printf("%c %-16s", item_differs(v, item) ? '!' : ' ', item_names[item]);
    for (int i = 0; i < VERIFY_PLACES; i++) {
        int64_t value = item_value(&v->views[i].sums, item);
        if (!known(&v->views[i]))
            printf("%*s", CELL, "?");
        else if (is_money(item))
            printf("%*s", CELL, say_money(text, value));
        else if (item >= ITEM_FIRST)
            printf("%*s", CELL, say_day(day, (int32_t)value));
        else
            printf("%*lld", CELL, (long long)value);
    }
    printf("\n");
}

static void print_sums(const struct verify *v)
{
    char day[CLOCK_DAY_SIZE], of_facts[24], of_population[24];
    const struct verify_view *facts = &v->views[VERIFY_FACTS], *population = &v->views[VERIFY_POPULATION];

    printf("customer %lld, orders up to %s\n%-18s", (long long)v->customer_id,
           v->as_of_day == CLOCK_NO_DAY ? "the last one" : say_day(day, v->as_of_day), "");
    for (int i = 0; i < VERIFY_PLACES; i++)
        printf("%*s", CELL, verify_place_names[i]);
    printf("\n");
    for (int i = 0; i < ITEM_COUNT; i++)
        print_item(v, (enum item)i);
    printf("%c %-16s%*s%*s%*s%*s\n", versions_differ(v) ? '!' : ' ', "data_version", CELL, "", CELL, "", CELL,
           say_version(of_facts, facts), CELL, say_version(of_population, population));
}

static void print_line(const struct verify *v, const struct verify_line *l)
{
    char day[CLOCK_DAY_SIZE], sales[FMT_MAX], refunds[FMT_MAX];
    bool differs = line_differs(v, l);

    printf("%c %s  %-13lld  %-16s %8lld %11s %11s%s\n", differs ? '!' : ' ', say_day(day, l->day),
           (long long)l->order_id, l->sku, (long long)l->quantity, say_money(sales, l->sales_cents),
           say_money(refunds, l->refunds_cents),
           !differs       ? ""
           : l->in_source ? "  only in the source"
                          : "  only in combined_sales");
}

static void print_lines(const struct verify *v)
{
    size_t equal = 0;

    if (v->line_count == 0)
        return;
    printf("\n  %-10s  %-13s  %-16s %8s %11s %11s\n", "day", "order_id", "sku", "quantity", "sales", "refunds");
    for (size_t i = 0; i < v->line_count; i++)
        if (line_differs(v, &v->lines[i]) || equal++ < LINES_MOST)
            print_line(v, &v->lines[i]);
    if (equal > LINES_MOST)
        printf("  and %zu more lines that are the same on both sides\n", equal - LINES_MOST);
}

static void print_notes(const struct verify *v)
{
    const struct verify_view *source = &v->views[VERIFY_SOURCE], *table = &v->views[VERIFY_TABLE];

    if (!source->configured)
        printf("\nno source is configured: set SYNC_SOURCE or AZURE_SQL_*\n");
    if (source->unusable > 0)
        printf("\n! %lld lines of the source can't be used, the first one because %s; see sync_quarantine\n",
               (long long)source->unusable, source->unusable_why);
    if (table->later_lines > 0 || source->later_lines > 0)
        printf("\nlines behind the as-of day, which count in no fact: %lld in the source, %lld in combined_sales\n",
               (long long)source->later_lines, (long long)table->later_lines);
    if (v->facts_due)
        printf("\nthe facts are due to be computed anew; the next sync does it\n");
}

/* For programs */

static void write_view(struct json_writer *w, const struct verify *v, enum verify_place place)
{
    const struct verify_view *view = &v->views[place];

    json_key(w, verify_place_names[place]);
    if (!view->configured) {
        json_null(w);
        return;
    }
    json_object_begin(w);
    json_kv_cstr(w, "error", view->error[0] != '\0' ? view->error : NULL);
    for (int i = 0; i < ITEM_COUNT && view->error[0] == '\0'; i++) {
        int64_t value = item_value(&view->sums, (enum item)i);
        if (i >= ITEM_FIRST)
            json_kv_day(w, item_names[i], (int32_t)value);
        else if (is_money((enum item)i))
            json_kv_cents(w, item_names[i], value);
        else
            json_kv_int(w, item_names[i], value);
    }
    if (place == VERIFY_SOURCE || place == VERIFY_TABLE)
        json_kv_int(w, "later_lines", view->later_lines);
    else
        json_kv_int(w, "data_version", view->data_version);
    if (place == VERIFY_SOURCE)
        json_kv_int(w, "unusable_lines", view->unusable);
    json_object_end(w);
}

static void write_id(struct json_writer *w, const char *key, int64_t id)
{
    char digits[FMT_MAX];
    size_t n = fmt_i64(digits, id);

    json_kv_str(w, key, (struct str){ digits, n });
}

static void write_lines(struct json_writer *w, const struct verify *v)
{
    json_key(w, "lines");
    json_array_begin(w);
    for (size_t i = 0; i < v->line_count; i++) {
        const struct verify_line *l = &v->lines[i];
        json_object_begin(w);
        write_id(w, "order_id", l->order_id);
        json_kv_day(w, "order_date", l->day);
        json_kv_cstr(w, "sku", l->sku);
        json_kv_int(w, "quantity", l->quantity);
        json_kv_cents(w, "line_item_sales", l->sales_cents);
        json_kv_cents(w, "line_item_refunds", l->refunds_cents);
        json_kv_bool(w, "in_source", l->in_source);
        json_kv_bool(w, "in_combined_sales", l->in_table);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_differences(struct json_writer *w, const struct verify *v)
{
    json_key(w, "differences");
    json_array_begin(w);
    for (int i = 0; i < ITEM_COUNT; i++)
        if (item_differs(v, (enum item)i))
            json_cstr(w, item_names[i]);
    if (versions_differ(v))
        json_cstr(w, "data_version");
    if (v->views[VERIFY_SOURCE].unusable > 0)
        json_cstr(w, "unusable_lines");
    for (size_t i = 0; i < v->line_count; i++)
        if (line_differs(v, &v->lines[i])) {
            json_cstr(w, "lines_differ");
            break;
        }
    json_array_end(w);
}

static int print_json(const struct verify *v, bool agree)
{
    struct json_writer w;
    struct buf out;

    buf_init(&out, MAX_JSON);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    write_id(&w, "customer_id", v->customer_id);
    json_kv_day(&w, "as_of", v->as_of_day);
    json_kv_bool(&w, "agree", agree);
    write_differences(&w, v);
    for (int i = 0; i < VERIFY_PLACES; i++)
        write_view(&w, v, (enum verify_place)i);
    json_kv_bool(&w, "facts_due", v->facts_due);
    write_lines(&w, v);
    json_object_end(&w);
    int status = out.failed ? ctl_fail(CTL_FAILED, "out of memory") : agree ? CTL_OK : CTL_FAILED;
    if (!out.failed)
        printf("%.*s\n", (int)out.len, out.data);
    buf_free(&out);
    return status;
}

static int print_text(const struct verify *v, bool agree)
{
    int64_t n = count_differences(v);

    print_sums(v);
    print_lines(v);
    print_notes(v);
    fflush(stdout);
    for (int i = 0; i < VERIFY_PLACES; i++)
        if (v->views[i].error[0] != '\0')
            ctl_fail(CTL_FAILED, "%s: %s", verify_place_names[i], v->views[i].error);
    if (n > 0)
        return ctl_fail(CTL_FAILED, "%lld differences, marked with !", (long long)n);
    if (!agree)
        return CTL_FAILED;
    printf("\n%s\n", v->line_count == 0 ? "no line of this customer anywhere" : "all agree");
    return CTL_OK;
}

int ctl_verify(struct ctl *ctl, int argc, char **argv)
{
    int64_t customer_id = -1;
    bool json = false;
    struct verify v;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (customer_id >= 0 || !str_to_i64(str_from(argv[i]), &customer_id) || customer_id < 0)
            return ctl_usage("verify", "%s is not expected here: one CUSTOMER_ID is, a number", argv[i]);
    }
    if (customer_id < 0)
        return ctl_usage("verify", "a CUSTOMER_ID is missing");
    if (ctl->problems.len > 0) {
        fprintf(stderr, "%.*s", (int)ctl->problems.len, ctl->problems.data);
        return ctl_fail(CTL_CONFIG, "verify needs good settings");
    }
    verify_read(&v, ctl->conf, customer_id);
    bool agree = all_read(&v) && count_differences(&v) == 0;
    int status = json ? print_json(&v, agree) : print_text(&v, agree);
    verify_free(&v);
    return status;
}
