/*
 * workers: who works, and one worker more or fewer.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ctl.h"

#define SPARE_S 15 /* beyond the time the server gives a worker to become ready */

static unsigned ready_workers(const struct scoreboard *sb)
{
    uint32_t serving = atomic_load(&sb->generation);
    unsigned count = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *s = &sb->slots[i];

        count += atomic_load(&s->state) == SB_READY && atomic_load(&s->role) == SB_ROLE_WORKER &&
                 atomic_load(&s->generation) == serving;
    }
    return count;
}

static int resize(struct ctl *ctl, const char *verb, int more)
{
    uint32_t before = atomic_load(&ctl->sb->workers), to = before + (uint32_t)more;
    uint64_t end_ns = clock_mono_ns() + (uint64_t)(ctl->conf->generation_timeout + SPARE_S) * CLOCK_NS_PER_S;

    if (to < 1 || to > CONF_MAX_WORKERS)
        return ctl_fail(CTL_FAILED, "there are %u workers; from 1 to %d are possible", before, CONF_MAX_WORKERS);
    if (ctl_signal(ctl, verb) != CTL_OK)
        return CTL_FAILED;
    while (atomic_load(&ctl->sb->workers) == before || ready_workers(ctl->sb) != to) {
        if (!ctl_running(ctl))
            return ctl_fail(CTL_FAILED, "patrond stopped meanwhile");
        if (clock_mono_ns() > end_ns)
            return ctl_fail(CTL_FAILED, "%u workers are ready, not %u; see patronctl status and the journal",
                            ready_workers(ctl->sb), to);
        ctl_pause();
    }
    printf("%u workers serve, until the next restart or upgrade\n", to);
    return CTL_OK;
}

int ctl_workers(struct ctl *ctl, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool more = strcmp(what, "+1") == 0, fewer = strcmp(what, "-1") == 0, json = strcmp(what, "--json") == 0;
    int status;

    if (argc > 1 && !more && !fewer && !json)
        return ctl_usage("workers", "%s is not expected here", what);
    if (argc > 2)
        return ctl_usage("workers", "%s is not expected here", argv[2]);
    status = ctl_attach(ctl, false);
    if (status != CTL_OK)
        return status;
    if (more || fewer)
        return resize(ctl, more ? "workers +1" : "workers -1", more ? 1 : -1);
    if (json)
        return ctl_print_json(ctl, ctl_workers_json);
    ctl_print_processes(ctl->sb);
    return CTL_OK;
}
