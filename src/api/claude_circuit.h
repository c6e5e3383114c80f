/*
 * claude_circuit: whether Claude may be asked now: one judgement for the whole server, in the scoreboard.
 *
 * After CIRCUIT_FAILURES failures in a row, or one that will not pass by itself, nobody asks for a while, then one
 * question tries, for the others it stays open. Each opening without a success between lasts twice as long; what was
 * asked before it opened and fails later says nothing new.
 */
#ifndef API_CLAUDE_CIRCUIT_H
#define API_CLAUDE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/scoreboard.h"

#define CIRCUIT_FAILURES   3
#define CIRCUIT_FIRST_MS   1000
#define CIRCUIT_LONGEST_MS 60000
#define CIRCUIT_ASKED_MS   600000 /* the longest wait that a provider may ask for */
#define CIRCUIT_TRIAL_MS   5000   /* a trial that tells nothing by then is followed by another */

/* Settings that differ from those judged begin with a closed circuit. */
void circuit_begin(struct scoreboard *sb, uint64_t settings);
/* True also makes the caller the one that tries, when it is time. */
bool circuit_allows(struct scoreboard *sb, uint64_t now_ns);
void circuit_good(struct scoreboard *sb);
/* What was asked at begun_ns has failed. `lasting`: it will not pass by itself. asked_ms: the wait the provider asked
 * for, -1: none. True: it opens now. */
bool circuit_bad(struct scoreboard *sb, uint64_t begun_ns, uint64_t now_ns, bool lasting, int64_t asked_ms);

/* A place among the `most` questions under way on the whole server; false: there is none. */
bool circuit_take_place(struct scoreboard *sb, struct sb_slot *slot, int64_t most);
void circuit_give_place(struct sb_slot *slot);

#endif
