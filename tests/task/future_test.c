/*
 * Futures of one loop, rule by rule, and with cancels at random.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 * faults: yes
 */
#include "check.h"

#include "base/fault.h"
#include "chaos.h"

#include <eddy/future.h>

#include <errno.h>
#include <stdlib.h>

#define UNSET 12345

static void settle(void)
{
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
}

static struct eddy_future *fresh(void)
{
    struct eddy_future *f = NULL;

    EDDY_CHECK_EQ(eddy_future_new(EDDY_HERE, NULL, &f), 0);
    return f;
}

struct awaiter_args {
    struct eddy_future *f;
    int *result;
    void **value;
    struct eddy_scope **scope;
};

static int awaiter(struct awaiter_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    *a->result = eddy_future_await(a->f, a->value);
    return 0;
}
EDDY_TASK(awaiter);

EDDY_TEST(a_future_is_set_once)
{
    EDDY_OWN(eddy_future) f = fresh();
    EDDY_OWN(eddy_future) g = fresh();
    int a = 0, b = 0;
    void *value = NULL;

    EDDY_CHECK(!eddy_future_is_done(f));
    EDDY_CHECK_EQ(eddy_future_result(f, &value), -EAGAIN);
    EDDY_CHECK_EQ(eddy_future_set(f, -1, &a), -EINVAL);
    EDDY_CHECK_EQ(eddy_future_fail(f, 0), -EINVAL);
    EDDY_CHECK_EQ(eddy_future_set(f, 5, &a), 0);
    EDDY_CHECK_EQ(eddy_future_set(f, 6, &b), -EALREADY);
    EDDY_CHECK_EQ(eddy_future_fail(f, -EIO), -EALREADY);
    EDDY_CHECK(eddy_future_is_done(f));
    EDDY_CHECK_EQ(eddy_future_result(f, &value), 5);
    EDDY_CHECK(value == &a);

    EDDY_CHECK_EQ(eddy_future_fail(g, -EIO), 0);
    EDDY_CHECK_EQ(eddy_future_set(g, 0, &b), -EALREADY);
    value = NULL;
    EDDY_CHECK_EQ(eddy_future_await(g, &value), -EIO);
    EDDY_CHECK(value == NULL); /* written only on success */
}

EDDY_TEST(any_number_may_await)
{
    EDDY_OWN(eddy_future) f = fresh();
    int result[5] = { UNSET, UNSET, UNSET, UNSET, UNSET }, thing = 0;
    void *value[5] = { NULL };
    EDDY_SCOPE(s, .timeout_ms = 10000);

    for (int i = 0; i < 4; i++)
        EDDY_GO(&s, awaiter, .f = f, .result = &result[i], .value = &value[i]);
    settle();
    EDDY_CHECK_EQ(result[0], UNSET);
    EDDY_CHECK_EQ(eddy_future_set(f, 3, &thing), 0);
    EDDY_GO(&s, awaiter, .f = f, .result = &result[4], .value = &value[4]);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 5; i++) {
        EDDY_CHECK_EQ(result[i], 3);
        EDDY_CHECK(value[i] == &thing);
    }
}

static void set_it(void *f)
{
    EDDY_CHECK_ERR(eddy_future_await(f, NULL), -EDEADLK);
    EDDY_CHECK_EQ(eddy_future_set(f, 7, NULL), 0);
}

EDDY_TEST(a_callback_sets_a_future)
{
    EDDY_OWN(eddy_future) f = fresh();

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), set_it, f), 0);
    EDDY_CHECK_EQ(eddy_future_await(f, NULL), 7);
}

EDDY_TEST(a_cancelled_await_changes_nothing)
{
    EDDY_OWN(eddy_future) f = fresh();
    int first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, awaiter, .f = f, .result = &first, .scope = &victim);
    EDDY_GO(&s, awaiter, .f = f, .result = &second);
    settle();
    eddy_scope_cancel(victim);
    settle();
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_EQ(second, UNSET);
    EDDY_CHECK(!eddy_future_is_done(f));
    {
        EDDY_SCOPE(late, .timeout_ms = 1);
        EDDY_CHECK_ERR(eddy_future_await(f, NULL), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_future_set(f, 1, NULL), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(second, 1);
}

EDDY_TEST(what_was_set_is_returned)
{
    EDDY_OWN(eddy_future) f = fresh();
    int result = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, awaiter, .f = f, .result = &result, .scope = &victim);
    settle();
    EDDY_CHECK_EQ(eddy_future_set(f, 1, NULL), 0);
    eddy_scope_cancel(victim);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(result, 1);
}

