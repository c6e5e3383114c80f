/*
 * top: the server live, on any terminal.
 *
 * Two looks at the scoreboard make a picture of the time between them. On a terminal each picture replaces the one
 * before; into a pipe they follow one another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "ctl/ctl.h"

#define MAX_SECONDS  3600
#define MAX_PICTURES 1000000
#define CLEAR        "\033[H\033[2J"

/* What a process had done at the look. */
struct process_look {
    int32_t pid;
    uint64_t requests;
    double cpu_s;
};

struct look {
    uint64_t at_ns, requests, failed, refused, shed, hits, misses;
    uint64_t slower[METRICS_MAX_BUCKETS + 1];
    struct process_look processes[SB_SLOTS]; /* by slot */
};

static void take_look(const struct scoreboard *sb, struct look *l)
{
    l->at_ns = clock_mono_ns();
    l->requests = metrics_total_all(sb, METRIC_HTTP_REQUESTS);
    l->failed = metrics_total_where(sb, METRIC_HTTP_REQUESTS, 2, METRIC_STATUS_5XX);
    l->refused = metrics_total_where(sb, METRIC_HTTP_REQUESTS, 2, METRIC_STATUS_4XX);
    l->shed = metrics_total_all(sb, METRIC_LOAD_SHED);
    l->hits = metrics_total_all(sb, METRIC_CACHE_HITS);
    l->misses = metrics_total_all(sb, METRIC_CACHE_MISSES);
    metrics_distribution(sb, METRIC_HTTP_DURATION, l->slower);
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *s = &sb->slots[i];
        int32_t pid = atomic_load(&s->state) != SB_FREE ? atomic_load(&s->pid) : 0;

        l->processes[i].pid = pid;
        l->processes[i].requests = pid > 0 ? metrics_slot_total(s, METRIC_HTTP_REQUESTS) : 0;
        l->processes[i].cpu_s = pid > 0 ? sys_cpu_seconds(pid) : 0;
    }
}

static void forget_counts(struct look *l)
{
    *l = (struct look){ .at_ns = l->at_ns };
}

static double rate(uint64_t before, uint64_t after, double seconds)
{
    return after > before ? (double)(after - before) / seconds : 0;
}

/* The bound below which that part of the answers came, in words: "25 ms", "more than 10 s", "-". */
static const char *quantile(const struct look *a, const struct look *b, double part, char dst[32])
{
    const struct metric *m = metrics_get(METRIC_HTTP_DURATION);
    uint64_t all = 0, below = 0;

    for (unsigned i = 0; i <= m->bucket_count; i++)
        all += b->slower[i] - a->slower[i];
    (void)snprintf(dst, 32, "-");
    for (unsigned i = 0; all > 0 && i <= m->bucket_count; i++) {
        below += b->slower[i] - a->slower[i];
        if ((double)below < part * (double)all)
            continue;
        if (i == m->bucket_count)
            (void)snprintf(dst, 32, "more than %g s", m->buckets[i - 1]);
        else
            (void)snprintf(dst, 32, "%g ms", m->buckets[i] * 1000);
        break;
    }
    return dst;
}

static void print_traffic(const struct scoreboard *sb, const struct look *a, const struct look *b, double seconds)
{
    uint64_t requests = b->requests - a->requests, asked = b->hits - a->hits + b->misses - a->misses;
    uint32_t connections = 0, active = 0, in_flight = 0, open = 0, busy = 0, waiting = 0;
    char half[32], most[32];

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        connections += atomic_load(&sb->slots[i].connections);
        active += atomic_load(&sb->slots[i].active_connections);
        in_flight += atomic_load(&sb->slots[i].in_flight);
        open += atomic_load(&sb->slots[i].pg_open);
        busy += atomic_load(&sb->slots[i].pg_busy);
        waiting += atomic_load(&sb->slots[i].pg_waiting);
    }
    printf("requests   %.1f/s   5xx %.2f %%   4xx %.2f %%   shed %.1f/s\n", rate(a->requests, b->requests, seconds),
           requests > 0 ? 100.0 * (double)(b->failed - a->failed) / (double)requests : 0.0,
           requests > 0 ? 100.0 * (double)(b->refused - a->refused) / (double)requests : 0.0,
           rate(a->shed, b->shed, seconds));
    printf("answers    half within %s, 95 %% within %s\n", quantile(a, b, 0.5, half), quantile(a, b, 0.95, most));
    printf("now        %u in flight, %u connections (%u active)\n", in_flight, connections, active);
    printf("database   %u connections, %u busy, %u requests wait   cache ", open, busy, waiting);
    if (asked > 0)
        printf("%.1f %% hits\n", 100.0 * (double)(b->hits - a->hits) / (double)asked);
    else
        printf("not asked\n");
}

