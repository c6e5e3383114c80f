/*
 * conf_check: rules on the meaning of settings and across them.
 *
 * Each problem is one line: where the value came from, the setting, the fault, the remedy.
 */
#include "core/conf_check.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/cidr.h"
#include "core/options.h"
#include "core/redis_target.h"

#define ADMIN_KEY_LEAST       16
#define ADMIN_KEY_LEAST_KINDS 5 /* different characters */
#define STORE_ID_MOST         100
#define SQL_PASSWORD_MOST     128
#define SHOWN_BYTES           80

struct checker {
    const struct conf *c;
    const struct conf_origins *origins;
    struct buf *problems;
};

static void problem(const struct checker *k, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "WHERE: NAME" and what follows it. */
static void problem(const struct checker *k, const char *name, const char *fmt, ...)
{
    size_t count;
    const struct option *o = options_find(name, strlen(name));
    const char *where = o != NULL ? k->origins->of[o - options_table(&count)] : NULL;
    va_list ap;

    if (where != NULL)
        buf_printf(k->problems, "%s: ", where);
    buf_add_cstr(k->problems, name);
    va_start(ap, fmt);
    buf_vprintf(k->problems, fmt, ap);
    va_end(ap);
    buf_add_char(k->problems, '\n');
}

static int shown(struct str s)
{
    return (int)(s.len < SHOWN_BYTES ? s.len : SHOWN_BYTES);
}

/* What stands in manuals and is tried first, letters only. */
static const char *const common_keys[] = {
    "abcdefghijklmnop",
    "adminadminadminadmin",
    "adminkey",
    "adminkeyadminkey",
    "administrator",
    "changeme",
    "changemechangeme",
    "changemeplease",
    "changethiskey",
    "defaultadminkey",
    "letmeinletmein",
    "myadminkey",
    "mysecretadminkey",
    "password",
    "passwordpassword",
    "pleasechangeme",
    "qwertyuiop",
    "qwertyuiopasdfgh",
    "replacethiskey",
    "secretadminkey",
    "secretsecretsecret",
    "supersecret",
    "supersecretadminkey",
    "supersecretkey",
    "testadminkey",
    "testtesttesttest",
    "youradminkey",
    "youradminkeyhere",
    "yoursecretadminkey",
    "yoursecretkeyhere",
};

static unsigned different_characters(const char *s)
{
    bool seen[256] = { false };
    unsigned n = 0;

    for (; *s != '\0'; s++) {
        n += !seen[(unsigned char)*s];
        seen[(unsigned char)*s] = true;
    }
    return n;
}

static bool is_common_key(const char *key)
{
    char word[64];
    size_t n = 0;

    if (different_characters(key) < ADMIN_KEY_LEAST_KINDS)
        return true;
    if (strstr("1234567890123456789012345678901234567890", key) != NULL)
        return true;
    for (const char *s = key; *s != '\0' && n < sizeof(word) - 1; s++) {
        if (isalpha((unsigned char)*s))
            word[n++] = (char)tolower((unsigned char)*s);
    }
    word[n] = '\0';
    for (size_t i = 0; i < sizeof(common_keys) / sizeof(common_keys[0]); i++) {
        if (strcmp(word, common_keys[i]) == 0)
            return true;
    }
    return false;
}

static bool is_header_text(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s <= ' ' || *s == 0x7f)
            return false;
    }
    return true;
}

static void check_admin_key(const struct checker *k)
{
    const char *key = k->c->admin_key;

    if (*key == '\0')
        problem(k, "ADMIN_KEY", " not set: choose one of at least 16 characters, e.g. by `openssl rand -hex 24`");
    else if (strlen(key) < ADMIN_KEY_LEAST)
        problem(k, "ADMIN_KEY", " too short: it needs at least %d characters", ADMIN_KEY_LEAST);
    else if (is_common_key(key))
        problem(k, "ADMIN_KEY", " is a common value: choose a random one, e.g. by `openssl rand -hex 24`");
    else if (!is_header_text(key))
        problem(k, "ADMIN_KEY", ": holds blanks or other than ASCII characters; a header cannot carry them");
}

