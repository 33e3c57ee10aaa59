/*
 * watch_test.c - the calls of eddy/watch.h
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/loop.h>
#include <eddy/watch.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
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

/* Not the ring: it looks at the descriptor again as soon as it has told of it. */
static bool tells_edges(void)
{
    return strcmp(eddy_check_backend(), "epoll") == 0;
}

EDDY_TEST(an_arrival_is_told_once_with_edge)
{
    struct seen s = { .read = 1 };
    int fd[2];

    make_pair(fd);
    s.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE | EDDY_EDGE, on_ready, &s, &s.watch), 0);
    EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
    turn_until(&s.calls, 1);
    for (int i = 0; i < 5; i++)
        eddy_loop_turn(eddy_loop_current(), 0);
    EDDY_CHECK_EQ(s.calls, tells_edges() ? 1 : 3); /* with two bytes left, or until they are read */
    EDDY_CHECK_EQ(s.events, EDDY_READABLE);
    EDDY_CHECK_EQ(write(fd[1], "d", 1), 1);
    turn_until(&s.calls, tells_edges() ? 2 : 4);
    eddy_watch_free(s.watch);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(what_is_there_already_is_told_with_edge)
{
    struct seen in = { .read = 1 }, out = { .free_at = 1 };
    int fd[2];

    make_pair(fd);
    in.fd = out.fd = fd[0];
    EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE | EDDY_EDGE, on_ready, &in, &in.watch), 0);
    turn_until(&in.calls, 1);
    eddy_watch_free(in.watch); /* and another one in its place is told of what is left */
    int r;
    while ((r = eddy_watch_new(fd[0], EDDY_READABLE | EDDY_EDGE, on_ready, &in, &in.watch)) ==
           -EBUSY)
        eddy_loop_turn(eddy_loop_current(), 0); /* the ring has yet to let go */
    EDDY_CHECK_EQ(r, 0);
    turn_until(&in.calls, 2);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_WRITABLE | EDDY_EDGE, on_ready, &out, &out.watch), 0);
    turn_until(&out.calls, 1);
    EDDY_CHECK(out.events & EDDY_WRITABLE);
    eddy_watch_free(in.watch);
    close(fd[0]);
    close(fd[1]);
}

EDDY_TEST(each_arrival_is_told_with_edge)
{
    struct seen in[20] = { { .read = 0 } };
    int fd[20][2];

    for (int i = 0; i < 20; i++) {
        make_pair(fd[i]);
        in[i] = (struct seen){ .read = 16, .fd = fd[i][0] };
        EDDY_CHECK_EQ(
            eddy_watch_new(in[i].fd, EDDY_READABLE | EDDY_EDGE, on_ready, &in[i], &in[i].watch), 0);
    }
    for (int round = 1; round <= 10; round++) {
        for (int i = 0; i < 20; i++)
            EDDY_CHECK_EQ(write(fd[i][1], "ab", 2), 2);
        for (int i = 0; i < 20; i++)
            turn_until(&in[i].calls, round);
    }
    for (int i = 0; i < 20; i++) {
        EDDY_CHECK(in[i].calls >= 10);
        eddy_watch_free(in[i].watch);
        close(fd[i][0]);
        close(fd[i][1]);
    }
}

EDDY_TEST(edge_beside_level_loses_nothing)
{
    struct seen in = { .read = 1 }, out = { .free_at = 5 };
    int fd[2];

    make_pair(fd);
    in.fd = out.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE | EDDY_EDGE, on_ready, &in, &in.watch), 0);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_WRITABLE, on_ready, &out, &out.watch), 0);
    EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
    turn_until(&out.calls, 5); /* it is told for as long as it is ready */
    turn_until(&in.calls, 3);  /* and so is the other */
    EDDY_CHECK_EQ(write(fd[1], "d", 1), 1);
    turn_until(&in.calls, 4);
    eddy_watch_free(in.watch);
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
    EDDY_CHECK_ERR(eddy_watch_new(0, EDDY_EDGE, on_ready, NULL, &w), -EINVAL);
    EDDY_CHECK_ERR(eddy_watch_new(0, EDDY_HANGUP, on_ready, NULL, &w), -EINVAL);
    EDDY_CHECK_ERR(eddy_watch_new(900, EDDY_READABLE, on_ready, NULL, &w), -EBADF);
    EDDY_CHECK_ERR(eddy_watch_new(-1, EDDY_READABLE, on_ready, NULL, &w), -EBADF);
    EDDY_CHECK(w == NULL);
}