static void print_state(const struct scoreboard *sb)
{
    struct sb_sync s;

    printf("components ");
    for (unsigned i = 0; i < SB_COMPONENT_COUNT; i++)
        printf("%s%s %s", i > 0 ? ", " : "", sb_component_name(i),
               sb_health_name(atomic_load(&sb->checks[i].health)));
    if (scoreboard_sync_read(sb, &s) && s.running)
        printf("\nsync       run %lld is %s, %lld rows read\n", (long long)s.run.run_id, sb_phase_name(s.phase),
               (long long)s.run.rows_read);
    else
        printf("\nsync       idle, data version %llu\n", (unsigned long long)atomic_load(&sb->data_version));
}

static void print_table(const struct scoreboard *sb, const struct look *a, const struct look *b, double seconds)
{
    const struct sb_slot *used[SB_SLOTS] = { NULL };
    unsigned count = ctl_processes(sb, used);

    printf("\n%-9s %7s %-8s %3s %8s %6s %5s %6s %5s %5s  %s\n", "PROCESS", "PID", "STATE", "GEN", "REQ/s", "CPU",
           "RSS", "PRIV", "CONNS", "BEAT", "DOING");
    for (unsigned i = 0; i < count; i++) {
        const struct sb_slot *s = used[i];
        const struct process_look *x = &a->processes[s - sb->slots], *y = &b->processes[s - sb->slots];
        char name[24], doing[SB_TEXT];
        bool same = x->pid == y->pid;

        (void)sb_text_get(&s->doing, doing);
        printf("%-9s %7d %-8s %3u %8.1f %5.1f%% %4.0fM %5.1fM %5u %4.1fs  %s\n", ctl_process_name(s, name), y->pid,
               sb_state_name(atomic_load(&s->state)), atomic_load(&s->generation),
               same ? rate(x->requests, y->requests, seconds) : 0.0,
               same && y->cpu_s > x->cpu_s ? 100.0 * (y->cpu_s - x->cpu_s) / seconds : 0.0,
               (double)atomic_load(&s->rss_bytes) / 1048576, (double)atomic_load(&s->private_bytes) / 1048576,
               atomic_load(&s->connections), ctl_beat_age_s(s, b->at_ns), doing);
    }
}

static void print_picture(const struct ctl *ctl, const struct look *a, const struct look *b)
{
    const struct scoreboard *sb = ctl->sb;
    double seconds = (double)(b->at_ns - a->at_ns) / (double)CLOCK_NS_PER_S;
    char version[SB_TEXT], up[32];

    (void)sb_text_get(&sb->version, version);
    printf("%spatrond %s  pid %ld  generation %u  up %s%s\n\n", isatty(STDOUT_FILENO) ? CLEAR : "", version,
           (long)ctl->master, atomic_load(&sb->generation),
           ctl_duration((clock_wall_us() - atomic_load(&sb->started_us)) / CLOCK_US_PER_S, up),
           atomic_load(&sb->stopping) != 0 ? "  STOPPING" : "");
    print_traffic(sb, a, b, seconds);
    print_state(sb);
    print_table(sb, a, b, seconds);
    if (!isatty(STDOUT_FILENO))
        printf("\n");
    fflush(stdout);
}

static bool read_number(const char *text, uint64_t most, uint64_t *n)
{
    return str_to_u64(str_from(text), n) && *n > 0 && *n <= most;
}

static int read_arguments(int argc, char **argv, uint64_t *seconds, uint64_t *pictures)
{
    for (int i = 1; i < argc; i += 2) {
        bool pause = strcmp(argv[i], "-d") == 0;

        if (!pause && strcmp(argv[i], "-n") != 0)
            return ctl_usage("top", "%s is not expected here", argv[i]);
        if (i + 1 == argc)
            return ctl_usage("top", "%s needs a value", argv[i]);
        if (!read_number(argv[i + 1], pause ? MAX_SECONDS : MAX_PICTURES, pause ? seconds : pictures))
            return ctl_usage("top", "%s cannot be %s", argv[i], argv[i + 1]);
    }
    return CTL_OK;
}

/* A restart or an upgrade may have put another scoreboard in the place of the one we look at. */
static int attach_again(struct ctl *ctl)
{
    scoreboard_close(ctl->sb);
    ctl->sb = NULL;
    return ctl_attach(ctl, false);
}

int ctl_top(struct ctl *ctl, int argc, char **argv)
{
    static struct look looks[2];
    uint64_t seconds = 1, pictures = UINT64_MAX;
    int status = read_arguments(argc, argv, &seconds, &pictures);

    if (status == CTL_OK)
        status = ctl_attach(ctl, false);
    if (status != CTL_OK)
        return status;
    take_look(ctl->sb, &looks[0]);
    for (uint64_t i = 0; i < pictures; i++) {
        struct timespec t = { .tv_sec = (time_t)seconds };

        (void)nanosleep(&t, NULL);
        status = attach_again(ctl);
        if (status != CTL_OK)
            return status;
        take_look(ctl->sb, &looks[(i + 1) % 2]);
        if (looks[(i + 1) % 2].requests < looks[i % 2].requests)
            forget_counts(&looks[i % 2]); /* another server, which counts from zero */
        print_picture(ctl, &looks[i % 2], &looks[(i + 1) % 2]);
    }
    return CTL_OK;
}
