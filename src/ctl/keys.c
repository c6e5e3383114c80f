/*
 * keys: API keys from the command line, over a short connection of its own: the server need not run.
 *
 * A new key is printed alone on stdout, what there is to say about it on stderr.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "core/events.h"
#include "ctl/ctl.h"
#include "data/apikeys.h"
#include "proc/sync_db.h"

#define TIME_S     15 /* for a command, connecting included */
#define MAX_JSON   (64 * 1024 * 1024)
#define MAX_MEMORY 65536

struct options {
    const char *subject; /* NAME or ID */
    bool json;
    const char *status, *reason, *notes;
    unsigned scopes;
    int64_t days, rate, grace_s;
};

/* ---- the command line ---- */

static bool read_scopes(const char *text, unsigned *set)
{
    struct str rest = str_from(text), word;

    *set = 0;
    while (str_split(&rest, ',', &word)) {
        unsigned scope = apikey_scope(str_trim(word));

        if (scope == 0)
            return false;
        *set |= scope;
    }
    return *set != 0;
}

static bool read_number(const char *text, int64_t least, int64_t most, int64_t *v)
{
    return str_to_i64(str_from(text), v) && *v >= least && *v <= most;
}

static bool read_text(const char *text, size_t most, const char **out)
{
    *out = text;
    return utf8_valid(str_from(text)) && utf8_length(str_from(text)) <= most;
}

static bool read_option(const char *name, const char *value, struct options *o)
{
    if (strcmp(name, "--status") == 0) {
        o->status = value;
        return strcmp(value, "active") == 0 || strcmp(value, "expired") == 0 || strcmp(value, "revoked") == 0;
    }
    if (strcmp(name, "--scopes") == 0)
        return read_scopes(value, &o->scopes);
    if (strcmp(name, "--days") == 0)
        return read_number(value, 1, APIKEY_MAX_DAYS, &o->days);
    if (strcmp(name, "--rate") == 0)
        return read_number(value, 1, APIKEY_MAX_RATE, &o->rate);
    if (strcmp(name, "--notes") == 0)
        return read_text(value, APIKEY_MAX_NOTES, &o->notes);
    if (strcmp(name, "--grace") == 0)
        return read_number(value, 0, APIKEY_MAX_GRACE_S, &o->grace_s);
    return strcmp(name, "--reason") == 0 && read_text(value, APIKEY_MAX_REASON, &o->reason);
}

/* `allowed`: the options of this command, between blanks. */
static bool is_allowed(const char *name, const char *allowed)
{
    const char *at = strstr(allowed, name);

    return at != NULL && at[strlen(name)] == ' ' && at > allowed && at[-1] == ' ';
}

static int read_options(int argc, char **argv, const char *allowed, bool with_subject, struct options *o)
{
    *o = (struct options){ .scopes = KEY_SCOPE_READ, .days = APIKEY_INITIAL_DAYS };
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] != '-' && with_subject && o->subject == NULL) {
            o->subject = argv[i];
        } else if (!is_allowed(argv[i], allowed)) {
            return ctl_usage("keys", "%s is not expected here", argv[i]);
        } else if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (i + 1 == argc) {
            return ctl_usage("keys", "%s needs a value", argv[i]);
        } else if (!read_option(argv[i], argv[i + 1], o)) {
            return ctl_usage("keys", "%s cannot be %s", argv[i], argv[i + 1]);
        } else {
            i++;
        }
    }
    if (with_subject && o->subject == NULL)
        return ctl_usage("keys", "%s needs %s", argv[1], strcmp(argv[1], "create") == 0 ? "a NAME" : "an ID");
    return CTL_OK;
}

/* ---- the database ---- */

static bool in_time(void *arg)
{
    return clock_mono_ns() < *(const uint64_t *)arg;
}

static enum sync_db_status query(struct sync_db *db, enum sql_id id, const char *const *values, PGresult **r)
{
    const struct pg_statement *s = sql_get(id);
    enum sync_db_status status = sync_db_exec(db, "setting up", "SET application_name = 'patronctl'");

    return status == SYNC_DB_OK ? sync_db_query(db, s->name, s->sql, values, s->params, r) : status;
}

