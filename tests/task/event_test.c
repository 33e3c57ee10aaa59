/*
 * Event and wait group, rule by rule, and with cancels at random.
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

struct waiting_args {
    int (*wait)(void *thing);
    void *thing;
    int *result;
    struct eddy_scope **scope;
};

static int waiting(struct waiting_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    *a->result = a->wait(a->thing);
    return 0;
}
EDDY_TASK(waiting);

static int wait_event(void *e)
{
    return eddy_event_wait(e);
}

static int wait_group(void *g)
{
    return eddy_wait_group_wait(g);
}

EDDY_TEST(an_event_stays_set)
{
    EDDY_AUTO(eddy_event) e = EDDY_EVENT_INIT;

    eddy_event_init(&e);
    EDDY_CHECK(!eddy_event_is_set(&e));
    eddy_event_set(&e);
    EDDY_CHECK(eddy_event_is_set(&e));
    EDDY_CHECK_EQ(eddy_event_wait(&e), 0);
    EDDY_CHECK_EQ(eddy_event_wait(&e), 0);
    eddy_event_clear(&e);
    EDDY_CHECK(!eddy_event_is_set(&e));
    EDDY_SCOPE(s, .timeout_ms = 1);
    EDDY_CHECK_ERR(eddy_event_wait(&e), -ETIMEDOUT);
    eddy_event_set(&e);
    EDDY_CHECK_ERR(eddy_event_wait(&e), -ETIMEDOUT); /* the scope is looked at first */
}

static void set_it(void *e)
{
    eddy_event_set(e);
    eddy_event_clear(e);
}

EDDY_TEST(set_and_clear_wakes_who_waited)
{
    EDDY_AUTO(eddy_event) e = EDDY_EVENT_INIT;
    int result[3] = { UNSET, UNSET, UNSET };
    EDDY_SCOPE(s, .timeout_ms = 10000);

    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, waiting, .wait = wait_event, .thing = &e, .result = &result[i]);
    settle();
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), set_it, &e), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(result[i], 0);
    EDDY_CHECK(!eddy_event_is_set(&e));
}

EDDY_TEST(event_cancelled_is_out_of_line)
{
    EDDY_AUTO(eddy_event) e = EDDY_EVENT_INIT;
    int first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, waiting, .wait = wait_event, .thing = &e, .result = &first, .scope = &victim);
    settle();
    EDDY_GO(&s, waiting, .wait = wait_event, .thing = &e, .result = &second);
    settle();
    eddy_scope_cancel(victim);
    settle();
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_EQ(second, UNSET);
    eddy_event_set(&e);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(second, 0);

    /* Set first, then cancelled: it has happened. */
    eddy_event_clear(&e);
    EDDY_GO(&s, waiting, .wait = wait_event, .thing = &e, .result = &first, .scope = &victim);
    settle();
    eddy_event_set(&e);
    eddy_scope_cancel(victim);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(first, 0);
}

static void try_to_wait(void *ctx)
{
    int *r = ctx;
    struct eddy_event e = EDDY_EVENT_INIT;
    struct eddy_wait_group g = EDDY_WAIT_GROUP_INIT;
    struct eddy_barrier b = EDDY_BARRIER_INIT(2);

    r[0] = eddy_event_wait(&e);
    r[1] = eddy_wait_group_wait(&g);
    r[2] = eddy_barrier_wait(&b);
}

EDDY_TEST(event_in_a_callback_is_edeadlk)
{
    int r[3] = { 0 };

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), try_to_wait, r), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_ERR(r[i], -EDEADLK);
}

/* --- wait group ------------------------------------------------------------------------------------ */

