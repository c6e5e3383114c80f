/*
 * forecast: what customers are expected to do, summed over the base. The answers made of it: forecast_answer.c.
 */
#include "model/forecast.h"

#include <math.h>

#include "model/calibrate.h"
#include "model/clv.h"
#include "model/season.h"

const int forecast_node_months[FORECAST_NODES] = { 1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                   11, 12, 15, 18, 21, 24, 30, 36, 48, 60 };

/* Cumulative orders at `months`, between the nodes in a straight line. */
static double orders_at(const double orders[FORECAST_NODES], double months)
{
    double x0 = 0, y0 = 0;

    for (int k = 0; k < FORECAST_NODES; k++) {
        double x1 = forecast_node_months[k];
        if (months <= x1)
            return months > x0 ? y0 + (orders[k] - y0) * (months - x0) / (x1 - x0) : y0;
        x0 = x1;
        y0 = orders[k];
    }
    return y0;
}

/* Beyond the window, the chance of an order within it falls as the expected orders do. */
static double active_later(const double orders[FORECAST_NODES], double p_window, double window_months, double months)
{
    double first = orders_at(orders, window_months);

    if (!(first > 0))
        return 0;
    return p_window * fmin(1, (orders_at(orders, months) - orders_at(orders, months - window_months)) / first);
}

void forecast_path_of(const struct model_params *m, const struct mbg_history *h, int32_t days_since,
                      struct forecast_path *path)
{
    double shift = calibrate_shift(&m->calibrator, &m->mbg, h), window = m->active_window_days;
    double p_window = 1 - calibrate_churn(&m->mbg, h, shift, window), weeks[FORECAST_NODES];

    for (int k = 0; k < FORECAST_NODES; k++)
        weeks[k] = forecast_node_months[k] * MODEL_WEEKS_PER_MONTH;
    mbg_expected_grid(&m->mbg, h->x, (double)h->tx, (double)h->t, weeks, FORECAST_NODES, path->orders);
    for (int k = 1; k < FORECAST_NODES; k++)
        path->orders[k] = fmax(path->orders[k], path->orders[k - 1]);
    for (int k = 0; k < FORECAST_NODES; k++) {
        double months = forecast_node_months[k], days = months * MODEL_DAYS_PER_MONTH;
        if (days_since + days <= window)
            path->active[k] = 1;
        else if (days <= window)
            path->active[k] = 1 - calibrate_churn(&m->mbg, h, shift, days);
        else
            path->active[k] = active_later(path->orders, p_window, window / MODEL_DAYS_PER_MONTH, months);
    }
}

void forecast_add(struct forecast_sums *s, const struct forecast_path *path, double order_value, bool active)
{
    s->active_now += active;
    for (int k = 0; k < FORECAST_NODES; k++) {
        double p = path->active[k];
        s->orders[k] += path->orders[k];
        s->revenue[k] += path->orders[k] * order_value;
        s->revenue_variance[k] += 2 * path->orders[k] * order_value * order_value; /* Poisson, values vary as much */
        s->active[k] += p;
        s->active_variance[k] += p * (1 - p);
    }
}

/* Slope at the inner point of two intervals that keeps the curve monotone (Fritsch & Butland 1984). */
static double slope_between(double h0, double d0, double h1, double d1)
{
    if (d0 * d1 <= 0)
        return 0;
    return (3 * (h0 + h1)) / ((2 * h1 + h0) / d0 + (h1 + 2 * h0) / d1);
}

