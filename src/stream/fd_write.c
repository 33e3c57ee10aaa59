/*
 * stream/fd_write.c - the output of a transport over descriptors
 *
 * One WRITE at a time, of one piece of the first write in the queue; the end of the output is a
 * shutdown where a socket stands, else the CLOSE of a descriptor that is ours and only written to.
 */
#include "stream/fd.h"

/* What one turn does at most, before everybody else has theirs. */
#define PIECES_A_TURN 8
#define WRITES_A_TURN 16

/* The first piece of @w that has bytes left; NULL: none has. */
static struct iovec *piece(struct eddy_write *w)
{
    uintptr_t i = (uintptr_t)w->scratch[0];

    while (i < w->count && w->iov[i].iov_len == 0)
        i++;
    w->scratch[0] = (void *)i;
    return i < w->count ? &w->iov[i] : NULL;
}

/* The WRITE is over: take what has left from @w. */
static void write_over(struct fd_transport *t, struct eddy_write *w)
{
    struct iovec *v = piece(w);
    int res = t->out_op.op.res;

    if (res == 0 || (res == -EIO && t->out_tty))
        res = res ? -EPIPE : -EIO; /* a terminal whose other end is gone; what takes nothing */
    if (res < 0) {
        t->out_error = t->out_error ? t->out_error : res;
        return;
    }
    v->iov_base = (char *)v->iov_base + res;
    v->iov_len -= (size_t)res;
    if (t->out_at >= 0)
        t->out_at += res;
}

static bool is_over(struct fd_transport *t, struct eddy_write *w)
{
    if (!t->out_error && (w->end || piece(w)))
        return false;
    w->res = t->out_error;
    return true;
}

static void written(struct eddy_op *op, int res)
{
    struct fd_transport *t = op->ctx;
    struct eddy_write *w = t->writes.head;
    bool over = true;

    if (op->kind == EDDY_OP_WRITE) {
        write_over(t, w);
        over = is_over(t, w);
    } else {
        w->res = res < 0 ? res : 0;
    }
    fd_pump(t, over ? eddy_writes_shift(&t->writes) : NULL);
}

/* End the output behind all that was written. True: over at once, w->res is set. */
static bool start_end(struct fd_transport *t, struct eddy_write *w)
{
    struct eddy_driver *d = t->loop->driver;
    int fd = t->out;
    int r = t->out_error;

    if (r == 0)
        r = eddy_driver_is_simulated(d) ? -ENOTSOCK : d->ops->shutdown(d, fd);
    if (r == -ENOTSOCK) {
        r = 0;
        if (t->owned && fd != t->in) {
            t->out = -1;
            eddy_op_close(&t->out_op.op, fd, written);
            t->out_op.op.ctx = t;
            if (!eddy__op_submit(t->loop, &t->out_op.op))
                return false;
        }
    }
    w->res = r == -ENOTCONN ? -EPIPE : r; /* that peer has reset the connection */
    if (w->res < 0 && !t->out_error)
        t->out_error = w->res;
    return true;
}

/* Write of @w what goes at once. True: over, w->res is set. False: an operation is under way, or
 * its share of this turn is spent. */
static bool go_on(struct fd_transport *t, struct eddy_write *w)
{
    if (w->end)
        return start_end(t, w);
    for (int i = 0; i < PIECES_A_TURN && !is_over(t, w); i++) {
        struct iovec *v = piece(w);
        size_t len = v->iov_len < INT32_MAX ? v->iov_len : INT32_MAX;
        eddy_op_write(&t->out_op, t->out, v->iov_base, len, t->out_at, written);
        t->out_op.op.ctx = t;
        if (!eddy__op_submit(t->loop, &t->out_op.op))
            return false;
        write_over(t, w);
    }
    return is_over(t, w);
}

/* Tell of @done (may be NULL), and write what is queued. done() may write again, and that may be
 * over at once, for ever: so a bounded number, and the rest in the next turn. */
void fd_pump(struct fd_transport *t, struct eddy_write *done)
{
    t->pumping = true;
    if (done)
        done->done(done);
    for (int i = 0; i < WRITES_A_TURN && t->writes.head && !t->closing && go_on(t, t->writes.head);
         i++) {
        struct eddy_write *w = eddy_writes_shift(&t->writes);
        w->done(w);
    }
    t->pumping = false;
    if (t->closing || t->out_error || (t->writes.head && !t->out_op.op.pending))
        fd_settle_soon(t);
}

static bool write_or_queue(struct fd_transport *t, struct eddy_write *w)
{
    w->scratch[0] = NULL;
    if (!t->writes.head && !t->pumping && go_on(t, w)) {
        if (t->out_error)
            fd_settle_soon(t);
        return true;
    }
    eddy_writes_push(&t->writes, w);
    if (!t->pumping && !t->out_op.op.pending)
        fd_settle_soon(t);
    return false;
}

bool fd_write(struct eddy_transport *base, struct eddy_write *w)
{
    struct fd_transport *t = fd_transport_of(base);

    return eddy_writes_refuse(&t->writes, w, false, t->closing) || write_or_queue(t, w);
}

bool fd_finish(struct eddy_transport *base, struct eddy_write *w)
{
    struct fd_transport *t = fd_transport_of(base);

    return eddy_writes_refuse(&t->writes, w, true, t->closing) || write_or_queue(t, w);
}
