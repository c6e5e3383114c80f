/*
 * redis_target: what REDIS_URL points at: redis://[[user]:password@]host[:port][/db] or
 * unix://[[user]:password@]/path.
 */
#ifndef NET_REDIS_TARGET_H
#define NET_REDIS_TARGET_H

#include <stdbool.h>
#include <stdint.h>

struct redis_target {
    char host[128]; /* or the path of a Unix socket */
    char user[64], password[256];
    uint64_t port, db;
    bool is_unix;
};

/* False: not of these forms, or a part is too long. */
bool redis_target_parse(const char *url, struct redis_target *t);

#endif
