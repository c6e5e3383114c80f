/*
 * cursor: where the next page of a search begins, as opaque text.
 *
 * Signed with a key derived from ADMIN_KEY, so a cursor is good on every
 * machine and after a restart, and bound to the filters and the sort it was
 * made for. It names a sort value and an id, so it outlives a data version.
 */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"
#include "data/select.h"

#define CURSOR_SIZE 64 /* text and NUL */

void cursor_key(uint8_t key[HASH_SHA256_BYTES], const char *admin_key);
/* `binding` stands for filters and sort. Returns the length. */
size_t cursor_encode(char dst[CURSOR_SIZE], const uint8_t key[HASH_SHA256_BYTES], uint64_t binding,
                     const struct select_cursor *c);
/* False for anything this key and binding did not sign. */
bool cursor_decode(struct select_cursor *c, const uint8_t key[HASH_SHA256_BYTES], uint64_t binding, struct str text);

#endif
