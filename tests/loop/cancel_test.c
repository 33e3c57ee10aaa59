/*
 * cancel_test.c - the I/O suite's second half: operations that end otherwise than they began
 *
 * backends: select poll epoll uring sim
 * timeout: 120
 */
#include "check.h"
#include "drive.h"
#include "poller/poller.h"
#include "reader.h"

#include <stdlib.h>
#include <unistd.h>

/* --- cancelling ------------------------------------------------------------------------------------ */

/* The operation's memory, and what it points to, is freed in its last done(). */
struct once {
    unsigned *ended;
    int *res;
    char *bytes;
};

static void once_over(struct call *c, int res)
{
    struct once *o = c->ctx;

    if (c->op.more)
        return;
    *o->res = res;
    *o->ended = 1;
    free(o->bytes);
    free(o);
    call_free(c);
}

static int cancel_after(struct eddy_driver *d, enum eddy_op_kind kind, int fd,
                        const struct sockaddr_storage *addr, socklen_t len, unsigned turns)
{
    unsigned ended = 0;
    int res = 0;
    struct once *o = calloc(1, sizeof *o);
    struct call *c = call_new(d, once_over, o);
    size_t size = (size_t)24 << 20;
    struct iovec iov;

    *o = (struct once){ &ended, &res, malloc(kind == EDDY_OP_SEND ? size : 100) };
    iov = (struct iovec){ o->bytes, size };
    if (kind == EDDY_OP_ACCEPT)
        eddy_op_accept(&c->op, fd, call_done);
    else if (kind == EDDY_OP_CONNECT)
        eddy_op_connect(&c->op, (const struct sockaddr *)addr, len, call_done);
    else if (kind == EDDY_OP_RECV)
        eddy_op_recv(&c->op, fd, o->bytes, 100, call_done);
    else if (kind == EDDY_OP_LEND)
        eddy_op_lend(&c->op, fd, call_done);
    else if (kind == EDDY_OP_SEND)
        eddy_op_send(&c->op, fd, &iov, 1, call_done);
    else
        eddy_op_poll(&c->op, fd, EDDY_READABLE, call_done);
    if (call_submit(c)) {
        once_over(c, c->res);
        return res;
    }
    for (; turns > 0; turns--)
        EDDY_CHECK(d->ops->turn(d, 0) >= 0);
    if (!ended && call_cancel(c))
        once_over(c, c->res);
    drive_until(d, &ended);
    drive_turns(d, 2); /* a second completion would touch what has been freed */
    return res;
}

DRIVER_TEST(a_cancelled_operation_completes_exactly_once)
{
    static const enum eddy_op_kind readers[] = { EDDY_OP_RECV, EDDY_OP_LEND, EDDY_OP_POLL };
    struct sockaddr_storage addr;
    socklen_t len;
    int fd[2];

    for (unsigned turns = 0; turns < 3; turns++) {
        int listener = drive_listen(d, 64, &addr, &len);
        EDDY_CHECK_ERR(cancel_after(d, EDDY_OP_ACCEPT, listener, NULL, 0, turns), -ECANCELED);
        if (!drive_pair(d, fd))
            return;
        for (size_t i = 0; i < 3; i++) {
            if (readers[i] == EDDY_OP_POLL && drive_is(d, "sim"))
                continue;
            EDDY_CHECK_ERR(cancel_after(d, readers[i], fd[0], NULL, 0, turns), -ECANCELED);
        }
        /* It may have gone in part. Filling a kernel's buffer in a million tries of a few bytes,
         * as the ready driver would, takes seconds and shows nothing. */
        if (!few || d->ops != &eddy_driver_ready)
            EDDY_CHECK_ERR(cancel_after(d, EDDY_OP_SEND, fd[0], NULL, 0, turns), -ECANCELED);
        do_close(d, fd[0]);
        do_close(d, fd[1]);
        for (unsigned i = 0; i < 8; i++) {
            int r = cancel_after(d, EDDY_OP_CONNECT, -1, &addr, len, turns);
            if (r >= 0)
                do_close(d, r); /* completion wins */
            else
                EDDY_CHECK_ERR(r, -ECANCELED);
        }
        do_close(d, listener);
    }
}

