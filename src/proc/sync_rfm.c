#include "proc/sync_rfm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "model/rfm.h"

#define PARTS        5
#define REPEAT_PARTS 4 /* of those with two orders or more */

struct values {
    int64_t *last_day, *orders, *net; /* orders: of repeat buyers only */
    size_t count, repeaters, room;
};

static bool take_row(const char *row, size_t n, void *arg)
{
    struct values *v = arg;
    struct str rest = { row, n > 0 && row[n - 1] == '\n' ? n - 1 : n }, field;
    int64_t number[3];

    for (int i = 0; i < 3; i++)
        if (!str_split(&rest, '\t', &field) || !str_to_i64(field, &number[i]))
            return false;
    if (v->count == v->room)
        return false;
    v->last_day[v->count] = number[0];
    v->net[v->count++] = number[2];
    if (number[1] >= 2)
        v->orders[v->repeaters++] = number[1];
    return true;
}

static int compare(const void *a, const void *b)
{
    int64_t l = *(const int64_t *)a, r = *(const int64_t *)b;

    return l < r ? -1 : l > r;
}

static void describe_cuts(char *dst, size_t size, int64_t *values, size_t n, unsigned parts)
{
    int64_t cut[PARTS];
    size_t len = 0;

    qsort(values, n, sizeof(*values), compare);
    rfm_cuts(values, n, parts, cut);
    for (unsigned i = 0; i + 1 < parts; i++)
        len += (size_t)snprintf(dst + len, size - len, "%c%lld", i == 0 ? '{' : ',', (long long)cut[i]);
    snprintf(dst + len, size - len, "}");
}

static void describe_groups(char *dst, size_t size)
{
    size_t len = 0;

    for (uint8_t r = 1; r <= PARTS; r++)
        for (uint8_t f = 1; f <= PARTS; f++)
            for (uint8_t m = 1; m <= PARTS; m++)
                len += (size_t)snprintf(dst + len, size - len, "%c%s", len == 0 ? '{' : ',',
                                        rfm_group_name(rfm_group_of(r, f, m)));
    snprintf(dst + len, size - len, "}");
}

static enum sync_db_status read_values(struct sync_db *db, struct values *v)
{
    int64_t customers = 0;
    enum sync_db_status s = sync_db_query_i64(db, "counting customer_facts", "SELECT count(*) FROM customer_facts",
                                              NULL, 0, 0, &customers);

    if (s != SYNC_DB_OK)
        return s;
    v->room = (size_t)customers;
    v->last_day = calloc(3 * v->room + 1, sizeof(*v->last_day));
    if (v->last_day == NULL) {
        db->reason = SB_REASON_MEMORY;
        snprintf(db->error, sizeof(db->error), "out of memory while grouping %lld customers", (long long)customers);
        return SYNC_DB_ERROR;
    }
    v->orders = v->last_day + v->room;
    v->net = v->orders + v->room;
    return sync_db_copy_out(
        db, "reading customer_facts",
        "COPY (SELECT last_day, orders, gross_cents - refunds_cents FROM customer_facts) TO STDOUT", take_row, v);
}

enum sync_db_status sync_rfm_compute(struct sync_db *db, struct sync_rfm *out)
{
    struct values v = { 0 };
    enum sync_db_status s = read_values(db, &v);

    if (s == SYNC_DB_OK) {
        describe_groups(out->groups, sizeof(out->groups));
        describe_cuts(out->recency, sizeof(out->recency), v.last_day, v.count, PARTS);
        describe_cuts(out->frequency, sizeof(out->frequency), v.orders, v.repeaters, REPEAT_PARTS);
        describe_cuts(out->monetary, sizeof(out->monetary), v.net, v.count, PARTS);
    }
    free(v.last_day);
    return s;
}
