/*
 * limits: which rate policies a request must pass (CONTRACT 4), and what its answer tells about them.
 *
 * A known key is charged to itself, everybody else to his address (IPv6: to his /64).
 * ALLOW_LIST is never limited; DENY_LIST always is, and wins where both match. Routes whose
 * policy is "none" ask nobody.
 */
#ifndef API_LIMITS_H
#define API_LIMITS_H

#include <stdbool.h>

#include "base/buf.h"
#include "core/cidr.h"
#include "core/conf.h"
#include "core/limit.h"
#include "core/metrics.h"

struct api_request;

struct limits_rule {
    struct conf_rate said; /* as the settings say it; count 0: off */
    struct limit_rate rate;
};

/* Of ALLOW_LIST or DENY_LIST. */
struct limits_list {
    struct cidr_list networks;
    struct str keys[CIDR_MAX]; /* beginnings of API keys */
    size_t key_count;
};

struct limits {
    struct limits_rule rules[METRIC_POLICIES];
    struct limits_list allowed, denied;
};

/* The policy with the least left of those that the request was charged to. */
struct limits_shown {
    bool present;
    enum metric_policy policy;
    struct conf_rate said;
    struct limit_result result;
};

/* The texts of `conf` must outlive it. False: a list that cannot be read. */
bool limits_init(struct limits *l, const struct conf *conf);

/* Each charges the request; false: refused, and answered with 429. */
bool limits_pass(struct api_request *q);         /* with a valid credential */
bool limits_pass_policy(struct api_request *q);  /* the route's own, of a request that passed the first */
bool limits_pass_public(struct api_request *q);  /* a public route */
bool limits_pass_failure(struct api_request *q); /* in place of a 401 */

/* RateLimit and its companions, for a request that was charged. */
void limits_write_headers(const struct api_request *q, struct buf *out);

#endif
