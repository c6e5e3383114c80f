/*
 * bench_models: what fitting and scoring everyone costs.
 *
 *     bench_models [CUSTOMERS]
 *
 * CUSTOMERS (120,000 unless told) simulated ones, who came over the last 150
 * weeks, are fitted with all back-tests and then scored with all they are shown
 * with: the arithmetic of a scoring, without its database. Milliseconds of CPU time of one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"
#include "model/forecast.h"
#include "model/score.h"
#include "model/train.h"
#include "model_fixture.h"

static const struct model_shop shop = {
    .mbg = { .r = 0.4, .alpha = 8, .a = 0.9, .b = 2.2 },
    .spend = { .p = 3, .q = 4, .v = 40 },
    .most_weeks = 150,
};

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static double ms_since(uint64_t start_ns)
{
    return (double)(cpu_ns() - start_ns) / 1e6;
}

static struct score_input input_of(const struct facts_day *days, size_t n)
{
    struct score_input in = { .history =
                                  mbg_history_of((uint32_t)n, days[0].day, days[n - 1].day, MODEL_FIXTURE_AS_OF),
                              .spend_days = (uint32_t)n,
                              .days_since = MODEL_FIXTURE_AS_OF - days[n - 1].day };

    for (size_t i = 0; i < n; i++)
        in.spend_mean += (double)days[i].net_cents / 100 / (double)n;
    return in;
}

static double score_all(const struct model_params *m, const struct score_input *in, size_t n)
{
    const struct score_terms terms = { .horizon_days = 90, .clv_months = 12, .margin = 1, .annual_discount = 0.1 };
    struct forecast_sums sums = { 0 };
    struct forecast_month outlook[FORECAST_MONTHS];
    struct score s;
    double churn = 0;

    for (size_t i = 0; i < n; i++) {
        score_customer(m, &terms, &in[i], &s);
        forecast_add(&sums, &s.path, s.order_value, in[i].days_since <= 365);
        churn += s.churn;
    }
    forecast_outlook(m, &sums, outlook);
    return churn / (double)n;
}

int main(int argc, char **argv)
{
    static struct train t;
    static struct facts_day days[MODEL_FIXTURE_DAYS];
    struct train_report report;
    struct model_params m;
    uint64_t n = 120000;

    if (argc > 2 || (argc == 2 && (!str_to_u64(str_from(argv[1]), &n) || n == 0 || n > 10000000))) {
        fprintf(stderr, "usage: bench_models [CUSTOMERS]\n");
        return 2;
    }
    void *memory = malloc(train_memory(n));
    struct score_input *in = calloc(n, sizeof(*in));
    if (memory == NULL || in == NULL) {
        fprintf(stderr, "bench_models: no memory for %llu customers\n", (unsigned long long)n);
        return 1;
    }
    model_fixture_seed(1);
    train_init(&t, memory, n, MODEL_FIXTURE_AS_OF, 90, 365, true);
    double adding = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = model_fixture_days(&shop, days);
        uint64_t start = cpu_ns();
        in[i] = input_of(days, count);
        train_add(&t, days, count, (int64_t)(in[i].spend_mean * 100 * (double)count));
        adding += ms_since(start);
    }
    printf("  %-28s %9.1f ms\n", "collect", adding);
    uint64_t start = cpu_ns();
    train_fit(&t, &m, cpu_ns, &report);
    double fitting = ms_since(start);
    for (unsigned i = 0; i < report.steps; i++)
        printf("  %-28s %9.1f ms %5d evaluations\n", report.step[i].name, report.step[i].ms,
               report.step[i].evaluations);
    start = cpu_ns();
    double churn = score_all(&m, in, n), scoring = ms_since(start);
    printf("  %-28s %9.1f ms (mean churn %.4f)\n", "score", scoring, churn);
    printf("%llu customers: fit %.2f s, score %.2f s, together %.2f s\n", (unsigned long long)n,
           (fitting + adding) / 1e3, scoring / 1e3, (adding + fitting + scoring) / 1e3);
    free(memory);
    free(in);
    return 0;
}
