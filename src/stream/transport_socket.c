/*
 * stream/transport_socket.c - a transport over a connected socket
 *
 * Two operations carry it. `in` is a LEND while the protocol has resumed, a RECV while a task
 * reads into its own memory, at the very end the CLOSE. `out` is the SEND of the first write in
 * the queue.
 *
 *   input    OPEN -> ENDED or FAILED (remembered, and told when the protocol is resumed)
 *   output   open -> failed (out_error) or finished
 *   closing  operations are cancelled -> both have completed -> writes and read are done with
 *            -ECANCELED -> CLOSE -> closed() -> freed
 *
 * Cancelling a LEND is a request on some drivers: until its last completion bytes still arrive.
 * While the protocol is paused they go to `kept`, which is delivered before anything else is.
 *
 * A failed write is told by that write and by all later ones. It does not end the input: what the
 * peer sent before it went is still delivered, then the input's own error or end closes the
 * connection. The kernel tells the loss of a connection once, though, and to whoever calls next; it
 * answers 0 from then on. Behind a write that was told, a 0 is therefore no end.
 */
#include "base/memory.h"
#include "loop/debug.h"
#include "stream/socket_transport.h"

#include <eddy/poller.h>

/* All that a driver can have on the way when a LEND is cancelled: the ring's buffers. */
#define KEPT_MAX ((size_t)8 << 20)

/* A write that no result could tell of, over INT32_MAX bytes, leaves by so many. */
#define PART ((size_t)1 << 30)

/* Writes told of, one after the other, before everybody else has a turn. */
#define WRITES_A_TURN 16

static void settle(struct eddy_soon *soon);

static void settle_soon(struct socket_transport *t)
{
    eddy__soon(t->loop, &t->soon, settle);
}

/* --- input ---------------------------------------------------------------------------------- */

/* The input operation is over, with @res: remember what that means; the result as it is told. */
static int input_over(struct socket_transport *t, int res)
{
    t->in_asked = false;
    if (res == 0 && eddy_writes_is_loss(t->out_error))
        res = t->out_error;
    if (res == 0) {
        t->input = INPUT_ENDED;
    } else if (res < 0 && res != -ECANCELED) {
        t->input = INPUT_FAILED;
        t->in_error = (int16_t)res;
    }
    return res;
}

static void keep(struct socket_transport *t, const char *bytes, size_t len)
{
    int r = eddy_buffer_append(&t->kept, bytes, len);

    if (r < 0 && t->input == INPUT_OPEN) {
        t->input = INPUT_FAILED;
        t->in_error = (int16_t)r;
    }
}

static size_t kept_len(const struct socket_transport *t)
{
    return t->kept.end - t->kept.start;
}

/* From the loop: hand over what was kept, a piece at a time, for it may be a megabyte and the next
 * above may keep what it did not want yet. */
static void deliver_kept(struct socket_transport *t)
{
    char piece[16384];

    while (t->resumed && kept_len(t)) {
        size_t len = kept_len(t) < sizeof piece ? kept_len(t) : sizeof piece;
        memcpy(piece, t->kept.ptr + t->kept.start, len);
        eddy_buffer_take(&t->kept, len);
        eddy_buffer_release(&t->kept);
        if (t->base.protocol && t->base.protocol->received)
            t->base.protocol->received(t->base.ctx, piece, len);
    }
}

/* The answer to a task's read that needs no operation; -EAGAIN: it does. */
static int read_from_state(struct socket_transport *t, struct eddy_read *r)
{
    size_t len = kept_len(t);

    if (len) {
        len = len < r->len ? len : r->len;
        memcpy(r->ptr, t->kept.ptr + t->kept.start, len);
        eddy_buffer_take(&t->kept, len);
        eddy_buffer_release(&t->kept);
        return (int)len;
    }
    if (t->input == INPUT_ENDED)
        return 0;
    if (t->input == INPUT_FAILED)
        return t->in_error;
    return -EAGAIN;
}

static void reader_done(struct socket_transport *t, int res)
{
    struct eddy_read *r = t->reader;

    t->reader = NULL;
    r->res = res;
    r->done(r);
}

static void read_done(struct eddy_op *op, int res)
{
    struct socket_transport *t = op->ctx;

    if (res <= 0)
        res = input_over(t, res);
    t->in_asked = false;
    if (t->reader)
        reader_done(t, res);
    if (t->closing)
        settle_soon(t);
}