/* CTL_OK: *r is the caller's to PQclear. */
static int ask(const struct ctl *ctl, enum sql_id id, const char *const *values, PGresult **r)
{
    uint64_t end_ns = clock_mono_ns() + TIME_S * CLOCK_NS_PER_S;
    enum sync_db_status status;
    struct sync_db db;
    int code = CTL_OK;

    if (ctl->conf->database_url[0] == '\0') {
        fprintf(stderr, "%.*s", (int)ctl->problems.len, ctl->problems.data);
        return ctl_fail(CTL_CONFIG, "the keys are in PostgreSQL: DATABASE_URL is required");
    }
    *r = NULL;
    status = sync_db_open(&db, ctl->conf->database_url, (int)ctl->conf->db_connect_timeout, in_time, &end_ns);
    if (status == SYNC_DB_OK)
        status = query(&db, id, values, r);
    if (status == SYNC_DB_STOPPED)
        code = ctl_fail(CTL_FAILED, "no answer from PostgreSQL within %d s", TIME_S);
    else if (strcmp(db.sqlstate, "42P01") == 0)
        code = ctl_fail(CTL_FAILED, "%s: the tables are made when patrond first starts on this database", db.error);
    else if (status != SYNC_DB_OK)
        code = ctl_fail(CTL_FAILED, "%s", db.error);
    sync_db_close(&db);
    return code;
}

/* ---- list ---- */

static const char *when(int64_t us, char dst[CLOCK_TIME_SIZE])
{
    return us == 0 ? "never" : clock_format_seconds(dst, us);
}

static void print_row(const struct apikey *k)
{
    char expires[CLOCK_TIME_SIZE], used[CLOCK_TIME_SIZE], rate[24] = "-";

    if (k->rate_per_hour > 0)
        snprintf(rate, sizeof(rate), "%lld/h", (long long)k->rate_per_hour);
    printf("%5d  %-10s  %-8s %-16s %9s  %-20s  %-20s %10lld  %s\n", k->id, k->prefix, k->status, k->scopes, rate,
           when(k->expires_us, expires), when(k->last_used_us, used), (long long)k->uses, k->name);
}

static int print_table(const PGresult *r)
{
    struct apikey k;

    printf("%5s  %-10s  %-8s %-16s %9s  %-20s  %-20s %10s  %s\n", "ID", "PREFIX", "STATUS", "SCOPES", "RATE",
           "EXPIRES", "LAST USED", "USES", "NAME");
    for (int i = 0; i < PQntuples(r); i++) {
        if (apikey_read(r, i, &k))
            print_row(&k);
    }
    return CTL_OK;
}

static int print_json(const PGresult *r)
{
    struct json_writer w;
    struct apikey k;
    struct buf out;
    bool good;

    buf_init(&out, MAX_JSON);
    json_writer_init(&w, &out);
    json_array_begin(&w);
    for (int i = 0; i < PQntuples(r); i++) {
        if (apikey_read(r, i, &k))
            apikey_write(&w, &k);
    }
    json_array_end(&w);
    good = !out.failed && puts(buf_cstr(&out)) >= 0;
    buf_free(&out);
    return good ? CTL_OK : ctl_fail(CTL_FAILED, "cannot write the list");
}

static int list(const struct ctl *ctl, int argc, char **argv)
{
    struct options o;
    PGresult *r;
    int status = read_options(argc, argv, " --status --json ", false, &o);

    if (status != CTL_OK)
        return status;
    status = ask(ctl, SQL_KEYS_LIST, &o.status, &r);
    if (status != CTL_OK)
        return status;
    status = o.json ? print_json(r) : print_table(r);
    PQclear(r);
    return status;
}

/* ---- create, rotate, revoke ---- */

/* As the server tells it of a request. */
static void tell_journal(enum event_id event, const char *key_id, const char *sentence)
{
    const struct event_field fields[] = { event_cstr("key_id", key_id), event_cstr("by", "cli") };

    event_journal(event, fields, 2, sentence);
}

static void print_made(const char *what, const struct apikey *k, const struct apikey_secret *s)
{
    char expires[CLOCK_TIME_SIZE];

    fprintf(stderr, "key %d %s: %s (%s), until %s; it is shown only now:\n", k->id, what, k->name, k->scopes,
            when(k->expires_us, expires));
    printf("%s\n", s->text);
}

