/*
 * analytics_fixture: see the header.
 */
#include "analytics_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/population_write.h"
#include "model/axes_vocab.h"
#include "model/score.h"

#define DAYS_OF_HISTORY 1500

#define MUST(condition)                                                                                              \
    do {                                                                                                             \
        if (!(condition)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, why);                                 \
            abort();                                                                                                 \
        }                                                                                                            \
    } while (0)

static char why[512];

struct maker {
    const struct analytics_shape *shape;
    struct model_params model;
    struct score_terms terms;
    struct population_writer *writer;
    uint64_t *ids; /* of archetypes, ascending */
    size_t id_count;
    double (*staying)[FORECAST_NODES], *active;
    struct forecast_sums sums;
    struct cohort_table cohorts;
};

/* Above 0, below 1. */
static double unit(size_t i, unsigned k)
{
    return ((double)(hash_u64(hash_u64(k + 1) + i) >> 11) + 0.5) * 0x1p-53;
}

int64_t analytics_id(size_t i)
{
    return 5000000000000 + (int64_t)(i * 977) + (int64_t)(unit(i, 1) * 900);
}

/* Any word; a gate word alone, or two neighbours that share. */
static struct population_membership make_membership(size_t i, unsigned axis, uint32_t orders)
{
    const struct axis *a = &axes_vocab[axis];
    unsigned first = 0, pick;

    while (a->words[first].gate)
        first++;
    if (axis == AXIS_PURCHASE_FREQUENCY && orders == 1)
        return (struct population_membership){ 0, 0, 10000 };
    if (first > 0 && axis != AXIS_PURCHASE_FREQUENCY && unit(i, 20 + axis) < 0.25)
        return (struct population_membership){ (uint8_t)(unit(i, 30 + axis) * first),
                                               (uint8_t)(unit(i, 30 + axis) * first), 10000 };
    pick = first + (unsigned)(unit(i, 40 + axis) * (a->word_count - first));
    if (pick + 1 == a->word_count)
        return (struct population_membership){ (uint8_t)pick, (uint8_t)pick, 10000 };
    return (struct population_membership){ (uint8_t)pick, (uint8_t)(pick + 1),
                                           (uint16_t)(unit(i, 50 + axis) * 10001) };
}

/* Geometric orders, log-normal amounts, uniform tenure. */
static struct population_row make_facts(size_t i)
{
    struct population_row r = { .customer_id = analytics_id(i), .archetype = POPULATION_NO_ARCHETYPE };
    double normal = sqrt(-2 * log(unit(i, 2))) * cos(6.283185307179586 * unit(i, 3));
    int32_t tenure = (int32_t)(unit(i, 4) * DAYS_OF_HISTORY);

    r.orders = 1 + (uint32_t)(-log(unit(i, 5)) * 2.2);
    r.lines = r.orders * 2;
    r.products = r.orders * 3;
    r.gross_cents = (int64_t)(r.orders * exp(8 + 0.8 * normal));
    r.refunds_cents = unit(i, 6) < 0.1 ? r.gross_cents / 3 : 0;
    r.first_day = r.purchase_first_day = ANALYTICS_AS_OF_DAY - tenure;
    r.last_day = r.orders == 1 ? r.first_day : ANALYTICS_AS_OF_DAY - (int32_t)(unit(i, 7) * tenure);
    r.purchase_last_day = r.last_day;
    r.purchase_days = r.last_day > r.first_day ? r.orders : 1;
    r.spend_days = r.purchase_days;
    r.spend_mean = (float)((double)(r.gross_cents - r.refunds_cents) / 100 / r.spend_days);
    r.orders_90 = ANALYTICS_AS_OF_DAY - r.last_day < 90;
    r.orders_prev_90 = (uint32_t)(unit(i, 8) * 3);
    r.flags = POPULATION_SEGMENTED | POPULATION_SCORED;
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        r.axes[axis] = make_membership(i, axis, r.orders);
    return r;
}

