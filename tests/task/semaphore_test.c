/*
 * The semaphore, rule by rule, and with cancels at random.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "chaos.h"
#include "line.h"

#include <eddy/lock.h>

#include <errno.h>

static int take(void *s)
{
    return eddy_semaphore_acquire(s);
}

static void give(void *s)
{
    eddy_semaphore_release(s);
}

static struct eddy_semaphore shared = EDDY_SEMAPHORE_INIT(1);
static const struct line line = { &shared, take, give };

EDDY_TEST(semaphore_is_first_come_first_served)
{
    line_is_first_come_first_served(&line);
}

EDDY_TEST(semaphore_looks_at_its_scope_first)
{
    line_looks_at_its_scope_first(&line);
}

EDDY_TEST(semaphore_cancelled_is_out_of_line)
{
    line_cancelled_is_out_of_line(&line);
}

EDDY_TEST(semaphore_handed_over_is_held)
{
    line_handed_over_is_held(&line);
}

EDDY_TEST(semaphore_free_spends_a_try)
{
    line_free_spends_a_try(&line);
}

EDDY_TEST(semaphore_in_a_callback_is_edeadlk)
{
    line_in_a_callback_is_edeadlk(&line);
}

EDDY_TEST(a_semaphore_counts)
{
    EDDY_AUTO(eddy_semaphore) s = EDDY_SEMAPHORE_INIT(9);

    eddy_semaphore_init(&s, 2);
    EDDY_CHECK_EQ(eddy_semaphore_acquire(&s), 0);
    EDDY_CHECK_EQ(eddy_semaphore_try(&s), 0);
    EDDY_CHECK_EQ(eddy_semaphore_permits(&s), 0);
    EDDY_CHECK_EQ(eddy_semaphore_try(&s), -EAGAIN);
    {
        EDDY_SCOPE(t, .timeout_ms = 1);
        EDDY_CHECK_ERR(eddy_semaphore_acquire(&s), -ETIMEDOUT);
        EDDY_CHECK_ERR(eddy_semaphore_try(&s), -ETIMEDOUT);
    }
    eddy_semaphore_release(&s);
    eddy_semaphore_release(&s);
    eddy_semaphore_release(&s); /* one that nobody took */
    EDDY_CHECK_EQ(eddy_semaphore_permits(&s), 3);
    {
        EDDY_PERMITTED(held, &s);
        EDDY_CHECK_EQ(held, 0);
        EDDY_CHECK_EQ(eddy_semaphore_permits(&s), 2);
    }
    EDDY_CHECK_EQ(eddy_semaphore_permits(&s), 3);
}

static void release_it(void *s)
{
    EDDY_CHECK_EQ(eddy_semaphore_try(s), -EAGAIN);
    eddy_semaphore_release(s);
}

EDDY_TEST(a_callback_may_release)
{
    EDDY_AUTO(eddy_semaphore) s = EDDY_SEMAPHORE_INIT(0);
    EDDY_SCOPE(t, .timeout_ms = 10000);

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), release_it, &s), 0);
    EDDY_CHECK_EQ(eddy_semaphore_acquire(&s), 0);
    EDDY_CHECK_EQ(eddy_semaphore_permits(&s), 0);
}

/* --- at random ----------------------------------------------------------------------------------- */

struct guarded {
    struct eddy_semaphore s;
    int inside;
};

static int enters(struct chaos *c, unsigned who)
{
    struct guarded *g = c->ctx;

    (void)who;
    EDDY_PERMITTED(held, &g->s);
    if (held < 0)
        return held;
    EDDY_CHECK(++g->inside <= 3);
    int r = chaos_pause(c);
    g->inside--;
    return r;
}

static void cancelled_at_random(uint64_t seed)
{
    struct guarded g = { EDDY_SEMAPHORE_INIT(3), 0 };
    struct chaos c = { .work = enters, .ctx = &g, .workers = 8, .rounds = 30, .dice = seed };

    chaos_run(&c);
    EDDY_CHECK_EQ(eddy_semaphore_permits(&g.s), 3);
    eddy_semaphore_done(&g.s);
}

EDDY_TEST(semaphore_survives_random_cancels)
{
    chaos_each(cancelled_at_random);
}
