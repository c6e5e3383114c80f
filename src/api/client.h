/*
 * client: where a request came from. What a proxy says is believed only if the peer is in TRUSTED_PROXIES.
 */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include <stdbool.h>

#include "core/cidr.h"
#include "net/http.h"

struct api_request;

/* The peer, or the right-most untrusted entry of X-Forwarded-For. False: the peer has no address. */
bool client_address(const struct cidr_list *trusted, const struct http_request *r, struct ip_address *ip);
/* The same in words ("-" without an address), kept for the life of the request. */
const char *client_text(struct api_request *q);
/* A trusted proxy says the request came by TLS. */
bool client_used_tls(const struct api_request *q);

#endif
