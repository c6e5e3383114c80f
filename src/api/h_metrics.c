/*
 * h_metrics: GET /metrics (CONTRACT 19): counters summed over the slots, gauges read where they live.
 *
 * A gauge that has no value now (the age of data that are not there) is left out. Its head is still written.
 */
#include "config.h"

#include <math.h>
#include <sys/resource.h>

#include "api/errors.h"
#include "api/health.h"
#include "api/request.h"
#include "api/tally.h"
#include "base/clock.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "model/backtest.h"

/* Everything a scrape reads, read once. */
struct scrape {
    const struct conf *conf;
    struct scoreboard *sb;
    const struct dataset *data;
    struct health health;
    struct tally tally;
    struct tally_pool pool;
    struct sb_sync sync;
    struct slo_report slo;
};

static double us_to_s(int64_t us)
{
    return us > 0 ? (double)us / 1e6 : NAN;
}

static double sync_duration(const struct sb_sync *sync)
{
    for (uint32_t i = 0; i < sync->run_count && i < SB_RUNS; i++) {
        if (sync->runs[i].finished_us > 0)
            return (double)(sync->runs[i].finished_us - sync->runs[i].started_us) / 1e6;
    }
    return NAN;
}

/* Of the master, those it has buried and its living children. One buried in between is missed: what was told stays.
 */
static double process_cpu(const struct scrape *s)
{
    uint64_t told_us = atomic_load(&s->sb->cpu_told_us), sum_us;
    pid_t master = atomic_load_explicit(&s->sb->master_pid, memory_order_relaxed);
    double sum = sys_cpu_seconds(master) + sys_reaped_cpu_seconds(master);

    for (unsigned i = 0; i < s->tally.count; i++)
        sum += sys_cpu_seconds(s->tally.processes[i].pid);
    sum_us = (uint64_t)llround(sum * 1e6);
    while (sum_us > told_us) {
        if (atomic_compare_exchange_weak(&s->sb->cpu_told_us, &told_us, sum_us))
            told_us = sum_us;
    }
    return (double)told_us / 1e6;
}

static double process_fds(const struct scrape *s)
{
    double sum = sys_open_fds(atomic_load_explicit(&s->sb->master_pid, memory_order_relaxed));

    for (unsigned i = 0; i < s->tally.count; i++)
        sum += sys_open_fds(s->tally.processes[i].pid);
    return sum;
}

static double process_rss(const struct scrape *s)
{
    double sum = (double)sys_rss_bytes(atomic_load_explicit(&s->sb->master_pid, memory_order_relaxed));

    for (unsigned i = 0; i < s->tally.count; i++)
        sum += (double)sys_rss_bytes(s->tally.processes[i].pid);
    return sum;
}

static double max_fds(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : NAN;
}

static double population_value(const struct scrape *s, enum metric_id id)
{
    const struct population_aggregates *totals;

    if (s->data == NULL)
        return id == METRIC_CUSTOMER_LTV_P95 ? NAN : 0;
    totals = s->data->population->totals;
    switch (id) {
    case METRIC_CUSTOMERS_LOADED:
        return (double)s->data->population->count;
    case METRIC_ARCHETYPES_LOADED:
        return (double)s->data->population->header->archetypes;
    case METRIC_CHURN_HIGH_RISK:
        return (double)totals->critical;
    case METRIC_CHURN_MEDIUM_RISK:
        return (double)(totals->high + totals->medium);
    case METRIC_CUSTOMER_LTV_P95:
        return (double)totals->ltv_p95_cents / 100;
    default:
        return (double)s->data->population->header->data_version;
    }
}

