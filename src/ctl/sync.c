/*
 * sync: posts a request into the mailbox, wakes the sync process, reads its answer, and follows the run.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ctl.h"

#define ANSWER_S 15 /* for the box to be free, and for the answer */

#define MOST_ROWS 10000000

struct options {
    struct sb_mail_request request;
    bool wait;
};

static bool has_value(const char *name)
{
    return strcmp(name, "--start") == 0 || strcmp(name, "--end") == 0 || strcmp(name, "--limit") == 0;
}

static bool read_value(const char *name, const char *value, struct sb_mail_request *r)
{
    if (strcmp(name, "--start") == 0)
        return clock_parse_day(str_from(value), &r->start_day);
    if (strcmp(name, "--end") == 0)
        return clock_parse_day(str_from(value), &r->end_day);
    return str_to_i64(str_from(value), &r->row_limit) && r->row_limit > 0 && r->row_limit <= MOST_ROWS;
}

/* As POST /admin/sync-sales allows them together. */
static int fit_together(const struct sb_mail_request *r)
{
    bool start = r->start_day != CLOCK_NO_DAY, end = r->end_day != CLOCK_NO_DAY;

    if (r->mode == SB_MODE_FULL && (start || end))
        return ctl_usage("sync", "--full reads all days: no --start or --end with it");
    if (r->mode != SB_MODE_DRY_RUN && r->row_limit > 0)
        return ctl_usage("sync", "--limit goes with --dry-run");
    if (start && end && r->start_day > r->end_day)
        return ctl_usage("sync", "--end is before --start");
    return CTL_OK;
}

static int read_options(int argc, char **argv, struct options *o)
{
    struct sb_mail_request *r = &o->request;

    *o = (struct options){ .request = { .mode = SB_MODE_INCREMENTAL,
                                        .trigger = SB_BY_CLI,
                                        .start_day = CLOCK_NO_DAY,
                                        .end_day = CLOCK_NO_DAY } };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--wait") == 0)
            o->wait = true;
        else if (strcmp(argv[i], "--full") == 0 && r->mode == SB_MODE_INCREMENTAL)
            r->mode = SB_MODE_FULL;
        else if (strcmp(argv[i], "--dry-run") == 0 && r->mode == SB_MODE_INCREMENTAL)
            r->mode = SB_MODE_DRY_RUN;
        else if (!has_value(argv[i]))
            return ctl_usage("sync", "%s is not expected here", argv[i]);
        else if (i + 1 == argc)
            return ctl_usage("sync", "%s needs a value", argv[i]);
        else if (!read_value(argv[i], argv[i + 1], r))
            return ctl_usage("sync", "%s cannot be %s", argv[i], argv[i + 1]);
        else
            i++;
    }
    return fit_together(r);
}

/* 0: the box did not come free. */
static uint32_t post(struct ctl *ctl, const struct sb_mail_request *r)
{
    uint64_t end_ns = clock_mono_ns() + ANSWER_S * CLOCK_NS_PER_S;
    uint32_t ticket;

    while ((ticket = scoreboard_mail_post(ctl->sb, r)) == 0 && clock_mono_ns() < end_ns)
        ctl_pause();
    return ticket;
}

/* CTL_OK: *run_id is the run started. */
static int answer(struct ctl *ctl, uint32_t ticket, int64_t *run_id)
{
    uint64_t end_ns = clock_mono_ns() + ANSWER_S * CLOCK_NS_PER_S;
    enum sb_mail_answer what;

    while (!scoreboard_mail_poll(ctl->sb, ticket, &what, run_id)) {
        if (!ctl_running(ctl) || clock_mono_ns() > end_ns)
            return ctl_fail(CTL_FAILED, "the sync process does not answer; see patronctl status");
        ctl_pause();
    }
    switch (what) {
    case SB_ANSWER_STARTED:
        printf("run %lld started\n", (long long)*run_id);
        return CTL_OK;
    case SB_ANSWER_ALREADY_RUNNING:
        return ctl_fail(CTL_FAILED, "another sync is already running (run %lld)", (long long)*run_id);
    case SB_ANSWER_NOT_CONFIGURED:
        return ctl_fail(CTL_FAILED, "no source is configured: set SYNC_SOURCE or AZURE_SQL_*");
    case SB_ANSWER_DATABASE_DOWN:
        return ctl_fail(CTL_FAILED, "PostgreSQL is down; see patronctl check postgres");
    default:
        return ctl_fail(CTL_FAILED, "the request was refused");
    }
}

static int report(const struct sb_run *run)
{
    double seconds = (double)(run->finished_us - run->started_us) / 1e6;

    if (run->status != SB_RUN_SUCCESS)
        return ctl_fail(CTL_FAILED, "run %lld %s after %.1f s: %s", (long long)run->run_id,
                        sb_run_status_name(run->status), seconds, run->error);
    printf("run %lld succeeded in %.1f s: %lld rows read, %lld inserted, %lld updated, %lld deleted, %lld skipped\n",
           (long long)run->run_id, seconds, (long long)run->rows_read, (long long)run->rows_inserted,
           (long long)run->rows_updated, (long long)run->rows_deleted, (long long)run->rows_skipped);
    return CTL_OK;
}

static const struct sb_run *finished_run(const struct sb_sync *sync, int64_t run_id)
{
    if (sync->run.run_id == run_id)
        return sync->running ? NULL : &sync->run;
    for (uint32_t i = 0; i < sync->run_count; i++) {
        if (sync->runs[i].run_id == run_id && sync->runs[i].status != SB_RUN_RUNNING)
            return &sync->runs[i];
    }
    return NULL;
}

/* The run has its own deadline, kept by the server: no other is needed here. */
static int follow(struct ctl *ctl, int64_t run_id)
{
    struct sb_sync sync;
    uint32_t phase = SB_PHASE_COUNT;

    for (;;) {
        const struct sb_run *run;

        if (!ctl_running(ctl))
            return ctl_fail(CTL_FAILED, "patrond stopped during the run");
        if (scoreboard_sync_read(ctl->sb, &sync)) {
            run = finished_run(&sync, run_id);
            if (run != NULL)
                return report(run);
            if (sync.running && sync.run.run_id == run_id && sync.phase != phase) {
                phase = sync.phase;
                fprintf(stderr, "%s (%lld rows read)\n", sb_phase_name(phase), (long long)sync.run.rows_read);
            }
        }
        ctl_pause();
    }
}

int ctl_sync(struct ctl *ctl, int argc, char **argv)
{
    struct options o;
    uint32_t ticket;
    int64_t run_id;
    int status = read_options(argc, argv, &o);

    if (status == CTL_OK)
        status = ctl_attach(ctl, true);
    if (status != CTL_OK)
        return status;
    ticket = post(ctl, &o.request);
    if (ticket == 0)
        return ctl_fail(CTL_FAILED, "another request is in the mailbox; try again");
    if (ctl_signal(ctl, "sync") != CTL_OK)
        return CTL_FAILED;
    status = answer(ctl, ticket, &run_id);
    return status == CTL_OK && o.wait ? follow(ctl, run_id) : status;
}
