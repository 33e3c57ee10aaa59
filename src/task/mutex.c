/*
 * task/mutex.c - one task at a time
 *
 * Free exactly when it has no owner, and then nobody is in line: unlocking hands it to the first
 * waiter, which is its owner from that moment, though it runs only in the next iteration.
 */
#include "task/waiters.h"

static_assert(sizeof(struct mutex) <= sizeof(struct eddy_mutex), "a placed mutex has room");

void eddy_mutex_init(struct eddy_mutex *m)
{
    *m = (struct eddy_mutex)EDDY_MUTEX_INIT;
}

void eddy_mutex_done(struct eddy_mutex *m)
{
    assert(eddy_waiters_are_parents(&mutex_of(m)->line) ||
           (!mutex_of(m)->owner && !eddy_waiters_first(&mutex_of(m)->line)));
    (void)m;
}

void eddy_mutex_pass(struct mutex *m)
{
    struct eddy_waiter *next = eddy_waiters_first(&m->line);

    m->owner = NULL;
    if (next) {
        m->owner = next->wait.task;
        eddy_waiter_wake(next, next->grant);
    }
}

int eddy_mutex_lock(struct eddy_mutex *mutex)
{
    struct mutex *m = mutex_of(mutex);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&m->line, &t);
    if (r < 0)
        return r;
    if (m->owner == t)
        return -EDEADLK;
    if (!m->owner && (r = eddy_lock_spend(t)) < 0)
        return r;
    if (!m->owner) {
        m->owner = t;
        return 0;
    }
    struct eddy_waiter w = EDDY_WAITER("mutex", m, NULL);
    r = eddy_waiters_wait(&m->line, t, &w);
    assert(r < 0 || m->owner == t);
    return r;
}

int eddy_mutex_try(struct eddy_mutex *mutex)
{
    struct mutex *m = mutex_of(mutex);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&m->line, &t);
    if (r < 0)
        return r;
    if (m->owner)
        return m->owner == t ? -EDEADLK : -EBUSY;
    m->owner = t;
    return 0;
}

int eddy_mutex_unlock(struct eddy_mutex *mutex)
{
    struct mutex *m = mutex_of(mutex);
    struct eddy_task *t = eddy_task_current();

    if (eddy_waiters_are_parents(&m->line))
        return -EDDY_EFORKED;
    if (!t || m->owner != t)
        return -EPERM;
    eddy_mutex_pass(m);
    return 0;
}
