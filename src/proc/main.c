/*
 * patrond: the command line. Reads the settings, then tests them, prints them, or runs the server in the foreground.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/conf.h"
#include "core/events.h"
#include "core/service.h"
#include "core/sys.h"
#include "proc/master.h"

#define MAX_TEXT   65536
#define EXIT_USAGE 2

enum mode {
    MODE_RUN,
    MODE_REHEARSE,
    MODE_TEST,
    MODE_PRINT
};

static const char usage[] =
    "usage: patrond [-c FILE] [-r | -t | -T]\n"
    "       patrond -V\n"
    "  -c FILE  read the settings from FILE (default: " SERVICE_SETTINGS ", if there is one)\n"
    "  -r       rehearse: start a worker and the helpers beside a running server, until they\n"
    "           are ready, and exit\n"
    "  -t       test the settings, report every problem, and exit\n"
    "  -T       print the settings in force, secrets masked, and exit\n"
    "  -V       print version and build, and exit\n"
    "It runs in the foreground; see patrond(8).\n";

static void print_version(void)
{
#ifdef __clang__
    static const char compiler[] = __VERSION__;
#else
    static const char compiler[] = "gcc " __VERSION__;
#endif

    printf("patrond %s\nbuilt with %s\nsettings: %s\n", PACKAGE_VERSION, compiler, SERVICE_SETTINGS);
}

/* ADMIN_KEY and an open CORS policy are matters of security, the rest of configuration. A problem begins with the
 * setting's name, or with "FILE:LINE: " and then the name. */
static enum event_id event_of(struct str problem)
{
    const char *colon = memmem(problem.p, problem.len, ": ", 2);
    size_t place = colon != NULL ? (size_t)(colon - problem.p) + 2 : 0;
    struct str rest = { problem.p + place, problem.len - place };

    for (int i = 0; i < 2; i++, rest = problem) {
        if (str_starts(rest, "ADMIN_KEY") || str_starts(rest, "ALLOWED_ORIGINS"))
            return EVENT_SECURITY_VALIDATION_FAILED;
    }
    return EVENT_CONFIGURATION_INVALID;
}

