/*
 * sync_score_parts: what the steps of a scoring share. For src/proc/sync_score* alone.
 *
 * Memory, besides batches of bounded size: struct scored for each customer (168 bytes) and 24 bytes to sort; while
 * models are fitted train_memory() too; struct score_group for each archetype.
 */
#ifndef PROC_SYNC_SCORE_PARTS_H
#define PROC_SYNC_SCORE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/conf.h"
#include "data/population.h"
#include "model/archetype.h"
#include "model/axes.h"
#include "model/cohort.h"
#include "model/facts.h"
#include "model/forecast.h"
#include "model/params.h"
#include "model/train.h"
#include "proc/sync_db.h"

/* A customer while everyone is scored. */
struct scored {
    int64_t customer_id;
    uint64_t digest; /* of what is stored of him; 0: nothing */
    struct facts facts;
};

/* The past by calendar month. */
#define SCORE_MONTHS 1200 /* older ones are left out */
struct score_past {
    int64_t as_of_month;
    size_t months;                               /* that have an order, from the oldest to the as-of month */
    struct population_month month[SCORE_MONTHS]; /* [0]: the as-of month, going back */
    struct cohort_table cohorts;
};

struct scoring {
    struct sync_db *db;
    const struct conf *conf;
    int32_t as_of_day;
    int64_t data_version;
    bool all; /* the facts of all customers are new */

    bool fit;                   /* the models are to be fitted, not taken from model_runs */
    unsigned fit_number;        /* of the as-of day, with fit */
    struct model_params params; /* in use */
    bool has_before;
    struct model_params before; /* with fit: the last fit there was, for its anchors */

    struct scored *customers; /* by customer_id */
    size_t count, capacity;
    bool stored;        /* some of them have a row in customer_scores */
    struct train train; /* with fit: filled while reading */
    void *train_memory;
    struct train_report report; /* of the fit */
    struct score_past past;
    int64_t archetypes; /* of ARCHETYPE_LEVEL */
};

/* "\\x" and the bytes in hexadecimal, as PostgreSQL reads a bytea. */
void sync_score_hex(struct buf *out, const void *bytes, size_t n);

/* Each step: SYNC_DB_OK, or the error in scoring->db. */

enum sync_db_status sync_score_no_memory(struct scoring *s, const char *what);

/* Takes the fit of the as-of day from model_runs, or sets s->fit. */
enum sync_db_status sync_score_choose_model(struct scoring *s);
/* Reads customer_facts in order of customer_id, and their days into s->past and, with s->fit, s->train. */
enum sync_db_status sync_score_read(struct scoring *s);
/* With s->fit: fits, and estimates the anchors where it is due. Asks the server nothing. */
enum sync_db_status sync_score_fit(struct scoring *s);
/* With s->fit: writes model_runs. */
enum sync_db_status sync_score_write_fit(struct scoring *s);
/* model_trained, once it is committed. */
void sync_score_log_fit(const struct scoring *s);
/* Scores all; writes customer_scores and fact_customer_current where something changed, the archetypes, the
 * segments' history and the sections of the population file. */
enum sync_db_status sync_score_write(struct scoring *s);
/* Into fact_customer_current what scores_now (without s->stored: customer_scores) and customer_facts say. */
enum sync_db_status sync_score_present(struct scoring *s);

/* The customers with equal words on the axes of a level. */
struct score_group {
    uint64_t id; /* archetype_id */
    uint64_t key;
    uint32_t members, active;
    int64_t net_cents;
    double orders_per_month;                        /* of tenure, sum */
    double share[AXIS_COUNT];                       /* membership of the members' own word, sum */
    double staying[FORECAST_NODES];                 /* P(active customer at the node), sum */
    uint32_t with_word[AXIS_COUNT][AXES_MAX_WORDS]; /* members by dominant word */
};
struct score_groups {
    enum archetype_level level;
    struct score_group *group;
    uint32_t *slot; /* open addressing by key: index + 1 */
    size_t count, room, slots;
};

/* What the groups need of a customer. */
struct score_member {
    uint8_t words[AXIS_COUNT]; /* dominant */
    float share[AXIS_COUNT];   /* their memberships */
    bool active;
    int64_t net_cents;
    double orders_per_month;
    const double *staying; /* FORECAST_NODES */
};

/* Adds a customer to his group; NULL: no memory. The answer holds until the next one is added. */
const struct score_group *sync_score_group_add(struct score_groups *g, const struct score_member *m);
/* After the last one: sorts by id. */
void sync_score_groups_sort(struct score_groups *g);
void sync_score_groups_free(struct score_groups *g);
/* The most common word on each axis, the lower one of equals. */
void sync_score_group_words(const struct score_group *g, uint8_t words[AXIS_COUNT]);
/* dim_archetype_l1 or _l2, by the level. */
enum sync_db_status sync_score_write_archetypes(struct scoring *s, const struct score_groups *g);
/* axis_words, and segment_history of the as-of day (members by axis and word). */
enum sync_db_status sync_score_write_segments(struct scoring *s, const uint32_t members[AXIS_COUNT][AXES_MAX_WORDS]);
/* What the population file holds beside its rows; groups: of ARCHETYPE_LEVEL. */
enum sync_db_status sync_score_write_sections(struct scoring *s, const struct score_groups *groups,
                                              const struct forecast_sums *sums);

void sync_score_past_init(struct score_past *p, int32_t as_of_day);
/* One customer's days with orders, ascending. */
void sync_score_past_add(struct score_past *p, const struct facts_day *days, size_t n);

#endif
