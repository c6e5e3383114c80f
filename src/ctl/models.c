/*
 * models: the last fit, from model_runs over a short connection of its own: the server need not run.
 *
 * --json prints what the table holds; the text shows what an operator judges a fit by.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "core/json.h"
#include "ctl/ctl.h"
#include "proc/sync_db.h"

#define TIME_S     15 /* for all of it, connecting included */
#define MAX_MEMORY (4 * 1024 * 1024)

/* Member by path ("mbg.r"); NULL: there is none. */
static const struct json *member(const struct json *at, const char *path)
{
    struct str rest = str_from(path), key;
    char name[64];

    while (at != NULL && str_split(&rest, '.', &key))
        at = str_copy(name, sizeof(name), key) ? json_get(at, name) : NULL;
    return at;
}

/* NaN: null or absent. */
static double number(const struct json *at, const char *path)
{
    const struct json *n = member(at, path);
    double v;

    return n != NULL && json_double(n, &v) ? v : (double)NAN;
}

static struct str text(const struct json *at, const char *path)
{
    const struct json *n = member(at, path);

    return n != NULL && n->type == JSON_STRING ? n->text : str_from("-");
}

static bool is_true(const struct json *at, const char *path)
{
    const struct json *n = member(at, path);

    return n != NULL && n->type == JSON_BOOL && n->boolean;
}

static void print_head(const struct json *run)
{
    struct str version = text(run, "model_version"), day = text(run, "as_of"), at = text(run, "trained_at"),
               status = text(run, "status");

    printf("%.*s  as of %.*s  fitted %.*s  %.*s, churn %s\n", (int)version.len, version.p, (int)day.len, day.p,
           (int)at.len, at.p, (int)status.len, status.p,
           is_true(run, "calibrated") ? "calibrated" : "of the plain model");
    if (!str_eq_lit(status, "ok"))
        printf("             too few data: the numbers come from the priors\n");
}

static void print_data(const struct json *p)
{
    printf("data         %.0f customers, %.0f repeat buyers, %.0f days (needed: %.0f, %.0f, %.0f)\n",
           number(p, "data.customers"), number(p, "data.repeat_buyers"), number(p, "data.history_days"),
           number(p, "gates.customers"), number(p, "gates.repeat_buyers"), number(p, "gates.history_days"));
    printf("prior        %s\n", is_true(p, "prior") ? "on" : "off");
}

static void print_mbg(const char *label, const struct json *m)
{
    printf("%-12s r %.4f  alpha %.4f weeks  a %.4f  b %.4f  log-likelihood %.2f\n", label, number(m, "r"),
           number(m, "alpha"), number(m, "a"), number(m, "b"), number(m, "log_likelihood"));
}

static void print_parameters(const struct json *p)
{
    print_mbg("MBG/NBD", member(p, "mbg"));
    if (!is_true(p, "dropout_identified"))
        printf("             the data show no giving up: rates of leaving are not to be trusted\n");
    print_mbg("BG/NBD", member(p, "bg"));
    printf("Gamma-Gamma  p %.4f  q %.4f  v %.4f  log-likelihood %.2f  n %.0f  correlation %.3f%s\n",
           number(p, "gamma_gamma.p"), number(p, "gamma_gamma.q"), number(p, "gamma_gamma.v"),
           number(p, "gamma_gamma.log_likelihood"), number(p, "gamma_gamma.customers"),
           number(p, "gamma_gamma.correlation"),
           fabs(number(p, "gamma_gamma.correlation")) > 0.2 ? " (number and value of orders depend on each other)"
                                                            : "");
}

static void print_quality(const char *label, const struct json *q)
{
    printf("  %-10s AUC %.4f  Brier %.4f  calibration error %.4f\n", label, number(q, "auc"), number(q, "brier"),
           number(q, "ece"));
}

