/*
 * auth: who asks, and may they. Fails closed: what is not known to be good is refused.
 */
#ifndef API_AUTH_H
#define API_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/metrics.h"
#include "data/keyring.h"
#include "net/http_parse.h"

#define AUTH_KEY_PREFIX_SIZE KEYRING_PREFIX_SIZE

enum auth_level {
    AUTH_PUBLIC,
    AUTH_READ,
    AUTH_ADMIN
};

struct auth_identity {
    unsigned scopes;       /* bits; 0: nobody */
    bool is_admin_key;     /* the ADMIN_KEY setting */
    int64_t key_id;        /* row of api_keys; 0: none */
    int32_t rate_per_hour; /* the key's own; 0: that of the policy */
    char key_prefix[AUTH_KEY_PREFIX_SIZE];
};

/* What the caller sent to prove who he is. */
enum auth_source {
    AUTH_FROM_NOWHERE,
    AUTH_FROM_HEADER,
    AUTH_FROM_QUERY
};
struct auth_credential {
    enum auth_source source;
    bool malformed;   /* an Authorization that is no Bearer token, say */
    struct str value; /* secret: never logged */
};

/* The first credential present decides: on admin paths X-Admin-Key, X-API-Key, Authorization; else without the first.
 */
struct auth_credential auth_credential_find(const struct http_head *head, bool admin_path);

/* What is known to be good. */
struct auth_known {
    const char *admin_key; /* the setting */
    const struct keyring *ring;
    int64_t now_us; /* wall clock: keys expire */
};

/* Whose credential it is; false with the reason when nobody's. *key: in the ring; NULL: the admin key. */
bool auth_identify(const struct auth_known *known, const struct auth_credential *c, struct auth_identity *id,
                   const struct keyring_key **key, enum metric_auth_reason *reason);
/* Does it begin as API keys do? */
bool auth_is_key_text(struct str text);
bool auth_allows(const struct auth_identity *id, enum auth_level level);

const char *auth_reason_name(enum metric_auth_reason reason); /* "unknown", … */
/* What of a bad credential may be logged: 10 characters of a pk_live_ or sk_live_ key, else 4. Returns dst. */
char *auth_key_prefix(char dst[AUTH_KEY_PREFIX_SIZE], struct str credential);

#endif
