/*
 * Threads with a loop of their own.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 * faults: yes
 */
#include "check.h"

#include "base/fault.h"
#include "loop/loop.h"

#include <eddy/error.h>
#include <eddy/task.h>
#include <eddy/thread.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* In the simulator a long sleep of the other thread would be over at once: its loop is a real one. */
#define REAL                                                                                       \
    EDDY_OPT(thread,                                                                               \
             .loop = EDDY_OPT(loop, .backend = strcmp(eddy_check_backend(), "sim") == 0 ? "poll"   \
                                                                                        : NULL))

static int answer(void *arg)
{
    return *(int *)arg + 1;
}

EDDY_TEST(join_gives_what_the_function_returned)
{
    struct eddy_thread *t;
    int n = 41, result = 0;

    EDDY_CHECK_EQ(eddy_thread_start(answer, &n, NULL, &t), 0);
    EDDY_CHECK_EQ(eddy_thread_join(t, &result), 0);
    EDDY_CHECK_EQ(result, 42);
    n = -EIO - 1;
    EDDY_CHECK_EQ(eddy_thread_start(answer, &n, NULL, &t), 0);
    EDDY_CHECK_EQ(eddy_thread_join(t, &result), 0);
    EDDY_CHECK_EQ(result, -EIO);
}

struct place {
    struct eddy_loop *loop;
    char name[16];
    char backend[16];
    int blocked;
    int slept;
};

static int look_around(void *arg)
{
    struct place *p = arg;
    sigset_t set;

    p->loop = eddy__loop();
    pthread_getname_np(pthread_self(), p->name, sizeof p->name);
    strcpy(p->backend, p->loop->driver->backend);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    p->blocked = sigismember(&set, SIGTERM);
    p->slept = eddy_sleep(1);
    return 0;
}

EDDY_TEST(the_function_is_plain_code_on_a_loop_of_its_own)
{
    struct eddy_thread *t;
    struct place p = { 0 };
    sigset_t set;

    EDDY_CHECK_EQ(eddy_thread_start(look_around, &p,
                                    EDDY_OPT(thread, .name = "a name that is cut",
                                             .loop = EDDY_OPT(loop, .backend = "poll")),
                                    &t),
                  0);
    EDDY_CHECK_EQ(eddy_thread_join(t, NULL), 0);
    EDDY_CHECK(p.loop && p.loop != eddy__loop());
    EDDY_CHECK_STR(p.name, "a name that is ");
    EDDY_CHECK_STR(p.backend, "poll");
    EDDY_CHECK_EQ(p.blocked, 1);
    EDDY_CHECK_EQ(p.slept, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    EDDY_CHECK_EQ(sigismember(&set, SIGTERM), 0);
}

struct child_args {
    int *ended;
};

static int child(struct child_args *a)
{
    *a->ended = eddy_sleep(60000);
    return 0;
}
EDDY_TASK(child);

struct sleepers {
    atomic_int inside;
    int plain;
    int task;
    int later;
};

static int sleep_long(void *arg)
{
    struct sleepers *s = arg;
    EDDY_SCOPE(scope, .timeout_ms = 0);

    EDDY_GO(&scope, child, .ended = &s->task);
    atomic_store(&s->inside, 1);
    s->plain = eddy_sleep(60000);
    s->later = eddy_sleep(1);
    return s->plain;
}

EDDY_TEST(cancel_ends_its_waits_and_its_tasks)
{
    struct eddy_thread *t;
    struct sleepers s = { .inside = 0 };
    int result = 0;

    EDDY_CHECK_EQ(eddy_thread_start(sleep_long, &s, REAL, &t), 0);
    eddy_thread_cancel(t);
    eddy_thread_cancel(t);
    EDDY_CHECK_EQ(eddy_thread_join(t, &result), 0);
    EDDY_CHECK_EQ(result, -ECANCELED);
    EDDY_CHECK_EQ(s.plain, -ECANCELED);
    EDDY_CHECK_EQ(s.task, -ECANCELED);
    EDDY_CHECK_EQ(s.later, -ECANCELED);
}

static void none(void *ctx)
{
    (void)ctx;
}

EDDY_TEST(a_cancelled_join_leaves_the_thread_running)
{
    struct eddy_thread *t;
    struct sleepers s = { .inside = 0 };
    int result = 0;

    EDDY_CHECK_EQ(eddy_thread_start(sleep_long, &s, REAL, &t), 0);
    for (int i = 0; i < 3; i++) {
        EDDY_SCOPE(scope, .timeout_ms = 2);
        EDDY_CHECK_EQ(eddy_thread_join(t, &result), -ETIMEDOUT);
    }
    eddy_thread_cancel(t);
    while (eddy_thread_post(t, none, NULL) == 0)
        ;
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL); /* most likely it has ended now */
    {
        EDDY_SCOPE(scope, .timeout_ms = 0);
        eddy_scope_cancel(&scope);
        EDDY_CHECK_EQ(eddy_thread_join(t, &result), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_thread_join(t, &result), 0);
    EDDY_CHECK_EQ(result, -ECANCELED);
}

EDDY_TEST(free_cancels_and_waits)
{
    struct sleepers s = { .inside = 0 };
    {
        EDDY_OWN(eddy_thread) t = NULL;
        EDDY_CHECK_EQ(eddy_thread_start(sleep_long, &s, REAL, &t), 0);
        while (!atomic_load(&s.inside))
            eddy_yield();
    }
    EDDY_CHECK_EQ(s.plain, -ECANCELED);
    eddy_thread_free(NULL);
}

static void free_it(void *ctx)
{
    int result;

    EDDY_CHECK_EQ(eddy_thread_join(ctx, &result), -EDEADLK);
    eddy_thread_free(ctx);
}

EDDY_TEST(in_a_callback_join_is_refused_and_free_blocks)
{
    struct eddy_thread *t;
    struct sleepers s = { .inside = 0 };

    EDDY_CHECK_EQ(eddy_thread_start(sleep_long, &s, REAL, &t), 0);
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), free_it, t), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(s.plain, -ECANCELED);
}

