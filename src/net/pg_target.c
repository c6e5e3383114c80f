/*
 * pg_target: the connection string taken apart, its names looked up, and put together again for libpq.
 */
#include "net/pg_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/lookup.h"

#define MAX_HOSTS   8
#define MAX_LIST    4096
#define MAX_OPTIONS 64
#define OWN_OPTIONS 8

struct host {
    char *name, *port;     /* port "": libpq's default */
    struct lookup *lookup; /* NULL: an address or a socket directory, not a name */
};

struct pg_target {
    PQconninfoOption *options;
    struct host hosts[MAX_HOSTS];
    unsigned host_count;
    bool broken; /* for good: the URL itself is wrong */
    const char *error;
    char shown[256];
};

/* Used where the URL does not say otherwise; a peer that vanished is found out within seconds. */
static const struct {
    const char *key, *value;
} own_options[OWN_OPTIONS] = {
    { "client_encoding", "UTF8" }, { "fallback_application_name", "patrond" },
    { "gssencmode", "disable" }, /* its negotiation may block on a KDC */
    { "keepalives_idle", "30" },   { "keepalives_interval", "10" },
    { "keepalives_count", "3" },   { "tcp_user_timeout", "10000" },
    { "connect_timeout", "0" }, /* the owner of the connection keeps the time */
};

static const char *option(const struct pg_target *t, const char *key)
{
    for (const PQconninfoOption *o = t->options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, key) == 0)
            return o->val;
    }
    return NULL;
}

/* Hosts and ports of the URL; one port counts for all hosts. */
static bool split_hosts(struct pg_target *t)
{
    const char *hosts = option(t, "host"), *ports = option(t, "port");
    struct str rest = str_from(hosts), port_rest = str_from(ports), name, port = STR_NONE;
    bool given = option(t, "hostaddr") != NULL;

    while (str_split(&rest, ',', &name)) {
        struct host *h = &t->hosts[t->host_count];
        struct str next;

        if (t->host_count == MAX_HOSTS)
            return false;
        if (str_split(&port_rest, ',', &next))
            port = next;
        h->name = strndup(name.p, name.len);
        h->port = strndup(port.p == NULL ? "" : port.p, port.len);
        t->host_count++;
        if (h->name == NULL || h->port == NULL)
            return false;
        if (!given && lookup_is_name(h->name) && (h->lookup = lookup_new(h->name)) == NULL)
            return false;
    }
    return true;
}

/* A part of a password that was not percent-encoded would stand where the host or the port is, and libpq's errors
 * quote them. */
static bool plausible(const struct pg_target *t)
{
    const char *hosts = option(t, "host"), *ports = option(t, "port");

    if (ports != NULL && strspn(ports, "0123456789,") != strlen(ports))
        return false;
    return hosts == NULL || hosts[0] == '/' || hosts[0] == '\0' || strchr(hosts + 1, '@') == NULL;
}

struct pg_target *pg_target_new(const char *url)
{
    struct pg_target *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->options = PQconninfoParse(url, NULL);
    if (t->options == NULL || !plausible(t)) {
        t->error =
            "DATABASE_URL cannot be understood: expected postgresql://user@host:port/database, and %25, %2F, %3A, "
            "%3F and %40 for % / : ? and @ in a password";
        t->broken = true;
        return t;
    }
    snprintf(t->shown, sizeof t->shown, "%s", option(t, "host") != NULL ? option(t, "host") : "local socket");
    t->broken = !split_hosts(t);
    if (t->broken)
        t->error = "DATABASE_URL names more hosts than can be tried: give at most 8";
    return t;
}

void pg_target_free(struct pg_target *t)
{
    if (t == NULL)
        return;
    for (unsigned i = 0; i < t->host_count; i++) {
        struct host *h = &t->hosts[i];

        lookup_free(h->lookup);
        free(h->name);
        free(h->port);
    }
    PQconninfoFree(t->options);
    free(t);
}

