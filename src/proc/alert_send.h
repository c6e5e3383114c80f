/*
 * alert_send: posts alerts from a helper, so that a webhook that hangs holds nobody.
 */
#ifndef PROC_ALERT_SEND_H
#define PROC_ALERT_SEND_H

#include "proc/alert.h"
#include "proc/roles.h"

/* One message at a time; at its limit the helper is ended and counts as failed. */
struct alert_sender {
    pid_t pid; /* 0: idle */
    int fd;
    uint64_t start_ns;
    uint32_t due;                         /* what is under way */
    struct alert_state told[ALERT_COUNT]; /* and what it says */
    bool failing;                         /* the last message failed, and that was logged */
};

/* In every turn of the serving probe: reads the conditions, collects the helper's outcome, sends what is due. Does
 * nothing without ALERT_WEBHOOK_URL. */
void alert_step(struct alert_sender *s, const struct proc_context *ctx);
void alert_cancel(struct alert_sender *s);

/* Posts a test message and waits for its end; true: taken. `why`: what happened, in words. */
bool alert_post_test(const struct conf *conf, char *why, size_t why_size);

#endif
