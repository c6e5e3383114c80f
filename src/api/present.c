/*
 * present: see the header.
 *
 * `p` is where the next byte goes; each put_… answers where it ended. Nothing
 * is checked against the end: every text put here is bounded, and their sum, a
 * fragment's tail included, by PRESENT_PROFILE_MAX.
 */
#include "api/present.h"

#include <math.h>

#include "api/present_archetype.h"
#include "api/present_prediction.h"
#include "api/put.h"
#include "api/put_axes.h"
#include "model/archetype.h"
#include "model/axes_vocab.h"
#include "model/rfm.h"

const char *present_risk_level(double churn)
{
    return population_risk_name(population_risk_of((float)churn));
}

const char *present_recommendation(double churn)
{
    switch (population_risk_of((float)churn)) {
    case POPULATION_RISK_CRITICAL:
    case POPULATION_RISK_HIGH:
        return "URGENT: Send re-engagement campaign immediately";
    case POPULATION_RISK_MEDIUM:
        return "Schedule reminder email in next 7 days";
    default:
        return "Monitor regularly, no immediate action needed";
    }
}

int present_engagement(const struct population_row *row)
{
    uint64_t now = row->orders_90, before = row->orders_prev_90;

    if (2 * now > 3 * before)
        return 1;
    return 2 * now < before ? -1 : 0;
}

const char *present_engagement_trend(const struct population_row *row)
{
    static const char *const words[] = { "declining", "stable", "growing" };

    return words[1 + present_engagement(row)];
}

static uint64_t words_of(const struct population *pop, const struct population_row *row)
{
    return pop->words[population_row_index(pop, row)];
}

static char *put_dominant(char *p, const struct population *pop, const struct population_row *row)
{
    if (!(row->flags & POPULATION_SEGMENTED))
        return PUT(p, "null");
    return put_axes_dominant(p, words_of(pop, row));
}

static char *put_segments(char *p, const struct population *pop, const struct population_row *row)
{
    if (!(row->flags & POPULATION_SEGMENTED))
        return PUT(p, "\"dominant_segments\":null,\"membership_strengths\":null,\"fuzzy_memberships\":null");
    p = PUT(p, "\"dominant_segments\":");
    p = put_dominant(p, pop, row);
    p = PUT(p, ",\"membership_strengths\":");
    p = put_axes_strengths(p, row);
    p = PUT(p, ",\"fuzzy_memberships\":");
    return put_axes_memberships(p, row);
}

/* Numbers a profile shows in several places, formatted once. */
struct shared {
    char ltv[FMT_MAX], aov[FMT_MAX], gap[FMT_MAX];
    size_t ltv_len, aov_len, gap_len;
};

static void format_shared(struct shared *n, const struct population_row *row)
{
    double gap = population_gap_days(row);

    n->ltv_len = fmt_cents(n->ltv, population_net_cents(row));
    n->aov_len = fmt_fixed(n->aov, population_aov(row), 2);
    n->gap_len = (size_t)(put_fixed_or_null(n->gap, gap, 1) - n->gap);
}

static char *put_business(char *p, const struct population *pop, const struct population_row *row,
                          const struct shared *n)
{
    p = PUT(p, "\"business_metrics\":{\"lifetime_value\":");
    p = put(p, n->ltv, n->ltv_len);
    p = PUT(p, ",\"gross_sales\":");
    p = put_cents(p, row->gross_cents);
    p = PUT(p, ",\"refunds\":");
    p = put_cents(p, row->refunds_cents);
    p = PUT(p, ",\"total_orders\":");
    p = put_int(p, row->orders);
    p = PUT(p, ",\"avg_order_value\":");
    p = put(p, n->aov, n->aov_len);
    p = PUT(p, ",\"days_since_last_purchase\":");
    p = put_int(p, population_days_since(pop, row));
    p = PUT(p, ",\"customer_tenure_days\":");
    p = put_int(p, population_tenure_days(pop, row));
    p = PUT(p, ",\"avg_days_between_purchases\":");
    p = put(p, n->gap, n->gap_len);
    p = PUT(p, ",\"first_purchase_date\":");
    p = put_day(p, row->first_day);
    p = PUT(p, ",\"last_purchase_date\":");
    p = put_day(p, row->last_day);
    return PUT(p, "}");
}

