/*
 * sync_json: see the header.
 */
#include "api/sync_json.h"

#include <stdio.h>

#include "api/errors.h"
#include "api/request.h"
#include "base/clock.h"
#include "data/sync_sample.h"

#define RETRY_FAILED_S 60

static void write_positive(struct json_writer *w, const char *key, int64_t v)
{
    if (v > 0)
        json_kv_int(w, key, v);
    else
        json_kv_null(w, key);
}

void sync_json_run(struct json_writer *w, const struct sb_run *r)
{
    json_object_begin(w);
    json_kv_int(w, "run_id", r->run_id);
    json_kv_cstr(w, "mode", sb_mode_name(r->mode));
    json_kv_cstr(w, "status", sb_run_status_name(r->status));
    json_kv_cstr(w, "trigger", sb_trigger_name(r->trigger));
    json_kv_seconds(w, "started_at", r->started_us);
    json_kv_seconds(w, "finished_at", r->finished_us);
    if (r->finished_us > 0)
        json_kv_fixed(w, "duration_seconds", (double)(r->finished_us - r->started_us) / (double)CLOCK_US_PER_S, 3);
    else
        json_kv_null(w, "duration_seconds");
    json_kv_int(w, "rows_read", r->rows_read);
    json_kv_int(w, "rows_inserted", r->rows_inserted);
    json_kv_int(w, "rows_updated", r->rows_updated);
    json_kv_int(w, "rows_deleted", r->rows_deleted);
    json_kv_int(w, "rows_skipped", r->rows_skipped);
    json_kv_int(w, "customers_scored", r->customers_scored);
    write_positive(w, "data_version", r->data_version);
    json_kv_cstr(w, "error", r->error[0] != '\0' ? r->error : NULL);
    json_object_end(w);
}

static void write_echo(struct json_writer *w, const struct sb_mail_request *r)
{
    json_kv_bool(w, "success", true);
    json_kv_cstr(w, "mode", sb_mode_name(r->mode));
    write_positive(w, "limit", r->row_limit);
    json_kv_day(w, "start_date", r->start_day);
    json_kv_day(w, "end_date", r->end_day);
}

void sync_json_started(struct api_request *q, const struct sb_mail_request *r, int64_t run_id)
{
    struct json_writer w;
    char message[96];

    snprintf(message, sizeof(message), "Sync started: %s. Follow GET /admin/sync-status.", sb_mode_name(r->mode));
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_cstr(&w, "status", "sync_started");
    json_kv_cstr(&w, "message", message);
    write_echo(&w, r);
    json_kv_int(&w, "run_id", run_id);
    json_object_end(&w);
    request_json_end(q, 202);
}

void sync_json_already_running(struct api_request *q, int64_t run_id)
{
    struct sb_sync sync;
    bool known = scoreboard_sync_read(q->api->env.sb, &sync) && sync.run.run_id == run_id && run_id > 0;
    struct json_writer w;

    buf_reset(&q->api->scratch);
    json_writer_init(&w, &q->api->scratch);
    json_kv_cstr(&w, "status", "sync_already_running");
    write_positive(&w, "run_id", run_id);
    json_kv_cstr(&w, "mode", known ? sb_mode_name(sync.run.mode) : NULL);
    json_kv_seconds(&w, "started_at", known ? sync.run.started_us : 0);
    error_send(q, &(struct error_answer){ .status = 409,
                                          .code = "SYNC_ALREADY_RUNNING",
                                          .message = "Sync already running",
                                          .details = buf_str(w.out) });
}

static void write_sample(struct api_request *q, struct json_writer *w, const struct sb_run *run)
{
    struct str rows = STR_NONE;

    json_key(w, "sample_rows");
    if (run->mode != SB_MODE_DRY_RUN) {
        json_null(w);
        return;
    }
    rows = sync_sample_read(q->api->env.conf->run_dir, run->run_id, &q->http->arena);
    json_raw(w, rows.p != NULL ? rows : STR_LIT("[]"));
}

static void send_success(struct api_request *q, const struct sb_mail_request *r, const struct sb_run *run)
{
    struct json_writer w;
    char summary[160];

    snprintf(summary, sizeof(summary), "Processed %lld rows: %lld inserted, %lld updated, %lld deleted",
             (long long)run->rows_read, (long long)run->rows_inserted, (long long)run->rows_updated,
             (long long)run->rows_deleted);
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_cstr(&w, "status", "success");
    json_kv_cstr(&w, "message", "Sync completed");
    write_echo(&w, r);
    json_kv_int(&w, "run_id", run->run_id);
    json_kv_cstr(&w, "summary", summary);
    json_kv_cstr(&w, "stdout", summary);
    json_kv_cstr(&w, "full_output", "");
    json_key(&w, "run");
    sync_json_run(&w, run);
    write_sample(q, &w, run);
    json_object_end(&w);
    request_json_end(q, 200);
}

/* What a failure is to the caller, by its reason. */
static const struct {
    int status;
    const char *message;
} failures[SB_REASON_COUNT] = {
    [SB_REASON_NONE] = { 503, "The sync failed" },
    [SB_REASON_SOURCE_CONNECT] = { 502, "The source cannot be reached" },
    [SB_REASON_SOURCE_AUTH] = { 502, "The source refused the login" },
    [SB_REASON_SOURCE_QUERY] = { 502, "The source failed while it was read" },
    [SB_REASON_DATABASE] = { 503, "PostgreSQL failed during the sync" },
    [SB_REASON_TIMEOUT] = { 504, "Sync operation timed out after 10 minutes" },
    [SB_REASON_MEMORY] = { 503, "The sync ran out of memory" },
    [SB_REASON_DISK] = { 503, "The sync ran out of disk space" },
    [SB_REASON_ABORTED] = { 503, "The sync was aborted" },
    [SB_REASON_DIED] = { 503, "The sync process died" },
    [SB_REASON_VALIDATION] = { 502, "The data of the source were refused" },
};

static const char *source_name(const struct conf *conf)
{
    return str_starts(str_from(conf->sync_source), "csv:") ? "csv" : "azure_sql";
}

static void send_failure(struct api_request *q, const struct sb_run *run)
{
    uint32_t reason = run->reason < SB_REASON_COUNT ? run->reason : SB_REASON_NONE;
    struct error_answer e = { .status = failures[reason].status, .message = failures[reason].message };
    struct json_writer w;

    buf_reset(&q->api->scratch);
    json_writer_init(&w, &q->api->scratch);
    if (e.status == 502) {
        e.code = "EXTERNAL_SERVICE_ERROR";
        json_kv_cstr(&w, "service", source_name(q->api->env.conf));
        json_kv_cstr(&w, "operation", "sync");
    } else if (e.status == 504) {
        e.code = "SYNC_TIMEOUT";
    } else {
        e.code = "SERVICE_UNAVAILABLE";
        e.retry_after_s = RETRY_FAILED_S;
    }
    json_kv_int(&w, "run_id", run->run_id);
    json_kv_cstr(&w, "reason", sb_reason_name(reason));
    e.details = buf_str(w.out);
    error_send(q, &e);
}

void sync_json_finished(struct api_request *q, const struct sb_mail_request *r, const struct sb_run *run)
{
    if (run->status == SB_RUN_SUCCESS)
        send_success(q, r, run);
    else
        send_failure(q, run);
}
