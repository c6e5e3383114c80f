/*
 * keys: the API keys as one worker knows them, kept in step with PostgreSQL.
 *
 * Twice a second one worker of the machine, whichever comes first, asks for the
 * version of the key table; when it has changed (or has not been read for KEY_REFRESH) one worker reads the table,
 * writes the file for all (data/keyring) and announces its digest in the
 * scoreboard. The others take the file that has the announced digest, or, should it not be there (disk
 * full), read the table themselves. Without PostgreSQL everybody keeps what he has: at the start,
 * the file. Expiry needs nobody.
 *
 * Uses are counted here and written once a minute; what cannot be written waits for the next time.
 */
#ifndef API_KEYS_H
#define API_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/keyring.h"
#include "net/pgpool.h"

struct api;

struct keys_use {
    int64_t count, last_us;
};

/* Uses on their way to PostgreSQL, by hash: the keyring may be another one when the answer comes. */
struct keys_batch {
    struct {
        uint8_t hash[HASH_SHA256_BYTES];
        struct keys_use use;
    } * rows;
    size_t count;
};

struct keys {
    struct keyring *ring;  /* never NULL */
    struct keys_use *uses; /* one for each key of the ring */
    struct pgpool_query *asking, *reading, *writing;
    uint64_t tick_ns;    /* of the next one */
    uint64_t lease_ns;   /* this worker reads for all until then; 0: for itself */
    uint64_t written_ns; /* the next time uses are written */
    struct keys_batch batch;
    bool told_unsaved;
};

/* Takes the keys of the file, if there is one. False: no memory. */
bool keys_init(struct api *a);
void keys_free(struct api *a);
/* Cheap; called every turn. */
void keys_tick(struct api *a);
/* The table has just been changed by this worker: be quick. */
void keys_changed(struct api *a);
/* Writes the uses counted so far; the worker is about to go. */
void keys_flush(struct api *a);

/* Of the ring in use. */
void keys_count_use(struct keys *k, const struct keyring_key *key, int64_t now_us);

#endif
