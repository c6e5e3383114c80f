/*
 * alert_send: posts alerts from a helper, so that a webhook that hangs holds nobody.
 */
#ifndef PROC_ALERT_SEND_H
#define PROC_ALERT_SEND_H

#include "proc/alert.h"
#include "proc/roles.h"

/* One message at a time; at its limit the helper is ended and counts as failed. */
struct alert_sender {
    struct alert_board board;
    bool loaded;       /* the board is what the probe before this one left */
    uint64_t death_ns; /* when a process died last; 0: none has */
    uint64_t stale_ns; /* since when the data look stale; 0: they do not */
    pid_t pid;         /* 0: idle */
    int fd;
    uint64_t start_ns;
    uint32_t due;                         /* what is under way */
    struct alert_state told[ALERT_COUNT]; /* and what it says */
    bool failing;                         /* the last message failed, and that was logged */
    bool unsaved;                         /* the board could not be read or saved, and that was logged */
};

/* In every turn of a probe: collects the helper's outcome; the serving one also reads the conditions and sends what
 * is due, once the probe before it has no message under way. Sends nothing without ALERT_WEBHOOK_URL. */
void alert_step(struct alert_sender *s, const struct proc_context *ctx, bool serving);
/* At the probe's end: a moment for a message under way, so that it is not told again by the next one. */
void alert_finish(struct alert_sender *s, const struct proc_context *ctx);

/* Posts a test message and waits for its end; true: taken. `why`: what happened, in words. */
bool alert_post_test(const struct conf *conf, char *why, size_t why_size);

#endif
