/*
 * patronctl: the command line and the table of commands.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "ctl/ctl.h"

#define DEFAULT_FILE PATROND_SYSCONFDIR "/patrond/patrond.conf"
#define MAX_TEXT     65536
#define MIDDLE       36 /* columns of the arguments in the list of commands, which bash completion reads */

static const struct ctl_command commands[] = {
    { "status", "[--json]", "show processes, dependencies and the sync", ctl_status },
    { "workers", "[+1 | -1 | --json]", "show the processes; one worker more or fewer", ctl_workers },
    { "top", "[-d SECONDS] [-n PICTURES]", "show the server live", ctl_top },
    { "sync", "[--full | --dry-run] [--start DAY] [--end DAY] [--limit ROWS] [--wait]",
      "start a sync run, with --wait until it has ended", ctl_sync },
    { "reload", "", "read the settings again and wait for the outcome", ctl_reload },
    { "upgrade", "", "execute the installed patrond in place and wait for the outcome", ctl_upgrade },
    { "stop", "", "drain, stop, and wait for the end", ctl_stop },
    { "models", "[--json]", "show the last fit of the models and how good it was", ctl_models },
    { "doctor", "[--fix] [--json]", "walk the runbook: every check, cause and remedy", ctl_doctor },
    { "incident", "--since TIME [--until TIME]", "write the document for the review of an incident", ctl_incident },
    { "check", "[postgres | redis | source | self | claude]", "ask the dependencies now, from here", ctl_check },
    { "alert-test", "", "post a test message to ALERT_WEBHOOK_URL", ctl_alert_test },
    { "verify", "CUSTOMER_ID [--json]", "compare one customer in the source, the tables and the population",
      ctl_verify },
    { "keys", "list | create | rotate | revoke", "manage API keys; patrond need not run", ctl_keys },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *to, int status)
{
    fprintf(to, "usage: patronctl [-c FILE | -i INSTANCE] COMMAND\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct ctl_command *c = &commands[i];

        if (strlen(c->arguments) <= MIDDLE)
            fprintf(to, "  %-10s %-*s   %s\n", c->name, MIDDLE, c->arguments, c->doc);
        else
            fprintf(to, "  %-10s %s\n  %-10s %-*s   %s\n", c->name, c->arguments, "", MIDDLE, "", c->doc);
    }
    fprintf(to, "  -c FILE    the server's settings (default: " DEFAULT_FILE ", if there is one)\n"
                "  -i NAME    the server of the unit patrond@NAME\n");
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
    status = command->run(&ctl, argc, argv);
    scoreboard_close(ctl.sb);
    conf_free(ctl.conf);
    buf_free(&ctl.problems);
    buf_free(&warnings);
    return status;
}

/* What the unit patrond@NAME gives its server; the settings file it reads. */
static bool use_instance(const char *name, char path[PATH_MAX], char unit[NAME_MAX + 32])
{
    char dir[PATH_MAX];

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > NAME_MAX - 5)
        return false;
    (void)snprintf(path, PATH_MAX, PATROND_SYSCONFDIR "/patrond/%s.conf", name);
    (void)snprintf(unit, NAME_MAX + 32, "patrond@%s.service", name);
    (void)snprintf(dir, sizeof(dir), "/run/patrond/%s", name);
    if (setenv("RUN_DIR", dir, 1) != 0)
        return false;
    (void)snprintf(dir, sizeof(dir), "/var/lib/patrond/%s", name);
    return setenv("STATE_DIR", dir, 1) == 0;
}

int main(int argc, char **argv)
{
    const char *path = access(DEFAULT_FILE, F_OK) == 0 ? DEFAULT_FILE : NULL;
    const struct ctl_command *command;
    char instance[PATH_MAX], unit[NAME_MAX + 32] = "patrond.service";
    int option;

    while ((option = getopt(argc, argv, "+c:i:h")) != -1) {
        if (option == 'c')
            path = optarg;
        else if (option == 'i' && !use_instance(optarg, instance, unit))
            return ctl_fail(CTL_USAGE, "no instance can be called %s", optarg);
        else if (option == 'i')
            path = instance;
        else if (option == 'h')
            return usage(stdout, CTL_OK);
        else
            return usage(stderr, CTL_USAGE);
    }
    if (optind >= argc)
        return usage(stderr, CTL_USAGE);
    command = find(argv[optind]);
    if (command == NULL) {
        fprintf(stderr, "patronctl: no command %s\n", argv[optind]);
        return usage(stderr, CTL_USAGE);
    }
    log_init("patronctl", LOG_LEVEL_WARNING, false);
    metrics_init(NULL, 0);
    return run(command, path, unit, argc - optind, argv + optind);
}
