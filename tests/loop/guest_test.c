/*
 * A loop inside another's: whatever gives it something to do makes its descriptor readable.
 *
 * The host of these tests is poll(2) on that descriptor, with a long timeout that is never reached.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "check.h"

#include "base/sys.h"
#include "loop/loop.h"
#include "poller/poller.h"
#include "task/wait.h"

#include <eddy/task.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct eddy_loop *loop;
static int fd;

/* False where no descriptor stands for the loop. */
static bool become_guest(void)
{
    const char *backend = eddy_check_backend();

    loop = eddy_loop_current();
    if (!EDDY_CHECK(loop != NULL))
        return false;
    fd = eddy_loop_fd(loop);
    if (strcmp(backend, "epoll") != 0 && strcmp(backend, "uring") != 0) {
        EDDY_CHECK_EQ(fd, -EOPNOTSUPP);
        return false;
    }
    return EDDY_CHECK(fd >= 0);
}

static bool is_readable(int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, timeout_ms) == 1;
}

/* Sleep on the descriptor as a host does, turn when it is readable. */
static void host_until(const int *flag)
{
    while (!*flag) {
        if (!EDDY_CHECK(is_readable(20000)))
            return;
        EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
    }
}

/* Until there is nothing more to do. A turn that was asked for in vain is allowed, a spin is not. */
static void settle(void)
{
    for (int i = 0; is_readable(0); i++) {
        if (!EDDY_CHECK(i < 20))
            return;
        EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
    }
    EDDY_CHECK(eddy_loop_timeout_ms(loop) != 0);
}

static void set_flag(void *ctx)
{
    *(int *)ctx = 1;
}

EDDY_TEST(the_descriptor_is_one_and_quiet_when_there_is_nothing_to_do)
{
    if (!become_guest())
        return;
    EDDY_CHECK_EQ(eddy_loop_fd(loop), fd);
    settle();
    EDDY_CHECK(!is_readable(20));
    EDDY_CHECK_EQ(eddy_loop_timeout_ms(loop), -1);
}

EDDY_TEST(the_timeout_tells_of_timers_and_of_what_is_ready)
{
    int fired = 0;
    struct eddy_alarm *alarm;

    loop = eddy_loop_current();
    EDDY_CHECK_EQ(eddy_loop_timeout_ms(loop), -1);
    EDDY_CHECK_EQ(eddy_alarm_new(set_flag, &fired, &alarm), 0);
    eddy_alarm_start(alarm, 100000);
    int64_t ms = eddy_loop_timeout_ms(loop);
    EDDY_CHECK(ms > 50000 && ms <= 100001);
    eddy_alarm_start(alarm, 0);
    EDDY_CHECK(eddy_loop_timeout_ms(loop) <= 1);
    eddy_alarm_free(alarm);
    EDDY_CHECK_EQ(eddy_post(loop, set_flag, &fired), 0);
    EDDY_CHECK_EQ(eddy_loop_timeout_ms(loop), 0);
    EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
    EDDY_CHECK_EQ(fired, 1);
}

/* As a host without descriptors: sleep as long as it says, turn. On every backend. */
EDDY_TEST(turning_at_the_timeout_is_enough_for_timers)
{
    int fired = 0;
    struct eddy_alarm *alarm;

    loop = eddy_loop_current();
    EDDY_CHECK_EQ(eddy_alarm_new(set_flag, &fired, &alarm), 0);
    eddy_alarm_start(alarm, 5);
    for (int i = 0; i < 1000 && !fired; i++)
        EDDY_CHECK(eddy_loop_turn(loop, eddy_loop_timeout_ms(loop)) >= 0);
    EDDY_CHECK_EQ(fired, 1);
    eddy_alarm_free(alarm);
}

EDDY_TEST(a_timer_armed_between_turns_is_heard_of)
{
    int far = 0, near = 0;
    struct eddy_alarm *a, *b;

    if (!become_guest())
        return;
    settle();
    EDDY_CHECK_EQ(eddy_alarm_new(set_flag, &far, &a), 0);
    EDDY_CHECK_EQ(eddy_alarm_new(set_flag, &near, &b), 0);
    eddy_alarm_start(a, 1000000);
    settle(); /* the host sleeps for the far one now */
    eddy_alarm_start(b, 3);
    host_until(&near);
    EDDY_CHECK_EQ(far, 0);
    /* And moved from far to near. */
    eddy_alarm_start(a, 3);
    host_until(&far);
    eddy_alarm_free(a);
    eddy_alarm_free(b);
    settle();
}

static void *poster(void *arg)
{
    usleep(20000); /* most likely the host sleeps by then; if not, the test is only weaker */
    EDDY_CHECK_EQ(eddy_post(loop, set_flag, arg), 0);
    return NULL;
}

EDDY_TEST(a_post_of_another_thread_wakes_the_host)
{
    if (!become_guest())
        return;
    settle();
    for (int i = 0; i < 3; i++) {
        int flag = 0;
        pthread_t thread;

        EDDY_CHECK_EQ(pthread_create(&thread, NULL, poster, &flag), 0);
        host_until(&flag);
        pthread_join(thread, NULL);
        settle();
    }
}

struct counter_args {
    int turns;
    int *done;
};

static int counter(struct counter_args *a)
{
    while (a->turns--)
        eddy_yield();
    *a->done = 1;
    return 0;
}
EDDY_TASK(counter);

EDDY_TEST(what_is_ready_after_a_turn_asks_for_another)
{
    int done = 0;

    if (!become_guest())
        return;
    settle();
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_CHECK_EQ(EDDY_GO(&s, counter, .turns = 100, .done = &done), 0);
        EDDY_CHECK_EQ(eddy_loop_timeout_ms(loop), 0);
        host_until(&done);
    }
    settle();
}