static char *put_axis_word(char *p, const struct population *pop, const struct population_row *row, unsigned axis)
{
    if (!(row->flags & POPULATION_SEGMENTED))
        return PUT(p, "null");
    return put_axes_word(p, words_of(pop, row), axis);
}

static char *put_churn(char *p, const struct population *pop, const struct population_row *row)
{
    bool scored = row->flags & POPULATION_SCORED;
    double churn = (double)row->churn;

    p = PUT(p, "\"churn_risk\":{\"risk_level\":");
    p = put_word(p, scored ? present_risk_level(churn) : NULL);
    p = PUT(p, ",\"churn_risk_score\":");
    p = put_fixed_or_null(p, scored ? churn : NAN, 4);
    p = PUT(p, ",\"factors\":{\"recency_days\":");
    p = put_int(p, population_days_since(pop, row));
    p = PUT(p, ",\"order_frequency\":");
    p = put_axis_word(p, pop, row, AXIS_PURCHASE_FREQUENCY);
    p = PUT(p, ",\"value_tier\":");
    p = put_axis_word(p, pop, row, AXIS_PURCHASE_VALUE);
    p = PUT(p, ",\"engagement_trend\":");
    p = put_word(p, present_engagement_trend(row));
    p = PUT(p, "},\"recommendation\":");
    p = put_word(p, scored ? present_recommendation(churn) : NULL);
    return PUT(p, "}");
}

static char *put_rfm_members(char *p, const struct population_row *row)
{
    p = PUT(p, "\"recency\":");
    p = put_int(p, row->rfm_recency);
    p = PUT(p, ",\"frequency\":");
    p = put_int(p, row->rfm_frequency);
    p = PUT(p, ",\"monetary\":");
    p = put_int(p, row->rfm_monetary);
    p = PUT(p, ",\"total\":");
    p = put_int(p, row->rfm_recency + row->rfm_frequency + row->rfm_monetary);
    p = PUT(p, ",\"group\":");
    return put_word(p, rfm_group_name(row->rfm_group));
}

static char *put_rfm(char *p, const struct population_row *row)
{
    p = PUT(p, "\"rfm\":{");
    p = put_rfm_members(p, row);
    return PUT(p, "}");
}

static char *put_model_numbers(char *p, const struct population_row *row)
{
    bool scored = row->flags & POPULATION_SCORED;
    double clv = (double)row->predicted_clv, historic = (double)population_net_cents(row) / 100;

    p = PUT(p, ",\"predicted_clv\":");
    p = put_fixed_or_null(p, scored ? clv : NAN, 2);
    p = PUT(p, ",\"predicted_clv_discounted\":");
    p = put_fixed_or_null(p, scored ? (double)row->predicted_clv_discounted : NAN, 2);
    p = PUT(p, ",\"total_clv\":");
    p = put_fixed_or_null(p, scored ? historic + fmt_round(clv, 2) : NAN, 2);
    p = PUT(p, ",\"predicted_number_of_orders\":");
    p = put_fixed_or_null(p, scored ? (double)row->expected_orders : NAN, 4);
    p = PUT(p, ",\"churn_probability\":");
    p = put_fixed_or_null(p, scored ? (double)row->churn : NAN, 4);
    p = PUT(p, ",\"p_alive\":");
    return put_fixed_or_null(p, scored ? (double)row->p_alive : NAN, 4);
}

static char *put_reason(char *p, const struct reason *r)
{
    p = PUT(p, "{\"code\":");
    p = put_word(p, reason_code_name(r->code));
    p = r->raises ? PUT(p, ",\"effect\":\"raises\",\"contribution\":")
                  : PUT(p, ",\"effect\":\"lowers\",\"contribution\":");
    p = put_fixed_or_null(p, r->contributes ? r->contribution : NAN, 2);
    p = PUT(p, ",\"text\":");
    p = put_word(p, r->text);
    return PUT(p, "}");
}

/* Why the churn is what it is. Their texts are plain. */
static char *put_reasons(char *p, const struct population *pop, const struct population_row *row)
{
    struct reason reasons[REASONS_MAX];
    unsigned count;

    if (pop->model == NULL || !(row->flags & POPULATION_SCORED))
        return PUT(p, "null");
    count = prediction_churn_reasons(pop, row, reasons);
    *p++ = '[';
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            *p++ = ',';
        p = put_reason(p, &reasons[i]);
    }
    return PUT(p, "]");
}