static bool is_origin(struct str s)
{
    struct str host = s;

    if (str_starts(s, "https://"))
        host = (struct str){ s.p + 8, s.len - 8 };
    else if (str_starts(s, "http://"))
        host = (struct str){ s.p + 7, s.len - 7 };
    else
        return false;
    return host.len > 0 && memchr(host.p, '/', host.len) == NULL;
}

static void check_origins(const struct checker *k)
{
    struct str rest = str_from(k->c->allowed_origins), item;
    bool production = strcmp(k->c->environment, "production") == 0;

    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len == 0)
            continue;
        if (str_eq_lit(item, "*") && production)
            problem(k, "ALLOWED_ORIGINS", ": `*` is not allowed with ENVIRONMENT = production; list the origins");
        else if (!str_eq_lit(item, "*") && !is_origin(item))
            problem(k, "ALLOWED_ORIGINS", ": %.*s is no origin; write http(s)://host[:port], without a path",
                    shown(item), item.p);
    }
}

static void check_networks(const struct checker *k, const char *name, const char *list, bool keys_too)
{
    struct str rest = str_from(list), item;
    struct cidr network;
    size_t networks = 0, keys = 0;

    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len == 0)
            continue;
        if (keys_too && str_starts(item, "pk_live_")) {
            if (++keys == CIDR_MAX + 1)
                problem(k, name, ": more than %d key prefixes", CIDR_MAX);
        } else if (!cidr_parse(item, &network))
            problem(k, name, ": %.*s is no address or CIDR%s", shown(item), item.p,
                    keys_too ? " and no key prefix (pk_live_…)" : "");
        else if (++networks == CIDR_MAX + 1)
            problem(k, name, ": more than %d networks; join some of them", CIDR_MAX);
    }
}

static void check_database(const struct checker *k)
{
    struct str url = str_from(k->c->database_url);

    if (url.len == 0)
        problem(k, "DATABASE_URL", " is required: set it to postgresql://user@host/database");
    else if (!str_starts(url, "postgresql://") && !str_starts(url, "postgres://"))
        problem(k, "DATABASE_URL", ": expected postgresql:// or postgres://");
}

static void check_redis(const struct checker *k)
{
    struct redis_target target;
    const char *wrong = k->c->redis_url[0] != '\0' ? redis_target_parse(k->c->redis_url, &target) : NULL;

    if (wrong != NULL)
        problem(k, "REDIS_URL", ": %s", wrong);
    explicit_bzero(&target, sizeof(target));
}

/* http:// to this machine, and no other name that only begins so. */
static bool is_own_http(struct str url)
{
    static const char *const starts[] = { "http://127.0.0.1", "http://localhost", "http://[::1]" };

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t n = strlen(starts[i]);

        if (str_starts(url, starts[i]) && (url.len == n || url.p[n] == ':' || url.p[n] == '/'))
            return true;
    }
    return false;
}

static void check_web(const struct checker *k)
{
    struct str ai = str_from(k->c->anthropic_base_url), hook = str_from(k->c->alert_webhook_url);

    if (!str_starts(ai, "https://") && !is_own_http(ai))
        problem(k, "ANTHROPIC_BASE_URL", ": expected https:// (http:// only to 127.0.0.1 or localhost)");
    if (hook.len > 0 && !str_starts(hook, "https://") && !str_starts(hook, "http://"))
        problem(k, "ALERT_WEBHOOK_URL", ": expected https:// or http://");
}

static void check_azure(const struct checker *k)
{
    const struct conf *c = k->c;
    const struct {
        const char *name, *value;
    } parts[] = { { "AZURE_SQL_SERVER", c->azure_sql_server },
                  { "AZURE_SQL_DATABASE", c->azure_sql_database },
                  { "AZURE_SQL_USERNAME", c->azure_sql_username },
                  { "AZURE_SQL_PASSWORD", c->azure_sql_password } };
    unsigned set = 0;

    for (size_t i = 0; i < 4; i++)
        set += parts[i].value[0] != '\0';
    for (size_t i = 0; i < 4 && set > 0; i++) {
        if (parts[i].value[0] == '\0')
            problem(k, parts[i].name, " not set, but other AZURE_SQL_ settings are: set all four or none");
    }
    if (strchr(c->azure_sql_username, '\\') != NULL)
        problem(k, "AZURE_SQL_USERNAME",
                ": a backslash asks for a Windows login, which is not supported; use a SQL login");
    if (strlen(c->azure_sql_password) > SQL_PASSWORD_MOST)
        problem(k, "AZURE_SQL_PASSWORD", ": longer than the %d characters SQL Server takes", SQL_PASSWORD_MOST);
}

