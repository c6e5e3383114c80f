/*
 * sync_audit: see the header. Both sides are read in ascending days and merged as they come: memory is one batch of
 * the source's days and the days that differ. PostgreSQL adds up while the source is read.
 */
#include "proc/sync_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "core/events.h"
#include "proc/sync_load.h"

#define BATCH_DAYS 4096
#define DAYS_MAX   200000 /* far more than five centuries: the days of no real source */
#define TOTALS     7

/*
 * The totals of a day as struct source_day_total defines them, of the lines that come behind FROM. Sums that bigint
 * can't hold are cut off: they only need to differ.
 */
static const char days_sql[] =
    "COPY (WITH sums AS (SELECT order_date::date AS day, count(*) AS lines, sum(line_item_sales) AS sales,"
    " sum(line_item_refunds) AS refunds, sum(quantity) AS quantity,"
    " sum(mod(order_id, 1000003) + coalesce(3 * mod(customer_id, 1000003), 0)"
    " + coalesce(5 * mod(product_id, 1000003), 0)"
    " + 7 * coalesce(256 * length(rtrim(fulfillment_status)) + ascii(rtrim(fulfillment_status)), 0)"
    " + 11 * coalesce(256 * length(rtrim(financial_status)) + ascii(rtrim(financial_status)), 0)"
    " + coalesce(mod((line_item_discount * 100)::bigint, 1000003), 0)) AS checks FROM %s GROUP BY 1),"
    " orders AS (SELECT day, count(*) AS orders FROM (SELECT DISTINCT order_date::date AS day, order_id FROM %s) d"
    " GROUP BY 1)"
    " SELECT day - date '1970-01-01', lines, orders,"
    " greatest(least(coalesce(sales, 0) * 100, 9e18), -9e18)::bigint,"
    " greatest(least(coalesce(refunds, 0) * 100, 9e18), -9e18)::bigint,"
    " greatest(least(coalesce(quantity, 0), 9e18), -9e18)::bigint, checks::bigint"
    " FROM sums JOIN orders USING (day) ORDER BY day) TO STDOUT";

/* The totals of the source, and how far those of PostgreSQL have been held against them. */
struct merge {
    struct sync_run *run;
    const struct source_day_total *theirs; /* a batch */
    size_t count, at;
    struct source *source; /* has more of them; NULL: that was all */
    struct source_range range;
    struct source_day_total *batch; /* room for BATCH_DAYS */
    int64_t differing;
    bool collect; /* the days that differ go to run->audit */
};

void sync_audit_free(struct sync_audit *audit)
{
    free(audit->days);
    *audit = (struct sync_audit){ 0 };
}

