/*
 * driver_test.c - the I/O suite: what every driver must do with operations
 *
 * backends: select poll epoll uring sim
 * timeout: 120
 *
 * Runs drivers directly: no loop, no tasks. Each test runs twice, the second time with
 * `short_io`, where every receive and send moves a few bytes and queues are tiny.
 */
#include "check.h"
#include "drive.h"
#include "reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- listening and connecting ------------------------------------------------------------------- */

static void note_fd(struct call *c, int res)
{
    int *fds = c->ctx;

    if (res < 0)
        return;
    while (*fds >= 0)
        fds++;
    fds[0] = res;
    fds[1] = -1;
}

DRIVER_TEST(one_accept_takes_many_connections)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int fds[12] = { -1 }, clients[10];

    int listener = drive_listen(d, 16, &addr, &len);
    struct call *c = call_new(d, note_fd, fds);
    eddy_op_accept(&c->op, listener, call_done);
    EDDY_CHECK(!call_submit(c));
    for (unsigned i = 0; i < 10; i++) {
        unsigned none = 0;
        clients[i] = do_connect(d, &addr, len);
        EDDY_CHECK(clients[i] >= 0);
        while (c->calls <= i && d->ops->turn(d, 100000000) >= 0 && ++none < 100000)
            ;
    }
    EDDY_CHECK_EQ(c->calls, 10);
    EDDY_CHECK_EQ(c->ends, 0);
    call_cancel(c);
    drive_until(d, &c->ends);
    EDDY_CHECK_EQ(c->calls, 11);
    EDDY_CHECK_ERR(c->res, -ECANCELED);
    call_free(c);
    for (unsigned i = 0; i < 10; i++) {
        EDDY_CHECK_EQ(do_close(d, clients[i]), 0);
        EDDY_CHECK_EQ(do_close(d, fds[i]), 0);
    }
    EDDY_CHECK_EQ(do_close(d, listener), 0);
}

DRIVER_TEST(connecting_where_nobody_listens_is_refused)
{
    struct sockaddr_storage addr;
    socklen_t len;

    int listener = drive_listen(d, 16, &addr, &len);
    do_close(d, listener);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_ERR(do_connect(d, &addr, len), -ECONNREFUSED);
    /* The check for descriptors left behind is check.h's. */
}