void pg_target_lookup(struct pg_target *t)
{
    for (unsigned i = 0; i < t->host_count; i++) {
        if (t->hosts[i].lookup != NULL)
            lookup_start(t->hosts[i].lookup);
    }
}

bool pg_target_broken(const struct pg_target *t)
{
    return t->broken;
}

enum pg_lookup pg_target_state(struct pg_target *t)
{
    bool usable = t->host_count == 0;

    if (t->broken)
        return PG_LOOKUP_FAILED;
    for (unsigned i = 0; i < t->host_count; i++) {
        struct lookup *l = t->hosts[i].lookup;

        if (l != NULL && !lookup_ended(l))
            return PG_LOOKUP_RUNNING;
        usable |= l == NULL || lookup_count(l) > 0;
    }
    if (!usable)
        t->error = "no address found for the host of DATABASE_URL: check its name and the resolver";
    return usable ? PG_LOOKUP_DONE : PG_LOOKUP_FAILED;
}

const char *pg_target_error(const struct pg_target *t)
{
    return t->error != NULL ? t->error : "";
}

static void add_item(struct buf *list, const char *item, bool first)
{
    if (!first)
        buf_add_char(list, ',');
    buf_add_cstr(list, item);
}

/* One entry an address: libpq tries them in turn. A host without address is left out. */
static void list_hosts(const struct pg_target *t, struct buf *names, struct buf *addresses, struct buf *ports)
{
    bool first = true;

    for (unsigned i = 0; i < t->host_count; i++) {
        const struct host *h = &t->hosts[i];
        unsigned entries = h->lookup != NULL ? lookup_count(h->lookup) : 1;

        for (unsigned j = 0; j < entries; j++) {
            add_item(names, h->name, first);
            add_item(addresses, h->lookup != NULL ? lookup_address(h->lookup, j) : "", first);
            add_item(ports, h->port, first);
            first = false;
        }
    }
}

static bool replaced(const struct pg_target *t, const char *key)
{
    if (strcmp(key, "connect_timeout") == 0)
        return true;
    return t->host_count > 0 && (strcmp(key, "host") == 0 || strcmp(key, "port") == 0);
}

static PGconn *connect_with(const struct pg_target *t, const char *names, const char *addresses, const char *ports)
{
    const char *keys[MAX_OPTIONS + OWN_OPTIONS + 4], *values[MAX_OPTIONS + OWN_OPTIONS + 4];
    unsigned n = 0;

    for (unsigned i = 0; i < OWN_OPTIONS; i++, n++) {
        keys[n] = own_options[i].key;
        values[n] = own_options[i].value;
    }
    for (const PQconninfoOption *o = t->options; o->keyword != NULL && n < MAX_OPTIONS + OWN_OPTIONS; o++) {
        if (o->val == NULL || replaced(t, o->keyword))
            continue;
        keys[n] = o->keyword;
        values[n++] = o->val;
    }
    if (t->host_count > 0) {
        keys[n] = "host";
        values[n++] = names;
        keys[n] = "port";
        values[n++] = ports;
        if (option(t, "hostaddr") == NULL) {
            keys[n] = "hostaddr";
            values[n++] = addresses;
        }
    }
    keys[n] = NULL;
    values[n] = NULL;
    return PQconnectStartParams(keys, values, 0);
}

PGconn *pg_target_connect(struct pg_target *t)
{
    struct buf names = { .max_bytes = MAX_LIST }, addresses = { .max_bytes = MAX_LIST },
               ports = { .max_bytes = MAX_LIST };
    const char *n, *a, *p;
    PGconn *pg = NULL;

    list_hosts(t, &names, &addresses, &ports);
    n = buf_cstr(&names);
    a = buf_cstr(&addresses);
    p = buf_cstr(&ports);
    if (n != NULL && a != NULL && p != NULL)
        pg = connect_with(t, n, a, p);
    buf_free(&names);
    buf_free(&addresses);
    buf_free(&ports);
    return pg;
}

const char *pg_target_host(const struct pg_target *t)
{
    return t->shown;
}
