/*
 * status_json: the scoreboard for programs. The keys are those of GET /admin/workers, /health and
 * /admin/sync-status, which show the same numbers.
 */
#include <stdio.h>

#include "base/clock.h"
#include "core/json.h"
#include "core/metrics.h"
#include "ctl/ctl.h"

#define MAX_JSON 1048576

/* The last reload or upgrade: null, or when, and how it ended. */
static void write_change(struct json_writer *w, const char *key, int64_t at_us, bool ok, const struct sb_text *error)
{
    char text[SB_TEXT];

    json_key(w, key);
    if (at_us == 0) {
        json_null(w);
        return;
    }
    (void)sb_text_get(error, text);
    json_object_begin(w);
    json_kv_seconds(w, "at", at_us);
    json_kv_bool(w, "ok", ok);
    json_kv_cstr(w, "error", ok ? NULL : text);
    json_object_end(w);
}

static void write_master(struct json_writer *w, const struct ctl *ctl)
{
    const struct scoreboard *sb = ctl->sb;
    int64_t started = atomic_load(&sb->started_us);
    char text[SB_TEXT];

    json_key(w, "master");
    json_object_begin(w);
    json_kv_int(w, "pid", ctl->master);
    (void)sb_text_get(&sb->version, text);
    json_kv_cstr(w, "version", text);
    json_kv_int(w, "generation", atomic_load(&sb->generation));
    json_kv_bool(w, "stopping", atomic_load(&sb->stopping) != 0);
    (void)sb_text_get(&sb->listen, text);
    json_kv_cstr(w, "listen", text);
    json_kv_seconds(w, "started_at", started);
    json_kv_int(w, "uptime_seconds", (clock_wall_us() - started) / CLOCK_US_PER_S);
    write_change(w, "last_reload", atomic_load(&sb->reload_us), atomic_load(&sb->reload_ok) != 0, &sb->reload_error);
    write_change(w, "last_upgrade", atomic_load(&sb->upgrade_us), atomic_load(&sb->upgrade_ok) != 0,
                 &sb->upgrade_error);
    json_object_end(w);
}

static void write_process(struct json_writer *w, const struct scoreboard *sb, const struct sb_slot *s)
{
    uint32_t role = atomic_load(&s->role), index = atomic_load(&s->index);
    uint64_t beat = atomic_load(&s->beat_ns), now = clock_mono_ns();
    int64_t started = atomic_load(&s->start_us);
    char doing[SB_TEXT];

    (void)sb_text_get(&s->doing, doing);
    json_object_begin(w);
    json_kv_int(w, "index", index);
    json_kv_cstr(w, "role", sb_role_name(role));
    json_kv_int(w, "pid", atomic_load(&s->pid));
    json_kv_cstr(w, "state", sb_state_name(atomic_load(&s->state)));
    json_kv_int(w, "generation", atomic_load(&s->generation));
    json_kv_seconds(w, "started_at", started);
    json_kv_int(w, "uptime_seconds", (clock_wall_us() - started) / CLOCK_US_PER_S);
    json_kv_int(w, "requests_total", (int64_t)metrics_slot_total(s, METRIC_HTTP_REQUESTS));
    json_kv_int(w, "in_flight", atomic_load(&s->in_flight));
    json_kv_int(w, "connections", atomic_load(&s->connections));
    json_kv_int(w, "rss_bytes", (int64_t)atomic_load(&s->rss_bytes));
    json_kv_int(w, "private_bytes", (int64_t)atomic_load(&s->private_bytes));
    json_kv_int(w, "last_beat_ms", beat != 0 && now > beat ? (int64_t)((now - beat) / 1000000) : 0);
    json_kv_int(w, "restarts",
                role < SB_ROLE_COUNT && index < SB_MAX_INDEX ? (int64_t)atomic_load(&sb->restarts[role][index]) : 0);
    json_kv_cstr(w, "doing", doing);
    json_object_end(w);
}

static void write_processes(struct json_writer *w, const struct scoreboard *sb, const char *key, bool workers)
{
    const struct sb_slot *used[SB_SLOTS] = { NULL };
    unsigned count = ctl_processes(sb, used);

    json_key(w, key);
    json_array_begin(w);
    for (unsigned i = 0; i < count; i++) {
        if ((atomic_load(&used[i]->role) == SB_ROLE_WORKER) == workers)
            write_process(w, sb, used[i]);
    }
    json_array_end(w);
}

