/*
 * key_uses: see the header.
 *
 * A batch that fails is counted again: where the connection broke after the server had written it, a
 * use may be counted twice, but none is lost while the worker lives.
 */
#include "api/key_uses.h"

#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "base/clock.h"
#include "base/rng.h"
#include "data/sql.h"

#define BATCH_ROWS  1000
#define BATCH_BYTES (64 * 1024) /* of one array in text */
#define PERIOD_NS   (60 * CLOCK_NS_PER_S)

uint64_t key_uses_next(void)
{
    return clock_mono_ns() + (uint64_t)((double)PERIOD_NS * (0.9 + 0.1 * rng_unit()));
}

/* Moves the uses of up to BATCH_ROWS keys into the batch. */
static void collect(struct keys *k)
{
    struct keys_batch *b = &k->batch;

    b->count = 0;
    if (b->rows == NULL)
        b->rows = calloc(BATCH_ROWS, sizeof(b->rows[0]));
    for (size_t i = 0; b->rows != NULL && i < k->ring->count && b->count < BATCH_ROWS; i++) {
        if (k->uses[i].count == 0)
            continue;
        memcpy(b->rows[b->count].hash, k->ring->keys[i].hash, HASH_SHA256_BYTES);
        b->rows[b->count++].use = k->uses[i];
        k->uses[i].count = 0;
    }
}

static void give_back(struct keys *k)
{
    for (size_t i = 0; i < k->batch.count; i++) {
        const struct keys_use *lost = &k->batch.rows[i].use;
        const struct keyring_key *key = keyring_find(k->ring, k->batch.rows[i].hash);
        struct keys_use *use = key != NULL ? &k->uses[key - k->ring->keys] : NULL;

        if (use == NULL)
            continue;
        use->count += lost->count;
        if (use->last_us < lost->last_us)
            use->last_us = lost->last_us;
    }
    k->batch.count = 0;
}

static void on_written(enum pg_status status, const PGresult *result, void *arg)
{
    struct api *a = arg;
    bool more = a->keys.batch.count == BATCH_ROWS;

    (void)result;
    a->keys.writing = NULL;
    if (status != PG_OK)
        give_back(&a->keys);
    else if (more)
        key_uses_write(a);
}

/* "{7,8}"; the keyring's place gives the id. */
static const char *array_of(struct buf *out, const struct keys *k, enum sql_keys_used_param what)
{
    buf_init(out, BATCH_BYTES);
    for (size_t i = 0; i < k->batch.count; i++) {
        const struct keyring_key *key = keyring_find(k->ring, k->batch.rows[i].hash);

        buf_add_char(out, i == 0 ? '{' : ',');
        if (what == SQL_KU_IDS)
            buf_add_i64(out, key->id);
        else if (what == SQL_KU_COUNTS)
            buf_add_i64(out, k->batch.rows[i].use.count);
        else
            buf_add_i64(out, k->batch.rows[i].use.last_us);
    }
    buf_add_char(out, '}');
    return buf_cstr(out);
}

void key_uses_write(struct api *a)
{
    struct keys *k = &a->keys;
    const char *values[SQL_KU_PARAMS];
    struct buf texts[SQL_KU_PARAMS];
    bool good = true;

    k->written_ns = key_uses_next();
    if (k->writing != NULL)
        return;
    collect(k);
    if (k->batch.count == 0)
        return;
    for (unsigned i = 0; i < SQL_KU_PARAMS; i++) {
        values[i] = array_of(&texts[i], k, (enum sql_keys_used_param)i);
        good = good && values[i] != NULL;
    }
    if (good)
        k->writing = pgpool_send(a->env.pool, sql_get(SQL_KEYS_USED), values, 0, on_written, a);
    if (k->writing == NULL)
        give_back(k);
    for (unsigned i = 0; i < SQL_KU_PARAMS; i++)
        buf_free(&texts[i]);
}
