/*
 * task/waiters.h - tasks in line: first come, first served
 *
 * What the locks of one loop have in common. A line that is all zero is empty, so a lock may be
 * static. A waiter lies on its task's stack. Whoever has something for it takes it out of line,
 * writes down what it now owns, and wakes it; from then on a cancel comes too late (completion
 * wins), so what is handed over is always taken.
 */
#ifndef EDDY_TASK_WAITERS_H
#define EDDY_TASK_WAITERS_H

#include "base/list.h"
#include "task/task.h"

#include <eddy/lock.h>

struct eddy_waiters {
    struct eddy_list list; /* of struct eddy_waiter; zero before the first one came */
    unsigned process;      /* that has used it, as eddy_forks + 1; 0: none yet */
};

struct eddy_waiter {
    struct eddy_wait wait; /* first */
    struct eddy_list link;
    void *lock;               /* what is waited for */
    void (*left)(void *lock); /* it was cancelled and is out of line; may be NULL */
    int grant;                /* what its wait returns when it is given the lock */
    bool writes;              /* a read-write lock's */
};

/* Cancelled: out of line, and left() is called. */
void eddy_waiter_interrupted(struct eddy_wait *wait, int why);

#define EDDY_WAITER(text, lock_, left_)                                                            \
    ((struct eddy_waiter){                                                                         \
        .wait = EDDY_WAIT(eddy_waiter_interrupted, (text)), .lock = (lock_), .left = (left_) })

static inline struct eddy_waiter *eddy_waiters_first(const struct eddy_waiters *line)
{
    struct eddy_list *first = line->list.next;

    return first && first != &line->list ? eddy_container_of(first, struct eddy_waiter, link)
                                         : NULL;
}

static inline void eddy_waiters_push(struct eddy_waiters *line, struct eddy_waiter *w)
{
    if (!line->list.next)
        eddy_list_init(&line->list);
    eddy_list_push(&line->list, &w->link);
}

/* Out of line, and on: its wait returns @result. */
static inline void eddy_waiter_wake(struct eddy_waiter *w, int result)
{
    assert((w->wait.task->loop == eddy__loop() || eddy_loop_is_parents(w->wait.task->loop)) &&
           "a lock is for the tasks of one loop");
    eddy_list_remove(&w->link);
    eddy__wake(&w->wait, result);
}

static inline void eddy_waiters_wake_all(struct eddy_waiters *line, int result)
{
    for (struct eddy_waiter *w; (w = eddy_waiters_first(line));)
        eddy_waiter_wake(w, result);
}

/* Stand in line until somebody wakes us. A cancel reads as the reason of the scope that counts. */
static inline int eddy_waiters_wait(struct eddy_waiters *line, struct eddy_task *t,
                                    struct eddy_waiter *w)
{
    eddy_waiters_push(line, w);
    int r = eddy_task_wait(t, &w->wait);
    return r < 0 && w->wait.why ? w->wait.why : r;
}

/* The entry of every call: who calls, and whether it may wait. */
static inline int eddy_lock_enter(struct eddy_task **ret_task)
{
    struct eddy_task *t = eddy_task_current();

    if (!t)
        return eddy_task_refusal();
    *ret_task = t;
    return eddy_scope_reason(t->scope);
}

/* In the child of a fork what the parent has used is the parent's: who stands in its line, or holds
 * it, is not there. Nothing of it is touched then. What nobody has used yet is as good as new. */
static inline bool eddy_waiters_are_parents(const struct eddy_waiters *line)
{
    return line->process && eddy_forked_since(line->process - 1);
}

static inline int eddy_waiters_claim(struct eddy_waiters *line)
{
    if (!line->process)
        line->process = eddy_forks + 1;
    return eddy_waiters_are_parents(line) ? -EDDY_EFORKED : 0;
}

/* The same, of a call on a lock. */
static inline int eddy_waiters_enter(struct eddy_waiters *line, struct eddy_task **ret_task)
{
    int r = eddy_waiters_claim(line);

    return r < 0 ? r : eddy_lock_enter(ret_task);
}

/* Something is to be had without a wait: spend a try, before it is taken, so that a task that has
 * to give way holds nothing meanwhile. The caller looks again: it may be gone. */
static inline int eddy_lock_spend(struct eddy_task *t)
{
    if (t->budget > 0) {
        t->budget--;
        return 0;
    }
    eddy_task_give_way(t);
    t->budget--;
    return eddy_scope_reason(t->scope);
}

/* A mutex from inside, for the condition. */
struct mutex {
    struct eddy_task *owner;
    struct eddy_waiters line;
} __attribute__((may_alias));

static inline struct mutex *mutex_of(struct eddy_mutex *m)
{
    return (struct mutex *)(void *)m;
}

/* The owner has done with it: to the next in line, or free. */
void eddy_mutex_pass(struct mutex *m);

#endif
