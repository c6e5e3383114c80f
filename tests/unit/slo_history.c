/*
 * slo_history: writes 30 made-up days of service levels into DIR/slo_history, for tests that look at them.
 *
 * usage: slo_history DIR [SECONDS]   They end so many seconds ago. Every tenth day lacks 10 minutes; requests and
 * latencies follow the hour of the day.
 */
#include <err.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/slo_file.h"

#define SPAN_S ((int64_t)SLO_BUCKETS * SLO_BUCKET_S)

static void one_slot(struct slo_ring *r, struct slo_counts *total, int64_t t)
{
    uint64_t hour = (uint64_t)(t / 3600 % 24), n = 20 + 10 * (hour > 12 ? 24 - hour : hour);
    int64_t day = t / 86400;

    slo_ask(r, day % 10 != 0 || t % 86400 >= 600, t);
    total->requests += n;
    total->errors += t % 3600 == 0;
    total->latency[2] += n - 1;
    total->latency[3 + hour / 8] += 1;
    total->nl[8] += t % 600 == 0;
    slo_count(r, total, t % 86400, t);
}

int main(int argc, char **argv)
{
    static struct slo_ring ring;
    static struct slo_counts total;
    int64_t now = clock_wall_us() / CLOCK_US_PER_S;

    if (argc != 2 && argc != 3)
        errx(2, "usage: slo_history DIR [SECONDS]");
    if (argc == 3)
        now -= strtol(argv[2], NULL, 10);
    for (int64_t t = now - SPAN_S + SLO_BUCKET_S; t < now; t += SLO_SLOT_S)
        one_slot(&ring, &total, t);
    if (!slo_file_save(&ring, argv[1]))
        err(1, "%s", argv[1]);
    return 0;
}
