/*
 * population: the whole customer base as one immutable, memory-mapped file; reading.
 *
 * Layout: header, then sections at 64-byte aligned offsets named in the header.
 * A row record (everything one profile shows, side by side), narrow columns
 * for the fields filters and sorts scan, an id index, row orders for the common
 * sorts, archetypes, strings. Little-endian, no pointers; sizes, offsets,
 * checksum and every index are verified before the first use, so a mapped
 * population can be read without further checks, whatever bytes the file held.
 * Rows are in ascending order of customer_id, so among equal sort values the row number orders by id.
 */
#ifndef DATA_POPULATION_H
#define DATA_POPULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define POPULATION_MAGIC        0x504f505f444e5254ULL
#define POPULATION_FORMAT       1
#define POPULATION_AXES         9
#define POPULATION_WORD_NONE    255
#define POPULATION_NO_ARCHETYPE UINT32_MAX
#define POPULATION_MAX_ROWS     (1U << 30)

/* Packed words of a row (see POPULATION_SECTION_WORDS). */
#define POPULATION_WORDS_NONE      15U /* in the 4 bits of an axis: no dominant word */
#define POPULATION_RFM_SHIFT       36
#define POPULATION_B2B_SHIFT       40
#define POPULATION_ARCHETYPE_SHIFT 41
#define POPULATION_ARCHETYPE_BITS  23 /* all ones: none */

/* An entry of a row order: a row number, and this bit on the first of a group of equal sort values. */
#define POPULATION_ORDER_FIRST 0x80000000U

/* Position on one axis: `weight` ten-thousandths belong to `low`, the rest to `high` (= low: all of it). */
struct population_membership {
    uint8_t low, high;
    uint16_t weight;
};

enum population_flag {
    POPULATION_B2B_LTV = 1,      /* high_lifetime_value */
    POPULATION_B2B_ORDERS = 2,   /* high_order_count */
    POPULATION_B2B_RESELLER = 4, /* reseller_pattern */
    POPULATION_SCORED = 8,       /* the model fields below hold values */
    POPULATION_SEGMENTED = 16    /* the axes hold values */
};

struct population_row {
    int64_t customer_id;
    int64_t gross_cents, refunds_cents;
    int32_t first_day, last_day; /* of orders, day numbers */
    uint32_t orders, lines, products, purchase_days;
    uint32_t orders_90, orders_prev_90; /* orders of the last 90 days, and of the 90 before */
    uint8_t rfm_recency, rfm_frequency, rfm_monetary, rfm_group;
    uint32_t flags;
    uint32_t archetype_l1, archetype_l2; /* index into the archetypes, or POPULATION_NO_ARCHETYPE */
    struct population_membership axes[POPULATION_AXES];
    /* model fields, valid with POPULATION_SCORED */
    float churn, p_alive;
    float spend_mean;      /* mean net sales of a purchase day, for Gamma-Gamma */
    float expected_orders; /* in CLV_MONTHS */
    float predicted_clv, predicted_clv_discounted;
    uint32_t spend_days; /* purchase days with net sales above 0 */
    uint32_t reserved[6];
};
_Static_assert(sizeof(struct population_row) == 160, "the row is part of the file format");

/*
 * Row orders kept in the file, ascending by (sort value, id). Descending is read backwards group by group, each
 * group of equal values forwards, so that ties are by id ascending in both directions.
 */
enum population_order {
    POPULATION_BY_LTV,
    POPULATION_BY_CHURN,
    POPULATION_BY_IMPACT,
    POPULATION_BY_RECENCY,
    POPULATION_BY_FREQUENCY,
    POPULATION_BY_AOV,
    POPULATION_BY_ORDERS,
    POPULATION_ORDER_COUNT
};

struct population_section {
    uint64_t offset, bytes;
};

