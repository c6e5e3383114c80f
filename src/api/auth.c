/*
 * auth: see the header.
 */
#include "api/auth.h"

#include <string.h>

#include "data/apikeys.h"

static struct auth_credential from_header(struct str value)
{
    return (struct auth_credential){ .source = AUTH_FROM_HEADER, .value = value };
}

static struct auth_credential from_authorization(struct str value)
{
    struct auth_credential c = from_header(value);
    struct str rest = value, scheme;

    if (!str_split(&rest, ' ', &scheme) || !str_ieq(scheme, "Bearer") || scheme.len == value.len) {
        c.malformed = true;
        return c;
    }
    c.value = str_trim((struct str){ value.p + scheme.len + 1, value.len - scheme.len - 1 });
    c.malformed = c.value.len == 0;
    return c;
}

struct auth_credential auth_credential_find(const struct http_head *head, bool admin_path)
{
    struct str value = admin_path ? http_head_get(head, HTTP_H_X_ADMIN_KEY) : STR_NONE;

    if (value.len > 0)
        return from_header(value);
    value = http_head_get(head, HTTP_H_X_API_KEY);
    if (value.len > 0)
        return from_header(value);
    value = http_head_get(head, HTTP_H_AUTHORIZATION);
    if (value.len > 0)
        return from_authorization(value);
    return (struct auth_credential){ .source = AUTH_FROM_NOWHERE };
}

bool auth_is_key_text(struct str text)
{
    return str_starts(text, APIKEY_PREFIX);
}

static bool refused(enum metric_auth_reason *reason, enum metric_auth_reason why)
{
    *reason = why;
    return false;
}

static bool identify_key(const struct keyring_key *key, int64_t now_us, struct auth_identity *id,
                         enum metric_auth_reason *reason)
{
    if (key == NULL)
        return refused(reason, METRIC_AUTH_UNKNOWN);
    if (key->revoked)
        return refused(reason, METRIC_AUTH_REVOKED);
    if (key->expires_us <= now_us)
        return refused(reason, METRIC_AUTH_EXPIRED);
    id->scopes = key->scopes;
    id->key_id = key->id;
    id->rate_per_hour = key->rate_per_hour;
    memcpy(id->key_prefix, key->prefix, sizeof(id->key_prefix));
    return true;
}

bool auth_identify(const struct auth_known *known, const struct auth_credential *c, struct auth_identity *id,
                   const struct keyring_key **key, enum metric_auth_reason *reason)
{
    struct str own = str_from(known->admin_key);
    uint8_t hash[HASH_SHA256_BYTES];

    *id = (struct auth_identity){ .scopes = 0 };
    *key = NULL;
    if (c->source == AUTH_FROM_NOWHERE)
        return refused(reason, METRIC_AUTH_MISSING);
    if (c->malformed)
        return refused(reason, METRIC_AUTH_MALFORMED);
    if (own.len > 0 && str_eq_secret(own, c->value)) {
        *id = (struct auth_identity){ .scopes = KEY_SCOPE_ALL, .is_admin_key = true };
        return true;
    }
    if (!auth_is_key_text(c->value))
        return refused(reason, METRIC_AUTH_UNKNOWN);
    if (!apikey_is_well_formed(c->value))
        return refused(reason, METRIC_AUTH_MALFORMED);
    hash_sha256(hash, c->value.p, c->value.len);
    *key = keyring_find(known->ring, hash);
    return identify_key(*key, known->now_us, id, reason);
}

bool auth_allows(const struct auth_identity *id, enum auth_level level)
{
    switch (level) {
    case AUTH_PUBLIC:
        return true;
    case AUTH_READ:
        return (id->scopes & (KEY_SCOPE_READ | KEY_SCOPE_ADMIN)) != 0;
    case AUTH_ADMIN:
        return (id->scopes & KEY_SCOPE_ADMIN) != 0;
    }
    return false;
}

const char *auth_reason_name(enum metric_auth_reason reason)
{
    const char *name = metrics_dim_value(METRICS_DIM_AUTH_REASON, (unsigned)reason);

    return name != NULL ? name : "";
}

char *auth_key_prefix(char dst[AUTH_KEY_PREFIX_SIZE], struct str credential)
{
    size_t shown = auth_is_key_text(credential) || str_starts(credential, "sk_live_") ? 10 : 4;

    if (credential.len > shown)
        credential.len = shown;
    str_copy(dst, AUTH_KEY_PREFIX_SIZE, credential);
    return dst;
}
