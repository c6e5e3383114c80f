/*
 * metrics_render: families as Prometheus text 0.0.4.
 *
 * A family is rendered from one snapshot of its cells, so that the buckets,
 * sum and count of a scrape agree.
 */
#include "core/metrics.h"

#include "base/clock.h"
#include "base/fmt.h"
#include "core/metrics_table.h"

#define MAX_ZEROED 16 /* a family of one dimension up to this size shows its series before they count */

/* The words of one label combination; NULL for dimensions the family lacks. */
struct series {
    const struct metric *metric;
    const char *values[3];
};

void metrics_render_head(struct buf *out, enum metric_id id)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    const struct metric *m = metrics_get(id);

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
}

static void put_label(struct buf *out, char before, const char *name, const char *value)
{
    buf_add_char(out, before);
    buf_add_cstr(out, name);
    buf_add_cstr(out, "=\"");
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\\' || *p == '"')
            buf_add_char(out, '\\');
        if (*p == '\n')
            buf_add_cstr(out, "\\n");
        else
            buf_add_char(out, *p);
    }
    buf_add_char(out, '"');
}

/* name{labels} and the blank before the value; `le` NULL: none. */
static void put_name(struct buf *out, const struct series *s, const char *suffix, const char *le)
{
    char before = '{';

    buf_add_cstr(out, s->metric->name);
    buf_add_cstr(out, suffix);
    for (unsigned d = 0; d < 3; d++) {
        if (s->values[d] == NULL)
            continue;
        put_label(out, before, s->metric->labels[d], s->values[d]);
        before = ',';
    }
    if (le != NULL) {
        put_label(out, before, "le", le);
        before = ',';
    }
    if (before == ',')
        buf_add_char(out, '}');
    buf_add_char(out, ' ');
}

static void put_count(struct buf *out, const struct series *s, const char *suffix, const char *le, uint64_t v)
{
    put_name(out, s, suffix, le);
    buf_add_u64(out, v);
    buf_add_char(out, '\n');
}

static void put_histogram(struct buf *out, const struct series *s, const uint64_t *cells)
{
    const struct metric *m = s->metric;
    char le[FMT_MAX + 1];
    uint64_t count = 0;

    for (unsigned i = 0; i < m->bucket_count; i++) {
        le[fmt_double(le, m->buckets[i])] = '\0';
        count += cells[i];
        put_count(out, s, "_bucket", le, count);
    }
    count += cells[m->bucket_count];
    put_count(out, s, "_bucket", "+Inf", count);
    put_name(out, s, "_sum", NULL);
    buf_printf(out, "%llu.%09llu\n", (unsigned long long)(cells[m->bucket_count + 1] / CLOCK_NS_PER_S),
               (unsigned long long)(cells[m->bucket_count + 1] % CLOCK_NS_PER_S));
    put_count(out, s, "_count", NULL, count);
}

static bool has_counted(const uint64_t *cells, unsigned width)
{
    for (unsigned i = 0; i < width; i++) {
        if (cells[i] != 0)
            return true;
    }
    return false;
}

static bool shows_zeros(const struct metric *m)
{
    return m->dims[1] == METRICS_DIM_NONE && m->dims[0] != METRICS_DIM_ROUTE &&
           metrics_dim_size(m->dims[0]) <= MAX_ZEROED;
}

/* The words of combination n; false when a route of it does not exist. */
static bool series_of(struct series *s, const struct metric *m, const struct metrics_layout *l, unsigned n)
{
    *s = (struct series){ .metric = m };
    for (unsigned d = 3; d-- > 0;) {
        unsigned i = n % l->size[d];

        n /= l->size[d];
        if (m->dims[d] == METRICS_DIM_NONE)
            continue;
        s->values[d] = metrics_dim_value(m->dims[d], i);
        if (s->values[d] == NULL)
            return false;
    }
    return true;
}

void metrics_render_family(struct buf *out, const struct scoreboard *sb, enum metric_id id)
{
    const struct metric *m = metrics_get(id);
    const struct metrics_layout *l = metrics_layout_get(id);
    const uint64_t *cells = metrics_snapshot(sb, id);
    bool zeros = shows_zeros(m);
    struct series s;

    metrics_render_head(out, id);
    if (l->width == 0)
        return;
    for (unsigned n = 0; n < l->size[0] * l->size[1] * l->size[2]; n++, cells += l->width) {
        if ((!zeros && !has_counted(cells, l->width)) || !series_of(&s, m, l, n))
            continue;
        if (m->type == METRIC_HISTOGRAM)
            put_histogram(out, &s, cells);
        else
            put_count(out, &s, "", NULL, cells[0]);
    }
}

void metrics_render_value(struct buf *out, enum metric_id id, const char *label_value, double v)
{
    const struct series s = { .metric = metrics_get(id), .values = { label_value } };
    char number[FMT_MAX];

    put_name(out, &s, "", NULL);
    buf_add(out, number, fmt_double(number, v));
    buf_add_char(out, '\n');
}
