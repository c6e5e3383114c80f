/*
 * signals: the one table of what the master understands, for its handler, patronctl and the manual.
 */
#ifndef PROC_SIGNALS_H
#define PROC_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>

/* In the order in which the master looks at them. */
enum signals_flag {
    SIGNALS_QUIT,
    SIGNALS_TERM,
    SIGNALS_INT,
    SIGNALS_CHLD,
    SIGNALS_HUP,
    SIGNALS_USR2,
    SIGNALS_USR1,
    SIGNALS_TTIN,
    SIGNALS_TTOU,
    SIGNALS_COUNT
};

struct signals_row {
    int signo;
    const char *name; /* "HUP" */
    const char *verb; /* the patronctl command that sends it, NULL: none */
    const char *doc;
};

extern const struct signals_row signals_table[SIGNALS_COUNT];

/* Blocks every signal of the table but inside signals_wait, and installs the handlers, which only raise flags. */
void signals_init(void);
/* Sleeps at most `ms`, less when a signal comes. */
void signals_wait(int ms);
/* Was it raised since the last call? */
bool signals_take(enum signals_flag flag);
/* In a child: default handlers, SIGPIPE and the signals that are the master's alone (USR2, TTIN, TTOU) ignored,
 * nothing blocked but the signals of the child's signalfd, whose descriptor it answers (-1 with errno). */
int signals_child_reset(void);
/* In a short-lived helper: default handlers, the same ignored, HUP and USR1 as well, nothing blocked. */
void signals_task_reset(void);

/* "SIGSEGV"; "signal N" for those without a name. */
const char *signals_name(int signo, char dst[16]);
/* The signal a patronctl command sends, 0: none. */
int signals_of_verb(const char *verb);

#endif