/* Of the models behind the population; NaN: unscored, or without a back-test. */
static double model_value(const struct scrape *s, enum metric_id id)
{
    const struct model_params *m = s->data != NULL ? s->data->population->model : NULL;
    const struct model_quality *q = m != NULL ? params_quality(m) : NULL;

    if (m == NULL)
        return NAN;
    switch (id) {
    case METRIC_MODEL_AUC:
        return q != NULL ? q->auc : NAN;
    case METRIC_MODEL_BRIER:
        return q != NULL ? q->brier : NAN;
    case METRIC_MODEL_ECE:
        return q != NULL ? q->ece : NAN;
    case METRIC_MODEL_BIAS:
        return m->backtest.forecast_available
                   ? backtest_bias_pct(m->backtest.revenue_actual, m->backtest.revenue_predicted)
                   : NAN;
    default:
        return us_to_s(s->data->population->header->trained_us);
    }
}

static double data_age(const struct scrape *s)
{
    int64_t age_s = dataset_age_s(s->data, s->health.now_us);

    return age_s >= 0 ? (double)age_s : NAN;
}

/* The gauges without labels; NaN: no value now. */
static double plain_value(const struct scrape *s, enum metric_id id)
{
    switch (id) {
    case METRIC_DB_POOL_SIZE:
        return (double)s->conf->db_pool_size;
    case METRIC_DB_POOL_CHECKED_OUT:
        return (double)s->pool.busy;
    case METRIC_DB_POOL_OVERFLOW:
        return (double)s->pool.overflow;
    case METRIC_DB_POOL_UTILIZATION:
        return 100 * s->pool.utilization;
    case METRIC_DB_CONNECTIONS:
        return (double)s->pool.open;
    case METRIC_DATA_AGE:
        return data_age(s);
    case METRIC_DATA_STALE:
        return s->health.stale;
    case METRIC_SYNC_DURATION:
        return sync_duration(&s->sync);
    case METRIC_SYNC_LAST_SUCCESS:
        return us_to_s(s->sync.last_success_us);
    case METRIC_SYNC_IN_PROGRESS:
        return s->sync.running;
    case METRIC_MODEL_AUC:
    case METRIC_MODEL_BRIER:
    case METRIC_MODEL_ECE:
    case METRIC_MODEL_BIAS:
    case METRIC_MODEL_TRAINED:
        return model_value(s, id);
    case METRIC_WORKERS_READY:
        return (double)s->tally.workers_ready;
    case METRIC_PROCESS_CPU:
        return process_cpu(s);
    case METRIC_PROCESS_FDS:
        return process_fds(s);
    case METRIC_PROCESS_MAX_FDS:
        return max_fds();
    case METRIC_PROCESS_RSS:
        return process_rss(s);
    case METRIC_PROCESS_START:
        return us_to_s(atomic_load_explicit(&s->sb->started_us, memory_order_relaxed));
    default:
        return population_value(s, id);
    }
}

static void render_connections(struct buf *out, const struct scrape *s)
{
    int64_t active = 0, all = 0;

    for (unsigned i = 0; i < s->tally.count; i++) {
        active += s->tally.processes[i].active;
        all += s->tally.processes[i].connections;
    }
    metrics_render_value(out, METRIC_HTTP_CONNECTIONS, "active", (double)active);
    metrics_render_value(out, METRIC_HTTP_CONNECTIONS, "idle", (double)(all > active ? all - active : 0));
}

static void render_in_progress(struct buf *out, const struct scrape *s)
{
    for (unsigned endpoint = 0; endpoint < metrics_dim_size(METRICS_DIM_ROUTE); endpoint++) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < SB_SLOTS; i++)
            sum += atomic_load_explicit(&s->sb->slots[i].in_progress[endpoint], memory_order_relaxed);
        metrics_render_value(out, METRIC_HTTP_IN_PROGRESS, metrics_dim_value(METRICS_DIM_ROUTE, endpoint),
                             (double)sum);
    }
}