EDDY_TEST(await_looks_at_its_scope_first)
{
    EDDY_OWN(eddy_future) f = fresh();
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_future_set(f, 1, NULL), 0);
    EDDY_CHECK_EQ(eddy_future_await(f, NULL), 1);
    eddy_scope_cancel(&s);
    EDDY_CHECK_ERR(eddy_future_await(f, NULL), -ECANCELED);
    EDDY_CHECK_ERR(eddy_gather(&f, 1, NULL), -ECANCELED);
}

/* --- functions --------------------------------------------------------------------------------- */

struct heard {
    int count;
    int result;
    int wait;
};

static void hear(void *ctx, struct eddy_future *f)
{
    struct heard *h = ctx;

    h->count++;
    h->result = eddy_future_result(f, NULL);
    h->wait = eddy_sleep(1);
}

EDDY_TEST(on_done_is_called_by_the_loop)
{
    EDDY_OWN(eddy_future) f = fresh();
    struct heard before = { 0 }, after = { 0 };

    EDDY_CHECK_EQ(eddy_future_on_done(f, hear, &before), 0);
    EDDY_CHECK_EQ(eddy_future_set(f, 4, NULL), 0);
    EDDY_CHECK_EQ(before.count, 0); /* not from inside the set */
    EDDY_CHECK_EQ(eddy_future_on_done(f, hear, &after), 0);
    EDDY_CHECK_EQ(after.count, 0);
    settle();
    EDDY_CHECK_EQ(before.count, 1);
    EDDY_CHECK_EQ(after.count, 1);
    EDDY_CHECK_EQ(before.result, 4);
    EDDY_CHECK_ERR(before.wait, -EDEADLK); /* as a callback */

    /* It keeps the future alive until it has run, and no longer. */
    struct eddy_future *g = fresh();
    EDDY_CHECK_EQ(eddy_future_on_done(g, hear, &before), 0);
    EDDY_CHECK_EQ(eddy_future_set(g, 5, NULL), 0);
    eddy_future_free(g);
    settle();
    EDDY_CHECK_EQ(before.count, 2);
    EDDY_CHECK_EQ(before.result, 5);

    /* Ended unset: nobody is called, nothing is kept. */
    g = fresh();
    EDDY_CHECK_EQ(eddy_future_on_done(g, hear, &before), 0);
    eddy_future_free(g);
    settle();
    EDDY_CHECK_EQ(before.count, 2);
}

EDDY_TEST(a_forgotten_function_is_not_called)
{
    EDDY_OWN(eddy_future) f = fresh();
    struct heard one = { 0 }, two = { 0 };

    EDDY_CHECK(!eddy_future_forget(f, hear, &one));
    EDDY_CHECK_EQ(eddy_future_on_done(f, hear, &one), 0);
    EDDY_CHECK_EQ(eddy_future_on_done(f, hear, &two), 0);
    EDDY_CHECK(eddy_future_forget(f, hear, &one));
    EDDY_CHECK(!eddy_future_forget(f, hear, &one));
    EDDY_CHECK_EQ(eddy_future_set(f, 1, NULL), 0);
    EDDY_CHECK(eddy_future_forget(f, hear, &two)); /* even now */
    EDDY_CHECK(!eddy_future_forget(f, hear, &two));
    settle();
    EDDY_CHECK_EQ(one.count + two.count, 0);
}

/* --- the value ----------------------------------------------------------------------------------- */

static int freed;

static void free_it(void *value)
{
    freed++;
    free(value);
}

EDDY_TEST(the_value_is_freed_at_last)
{
    struct eddy_future *f = NULL;
    char *text = malloc(8), *other = malloc(8);
    void *value = NULL;

    freed = 0;
    EDDY_CHECK_EQ(eddy_future_new(EDDY_HERE, EDDY_OPT(future, .free_value = free_it), &f), 0);
    EDDY_CHECK_EQ(eddy_future_set(f, 0, text), 0);
    EDDY_CHECK_EQ(eddy_future_set(f, 0, other), -EALREADY);
    free(other); /* it stayed ours */
    struct eddy_future *second = eddy_future_ref(f);
    eddy_future_free(f);
    EDDY_CHECK_EQ(eddy_future_await(second, &value), 0);
    EDDY_CHECK(value == text);
    EDDY_CHECK_EQ(freed, 0);
    eddy_future_free(second);
    EDDY_CHECK_EQ(freed, 1);
    eddy_future_free(NULL);
}

/* --- tasks ------------------------------------------------------------------------------------- */

struct answer_args {
    int64_t ms;
    int result;
};

static int answer(struct answer_args *a)
{
    int r = eddy_sleep(a->ms);

    return r < 0 ? r : a->result;
}
EDDY_TASK(answer);

