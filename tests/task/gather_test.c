/*
 * Waiting for many futures, rule by rule.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "base/fault.h"

#include <eddy/future.h>
#include <eddy/loop.h>

#include <errno.h>

#define MANY 20

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

/* Tasks that answer one after the other; result[i] at (i + 1) * 2 ms, or order[i]. */
static void spawn(struct eddy_scope *s, struct eddy_future **f, const int *result, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EDDY_CHECK_EQ(EDDY_SPAWN_WITH(s, &f[i], EDDY_OPT(go, .future_only = true), answer,
                                      .ms = 1 + 10 * (int64_t)i, .result = result[i]),
                      0);
}

static void let_go(struct eddy_future **f, size_t count)
{
    for (size_t i = 0; i < count; i++)
        eddy_future_free(f[i]);
}

static bool all_done(struct eddy_future **f, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!eddy_future_is_done(f[i]))
            return false;
    return true;
}

EDDY_TEST(gather_waits_for_all)
{
    static const int good[3] = { 1, 2, 3 }, bad[3] = { 1, -EIO, -EPROTO };
    struct eddy_future *f[3];
    {
        EDDY_SCOPE(s, .timeout_ms = 10000);
        spawn(&s, f, good, 3);
        EDDY_CHECK_EQ(eddy_gather(f, 3, NULL), 0);
        EDDY_CHECK(all_done(f, 3));
        EDDY_CHECK_EQ(eddy_gather(f, 3, NULL), 0); /* all done at the call */
        let_go(f, 3);
        spawn(&s, f, bad, 3);
        EDDY_CHECK_ERR(eddy_gather(f, 3, NULL), -EIO);
        EDDY_CHECK(all_done(f, 3));
        EDDY_CHECK_ERR(eddy_gather(f, 3, NULL), -EIO);
        let_go(f, 3);
        EDDY_CHECK_EQ(eddy_gather(NULL, 0, NULL), 0);
        EDDY_CHECK_EQ(eddy_future_all(NULL, 0, NULL), 0);
    }
}

EDDY_TEST(all_ends_with_the_first_failure)
{
    static const int good[2] = { 1, 2 }, bad[3] = { 1, -EIO, 3 };
    struct eddy_future *f[3];
    EDDY_SCOPE(s, .timeout_ms = 10000);

    spawn(&s, f, good, 2);
    EDDY_CHECK_EQ(eddy_future_all(f, 2, NULL), 0);
    EDDY_CHECK(all_done(f, 2));
    let_go(f, 2);
    spawn(&s, f, bad, 3);
    EDDY_CHECK_ERR(eddy_future_all(f, 3, NULL), -EIO);
    EDDY_CHECK(eddy_future_is_done(f[1]));
    EDDY_CHECK_ERR(eddy_future_all(f, 3, NULL), -EIO);
    let_go(f, 3);
}

EDDY_TEST(any_is_the_first_done)
{
    static const int result[3] = { -EIO, 2, 3 };
    struct eddy_future *f[3];
    EDDY_SCOPE(s, .timeout_ms = 10000);

    spawn(&s, f, result, 3);
    EDDY_CHECK_EQ(eddy_future_any(f + 1, 2, NULL), 0);
    EDDY_CHECK_EQ(eddy_future_any(f, 3, NULL), 0); /* it failed, and is done */
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(eddy_future_any(f + 1, 2, NULL), 0); /* the lower index of two */
    EDDY_CHECK_ERR(eddy_future_any(f, 0, NULL), -EINVAL);
    EDDY_CHECK_ERR(eddy_future_first_success(f, 0, NULL), -EINVAL);
    let_go(f, 3);
}

EDDY_TEST(first_success_passes_over_failures)
{
    static const int result[3] = { -EIO, -EPROTO, 0 };
    struct eddy_future *f[3];
    EDDY_SCOPE(s, .timeout_ms = 10000);

    spawn(&s, f, result, 3);
    EDDY_CHECK_ERR(eddy_future_first_success(f, 2, NULL), -EIO); /* the first of them */
    EDDY_CHECK_EQ(eddy_future_first_success(f, 3, NULL), 2);
    EDDY_CHECK_EQ(eddy_future_first_success(f, 3, NULL), 2);
    let_go(f, 3);
}

EDDY_TEST(many_leave_the_others_alone)
{
    static const int result[2] = { 1, 2 };
    struct eddy_future *f[2];
    EDDY_SCOPE(s, .timeout_ms = 10000);

    spawn(&s, f, result, 2);
    EDDY_CHECK_EQ(eddy_future_any(f, 2, NULL), 0);
    EDDY_CHECK_EQ(eddy_future_await(f[1], NULL), 2);
    let_go(f, 2);
    {
        EDDY_SCOPE(cut, .timeout_ms = 0);
        spawn(&s, f, result, 2);
        eddy_scope_cancel(&cut);
        EDDY_CHECK_ERR(eddy_gather(f, 2, NULL), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_gather(f, 2, NULL), 0);
    let_go(f, 2);
}

EDDY_TEST(many_have_a_deadline)
{
    struct eddy_future *f[2];
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(EDDY_SPAWN(&s, &f[0], answer, .ms = 60000), 0);
    EDDY_CHECK_EQ(EDDY_SPAWN(&s, &f[1], answer, .ms = 60000), 0);
    EDDY_CHECK_ERR(eddy_gather(f, 2, EDDY_OPT(gather, .timeout_ms = 2)), -ETIMEDOUT);
    EDDY_CHECK_ERR(eddy_future_all(f, 2, EDDY_OPT(gather, .timeout_ms = 2)), -ETIMEDOUT);
    EDDY_CHECK_ERR(eddy_future_any(f, 2, EDDY_OPT(gather, .timeout_ms = 2)), -ETIMEDOUT);
    EDDY_CHECK_ERR(eddy_future_first_success(f, 2, EDDY_OPT(gather, .timeout_ms = 2)), -ETIMEDOUT);
    {
        EDDY_SCOPE(late, .timeout_ms = 2);
        EDDY_CHECK_ERR(eddy_gather(f, 2, NULL), -ETIMEDOUT);
    }
    let_go(f, 2);
}

EDDY_TEST(more_than_a_handful_take_memory)
{
    struct eddy_future *f[MANY];
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < MANY; i++)
        EDDY_CHECK_EQ(EDDY_SPAWN(&s, &f[i], answer, .ms = 1), 0);
    EDDY_CHECK_EQ(eddy_gather(f, MANY, NULL), 0);
    let_go(f, MANY);

    for (struct eddy_fault fault = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&fault);) {
        for (int i = 0; i < MANY; i++) {
            EDDY_FAULT_BENIGN_BEGIN();
            EDDY_CHECK_EQ(EDDY_SPAWN(&s, &f[i], answer, .ms = 0), 0);
            EDDY_FAULT_BENIGN_END();
        }
        int r = eddy_gather(f, MANY, NULL);
        EDDY_CHECK_EQ(r, eddy_fault_fired(&fault) ? -ENOMEM : 0);
        eddy_fault_stop();
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        let_go(f, MANY);
    }
}

/* One future several times: each place has its watch. */
EDDY_TEST(one_future_may_stand_twice)
{
    struct eddy_future *f[2];
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(EDDY_SPAWN(&s, &f[0], answer, .ms = 1, .result = 1), 0);
    f[1] = f[0];
    EDDY_CHECK_EQ(eddy_gather(f, 2, NULL), 0);
    eddy_future_free(f[0]);
}
