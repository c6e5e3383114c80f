/*
 * checks_claude: the Messages API's provider, asked for the model that questions go to. That costs nothing, and its
 * status tells whether key, model and way are good.
 */
#include <stdio.h>

#include "api/claude_message.h"
#include "base/clock.h"
#include "net/fetch_wait.h"
#include "proc/checks.h"

#define MAX_URL          512
#define MAX_HEADER       512
#define MAX_ANSWER_BYTES (64U << 10)
#define NS_PER_MS        1000000ULL

static const enum sb_error board_errors[] = {
    [FETCH_CONNECT] = SB_ERROR_REFUSED,   [FETCH_TLS] = SB_ERROR_TLS,        [FETCH_TIMEOUT] = SB_ERROR_QUERY_TIMEOUT,
    [FETCH_TOO_LARGE] = SB_ERROR_REFUSED, [FETCH_BROKEN] = SB_ERROR_REFUSED,
};

static void judge(const struct conf *conf, const struct fetch_result *answer, struct check_result *r)
{
    switch (answer->status) {
    case 200:
        check_up(r, "the key is good, the model %s is there", conf->anthropic_model);
        return;
    case 401:
    case 403:
        check_down(r, SB_ERROR_AUTH_FAILED, "the key is refused with status %d: see ANTHROPIC_API_KEY",
                   answer->status);
        return;
    case 404:
        check_down(r, SB_ERROR_REFUSED, "no model %s: retired, or misspelt in ANTHROPIC_MODEL",
                   conf->anthropic_model);
        return;
    default:
        check_down(r, SB_ERROR_REFUSED, "it answers with status %d", answer->status);
    }
}

void check_claude_run(const struct check_env *env, struct check_result *r)
{
    const struct conf *conf = env->conf;
    char path[MAX_URL], url[MAX_URL], key[MAX_HEADER];
    const char *const headers[] = { key, "anthropic-version: " CLAUDE_API_VERSION, NULL };
    struct fetch_request request = { .url = url, .plain = true, .headers = headers, .max_bytes = MAX_ANSWER_BYTES };
    struct fetch_result answer;
    uint64_t now = clock_mono_ns();

    (void)snprintf(r->target, sizeof(r->target), "%s", conf->anthropic_base_url);
    (void)snprintf(path, sizeof(path), "v1/models/%s", conf->anthropic_model);
    if (!claude_write_url(url, sizeof(url), conf, path) || !claude_write_key_header(key, sizeof(key), conf)) {
        check_down(r, SB_ERROR_REFUSED, "ANTHROPIC_BASE_URL or ANTHROPIC_API_KEY is too long");
        return;
    }
    request.timeout_ms = now < env->deadline_ns ? (env->deadline_ns - now) / NS_PER_MS + 1 : 1;
    fetch_wait(&request, &answer);
    if (answer.error == FETCH_OK)
        judge(conf, &answer, r);
    else
        check_down(r, board_errors[answer.error], "%s", answer.why);
}
