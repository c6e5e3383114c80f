/*
 * reasons: see the header.
 */
#include "model/reasons.h"

#include <math.h>
#include <stdio.h>

#include "model/calibrate.h"
#include "model/clv.h"
#include "model/special.h"

#define LEAST_CONTRIBUTION 0.05 /* log-odds; below, not worth a word */

static const char *const names[] = {
    [REASON_RECENCY] = "recency",         [REASON_RECENCY_VS_GAP] = "recency_vs_gap",
    [REASON_FEW_ORDERS] = "few_orders",   [REASON_REPEAT_BUYER] = "repeat_buyer",
    [REASON_ORDER_COUNT] = "order_count", [REASON_TENURE] = "tenure",
    [REASON_USUAL_GAP] = "usual_gap",     [REASON_ORDER_RATE] = "order_rate",
};

const char *reason_code_name(enum reason_code code)
{
    return names[code];
}

/* What a customer is to the model; x may be a fraction. */
struct traits {
    double recency, x, t;
};

/* Log-odds of churn of such a customer; a mix of two customers is taken as the nearest sound one. */
static double log_odds(const struct model_params *m, const struct traits *c)
{
    double t = fmax(c->t, c->recency), x = c->x < 0.5 ? 0 : round(c->x);
    struct mbg_history h = { .x = (uint32_t)x, .tx = (float)(x > 0 ? t - c->recency : 0), .t = (float)t, .count = 1 };

    if (x <= 0) /* one purchase: as long ago as the recency says, or as the tenure does */
        h.t = (float)c->recency;
    return special_logit(calibrate_churn(&m->mbg, &h, calibrate_shift(&m->calibrator, &m->mbg, &h), m->horizon_days));
}

/* Shapley values of recency, number and tenure against the average customer. */
static void attribute(const struct model_params *m, const struct traits *own, double share[3])
{
    double v[8];

    for (unsigned set = 0; set < 8; set++) {
        struct traits c = { set & 1 ? own->recency : m->reference_recency, set & 2 ? own->x : m->reference_x,
                            set & 4 ? own->t : m->reference_t };
        v[set] = log_odds(m, &c);
    }
    for (unsigned i = 0; i < 3; i++) {
        unsigned me = 1U << i, one = 1U << (i + 1) % 3, two = 1U << (i + 2) % 3;
        share[i] =
            (v[me] - v[0]) / 3 + (v[me | one] - v[one]) / 6 + (v[me | two] - v[two]) / 6 + (v[7] - v[one | two]) / 3;
    }
}

static const char *plural(double n)
{
    return n == 1 ? "" : "s";
}

static void tell_recency(const struct reason_facts *f, struct reason *r)
{
    double days = f->days_since_last, gap = round(f->gap_days);

    if (f->orders > 1 && gap >= 1) {
        r->code = REASON_RECENCY_VS_GAP;
        snprintf(r->text, sizeof(r->text), "%.0f day%s since last purchase, %.1f times the usual gap of %.0f day%s",
                 days, plural(days), days / f->gap_days, gap, plural(gap));
        return;
    }
    r->code = REASON_RECENCY;
    snprintf(r->text, sizeof(r->text), "%.0f day%s since %s purchase", days, plural(days),
             f->orders > 1 ? "last" : "the only");
}

/* Many orders make a pause worse: whoever bought often and no more has probably left. */
static void tell_orders(const struct reason_facts *f, bool few, struct reason *r)
{
    double days = f->days_since_last;

    r->code = REASON_ORDER_COUNT;
    if (r->contribution > 0 && few) {
        r->code = REASON_FEW_ORDERS;
        snprintf(r->text, sizeof(r->text), "Only %u order%s", f->orders, plural(f->orders));
    } else if (r->contribution > 0) {
        snprintf(r->text, sizeof(r->text), "After %u orders, a pause of %.0f day%s is unusual", f->orders, days,
                 plural(days));
    } else if (f->orders == 2) {
        r->code = REASON_REPEAT_BUYER;
        snprintf(r->text, sizeof(r->text), "Has bought more than once");
    } else {
        snprintf(r->text, sizeof(r->text), "%u order%s so far", f->orders, plural(f->orders));
    }
}

static void tell_tenure(const struct reason_facts *f, struct reason *r)
{
    r->code = REASON_TENURE;
    snprintf(r->text, sizeof(r->text), "Customer for %d day%s", f->tenure_days, plural(f->tenure_days));
}

unsigned reasons_churn(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                       struct reason out[REASONS_MAX])
{
    struct traits own = { (double)h->t - (double)h->tx, h->x, (double)h->t };
    double share[3];
    unsigned n = 0, used = 0;

    attribute(m, &own, share);
    while (n < 3) { /* largest first; at least one */
        unsigned best = 3;
        for (unsigned i = 0; i < 3; i++)
            if (!(used & 1U << i) && (best == 3 || fabs(share[i]) > fabs(share[best])))
                best = i;
        if (n > 0 && fabs(share[best]) < LEAST_CONTRIBUTION)
            break;
        out[n] = (struct reason){ .raises = share[best] > 0, .contributes = true, .contribution = share[best] };
        if (best == 0)
            tell_recency(f, &out[n]);
        else if (best == 1)
            tell_orders(f, h->x <= m->reference_x || f->orders < 2, &out[n]);
        else
            tell_tenure(f, &out[n]);
        used |= 1U << best;
        n++;
    }
    return n;
}

static void tell_rate(const struct model_params *m, const struct mbg_history *h, struct reason *r)
{
    double rate = clv_order_rate(m, h);

    *r = (struct reason){ .code = REASON_ORDER_RATE,
                          .raises = rate > m->mbg.r / m->mbg.alpha * MODEL_WEEKS_PER_MONTH };
    snprintf(r->text, sizeof(r->text), "%.2f orders a month expected while still buying", rate);
}

unsigned reasons_next_order(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                            struct reason out[REASONS_MAX])
{
    if (f->orders < 2) {
        out[0] = (struct reason){ .code = REASON_FEW_ORDERS };
        snprintf(out[0].text, sizeof(out[0].text), "Only 1 order, so there is no usual gap yet");
        tell_rate(m, h, &out[1]);
        return 2;
    }
    double gap = round(f->gap_days), past = f->days_since_last - gap;
    out[0] = (struct reason){ .code = REASON_USUAL_GAP, .raises = past <= 0 };
    if (past > 0)
        snprintf(out[0].text, sizeof(out[0].text), "Usual gap of %.0f day%s passed %.0f day%s ago", gap, plural(gap),
                 past, plural(past));
    else
        snprintf(out[0].text, sizeof(out[0].text), "Usual gap of %.0f day%s passes in %.0f day%s", gap, plural(gap),
                 -past, plural(-past));
    tell_rate(m, h, &out[1]);
    return 2;
}

unsigned reasons_clv(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                     struct reason out[REASONS_MAX])
{
    tell_rate(m, h, &out[0]);
    out[1] = (struct reason){ .code = REASON_ORDER_COUNT, .raises = f->orders > 1 };
    if (f->orders > 1)
        snprintf(out[1].text, sizeof(out[1].text), "%u orders so far", f->orders);
    else
        out[1].code = REASON_FEW_ORDERS, snprintf(out[1].text, sizeof(out[1].text), "Only 1 order");
    return 2;
}
