/*
 * client: see the header.
 */
#include "api/client.h"

#include <string.h>

#include "api/request.h"

/* Takes the last entry off a comma list; false when none is left. */
static bool take_last(struct str *list, struct str *entry)
{
    const char *comma;

    if (list->len == 0)
        return false;
    comma = memrchr(list->p, ',', list->len);
    if (comma == NULL) {
        *entry = str_trim(*list);
        list->len = 0;
    } else {
        *entry = str_trim((struct str){ comma + 1, (size_t)(list->p + list->len - comma - 1) });
        list->len = (size_t)(comma - list->p);
    }
    return true;
}

/* Some proxies add the port: "1.2.3.4:5678", "[::1]:5678". */
static struct str without_port(struct str entry)
{
    const char *first = memchr(entry.p, ':', entry.len), *end;

    if (entry.len > 0 && entry.p[0] == '[') {
        end = memchr(entry.p, ']', entry.len);
        return end == NULL ? entry : (struct str){ entry.p + 1, (size_t)(end - entry.p - 1) };
    }
    if (first != NULL && memrchr(entry.p, ':', entry.len) == first)
        entry.len = (size_t)(first - entry.p);
    return entry;
}

/*
 * Walks one X-Forwarded-For from the right while the entries are trusted.
 * True: *ip is the client. False: every entry was a trusted proxy, *ip the left-most of them.
 */
static bool walk_forwarded(const struct cidr_list *trusted, struct str list, struct ip_address *ip)
{
    struct str entry;

    while (take_last(&list, &entry)) {
        struct ip_address hop;

        if (!ip_parse(without_port(entry), &hop))
            return true; /* rubbish: what is left of it cannot be trusted */
        *ip = hop;
        if (!cidr_list_has(trusted, &hop))
            return true;
    }
    return false;
}

bool client_address(const struct cidr_list *trusted, const struct http_request *r, struct ip_address *ip)
{
    const struct http_head *head = r->head;

    if (!ip_from_sockaddr((const struct sockaddr *)&r->peer, ip))
        return false;
    if (head == NULL || trusted->count == 0 || http_head_get(head, HTTP_H_X_FORWARDED_FOR).len == 0 ||
        !cidr_list_has(trusted, ip))
        return true;
    for (unsigned i = head->header_count; i > 0; i--) { /* a repeated header continues the list */
        const struct http_header *h = &head->headers[i - 1];

        if (str_ieq(h->name, "X-Forwarded-For") && walk_forwarded(trusted, h->value, ip))
            break;
    }
    return true;
}

const char *client_text(struct api_request *q)
{
    struct ip_address ip;
    char text[CIDR_TEXT_SIZE];

    if (q->client != NULL)
        return q->client;
    if (client_address(&q->api->trusted_proxies, q->http, &ip))
        q->client = arena_strdup(&q->http->arena, str_from(ip_format(text, &ip)));
    if (q->client == NULL)
        q->client = "-";
    return q->client;
}

bool client_used_tls(const struct api_request *q)
{
    const struct cidr_list *trusted = &q->api->trusted_proxies;
    struct ip_address ip;

    if (trusted->count == 0 || q->http->head == NULL ||
        !str_ieq(http_head_get(q->http->head, HTTP_H_X_FORWARDED_PROTO), "https"))
        return false;
    return ip_from_sockaddr((const struct sockaddr *)&q->http->peer, &ip) && cidr_list_has(trusted, &ip);
}