static void check_sync(const struct checker *k)
{
    struct str source = str_from(k->c->sync_source);
    int32_t day;

    if (source.len > 0 && !str_eq_lit(source, "sqlserver") &&
        (!str_starts(source, "csv:") || source.len == strlen("csv:")))
        problem(k, "SYNC_SOURCE", ": expected sqlserver or csv:PATH");
    if (k->c->as_of_date[0] != '\0' && !clock_parse_day(str_from(k->c->as_of_date), &day))
        problem(k, "AS_OF_DATE", ": expected a day as YYYY-MM-DD, or nothing for today");
    if (k->c->sync_stall_timeout > k->c->sync_timeout)
        problem(k, "SYNC_STALL_TIMEOUT", ": must not be larger than SYNC_TIMEOUT (%lld)",
                (long long)k->c->sync_timeout);
}

static void check_order(const struct checker *k)
{
    const struct conf *c = k->c;

    if (c->worker_hang_suspect >= c->worker_hang_abort)
        problem(k, "WORKER_HANG_ABORT", ": must be larger than WORKER_HANG_SUSPECT (%lld)",
                (long long)c->worker_hang_suspect);
    if (c->worker_hang_abort >= c->worker_hang_kill)
        problem(k, "WORKER_HANG_KILL", ": must be larger than WORKER_HANG_ABORT (%lld)",
                (long long)c->worker_hang_abort);
    if (c->max_request_memory_bytes < c->max_body_bytes)
        problem(k, "MAX_REQUEST_MEMORY_BYTES",
                ": smaller than MAX_BODY_BYTES (%lld), so that no full body could be taken",
                (long long)c->max_body_bytes);
}

static bool is_port(struct str s)
{
    uint64_t port;

    return str_to_u64(s, &port) && port <= 65535;
}

/* "1.2.3.4:port" or "[v6]:port". */
static bool is_listen(const char *text)
{
    const char *colon = strrchr(text, ':');
    struct str host;
    struct ip_address ip;
    bool bracketed;

    if (colon == NULL || !is_port(str_from(colon + 1)))
        return false;
    host = (struct str){ text, (size_t)(colon - text) };
    bracketed = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
    if (bracketed)
        host = (struct str){ host.p + 1, host.len - 2 };
    return ip_parse(host, &ip) && bracketed == (memchr(host.p, ':', host.len) != NULL);
}

static void check_server(const struct checker *k)
{
    const struct conf *c = k->c;
    enum log_level level;

    if (!is_listen(c->listen))
        problem(k, "LISTEN", ": expected address:port, e.g. 0.0.0.0:8000 or [::]:8000");
    if (c->port[0] != '\0' && !is_port(str_from(c->port)))
        problem(k, "PORT", ": expected a number from 0 to 65535");
    if (!log_level_parse(c->log_level, &level))
        problem(k, "LOG_LEVEL", ": expected DEBUG, INFO, WARNING, ERROR or CRITICAL");
    if (c->state_dir[0] != '/')
        problem(k, "STATE_DIR", ": expected an absolute path");
    if (c->run_dir[0] != '/')
        problem(k, "RUN_DIR", ": expected an absolute path");
    if (c->store_id[0] == '\0' || strlen(c->store_id) > STORE_ID_MOST)
        problem(k, "STORE_ID", ": expected 1 to %d characters", STORE_ID_MOST);
}

void conf_check(const struct conf *c, const struct conf_origins *origins, struct buf *problems)
{
    const struct checker k = { c, origins, problems };

    check_admin_key(&k);
    check_database(&k);
    check_redis(&k);
    check_web(&k);
    check_origins(&k);
    check_networks(&k, "TRUSTED_PROXIES", c->trusted_proxies, false);
    check_networks(&k, "ALLOW_LIST", c->allow_list, true);
    check_networks(&k, "DENY_LIST", c->deny_list, true);
    check_azure(&k);
    check_sync(&k);
    check_order(&k);
    check_server(&k);
}
