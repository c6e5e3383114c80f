/*
 * conf: reading settings. Sources in rising order of strength: the table's
 * defaults, the file, systemd credentials, the environment (NAME_FILE before NAME).
 *
 * Nothing is applied by halves: the struct is complete before it is checked,
 * and every problem is reported in one go.
 */
#include "core/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "core/conf_check.h"
#include "core/options.h"
#include "core/sys.h"

#define FILE_MAX_BYTES  262144
#define VALUE_MAX_BYTES 8192
#define OPTIONS_MAX     160

struct reader {
    struct conf *conf;
    struct buf *problems, *warnings;
    bool seen[OPTIONS_MAX]; /* set in the file */
};

/* Names the earlier service read; they do nothing here. */
static const char *const ignored_names[] = { "API_KEY",       "SKIP_DATA_LOAD", "USE_CONSOLIDATED_MCP_TOOLS",
                                             "DB_ECHO",       "AUTO_RELOAD",    "API_BASE_URL",
                                             "ENCRYPTION_KEY" };

static bool ignored(struct str name)
{
    for (size_t i = 0; i < sizeof(ignored_names) / sizeof(ignored_names[0]); i++)
        if (str_eq_lit(name, ignored_names[i]))
            return true;
    return false;
}

/* "<n>/<s|m|h|d>;burst=<n>", or 0. */
static bool parse_rate(struct str s, struct conf_rate *rate)
{
    struct str rest = s, count, period, burst;
    uint64_t n, b;

    if (str_eq_lit(s, "0")) {
        *rate = (struct conf_rate){ 0 };
        return true;
    }
    if (!str_split(&rest, '/', &count) || !str_split(&rest, ';', &period) || !str_starts(rest, "burst="))
        return false;
    burst = (struct str){ rest.p + 6, rest.len - 6 };
    if (!str_to_u64(count, &n) || !str_to_u64(burst, &b) || n < 1 || n > 1000000000 || b < 1 || b > 1000000000)
        return false;
    static const char units[] = "smhd";
    static const int64_t seconds[] = { 1, 60, 3600, 86400 };
    const char *unit = period.len == 1 ? memchr(units, period.p[0], 4) : NULL;
    if (unit == NULL)
        return false;
    *rate = (struct conf_rate){ .count = (int64_t)n, .period_s = seconds[unit - units], .burst = (int64_t)b };
    return true;
}

static bool parse_choice(const struct option *o, struct str s, int *choice)
{
    for (int i = 0; o->choices[i] != NULL; i++) {
        if (str_ieq(s, o->choices[i])) {
            *choice = i;
            return true;
        }
    }
    return false;
}

/* Stores the value; NULL, or what kind of text was expected. */
static const char *store(struct conf *c, const struct option *o, struct str s)
{
    void *at = (char *)c + o->offset;

    switch (o->type) {
    case OPTION_STRING: {
        if (s.len > VALUE_MAX_BYTES || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL))
            return "a text of at most 8192 bytes";
        const char *copy = arena_strdup(&c->arena, s);
        *(const char **)at = copy != NULL ? copy : "";
        return copy != NULL ? NULL : "less text in all";
    }
    case OPTION_INT:
        return str_to_i64(s, at) && (double)*(int64_t *)at >= o->least && (double)*(int64_t *)at <= o->most
                   ? NULL
                   : "a whole number";
    case OPTION_DOUBLE:
        return str_to_double(s, at) && *(double *)at >= o->least && *(double *)at <= o->most ? NULL : "a number";
    case OPTION_BOOL:
        return str_to_bool(s, at) ? NULL : "true or false";
    case OPTION_RATE:
        return parse_rate(s, at) ? NULL : "<n>/<s|m|h|d>;burst=<n>, or 0";
    case OPTION_CHOICE:
        return parse_choice(o, s, at) ? NULL : "one of its words";
    }
    return "another kind";
}