static bool backend_is(const char *name)
{
    return strcmp(eddy_check_backend(), name) == 0;
}

/* The ring holds the file open, and sees at the next arming that the number is no more. */
EDDY_TEST(a_closed_descriptor_is_told_once)
{
    struct seen in = { .read = 1 }, out = { 0 };
    int fd[2];

    make_pair(fd);
    in.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &in, &in.watch), 0);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    turn_until(&in.calls, 1);
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_WRITABLE, on_ready, &out, &out.watch), 0);
    in.events = 0;
    close(fd[0]);
    for (int i = 0; i < 5; i++)
        eddy_loop_turn(eddy_loop_current(), 0);
    if (backend_is("epoll")) {
        EDDY_CHECK_EQ(in.calls + out.calls, 1);
    } else {
        EDDY_CHECK_EQ(in.calls, 2);
        EDDY_CHECK_EQ(in.events, EDDY_FAILED);
        EDDY_CHECK_EQ(out.calls, 1);
        EDDY_CHECK_EQ(out.events, EDDY_FAILED);
    }
    eddy_watch_free(in.watch);
    eddy_watch_free(out.watch);
    close(fd[1]);
}

EDDY_TEST(a_watch_of_a_closed_descriptor_may_be_freed_in_its_call)
{
    struct seen s = { .read = 1, .free_at = 2 };
    int fd[2];

    make_pair(fd);
    s.fd = fd[0];
    EDDY_CHECK_EQ(eddy_watch_new(fd[0], EDDY_READABLE, on_ready, &s, &s.watch), 0);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    turn_until(&s.calls, 1);
    close(fd[0]);
    for (int i = 0; i < 5; i++)
        eddy_loop_turn(eddy_loop_current(), 0);
    EDDY_CHECK_EQ(s.calls, backend_is("epoll") ? 1 : 2);
    eddy_watch_free(s.watch);
    close(fd[1]);
}

EDDY_TEST(a_regular_file_is_the_backends_affair)
{
    struct seen s = { .free_at = 1 };
    char path[] = "watch-test-XXXXXX";
    int fd = mkstemp(path);

    if (!EDDY_CHECK(fd >= 0))
        return;
    int r = eddy_watch_new(fd, EDDY_READABLE, on_ready, &s, &s.watch);
    if (backend_is("epoll")) {
        EDDY_CHECK_ERR(r, -EPERM);
        EDDY_CHECK(s.watch == NULL);
    } else if (EDDY_CHECK_EQ(r, 0)) {
        turn_until(&s.calls, 1);
        EDDY_CHECK(s.events & EDDY_READABLE);
    }
    close(fd);
    unlink(path);
}

EDDY_TEST(past_fd_setsize_is_the_backends_affair)
{
    struct seen s = { .read = 1, .free_at = 1 };
    struct rlimit was, most;
    int fd[2];

    if (getrlimit(RLIMIT_NOFILE, &was) < 0)
        abort();
    most = was;
    most.rlim_cur = most.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &most);
    make_pair(fd);
    int high = fcntl(fd[0], F_DUPFD_CLOEXEC, FD_SETSIZE);
    if (high < 0) {
        EDDY_CHECK_NOT_RUN("no descriptor past FD_SETSIZE is allowed");
    } else {
        s.fd = high;
        EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
        int r = eddy_watch_new(high, EDDY_READABLE, on_ready, &s, &s.watch);
        if (backend_is("select")) {
            EDDY_CHECK_ERR(r, -ERANGE);
            EDDY_CHECK(s.watch == NULL);
        } else if (EDDY_CHECK_EQ(r, 0)) {
            turn_until(&s.calls, 1);
            EDDY_CHECK_EQ(s.events, EDDY_READABLE);
        }
        close(high);
    }
    (void)setrlimit(RLIMIT_NOFILE, &was);
    close(fd[0]);
    close(fd[1]);
}
