/*
 * backtest_models: fits everything on the past of a day and holds the predictions against what then happened.
 *
 * usage: backtest_models AS_OF [HORIZON_DAYS] < days
 * days: lines of "customer day net_cents purchase orders", ascending by customer and day, as scripts/backtest-models
 * makes them of order lines; AS_OF a day number. Prints "name value" lines.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/backtest.h"
#include "model/forecast.h"
#include "model/nextorder.h"
#include "model/score.h"
#include "model/train.h"

struct row {
    int64_t customer;
    struct facts_day day;
};

static struct row *rows;
static size_t row_count;

static void read_rows(void)
{
    long long customer, day, net, purchase, orders;
    size_t room = 0;

    while (scanf("%lld %lld %lld %lld %lld", &customer, &day, &net, &purchase, &orders) == 5) {
        if (row_count == room) {
            room = room ? 2 * room : 65536;
            rows = realloc(rows, room * sizeof(*rows));
            if (rows == NULL)
                exit(1);
        }
        rows[row_count++] = (struct row){
            customer, { .day = (int32_t)day, .net_cents = net, .orders = (uint32_t)orders, .purchase = purchase != 0 }
        };
    }
}

/* One customer: his days, those of them up to the as-of day, and the first purchase after it. */
struct customer {
    struct facts_day days[4096];
    size_t n, known;
    int64_t net_cents;
    struct score_input input;
    int32_t next_days; /* 0: none within the data */
};

static size_t next_customer(size_t i, int32_t as_of_day, struct customer *c)
{
    size_t from = i;
    uint32_t purchases = 0;
    int32_t first = 0, last = 0;
    double spend = 0;

    *c = (struct customer){ .n = 0 };
    for (; i < row_count && rows[i].customer == rows[from].customer; i++) {
        const struct facts_day *d = &rows[i].day;
        if (c->n == sizeof(c->days) / sizeof(c->days[0]))
            continue;
        c->days[c->n++] = *d;
        if (d->day > as_of_day) {
            if (d->purchase && c->next_days == 0)
                c->next_days = d->day - as_of_day;
            continue;
        }
        c->known = c->n;
        c->net_cents += d->net_cents;
        c->input.days_since = as_of_day - d->day;
        if (!d->purchase)
            continue;
        first = purchases++ == 0 ? d->day : first;
        last = d->day;
        c->input.spend_days += d->net_cents > 0;
        spend += d->net_cents > 0 ? (double)d->net_cents / 100 : 0;
    }
    if (c->input.spend_days > 0)
        c->input.spend_mean = spend / c->input.spend_days;
    c->input.history = mbg_history_of(purchases, first, last, as_of_day);
    if (purchases == 0)
        c->known = 0;
    return i;
}

static void print(const char *name, double value)
{
    printf("%s %.6g\n", name, value);
}

static void print_quality(const char *what, const struct model_quality *q)
{
    printf("%s.auc %.4f\n%s.brier %.4f\n%s.ece %.4f\n", what, q->auc, what, q->brier, what, q->ece);
}

static void print_params(const struct model_params *m, const struct train_report *r)
{
    const struct model_backtest *b = &m->backtest;

    printf("status %s\ncustomers %lld\nrepeaters %lld\nhistory_days %lld\n", params_status_name(m->status),
           (long long)m->customers, (long long)m->repeaters, (long long)m->history_days);
    printf("mbg %.5f %.5f %.5f %.5f ll %.3f identified %lld\n", m->mbg.r, m->mbg.alpha, m->mbg.a, m->mbg.b,
           m->mbg_log_likelihood, (long long)m->dropout_identified);
    printf("bg %.5f %.5f %.5f %.5f ll %.3f\n", m->bg.r, m->bg.alpha, m->bg.a, m->bg.b, m->bg_log_likelihood);
    printf("spend %.5f %.5f %.5f corr %.3f\n", m->spend.p, m->spend.q, m->spend.v, m->spend_correlation);
    print("net_factor", m->net_factor);
    print("first_value", m->first_value);
    print("second_gap_days", m->second_gap_days);
    printf("reference %.3f %.3f %.3f\n", m->reference_x, m->reference_recency, m->reference_t);
    printf("acquisition %.3f a week, trend %.4f, damping %.2f, deviation %.3f, monthly %.2f\n", m->acquisition.level,
           m->acquisition.trend, m->acquisition.damping, m->acquisition.weekly_deviation,
           m->acquisition.monthly_mean);
    printf("calibrator in use %lld, customers %.0f, events %.0f\n", (long long)m->calibrator.in_use,
           m->calibrator.customers, m->calibrator.events);
    for (int i = 0; i < CALIBRATOR_FEATURES; i++)
        printf("  coefficient %8.4f mean %8.4f scale %8.4f\n", m->calibrator.coefficient[i], m->calibrator.mean[i],
               m->calibrator.scale[i]);
    print("past.base_rate", b->base_rate);
    print("past.brier_base", b->brier_base);
    print_quality("past.blend", &b->blend);
    print_quality("past.plain", &b->plain);
    print("past.coverage", b->coverage);
    printf("past.revenue actual %.0f predicted %.0f factor %.3f\n", b->revenue_actual, b->revenue_predicted,
           b->revenue_factor);
    printf("past.active actual %.0f predicted %.1f\n", b->active_actual, b->active_predicted);
    printf("forecast_error %.3f growth_error %.3f\n", m->forecast_error, m->growth_error);
    for (unsigned i = 0; i < r->steps; i++)
        printf("step %-28s %4d evaluations %8.2f ms\n", r->step[i].name, r->step[i].evaluations, r->step[i].ms);
}

