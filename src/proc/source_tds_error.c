#include "proc/source_tds_error.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define TIMED_OUT        20003
#define CONNECT_FAILED   20002 /* follows almost every error while connecting */
#define SEE_MESSAGES     20018 /* "check messages from the server" */
#define BACKOFF_FIRST_MS 1000U
#define BACKOFF_MOST_MS  60000U

#define CONNECT SB_REASON_SOURCE_CONNECT
#define AUTH    SB_REASON_SOURCE_AUTH
#define QUERY   SB_REASON_SOURCE_QUERY
#define SCHEMA  SB_REASON_VALIDATION
#define ANY     SB_REASON_NONE

static const char broken[] = "the connection to {server} broke";
static const char moving[] = "{server} moves or restarts database {database}";
static const char busy[] = "throttled: {server} is too busy; if it stays so, give database {database} a larger tier";
static const char killed[] =
    "throttled: {server} ended the statement because it used too much (sorting, log, memory); "
    "an index of {view} on order_date, order_id helps";
static const char conflict[] = "another transaction on database {database} was in the way";
static const char conversion[] = "a value in {view} can't be converted; look at the view's definition and its data";

/* Sorted by number. */
static const struct tds_rule rules[] = {
    { TDS_ERROR_SCHEMA, TDS_FIX, SCHEMA, 0, 0, 0, "schema: {view}: {text}" },
    { TDS_ERROR_CLIENT, TDS_FIX, CONNECT, 0, 0, 0, "the client library: {text}" },
    { TDS_ERROR_TOO_LARGE, TDS_FIX, SB_REASON_MEMORY, 0, 0, 0, "{view}: {text}" },
    { TDS_ERROR_DISORDER, TDS_RETRY, QUERY, 3, 0, 0, "{view} gave rows that were not asked for: {text}" },
    { TDS_ERROR_DOWNGRADE, TDS_FIX, CONNECT, 0, 0, 0,
      "TLS refused: {server} encrypts the login only and goes on in clear text; set it to force encryption" },
    { TDS_ERROR_INCOMPLETE, TDS_RETRY, QUERY, 0, 0, 0, "{server} ended an answer before it was complete" },
    { 20, TDS_RETRY, CONNECT, 5, 0, 0, "{server} offers no encryption" },
    { 64, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 102, TDS_FIX, QUERY, 0, 0, 0, "{server} does not understand a statement: {text}" },
    { 121, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 156, TDS_FIX, QUERY, 0, 0, 0, "{server} does not understand a statement: {text}" },
    { 207, TDS_FIX, SCHEMA, 0, 0, 0, "schema: {view} has changed: {text}" },
    { 208, TDS_FIX, SCHEMA, 0, 0, 0,
      "schema: there is no {view} in database {database}, or the login may not see it; check AZURE_SQL_VIEW" },
    { 220, TDS_FIX, QUERY, 0, 0, 0, conversion },
    { 229, TDS_FIX, QUERY, 0, 0, 0, "no permission: GRANT SELECT ON {view} TO the user of login '{user}'" },
    { 230, TDS_FIX, QUERY, 0, 0, 0, "no permission: GRANT SELECT ON {view} TO the user of login '{user}'" },
    { 233, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 241, TDS_FIX, QUERY, 0, 0, 0, conversion },
    { 242, TDS_FIX, QUERY, 0, 0, 0, conversion },
    { 245, TDS_FIX, QUERY, 0, 0, 0, conversion },
    { 615, TDS_RETRY, ANY, 0, 0, 0, moving },
    { 916, TDS_FIX, AUTH, 0, 0, 0, "login '{user}' has no user in database {database}; create it and grant SELECT" },
    { 997, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 1204, TDS_RETRY, QUERY, 0, 0, 0, "{server} has no lock left" },
    { 1205, TDS_RETRY, QUERY, 0, 0, 0, "deadlock: {server} ended our statement in favour of another one" },
    { 1222, TDS_RETRY, QUERY, 0, 0, 0, "{view} is locked by another transaction" },
    { 3947, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 3960, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 3961, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 4060, TDS_RETRY, CONNECT, 5, 0, 0,
      "there is no database {database} on {server}, or login '{user}' may not open it; check AZURE_SQL_DATABASE" },
    { 4221, TDS_RETRY, CONNECT, 0, 0, 0, "the replica of database {database} is not ready for logins" },
    { 8114, TDS_FIX, QUERY, 0, 0, 0, conversion },
    { 8115, TDS_FIX, QUERY, 0, 0, 0, conversion },
    { 10053, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 10054, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 10060, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 10928, TDS_THROTTLED, ANY, 0, 0, 0, busy },
    { 10929, TDS_THROTTLED, ANY, 0, 0, 0, busy },
    { 18401, TDS_RETRY, CONNECT, 0, 0, 0, "{server} is being upgraded" },
    { 18452, TDS_FIX, AUTH, 0, 0, 0, "not a SQL login of {server}: Windows and Entra logins can't be used" },
    { 18456, TDS_FIX, AUTH, 0, 0, 0, "check AZURE_SQL_USERNAME and AZURE_SQL_PASSWORD, and the login on {server}" },
    { 18470, TDS_FIX, AUTH, 0, 0, 0, "the login is disabled on {server}" },
    { 18486, TDS_FIX, AUTH, 0, 0, 0, "the login is locked on {server} after too many wrong passwords" },
    { 18487, TDS_FIX, AUTH, 0, 0, 0, "the password has expired; set a new one, here and on {server}" },
    { 18488, TDS_FIX, AUTH, 0, 0, 0, "the password must be changed first; set a new one, here and on {server}" },
    { 20001, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 20002, TDS_RETRY, CONNECT, 3, 0, 0,
      "TLS refused: {server} offers no encryption, shows a certificate for another name or of an authority that is "
      "not "
      "in AZURE_SQL_CA_FILE ({ca_file}), or broke off the login" },
    { 20003, TDS_RETRY, ANY, 0, 0, 0, "no answer from {server} in time" },
    { 20004, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 20006, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 20009, TDS_RETRY, CONNECT, 0, 0, 0, "{server} is not reachable: refused, filtered or down" },
    { 20013, TDS_FIX, CONNECT, 0, 0, 0, "the name of {server} is not known; check AZURE_SQL_SERVER and the DNS" },
    { 20017, TDS_RETRY, ANY, 0, 0, 0, "{server} closed the connection" },
    { 20020, TDS_RETRY, ANY, 0, 0, 0, "{server} sent what is not the protocol" },
    { 20047, TDS_RETRY, ANY, 0, 0, 0, broken },
    { 40020, TDS_RETRY, ANY, 0, 0, 0, moving },
    { 40143, TDS_RETRY, ANY, 0, 0, 0, moving },
    { 40166, TDS_RETRY, ANY, 0, 0, 0, moving },
    { 40197, TDS_RETRY, ANY, 0, 0, 0, moving },
    { 40501, TDS_THROTTLED, ANY, 0, 10, 0, busy },
    { 40532, TDS_FIX, CONNECT, 0, 0, 0,
      "{server} does not know the login's server name; check AZURE_SQL_SERVER, or write the login as user@server" },
    { 40540, TDS_RETRY, ANY, 0, 0, 0, moving },
    { 40549, TDS_THROTTLED, ANY, 0, 0, 0, killed },
    { 40550, TDS_THROTTLED, ANY, 0, 0, 0, killed },
    { 40551, TDS_THROTTLED, ANY, 0, 0, 0, killed },
    { 40552, TDS_THROTTLED, ANY, 0, 0, 0, killed },
    { 40553, TDS_THROTTLED, ANY, 0, 0, 0, killed },
    { 40613, TDS_RETRY, CONNECT, 0, 0, 180,
      "database {database} on {server} is not available: it wakes up, moves, or is paused" },
    { 40615, TDS_FIX, CONNECT, 0, 0, 0,
      "firewall: {server} does not let {address} in; add a rule for this address in the server's networking "
      "settings" },
    { 40914, TDS_FIX, CONNECT, 0, 0, 0,
      "firewall: {server} does not let this network in; add a virtual network rule for it" },
    { 41301, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 41302, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 41305, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 41325, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 41839, TDS_RETRY, QUERY, 0, 0, 0, conflict },
    { 42108, TDS_RETRY, CONNECT, 0, 0, 180, "database {database} is paused; it has to be resumed" },
    { 42109, TDS_RETRY, CONNECT, 0, 0, 180, "database {database} wakes up" },
    { 49918, TDS_THROTTLED, ANY, 0, 0, 0, busy },
    { 49919, TDS_THROTTLED, ANY, 0, 0, 0, busy },
    { 49920, TDS_THROTTLED, ANY, 0, 0, 0, busy },
};