void forecast_spread(const double nodes[FORECAST_NODES], double now, double months[FORECAST_MONTHS])
{
    double x[FORECAST_NODES + 1] = { 0 }, y[FORECAST_NODES + 1] = { now }, d[FORECAST_NODES], s[FORECAST_NODES + 1];

    for (int k = 0; k < FORECAST_NODES; k++) {
        x[k + 1] = forecast_node_months[k];
        y[k + 1] = nodes[k];
        d[k] = (y[k + 1] - y[k]) / (x[k + 1] - x[k]);
    }
    s[0] = d[0];
    s[FORECAST_NODES] = d[FORECAST_NODES - 1];
    for (int k = 1; k < FORECAST_NODES; k++)
        s[k] = slope_between(x[k] - x[k - 1], d[k - 1], x[k + 1] - x[k], d[k]);
    for (int month = 1, k = 0; month <= FORECAST_MONTHS; month++) {
        while (month > forecast_node_months[k])
            k++;
        double h = x[k + 1] - x[k], t = (month - x[k]) / h;
        months[month - 1] =
            month == forecast_node_months[k]
                ? nodes[k]
                : y[k] + h * t * (s[k] + t * (3 * d[k] - 2 * s[k] - s[k + 1] + t * (s[k] + s[k + 1] - 2 * d[k])));
    }
}

static void spread_per_month(const double nodes[FORECAST_NODES], double months[FORECAST_MONTHS])
{
    forecast_spread(nodes, 0, months);
    for (int i = FORECAST_MONTHS - 1; i > 0; i--)
        months[i] = fmax(0, months[i] - months[i - 1]);
}

/* What a customer does who is `age` months old on average, having come in month 1 after the middle of it. */
struct newcomer {
    double orders[FORECAST_MONTHS]; /* repeat orders in his month of that age, 0: the month he came in */
    double active[FORECAST_MONTHS];
};

static void newcomer_of(const struct model_params *m, struct newcomer *c)
{
    double window = m->active_window_days / MODEL_DAYS_PER_MONTH, before = 0, nodes[FORECAST_NODES];
    double p_window = mbg_p_order(&m->mbg, 0, 0, 0, window * MODEL_WEEKS_PER_MONTH);

    for (int k = 0; k < FORECAST_NODES; k++)
        nodes[k] = mbg_expected_new(&m->mbg, forecast_node_months[k] * MODEL_WEEKS_PER_MONTH);
    for (int age = 0; age < FORECAST_MONTHS; age++) {
        double now = fmax(before, mbg_expected_new(&m->mbg, (age + 0.5) * MODEL_WEEKS_PER_MONTH));
        c->orders[age] = now - before;
        c->active[age] = age + 0.5 <= window ? 1 : active_later(nodes, p_window, window, age + 0.5);
        before = now;
    }
}

static void add_newcomers(const struct model_params *m, struct forecast_month out[FORECAST_MONTHS])
{
    struct newcomer c;
    double later_value = clv_order_value(m, 0, 0);
    double first_value = m->first_value > 0 ? m->first_value * m->net_factor : later_value;

    newcomer_of(m, &c);
    for (int i = 0; i < FORECAST_MONTHS; i++) {
        double came = season_acquired(&m->acquisition, i + 1);
        out[i].new_customers = came;
        out[i].new_orders += came;
        out[i].new_revenue += came * first_value;
        for (int k = i; k < FORECAST_MONTHS; k++) {
            out[k].new_orders += came * c.orders[k - i];
            out[k].new_revenue += came * c.orders[k - i] * later_value;
            out[k].new_active += came * c.active[k - i];
        }
    }
}

void forecast_outlook(const struct model_params *m, const struct forecast_sums *s,
                      struct forecast_month out[FORECAST_MONTHS])
{
    double orders[FORECAST_MONTHS], revenue[FORECAST_MONTHS], variance[FORECAST_MONTHS], active[FORECAST_MONTHS],
        active_variance[FORECAST_MONTHS];

    spread_per_month(s->orders, orders);
    spread_per_month(s->revenue, revenue);
    spread_per_month(s->revenue_variance, variance);
    forecast_spread(s->active, s->active_now, active);
    forecast_spread(s->active_variance, 0, active_variance);
    for (int i = 0; i < FORECAST_MONTHS; i++)
        out[i] = (struct forecast_month){ .orders = orders[i],
                                          .revenue = revenue[i],
                                          .revenue_variance = variance[i],
                                          .active = fmax(0, active[i]),
                                          .active_variance = fmax(0, active_variance[i]) };
    add_newcomers(m, out);
}
