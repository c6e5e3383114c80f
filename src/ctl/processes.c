/*
 * processes: the table of processes, as several commands show it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/metrics.h"
#include "ctl/ctl.h"

const char *ctl_process_name(const struct sb_slot *s, char dst[24])
{
    uint32_t role = atomic_load(&s->role);

    if (role == SB_ROLE_WORKER)
        snprintf(dst, 24, "worker %u", atomic_load(&s->index));
    else
        snprintf(dst, 24, "%s", sb_role_name(role));
    return dst;
}

/* "04:05:06", "12d 04h" */
static const char *age(int64_t seconds, char dst[32])
{
    if (seconds < 86400)
        return ctl_duration(seconds, dst);
    (void)snprintf(dst, 32, "%lldd %02dh", (long long)(seconds / 86400), (int)(seconds / 3600 % 24));
    return dst;
}

double ctl_beat_age_s(const struct sb_slot *s, uint64_t now_ns)
{
    uint64_t beat = atomic_load(&s->beat_ns);

    return beat != 0 && now_ns > beat ? (double)(now_ns - beat) / (double)CLOCK_NS_PER_S : 0;
}

/* A line of 80 columns, but for words on what it does that are longer than usual. */
static void print_process(const struct scoreboard *sb, const struct sb_slot *s, uint64_t now_ns, int64_t now_us)
{
    uint32_t role = atomic_load(&s->role), index = atomic_load(&s->index);
    char name[24], doing[SB_TEXT], up[32];

    (void)sb_text_get(&s->doing, doing);
    printf("%-9s %7d %-8s %3u %8s %9llu %5u %4.0fM %4.1fs %3llu  %s\n", ctl_process_name(s, name),
           atomic_load(&s->pid), sb_state_name(atomic_load(&s->state)), atomic_load(&s->generation),
           age((now_us - atomic_load(&s->start_us)) / CLOCK_US_PER_S, up),
           (unsigned long long)metrics_slot_total(s, METRIC_HTTP_REQUESTS), atomic_load(&s->connections),
           (double)atomic_load(&s->rss_bytes) / 1048576.0, ctl_beat_age_s(s, now_ns),
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

unsigned ctl_processes(const struct scoreboard *sb, const struct sb_slot *used[SB_SLOTS])
{
    unsigned count = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        if (atomic_load(&sb->slots[i].state) != SB_FREE)
            used[count++] = &sb->slots[i];
    }
    qsort(used, count, sizeof(used[0]), by_place);
    return count;
}

void ctl_print_processes(const struct scoreboard *sb)
{
    const struct sb_slot *used[SB_SLOTS] = { NULL };
    unsigned count = ctl_processes(sb, used);
    uint64_t now_ns = clock_mono_ns();
    int64_t now_us = clock_wall_us();

    printf("%-9s %7s %-8s %3s %8s %9s %5s %5s %5s %3s  %s\n", "PROCESS", "PID", "STATE", "GEN", "UP", "REQUESTS",
           "CONNS", "RSS", "BEAT", "RST", "DOING");
    for (unsigned i = 0; i < count; i++)
        print_process(sb, used[i], now_ns, now_us);
}
