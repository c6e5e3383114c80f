/*
 * redis_target: what REDIS_URL points at: redis://[[user]:password@]host[:port][/db], the host a name, an IPv4
 * address or an [IPv6] address; or unix://[[user]:password@]/path[?db=db].
 *
 * User, password, path and database may be percent-encoded. In a password only % has to be: it ends at the last @.
 */
#ifndef CORE_REDIS_TARGET_H
#define CORE_REDIS_TARGET_H

#include <stdbool.h>
#include <stdint.h>

struct redis_target {
    char host[128]; /* or the path of a Unix socket */
    char user[64], password[256];
    uint64_t port, db;
    bool is_unix;
};

/* NULL when it was understood; else what is wrong and what to write, without a part of the URL, which may be secret.
 */
const char *redis_target_parse(const char *url, struct redis_target *t);

#endif