static void report(struct buf *problems, enum mode mode)
{
    struct str rest = buf_str(problems), line;

    while (str_split(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        if (mode == MODE_RUN)
            event_log(event_of(line), NULL, 0, "%.*s", (int)line.len, line.p);
        else
            fprintf(stderr, "patrond: %.*s\n", (int)line.len, line.p);
    }
}

static void warn(struct buf *warnings, enum mode mode)
{
    struct str rest = buf_str(warnings), line;

    while (str_split(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        if (mode == MODE_RUN)
            event_log_at(LOG_LEVEL_WARNING, EVENT_CONFIGURATION_INVALID, NULL, 0, "%.*s", (int)line.len, line.p);
        else
            fprintf(stderr, "patrond: warning: %.*s\n", (int)line.len, line.p);
    }
}

static struct conf *load(const char *path, enum mode mode)
{
    struct buf problems, warnings;
    struct conf *conf;

    buf_init(&problems, MAX_TEXT);
    buf_init(&warnings, MAX_TEXT);
    conf = conf_load(path, &problems, &warnings);
    warn(&warnings, mode);
    report(&problems, mode);
    buf_free(&problems);
    buf_free(&warnings);
    return conf;
}

/* What a unit's server reads is tested and printed as that server sees it, also by hand. */
static bool enter_service(const char *path, enum mode mode)
{
    struct service service;

    if ((mode != MODE_TEST && mode != MODE_PRINT) || path == NULL || !service_of_settings(path, &service))
        return false;
    if (!service_enter(&service))
        fputs("patrond: out of memory\n", stderr);
    return true;
}

/* The server must be able to read them as well, and is not root. */
static int end_test(struct conf *conf, const char *path, bool of_service)
{
    bool good = !of_service || (service_become_user(conf->state_dir) && access(path, R_OK) == 0);

    if (good)
        printf("patrond: the settings are good (%s)\n", path != NULL ? path : "no file");
    else
        fprintf(stderr, "patrond: %s: the server's user cannot read it: %s\n", path, strerror(errno));
    conf_free(conf);
    return good ? 0 : PROC_EXIT_CONFIG;
}

static int print_settings(struct conf *conf)
{
    struct buf text;
    bool good;

    buf_init(&text, MAX_TEXT);
    conf_print(conf, &text);
    good = !text.failed && fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    buf_free(&text);
    conf_free(conf);
    return good ? 0 : PROC_EXIT_FAILURE;
}

/* Rehearses, or serves. */
static int run_master(struct conf *conf, const char *executable, enum mode mode, struct succession *succession)
{
    enum log_level level = LOG_LEVEL_INFO;
    struct master_start start = { conf, executable, mode == MODE_REHEARSE, succession };

    if (mode == MODE_REHEARSE) {
        log_init("rehearsal", LOG_LEVEL_WARNING, false);
    } else {
        (void)log_level_parse(conf->log_level, &level);
        log_init("master", level, conf->json_logs);
    }
    return master_run(&start);
}

static int run(const char *path, const char *executable, enum mode mode)
{
    struct succession succession;
    struct conf *conf;
    bool of_service;

    succession_begin(&succession, executable, path);
    of_service = enter_service(path, mode);
    if (mode == MODE_REHEARSE) {
        printf("patrond %s rehearses\n", PACKAGE_VERSION); /* the server reads this line */
        fflush(stdout);
    }
    conf = succession.kind == SUCCESSION_RETURNED ? succession.conf : load(path, mode);
    if (conf == NULL) {
        if (of_service && geteuid() != 0 && getenv("CREDENTIALS_DIRECTORY") == NULL)
            fputs("patrond: only root sees the secrets that the credential store has for this server\n", stderr);
        succession_return(&succession, "its settings are not good");
        return PROC_EXIT_CONFIG;
    }
    if (mode == MODE_PRINT)
        return print_settings(conf);
    if (mode == MODE_TEST)
        return end_test(conf, path, of_service);
    return run_master(conf, executable, mode, &succession);
}

/* Where to find this program again: the path it was started by, as a new version will be installed there. */
static char *own_path(const char *argv0)
{
    char path[PATH_MAX];
    ssize_t n;

    if (argv0[0] == '/')
        return strdup(argv0);
    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return strdup(argv0);
    path[n] = '\0';
    return strdup(path);
}

/* The arguments give their place to the process title, so what is kept of them is copied. */
static int serve(int argc, char **argv, const char *path, enum mode mode)
{
    char *kept = path != NULL ? strdup(path) : NULL, *executable = own_path(argv[0]);
    int status;

    if ((path != NULL && kept == NULL) || executable == NULL) {
        fputs("patrond: out of memory\n", stderr);
        return PROC_EXIT_FAILURE;
    }
    (void)prctl(PR_SET_NAME, "patrond"); /* executed by descriptor it would be a number */
    sys_title_init(argc, argv);
    log_init("master", LOG_LEVEL_INFO, false);
    status = run(kept, executable, mode);
    free(kept);
    free(executable);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = access(SERVICE_SETTINGS, F_OK) == 0 ? SERVICE_SETTINGS : NULL;
    static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                             { "version", no_argument, NULL, 'V' },
                                             { NULL, 0, NULL, 0 } };
    enum mode mode = MODE_RUN;
    int option;

    while ((option = getopt_long(argc, argv, "c:rtTVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'r':
            mode = MODE_REHEARSE;
            break;
        case 't':
            mode = MODE_TEST;
            break;
        case 'T':
            mode = MODE_PRINT;
            break;
        case 'V':
            print_version();
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc)
        fprintf(stderr, "patrond: %s is not expected here\n", argv[optind]);
    if (optind < argc || argc < 1) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return serve(argc, argv, path, mode);
}
