/*
 * present_segment: axes, segments and the configuration as JSON (CONTRACT 15). Pure functions.
 */
#ifndef API_PRESENT_SEGMENT_H
#define API_PRESENT_SEGMENT_H

#include "api/dataset.h"
#include "core/json.h"
#include "data/population.h"

void present_axes(struct json_writer *w);
void present_segment_stats(struct json_writer *w, const struct dataset *d);
void present_segment_customer(struct json_writer *w, const struct dataset *d, const struct population_row *row);
/* CONTRACT 16, calculate_segment_trends. */
void present_segment_trend(struct json_writer *w, const struct dataset *d, unsigned axis, unsigned word);
void present_configuration(struct json_writer *w, const struct dataset *d);

#endif
