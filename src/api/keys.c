/*
 * keys: see the header.
 */
#include "api/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "api/key_uses.h"
#include "base/clock.h"
#include "core/events.h"
#include "data/apikeys.h"

#define MS       1000000ULL
#define TICK_NS  (100 * MS)
#define ASK_NS   (500 * MS)
#define LEASE_NS (5 * CLOCK_NS_PER_S) /* to read the table in; longer than DB_STATEMENT_TIMEOUT usually is */

/* ---- the keyring in use ---- */

static bool replace_ring(struct keys *k, struct keyring *ring)
{
    struct keys_use *uses = calloc(ring->count + 1, sizeof(*uses));

    if (uses == NULL) {
        keyring_free(ring);
        return false;
    }
    for (size_t i = 0; k->ring != NULL && i < k->ring->count; i++) {
        const struct keyring_key *same = k->uses[i].count > 0 ? keyring_find(ring, k->ring->keys[i].hash) : NULL;

        if (same != NULL)
            uses[same - ring->keys] = k->uses[i];
    }
    keyring_free(k->ring);
    free(k->uses);
    k->ring = ring;
    k->uses = uses;
    return true;
}

void keys_count_use(struct keys *k, const struct keyring_key *key, int64_t now_us)
{
    struct keys_use *use = &k->uses[key - k->ring->keys];

    use->count++;
    use->last_us = now_us;
}

/* ---- the file ---- */

static void tell_file(const char *sentence, const char *error)
{
    struct event_field fields[] = { event_cstr("error_code", "api_keys_file"), event_cstr("details", error) };

    event_log(EVENT_API_ERROR, fields, sizeof(fields) / sizeof(fields[0]), "%s", sentence);
}

/* Once until it succeeds again. */
static void save(struct api *a, const struct keyring *ring)
{
    if (keyring_save(ring, a->env.conf->state_dir)) {
        a->keys.told_unsaved = false;
        return;
    }
    if (!a->keys.told_unsaved)
        tell_file("the API keys cannot be kept in STATE_DIR: a restart without PostgreSQL would not know them",
                  strerror(errno));
    a->keys.told_unsaved = true;
}

/* ---- reading the table ---- */

static void publish(struct api *a, const struct keyring *ring)
{
    struct scoreboard *sb = a->env.sb;

    if (atomic_load(&sb->keys_digest) != ring->digest)
        save(a, ring);
    atomic_store(&sb->keys_version, ring->version);
    atomic_store(&sb->keys_read_ns, clock_mono_ns());
    atomic_store(&sb->keys_digest, ring->digest);
}

static bool lease_holds(const struct api *a)
{
    return atomic_load(&a->env.sb->keys_lease_ns) == a->keys.lease_ns && clock_mono_ns() < a->keys.lease_ns;
}

static void return_lease(struct api *a)
{
    uint64_t mine = a->keys.lease_ns;

    (void)atomic_compare_exchange_strong(&a->env.sb->keys_lease_ns, &mine, 0);
}

/* An answer that comes after the lease is dropped: somebody else may have published newer keys. */
static void on_table(enum pg_status status, const PGresult *result, void *arg)
{
    struct api *a = arg;
    struct keyring *ring = status == PG_OK ? apikey_read_keyring(result) : NULL;
    bool for_all = a->keys.lease_ns != 0, in_time = !for_all || lease_holds(a);

    a->keys.reading = NULL;
    if (ring != NULL && for_all && in_time)
        publish(a, ring);
    if (for_all)
        return_lease(a);
    if (ring != NULL && in_time)
        (void)replace_ring(&a->keys, ring);
    else
        keyring_free(ring);
}

static void read_table(struct api *a, uint64_t lease_ns)
{
    struct keys *k = &a->keys;

    if (k->reading != NULL)
        return;
    k->lease_ns = lease_ns;
    k->reading = pgpool_send(a->env.pool, sql_get(SQL_KEYS_ALL), NULL, 0, on_table, a);
}

