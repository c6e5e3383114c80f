/*
 * claude: asks Claude what a question means: a tool and its arguments (CONTRACT 17, 20.1).
 *
 * A question ends within its deadline, retries included. Nothing of it, nor of what comes back, is logged. At most
 * NL_CONCURRENCY are under way on the whole server, and none while the circuit is open.
 */
#ifndef API_CLAUDE_H
#define API_CLAUDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/conf.h"
#include "core/metrics.h"
#include "core/scoreboard.h"
#include "net/loop.h"

struct claude;
struct claude_call;
struct tool;

struct claude_result {
    enum metric_ai_error error; /* METRIC_AI_OK: understood */
    const struct tool *tool;    /* NULL: no tool answers it */
    struct str arguments;       /* a JSON object; borrowed */
};
typedef void (*claude_fn)(const struct claude_result *r, void *arg);

/* What it is given must outlive it. NULL: no memory. */
struct claude *claude_new(const struct conf *conf, struct scoreboard *sb, struct sb_slot *slot, struct loop *l);
void claude_free(struct claude *c); /* questions under way end without a callback */
/* Is there an ANTHROPIC_API_KEY? */
bool claude_is_configured(const struct claude *c);
/* Differs where the same question may be understood differently: model, effort, tools, instructions. */
uint64_t claude_identity(const struct claude *c);

/*
 * The callback comes once, from the loop. NULL: it may not be asked now (the circuit is open, too many are under
 * way), or no memory. The question must last until the callback or claude_cancel.
 */
struct claude_call *claude_ask(struct claude *c, struct str question, uint64_t deadline_ns, claude_fn fn, void *arg);
void claude_cancel(struct claude_call *call); /* the asker is gone */

#endif
