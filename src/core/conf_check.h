/*
 * conf_check: the rules that go beyond one value's syntax.
 */
#ifndef CORE_CONF_CHECK_H
#define CORE_CONF_CHECK_H

#include "base/buf.h"
#include "core/conf.h"

/* Appends a line to `problems` for each rule the settings break. */
void conf_check(const struct conf *c, struct buf *problems);

#endif