DRIVER_TEST(what_completes_with_the_cancel_is_delivered)
{
    unsigned delivered = 0;
    char byte, buf[4];
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    for (uint64_t at = 0; at < 200; at++) {
        struct call *c = call_new(d, NULL, NULL);
        eddy_op_recv(&c->op, fd[1], buf, 1, call_done);
        EDDY_CHECK(!call_submit(c));
        drive_turns(d, at % 2 ? 1 : 0);
        /* The send's completion may or may not come together with the receive's. */
        byte = text_at(at);
        EDDY_CHECK_EQ(do_send(d, fd[0], &byte, 1), 1);
        if (!c->ends)
            call_cancel(c);
        drive_until(d, &c->ends);
        if (c->res == -ECANCELED)
            EDDY_CHECK_EQ(do_recv(d, fd[1], buf, 1), 1);
        else if (EDDY_CHECK_EQ(c->res, 1))
            delivered++;
        text_is(buf, 1, at);
        call_free(c);
    }
    EDDY_CHECK(drive_is(d, "sim") || delivered > 0 || d->ops == &eddy_driver_ready);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* A LEND ends inside its done() and the same struct becomes a RECV: no stale event may mix. */
struct swap {
    char buf[64];
    uint64_t at;
    unsigned rounds;
    unsigned over;
};

static void swap_next(struct call *c, int res);

static void swap_arm(struct call *c, bool lend)
{
    struct swap *w = c->ctx;
    int fd = c->op.fd;

    c->ends = 0;
    if (lend)
        eddy_op_lend(&c->op, fd, call_done);
    else
        eddy_op_recv(&c->op, fd, w->buf, 1, call_done);
    if (call_submit(c))
        swap_next(c, c->res);
}

static void swap_next(struct call *c, int res)
{
    struct swap *w = c->ctx;
    bool was_lend = c->op.kind == EDDY_OP_LEND;

    if (res > 0) {
        text_is(was_lend ? c->op.lend.ptr : w->buf, (size_t)res, w->at);
        w->at += (uint64_t)res;
    }
    if (c->op.more) {
        if (call_cancel(c))
            swap_arm(c, false);
    } else if (res > 0 || res == -ECANCELED) {
        w->rounds++;
        swap_arm(c, !was_lend);
    } else {
        EDDY_CHECK_EQ(res, 0);
        w->over = 1;
    }
}

DRIVER_TEST(an_operation_may_become_another_inside_its_done)
{
    struct swap w = { .at = 0 };
    static char text[500000];
    const size_t few_bytes = 1500, total = few ? few_bytes : sizeof text;
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    text_fill(text, total, 0);
    struct call *c = call_new(d, swap_next, &w);
    c->op.fd = fd[1];
    swap_arm(c, true);
    for (size_t at = 0; at < few_bytes; at += 30) {
        EDDY_CHECK_EQ(do_send(d, fd[0], text + at, 30), 30);
        drive_turns(d, 1);
    }
    /* And a lot, so that one lend takes all that a driver reads at a time. */
    EDDY_CHECK_EQ(do_send(d, fd[0], text + few_bytes, total - few_bytes), total - few_bytes);
    d->ops->shutdown(d, fd[0]);
    drive_until(d, &w.over);
    EDDY_CHECK_EQ(w.at, total);
    EDDY_CHECK(w.rounds > 3);
    call_free(c);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* --- readiness ---------------------------------------------------------------------------- */

DRIVER_TEST(poll_tells_readiness_of_any_descriptor)
{
    int pipe_fd[2];
    unsigned zero = 0;

    if (pipe(pipe_fd) < 0)
        abort();
    struct call *c = call_new(d, NULL, NULL);
    eddy_op_poll(&c->op, pipe_fd[0], EDDY_READABLE, call_done);
    if (drive_is(d, "sim")) {
        EDDY_CHECK(call_submit(c));
        EDDY_CHECK_ERR(c->res, -EDDY_ESIM);
        EDDY_CHECK_ERR(do_recv(d, pipe_fd[0], &zero, 1), -EDDY_ESIM);
    } else {
        struct call *out = call_new(d, NULL, NULL);
        eddy_op_poll(&out->op, pipe_fd[1], EDDY_WRITABLE, call_done);
        call_submit(out);
        drive_until(d, &out->ends);
        EDDY_CHECK(out->res > 0 && (out->res & EDDY_WRITABLE));
        call_free(out);
        EDDY_CHECK(!call_submit(c));
        EDDY_CHECK(d->ops->turn(d, 0) >= 0);
        EDDY_CHECK_EQ(c->ends, 0);
        EDDY_CHECK_EQ(write(pipe_fd[1], "x", 1), 1);
        drive_until(d, &c->ends);
        EDDY_CHECK(c->res > 0 && (c->res & EDDY_READABLE));
        EDDY_CHECK_EQ(read(pipe_fd[0], &zero, 1), 1);
        EDDY_CHECK_ERR(cancel_after(d, EDDY_OP_POLL, pipe_fd[0], NULL, 0, 0), -ECANCELED);
    }
    call_free(c);
    /* The driver is told nothing of this close: the descriptor was another's. The numbers are
     * given out again, and what was known of the old ones must not be taken for the new. */
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    for (int i = 0; i < 2; i++) {
        struct reader r = { .d = d, .dice = 1 };
        int fd[2];
        if (!drive_pair(d, fd))
            return;
        c = call_new(d, reader_lent, &r);
        eddy_op_lend(&c->op, fd[1 - i], call_done);
        call_submit(c);
        r.dice = 3;
        r.busy = 1;
        drive_turns(d, 1);
        char byte = text_at(0);
        EDDY_CHECK_EQ(do_send(d, fd[i], &byte, 1), 1);
        d->ops->shutdown(d, fd[i]);
        read_all(d, &r);
        EDDY_CHECK_EQ(r.at, 1);
        do_close(d, fd[0]);
        do_close(d, fd[1]);
    }
}