static void read_for_all(struct api *a)
{
    uint64_t now_ns = clock_mono_ns(), held_ns = atomic_load(&a->env.sb->keys_lease_ns);

    if (a->keys.reading == NULL && now_ns >= held_ns &&
        atomic_compare_exchange_strong(&a->env.sb->keys_lease_ns, &held_ns, now_ns + LEASE_NS))
        read_table(a, now_ns + LEASE_NS);
}

/* ---- asking for the version ---- */

static bool is_news(const struct api *a, const PGresult *result)
{
    const struct scoreboard *sb = a->env.sb;
    uint64_t read_ns = atomic_load(&sb->keys_read_ns), version;
    uint64_t refresh_ns = (uint64_t)a->env.conf->key_refresh * CLOCK_NS_PER_S;

    if (PQntuples(result) != 1 || !str_to_u64(str_from(PQgetvalue(result, 0, 0)), &version))
        return false;
    return read_ns == 0 || version != atomic_load(&sb->keys_version) || clock_mono_ns() - read_ns >= refresh_ns;
}

static void on_version(enum pg_status status, const PGresult *result, void *arg)
{
    struct api *a = arg;

    a->keys.asking = NULL;
    if (status == PG_OK && is_news(a, result))
        read_for_all(a);
}

static void ask_version(struct api *a)
{
    uint64_t now_ns = clock_mono_ns(), next_ns = atomic_load(&a->env.sb->keys_ask_ns);

    if (a->keys.asking != NULL || now_ns < next_ns ||
        !atomic_compare_exchange_strong(&a->env.sb->keys_ask_ns, &next_ns, now_ns + ASK_NS))
        return;
    a->keys.asking = pgpool_send(a->env.pool, sql_get(SQL_KEYS_VERSION), NULL, 0, on_version, a);
}

/* Takes the keys another worker has announced. */
static void follow(struct api *a)
{
    uint64_t announced = atomic_load_explicit(&a->env.sb->keys_digest, memory_order_acquire);
    struct keyring *ring;
    const char *why;

    if (announced == 0 || announced == a->keys.ring->digest)
        return;
    ring = keyring_load(a->env.conf->state_dir, &why);
    if (ring != NULL && ring->digest == announced) {
        (void)replace_ring(&a->keys, ring);
        return;
    }
    keyring_free(ring);
    a->keys.tick_ns += ASK_NS; /* not again at once */
    if (a->env.pool != NULL)
        read_table(a, 0);
}

/* ---- life ---- */

bool keys_init(struct api *a)
{
    struct keyring *ring;
    const char *why;

    errno = 0;
    ring = keyring_load(a->env.conf->state_dir, &why);
    if (ring == NULL && errno != ENOENT)
        tell_file("the file of API keys cannot be used: keys are unknown until PostgreSQL answers", why);
    if (ring == NULL)
        ring = keyring_new(0, NULL, 0);
    a->keys.written_ns = key_uses_next();
    return ring != NULL && replace_ring(&a->keys, ring);
}

static void cancel(struct api *a, struct pgpool_query **q)
{
    if (*q != NULL)
        pgpool_cancel(a->env.pool, *q);
    *q = NULL;
}

void keys_free(struct api *a)
{
    cancel(a, &a->keys.asking);
    cancel(a, &a->keys.reading);
    cancel(a, &a->keys.writing);
    keyring_free(a->keys.ring);
    free(a->keys.uses);
    free(a->keys.batch.rows);
}

void keys_tick(struct api *a)
{
    uint64_t now_ns = clock_coarse_ns();

    if (now_ns < a->keys.tick_ns)
        return;
    a->keys.tick_ns = now_ns + TICK_NS;
    follow(a);
    if (a->env.pool == NULL)
        return;
    ask_version(a);
    if (now_ns >= a->keys.written_ns)
        key_uses_write(a);
}

void keys_changed(struct api *a)
{
    atomic_store(&a->env.sb->keys_ask_ns, 0);
    a->keys.tick_ns = 0;
}

void keys_flush(struct api *a)
{
    if (a->env.pool != NULL)
        key_uses_write(a);
}
