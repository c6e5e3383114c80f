/*
 * season: see the header.
 */
#include "model/season.h"

#include <math.h>

#include "base/clock.h"

#define LEFT_OUT_WEEKS 13 /* in the first 90 days old customers look new (MODELS 3) */

static void no_season(double season[12])
{
    for (int i = 0; i < 12; i++)
        season[i] = 1;
}

/* Mean of the 12 months around i, half weight to the ends, which are 13 months apart. */
static double centred_mean(const double *monthly, size_t i)
{
    double s = (monthly[i - 6] + monthly[i + 6]) / 2;

    for (size_t k = i - 5; k <= i + 5; k++)
        s += monthly[k];
    return s / 12;
}

int season_fit(const double *monthly, size_t n, int first_month, double season[12])
{
    double sum[12] = { 0 }, count[12] = { 0 }, mean = 0;

    no_season(season);
    if (n < 24)
        return 0;
    for (size_t i = 6; i + 6 < n; i++) {
        double level = centred_mean(monthly, i);
        size_t month = ((size_t)first_month + i) % 12;
        if (!(level > 0))
            continue;
        sum[month] += fmin(5, fmax(0.2, monthly[i] / level));
        count[month] += 1;
    }
    for (int i = 0; i < 12; i++) {
        season[i] = count[i] > 0 ? sum[i] / count[i] : 1;
        mean += season[i] / 12;
    }
    for (int i = 0; i < 12; i++)
        season[i] /= mean;
    return (int)(n / 12);
}

double season_mean(const double season[12], int32_t from, int32_t to)
{
    double sum = 0;
    int year, month, day;

    for (int32_t d = from; d < to; d++) {
        clock_civil_of(d, &year, &month, &day);
        sum += season[month - 1];
    }
    return to > from ? sum / (to - from) : 1;
}

/* Sum of squared one-step errors of damped exponential smoothing over the weeks from..n; where it ends. */
static double smooth(const double *weekly, const double *season, size_t from, size_t n, double alpha, double beta,
                     struct model_acquisition *a)
{
    size_t start = n - from < 8 ? n - from : 8;
    double level = 0, trend = 0, squares = 0;

    for (size_t i = from; i < from + start; i++)
        level += weekly[i] / season[i] / (double)start;
    for (size_t i = from; i < n; i++) {
        double expected = level + a->damping * trend, error = weekly[i] / season[i] - expected;
        level = expected + alpha * error;
        trend = a->damping * trend + alpha * beta * error;
        squares += error * error;
    }
    a->level = level;
    a->trend = trend;
    return squares;
}

void season_acquisition_fit(const double *weekly, size_t n, int32_t as_of_day, const double season[12],
                            struct model_acquisition *a)
{
    static const double alphas[] = { 0.05, 0.1, 0.2, 0.3, 0.5 }, betas[] = { 0, 0.05, 0.1, 0.2 },
                        dampings[] = { 0.9, 0.95, 0.98 };
    double factors[SEASON_MAX_WEEKS], best = INFINITY, recent = 0;

    *a = (struct model_acquisition){ .damping = dampings[0] };
    if (n == 0 || n > SEASON_MAX_WEEKS)
        return;
    for (size_t i = 0; i < n; i++) {
        int32_t end = as_of_day - 7 * (int32_t)(n - 1 - i) + 1; /* of the week, exclusive */
        factors[i] = fmax(0.2, season_mean(season, end - 7, end));
    }
    size_t from = n >= 3 * LEFT_OUT_WEEKS ? LEFT_OUT_WEEKS : 0, year = n - from < 52 ? from : n - 52;
    for (size_t i = year; i < n; i++)
        recent += weekly[i] / (double)(n - year);
    for (size_t k = 0; k < 5 * 4 * 3; k++) {
        struct model_acquisition candidate = { .damping = dampings[k % 3] };
        double squares = smooth(weekly, factors, from, n, alphas[k / 12], betas[k / 3 % 4], &candidate);
        if (!(squares < best))
            continue;
        best = squares;
        *a = candidate;
    }
    a->weekly_deviation = sqrt(best / (double)(n - from));
    a->monthly_mean = recent * MODEL_WEEKS_PER_MONTH;
}

double season_acquired(const struct model_acquisition *a, int month)
{
    double sum = 0;

    for (int quarter = 0; quarter < 4; quarter++) {
        double week = (month - 1 + (quarter + 0.5) / 4) * MODEL_WEEKS_PER_MONTH;
        double reach = a->damping * (1 - pow(a->damping, week)) / (1 - a->damping);
        sum += fmin(3 * a->level, fmax(a->level / 3, a->level + a->trend * reach)) / 4;
    }
    return fmax(0, sum) * MODEL_WEEKS_PER_MONTH;
}
