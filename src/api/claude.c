/*
 * claude: see the header. A call is one question: an attempt under way, or a wait for the next one.
 */
#include "api/claude.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/claude_circuit.h"
#include "api/claude_message.h"
#include "api/tools.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "core/events.h"
#include "net/fetch.h"

#define MAX_PREFIX_BYTES  (64U << 10)
#define MAX_REQUEST_BYTES (96U << 10)
#define MAX_ANSWER_BYTES  (1U << 20)
#define MAX_READ_BYTES    (8U << 20) /* of nodes: an answer that needs more counts as malformed */
#define MAX_URL           512
#define MAX_HEADER        512
#define LEAST_ATTEMPT_MS  200 /* with less time left no attempt is made */
#define NS_PER_MS         1000000ULL
#define SETTINGS_SEED     0x636c617564650001ULL

struct claude {
    const struct conf *conf;
    struct scoreboard *sb;
    struct sb_slot *slot;
    struct loop *loop;
    struct fetch_pool *pool; /* NULL: not configured */
    struct buf prefix, request;
    char url[MAX_URL], key_header[MAX_HEADER], version_header[64];
    unsigned model; /* its metrics label */
};

struct claude_call {
    struct claude *claude;
    struct str question;
    struct arena arena; /* of what is read */
    uint64_t start_ns, attempt_ns, deadline_ns;
    unsigned attempt;
    struct fetch *fetch; /* NULL: waiting */
    struct loop_timer *again;
    claude_fn fn;
    void *arg;
};

static unsigned model_label(const char *model)
{
    unsigned last = metrics_dim_size(METRICS_DIM_AI_MODEL) - 1;

    for (unsigned i = 0; i < last; i++) {
        if (strcmp(metrics_dim_value(METRICS_DIM_AI_MODEL, i), model) == 0)
            return i;
    }
    return last;
}

static uint64_t settings_hash(const struct conf *c)
{
    const char *const settings[] = { c->anthropic_api_key, c->anthropic_model, c->anthropic_effort,
                                     c->anthropic_base_url };
    uint64_t hash = SETTINGS_SEED;

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        hash = hash_fast(hash, settings[i], strlen(settings[i]) + 1);
    return hash;
}

static bool prepare(struct claude *c)
{
    const struct conf *conf = c->conf;

    if (!claude_write_url(c->url, sizeof(c->url), conf, "v1/messages") ||
        !claude_write_key_header(c->key_header, sizeof(c->key_header), conf))
        return false;
    (void)snprintf(c->version_header, sizeof(c->version_header), "anthropic-version: %s", CLAUDE_API_VERSION);
    claude_write_prefix(&c->prefix, conf->anthropic_model, conf->anthropic_effort);
    c->pool = fetch_pool_new(c->loop, (unsigned)conf->nl_concurrency);
    circuit_begin(c->sb, settings_hash(conf));
    return c->pool != NULL && !c->prefix.failed;
}

struct claude *claude_new(const struct conf *conf, struct scoreboard *sb, struct sb_slot *slot, struct loop *l)
{
    struct claude *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    *c = (struct claude){
        .conf = conf, .sb = sb, .slot = slot, .loop = l, .model = model_label(conf->anthropic_model)
    };
    buf_init(&c->prefix, MAX_PREFIX_BYTES);
    buf_init(&c->request, MAX_REQUEST_BYTES);
    if (conf->anthropic_api_key[0] == '\0' || prepare(c))
        return c;
    claude_free(c);
    return NULL;
}

void claude_free(struct claude *c)
{
    if (c == NULL)
        return;
    fetch_pool_free(c->pool);
    buf_free(&c->prefix);
    buf_free(&c->request);
    free(c);
}

bool claude_is_configured(const struct claude *c)
{
    return c->pool != NULL;
}

uint64_t claude_identity(const struct claude *c)
{
    return hash_fast(SETTINGS_SEED, c->prefix.data, c->prefix.len);
}

/* ---- what is told of a call ---- */

static bool is_lasting(enum metric_ai_error error)
{
    return error == METRIC_AI_AUTHENTICATION || error == METRIC_AI_PERMISSION || error == METRIC_AI_BILLING ||
           error == METRIC_AI_NOT_FOUND || error == METRIC_AI_INVALID_REQUEST || error == METRIC_AI_TLS;
}

/* Of one question, not of the service. */
static bool is_of_the_question(enum metric_ai_error error)
{
    return error == METRIC_AI_TRUNCATED || error == METRIC_AI_REFUSAL || error == METRIC_AI_TOO_LARGE;
}

