/*
 * utf8: strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

bool utf8_valid(struct str s);
size_t utf8_length(struct str s);  /* characters of a valid string */
uint32_t utf8_first(struct str s); /* code point of the first character of a valid string; 0: it is empty */
/* Makes a text valid in place: each byte that is no part of a character, or of one that was cut off, becomes '?'. */
void utf8_mend(char *text);

#endif
