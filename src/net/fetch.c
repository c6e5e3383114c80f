/*
 * fetch: see the header.
 *
 * libcurl tells by two callbacks which sockets and which time it waits for; they only arm events. It is called from
 * the events alone, and what has ended is taken from it afterwards, so no callback of ours runs inside one of its.
 */
#include "net/fetch.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"

#define MAX_HEAD_BYTES (64U << 10)
#define KEEP_ALIVE_S   60L

struct fetch_pool {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    struct fetch *first; /* all under way */
};

struct fetch {
    struct fetch_pool *pool;
    CURL *easy;
    struct curl_slist *headers;
    struct buf head, body;
    char words[CURL_ERROR_SIZE]; /* of libcurl about what went wrong, with names of hosts */
    fetch_fn fn;
    void *arg;
    struct fetch *prev, *next;
};

/* A socket libcurl waits for. */
struct watch {
    struct event event;
    struct fetch_pool *pool;
};

/* ---- what has ended ---- */

static void fetch_free(struct fetch *f)
{
    struct fetch_pool *p = f->pool;

    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        p->first = f->next;
    if (f->next != NULL)
        f->next->prev = f->prev;
    (void)curl_multi_remove_handle(p->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    buf_free(&f->head);
    buf_free(&f->body);
    loop_free_later(p->loop, f);
}

static enum fetch_error error_of(const struct fetch *f, CURLcode code)
{
    if (f->head.failed || f->body.failed)
        return FETCH_TOO_LARGE;
    switch (code) {
    case CURLE_OK:
        return FETCH_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return FETCH_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return FETCH_TLS;
    case CURLE_FILESIZE_EXCEEDED:
        return FETCH_TOO_LARGE;
    default:
        return FETCH_BROKEN;
    }
}

/* Of a certificate the general words do not tell what is wrong with it; the others name no host. */
static const char *words_of(const struct fetch *f, enum fetch_error error, CURLcode code)
{
    if (error == FETCH_TOO_LARGE)
        return "the answer is too large";
    return error == FETCH_TLS && f->words[0] != '\0' ? f->words : curl_easy_strerror(code);
}

static void end(struct fetch *f, CURLcode code)
{
    struct fetch_answer a = { .error = error_of(f, code) };
    long status = 0;

    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    a.status = (int)status;
    a.why = words_of(f, a.error, code);
    a.head = buf_str(&f->head);
    a.body = buf_str(&f->body);
    f->fn(&a, f->arg);
    fetch_free(f);
}

static void take_ended(struct fetch_pool *p)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(p->multi, &left)) != NULL) {
        CURLcode code = m->data.result;
        char *f = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
        end((struct fetch *)(void *)f, code);
    }
}

/* ---- events ---- */

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;
    struct fetch_pool *p = w->pool;
    int action = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0), running;

    (void)curl_multi_socket_action(p->multi, fd, action, &running);
    take_ended(p);
}

static void on_timer(void *arg)
{
    struct fetch_pool *p = arg;
    int running;

    (void)curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_ended(p);
}

/* libcurl: wait for this socket, or no longer. */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
    struct fetch_pool *p = arg;
    struct watch *w = watch;
    short events = EV_PERSIST;

    (void)easy;
    if (w != NULL)
        event_del(&w->event);
    if (what == CURL_POLL_REMOVE) {
        loop_free_later(p->loop, w);
        return 0;
    }
    if (w == NULL)
        w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -1;
    w->pool = p;
    if (what & CURL_POLL_IN)
        events |= EV_READ;
    if (what & CURL_POLL_OUT)
        events |= EV_WRITE;
    event_assign(&w->event, loop_base(p->loop), fd, events, on_socket, w);
    event_add(&w->event, NULL);
    (void)curl_multi_assign(p->multi, fd, w);
    return 0;
}

/* libcurl: call in so many milliseconds. */
static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct fetch_pool *p = arg;

    (void)multi;
    if (ms < 0)
        loop_timer_clear(p->timer);
    else
        loop_timer_set(p->timer, (uint64_t)ms);
    return 0;
}

