/*
 * task/wait.c - suspending and waking; sleep, yield, and waiting for an operation
 */
#include "task/wait.h"

#include "task/task.h"

#include <eddy/log.h>

int eddy__wait_check(void)
{
    struct eddy_task *t = eddy_task_current();

    if (!t)
        return eddy_task_refusal();
    return eddy_scope_reason(t->scope);
}

int eddy__wait(struct eddy_wait *w)
{
    return eddy_task_wait(eddy_task_current(), w);
}

/* The task that the loop would resume if the running one suspended now, out of the queue: then the
 * one can switch to the other, and a turn costs one switch instead of two. NULL: something else is
 * next, or the loop has to see each turn, or this one is not the loop's (eddy__go_now()). */
static inline struct eddy_task *next_in_batch(struct eddy_loop *loop)
{
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    struct eddy_list *link = loop->batch.next;

    if (link == &loop->batch || !room->chained || loop->watched)
        return NULL;
    struct eddy_soon *soon = eddy_container_of(link, struct eddy_soon, link);
    if (soon->run != eddy_task_resume_soon)
        return NULL;
    struct eddy_task *next = eddy_container_of(soon, struct eddy_task, soon);
    if (!next->switches) /* a new stack begins from the thread's */
        return NULL;
    eddy_list_remove(link);
    __builtin_prefetch(loop->batch.next->next);
    next->budget = TRIES_A_TURN;
    return next;
}

static inline void leave(struct eddy_task *t)
{
    struct eddy_task *next = next_in_batch(t->loop);

    if (next)
        eddy_task_go_on(t, next);
    else
        eddy_task_suspend(t);
}

int eddy_task_wait(struct eddy_task *t, struct eddy_wait *w)
{
    assert(t && !t->wait && "eddy__wait_check() comes first");
    if (w->done)
        return w->result;
    w->task = t;
    w->since_ns = t->loop->now_ns;
    /* A call of several waits looked at its scope before the first; if that has ended since, this
     * one is over before it begins. Nobody else would tell it: the end has passed by here. */
    if (t->scope->why && w->interrupt) {
        w->why = t->scope->why;
        w->interrupt(w, w->why);
        if (w->done)
            return w->result;
    }
    t->wait = w;
    if (t->born) {
        t->loop->tasks_waiting++;
        leave(t);
    } else {
        for (; !w->done; t->loop->running = true) {
            int r = eddy__loop_iterate(t->loop, -1);
            if (r == -EDDY_EFORKED) {
                t->wait = NULL;
                return r; /* the child of a fork: nobody will wake us */
            }
            if (r < 0)
                eddy_log(EDDY_LOG_ERROR, "the loop cannot wait: %s", eddy_strerror(r));
        }
        t->loop->running = false;
    }
    assert(w->done && !t->wait);
    return w->result;
}

void eddy__wake(struct eddy_wait *w, int result)
{
    struct eddy_task *t = w->task;

    assert(!w->done);
    w->done = true;
    w->result = result;
    if (!t || t->wait != w)
        return; /* before its wait began */
    t->wait = NULL;
    if (t->born) {
        t->loop->tasks_waiting--;
        eddy__soon_join(t->loop, &t->soon, eddy_task_resume_soon);
    } else {
        t->loop->nudged = true;
    }
}

/* --- yielding -------------------------------------------------------------------------------- */

void eddy_task_give_way(struct eddy_task *t)
{
    t->budget = TRIES_A_TURN;
    if (t->born) {
        eddy_task_run_soon(t);
        leave(t);
    } else {
        eddy__loop_iterate(t->loop, 0);
    }
}

void eddy__budget_spend(void)
{
    struct eddy_task *t = eddy_task_current();

    if (t)
        eddy_task_spend(t);
}

int eddy_yield(void)
{
    int r = eddy__wait_check();

    if (r < 0)
        return r;
    eddy_task_give_way(eddy_task_current());
    return 0;
}

/* --- sleeping ---------------------------------------------------------------------------------- */

struct sleeper {
    struct eddy_wait wait; /* first */
    struct eddy_timer timer;
};

static void slept(struct eddy_timer *t)
{
    eddy__wake(&eddy_container_of(t, struct sleeper, timer)->wait, 0);
}

static void sleep_interrupted(struct eddy_wait *w, int why)
{
    eddy__timer_stop(w->task->loop, &((struct sleeper *)(void *)w)->timer);
    eddy__wake(w, why);
}

int eddy_sleep(int64_t ms)
{
    if (ms <= 0)
        return eddy_yield();
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    struct sleeper s = { .wait = EDDY_WAIT(sleep_interrupted, "sleep") };
    struct eddy_loop *loop = eddy__loop();
    eddy__timer_start(loop, &s.timer, eddy_deadline_ns(eddy_loop_clock(loop), ms), slept);
    return eddy__wait(&s.wait);
}

/* --- operations ---------------------------------------------------------------------------------- */

struct op_wait {
    struct eddy_wait wait; /* first */
    struct eddy_op *op;
};

static void op_done(struct eddy_op *op, int res)
{
    struct op_wait *w = op->ctx;

    eddy__wake(&w->wait, res);
}

static void op_interrupted(struct eddy_wait *w, int why)
{
    struct op_wait *self = (struct op_wait *)(void *)w;

    (void)why;
    if (eddy__op_cancel(w->task->loop, self->op))
        eddy__wake(w, self->op->res);
}

const struct eddy_op *eddy_wait_op(const struct eddy_wait *w)
{
    return w->interrupt == op_interrupted ? ((const struct op_wait *)(const void *)w)->op : NULL;
}

int eddy__op_wait(struct eddy_op *op)
{
    int r = eddy__wait_check();

    if (r < 0)
        return r;
    struct op_wait w = { .wait = EDDY_WAIT(op_interrupted, "operation"), .op = op };
    w.wait.fd = op->fd;
    op->ctx = &w;
    op->done = op_done;
    if (eddy__op_submit(eddy__loop(), op)) {
        if (op->res >= 0)
            eddy__budget_spend();
        return op->res;
    }
    r = eddy__wait(&w.wait);
    return r == -ECANCELED && w.wait.why ? w.wait.why : r;
}
