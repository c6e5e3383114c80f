/*
 * axes: where a customer stands on the nine axes (CONTRACT 1.3, MODELS 5).
 *
 * A gate word is decided first and has membership 1. Otherwise one scalar
 * against the ordered anchors of the axis' other words: between two anchors the
 * two memberships are linear and add to 1, outside they are 1 (Ruspini partition).
 */
#ifndef MODEL_AXES_H
#define MODEL_AXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/axes_vocab.h"
#include "model/facts.h"
#include "model/params.h"

#define AXES_MIN_CUSTOMERS   30 /* fewer scalars: the fixed anchors of the axis */
#define AXES_REFIT_PSI       0.2
#define AXES_REFIT_DAYS      91
#define AXES_MEMBERSHIP_UNIT 10000 /* memberships are whole ten-thousandths */

/* `weight` ten-thousandths belong to word `low`, the rest to `high` (= low: all of it). */
struct axes_position {
    uint8_t low, high;
    uint16_t weight;
};

/* False: a gate decides, *gate is its word. True: *scalar is finite. */
bool axes_scalar(enum axis_id axis, const struct facts *f, int32_t as_of_day, double *scalar, uint8_t *gate);
/* Anchors (by word) from the scalars of the customers no gate decides: quantiles (j + .5) / K. Sorts the scalars.
 * Maturity has fixed ones; so has every axis with too few scalars or no spread. */
void axes_fit_anchors(enum axis_id axis, float *scalars, size_t n, double anchors[AXES_MAX_WORDS]);
/* Where the facts stand, with m's anchors. */
struct axes_position axes_place(const struct model_params *m, enum axis_id axis, const struct facts *f,
                                int32_t as_of_day);
uint8_t axes_dominant(struct axes_position p);                        /* the larger membership; low when equal */
double axes_dominant_share(struct axes_position p);                   /* its membership, 0.5 … 1 */
const char *axes_strength(enum axis_id axis, struct axes_position p); /* "strong", "balanced", "weak" */
/* Population stability index of two distributions over the words (each sums to 1). */
double axes_psi(const double before[AXES_MAX_WORDS], const double now[AXES_MAX_WORDS]);

#endif