DRIVER_TEST(both_ends_name_each_other)
{
    struct sockaddr_storage a, b;
    socklen_t a_len = 0, b_len = 0;
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    EDDY_CHECK_EQ(d->ops->address(d, fd[0], false, &a, &a_len), 0);
    EDDY_CHECK_EQ(d->ops->address(d, fd[1], true, &b, &b_len), 0);
    EDDY_CHECK_MEM(&a, a_len, &b, b_len);
    EDDY_CHECK_EQ(d->ops->address(d, fd[1], false, &a, &a_len), 0);
    EDDY_CHECK_EQ(d->ops->address(d, fd[0], true, &b, &b_len), 0);
    EDDY_CHECK_MEM(&a, a_len, &b, b_len);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

DRIVER_TEST(accept_ends_when_descriptors_run_out_and_loses_nobody)
{
    struct sockaddr_storage addr;
    struct rlimit before, tight;
    socklen_t len;
    int fds[3] = { -1 };

    if (drive_is(d, "sim"))
        return; /* its descriptors are its own, and have no end */
    int listener = drive_listen(d, 16, &addr, &len);
    struct call *connect = call_new(d, NULL, NULL);
    eddy_op_connect(&connect->op, (struct sockaddr *)&addr, len, call_done);
    call_submit(connect);
    struct call *c = call_new(d, note_fd, fds);
    eddy_op_accept(&c->op, listener, call_done);
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    int lowest = dup(listener);
    tight.rlim_cur = (rlim_t)lowest;
    close(lowest);
    setrlimit(RLIMIT_NOFILE, &tight);
    call_submit(c);
    drive_until(d, &c->ends);
    EDDY_CHECK_ERR(c->res, -EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
    call_free(c);

    c = call_new(d, note_fd, fds);
    eddy_op_accept(&c->op, listener, call_done);
    call_submit(c);
    drive_until(d, &c->calls);
    drive_until(d, &connect->ends);
    call_cancel(c);
    drive_until(d, &c->ends);
    EDDY_CHECK(fds[0] >= 0);
    do_close(d, fds[0]);
    do_close(d, connect->res);
    do_close(d, listener);
    call_free(c);
    call_free(connect);
}

/* --- bytes --------------------------------------------------------------------------------------- */

DRIVER_TEST(receiving_takes_what_there_is_then_the_end)
{
    char buf[64];
    size_t got = 0;
    int fd[2], r;

    if (!drive_pair(d, fd))
        return;
    EDDY_CHECK_EQ(do_send(d, fd[0], "hello, world", 12), 12);
    EDDY_CHECK_EQ(do_send(d, fd[0], "", 0), 0);
    while (got < 12 && (r = do_recv(d, fd[1], buf + got, sizeof buf - got)) > 0) {
        EDDY_CHECK(!few || r <= 3);
        got += (size_t)r;
    }
    EDDY_CHECK_MEM(buf, got, "hello, world", 12);

    /* Half-closed: the other direction goes on. */
    EDDY_CHECK_EQ(d->ops->shutdown(d, fd[0]), 0);
    EDDY_CHECK_EQ(do_recv(d, fd[1], buf, sizeof buf), 0);
    EDDY_CHECK_EQ(do_recv(d, fd[1], buf, sizeof buf), 0);
    EDDY_CHECK_ERR(do_send(d, fd[0], "x", 1), -EPIPE);
    EDDY_CHECK_EQ(do_send(d, fd[1], "y", 1), 1);
    EDDY_CHECK_EQ(do_recv(d, fd[0], buf, sizeof buf), 1);
    do_close(d, fd[1]);
    EDDY_CHECK_EQ(do_recv(d, fd[0], buf, sizeof buf), 0);
    do_close(d, fd[0]);
}

DRIVER_TEST(closing_with_bytes_unread_resets_the_peer)
{
    char buf[8];
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    EDDY_CHECK_EQ(do_send(d, fd[0], "unread", 6), 6);
    EDDY_CHECK(do_recv(d, fd[1], buf, 1) == 1); /* so the rest has arrived, or will */
    do_close(d, fd[1]);
    EDDY_CHECK_ERR(do_recv(d, fd[0], buf, sizeof buf), -ECONNRESET);
    EDDY_CHECK_ERR(do_send(d, fd[0], "x", 1), -EPIPE);
    do_close(d, fd[0]);
}

DRIVER_TEST(sending_to_a_closed_peer_fails_in_the_end)
{
    int fd[2], r = 0;

    if (!drive_pair(d, fd))
        return;
    do_close(d, fd[1]);
    for (int i = 0; i < 1000 && r >= 0; i++) {
        r = do_send(d, fd[0], "x", 1);
        drive_turns(d, 1);
    }
    EDDY_CHECK(r == -EPIPE || r == -ECONNRESET);
    do_close(d, fd[0]);
}

/* Returns of which way there was least. */
static unsigned pass_text(struct eddy_driver *d, size_t total, unsigned dice)
{
    struct reader r = { .d = d, .dice = dice };
    char *text = malloc(total);
    int fd[2];

    if (!text || !drive_pair(d, fd))
        abort();
    text_fill(text, total, 0);
    r.fd = fd[1];
    /* In three parts, an empty one among them. */
    struct iovec iov[] = { { text, total / 3 },
                           { text, 0 },
                           { text + total / 3, total - total / 3 } };
    struct call *send = call_new(d, NULL, NULL);
    eddy_op_send(&send->op, fd[0], iov, 3, call_done);
    call_submit(send);
    while (!send->ends && r.at < total) {
        if (!r.busy)
            reader_start(&r);
        if (!EDDY_CHECK(d->ops->turn(d, r.busy ? 10000000 : 0) >= 0))
            break;
    }
    drive_until(d, &send->ends);
    EDDY_CHECK_EQ(send->res, total);
    call_free(send);
    EDDY_CHECK_EQ(d->ops->shutdown(d, fd[0]), 0);
    read_all(d, &r);
    EDDY_CHECK_EQ(r.res, 0);
    EDDY_CHECK_EQ(r.at, total);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
    free(text);
    unsigned least = r.pauses < r.lends ? r.pauses : r.lends;
    return least < r.receives ? least : r.receives;
}

DRIVER_TEST(lent_paused_and_received_bytes_come_once_and_in_order)
{
    static const size_t sizes[] = { 1, 2, 100, 4096, 8191, 8192, 8193, 65536, 1048576 };

    unsigned least = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned dice = 1; dice <= (few ? 2U : 8U); dice++)
            if (!few || sizes[i] < 10000)
                least += pass_text(d, sizes[i], dice);
    EDDY_CHECK(least > 8); /* it was mixed indeed */
}

DRIVER_TEST(a_large_send_waits_for_a_slow_reader)
{
    const size_t total = few ? 100000 : (size_t)24 << 20;
    char *text = malloc(total);
    int fd[2];

    if (!text || !drive_pair(d, fd))
        abort();
    text_fill(text, total, 0);
    struct iovec iov = { text, total };
    struct call *send = call_new(d, NULL, NULL);
    eddy_op_send(&send->op, fd[0], &iov, 1, call_done);
    if (!few) {
        EDDY_CHECK(!call_submit(send));
        drive_turns(d, 30);
        EDDY_CHECK_EQ(send->ends, 0);
    } else {
        call_submit(send);
    }
    struct reader r = { .d = d, .fd = fd[1], .dice = 7 };
    while (!send->ends) {
        if (!r.busy)
            reader_start(&r);
        if (!EDDY_CHECK(d->ops->turn(d, r.busy ? 10000000 : 0) >= 0))
            break;
    }
    EDDY_CHECK_EQ(send->res, total);
    call_free(send);
    d->ops->shutdown(d, fd[0]);
    read_all(d, &r);
    EDDY_CHECK_EQ(r.at, total);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
    free(text);
}

DRIVER_TEST(a_send_of_more_parts_than_the_kernel_takes_goes_out_whole)
{
    enum { PARTS = 2500 };
    static char text[PARTS * 3];
    static struct iovec iov[PARTS];
    struct reader r = { .d = d, .dice = 3 };
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    text_fill(text, sizeof text, 0);
    for (unsigned i = 0; i < PARTS; i++)
        iov[i] = (struct iovec){ text + i * 3, 3 };
    struct call *send = call_new(d, NULL, NULL);
    eddy_op_send(&send->op, fd[0], iov, PARTS, call_done);
    call_submit(send);
    drive_until(d, &send->ends);
    EDDY_CHECK_EQ(send->res, sizeof text);
    call_free(send);
    d->ops->shutdown(d, fd[0]);
    r.fd = fd[1];
    read_all(d, &r);
    EDDY_CHECK_EQ(r.at, sizeof text);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* --- refusals ---------------------------------------------------------------------------------------- */

DRIVER_TEST(a_second_operation_on_a_side_is_busy)
{
    char buf[8];
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    struct call *c = call_new(d, NULL, NULL);
    eddy_op_lend(&c->op, fd[1], call_done);
    EDDY_CHECK(!call_submit(c));
    EDDY_CHECK_ERR(do_recv(d, fd[1], buf, sizeof buf), -EBUSY);
    call_cancel(c);
    drive_until(d, &c->ends);
    call_free(c);
    EDDY_CHECK_EQ(do_send(d, fd[0], "x", 1), 1);
    EDDY_CHECK_EQ(do_recv(d, fd[1], buf, sizeof buf), 1);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
    EDDY_CHECK_ERR(do_recv(d, -1, buf, sizeof buf), -EBADF);
}

/* --- waking and time ---------------------------------------------------------------------------------- */

static void *wake_it(void *ctx)
{
    struct eddy_driver *d = ctx;

    d->ops->wake(d);
    return NULL;
}

DRIVER_TEST(wake_from_another_thread_ends_the_wait)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, wake_it, d) != 0)
            abort();
        EDDY_CHECK(d->ops->turn(d, -1) >= 0); /* for ever, but for the wake */
        pthread_join(thread, NULL);
    }
    /* Nothing is left of them: a wait lasts again. */
    d->ops->turn(d, 0);
    int64_t before_ns = d->ops->now_ns(d);
    d->ops->turn(d, 3000000);
    EDDY_CHECK(d->ops->now_ns(d) - before_ns >= 3000000);
}

DRIVER_TEST(a_timeout_is_never_early)
{
    static const int64_t timeouts[] = { 1, 1000, 999999, 1000000, 1000001, 12345678 };

    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int64_t before_ns = d->ops->now_ns(d);
        EDDY_CHECK_EQ(d->ops->turn(d, timeouts[i]), 0);
        EDDY_CHECK(d->ops->now_ns(d) - before_ns >= timeouts[i]);
    }
    int64_t before_ns = d->ops->wall_ns(d);
    d->ops->turn(d, 2000000);
    EDDY_CHECK(d->ops->wall_ns(d) - before_ns >= 1000000);
}

DRIVER_TEST(chance_fills_all_it_was_given)
{
    unsigned char all[37] = { 0 }, more[37];

    for (int i = 0; i < 64; i++) {
        EDDY_CHECK_EQ(d->ops->random(d, more, sizeof more), 0);
        for (size_t k = 0; k < sizeof more; k++)
            all[k] |= more[k];
    }
    for (size_t k = 0; k < sizeof all; k++)
        EDDY_CHECK_EQ(all[k], 0xff);
}
