#include "population_fixture.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

const char *fixture_dir_make(void)
{
    static char dir[256];
    const char *parent = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/population-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(dir);
}

void fixture_dir_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    if (!d)
        return;
    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
}

struct population_meta fixture_meta(uint64_t data_version)
{
    return (struct population_meta){
        .data_version = data_version,
        .published_us = 1762560000000000,
        .synced_us = 1762550000000000,
        .as_of_day = FIXTURE_AS_OF_DAY,
        .orders_loaded = 17,
        .rows_loaded = 19,
        .guest_rows = 2,
        .currency = "EUR",
        .model_version = "",
        .model_status = "",
        .settings = { .churn_horizon_days = 90,
                      .active_window_days = 365,
                      .clv_months = 12,
                      .clv_discount_annual = 0.1,
                      .clv_margin = 1 },
        .b2b_min_ltv_cents = 500000,
        .b2b_min_orders = 20,
    };
}

/* The k-th draw of row i, below n. */
static uint32_t draw(const struct fixture_shape *s, size_t i, unsigned k, uint32_t n)
{
    return (uint32_t)(hash_u64(hash_u64(s->seed * 1000 + k) + i) % n);
}

static void score(const struct fixture_shape *s, size_t i, struct population_row *r)
{
    r->flags |= POPULATION_SCORED;
    r->churn = (float)draw(s, i, 20, s->spread + 1) / (float)s->spread;
    if (draw(s, i, 21, 50) == 0)
        r->churn = -0.0F;
    r->p_alive = 1 - r->churn;
    r->predicted_clv = (float)draw(s, i, 22, 10000) / 100;
}

static void segment(const struct fixture_shape *s, size_t i, struct population_row *r)
{
    r->flags |= POPULATION_SEGMENTED;
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
        r->axes[axis].low = (uint8_t)draw(s, i, 30 + axis, 4);
        r->axes[axis].high = (uint8_t)(r->axes[axis].low + 1);
        r->axes[axis].weight = (uint16_t)draw(s, i, 40 + axis, 10001);
        if (draw(s, i, 50 + axis, 40) == 0)
            r->axes[axis].low = r->axes[axis].high = POPULATION_WORD_NONE;
    }
    r->archetype = draw(s, i, 60, FIXTURE_ARCHETYPES);
}

struct population_row fixture_row(const struct fixture_shape *s, size_t i)
{
    struct population_row r = { .archetype = POPULATION_NO_ARCHETYPE };
    uint32_t tenure = draw(s, i, 1, s->spread * 40 + 1) % 1500;

    r.customer_id = (int64_t)i * 3 - 30 + (int64_t)draw(s, i, 2, 3);
    r.orders = draw(s, i, 3, 100) < 60 ? 1 : 2 + draw(s, i, 4, s->spread) % 60;
    r.gross_cents = (int64_t)draw(s, i, 5, s->spread * 100 + 1) * r.orders;
    r.refunds_cents = draw(s, i, 6, 10) == 0 ? (int64_t)draw(s, i, 7, s->spread * 120 + 1) : 0;
    r.first_day = FIXTURE_AS_OF_DAY - (int32_t)tenure;
    r.last_day = r.orders == 1 ? r.first_day : FIXTURE_AS_OF_DAY - (int32_t)draw(s, i, 8, tenure + 1);
    r.lines = r.orders * 2;
    r.products = draw(s, i, 9, 100);
    r.purchase_days = r.orders;
    if (s->scored && draw(s, i, 10, 20) != 0)
        score(s, i, &r);
    if (draw(s, i, 11, 20) != 0)
        segment(s, i, &r);
    return r;
}

uint64_t fixture_archetype_id(size_t i)
{
    return 1000 + 7 * i;
}

bool fixture_write(const char *dir, const struct fixture_shape *shape, uint64_t data_version, char *why,
                   size_t why_size)
{
    struct population_meta meta = fixture_meta(data_version);
    struct population_writer *w = population_writer_new(dir, shape->rows, &meta, why, why_size);

    if (!w)
        return false;
    uint64_t ids[FIXTURE_ARCHETYPES];
    for (size_t i = 0; i < FIXTURE_ARCHETYPES; i++)
        ids[i] = fixture_archetype_id(i);
    if (!population_writer_set_archetypes(w, ids, FIXTURE_ARCHETYPES))
        abort();
    for (size_t i = 0; i < shape->rows; i++) {
        struct population_row r = fixture_row(shape, i);
        if (!population_writer_add(w, &r, why, why_size)) {
            population_writer_abort(w);
            return false;
        }
    }
    return population_writer_finish(w, why, why_size);
}
