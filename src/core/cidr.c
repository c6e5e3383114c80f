/*
 * cidr: see the header.
 */
#include "core/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_BITS 96 /* of the prefix ::ffff:0:0 */

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void set_v4(struct ip_address *ip, const void *four)
{
    memcpy(ip->bytes, v4_prefix, sizeof(v4_prefix));
    memcpy(ip->bytes + sizeof(v4_prefix), four, 4);
}

static bool is_v4(const struct ip_address *ip)
{
    return memcmp(ip->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool ip_parse(struct str text, struct ip_address *ip)
{
    char name[CIDR_TEXT_SIZE];
    struct in_addr v4;

    if (text.len == 0 || memchr(text.p, '\0', text.len) != NULL || !str_copy(name, sizeof(name), text))
        return false;
    if (inet_pton(AF_INET, name, &v4) == 1) {
        set_v4(ip, &v4);
        return true;
    }
    return inet_pton(AF_INET6, name, ip->bytes) == 1;
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip_address *ip)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        set_v4(ip, &in.sin_addr);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        memcpy(ip->bytes, &in6.sin6_addr, sizeof(ip->bytes));
        return true;
    }
    return false;
}

char *ip_format(char dst[CIDR_TEXT_SIZE], const struct ip_address *ip)
{
    const char *text;

    if (is_v4(ip))
        text = inet_ntop(AF_INET, ip->bytes + sizeof(v4_prefix), dst, CIDR_TEXT_SIZE);
    else
        text = inet_ntop(AF_INET6, ip->bytes, dst, CIDR_TEXT_SIZE);
    if (text == NULL)
        dst[0] = '\0';
    return dst;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] & mask) == (b[whole] & mask);
}

bool cidr_parse(struct str text, struct cidr *c)
{
    struct str rest = text, address;
    uint64_t bits = 0;
    bool v4;

    if (!str_split(&rest, '/', &address) || !ip_parse(address, &c->address))
        return false;
    v4 = memchr(address.p, ':', address.len) == NULL;
    if (address.len == text.len)
        bits = v4 ? 32 : 128;
    else if (!str_to_u64((struct str){ text.p + address.len + 1, text.len - address.len - 1 }, &bits))
        return false;
    if (bits > (v4 ? 32 : 128))
        return false;
    c->prefix = (uint8_t)(v4 ? bits + V4_BITS : bits);
    return true;
}

bool cidr_list_parse(struct cidr_list *l, const char *text, struct str *bad)
{
    struct str rest = str_from(text), piece;

    l->count = 0;
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (piece.len == 0)
            continue;
        if (l->count == CIDR_MAX || !cidr_parse(piece, &l->entries[l->count])) {
            *bad = piece;
            return false;
        }
        l->count++;
    }
    return true;
}

bool cidr_list_has(const struct cidr_list *l, const struct ip_address *ip)
{
    for (size_t i = 0; i < l->count; i++) {
        if (prefix_equal(l->entries[i].address.bytes, ip->bytes, l->entries[i].prefix))
            return true;
    }
    return false;
}
