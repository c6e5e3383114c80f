/*
 * pg_target: what DATABASE_URL points at, and how to reach it without waiting.
 *
 * libpq resolves host names inside its "asynchronous" connect, which would
 * stop the loop for as long as DNS does. So names are looked up beforehand (net/lookup) and given to libpq as
 * hostaddr beside the name, which stays for TLS verification and the password file.
 */
#ifndef NET_PG_TARGET_H
#define NET_PG_TARGET_H

#include <stdbool.h>

#include <libpq-fe.h>

struct pg_target;

enum pg_lookup {
    PG_LOOKUP_DONE, /* all that can be known is known; connect now */
    PG_LOOKUP_RUNNING,
    PG_LOOKUP_FAILED /* no address for any host, now or before */
};

/* NULL: no memory. A URL that cannot be read gives a target whose lookup fails with the reason. */
struct pg_target *pg_target_new(const char *url);
void pg_target_free(struct pg_target *t);

/* Starts looking names up, unless there are none or a lookup is under way. */
void pg_target_lookup(struct pg_target *t);
enum pg_lookup pg_target_state(struct pg_target *t);    /* never blocks: poll it */
bool pg_target_broken(const struct pg_target *t);       /* the URL itself is wrong, the error says how */
const char *pg_target_error(const struct pg_target *t); /* never with a part of the URL */

/* PQconnectStart with the addresses found. The caller owns the result; NULL: no memory. */
PGconn *pg_target_connect(struct pg_target *t);
/* Host names or socket directories, for the operator's eyes; no user, no password. */
const char *pg_target_host(const struct pg_target *t);

#endif
