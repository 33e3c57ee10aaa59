/*
 * loop/ready_send.c - a SEND of the ready driver: as much as the socket takes, and a turn allows
 */
#include "loop/ready.h"

static ssize_t send_part(struct ready_driver *d, struct eddy_op *op, size_t max)
{
    unsigned pieces = d->short_io ? 0 : eddy_op_send_pieces(op, max);

    if (pieces <= 1) {
        size_t len = op->send.iov->iov_len < max ? op->send.iov->iov_len : max;
        return eddy__sys.send(op->fd, op->send.iov->iov_base, eddy_ready_at_most(d, len),
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    struct msghdr message = { .msg_iov = op->send.iov, .msg_iovlen = pieces };
    return eddy__sys.sendmsg(op->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_consume(struct eddy_op *op, size_t left)
{
    while (left > 0) {
        struct iovec *v = op->send.iov;
        size_t step = left < v->iov_len ? left : v->iov_len;
        v->iov_base = (char *)v->iov_base + step;
        v->iov_len -= step;
        left -= step;
        if (!v->iov_len && left) {
            op->send.iov++;
            op->send.count--;
        }
    }
}

/* Until all has gone: a short write is followed by another at once only where the kernel took
 * something, so the last one answers EAGAIN and the poller takes over. So it does when this turn's
 * share has gone: the descriptor is still writable, which is reported again, or remembered. */
int eddy_ready_send(struct ready_driver *d, struct eddy_op *op)
{
    struct watch *w = &d->watches[op->fd];
    size_t share = EDDY_SEND_A_TURN;

    for (;;) {
        while (op->send.count && op->send.iov->iov_len == 0) {
            op->send.iov++;
            op->send.count--;
        }
        if (!op->send.count)
            return (int)op->scratch[0];
        if (!share) {
            w->ready |= EDDY_WRITABLE;
            return -EAGAIN;
        }

        ssize_t r = send_part(d, op, share);
        if (r < 0) {
            if (r == -EAGAIN || r == -EWOULDBLOCK)
                eddy_ready_clear(w, EDDY_WRITABLE);
            return (int)r;
        }
        op->scratch[0] += (uint64_t)r;
        share -= (size_t)r;
        send_consume(op, (size_t)r);
    }
}
