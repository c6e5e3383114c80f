/*
 * probe_slo: the probe measures the service levels (core/slo) and keeps their history in STATE_DIR.
 *
 * Only the probe of the serving generation calls these, so the ring and the file have one writer.
 */
#ifndef PROC_PROBE_SLO_H
#define PROC_PROBE_SLO_H

#include "proc/roles.h"

/* A worker was asked through the socket whether it lives. /health would have answered 200 when it did, every ready
 * worker has data, and the server is not stopping. (/health itself is not asked: before the first sync its 503s would
 * count among the server's errors.) */
void probe_slo_ask(const struct proc_context *ctx, bool answered);
/* Every second, at the start and at the end: what the processes have counted, and the data's age. Loads the history
 * first where that is not done, and saves what changed. */
void probe_slo_count(const struct proc_context *ctx);

#endif
