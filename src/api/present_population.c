/*
 * present_population: see the header.
 */
#include "api/present_population.h"

#include <stdio.h>

#include "api/answer.h"
#include "base/fmt.h"

#define MEDIUM_WEIGHT 0.3 /* of the kept definition of estimated_churn_90_days */

static void write_bin(struct json_writer *w, const char *name, uint64_t count, uint64_t all)
{
    json_key(w, name);
    json_object_begin(w);
    json_kv_int(w, "count", (int64_t)count);
    json_kv_fixed(w, "percentage", answer_percent((double)count, (double)all), 2);
    json_kv_int(w, "estimated_total", (int64_t)count);
    json_object_end(w);
}

static void write_bins(struct json_writer *w, const struct population_aggregates *t, uint64_t all)
{
    json_key(w, "churn_risk_distribution");
    json_object_begin(w);
    write_bin(w, "high_risk", t->critical, all);
    write_bin(w, "medium_risk", t->high + t->medium, all);
    write_bin(w, "low_risk", t->low, all);
    write_bin(w, "critical", t->critical, all);
    write_bin(w, "high", t->high, all);
    write_bin(w, "medium", t->medium, all);
    write_bin(w, "low", t->low, all);
    json_object_end(w);
}

static void write_levels(struct json_writer *w, const struct population_aggregates *t, double all)
{
    json_key(w, "risk_distribution");
    json_object_begin(w);
    json_kv_fixed(w, "low", answer_percent((double)t->low, all), 2);
    json_kv_fixed(w, "medium", answer_percent((double)t->medium, all), 2);
    json_kv_fixed(w, "high", answer_percent((double)t->high, all), 2);
    json_kv_fixed(w, "critical", answer_percent((double)t->critical, all), 2);
    json_object_end(w);
    json_kv_fixed(w, "at_risk_customers_pct", answer_percent((double)(t->high + t->critical), all), 2);
}

/* Quality of the churn that is shown: calibrated where the calibrator is in use. */
static void write_calibration(struct json_writer *w, const struct model_params *m)
{
    const struct model_backtest *b = &m->backtest;
    const struct model_quality *q = params_quality(m);

    if (q == NULL) {
        json_kv_null(w, "calibration");
        return;
    }
    json_key(w, "calibration");
    json_object_begin(w);
    json_kv_fixed(w, "auc", q->auc, 4);
    json_kv_fixed(w, "brier", q->brier, 4);
    json_kv_fixed(w, "ece", q->ece, 4);
    json_kv_fixed(w, "base_rate", b->base_rate, 4);
    json_kv_day(w, "window_end", (int32_t)b->window_day);
    json_object_end(w);
}

void present_churn_aggregate(struct json_writer *w, const struct dataset *d)
{
    const struct population *p = d->population;
    const struct population_aggregates *t = p->totals;
    double medium = (double)(t->high + t->medium);
    char note[128];

    json_object_begin(w);
    json_kv_int(w, "total_customers", (int64_t)p->count);
    json_kv_int(w, "sample_size", (int64_t)p->count);
    write_bins(w, t, p->count);
    json_kv_int(w, "estimated_churn_30_days", (int64_t)t->critical);
    json_kv_int(w, "estimated_churn_90_days", (int64_t)fmt_round((double)t->critical + MEDIUM_WEIGHT * medium, 0));
    json_kv_int(w, "expected_inactive_customers", (int64_t)fmt_round(t->churn_sum, 0));
    snprintf(note, sizeof(note),
             "Exact over all customers; churn is the calibrated probability of no order in the next %d days",
             p->header->settings.churn_horizon_days);
    json_kv_cstr(w, "note", note);
    json_kv_fixed(w, "average_churn_risk", answer_ratio(t->churn_sum, (double)t->scored), 4);
    json_kv_fixed(w, "median_churn_risk", t->churn_median, 4);
    write_levels(w, t, (double)p->count);
    json_kv_seconds(w, "timestamp", p->header->published_us);
    json_kv_int(w, "horizon_days", p->header->settings.churn_horizon_days);
    write_calibration(w, p->model);
    answer_provenance(w, d);
    json_object_end(w);
}

/* A cohort's age in months is also its last index. */
static void write_arrays(struct json_writer *w, const struct cohort_table *t, unsigned age)
{
    json_key(w, "customers");
    json_array_begin(w);
    for (unsigned k = 0; k <= age; k++)
        json_int(w, t->cell[age][k].customers);
    json_array_end(w);
    json_key(w, "retention");
    json_array_begin(w);
    for (unsigned k = 0; k <= age; k++)
        json_fixed(w, cohort_retention(t, age, k), 4);
    json_array_end(w);
    json_key(w, "orders");
    json_array_begin(w);
    for (unsigned k = 0; k <= age; k++)
        json_int(w, t->cell[age][k].orders);
    json_array_end(w);
    json_key(w, "revenue");
    json_array_begin(w);
    for (unsigned k = 0; k <= age; k++)
        json_cents(w, t->cell[age][k].net_cents);
    json_array_end(w);
    json_key(w, "cumulative_revenue_per_customer");
    json_array_begin(w);
    for (unsigned k = 0; k <= age; k++)
        json_fixed(w, cohort_cumulative_revenue(t, age, k), 2);
    json_array_end(w);
}

static void write_cohort(struct json_writer *w, const struct cohort_table *t, unsigned age)
{
    int64_t month = t->as_of_month - age;
    char name[16];

    snprintf(name, sizeof(name), "%04d-%02d", (int)(month / 12), (int)(month % 12) + 1);
    json_object_begin(w);
    json_kv_cstr(w, "cohort", name);
    json_kv_int(w, "size", cohort_size(t, age));
    write_arrays(w, t, age);
    json_kv_bool(w, "last_month_incomplete", true); /* always the as-of month */
    json_object_end(w);
}

void present_cohorts(struct json_writer *w, const struct dataset *d, int months)
{
    const struct cohort_table *t = d->population->cohorts;
    unsigned reached = 0; /* indexes that a cohort has */

    json_object_begin(w);
    json_kv_cstr(w, "cohort_by", "first_order_month");
    json_kv_int(w, "months", months);
    json_key(w, "cohorts");
    json_array_begin(w);
    for (unsigned age = (unsigned)months; age-- > 0;) {
        if (cohort_size(t, age) == 0)
            continue;
        write_cohort(w, t, age);
        reached = age + 1 > reached ? age + 1 : reached;
    }
    json_array_end(w);
    json_key(w, "average_retention");
    json_array_begin(w);
    for (unsigned k = 0; k < reached; k++)
        json_fixed(w, cohort_average_retention(t, (unsigned)months, k), 4);
    json_array_end(w);
    answer_stamp(w, d);
    json_object_end(w);
}
