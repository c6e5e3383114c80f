/*
 * cache: answers that cost a query, kept in Redis under the data version, and asked for once at a time.
 *
 * Whoever asks for a key gets a ticket and one callback, always from the loop: the value, or nothing, and then it
 * leads: it works the answer out and ends the ticket with cache_fill or cache_leave. Others who ask for
 * the same key of this worker meanwhile wait for the leader; if it leaves without an answer, the next one leads.
 * Without Redis, or while it does not answer, everything works, only each answer is worked out. A value that
 * comes back cut or changed counts as none.
 */
#ifndef DATA_CACHE_H
#define DATA_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/conf.h"
#include "core/metrics.h"
#include "net/loop.h"

#define CACHE_MAX_VALUE_BYTES (4U << 20) /* larger answers are not kept */

struct cache;
struct cache_ticket;

/* `value` is borrowed; its p NULL: the ticket leads now and lives on. Else the ticket has ended. */
typedef void (*cache_fn)(struct str value, void *arg);

/* Connects to REDIS_URL if ENABLE_CACHE says so. `conf` must outlive it. NULL: no memory. */
struct cache *cache_new(struct loop *l, const struct conf *conf);
/* Every ticket must have ended. */
void cache_free(struct cache *c);

/* What is asked, in a few words or a path and query; told apart by a SHA-256 of it, the data version and its time. */
struct cache_question {
    enum metric_cache_type type;
    uint64_t data_version;
    int64_t published_us; /* of that version: tells databases apart that share one Redis */
    struct str text;
};
/* NULL: no memory; work the answer out without. */
struct cache_ticket *cache_ask(struct cache *c, const struct cache_question *question, cache_fn fn, void *arg);
/* The leader's answer: goes to all who wait, and to Redis. Ends the ticket. */
void cache_fill(struct cache_ticket *t, struct str value);
/* Ends a ticket that waits, without callback, or one that leads, without an answer. */
void cache_leave(struct cache_ticket *t);

#endif
