/*
 * descriptor_test.c - the rules of eddy/descriptor.h
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include <eddy/descriptor.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static bool backend_is(const char *name)
{
    const char *chosen = getenv("EDDY_BACKEND");

    return chosen && strcmp(chosen, name) == 0;
}

/* A connected pair of sockets; false under the simulator, which must refuse it. */
static bool make_pair(int fd[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
        abort();
    if (!backend_is("sim"))
        return true;
    EDDY_CHECK_ERR(eddy_wait_fd(fd[0], EDDY_READABLE), -EDDY_ESIM);
    close(fd[0]);
    close(fd[1]);
    return false;
}

static void close_pair(int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

struct waiter_args {
    int fd;
    unsigned events;
    int *ret;
};

static int waiter(struct waiter_args *a)
{
    *a->ret = eddy_wait_fd(a->fd, a->events);
    return 0;
}
EDDY_TASK(waiter);

EDDY_TEST(what_is_ready_is_told)
{
    int fd[2], r = 0;

    if (!make_pair(fd))
        return;
    EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_WRITABLE), EDDY_WRITABLE);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_READABLE), EDDY_READABLE);
    EDDY_CHECK_EQ(read(fd[0], &r, 1), 1);
    r = 0;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, waiter, .fd = fd[0], .events = EDDY_READABLE, .ret = &r);
        for (int i = 0; i < 3; i++)
            eddy_yield();
        EDDY_CHECK_EQ(r, 0);
        EDDY_CHECK_EQ(write(fd[1], "b", 1), 1);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    EDDY_CHECK_EQ(r, EDDY_READABLE);
    close_pair(fd);
}

EDDY_TEST(of_two_events_what_came_is_told)
{
    int fd[2];

    if (!make_pair(fd))
        return;
    EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_READABLE | EDDY_WRITABLE), EDDY_WRITABLE);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_READABLE | EDDY_WRITABLE),
                  EDDY_READABLE | EDDY_WRITABLE);
    close_pair(fd);
}

EDDY_TEST(nothing_is_taken)
{
    char bytes[8];
    int fd[2];

    if (!make_pair(fd))
        return;
    EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_READABLE), EDDY_READABLE);
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 3);
    close_pair(fd);
}

EDDY_TEST(a_second_waiter_is_busy)
{
    int fd[2], r = 0;

    if (!make_pair(fd))
        return;
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, waiter, .fd = fd[0], .events = EDDY_READABLE, .ret = &r);
    eddy_yield();
    EDDY_CHECK_ERR(eddy_wait_fd(fd[0], EDDY_READABLE), -EBUSY);
    EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_WRITABLE), EDDY_WRITABLE);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(r, EDDY_READABLE);
    close_pair(fd);
}

EDDY_TEST(a_hang_up_ends_the_wait)
{
    int fd[2];

    if (!make_pair(fd))
        return;
    close(fd[1]);
    int r = eddy_wait_fd(fd[0], EDDY_READABLE);
    EDDY_CHECK(r > 0 && (r & (EDDY_HANGUP | EDDY_READABLE)));
    close(fd[0]);
}

EDDY_TEST(a_scope_ends_the_wait)
{
    int fd[2];

    if (!make_pair(fd))
        return;
    {
        EDDY_SCOPE(s, .timeout_ms = 5);
        EDDY_CHECK_ERR(eddy_wait_fd(fd[0], EDDY_READABLE), -ETIMEDOUT);
    }
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_ERR(eddy_wait_fd(fd[0], EDDY_WRITABLE), -ECANCELED);
    }
    /* Nothing is left behind: the next one waits, and is served. */
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    EDDY_CHECK_EQ(eddy_wait_fd(fd[0], EDDY_READABLE), EDDY_READABLE);
    close_pair(fd);
}

EDDY_TEST(a_regular_file_is_ready)
{
    char path[] = "/tmp/eddy-descriptor-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0)
        abort();
    (void)unlink(path);
    if (!backend_is("sim")) {
        int r = eddy_wait_fd(fd, EDDY_READABLE);
        EDDY_CHECK(r > 0 && (r & EDDY_READABLE));
        r = eddy_wait_fd(fd, EDDY_READABLE | EDDY_WRITABLE);
        EDDY_CHECK(r > 0 && (r & EDDY_WRITABLE));
    }
    close(fd);
}

EDDY_TEST(wrong_use_is_an_error)
{
    int fd[2];

    if (!make_pair(fd))
        return;
    EDDY_CHECK_ERR(eddy_wait_fd(fd[0], 0), -EINVAL);
    EDDY_CHECK_ERR(eddy_wait_fd(fd[0], EDDY_READABLE | 1024), -EINVAL);
    EDDY_CHECK_ERR(eddy_wait_fd(-1, EDDY_READABLE), -EBADF);
    close_pair(fd);
    EDDY_CHECK_ERR(eddy_wait_fd(fd[0], EDDY_READABLE), -EBADF);
}

static void wait_in_a_callback(void *ctx)
{
    *(int *)ctx = eddy_wait_fd(0, EDDY_READABLE);
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    int r = 0;

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), wait_in_a_callback, &r), 0);
    while (!r)
        eddy_loop_turn(eddy_loop_current(), -1);
    EDDY_CHECK_ERR(r, -EDEADLK);
}

EDDY_TEST(past_fd_setsize_is_the_backends_affair)
{
    struct rlimit was, most;
    int fd[2];

    if (!make_pair(fd))
        return;
    if (getrlimit(RLIMIT_NOFILE, &was) < 0)
        abort();
    most = was;
    most.rlim_cur = most.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &most);
    int high = fcntl(fd[0], F_DUPFD_CLOEXEC, FD_SETSIZE);
    if (high < 0)
        EDDY_CHECK_NOT_RUN("no descriptor past FD_SETSIZE is allowed");
    else if (backend_is("select"))
        EDDY_CHECK_ERR(eddy_wait_fd(high, EDDY_WRITABLE), -ERANGE);
    else
        EDDY_CHECK_EQ(eddy_wait_fd(high, EDDY_WRITABLE), EDDY_WRITABLE);
    if (high >= 0)
        close(high);
    (void)setrlimit(RLIMIT_NOFILE, &was);
    close_pair(fd);
}

EDDY_TEST(the_simulator_refuses)
{
    int fd[2];

    if (!backend_is("sim"))
        return; /* shown by each of the others, too */
    (void)make_pair(fd);
}

/* A counter of the kernel's, as a driver or another library may hand out. */
EDDY_TEST(an_eventfd_is_waited_for)
{
    uint64_t count = 0;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), r = 0;

    if (!backend_is("sim")) {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, waiter, .fd = fd, .events = EDDY_READABLE, .ret = &r);
        eddy_yield();
        EDDY_CHECK_EQ(eventfd_write(fd, 3), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(r, EDDY_READABLE);
        EDDY_CHECK_EQ(read(fd, &count, sizeof count), 8);
        EDDY_CHECK_EQ(count, 3);
    }
    close(fd);
}
