/*
 * patrond_faulty: a patrond that rehearses well and breaks when it takes over, as the environment says
 * (PATROND_FAULT). It takes the place of proc/adopt.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/master.h"

void adopt_children(struct master *m, struct scoreboard *sb, bool foreign)
{
    const char *fault = getenv("PATROND_FAULT");

    (void)m;
    (void)sb;
    (void)foreign;
    if (fault == NULL)
        abort();
    if (strcmp(fault, "segv") == 0)
        raise(SIGSEGV);
    if (strcmp(fault, "exit") == 0)
        exit(3);
    for (;;) /* hang */
        pause();
}

void adopt_settle(struct master *m)
{
    (void)m;
}