static void print_backtest(const struct json *m)
{
    struct str day = text(m, "window_end");

    if (isnan(number(m, "auc"))) {
        printf("back-test    too little history\n");
    } else {
        printf("back-test    from %.*s: %.0f customers, %.0f did not order (%.4f; a constant has Brier %.4f)\n",
               (int)day.len, day.p, number(m, "customers"), number(m, "events"), number(m, "base_rate"),
               number(m, "brier_base"));
        print_quality("in use", m);
        print_quality("MBG/NBD", member(m, "plain"));
        print_quality("calibrated", member(m, "blend"));
        printf("  dates      %.1f %% of %.0f orders inside their 80 %% interval\n", 100 * number(m, "coverage"),
               number(m, "returners"));
    }
    if (isnan(number(m, "bias_pct")))
        printf("forecast     too little history\n");
    else
        printf("forecast     last 13 weeks: %.2f predicted, %.2f net sales, bias %+.2f %%, correction %.4f\n",
               number(m, "revenue_predicted"), number(m, "revenue_actual"), number(m, "bias_pct"),
               number(m, "revenue_factor"));
}

static void print_fits(const struct json *fits)
{
    printf("fits         evaluations        ms\n");
    for (const struct json *f = fits != NULL ? fits->first : NULL; f != NULL; f = f->next) {
        struct str step = text(f, "step");
        printf("  %-24.*s %5.0f %9.1f\n", (int)step.len, step.p, number(f, "evaluations"), number(f, "ms"));
    }
}

static int print_text(const char *run)
{
    struct arena arena;
    const char *error;

    arena_init(&arena, MAX_MEMORY);
    const struct json *root = json_parse(&arena, str_from(run), &error);
    if (root != NULL) {
        print_head(root);
        print_data(member(root, "params"));
        print_parameters(member(root, "params"));
        print_backtest(member(root, "metrics"));
        print_fits(member(root, "fits"));
    }
    arena_free(&arena);
    return root != NULL ? CTL_OK : ctl_fail(CTL_FAILED, "model_runs: %s", error);
}

static bool in_time(void *arg)
{
    const uint64_t *end_ns = arg;

    return clock_mono_ns() < *end_ns;
}

/* CTL_OK: *r is the caller's to PQclear. */
static int read_last(const struct ctl *ctl, PGresult **r)
{
    uint64_t end_ns = clock_mono_ns() + TIME_S * CLOCK_NS_PER_S;
    struct sync_db db;
    enum sync_db_status s =
        sync_db_open(&db, ctl->conf->database_url, (int)ctl->conf->db_connect_timeout, in_time, &end_ns);

    if (s == SYNC_DB_OK)
        s = sync_db_query(
            &db, "reading model_runs",
            "SELECT jsonb_build_object('model_version', model_version, 'as_of', as_of, 'trained_at',"
            " to_char(trained_at AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'status', status,"
            " 'calibrated', calibrated, 'params', params, 'metrics', metrics, 'fits', fits)"
            " FROM model_runs ORDER BY trained_at DESC LIMIT 1",
            NULL, 0, r);
    sync_db_close(&db);
    return s == SYNC_DB_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", db.error);
}

int ctl_models(struct ctl *ctl, int argc, char **argv)
{
    bool json;
    PGresult *r = NULL;
    int status = ctl_only_json(argc, argv, &json);

    if (status != CTL_OK)
        return status;
    if (ctl->conf->database_url[0] == '\0')
        return ctl_fail(CTL_CONFIG, "DATABASE_URL is not set, or not readable from here");
    status = read_last(ctl, &r);
    if (status != CTL_OK)
        return status;
    if (PQntuples(r) == 0)
        status = ctl_fail(CTL_FAILED, "no model was fitted yet; see patronctl sync");
    else if (json)
        printf("%s\n", PQgetvalue(r, 0, 0));
    else
        status = print_text(PQgetvalue(r, 0, 0));
    PQclear(r);
    return status;
}
