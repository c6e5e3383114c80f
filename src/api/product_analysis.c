/*
 * product_analysis: see the header.
 */
#include "api/product_analysis.h"

#include "api/present_archetype.h"
#include "model/axes_vocab.h"

enum product_segment product_analysis_segment(struct product_analysis *a, struct str text, const struct population *p,
                                              struct arena *arena)
{
    struct str rest = text, axis_name;
    int axis, word;

    a->segment = text.len > 0 ? text : STR_LIT("all");
    if (text.len == 0 || str_eq_lit(text, "all"))
        return PRODUCT_SEGMENT_GOOD;
    if (str_starts(text, "arch_")) {
        a->query.archetype_id = arena_strdup(arena, text);
        return present_archetype_find(p, text) != NULL ? PRODUCT_SEGMENT_GOOD : PRODUCT_SEGMENT_UNKNOWN;
    }
    axis = str_split(&rest, ':', &axis_name) ? axes_vocab_find(axis_name) : -1;
    word = axis >= 0 ? axes_vocab_find_word((unsigned)axis, rest) : -1;
    if (word < 0)
        return PRODUCT_SEGMENT_MALFORMED;
    a->query.axis = axes_vocab[axis].name;
    a->query.word = axes_vocab_word((unsigned)axis, (unsigned)word);
    return PRODUCT_SEGMENT_GOOD;
}

static void write_value(struct json_writer *w, const struct products_column *c, const PGresult *r, int row,
                        int column)
{
    struct str text = { PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
    bool none = PQgetisnull(r, row, column) != 0;
    int64_t whole = 0;
    double number = 0;

    json_key(w, c->key);
    switch (c->kind) {
    case PRODUCTS_TEXT:
        json_str(w, text);
        return;
    case PRODUCTS_NOTES:
        json_array_begin(w);
        if (!none)
            json_str(w, text);
        json_array_end(w);
        return;
    case PRODUCTS_COUNT:
        (void)str_to_i64(text, &whole);
        json_int(w, whole);
        return;
    case PRODUCTS_AMOUNT:
    case PRODUCTS_FRACTION:
        (void)str_to_double(text, &number);
        json_fixed(w, number, c->kind == PRODUCTS_AMOUNT ? 2 : 4);
        return;
    }
}

/* Writes the columns of one row from `column` on; answers the column behind them. */
static int write_columns(struct json_writer *w, const struct products_column *columns, size_t most, const PGresult *r,
                         int row, int column)
{
    for (size_t i = 0; i < most && columns[i].key != NULL; i++)
        write_value(w, &columns[i], r, row, column++);
    return column;
}

static int count_columns(const struct products_column *columns, size_t most)
{
    int n = 0;

    while ((size_t)n < most && columns[n].key != NULL)
        n++;
    return n;
}

static void write_frame(struct json_writer *w, const struct product_analysis *a, int count)
{
    const struct products_query *o = &a->query;

    json_kv_cstr(w, "analysis_type", o->analysis->name);
    json_kv_int(w, "timeframe_months", a->months);
    json_key(w, "period");
    json_object_begin(w);
    json_kv_day(w, "from", o->from_day);
    json_kv_day(w, "to", o->to_day);
    json_object_end(w);
    json_kv_str(w, "segment", a->segment);
    json_kv_cstr(w, "sort_by", o->sort);
    json_kv_int(w, "count", count);
}

static int total_columns(const struct product_analysis *a)
{
    return count_columns(a->query.analysis->totals, PRODUCTS_MAX_TOTALS);
}

bool product_analysis_is_sound(const struct product_analysis *a, const PGresult *r)
{
    int totals = total_columns(a);

    return PQnfields(r) == totals + count_columns(a->query.analysis->items, PRODUCTS_MAX_COLUMNS) &&
           (totals == 0 || PQntuples(r) > 0);
}

int product_analysis_count(const struct product_analysis *a, const PGresult *r)
{
    int rows = PQntuples(r);

    return rows > 0 && PQgetisnull(r, 0, total_columns(a)) ? 0 : rows; /* only totals */
}

void product_analysis_write(struct json_writer *w, const struct product_analysis *a, const PGresult *r)
{
    const struct products_analysis *analysis = a->query.analysis;
    int totals = total_columns(a), count = product_analysis_count(a, r);

    write_frame(w, a, count);
    if (totals > 0)
        (void)write_columns(w, analysis->totals, PRODUCTS_MAX_TOTALS, r, 0, 0);
    json_key(w, analysis->list);
    json_array_begin(w);
    for (int i = 0; i < count; i++) {
        json_object_begin(w);
        (void)write_columns(w, analysis->items, PRODUCTS_MAX_COLUMNS, r, i, totals);
        json_object_end(w);
    }
    json_array_end(w);
}
