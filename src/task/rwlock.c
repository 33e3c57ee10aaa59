/*
 * task/rwlock.c - readers together, or one writer
 *
 * One line for both, so neither starves: a reader goes in at once only when nobody is in line.
 * Whenever the lock becomes freer (an unlock, a writer who leaves the line) the head of the line
 * goes in as far as it may: a writer alone, or all readers up to the next writer.
 */
#include "task/waiters.h"

struct rwlock {
    struct eddy_task *writer;
    size_t readers;
    struct eddy_waiters line;
} __attribute__((may_alias));

static_assert(sizeof(struct rwlock) <= sizeof(struct eddy_rwlock), "a placed lock has room");

static struct rwlock *rwlock_of(struct eddy_rwlock *l)
{
    return (struct rwlock *)(void *)l;
}

void eddy_rwlock_init(struct eddy_rwlock *l)
{
    *l = (struct eddy_rwlock)EDDY_RWLOCK_INIT;
}

void eddy_rwlock_done(struct eddy_rwlock *l)
{
    if (eddy_waiters_are_parents(&rwlock_of(l)->line))
        return;
    assert(!rwlock_of(l)->writer && !rwlock_of(l)->readers);
    assert(!eddy_waiters_first(&rwlock_of(l)->line));
}

static bool may_enter(const struct rwlock *l, bool writes)
{
    return !l->writer && !(writes && l->readers);
}

static void enter(struct rwlock *l, struct eddy_task *t, bool writes)
{
    if (writes)
        l->writer = t;
    else
        l->readers++;
}

static void let_in(void *lock)
{
    struct rwlock *l = lock;

    for (struct eddy_waiter *w; (w = eddy_waiters_first(&l->line)) && may_enter(l, w->writes);) {
        enter(l, w->wait.task, w->writes);
        eddy_waiter_wake(w, 0);
    }
}

/* At once: it is open to us, and nobody is in line. */
static bool is_free(const struct rwlock *l, bool writes)
{
    return may_enter(l, writes) && !eddy_waiters_first(&l->line);
}

static int lock(struct rwlock *l, bool writes)
{
    struct eddy_task *t;

    int r = eddy_waiters_enter(&l->line, &t);
    if (r < 0)
        return r;
    if (l->writer == t)
        return -EDEADLK;
    if (is_free(l, writes) && (r = eddy_lock_spend(t)) < 0)
        return r;
    if (is_free(l, writes)) {
        enter(l, t, writes);
        return 0;
    }
    struct eddy_waiter w = EDDY_WAITER(writes ? "write lock" : "read lock", l, let_in);
    w.writes = writes;
    return eddy_waiters_wait(&l->line, t, &w);
}

int eddy_rwlock_read(struct eddy_rwlock *l)
{
    return lock(rwlock_of(l), false);
}

int eddy_rwlock_write(struct eddy_rwlock *l)
{
    return lock(rwlock_of(l), true);
}

static int try_lock(struct rwlock *l, bool writes)
{
    struct eddy_task *t;

    int r = eddy_waiters_enter(&l->line, &t);
    if (r < 0)
        return r;
    if (l->writer == t)
        return -EDEADLK;
    if (!is_free(l, writes))
        return -EBUSY;
    enter(l, t, writes);
    return 0;
}

int eddy_rwlock_try_read(struct eddy_rwlock *l)
{
    return try_lock(rwlock_of(l), false);
}

int eddy_rwlock_try_write(struct eddy_rwlock *l)
{
    return try_lock(rwlock_of(l), true);
}

int eddy_rwlock_unlock(struct eddy_rwlock *rwlock)
{
    struct rwlock *l = rwlock_of(rwlock);
    struct eddy_task *t = eddy_task_current();

    if (eddy_waiters_are_parents(&l->line))
        return -EDDY_EFORKED;
    if (!t || (l->writer ? l->writer != t : l->readers == 0))
        return -EPERM;
    if (l->writer)
        l->writer = NULL;
    else
        l->readers--;
    let_in(l);
    return 0;
}
