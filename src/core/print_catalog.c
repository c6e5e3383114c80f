/*
 * print_catalog: the journal catalog (journalctl -x) of the table of events, on stdout. Run by make.
 */
#include <stdio.h>
#include <string.h>

#include "core/events.h"

#define WIDTH 78

/* "label: text", with lines of at most WIDTH bytes where words allow. */
static void print_wrapped(const char *label, const char *text)
{
    size_t column = (size_t)printf("%s:", label);

    while (*text != '\0') {
        size_t word = strcspn(text, " ");

        if (column + 1 + word > WIDTH)
            column = (size_t)printf("\n  %.*s", (int)word, text) - 1;
        else
            column += (size_t)printf(" %.*s", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

int main(void)
{
    printf("# Made of the table of events; the language is English.\n");
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        const struct event *e = event_get((enum event_id)i);

        printf("\n-- %s\nSubject: patrond: %s\nDefined-By: patrond\nSupport: man:patrond(8)\n", e->message_id,
               e->name);
        printf("Documentation: man:patrond(8)\n\n");
        print_wrapped("Meaning", e->meaning);
        print_wrapped("Check", e->check);
        print_wrapped("Fix", e->fix);
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
