/*
 * status: the scoreboard for people.
 */
#include <stdio.h>

#include "base/clock.h"
#include "core/metrics.h"
#include "ctl/ctl.h"

static const char *when(int64_t us, char dst[CLOCK_TIME_SIZE])
{
    if (us == 0)
        return "never";
    return clock_format_seconds(dst, us);
}

static void print_change(const char *what, int64_t at_us, bool ok, const struct sb_text *error)
{
    char text[SB_TEXT], at[CLOCK_TIME_SIZE];

    if (at_us == 0)
        return;
    (void)sb_text_get(error, text);
    printf("last %s %s: %s\n", what, when(at_us, at), ok ? "good" : text);
}

static void print_server(const struct ctl *ctl)
{
    const struct scoreboard *sb = ctl->sb;
    char version[SB_TEXT], listen[SB_TEXT], up[32];
    int64_t started = atomic_load(&sb->started_us);

    (void)sb_text_get(&sb->version, version);
    (void)sb_text_get(&sb->listen, listen);
    printf("patrond %s  pid %ld  generation %u  on %s  up %s%s\n", version, (long)ctl->master,
           atomic_load(&sb->generation), listen, ctl_duration((clock_wall_us() - started) / CLOCK_US_PER_S, up),
           atomic_load(&sb->stopping) != 0 ? "  STOPPING" : "");
    print_change("reload", atomic_load(&sb->reload_us), atomic_load(&sb->reload_ok) != 0, &sb->reload_error);
    print_change("upgrade", atomic_load(&sb->upgrade_us), atomic_load(&sb->upgrade_ok) != 0, &sb->upgrade_error);
}

static void print_components(const struct scoreboard *sb)
{
    printf("\n%-10s %-14s %10s  %-20s  %s\n", "COMPONENT", "STATE", "LATENCY", "SINCE", "ERROR");
    for (unsigned i = 0; i < SB_COMPONENT_COUNT; i++) {
        const struct sb_check *c = &sb->checks[i];
        int64_t latency = atomic_load(&c->latency_us);
        const char *error = sb_error_name(atomic_load(&c->error));
        char since[CLOCK_TIME_SIZE], took[16] = "-";

        if (latency >= 0)
            snprintf(took, sizeof(took), "%.1f ms", (double)latency / 1000);
        printf("%-10s %-14s %10s  %s%s%s\n", sb_component_name(i), sb_health_name(atomic_load(&c->health)), took,
               when(atomic_load(&c->since_us), since), error != NULL ? "  " : "", error != NULL ? error : "");
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

int ctl_status(struct ctl *ctl, int argc, char **argv)
{
    bool json;
    int status = ctl_only_json(argc, argv, &json);

    if (status == CTL_OK)
        status = ctl_attach(ctl, false);
    if (status != CTL_OK)
        return status;
    if (json)
        return ctl_print_json(ctl, ctl_status_json);
    print_server(ctl);
    printf("\n");
    ctl_print_processes(ctl->sb);
    print_components(ctl->sb);
    print_sync(ctl->sb);
    return CTL_OK;
}
