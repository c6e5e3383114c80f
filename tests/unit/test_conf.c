/*
 * conf: sources and their order, every rule with its words, and that no secret is ever printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/options.h"
#include "core/redis_target.h"
#include "core/service.h"
#include "core/sys.h"

#define GOOD_KEY "k3y-of-th3-op3rator-9f2c"
#define GOOD     "ADMIN_KEY = " GOOD_KEY "\nDATABASE_URL = postgresql://u:hidden@h:5432/db\n"

static char dir[] = "/tmp/patrond-conf-XXXXXX";
static char file[64];
static struct buf problems, warnings;

static const char *write_file(const char *name, const char *text)
{
    static char path[128];

    assert_int_equal(sys_write_file(dir, name, text, strlen(text), 0600), 0);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static struct conf *load(const char *text)
{
    buf_reset(&problems);
    buf_reset(&warnings);
    snprintf(file, sizeof(file), "%s", write_file("patrond.conf", text));
    return conf_load(file, &problems, &warnings);
}

static struct conf *load_good(const char *text)
{
    struct conf *c = load(text);

    if (c == NULL)
        fail_msg("refused: %s", buf_cstr(&problems));
    return c;
}

/* The settings are refused and a problem holds the phrase. */
static void refused(const char *text, const char *phrase)
{
    struct conf *c = load(text);

    if (c != NULL)
        fail_msg("accepted: %s", text);
    if (strstr(buf_cstr(&problems), phrase) == NULL)
        fail_msg("\"%s\" is not in: %s", phrase, buf_cstr(&problems));
}

static int clear_environment(void **state)
{
    (void)state;
    assert_int_equal(clearenv(), 0);
    return 0;
}

static void defaults_are_the_contract(void **state)
{
    (void)state;
    struct conf *c = load_good(GOOD);

    assert_string_equal(c->listen, "0.0.0.0:8000");
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->max_body_bytes, 1048576);
    assert_int_equal(c->rate_limit_default.count, 10000);
    assert_int_equal(c->rate_limit_default.period_s, 3600);
    assert_int_equal(c->rate_limit_default.burst, 1000);
    assert_int_equal(c->worker_hang_kill, 15);
    assert_true(c->http_gzip && c->enable_cache && c->model_prior);
    assert_false(c->json_logs || c->sync_on_startup);
    assert_int_equal(c->access_log, CONF_ACCESS_SLOW);
    assert_int_equal(c->archetype_level, CONF_ARCHETYPE_L1);
    assert_true(c->clv_discount_annual == 0.10);
    assert_string_equal(c->environment, "production");
    assert_string_equal(c->sync_source, "sqlserver");
    assert_false(conf_source_configured(c));
    conf_free(c);
}

static void every_default_passes_its_own_rule(void **state)
{
    (void)state;
    size_t count;
    const struct option *table = options_table(&count);
    struct conf *c = load_good(GOOD);
    struct buf text;

    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(options_find(table[i].name, strlen(table[i].name)), &table[i]);
        assert_true(table[i].doc[0] != '\0');
    }
    buf_init(&text, 1 << 20);
    conf_print(c, &text);
    conf_free(c);
    for (size_t i = 0; i < count; i++) {
        char line[128];
        snprintf(line, sizeof(line), "%s = ", table[i].name);
        assert_non_null(strstr(buf_cstr(&text), line));
    }
    buf_free(&text);
}

