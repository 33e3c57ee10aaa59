/*
 * task/once.c - a function that is to succeed once
 *
 * New, running (somebody has the turn; the others are in line), or done for ever. A runner that
 * fails hands the turn to the first in line, and with nobody there it is new again.
 */
#include "task/waiters.h"

#include <eddy/event.h>

struct once {
    struct eddy_task *runner; /* has the turn */
    bool done;
    struct eddy_waiters line; /* empty unless somebody has the turn */
} __attribute__((may_alias));

#define YOUR_TURN 1

static_assert(sizeof(struct once) <= sizeof(struct eddy_once), "a placed once has room");

static struct once *once_of(struct eddy_once *o)
{
    return (struct once *)(void *)o;
}

void eddy_once_init(struct eddy_once *o)
{
    *o = (struct eddy_once)EDDY_ONCE_INIT;
}

void eddy_once_done(struct eddy_once *o)
{
    assert(eddy_waiters_are_parents(&once_of(o)->line) ||
           (!once_of(o)->runner && !eddy_waiters_first(&once_of(o)->line)));
    (void)o;
}

static int run(struct once *o, int (*fn)(void *arg), void *arg)
{
    int r = fn(arg);

    if (eddy_waiters_are_parents(&o->line)) /* @fn has forked, and this is the child */
        return -EDDY_EFORKED;
    o->runner = NULL;
    if (r >= 0) {
        o->done = true;
        eddy_waiters_wake_all(&o->line, 0);
        return 0;
    }
    struct eddy_waiter *next = eddy_waiters_first(&o->line);
    if (next) {
        o->runner = next->wait.task;
        eddy_waiter_wake(next, YOUR_TURN);
    }
    return r;
}

int eddy_once_run(struct eddy_once *once, int (*fn)(void *arg), void *arg)
{
    struct once *o = once_of(once);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&o->line, &t);
    if (r < 0)
        return r;
    if (o->done)
        return eddy_lock_spend(t);
    if (o->runner == t)
        return -EDEADLK;
    if (o->runner) {
        struct eddy_waiter w = EDDY_WAITER("once", o, NULL);
        r = eddy_waiters_wait(&o->line, t, &w);
        if (r != YOUR_TURN)
            return r;
    }
    o->runner = t;
    return run(o, fn, arg);
}
