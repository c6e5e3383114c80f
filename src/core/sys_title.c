/*
 * sys_title: the process title shown by ps.
 *
 * The kernel shows the bytes of argv and environ as they lie at the top of the
 * stack. The environment is copied away once, and the whole area becomes room for the title.
 */
#include "core/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *title_area; /* NULL: no room was found, titles are not set */
static size_t title_bytes;

/* The end of the strings that follow one another without a gap from `end` on. */
static char *extend_area(char *end, char *const *strings)
{
    for (; *strings != NULL; strings++) {
        if (*strings == end)
            end += strlen(*strings) + 1;
    }
    return end;
}

/* Replaces environ by a copy that stays for good, its strings in one piece; false (and nothing changed) when memory
 * is short. */
static bool copy_environment(void)
{
    static char **copy;
    static char *strings;
    size_t count = 0, bytes = 0;

    for (; environ[count] != NULL; count++)
        bytes += strlen(environ[count]) + 1;
    copy = calloc(count + 1, sizeof(*copy));
    strings = malloc(bytes + 1);
    if (copy == NULL || strings == NULL)
        return false;
    char *at = strings;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(environ[i]) + 1;
        copy[i] = memcpy(at, environ[i], n);
        at += n;
    }
    environ = copy;
    return true;
}

/* glibc's idea of the program's name points into argv, which is about to be overwritten. */
static bool copy_program_name(void)
{
    char *full = strdup(program_invocation_name);
    char *slash;

    if (full == NULL)
        return false;
    slash = strrchr(full, '/');
    program_invocation_name = full;
    program_invocation_short_name = slash != NULL ? slash + 1 : full;
    return true;
}

void sys_title_init(int argc, char **argv)
{
    char *end;

    if (argc < 1)
        return;
    end = extend_area(extend_area(argv[0], argv), environ);
    if (!copy_program_name() || !copy_environment())
        return;
    title_area = argv[0];
    title_bytes = (size_t)(end - argv[0]);
}

void sys_title_set(const char *fmt, ...)
{
    va_list ap;
    int n;

    if (title_area == NULL || title_bytes < 2)
        return;
    va_start(ap, fmt);
    n = vsnprintf(title_area, title_bytes, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < title_bytes)
        memset(title_area + n, 0, title_bytes - (size_t)n);
}
