/*
 * log: one line, one write(2).
 *
 * Lines go to stderr (descriptor 2), never block on memory, are cut at
 * LOG_LINE_BYTES, and hold no control characters but the closing newline.
 * What the program has to say to an operator goes through core/events, which
 * calls log_raw; log_debug and the fatal verbs are for the programmer and for the time before
 * the configuration is read.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_LINE_BYTES 8192

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_CRITICAL
};

void log_init(const char *role, enum log_level least, bool json); /* role is copied: "master", "worker/0" */
void log_set_role(const char *role);
const char *log_role(void);
bool log_json(void);
bool log_enabled(enum log_level level);
const char *log_level_name(enum log_level level); /* "debug" … "critical" */
bool log_level_parse(const char *name, enum log_level *level);

/* Writes a finished line as it is (a newline is added; control characters become spaces). */
void log_raw(const char *line, size_t n);
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Print and leave with `status`; fatal appends strerror(errno), fatalx does not. */
void fatal(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
void fatalx(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
