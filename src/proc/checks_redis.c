/*
 * checks_redis: PING, the memory Redis uses, what it evicted, and the number of our keys where counting is cheap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/redis_target.h"
#include "proc/checks.h"

#define KEY_PATTERN   "patrond:*"
#define COUNT_AT_MOST 10000 /* keys of the database above which ours are not counted */
#define SCAN_ROUNDS   64

static struct timeval time_left(const struct check_env *env)
{
    uint64_t now = clock_mono_ns();
    uint64_t us = now < env->deadline_ns ? (env->deadline_ns - now) / 1000 : 0;

    if (us < 1000)
        us = 1000; /* 0 would mean for ever */
    return (struct timeval){ .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };
}

/* One command; NULL after the result was filled with what went wrong. */
static redisReply *ask(const struct check_env *env, redisContext *c, struct check_result *r, int argc,
                       const char **argv)
{
    redisReply *reply;

    redisSetTimeout(c, time_left(env));
    reply = redisCommandArgv(c, argc, argv, NULL);
    if (reply == NULL) {
        check_down(r, c->err == REDIS_ERR_IO ? SB_ERROR_QUERY_TIMEOUT : SB_ERROR_REFUSED, "%s: %s", argv[0],
                   c->errstr);
        return NULL;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return reply;
    check_down(r,
               strncmp(reply->str, "NOAUTH", 6) == 0 || strncmp(reply->str, "WRONGPASS", 9) == 0 ||
                       strcmp(argv[0], "AUTH") == 0
                   ? SB_ERROR_AUTH_FAILED
                   : SB_ERROR_REFUSED,
               "%s: %s", argv[0], reply->str);
    freeReplyObject(reply);
    return NULL;
}

/* The reply is of no interest. */
static bool tell(const struct check_env *env, redisContext *c, struct check_result *r, int argc, const char **argv)
{
    redisReply *reply = ask(env, c, r, argc, argv);

    if (reply == NULL)
        return false;
    freeReplyObject(reply);
    return true;
}

static bool introduce(const struct check_env *env, redisContext *c, const struct redis_target *t,
                      struct check_result *r)
{
    const char *auth[] = { "AUTH", t->user, t->password };
    const char *auth_default[] = { "AUTH", t->password };
    char db[24];
    const char *select[] = { "SELECT", db };

    (void)snprintf(db, sizeof(db), "%llu", (unsigned long long)t->db);
    if (t->password[0] != '\0' && !(t->user[0] != '\0' ? tell(env, c, r, 3, auth) : tell(env, c, r, 2, auth_default)))
        return false;
    return t->db == 0 || tell(env, c, r, 2, select);
}

/* A whole number of INFO's "name:value" lines; left as it is where the name is missing. */
static void read_field(const char *info, const char *name, uint64_t *v)
{
    const char *at = strstr(info, name);

    if (at == NULL)
        return;
    at += strlen(name);
    (void)str_to_u64((struct str){ at, strspn(at, "0123456789") }, v);
}

static void read_info(const struct check_env *env, redisContext *c, struct check_result *r)
{
    const char *info[] = { "INFO" };
    redisReply *reply = ask(env, c, r, 1, info);

    if (reply == NULL)
        return;
    if (reply->type == REDIS_REPLY_STRING) {
        read_field(reply->str, "\nused_memory:", &r->memory_bytes);
        read_field(reply->str, "\nevicted_keys:", &r->evictions);
    }
    freeReplyObject(reply);
}

/* One SCAN round; the cursor moves, "0" at the end. False: no use going on. */
static bool scan_round(const struct check_env *env, redisContext *c, struct check_result *r, char cursor[24],
                       uint64_t *keys)
{
    const char *scan[] = { "SCAN", cursor, "MATCH", KEY_PATTERN, "COUNT", "1000" };
    redisReply *reply = ask(env, c, r, 6, scan);
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply->element[0]->type == REDIS_REPLY_STRING && reply->element[1]->type == REDIS_REPLY_ARRAY;

    if (good) {
        *keys += reply->element[1]->elements;
        good = str_copy(cursor, 24, str_from(reply->element[0]->str));
    }
    freeReplyObject(reply);
    return good;
}

static void count_keys(const struct check_env *env, redisContext *c, struct check_result *r)
{
    const char *dbsize[] = { "DBSIZE" };
    redisReply *reply = ask(env, c, r, 1, dbsize);
    bool few = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer <= COUNT_AT_MOST;
    char cursor[24] = "0";
    uint64_t keys = 0;

    freeReplyObject(reply);
    for (int i = 0; few && i < SCAN_ROUNDS; i++) {
        if (!scan_round(env, c, r, cursor, &keys))
            return;
        if (strcmp(cursor, "0") == 0) {
            r->keys = keys;
            return;
        }
    }
}

static void converse(const struct check_env *env, redisContext *c, const struct redis_target *t,
                     struct check_result *r)
{
    const char *ping[] = { "PING" };

    if (c->err != 0) {
        check_down(r, strstr(c->errstr, "timed out") != NULL ? SB_ERROR_CONNECT_TIMEOUT : SB_ERROR_REFUSED, "%s",
                   c->errstr);
        return;
    }
    if (!introduce(env, c, t, r) || !tell(env, c, r, 1, ping))
        return;
    check_up(r, "Redis answers");
    read_info(env, c, r);
    if (r->health == SB_HEALTH_UP)
        count_keys(env, c, r);
}

static void name_target(const struct redis_target *t, struct check_result *r)
{
    bool ipv6 = strchr(t->host, ':') != NULL;

    if (t->is_unix)
        (void)snprintf(r->target, sizeof(r->target), "%s", t->host);
    else
        (void)snprintf(r->target, sizeof(r->target), "%s%.110s%s:%llu", ipv6 ? "[" : "", t->host, ipv6 ? "]" : "",
                       (unsigned long long)t->port);
}

void check_redis_run(const struct check_env *env, struct check_result *r)
{
    struct redis_target t;
    const char *wrong = redis_target_parse(env->conf->redis_url, &t);
    redisContext *c;

    if (wrong != NULL) {
        check_down(r, SB_ERROR_REFUSED, "REDIS_URL: %s", wrong);
        return;
    }
    name_target(&t, r);
    c = t.is_unix ? redisConnectUnixWithTimeout(t.host, time_left(env))
                  : redisConnectWithTimeout(t.host, (int)t.port, time_left(env));
    if (c == NULL) {
        check_down(r, SB_ERROR_REFUSED, "out of memory");
        return;
    }
    converse(env, c, &t, r);
    redisFree(c);
}
