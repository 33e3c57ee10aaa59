/*
 * The read-write lock, rule by rule, and with cancels at random.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "chaos.h"
#include "line.h"

#include <eddy/lock.h>

#include <errno.h>

static int take_write(void *l)
{
    return eddy_rwlock_write(l);
}

static int take_read(void *l)
{
    return eddy_rwlock_read(l);
}

static void give(void *l)
{
    EDDY_CHECK_EQ(eddy_rwlock_unlock(l), 0);
}

static struct eddy_rwlock shared = EDDY_RWLOCK_INIT;
static const struct line writers = { &shared, take_write, give };
static const struct line readers = { &shared, take_read, give };

EDDY_TEST(rwlock_is_first_come_first_served)
{
    line_is_first_come_first_served(&writers);
}

EDDY_TEST(rwlock_looks_at_its_scope_first)
{
    line_looks_at_its_scope_first(&writers);
    line_looks_at_its_scope_first(&readers);
}

EDDY_TEST(rwlock_cancelled_is_out_of_line)
{
    line_cancelled_is_out_of_line(&writers);
}

EDDY_TEST(rwlock_handed_over_is_held)
{
    line_handed_over_is_held(&writers);
}

EDDY_TEST(rwlock_try_looks_at_its_scope_first)
{
    EDDY_AUTO(eddy_rwlock) l = EDDY_RWLOCK_INIT;
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_scope_cancel(&s);
    EDDY_CHECK_ERR(eddy_rwlock_try_read(&l), -ECANCELED); /* though it is free */
    EDDY_CHECK_ERR(eddy_rwlock_try_write(&l), -ECANCELED);
}

EDDY_TEST(rwlock_free_spends_a_try)
{
    line_free_spends_a_try(&writers);
    line_free_spends_a_try(&readers);
}

EDDY_TEST(rwlock_in_a_callback_is_edeadlk)
{
    line_in_a_callback_is_edeadlk(&writers);
    line_in_a_callback_is_edeadlk(&readers);
}

/* --- who shares with whom ------------------------------------------------------------------------ */

struct visitor_args {
    struct eddy_rwlock *l;
    bool writes;
    char tag;
    char *log;
    int *at;
    int turns; /* it stays so long */
    struct eddy_scope **scope;
};

static int visitor(struct visitor_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    int r = a->writes ? eddy_rwlock_write(a->l) : eddy_rwlock_read(a->l);
    if (r < 0)
        return 0;
    a->log[(*a->at)++] = a->tag;
    for (int i = 0; i < a->turns && r == 0; i++)
        r = eddy_yield();
    EDDY_CHECK_EQ(eddy_rwlock_unlock(a->l), 0);
    return r;
}
EDDY_TASK(visitor);

static void settle(void)
{
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
}

EDDY_TEST(readers_share_a_writer_is_alone)
{
    EDDY_AUTO(eddy_rwlock) l = EDDY_RWLOCK_INIT;
    char log[8] = "";
    int at = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(eddy_rwlock_read(&l), 0);
    EDDY_GO(&s, visitor, .l = &l, .tag = 'r', .log = log, .at = &at);
    settle();
    EDDY_CHECK_STR(log, "r");
    EDDY_CHECK_EQ(eddy_rwlock_try_read(&l), 0);
    EDDY_CHECK_EQ(eddy_rwlock_try_write(&l), -EBUSY);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);

    EDDY_CHECK_EQ(eddy_rwlock_write(&l), 0);
    EDDY_GO(&s, visitor, .l = &l, .tag = 'a', .log = log, .at = &at);
    EDDY_GO(&s, visitor, .l = &l, .tag = 'a', .log = log, .at = &at);
    settle();
    EDDY_CHECK_STR(log, "r");
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
    EDDY_CHECK_EQ(eddy_rwlock_try_read(&l), 0); /* they are both inside, though they did not run */
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(log, "raa");
}

EDDY_TEST(a_writer_is_not_starved)
{
    EDDY_AUTO(eddy_rwlock) l = EDDY_RWLOCK_INIT;
    char log[8] = "";
    int at = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(eddy_rwlock_read(&l), 0);
    EDDY_GO(&s, visitor, .l = &l, .writes = true, .tag = 'w', .log = log, .at = &at, .turns = 3);
    settle();
    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, visitor, .l = &l, .tag = 'r', .log = log, .at = &at);
    settle();
    EDDY_CHECK_STR(log, "");
    EDDY_CHECK_EQ(eddy_rwlock_try_read(&l), -EBUSY);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(log, "wrrr");
}