/* What is not listed, by severity: 17 to 19 resources are short, from 20 on the server ends the connection. */
static const struct tds_rule unknown_statement = { 0, TDS_FIX, ANY, 0, 0, 0, "{server}: {text}" };
static const struct tds_rule unknown_trouble = { 0, TDS_RETRY, ANY, 0, 0, 0, "{server}: {text}" };

static int rank(const struct tds_problem *p)
{
    if (p->number == 0)
        return 0;
    if (p->number == TDS_ERROR_INCOMPLETE || p->number == SEE_MESSAGES)
        return 1;
    if (!p->library)
        return 4;
    return p->number == CONNECT_FAILED ? 2 : 3;
}

void tds_problem_take(struct tds_problem *p, const struct tds_problem *found)
{
    if (rank(found) > rank(p))
        *p = *found;
}

const struct tds_rule *tds_rule_of(const struct tds_problem *p)
{
    size_t low = 0, high = sizeof(rules) / sizeof(rules[0]);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rules[middle].number == p->number)
            return &rules[middle];
        if (rules[middle].number < p->number)
            low = middle + 1;
        else
            high = middle;
    }
    return p->severity >= 17 || p->library ? &unknown_trouble : &unknown_statement;
}

/* The address in "Client with IP address '203.0.113.7' is not allowed". */
static struct str find_address(const char *text)
{
    const char *at = strstr(text, "IP address '");
    const char *from = at != NULL ? at + strlen("IP address '") : NULL;
    size_t len = from != NULL ? strspn(from, "0123456789abcdefABCDEF.:") : 0;

