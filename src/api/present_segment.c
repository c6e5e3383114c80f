/*
 * present_segment: see the header.
 */
#include "config.h"

#include "api/present_segment.h"

#include <math.h>

#include "api/answer.h"
#include "api/put_axes.h"
#include "base/fmt.h"
#include "model/axes_vocab.h"

#define WHOLE 10000.0 /* memberships are in ten-thousandths */

/* The keys that the axis has in both lists. */
static void write_axis(struct json_writer *w, const struct axis *axis)
{
    json_kv_cstr(w, "name", axis->name);
    json_kv_cstr(w, "display_name", axis->display_name);
    json_kv_cstr(w, "description", axis->description);
    json_kv_cstr(w, "category", "purchase");
    json_key(w, "aliases");
    json_array_begin(w);
    if (axis->alias != NULL)
        json_cstr(w, axis->alias);
    json_array_end(w);
    json_kv_bool(w, "defines_archetype", axis->defines_archetype);
}

void present_axes(struct json_writer *w)
{
    json_object_begin(w);
    json_key(w, "axes");
    json_object_begin(w);
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        json_key(w, axes_vocab[i].name);
        json_object_begin(w);
        write_axis(w, &axes_vocab[i]);
        json_key(w, "segments");
        json_array_begin(w);
        for (unsigned word = 0; word < axes_vocab[i].word_count; word++)
            json_cstr(w, axes_vocab[i].words[word].name);
        json_array_end(w);
        json_object_end(w);
    }
    json_object_end(w);
    json_kv_int(w, "total", POPULATION_AXES);
    json_object_end(w);
}

void present_segment_stats(struct json_writer *w, const struct dataset *d)
{
    const struct population *p = d->population;

    json_object_begin(w);
    json_kv_int(w, "total_customers", (int64_t)p->count);
    json_kv_int(w, "customers_with_segments", (int64_t)p->totals->segmented);
    json_kv_int(w, "axes_count", POPULATION_AXES);
    json_key(w, "segments_per_axis");
    json_object_begin(w);
    for (unsigned i = 0; i < POPULATION_AXES; i++)
        json_kv_int(w, axes_vocab[i].name, axes_vocab[i].word_count);
    json_object_end(w);
    json_key(w, "segment_distribution");
    json_object_begin(w);
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        json_key(w, axes_vocab[i].name);
        json_object_begin(w);
        for (unsigned word = 0; word < axes_vocab[i].word_count; word++)
            json_kv_int(w, axes_vocab[i].words[word].name, (int64_t)p->totals->members[i][word]);
        json_object_end(w);
    }
    json_object_end(w);
    answer_stamp(w, d);
    json_object_end(w);
}

/* How much is known of a customer: orders, tenure, and how clearly he belongs to his segments. */
static double confidence(const struct population *p, const struct population_row *row)
{
    double membership = 0;

    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        const struct population_membership *m = &row->axes[i];
        double low = m->low == m->high ? 1 : m->weight / WHOLE;
        membership += fmax(low, 1 - low);
    }
    return 0.4 * fmin(1, row->orders / 10.0) + 0.3 * fmin(1, population_tenure_days(p, row) / 90.0) +
           0.3 * membership / POPULATION_AXES;
}

static void raw(struct json_writer *w, const char *key, const char *text, const char *end)
{
    json_key(w, key);
    json_raw(w, (struct str){ text, (size_t)(end - text) });
}

void present_segment_customer(struct json_writer *w, const struct dataset *d, const struct population_row *row)
{
    const struct population *p = d->population;
    const struct population_archetype *a = population_archetype_of(p, row);
    char text[PUT_AXES_MAX], id[ARCHETYPE_ID_SIZE], number[FMT_MAX];
    bool known = row->flags & POPULATION_SEGMENTED;

    json_object_begin(w);
    json_kv_str(w, "customer_id", (struct str){ number, fmt_i64(number, row->customer_id) });
    if (known) {
        raw(w, "segment_memberships", text, put_axes_memberships(text, row));
        raw(w, "dominant_segments", text, put_axes_dominant(text, p->words[population_row_index(p, row)]));
        raw(w, "membership_strengths", text, put_axes_strengths(text, row));
    } else {
        json_kv_null(w, "segment_memberships");
        json_kv_null(w, "dominant_segments");
        json_kv_null(w, "membership_strengths");
    }
    json_kv_fixed(w, "confidence", known ? confidence(p, row) : 0, 4);
    json_kv_cstr(w, "archetype_id", a != NULL ? archetype_format_id(id, a->id) : NULL);
    answer_stamp(w, d);
    json_object_end(w);
}

