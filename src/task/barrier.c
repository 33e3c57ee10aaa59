/*
 * task/barrier.c - n parties meet
 *
 * The last one to come wakes the others with their result, so a round is over at once and the
 * next may begin before they have run. Broken means that a round can no longer become full.
 */
#include "task/waiters.h"

#include <eddy/event.h>

struct barrier {
    size_t parties;
    size_t here; /* how many are in line */
    bool broken;
    struct eddy_waiters line;
} __attribute__((may_alias));

static_assert(sizeof(struct barrier) <= sizeof(struct eddy_barrier), "a placed one has room");

static struct barrier *barrier_of(struct eddy_barrier *b)
{
    return (struct barrier *)(void *)b;
}

void eddy_barrier_init(struct eddy_barrier *b, size_t parties)
{
    assert(parties > 0);
    *b = (struct eddy_barrier)EDDY_BARRIER_INIT(parties);
}

void eddy_barrier_done(struct eddy_barrier *b)
{
    assert(eddy_waiters_are_parents(&barrier_of(b)->line) || !barrier_of(b)->here);
    (void)b;
}

static void let_go(struct barrier *b, int result)
{
    if (eddy_waiters_are_parents(&b->line))
        return;
    b->here = 0;
    eddy_waiters_wake_all(&b->line, result);
}

/* A party was cancelled; it is out of line already. */
static void broke(void *barrier)
{
    struct barrier *b = barrier;

    b->broken = true;
    let_go(b, -EDDY_EBROKEN);
}

int eddy_barrier_wait(struct eddy_barrier *barrier)
{
    struct barrier *b = barrier_of(barrier);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&b->line, &t);
    if (r < 0)
        return r;
    assert(b->parties > 0);
    if (!b->broken && b->here + 1 == b->parties && (r = eddy_lock_spend(t)) < 0)
        return r;
    if (b->broken)
        return -EDDY_EBROKEN;
    if (b->here + 1 == b->parties) {
        let_go(b, 0);
        return 1;
    }
    struct eddy_waiter w = EDDY_WAITER("barrier", b, broke);
    b->here++;
    return eddy_waiters_wait(&b->line, t, &w);
}

void eddy_barrier_abort(struct eddy_barrier *b)
{
    broke(barrier_of(b));
}

void eddy_barrier_reset(struct eddy_barrier *b)
{
    let_go(barrier_of(b), -EDDY_EBROKEN);
    barrier_of(b)->broken = false;
}