static void file_syntax(void **state)
{
    (void)state;
    struct conf *c = load_good(GOOD "# comment\n\n  STORE_ID =  \" a b # c \"  \r\nWORKERS=3\nJSON_LOGS = Yes\n"
                                    "RATE_LIMIT_NL = 0\nRATE_LIMIT_SYNC = 5/d;burst=2\nACCESS_LOG = ALL");

    assert_string_equal(c->store_id, " a b # c ");
    assert_int_equal(conf_worker_count(c), 3);
    assert_true(c->json_logs);
    assert_int_equal(c->rate_limit_nl.count, 0);
    assert_int_equal(c->rate_limit_sync.period_s, 86400);
    assert_int_equal(c->access_log, CONF_ACCESS_ALL);
    conf_free(c);
    refused(GOOD "WORKERS\n", ":3: not understood");
    refused(GOOD "\nWRKERS = 1\n", ":4: unknown setting WRKERS");
    refused(GOOD "WORKERS = 1\nWORKERS = 2\n", ":4: WORKERS is set twice, first at ");
    refused(GOOD "STORE_ID = \"a\n", ":3: STORE_ID: a quote is not closed");
    refused(GOOD "WORKERS = two\n", ":3: WORKERS = two: expected a whole number from 0 to 64");
    refused(GOOD "WORKERS = 65\n", "from 0 to 64");
    refused(GOOD "JSON_LOGS = maybe\n", "expected true or false");
    refused(GOOD "RATE_LIMIT_NL = 5/w;burst=2\n", "expected <n>/<s|m|h|d>;burst=<n>, or 0");
    refused(GOOD "RATE_LIMIT_NL = 5/h\n", "expected <n>/");
    refused(GOOD "ACCESS_LOG = some\n", "expected one of its words: all, slow, off");
    refused(GOOD "CLV_MARGIN = nan\n", "expected a number from 0 to 1");
}

static void unreadable_file(void **state)
{
    (void)state;
    buf_reset(&problems);
    assert_null(conf_load("/nonexistent/patrond.conf", &problems, &warnings));
    assert_non_null(strstr(buf_cstr(&problems), "/nonexistent/patrond.conf: cannot be read: No such file"));
}

static void reports_all_problems_at_once(void **state)
{
    (void)state;
    assert_null(load("WORKERS = x\nADMIN_KEY = short\nREDIS_URL = rediss://h\nLISTEN = nowhere\n"));
    const char *text = buf_cstr(&problems);

    assert_non_null(strstr(text, ":1: WORKERS = x"));
    assert_non_null(strstr(text, ":2: ADMIN_KEY too short"));
    assert_non_null(strstr(text, ":3: REDIS_URL: rediss://"));
    assert_non_null(strstr(text, ":4: LISTEN: expected"));
    assert_non_null(strstr(text, "DATABASE_URL is required"));
}

static void admin_key_rules(void **state)
{
    (void)state;
    static const char *const common[] = { "changemechangeme", "Change-Me-Change-Me-1", "aaaaaaaaaaaaaaaaaaaa",
                                          "1234567890123456", "abababababababab",      "your-admin-key-here" };

    refused("DATABASE_URL = postgres://h/d\n", "ADMIN_KEY not set");
    refused("ADMIN_KEY = 15-characters-x\nDATABASE_URL = postgres://h/d\n", "ADMIN_KEY too short");
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "ADMIN_KEY = %s\nDATABASE_URL = postgres://h/d\n", common[i]);
        refused(text, "ADMIN_KEY is a common value");
        assert_null(strstr(buf_cstr(&problems), common[i]));
    }
    refused("ADMIN_KEY = a key with blanks 12345\nDATABASE_URL = postgres://h/d\n", "ADMIN_KEY: holds blanks");
}

