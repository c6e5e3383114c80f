/*
 * conf_value: the text of a setting into its member of struct conf.
 */
#ifndef CORE_CONF_VALUE_H
#define CORE_CONF_VALUE_H

#include "base/str.h"
#include "core/conf.h"
#include "core/options.h"

/* NULL, or the words for what was expected ("a whole number"); ranges and choices are in the option. */
const char *conf_value_store(struct conf *c, const struct option *o, struct str s);

#endif
