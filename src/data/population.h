/*
 * population: the whole customer base as one immutable, memory-mapped file; reading.
 *
 * Layout: header, then sections at 64-byte aligned offsets named in the header.
 * A row record (everything one profile shows, side by side), narrow columns
 * for the fields filters and sorts scan, an id index, row orders for the common
 * sorts, totals; then what the scoring gives beside the rows: archetypes, what is
 * expected of the coming months, the past by month, the model. Little-endian, no pointers; sizes, offsets,
 * checksum and every index are verified before the first use, so a mapped
 * population can be read without further checks, whatever bytes the file held. (Words of axes and archetypes
 * of rows are read through population_archetype_of and axes_vocab_word, which know their ends.)
 * Rows are in ascending order of customer_id, so among equal sort values the row number orders by id.
 */
#ifndef DATA_POPULATION_H
#define DATA_POPULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/cohort.h"
#include "model/forecast.h"
#include "model/params.h"
#include "model/reasons.h"

#define POPULATION_MAGIC        0x504f505f444e5254ULL
#define POPULATION_FORMAT       4
#define POPULATION_AXES         9
#define POPULATION_WORD_NONE    255
#define POPULATION_NO_ARCHETYPE UINT32_MAX
#define POPULATION_MAX_ROWS     (1U << 30)
#define POPULATION_WORDS        16              /* places for words of an axis, the last one for "none" */
#define POPULATION_MONTHS_AHEAD FORECAST_MONTHS /* predictions reach so far */

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
    uint32_t archetype; /* index into the archetypes, or POPULATION_NO_ARCHETYPE */
    struct population_membership axes[POPULATION_AXES];
    int32_t purchase_first_day, purchase_last_day; /* of the purchase days */
    uint32_t spend_days;                           /* purchase days with net sales above 0 */
    float spend_mean;                              /* money, of a spend day: for Gamma-Gamma */
    /* model fields, valid with POPULATION_SCORED */
    float churn, p_alive;
    float expected_orders;                         /* in CLV_MONTHS */
    float expected_orders_90;                      /* in the next 90 days */
    float predicted_clv, predicted_clv_discounted; /* money, in CLV_MONTHS */
    /* follow from the model, filled by the writer: shown by every profile, too dear to compute for each */
    int16_t reason_shares[REASONS_SHARES]; /* of the churn, in hundredths of log-odds, see reasons_attribute */
    int16_t next_order_days;               /* median, from the as-of day; 0: an order is too unlikely to date */
    uint32_t reserved[2];
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
    POPULATION_ORDER_COUNT,
    /* sort values without an order in the file */
    POPULATION_BY_CLV = POPULATION_ORDER_COUNT, /* predicted_clv */
    POPULATION_BY_KEPT,                         /* net sales x (1 - churn) */
    POPULATION_BY_ORDERS_KEPT                   /* orders x (1 - churn) */
};

struct population_section {
    uint64_t offset, bytes;
};