static void rules_of_meaning(void **state)
{
    (void)state;
    refused("ADMIN_KEY = " GOOD_KEY "\nDATABASE_URL = mysql://h/d\n", "DATABASE_URL: expected postgresql://");
    refused(GOOD "REDIS_URL = rediss://h\n", "rediss:// (TLS) is not supported");
    refused(GOOD "REDIS_URL = http://h\n", "REDIS_URL: expected redis:// or unix://");
    refused(GOOD "REDIS_URL = redis://h:0\n", "patrond.conf:3: REDIS_URL: the port is no number");
    refused(GOOD "ALLOWED_ORIGINS = https://a, *\n", "ALLOWED_ORIGINS: `*` is not allowed");
    refused(GOOD "ALLOWED_ORIGINS = https://a/path\n", "is no origin");
    refused(GOOD "TRUSTED_PROXIES = 10.0.0.0/33\n", "TRUSTED_PROXIES: 10.0.0.0/33 is no address");
    refused(GOOD "DENY_LIST = sk_live_x\n", "no key prefix");
    refused(GOOD "AS_OF_DATE = 2011-02-30\n", "AS_OF_DATE: expected a day");
    refused(GOOD "SYNC_SOURCE = csv:\n", "SYNC_SOURCE: expected");
    refused(GOOD "SYNC_SOURCE = mysql\n", "SYNC_SOURCE: expected");
    refused(GOOD "WORKER_HANG_ABORT = 2\n", "WORKER_HANG_ABORT: must be larger than WORKER_HANG_SUSPECT (2)");
    refused(GOOD "WORKER_HANG_KILL = 10\n", "WORKER_HANG_KILL: must be larger than WORKER_HANG_ABORT (10)");
    refused(GOOD "MAX_REQUEST_MEMORY_BYTES = 524288\n", "smaller than MAX_BODY_BYTES");
    refused(GOOD "SYNC_TIMEOUT = 30\n", "SYNC_STALL_TIMEOUT: must not be larger");
    refused(GOOD "LISTEN = ::1:8000\n", "LISTEN: expected address:port");
    refused(GOOD "LISTEN = localhost:8000\n", "LISTEN: expected address:port");
    refused(GOOD "LOG_LEVEL = LOUD\n", "LOG_LEVEL: expected");
    refused(GOOD "STATE_DIR = var\n", "STATE_DIR: expected an absolute path");
    refused(GOOD "AZURE_SQL_SERVER = s\n", "AZURE_SQL_PASSWORD not set, but other");
    refused(GOOD "ALERT_WEBHOOK_URL = gopher://secret\n", "ALERT_WEBHOOK_URL: expected https://");
    refused(GOOD "ANTHROPIC_BASE_URL = http://127.0.0.1.example.com\n", "ANTHROPIC_BASE_URL: expected https://");
    refused(GOOD "ANTHROPIC_BASE_URL = http://example.com\n", "ANTHROPIC_BASE_URL: expected https://");
    assert_null(strstr(buf_cstr(&problems), "secret"));
}

static void redis_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        struct redis_target is;
    } good[] = {
        { "redis://h", { .host = "h", .port = 6379 } },
        { "redis://h.example:6380/3", { .host = "h.example", .port = 6380, .db = 3 } },
        { "redis://h/", { .host = "h", .port = 6379 } },
        { "redis://127.0.0.1/%31%35", { .host = "127.0.0.1", .port = 6379, .db = 15 } },
        { "redis://[::1]:65535/1", { .host = "::1", .port = 65535, .db = 1 } },
        { "redis://[2001:db8::1]", { .host = "2001:db8::1", .port = 6379 } },
        { "redis://:p%40%3A%2F%25@h", { .host = "h", .password = "p@:/%", .port = 6379 } },
        { "redis://:p@:/?#w@h", { .host = "h", .password = "p@:/?#w", .port = 6379 } }, /* as people write it */
        { "redis://us%3aer:pw@[::1]", { .host = "::1", .user = "us:er", .password = "pw", .port = 6379 } },
        { "unix:///run/redis.sock", { .host = "/run/redis.sock", .port = 6379, .is_unix = true } },
        { "unix://u:p@/run/a%40b%3fc?db=2",
          { .host = "/run/a@b?c", .user = "u", .password = "p", .port = 6379, .db = 2, .is_unix = true } },
    };
    struct redis_target t;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(redis_target_parse(good[i].url, &t));
        assert_memory_equal(&t, &good[i].is, sizeof(t));
    }
}

