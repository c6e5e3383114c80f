/*
 * control: reload and stop. Both wait until the outcome is known.
 */
#include <stdio.h>

#include "base/clock.h"
#include "ctl/ctl.h"

#define SPARE_S 15 /* beyond the time the server gives itself */

int ctl_reload(struct ctl *ctl, int argc, char **argv)
{
    int status = argc > 1 ? ctl_fail(CTL_USAGE, "reload takes no arguments: %s", argv[1]) : ctl_attach(ctl, false);
    uint64_t end_ns;
    uint32_t before;
    char why[SB_TEXT];

    if (status != CTL_OK)
        return status;
    before = atomic_load(&ctl->sb->reload_count);
    if (ctl_signal(ctl, "reload") != CTL_OK)
        return CTL_FAILED;
    end_ns = clock_mono_ns() + (uint64_t)(ctl->conf->generation_timeout + SPARE_S) * CLOCK_NS_PER_S;
    while (atomic_load(&ctl->sb->reload_count) == before) {
        if (!ctl_running(ctl))
            return ctl_fail(CTL_FAILED, "patrond stopped during the reload");
        if (clock_mono_ns() > end_ns)
            return ctl_fail(CTL_FAILED, "no outcome yet; see patronctl status and the journal");
        ctl_pause();
    }
    if (atomic_load(&ctl->sb->reload_ok) != 0) {
        printf("reloaded: generation %u serves\n", atomic_load(&ctl->sb->generation));
        return CTL_OK;
    }
    (void)sb_text_get(&ctl->sb->reload_error, why);
    return ctl_fail(CTL_FAILED, "reload failed, the running configuration stays: %s", why);
}

int ctl_stop(struct ctl *ctl, int argc, char **argv)
{
    int status = argc > 1 ? ctl_fail(CTL_USAGE, "stop takes no arguments: %s", argv[1]) : ctl_attach(ctl, false);
    uint64_t end_ns;

    if (status != CTL_OK)
        return status;
    if (ctl_signal(ctl, "stop") != CTL_OK)
        return CTL_FAILED;
    end_ns = clock_mono_ns() + (uint64_t)(ctl->conf->drain_timeout + SPARE_S) * CLOCK_NS_PER_S;
    while (ctl_running(ctl)) {
        if (clock_mono_ns() > end_ns)
            return ctl_fail(CTL_FAILED, "patrond (pid %ld) still drains; `patronctl stop` again stops it at once",
                            (long)ctl->master);
        ctl_pause();
    }
    printf("stopped\n");
    return CTL_OK;
}
