/*
 * task/condition.c - waiting for a change to what a mutex guards
 *
 * A waiter stands in the condition's line; the notification, or the cancel, moves it into the
 * mutex's line, with what its wait is to return. It is woken once, when it owns the mutex: by then
 * its fate is decided, and a cancel that comes between the two lines changes nothing.
 */
#include "task/waiters.h"

struct condition {
    struct eddy_waiters line;
} __attribute__((may_alias));

static_assert(sizeof(struct condition) <= sizeof(struct eddy_condition), "it has room");

static struct condition *condition_of(struct eddy_condition *c)
{
    return (struct condition *)(void *)c;
}

void eddy_condition_init(struct eddy_condition *c)
{
    *c = (struct eddy_condition)EDDY_CONDITION_INIT;
}

void eddy_condition_done(struct eddy_condition *c)
{
    assert(eddy_waiters_are_parents(&condition_of(c)->line) ||
           !eddy_waiters_first(&condition_of(c)->line));
    (void)c;
}

/* From the condition's line into the mutex's. */
static void move(struct eddy_waiter *w, int result)
{
    struct mutex *m = w->lock;

    eddy_list_remove(&w->link);
    w->grant = result;
    w->wait.interrupt = NULL; /* decided */
    eddy_waiters_push(&m->line, w);
    if (!m->owner)
        eddy_mutex_pass(m);
}

static void interrupted(struct eddy_wait *wait, int why)
{
    move((struct eddy_waiter *)(void *)wait, why);
}

int eddy_condition_wait(struct eddy_condition *condition, struct eddy_mutex *mutex)
{
    struct condition *c = condition_of(condition);
    struct mutex *m = mutex_of(mutex);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&c->line, &t);
    if (r < 0)
        return r;
    if (m->owner != t)
        return -EPERM;
    struct eddy_waiter w = EDDY_WAITER("condition", m, NULL);
    w.wait.interrupt = interrupted;
    eddy_mutex_pass(m);
    r = eddy_waiters_wait(&c->line, t, &w);
    assert(m->owner == t || r == -EDDY_EFORKED);
    return r;
}

void eddy_condition_notify(struct eddy_condition *condition)
{
    struct eddy_waiters *line = &condition_of(condition)->line;
    struct eddy_waiter *w = eddy_waiters_are_parents(line) ? NULL : eddy_waiters_first(line);

    if (w)
        move(w, 0);
}

void eddy_condition_notify_all(struct eddy_condition *condition)
{
    struct eddy_waiters *line = &condition_of(condition)->line;

    if (eddy_waiters_are_parents(line))
        return;
    for (struct eddy_waiter *w; (w = eddy_waiters_first(line));)
        move(w, 0);
}
