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

#include "base/str.h"
#include "model/backtest.h"
#include "model/forecast.h"
#include "model/nextorder.h"
#include "model/score.h"
#include "model/train.h"
#include "pareto_nbd.h"

#define FOLLOW_UP_DAYS 91

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
    printf("%s %.8g\n", name, value);
}

static void print_quality(const char *what, struct backtest_case *cases, size_t n)
{
    struct model_quality q;

    backtest_quality(cases, n, &q);
    printf("%s.auc %.6f\n%s.brier %.6f\n%s.ece %.6f\n", what, q.auc, what, q.brier, what, q.ece);
}

static void print_params(const struct model_params *m)
{
    print("customers", (double)m->customers);
    print("repeaters", (double)m->repeaters);
    print("history_days", (double)m->history_days);
    print("mbg.r", m->mbg.r);
    print("mbg.alpha", m->mbg.alpha);
    print("mbg.a", m->mbg.a);
    print("mbg.b", m->mbg.b);
    print("mbg.log_likelihood", m->mbg_log_likelihood);
    print("bg.log_likelihood", m->bg_log_likelihood);
    print("dropout_identified", (double)m->dropout_identified);
    print("calibrated", (double)m->calibrator.in_use);
    print("past.blend.brier", m->backtest.blend.brier);
    print("past.plain.brier", m->backtest.plain.brier);
    print("past.coverage", m->backtest.coverage);
    print("past.revenue_actual", m->backtest.revenue_actual);
    print("past.revenue_predicted", m->backtest.revenue_predicted);
}

static void train(int32_t as_of_day, int32_t horizon_days, struct model_params *m)
{
    static struct train t;
    static struct customer c;
    void *memory = malloc(train_memory(row_count));

    if (memory == NULL)
        exit(1);
    train_init(&t, memory, row_count, as_of_day, horizon_days, 365, true);
    for (size_t i = 0; i < row_count;) {
        i = next_customer(i, as_of_day, &c);
        if (c.known > 0)
            train_add(&t, c.days, c.known, c.net_cents);
    }
    train_fit(&t, m, NULL, NULL);
    print_params(m);
    free(memory);
}

struct outcome {
    struct backtest_case *blend, *plain, *dead, *pareto;
    size_t n;
    double returners, inside, early, late; /* next orders within FOLLOW_UP_DAYS against their 80 % intervals */
    double orders, expected;               /* in the horizon */
    double revenue;                        /* in FOLLOW_UP_DAYS, new customers included */
};

static void judge_date(const struct model_params *m, const struct customer *c, struct outcome *o)
{
    struct nextorder next;

    if (c->next_days == 0 || c->next_days > FOLLOW_UP_DAYS)
        return;
    nextorder_predict(m, &c->input.history, &next);
    o->returners += 1;
    o->early += next.dated && c->next_days < next.low_days;
    o->late += !next.dated || c->next_days > next.high_days;
    o->inside += next.dated && c->next_days >= next.low_days && c->next_days <= next.high_days;
}

static void judge(const struct model_params *m, int32_t as_of_day, int32_t horizon_days, struct outcome *o,
                  struct forecast_sums *sums)
{
    static struct customer c;
    const struct score_terms terms = {
        .horizon_days = horizon_days, .clv_months = 12, .margin = 1, .annual_discount = 0.1
    };
    struct score s;

    for (size_t i = 0; i < row_count;) {
        i = next_customer(i, as_of_day, &c);
        for (size_t k = c.known; k < c.n; k++) {
            int32_t ahead = c.days[k].day - as_of_day;
            o->revenue += ahead > 0 && ahead <= FOLLOW_UP_DAYS ? (double)c.days[k].net_cents / 100 : 0;
            o->orders += c.known > 0 && ahead <= horizon_days && c.days[k].purchase;
        }
        if (c.known == 0)
            continue;
        score_customer(m, &terms, &c.input, &s);
        forecast_add(sums, &s.path, s.order_value, c.input.days_since <= 365);
        uint32_t left = c.next_days == 0 || c.next_days > horizon_days;
        const struct mbg_history *h = &c.input.history;
        double x = h->x, tx = (double)h->tx, t = (double)h->t, weeks = horizon_days / 7.0;
        o->blend[o->n] = (struct backtest_case){ (float)s.churn, 1, left };
        o->dead[o->n] = (struct backtest_case){ (float)(1 - mbg_p_alive(&m->mbg, x, tx, t)), 1, left };
        o->plain[o->n++] = (struct backtest_case){ (float)(1 - mbg_p_order(&m->mbg, x, tx, t, weeks)), 1, left };
        o->expected += mbg_expected_orders(&m->mbg, x, tx, t, weeks);
        judge_date(m, &c, o);
    }
}