static void report_value(struct buf *problems, const struct option *o, struct str where, struct str value,
                         const char *expected)
{
    buf_add_str(problems, where);
    buf_printf(problems, ": %s = %.*s: expected %s", o->name,
               o->flags & OPTION_SECRET ? 3 : (int)(value.len < 80 ? value.len : 80),
               o->flags & OPTION_SECRET ? "***" : value.p, expected);
    if (o->type == OPTION_INT || o->type == OPTION_DOUBLE)
        buf_printf(problems, " from %.15g to %.15g", o->least, o->most);
    for (int i = 0; o->type == OPTION_CHOICE && o->choices[i] != NULL; i++)
        buf_printf(problems, "%s%s", i ? ", " : ": ", o->choices[i]);
    buf_add_char(problems, '\n');
}

static void apply(struct reader *r, const struct option *o, struct str where, struct str value)
{
    const char *expected = store(r->conf, o, value);

    if (expected != NULL)
        report_value(r->problems, o, where, value, expected);
}

static struct str unquote(struct str s)
{
    if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        return (struct str){ s.p + 1, s.len - 2 };
    return s;
}

static void read_line(struct reader *r, struct str line, struct str where)
{
    struct str rest = line, name;
    size_t count;

    if (line.len == 0 || line.p[0] == '#')
        return;
    if (memchr(line.p, '=', line.len) == NULL) {
        buf_printf(r->problems, "%.*s: not understood; write NAME = value\n", (int)where.len, where.p);
        return;
    }
    str_split(&rest, '=', &name);
    name = str_trim(name);
    const struct option *o = options_find(name.p, name.len);
    if (o == NULL && ignored(name)) {
        buf_printf(r->warnings, "%.*s: %.*s is no longer used\n", (int)where.len, where.p, (int)name.len, name.p);
        return;
    }
    if (o == NULL) {
        buf_printf(r->problems, "%.*s: unknown setting %.*s; see patrond.conf(5)\n", (int)where.len, where.p,
                   (int)(name.len < 64 ? name.len : 64), name.p);
        return;
    }
    bool *seen = &r->seen[o - options_table(&count)];
    if (*seen)
        buf_printf(r->problems, "%.*s: %s is set twice; keep one\n", (int)where.len, where.p, o->name);
    *seen = true;
    apply(r, o, where, unquote(str_trim(rest)));
}

static void read_file(struct reader *r, const char *path)
{
    size_t n;
    unsigned number = 0;
    char *text = sys_read_file(path, FILE_MAX_BYTES, &n);

    if (text == NULL) {
        buf_printf(r->problems, "%s: cannot be read: %s\n", path, strerror(errno));
        return;
    }
    struct str rest = { text, n }, line;
    while (str_split(&rest, '\n', &line)) {
        char where[512];
        number++;
        int len = snprintf(where, sizeof(where), "%s:%u", path, number);
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        read_line(r, str_trim(line),
                  (struct str){ where, (size_t)len < sizeof(where) ? (size_t)len : sizeof(where) - 1 });
    }
    free(text);
}