void present_segment_trend(struct json_writer *w, const struct dataset *d, unsigned axis, unsigned word)
{
    const struct population *p = d->population;
    int64_t now = (int64_t)p->totals->members[axis][word];

    json_object_begin(w);
    json_kv_cstr(w, "axis", axes_vocab[axis].name);
    json_kv_cstr(w, "segment", axes_vocab_word(axis, word));
    json_kv_int(w, "current_members", now);
    if (p->past != NULL) {
        int64_t before = (int64_t)p->past->members[axis][word];

        json_kv_int(w, "previous_members", before);
        json_kv_fixed(w, "growth_rate", answer_growth_pct((double)before, (double)now), 2);
        json_kv_day(w, "compared_with", p->past->day);
        json_kv_null(w, "note");
    } else {
        json_kv_null(w, "previous_members");
        json_kv_null(w, "growth_rate");
        json_kv_null(w, "compared_with");
        json_kv_cstr(w, "note", "A trend needs about 30 days of scoring");
    }
    json_object_end(w);
}

static void write_words(struct json_writer *w, const struct model_params *m, unsigned axis)
{
    json_key(w, "segments");
    json_array_begin(w);
    for (unsigned i = 0; i < axes_vocab[axis].word_count; i++) {
        const struct axis_word *word = &axes_vocab[axis].words[i];

        json_object_begin(w);
        json_kv_cstr(w, "name", word->name);
        json_kv_cstr(w, "display_name", word->display_name);
        json_kv_cstr(w, "description", word->description);
        json_kv_int(w, "order", i + 1);
        json_kv_fixed(w, "anchor", word->gate || m == NULL ? NAN : m->anchors[axis][i], 4);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_terms(struct json_writer *w, const struct population_settings *s)
{
    json_kv_cstr(w, "archetype_level", s->archetype_level == ARCHETYPE_L2 ? "l2" : "l1");
    json_key(w, "churn");
    json_object_begin(w);
    json_kv_int(w, "horizon_days", s->churn_horizon_days);
    json_key(w, "levels");
    json_object_begin(w);
    json_kv_fixed(w, "critical", 0.7, 1); /* the bounds of population_risk_of */
    json_kv_fixed(w, "high", 0.5, 1);
    json_kv_fixed(w, "medium", 0.3, 1);
    json_object_end(w);
    json_object_end(w);
    json_key(w, "clv");
    json_object_begin(w);
    json_kv_int(w, "months", s->clv_months);
    json_kv_fixed(w, "annual_discount_rate", s->clv_discount_annual, 4);
    json_kv_fixed(w, "margin", s->clv_margin, 4);
    json_object_end(w);
}

void present_configuration(struct json_writer *w, const struct dataset *d)
{
    const struct population_header *h = d->population->header;

    json_object_begin(w);
    json_kv_cstr(w, "version", PACKAGE_VERSION);
    json_kv_int(w, "axis_count", POPULATION_AXES);
    json_key(w, "axes");
    json_array_begin(w);
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        json_object_begin(w);
        write_axis(w, &axes_vocab[i]);
        write_words(w, d->population->model, i);
        json_object_end(w);
    }
    json_array_end(w);
    write_terms(w, &h->settings);
    json_kv_str(w, "currency", (struct str){ h->currency, strnlen(h->currency, sizeof(h->currency)) });
    json_kv_int(w, "active_window_days", h->settings.active_window_days);
    answer_provenance(w, d);
    json_object_end(w);
}