enum population_section_id {
    POPULATION_SECTION_ROWS,   /* struct population_row[rows] */
    POPULATION_SECTION_LTV,    /* int64_t cents[rows]: net sales */
    POPULATION_SECTION_CHURN,  /* float[rows]; NaN: not scored */
    POPULATION_SECTION_CLV,    /* float[rows]: predicted_clv; NaN: not scored */
    POPULATION_SECTION_DAYS,   /* int32_t[rows]: last order day */
    POPULATION_SECTION_FIRST,  /* int32_t[rows]: first order day */
    POPULATION_SECTION_ORDERS, /* uint32_t[rows] */
    POPULATION_SECTION_WORDS, /* uint64_t[rows]: dominant word of axis i in bits 4i…4i+3, rfm group bits 36…39, b2b
                                 bit 40, archetype bits 41…63 */
    POPULATION_SECTION_HASH,  /* uint32_t[hash_size]: row + 1, open addressing by hash_u64(customer_id), next
                                 slot up; at most half full */
    POPULATION_SECTION_ORDER_0, /* POPULATION_ORDER_COUNT sections of uint32_t[rows], see enum population_order */
    POPULATION_SECTION_AGGREGATES = POPULATION_SECTION_ORDER_0 + POPULATION_ORDER_COUNT, /* one */
    /* given by the scoring; each may be empty */
    POPULATION_SECTION_ARCHETYPES, /* struct population_archetype[archetypes], by id ascending */
    POPULATION_SECTION_STAYING,    /* float[series][POPULATION_MONTHS_AHEAD], see struct population_archetype */
    POPULATION_SECTION_OUTLOOK,    /* struct forecast_month[POPULATION_MONTHS_AHEAD] of the model layer */
    POPULATION_SECTION_MONTHS,     /* struct population_month[], oldest first, without gaps, up to the as-of month */
    POPULATION_SECTION_COHORTS,    /* one struct cohort_table of the model layer */
    POPULATION_SECTION_PAST,       /* one struct population_past */
    POPULATION_SECTION_MODEL,      /* one struct model_params of the model layer */
    POPULATION_SECTION_COUNT
};

/* Exact totals over all rows. */
struct population_aggregates {
    int64_t net_cents, gross_cents, refunds_cents;
    int64_t ltv_p95_cents;                /* nearest rank; 0 without rows */
    uint64_t orders;                      /* of customers */
    uint64_t active;                      /* an order in the active window */
    uint64_t acquired;                    /* first order in the last POPULATION_ACQUIRED_DAYS */
    uint64_t critical, high, medium, low; /* by churn; all 0 while unscored */
    uint64_t scored, segmented, b2b;
    int64_t tenure_days;                                 /* sum */
    double churn_sum;                                    /* of those scored */
    double churn_median;                                 /* of those scored; 0 without */
    double expected_orders_90;                           /* sum */
    double predicted_clv;                                /* sum */
    uint64_t members[POPULATION_AXES][POPULATION_WORDS]; /* by dominant word; the last: none */
    uint64_t rfm_groups[POPULATION_WORDS];
    int32_t first_day, last_day; /* of all orders that count; CLOCK_NO_DAY without rows */
};
#define POPULATION_ACQUIRED_DAYS 365

/* A group of customers. All but id and series follows from the rows. */
struct population_archetype {
    uint64_t id;                    /* arch_ and these 12 digits */
    uint8_t words[POPULATION_AXES]; /* most common among the members (the lower one of equals) */
    uint8_t reserved[7];
    uint32_t with_word[POPULATION_AXES]; /* members that have it */
    uint32_t series; /* of the section STAYING, or POPULATION_NO_SERIES: members active at the end of month 1, 2, … */
    uint64_t members, active, acquired; /* as in the totals */
    uint64_t orders;
    int64_t net_cents;
    int64_t days_since;     /* last order, sum */
    double orders_per_year; /* of tenure, sum */
    double churn_sum;
    double expected_orders_90;
};
#define POPULATION_NO_SERIES UINT32_MAX

/* One calendar month of the past, orders of customers only. */
struct population_month {
    int32_t month;                             /* year * 12 + month - 1 */
    uint32_t customers, new_customers, orders; /* with an order; with their first; orders */
    int64_t net_cents;
};

/* Members of the segments on an earlier scoring day, about 30 days before: for trends. */
struct population_past {
    int32_t day, reserved;
    uint64_t members[POPULATION_AXES][POPULATION_WORDS];
};

/* Settings in force when the customers were scored. */
struct population_settings {
    int32_t churn_horizon_days, active_window_days, clv_months;
    int32_t archetype_level; /* enum archetype_level */
    double clv_discount_annual, clv_margin;
};

