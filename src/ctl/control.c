/*
 * control: reload, upgrade and stop. All wait until the outcome is known.
 *
 * They read only what every layout of the scoreboard has in common, and anew each time: the server may be of another
 * version than this program, and after an upgrade its scoreboard is another file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "ctl/ctl.h"

#define SPARE_S   15 /* beyond the time the server gives itself */
#define HANDING_S 5  /* a worker that has not heard by then that it is to go hangs, and takes none either */

enum change_kind {
    CHANGE_RELOAD,
    CHANGE_UPGRADE
};

/* The last change of that kind. */
struct change {
    uint32_t count, generation;
    bool ok;
    char version[SB_TEXT], error[SB_TEXT];
};

static bool read_change(const struct ctl *ctl, enum change_kind kind, struct change *c)
{
    size_t bytes;
    struct scoreboard *sb = scoreboard_open_any(ctl->conf->run_dir, &bytes);
    bool reload = kind == CHANGE_RELOAD;

    if (sb == NULL)
        return false;
    c->count = atomic_load(reload ? &sb->reload_count : &sb->upgrade_count);
    c->ok = atomic_load(reload ? &sb->reload_ok : &sb->upgrade_ok) != 0;
    c->generation = atomic_load(&sb->generation);
    (void)sb_text_get(&sb->version, c->version);
    (void)sb_text_get(reload ? &sb->reload_error : &sb->upgrade_error, c->error);
    (void)munmap(sb, bytes);
    return true;
}

/* Asks for a change and waits for its outcome: CTL_OK, or the exit status after saying why there is none. */
static int change(struct ctl *ctl, int argc, char **argv, enum change_kind kind, struct change *c)
{
    int status = ctl_no_arguments(argc, argv);
    uint64_t end_ns;
    uint32_t before;

    if (status == CTL_OK)
        status = ctl_find(ctl);
    if (status != CTL_OK)
        return status;
    if (!read_change(ctl, kind, c))
        return ctl_fail(CTL_FAILED, "%s/scoreboard: %s", ctl->conf->run_dir, strerror(errno));
    before = c->count;
    if (ctl_signal(ctl, argv[0]) != CTL_OK)
        return CTL_FAILED;
    end_ns = clock_mono_ns() + (uint64_t)(ctl->conf->generation_timeout + SPARE_S) * CLOCK_NS_PER_S;
    while (!read_change(ctl, kind, c) || c->count == before) {
        if (!ctl_running(ctl))
            return ctl_fail(CTL_FAILED, "patrond stopped during the %s", argv[0]);
        if (clock_mono_ns() > end_ns)
            return ctl_fail(CTL_FAILED, "no outcome yet; see patronctl status and the journal");
        ctl_pause();
    }
    return CTL_OK;
}

/* Does a worker of a generation before that one still take connections? */
static bool others_accept(const struct ctl *ctl, uint32_t generation)
{
    size_t bytes;
    struct scoreboard *sb = scoreboard_open_any(ctl->conf->run_dir, &bytes);
    bool found = false;

    if (sb == NULL)
        return false;
    for (unsigned i = 0; i < sb->slot_count && !found; i++) {
        const struct sb_slot *s = scoreboard_slot(sb, i);

        found = atomic_load(&s->state) == SB_READY && atomic_load(&s->role) == SB_ROLE_WORKER &&
                atomic_load(&s->generation) < generation;
    }
    (void)munmap(sb, bytes);
    return found;
}

/* Whoever connects from now on is answered by the new settings. */
static void wait_for_handing_over(const struct ctl *ctl, uint32_t generation)
{
    uint64_t end_ns = clock_mono_ns() + HANDING_S * CLOCK_NS_PER_S;

    while (others_accept(ctl, generation) && ctl_running(ctl) && clock_mono_ns() < end_ns)
        ctl_pause();
}

int ctl_reload(struct ctl *ctl, int argc, char **argv)
{
    struct change c;
    int status = change(ctl, argc, argv, CHANGE_RELOAD, &c);

    if (status != CTL_OK)
        return status;
    if (!c.ok)
        return ctl_fail(CTL_FAILED, "reload failed, the running configuration stays: %s", c.error);
    wait_for_handing_over(ctl, c.generation);
    printf("reloaded: generation %u serves\n", c.generation);
    return CTL_OK;
}

int ctl_upgrade(struct ctl *ctl, int argc, char **argv)
{
    struct change c;
    int status = change(ctl, argc, argv, CHANGE_UPGRADE, &c);

    if (status != CTL_OK)
        return status;
    if (!c.ok)
        return ctl_fail(CTL_FAILED, "upgrade failed, patrond %s goes on serving: %s", c.version, c.error);
    printf("upgraded: patrond %s serves, generation %u\n", c.version, c.generation);
    return CTL_OK;
}

int ctl_stop(struct ctl *ctl, int argc, char **argv)
{
    int status = ctl_no_arguments(argc, argv);
    uint64_t end_ns;

    if (status == CTL_OK)
        status = ctl_find(ctl);
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
