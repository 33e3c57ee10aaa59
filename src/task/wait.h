/*
 * task/wait.h - waiting: the one primitive under every call that suspends
 *
 *   int r = eddy__wait_check();            entry: looks at the scope; -ECANCELED, -ETIMEDOUT, -EDEADLK
 *   if (r < 0) return r;
 *   struct eddy_wait w = EDDY_WAIT(interrupt, "read");
 *   ...put &w where the event will find it...
 *   return eddy__wait(&w);                 until eddy__wake(&w, result)
 *
 * interrupt(w, why) is called (from the loop) when the scope ends meanwhile. It either takes w
 * away from where it stands and calls eddy__wake(w, why) ("nothing happened"), or asks for the
 * end and returns: the wait then goes on until the event's own wake ("completion wins").
 */
#ifndef EDDY_TASK_WAIT_H
#define EDDY_TASK_WAIT_H

#include "loop/loop.h"

#include <eddy/task.h>

struct eddy_wait {
    struct eddy_task *task; /* who waits; the root task in plain code */
    void (*interrupt)(struct eddy_wait *w, int why);
    const char *what; /* for people: "read", "join", ...; a constant text */
    int fd;           /* on which descriptor, or -1 */
    int64_t since_ns; /* when it began to wait, on the loop's clock as it was last read */
    int result;
    int why; /* the scope ended while this wait went on: -ECANCELED or -ETIMEDOUT; else 0 */
    bool done;
    bool polite; /* a drain ends it, too: interrupt(w, -EDDY_EDRAINING); for waits for new work */
};

#define EDDY_WAIT(interrupt_fn, text)                                                              \
    ((struct eddy_wait){ .interrupt = (interrupt_fn), .what = (text), .fd = -1 })

/* Whether a call may suspend here and now. */
EDDY_PRIVATE int eddy__wait_check(void);

/* Suspend the task (or turn the loop, in plain code) until eddy__wake(). Returns its result.
 * A NULL interrupt cannot be cancelled: use it only where the end is certain and near. */
EDDY_PRIVATE int eddy__wait(struct eddy_wait *w);

/* From the loop or another task: the wait is over. Once only. Never switches at once. */
EDDY_PRIVATE void eddy__wake(struct eddy_wait *w, int result);

/* Check, submit, wait; cancelled: cancels the operation and waits for its completion. An
 * operation that succeeds at once spends one of the task's tries and yields at zero. Returns
 * op->res, where a -ECANCELED that a scope caused reads as that scope's reason. */
EDDY_PRIVATE int eddy__op_wait(struct eddy_op *op);

/* Start a child and run it right now, from a callback of the loop, until it first suspends or
 * ends. What a server does with a request: two switches, nothing queued. */
EDDY_PRIVATE int eddy__go_now(struct eddy_scope *scope, const struct eddy_task_type *type,
                              const void *args);

/* A scope in the hands of callback code, embedded in an object: enter it with @parent (NULL:
 * the loop's root), end it with eddy__scope_close; @on_empty is called from the loop when the
 * last child has stopped after the close. May be closed and entered again, cheaply: a server
 * does it for every request. No on_empty (NULL) is allowed when no child can be left. Opening is
 * 0, or -ENOMEM: then it may be closed, and nothing else; it cannot fail inside one that is open. */
EDDY_PRIVATE int eddy__scope_open(struct eddy_scope *scope, struct eddy_scope *parent,
                                  const struct eddy_scope_options *options);
EDDY_PRIVATE void eddy__scope_close(struct eddy_scope *scope, void (*on_empty)(void *ctx),
                                    void *ctx);

/* What is no task and ends with a scope: a child process. When the scope ends, end() is called, from
 * wherever that is done, maybe twice; it asks for the end, and may leave. Leaving the scope waits until
 * eddy__ward_leave(), joining does not. A scope of callback code that is closed with nobody to be
 * told lets its wards go, told to end. */
struct eddy_ward {
    struct eddy_list link;
    struct eddy_scope *scope; /* NULL: in none */
    void (*end)(struct eddy_ward *w);
};

/* Into the innermost scope of who runs, after an eddy__wait_check() of this call; one that has ended
 * meanwhile ends it at once. Out again is harmless when it is in none. */
EDDY_PRIVATE void eddy__ward_enter(struct eddy_ward *w);
EDDY_PRIVATE void eddy__ward_leave(struct eddy_ward *w);

/* Spend a try: for calls that succeeded without waiting. May yield the task. */
EDDY_PRIVATE void eddy__budget_spend(void);

#endif
