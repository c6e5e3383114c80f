/*
 * patrond_faulty: a patrond with faults. As an heir it breaks when it takes over, as the environment says
 * (PATROND_FAULT): this takes the place of proc/adopt. A worker that is to accept while the file PATROND_SPIN exists
 * removes it, writes its pid into another beside it, and computes for ever: that is put before proc/balance.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/master.h"

#define balance_may_accept balance_may_accept_really
#include "proc/balance.c"
#undef balance_may_accept
bool balance_may_accept(struct balance *b, unsigned connections, uint64_t now_ns);

static void spin(const char *path)
{
    char beside[256];
    volatile unsigned long turns = 0;
    FILE *out;

    (void)snprintf(beside, sizeof(beside), "%.*s/spun", (int)(strrchr(path, '/') - path), path);
    if (unlink(path) != 0) /* another worker has taken it */
        return;
    out = fopen(beside, "w");
    if (out == NULL)
        return;
    fprintf(out, "%d\n", (int)getpid());
    fclose(out);
    for (;;)
        turns++;
}

bool balance_may_accept(struct balance *b, unsigned connections, uint64_t now_ns)
{
    const char *path = getenv("PATROND_SPIN");

    if (path != NULL && strchr(path, '/') != NULL && access(path, F_OK) == 0)
        spin(path);
    return balance_may_accept_really(b, connections, now_ns);
}

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