static uint64_t archetype_of(const struct maker *k, const struct population_row *r)
{
    uint8_t words[POPULATION_AXES];

    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        words[axis] = population_dominant(&r->axes[axis]);
    return archetype_id(k->shape->level, words);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void collect_archetypes(struct maker *k)
{
    size_t n = k->shape->rows, kept = 0;

    k->ids = malloc((n + 1) * sizeof(*k->ids));
    MUST(k->ids);
    for (size_t i = 0; i < n; i++) {
        struct population_row r = make_facts(i);
        k->ids[i] = archetype_of(k, &r);
    }
    qsort(k->ids, n, sizeof(*k->ids), compare);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || k->ids[i] != k->ids[i - 1])
            k->ids[kept++] = k->ids[i];
    k->id_count = kept;
    k->staying = calloc(kept + 1, sizeof(*k->staying));
    k->active = calloc(kept + 1, sizeof(*k->active));
    MUST(k->staying && k->active);
    MUST(population_writer_set_archetypes(k->writer, k->ids, kept));
}

static void score(struct maker *k, struct population_row *r)
{
    bool active = ANALYTICS_AS_OF_DAY - r->last_day <= k->model.active_window_days;
    struct score s;
    struct score_input in = {
        .history = mbg_history_of(r->purchase_days, r->purchase_first_day, r->purchase_last_day, ANALYTICS_AS_OF_DAY),
        .spend_days = r->spend_days,
        .spend_mean = (double)r->spend_mean,
        .days_since = ANALYTICS_AS_OF_DAY - r->last_day,
    };

    score_customer(&k->model, &k->terms, &in, &s);
    r->churn = (float)s.churn;
    r->p_alive = (float)s.p_alive;
    r->expected_orders = (float)s.expected_orders;
    r->expected_orders_90 = (float)s.expected_orders_90d;
    r->predicted_clv = (float)s.clv;
    r->predicted_clv_discounted = (float)s.clv_discounted;
    forecast_add(&k->sums, &s.path, s.order_value, active);
    for (unsigned n = 0; n < FORECAST_NODES; n++)
        k->staying[r->archetype][n] += s.path.active[n];
    k->active[r->archetype] += active;
}

/* All but the last order are in the first month. */
static void add_to_cohorts(struct maker *k, const struct population_row *r)
{
    int64_t first = cohort_month_of(r->first_day), last = cohort_month_of(r->last_day);
    int64_t net = r->gross_cents - r->refunds_cents;

    if (first == last || r->orders == 1) {
        cohort_add(&k->cohorts, first, first, r->orders, net);
        return;
    }
    cohort_add(&k->cohorts, first, first, r->orders - 1, net - net / 3);
    cohort_add(&k->cohorts, first, last, 1, net / 3);
}

static void add_rows(struct maker *k)
{
    cohort_init(&k->cohorts, ANALYTICS_AS_OF_DAY);
    for (size_t i = 0; i < k->shape->rows; i++) {
        struct population_row r = make_facts(i);
        uint64_t id = archetype_of(k, &r);
        const uint64_t *found = bsearch(&id, k->ids, k->id_count, sizeof(id), compare);
        r.archetype = (uint32_t)(found - k->ids);
        score(k, &r);
        add_to_cohorts(k, &r);
        MUST(population_writer_add(k->writer, &r, why, sizeof(why)));
    }
}

/* The first archetypes of the list have a series. */
static void set_series(struct maker *k)
{
    size_t n = k->id_count < POPULATION_MAX_SERIES ? k->id_count : POPULATION_MAX_SERIES;
    struct population_series *series = calloc(n + 1, sizeof(*series));
    double months[FORECAST_MONTHS];

    MUST(series);
    for (size_t i = 0; i < n; i++) {
        forecast_spread(k->staying[i], k->active[i], months);
        series[i].archetype = (uint32_t)i;
        for (unsigned m = 0; m < FORECAST_MONTHS; m++)
            series[i].active[m] = (float)months[m];
    }
    MUST(population_writer_set_series(k->writer, series, n));
    free(series);
}