static bool differs(struct merge *m, const struct source_day_total *theirs)
{
    struct sync_audit *audit = &m->run->audit;

    m->differing++;
    if (!m->collect)
        return true;
    if (audit->count == audit->room) {
        size_t room = audit->room > 0 ? audit->room * 2 : 64;
        struct source_day_total *grown = room <= DAYS_MAX ? realloc(audit->days, room * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return sync_run_fail(m->run, SB_REASON_VALIDATION,
                                 "more than %zu days differ between the source and combined_sales; run a full sync",
                                 audit->count);
        audit->days = grown;
        audit->room = room;
    }
    audit->days[audit->count++] = *theirs;
    return true;
}

/* The source's next batch. */
static bool fetch_theirs(struct merge *m)
{
    struct source_error err = { 0 };
    enum source_status status =
        m->source->ops->day_totals(m->source, &m->range, m->batch, BATCH_DAYS, &m->count, &err);

    if (status != SOURCE_OK && status != SOURCE_END)
        return sync_run_fail_source(m->run, status, &err);
    sync_run_progress(m->run);
    m->theirs = m->batch;
    m->at = 0;
    m->run->audit.compared += (int64_t)m->count;
    if (status == SOURCE_END || m->count == 0)
        m->source = NULL;
    else
        m->range.start_day = m->batch[m->count - 1].day + 1;
    return true;
}

/* Is there another day of theirs (*there)? */
static bool look_at_theirs(struct merge *m, bool *there)
{
    while (m->at == m->count && m->source != NULL)
        if (!fetch_theirs(m))
            return false;
    *there = m->at < m->count;
    return true;
}

/* What the source has before `day` is not here; afterwards, *there: its next day. */
static bool pass_theirs(struct merge *m, int32_t day, bool *there)
{
    while (look_at_theirs(m, there)) {
        if (!*there || (day != CLOCK_NO_DAY && m->theirs[m->at].day >= day))
            return true;
        if (m->theirs[m->at].lines != 0 && !differs(m, &m->theirs[m->at]))
            return false;
        m->at++;
    }
    return false;
}

static bool same(const struct source_day_total *a, const struct source_day_total *b)
{
    return a->lines == b->lines && a->orders == b->orders && a->sales_cents == b->sales_cents &&
           a->refunds_cents == b->refunds_cents && a->quantity == b->quantity && a->checks == b->checks;
}

/* One row of days_sql in COPY's text. */
static bool take_ours(const char *row, size_t n, void *arg)
{
    struct merge *m = arg;
    struct str rest = { row, n > 0 && row[n - 1] == '\n' ? n - 1 : n }, piece;
    int64_t v[TOTALS];

    for (int i = 0; i < TOTALS; i++)
        if (!str_split(&rest, '\t', &piece) || !str_to_i64(piece, &v[i]))
            return sync_run_fail(m->run, SB_REASON_DATABASE, "combined_sales: the totals of a day are no numbers");
    const struct source_day_total ours = {
        .day = (int32_t)v[0],
        .lines = v[1],
        .orders = v[2],
        .sales_cents = v[3],
        .refunds_cents = v[4],
        .quantity = v[5],
        .checks = v[6],
    };
    const struct source_day_total none = { .day = ours.day };
    bool there;
    if (!pass_theirs(m, ours.day, &there))
        return false;
    bool theirs = there && m->theirs[m->at].day == ours.day;
    m->run->audit.compared += !theirs && m->collect;
    const struct source_day_total *t = theirs ? &m->theirs[m->at++] : &none;
    return same(&ours, t) || differs(m, t);
}

static const char adding_up[] = "adding up the days of combined_sales";

/* Asks for the totals of these lines (what comes behind FROM). */
static bool ask_ours(struct sync_run *run, const char *lines)
{
    struct buf sql;
    bool asked;

    buf_init(&sql, 4096);
    buf_printf(&sql, days_sql, lines, lines);
    if (buf_cstr(&sql) == NULL)
        asked = sync_run_fail(run, SB_REASON_MEMORY, "out of memory while %s", adding_up);
    else
        asked =
            sync_db_send(&run->work, adding_up, buf_cstr(&sql)) == SYNC_DB_OK || sync_run_fail_db(run, &run->work);
    buf_free(&sql);
    return asked;
}

/* Holds what was asked for against the source's totals. */
static bool merge_days(struct merge *m)
{
    struct sync_run *run = m->run;
    bool there;

    if (sync_db_copy_rows(&run->work, adding_up, take_ours, m) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    return pass_theirs(m, CLOCK_NO_DAY, &there);
}

static void report(const struct sync_run *run)
{
    const struct sync_audit *a = &run->audit;
    char first[CLOCK_DAY_SIZE], last[CLOCK_DAY_SIZE];

    if (a->count == 0)
        return;
    struct event_field f[] = { event_i64("run_id", run->shown->run_id), event_i64("days_compared", a->compared),
                               event_i64("days_differing", (int64_t)a->count),
                               event_cstr("first_day", clock_format_day(first, a->days[0].day)),
                               event_cstr("last_day", clock_format_day(last, a->days[a->count - 1].day)) };
    event_log(EVENT_SYNC_PROGRESS, f, 5, "%zu days before the window differ from the source and are read again",
              a->count);
}

bool sync_audit_compare(struct sync_run *run, struct source *source)
{
    struct merge m = { .run = run,
                       .source = source,
                       .range = { .start_day = CLOCK_NO_DAY, .end_day = run->start_day - 1 },
                       .batch = calloc(BATCH_DAYS, sizeof(*m.batch)),
                       .collect = true };
    char day[CLOCK_DAY_SIZE], lines[100];

    if (m.batch == NULL)
        return sync_run_fail(run, SB_REASON_MEMORY, "out of memory for the audit");
    snprintf(lines, sizeof(lines), "combined_sales WHERE order_date < date '%s'",
             clock_format_day(day, run->start_day));
    bool good = ask_ours(run, lines) && fetch_theirs(&m) && merge_days(&m);
    free(m.batch);
    if (good)
        report(run);
    return good;
}

bool sync_audit_recheck(struct sync_run *run)
{
    struct merge m = { .run = run, .theirs = run->audit.days, .count = run->audit.count };

    if (m.count == 0)
        return true;
    if (!ask_ours(run, SYNC_LOAD_DAY_LINES) || !merge_days(&m))
        return false;
    run->audit.unsettled = m.differing;
    if (m.differing == 0)
        return true;
    struct event_field f[] = { event_i64("run_id", run->shown->run_id), event_i64("days_unsettled", m.differing) };
    event_log_at(LOG_LEVEL_WARNING, EVENT_SYNC_PROGRESS, f, 2,
                 "%lld days differ from the source even when read again: it holds lines that can't be used "
                 "(sync_quarantine), it changed meanwhile, or combined_sales was edited by hand",
                 (long long)m.differing);
    return true;
}
