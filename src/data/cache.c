/*
 * cache: see the header. A flight is one key under way: first at Redis, then in the hands of its leader.
 */
#include "data/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "net/redis.h"

#define BUCKETS       256
#define KEY_BYTES     160
#define FRAME_MAGIC   0x31656863U /* "che1" */
#define KEPT_BYTES    (64U << 10)
#define QUESTION_SEED 0x7061747253747265ULL

struct flight;

struct cache_ticket {
    struct flight *flight;
    cache_fn fn;
    void *arg;
    struct cache_ticket *next;
};

struct flight {
    struct cache *cache;
    char key[KEY_BYTES];
    size_t key_len;
    enum metric_cache_type type;
    struct redis_call *call;     /* while Redis is asked */
    struct cache_ticket *leader; /* works the answer out; not among `waiting` */
    struct cache_ticket *waiting, **last;
    bool landing;        /* out of the table, its end is under way */
    struct flight *next; /* of the bucket */
};

/* Stands before each value in Redis. */
struct frame {
    uint32_t magic, bytes;
    uint64_t hash;
};

struct cache {
    struct loop *loop;
    struct redis *redis; /* NULL: none */
    const char *store;
    int64_t ttl_s;
    struct buf framed;
    struct flight *buckets[BUCKETS];
};

struct cache *cache_new(struct loop *l, const struct conf *conf)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->loop = l;
    c->store = conf->store_id;
    c->ttl_s = conf->cache_ttl;
    buf_init(&c->framed, CACHE_MAX_VALUE_BYTES + sizeof(struct frame));
    if (!conf->enable_cache || conf->redis_url[0] == '\0')
        return c;
    c->redis = redis_new(l, conf->redis_url, (uint64_t)conf->redis_timeout_ms);
    if (c->redis != NULL)
        return c;
    cache_free(c);
    return NULL;
}

void cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    redis_free(c->redis);
    buf_free(&c->framed);
    free(c);
}

/* ---- flights ---- */

static struct flight **bucket_of(struct cache *c, const char *key, size_t len)
{
    return &c->buckets[hash_fast(QUESTION_SEED, key, len) % BUCKETS];
}

static struct flight *find_flight(struct cache *c, const char *key, size_t len)
{
    for (struct flight *f = *bucket_of(c, key, len); f != NULL; f = f->next) {
        if (f->key_len == len && memcmp(f->key, key, len) == 0)
            return f;
    }
    return NULL;
}

static struct flight *add_flight(struct cache *c, enum metric_cache_type type, const char *key, size_t len)
{
    struct flight *f = calloc(1, sizeof(*f)), **bucket = bucket_of(c, key, len);

    if (f == NULL)
        return NULL;
    memcpy(f->key, key, len);
    f->key_len = len;
    f->cache = c;
    f->type = type;
    f->last = &f->waiting;
    f->next = *bucket;
    *bucket = f;
    return f;
}

static void remove_flight(struct flight *f)
{
    struct flight **at = bucket_of(f->cache, f->key, f->key_len);

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
}

static struct cache_ticket *take_waiting(struct flight *f)
{
    struct cache_ticket *t = f->waiting;

    f->waiting = t->next;
    if (f->waiting == NULL)
        f->last = &f->waiting;
    return t;
}

/* Nobody can join a flight that lands, so what the callbacks do can't change it but by leaving. */
static void land(struct flight *f, struct str value)
{
    remove_flight(f);
    f->landing = true;
    while (f->waiting != NULL) {
        struct cache_ticket *t = take_waiting(f);

        metrics_add(METRIC_CACHE_HITS, f->type, 0, 0, 1);
        t->fn(value, t->arg);
        free(t);
    }
    free(f);
}

/* The first who waits works it out. */
static void lead(void *flight)
{
    struct flight *f = flight;

    f->leader = take_waiting(f);
    metrics_add(METRIC_CACHE_MISSES, f->type, 0, 0, 1);
    f->leader->fn(STR_NONE, f->leader->arg);
}

