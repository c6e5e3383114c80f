/*
 * dataset: see the header.
 */
#include "api/dataset.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/events.h"

#define RETRY_NS (5 * CLOCK_NS_PER_S)

static void write_headers(struct dataset *d)
{
    char time[CLOCK_TIME_SIZE];
    unsigned long long version = d->population->header->data_version;
    int n;

    if (d->synced_us > 0)
        n = snprintf(d->headers, sizeof(d->headers), "X-Data-Version: %llu\r\nX-Data-As-Of: %s\r\n", version,
                     clock_format_seconds(time, d->synced_us));
    else
        n = snprintf(d->headers, sizeof(d->headers), "X-Data-Version: %llu\r\n", version);
    d->header_bytes = (size_t)n;
}

static void write_stamp(struct dataset *d)
{
    const struct population_header *h = d->population->header;
    char day[CLOCK_DAY_SIZE];
    int n = snprintf(d->stamp, sizeof(d->stamp), "\"as_of\":\"%s\",\"data_version\":%llu",
                     clock_format_day(day, h->as_of_day), (unsigned long long)h->data_version);

    d->stamp_bytes = (size_t)n;
}

/* Takes over the population, also on failure. */
static struct dataset *dataset_new(struct population *p)
{
    struct dataset *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        population_release(p);
        return NULL;
    }
    d->population = p;
    d->users = 1;
    d->synced_us = p->header->synced_us;
    write_headers(d);
    write_stamp(d);
    return d;
}

void dataset_release(struct dataset *d)
{
    if (d == NULL || --d->users > 0)
        return;
    population_release(d->population);
    free(d);
}

struct dataset *dataset_hold(struct dataset_slot *s)
{
    if (s->current != NULL)
        s->current->users++;
    return s->current;
}

static void replace(struct dataset_slot *s, struct population *p, const char *source)
{
    struct dataset *d = dataset_new(p);

    if (d == NULL)
        return;
    dataset_release(s->current);
    s->current = d;
    s->sync_seq = UINT32_MAX; /* odd: never that of a finished write, so the sync time is read again */

    struct event_field fields[] = {
        event_i64("customer_count", (int64_t)p->header->rows),
        event_i64("archetype_count", (int64_t)p->header->archetypes),
        event_i64("data_version", (int64_t)p->header->data_version),
        event_cstr("source", source),
    };
    event_log(EVENT_DATA_LOADING_COMPLETED, fields, sizeof(fields) / sizeof(fields[0]),
              "customer data are in service");
}

static void log_refused(uint64_t version, const char *why)
{
    struct event_field fields[] = {
        event_i64("data_version", (int64_t)version),
        event_cstr("source", "population"),
        event_cstr("error", why),
    };

    event_log(EVENT_DATA_LOADING_FAILED, fields, sizeof(fields) / sizeof(fields[0]),
              "a population file cannot be used; a sync writes a new one");
}

void dataset_slot_init(struct dataset_slot *s, const struct conf *conf, const struct scoreboard *sb)
{
    char why[256] = "";
    struct population *p = population_open_latest(conf->state_dir, why, sizeof(why));

    *s = (struct dataset_slot){ .current = NULL };
    if (why[0] != '\0')
        log_refused(0, why);
    if (p != NULL)
        replace(s, p, "boot");
    else
        event_log(EVENT_NO_CUSTOMER_DATA, NULL, 0, "no population yet; requests for data get 503 until a sync ends");
    dataset_slot_tick(s, conf, sb);
}

static void drop_next(struct dataset_slot *s)
{
    population_release(s->next);
    s->next = NULL;
}

bool dataset_slot_checking(const struct dataset_slot *s)
{
    return s->next != NULL;
}

void dataset_slot_close(struct dataset_slot *s)
{
    drop_next(s);
    dataset_release(s->current);
    s->current = NULL;
}

static uint64_t current_version(const struct dataset_slot *s)
{
    return s->current != NULL ? s->current->population->header->data_version : 0;
}

