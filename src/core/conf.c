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

#include "base/clock.h"
#include "base/hash.h"
#include "core/conf_check.h"
#include "core/conf_value.h"
#include "core/options.h"
#include "core/sys.h"

#define FILE_MAX_BYTES   262144
#define SECRET_MAX_BYTES 8192
#define SHOWN_BYTES      80 /* of a value or a name in a problem */

/* Names the earlier service read; they do nothing here. */
static const char *const ignored_names[] = {
    "API_KEY",      "SKIP_DATA_LOAD", "USE_CONSOLIDATED_MCP_TOOLS", "DB_ECHO", "AUTO_RELOAD",
    "API_BASE_URL", "ENCRYPTION_KEY",
};
#define IGNORED_NAMES (sizeof(ignored_names) / sizeof(ignored_names[0]))

struct reader {
    struct conf *conf;
    struct buf *problems;
    const struct option *table;
    size_t count;
    struct conf_origins origins;
    bool ignored_seen[IGNORED_NAMES];
};

/* One name and value as they were found; `where` outlives the reading. */
struct finding {
    const char *where;
    struct str name, value;
};

static int shown(struct str s)
{
    return (int)(s.len < SHOWN_BYTES ? s.len : SHOWN_BYTES);
}

static void report_value(struct buf *problems, const struct option *o, const char *where, struct str value,
                         const char *expected)
{
    struct str text = options_is_secret(o) ? STR_LIT("***") : value;

    buf_printf(problems, "%s: %s = %.*s: expected %s", where, o->name, shown(text), text.p, expected);
    if (o->type == OPTION_INT || o->type == OPTION_DOUBLE)
        buf_printf(problems, " from %.15g to %.15g", o->least, o->most);
    for (int i = 0; o->type == OPTION_CHOICE && o->choices[i] != NULL; i++)
        buf_printf(problems, "%s%s", i > 0 ? ", " : ": ", o->choices[i]);
    buf_add_char(problems, '\n');
}

static void apply(struct reader *r, const struct option *o, const char *where, struct str value)
{
    const char *expected = conf_value_store(r->conf, o, value);

    r->origins.of[o - r->table] = where;
    if (expected != NULL)
        report_value(r->problems, o, where, value, expected);
}

/* The value is the text of a file, without the newline at its end. */
static void apply_secret_file(struct reader *r, const struct option *o, const char *path, bool optional)
{
    const char *where = arena_strdup(&r->conf->arena, str_from(path));
    struct str s;
    size_t n;
    char *text = sys_read_file(path, SECRET_MAX_BYTES, &n);

    if (text == NULL) {
        if (!optional || errno != ENOENT)
            buf_printf(r->problems, "%s: file %s cannot be read: %s\n", o->name, path, strerror(errno));
        return;
    }
    s = (struct str){ text, n };
    while (s.len > 0 && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
        s.len--;
    apply(r, o, where, s);
    explicit_bzero(text, n);
    free(text);
}

/* The secret whose NAME_FILE this is, or NULL. */
static const struct option *secret_of_file_name(struct str name)
{
    static const char suffix[] = "_FILE";
    size_t n = sizeof(suffix) - 1;
    const struct option *o;

    if (name.len <= n || memcmp(name.p + name.len - n, suffix, n) != 0)
        return NULL;
    o = options_find(name.p, name.len - n);
    return o != NULL && options_is_secret(o) ? o : NULL;
}

static bool is_ignored(struct reader *r, struct str name)
{
    for (size_t i = 0; i < IGNORED_NAMES; i++) {
        if (str_eq_lit(name, ignored_names[i])) {
            r->ignored_seen[i] = true;
            return true;
        }
    }
    return false;
}

/* Takes one pair of quotes off; false when a quote is not closed. */
static bool unquote(struct str *s)
{
    if (s->len == 0 || s->p[0] != '"')
        return true;
    if (s->len < 2 || s->p[s->len - 1] != '"')
        return false;
    *s = (struct str){ s->p + 1, s->len - 2 };
    return true;
}

static void read_secret_path(struct reader *r, const struct option *o, const struct finding *f)
{
    char *path = arena_strdup(&r->conf->arena, f->value);

    if (path != NULL && *path != '\0')
        apply_secret_file(r, o, path, false);
}

static void read_finding(struct reader *r, const struct finding *f)
{
    const struct option *o = options_find(f->name.p, f->name.len);
    const struct option *secret = o == NULL ? secret_of_file_name(f->name) : NULL;
    const struct option *either = o != NULL ? o : secret;

    if (either == NULL) {
        if (!is_ignored(r, f->name))
            buf_printf(r->problems, "%s: unknown setting %.*s; see patrond.conf(5)\n", f->where, shown(f->name),
                       f->name.p);
        return;
    }
    if (r->origins.of[either - r->table] != NULL)
        buf_printf(r->problems, "%s: %s is set twice, first at %s; keep one\n", f->where, either->name,
                   r->origins.of[either - r->table]);
    if (o != NULL)
        apply(r, o, f->where, f->value);
    else
        read_secret_path(r, secret, f);
}

static void read_line(struct reader *r, struct str line, const char *where)
{
    struct finding f = { .where = where };
    struct str rest = line;

    if (line.len == 0 || line.p[0] == '#')
        return;
    if (memchr(line.p, '=', line.len) == NULL) {
        buf_printf(r->problems, "%s: not understood; write NAME = value\n", where);
        return;
    }
    (void)str_split(&rest, '=', &f.name);
    f.name = str_trim(f.name);
    f.value = str_trim(rest);
    if (!unquote(&f.value)) {
        buf_printf(r->problems, "%s: %.*s: a quote is not closed; end the value with \"\n", where, shown(f.name),
                   f.name.p);
        return;
    }
    read_finding(r, &f);
}

static void read_file(struct reader *r, const char *path)
{
    size_t n;
    unsigned number = 0;
    char *text = sys_read_file(path, FILE_MAX_BYTES, &n);
    struct str rest, line;

    if (text == NULL) {
        buf_printf(r->problems, "%s: cannot be read: %s\n", path, strerror(errno));
        return;
    }
    rest = (struct str){ text, n };
    while (str_split(&rest, '\n', &line)) {
        const char *where = arena_printf(&r->conf->arena, "%s:%u", path, ++number);

        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        read_line(r, str_trim(line), where != NULL ? where : path);
    }
    explicit_bzero(text, n);
    free(text);
}

static void read_credential(struct reader *r, const struct option *o, const char *dir)
{
    const char *path = arena_printf(&r->conf->arena, "%s/%s", dir, o->name);

    if (path != NULL)
        apply_secret_file(r, o, path, true);
}

static void read_environment(struct reader *r, const struct option *o)
{
    char file_name[128];
    const char *value;

    (void)snprintf(file_name, sizeof(file_name), "%s_FILE", o->name);
    value = options_is_secret(o) ? getenv(file_name) : NULL;
    if (value != NULL && *value != '\0')
        apply_secret_file(r, o, value, false);
    value = getenv(o->name);
    if (value == NULL && o->alias != NULL)
        value = getenv(o->alias);
    if (value != NULL)
        apply(r, o, "environment", str_trim(str_from(value)));
}

/* One warning for all of them. */
static void warn_ignored(struct reader *r, struct buf *warnings)
{
    const char *before = "";

    for (size_t i = 0; i < IGNORED_NAMES; i++) {
        if (!r->ignored_seen[i] && getenv(ignored_names[i]) == NULL)
            continue;
        buf_printf(warnings, "%s%s", before, ignored_names[i]);
        before = ", ";
    }
    if (*before != '\0')
        buf_add_cstr(warnings, ": read by the earlier service, not used here\n");
}

/* PORT replaces the port of LISTEN; that it is one was checked. */
static void apply_port(struct conf *c)
{
    const char *colon = strrchr(c->listen, ':'), *joined;

    if (c->port[0] == '\0' || colon == NULL)
        return;
    joined = arena_printf(&c->arena, "%.*s:%s", (int)(colon - c->listen), c->listen, c->port);
    if (joined != NULL)
        c->listen = joined;
}

static void hash_settings(struct conf *c)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    conf_print(c, &text); /* secrets are masked there, so the hash tells nothing of them */
    c->settings_hash = hash_fast(0, text.data, text.len);
    buf_free(&text);
}

