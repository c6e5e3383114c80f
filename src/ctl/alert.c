/*
 * alert: patronctl alert-test posts a test message to ALERT_WEBHOOK_URL.
 */
#include <stdio.h>

#include "ctl/ctl.h"
#include "proc/alert_send.h"

int ctl_alert_test(struct ctl *ctl, int argc, char **argv)
{
    int status = ctl_no_arguments(argc, argv);
    char why[160];

    if (status != CTL_OK)
        return status;
    if (ctl->problems.len > 0) {
        fprintf(stderr, "%.*s", (int)ctl->problems.len, ctl->problems.data);
        return ctl_fail(CTL_CONFIG, "alert-test needs good settings");
    }
    if (ctl->conf->alert_webhook_url[0] == '\0')
        return ctl_fail(CTL_CONFIG, "ALERT_WEBHOOK_URL is not set: nobody is told of anything");
    if (!alert_post_test(ctl->conf, why, sizeof(why)))
        return ctl_fail(CTL_FAILED, "the test message was not taken: %s", why);
    printf("the test message was taken: %s\n", why);
    return CTL_OK;
}
