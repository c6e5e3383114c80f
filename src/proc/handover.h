/*
 * handover: what one image of the program leaves to the next one in the same process, as text.
 *
 * Entries "name=value", each ended by a NUL; lower-case names are descriptors and numbers, upper-case ones the packed
 * settings of the writer, which only itself reads again when it is sent back. Unknown names are skipped, so that
 * versions can add some. The children are not in it: the scoreboard is their book.
 */
#ifndef PROC_HANDOVER_H
#define PROC_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/listen.h"

struct handover {
    char version[32]; /* of the writer */
    int image_fd;     /* the writer's executable: the way back */
    int next_fd;      /* the executable that reads it */
    int lock_fd;
    int scoreboard_fd;
    int lifeline[2];
    struct listen_set listen;
    unsigned workers;     /* a generation's, as the writer runs them */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC: ready by then, or the way back */
    bool reload_wanted;   /* HUP came meanwhile */
};

void handover_write(const struct handover *h, struct buf *out);
/* False when something needed is missing or no number; image_fd is right (-1: unknown) even then. */
bool handover_read(struct str text, struct handover *h);

#endif
