/*
 * limits: see the header.
 */
#include "api/limits.h"

#include <string.h>

#include "api/access.h"
#include "api/client.h"
#include "api/errors.h"
#include "api/request.h"
#include "base/clock.h"

#define QUIET_NS       (10 * CLOCK_NS_PER_S) /* between two lines about one client */
#define DENIED_RETRY_S 3600
#define V4_MAPPED      12 /* bytes before the IPv4 address in its IPv6 form */
#define NETWORK_BYTES  8  /* of an IPv6 client: its /64 */

/* ---- settings ---- */

static bool read_list(struct limits_list *l, const char *text)
{
    struct str rest = str_from(text), item;

    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len == 0)
            continue;
        if (auth_is_key_text(item)) {
            if (l->key_count == CIDR_MAX)
                return false;
            l->keys[l->key_count++] = item;
        } else {
            if (l->networks.count == CIDR_MAX || !cidr_parse(item, &l->networks.entries[l->networks.count]))
                return false;
            l->networks.count++;
        }
    }
    return true;
}

static struct limits_rule rule_of(struct conf_rate said)
{
    struct limits_rule rule = { .said = said };

    if (said.count > 0)
        rule.rate = limit_rate(said.count, said.period_s, said.burst);
    return rule;
}

bool limits_init(struct limits *l, const struct conf *conf)
{
    *l = (struct limits){ 0 };
    l->rules[METRIC_POLICY_DEFAULT] = rule_of(conf->rate_limit_default);
    l->rules[METRIC_POLICY_NL] = rule_of(conf->rate_limit_nl);
    l->rules[METRIC_POLICY_QUERY] = rule_of(conf->rate_limit_query);
    l->rules[METRIC_POLICY_SYNC] = rule_of(conf->rate_limit_sync);
    l->rules[METRIC_POLICY_ANONYMOUS] = rule_of(conf->rate_limit_anonymous);
    l->rules[METRIC_POLICY_AUTH_FAILURE] = rule_of(conf->rate_limit_auth_failure);
    return read_list(&l->allowed, conf->allow_list) && read_list(&l->denied, conf->deny_list);
}

/* ---- who ---- */

struct who {
    uint8_t text[1 + sizeof(struct ip_address)];
    size_t len;
};

static void who_by_key(struct who *w, const struct auth_identity *id)
{
    w->text[0] = id->is_admin_key ? 'a' : 'k';
    memcpy(w->text + 1, &id->key_id, sizeof(id->key_id));
    w->len = 1 + sizeof(id->key_id);
}

