/*
 * api_fixture: see the header.
 */
#include "api_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "data/population_write.h"

#define AS_OF_DAY 20395 /* 2025-11-03 */

#define MUST(condition)                                                                                              \
    do {                                                                                                             \
        if (!(condition)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                          \
            abort();                                                                                                 \
        }                                                                                                            \
    } while (0)

static struct conf *load_conf(const char *dir, const char *settings)
{
    struct buf text, problems, warnings;
    char path[128];
    struct conf *c;

    buf_init(&text, 65536);
    buf_init(&problems, 65536);
    buf_init(&warnings, 65536);
    buf_printf(&text,
               "ADMIN_KEY = " FIXTURE_KEY "\nDATABASE_URL = postgresql:///x\nSTATE_DIR = %s\nRUN_DIR = %s\n%s\n%s\n",
               dir, dir, strstr(settings, "ALLOW_LIST") == NULL ? "ALLOW_LIST = 0.0.0.0" : "", settings);
    MUST(sys_write_file(dir, "patrond.conf", text.data, text.len, 0600) == 0);
    snprintf(path, sizeof(path), "%s/patrond.conf", dir);
    c = conf_load(path, &problems, &warnings);
    if (c == NULL)
        fprintf(stderr, "%s", buf_cstr(&problems));
    MUST(c != NULL);
    buf_free(&text);
    buf_free(&problems);
    buf_free(&warnings);
    return c;
}

static void score(struct population_row *r, int i)
{
    r->flags |= POPULATION_SCORED | POPULATION_SEGMENTED;
    r->churn = (float)(i % 100) / 100;
    r->p_alive = 0.5f;
    r->expected_orders = 1.25f;
    r->predicted_clv = 25.39f;
    r->predicted_clv_discounted = 24.21f;
    for (int axis = 0; axis < POPULATION_AXES; axis++)
        r->axes[axis] = (struct population_membership){ .low = 1, .high = 2, .weight = 6900 };
    r->axes[5] = (struct population_membership){ .low = 0, .high = 0, .weight = 10000 };
}

/* Customer i: i + 1 orders, 10.00 × (i + 1) net; every third one has a single order. */
static struct population_row make_row(int i, bool scored)
{
    uint32_t orders = i % 3 == 0 ? 1 : (uint32_t)i + 1;
    struct population_row r = {
        .customer_id = FIXTURE_FIRST_ID + i,
        .gross_cents = 1000 * (i + 1) + 500,
        .refunds_cents = 500,
        .first_day = AS_OF_DAY - 2 * i - 10,
        .last_day = orders == 1 ? AS_OF_DAY - 2 * i - 10 : AS_OF_DAY - i,
        .orders = orders,
        .lines = orders,
        .products = 1,
        .purchase_days = orders,
        .orders_90 = (uint32_t)i % 4,
        .orders_prev_90 = 2,
        .archetype = POPULATION_NO_ARCHETYPE,
    };

    if (scored)
        score(&r, i);
    return r;
}

static void publish(struct fixture *f, uint64_t version, bool scored, int64_t synced_us)
{
    struct population_meta meta = {
        .data_version = version,
        .published_us = synced_us,
        .synced_us = synced_us,
        .as_of_day = AS_OF_DAY,
        .orders_loaded = 5000,
        .rows_loaded = 9000,
        .currency = "USD",
        .model_version = scored ? "mbg1-20251103" : "",
        .model_status = scored ? "ok" : "",
        .settings = { .churn_horizon_days = 90,
                      .active_window_days = 365,
                      .clv_months = 12,
                      .clv_discount_annual = 0.1,
                      .clv_margin = 1 },
        .b2b_min_ltv_cents = 150000,
        .b2b_min_orders = 190,
    };
    struct population_writer *w;
    char why[256];

    w = population_writer_new(f->dir, FIXTURE_ROWS, &meta, why, sizeof(why));
    MUST(w != NULL);
    for (int i = 0; i < FIXTURE_ROWS; i++) {
        struct population_row r = make_row(i, scored);

        MUST(population_writer_add(w, &r, why, sizeof(why)));
    }
    MUST(population_writer_finish(w, why, sizeof(why)));
    atomic_store(&f->sb->data_published_us, meta.published_us);
    atomic_store(&f->sb->data_version, version);
}

void fixture_publish(struct fixture *f, uint64_t version, bool scored)
{
    publish(f, version, scored, clock_wall_us() - 60 * CLOCK_US_PER_S);
}

void fixture_publish_synced(struct fixture *f, uint64_t version, int64_t synced_us)
{
    publish(f, version, false, synced_us);
}

void fixture_start(struct fixture *f, const char *settings, uint64_t version)
{
    unsigned routes;
    const char *const *names = api_route_names(&routes);

    *f = (struct fixture){ .dir = "/tmp/patrond-api-XXXXXX" };
    MUST(mkdtemp(f->dir) != NULL);
    rng_seed();
    log_init("test", LOG_LEVEL_CRITICAL, false);
    f->conf = load_conf(f->dir, settings);
    metrics_init(names, routes);
    f->sb = scoreboard_create(f->dir, "1.0.0");
    MUST(f->sb != NULL);
    f->slot = scoreboard_assign(f->sb, SB_ROLE_WORKER, 0, 1);
    MUST(f->slot != NULL);
    atomic_store(&f->slot->state, SB_READY);
    metrics_bind(f->slot);
    if (version > 0)
        fixture_publish(f, version, false);
    f->api = api_new(&(struct api_env){ .conf = f->conf, .sb = f->sb, .slot = f->slot });
    MUST(f->api != NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void fixture_stop(struct fixture *f)
{
    api_free(f->api);
    metrics_bind(NULL);
    scoreboard_close(f->sb);
    conf_free(f->conf);
    nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