EDDY_TEST(a_writer_who_leaves_lets_readers_in)
{
    EDDY_AUTO(eddy_rwlock) l = EDDY_RWLOCK_INIT;
    struct eddy_scope *writer = NULL;
    char log[8] = "";
    int at = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(eddy_rwlock_read(&l), 0);
    EDDY_GO(&s, visitor, .l = &l, .writes = true, .tag = 'w', .log = log, .at = &at,
            .scope = &writer);
    settle();
    EDDY_GO(&s, visitor, .l = &l, .tag = 'r', .log = log, .at = &at);
    settle();
    EDDY_CHECK_STR(log, "");
    eddy_scope_cancel(writer);
    settle();
    EDDY_CHECK_STR(log, "r"); /* while we still read */
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

struct thief_args {
    struct eddy_rwlock *l;
    int *result;
};

static int thief(struct thief_args *a)
{
    *a->result = eddy_rwlock_unlock(a->l);
    return 0;
}
EDDY_TASK(thief);

EDDY_TEST(misuse_of_a_rwlock_is_told)
{
    EDDY_AUTO(eddy_rwlock) l = EDDY_RWLOCK_INIT;
    int stolen = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_rwlock_init(&l);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), -EPERM);
    EDDY_CHECK_EQ(eddy_rwlock_write(&l), 0);
    EDDY_CHECK_EQ(eddy_rwlock_write(&l), -EDEADLK);
    EDDY_CHECK_EQ(eddy_rwlock_read(&l), -EDEADLK);
    EDDY_CHECK_EQ(eddy_rwlock_try_read(&l), -EDEADLK);
    EDDY_CHECK_EQ(eddy_rwlock_try_write(&l), -EDEADLK);
    EDDY_GO(&s, thief, .l = &l, .result = &stolen);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(stolen, -EPERM);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
}

EDDY_TEST(locked_rwlock_unlocks_on_the_way_out)
{
    EDDY_AUTO(eddy_rwlock) l = EDDY_RWLOCK_INIT;
    {
        EDDY_READ_LOCKED(held, &l);
        EDDY_CHECK_EQ(held, 0);
        EDDY_CHECK_EQ(eddy_rwlock_try_write(&l), -EBUSY);
    }
    {
        EDDY_WRITE_LOCKED(held, &l);
        EDDY_CHECK_EQ(held, 0);
        EDDY_READ_LOCKED(again, &l); /* not had, so not given back */
        EDDY_CHECK_EQ(again, -EDEADLK);
    }
    EDDY_CHECK_EQ(eddy_rwlock_try_write(&l), 0);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&l), 0);
}

/* --- at random ----------------------------------------------------------------------------------- */

struct guarded {
    struct eddy_rwlock l;
    int readers;
    int writers;
};

static int reads(struct chaos *c, struct guarded *g)
{
    EDDY_READ_LOCKED(held, &g->l);
    if (held < 0)
        return held;
    g->readers++;
    EDDY_CHECK_EQ(g->writers, 0);
    int r = chaos_pause(c);
    EDDY_CHECK_EQ(g->writers, 0);
    g->readers--;
    return r;
}

static int writes(struct chaos *c, struct guarded *g)
{
    EDDY_WRITE_LOCKED(held, &g->l);
    if (held < 0)
        return held;
    EDDY_CHECK_EQ(++g->writers, 1);
    EDDY_CHECK_EQ(g->readers, 0);
    int r = chaos_pause(c);
    EDDY_CHECK_EQ(g->readers, 0);
    g->writers--;
    return r;
}

static int enters(struct chaos *c, unsigned who)
{
    (void)who;
    return chaos_roll(c, 3) == 0 ? writes(c, c->ctx) : reads(c, c->ctx);
}

static void cancelled_at_random(uint64_t seed)
{
    struct guarded g = { EDDY_RWLOCK_INIT, 0, 0 };
    struct chaos c = { .work = enters, .ctx = &g, .workers = 8, .rounds = 30, .dice = seed };

    chaos_run(&c);
    EDDY_CHECK_EQ(eddy_rwlock_try_write(&g.l), 0);
    EDDY_CHECK_EQ(eddy_rwlock_unlock(&g.l), 0);
    eddy_rwlock_done(&g.l);
}

EDDY_TEST(rwlock_survives_random_cancels)
{
    chaos_each(cancelled_at_random);
}
