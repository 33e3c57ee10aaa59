/*
 * share_test.c - one connection's share of a turn
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "drive.h"

#include "base/sys.h"

#include <stdlib.h>

static size_t taken;

/* A peer that reads as fast as we write. */
static ssize_t send_all(int fd, const void *buf, size_t len, int flags)
{
    (void)fd, (void)buf, (void)flags;
    taken += len;
    return (ssize_t)len;
}

static ssize_t sendmsg_all(int fd, const struct msghdr *message, int flags)
{
    size_t len = 0;

    (void)fd, (void)flags;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        len += message->msg_iov[i].iov_len;
    taken += len;
    return (ssize_t)len;
}

EDDY_TEST(a_fast_reader_does_not_hold_the_loop)
{
    struct eddy_driver *d = drive_open(false, 1);
    const size_t len = 5 * EDDY_SEND_A_TURN;
    char *bytes = calloc(1, len);
    struct iovec iov[] = { { bytes, 100 }, { bytes, 0 }, { bytes, 300 }, { bytes, len - 400 } };
    struct call *c = call_new(d, NULL, NULL);
    int fd[2];

    /* The ring's sends are no system calls of ours: the kernel is asked for so much at a time. */
    if (drive_is(d, "uring") || !drive_pair(d, fd)) {
        free(bytes);
        free(c);
        drive_close(d);
        return;
    }
    const struct eddy_sys kernel = eddy__sys;
    eddy__sys.send = send_all;
    eddy__sys.sendmsg = sendmsg_all;
    taken = 0;
    eddy_op_send(&c->op, fd[0], iov, 4, call_done);
    EDDY_CHECK(!call_submit(c));
    EDDY_CHECK_EQ(taken, EDDY_SEND_A_TURN);
    for (unsigned turns = 2; turns <= 5; turns++) {
        EDDY_CHECK_EQ(c->ends, 0);
        drive_turns(d, 1);
        EDDY_CHECK_EQ(taken, turns * EDDY_SEND_A_TURN);
    }
    EDDY_CHECK(c->ends == 1 && c->res == (int)len);
    eddy__sys = kernel;
    call_free(c);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
    free(bytes);
    drive_close(d);
}

DRIVER_TEST(a_send_that_no_result_could_say_is_refused)
{
    static char byte;
    struct iovec iov[] = { { &byte, 1 }, { &byte, INT32_MAX } };
    struct call *c = call_new(d, NULL, NULL);
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    eddy_op_send(&c->op, fd[0], iov, 2, call_done);
    EDDY_CHECK(call_submit(c));
    EDDY_CHECK_ERR(c->res, -EMSGSIZE);
    call_free(c);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* How far a large send got can be seen: a server tells a slow reader from none by it. */
DRIVER_TEST(a_large_send_shows_its_progress)
{
    const size_t len = (size_t)8 << 20;
    char *bytes = calloc(1, len), *sink = malloc(1 << 20);
    struct iovec iov = { bytes, len };
    struct call *c = call_new(d, NULL, NULL);
    int fd[2];

    if (few || !drive_pair(d, fd)) {
        free(bytes);
        free(sink);
        free(c);
        return;
    }
    eddy_op_send(&c->op, fd[0], &iov, 1, call_done);
    call_submit(c);
    size_t got = 0, steps = 0, left = SIZE_MAX;
    while (got < len && !c->ends) {
        drive_turns(d, 1);
        if (c->ends)
            break;
        steps += iov.iov_len < left;
        left = iov.iov_len;
        int n = do_recv(d, fd[1], sink, 1 << 20);
        if (!EDDY_CHECK(n > 0))
            break;
        got += (size_t)n;
    }
    EDDY_CHECK(drive_until(d, &c->ends) && c->res == (int)len);
    EDDY_CHECK(steps >= 2);
    call_free(c);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
    free(bytes);
    free(sink);
}