static void redis_urls_that_say_what_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        { "rediss://h", "TLS" },
        { "redis:/h", "expected redis:// or unix://" },
        { "redis://", "no host" },
        { "redis://:6379", "no host" },
        { "redis://:secret@/0", "no host" },
        { "redis://secret@h", "no password before the @; write redis://:password@host" },
        { "redis://:100%secret@h", "a % that is not written %25" },
        { "redis://:secret%00@h", "a % that is not written %25" },
        { "redis://::1", "several colons; write an IPv6 address as [::1]" },
        { "redis://::1:6379", "several colons; write an IPv6 address as [::1]" },
        { "redis://[::1", "no IPv6 address" },
        { "redis://[127.0.0.1]", "no IPv6 address" },
        { "redis://[fe80::1%25eth0]", "no IPv6 address" },
        { "redis://[::1]6379", "behind ] there is neither" },
        { "redis://h:secret", "the port is no number" },
        { "redis://h:65536", "the port is no number" },
        { "redis://h/secret", "the database is no number" },
        { "redis://h/0/", "the database is no number" },
        { "redis://h/99999999999", "the database is no number" },
        { "unix://run/redis.sock", "no absolute path" },
        { "unix:///s?password=secret", "only db=NUMBER" },
        { "unix:///s?db=secret", "the database is no number" },
        { "unix:///"
          "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
          "01234567",
          "longer than 107 bytes" },
    };
    struct redis_target t;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *words = redis_target_parse(wrong[i][0], &t);

        assert_non_null(words);
        if (strstr(words, wrong[i][1]) == NULL)
            fail_msg("%s: %s", wrong[i][0], words);
        assert_null(strstr(words, "secret"));
    }
}

static void accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "ENVIRONMENT = development\nALLOWED_ORIGINS = *\n",
        "LISTEN = [::1]:0\n",
        "REDIS_URL = unix:///run/redis.sock\n",
        "ALLOW_LIST = 127.0.0.1, ::1, 10.0.0.0/8, pk_live_ab\n",
        "SYNC_SOURCE =\n",
        "SYNC_SOURCE = csv:/data/sales.csv.gz\nAS_OF_DATE = 2011-12-09\n",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "%s%s", GOOD, good[i]);
        conf_free(load_good(text));
    }
    struct conf *c = load_good("ADMIN_KEY = " GOOD_KEY "\nDATABASE_URL = postgresql:///db?host=/tmp/s&port=5433\n"
                               "SYNC_SOURCE = csv:x\nAS_OF_DATE = 1970-01-11\n");
    assert_true(conf_source_configured(c));
    assert_int_equal(conf_as_of_day(c), 10);
    conf_free(c);
}

static void environment_wins(void **state)
{
    (void)state;
    setenv("WORKERS", "5", 1);
    setenv("PORT", "9001", 1);
    setenv("RAILWAY_ENVIRONMENT", "staging", 1);
    struct conf *c = load_good(GOOD "WORKERS = 3\nLISTEN = [::1]:80\nENVIRONMENT = production\n");
    assert_int_equal(c->workers, 5);
    assert_string_equal(c->listen, "[::1]:9001");
    assert_string_equal(c->environment, "staging");
    conf_free(c);
    setenv("ENVIRONMENT", "test", 1);
    c = load_good(GOOD);
    assert_string_equal(c->environment, "test");
    conf_free(c);
    setenv("PORT", "70000", 1);
    setenv("WORKERS", "many", 1);
    refused(GOOD, "environment: WORKERS = many");
    assert_non_null(strstr(buf_cstr(&problems), "environment: PORT: expected a number"));
}

static void secrets_from_files_and_credentials(void **state)
{
    (void)state;
    char line[256], path[128];

    snprintf(path, sizeof(path), "%s", write_file("key", "from-a-file-0123456789\n"));
    snprintf(line, sizeof(line), "ADMIN_KEY_FILE = %s\nDATABASE_URL = postgres://h/d\n", path);
    struct conf *c = load_good(line);
    assert_string_equal(c->admin_key, "from-a-file-0123456789");
    conf_free(c);
    refused("ADMIN_KEY_FILE = /nonexistent\nDATABASE_URL = postgres://h/d\n",
            "ADMIN_KEY: file /nonexistent cannot be");
    refused(GOOD "WORKERS_FILE = /x\n", "unknown setting WORKERS_FILE");

    write_file("ADMIN_KEY", "from-a-credential-0123456789");
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    c = load_good(GOOD);
    assert_string_equal(c->admin_key, "from-a-credential-0123456789");
    conf_free(c);
    setenv("ADMIN_KEY_FILE", path, 1);
    c = load_good(GOOD);
    assert_string_equal(c->admin_key, "from-a-file-0123456789");
    conf_free(c);
    setenv("ADMIN_KEY", "from-the-environment-012345", 1);
    c = load_good(GOOD);
    assert_string_equal(c->admin_key, "from-the-environment-012345");
    conf_free(c);
}