static enum metric_integration_error integration_error(enum metric_ai_error error)
{
    switch (error) {
    case METRIC_AI_CONNECT:
        return METRIC_INTEGRATION_CONNECT;
    case METRIC_AI_TLS:
        return METRIC_INTEGRATION_TLS;
    case METRIC_AI_TIMEOUT:
        return METRIC_INTEGRATION_TIMEOUT;
    case METRIC_AI_AUTHENTICATION:
    case METRIC_AI_PERMISSION:
    case METRIC_AI_BILLING:
        return METRIC_INTEGRATION_AUTH;
    case METRIC_AI_RATE_LIMIT:
    case METRIC_AI_OVERLOADED:
        return METRIC_INTEGRATION_THROTTLED;
    case METRIC_AI_MALFORMED:
    case METRIC_AI_BROKEN:
        return METRIC_INTEGRATION_SCHEMA;
    default:
        return METRIC_INTEGRATION_QUERY;
    }
}

static enum sb_error board_error(enum metric_ai_error error)
{
    switch (error) {
    case METRIC_AI_CONNECT:
        return SB_ERROR_REFUSED;
    case METRIC_AI_TLS:
        return SB_ERROR_TLS;
    case METRIC_AI_AUTHENTICATION:
    case METRIC_AI_PERMISSION:
    case METRIC_AI_BILLING:
        return SB_ERROR_AUTH_FAILED;
    default:
        return SB_ERROR_QUERY_TIMEOUT;
    }
}

/* On the health board, and in the log when it changes. */
static void judge(struct claude *c, enum sb_health health, enum sb_error error, uint64_t took_ns)
{
    struct sb_check *check = &c->sb->checks[SB_AI];
    enum sb_health from = (enum sb_health)atomic_load(&check->health);
    struct event_field f[] = { event_cstr("component", sb_component_name(SB_AI)),
                               event_cstr("from", sb_health_name((uint32_t)from)),
                               event_cstr("to", sb_health_name((uint32_t)health)),
                               event_cstr("error", error != SB_ERROR_NONE ? sb_error_name((uint32_t)error) : NULL) };
    bool changed = scoreboard_check_set(check, health, error, (int64_t)(took_ns / 1000), clock_wall_us());

    if (changed && (health == SB_HEALTH_DOWN || from == SB_HEALTH_DOWN))
        event_log(EVENT_COMPONENT_STATE_CHANGED, f, 4, "ai is %s", sb_health_name((uint32_t)health));
}

static void tell_good(const struct claude_call *call, const struct claude_reply *r, uint64_t took_ns)
{
    struct claude *c = call->claude;
    struct event_field f[] = { event_cstr("model", c->conf->anthropic_model),
                               event_cstr("tool", r->tool != NULL ? r->tool->name : NULL),
                               event_f64("duration_seconds", (double)took_ns / 1e9),
                               event_i64("input_tokens", r->input_tokens),
                               event_i64("output_tokens", r->output_tokens),
                               event_cstr("request_id", r->request_id) };

    circuit_good(c->sb);
    judge(c, SB_HEALTH_UP, SB_ERROR_NONE, took_ns);
    event_log(EVENT_CLAUDE_COMPLETED, f, 6, "a question was interpreted");
}

static void tell_bad(const struct claude_call *call, const struct claude_reply *r, int status, const char *why,
                     uint64_t took_ns)
{
    struct claude *c = call->claude;
    uint64_t now = clock_mono_ns();
    const char *type = metrics_dim_value(METRICS_DIM_AI_ERROR, (unsigned)r->error);
    struct event_field f[] = { event_i64("status", status), event_cstr("error_type", type),
                               event_cstr("request_id", r->request_id), event_cstr("model", c->conf->anthropic_model),
                               event_f64("duration_seconds", (double)took_ns / 1e9) };

    metrics_add(METRIC_AI_QUERY_ERRORS, c->model, (unsigned)r->error, 0, 1);
    event_log(EVENT_CLAUDE_FAILED, f, 5, "%s; the question goes to the rules", why != NULL ? why : type);
    if (is_of_the_question(r->error))
        return;
    if (circuit_bad(c->sb, now - took_ns, now, is_lasting(r->error), r->asked_ms))
        judge(c, SB_HEALTH_DOWN, board_error(r->error), took_ns);
}

/* ---- calls ---- */

static void call_free(struct claude_call *call)
{
    circuit_give_place(call->claude->slot);
    if (call->fetch != NULL)
        fetch_cancel(call->fetch);
    loop_timer_free(call->again);
    arena_free(&call->arena);
    loop_free_later(call->claude->loop, call);
}

