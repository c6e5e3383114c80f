/*
 * auth: see the header.
 */
#include "api/auth.h"

#include <string.h>

#define API_KEY_PREFIX       "pk_live_"
#define API_KEY_RANDOM_CHARS 43

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

static bool is_base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool auth_is_key_text(struct str text)
{
    return str_starts(text, API_KEY_PREFIX);
}

/* Has what calls itself an API key the shape of one? */
static bool is_well_formed(struct str s)
{
    const size_t prefix = sizeof(API_KEY_PREFIX) - 1;

    if (!auth_is_key_text(s))
        return true;
    if (s.len != prefix + API_KEY_RANDOM_CHARS)
        return false;
    for (size_t i = prefix; i < s.len; i++) {
        if (!is_base64url(s.p[i]))
            return false;
    }
    return true;
}

bool auth_identify(const char *admin_key, const struct auth_credential *c, struct auth_identity *id,
                   enum metric_auth_reason *reason)
{
    struct str own = str_from(admin_key);

    *id = (struct auth_identity){ .scopes = 0 };
    if (c->source == AUTH_FROM_NOWHERE) {
        *reason = METRIC_AUTH_MISSING;
        return false;
    }
    if (c->malformed) {
        *reason = METRIC_AUTH_MALFORMED;
        return false;
    }
    if (own.len > 0 && str_eq_secret(own, c->value)) {
        *id = (struct auth_identity){ .scopes = AUTH_SCOPE_ALL, .is_admin_key = true };
        return true;
    }
    *reason = is_well_formed(c->value) ? METRIC_AUTH_UNKNOWN : METRIC_AUTH_MALFORMED;
    return false;
}

bool auth_allows(const struct auth_identity *id, enum auth_level level)
{
    switch (level) {
    case AUTH_PUBLIC:
        return true;
    case AUTH_READ:
        return (id->scopes & (AUTH_SCOPE_READ | AUTH_SCOPE_ADMIN)) != 0;
    case AUTH_ADMIN:
        return (id->scopes & AUTH_SCOPE_ADMIN) != 0;
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
