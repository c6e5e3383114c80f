/*
 * axes: see the header. Each axis is a gate, a scalar, and anchors to fall back on.
 */
#include "model/axes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/special.h"

#define NO_GATE                         255
#define PERCENT_OF_ORDERS(part, orders) (100 * (uint64_t)(part) >= 60 * (uint64_t)(orders))

static double net_of(const struct facts *f)
{
    return (double)(f->gross_cents - f->refunds_cents) / 100;
}

/* Orders after the first one per year of tenure, shrunk. */
static double frequency(const struct facts *f, int32_t as_of_day)
{
    double years = fmax(0, (double)as_of_day - f->first_day) / 365.25;

    return log((f->orders - 0.5) / (years + 0.35));
}

/* ½ ln of net sales an order + ½ ln of net sales; at least a cent each. */
static double value(const struct facts *f)
{
    double net = fmax(0.01, net_of(f));

    return 0.5 * log(net / f->orders) + 0.5 * log(net);
}

/* Days since the last order against the own gap, 60 days while there is none. */
static double lifecycle(const struct facts *f, int32_t as_of_day)
{
    double gap = f->orders > 1 ? ((double)f->last_day - f->first_day) / (f->orders - 1) : 60;

    return log((fmax(0, (double)as_of_day - f->last_day) + 1) / (gap + 7));
}

/* Share of spend that went to lines with a discount. */
static double discounted_share(const struct facts *f)
{
    if (f->gross_cents <= 0)
        return f->discount_cents > 0 ? 1 : 0;
    return fmin(1, (double)f->discounted_cents / (double)f->gross_cents);
}

static uint8_t cadence_gate(const struct facts *f)
{
    if (f->orders < 3)
        return 0;
    if (PERCENT_OF_ORDERS(f->holiday_orders, f->orders))
        return 1;
    for (int q = 0; q < 4; q++)
        if (f->order_years >= 2 && PERCENT_OF_ORDERS(f->quarter_orders[q], f->orders))
            return 2;
    return NO_GATE;
}

static double returned_share(const struct facts *f)
{
    double share = f->gross_cents > 0 ? (double)f->refunds_cents / (double)f->gross_cents : 1;

    return log(fmin(1, fmax(0.001, share)));
}

static uint8_t gate_of(enum axis_id axis, const struct facts *f)
{
    switch (axis) {
    case AXIS_PURCHASE_FREQUENCY:
    case AXIS_REPURCHASE_BEHAVIOR:
        return f->orders < 2 ? 0 : NO_GATE;
    case AXIS_PRICE_SENSITIVITY:
        return discounted_share(f) <= 0.005 ? 0 : NO_GATE;
    case AXIS_CATEGORY_AFFINITY:
        return f->category_lines < 3 ? 0 : NO_GATE;
    case AXIS_SHOPPING_CADENCE:
        return cadence_gate(f);
    case AXIS_RETURN_BEHAVIOR:
        return f->refunds_cents <= 0 ? 0 : NO_GATE;
    default:
        return NO_GATE;
    }
}

static double scalar_of(enum axis_id axis, const struct facts *f, int32_t as_of_day)
{
    switch (axis) {
    case AXIS_PURCHASE_FREQUENCY:
        return frequency(f, as_of_day);
    case AXIS_PURCHASE_VALUE:
        return value(f);
    case AXIS_LIFECYCLE:
        return lifecycle(f, as_of_day);
    case AXIS_PRICE_SENSITIVITY:
        return special_logit(fmin(0.995, discounted_share(f)));
    case AXIS_CATEGORY_AFFINITY:
        return exp(f->category_entropy);
    case AXIS_SHOPPING_CADENCE:
        return (double)f->weekend_orders / f->orders;
    case AXIS_REPURCHASE_BEHAVIOR:
        return (f->repeat_products + 0.1) / (f->later_products + 1.0); /* shrunk: few products say little */
    case AXIS_RETURN_BEHAVIOR:
        return returned_share(f);
    case AXIS_SHOPPING_MATURITY:
    default:
        return fmax(0, (double)as_of_day - f->first_day);
    }
}

bool axes_scalar(enum axis_id axis, const struct facts *f, int32_t as_of_day, double *scalar, uint8_t *gate)
{
    struct facts sound = *f;

    sound.orders = f->orders > 0 ? f->orders : 1;
    *gate = gate_of(axis, &sound);
    if (*gate != NO_GATE)
        return false;
    *scalar = scalar_of(axis, &sound, as_of_day);
    return true;
}

static unsigned first_anchor(enum axis_id axis)
{
    unsigned first = 0;

    while (first < axes_vocab[axis].word_count && axes_vocab[axis].words[first].gate)
        first++;
    return first;
}

static unsigned anchor_count(enum axis_id axis)
{
    return axes_vocab[axis].word_count - first_anchor(axis);
}

