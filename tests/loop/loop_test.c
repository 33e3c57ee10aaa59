/*
 * The loop itself: posts from threads, alarms, signals, order, birth and end.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 * threads: yes
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/loop.h>
#include <eddy/task.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* --- posts --------------------------------------------------------------------------------------- */

#define THREADS 4
#define POSTS 2000

static struct eddy_loop *target;
static int seen[THREADS]; /* the last number of each thread; touched on the loop's thread only */
static int total;
static bool in_order = true;

static void posted(void *ctx)
{
    int thread = (int)((uintptr_t)ctx >> 16), number = (int)((uintptr_t)ctx & 0xffff);

    in_order = in_order && seen[thread] + 1 == number;
    seen[thread] = number;
    if (++total == THREADS * POSTS)
        eddy_loop_stop(target);
}

static void *poster(void *arg)
{
    for (uintptr_t i = 1; i <= POSTS; i++)
        eddy_post(target, posted, (void *)((uintptr_t)arg << 16 | i)); // NOLINT
    return NULL;
}

EDDY_TEST(posts_of_each_thread_arrive_once_and_in_order)
{
    pthread_t threads[THREADS];

    memset(seen, 0, sizeof seen);
    total = 0;
    target = eddy_loop_current();
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, poster, (void *)i); // NOLINT
    EDDY_CHECK_EQ(eddy_loop_run(target), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EDDY_CHECK_EQ(total, THREADS * POSTS);
    EDDY_CHECK(in_order);
}

/* --- alarms ---------------------------------------------------------------------------------------- */

struct order {
    int at;
    int seen[8];
    struct eddy_loop *loop;
};
struct mark {
    struct order *order;
    int id;
};

static void note(void *ctx)
{
    struct mark *m = ctx;

    m->order->seen[m->order->at++] = m->id;
    if (m->order->at == 3)
        eddy_loop_stop(m->order->loop);
}

EDDY_TEST(alarms_fire_in_deadline_order_and_never_early)
{
    struct order order = { .loop = eddy_loop_current() };
    struct mark marks[4] = { { &order, 0 }, { &order, 1 }, { &order, 2 }, { &order, 3 } };
    struct eddy_alarm *alarms[4];

    for (int i = 0; i < 4; i++)
        EDDY_CHECK_EQ(eddy_alarm_new(note, &marks[i], &alarms[i]), 0);
    int64_t start = eddy_now_ns();
    eddy_alarm_start(alarms[0], 9);
    eddy_alarm_start(alarms[1], 3);
    eddy_alarm_start(alarms[2], 1);
    eddy_alarm_start(alarms[3], 2);
    eddy_alarm_stop(alarms[3]);
    eddy_alarm_start(alarms[2], 6); /* moved */
    EDDY_CHECK_EQ(eddy_loop_run(order.loop), 0);
    EDDY_CHECK(eddy_now_ns() - start >= 9000000);
    EDDY_CHECK_EQ(order.seen[0], 1);
    EDDY_CHECK_EQ(order.seen[1], 2);
    EDDY_CHECK_EQ(order.seen[2], 0);
    for (int i = 0; i < 4; i++)
        eddy_alarm_free(alarms[i]);
}

/* --- signals ----------------------------------------------------------------------------------------- */

static int told;

static void on_signal(void *ctx, int signo)
{
    told = signo;
    eddy_loop_stop(ctx);
}

static volatile sig_atomic_t before_told;

static void before_handler(int signo)
{
    before_told = signo;
}

EDDY_TEST(a_signal_becomes_a_callback_and_is_given_back)
{
    struct eddy_loop *loop = eddy_loop_current();

    signal(SIGUSR1, before_handler);
    told = 0;
    before_told = 0;
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, on_signal, loop), 0);
    raise(SIGUSR1);
    EDDY_CHECK_EQ(told, 0); /* not in the handler */
    EDDY_CHECK_EQ(eddy_loop_run(loop), 0);
    EDDY_CHECK_EQ(told, SIGUSR1);
    EDDY_CHECK_EQ(before_told, SIGUSR1); /* chained */

    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, NULL, NULL), 0);
    told = 0;
    before_told = 0;
    raise(SIGUSR1);
    EDDY_CHECK_EQ(eddy_loop_turn(loop, 0), 0);
    EDDY_CHECK_EQ(told, 0);
    EDDY_CHECK_EQ(before_told, SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    EDDY_CHECK_ERR(eddy_loop_on_signal(loop, SIGKILL, on_signal, loop), -EINVAL);
    EDDY_CHECK_ERR(eddy_loop_on_signal(loop, 0, on_signal, loop), -EINVAL);
}

EDDY_TEST(a_signal_ends_the_wait_of_a_loop_that_has_nothing_else)
{
    struct eddy_loop *loop = eddy_loop_current();
    pid_t self = getpid();

    if (is_sim())
        return; /* a clock that jumps never waits */
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, on_signal, loop), 0);
    told = 0;
    pid_t child = fork();
    if (child == 0) {
        kill(self, SIGUSR1);
        _exit(0);
    }
    EDDY_CHECK_EQ(eddy_loop_run(loop), 0);
    EDDY_CHECK_EQ(told, SIGUSR1);
    EDDY_CHECK_EQ(waitpid(child, NULL, 0), child);
}

/* --- birth and end ------------------------------------------------------------------------------------- */

EDDY_TEST(a_thread_has_one_loop_and_an_unknown_backend_is_an_error)
{
    struct eddy_loop *loop = NULL, *second = NULL;

    EDDY_CHECK_ERR(eddy_loop_new(EDDY_OPT(loop, .backend = "epol"), &loop), -EDDY_EBACKEND);
    EDDY_CHECK(loop == NULL);
    EDDY_CHECK_EQ(eddy_loop_new(NULL, &loop), 0);
    EDDY_CHECK_ERR(eddy_loop_new(NULL, &second), -EBUSY);
    struct eddy_loop_info info;
    eddy_loop_info(loop, &info);
    EDDY_CHECK_STR(info.backend, eddy_check_backend());
    eddy_loop_free(loop);
}

static void *loop_of_a_thread(void *arg)
{
    *(int *)arg = eddy_sleep(1);
    return NULL; /* the loop that this made ends with the thread; the caller counts */
}

EDDY_TEST(a_threads_loop_ends_with_it)
{
    pthread_t thread;
    int r = 1;

    pthread_create(&thread, NULL, loop_of_a_thread, &r);
    pthread_join(thread, NULL);
    EDDY_CHECK_EQ(r, 0);
}

EDDY_TEST(every_failed_allocation_ends_in_an_error)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_loop *loop = NULL;
        int r = eddy_loop_new(NULL, &loop);
        if (r == 0)
            r = eddy_sleep(1);
        eddy_fault_stop();
        EDDY_CHECK(eddy_fault_fired(&f) ? r == -ENOMEM : r == 0);
        eddy_loop_free(loop);
    }
}