#define SETTINGS(name) PATROND_SYSCONFDIR "/patrond/" name

static void settings_belong_to_a_unit(void **state)
{
    (void)state;
    struct service s;
    char name[NAME_MAX + 64];

    assert_true(service_of_settings(SETTINGS("patrond.conf"), &s));
    assert_string_equal(s.unit, "patrond.service");
    assert_string_equal(s.credentials, "patrond.");
    assert_string_equal(s.instance, "");
    assert_true(service_of_settings(SETTINGS("shop.conf"), &s));
    assert_string_equal(s.unit, "patrond@shop.service");
    assert_string_equal(s.credentials, "patrond.shop.");
    assert_string_equal(s.settings, SETTINGS("shop.conf"));

    assert_false(service_of_settings("patrond.conf", &s));
    assert_false(service_of_settings("/tmp/patrond.conf", &s));
    assert_false(service_of_settings(SETTINGS("shop"), &s));
    assert_false(service_of_settings(SETTINGS(".conf"), &s));
    assert_false(service_of_settings(SETTINGS(".hidden.conf"), &s));
    assert_false(service_of_settings(SETTINGS("a/b.conf"), &s));
    snprintf(name, sizeof(name), SETTINGS("%0*d.conf"), NAME_MAX, 1);
    assert_false(service_of_settings(name, &s));
}

static void units_give_directories_and_credentials(void **state)
{
    (void)state;
    struct service s;

    clearenv();
    assert_true(service_of("no-such-instance", &s) && service_enter(&s));
    assert_string_equal(getenv("RUN_DIR"), "/run/patrond/no-such-instance");
    assert_string_equal(getenv("STATE_DIR"), "/var/lib/patrond/no-such-instance");
    assert_null(getenv("CREDENTIALS_DIRECTORY"));
    assert_null(getenv("ADMIN_KEY_FILE"));

    clearenv();
    setenv("CREDENTIALS_DIRECTORY", dir, 1); /* a part of the unit */
    assert_true(service_of(NULL, &s) && service_enter(&s));
    assert_string_equal(getenv("CREDENTIALS_DIRECTORY"), dir);
    assert_null(getenv("RUN_DIR"));
}

static void ignored_names_give_one_warning(void **state)
{
    (void)state;
    setenv("API_BASE_URL", "x", 1);
    conf_free(load_good(GOOD "DB_ECHO = 1\nAPI_KEY = x\nAPI_KEY = y\n"));
    assert_string_equal(buf_cstr(&warnings),
                        "API_KEY, DB_ECHO, API_BASE_URL: read by the earlier service, not used here\n");
    clearenv();
    conf_free(load_good(GOOD));
    assert_int_equal(warnings.len, 0);
}

static const char *printed(const char *text)
{
    static struct buf out = { .max_bytes = 1 << 20 };
    struct conf *c = load_good(text);

    buf_reset(&out);
    conf_print(c, &out);
    conf_free(c);
    return buf_cstr(&out);
}