static void make_model(struct maker *k)
{
    struct model_params *m = &k->model;
    int horizon = k->shape->horizon_days > 0 ? k->shape->horizon_days : 90;

    params_priors(m, ANALYTICS_AS_OF_DAY, horizon, 80, 40);
    params_version(m->version, ANALYTICS_AS_OF_DAY, 1);
    m->status = k->shape->insufficient ? MODEL_INSUFFICIENT_DATA : MODEL_OK;
    m->dropout_identified = 1;
    m->second_gap_days = 61;
    m->first_value = 42;
    m->acquisition =
        (struct model_acquisition){ .level = (double)k->shape->rows / 250, .trend = 0.5, .damping = 0.9 };
    m->backtest = (struct model_backtest){ .available = 1,
                                           .window_day = ANALYTICS_AS_OF_DAY - 90,
                                           .base_rate = 0.822,
                                           .plain = { 0.776, 0.116, 0.021 },
                                           .forecast_available = 1,
                                           .forecast_days = 91,
                                           .revenue_actual = 1000,
                                           .revenue_predicted = 936,
                                           .revenue_factor = 1.034,
                                           .active_actual = 1000,
                                           .active_predicted = 979 };
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++)
        for (unsigned word = 0; word < axes_vocab[axis].word_count; word++)
            m->anchors[axis][word] = axes_vocab[axis].words[word].gate ? 0 : 0.5 * word;
    k->terms =
        (struct score_terms){ .horizon_days = horizon, .clv_months = 12, .margin = 0.8, .annual_discount = 0.1 };
}

static struct population_meta meta_of(const struct maker *k)
{
    return (struct population_meta){
        .data_version = k->shape->data_version,
        .published_us = 1762135451000000, /* 2025-11-03T02:04:11Z */
        .synced_us = 1762135451000000,
        .as_of_day = ANALYTICS_AS_OF_DAY,
        .orders_loaded = 5000,
        .rows_loaded = 9000,
        .currency = "USD",
        .model_version = k->model.version,
        .model_status = params_status_name(k->model.status),
        .settings = { .churn_horizon_days = (int32_t)k->terms.horizon_days,
                      .active_window_days = 365,
                      .clv_months = k->terms.clv_months,
                      .archetype_level = (int32_t)k->shape->level,
                      .clv_discount_annual = k->terms.annual_discount,
                      .clv_margin = k->terms.margin },
        .b2b_min_ltv_cents = 500000,
        .b2b_min_orders = 50,
    };
}

void analytics_write(const char *dir, const struct analytics_shape *shape)
{
    struct forecast_month outlook[FORECAST_MONTHS];
    static struct maker k;

    k = (struct maker){ .shape = shape };
    make_model(&k);
    struct population_meta meta = meta_of(&k);
    k.writer = population_writer_new(dir, shape->rows, &meta, why, sizeof(why));
    MUST(k.writer);
    collect_archetypes(&k);
    add_rows(&k);
    set_series(&k);
    forecast_outlook(&k.model, &k.sums, outlook);
    MUST(population_writer_set_outlook(k.writer, outlook));
    MUST(population_writer_set_cohorts(k.writer, &k.cohorts));
    MUST(population_writer_set_model(k.writer, &k.model));
    MUST(population_writer_finish(k.writer, why, sizeof(why)));
    free(k.ids);
    free(k.staying);
    free(k.active);
}

struct population *analytics_start(struct fixture *f, const char *settings, const struct analytics_shape *shape)
{
    struct population *p;

    fixture_start(f, settings, 0);
    analytics_write(f->dir, shape);
    p = population_open(f->dir, shape->data_version, why, sizeof(why));
    MUST(p);
    atomic_store(&f->sb->data_published_us, p->header->published_us);
    atomic_store(&f->sb->data_version, shape->data_version);
    api_tick(f->api);
    return p;
}

int analytics_stop(struct fixture *f, struct population *p)
{
    population_release(p);
    fixture_stop(f);
    return 0;
}