/* The number alone does not tell: after a restore of the database it comes again. */
static bool is_of(const struct population *p, uint64_t version, int64_t published_us)
{
    return p->header->data_version == version && p->header->published_us == published_us;
}

static void refuse_version(struct dataset_slot *s, uint64_t version, const char *why)
{
    if (version != s->refused_version)
        log_refused(version, why);
    s->refused_version = version;
    s->retry_ns = clock_coarse_ns() + RETRY_NS;
}

/* Maps the file of what is published; its check follows. */
static void open_published(struct dataset_slot *s, const struct conf *conf, uint64_t version, int64_t published_us)
{
    char why[256];

    if (version == s->refused_version && clock_coarse_ns() < s->retry_ns)
        return;
    s->next = population_open_unchecked(conf->state_dir, version, why, sizeof(why));
    if (s->next == NULL)
        refuse_version(s, version, why);
    else if (s->next->header->published_us != published_us) /* replaced while we looked: another look will tell */
        drop_next(s);
}

/* The next piece of its check, and after the last one into service. */
static void check_next(struct dataset_slot *s)
{
    struct population *p = s->next;
    uint64_t version = p->header->data_version;
    char why[256];

    switch (population_check(p, why, sizeof(why))) {
    case POPULATION_NOT_YET:
        return;
    case POPULATION_GOOD:
        s->next = NULL;
        replace(s, p, "publish");
        return;
    case POPULATION_DAMAGED:
        drop_next(s);
        refuse_version(s, version, why);
    }
}

static void take_published(struct dataset_slot *s, const struct conf *conf, uint64_t version, int64_t published_us)
{
    if (s->next != NULL && !is_of(s->next, version, published_us))
        drop_next(s); /* a newer one has come meanwhile */
    if (s->next == NULL)
        open_published(s, conf, version, published_us);
    if (s->next != NULL)
        check_next(s);
}

/* The newest run that succeeded, if it left the data as they are served here. */
static int64_t last_sync_of(const struct sb_sync *sync, uint64_t version)
{
    for (uint32_t i = 0; i < sync->run_count && i < SB_RUNS; i++) {
        const struct sb_run *r = &sync->runs[i];

        if (r->status != SB_RUN_SUCCESS || r->mode == SB_MODE_DRY_RUN)
            continue;
        return r->data_version == 0 || (uint64_t)r->data_version == version ? r->finished_us : 0;
    }
    return 0;
}

/* A sync that found nothing new publishes nothing, but makes the data younger. */
static void take_sync_time(struct dataset_slot *s, const struct scoreboard *sb)
{
    uint32_t seq = atomic_load_explicit(&sb->sync_seq, memory_order_acquire);
    struct sb_sync sync;
    int64_t synced_us;

    if (seq == s->sync_seq || (seq & 1) != 0 || !scoreboard_sync_read(sb, &sync)) /* odd: being written */
        return;
    s->sync_seq = seq;
    synced_us = last_sync_of(&sync, current_version(s));
    if (synced_us <= s->current->synced_us)
        return;
    s->current->synced_us = synced_us;
    write_headers(s->current);
}

void dataset_slot_tick(struct dataset_slot *s, const struct conf *conf, const struct scoreboard *sb)
{
    uint64_t version = atomic_load_explicit(&sb->data_version, memory_order_acquire);
    int64_t published_us = atomic_load_explicit(&sb->data_published_us, memory_order_relaxed);

    if (version != 0 && (s->current == NULL || !is_of(s->current->population, version, published_us)))
        take_published(s, conf, version, published_us);
    else
        drop_next(s);
    if (s->current != NULL)
        take_sync_time(s, sb);
}

int64_t dataset_age_s(const struct dataset *d, int64_t now_us)
{
    if (d == NULL || d->synced_us <= 0)
        return -1;
    return now_us > d->synced_us ? (now_us - d->synced_us) / CLOCK_US_PER_S : 0;
}

bool dataset_stale(const struct dataset *d, const struct conf *conf, int64_t now_us)
{
    int64_t age_s = dataset_age_s(d, now_us);

    return age_s < 0 || age_s > conf->stale_after_hours * 3600;
}
