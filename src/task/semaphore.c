/*
 * task/semaphore.c - a number of permits
 *
 * Either there are permits or somebody is in line, never both: a release hands its permit to the
 * first waiter and counts it only when there is none.
 */
#include "task/waiters.h"

struct semaphore {
    size_t permits;
    struct eddy_waiters line;
} __attribute__((may_alias));

static_assert(sizeof(struct semaphore) <= sizeof(struct eddy_semaphore), "it has room");

static struct semaphore *semaphore_of(struct eddy_semaphore *s)
{
    return (struct semaphore *)(void *)s;
}

void eddy_semaphore_init(struct eddy_semaphore *s, size_t permits)
{
    *s = (struct eddy_semaphore)EDDY_SEMAPHORE_INIT(permits);
}

void eddy_semaphore_done(struct eddy_semaphore *s)
{
    assert(eddy_waiters_are_parents(&semaphore_of(s)->line) ||
           !eddy_waiters_first(&semaphore_of(s)->line));
    (void)s;
}

int eddy_semaphore_acquire(struct eddy_semaphore *semaphore)
{
    struct semaphore *s = semaphore_of(semaphore);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&s->line, &t);
    if (r < 0)
        return r;
    if (s->permits && (r = eddy_lock_spend(t)) < 0)
        return r;
    if (s->permits) {
        s->permits--;
        return 0;
    }
    struct eddy_waiter w = EDDY_WAITER("semaphore", s, NULL);
    return eddy_waiters_wait(&s->line, t, &w);
}

int eddy_semaphore_try(struct eddy_semaphore *semaphore)
{
    struct semaphore *s = semaphore_of(semaphore);
    struct eddy_task *t = eddy_task_current();

    if (eddy_waiters_claim(&s->line) < 0)
        return -EDDY_EFORKED;
    if (t && eddy_scope_reason(t->scope) < 0)
        return t->scope->why;
    if (!s->permits)
        return -EAGAIN;
    s->permits--;
    return 0;
}

void eddy_semaphore_release(struct eddy_semaphore *semaphore)
{
    struct semaphore *s = semaphore_of(semaphore);
    struct eddy_waiter *next = eddy_waiters_first(&s->line);

    if (eddy_waiters_are_parents(&s->line))
        return;
    if (next) {
        assert(s->permits == 0);
        eddy_waiter_wake(next, 0);
        return;
    }
    assert(s->permits < SIZE_MAX);
    s->permits++;
}

size_t eddy_semaphore_permits(const struct eddy_semaphore *s)
{
    return s->permits;
}