static void print_forecast(const struct model_params *m, const struct forecast_sums *sums, int32_t as_of_day,
                           const struct outcome *o)
{
    struct forecast_month outlook[FORECAST_MONTHS];
    struct forecast_revenue r;

    forecast_outlook(m, sums, outlook);
    forecast_revenue(m, outlook, as_of_day, 3, &r);
    print("revenue_forecast", r.revenue);
    print("revenue_low", r.interval.low);
    print("revenue_high", r.interval.high);
    print("revenue", o->revenue);
}

/* The other model, fitted on the same past: is there more to be had? */
static void judge_pareto(int32_t as_of_day, int32_t horizon_days, struct outcome *o)
{
    static struct customer c;
    struct mbg_history *h = calloc(row_count + 1, sizeof(*h));
    struct pareto_nbd p;
    double log_likelihood;
    size_t n = 0;

    if (h == NULL)
        exit(1);
    for (size_t i = 0; i < row_count;) {
        i = next_customer(i, as_of_day, &c);
        if (c.known > 0)
            h[n++] = c.input.history;
    }
    if (pareto_nbd_fit(h, n, &p, &log_likelihood)) {
        for (size_t i = 0; i < n; i++) {
            double order = pareto_nbd_p_order(&p, h[i].x, (double)h[i].tx, (double)h[i].t, horizon_days / 7.0);
            o->pareto[i] = (struct backtest_case){ (float)(1 - order), 1, o->blend[i].events };
        }
        print("pareto.log_likelihood", log_likelihood);
        print_quality("pareto", o->pareto, n);
    }
    free(h);
}

static void print_outcome(const struct outcome *o, int64_t horizon_days)
{
    double events = 0;

    for (size_t i = 0; i < o->n; i++)
        events += o->plain[i].events;
    double rate = events / (double)o->n;
    print("horizon_days", (double)horizon_days);
    print("base_rate", rate);
    print("brier_base", rate * (1 - rate));
    print_quality("churn", o->blend, o->n);
    print_quality("plain", o->plain, o->n);
    print_quality("dead", o->dead, o->n);
    print("returners", o->returners);
    print("coverage", o->inside / o->returners);
    print("early", o->early / o->returners);
    print("late", o->late / o->returners);
    print("orders_expected", o->expected);
    print("orders", o->orders);
}

int main(int argc, char **argv)
{
    int64_t as_of_day, horizon_days = 90;
    struct model_params m;
    struct outcome o = { .n = 0 };
    struct forecast_sums sums = { 0 };

    if (argc < 2 || argc > 3 || !str_to_i64(str_from(argv[1]), &as_of_day) ||
        (argc > 2 && !str_to_i64(str_from(argv[2]), &horizon_days))) {
        fprintf(stderr, "usage: backtest_models AS_OF [HORIZON_DAYS] < days\n");
        return 2;
    }
    read_rows();
    train((int32_t)as_of_day, (int32_t)horizon_days, &m);
    o.blend = calloc(row_count + 1, sizeof(*o.blend));
    o.plain = calloc(row_count + 1, sizeof(*o.plain));
    o.dead = calloc(row_count + 1, sizeof(*o.dead));
    o.pareto = calloc(row_count + 1, sizeof(*o.pareto));
    if (o.blend == NULL || o.plain == NULL || o.dead == NULL || o.pareto == NULL)
        return 1;
    judge(&m, (int32_t)as_of_day, (int32_t)horizon_days, &o, &sums);
    judge_pareto((int32_t)as_of_day, (int32_t)horizon_days, &o);
    print_outcome(&o, horizon_days);
    print_forecast(&m, &sums, (int32_t)as_of_day, &o);
    return 0;
}
