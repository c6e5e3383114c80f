/*
 * h_sync: POST /admin/sync-sales.
 */
#include "api/errors.h"
#include "api/params.h"
#include "api/request.h"
#include "api/sync_wait.h"
#include "base/clock.h"

#define MAX_ROW_LIMIT     10000000
#define RETRY_NO_SOURCE_S 60

static const char *const modes[] = { "dry-run", "incremental", "full", NULL };

static bool read_mode(struct str word, uint32_t *mode)
{
    if (word.len == 0) {
        *mode = SB_MODE_INCREMENTAL;
        return true;
    }
    for (*mode = 0; *mode < SB_MODE_COUNT; (*mode)++) {
        if (str_eq_lit(word, sb_mode_name(*mode)))
            return true;
    }
    return false;
}

static void check_together(struct params *p, const struct sb_mail_request *r)
{
    if (r->mode == SB_MODE_FULL && r->start_day != CLOCK_NO_DAY)
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("start_date"), "cannot be given with mode full");
    if (r->mode == SB_MODE_FULL && r->end_day != CLOCK_NO_DAY)
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("end_date"), "cannot be given with mode full");
    if (r->mode != SB_MODE_DRY_RUN && r->row_limit > 0)
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("limit"), "can only be given with mode dry-run");
    if (r->start_day != CLOCK_NO_DAY && r->end_day != CLOCK_NO_DAY && r->start_day > r->end_day)
        params_fault(p, PARAMS_OUT_OF_RANGE, "query", STR_LIT("start_date"), "must not be after end_date");
}

void h_sync_sales(struct api_request *q)
{
    struct sb_mail_request r = { .trigger = SB_BY_API };
    struct params p;
    bool until_end;

    params_init(&p, &q->http->arena, q->http->head->query);
    if (!read_mode(params_query_text(&p, "mode"), &r.mode)) {
        error_word(q, "Mode must be: dry-run, incremental, or full", "mode", modes);
        return;
    }
    r.start_day = params_query_day(&p, "start_date");
    r.end_day = params_query_day(&p, "end_date");
    r.row_limit = params_query_int(&p, "limit", 1, MAX_ROW_LIMIT, 0);
    until_end = params_query_bool(&p, "wait", false);
    check_together(&p, &r);
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    if (!conf_source_configured(q->api->env.conf)) {
        error_unavailable(q, "No source is configured", RETRY_NO_SOURCE_S);
        return;
    }
    sync_wait_start(q, &r, until_end);
}