enum population_section_id {
    POPULATION_SECTION_ROWS,   /* struct population_row[rows] */
    POPULATION_SECTION_LTV,    /* int64_t cents[rows]: net sales */
    POPULATION_SECTION_CHURN,  /* float[rows] */
    POPULATION_SECTION_DAYS,   /* int32_t[rows]: last order day */
    POPULATION_SECTION_FIRST,  /* int32_t[rows]: first order day */
    POPULATION_SECTION_ORDERS, /* uint32_t[rows] */
    POPULATION_SECTION_WORDS, /* uint64_t[rows]: dominant word of axis i in bits 4i…4i+3, rfm group bits 36…39, b2b
                                 bit 40, archetype_l1 bits 41…63 */
    POPULATION_SECTION_HASH,  /* uint32_t[hash_size]: row + 1, open addressing by hash_u64(customer_id), next
                                 slot up; at most half full */
    POPULATION_SECTION_ORDER_0, /* POPULATION_ORDER_COUNT sections of uint32_t[rows], see enum population_order */
    POPULATION_SECTION_ARCHETYPES = POPULATION_SECTION_ORDER_0 + POPULATION_ORDER_COUNT,
    POPULATION_SECTION_MODEL,      /* opaque bytes of the model layer (parameters, anchors); may be empty */
    POPULATION_SECTION_AGGREGATES, /* struct population_aggregates */
    POPULATION_SECTION_STRINGS,
    POPULATION_SECTION_COUNT
};

/* Exact totals over all rows. */
struct population_aggregates {
    int64_t net_cents, gross_cents, refunds_cents;
    int64_t ltv_p95_cents;                /* nearest rank; 0 without rows */
    uint64_t orders;                      /* of customers */
    uint64_t active;                      /* an order in the active window */
    uint64_t critical, high, medium, low; /* by churn; all 0 while unscored */
    double churn_sum;
    int32_t first_day, last_day; /* of all orders that count; CLOCK_NO_DAY without rows */
};

struct population_header {
    uint64_t magic;
    uint32_t format, header_bytes;
    uint64_t file_bytes;
    uint64_t checksum; /* hash_fast over the file with this field 0 */
    uint64_t data_version;
    int64_t published_us, synced_us; /* of the last successful sync in it */
    int32_t as_of_day, reserved;
    uint64_t rows, hash_size;
    uint64_t orders_loaded, rows_loaded, guest_rows; /* of combined_sales */
    uint64_t archetypes;
    char currency[8];
    char model_version[24]; /* "" while unscored */
    char model_status[24];
    struct population_section sections[POPULATION_SECTION_COUNT];
};

struct population {
    const struct population_header *header;
    const struct population_row *rows;
    const int64_t *ltv_cents;
    const float *churn;
    const int32_t *last_day, *first_day;
    const uint32_t *orders;
    const uint64_t *words;
    const uint32_t *hash;
    const uint32_t *order[POPULATION_ORDER_COUNT];
    const struct population_aggregates *totals;
    size_t count;   /* rows */
    unsigned users; /* references of this process: see population_hold */
    size_t map_bytes;
};

/* Maps and verifies DIR/population-<version>.bin. NULL with the reason in words (also where errno was set). */
struct population *population_open(const char *dir, uint64_t data_version, char *why, size_t why_size);
/* The newest valid one in DIR; a damaged newer one is reported through `why` and passed over. NULL: none (why may be
 * ""). */
struct population *population_open_latest(const char *dir, char *why, size_t why_size);
/* References: open gives the first; the last release unmaps. NULL may be released. */
void population_hold(struct population *p);
void population_release(struct population *p);

/* Row of a customer, or NULL. */
const struct population_row *population_find(const struct population *p, int64_t customer_id);
size_t population_row_index(const struct population *p, const struct population_row *row);
/* Risk level of a churn value. Bounds are compared as floats, so a churn shown as 0.3 is not above 0.3. */
enum population_risk {
    POPULATION_RISK_LOW,
    POPULATION_RISK_MEDIUM,   /* > 0.3 */
    POPULATION_RISK_HIGH,     /* > 0.5 */
    POPULATION_RISK_CRITICAL, /* > 0.7 */
    POPULATION_RISK_UNKNOWN   /* not scored */
};
enum population_risk population_risk_of(float churn);
/* Derived values, as the contract defines them (CONTRACT 1.2). */
int64_t population_net_cents(const struct population_row *r);
double population_aov(const struct population_row *r);      /* money, not rounded */
double population_gap_days(const struct population_row *r); /* average gap; NaN with one order */
double population_orders_per_year(const struct population *p,
                                  const struct population_row *r); /* of tenure, taken as at least 1 day */
int32_t population_days_since(const struct population *p, const struct population_row *r);
int32_t population_tenure_days(const struct population *p, const struct population_row *r);
double population_b2b_score(const struct population_row *r); /* 0, 0.5, 1 */

#endif
