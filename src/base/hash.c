/*
 * hash: SHA-256 through one digest context kept per process (fetching it each
 * time costs more than hashing a key), HMAC, SipHash-2-4, and the data checksum.
 *
 * libcrypto failing on SHA-256 means no memory or a broken installation; there is no safe way on, so it is fatal.
 */
#include "base/hash.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

_Static_assert(HASH_SHA256_HEX == 2 * HASH_SHA256_BYTES + 1, "two digits a byte and the NUL");

#define EXIT_NO_CRYPTO 70

void hash_sha256(uint8_t out[HASH_SHA256_BYTES], const void *data, size_t n)
{
    static EVP_MD *md;
    static EVP_MD_CTX *ctx;

    if (!md)
        md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!ctx)
        ctx = EVP_MD_CTX_new();
    if (!md || !ctx || !EVP_DigestInit_ex2(ctx, md, NULL) || !EVP_DigestUpdate(ctx, data, n) ||
        !EVP_DigestFinal_ex(ctx, out, NULL))
        fatalx(EXIT_NO_CRYPTO, "SHA-256 failed in libcrypto: out of memory, or the OpenSSL installation is broken");
}

void hash_sha256_hex(char out[HASH_SHA256_HEX], const void *data, size_t n)
{
    uint8_t digest[HASH_SHA256_BYTES];

    hash_sha256(digest, data, n);
    str_hex(out, digest, sizeof(digest));
}

void hash_hmac_sha256(uint8_t out[HASH_SHA256_BYTES], const void *key, size_t key_bytes, const void *data, size_t n)
{
    if (key_bytes > INT_MAX || !HMAC(EVP_sha256(), key_bytes > 0 ? key : "", (int)key_bytes, data, n, out, NULL))
        fatalx(EXIT_NO_CRYPTO,
               "HMAC-SHA-256 failed in libcrypto: out of memory, or the OpenSSL installation is broken");
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t load_le64(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* The last n < 8 bytes, zero behind them. */
static uint64_t load_tail(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void sip_rounds(uint64_t v[4], unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_absorb(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_rounds(v, 2);
    v[0] ^= m;
}

uint64_t hash_sip(const uint8_t key[16], const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
                      k1 ^ 0x7465646279746573ULL };
    size_t left = n;

    for (; left >= 8; left -= 8, p += 8)
        sip_absorb(v, load_le64(p));
    sip_absorb(v, (uint64_t)n << 56 | load_tail(p, left));
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static uint64_t fast_step(uint64_t h, const unsigned char *p)
{
    return rotate((h ^ load_le64(p)) * 0x9e3779b97f4a7c15ULL, 29);
}

uint64_t hash_fast(uint64_t seed, const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t a = seed ^ 0xcbf29ce484222325ULL, b = a + 1, c = a + 2, d = a + 3;
    size_t left = n;

    /* Four independent multiplications at a time, or their latency is all that counts. */
    for (; left >= 32; left -= 32, p += 32) {
        a = fast_step(a, p);
        b = fast_step(b, p + 8);
        c = fast_step(c, p + 16);
        d = fast_step(d, p + 24);
    }
    uint64_t h = hash_u64(hash_u64(hash_u64(a) + b) + c) + d;
    for (; left >= 8; left -= 8, p += 8)
        h = fast_step(h, p);
    if (left > 0) {
        unsigned char tail[8] = { 0 };
        memcpy(tail, p, left);
        h = fast_step(h, tail);
    }
    return hash_u64(h ^ (uint64_t)n);
}
