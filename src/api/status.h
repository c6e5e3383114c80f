/*
 * status: the page of GET /status: one HTML text without scripts, pictures or anything from elsewhere.
 *
 * It is public: it shows states, ages, counts and service levels, never a host, an error's text or a customer. Every
 * word on it is one of the program's own, so nothing needs escaping.
 */
#ifndef API_STATUS_H
#define API_STATUS_H

#include "api/health.h"
#include "api/tally.h"
#include "base/buf.h"
#include "core/scoreboard.h"

struct status_view {
    const struct scoreboard *sb;
    const struct dataset *data; /* NULL: none */
    struct health health;
    struct tally tally;
    struct sb_sync sync;
    struct slo_report slo;
};

/* The text of the style element, whose digest stands in the page's Content-Security-Policy. */
extern const struct str status_style;

void status_write(struct buf *out, const struct status_view *v);
/* Its parts about service levels: status_slo.c */
void status_write_levels(struct buf *out, const struct status_view *v);
void status_write_day(struct buf *out, const struct status_view *v);
/* "3 days", "12 min", …: a span in words. */
void status_write_span(struct buf *out, int64_t seconds);

#endif
