/*
 * reasons: see the header.
 */
#include "model/reasons.h"

#include <math.h>
#include <string.h>

#include "base/fmt.h"
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
    return calibrate_log_odds(&m->calibrator, &m->mbg, &h, m->horizon_days);
}

void reasons_attribute(const struct model_params *m, const struct mbg_history *h, double share[REASONS_SHARES])
{
    const struct traits own = { (double)h->t - (double)h->tx, h->x, (double)h->t };
    double v[8];

    for (unsigned set = 0; set < 8; set++) {
        struct traits c = { set & 1 ? own.recency : m->reference_recency, set & 2 ? own.x : m->reference_x,
                            set & 4 ? own.t : m->reference_t };
        v[set] = log_odds(m, &c);
    }
    for (unsigned i = 0; i < 3; i++) {
        unsigned me = 1U << i, one = 1U << (i + 1) % 3, two = 1U << (i + 2) % 3;
        share[i] =
            (v[me] - v[0]) / 3 + (v[me | one] - v[one]) / 6 + (v[me | two] - v[two]) / 6 + (v[7] - v[one | two]) / 3;
    }
}

/* A sentence under construction, cut where the reason's text ends; without printf, as every profile has some. */
struct sentence {
    char *p, *end;
};

static struct sentence begin(struct reason *r)
{
    return (struct sentence){ r->text, r->text + REASONS_TEXT_SIZE - 1 };
}

static void say_bytes(struct sentence *s, const char *text, size_t n)
{
    size_t room = (size_t)(s->end - s->p);

    memcpy(s->p, text, n < room ? n : room);
    s->p += n < room ? n : room;
    *s->p = '\0';
}

static void say(struct sentence *s, const char *text)
{
    say_bytes(s, text, strlen(text));
}

/* "1 order", "2 orders". */
static void say_count(struct sentence *s, int64_t n, const char *noun)
{
    char number[FMT_MAX];

    say_bytes(s, number, fmt_i64(number, n));
    say(s, " ");
    say(s, noun);
    if (n != 1)
        say(s, "s");
}

static void say_fixed(struct sentence *s, double v, int decimals)
{
    char number[FMT_MAX];

    say_bytes(s, number, fmt_fixed(number, v, decimals));
}

static void tell_recency(const struct reason_facts *f, struct reason *r)
{
    struct sentence s = begin(r);

    r->code = f->orders > 1 && f->gap_days >= 0.5 ? REASON_RECENCY_VS_GAP : REASON_RECENCY;
    say_count(&s, f->days_since_last, "day");
    if (r->code == REASON_RECENCY) {
        say(&s, f->orders > 1 ? " since last purchase" : " since the only purchase");
        return;
    }
    say(&s, " since last purchase, ");
    say_fixed(&s, f->days_since_last / f->gap_days, 1);
    say(&s, " times the usual gap of ");
    say_count(&s, llrint(f->gap_days), "day");
}

/* Many orders make a pause worse: whoever bought often and no more has probably left. */
static void tell_orders(const struct reason_facts *f, bool few, struct reason *r)
{
    struct sentence s = begin(r);

    r->code = REASON_ORDER_COUNT;
    if (r->contribution > 0 && few) {
        r->code = REASON_FEW_ORDERS;
        say(&s, "Only ");
        say_count(&s, f->orders, "order");
    } else if (r->contribution > 0) {
        say(&s, "After ");
        say_count(&s, f->orders, "order");
        say(&s, ", a pause of ");
        say_count(&s, f->days_since_last, "day");
        say(&s, " is unusual");
    } else if (f->orders == 2) {
        r->code = REASON_REPEAT_BUYER;
        say(&s, "Has bought more than once");
    } else {
        say_count(&s, f->orders, "order");
        say(&s, " so far");
    }
}

static void tell_tenure(const struct reason_facts *f, struct reason *r)
{
    struct sentence s = begin(r);

    r->code = REASON_TENURE;
    say(&s, "Customer for ");
    say_count(&s, f->tenure_days, "day");
}

unsigned reasons_tell(const struct model_params *m, const struct mbg_history *h, const double share[REASONS_SHARES],
                      const struct reason_facts *f, struct reason out[REASONS_MAX])
{
    unsigned n = 0, used = 0;

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

unsigned reasons_churn(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                       struct reason out[REASONS_MAX])
{
    double share[REASONS_SHARES];

    reasons_attribute(m, h, share);
    return reasons_tell(m, h, share, f, out);
}

static void tell_rate(const struct model_params *m, const struct mbg_history *h, struct reason *r)
{
    double rate = clv_order_rate(m, h);

    *r = (struct reason){ .code = REASON_ORDER_RATE,
                          .raises = rate > m->mbg.r / m->mbg.alpha * MODEL_WEEKS_PER_MONTH };
    struct sentence s = begin(r);
    say_fixed(&s, rate, 2);
    say(&s, " orders a month expected while still buying");
}

unsigned reasons_next_order(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                            struct reason out[REASONS_MAX])
{
    struct sentence s = begin(&out[0]);

    tell_rate(m, h, &out[1]);
    if (f->orders < 2) {
        out[0] = (struct reason){ .code = REASON_FEW_ORDERS };
        say(&s, "Only 1 order, so there is no usual gap yet");
        return 2;
    }
    int64_t gap = llrint(f->gap_days), past = f->days_since_last - gap;
    out[0] = (struct reason){ .code = REASON_USUAL_GAP, .raises = past <= 0 };
    say(&s, "Usual gap of ");
    say_count(&s, gap, "day");
    say(&s, past > 0 ? " passed " : " passes in ");
    say_count(&s, past > 0 ? past : -past, "day");
    say(&s, past > 0 ? " ago" : "");
    return 2;
}

unsigned reasons_clv(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                     struct reason out[REASONS_MAX])
{
    struct sentence s = begin(&out[1]);
    bool repeat = f->orders > 1;

    tell_rate(m, h, &out[0]);
    out[1] = (struct reason){ .code = repeat ? REASON_ORDER_COUNT : REASON_FEW_ORDERS, .raises = repeat };
    say(&s, repeat ? "" : "Only ");
    say_count(&s, f->orders, "order");
    say(&s, repeat ? " so far" : "");
    return 2;
}