/* ---- the pool ---- */

/* Once a process, before the first handle: libcurl keeps its state until the process ends. */
static bool init_library(void)
{
    static bool done;

    if (!done)
        done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return done;
}

struct fetch_pool *fetch_pool_new(struct loop *l, unsigned max_connections)
{
    struct fetch_pool *p = init_library() ? calloc(1, sizeof(*p)) : NULL;

    if (p == NULL)
        return NULL;
    p->loop = l;
    p->timer = loop_timer_new(l, on_timer, p);
    p->multi = curl_multi_init();
    if (p->timer == NULL || p->multi == NULL) {
        fetch_pool_free(p);
        return NULL;
    }
    (void)curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    (void)curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    (void)curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
    return p;
}

void fetch_pool_free(struct fetch_pool *p)
{
    if (p == NULL)
        return;
    while (p->first != NULL)
        fetch_free(p->first);
    if (p->multi != NULL)
        (void)curl_multi_cleanup(p->multi); /* gives up its sockets by set_socket */
    loop_timer_free(p->timer);
    free(p);
}

/* ---- one fetch ---- */

static size_t on_head(char *bytes, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;

    if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0) /* what came before was provisional */
        buf_reset(&f->head);
    buf_add(&f->head, bytes, size * n);
    return f->head.failed ? 0 : size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;

    buf_add(&f->body, bytes, size * n);
    return f->body.failed ? 0 : size * n;
}

static bool add_headers(struct fetch *f, const char *const *headers)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no 100-continue */

    for (; list != NULL && headers != NULL && *headers != NULL; headers++) {
        struct curl_slist *longer = curl_slist_append(list, *headers);

        if (longer == NULL)
            curl_slist_free_all(list);
        list = longer;
    }
    f->headers = list;
    return list != NULL;
}

static bool set_request(struct fetch *f, const struct fetch_request *r)
{
    CURL *e = f->easy;

    if (!add_headers(f, r->headers) || curl_easy_setopt(e, CURLOPT_URL, r->url) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers) != CURLE_OK)
        return false;
    if (r->body.p == NULL)
        return true;
    return curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)r->body.len) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, r->body.p) == CURLE_OK;
}

static void set_manners(struct fetch *f, const struct fetch_request *r)
{
    CURL *e = f->easy;

    (void)curl_easy_setopt(e, CURLOPT_PRIVATE, (void *)f);
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->words);
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->timeout_ms);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* never joins a thread that looks up a name */
    (void)curl_easy_setopt(e, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip"); /* the cap on the body counts what is unpacked */
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L);
    (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEP_ALIVE_S);
}

struct fetch *fetch_start(struct fetch_pool *p, const struct fetch_request *r, fetch_fn fn, void *arg)
{
    bool plain = r->plain && str_starts(str_from(r->url), "http://");
    struct fetch *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->pool = p;
    f->fn = fn;
    f->arg = arg;
    buf_init(&f->head, MAX_HEAD_BYTES);
    buf_init(&f->body, r->max_bytes);
    f->easy = curl_easy_init();
    if (f->easy == NULL || curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") != CURLE_OK ||
        !set_request(f, r)) {
        curl_easy_cleanup(f->easy);
        curl_slist_free_all(f->headers);
        free(f);
        return NULL;
    }
    set_manners(f, r);
    f->next = p->first;
    if (f->next != NULL)
        f->next->prev = f;
    p->first = f;
    if (curl_multi_add_handle(p->multi, f->easy) == CURLM_OK)
        return f;
    fetch_free(f);
    return NULL;
}

void fetch_cancel(struct fetch *f)
{
    fetch_free(f);
}

struct str fetch_header(const struct fetch_answer *a, const char *name)
{
    struct str rest = a->head, line, key, value = STR_NONE;

    while (str_split(&rest, '\n', &line)) {
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        if (!str_split(&line, ':', &key) || line.p == NULL || !str_ieq(key, name))
            continue;
        value = str_trim(line);
    }
    return value;
}
