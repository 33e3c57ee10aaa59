/*
 * loop/uring_complete.c - what completions mean
 *
 * Where the kernel ends on its own what goes on (a multishot without F_MORE: the completion queue
 * was full; a send in part; an interruption), it is armed again BEFORE done() is called, so done()
 * always finds an operation in flight, which it may cancel like any other. A LEND that sips is armed
 * after it, from the backlog: cancelled by done(), it has taken no more.
 */
#include "base/sanitize.h"
#include "base/sys.h"
#include "loop/uring.h"
#include "poller/poller.h"

#include <poll.h>

bool eddy_uring_send_consume(struct eddy_op *op, size_t len)
{
    while (op->send.count > 0) {
        struct iovec *iov = op->send.iov;
        size_t n = len < iov->iov_len ? len : iov->iov_len;

        iov->iov_base = (char *)iov->iov_base + n;
        iov->iov_len -= n;
        len -= n;
        if (iov->iov_len > 0)
            return true;
        op->send.iov++;
        op->send.count--;
    }
    assert(len == 0);
    return false;
}

/* What poll reported, in the poller's words. */
static int poll_result(int events)
{
    return ((events & (POLLIN | POLLRDHUP)) ? EDDY_READABLE : 0) |
           ((events & POLLOUT) ? EDDY_WRITABLE : 0) | ((events & POLLHUP) ? EDDY_HANGUP : 0) |
           ((events & POLLERR) ? EDDY_FAILED : 0);
}

static int result_of(const struct eddy_op *op, int res)
{
    switch (op->kind) {
    case EDDY_OP_CONNECT:
        if (res >= 0)
            return (int)op->scratch[0];
        eddy__sys.close((int)op->scratch[0]);
        break;
    case EDDY_OP_SEND:
        if (res >= 0)
            return (int)op->scratch[0];
        break;
    case EDDY_OP_CLOSE: return 0;
    case EDDY_OP_POLL:
        if (res >= 0)
            return poll_result(res);
        break;
    default: break;
    }
    return eddy_op_result(res);
}

void eddy_uring_release(struct eddy_uring *u, struct eddy_op *op, int res)
{
    if (op->state & EDDY_URING_LISTED)
        eddy_uring_unlist(op);
    if (op->kind != EDDY_OP_CONNECT)
        eddy_uring_sides_release(u, op->fd, eddy_uring_sides_of(op));
    eddy_driver_ended(&u->base, op);
    op->state = 0;
    op->more = false;
    op->res = result_of(op, res);
}

void eddy_uring_finish(struct eddy_uring *u, struct eddy_op *op, int res)
{
    eddy_uring_release(u, op, res);
    op->done(op, op->res);
}

bool eddy_uring_go_on(struct eddy_uring *u, struct eddy_op *op)
{
    if (op->state & EDDY_URING_CANCELLED)
        return false;
    u->counts.rearmed++;
    eddy_uring_arm(u, op);
    return true;
}

static void deliver(struct eddy_op *op, int res)
{
    op->more = true;
    op->res = res;
    op->done(op, res);
}

/* A connection that died in the queue is the peer's affair, not the listener's: accept(2). */
static bool is_of_one_peer(int res)
{
    return res == -ECONNABORTED || res == -EINTR || res == -EPROTO || res == -ENETDOWN ||
           res == -ENOPROTOOPT || res == -EHOSTDOWN || res == -ENONET || res == -EHOSTUNREACH ||
           res == -EOPNOTSUPP || res == -ENETUNREACH;
}

static unsigned complete_accept(struct eddy_uring *u, struct eddy_op *op, int res, bool more)
{
    if (res >= 0) {
        bool last = !more && !eddy_uring_go_on(u, op);

        deliver(op, res);
        if (last)
            eddy_uring_finish(u, op, -ECANCELED);
        return 1;
    }
    if (more || (is_of_one_peer(res) && eddy_uring_go_on(u, op)))
        return 0;
    eddy_uring_finish(u, op, (op->state & EDDY_URING_CANCELLED) ? -ECANCELED : res);
    return 1;
}