/* By anchor, not word. In the units of the scalars. */
static const double fixed_anchors[AXIS_COUNT][4] = {
    [AXIS_PURCHASE_FREQUENCY] = { -0.5, 0.4, 1.3, 2.3 }, /* 0.6, 1.5, 3.7, 10 orders a year */
    [AXIS_PURCHASE_VALUE] = { 3.0, 4.0, 5.0, 6.0 },      /* 20, 55, 150, 400 of spend and order value */
    [AXIS_LIFECYCLE] = { -1.0, 0.3, 1.2, 2.2 },          /* 0.4, 1.3, 3.3, 9 gaps since the last order */
    [AXIS_PRICE_SENSITIVITY] = { -2.0, 0.0, 2.0 },       /* 12, 50, 88 % discounted */
    [AXIS_CATEGORY_AFFINITY] = { 1.0, 2.0, 4.0 },        /* categories */
    [AXIS_SHOPPING_CADENCE] = { 0.0, 2.0 / 7, 4.0 / 7 }, /* share of orders at weekends */
    [AXIS_REPURCHASE_BEHAVIOR] = { 0.05, 0.25, 0.6 },    /* share of products */
    [AXIS_RETURN_BEHAVIOR] = { -3.0, -1.0 },             /* 5, 37 % of gross sales */
    [AXIS_SHOPPING_MATURITY] = { 45, 180, 545, 1095 },   /* days */
};

static int by_value(const void *a, const void *b)
{
    float l = *(const float *)a, r = *(const float *)b;

    return l < r ? -1 : l > r;
}

/* Of sorted values, between neighbours in a straight line. */
static double quantile(const float *sorted, size_t n, double q)
{
    double place = q * (double)(n - 1);
    size_t below = (size_t)place, above = below + 1 < n ? below + 1 : below;
    double low = (double)sorted[below], high = (double)sorted[above];

    return low + (place - (double)below) * (high - low);
}

void axes_fit_anchors(enum axis_id axis, float *scalars, size_t n, double anchors[AXES_MAX_WORDS])
{
    unsigned first = first_anchor(axis), count = anchor_count(axis);

    for (unsigned i = 0; i < AXES_MAX_WORDS; i++)
        anchors[i] = 0;
    for (unsigned i = 0; i < count; i++)
        anchors[first + i] = fixed_anchors[axis][i];
    if (axis == AXIS_SHOPPING_MATURITY || n < AXES_MIN_CUSTOMERS)
        return;
    qsort(scalars, n, sizeof(*scalars), by_value);
    if (!(quantile(scalars, n, 0.5 / count) < quantile(scalars, n, (count - 0.5) / count)))
        return;
    for (unsigned i = 0; i < count; i++)
        anchors[first + i] = quantile(scalars, n, (i + 0.5) / count);
}

struct axes_position axes_place(const struct model_params *m, enum axis_id axis, const struct facts *f,
                                int32_t as_of_day)
{
    const double *anchor = m->anchors[axis];
    unsigned first = first_anchor(axis), last = axes_vocab[axis].word_count - 1, k = first;
    double s;
    uint8_t gate;

    if (!axes_scalar(axis, f, as_of_day, &s, &gate))
        return (struct axes_position){ gate, gate, AXES_MEMBERSHIP_UNIT };
    if (s <= anchor[first])
        return (struct axes_position){ (uint8_t)first, (uint8_t)first, AXES_MEMBERSHIP_UNIT };
    if (!(s < anchor[last]))
        return (struct axes_position){ (uint8_t)last, (uint8_t)last, AXES_MEMBERSHIP_UNIT };
    while (k + 2 <= last && s >= anchor[k + 1])
        k++;
    double share = (s - anchor[k]) / (anchor[k + 1] - anchor[k]);
    uint16_t weight = (uint16_t)lround((1 - share) * AXES_MEMBERSHIP_UNIT);
    if (weight == 0)
        return (struct axes_position){ (uint8_t)(k + 1), (uint8_t)(k + 1), AXES_MEMBERSHIP_UNIT };
    if (weight >= AXES_MEMBERSHIP_UNIT)
        return (struct axes_position){ (uint8_t)k, (uint8_t)k, AXES_MEMBERSHIP_UNIT };
    return (struct axes_position){ (uint8_t)k, (uint8_t)(k + 1), weight };
}

uint8_t axes_dominant(struct axes_position p)
{
    return p.weight >= AXES_MEMBERSHIP_UNIT / 2 ? p.low : p.high;
}

double axes_dominant_share(struct axes_position p)
{
    double share = (double)p.weight / AXES_MEMBERSHIP_UNIT;

    return p.low == p.high ? 1 : fmax(share, 1 - share);
}

const char *axes_strength(enum axis_id axis, struct axes_position p)
{
    const char *word = axes_vocab_word(axis, p.low);

    if (word != NULL && strcmp(word, "insufficient") == 0)
        return "weak";
    return axes_dominant_share(p) > 0.7 ? "strong" : "balanced";
}

double axes_psi(const double before[AXES_MAX_WORDS], const double now[AXES_MAX_WORDS])
{
    double psi = 0;

    for (int i = 0; i < AXES_MAX_WORDS; i++) {
        double b = fmax(before[i], 1e-4), n = fmax(now[i], 1e-4); /* as usual, so that an empty word stays finite */
        psi += (n - b) * log(n / b);
    }
    return psi;
}