EDDY_TEST(a_task_completes_its_future)
{
    EDDY_OWN(eddy_future) good = NULL;
    EDDY_OWN(eddy_future) cancelled = NULL;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_CHECK_EQ(EDDY_SPAWN(&s, &good, answer, .ms = 1, .result = 42), 0);
        EDDY_CHECK_EQ(EDDY_SPAWN(&s, &cancelled, answer, .ms = 60000), 0);
        EDDY_CHECK_EQ(eddy_future_await(good, NULL), 42);
        EDDY_CHECK(!eddy_future_is_done(cancelled));
    }
    /* It outlives the scope, which owned the child. */
    EDDY_CHECK_ERR(eddy_future_await(cancelled, NULL), -ECANCELED);
    EDDY_CHECK(eddy_future_is_done(cancelled));
}

EDDY_TEST(a_failure_is_also_the_scopes)
{
    EDDY_OWN(eddy_future) f = NULL;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(EDDY_SPAWN(&s, &f, answer, .ms = 1, .result = -EIO), 0);
    EDDY_CHECK_ERR(eddy_future_await(f, NULL), -EIO); /* the child's own, not -ECANCELED */
    EDDY_CHECK_ERR(eddy_sleep(1), -ECANCELED);
    EDDY_CHECK_ERR(eddy_join(&s), -EIO);
}

EDDY_TEST(future_only_spares_the_scope)
{
    EDDY_OWN(eddy_future) f = NULL;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(
        EDDY_SPAWN_WITH(&s, &f, EDDY_OPT(go, .future_only = true), answer, .ms = 1, .result = -EIO),
        0);
    EDDY_CHECK_ERR(eddy_future_await(f, NULL), -EIO);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(eddy_scope_failures(&s), 0);
}

static int spawn_and_await(void)
{
    EDDY_OWN(eddy_future) f = NULL;
    struct heard h = { 0 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    int r = EDDY_SPAWN(&s, &f, answer, .result = 1);
    if (r == 0)
        r = eddy_future_on_done(f, hear, &h);
    if (r == 0)
        r = eddy_future_await(f, NULL) - 1;
    if (f)
        (void)eddy_future_forget(f, hear, &h);
    return r;
}

EDDY_TEST(a_spawn_survives_every_failed_allocation)
{
    for (struct eddy_fault fault = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&fault);) {
        int r = spawn_and_await();
        EDDY_CHECK_EQ(r, eddy_fault_fired(&fault) ? -ENOMEM : 0);
        eddy_fault_stop();
        settle();
    }
}

/* --- at random ----------------------------------------------------------------------------------- */

#define SLOTS 4

struct board {
    struct eddy_future *slot[SLOTS];
    unsigned heard;
};

/* Sets some, replaces them, and awaits others, alone or together. */
static int works(struct chaos *c, unsigned who)
{
    struct board *b = c->ctx;
    struct eddy_future *f = b->slot[chaos_roll(c, SLOTS)];

    if (who % 3 == 0) {
        unsigned i = (unsigned)chaos_roll(c, SLOTS);
        int r = chaos_pause(c);
        f = b->slot[i];
        if (chaos_roll(c, 4))
            (void)eddy_future_set(f, 1, NULL);
        else
            (void)eddy_future_fail(f, -EIO);
        b->slot[i] = fresh();
        eddy_future_free(f);
        return r;
    }
    if (who % 3 == 1) {
        EDDY_OWN(eddy_future) mine = eddy_future_ref(f);
        int r = eddy_future_await(mine, NULL);
        b->heard += r == 1;
        return r == -EIO ? 0 : r;
    }
    struct eddy_future *all[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        all[i] = eddy_future_ref(b->slot[i]);
    int r = 0;
    switch (chaos_roll(c, 4)) {
    case 0: r = eddy_gather(all, SLOTS, NULL); break;
    case 1: r = eddy_future_all(all, SLOTS, NULL); break;
    case 2: r = eddy_future_any(all, SLOTS, NULL); break;
    default: r = eddy_future_first_success(all, SLOTS, NULL); break;
    }
    b->heard += r >= 0;
    for (int i = 0; i < SLOTS; i++)
        eddy_future_free(all[i]);
    return r == -EIO ? 0 : r;
}

static void cancelled_at_random(uint64_t seed)
{
    struct board b = { .heard = 0 };
    struct chaos c = { .work = works, .ctx = &b, .workers = 6, .rounds = 30, .dice = seed };

    for (int i = 0; i < SLOTS; i++)
        b.slot[i] = fresh();
    chaos_run(&c);
    EDDY_CHECK(b.heard > 0);
    for (int i = 0; i < SLOTS; i++)
        eddy_future_free(b.slot[i]);
}

EDDY_TEST(futures_survive_random_cancels)
{
    chaos_each(cancelled_at_random);
}
