/*
 * keyring: the API keys a server knows, held in memory and in a file, looked up by the SHA-256 of what was presented.
 *
 * A keyring never changes; a changed key table is a new keyring. The file
 * (STATE_DIR/api-keys, mode 0600) holds hashes, never keys: with it known
 * keys go on working while PostgreSQL is down, also after a restart. A file that is cut or damaged is
 * refused whole. Keys that have ended are kept as long as there is room, so that a refusal can say why.
 */
#ifndef DATA_KEYRING_H
#define DATA_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

#define KEYRING_MAX_KEYS    16384 /* keys beyond it are not known to the workers */
#define KEYRING_PREFIX_SIZE 11    /* the readable beginning of a key, and NUL */

enum key_scope {
    KEY_SCOPE_READ = 1,
    KEY_SCOPE_WRITE = 2,
    KEY_SCOPE_ADMIN = 4,
    KEY_SCOPE_ALL = 7
};

/* As in the file, in the machine's byte order. */
struct keyring_key {
    uint8_t hash[HASH_SHA256_BYTES];
    int64_t expires_us; /* wall clock */
    int32_t id;
    int32_t rate_per_hour; /* 0: that of the policy */
    uint8_t scopes;        /* bits of enum key_scope */
    uint8_t revoked;
    char prefix[KEYRING_PREFIX_SIZE];
    uint8_t zero[3];
};

struct keyring {
    uint64_t version; /* of the key table in PostgreSQL */
    uint64_t digest;  /* of version and keys; never 0 */
    size_t count;
    struct keyring_key *keys;
    uint32_t *index; /* open addressing by hash: place in keys + 1; 0: free */
    size_t index_mask;
};

/* Copies the keys (at most KEYRING_MAX_KEYS, in an order that depends on nothing but them). NULL: no memory. */
struct keyring *keyring_new(uint64_t version, const struct keyring_key *keys, size_t count);
void keyring_free(struct keyring *r);
/* NULL: nobody's. Place in r->keys: the result minus r->keys. */
const struct keyring_key *keyring_find(const struct keyring *r, const uint8_t hash[HASH_SHA256_BYTES]);

/* Replaces the file; it does not wait for the disk. False with errno. */
bool keyring_save(const struct keyring *r, const char *dir);
/* NULL with a reason (static); ENOENT in errno when there is no file. */
struct keyring *keyring_load(const char *dir, const char **why);

#endif
