/*
 * seqlock: records of several words in shared memory, one writer, any readers.
 *
 * The writer makes the sequence odd, writes, makes it even; it never waits. A
 * reader copies and believes the copy only when the sequence was even and the
 * same before and after. Words are copied by relaxed atomics, so a reader
 * that loses the race reads old or new words, never undefined ones. A writer
 * killed halfway leaves the sequence odd; the next write mends it.
 */
#ifndef CORE_SEQLOCK_H
#define CORE_SEQLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQLOCK_TRIES 256

/* Both ends aligned to 4 bytes, `bytes` a multiple of 4. */
static inline void seqlock_copy_in(void *shared, const void *from, size_t bytes)
{
    uint32_t *dst = shared;
    const uint32_t *src = from;

    for (size_t i = 0; i < bytes / sizeof(*dst); i++)
        __atomic_store_n(&dst[i], src[i], __ATOMIC_RELAXED);
}

static inline void seqlock_copy_out(void *to, const void *shared, size_t bytes)
{
    uint32_t *dst = to;
    const uint32_t *src = shared;

    for (size_t i = 0; i < bytes / sizeof(*dst); i++)
        dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
}

static inline void seqlock_write_begin(_Atomic uint32_t *seq)
{
    uint32_t odd = atomic_load_explicit(seq, memory_order_relaxed) | 1U;

    atomic_store_explicit(seq, odd, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static inline void seqlock_write_end(_Atomic uint32_t *seq)
{
    atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 1U, memory_order_release);
}

/* The sequence to hand to seqlock_read_valid; odd: a writer is at it. */
static inline uint32_t seqlock_read_begin(const _Atomic uint32_t *seq)
{
    return atomic_load_explicit(seq, memory_order_acquire);
}

static inline bool seqlock_read_valid(const _Atomic uint32_t *seq, uint32_t begun)
{
    atomic_thread_fence(memory_order_acquire);
    return (begun & 1U) == 0 && atomic_load_explicit(seq, memory_order_relaxed) == begun;
}

/* A whole copy; false when the writer never held still. */
static inline bool seqlock_read(const _Atomic uint32_t *seq, void *to, const void *shared, size_t bytes)
{
    for (int i = 0; i < SEQLOCK_TRIES; i++) {
        uint32_t begun = seqlock_read_begin(seq);

        seqlock_copy_out(to, shared, bytes);
        if (seqlock_read_valid(seq, begun))
            return true;
    }
    return false;
}

#endif
