/*
 * rfm: integer arithmetic throughout, so equal data give equal scores everywhere.
 */
#include "model/rfm.h"

static const char *const names[RFM_GROUPS] = {
    [RFM_CHAMPIONS] = "CHAMPIONS",     [RFM_LOYAL] = "LOYAL",
    [RFM_ACTIVE] = "ACTIVE",           [RFM_NEW] = "NEW",
    [RFM_PROMISING] = "PROMISING",     [RFM_NEEDS_ATTENTION] = "NEEDS_ATTENTION",
    [RFM_ALMOST_LOST] = "ALMOST_LOST", [RFM_PREVIOUSLY_LOYAL] = "PREVIOUSLY_LOYAL",
    [RFM_AT_RISK] = "AT_RISK",         [RFM_DORMANT] = "DORMANT",
};

/* Group by recency (rows, 1..5) and the mean of the two others (columns, 1..5). */
static const uint8_t groups[5][5] = {
    { RFM_DORMANT, RFM_DORMANT, RFM_AT_RISK, RFM_AT_RISK, RFM_PREVIOUSLY_LOYAL },
    { RFM_DORMANT, RFM_DORMANT, RFM_AT_RISK, RFM_AT_RISK, RFM_PREVIOUSLY_LOYAL },
    { RFM_ALMOST_LOST, RFM_ALMOST_LOST, RFM_NEEDS_ATTENTION, RFM_LOYAL, RFM_LOYAL },
    { RFM_PROMISING, RFM_PROMISING, RFM_ACTIVE, RFM_LOYAL, RFM_LOYAL },
    { RFM_NEW, RFM_NEW, RFM_ACTIVE, RFM_CHAMPIONS, RFM_CHAMPIONS },
};

void rfm_cuts(const int64_t *sorted, size_t n, unsigned parts, int64_t *cut)
{
    unsigned filled = 0; /* cuts that have their value */

    for (size_t first = 0, end; first < n && filled + 1 < parts; first = end) {
        for (end = first + 1; end < n && sorted[end] == sorted[first]; end++)
            ;
        /* The mid-rank of ranks first+1 … end, less one half, is (first + end) / 2. */
        unsigned part = (unsigned)((uint64_t)parts * (first + end) / (2 * (uint64_t)n));
        while (filled < part && filled + 1 < parts)
            cut[filled++] = sorted[first];
    }
    while (filled + 1 < parts)
        cut[filled++] = INT64_MAX;
}

uint8_t rfm_score(int64_t value, const int64_t *cut, unsigned parts, uint8_t first_score)
{
    uint8_t score = first_score;

    for (unsigned i = 0; i + 1 < parts; i++)
        score = (uint8_t)(score + (cut[i] <= value));
    return score;
}

static unsigned index_of(uint8_t score)
{
    return score < 1 ? 0 : score > 5 ? 4 : score - 1U;
}

enum rfm_group rfm_group_of(uint8_t recency, uint8_t frequency, uint8_t monetary)
{
    unsigned mean = (frequency + monetary + 1U) / 2; /* half up */

    return (enum rfm_group)groups[index_of(recency)][index_of((uint8_t)mean)];
}

const char *rfm_group_name(unsigned group)
{
    return group < RFM_GROUPS ? names[group] : "";
}

int rfm_group_parse(struct str word)
{
    for (int i = 0; i < RFM_GROUPS; i++)
        if (str_eq_lit(word, names[i]))
            return i;
    return -1;
}
