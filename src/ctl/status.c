/*
 * status: the scoreboard for people.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/metrics.h"
#include "ctl/ctl.h"

#define MAX_JSON 1048576

/* "3d 04:05:06" */
static const char *duration(int64_t seconds, char dst[32])
{
    if (seconds < 0)
        seconds = 0;
    if (seconds >= 86400)
        snprintf(dst, 32, "%lldd %02d:%02d:%02d", (long long)(seconds / 86400), (int)(seconds / 3600 % 24),
                 (int)(seconds / 60 % 60), (int)(seconds % 60));
    else
        snprintf(dst, 32, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
    return dst;
}

static const char *when(int64_t us, char dst[CLOCK_TIME_SIZE])
{
    if (us == 0)
        return "never";
    return clock_format_seconds(dst, us);
}

static void print_server(const struct ctl *ctl)
{
    const struct scoreboard *sb = ctl->sb;
    char version[SB_TEXT], listen[SB_TEXT], error[SB_TEXT], up[32], at[CLOCK_TIME_SIZE];
    int64_t started = atomic_load(&sb->started_us);

    (void)sb_text_get(&sb->version, version);
    (void)sb_text_get(&sb->listen, listen);
    printf("patrond %s  pid %ld  generation %u  on %s  up %s%s\n", version, (long)ctl->master,
           atomic_load(&sb->generation), listen, duration((clock_wall_us() - started) / CLOCK_US_PER_S, up),
           atomic_load(&sb->stopping) != 0 ? "  STOPPING" : "");
    if (atomic_load(&sb->reload_us) == 0)
        return;
    (void)sb_text_get(&sb->reload_error, error);
    printf("last reload %s: %s\n", when(atomic_load(&sb->reload_us), at),
           atomic_load(&sb->reload_ok) != 0 ? "good" : error);
}

static void print_process(const struct scoreboard *sb, const struct sb_slot *s, uint64_t now_ns, int64_t now_us)
{
    uint32_t role = atomic_load(&s->role), index = atomic_load(&s->index);
    uint64_t beat = atomic_load(&s->beat_ns);
    char name[24], doing[SB_TEXT], up[32];

    if (role == SB_ROLE_WORKER)
        snprintf(name, sizeof(name), "worker %u", index);
    else
        snprintf(name, sizeof(name), "%s", sb_role_name(role));
    (void)sb_text_get(&s->doing, doing);
    printf("%-10s %8d %-9s %4u %12s %10llu %6u %6u %7.1f %7lld %5llu  %s\n", name, atomic_load(&s->pid),
           sb_state_name(atomic_load(&s->state)), atomic_load(&s->generation),
           duration((now_us - atomic_load(&s->start_us)) / CLOCK_US_PER_S, up),
           (unsigned long long)metrics_slot_total(s, METRIC_HTTP_REQUESTS), atomic_load(&s->connections),
           atomic_load(&s->in_flight), (double)atomic_load(&s->rss_bytes) / 1048576.0,
           beat != 0 && now_ns > beat ? (long long)((now_ns - beat) / 1000000) : 0LL,
           role < SB_ROLE_COUNT && index < SB_MAX_INDEX ? (unsigned long long)atomic_load(&sb->restarts[role][index])
                                                        : 0ULL,
           doing);
}

/* Workers by index, then the helpers; the older generation first. */
static int by_place(const void *a, const void *b)
{
    const struct sb_slot *x = *(const struct sb_slot *const *)a, *y = *(const struct sb_slot *const *)b;
    uint32_t left[] = { atomic_load(&x->role), atomic_load(&x->index), atomic_load(&x->generation) };
    uint32_t right[] = { atomic_load(&y->role), atomic_load(&y->index), atomic_load(&y->generation) };

    for (int i = 0; i < 3; i++) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

static void print_processes(const struct scoreboard *sb)
{
    const struct sb_slot *used[SB_SLOTS] = { NULL };
    uint64_t now_ns = clock_mono_ns();
    int64_t now_us = clock_wall_us();
    size_t count = 0;

    printf("\n%-10s %8s %-9s %4s %12s %10s %6s %6s %7s %7s %5s  %s\n", "PROCESS", "PID", "STATE", "GEN", "UP",
           "REQUESTS", "CONNS", "ACTIVE", "RSS MB", "BEAT ms", "RST", "DOING");
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        if (atomic_load(&sb->slots[i].state) != SB_FREE)
            used[count++] = &sb->slots[i];
    }
    qsort(used, count, sizeof(used[0]), by_place);
    for (size_t i = 0; i < count; i++)
        print_process(sb, used[i], now_ns, now_us);
}

static void print_components(const struct scoreboard *sb)
{
    printf("\n%-10s %-15s %10s  %-20s  %s\n", "COMPONENT", "STATE", "LATENCY", "SINCE", "ERROR");
    for (unsigned i = 0; i < SB_COMPONENT_COUNT; i++) {
        const struct sb_check *c = &sb->checks[i];
        int64_t latency = atomic_load(&c->latency_us);
        const char *error = sb_error_name(atomic_load(&c->error));
        char since[CLOCK_TIME_SIZE], took[16] = "-";

        if (latency >= 0)
            snprintf(took, sizeof(took), "%.1f ms", (double)latency / 1000);
        printf("%-10s %-15s %10s  %-20s  %s\n", sb_component_name(i), sb_health_name(atomic_load(&c->health)), took,
               when(atomic_load(&c->since_us), since), error != NULL ? error : "");
    }
}

static void print_sync(const struct scoreboard *sb)
{
    char last[CLOCK_TIME_SIZE], next[CLOCK_TIME_SIZE];
    struct sb_sync s;

    if (!scoreboard_sync_read(sb, &s)) {
        printf("\nsync: its status is being written, try again\n");
        return;
    }
    if (s.running)
        printf("\nsync: run %lld (%s) is %s, %lld rows read\n", (long long)s.run.run_id, sb_mode_name(s.run.mode),
               sb_phase_name(s.phase), (long long)s.run.rows_read);
    else
        printf("\nsync: idle\n");
    printf("  last success %s, next run %s\n", when(s.last_success_us, last),
           s.next_run_us != 0 ? clock_format_seconds(next, s.next_run_us) : "not scheduled");
    printf("  %lld rows, %lld orders, %lld customers, data version %llu\n", (long long)s.row_count,
           (long long)s.order_count, (long long)s.customer_count, (unsigned long long)atomic_load(&sb->data_version));
    if (s.last_error.run_id != 0)
        printf("  last error: run %lld: %s\n", (long long)s.last_error.run_id, s.last_error.error);
}

static int print_json(const struct ctl *ctl)
{
    struct buf out;
    bool good;

    buf_init(&out, MAX_JSON);
    ctl_status_json(ctl, &out);
    buf_add_char(&out, '\n');
    good = !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_free(&out);
    return good ? CTL_OK : ctl_fail(CTL_FAILED, "cannot write the status");
}

int ctl_status(struct ctl *ctl, int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    int status;

    if (argc > 1 && !json)
        return ctl_fail(CTL_USAGE, "usage: patronctl status [--json]");
    status = ctl_attach(ctl, false);
    if (status != CTL_OK)
        return status;
    if (json)
        return print_json(ctl);
    print_server(ctl);
    print_processes(ctl->sb);
    print_components(ctl->sb);
    print_sync(ctl->sb);
    return CTL_OK;
}