/* A secret's file: its contents without the last newline. */
static void read_secret_file(struct reader *r, const struct option *o, const char *path, bool optional)
{
    size_t n;
    char *text = sys_read_file(path, VALUE_MAX_BYTES, &n);

    if (text == NULL) {
        if (!optional || errno != ENOENT)
            buf_printf(r->problems, "%s: file %s cannot be read: %s\n", o->name, path, strerror(errno));
        return;
    }
    struct str s = { text, n };
    while (s.len > 0 && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
        s.len--;
    apply(r, o, str_from(path), s);
    explicit_bzero(text, n);
    free(text);
}

static bool secret(const struct option *o)
{
    return (o->flags & (OPTION_SECRET | OPTION_URL)) != 0;
}

static void read_credential(struct reader *r, const struct option *o, const char *dir)
{
    char path[1024];

    if (secret(o) && (size_t)snprintf(path, sizeof(path), "%s/%s", dir, o->name) < sizeof(path))
        read_secret_file(r, o, path, true);
}

static void read_environment(struct reader *r, const struct option *o)
{
    char file_name[128];
    const char *value;

    snprintf(file_name, sizeof(file_name), "%s_FILE", o->name);
    if (secret(o) && (value = getenv(file_name)) != NULL && *value != '\0')
        read_secret_file(r, o, value, false);
    value = getenv(o->name);
    if (value == NULL && o->alias != NULL)
        value = getenv(o->alias);
    if (value != NULL)
        apply(r, o, STR_LIT("environment"), str_trim(str_from(value)));
}

/* PORT replaces the port of LISTEN. */
static void apply_port(struct reader *r)
{
    const char *port = getenv("PORT"), *listen = r->conf->listen, *colon = strrchr(listen, ':');
    uint64_t n;

    if (port == NULL || *port == '\0')
        return;
    if (!str_to_u64(str_from(port), &n) || n > 65535) {
        buf_printf(r->problems, "environment: PORT = %.32s: expected a port from 0 to 65535\n", port);
        return;
    }
    int host = colon != NULL ? (int)(colon - listen) : (int)strlen(listen);
    const char *joined = arena_printf(&r->conf->arena, "%.*s:%u", host, listen, (unsigned)n);
    if (joined != NULL)
        r->conf->listen = joined;
}

static void warn_ignored_environment(struct buf *warnings)
{
    for (size_t i = 0; i < sizeof(ignored_names) / sizeof(ignored_names[0]); i++)
        if (getenv(ignored_names[i]) != NULL)
            buf_printf(warnings, "environment: %s is no longer used\n", ignored_names[i]);
}

static void hash_settings(struct conf *c)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    conf_print(c, &text); /* secrets are masked there, so the hash tells nothing of them */
    c->settings_hash = hash_fast(0, text.data, text.len);
    buf_free(&text);
}

struct conf *conf_load_lenient(const char *path, struct buf *problems, struct buf *warnings)
{
    size_t count;
    const struct option *table = options_table(&count);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    struct conf *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        buf_add_cstr(problems, "out of memory while reading the settings\n");
        return NULL;
    }
    struct reader r = { .conf = c, .problems = problems, .warnings = warnings };
    arena_init(&c->arena, 1 << 20);
    for (size_t i = 0; i < count; i++)
        apply(&r, &table[i], STR_LIT("default"), str_from(table[i].initial));
    c->path = path != NULL ? arena_strdup(&c->arena, str_from(path)) : "";
    if (c->path == NULL) {
        conf_free(c);
        return NULL;
    }
    if (path != NULL)
        read_file(&r, path);
    for (size_t i = 0; i < count; i++) {
        if (credentials != NULL)
            read_credential(&r, &table[i], credentials);
        read_environment(&r, &table[i]);
    }
    apply_port(&r);
    warn_ignored_environment(warnings);
    conf_check(c, problems);
    return c;
}

struct conf *conf_load(const char *path, struct buf *problems, struct buf *warnings)
{
    size_t before = problems->len;
    struct conf *c = conf_load_lenient(path, problems, warnings);

    if (c == NULL || problems->len != before || problems->failed) {
        conf_free(c);
        return NULL;
    }
    hash_settings(c);
    return c;
}

void conf_free(struct conf *c)
{
    if (c == NULL)
        return;
    explicit_bzero((void *)(uintptr_t)c->admin_key, strlen(c->admin_key));
    arena_free(&c->arena);
    free(c);
}

unsigned conf_worker_count(const struct conf *c)
{
    unsigned cpus = sys_cpu_count();

    if (c->workers > 0)
        return (unsigned)c->workers;
    return cpus < CONF_MAX_WORKERS ? cpus : CONF_MAX_WORKERS;
}

int32_t conf_as_of_day(const struct conf *c)
{
    int32_t day;

    return clock_parse_day(str_from(c->as_of_date), &day) ? day : clock_today();
}

bool conf_source_configured(const struct conf *c)
{
    if (str_starts(str_from(c->sync_source), "csv:"))
        return true;
    return c->azure_sql_server[0] != '\0' && c->azure_sql_database[0] != '\0' && c->azure_sql_username[0] != '\0' &&
           c->azure_sql_password[0] != '\0';
}
