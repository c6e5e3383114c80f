/*
 * print_options: the table of settings as lines
 * "NAME|alias|type|default|least|most|choices|reload|required|secret|sentence", for scripts/check-options.
 */
#include <stdio.h>

#include "core/options.h"

static const char *const types[] = {
    [OPTION_STRING] = "text",   [OPTION_INT] = "whole", [OPTION_BOOL] = "flag",
    [OPTION_DOUBLE] = "number", [OPTION_RATE] = "rate", [OPTION_CHOICE] = "choice",
};

int main(void)
{
    size_t count;
    const struct option *table = options_table(&count);

    for (size_t i = 0; i < count; i++) {
        const struct option *o = &table[i];
        printf("%s|%s|%s|%s|%.15g|%.15g|", o->name, o->alias ? o->alias : "", types[o->type], o->initial, o->least,
               o->most);
        for (int c = 0; o->type == OPTION_CHOICE && o->choices[c] != NULL; c++)
            printf("%s%s", c ? "," : "", o->choices[c]);
        printf("|%s|%s|%s|%s\n", o->flags & OPTION_NO_RELOAD ? "restart" : "reload",
               o->flags & OPTION_REQUIRED ? "required" : "",
               o->flags & OPTION_SECRET ? "secret"
               : o->flags & OPTION_URL  ? "url"
                                        : "",
               o->doc);
    }
    return 0;
}