EDDY_TEST(a_wait_group_waits_for_all)
{
    EDDY_AUTO(eddy_wait_group) g = EDDY_WAIT_GROUP_INIT;
    int result[2] = { UNSET, UNSET };
    EDDY_SCOPE(s, .timeout_ms = 10000);

    eddy_wait_group_init(&g);
    EDDY_CHECK_EQ(eddy_wait_group_wait(&g), 0);
    eddy_wait_group_add(&g, 2);
    eddy_wait_group_add(&g, 1);
    EDDY_CHECK_EQ(eddy_wait_group_left(&g), 3);
    for (int i = 0; i < 2; i++)
        EDDY_GO(&s, waiting, .wait = wait_group, .thing = &g, .result = &result[i]);
    for (int i = 0; i < 3; i++) {
        settle();
        EDDY_CHECK_EQ(result[0], UNSET);
        EDDY_CHECK_EQ(eddy_wait_group_finish(&g), 0);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(result[0], 0);
    EDDY_CHECK_EQ(result[1], 0);
}

EDDY_TEST(wait_group_cancelled_is_out_of_line)
{
    EDDY_AUTO(eddy_wait_group) g = EDDY_WAIT_GROUP_INIT;

    eddy_wait_group_add(&g, 1);
    {
        EDDY_SCOPE(s, .timeout_ms = 1);
        EDDY_CHECK_ERR(eddy_wait_group_wait(&g), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_wait_group_left(&g), 1);
    EDDY_CHECK_EQ(eddy_wait_group_finish(&g), 0);
}

EDDY_TEST(misuse_of_a_wait_group_is_told)
{
    EDDY_AUTO(eddy_wait_group) g = EDDY_WAIT_GROUP_INIT;

    EDDY_CHECK_EQ(eddy_wait_group_finish(&g), -EINVAL);
    EDDY_CHECK_EQ(eddy_wait_group_left(&g), 0);
}

/* --- at random ----------------------------------------------------------------------------------- */

struct door {
    struct eddy_event open;
    struct eddy_wait_group inside;
    unsigned passed;
};

/* One opens and shuts; the others go through and are counted in and out. */
static int works(struct chaos *c, unsigned who)
{
    struct door *d = c->ctx;

    if (who == 0) {
        int r = chaos_pause(c);
        eddy_event_set(&d->open);
        if (chaos_roll(c, 2))
            eddy_event_clear(&d->open);
        return r < 0 ? r : eddy_wait_group_wait(&d->inside);
    }
    int r = c->scope[0] ? eddy_event_wait(&d->open) : chaos_pause(c);
    if (r < 0)
        return r;
    eddy_wait_group_add(&d->inside, 1);
    d->passed++;
    r = chaos_pause(c);
    EDDY_CHECK_EQ(eddy_wait_group_finish(&d->inside), 0);
    return r;
}

static void cancelled_at_random(uint64_t seed)
{
    struct door d = { EDDY_EVENT_INIT, EDDY_WAIT_GROUP_INIT, 0 };
    struct chaos c = { .work = works, .ctx = &d, .workers = 6, .rounds = 30, .dice = seed };

    chaos_run(&c);
    EDDY_CHECK(d.passed > 0);
    EDDY_CHECK_EQ(eddy_wait_group_left(&d.inside), 0);
    eddy_event_done(&d.open);
    eddy_wait_group_done(&d.inside);
}

EDDY_TEST(event_survives_random_cancels)
{
    chaos_each(cancelled_at_random);
}

struct jobs {
    struct eddy_wait_group left;
    unsigned ends; /* times that nothing was left */
    unsigned passed;
};

/* Half of them have jobs, the others wait until nothing is left: and it was so when they go on. */
static int works_or_waits(struct chaos *c, unsigned who)
{
    struct jobs *j = c->ctx;

    if (who % 2) {
        unsigned before = j->ends;
        bool free = eddy_wait_group_left(&j->left) == 0;
        int r = eddy_wait_group_wait(&j->left);
        EDDY_CHECK(r < 0 || free || j->ends > before);
        j->passed += r == 0;
        return r;
    }
    unsigned count = 1 + (unsigned)chaos_roll(c, 2);
    int r = 0;
    eddy_wait_group_add(&j->left, count);
    while (count--) {
        r = chaos_pause(c);
        EDDY_CHECK_EQ(eddy_wait_group_finish(&j->left), 0);
        j->ends += eddy_wait_group_left(&j->left) == 0;
    }
    return r;
}

static void group_cancelled_at_random(uint64_t seed)
{
    struct jobs j = { EDDY_WAIT_GROUP_INIT, 0, 0 };
    struct chaos c = {
        .work = works_or_waits, .ctx = &j, .workers = 6, .rounds = 30, .dice = seed
    };

    chaos_run(&c);
    EDDY_CHECK(j.passed > 0 && j.ends > 0);
    EDDY_CHECK_EQ(eddy_wait_group_left(&j.left), 0);
    eddy_wait_group_done(&j.left);
}

EDDY_TEST(wait_group_survives_random_cancels)
{
    chaos_each(group_cancelled_at_random);
}