/* True: over at once, with the result in in.res. */
static bool start_recv(struct socket_transport *t, const struct eddy_read *r)
{
    size_t len = r->len < INT32_MAX ? r->len : INT32_MAX;

    if (r->ptr)
        eddy_op_recv(&t->in, t->fd, r->ptr, len, read_done);
    else
        eddy_op_poll(&t->in, t->fd, EDDY_READABLE, read_done);
    t->in.ctx = t;
    if (!eddy__op_submit(t->loop, &t->in))
        return false;
    if (t->in.res <= 0)
        t->in.res = input_over(t, t->in.res);
    return true;
}

/* After what a LEND left behind: the read that waited for it. From the loop. */
static void serve_reader(struct socket_transport *t)
{
    int r = read_from_state(t, t->reader);

    if (r == -EAGAIN) {
        if (t->in.pending || !start_recv(t, t->reader))
            return;
        r = t->in.res;
    }
    reader_done(t, r);
}

static void lent(struct eddy_op *op, int res)
{
    struct socket_transport *t = op->ctx;
    bool more = op->more;

    if (res > 0 && t->input == INPUT_OPEN) {
        if (t->resumed && !kept_len(t)) {
            if (t->base.protocol->received)
                t->base.protocol->received(t->base.ctx, op->lend.ptr, (size_t)res);
            if (more)
                return;
        } else {
            t->sip = true;
            if (!t->closing)
                keep(t, op->lend.ptr, (size_t)res);
            if (t->resumed || t->reader)
                settle_soon(t);
        }
    }
    if (!more) {
        input_over(t, res > 0 ? -ECANCELED : res);
        settle(&t->soon);
    }
}

static void start_lend(struct socket_transport *t)
{
    eddy_op_lend(&t->in, t->fd, lent);
    t->in.lend.sip = t->sip;
    t->in.ctx = t;
    if (eddy__op_submit(t->loop, &t->in)) {
        input_over(t, t->in.res);
        settle_soon(t);
    }
}

static void resume(struct eddy_transport *base)
{
    struct socket_transport *t = socket_transport_of(base);

    if (t->resumed || t->closing)
        return;
    assert(!t->reader && base->protocol);
    t->resumed = true;
    if (kept_len(t) || t->input != INPUT_OPEN)
        settle_soon(t);
    else if (!t->in.pending)
        start_lend(t);
}

static void cancel_input(struct socket_transport *t)
{
    if (!t->in.pending || t->in_asked)
        return;
    t->in_asked = true;
    if (eddy__op_cancel(t->loop, &t->in))
        input_over(t, t->in.res);
}

static void pause_reading(struct eddy_transport *base)
{
    struct socket_transport *t = socket_transport_of(base);

    if (!t->resumed || t->closing)
        return;
    t->resumed = false;
    cancel_input(t);
}

static bool read_into(struct eddy_transport *base, struct eddy_read *r)
{
    struct socket_transport *t = socket_transport_of(base);

    assert(!t->resumed && !t->reader);
    r->res = t->closing ? -ECANCELED : read_from_state(t, r);
    if (r->res != -EAGAIN)
        return true;
    /* A LEND that is being cancelled may still bring bytes; they come first. */
    if (!t->in.pending && start_recv(t, r)) {
        r->res = t->in.res;
        return true;
    }
    t->reader = r;
    return false;
}

static bool cancel_read(struct eddy_transport *base, struct eddy_read *r)
{
    struct socket_transport *t = socket_transport_of(base);

    assert(t->reader == r);
    if (t->in.pending && (t->in.kind == EDDY_OP_RECV || t->in.kind == EDDY_OP_POLL)) {
        if (t->in_asked)
            return false;
        t->in_asked = true;
        if (!eddy__op_cancel(t->loop, &t->in))
            return false;
        if (t->in.res <= 0)
            t->in.res = input_over(t, t->in.res);
        t->in_asked = false;
        r->res = t->in.res;
    } else {
        r->res = -ECANCELED;
    }
    t->reader = NULL;
    return true;
}

/* --- output --------------------------------------------------------------------------------- */

static void sent(struct eddy_op *op, int res);

/* Whether the result of one SEND could not say that all of @w has left. */
static bool is_too_long(const struct eddy_write *w)
{
    size_t total = 0;

    for (unsigned i = 0; i < w->count; i++) {
        if (w->iov[i].iov_len > INT32_MAX - total)
            return true;
        total += w->iov[i].iov_len;
    }
    return false;
}

