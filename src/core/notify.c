/*
 * notify: the master's words to systemd.
 *
 * Failing to speak to systemd never fails the server: the answers of sd_notify are not looked at.
 */
#include "core/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

#define NOTIFY_STATUS_BYTES 256

void notify_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_mono_ns() / 1000));
}

void notify_stopping(const char *status, uint64_t limit_ns)
{
    (void)sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long)(limit_ns / 1000),
                     status);
}

void notify_status(const char *fmt, ...)
{
    char text[NOTIFY_STATUS_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            *p = ' ';
    }
    (void)sd_notifyf(0, "STATUS=%s", text);
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_interval_ns(void)
{
    uint64_t interval_us = 0;

    if (sd_watchdog_enabled(0, &interval_us) <= 0 || interval_us == 0 || interval_us > UINT64_MAX / 1000)
        return 0;
    return interval_us * 1000 / 2;
}

int notify_listen_fds(void)
{
    int n = sd_listen_fds(1);

    return n > 0 ? n : 0;
}

void notify_forget(void)
{
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}
