/*
 * train: from purchase days to fitted, back-tested, calibrated parameters (MODELS 6).
 *
 * Customers are added one by one; what is kept of each is a few bytes a window:
 *   T - 2H  model and calibrator, tried on
 *   T - H   (back-test), where the calibrator in use is fitted,
 *   T - 91  forecast of the last 13 weeks' net sales against fact,
 *   T       the model in use.
 * The caller owns the memory; equal input in equal order gives equal bytes.
 */
#ifndef MODEL_TRAIN_H
#define MODEL_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/calibrate.h"
#include "model/facts.h"
#include "model/params.h"
#include "model/season.h"

#define TRAIN_FORECAST_DAYS 91

struct train_revenue_row {
    struct mbg_history history;
    uint32_t spend_days;
    float spend_mean;
};

struct train {
    int32_t as_of_day, horizon_days;
    double active_window_days;
    bool prior;
    size_t capacity;                            /* customers */
    struct mbg_history *now;                    /* T */
    struct gammagamma_spend *spends;            /* T */
    struct calibrate_example *recent, *earlier; /* T - H, T - 2H */
    struct train_revenue_row *revenue;          /* T - 91 */
    struct mbg_history *scratch;
    size_t now_n, spends_n, recent_n, earlier_n, revenue_n;
    int32_t first_day;                    /* of all purchases */
    double monthly[SEASON_MAX_MONTHS];    /* net sales of calendar months, [0]: the as-of day's own */
    double weekly[SEASON_MAX_WEEKS];      /* new customers of weeks, [0]: the week that ends at the as-of day */
    double net, day_net, purchase_value;  /* sums: net sales; those of the days given; mean spend x purchase days */
    double first_value, first_customers;  /* net sales of first purchase days above 0 */
    double revenue_actual, active_actual; /* net sales of the last 91 days; customers active at T */
    uint32_t gaps[SEASON_MAX_WEEKS * 7];  /* customers by days from first to second purchase day; last: more */
};

/* Time and work of each fit; apart from the parameters, which must be the same in every run. */
struct train_step {
    const char *name; /* static text */
    int evaluations;
    double ms;
};
struct train_report {
    struct train_step step[12];
    unsigned steps;
};

/* Bytes train_init needs for so many customers. */
size_t train_memory(size_t customers);
/* memory: train_memory(customers) bytes, aligned as malloc aligns. */
void train_init(struct train *t, void *memory, size_t customers, int32_t as_of_day, int32_t horizon_days,
                double active_window_days, bool prior);
/* One customer: his days with purchases (others may be among them) as of facts_compute, ascending, none after
 * as_of_day, and his net sales in all. A customer without purchases is not counted. False when the capacity is used
 * up. */
bool train_add(struct train *t, const struct facts_day *days, size_t n, int64_t net_cents);
/* Fits everything but the anchors of the axes. m->version, anchors* are left for the caller. now_ns may be NULL;
 * report too. Consumes what was added. */
void train_fit(struct train *t, struct model_params *m, uint64_t (*now_ns)(void), struct train_report *report);

#endif
