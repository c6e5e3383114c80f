/*
 * log: the line is put together on the stack and leaves in one write(2). A
 * descriptor that takes no more (EAGAIN, ENOSPC, EPIPE) costs the line, not the program.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

static struct {
    char role[32];
    enum log_level least;
    bool json;
} state = { .least = LOG_LEVEL_INFO };

static const char *const level_names[] = { "debug", "info", "warning", "error", "critical" };
#define LEVELS (sizeof(level_names) / sizeof(level_names[0]))

void log_init(const char *role, enum log_level least, bool json)
{
    log_set_role(role);
    state.least = least;
    state.json = json;
}

void log_set_role(const char *role)
{
    str_copy(state.role, sizeof(state.role), str_from(role));
}

const char *log_role(void)
{
    return state.role;
}

bool log_json(void)
{
    return state.json;
}

bool log_enabled(enum log_level level)
{
    return level >= state.least;
}

const char *log_level_name(enum log_level level)
{
    return (size_t)level < LEVELS ? level_names[level] : "";
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (str_ieq(str_from(name), level_names[i])) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* n, or less so that no character is cut in the middle. */
static size_t whole_characters(const char *line, size_t n)
{
    size_t cut = n;

    for (size_t back = 0; back < 4 && cut > 0; back++) {
        if (((unsigned char)line[cut] & 0xc0) != 0x80)
            return cut;
        cut--;
    }
    return n;
}

static void write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        bytes += done;
        n -= (size_t)done;
    }
}

void log_raw(const char *line, size_t n)
{
    char out[LOG_LINE_BYTES];
    int saved = errno;

    if (n > sizeof(out) - 1)
        n = whole_characters(line, sizeof(out) - 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];
        out[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    out[n] = '\n';
    write_all(out, n + 1);
    errno = saved;
}

/* "role: level: text[: error]" */
static void put_line(const char *level, const char *error, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void put_line(const char *level, const char *error, const char *fmt, va_list ap)
{
    char text[LOG_LINE_BYTES], line[LOG_LINE_BYTES];
    const char *role_end = state.role[0] != '\0' ? ": " : "";
    const char *error_start = error ? ": " : "";

    vsnprintf(text, sizeof(text), fmt, ap);
    int n = snprintf(line, sizeof(line), "%s%s%s: %s%s%s", state.role, role_end, level, text, error_start,
                     error ? error : "");
    if (n > 0)
        log_raw(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void log_debug(const char *fmt, ...)
{
    va_list ap;

    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    va_start(ap, fmt);
    put_line("debug", NULL, fmt, ap);
    va_end(ap);
}

void fatal(int status, const char *fmt, ...)
{
    const char *error = strerror(errno);
    va_list ap;

    va_start(ap, fmt);
    put_line("fatal", error, fmt, ap);
    va_end(ap);
    exit(status);
}

void fatalx(int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_line("fatal", NULL, fmt, ap);
    va_end(ap);
    exit(status);
}