static void end(struct claude_call *call, const struct claude_reply *r, int status, const char *why)
{
    struct claude *c = call->claude;
    uint64_t took_ns = clock_mono_ns() - call->start_ns;
    unsigned tool = r->tool != NULL ? (unsigned)(r->tool - tools) : metrics_dim_size(METRICS_DIM_AI_TOOL) - 1;
    struct claude_result result = { .error = r->error, .tool = r->tool };
    struct json_writer w;
    claude_fn fn = call->fn;
    void *arg = call->arg;

    metrics_observe(METRIC_AI_DURATION, c->model, tool, took_ns);
    metrics_add(METRIC_AI_TOKENS, c->model, METRIC_AI_INPUT, 0, (uint64_t)r->input_tokens);
    metrics_add(METRIC_AI_TOKENS, c->model, METRIC_AI_OUTPUT, 0, (uint64_t)r->output_tokens);
    if (r->error == METRIC_AI_OK)
        tell_good(call, r, took_ns);
    else
        tell_bad(call, r, status, why, took_ns);
    if (r->tool != NULL) {
        buf_reset(&c->request);
        json_writer_init(&w, &c->request);
        json_value(&w, r->arguments);
        result.arguments = buf_str(&c->request);
    }
    call_free(call);
    fn(&result, arg);
}

static int64_t left_ms(const struct claude_call *call)
{
    uint64_t now = clock_mono_ns();

    return now < call->deadline_ns ? (int64_t)((call->deadline_ns - now) / NS_PER_MS) : 0;
}

static void on_answer(const struct fetch_answer *answer, void *arg)
{
    struct claude_call *call = arg;
    struct claude_reply r;

    call->fetch = NULL;
    claude_read_answer(answer, call->attempt, rng_unit(), clock_wall_us() / CLOCK_US_PER_S, &call->arena, &r);
    metrics_observe(METRIC_INTEGRATION_DURATION, METRIC_ANTHROPIC, METRIC_OPERATION_MESSAGE,
                    clock_mono_ns() - call->attempt_ns);
    if (r.error != METRIC_AI_OK)
        metrics_add(METRIC_INTEGRATION_ERRORS, METRIC_ANTHROPIC, (unsigned)integration_error(r.error), 0, 1);
    if (r.retry_ms >= 0 && r.retry_ms + LEAST_ATTEMPT_MS <= left_ms(call)) {
        call->attempt++;
        loop_timer_set(call->again, (uint64_t)r.retry_ms);
        return;
    }
    end(call, &r, answer->status, answer->error != FETCH_OK ? answer->why : NULL);
}

/* False: no memory. */
static bool attempt(struct claude_call *call)
{
    struct claude *c = call->claude;
    const char *const headers[] = { "content-type: application/json", c->key_header, c->version_header,
                                    "user-agent: patrond", NULL };
    struct fetch_request r = { .url = c->url, .plain = true, .headers = headers, .max_bytes = MAX_ANSWER_BYTES };
    int64_t left = left_ms(call);

    buf_reset(&c->request);
    buf_add_str(&c->request, buf_str(&c->prefix));
    claude_write_question(&c->request, call->question);
    r.body = buf_str(&c->request);
    r.timeout_ms = left > 0 ? (uint64_t)left : 1;
    call->attempt_ns = clock_mono_ns();
    call->fetch = c->request.failed ? NULL : fetch_start(c->pool, &r, on_answer, call);
    return call->fetch != NULL;
}

static void on_again(void *arg)
{
    struct claude_call *call = arg;
    struct claude_reply r = { .error = METRIC_AI_BUSY, .retry_ms = -1, .asked_ms = -1 };

    if (!attempt(call))
        end(call, &r, 0, "no memory");
}

/* False: refused, and counted. */
static bool may_ask(struct claude *c)
{
    enum metric_ai_error why = METRIC_AI_OK;

    if (!circuit_take_place(c->sb, c->slot, c->conf->nl_concurrency)) {
        why = METRIC_AI_BUSY;
    } else if (!circuit_allows(c->sb, clock_mono_ns())) {
        circuit_give_place(c->slot);
        why = METRIC_AI_OPEN;
    }
    if (why != METRIC_AI_OK)
        metrics_add(METRIC_AI_QUERY_ERRORS, c->model, (unsigned)why, 0, 1);
    return why == METRIC_AI_OK;
}

struct claude_call *claude_ask(struct claude *c, struct str question, uint64_t deadline_ns, claude_fn fn, void *arg)
{
    struct claude_call *call;

    if (!may_ask(c))
        return NULL;
    call = calloc(1, sizeof(*call));
    if (call == NULL) {
        circuit_give_place(c->slot);
        return NULL;
    }
    *call = (struct claude_call){ .claude = c,
                                  .question = question,
                                  .start_ns = clock_mono_ns(),
                                  .deadline_ns = deadline_ns,
                                  .again = loop_timer_new(c->loop, on_again, call),
                                  .fn = fn,
                                  .arg = arg };
    arena_init(&call->arena, MAX_READ_BYTES);
    if (call->again != NULL && left_ms(call) >= LEAST_ATTEMPT_MS && attempt(call))
        return call;
    call_free(call);
    return NULL;
}

void claude_cancel(struct claude_call *call)
{
    call_free(call);
}
