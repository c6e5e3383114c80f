/*
 * options: the one table of settings. A row gives parsing, default, range,
 * reload rule, secrecy and the sentence for the manual; scripts/check-options
 * holds patrond.conf(5) and etc/patrond.conf against it.
 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_STRING,
    OPTION_INT,
    OPTION_BOOL,
    OPTION_DOUBLE,
    OPTION_RATE,
    OPTION_CHOICE
};

enum option_flag {
    OPTION_NO_RELOAD = 1, /* only a restart changes it */
    OPTION_SECRET = 2,    /* masked in every print; also read from NAME_FILE and from a credential */
    OPTION_REQUIRED = 4,  /* the server does not start without it (conf_check); the manual says so */
    OPTION_URL = 8,       /* a password inside is masked in every print */
};

struct option {
    const char *name;  /* "MAX_BODY_BYTES" */
    const char *alias; /* older name, or NULL */
    enum option_type type;
    size_t offset;              /* in struct conf */
    const char *initial;        /* default as text */
    double least, most;         /* of numbers, inclusive */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated; the value is the index */
    unsigned flags;
    const char *doc; /* one sentence */
};

const struct option *options_table(size_t *count);
const struct option *options_find(const char *name, size_t len); /* by name or alias */
/* May it stand in the file, in a file of its own (NAME_FILE), or among systemd's credentials? */
bool options_is_secret(const struct option *o);

#endif
