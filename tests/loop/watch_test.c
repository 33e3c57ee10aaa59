/*
 * watch_test.c - the calls of eddy/watch.h
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/loop.h>
#include <eddy/watch.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct seen {
    struct eddy_watch *watch;
    int fd;
    int calls;
    unsigned events;
    int read;    /* bytes taken in each call */
    int free_at; /* free the watch in this call */
};

static void on_ready(void *ctx, unsigned events)
{
    struct seen *s = ctx;
    char bytes[16];

    s->calls++;
    s->events |= events;
    if (s->read > 0)
        (void)!read(s->fd, bytes, (size_t)s->read);
    if (s->calls == s->free_at) {
        eddy_watch_free(s->watch);
        s->watch = NULL;
    }
}

static void make_pair(int fd[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
        abort();
}

static void turn_until(const int *calls, int count)
{
    while (*calls < count)
        eddy_loop_turn(eddy_loop_current(), -1);
}

EDDY_TEST(what_is_still_ready_is_told_again)
{
    struct seen s = { .read = 1 };
    int fd[2];

    make_pair(fd);
    s.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &s, &s.watch), 0);
    EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
    turn_until(&s.calls, 3);
    for (int i = 0; i < 3; i++)
        eddy_loop_turn(eddy_loop_current(), 0);
    EDDY_CHECK_EQ(s.calls, 3); /* drained: nothing more is told */
    EDDY_CHECK_EQ(s.events, EDDY_READABLE);
    EDDY_CHECK_EQ(write(fd[1], "d", 1), 1);
    turn_until(&s.calls, 4);
    eddy_watch_free(s.watch);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(it_may_be_freed_in_its_own_call)
{
    struct seen s = { .free_at = 1 };
    int fd[2];

    make_pair(fd);
    s.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &s, &s.watch), 0);
    EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
    turn_until(&s.calls, 1);
    for (int i = 0; i < 3; i++)
        eddy_loop_turn(eddy_loop_current(), 0);
    EDDY_CHECK_EQ(s.calls, 1);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(a_freed_watch_tells_nothing)
{
    struct seen s = { .read = 1 };
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE | EDDY_WRITABLE, on_ready, &s, &s.watch), 0);
    eddy_watch_free(s.watch);
    eddy_watch_free(NULL);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    for (int i = 0; i < 3; i++)
        eddy_loop_turn(eddy_loop_current(), 0);
    EDDY_CHECK_EQ(s.calls, 0);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(input_and_output_are_watched_apart)
{
    struct seen in = { .read = 1 }, out = { .free_at = 1 };
    struct eddy_watch *third = NULL;
    int fd[2];

    make_pair(fd);
    in.fd = out.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &in, &in.watch), 0);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_WRITABLE, on_ready, &out, &out.watch), 0);
    EDDY_CHECK_ERR(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &in, &third), -EBUSY);
    turn_until(&out.calls, 1);
    EDDY_CHECK(out.events & EDDY_WRITABLE);
    EDDY_CHECK_EQ(in.calls, 0);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    turn_until(&in.calls, 1);
    eddy_watch_free(in.watch);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(one_that_nobody_frees_ends_with_its_loop)
{
    struct seen s = { 0 };
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &s, &s.watch), 0);
    EDDY_CHECK_EQ(eddy_watch_new(fd[1], EDDY_READABLE, on_ready, &s, &s.watch), 0);
    eddy_loop_free(eddy_loop_current());
    EDDY_CHECK_EQ(s.calls, 0);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(a_hang_up_is_told)
{
    struct seen s = { .free_at = 1 };
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &s, &s.watch), 0);
    close(fd[1]);
    turn_until(&s.calls, 1);
    EDDY_CHECK(s.events & (EDDY_READABLE | EDDY_HANGUP));
    close(fd[0]);
}

EDDY_TEST(wrong_use_is_an_error)
{
    struct eddy_watch *w = NULL;

    EDDY_CHECK_ERR(eddy_watch_new(0, 0, on_ready, NULL, &w), -EINVAL);
    EDDY_CHECK_ERR(eddy_watch_new(0, EDDY_HANGUP, on_ready, NULL, &w), -EINVAL);
    EDDY_CHECK_ERR(eddy_watch_new(900, EDDY_READABLE, on_ready, NULL, &w), -EBADF);
    EDDY_CHECK_ERR(eddy_watch_new(-1, EDDY_READABLE, on_ready, NULL, &w), -EBADF);
    EDDY_CHECK(w == NULL);
}
