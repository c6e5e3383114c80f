/*
 * ctl: what the commands of patronctl share.
 *
 * A command reads the scoreboard and sends signals; it asks the server nothing
 * and so needs no answer from a busy process. Exit status: 0 done, 1 failed, 2 wrong usage, 3 patrond does not run,
 * 78 settings that cannot be used.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"
#include "core/conf.h"
#include "core/scoreboard.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_NOT_RUNNING = 3,
    CTL_CONFIG = 78
};

#define CTL_POLL_MS 50
#define CTL_COLUMNS 80 /* of a terminal, where nothing tells how wide it is */

struct ctl {
    struct conf *conf;   /* as far as it could be read */
    const char *unit;    /* of systemd: patrond.service, or that of the instance */
    struct buf problems; /* of the settings, one a line; empty: the settings are good */
    /* Set by ctl_find, ctl_attach. */
    pid_t master;
    struct scoreboard *sb;
};

struct ctl_command {
    const char *name, *arguments, *doc;
    int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0] is the command's name */
    bool as_service;                                    /* asks the dependencies, so as the server's user */
    const char *more;                                   /* lines on the arguments; NULL: none */
};

/* Finds the running master by its lock, of whatever version; CTL_OK, or the exit status after saying why not. */
int ctl_find(struct ctl *ctl);
/* The same, and maps its scoreboard; CTL_OK, or the exit status after saying why not. */
int ctl_attach(struct ctl *ctl, bool writable);
/* Is the master that ctl_attach found still there? */
bool ctl_running(const struct ctl *ctl);
/* Sends the master the signal of a command (proc/signals); CTL_OK or CTL_FAILED, said. */
int ctl_signal(const struct ctl *ctl, const char *verb);
void ctl_pause(void);                                                /* CTL_POLL_MS */
const char *ctl_duration(int64_t seconds, char dst[32]);             /* "3d 04:05:06" */
const char *ctl_process_name(const struct sb_slot *s, char dst[24]); /* "worker 3" */
double ctl_beat_age_s(const struct sb_slot *s,
                      uint64_t now_ns); /* seconds since its last sign of life; 0: none yet */
/* The slots in use: workers by index, then the helpers, of each the older generation first. */
unsigned ctl_processes(const struct scoreboard *sb, const struct sb_slot *used[SB_SLOTS]);
void ctl_print_processes(const struct scoreboard *sb);
/* Prints what `write` composes, and a newline; CTL_OK, or CTL_FAILED after saying why. */
int ctl_print_json(const struct ctl *ctl, void (*write)(const struct ctl *ctl, struct buf *out));
/* Says it on stderr, behind "patronctl: ". */
void ctl_say(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* Says on stderr what went wrong and answers `status`. */
int ctl_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ctl_columns(void); /* of the terminal that stdout is; 0: it is none, and a line may be as long as it wants */
/* The rest of a line that has `indent` columns already, in lines of at most `columns` (0: however long), each further
 * one indented; what stands in brackets is kept together. */
void ctl_print_wrapped(FILE *to, const char *text, int indent, int columns);

/* Says on stderr what is wrong with the arguments of a command, and how it is used; CTL_USAGE. */
int ctl_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For commands that take --json and nothing else: CTL_OK with *json, or CTL_USAGE, said. */
int ctl_only_json(int argc, char **argv, bool *json);
/* For commands that take no arguments: CTL_OK, or CTL_USAGE, said. */
int ctl_no_arguments(int argc, char **argv);

int ctl_status(struct ctl *ctl, int argc, char **argv);
int ctl_sync(struct ctl *ctl, int argc, char **argv);
int ctl_reload(struct ctl *ctl, int argc, char **argv);
int ctl_upgrade(struct ctl *ctl, int argc, char **argv);
int ctl_workers(struct ctl *ctl, int argc, char **argv);
int ctl_top(struct ctl *ctl, int argc, char **argv);
int ctl_doctor(struct ctl *ctl, int argc, char **argv);
int ctl_incident(struct ctl *ctl, int argc, char **argv);
int ctl_stop(struct ctl *ctl, int argc, char **argv);
int ctl_models(struct ctl *ctl, int argc, char **argv);
int ctl_alert_test(struct ctl *ctl, int argc, char **argv);
int ctl_check(struct ctl *ctl, int argc, char **argv);
int ctl_verify(struct ctl *ctl, int argc, char **argv);
int ctl_keys(struct ctl *ctl, int argc, char **argv);

/* The scoreboard as one JSON object (status --json). */
void ctl_status_json(const struct ctl *ctl, struct buf *out);
/* Its workers and helpers alone (workers --json). */
void ctl_workers_json(const struct ctl *ctl, struct buf *out);

#endif
