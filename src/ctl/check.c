/*
 * check: the probe's checks, run from here: they need the settings, not the server.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "ctl/ctl.h"
#include "proc/checks.h"
#include "proc/lock.h"

#define MAX_JSON 8192 /* of one check */

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
static void print_line(const struct check *check, const struct check_result *r)
{
    const char *class = sb_error_name(r->error);

    if (r->health == SB_HEALTH_NOT_CONFIGURED) {
        printf("%-9s %s\n", check->name, sb_health_name(r->health));
        return;
    }
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

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* The same, as a line of its own for programs. */
static void print_json(const struct check *check, const struct check_result *r)
{
    struct json_writer w;
    struct buf out;

    buf_init(&out, MAX_JSON);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_kv_cstr(&w, "name", check->name);
    json_kv_cstr(&w, "state", sb_health_name(r->health));
    json_kv_fixed(&w, "latency_ms", r->latency_us >= 0 ? (double)r->latency_us / 1000 : NAN, 1);
    json_kv_cstr(&w, "target", or_null(r->target));
    json_kv_cstr(&w, "error", sb_error_name(r->error));
    json_kv_cstr(&w, "sqlstate", or_null(r->sqlstate));
    json_kv_cstr(&w, "text", or_null(r->text));
    json_object_end(&w);
    printf("%.*s\n", (int)out.len, out.data);
    buf_free(&out);
}

static int run_one(const struct ctl *ctl, const struct check *check, const char *listen, bool json)
{
    struct check_env env = { .conf = ctl->conf, .listen = listen };
    struct check_job job = { .check = NULL };
    struct check_result r = { .health = SB_HEALTH_NOT_CONFIGURED, .latency_us = -1 };

    if (check->configured(ctl->conf)) {
        if (!check_start(&job, check, &env))
            return ctl_fail(CTL_FAILED, "%s: cannot start the check: %s", check->name, strerror(errno));
        while (!check_poll(&job, &r)) {
            struct pollfd p = { .fd = job.fd, .events = POLLIN };

            (void)poll(&p, 1, CTL_POLL_MS);
        }
    }
    (json ? print_json : print_line)(check, &r);
    return r.health == SB_HEALTH_UP || r.health == SB_HEALTH_NOT_CONFIGURED ? CTL_OK : CTL_FAILED;
}

int ctl_check(struct ctl *ctl, int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[argc - 1], "--json") == 0;
    int names = argc - 1 - json;
    const struct check *one = names == 1 ? checks_find(argv[1]) : NULL;
    char listen[SB_TEXT];
    int status = CTL_OK;

    if (names > 1 || (names == 1 && one == NULL))
        return ctl_usage("check", "%s is not expected here", argv[names > 1 ? 2 : 1]);
    if (ctl->problems.len > 0) {
        fprintf(stderr, "%.*s", (int)ctl->problems.len, ctl->problems.data);
        return ctl_fail(CTL_CONFIG, "the checks need good settings");
    }
    address_in_use(ctl, listen);
    if (one != NULL)
        return run_one(ctl, one, listen, json);
    for (unsigned i = 0; i < CHECKS_COUNT; i++) {
        if (run_one(ctl, &checks_table[i], listen, json) != CTL_OK)
            status = CTL_FAILED;
    }
    return status;
}