/* Begin an operation for @w. True: over at once, its result is in out.res. In parts: scratch[1] is
 * the piece that leaves, and scratch[0] what was cut off from it meanwhile. */
static bool start_send(struct socket_transport *t, struct eddy_write *w)
{
    w->scratch[0] = w->scratch[1] = NULL;
    if (!w->iov) {
        eddy_op_poll(&t->out, t->fd, EDDY_WRITABLE, sent);
    } else if (is_too_long(w)) {
        struct iovec *v = w->iov;
        while (!v->iov_len)
            v++;
        if (v->iov_len > PART) {
            w->scratch[0] = (void *)(v->iov_len - PART);
            v->iov_len = PART;
        }
        w->scratch[1] = v;
        eddy_op_send(&t->out, t->fd, v, 1, sent);
    } else {
        eddy_op_send(&t->out, t->fd, w->iov, w->count, sent);
    }
    t->out.ctx = t;
    return eddy__op_submit(t->loop, &t->out);
}

/* The operation of @w is over with @res: whether @w is, too. */
static bool is_sent(struct eddy_write *w, int res)
{
    struct iovec *v = w->scratch[1];

    if (res < 0 || !v)
        return true;
    v->iov_base = (char *)v->iov_base + v->iov_len;
    v->iov_len = (size_t)w->scratch[0];
    w->scratch[0] = NULL;
    return false;
}

/* Begin @w. True: over at once, w->res is set. */
static bool start_write(struct socket_transport *t, struct eddy_write *w)
{
    int r = t->out_error;

    if (r == 0 && w->end) {
        r = t->loop->driver->ops->shutdown(t->loop->driver, t->fd);
        if (r == -ENOTCONN)
            r = -EPIPE; /* the peer has reset it */
    } else if (r == 0 && w->count) {
        do {
            if (!start_send(t, w))
                return false;
            r = t->out.res;
        } while (!is_sent(w, r));
    }
    if (r < 0 && !t->out_error)
        t->out_error = (int16_t)r;
    w->res = r < 0 ? r : 0;
    return true;
}

/* Tell of @done (may be NULL), and write what is queued. done() may write again, and that may be
 * over at once, for ever: so a bounded number, and the rest in the next turn. */
static void pump(struct socket_transport *t, struct eddy_write *done)
{
    /* done() may write: behind what is queued, so it only queues meanwhile. */
    t->pumping = true;
    if (done)
        done->done(done);
    for (int i = 0;
         i < WRITES_A_TURN && t->writes.head && !t->closing && start_write(t, t->writes.head);
         i++) {
        struct eddy_write *w = eddy_writes_shift(&t->writes);
        w->done(w);
    }
    t->pumping = false;
    if (t->closing || t->out_error || (t->writes.head && !t->out.pending))
        settle_soon(t);
}

static void sent(struct eddy_op *op, int res)
{
    struct socket_transport *t = op->ctx;
    struct eddy_write *w = NULL;

    if (res < 0 && !t->out_error)
        t->out_error = (int16_t)res;
    if (is_sent(t->writes.head, res)) {
        w = eddy_writes_shift(&t->writes);
        w->res = res < 0 ? res : 0;
    }
    pump(t, w);
}

static bool write_or_queue(struct socket_transport *t, struct eddy_write *w)
{
    if (!t->writes.head && !t->pumping && start_write(t, w)) {
        if (t->out_error)
            settle_soon(t);
        return true;
    }
    eddy_writes_push(&t->writes, w);
    return false;
}

static bool write_bytes(struct eddy_transport *base, struct eddy_write *w)
{
    struct socket_transport *t = socket_transport_of(base);

    return eddy_writes_refuse(&t->writes, w, false, t->closing) || write_or_queue(t, w);
}

static bool finish(struct eddy_transport *base, struct eddy_write *w)
{
    struct socket_transport *t = socket_transport_of(base);

    return eddy_writes_refuse(&t->writes, w, true, t->closing) || write_or_queue(t, w);
}

/* --- closing -------------------------------------------------------------------------------- */

