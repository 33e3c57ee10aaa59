/*
 * Once, rule by rule, and with cancels at random.
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

/* What is to be done once: waits, and fails so often. */
struct job {
    int runs;
    int failures;
    int inside;
};

static int run_job(void *arg)
{
    struct job *j = arg;

    EDDY_CHECK_EQ(++j->inside, 1);
    j->runs++;
    int r = eddy_sleep(1);
    j->inside--;
    if (r < 0)
        return r;
    return j->failures-- > 0 ? -EIO : 7;
}

struct caller_args {
    struct eddy_once *o;
    struct job *job;
    int *result;
    struct eddy_scope **scope;
};

static int caller(struct caller_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    *a->result = eddy_once_run(a->o, run_job, a->job);
    return 0;
}
EDDY_TASK(caller);

EDDY_TEST(once_runs_once)
{
    EDDY_AUTO(eddy_once) o = EDDY_ONCE_INIT;
    struct job job = { 0 };
    int result[4];
    EDDY_SCOPE(s, .timeout_ms = 10000);

    eddy_once_init(&o);
    for (int i = 0; i < 4; i++)
        EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &result[i]);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 4; i++)
        EDDY_CHECK_EQ(result[i], 0);
    EDDY_CHECK_EQ(eddy_once_run(&o, run_job, &job), 0);
    EDDY_CHECK_EQ(job.runs, 1);
    eddy_scope_cancel(&s);
    EDDY_CHECK_ERR(eddy_once_run(&o, run_job, &job), -ECANCELED);
}

EDDY_TEST(once_failed_is_tried_again)
{
    EDDY_AUTO(eddy_once) o = EDDY_ONCE_INIT;
    struct job job = { .failures = 2 };
    int result[4] = { UNSET, UNSET, UNSET, UNSET };
    EDDY_SCOPE(s, .timeout_ms = 10000);

    for (int i = 0; i < 4; i++) {
        EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &result[i]);
        if (i == 0)
            EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(job.runs, 3);
    EDDY_CHECK_EQ(result[0], -EIO);
    EDDY_CHECK_EQ(result[1] + result[2] + result[3], -EIO);

    /* With nobody in line it is new again. */
    EDDY_AUTO(eddy_once) alone = EDDY_ONCE_INIT;
    job = (struct job){ .failures = 1 };
    EDDY_CHECK_EQ(eddy_once_run(&alone, run_job, &job), -EIO);
    EDDY_CHECK_EQ(eddy_once_run(&alone, run_job, &job), 0);
    EDDY_CHECK_EQ(job.runs, 2);
}

EDDY_TEST(once_cancelled_is_tried_again)
{
    EDDY_AUTO(eddy_once) o = EDDY_ONCE_INIT;
    struct job job = { 0 };
    int first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &first, .scope = &victim);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &second);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    if (first == UNSET) { /* a busy machine may have let it end */
        eddy_scope_cancel(victim);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_ERR(first, -ECANCELED);
        EDDY_CHECK_EQ(second, 0);
        EDDY_CHECK_EQ(job.runs, 2);
    }
}

EDDY_TEST(once_cancelled_is_out_of_line)
{
    EDDY_AUTO(eddy_once) o = EDDY_ONCE_INIT;
    struct job job = { .failures = 1 };
    int first = UNSET, second = UNSET, third = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &first);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &second, .scope = &victim);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_GO(&s, caller, .o = &o, .job = &job, .result = &third);
    if (first == UNSET) {
        eddy_scope_cancel(victim);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_ERR(second, -ECANCELED);
        EDDY_CHECK_EQ(third, 0);
    }
}

static int runs_itself(void *arg)
{
    return eddy_once_run(arg, runs_itself, arg);
}

static void call_it(void *arg)
{
    EDDY_CHECK_ERR(eddy_once_run(arg, runs_itself, arg), -EDEADLK);
}

EDDY_TEST(misuse_of_once_is_told)
{
    EDDY_AUTO(eddy_once) o = EDDY_ONCE_INIT;

    EDDY_CHECK_ERR(eddy_once_run(&o, runs_itself, &o), -EDEADLK);
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), call_it, &o), 0);
    settle();
}

/* --- at random ----------------------------------------------------------------------------------- */

struct shared {
    struct eddy_once o;
    struct chaos *c;
    int inside;
    unsigned succeeded;
};

static int do_it(void *arg)
{
    struct shared *s = arg;

    EDDY_CHECK_EQ(++s->inside, 1);
    int r = chaos_pause(s->c);
    s->inside--;
    if (r < 0)
        return r;
    if (chaos_roll(s->c, 3))
        return -ECANCELED; /* it fails more often than not, as if cancelled */
    s->succeeded++;
    return 0;
}

static int works(struct chaos *c, unsigned who)
{
    struct shared *s = c->ctx;

    (void)who;
    int r = eddy_once_run(&s->o, do_it, s);
    EDDY_CHECK(r < 0 || s->succeeded);
    return r < 0 ? r : chaos_pause(c);
}

static void cancelled_at_random(uint64_t seed)
{
    struct shared s = { .o = EDDY_ONCE_INIT };
    struct chaos c = { .work = works, .ctx = &s, .workers = 6, .rounds = 30, .dice = seed };

    s.c = &c;
    chaos_run(&c);
    EDDY_CHECK_EQ(s.succeeded, 1);
    eddy_once_done(&s.o);
}

EDDY_TEST(once_survives_random_cancels)
{
    chaos_each(cancelled_at_random);
}
