/*
 * fetch_post: see the header.
 */
#include "net/fetch_post.h"

#include <curl/curl.h>
#include <stdio.h>

static size_t forget(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

static enum fetch_post_end end_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return FETCH_POST_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return FETCH_POST_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_POST_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return FETCH_POST_TLS;
    default:
        return FETCH_POST_FAILED;
    }
}

/* False: no memory. */
static bool prepare(CURL *c, const char *url, struct str json, long timeout_ms, struct curl_slist *headers)
{
    return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)json.len) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, json.p) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, forget) == CURLE_OK;
}

void fetch_post_json(const char *url, struct str json, long timeout_ms, struct fetch_post_result *r)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *c = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *r = (struct fetch_post_result){ .end = FETCH_POST_FAILED };
    if (c != NULL && headers != NULL && prepare(c, url, json, timeout_ms, headers))
        code = curl_easy_perform(c);
    r->end = end_of(code);
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r->status);
    else
        (void)snprintf(r->error, sizeof(r->error), "%s", curl_easy_strerror(code));
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
}
