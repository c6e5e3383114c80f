/*
 * cidr: sets of IP networks, as the settings write them ("10.0.0.0/8, ::1").
 *
 * Everything is kept as IPv6: an IPv4 address, also one written ::ffff:a.b.c.d,
 * is its mapped form, so both ways of writing it are the same address.
 */
#ifndef CORE_CIDR_H
#define CORE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

#define CIDR_MAX       64
#define CIDR_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */

struct ip_address {
    uint8_t bytes[16];
};

struct cidr {
    struct ip_address address;
    uint8_t prefix; /* bits, 0..128 */
};

struct cidr_list {
    struct cidr entries[CIDR_MAX];
    size_t count;
};

/* A bare address, no port, no zone. */
bool ip_parse(struct str text, struct ip_address *ip);
/* False for a family without addresses (AF_UNIX). */
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip_address *ip);
/* "10.1.2.3" or "2001:db8::1"; returns dst. */
char *ip_format(char dst[CIDR_TEXT_SIZE], const struct ip_address *ip);

/* "a.b.c.d", "a.b.c.d/n", "v6" or "v6/n"; bits behind the prefix do not count. */
bool cidr_parse(struct str text, struct cidr *c);
/* A comma list, blanks allowed; false at the first entry that is none, which *bad then holds. */
bool cidr_list_parse(struct cidr_list *l, const char *text, struct str *bad);
bool cidr_list_has(const struct cidr_list *l, const struct ip_address *ip);

#endif
