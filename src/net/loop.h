/*
 * loop: the one event base of a process, made after fork.
 *
 * Objects freed inside a callback go to the loop's bin and are given back after
 * the turn, so no callback meets freed memory. A turn is: wait, callbacks of
 * events, deferred calls, tick, bin.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;
struct loop_watch;

typedef void (*loop_fn)(void *arg);

struct loop *loop_new(void); /* NULL when the kernel or memory refuses */
/* Calls still deferred are dropped, the bin is emptied. Every event and timer must be gone. */
void loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l);

/* Runs until loop_stop, calling `tick` at least every tick_ms and after each turn that took events. */
void loop_run(struct loop *l, unsigned tick_ms, loop_fn tick, void *arg);
void loop_stop(struct loop *l);
uint64_t loop_now_ns(struct loop *l); /* monotonic, read once a turn */

/* free(ptr) after this turn. */
void loop_free_later(struct loop *l, void *ptr);
/* fn(arg) after this turn; what it defers itself waits for the next turn. False: no memory. */
bool loop_defer(struct loop *l, loop_fn fn, void *arg);
/* Forgets such calls not yet made: `arg` is going away. */
void loop_defer_cancel(struct loop *l, loop_fn fn, void *arg);

/* One-shot timer; re-arm from its callback for a period. Freed timers never fire. NULL: no memory. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg);
void loop_timer_set(struct loop_timer *t, uint64_t ms);
void loop_timer_clear(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* fn(arg) in every turn in which fd has something to read or has ended. NULL: no memory, or no such descriptor. */
struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_fn fn, void *arg);
void loop_watch_free(struct loop_watch *w); /* leaves the descriptor open */

#endif
