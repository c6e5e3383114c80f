/*
 * h_status: GET /status, the page for people (CONTRACT 7).
 */
#include "api/errors.h"
#include "api/request.h"
#include "api/status.h"
#include "base/clock.h"

void h_status(struct api_request *q)
{
    const struct api *a = q->api;
    struct buf *out = &q->api->body;
    struct status_view v = { .sb = a->env.sb, .data = a->data.current };

    if (!a->env.conf->enable_status_page) {
        error_send(
            q, &(struct error_answer){ .status = 404,
                                       .code = "NOT_FOUND",
                                       .message = "Status page disabled. Set ENABLE_STATUS_PAGE=true to enable." });
        return;
    }
    health_read(&v.health, v.data, a->env.conf, v.sb);
    tally_processes(&v.tally, v.sb);
    (void)scoreboard_sync_read(v.sb, &v.sync); /* all zero when it cannot be read */
    slo_report(&v.sb->slo, v.health.now_us / CLOCK_US_PER_S, &v.slo);
    buf_reset(out);
    status_write(out, &v);
    if (out->failed)
        error_no_memory(q);
    else
        request_reply(q, 200, HEADERS_HTML, buf_str(out));
}
