/*
 * lookup: see the header.
 */
#include "net/lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_ADDRESSES 4

struct lookup {
    char *name;
    char addresses[MAX_ADDRESSES][INET6_ADDRSTRLEN];
    unsigned count;
    struct gaicb *request; /* under way */
};

static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

bool lookup_is_name(const char *host)
{
    struct in6_addr address;

    return host[0] != '\0' && host[0] != '/' && host[0] != '@' && inet_pton(AF_INET, host, &address) != 1 &&
           inet_pton(AF_INET6, host, &address) != 1;
}

struct lookup *lookup_new(const char *name)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->name = strdup(name);
    if (l->name != NULL)
        return l;
    free(l);
    return NULL;
}

void lookup_free(struct lookup *l)
{
    if (l == NULL)
        return;
    if (lookup_ended(l) || gai_cancel(l->request) == EAI_CANCELED) {
        free(l->request);
        free(l->name);
    }
    free(l);
}

void lookup_start(struct lookup *l)
{
    if (l->request != NULL)
        return;
    l->request = calloc(1, sizeof(*l->request));
    if (l->request == NULL)
        return;
    l->request->ar_name = l->name;
    l->request->ar_request = &hints;
    if (getaddrinfo_a(GAI_NOWAIT, &l->request, 1, NULL) != 0) {
        free(l->request);
        l->request = NULL;
    }
}

static void keep(struct lookup *l, const struct addrinfo *found)
{
    unsigned n = 0;

    for (const struct addrinfo *a = found; a != NULL && n < MAX_ADDRESSES; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, l->addresses[n], sizeof(l->addresses[n]), NULL, 0,
                        NI_NUMERICHOST) == 0)
            n++;
    }
    if (n > 0)
        l->count = n;
}

bool lookup_ended(struct lookup *l)
{
    int rc;

    if (l->request == NULL)
        return true;
    rc = gai_error(l->request);
    if (rc == EAI_INPROGRESS)
        return false;
    if (rc == 0) {
        keep(l, l->request->ar_result);
        freeaddrinfo(l->request->ar_result);
    }
    free(l->request);
    l->request = NULL;
    return true;
}

unsigned lookup_count(const struct lookup *l)
{
    return l->count;
}

const char *lookup_address(const struct lookup *l, unsigned i)
{
    return l->addresses[i];
}
