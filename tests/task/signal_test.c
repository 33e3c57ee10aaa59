/*
 * Signals for tasks.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "check.h"

#include "base/fault.h"
#include "loop/loop.h"

#include <eddy/error.h>
#include <eddy/loop.h>
#include <eddy/signal.h>
#include <eddy/task.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define BOTH (EDDY_SIGNAL(SIGUSR1) | EDDY_SIGNAL(SIGUSR2))

static bool is_default(int signo)
{
    struct sigaction now;

    sigaction(signo, NULL, &now);
    return now.sa_handler == SIG_DFL;
}

EDDY_TEST(what_comes_between_two_waits_is_kept_lowest_first)
{
    EDDY_OWN(eddy_signals) s = NULL;
    int signo = 0;

    EDDY_CHECK_EQ(eddy_signals_open(BOTH, &s), 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(eddy_signals_wait(s, &signo), 0);
    EDDY_CHECK_EQ(signo, SIGUSR1);
    EDDY_CHECK_EQ(eddy_signals_wait(s, &signo), 0);
    EDDY_CHECK_EQ(signo, SIGUSR2);
    raise(SIGUSR2);
    EDDY_CHECK_EQ(eddy_signals_wait(s, &signo), 0);
    EDDY_CHECK_EQ(signo, SIGUSR2);
}

struct hearer_args {
    struct eddy_signals *signals;
    int *result;
    int *order;
    int *next;
};

static int hearer(struct hearer_args *a)
{
    int signo = 0;
    int r = eddy_signals_wait(a->signals, &signo);

    *a->result = r < 0 ? r : signo;
    *a->order = (*a->next)++;
    return 0;
}
EDDY_TASK(hearer);

EDDY_TEST(each_signal_is_told_to_the_one_who_waited_longest)
{
    EDDY_OWN(eddy_signals) s = NULL;
    int results[3] = { 0 }, order[3], next = 0;

    EDDY_CHECK_EQ(eddy_signals_open(BOTH, &s), 0);
    EDDY_SCOPE(scope, .timeout_ms = 20000);
    for (int i = 0; i < 3; i++) {
        EDDY_GO(&scope, hearer, .signals = s, .result = &results[i], .order = &order[i],
                .next = &next);
        EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    raise(SIGUSR1);
    while (next < 1)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    raise(SIGUSR2);
    while (next < 2)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    raise(SIGUSR1);
    EDDY_CHECK_EQ(eddy_join(&scope), 0);
    EDDY_CHECK_EQ(results[0], SIGUSR1);
    EDDY_CHECK_EQ(results[1], SIGUSR2);
    EDDY_CHECK_EQ(results[2], SIGUSR1);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(order[i], i);
}

EDDY_TEST(a_cancelled_wait_loses_no_signal)
{
    EDDY_OWN(eddy_signals) s = NULL;
    int signo = 0;

    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR1), &s), 0);
    {
        EDDY_SCOPE(scope, .timeout_ms = 2);
        EDDY_CHECK_EQ(eddy_signals_wait(s, &signo), -ETIMEDOUT);
        raise(SIGUSR1);
        EDDY_CHECK_EQ(eddy_signals_wait(s, &signo), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_signals_wait(s, &signo), 0);
    EDDY_CHECK_EQ(signo, SIGUSR1);
}

static void *kill_process(void *arg)
{
    (void)arg;
    kill(getpid(), SIGUSR1);
    return NULL;
}

EDDY_TEST(a_single_wait_takes_the_signal_and_gives_it_back)
{
    int signo = 0;
    pthread_t thread;

    EDDY_CHECK(is_default(SIGUSR1));
    {
        EDDY_SCOPE(scope, .timeout_ms = 1);
        EDDY_CHECK_EQ(eddy_signal_wait(BOTH, &signo), -ETIMEDOUT);
        EDDY_CHECK_EQ(eddy_signal_wait(BOTH, &signo), -ETIMEDOUT);
    }
    EDDY_CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
    /* Kept open, or it might come before the wait has begun. */
    EDDY_OWN(eddy_signals) s = NULL;
    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR1), &s), 0);
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, kill_process, NULL), 0);
    EDDY_CHECK_EQ(eddy_signal_wait(BOTH, &signo), 0);
    EDDY_CHECK_EQ(signo, SIGUSR1);
    pthread_join(thread, NULL);
}

static void on_signal(void *ctx, int signo)
{
    *(int *)ctx += signo;
}

EDDY_TEST(all_on_the_loop_hear_of_it_and_the_last_gives_it_back)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_signals *a, *b;
    int told = 0, signo = 0;

    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR1), &a), 0);
    EDDY_CHECK_EQ(eddy_signals_open(BOTH, &b), 0);
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, on_signal, &told), 0);
    raise(SIGUSR1);
    EDDY_CHECK_EQ(eddy_signals_wait(a, &signo), 0);
    EDDY_CHECK_EQ(eddy_signals_wait(b, &signo), 0);
    EDDY_CHECK_EQ(told, SIGUSR1);
    eddy_signals_free(a);
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, NULL, NULL), 0);
    EDDY_CHECK(!is_default(SIGUSR1));
    eddy_signals_free(b);
    EDDY_CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
}

static void *other_loop(void *arg)
{
    struct eddy_signals *s;
    int *r = arg;

    *r = eddy_signals_open(EDDY_SIGNAL(SIGUSR1), &s);
    if (*r == 0)
        eddy_signals_free(s);
    return NULL;
}

EDDY_TEST(a_signal_is_one_loops_at_a_time_and_not_every_number_is_one)
{
    EDDY_OWN(eddy_signals) s = NULL;
    struct eddy_signals *none;
    pthread_t thread;
    int r = 0;

    EDDY_CHECK_EQ(eddy_signals_open(0, &none), -EINVAL);
    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGKILL), &none), -EINVAL);
    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR2) | EDDY_SIGNAL(SIGSEGV), &none), -EINVAL);
    EDDY_CHECK_EQ(eddy_signals_open(1, &none), -EINVAL);
    EDDY_CHECK(is_default(SIGUSR2));
    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR1), &s), 0);
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, other_loop, &r), 0);
    pthread_join(thread, NULL);
    EDDY_CHECK_EQ(r, -EBUSY);
    eddy_signals_free(EDDY_TAKE(s));
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, other_loop, &r), 0);
    pthread_join(thread, NULL);
    EDDY_CHECK_EQ(r, 0);
}

EDDY_TEST(what_cannot_be_opened_leaves_nothing_taken)
{
    for (int kind = EDDY_FAULT_ALLOC; kind <= EDDY_FAULT_SYS; kind++)
        for (struct eddy_fault f = eddy_fault_each((enum eddy_fault_kind)kind);
             eddy_fault_next(&f);) {
            struct eddy_signals *s = NULL;

            int r = eddy_signals_open(BOTH, &s);
            EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
            eddy_fault_stop();
            if (r == 0)
                eddy_signals_free(s);
            EDDY_CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
        }
}
