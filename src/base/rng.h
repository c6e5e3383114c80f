/*
 * rng: one xoshiro256** per process, seeded by getrandom(2).
 *
 * It seeds itself on first use; rng_seed() must be called again after fork, or
 * parent and child draw alike.
 * Not for keys: rng_secret() asks the kernel.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RNG_UUID_SIZE 37

void rng_seed(void);
uint64_t rng_u64(void);
uint64_t rng_below(uint64_t n); /* uniform in 0..n-1 without bias; n > 0 */
double rng_unit(void);          /* uniform in [0,1) */
void rng_uuid4(char dst[RNG_UUID_SIZE]);
bool rng_secret(void *dst, size_t n); /* false when the kernel has none */

#endif