static void prints_no_secret(void **state)
{
    (void)state;
    const char *text = printed(GOOD "ANTHROPIC_API_KEY = hidden1\nREDIS_URL = redis://:hidden2@h:6379/0\n"
                                    "ALERT_WEBHOOK_URL = https://hooks/hidden3\n");

    assert_null(strstr(text, "hidden"));
    assert_null(strstr(text, GOOD_KEY));
    assert_non_null(strstr(text, "ADMIN_KEY = ***\n"));
    assert_non_null(strstr(text, "DATABASE_URL = postgresql://u:***@h:5432/db\n"));
    assert_non_null(strstr(text, "REDIS_URL = redis://:***@h:6379/0\n"));
    assert_non_null(strstr(text, "AZURE_SQL_PASSWORD = \n"));
    text = printed("ADMIN_KEY = " GOOD_KEY "\nDATABASE_URL = postgres://u:hid/den@x@h/db?password=hidden&a=b\n");
    assert_non_null(strstr(text, "DATABASE_URL = postgres://u:***@h/db?password=***&a=b\n"));
}

static void diff_and_hash(void **state)
{
    (void)state;
    struct conf *a = load_good(GOOD), *same = load_good(GOOD "# remark\n");
    struct conf *b = load_good("DATABASE_URL = postgresql://u:other@h:5432/db\nADMIN_KEY = " GOOD_KEY
                               "\nLISTEN = 127.0.0.1:1\nCACHE_TTL = 7\n");
    struct buf changed, locked;

    buf_init(&changed, 4096);
    buf_init(&locked, 4096);
    conf_diff(a, same, &changed, &locked);
    assert_int_equal(changed.len + locked.len, 0);
    assert_true(a->settings_hash == same->settings_hash);
    conf_diff(a, b, &changed, &locked);
    assert_string_equal(buf_cstr(&changed), "DATABASE_URL,CACHE_TTL");
    assert_string_equal(buf_cstr(&locked), "LISTEN");
    assert_true(a->settings_hash != b->settings_hash);
    buf_free(&changed);
    buf_free(&locked);
    conf_free(a);
    conf_free(same);
    conf_free(b);
}

static void packed_settings_come_back_whole(void **state)
{
    (void)state;
    struct buf packed, changed, locked;
    struct conf *a, *b;

    setenv("PORT", "8123", 1);
    a = load("ADMIN_KEY = tr=icky\\key,0123\nCLV_DISCOUNT_ANNUAL = 0.125\nRATE_LIMIT_NL = 7/m;burst=3\n"
             "ARCHETYPE_LEVEL = l2\nHTTP_GZIP = no\nDATABASE_URL = postgres://u:p@h/d\n");
    assert_non_null(a);
    buf_init(&packed, 65536);
    conf_pack(a, &packed);
    buf_add(&packed, "UNKNOWN=1\0junk", 15);
    write_file("patrond.conf", "nonsense\n");
    setenv("PORT", "1", 1);
    b = conf_unpack(buf_str(&packed), a->path);
    assert_non_null(b);
    buf_init(&changed, 4096);
    buf_init(&locked, 4096);
    conf_diff(a, b, &changed, &locked);
    assert_int_equal(changed.len + locked.len, 0);
    assert_string_equal(b->admin_key, "tr=icky\\key,0123");
    assert_string_equal(b->path, a->path);
    assert_true(a->settings_hash == b->settings_hash);
    buf_free(&packed);
    buf_free(&changed);
    buf_free(&locked);
    conf_free(a);
    conf_free(b);
}

static int make_dir(void **state)
{
    (void)state;
    buf_init(&problems, 1 << 16);
    buf_init(&warnings, 1 << 16);
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    static const char *const names[] = { "patrond.conf", "key", "ADMIN_KEY" };
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    buf_free(&problems);
    buf_free(&warnings);
    return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup(f, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_the_contract),
        TEST(every_default_passes_its_own_rule),
        TEST(file_syntax),
        TEST(unreadable_file),
        TEST(reports_all_problems_at_once),
        TEST(admin_key_rules),
        TEST(rules_of_meaning),
        TEST(redis_urls),
        TEST(redis_urls_that_say_what_is_wrong),
        TEST(accepts),
        TEST(environment_wins),
        TEST(settings_belong_to_a_unit),
        TEST(units_give_directories_and_credentials),
        TEST(secrets_from_files_and_credentials),
        TEST(ignored_names_give_one_warning),
        TEST(prints_no_secret),
        TEST(diff_and_hash),
        TEST(packed_settings_come_back_whole),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
