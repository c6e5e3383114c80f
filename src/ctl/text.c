/*
 * text: how patronctl says things: failures, spans of time, lines that fit a terminal.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/ctl.h"

void ctl_say(const char *fmt, va_list ap)
{
    fputs("patronctl: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

int ctl_fail(int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ctl_say(fmt, ap);
    va_end(ap);
    return status;
}

const char *ctl_duration(int64_t seconds, char dst[32])
{
    if (seconds < 0)
        seconds = 0;
    if (seconds >= 86400)
        snprintf(dst, 32, "%lldd %02d:%02d:%02d", (long long)(seconds / 86400), (int)(seconds / 3600 % 24),
                 (int)(seconds / 60 % 60), (int)(seconds % 60));
    else
        snprintf(dst, 32, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
    return dst;
}

int ctl_columns(void)
{
    struct winsize size = { .ws_col = CTL_COLUMNS };

    if (!isatty(STDOUT_FILENO))
        return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : CTL_COLUMNS;
}

/* How much of the text goes into a line of so many columns: up to a blank outside of brackets, or all of it. */
static size_t line_length(const char *text, size_t columns)
{
    size_t fits = 0, i;
    int depth = 0;

    for (i = 0; text[i] != '\0'; i++) {
        depth += (text[i] == '[') - (text[i] == ']');
        if (text[i] != ' ' || depth > 0)
            continue;
        if (i > columns && fits > 0)
            return fits;
        fits = i;
    }
    return i <= columns || fits == 0 ? i : fits;
}

void ctl_print_wrapped(FILE *to, const char *text, int indent, int columns)
{
    size_t room = columns > indent ? (size_t)(columns - indent) : SIZE_MAX;

    for (;;) {
        size_t n = line_length(text, room);

        fprintf(to, "%.*s\n", (int)n, text);
        text += n;
        if (*text == '\0')
            return;
        text++; /* the blank */
        fprintf(to, "%*s", indent, "");
    }
}
