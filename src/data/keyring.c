/*
 * keyring: see the header.
 */
#include "data/keyring.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sys.h"

#define FILE_NAME   "api-keys"
#define FILE_MAGIC  0x3159454b54415050ULL /* "PPATKEY1" */
#define FILE_LAYOUT 1
#define FILE_MAX    (sizeof(struct file_header) + KEYRING_MAX_KEYS * sizeof(struct keyring_key))

struct file_header {
    uint64_t magic;
    uint32_t layout, count;
    uint64_t version, digest;
};

_Static_assert(sizeof(struct keyring_key) == 64, "no padding: the digest covers every byte");

static uint64_t digest_of(uint64_t version, const struct keyring_key *keys, size_t count)
{
    uint64_t digest = hash_fast(hash_u64(version), keys, count * sizeof(*keys));

    return digest != 0 ? digest : 1;
}

static size_t place_of(const struct keyring *r, const uint8_t hash[HASH_SHA256_BYTES])
{
    uint64_t start;

    memcpy(&start, hash, sizeof(start));
    return (size_t)start & r->index_mask;
}

static void fill_index(struct keyring *r)
{
    for (size_t i = 0; i < r->count; i++) {
        size_t at = place_of(r, r->keys[i].hash);

        while (r->index[at] != 0)
            at = (at + 1) & r->index_mask;
        r->index[at] = (uint32_t)i + 1;
    }
}

struct keyring *keyring_new(uint64_t version, const struct keyring_key *keys, size_t count)
{
    struct keyring *r = calloc(1, sizeof(*r));
    size_t places = 16;

    if (r == NULL)
        return NULL;
    if (count > KEYRING_MAX_KEYS)
        count = KEYRING_MAX_KEYS;
    while (places < 2 * count) /* at least half of them stay free */
        places *= 2;
    r->keys = calloc(count + 1, sizeof(*r->keys));
    r->index = calloc(places, sizeof(*r->index));
    if (r->keys == NULL || r->index == NULL) {
        keyring_free(r);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        r->keys[i] = keys[i];
        r->keys[i].prefix[KEYRING_PREFIX_SIZE - 1] = '\0';
    }
    r->version = version;
    r->count = count;
    r->index_mask = places - 1;
    r->digest = digest_of(version, r->keys, count);
    fill_index(r);
    return r;
}

void keyring_free(struct keyring *r)
{
    if (r == NULL)
        return;
    free(r->keys);
    free(r->index);
    free(r);
}

const struct keyring_key *keyring_find(const struct keyring *r, const uint8_t hash[HASH_SHA256_BYTES])
{
    size_t at = place_of(r, hash);

    for (; r->index[at] != 0; at = (at + 1) & r->index_mask) {
        const struct keyring_key *key = &r->keys[r->index[at] - 1];

        if (memcmp(key->hash, hash, HASH_SHA256_BYTES) == 0)
            return key;
    }
    return NULL;
}

/* ---- the file ---- */

bool keyring_save(const struct keyring *r, const char *dir)
{
    struct file_header h = { .magic = FILE_MAGIC,
                             .layout = FILE_LAYOUT,
                             .count = (uint32_t)r->count,
                             .version = r->version,
                             .digest = r->digest };
    size_t key_bytes = r->count * sizeof(*r->keys);
    char *bytes = malloc(sizeof(h) + key_bytes + 1);
    int rc, saved;

    if (bytes == NULL)
        return false;
    memcpy(bytes, &h, sizeof(h));
    memcpy(bytes + sizeof(h), r->keys, key_bytes);
    rc = sys_write_file_unsynced(dir, FILE_NAME, bytes, sizeof(h) + key_bytes, 0600);
    saved = errno;
    free(bytes);
    errno = saved;
    return rc == 0;
}

static struct keyring *read_keys(const char *bytes, size_t n, const char **why)
{
    const struct keyring_key *keys;
    struct file_header h;

    *why = "it is cut";
    if (n < sizeof(h))
        return NULL;
    memcpy(&h, bytes, sizeof(h));
    if (h.magic != FILE_MAGIC || h.layout != FILE_LAYOUT) {
        *why = "it is of another kind";
        return NULL;
    }
    if (h.count > KEYRING_MAX_KEYS || n != sizeof(h) + h.count * sizeof(struct keyring_key))
        return NULL;
    keys = (const struct keyring_key *)(const void *)(bytes + sizeof(h));
    *why = "its checksum is wrong";
    if (digest_of(h.version, keys, h.count) != h.digest)
        return NULL;
    *why = "no memory";
    return keyring_new(h.version, keys, h.count);
}

struct keyring *keyring_load(const char *dir, const char **why)
{
    char path[PATH_MAX], *bytes;
    struct keyring *r;
    size_t n;
    int len = snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);

    *why = "it cannot be read";
    if (len < 0 || (size_t)len >= sizeof(path))
        return NULL;
    bytes = sys_read_file(path, FILE_MAX, &n);
    if (bytes == NULL)
        return NULL;
    r = read_keys(bytes, n, why);
    free(bytes);
    errno = 0;
    return r;
}