static void close_done(struct eddy_op *op, int res)
{
    struct socket_transport *t = op->ctx;

    (void)res;
    eddy__soon_cancel(&t->soon);
    if (t->base.protocol && t->base.protocol->closed)
        t->base.protocol->closed(t->base.ctx, t->why);
    eddy_buffer_done(&t->kept);
    if (t->told_peer)
        eddy__free(t->told_peer, sizeof *t->told_peer + t->told_peer->header.extensions.len);
    eddy__debug_gone(t->loop, t);
    eddy__free(t, sizeof *t);
}

/* From the loop, when no operation is pending any more. */
static void close_descriptor(struct socket_transport *t)
{
    t->closed = true;
    if (t->reader)
        reader_done(t, -ECANCELED);
    eddy_writes_cancel(&t->writes);
    eddy_op_close(&t->in, t->fd, close_done);
    t->in.ctx = t;
    if (eddy__op_submit(t->loop, &t->in))
        close_done(&t->in, t->in.res);
}

static void close_transport(struct eddy_transport *base, int why)
{
    struct socket_transport *t = socket_transport_of(base);

    if (t->closing)
        return;
    t->closing = true;
    t->why = why;
    t->resumed = false;
    if (eddy_loop_is_parents(t->loop)) { /* nobody will be told; but this copy is the child's */
        eddy_op_close(&t->in, t->fd, NULL);
        (void)eddy_dead_submit(&t->in);
        return;
    }
    cancel_input(t);
    if (t->out.pending && eddy__op_cancel(t->loop, &t->out))
        t->out.pending = false;
    settle_soon(t);
}

/* From the loop, whenever something may have to be told: kept bytes, the end, an error; or the
 * next step of closing. May free @t. */
static void settle(struct eddy_soon *soon)
{
    struct socket_transport *t = eddy_container_of(soon, struct socket_transport, soon);

    if (t->reader && !t->closing)
        serve_reader(t);
    deliver_kept(t);
    if (t->resumed && !kept_len(t)) {
        if (t->input == INPUT_OPEN && !t->in.pending) {
            start_lend(t);
        } else if (t->input == INPUT_ENDED && !t->told) {
            t->told = true;
            if (t->base.protocol->ended)
                t->base.protocol->ended(t->base.ctx);
        }
        if (t->resumed && t->input == INPUT_FAILED)
            close_transport(&t->base, t->in_error);
    }
    if (t->writes.head && !t->out.pending && !t->closing)
        pump(t, NULL);
    if (t->told && t->out_error && !t->writes.head)
        close_transport(&t->base, t->out_error);
    if (t->closing && !t->closed && !t->in.pending && !t->out.pending)
        close_descriptor(t);
}

static const struct eddy_transport_ops socket_ops = {
    .size = sizeof(struct eddy_transport_ops),
    .name = "socket",
    .resume = resume,
    .pause = pause_reading,
    .write = write_bytes,
    .finish = finish,
    .close = close_transport,
    .info = socket_info,
    .read = read_into,
    .cancel_read = cancel_read,
};

size_t eddy_transport_kept(const struct eddy_transport *base)
{
    const struct socket_transport *t = (const struct socket_transport *)(const void *)base;

    assert(eddy_transport_is_socket(base));
    return kept_len(t);
}

void eddy_transport_lost(struct eddy_transport *base, int error)
{
    struct socket_transport *t = socket_transport_of(base);

    assert(eddy_transport_is_socket(base));
    if (eddy_writes_is_loss(error) && !t->out_error)
        t->out_error = (int16_t)error;
}

int eddy_transport_end(struct eddy_transport *base)
{
    struct socket_transport *t = socket_transport_of(base);

    assert(eddy_transport_is_socket(base));
    if (t->input == INPUT_OPEN)
        return input_over(t, 0);
    return t->input == INPUT_FAILED ? t->in_error : 0;
}

void eddy__transport_sip(struct eddy_transport *t)
{
    if (eddy_transport_is_socket(t))
        socket_transport_of(t)->sip = true;
}

bool eddy_transport_is_socket(const struct eddy_transport *t)
{
    return t->ops == &socket_ops;
}

int eddy_transport_of_socket(int fd, struct eddy_transport **ret_t)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct socket_transport *t = loop ? eddy__zalloc(sizeof *t) : NULL;

    if (!t)
        return eddy__loop_refusal();
    t->base.ops = &socket_ops;
    t->loop = loop;
    t->fd = fd;
    t->kept = EDDY_BUFFER(KEPT_MAX);
    eddy__debug_born(loop, t, "a connection");
    *ret_t = &t->base;
    return 0;
}