static void train(int32_t as_of_day, int32_t horizon_days, struct model_params *m)
{
    static struct train t;
    static struct customer c;
    struct train_report report;
    void *memory = malloc(train_memory(row_count));

    if (memory == NULL)
        exit(1);
    train_init(&t, memory, row_count, as_of_day, horizon_days, 365, true);
    for (size_t i = 0; i < row_count;) {
        i = next_customer(i, as_of_day, &c);
        if (c.known > 0)
            train_add(&t, c.days, c.known, c.net_cents);
    }
    train_fit(&t, m, clock_mono_ns, &report);
    print_params(m, &report);
    free(memory);
}

struct outcome {
    struct backtest_case *blend, *plain, *alive;
    size_t n;
    double returners, inside, below, above, orders, expected;
    double revenue, new_revenue;
};

static void judge(const struct model_params *m, int32_t as_of_day, int32_t horizon_days, struct outcome *o,
                  struct forecast_sums *sums)
{
    static struct customer c;
    const struct score_terms terms = {
        .horizon_days = horizon_days, .clv_months = 12, .margin = 1, .annual_discount = 0.1
    };
    struct score s;
    struct nextorder next;

    for (size_t i = 0; i < row_count;) {
        i = next_customer(i, as_of_day, &c);
        for (size_t k = c.known; k < c.n; k++) {
            if (c.days[k].day > as_of_day + 91)
                continue;
            *(c.known > 0 ? &o->revenue : &o->new_revenue) += (double)c.days[k].net_cents / 100;
            if (c.known > 0 && c.days[k].day <= as_of_day + horizon_days)
                o->orders += c.days[k].purchase;
        }
        if (c.known == 0)
            continue;
        score_customer(m, &terms, &c.input, &s);
        forecast_add(sums, &s.path, s.order_value, c.input.days_since <= 365);
        bool came = c.next_days > 0 && c.next_days <= horizon_days;
        const struct mbg_history *h = &c.input.history;
        double plain = 1 - mbg_p_order(&m->mbg, h->x, (double)h->tx, (double)h->t, horizon_days / 7.0);
        o->blend[o->n] = (struct backtest_case){ (float)s.churn, 1, !came };
        o->alive[o->n] = (struct backtest_case){ (float)(1 - s.p_alive), 1, !came };
        o->plain[o->n++] = (struct backtest_case){ (float)plain, 1, !came };
        o->expected += mbg_expected_orders(&m->mbg, h->x, (double)h->tx, (double)h->t, horizon_days / 7.0);
        if (c.next_days == 0 || c.next_days > 91)
            continue;
        nextorder_predict(m, h, &next);
        o->returners += 1;
        o->inside += next.dated && c.next_days >= next.low_days && c.next_days <= next.high_days;
        o->below += next.dated && c.next_days < next.low_days;
        o->above += !next.dated || c.next_days > next.high_days;
    }
}

static void print_forecast(const struct model_params *m, const struct forecast_sums *sums, int32_t as_of_day,
                           const struct outcome *o)
{
    struct forecast_month outlook[FORECAST_MONTHS];
    struct forecast_revenue r;

    forecast_outlook(m, sums, outlook);
    forecast_revenue(m, outlook, as_of_day, 3, &r);
    double existing = 0, fresh = 0;
    for (int i = 0; i < 3; i++) {
        existing += r.month[i].existing;
        fresh += r.month[i].new_customers;
    }
    printf("forecast of 3 months: %.0f (%.0f … %.0f), existing %.0f, new %.0f\n", r.revenue, r.interval.low,
           r.interval.high, existing, fresh);
    printf("came: %.0f, existing %.0f, new %.0f\n", o->revenue + o->new_revenue, o->revenue, o->new_revenue);
}

int main(int argc, char **argv)
{
    int64_t as_of_day, horizon_days = 90;
    struct model_params m;
    struct outcome o = { .n = 0 };
    struct forecast_sums sums = { 0 };
    struct model_quality q;

    if (argc < 2 || !str_to_i64(str_from(argv[1]), &as_of_day) ||
        (argc > 2 && !str_to_i64(str_from(argv[2]), &horizon_days))) {
        fprintf(stderr, "usage: backtest_models AS_OF [HORIZON_DAYS] < days\n");
        return 2;
    }
    read_rows();
    train((int32_t)as_of_day, (int32_t)horizon_days, &m);
    o.blend = calloc(row_count + 1, sizeof(*o.blend));
    o.plain = calloc(row_count + 1, sizeof(*o.plain));
    o.alive = calloc(row_count + 1, sizeof(*o.alive));
    if (o.blend == NULL || o.plain == NULL || o.alive == NULL)
        return 1;
    judge(&m, (int32_t)as_of_day, (int32_t)horizon_days, &o, &sums);
    double events = 0;
    for (size_t i = 0; i < o.n; i++)
        events += o.plain[i].events;
    double rate = events / (double)o.n;
    print("judged.customers", (double)o.n);
    print("judged.base_rate", rate);
    print("judged.brier_base", rate * (1 - rate));
    backtest_quality(o.blend, o.n, &q);
    print_quality("judged.churn", &q);
    backtest_quality(o.plain, o.n, &q);
    print_quality("judged.plain", &q);
    backtest_quality(o.alive, o.n, &q);
    print_quality("judged.alive", &q);
    printf("returners %.0f inside %.4f below %.4f above %.4f\n", o.returners, o.inside / o.returners,
           o.below / o.returners, o.above / o.returners);
    printf("orders expected %.1f came %.0f\n", o.expected, o.orders);
    print_forecast(&m, &sums, (int32_t)as_of_day, &o);
    return 0;
}
