/*
 * incident: the document for the review of an incident, made of what the journal tells.
 *
 * Pure: lines in, in the order of time, and text out. What no journal can know (cause, actions) is left to people.
 */
#ifndef CTL_INCIDENT_H
#define CTL_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/events.h"
#include "core/scoreboard.h"
#include "core/slo.h"

#define INCIDENT_LINES   2000 /* of the timeline */
#define INCIDENT_MESSAGE 300

/* An event of the server as the journal holds it. */
struct incident_event {
    int64_t at_us;
    enum event_id id;
    int priority;                         /* syslog's: 4 warning, 3 error */
    char message[INCIDENT_MESSAGE];       /* without its "event: " */
    char component[16], from[16], to[16]; /* of component_state_changed */
    uint64_t suppressed;                  /* lines like it that were left out */
};

struct incident_line {
    struct incident_event first; /* of a number of equal ones in a row */
    int64_t last_us;
    unsigned count;
};

/* How long a component was down or degraded, within the window. */
struct incident_component {
    bool touched, bad;
    int64_t bad_since_us, bad_us;
};

struct incident {
    int64_t since_us, until_us;
    uint64_t events; /* that the journal has; 0: nothing is known of the window */
    uint64_t counts[EVENT_COUNT];
    int64_t first_bad_us, last_bad_us, last_good_us; /* 0: none */
    struct incident_component components[SB_COMPONENT_COUNT];
    struct incident_line *lines; /* those of transitions */
    size_t line_count, lines_left_out;
};

/* False: no memory. */
bool incident_init(struct incident *i, int64_t since_us, int64_t until_us);
void incident_free(struct incident *i);
void incident_add(struct incident *i, const struct incident_event *e);
/* The whole document, Markdown. `levels`: what the server measured in the window, in steps of five minutes; NULL: it
 * cannot be read. */
void incident_write(const struct incident *i, const struct slo_sum *levels, const char *unit, const char *host,
                    struct buf *out);

/* The same facts as one JSON object. */
void incident_write_json(const struct incident *i, const struct slo_sum *levels, const char *unit, const char *host,
                         struct buf *out);
bool incident_goes_on(const struct incident *i); /* at the end of the window */
int64_t incident_bad_us(const struct incident *i, const struct incident_component *c);
double incident_lost_minutes(const struct slo_sum *levels); /* without a /health of 200 */

/* "2025-11-03T08:00:00Z", "2025-11-03" (midnight, UTC), or how long before now: "90m", "2h", "3d". */
bool incident_parse_time(const char *text, int64_t now_us, int64_t *us);

#endif
