/*
 * rng: xoshiro256** (Blackman and Vigna). Seeds itself on first use; rng_seed() draws a new state.
 */
#include "base/rng.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"

static uint64_t state[4];
static bool seeded;

bool rng_secret(void *dst, size_t n)
{
    unsigned char *p = dst;

    while (n > 0) {
        ssize_t got = getrandom(p, n < 256 ? n : 256, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

void rng_seed(void)
{
    if (!rng_secret(state, sizeof(state))) {
        uint64_t x = clock_mono_ns() ^ (uint64_t)clock_wall_us() << 20 ^ (uint64_t)getpid();
        for (unsigned i = 0; i < 4; i++)
            state[i] = hash_u64(x += 0x9e3779b97f4a7c15ULL);
    }
    state[0] |= 1; /* all zero would stay zero */
    seeded = true;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t rng_u64(void)
{
    if (!seeded)
        rng_seed();

    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate(state[3], 45);
    return result;
}

uint64_t rng_below(uint64_t n)
{
    /* Lemire: the high half of a product; low halves below 2^64 mod n would make some results more likely. */
    unsigned __int128 product = (unsigned __int128)rng_u64() * n;

    if ((uint64_t)product < n) {
        uint64_t least = (0 - n) % n;
        while ((uint64_t)product < least)
            product = (unsigned __int128)rng_u64() * n;
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(void)
{
    return (double)(rng_u64() >> 11) * 0x1p-53;
}

void rng_uuid4(char dst[RNG_UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t high = (rng_u64() & ~0xf000ULL) | 0x4000ULL;
    uint64_t low = (rng_u64() & ~(3ULL << 62)) | 1ULL << 63;
    char *p = dst;

    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *p++ = '-';
        uint64_t half = i < 16 ? high : low;
        *p++ = hex[half >> (60 - 4 * (i % 16)) & 15];
    }
    *p = '\0';
}
