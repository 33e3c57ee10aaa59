/*
 * The mutex, rule by rule, and with cancels at random.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "chaos.h"
#include "line.h"

#include <eddy/lock.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int take(void *m)
{
    return eddy_mutex_lock(m);
}

static void give(void *m)
{
    EDDY_CHECK_EQ(eddy_mutex_unlock(m), 0);
}

static struct eddy_mutex shared = EDDY_MUTEX_INIT;
static const struct line line = { &shared, take, give };

EDDY_TEST(mutex_is_first_come_first_served)
{
    line_is_first_come_first_served(&line);
}

EDDY_TEST(mutex_looks_at_its_scope_first)
{
    line_looks_at_its_scope_first(&line);
}

EDDY_TEST(mutex_cancelled_is_out_of_line)
{
    line_cancelled_is_out_of_line(&line);
}

EDDY_TEST(mutex_handed_over_is_held)
{
    line_handed_over_is_held(&line);
}

EDDY_TEST(mutex_try_looks_at_its_scope_first)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_scope_cancel(&s);
    EDDY_CHECK_ERR(eddy_mutex_try(&m), -ECANCELED); /* though it is free */
}

EDDY_TEST(mutex_free_spends_a_try)
{
    line_free_spends_a_try(&line);
}

EDDY_TEST(mutex_in_a_callback_is_edeadlk)
{
    line_in_a_callback_is_edeadlk(&line);
}

struct adder_args {
    struct eddy_mutex *m;
    int *inside;
    int *sum;
};

static int adder(struct adder_args *a)
{
    for (int i = 0; i < 10; i++) {
        EDDY_LOCKED(held, a->m);
        if (held < 0)
            return held;
        EDDY_CHECK_EQ(++*a->inside, 1);
        int before = *a->sum;
        int r = eddy_yield();
        if (r < 0)
            return r;
        *a->sum = before + 1;
        --*a->inside;
    }
    return 0;
}
EDDY_TASK(adder);

EDDY_TEST(a_mutex_excludes)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    int inside = 0, sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    for (int i = 0; i < 10; i++)
        EDDY_GO(&s, adder, .m = &m, .inside = &inside, .sum = &sum);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sum, 100);
}

static int leaves_early(struct eddy_mutex *m, int result)
{
    EDDY_LOCKED(held, m);
    if (held < 0)
        return held;
    EDDY_CHECK_EQ(eddy_mutex_try(m), -EDEADLK);
    if (result)
        return result;
    return 0;
}

EDDY_TEST(locked_unlocks_on_the_way_out)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;

    EDDY_CHECK_EQ(leaves_early(&m, -EIO), -EIO);
    EDDY_CHECK_EQ(leaves_early(&m, 0), 0);
    EDDY_CHECK_EQ(eddy_mutex_try(&m), 0);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
}

struct holder_args {
    struct eddy_mutex *m;
};

static int holder(struct holder_args *a)
{
    EDDY_LOCKED(held, a->m);
    if (held < 0)
        return held;
    return eddy_sleep(60000);
}
EDDY_TASK(holder);

EDDY_TEST(locked_cancelled_is_not_locked)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, holder, .m = &m);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    {
        EDDY_SCOPE(t, .timeout_ms = 2);
        EDDY_CHECK_ERR(leaves_early(&m, 0), -ETIMEDOUT);
    }
    /* The guard did not give back what another holds. */
    EDDY_CHECK_EQ(eddy_mutex_try(&m), -EBUSY);
}

struct thief_args {
    struct eddy_mutex *m;
    int *result;
};

static int thief(struct thief_args *a)
{
    *a->result = eddy_mutex_unlock(a->m);
    return 0;
}
EDDY_TASK(thief);

/* What the assertions say ends the process: so in one of its own. */
static void check_dies(void (*fn)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void end_a_locked_one(void)
{
    struct eddy_mutex m = EDDY_MUTEX_INIT;

    if (eddy_mutex_lock(&m) == 0)
        eddy_mutex_done(&m);
}

EDDY_TEST(misuse_of_a_mutex_is_told)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    int stolen = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_mutex_init(&m);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), -EPERM);
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), 0);
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), -EDEADLK);
    EDDY_CHECK_EQ(eddy_mutex_try(&m), -EDEADLK);
    EDDY_GO(&s, thief, .m = &m, .result = &stolen);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(stolen, -EPERM);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
    check_dies(end_a_locked_one);
}

/* --- at random ----------------------------------------------------------------------------------- */

struct guarded {
    struct eddy_mutex m;
    int inside;
};

static int enters(struct chaos *c, unsigned who)
{
    struct guarded *g = c->ctx;

    (void)who;
    EDDY_LOCKED(held, &g->m);
    if (held < 0)
        return held;
    EDDY_CHECK_EQ(++g->inside, 1);
    int r = chaos_pause(c);
    EDDY_CHECK_EQ(g->inside--, 1);
    return r;
}

static void cancelled_at_random(uint64_t seed)
{
    struct guarded g = { EDDY_MUTEX_INIT, 0 };
    struct chaos c = { .work = enters, .ctx = &g, .workers = 6, .rounds = 30, .dice = seed };

    chaos_run(&c);
    EDDY_CHECK_EQ(eddy_mutex_try(&g.m), 0);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&g.m), 0);
    eddy_mutex_done(&g.m);
}

EDDY_TEST(mutex_survives_random_cancels)
{
    chaos_each(cancelled_at_random);
}