struct population_header {
    uint64_t magic;
    uint32_t format, header_bytes;
    uint64_t file_bytes;
    uint64_t checksum; /* see population_checksum; of the file with this field 0 */
    uint64_t data_version;
    int64_t published_us, synced_us; /* of the last successful sync in it */
    int64_t trained_us;              /* when the models were fitted; 0: unscored */
    int32_t as_of_day, reserved;
    uint64_t rows, hash_size;
    uint64_t orders_loaded, rows_loaded, guest_rows; /* of combined_sales */
    uint64_t archetypes;
    struct population_settings settings;
    char currency[8];
    char model_version[24]; /* "" while unscored */
    char model_status[24];
    struct population_section sections[POPULATION_SECTION_COUNT];
};

/* How far population_check has come. */
struct population_progress {
    size_t byte;    /* the checksum's next */
    uint64_t sum;   /* of those before it */
    unsigned index; /* the row orders, then the id index */
    size_t value;   /* its next */
    bool free_slot; /* the id index has one */
};

struct population {
    const struct population_header *header;
    const struct population_row *rows;
    const int64_t *ltv_cents;
    const float *churn, *predicted_clv;
    const int32_t *last_day, *first_day;
    const uint32_t *orders;
    const uint64_t *words;
    const uint32_t *hash;
    const uint32_t *order[POPULATION_ORDER_COUNT];
    const struct population_aggregates *totals;
    const struct population_archetype *archetypes;
    const float (*staying)[POPULATION_MONTHS_AHEAD];
    const struct population_month *months;
    const struct forecast_month *outlook; /* this and the next ones: NULL when they were not given */
    const struct cohort_table *cohorts;
    const struct population_past *past;
    const struct model_params *model;
    size_t archetype_count, series_count, month_count;
    size_t count;   /* rows */
    unsigned users; /* references of this process: see population_hold */
    size_t map_bytes;
    struct population_progress progress;
};

/* Maps and verifies DIR/population-<version>.bin. NULL with the reason in words (also where errno was set). */
struct population *population_open(const char *dir, uint64_t data_version, char *why, size_t why_size);
/* The same in pieces, for a process that must not be held up: open looks at the header alone, and nothing is done
 * with the population but to check and to release it until population_check has called it good. A call looks at a
 * megabyte or so; it is not called again after its verdict. */
enum population_verdict {
    POPULATION_GOOD,
    POPULATION_DAMAGED, /* `why` says how */
    POPULATION_NOT_YET  /* to be called again */
};
struct population *population_open_unchecked(const char *dir, uint64_t data_version, char *why, size_t why_size);
enum population_verdict population_check(struct population *p, char *why, size_t why_size);
/* The newest valid one in DIR; a damaged newer one is reported through `why` and passed over. NULL: none (why may be
 * ""). */
struct population *population_open_latest(const char *dir, char *why, size_t why_size);
/* References: open gives the first; the last release unmaps. NULL may be released. */
void population_hold(struct population *p);
void population_release(struct population *p);

/* Row of a customer, or NULL. */
const struct population_row *population_find(const struct population *p, int64_t customer_id);
size_t population_row_index(const struct population *p, const struct population_row *row);
/* The archetype of a row, NULL: none. */
const struct population_archetype *population_archetype_of(const struct population *p,
                                                           const struct population_row *row);
/* By the number in its id; NULL: there is none. */
const struct population_archetype *population_archetype_find(const struct population *p, uint64_t id);
/* Members of an archetype that are active at the end of months 1…POPULATION_MONTHS_AHEAD; NULL: not known. */
const float *population_archetype_staying(const struct population *p, const struct population_archetype *a);
/* The word with the larger share, the lower one of equals. */
uint8_t population_dominant(const struct population_membership *m);
/* Risk level of a churn value. Bounds are compared as floats, so a churn shown as 0.3 is not above 0.3. */
enum population_risk {
    POPULATION_RISK_LOW,
    POPULATION_RISK_MEDIUM,   /* > 0.3 */
    POPULATION_RISK_HIGH,     /* > 0.5 */
    POPULATION_RISK_CRITICAL, /* > 0.7 */
    POPULATION_RISK_UNKNOWN   /* not scored */
};
enum population_risk population_risk_of(float churn);
const char *population_risk_name(enum population_risk risk); /* "low" …; NULL for unknown */
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
