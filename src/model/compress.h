/*
 * compress: customers with the same history are fitted once.
 */
#ifndef MODEL_COMPRESS_H
#define MODEL_COMPRESS_H

#include <stddef.h>

#include "model/mbg.h"

/* Sorts by (x, tx, t) and merges equal histories, adding their counts. Returns how many are left. The result does not
 * depend on the order of the input. */
size_t compress_histories(struct mbg_history *histories, size_t n);

#endif
