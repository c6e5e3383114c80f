/*
 * scoreboard_mail: the mailbox through which a request for a sync run reaches the sync process.
 *
 * State, ticket and the second of the last change share one 64-bit word, and
 * every step is one compare-and-swap of it: of several posters one wins, and a
 * process that comes back late finds another word and changes nothing. The
 * arguments lie in one of two places by the ticket's parity.
 */
#include "core/scoreboard.h"

#include <unistd.h>

#include "base/clock.h"
#include "core/seqlock.h"

#define TICKET_MASK 0xffffffU

_Static_assert(sizeof(struct sb_mail_request) % 4 == 0, "copied by words");

/* word: seconds << 32 | ticket << 8 | state */
static uint64_t word_make(enum sb_mail_state state, uint32_t ticket)
{
    uint32_t now_s = (uint32_t)(clock_mono_ns() / CLOCK_NS_PER_S);

    return (uint64_t)now_s << 32 | (uint64_t)(ticket & TICKET_MASK) << 8 | (uint64_t)state;
}

static uint32_t word_state(uint64_t word)
{
    return (uint32_t)(word & 0xff);
}

static uint32_t word_ticket(uint64_t word)
{
    return (uint32_t)(word >> 8) & TICKET_MASK;
}

static bool word_abandoned(uint64_t word)
{
    uint32_t now_s = (uint32_t)(clock_mono_ns() / CLOCK_NS_PER_S);

    return now_s - (uint32_t)(word >> 32) > SB_MAIL_ABANDONED_S;
}

/* Moves the box from the word seen to a new state under the same ticket. */
static bool box_step(struct sb_mailbox *box, uint64_t seen, enum sb_mail_state state)
{
    return atomic_compare_exchange_strong(&box->word, &seen, word_make(state, word_ticket(seen)));
}

uint32_t scoreboard_mail_post(struct scoreboard *sb, const struct sb_mail_request *r)
{
    struct sb_mailbox *box = &sb->mailbox;
    uint64_t seen = atomic_load(&box->word), claimed;
    uint32_t ticket = (word_ticket(seen) + 1) & TICKET_MASK;

    if (word_state(seen) != SB_MAIL_FREE && !word_abandoned(seen))
        return 0;
    if (ticket == 0)
        ticket = 1;
    claimed = word_make(SB_MAIL_CLAIMED, ticket);
    if (!atomic_compare_exchange_strong(&box->word, &seen, claimed))
        return 0;
    seqlock_copy_in(&box->requests[ticket & 1], r, sizeof(*r));
    return box_step(box, claimed, SB_MAIL_POSTED) ? ticket : 0;
}

bool scoreboard_mail_poll(struct scoreboard *sb, uint32_t ticket, enum sb_mail_answer *answer, int64_t *run_id)
{
    struct sb_mailbox *box = &sb->mailbox;
    uint64_t seen = atomic_load(&box->word);
    uint32_t given;

    *answer = SB_ANSWER_NONE;
    *run_id = 0;
    if (word_ticket(seen) != ticket || word_state(seen) == SB_MAIL_FREE)
        return true;
    if (word_state(seen) != SB_MAIL_ANSWERED)
        return false;
    given = atomic_load(&box->answer);
    *run_id = atomic_load(&box->run_id);
    if (!box_step(box, seen, SB_MAIL_FREE)) {
        *run_id = 0;
        return true;
    }
    *answer = given < SB_ANSWER_COUNT ? (enum sb_mail_answer)given : SB_ANSWER_NONE;
    return true;
}

static void request_check(struct sb_mail_request *r)
{
    if (r->mode >= SB_MODE_COUNT)
        r->mode = SB_MODE_DRY_RUN;
    if (r->trigger >= SB_TRIGGER_COUNT)
        r->trigger = SB_BY_SIGNAL;
    if (r->row_limit < 0)
        r->row_limit = 0;
}

bool scoreboard_mail_take(struct scoreboard *sb, struct sb_mail_request *r)
{
    struct sb_mailbox *box = &sb->mailbox;
    uint64_t seen = atomic_load(&box->word);

    if (word_state(seen) != SB_MAIL_POSTED)
        return false;
    if (!box_step(box, seen, SB_MAIL_TAKEN))
        return false;
    atomic_store(&box->taker_pid, (int32_t)getpid());
    seqlock_copy_out(r, &box->requests[word_ticket(seen) & 1], sizeof(*r));
    request_check(r);
    return true;
}

void scoreboard_mail_answer(struct scoreboard *sb, enum sb_mail_answer answer, int64_t run_id)
{
    struct sb_mailbox *box = &sb->mailbox;
    uint64_t seen = atomic_load(&box->word);

    if (word_state(seen) != SB_MAIL_TAKEN || atomic_load(&box->taker_pid) != (int32_t)getpid())
        return;
    atomic_store(&box->answer, answer);
    atomic_store(&box->run_id, run_id);
    (void)box_step(box, seen, SB_MAIL_ANSWERED);
}

enum sb_mail_state scoreboard_mail_state(const struct scoreboard *sb)
{
    uint32_t state = word_state(atomic_load(&sb->mailbox.word));

    return state <= SB_MAIL_ANSWERED ? (enum sb_mail_state)state : SB_MAIL_FREE;
}
