/*
 * conf_check: rules across settings and on their meaning. Each problem names the setting, the fault and the remedy.
 */
#include "core/conf_check.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/cidr.h"

#define ADMIN_KEY_LEAST 16

/* Words that open too many doors, compared without case, digits and punctuation at the end. */
static const char *const common_keys[] = { "changeme",
                                           "changemechangeme",
                                           "password",
                                           "passwordpassword",
                                           "administrator",
                                           "adminadminadminadmin",
                                           "secretsecretsecret",
                                           "yoursecretadminkey",
                                           "yoursecretkeyhere",
                                           "supersecretadminkey",
                                           "defaultadminkey",
                                           "testtesttesttest",
                                           "abcdefghijklmnop",
                                           "qwertyuiopasdfgh",
                                           "letmeinletmeinletmein",
                                           "youradminkeyhere",
                                           "adminkeyadminkey" };

static bool all_one_character(const char *s)
{
    return s[0] != '\0' && strspn(s, (char[]){ s[0], '\0' }) == strlen(s);
}

static bool common_key(const char *key)
{
    char word[64];
    size_t n = 0;

    for (const char *s = key; *s != '\0' && n < sizeof(word) - 1; s++)
        if (isalpha((unsigned char)*s))
            word[n++] = (char)tolower((unsigned char)*s);
    word[n] = '\0';
    if (n == 0) /* digits and signs only: runs such as 1234567890123456 */
        return strstr("12345678901234567890123456789012345678901234567890", key) != NULL || all_one_character(key);
    for (size_t i = 0; i < sizeof(common_keys) / sizeof(common_keys[0]); i++)
        if (strcmp(word, common_keys[i]) == 0)
            return true;
    return all_one_character(key);
}

static void check_admin_key(const struct conf *c, struct buf *problems)
{
    size_t n = strlen(c->admin_key);

    if (n == 0)
        buf_add_cstr(problems,
                     "ADMIN_KEY not set: choose one of at least 16 characters, e.g. by `openssl rand -hex 24`\n");
    else if (n < ADMIN_KEY_LEAST)
        buf_add_cstr(problems, "ADMIN_KEY too short: it needs at least 16 characters\n");
    else if (common_key(c->admin_key))
        buf_add_cstr(problems, "ADMIN_KEY is a common value: choose a random one\n");
    else if (strpbrk(c->admin_key, " \t\r\n") != NULL)
        buf_add_cstr(problems, "ADMIN_KEY holds blanks: they cannot be sent in a header\n");
}

static void check_origins(const struct conf *c, struct buf *problems)
{
    struct str rest = str_from(c->allowed_origins), item;
    bool production = strcmp(c->environment, "production") == 0;

    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len == 0)
            continue;
        if (str_eq_lit(item, "*")) {
            if (production)
                buf_add_cstr(problems,
                             "ALLOWED_ORIGINS: `*` is not allowed with ENVIRONMENT = production; list the origins\n");
        } else if (!str_starts(item, "http://") && !str_starts(item, "https://")) {
            buf_printf(problems, "ALLOWED_ORIGINS: %.*s is no origin; write http(s)://host[:port]\n",
                       (int)(item.len < 80 ? item.len : 80), item.p);
        }
    }
}

static void check_networks(const char *name, const char *list, bool keys_too, struct buf *problems)
{
    struct str rest = str_from(list), item;
    struct cidr network;
    unsigned count = 0;

    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len > 0 && ++count == CIDR_MAX + 1)
            buf_printf(problems, "%s: more than %d entries; join neighbouring networks\n", name, CIDR_MAX);
        if (item.len == 0 || cidr_parse(item, &network) || (keys_too && str_starts(item, "pk_live_")))
            continue;
        buf_printf(problems, "%s: %.*s is no address or CIDR%s\n", name, (int)(item.len < 64 ? item.len : 64), item.p,
                   keys_too ? " and no key prefix" : "");
    }
}

