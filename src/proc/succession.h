/*
 * succession: one image of the program executes another in its own process, and that one finds the way back.
 *
 * The heir gets the handover in a memory file (PATROND_HANDOVER names the descriptor) and every descriptor in it.
 * Until it proves itself it is on probation: whatever ends it (a fault, a crash, a hang) executes the image before it
 * again, which learns why from PATROND_RETURN. Same process id, same children, no descriptor closed in either
 * direction.
 */
#ifndef PROC_SUCCESSION_H
#define PROC_SUCCESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conf.h"
#include "proc/handover.h"

enum succession_kind {
    SUCCESSION_NONE,    /* an ordinary start */
    SUCCESSION_HEIR,    /* executed by another image, on probation */
    SUCCESSION_RETURNED /* executed again, the heir has failed */
};

struct succession {
    enum succession_kind kind;
    struct handover from; /* HEIR: of the image before; RETURNED: as this image wrote it */
    int state_fd;         /* the memory file */
    /* RETURNED */
    struct conf *conf;          /* the settings this image had; the caller's. NULL: no memory */
    int other_scoreboard_fd;    /* the heir's own, -1: none */
    char version[32], why[512]; /* of the heir; why it failed */
};

/* First thing in main: takes what the environment holds, and puts an heir on its probation. `executable` and `path`
 * (settings, NULL: none) are what to execute on the way back. */
void succession_begin(struct succession *s, const char *executable, const char *path);
/* After the descriptors were taken over, which may have made them close-on-exec: the way back needs them. */
void succession_share(const struct succession *s);
/* An heir's own scoreboard, so that its children are found after a return. */
void succession_tell_scoreboard(struct succession *s, int fd);
/* Executes the image before; comes back only when that fails, or the probation is over. */
void succession_return(struct succession *s, const char *why);
/* The probation is over: no way back any more. */
void succession_end(struct succession *s);

/* In a child: closes what only the master has. */
void succession_forget(const struct succession *s);

/* Executes h->next_fd with the handover and the settings to come back to; comes back only when that fails, with
 * errno.
 */
void succession_execute(const struct handover *h, const struct conf *conf, const char *executable);

/* A descriptor of the executable that runs here, close-on-exec; -1 with errno. */
int succession_open_self(void);

#endif
