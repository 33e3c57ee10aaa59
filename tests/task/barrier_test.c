/*
 * The barrier, rule by rule, and with cancels at random.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "chaos.h"

#include <eddy/event.h>

#define UNSET 12345

static void settle(void)
{
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
}

struct party_args {
    struct eddy_barrier *b;
    int rounds;
    int *leaders;
    int *passed;
    int *result;
    struct eddy_scope **scope;
};

static int party(struct party_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    for (int i = 0; i < a->rounds; i++) {
        int r = eddy_barrier_wait(a->b);
        if (a->result)
            *a->result = r;
        if (r < 0)
            return 0;
        ++*a->passed;
        *a->leaders += r;
    }
    return 0;
}
EDDY_TASK(party);

EDDY_TEST(a_barrier_lets_all_go_at_once)
{
    EDDY_AUTO(eddy_barrier) b = EDDY_BARRIER_INIT(9);
    int leaders = 0, passed = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    eddy_barrier_init(&b, 3);
    for (int i = 0; i < 2; i++)
        EDDY_GO(&s, party, .b = &b, .rounds = 1, .leaders = &leaders, .passed = &passed);
    settle();
    EDDY_CHECK_EQ(passed, 0);
    EDDY_CHECK_EQ(eddy_barrier_wait(&b), 1); /* the last one leads */
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(passed, 2);
    EDDY_CHECK_EQ(leaders, 0);
}

EDDY_TEST(a_barrier_is_used_again)
{
    EDDY_AUTO(eddy_barrier) b = EDDY_BARRIER_INIT(4);
    int leaders = 0, passed = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    for (int i = 0; i < 4; i++)
        EDDY_GO(&s, party, .b = &b, .rounds = 100, .leaders = &leaders, .passed = &passed);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(passed, 400);
    EDDY_CHECK_EQ(leaders, 100);
}

EDDY_TEST(a_cancelled_party_breaks_it)
{
    EDDY_AUTO(eddy_barrier) b = EDDY_BARRIER_INIT(3);
    int leaders = 0, passed = 0, first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, party, .b = &b, .rounds = 1, .leaders = &leaders, .passed = &passed,
            .result = &first, .scope = &victim);
    EDDY_GO(&s, party, .b = &b, .rounds = 1, .leaders = &leaders, .passed = &passed,
            .result = &second);
    settle();
    eddy_scope_cancel(victim);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_ERR(second, -EDDY_EBROKEN);
    EDDY_CHECK_ERR(eddy_barrier_wait(&b), -EDDY_EBROKEN);
    EDDY_CHECK_EQ(passed, 0);
}

EDDY_TEST(a_broken_barrier_can_be_reset)
{
    EDDY_AUTO(eddy_barrier) b = EDDY_BARRIER_INIT(2);
    int leaders = 0, passed = 0, result = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    eddy_barrier_abort(&b);
    EDDY_CHECK_ERR(eddy_barrier_wait(&b), -EDDY_EBROKEN);
    EDDY_CHECK_ERR(eddy_barrier_wait(&b), -EDDY_EBROKEN);
    eddy_barrier_reset(&b);
    EDDY_GO(&s, party, .b = &b, .rounds = 1, .leaders = &leaders, .passed = &passed,
            .result = &result);
    settle();
    EDDY_CHECK_EQ(eddy_barrier_wait(&b), 1);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(result, 0);

    /* Who waits when it is reset is told, and the new round does not count it. */
    EDDY_GO(&s, party, .b = &b, .rounds = 1, .leaders = &leaders, .passed = &passed,
            .result = &result);
    settle();
    eddy_barrier_reset(&b);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_ERR(result, -EDDY_EBROKEN);
    EDDY_SCOPE(late, .timeout_ms = 1);
    EDDY_CHECK_ERR(eddy_barrier_wait(&b), -ETIMEDOUT);
}

EDDY_TEST(barrier_looks_at_its_scope_first)
{
    EDDY_AUTO(eddy_barrier) b = EDDY_BARRIER_INIT(1);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_ERR(eddy_barrier_wait(&b), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_barrier_wait(&b), 1); /* it was not broken by that */
}

/* --- at random ----------------------------------------------------------------------------------- */

struct meeting {
    struct eddy_barrier b;
    unsigned leaders;
    unsigned others;
    unsigned broken;
};

static int meets(struct chaos *c, unsigned who)
{
    struct meeting *m = c->ctx;
    int r = chaos_pause(c);

    (void)who;
    if (r < 0)
        return r;
    if (c->living < 3)
        return 0; /* too few are left to meet */
    r = eddy_barrier_wait(&m->b);
    if (r == 1)
        m->leaders++;
    else if (r == 0)
        m->others++;
    if (r != -EDDY_EBROKEN)
        return r;
    m->broken++;
    eddy_barrier_reset(&m->b);
    return 0;
}

static unsigned leaders, broken; /* over all seeds */

static void cancelled_at_random(uint64_t seed)
{
    struct meeting m = { EDDY_BARRIER_INIT(3), 0, 0, 0 };
    struct chaos c = { .work = meets, .ctx = &m, .workers = 6, .rounds = 30, .dice = seed };

    chaos_run(&c);
    leaders += m.leaders;
    broken += m.broken;
    EDDY_CHECK_EQ(m.others, 2 * m.leaders);
    eddy_barrier_done(&m.b);
}

EDDY_TEST(barrier_survives_random_cancels)
{
    leaders = broken = 0;
    chaos_each(cancelled_at_random);
    EDDY_CHECK(leaders > 0 && broken > 0);
}