static char *put_next_order_day(char *p, const struct population *pop, const struct population_row *row)
{
    int32_t day = CLOCK_NO_DAY;

    if (pop->model != NULL && (row->flags & POPULATION_SCORED))
        day = prediction_next_order_day(pop, row);
    return day == CLOCK_NO_DAY ? PUT(p, "null") : put_day(p, day);
}

static char *put_predictions(char *p, const struct population *pop, const struct population_row *row,
                             const struct shared *n)
{
    const struct population_header *h = pop->header;

    p = PUT(p, "\"predictions\":{\"historic_clv\":");
    p = put(p, n->ltv, n->ltv_len);
    p = put_model_numbers(p, row);
    p = PUT(p, ",\"historic_number_of_orders\":");
    p = put_int(p, row->orders);
    p = PUT(p, ",\"average_days_between_orders\":");
    p = put(p, n->gap, n->gap_len);
    p = PUT(p, ",\"average_order_value\":");
    p = put(p, n->aov, n->aov_len);
    p = PUT(p, ",\"expected_date_of_next_order\":");
    p = put_next_order_day(p, pop, row);
    p = PUT(p, ",\"clv_horizon_months\":");
    p = put_int(p, h->settings.clv_months);
    p = PUT(p, ",\"horizon_days\":");
    p = put_int(p, h->settings.churn_horizon_days);
    p = PUT(p, ",\"model_status\":");
    p = put_array_text(p, h->model_status, sizeof(h->model_status));
    p = PUT(p, ",\"reasons\":");
    p = put_reasons(p, pop, row);
    p = PUT(p, ",\"model_version\":");
    p = put_array_text(p, h->model_version, sizeof(h->model_version));
    return PUT(p, "}");
}

static char *put_b2b_members(char *p, const struct population_row *row)
{
    static const struct {
        unsigned flag;
        const char *name;
    } indicators[] = {
        { POPULATION_B2B_LTV, "high_lifetime_value" },
        { POPULATION_B2B_ORDERS, "high_order_count" },
        { POPULATION_B2B_RESELLER, "reseller_pattern" },
    };

    p = PUT(p, "\"b2b_score\":");
    p = put_fraction(p, (unsigned)(population_b2b_score(row) * 10000));
    p = PUT(p, ",\"b2b_indicators\":[");
    for (size_t i = 0; i < sizeof(indicators) / sizeof(indicators[0]); i++) {
        if (!(row->flags & indicators[i].flag))
            continue;
        if (p[-1] != '[')
            *p++ = ',';
        p = put_word(p, indicators[i].name);
    }
    return PUT(p, "]");
}

static char *put_b2b(char *p, const struct population_row *row)
{
    p = PUT(p, "\"b2b\":{\"is_b2b\":");
    p = population_b2b_score(row) >= 0.5 ? PUT(p, "true,") : PUT(p, "false,");
    p = put_b2b_members(p, row);
    return PUT(p, "}");
}

void present_b2b_members(struct json_writer *w, const struct population_row *row)
{
    char text[256];

    json_raw(w, (struct str){ text, (size_t)(put_b2b_members(text, row) - text) });
}

void present_rfm_members(struct json_writer *w, const struct population_row *row)
{
    char text[256];

    json_raw(w, (struct str){ text, (size_t)(put_rfm_members(text, row) - text) });
}

static char *put_archetype_id(char *p, const struct population *pop, const struct population_row *row)
{
    const struct population_archetype *a = population_archetype_of(pop, row);
    char id[ARCHETYPE_ID_SIZE];

    return put_word(p, a != NULL ? archetype_format_id(id, a->id) : NULL);
}

