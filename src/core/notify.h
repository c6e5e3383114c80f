/*
 * notify: what systemd hears from the master (sd_notify). All calls are silent no-ops without NOTIFY_SOCKET.
 */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

void notify_ready(const char *status);
void notify_reloading(void);
/* Draining may take as long as `limit_ns`: asks for that time. */
void notify_stopping(const char *status, uint64_t limit_ns);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_watchdog(void);
/* Half of WATCHDOG_USEC as nanoseconds; 0: no watchdog. */
uint64_t notify_watchdog_interval_ns(void);
/* Listening sockets handed over by systemd (LISTEN_FDS): their number, first is fd 3; unsets the environment. */
int notify_listen_fds(void);
/* Children must not speak for the master. */
void notify_forget(void);

#endif
