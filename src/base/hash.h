/*
 * hash: SHA-256 and HMAC (libcrypto), a keyed 64-bit hash for tables, and a
 * fixed 64-bit hash for data (the same on every machine, for ever).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SHA256_BYTES 32
#define HASH_SHA256_HEX   65

void hash_sha256(uint8_t out[HASH_SHA256_BYTES], const void *data, size_t n);
void hash_sha256_hex(char out[HASH_SHA256_HEX], const void *data, size_t n);
void hash_hmac_sha256(uint8_t out[HASH_SHA256_BYTES], const void *key, size_t key_bytes, const void *data, size_t n);
/* SipHash-2-4: for tables fed by strangers. */
uint64_t hash_sip(const uint8_t key[16], const void *data, size_t n);
/* Splitmix64 finaliser: spreads an integer key over 64 bits. */
uint64_t hash_u64(uint64_t x);
/* Running checksum of data: FNV-1a style in four lanes of 8 bytes with a strong finish; seed with 0 or the previous
 * value. The result depends on where the data is cut into calls. */
uint64_t hash_fast(uint64_t seed, const void *data, size_t n);

#endif
