/*
 * nl_rules: from a question to a tool and its arguments, by the rules of CONTRACT 17.2. Pure and deterministic.
 */
#ifndef API_NL_RULES_H
#define API_NL_RULES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Writes the arguments, a JSON object, into *arguments (emptied before). Answers the tool's name; NULL: the question
 * is not understood. Rules are tried in order, the first that fits answers.
 */
const char *nl_rules_read(struct str question, struct buf *arguments);

#endif
