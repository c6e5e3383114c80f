/*
 * conf_check: rules on the meaning of settings and across them, once all are read.
 */
#ifndef CORE_CONF_CHECK_H
#define CORE_CONF_CHECK_H

#include "core/conf.h"

#define CONF_MAX_OPTIONS 160

/* Where each setting's value came from ("FILE:LINE", "environment", a path), in the table's order; NULL: default. */
struct conf_origins {
    const char *of[CONF_MAX_OPTIONS];
};

/* Appends one line for each rule that is broken. */
void conf_check(const struct conf *c, const struct conf_origins *origins, struct buf *problems);

#endif