static void render_hit_rates(struct buf *out, const struct scrape *s)
{
    for (unsigned i = 0; i < metrics_dim_size(METRICS_DIM_CACHE_TYPE); i++) {
        double hits = (double)metrics_total(s->sb, METRIC_CACHE_HITS, i, 0, 0);
        double all = hits + (double)metrics_total(s->sb, METRIC_CACHE_MISSES, i, 0, 0);

        if (all > 0)
            metrics_render_value(out, METRIC_CACHE_HIT_RATE, metrics_dim_value(METRICS_DIM_CACHE_TYPE, i),
                                 hits / all);
    }
}

static void render_components(struct buf *out, const struct scrape *s)
{
    static const double values[] = { [SB_HEALTH_UP] = 1, [SB_HEALTH_DEGRADED] = 0.5, [SB_HEALTH_DOWN] = 0 };

    for (unsigned i = 0; i < HEALTH_COMPONENTS; i++) {
        enum sb_health state = s->health.components[i];

        if (state == SB_HEALTH_UP || state == SB_HEALTH_DEGRADED || state == SB_HEALTH_DOWN)
            metrics_render_value(out, METRIC_COMPONENT_UP, health_component_name((enum health_component)i),
                                 values[state]);
    }
}

/* Windows in which nothing was measured are left out. */
static void render_slo(struct buf *out, const struct scrape *s, enum metric_id id)
{
    for (unsigned w = 0; w < SLO_WINDOWS; w++) {
        const struct slo_level *level = &s->slo.levels[SLO_AVAILABILITY][w];

        if (level->events > 0)
            metrics_render_value(out, id, slo_window_name((enum slo_window)w),
                                 id == METRIC_SLO_AVAILABILITY ? level->value
                                                               : slo_budget_left(&s->slo, (enum slo_window)w));
    }
}

/* Anything the slots do not count. */
static void render_read(struct buf *out, const struct scrape *s, enum metric_id id)
{
    double v;

    metrics_render_head(out, id);
    switch (id) {
    case METRIC_HTTP_IN_PROGRESS:
        render_in_progress(out, s);
        return;
    case METRIC_HTTP_CONNECTIONS:
        render_connections(out, s);
        return;
    case METRIC_CACHE_HIT_RATE:
        render_hit_rates(out, s);
        return;
    case METRIC_COMPONENT_UP:
        render_components(out, s);
        return;
    case METRIC_SLO_AVAILABILITY:
    case METRIC_SLO_BUDGET:
        render_slo(out, s, id);
        return;
    case METRIC_BUILD_INFO:
        metrics_render_value(out, id, PACKAGE_VERSION, 1);
        return;
    default:
        break;
    }
    v = plain_value(s, id);
    if (!isnan(v))
        metrics_render_value(out, id, NULL, v);
}

static void read_all(struct scrape *s, const struct api *a)
{
    s->conf = a->env.conf;
    s->sb = a->env.sb;
    s->data = a->data.current;
    health_read(&s->health, s->data, s->conf, s->sb);
    tally_processes(&s->tally, s->sb);
    tally_pool(&s->pool, s->conf, s->sb);
    slo_report(&s->sb->slo, s->health.now_us / CLOCK_US_PER_S, &s->slo);
    (void)scoreboard_sync_read(s->sb, &s->sync); /* all zero when it cannot be read */
}

void h_metrics(struct api_request *q)
{
    struct buf *out = &q->api->body;
    struct scrape s;

    if (!q->api->env.conf->enable_prometheus_metrics) {
        error_send(q, &(struct error_answer){
                          .status = 404,
                          .code = "NOT_FOUND",
                          .message = "Metrics disabled. Set ENABLE_PROMETHEUS_METRICS=true to enable." });
        return;
    }
    read_all(&s, q->api);
    buf_reset(out);
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        enum metric_id id = (enum metric_id)i;

        if (metrics_get(id)->type == METRIC_GAUGE || id == METRIC_PROCESS_CPU)
            render_read(out, &s, id);
        else
            metrics_render_family(out, s.sb, id);
    }
    if (out->failed)
        error_no_memory(q);
    else
        request_reply(q, 200, HEADERS_METRICS, buf_str(out));
}