static int create(const struct ctl *ctl, int argc, char **argv)
{
    const char *values[SQL_KC_PARAMS];
    struct apikey_secret secret;
    struct apikey_order order;
    struct options o;
    struct arena arena;
    struct apikey k;
    PGresult *r;
    int status = read_options(argc, argv, " --scopes --days --rate --notes ", true, &o);

    if (status != CTL_OK)
        return status;
    if (o.subject[0] == '\0' || !read_text(o.subject, APIKEY_MAX_NAME, &o.subject))
        return ctl_fail(CTL_USAGE, "NAME must have 1 to %d characters", APIKEY_MAX_NAME);
    order = (struct apikey_order){ .name = str_from(o.subject),
                                   .notes = o.notes != NULL ? str_from(o.notes) : STR_NONE,
                                   .scopes = o.scopes,
                                   .days = o.days,
                                   .rate_per_hour = o.rate,
                                   .by = "cli" };
    arena_init(&arena, MAX_MEMORY);
    if (!apikey_make(&secret))
        return ctl_fail(CTL_FAILED, "the kernel gives no randomness");
    apikey_create_params(&order, &secret, &arena, values);
    status = arena.exhausted ? ctl_fail(CTL_FAILED, "out of memory") : ask(ctl, SQL_KEY_CREATE, values, &r);
    arena_free(&arena);
    if (status != CTL_OK)
        return status;
    if (apikey_read(r, 0, &k)) {
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", k.id);
        tell_journal(EVENT_API_KEY_CREATED, number, "an API key was created");
        print_made("created", &k, &secret);
    }
    PQclear(r);
    return CTL_OK;
}

static int read_id(const struct options *o)
{
    int64_t id;

    return read_number(o->subject, 1, INT32_MAX, &id) ? CTL_OK : ctl_fail(CTL_USAGE, "ID is a number, see keys list");
}

/* What became of a key that was to be changed; CTL_OK: *k is it, or its successor. */
static int outcome(const PGresult *r, const struct options *o, const char *before, struct apikey *k)
{
    if (PQntuples(r) == 0)
        return ctl_fail(CTL_FAILED, "there is no key %s", o->subject);
    if (!apikey_read(r, 0, k))
        return ctl_fail(CTL_FAILED, "key %s was %s before", o->subject, before);
    return CTL_OK;
}

static int rotate(const struct ctl *ctl, int argc, char **argv)
{
    const char *values[SQL_KR_PARAMS];
    struct apikey_secret secret;
    struct options o;
    struct apikey k;
    char grace[24];
    PGresult *r;
    int status = read_options(argc, argv, " --grace ", true, &o);

    if (status != CTL_OK || (status = read_id(&o)) != CTL_OK)
        return status;
    if (!apikey_make(&secret))
        return ctl_fail(CTL_FAILED, "the kernel gives no randomness");
    snprintf(grace, sizeof(grace), "%lld", (long long)o.grace_s);
    values[SQL_KR_ID] = o.subject;
    values[SQL_KR_GRACE_S] = grace;
    values[SQL_KR_HASH] = secret.hash;
    values[SQL_KR_PREFIX] = secret.prefix;
    values[SQL_KR_BY] = "cli";
    status = ask(ctl, SQL_KEY_ROTATE, values, &r);
    if (status != CTL_OK)
        return status;
    status = outcome(r, &o, "revoked or rotated", &k);
    if (status == CTL_OK) {
        tell_journal(EVENT_API_KEY_ROTATED, o.subject, "an API key got a successor");
        print_made("takes its place", &k, &secret);
    }
    PQclear(r);
    return status;
}

static int revoke(const struct ctl *ctl, int argc, char **argv)
{
    const char *values[SQL_KV_PARAMS];
    struct options o;
    struct apikey k;
    PGresult *r;
    int status = read_options(argc, argv, " --reason ", true, &o);

    if (status != CTL_OK || (status = read_id(&o)) != CTL_OK)
        return status;
    values[SQL_KV_ID] = o.subject;
    values[SQL_KV_REASON] = o.reason;
    status = ask(ctl, SQL_KEY_REVOKE, values, &r);
    if (status != CTL_OK)
        return status;
    status = outcome(r, &o, "revoked", &k);
    if (status == CTL_OK) {
        tell_journal(EVENT_API_KEY_REVOKED, o.subject, "an API key was revoked");
        printf("key %d revoked: %s (%s)\n", k.id, k.name, k.prefix);
    }
    PQclear(r);
    return status;
}

int ctl_keys(struct ctl *ctl, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct ctl *ctl, int argc, char **argv);
    } verbs[] = { { "list", list }, { "create", create }, { "rotate", rotate }, { "revoke", revoke } };

    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(ctl, argc, argv);
    }
    return argc > 1 ? ctl_usage("keys", "%s is not expected here", argv[1])
                    : ctl_usage("keys", "list, create, rotate or revoke?");
}