static unsigned complete_lend(struct eddy_uring *u, struct eddy_op *op, int res, unsigned flags)
{
    bool more = (flags & IORING_CQE_F_MORE) != 0;

    if (res > 0) {
        unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
        assert((flags & IORING_CQE_F_BUFFER) && id < u->buffer_count);
        bool sips = op->lend.sip && !more && !(op->state & EDDY_URING_CANCELLED);
        bool last = !more && !sips && !eddy_uring_go_on(u, op);

        if (sips)
            eddy_uring_list(&u->backlog, op);
        eddy_unpoison(eddy_uring_buffer(u, id), (size_t)res);
        op->lend.ptr = eddy_uring_buffer(u, id);
        deliver(op, res);
        eddy_uring_buffer_give(u, id);
        u->returned++;
        if (last)
            eddy_uring_finish(u, op, -ECANCELED);
        return 1;
    }
    if (flags & IORING_CQE_F_BUFFER)
        eddy_uring_buffer_give(u, flags >> IORING_CQE_BUFFER_SHIFT);
    if (more || (res == -EINTR && eddy_uring_go_on(u, op)))
        return 0;
    if (res == -ENOBUFS && !(op->state & EDDY_URING_CANCELLED)) {
        u->counts.starved++;
        eddy_uring_list(&u->starved, op);
        return 0;
    }
    eddy_uring_finish(u, op, res == -ENOBUFS ? -ECANCELED : res);
    return 1;
}

static unsigned complete_send(struct eddy_uring *u, struct eddy_op *op, int res)
{
    if (res == 0)
        res = -EIO; /* cannot be: there is always a byte left to send */
    if (res > 0) {
        op->scratch[0] += (uint64_t)res;
        if (eddy_uring_send_consume(op, (size_t)res)) {
            if (eddy_uring_go_on(u, op))
                return 0;
            res = -ECANCELED;
        }
    } else if (res == -EINTR && eddy_uring_go_on(u, op)) {
        return 0;
    }
    eddy_uring_finish(u, op, res);
    return 1;
}

static unsigned complete_once(struct eddy_uring *u, struct eddy_op *op, int res)
{
    if (res == -EINTR && op->kind != EDDY_OP_CONNECT) {
        if (op->kind != EDDY_OP_CLOSE && eddy_uring_go_on(u, op))
            return 0;
        res = -ECANCELED;
    }
    eddy_uring_finish(u, op, res);
    return 1;
}

/* Asked anew each time, after done(): so it is told of what is ready then, not of what changed. */
static unsigned complete_poll(struct eddy_uring *u, struct eddy_op *op, int res)
{
    if (res < 0 || !op->poll.multishot)
        return complete_once(u, op, res);
    bool last = !eddy_uring_go_on(u, op);

    deliver(op, poll_result(res));
    if (last)
        eddy_uring_finish(u, op, -ECANCELED);
    return 1;
}

static unsigned complete_own(struct eddy_uring *u, unsigned tag, bool more)
{
    if (tag == EDDY_URING_WAKE && !more) {
        u->wake_armed = false;
        eddy_uring_arm_wake(u);
    } else if (tag == EDDY_URING_TIMER) {
        u->timer_armed = false;
        u->timer_at = INT64_MAX;
    }
    return 0;
}

unsigned eddy_uring_complete(struct eddy_uring *u, const struct io_uring_cqe *cqe)
{
    const unsigned tag = cqe->user_data & EDDY_URING_TAGS;
    struct eddy_op *op = (struct eddy_op *)(uintptr_t)(cqe->user_data - tag);
    bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;

    if (tag != EDDY_URING_OP)
        return complete_own(u, tag, more);

    assert(op->pending && (op->state & EDDY_URING_IN_FLIGHT));
    if (!more) {
        op->state = (uint8_t)(op->state & ~EDDY_URING_IN_FLIGHT);
        if (op->state & EDDY_URING_LISTED)
            eddy_uring_unlist(op); /* its cancel, which nobody needs any more */
    }
    /* Two of a server's three kinds, asked for first: a jump by table is foreseen less often. */
    if (op->kind == EDDY_OP_LEND)
        return complete_lend(u, op, cqe->res, cqe->flags);
    if (op->kind == EDDY_OP_SEND)
        return complete_send(u, op, cqe->res);
    switch (op->kind) {
    case EDDY_OP_ACCEPT: return complete_accept(u, op, cqe->res, more);
    case EDDY_OP_OPEN:
    case EDDY_OP_READ:
    case EDDY_OP_WRITE:
    case EDDY_OP_FSYNC:
    case EDDY_OP_STAT:
    case EDDY_OP_RENAME:
    case EDDY_OP_UNLINK:
    case EDDY_OP_MKDIR:
    case EDDY_OP_LINK:
    case EDDY_OP_SYMLINK: return eddy_uring_file_complete(u, op, cqe->res);
    case EDDY_OP_POLL: return complete_poll(u, op, cqe->res);
    default: return complete_once(u, op, cqe->res);
    }
}