static void write_checks(struct json_writer *w, const struct scoreboard *sb)
{
    json_key(w, "checks");
    json_object_begin(w);
    for (unsigned i = 0; i < SB_COMPONENT_COUNT; i++) {
        const struct sb_check *c = &sb->checks[i];
        int64_t latency = atomic_load(&c->latency_us);

        json_key(w, sb_component_name(i));
        json_object_begin(w);
        json_kv_cstr(w, "state", sb_health_name(atomic_load(&c->health)));
        if (latency >= 0)
            json_kv_fixed(w, "latency_ms", (double)latency / 1000, 1);
        else
            json_kv_null(w, "latency_ms");
        json_kv_seconds(w, "checked_at", atomic_load(&c->checked_us));
        json_kv_seconds(w, "since", atomic_load(&c->since_us));
        json_kv_cstr(w, "error", sb_error_name(atomic_load(&c->error)));
        json_object_end(w);
    }
    json_object_end(w);
}

static void write_run(struct json_writer *w, const char *key, const struct sb_run *r)
{
    json_key(w, key);
    if (r->run_id == 0) {
        json_null(w);
        return;
    }
    json_object_begin(w);
    json_kv_int(w, "run_id", r->run_id);
    json_kv_cstr(w, "mode", sb_mode_name(r->mode));
    json_kv_cstr(w, "status", sb_run_status_name(r->status));
    json_kv_cstr(w, "trigger", sb_trigger_name(r->trigger));
    json_kv_cstr(w, "reason", sb_reason_name(r->reason));
    json_kv_seconds(w, "started_at", r->started_us);
    json_kv_seconds(w, "finished_at", r->finished_us);
    json_kv_int(w, "rows_read", r->rows_read);
    json_kv_int(w, "rows_inserted", r->rows_inserted);
    json_kv_int(w, "rows_updated", r->rows_updated);
    json_kv_int(w, "rows_deleted", r->rows_deleted);
    json_kv_int(w, "rows_skipped", r->rows_skipped);
    json_kv_cstr(w, "error", r->error[0] != '\0' ? r->error : NULL);
    json_object_end(w);
}

static void write_sync(struct json_writer *w, const struct scoreboard *sb)
{
    struct sb_sync s;

    json_key(w, "sync");
    if (!scoreboard_sync_read(sb, &s)) {
        json_null(w);
        return;
    }
    json_object_begin(w);
    json_kv_bool(w, "running", s.running != 0);
    json_kv_cstr(w, "phase", s.running != 0 ? sb_phase_name(s.phase) : NULL);
    json_kv_int(w, "row_count", s.row_count);
    json_kv_int(w, "order_count", s.order_count);
    json_kv_int(w, "customer_count", s.customer_count);
    json_kv_seconds(w, "next_run_at", s.next_run_us);
    json_kv_seconds(w, "last_success_at", s.last_success_us);
    write_run(w, "run", &s.run);
    write_run(w, "last_error", &s.last_error);
    json_object_end(w);
}

void ctl_status_json(const struct ctl *ctl, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    write_master(&w, ctl);
    write_processes(&w, ctl->sb, "workers", true);
    write_processes(&w, ctl->sb, "helpers", false);
    write_checks(&w, ctl->sb);
    write_sync(&w, ctl->sb);
    json_kv_int(&w, "data_version", (int64_t)atomic_load(&ctl->sb->data_version));
    json_object_end(&w);
}

void ctl_workers_json(const struct ctl *ctl, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    write_processes(&w, ctl->sb, "workers", true);
    write_processes(&w, ctl->sb, "helpers", false);
    json_object_end(&w);
}

int ctl_print_json(const struct ctl *ctl, void (*write)(const struct ctl *ctl, struct buf *out))
{
    struct buf out;
    bool good;

    buf_init(&out, MAX_JSON);
    write(ctl, &out);
    buf_add_char(&out, '\n');
    good = !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_free(&out);
    return good ? CTL_OK : ctl_fail(CTL_FAILED, "cannot write the answer");
}
