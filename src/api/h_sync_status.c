/*
 * h_sync_status: GET and POST /admin/sync-status. From the sync status in the scoreboard; no database is asked.
 */
#include <stdio.h>

#include "api/health.h"
#include "api/request.h"
#include "api/sync_json.h"
#include "base/clock.h"

static void write_settings(struct json_writer *w, const struct conf *conf)
{
    char note[96];

    if (!conf_source_configured(conf))
        snprintf(note, sizeof(note), "No source is configured");
    else if (!conf->enable_sales_sync)
        snprintf(note, sizeof(note), "No daily sync; start one with POST /admin/sync-sales");
    else
        snprintf(note, sizeof(note), "Daily incremental sync at %02d:00 UTC", (int)conf->sales_sync_hour);
    json_kv_bool(w, "scheduler_enabled", conf->enable_sales_sync);
    json_kv_int(w, "sync_hour_utc", conf->sales_sync_hour);
    json_kv_bool(w, "sync_on_startup", conf->sync_on_startup);
    json_kv_bool(w, "azure_sql_configured",
                 conf->azure_sql_server[0] != '\0' && conf->azure_sql_database[0] != '\0' &&
                     conf->azure_sql_username[0] != '\0');
    json_kv_bool(w, "postgres_configured", conf->database_url[0] != '\0');
    json_kv_cstr(w, "note", note);
}

/* The sync process makes the tables before it reports its first status. */
static void write_table(struct json_writer *w, const struct sb_sync *sync, bool reported)
{
    json_key(w, "sync_info");
    json_object_begin(w);
    json_kv_cstr(w, "database_url", "postgresql://***");
    json_kv_bool(w, "table_exists", reported);
    json_kv_cstr(w, "table_name", "combined_sales");
    json_object_end(w);
    json_kv_int(w, "row_count", sync->row_count);
    if (sync->row_count == 0) {
        json_kv_null(w, "latest_record");
        json_kv_null(w, "date_range");
        return;
    }
    json_key(w, "latest_record");
    json_object_begin(w);
    json_kv_seconds(w, "order_date", sync->latest_order_us);
    json_key(w, "order_id");
    char id[24];
    int n = snprintf(id, sizeof(id), "%lld", (long long)sync->latest_order_id);
    json_str(w, (struct str){ id, (size_t)n });
    json_object_end(w);
    json_key(w, "date_range");
    json_object_begin(w);
    json_kv_seconds(w, "earliest", sync->earliest_order_us);
    json_kv_seconds(w, "latest", sync->latest_order_us);
    json_object_end(w);
}

static void write_progress(struct json_writer *w, const struct sb_sync *sync)
{
    if (sync->rows_estimated < 0) {
        json_kv_null(w, "rows_estimated");
        json_kv_null(w, "percent");
        return;
    }
    double percent =
        sync->rows_estimated == 0 ? 100 : 100.0 * (double)sync->run.rows_read / (double)sync->rows_estimated;

    json_kv_int(w, "rows_estimated", sync->rows_estimated);
    json_kv_fixed(w, "percent", percent > 100 ? 100 : percent, 2);
}

static void write_running(struct json_writer *w, const struct sb_sync *sync)
{
    const struct sb_run *r = &sync->run;

    if (!sync->running) {
        json_kv_null(w, "running");
        return;
    }
    json_key(w, "running");
    json_object_begin(w);
    json_kv_int(w, "run_id", r->run_id);
    json_kv_cstr(w, "mode", sb_mode_name(r->mode));
    json_kv_seconds(w, "started_at", r->started_us);
    json_kv_cstr(w, "phase", sb_phase_name(sync->phase));
    json_kv_int(w, "rows_read", r->rows_read);
    json_kv_int(w, "rows_written", sync->rows_written);
    write_progress(w, sync);
    json_kv_seconds(w, "heartbeat_at", sync->heartbeat_us);
    json_kv_seconds(w, "deadline_at", sync->deadline_us);
    json_object_end(w);
}

static void write_last_error(struct json_writer *w, const struct sb_run *r)
{
    if (r->run_id == 0) {
        json_kv_null(w, "last_error");
        return;
    }
    json_key(w, "last_error");
    json_object_begin(w);
    json_kv_int(w, "run_id", r->run_id);
    json_kv_seconds(w, "at", r->finished_us);
    json_kv_cstr(w, "reason", sb_reason_name(r->reason));
    json_kv_cstr(w, "message", r->error);
    json_object_end(w);
}

static const char *status_word(const struct conf *conf, const struct sb_sync *sync)
{
    if (sync->running)
        return "running";
    return conf_source_configured(conf) ? "idle" : "disabled";
}

void h_sync_status(struct api_request *q)
{
    const struct conf *conf = q->api->env.conf;
    struct sb_sync sync;
    struct json_writer w;
    bool reported = scoreboard_sync_read(q->api->env.sb, &sync) &&
                    atomic_load_explicit(&q->api->env.sb->sync_seq, memory_order_relaxed) != 0;

    request_json_begin(q, &w);
    json_object_begin(&w);
    write_settings(&w, conf);
    write_table(&w, &sync, reported);
    json_kv_cstr(&w, "status", status_word(conf, &sync));
    write_running(&w, &sync);
    json_kv_seconds(&w, "next_run_at", sync.next_run_us);
    json_kv_seconds(&w, "last_success_at", sync.last_success_us);
    write_last_error(&w, &sync.last_error);
    json_kv_bool(&w, "stale", dataset_stale(q->api->data.current, conf, clock_wall_us()));
    json_key(&w, "last_runs");
    json_array_begin(&w);
    for (uint32_t i = 0; i < sync.run_count && i < SB_RUNS; i++)
        sync_json_run(&w, &sync.runs[i]);
    json_array_end(&w);
    json_object_end(&w);
    request_json_end(q, 200);
}
