/*
 * cursor: version, sort value, id, then the first 16 bytes of an HMAC over those and the binding; base64url.
 * The binding itself is not carried.
 */
#include "api/cursor.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#define CURSOR_VERSION 1
#define PAYLOAD_BYTES  17
#define MAC_BYTES      16
#define CURSOR_BYTES   (PAYLOAD_BYTES + MAC_BYTES)

static const char key_purpose[] = "patrond search cursor";

void cursor_key(uint8_t key[HASH_SHA256_BYTES], const char *admin_key)
{
    hash_hmac_sha256(key, admin_key, strlen(admin_key), key_purpose, sizeof(key_purpose) - 1);
}

static void put_u64(uint8_t *dst, uint64_t v)
{
    v = htole64(v);
    memcpy(dst, &v, sizeof(v));
}

static uint64_t get_u64(const uint8_t *src)
{
    uint64_t v;

    memcpy(&v, src, sizeof(v));
    return le64toh(v);
}

static void sign(uint8_t mac[HASH_SHA256_BYTES], const uint8_t key[HASH_SHA256_BYTES], const uint8_t *payload,
                 uint64_t binding)
{
    uint8_t text[PAYLOAD_BYTES + 8];

    memcpy(text, payload, PAYLOAD_BYTES);
    put_u64(text + PAYLOAD_BYTES, binding);
    hash_hmac_sha256(mac, key, HASH_SHA256_BYTES, text, sizeof(text));
}

size_t cursor_encode(char dst[CURSOR_SIZE], const uint8_t key[HASH_SHA256_BYTES], uint64_t binding,
                     const struct select_cursor *c)
{
    uint8_t bytes[PAYLOAD_BYTES + HASH_SHA256_BYTES];
    uint64_t bits;

    memcpy(&bits, &c->key, sizeof(bits));
    bytes[0] = CURSOR_VERSION;
    put_u64(bytes + 1, bits);
    put_u64(bytes + 9, (uint64_t)c->id);
    sign(bytes + PAYLOAD_BYTES, key, bytes, binding);
    return str_base64url(dst, bytes, CURSOR_BYTES);
}

bool cursor_decode(struct select_cursor *c, const uint8_t key[HASH_SHA256_BYTES], uint64_t binding, struct str text)
{
    uint8_t bytes[CURSOR_BYTES], mac[HASH_SHA256_BYTES];
    uint64_t bits;

    if (str_base64url_decode(bytes, sizeof(bytes), text) != CURSOR_BYTES || bytes[0] != CURSOR_VERSION)
        return false;
    sign(mac, key, bytes, binding);
    if (!str_eq_secret((struct str){ (const char *)mac, MAC_BYTES },
                       (struct str){ (const char *)bytes + PAYLOAD_BYTES, MAC_BYTES }))
        return false;
    bits = get_u64(bytes + 1);
    memcpy(&c->key, &bits, sizeof(bits));
    c->id = (int64_t)get_u64(bytes + 9);
    c->present = true;
    return isfinite(c->key);
}