static void post_again(void *ctx)
{
    EDDY_CHECK_EQ(eddy_post(loop, set_flag, ctx), 0);
}

EDDY_TEST(a_post_made_by_a_callback_asks_for_another_turn)
{
    int done = 0;

    if (!become_guest())
        return;
    settle();
    EDDY_CHECK_EQ(eddy_post(loop, post_again, &done), 0);
    host_until(&done);
    settle();
}

static void op_done(struct eddy_op *op, int res)
{
    EDDY_CHECK_EQ(res, 1);
    *(int *)op->ctx = 1;
}

static void close_by_the_loop(int descriptor)
{
    struct eddy_op op;

    eddy_op_close(&op, descriptor, NULL);
    EDDY_CHECK_EQ(eddy__op_wait(&op), 0);
}

EDDY_TEST(an_operation_submitted_between_turns_completes)
{
    if (!become_guest())
        return;
    for (int i = 0; i < 3; i++) {
        int pair[2], done = 0;
        char byte;
        struct eddy_op op;

        EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair), 0);
        settle();
        eddy_op_recv(&op, pair[0], &byte, 1, op_done);
        op.ctx = &done;
        EDDY_CHECK(!eddy__op_submit(loop, &op));
        if (i == 1)
            settle(); /* the host sleeps, then the byte comes */
        EDDY_CHECK_EQ(eddy__sys.send(pair[1], "x", 1, 0), 1);
        host_until(&done);
        close_by_the_loop(pair[0]);
        eddy__sys.close(pair[1]);
        settle();
    }
}

static void *teller(void *arg)
{
    const uint64_t one = 1;

    usleep(10000);
    EDDY_CHECK_EQ(eddy__sys.write(*(int *)arg, &one, sizeof one), sizeof one);
    return NULL;
}

static void polled(struct eddy_op *op, int res)
{
    EDDY_CHECK_EQ(res, EDDY_READABLE);
    *(int *)op->ctx = 1;
}

EDDY_TEST(an_eventfd_that_is_polled_is_heard_of_every_time)
{
    int event_fd = eddy__sys.eventfd(0);

    if (become_guest())
        for (int i = 0; i < 4; i++) {
            struct eddy_op op;
            pthread_t thread;
            uint64_t count;
            int done = 0;

            eddy_op_poll(&op, event_fd, EDDY_READABLE, polled);
            op.ctx = &done;
            EDDY_CHECK(!eddy__op_submit(loop, &op));
            settle();
            EDDY_CHECK_EQ(pthread_create(&thread, NULL, teller, &event_fd), 0);
            host_until(&done);
            pthread_join(thread, NULL);
            EDDY_CHECK_EQ(eddy__sys.read(event_fd, &count, sizeof count), sizeof count);
            settle();
        }
    eddy__sys.close(event_fd);
}

struct echo_args {
    int fd;
    int *rounds;
    int *done;
};

/* Each round is an operation of each kind, and a timer. */
static int echo(struct echo_args *a)
{
    for (; *a->rounds > 0; --*a->rounds) {
        char byte;
        struct eddy_op op;

        eddy_op_recv(&op, a->fd, &byte, 1, NULL);
        EDDY_CHECK_EQ(eddy__op_wait(&op), 1);
        if (*a->rounds % 8 == 0)
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
        struct iovec iov = { &byte, 1 };
        eddy_op_send(&op, a->fd, &iov, 1, NULL);
        EDDY_CHECK_EQ(eddy__op_wait(&op), 1);
    }
    *a->done = 1;
    return 0;
}
EDDY_TASK(echo);

EDDY_TEST(tasks_talk_while_the_host_only_watches_the_descriptor)
{
    int pair[2], rounds = 200, done = 0;

    if (!become_guest())
        return;
    EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair), 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, echo, .fd = pair[0], .rounds = &rounds, .done = &done);
        EDDY_CHECK_EQ(eddy__sys.send(pair[1], "x", 1, 0), 1);
        while (!done) {
            struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
                                   { .fd = pair[1], .events = POLLIN } };
            char byte;

            if (!EDDY_CHECK(poll(p, 2, 20000) > 0))
                break;
            if (p[1].revents && eddy__sys.recv(pair[1], &byte, 1, 0) == 1)
                EDDY_CHECK_EQ(eddy__sys.send(pair[1], &byte, 1, 0), 1);
            if (p[0].revents)
                EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
        }
    }
    close_by_the_loop(pair[0]);
    eddy__sys.close(pair[1]);
    settle();
}

EDDY_TEST(plain_code_may_wait_between_two_turns_of_the_host)
{
    int done = 0;

    if (!become_guest())
        return;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, counter, .turns = 1000, .done = &done);
        EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
        EDDY_CHECK_EQ(eddy_sleep(2), 0); /* turns the loop itself */
        host_until(&done);
    }
    settle();
}

static bool slice(void *ctx)
{
    return --*(int *)ctx > 0;
}

EDDY_TEST(idle_work_asks_for_turns_until_it_is_done)
{
    int slices = 10;
    struct eddy_idle *idle;

    if (!become_guest())
        return;
    settle();
    EDDY_CHECK_EQ(eddy_idle_new(slice, &slices, &idle), 0);
    eddy_idle_start(idle);
    EDDY_CHECK_EQ(eddy_loop_timeout_ms(loop), 0);
    for (int i = 0; i < 100 && is_readable(0); i++)
        EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
    EDDY_CHECK_EQ(slices, 0);
    settle();
    eddy_idle_free(idle);
}
