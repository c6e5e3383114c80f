/*
 * claude_message: what is sent to the Messages API and what its answers mean. Pure.
 *
 * A request offers the tools that answer questions, strictly typed, and one question. The model chooses a tool and
 * its arguments, or none; nothing else it says is used.
 */
#ifndef API_CLAUDE_MESSAGE_H
#define API_CLAUDE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/json.h"
#include "core/metrics.h"
#include "net/fetch.h"

struct conf;
struct tool;

#define CLAUDE_API_VERSION "2026-10-21"
#define CLAUDE_MAX_RETRIES 2
#define CLAUDE_ID_SIZE     96

/* Where it is asked, of ANTHROPIC_BASE_URL and a path without a leading slash; and the header with the key. False:
 * dst is too small. */
bool claude_write_url(char *dst, size_t size, const struct conf *conf, const char *path);
bool claude_write_key_header(char *dst, size_t size, const struct conf *conf);

/* The request's body up to the question: the same bytes for every question, so that the provider can cache it. */
void claude_write_prefix(struct buf *out, const char *model, const char *effort);
/* The rest of it. */
void claude_write_question(struct buf *out, struct str question);

struct claude_reply {
    enum metric_ai_error error; /* METRIC_AI_OK: understood */
    const struct tool *tool;    /* NULL: it answered without one */
    struct json *arguments;     /* an object; NULL without a tool */
    int64_t input_tokens, output_tokens;
    int64_t retry_ms; /* after an error: try again in so long; -1: don't */
    int64_t asked_ms; /* the wait the provider asked for; -1: none */
    char request_id[CLAUDE_ID_SIZE];
};

/* Reads an answer; nodes and texts in the arena. `attempt` counts from 0, `jitter` is 0 … 1, now_s Unix time. */
void claude_read_answer(const struct fetch_answer *answer, unsigned attempt, double jitter, int64_t now_s,
                        struct arena *a, struct claude_reply *reply);

#endif