static void check_urls(const struct conf *c, struct buf *problems)
{
    struct str db = str_from(c->database_url), redis = str_from(c->redis_url), ai = str_from(c->anthropic_base_url);

    if (db.len == 0)
        buf_add_cstr(problems, "DATABASE_URL is required: set it to postgresql://user@host/database\n");
    else if (!str_starts(db, "postgresql://") && !str_starts(db, "postgres://"))
        buf_add_cstr(problems, "DATABASE_URL: expected postgresql:// or postgres://\n");
    if (str_starts(redis, "rediss://"))
        buf_add_cstr(problems,
                     "REDIS_URL: rediss:// (TLS) is not supported by the packaged library and never sent in clear; "
                     "use redis:// through a TLS tunnel, or unix://\n");
    else if (redis.len > 0 && !str_starts(redis, "redis://") && !str_starts(redis, "unix://"))
        buf_add_cstr(problems, "REDIS_URL: expected redis:// or unix://\n");
    if (!str_starts(ai, "https://") && !str_starts(ai, "http://127.0.0.1") && !str_starts(ai, "http://localhost"))
        buf_add_cstr(problems, "ANTHROPIC_BASE_URL: expected https://\n");
}

static void check_source(const struct conf *c, struct buf *problems)
{
    struct str source = str_from(c->sync_source);
    const char *parts[] = { c->azure_sql_server, c->azure_sql_database, c->azure_sql_username,
                            c->azure_sql_password };
    static const char *const names[] = { "AZURE_SQL_SERVER", "AZURE_SQL_DATABASE", "AZURE_SQL_USERNAME",
                                         "AZURE_SQL_PASSWORD" };
    unsigned set = 0;
    int32_t day;

    if (!str_eq_lit(source, "sqlserver") && !(str_starts(source, "csv:") && source.len > 4))
        buf_add_cstr(problems, "SYNC_SOURCE: expected sqlserver or csv:PATH\n");
    for (int i = 0; i < 4; i++)
        set += parts[i][0] != '\0';
    for (int i = 0; i < 4 && set > 0 && set < 4; i++)
        if (parts[i][0] == '\0')
            buf_printf(problems, "%s not set, but other AZURE_SQL_ settings are: set all four or none\n", names[i]);
    if (strchr(c->azure_sql_username, '\\') != NULL)
        buf_add_cstr(
            problems,
            "AZURE_SQL_USERNAME: a backslash asks for a Windows login, which is not supported; use a SQL login\n");
    if (strlen(c->azure_sql_password) > 128)
        buf_add_cstr(problems, "AZURE_SQL_PASSWORD: longer than the 128 characters SQL Server takes\n");
    if (c->as_of_date[0] != '\0' && !clock_parse_day(str_from(c->as_of_date), &day))
        buf_add_cstr(problems, "AS_OF_DATE: expected a day as YYYY-MM-DD, or nothing\n");
}

static void check_order(const struct conf *c, struct buf *problems)
{
    if (c->worker_hang_suspect >= c->worker_hang_abort || c->worker_hang_abort >= c->worker_hang_kill)
        buf_add_cstr(
            problems,
            "WORKER_HANG_SUSPECT, WORKER_HANG_ABORT, WORKER_HANG_KILL: each must be larger than the one before\n");
    if (c->max_request_memory_bytes < c->max_body_bytes)
        buf_add_cstr(problems,
                     "MAX_REQUEST_MEMORY_BYTES: smaller than MAX_BODY_BYTES, so that no full body could be taken\n");
}

static bool syntax_of_listen(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    uint64_t port;

    return colon != NULL && str_to_u64(str_from(colon + 1), &port) && port <= 65535;
}

void conf_check(const struct conf *c, struct buf *problems)
{
    enum log_level level;

    check_admin_key(c, problems);
    check_urls(c, problems);
    check_origins(c, problems);
    check_networks("TRUSTED_PROXIES", c->trusted_proxies, false, problems);
    check_networks("ALLOW_LIST", c->allow_list, true, problems);
    check_networks("DENY_LIST", c->deny_list, true, problems);
    check_source(c, problems);
    check_order(c, problems);
    if (!syntax_of_listen(c->listen))
        buf_add_cstr(problems, "LISTEN: expected address:port, e.g. 0.0.0.0:8000 or [::]:8000\n");
    if (!log_level_parse(c->log_level, &level))
        buf_add_cstr(problems, "LOG_LEVEL: expected DEBUG, INFO, WARNING, ERROR or CRITICAL\n");
    if (c->state_dir[0] != '/' || c->run_dir[0] != '/')
        buf_add_cstr(problems, "STATE_DIR and RUN_DIR: expected absolute paths\n");
    if (c->store_id[0] == '\0' || strlen(c->store_id) > 100)
        buf_add_cstr(problems, "STORE_ID: expected 1 to 100 characters\n");
}
