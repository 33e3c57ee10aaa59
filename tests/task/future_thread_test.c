/*
 * Futures across threads: set from one, awaited on the loops of others, while some are cancelled.
 *
 * backends: select poll epoll uring
 * threads: yes
 */
#include "check.h"

#include <eddy/future.h>
#include <eddy/loop.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 300
#define LOOPS 3

static struct eddy_future *fresh(void)
{
    struct eddy_future *f = NULL;

    EDDY_CHECK_EQ(eddy_future_new(EDDY_HERE, EDDY_OPT(future, .free_value = free), &f), 0);
    return f;
}

static void *set_it(void *arg)
{
    struct eddy_future *f = arg;

    EDDY_CHECK_EQ(eddy_future_set(f, 9, malloc(16)), 0);
    eddy_future_free(f);
    return NULL;
}

EDDY_TEST(another_thread_sets_a_future)
{
    for (int i = 0; i < 50; i++) {
        EDDY_OWN(eddy_future) f = fresh();
        pthread_t thread;
        void *value = NULL;

        pthread_create(&thread, NULL, set_it, eddy_future_ref(f));
        EDDY_CHECK_EQ(eddy_future_await(f, &value), 9);
        EDDY_CHECK(value != NULL);
        pthread_join(thread, NULL);
    }
}

struct eddy_check_future {
    struct eddy_future *f;
    int result;
};

/* A thread with a loop of its own, which ends as soon as it has the news. */
static void *await_it(void *arg)
{
    struct eddy_check_future *a = arg;

    a->result = eddy_future_await(a->f, NULL);
    eddy_future_free(a->f);
    eddy_loop_free(eddy_loop_current());
    return NULL;
}

EDDY_TEST(awaited_on_another_loop)
{
    for (int round = 0; round < 50; round++) {
        EDDY_OWN(eddy_future) f = fresh();
        struct eddy_check_future await[LOOPS];
        pthread_t thread[LOOPS];

        for (int i = 0; i < LOOPS; i++) {
            await[i] = (struct eddy_check_future){ eddy_future_ref(f), 0 };
            pthread_create(&thread[i], NULL, await_it, &await[i]);
        }
        if (round % 2)
            EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(eddy_future_set(f, 3, NULL), 0);
        EDDY_CHECK_EQ(eddy_future_await(f, NULL), 3);
        for (int i = 0; i < LOOPS; i++) {
            pthread_join(thread[i], NULL);
            EDDY_CHECK_EQ(await[i].result, 3);
        }
    }
}

/* --- news that are on their way ------------------------------------------------------------------ */

/* Set by another thread, and seen to be, while this loop does not turn: the news are on their way,
 * and whoever awaits them has not heard. */
static void set_elsewhere(struct eddy_future *f)
{
    pthread_t thread;

    pthread_create(&thread, NULL, set_it, eddy_future_ref(f));
    pthread_join(thread, NULL);
    EDDY_CHECK(eddy_future_is_done(f));
}

/* Writes over the frames of calls that have returned. */
static __attribute__((noinline)) void clobber(void)
{
    volatile char block[4096];

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)0xa5;
}

struct awaiter_args {
    struct eddy_future *const *f;
    size_t count;
    int *result;
    struct eddy_scope **scope;
};

static int awaiter(struct awaiter_args *a)
{
    {
        EDDY_SCOPE(own, .timeout_ms = 0);
        *a->scope = &own;
        *a->result = a->count ? eddy_future_any(a->f, a->count, NULL)
                              : eddy_future_await(*a->f, NULL);
        clobber();
    }
    return eddy_yield();
}
EDDY_TASK(awaiter);

EDDY_TEST(news_on_their_way_win_over_a_cancel)
{
    EDDY_OWN(eddy_future) f = fresh();
    struct eddy_scope *victim = NULL;
    int result = 0;
    EDDY_SCOPE(s, .timeout_ms = 20000);

    EDDY_GO(&s, awaiter, .f = &f, .result = &result, .scope = &victim);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    set_elsewhere(f);
    eddy_scope_cancel(victim);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(result, 9);
}