    return len > 0 && from[len] == '\'' ? (struct str){ from, len } : STR_LIT("this machine's address");
}

struct out {
    char *dst;
    size_t size, len;
};

/* Control characters become blanks; what does not fit is cut, whole characters only. */
static void put(struct out *o, struct str s)
{
    size_t room = o->size - 1 - o->len, n = s.len < room ? s.len : room;

    while (n > 0 && n < s.len && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        o->dst[o->len++] = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? ' ' : s.p[i];
    o->dst[o->len] = '\0';
}

static struct str value_of(struct str name, const struct tds_problem *p, const struct tds_subject *s)
{
    const struct {
        const char *name;
        struct str value;
    } values[] = {
        { "server", str_from(s->server) },   { "database", str_from(s->database) },
        { "user", str_from(s->user) },       { "view", str_from(s->view) },
        { "ca_file", str_from(s->ca_file) }, { "address", find_address(p->text) },
        { "text", str_from(p->text) },
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (str_eq_lit(name, values[i].name))
            return values[i].value;
    return STR_NONE;
}

static void put_words(struct out *o, const char *words, const struct tds_problem *p, const struct tds_subject *s)
{
    while (*words != '\0') {
        size_t plain = strcspn(words, "{");
        put(o, (struct str){ words, plain });
        words += plain;
        size_t name = *words == '{' ? strcspn(words, "}") : 0;
        if (name > 0)
            put(o, value_of((struct str){ words + 1, name - 1 }, p, s));
        words += name + (name > 0);
    }
}

static enum sb_reason reason_of(const struct tds_problem *p)
{
    enum sb_reason reason = tds_rule_of(p)->reason;

    if (reason != SB_REASON_NONE)
        return reason;
    return p->connecting ? SB_REASON_SOURCE_CONNECT : SB_REASON_SOURCE_QUERY;
}

static bool is_tls(int32_t number)
{
    return number == CONNECT_FAILED || number == TDS_ERROR_DOWNGRADE;
}

void tds_error_describe(struct source_error *err, const struct tds_problem *p, const struct tds_subject *subject)
{
    const struct tds_rule *rule = tds_rule_of(p);
    struct out o = { err->text, sizeof(err->text), 0 };
    char origin[64] = "";

    err->reason = reason_of(p);
    err->health = is_tls(p->number) ? SB_ERROR_TLS : SB_ERROR_NONE;
    if (p->library && p->number > 0)
        snprintf(origin, sizeof(origin), " (FreeTDS error %d)", p->number);
    else if (p->number > 0)
        snprintf(origin, sizeof(origin), " (SQL Server error %d, state %d)", p->number, p->state);
    o.size -= strlen(origin); /* the number is never cut off */
    if (err->reason == SB_REASON_SOURCE_AUTH) {
        put(&o, STR_LIT("Login failed for user '"));
        put(&o, str_from(subject->user));
        put(&o, STR_LIT("': "));
    }
    put_words(&o, rule->words, p, subject);
    o.size += strlen(origin);
    put(&o, str_from(origin));
}

enum metric_integration_error tds_error_metric(const struct tds_problem *p)
{
    if (is_tls(p->number))
        return METRIC_INTEGRATION_TLS;
    if (p->number == TIMED_OUT)
        return METRIC_INTEGRATION_TIMEOUT;
    if (tds_rule_of(p)->class == TDS_THROTTLED)
        return METRIC_INTEGRATION_THROTTLED;
    switch (reason_of(p)) {
    case SB_REASON_SOURCE_CONNECT:
        return METRIC_INTEGRATION_CONNECT;
    case SB_REASON_SOURCE_AUTH:
        return METRIC_INTEGRATION_AUTH;
    case SB_REASON_VALIDATION:
        return METRIC_INTEGRATION_SCHEMA;
    default:
        return METRIC_INTEGRATION_QUERY;
    }
}

unsigned tds_wait_ms(const struct tds_rule *rule, unsigned failed, double unit, unsigned most_ms)
{
    unsigned ceiling = failed > 6 ? BACKOFF_MOST_MS : BACKOFF_FIRST_MS << (failed > 0 ? failed - 1 : 0);
    double wait = unit * (ceiling < BACKOFF_MOST_MS ? ceiling : BACKOFF_MOST_MS);
    unsigned least = rule->least_wait_s * 1000;
    unsigned chosen = wait < least ? least : (unsigned)wait;

    return chosen < most_ms ? chosen : most_ms;
}