static void abandon(struct flight *f)
{
    if (f->call != NULL)
        redis_cancel(f->call);
    loop_defer_cancel(f->cache->loop, lead, f);
    remove_flight(f);
    free(f);
}

/* ---- Redis ---- */

/* The value without its frame; p NULL: not one of ours, or damaged. */
static struct str unframe(struct str framed)
{
    struct frame frame;
    struct str value;

    if (framed.p == NULL || framed.len <= sizeof(frame))
        return STR_NONE;
    memcpy(&frame, framed.p, sizeof(frame));
    value = (struct str){ framed.p + sizeof(frame), framed.len - sizeof(frame) };
    if (frame.magic != FRAME_MAGIC || frame.bytes != value.len ||
        frame.hash != hash_fast(frame.bytes, value.p, value.len))
        return STR_NONE;
    return value;
}

static void keep(struct cache *c, const struct flight *f, struct str value)
{
    struct frame frame = { .magic = FRAME_MAGIC };

    if (c->redis == NULL || !redis_up(c->redis) || value.len == 0 || value.len > CACHE_MAX_VALUE_BYTES)
        return;
    frame.bytes = (uint32_t)value.len;
    frame.hash = hash_fast(frame.bytes, value.p, value.len);
    buf_reset(&c->framed);
    buf_add(&c->framed, &frame, sizeof(frame));
    buf_add_str(&c->framed, value);
    if (!c->framed.failed)
        redis_set(c->redis, (struct str){ f->key, f->key_len }, buf_str(&c->framed), c->ttl_s);
    if (c->framed.cap > KEPT_BYTES)
        buf_free(&c->framed);
}

static void on_value(struct str framed, void *flight)
{
    struct flight *f = flight;
    struct str value = unframe(framed);

    f->call = NULL;
    if (value.p != NULL)
        land(f, value);
    else
        lead(f);
}

/* ---- tickets ---- */

static size_t make_key(const struct cache *c, const struct cache_question *q, char key[KEY_BYTES])
{
    char digest[HASH_SHA256_HEX];
    int n;

    hash_sha256_hex(digest, q->text.p, q->text.len);
    n = snprintf(key, KEY_BYTES, "patrond:%.40s:%llu:%llx:%s", c->store, (unsigned long long)q->data_version,
                 (unsigned long long)q->published_us, digest);
    return n < KEY_BYTES ? (size_t)n : KEY_BYTES - 1;
}

/* False: no memory. */
static bool start(struct flight *f)
{
    struct cache *c = f->cache;

    if (c->redis != NULL)
        f->call = redis_get(c->redis, (struct str){ f->key, f->key_len }, on_value, f);
    return f->call != NULL || loop_defer(c->loop, lead, f);
}

struct cache_ticket *cache_ask(struct cache *c, const struct cache_question *question, cache_fn fn, void *arg)
{
    struct cache_ticket *t = calloc(1, sizeof(*t));
    char key[KEY_BYTES];
    size_t len = make_key(c, question, key);
    struct flight *f = find_flight(c, key, len);
    bool joined = f != NULL;

    if (!joined)
        f = add_flight(c, question->type, key, len);
    if (t == NULL || f == NULL || (!joined && !start(f))) {
        if (f != NULL && !joined)
            abandon(f);
        free(t);
        return NULL;
    }
    *t = (struct cache_ticket){ .flight = f, .fn = fn, .arg = arg };
    *f->last = t;
    f->last = &t->next;
    return t;
}

void cache_fill(struct cache_ticket *t, struct str value)
{
    struct flight *f = t->flight;

    free(t);
    keep(f->cache, f, value);
    land(f, value);
}

void cache_leave(struct cache_ticket *t)
{
    struct flight *f = t->flight;
    struct cache_ticket **at = &f->waiting;

    if (f->leader == t) {
        f->leader = NULL;
        free(t);
        if (f->waiting == NULL)
            abandon(f);
        else if (!loop_defer(f->cache->loop, lead, f))
            lead(f);
        return;
    }
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (t->next == NULL)
        f->last = at;
    free(t);
    if (f->waiting == NULL && f->leader == NULL && !f->landing)
        abandon(f);
}
