/*
 * key_uses: how often and when last each API key was used, from the worker's counts to PostgreSQL.
 */
#ifndef API_KEY_USES_H
#define API_KEY_USES_H

#include <stdint.h>

struct api;

/* Sends what was counted, unless a batch is still on its way, and sets the time of the next one. */
void key_uses_write(struct api *a);
/* A minute from now, more or less: the workers do not write at the same time. */
uint64_t key_uses_next(void);

#endif
