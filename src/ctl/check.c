/*
 * check: the probe's checks, run from here: they need the settings, not the server.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "proc/checks.h"
#include "proc/lock.h"

/* The address the running server has, else the configured one. */
static void address_in_use(struct ctl *ctl, char dst[SB_TEXT])
{
    (void)str_copy(dst, SB_TEXT, str_from(ctl->conf->listen));
    if (lock_holder(ctl->conf->run_dir) <= 0)
        return;
    ctl->sb = scoreboard_open(ctl->conf->run_dir, false);
    if (ctl->sb != NULL)
        (void)sb_text_get(&ctl->sb->listen, dst);
}

/* "postgres  down  2.1 ms  db.example: no connection in time (connect_timeout)" */
static void print_result(const struct check *check, const struct check_result *r)
{
    const char *class = sb_error_name(r->error);

    printf("%-9s %-15s %8.1f ms  ", check->name, sb_health_name(r->health), (double)r->latency_us / 1000);
    if (r->target[0] != '\0')
        printf("%s: ", r->target);
    printf("%s", r->text);
    if (r->sqlstate[0] != '\0')
        printf(" (SQLSTATE %s)", r->sqlstate);
    if (class != NULL)
        printf(" (%s)", class);
    printf("\n");
}

static int run_one(const struct ctl *ctl, const struct check *check, const char *listen)
{
    struct check_env env = { .conf = ctl->conf, .listen = listen };
    struct check_job job = { .check = NULL };
    struct check_result r;

    if (!check->configured(ctl->conf)) {
        printf("%-9s %s\n", check->name, sb_health_name(SB_HEALTH_NOT_CONFIGURED));
        return CTL_OK;
    }
    if (!check_start(&job, check, &env))
        return ctl_fail(CTL_FAILED, "%s: cannot start the check: %s", check->name, strerror(errno));
    while (!check_poll(&job, &r)) {
        struct pollfd p = { .fd = job.fd, .events = POLLIN };

        (void)poll(&p, 1, CTL_POLL_MS);
    }
    print_result(check, &r);
    return r.health == SB_HEALTH_UP ? CTL_OK : CTL_FAILED;
}

int ctl_check(struct ctl *ctl, int argc, char **argv)
{
    const struct check *one = argc > 1 ? checks_find(argv[1]) : NULL;
    char listen[SB_TEXT];
    int status = CTL_OK;

    if (argc > 2 || (argc == 2 && one == NULL))
        return ctl_usage("check");
    if (ctl->problems.len > 0) {
        fprintf(stderr, "%.*s", (int)ctl->problems.len, ctl->problems.data);
        return ctl_fail(CTL_CONFIG, "the checks need good settings");
    }
    address_in_use(ctl, listen);
    if (one != NULL)
        return run_one(ctl, one, listen);
    for (unsigned i = 0; i < CHECKS_COUNT; i++) {
        if (run_one(ctl, &checks_table[i], listen) != CTL_OK)
            status = CTL_FAILED;
    }
    return status;
}
