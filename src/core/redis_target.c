/*
 * redis_target: see the header.
 */
#include "core/redis_target.h"

#include <limits.h>
#include <string.h>

#include "base/str.h"
#include "core/cidr.h"

#define PATH_MOST 107 /* of a Unix socket */

static const char *take_credentials(struct redis_target *t, struct str text)
{
    struct str user;

    (void)str_split(&text, ':', &user);
    if (!str_percent_decode(t->user, sizeof(t->user), user) ||
        !str_percent_decode(t->password, sizeof(t->password), text))
        return "user or password is too long (63 and 255 bytes), or holds a % that is not written %25";
    if (t->password[0] == '\0')
        return "there is no password before the @; write redis://:password@host, or no @";
    return NULL;
}

/* STR_NONE or "": none is named. */
static const char *take_db(struct redis_target *t, struct str text)
{
    char number[16];

    if (text.len == 0)
        return NULL;
    if (!str_percent_decode(number, sizeof(number), text) || !str_to_u64(str_from(number), &t->db) || t->db > INT_MAX)
        return "the database is no number";
    return NULL;
}

/* Each takes its part off the text and leaves ":port", or nothing. */
static const char *take_ipv6(struct redis_target *t, struct str *text)
{
    const char *end = memchr(text->p, ']', text->len);
    struct str inside = { text->p + 1, end != NULL ? (size_t)(end - text->p) - 1 : 0 };
    struct ip_address ip;

    if (memchr(inside.p, ':', inside.len) == NULL || !ip_parse(inside, &ip) ||
        !str_copy(t->host, sizeof(t->host), inside))
        return "between [ and ] is no IPv6 address";
    *text = (struct str){ end + 1, text->len - inside.len - 2 };
    return text->len == 0 || text->p[0] == ':' ? NULL : "behind ] there is neither :port nor /database";
}

static const char *take_name(struct redis_target *t, struct str *text)
{
    const char *colon = memchr(text->p, ':', text->len);
    struct str name = { text->p, colon != NULL ? (size_t)(colon - text->p) : text->len };

    if (colon != NULL && memchr(colon + 1, ':', text->len - name.len - 1) != NULL)
        return "the host has several colons; write an IPv6 address as [::1]";
    if (name.len == 0)
        return "there is no host; write redis://host[:port][/database]";
    if (!str_copy(t->host, sizeof(t->host), name))
        return "the host is longer than 127 bytes";
    *text = (struct str){ text->p + name.len, text->len - name.len };
    return NULL;
}

/* HOST or HOST:PORT */
static const char *take_host(struct redis_target *t, struct str text)
{
    const char *wrong = str_starts(text, "[") ? take_ipv6(t, &text) : take_name(t, &text);

    if (wrong != NULL || text.len == 0)
        return wrong;
    text = (struct str){ text.p + 1, text.len - 1 };
    if (!str_to_u64(text, &t->port) || t->port == 0 || t->port > UINT16_MAX)
        return "the port is no number from 1 to 65535";
    return NULL;
}

static const char *take_network(struct redis_target *t, struct str text)
{
    struct str place;
    const char *wrong;

    (void)str_split(&text, '/', &place);
    wrong = take_host(t, place);
    return wrong != NULL ? wrong : take_db(t, text);
}

static const char *take_socket(struct redis_target *t, struct str text)
{
    struct str path, name;

    (void)str_split(&text, '?', &path);
    if (!str_starts(path, "/"))
        return "there is no absolute path; write unix:///run/redis/redis.sock";
    if (!str_percent_decode(t->host, sizeof(t->host), path) || strlen(t->host) > PATH_MOST)
        return "the path is longer than 107 bytes, or holds a % that is not written %25";
    if (text.p == NULL)
        return NULL;
    (void)str_split(&text, '=', &name);
    return str_eq_lit(name, "db") ? take_db(t, text) : "behind ? only db=NUMBER is understood";
}

const char *redis_target_parse(const char *url, struct redis_target *t)
{
    struct str text = str_from(url);
    const char *start = strstr(url, "://"), *at = strrchr(url, '@'), *wrong = NULL;

    *t = (struct redis_target){ .port = 6379, .is_unix = str_starts(text, "unix://") };
    if (str_starts(text, "rediss://"))
        return "rediss:// (TLS) is not supported by the packaged library, and nothing is sent in clear instead; use "
               "redis:// through a TLS tunnel, or unix://";
    if (!t->is_unix && !str_starts(text, "redis://"))
        return "expected redis:// or unix://";
    start += strlen("://");
    if (at != NULL && at >= start) {
        wrong = take_credentials(t, (struct str){ start, (size_t)(at - start) });
        start = at + 1;
    }
    if (wrong != NULL)
        return wrong;
    return t->is_unix ? take_socket(t, str_from(start)) : take_network(t, str_from(start));
}
