/*
 * patronctl: the command line and the table of commands.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/metrics.h"
#include "core/service.h"
#include "core/sys.h"
#include "ctl/ctl.h"

#define MAX_TEXT 65536

static const char keys_more[] = "  list [--status active | expired | revoked] [--json]\n"
                                "  create NAME [--scopes read,write,admin] [--days N] [--rate N] [--notes TEXT]\n"
                                "  rotate ID [--grace SECONDS]\n"
                                "  revoke ID [--reason TEXT]\n";
static const char time_more[] = "  TIME is 2025-11-03T08:00:00Z, 2025-11-03, or how long ago: 90m, 2h, 3d\n";
static const char limit_more[] = "  --limit is for a dry run; a DAY is 2025-11-03\n";

static const struct ctl_command commands[] = {
    { "status", "[--json]", "show processes, dependencies and the sync", ctl_status, false, NULL },
    { "workers", "[+1 | -1 | --json]", "show the processes; one worker more or fewer", ctl_workers, false, NULL },
    { "top", "[-d SECONDS] [-n PICTURES]", "show the server live", ctl_top, false, NULL },
    { "sync", "[--full | --dry-run] [--start DAY] [--end DAY] [--limit ROWS] [--wait]",
      "start a sync run, with --wait until it has ended", ctl_sync, false, limit_more },
    { "reload", "", "read the settings again and wait for the outcome", ctl_reload, false, NULL },
    { "upgrade", "", "execute the installed patrond in place, wait for the outcome", ctl_upgrade, false, NULL },
    { "stop", "", "drain, stop, and wait for the end", ctl_stop, false, NULL },
    { "models", "[--json]", "show the last fit of the models and how good it was", ctl_models, true, NULL },
    { "doctor", "[--fix] [--json]", "walk the runbook: every check, cause and remedy", ctl_doctor, true, NULL },
    { "incident", "--since TIME [--until TIME] [--json]", "write the document for the review of an incident",
      ctl_incident, false, time_more },
    { "check", "[postgres | redis | source | self | claude] [--json]", "ask the dependencies now, from here",
      ctl_check, true, NULL },
    { "alert-test", "", "post a test message to ALERT_WEBHOOK_URL", ctl_alert_test, true, NULL },
    { "verify", "CUSTOMER_ID [--json]", "compare a customer in source, tables and population", ctl_verify, true,
      NULL },
    { "keys", "list | create | rotate | revoke", "manage API keys; patrond need not run", ctl_keys, true, keys_more },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *to, int status)
{
    fprintf(to, "usage: patronctl [-c FILE | -i INSTANCE] COMMAND [ARGUMENT ...]\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s  %s\n", commands[i].name, commands[i].doc);
    fprintf(to, "  -c FILE     the server's settings\n"
                "              (default: " SERVICE_SETTINGS ", if there is one)\n"
                "  -i NAME     the server of the unit patrond@NAME\n"
                "  -V          print the version and exit\n"
                "patronctl COMMAND --help tells its arguments; see patronctl(1).\n");
    return status;
}

static const struct ctl_command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* How a command is used; bash completion reads it. */
static void describe(FILE *to, const struct ctl_command *c)
{
    int indent = fprintf(to, "usage: patronctl %s%s", c->name, c->arguments[0] != '\0' ? " " : "");

    ctl_print_wrapped(to, c->arguments, indent, CTL_COLUMNS);
    fputs(c->more != NULL ? c->more : "", to);
}

int ctl_usage(const char *command, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ctl_say(fmt, ap);
    va_end(ap);
    describe(stderr, find(command));
    return CTL_USAGE;
}

int ctl_only_json(int argc, char **argv, bool *json)
{
    *json = argc > 1 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 + *json)
        return ctl_usage(argv[0], "%s is not expected here", argv[1 + *json]);
    return CTL_OK;
}

int ctl_no_arguments(int argc, char **argv)
{
    return argc == 1 ? CTL_OK : ctl_usage(argv[0], "%s is not expected here", argv[1]);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int help(const struct ctl_command *c)
{
    describe(stdout, c);
    printf("%s\n", c->doc);
    return CTL_OK;
}

static int run(const struct ctl_command *command, const char *path, const char *unit, int argc, char **argv)
{
    struct ctl ctl = { .unit = unit };
    struct buf warnings;
    int status;

    buf_init(&ctl.problems, MAX_TEXT);
    buf_init(&warnings, MAX_TEXT);
    ctl.conf = conf_load_lenient(path, &ctl.problems, &warnings);
    if (ctl.conf == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (command->as_service && !service_become_user(ctl.conf->state_dir))
        status = ctl_fail(CTL_FAILED, "cannot become the server's user: %s", strerror(errno));
    else
        status = command->run(&ctl, argc, argv);
    scoreboard_close(ctl.sb);
    conf_free(ctl.conf);
    buf_free(&ctl.problems);
    buf_free(&warnings);
    return status;
}

/* What was lost on its way to stdout is no success: a key goes there, once. */
static int finish(int status)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_OK)
        return ctl_fail(CTL_FAILED, "cannot write the answer: %s", strerror(errno));
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                             { "version", no_argument, NULL, 'V' },
                                             { NULL, 0, NULL, 0 } };
    const char *path = access(SERVICE_SETTINGS, F_OK) == 0 ? SERVICE_SETTINGS : NULL;
    bool is_service = path != NULL;
    const struct ctl_command *command;
    struct service service;
    int option, chosen = 0; /* 'c' or 'i' */

    (void)service_of(NULL, &service);
    while ((option = getopt_long(argc, argv, "+c:i:hV", options, NULL)) != -1) {
        if (option == 'h')
            return finish(usage(stdout, CTL_OK));
        if (option == 'V') {
            puts("patronctl " PACKAGE_VERSION);
            return finish(CTL_OK);
        }
        if (option != 'c' && option != 'i')
            return usage(stderr, CTL_USAGE);
        if (chosen != 0 && chosen != option)
            return ctl_fail(CTL_USAGE, "-c and -i exclude each other");
        chosen = option;
        if (option == 'i' && !service_of(optarg, &service))
            return ctl_fail(CTL_USAGE, "no instance can be called %s", optarg);
        path = option == 'i' ? service.settings : optarg;
        is_service = service_of_settings(path, &service);
        if (!is_service)
            (void)service_of(NULL, &service);
    }
    if (optind >= argc)
        return usage(stderr, CTL_USAGE);
    command = find(argv[optind]);
    if (command == NULL) {
        fprintf(stderr, "patronctl: no command %s\n", argv[optind]);
        return usage(stderr, CTL_USAGE);
    }
    if (asks_for_help(argc - optind, argv + optind))
        return finish(help(command));
    log_init("patronctl", LOG_LEVEL_WARNING, false);
    metrics_init(NULL, 0);
    if (is_service && !service_enter(&service))
        return ctl_fail(CTL_FAILED, "out of memory");
    return finish(run(command, path, service.unit, argc - optind, argv + optind));
}