EDDY_TEST(news_on_their_way_are_waited_for)
{
    struct eddy_future *f[3] = { fresh(), fresh(), fresh() };
    struct eddy_scope *victim = NULL;
    int result = 0;
    {
        EDDY_SCOPE(s, .timeout_ms = 20000);
        EDDY_GO(&s, awaiter, .f = f, .count = 3, .result = &result, .scope = &victim);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(eddy_future_set(f[1], 0, NULL), 0); /* the answer */
        set_elsewhere(f[0]);
        set_elsewhere(f[2]);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(result, 1);
    }
    for (int i = 0; i < 3; i++)
        eddy_future_free(f[i]);
}

/* --- setters against cancels -------------------------------------------------------------------- */

static _Atomic(struct eddy_future *) slot[8];
static atomic_bool stop;

/* Sets whatever stands in the slots, as fast as it can. */
static void *set_all(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop))
        for (int i = 0; i < 8; i++) {
            struct eddy_future *f = atomic_exchange(&slot[i], NULL);
            if (!f)
                continue;
            EDDY_CHECK_EQ(eddy_future_set(f, i, NULL), 0);
            eddy_future_free(f);
        }
    return NULL;
}

static void heard(void *ctx, struct eddy_future *f)
{
    ++*(int *)ctx;
    EDDY_CHECK(eddy_future_is_done(f));
}

static void put(int i, struct eddy_future *f)
{
    struct eddy_future *before = atomic_exchange(&slot[i], eddy_future_ref(f));

    eddy_future_free(before);
}

/* Awaits one, with a deadline that comes at about the same time as the news. */
static int one_round(int i, int *calls)
{
    EDDY_OWN(eddy_future) f = fresh();
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_future_on_done(f, heard, calls), 0);
    put(i, f);
    if (i % 2)
        eddy_scope_cancel(&s);
    int r = eddy_future_await(f, NULL);
    EDDY_CHECK(r == i || (r == -ECANCELED && i % 2));
    eddy_future_forget(f, heard, calls);
    return r;
}

/* Four at once; the answer comes while others are still in the setter's hands. */
static int many_round(int round)
{
    struct eddy_future *f[4];

    for (int i = 0; i < 4; i++) {
        f[i] = fresh();
        put(i, f[i]);
    }
    int r = round % 3 == 0   ? eddy_future_any(f, 4, EDDY_OPT(gather, .timeout_ms = 20000))
            : round % 3 == 1 ? eddy_future_first_success(f, 4, NULL)
                             : eddy_gather(f, 4, NULL);
    EDDY_CHECK(r >= 0);
    for (int i = 0; i < 4; i++)
        eddy_future_free(f[i]);
    return r;
}

struct canceller_args {
    struct eddy_scope *victim;
    int turns;
};

static int canceller(struct canceller_args *a)
{
    for (int i = 0; i < a->turns; i++)
        (void)eddy_yield();
    eddy_scope_cancel(a->victim);
    return 0;
}
EDDY_TASK(canceller);

/* A cancel in the middle of the wait: the news may be on their way. */
static int cancelled_round(int round)
{
    EDDY_OWN(eddy_future) f = fresh();
    int r;

    EDDY_SCOPE(outer, .timeout_ms = 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&outer, canceller, .victim = &s, .turns = round % 5);
        put(6, f);
        r = round % 2 ? eddy_future_await(f, NULL) : eddy_gather(&f, 1, NULL);
        EDDY_CHECK(r >= 0 || r == -ECANCELED);
        EDDY_SHIELD(calm, .timeout_ms = 20000);
        EDDY_CHECK_EQ(eddy_future_await(f, NULL), 6);
        EDDY_CHECK_EQ(eddy_join(&calm), 0);
        while (eddy_scope_tasks(&outer)) /* the canceller still knows s */
            EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    return r;
}

EDDY_TEST(setters_and_cancels_may_race)
{
    pthread_t thread;
    int calls = 0;

    atomic_store(&stop, false);
    pthread_create(&thread, NULL, set_all, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        one_round(round % 6, &calls);
        many_round(round);
        cancelled_round(round);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    for (int i = 0; i < 8; i++)
        eddy_future_free(atomic_exchange(&slot[i], NULL));
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
}