static bool is_v4(const struct ip_address *ip)
{
    static const uint8_t mapped[V4_MAPPED] = { [10] = 0xff, [11] = 0xff };

    return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

/* Clients without an address (a Unix socket) are one client. */
static void who_by_address(struct who *w, const struct api_request *q)
{
    struct ip_address ip = { { 0 } };

    (void)client_address(&q->api->trusted_proxies, q->http, &ip);
    w->text[0] = 'i';
    w->len = 1 + (is_v4(&ip) ? sizeof(ip.bytes) : NETWORK_BYTES);
    memcpy(w->text + 1, ip.bytes, w->len - 1);
}

static bool has_listed_key(const struct limits_list *l, const struct auth_identity *id)
{
    if (id->key_id == 0)
        return false;
    for (size_t i = 0; i < l->key_count; i++) {
        size_t n = strlen(id->key_prefix);

        if (l->keys[i].len < n)
            n = l->keys[i].len;
        if (memcmp(l->keys[i].p, id->key_prefix, n) == 0)
            return true;
    }
    return false;
}

static bool is_listed(const struct limits_list *l, const struct api_request *q)
{
    struct ip_address ip;

    if (has_listed_key(l, &q->identity))
        return true;
    return l->networks.count > 0 && client_address(&q->api->trusted_proxies, q->http, &ip) &&
           cidr_list_has(&l->networks, &ip);
}

/* ---- refusing ---- */

static int64_t seconds_up(uint64_t ns)
{
    return (int64_t)((ns + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S);
}

static void refuse(struct api_request *q, const struct who *w, enum metric_policy policy,
                   const struct conf_rate *said, int64_t retry_s)
{
    static const struct limit_rate lines = { 0 };
    struct scoreboard *sb = q->api->env.sb;
    uint64_t key = limit_key(sb->secret, METRIC_POLICIES, &lines, w->text, w->len), suppressed;

    if (retry_s < 1)
        retry_s = 1;
    metrics_add(METRIC_RATE_LIMITED, policy, 0, 0, 1);
    if (limit_sample(&sb->limits, key, QUIET_NS, clock_mono_ns(), &suppressed))
        access_log_limited(q, metrics_dim_value(METRICS_DIM_POLICY, policy), retry_s, (int64_t)suppressed);
    error_rate_limited(q, metrics_dim_value(METRICS_DIM_POLICY, policy), said, (unsigned)retry_s);
}

/* Refuses those on DENY_LIST. *answer: what to answer for those on either list. */
static bool is_decided_by_list(struct api_request *q, const struct who *w, bool *answer)
{
    static const struct conf_rate none = { .count = 0, .period_s = 3600 };

    if (is_listed(&q->api->limits.denied, q)) {
        refuse(q, w, METRIC_POLICY_DENY_LIST, &none, DENIED_RETRY_S);
        *answer = false;
        return true;
    }
    *answer = true;
    return is_listed(&q->api->limits.allowed, q);
}

/* ---- charging ---- */

static void show_least(struct limits_shown *s, enum metric_policy policy, const struct limits_rule *rule,
                       const struct limit_result *r)
{
    if (s->present && s->result.left < r->left)
        return;
    *s = (struct limits_shown){ .present = true, .policy = policy, .said = rule->said, .result = *r };
}

static bool charge_rule(struct api_request *q, const struct who *w, enum metric_policy policy,
                        const struct limits_rule *rule)
{
    struct scoreboard *sb = q->api->env.sb;
    struct limit_result r;
    bool admitted;

    if (rule->said.count == 0)
        return true;
    admitted = limit_take(&sb->limits, limit_key(sb->secret, policy, &rule->rate, w->text, w->len), &rule->rate,
                          clock_mono_ns(), &r);
    show_least(&q->limits, policy, rule, &r);
    if (!admitted)
        refuse(q, w, policy, &rule->said, seconds_up(r.next_ns));
    return admitted;
}

static bool charge(struct api_request *q, const struct who *w, enum metric_policy policy)
{
    return charge_rule(q, w, policy, &q->api->limits.rules[policy]);
}

/* A key's own rate replaces that of the policy; its burst is never more than an hour's worth. */
static bool charge_default(struct api_request *q, const struct who *w)
{
    const struct limits_rule *rule = &q->api->limits.rules[METRIC_POLICY_DEFAULT];
    int64_t own = q->identity.rate_per_hour;
    struct limits_rule replaced;

    if (own == 0 || rule->said.count == 0)
        return charge_rule(q, w, METRIC_POLICY_DEFAULT, rule);
    replaced = rule_of((struct conf_rate){
        .count = own, .period_s = 3600, .burst = rule->said.burst < own ? rule->said.burst : own });
    return charge_rule(q, w, METRIC_POLICY_DEFAULT, &replaced);
}

static bool policy_named(const char *name, enum metric_policy *policy)
{
    if (name == NULL)
        return false;
    for (unsigned i = 0; i < METRIC_POLICIES; i++) {
        if (strcmp(name, metrics_dim_value(METRICS_DIM_POLICY, i)) == 0) {
            *policy = (enum metric_policy)i;
            return true;
        }
    }
    return false;
}

static bool is_exempt(const struct api_request *q)
{
    return q->route->policy != NULL && strcmp(q->route->policy, "none") == 0;
}

bool limits_pass(struct api_request *q)
{
    enum metric_policy more;
    struct who w;
    bool answer;

    if (is_exempt(q))
        return true;
    who_by_key(&w, &q->identity);
    if (is_decided_by_list(q, &w, &answer))
        return answer;
    if (!charge_default(q, &w))
        return false;
    return (q->route->flags & ROUTE_MCP) || !policy_named(q->route->policy, &more) || charge(q, &w, more);
}

bool limits_pass_policy(struct api_request *q)
{
    enum metric_policy policy;
    struct who w;
    bool answer;

    who_by_key(&w, &q->identity);
    if (!policy_named(q->route->policy, &policy) || is_decided_by_list(q, &w, &answer))
        return true;
    return charge(q, &w, policy);
}

bool limits_pass_public(struct api_request *q)
{
    struct who w;
    bool answer;

    if (is_exempt(q))
        return true;
    who_by_address(&w, q);
    if (is_decided_by_list(q, &w, &answer))
        return answer;
    return charge(q, &w, METRIC_POLICY_ANONYMOUS);
}

bool limits_pass_failure(struct api_request *q)
{
    struct who w;
    bool answer;

    who_by_address(&w, q);
    if (is_decided_by_list(q, &w, &answer))
        return answer;
    return (is_exempt(q) || charge(q, &w, METRIC_POLICY_ANONYMOUS)) && charge(q, &w, METRIC_POLICY_AUTH_FAILURE);
}

/* ---- telling ---- */

static void add_number(struct buf *out, struct str before, int64_t v)
{
    buf_add_str(out, before);
    buf_add_u64(out, (uint64_t)v);
}

void limits_write_headers(const struct api_request *q, struct buf *out)
{
    const struct limits_shown *s = &q->limits;
    const char *name;
    int64_t full_us;

    if (!s->present)
        return;
    name = metrics_dim_value(METRICS_DIM_POLICY, s->policy);
    full_us = clock_wall_us() + (int64_t)(s->result.full_ns / 1000);
    buf_add_str(out, STR_LIT("RateLimit-Policy: \""));
    buf_add_cstr(out, name);
    add_number(out, STR_LIT("\";q="), s->said.count);
    add_number(out, STR_LIT(";w="), s->said.period_s);
    buf_add_str(out, STR_LIT("\r\nRateLimit: \""));
    buf_add_cstr(out, name);
    add_number(out, STR_LIT("\";r="), (int64_t)s->result.left);
    add_number(out, STR_LIT(";t="), seconds_up(s->result.next_ns));
    add_number(out, STR_LIT("\r\nX-RateLimit-Limit: "), s->said.count);
    add_number(out, STR_LIT("\r\nX-RateLimit-Remaining: "), (int64_t)s->result.left);
    add_number(out, STR_LIT("\r\nX-RateLimit-Reset: "), (full_us + CLOCK_US_PER_S - 1) / CLOCK_US_PER_S);
    buf_add_str(out, STR_LIT("\r\n"));
}