void present_profile(struct buf *out, const struct dataset *d, const struct population_row *row)
{
    const struct population *pop = d->population;
    const struct population_archetype *archetype = population_archetype_of(pop, row);
    struct shared numbers;
    char *p;

    if (!buf_reserve(out, PRESENT_PROFILE_MAX))
        return;
    format_shared(&numbers, row);
    p = out->data + out->len;
    p = PUT(p, "{\"customer_id\":\"");
    p = put_int(p, row->customer_id);
    p = PUT(p, "\",\"archetype\":");
    p = archetype != NULL ? put_archetype(p, pop, archetype) : PUT(p, "null");
    *p++ = ',';
    p = put_segments(p, pop, row);
    *p++ = ',';
    p = put_business(p, pop, row, &numbers);
    *p++ = ',';
    p = put_churn(p, pop, row);
    *p++ = ',';
    p = put_rfm(p, row);
    *p++ = ',';
    p = put_predictions(p, pop, row, &numbers);
    *p++ = ',';
    p = put_b2b(p, row);
    *p++ = ',';
    p = put(p, d->stamp, d->stamp_bytes);
    *p++ = '}';
    out->len = (size_t)(p - out->data);
}

static char *put_item_numbers(char *p, const struct population *pop, const struct population_row *row)
{
    p = PUT(p, ",\"lifetime_value\":");
    p = put_cents(p, population_net_cents(row));
    p = PUT(p, ",\"total_orders\":");
    p = put_int(p, row->orders);
    p = PUT(p, ",\"avg_order_value\":");
    p = put_fixed(p, population_aov(row), 2);
    p = PUT(p, ",\"days_since_last_purchase\":");
    p = put_int(p, population_days_since(pop, row));
    p = PUT(p, ",\"customer_tenure_days\":");
    return put_int(p, population_tenure_days(pop, row));
}

void present_item(struct buf *out, const struct dataset *d, const struct population_row *row)
{
    const struct population *pop = d->population;
    bool scored = row->flags & POPULATION_SCORED;
    double churn = (double)row->churn, ltv = (double)population_net_cents(row) / 100;
    char *p;

    if (!buf_reserve(out, PRESENT_ITEM_MAX))
        return;
    p = out->data + out->len;
    p = PUT(p, "{\"customer_id\":\"");
    p = put_int(p, row->customer_id);
    p = PUT(p, "\",\"archetype_id\":");
    p = put_archetype_id(p, pop, row);
    p = PUT(p, ",\"dominant_segments\":");
    p = put_dominant(p, pop, row);
    p = put_item_numbers(p, pop, row);
    p = PUT(p, ",\"churn_risk_score\":");
    p = put_fixed_or_null(p, scored ? churn : NAN, 4);
    p = PUT(p, ",\"risk_level\":");
    p = put_word(p, scored ? present_risk_level(churn) : NULL);
    p = PUT(p, ",\"rfm_group\":");
    p = put_word(p, rfm_group_name(row->rfm_group));
    p = PUT(p, ",\"is_b2b\":");
    p = population_b2b_score(row) >= 0.5 ? PUT(p, "true") : PUT(p, "false");
    p = PUT(p, ",\"impact\":");
    p = put_fixed_or_null(p, scored ? ltv * churn : NAN, 2);
    *p++ = '}';
    out->len = (size_t)(p - out->data);
}

void present_items(struct json_writer *w, const struct dataset *d, const uint32_t *rows, size_t count)
{
    json_array_begin(w);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(w->out, ',');
        present_item(w->out, d, &d->population->rows[rows[i]]);
    }
    json_array_end(w);
}

void present_campaign_item(struct buf *out, const struct dataset *d, const struct population_row *row, double score)
{
    const struct population *pop = d->population;
    char *p;

    if (!buf_reserve(out, PRESENT_ITEM_MAX))
        return;
    p = out->data + out->len;
    p = PUT(p, "{\"customer_id\":\"");
    p = put_int(p, row->customer_id);
    p = PUT(p, "\",\"score\":");
    p = put_fixed(p, score, 2);
    p = PUT(p, ",\"ltv\":");
    p = put_cents(p, population_net_cents(row));
    p = PUT(p, ",\"churn_risk\":");
    p = put_fixed(p, (double)row->churn, 4);
    p = PUT(p, ",\"risk_level\":");
    p = put_word(p, present_risk_level((double)row->churn));
    p = PUT(p, ",\"archetype\":");
    p = put_archetype_id(p, pop, row);
    p = PUT(p, ",\"dominant_segments\":");
    p = put_dominant(p, pop, row);
    *p++ = '}';
    out->len = (size_t)(p - out->data);
}