static void read_all(struct reader *r, const char *path)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    for (size_t i = 0; i < r->count; i++)
        apply(r, &r->table[i], "default", str_from(r->table[i].initial));
    memset(&r->origins, 0, sizeof(r->origins));
    if (path != NULL)
        read_file(r, path);
    for (size_t i = 0; i < r->count; i++) {
        if (credentials != NULL && options_is_secret(&r->table[i]))
            read_credential(r, &r->table[i], credentials);
        read_environment(r, &r->table[i]);
    }
}

struct conf *conf_load_lenient(const char *path, struct buf *problems, struct buf *warnings)
{
    struct conf *c = calloc(1, sizeof(*c));
    struct reader r = { .conf = c, .problems = problems };

    if (c == NULL) {
        buf_add_cstr(problems, "out of memory while reading the settings\n");
        return NULL;
    }
    r.table = options_table(&r.count);
    arena_init(&c->arena, 1 << 20);
    c->path = arena_strdup(&c->arena, str_from(path));
    read_all(&r, path);
    warn_ignored(&r, warnings);
    conf_check(c, &r.origins, problems);
    apply_port(c);
    if (c->arena.exhausted)
        buf_add_cstr(problems, "the settings take more than 1 MiB of text\n");
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

struct conf *conf_unpack(struct str packed, const char *path)
{
    struct conf *c = calloc(1, sizeof(*c));
    size_t count;
    const struct option *table = options_table(&count);
    struct str entry, name;

    if (c == NULL)
        return NULL;
    arena_init(&c->arena, 1 << 20);
    c->path = arena_strdup(&c->arena, str_from(path));
    for (size_t i = 0; i < count; i++)
        (void)conf_value_store(c, &table[i], str_from(table[i].initial));
    while (str_split(&packed, '\0', &entry)) {
        struct str value = entry;
        const struct option *o = str_split(&value, '=', &name) ? options_find(name.p, name.len) : NULL;

        if (o != NULL && value.p != NULL)
            (void)conf_value_store(c, o, value);
    }
    if (c->arena.exhausted) {
        conf_free(c);
        return NULL;
    }
    hash_settings(c);
    return c;
}

void conf_free(struct conf *c)
{
    size_t count;
    const struct option *table = options_table(&count);

    if (c == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        char *text = options_is_secret(&table[i]) ? *(char **)((char *)c + table[i].offset) : NULL;

        if (text != NULL && *text != '\0')
            explicit_bzero(text, strlen(text));
    }
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