struct joiner_args {
    struct eddy_thread *thread;
    int *result;
};

static int joiner(struct joiner_args *a)
{
    int r = eddy_thread_join(a->thread, a->result);
    if (r < 0)
        *a->result = r;
    return 0;
}
EDDY_TASK(joiner);

EDDY_TEST(one_task_joins_while_others_run)
{
    struct eddy_thread *t;
    struct sleepers s = { .inside = 0 };
    int first = 0, second = 0;
    EDDY_SCOPE(scope, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_thread_start(sleep_long, &s, REAL, &t), 0);
    EDDY_GO(&scope, joiner, .thread = t, .result = &first);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_GO(&scope, joiner, .thread = t, .result = &second);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(first + second, -EBUSY); /* in the simulator either may be the second */
    eddy_thread_cancel(t);
    EDDY_CHECK_EQ(eddy_join(&scope), 0);
    EDDY_CHECK_EQ(first + second, -EBUSY - ECANCELED);
}

static void count_it(void *ctx)
{
    ++*(int *)ctx;
}

static int until_cancelled(void *arg)
{
    (void)arg;
    return eddy_sleep(60000);
}

EDDY_TEST(posts_reach_it_until_its_loop_ends)
{
    struct eddy_thread *t;
    struct sleepers s = { .inside = 0 };
    int posted = 0, accepted = 0, r = 0;

    EDDY_CHECK_EQ(eddy_thread_start(until_cancelled, &s, REAL, &t), 0);
    for (; accepted < 100; accepted++)
        EDDY_CHECK_EQ(eddy_thread_post(t, count_it, &posted), 0);
    eddy_thread_cancel(t);
    /* It ends some time; every post until then is run, and then they are refused. */
    while ((r = eddy_thread_post(t, count_it, &posted)) == 0)
        accepted++;
    EDDY_CHECK_EQ(r, -ESHUTDOWN);
    EDDY_CHECK_EQ(eddy_thread_join(t, NULL), 0);
    EDDY_CHECK_EQ(posted, accepted);
}

EDDY_TEST(what_its_loop_refuses_is_told_by_start)
{
    struct eddy_thread *t;
    int n = 0;

    EDDY_CHECK_EQ(eddy_thread_start(
                      answer, &n, EDDY_OPT(thread, .loop = EDDY_OPT(loop, .backend = "none")), &t),
                  -EDDY_EBACKEND);
    EDDY_CHECK_EQ(eddy_thread_start(answer, &n, EDDY_OPT(thread, .stack_bytes = 1), &t), -EINVAL);
    EDDY_CHECK(eddy_loop_current() != NULL);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = eddy_thread_start(answer, &n, NULL, &t);
        EDDY_CHECK(r == 0 || (r == -ENOMEM && eddy_fault_fired(&f)));
        eddy_fault_stop();
        if (r == 0)
            EDDY_CHECK_EQ(eddy_thread_join(t, NULL), 0);
    }
}

EDDY_TEST(many_threads_begin_and_end)
{
    struct eddy_thread *threads[16];
    int n = 1, sum = 0;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 16; i++)
            EDDY_CHECK_EQ(eddy_thread_start(answer, &n, NULL, &threads[i]), 0);
        for (int i = 0; i < 16; i++) {
            int result = 0;
            EDDY_CHECK_EQ(eddy_thread_join(threads[i], &result), 0);
            sum += result;
        }
    }
    EDDY_CHECK_EQ(sum, 3 * 16 * 2);
}
