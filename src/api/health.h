/*
 * health: the verdict of /health, from the board, the sync status and the data set. Reads memory only, never waits.
 */
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "api/dataset.h"
#include "core/conf.h"
#include "core/scoreboard.h"

/* What the contract lists under `components`. */
enum health_component {
    HEALTH_API,
    HEALTH_MCP_SERVER,
    HEALTH_DATABASE,
    HEALTH_CACHE,
    HEALTH_SOURCE,
    HEALTH_AI,
    HEALTH_SYNC,
    HEALTH_COMPONENTS
};

enum health_reason {
    HEALTH_FINE,
    HEALTH_NO_DATA,
    HEALTH_STARTING, /* data exist, but are not mapped yet; /health says no_data */
    HEALTH_DRAINING,
    HEALTH_DEPENDENCY_DOWN,
    HEALTH_STALE_DATA
};

struct health_check {
    enum sb_health state; /* never UNKNOWN */
    enum sb_error error;
    int64_t latency_us, checked_us, since_us; /* -1, 0, 0: none */
};

struct health {
    int64_t now_us;
    bool serving; /* answers 200 */
    enum health_reason reason;
    bool stale;
    enum sb_health components[HEALTH_COMPONENTS];
    struct health_check checks[SB_COMPONENT_COUNT];
};

void health_read(struct health *h, const struct dataset *d, const struct conf *conf, const struct scoreboard *sb);
/* One dependency as the probe saw it; a check that is overdue counts as degraded. */
void health_check_read(struct health_check *c, enum sb_component which, const struct conf *conf,
                       const struct scoreboard *sb, int64_t now_us);

const char *health_component_name(enum health_component c);
const char *health_reason_name(enum health_reason r); /* NULL for fine */

#endif
