/*
 * rfm: recency, frequency and monetary scores 1..5 by mid-rank, and the group they form (CONTRACT 9.1, MODELS 5).
 */
#ifndef MODEL_RFM_H
#define MODEL_RFM_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum rfm_group {
    RFM_CHAMPIONS,
    RFM_LOYAL,
    RFM_ACTIVE,
    RFM_NEW,
    RFM_PROMISING,
    RFM_NEEDS_ATTENTION,
    RFM_ALMOST_LOST,
    RFM_PREVIOUSLY_LOYAL,
    RFM_AT_RISK,
    RFM_DORMANT,
    RFM_GROUPS
};

/*
 * Scores by mid-rank: sorted[0..n) ascending; a value's mid-rank is the mean rank of its ties (counted from 1); its
 * part = floor(parts * (midrank - 0.5) / n), so ties stay together and equal parts are the rule, not the promise.
 * Fills cut[0..parts-1) such that score(v) = first_score + number of cuts <= v. parts >= 1; cuts that no value
 * reaches are INT64_MAX.
 */
void rfm_cuts(const int64_t *sorted, size_t n, unsigned parts, int64_t *cut);
uint8_t rfm_score(int64_t value, const int64_t *cut, unsigned parts, uint8_t first_score);
enum rfm_group rfm_group_of(uint8_t recency, uint8_t frequency, uint8_t monetary);
const char *rfm_group_name(unsigned group); /* "CHAMPIONS", …; "" past the end */
int rfm_group_parse(struct str word);       /* enum rfm_group, or -1 */

#endif
