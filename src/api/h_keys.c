/*
 * h_keys: API keys over HTTP (CONTRACT 8.5). Everything is asked of PostgreSQL; without it, 503.
 *
 * A new key is in the answer that made it and nowhere else: not in a log, not in the table.
 */
#include <string.h>

#include "api/access.h"
#include "api/errors.h"
#include "api/handler.h"
#include "api/params.h"
#include "api/request.h"
#include "base/utf8.h"
#include "data/apikeys.h"

/* A statement under way, and what its answer needs. */
struct question {
    struct pgpool_query *statement;
    void (*answer)(struct api_request *q, const PGresult *r);
    struct apikey_secret secret; /* of a key being made */
    const char *by;
};

/* ---- asking ---- */

static void on_result(enum pg_status status, const PGresult *result, void *arg)
{
    struct api_request *q = arg;
    const struct question *a = q->pending;

    q->cancel = NULL;
    if (status == PG_OK)
        a->answer(q, result);
    else
        handler_query_failed(q, status, result, "The key table");
}

static void cancel(struct api_request *q)
{
    const struct question *a = q->pending;

    pgpool_cancel(q->api->env.pool, a->statement);
}

static struct question *question_new(struct api_request *q, void (*answer)(struct api_request *q, const PGresult *r))
{
    struct question *a = arena_zalloc(&q->http->arena, sizeof(*a));

    if (a == NULL) {
        error_no_memory(q);
        return NULL;
    }
    a->answer = answer;
    a->by = q->identity.is_admin_key ? "admin_key"
                                     : arena_printf(&q->http->arena, "key:%lld", (long long)q->identity.key_id);
    q->pending = a;
    return a;
}

static void ask(struct api_request *q, enum sql_id id, const char *const *values)
{
    struct question *a = q->pending;

    if (q->http->arena.exhausted) { /* a value may be missing */
        error_no_memory(q);
        return;
    }
    a->statement = pgpool_send(q->api->env.pool, sql_get(id), values, q->http->deadline_ns, on_result, q);
    if (a->statement == NULL)
        handler_query_failed(q, PG_TIMEOUT, NULL, "The key table");
    else
        q->cancel = cancel;
}

/* ---- answering ---- */

static void not_found(struct api_request *q)
{
    error_not_found(q, "API key", q->params[0]);
}

static void answer_list(struct api_request *q, const PGresult *r)
{
    struct json_writer w;
    struct apikey k;
    int64_t count = 0;

    request_json_begin(q, &w);
    json_object_begin(&w);
    json_key(&w, "keys");
    json_array_begin(&w);
    for (int i = 0; i < PQntuples(r); i++) {
        if (!apikey_read(r, i, &k))
            continue;
        apikey_write(&w, &k);
        count++;
    }
    json_array_end(&w);
    json_kv_int(&w, "count", count);
    json_object_end(&w);
    request_json_end(q, 200);
}

static void answer_one(struct api_request *q, const PGresult *r)
{
    struct json_writer w;
    struct apikey k;

    if (!apikey_read(r, 0, &k)) {
        not_found(q);
        return;
    }
    request_json_begin(q, &w);
    apikey_write(&w, &k);
    request_json_end(q, 200);
}

static void answer_made(struct api_request *q, const struct apikey *k)
{
    const struct question *a = q->pending;
    struct json_writer w;

    keys_changed(q->api);
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_key(&w, "key");
    apikey_write(&w, k);
    json_kv_cstr(&w, "api_key", a->secret.text);
    json_object_end(&w);
    request_json_end(q, 201);
}

static void answer_created(struct api_request *q, const PGresult *r)
{
    const struct question *a = q->pending;
    struct apikey k;

    if (!apikey_read(r, 0, &k)) {
        error_internal(q, "api_key_create");
        return;
    }
    access_log_key(q, EVENT_API_KEY_CREATED, k.id, a->by, "an API key was created");
    answer_made(q, &k);
}

static void answer_rotated(struct api_request *q, const PGresult *r)
{
    const struct question *a = q->pending;
    struct apikey k;
    int64_t old;

    if (PQntuples(r) == 0) {
        not_found(q);
    } else if (!apikey_read(r, 0, &k)) {
        error_conflict(q, "The API key was revoked or rotated before");
    } else {
        (void)str_to_i64(q->params[0], &old);
        access_log_key(q, EVENT_API_KEY_ROTATED, old, a->by, "an API key got a successor");
        answer_made(q, &k);
    }
}

static void answer_revoked(struct api_request *q, const PGresult *r)
{
    const struct question *a = q->pending;
    struct apikey k;

    if (PQntuples(r) > 0 && !apikey_read(r, 0, &k)) {
        error_conflict(q, "The API key was revoked before");
        return;
    }
    if (PQntuples(r) > 0) {
        access_log_key(q, EVENT_API_KEY_REVOKED, k.id, a->by, "an API key was revoked");
        keys_changed(q->api);
    }
    answer_one(q, r);
}

/* ---- requests ---- */

static bool is_status(struct str word)
{
    return str_eq_lit(word, "active") || str_eq_lit(word, "expired") || str_eq_lit(word, "revoked");
}

void h_keys_list(struct api_request *q)
{
    const char *values[1] = { NULL };
    struct params p;
    struct str status;

    params_init(&p, &q->http->arena, q->http->head->query);
    status = params_query_text(&p, "status");
    if (status.len > 0 && !is_status(status))
        params_fault(&p, PARAMS_INVALID_VALUE, "query", STR_LIT("status"), "must be active, expired or revoked");
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    if (question_new(q, answer_list) == NULL)
        return;
    if (status.len > 0)
        values[0] = arena_strdup(&q->http->arena, status);
    ask(q, SQL_KEYS_LIST, values);
}

/* The id of the path as the statements take it; NULL: no such key, answered. */
static const char *path_id(struct api_request *q)
{
    int64_t id;
    const char *text;

    if (!str_to_i64(q->params[0], &id) || id < 1 || id > INT32_MAX) {
        not_found(q);
        return NULL;
    }
    text = arena_printf(&q->http->arena, "%lld", (long long)id);
    if (text == NULL)
        error_no_memory(q);
    return text;
}

void h_key_get(struct api_request *q)
{
    const char *id = path_id(q);

    if (id != NULL && question_new(q, answer_one) != NULL)
        ask(q, SQL_KEY_GET, &id);
}

void h_key_revoke(struct api_request *q)
{
    const char *values[SQL_KV_PARAMS] = { [SQL_KV_ID] = path_id(q) };
    struct params p;
    struct str reason;

    if (values[SQL_KV_ID] == NULL)
        return;
    params_init(&p, &q->http->arena, q->http->head->query);
    reason = params_query_text(&p, "reason");
    if (utf8_length(reason) > APIKEY_MAX_REASON)
        params_fault(&p, PARAMS_OUT_OF_RANGE, "query", STR_LIT("reason"), "must have at most %d characters",
                     APIKEY_MAX_REASON);
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    if (question_new(q, answer_revoked) == NULL)
        return;
    if (reason.len > 0)
        values[SQL_KV_REASON] = arena_strdup(&q->http->arena, reason);
    ask(q, SQL_KEY_REVOKE, values);
}

static const struct json no_body = { .type = JSON_OBJECT };

static const struct json *body_of(const struct api_request *q)
{
    return q->body != NULL ? q->body : &no_body;
}

/* The secret of a key about to be made. */
static bool make_secret(struct api_request *q)
{
    struct question *a = q->pending;

    if (apikey_make(&a->secret))
        return true;
    error_internal(q, "no_randomness");
    return false;
}

void h_key_rotate(struct api_request *q)
{
    static const char *const known[] = { "grace_seconds", NULL };
    const char *values[SQL_KR_PARAMS] = { [SQL_KR_ID] = path_id(q) };
    int64_t grace_s = 0;
    struct question *a;
    struct params p;

    if (values[SQL_KR_ID] == NULL)
        return;
    params_init(&p, &q->http->arena, q->http->head->query);
    params_body_known(&p, body_of(q), "body", known);
    (void)params_body_int(&p, body_of(q), "body", "grace_seconds", 0, APIKEY_MAX_GRACE_S, &grace_s);
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    a = question_new(q, answer_rotated);
    if (a == NULL || !make_secret(q))
        return;
    values[SQL_KR_GRACE_S] = arena_printf(&q->http->arena, "%lld", (long long)grace_s);
    values[SQL_KR_HASH] = a->secret.hash;
    values[SQL_KR_PREFIX] = a->secret.prefix;
    values[SQL_KR_BY] = a->by;
    ask(q, SQL_KEY_ROTATE, values);
}

static void read_scopes(struct params *p, const struct json *body, unsigned *scopes)
{
    const struct json *list = json_get(body, "scopes"), *item;

    if (list == NULL || list->type == JSON_NULL)
        return;
    *scopes = 0;
    if (list->type != JSON_ARRAY) {
        params_fault(p, PARAMS_WRONG_TYPE, "body", STR_LIT("scopes"), "must be an array of strings");
        return;
    }
    for (item = list->first; item != NULL; item = item->next) {
        unsigned scope = item->type == JSON_STRING ? apikey_scope(item->text) : 0;

        *scopes |= scope;
        if (scope == 0) {
            params_fault(p, item->type == JSON_STRING ? PARAMS_INVALID_VALUE : PARAMS_WRONG_TYPE, "body",
                         STR_LIT("scopes"), "must hold read, write or admin only");
            return;
        }
    }
    if (*scopes == 0)
        params_fault(p, PARAMS_INVALID_VALUE, "body", STR_LIT("scopes"), "must hold at least one scope");
}

static void read_order(struct params *p, const struct json *body, struct apikey_order *o)
{
    static const char *const known[] = { "name", "scopes", "expires_in_days", "rate_limit_per_hour", "notes", NULL };
    const struct json *name = json_get(body, "name");

    params_body_known(p, body, "body", known);
    if (name == NULL || name->type == JSON_NULL)
        params_fault(p, PARAMS_MISSING, "body", STR_LIT("name"), "is required");
    else if (params_body_text(p, body, "body", "name", APIKEY_MAX_NAME, &o->name) && o->name.len == 0)
        params_fault(p, PARAMS_OUT_OF_RANGE, "body", STR_LIT("name"), "must have at least 1 character");
    read_scopes(p, body, &o->scopes);
    (void)params_body_int(p, body, "body", "expires_in_days", 1, APIKEY_MAX_DAYS, &o->days);
    (void)params_body_int(p, body, "body", "rate_limit_per_hour", 1, APIKEY_MAX_RATE, &o->rate_per_hour);
    (void)params_body_text(p, body, "body", "notes", APIKEY_MAX_NOTES, &o->notes);
}

void h_key_create(struct api_request *q)
{
    struct apikey_order order = { .scopes = KEY_SCOPE_READ, .days = APIKEY_INITIAL_DAYS };
    const char *values[SQL_KC_PARAMS];
    struct question *a;
    struct params p;

    params_init(&p, &q->http->arena, q->http->head->query);
    read_order(&p, body_of(q), &order);
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    a = question_new(q, answer_created);
    if (a == NULL || !make_secret(q))
        return;
    order.by = a->by;
    apikey_create_params(&order, &a->secret, &q->http->arena, values);
    ask(q, SQL_KEY_CREATE, values);
}
