/*
 * loop/uring_arm.c - entries of the submission queue: one for an operation, one for its cancel
 *
 * There may be none free, even after those that are gathered have been submitted (the completion
 * queue is full, or memory is short): then what needs one stands in the backlog until next turn.
 */
#include "loop/uring.h"
#include "poller/poller.h"

#include <limits.h>
#include <poll.h>

#define SMALL_SEND ((size_t)65536)

static struct io_uring_sqe *entry_get(struct eddy_uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe) {
        /* What fails here fails again, and is reported, in turn(). */
        (void)io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
    }
    return sqe;
}

void eddy_uring_list(struct eddy_list *list, struct eddy_op *op)
{
    assert(!(op->state & EDDY_URING_LISTED));
    op->state |= EDDY_URING_LISTED;
    eddy_list_push(list, &op->link);
}

void eddy_uring_unlist(struct eddy_op *op)
{
    assert(op->state & EDDY_URING_LISTED);
    op->state = (uint8_t)(op->state & ~EDDY_URING_LISTED);
    eddy_list_remove(&op->link);
}

/* --- operations -------------------------------------------------------------------------------- */

/* A small send is one piece of work for the kernel. Of a large one it does what the socket has room
 * for: how far it got is what tells a slow reader from none. */
static void prepare_send(struct eddy_uring *u, struct io_uring_sqe *sqe, struct eddy_op *op)
{
    struct iovec *iov = op->send.iov;
    const size_t max = u->short_io ? eddy_uring_few(u) : EDDY_SEND_A_TURN;
    unsigned pieces = 1;
    bool small = iov->iov_len <= SMALL_SEND;

    if (op->send.count > 1) {
        small = eddy_op_send_pieces(op, SMALL_SEND) == op->send.count;
        pieces = small ? op->send.count : eddy_op_send_pieces(op, EDDY_SEND_A_TURN);
        if (u->short_io)
            pieces = 1;
    }
    const int flags = small ? MSG_NOSIGNAL | MSG_WAITALL : MSG_NOSIGNAL;
    if (pieces <= 1) {
        io_uring_prep_send(sqe, op->fd, iov->iov_base, iov->iov_len < max ? iov->iov_len : max,
                           flags);
    } else {
        struct msghdr *header = &u->headers[sqe - u->ring.sq.sqes];
        *header = (struct msghdr){ .msg_iov = iov, .msg_iovlen = pieces };
        io_uring_prep_sendmsg(sqe, op->fd, header, (unsigned)flags);
    }
}

static void prepare(struct eddy_uring *u, struct io_uring_sqe *sqe, struct eddy_op *op)
{
    size_t len;

    switch (op->kind) {
    case EDDY_OP_ACCEPT:
        io_uring_prep_multishot_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        break;
    case EDDY_OP_CONNECT:
        io_uring_prep_connect(sqe, (int)op->scratch[0], op->connect.addr, op->addr_len);
        break;
    case EDDY_OP_RECV:
        len = u->short_io ? eddy_uring_few(u) : INT_MAX;
        io_uring_prep_recv(sqe, op->fd, op->recv.ptr, op->recv.len < len ? op->recv.len : len, 0);
        break;
    case EDDY_OP_LEND:
        if (op->lend.sip)
            io_uring_prep_recv(sqe, op->fd, NULL, 0, 0);
        else
            io_uring_prep_recv_multishot(sqe, op->fd, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = EDDY_URING_GROUP;
        break;
    case EDDY_OP_SEND: prepare_send(u, sqe, op); break;
    case EDDY_OP_CLOSE: io_uring_prep_close(sqe, op->fd); break;
    case EDDY_OP_POLL:
        io_uring_prep_poll_add(sqe, op->fd,
                               ((op->poll.events & EDDY_READABLE) ? POLLIN | POLLRDHUP : 0U) |
                                   ((op->poll.events & EDDY_WRITABLE) ? POLLOUT : 0U));
        break;
    case EDDY_OP_OPEN:
    case EDDY_OP_READ:
    case EDDY_OP_WRITE:
    case EDDY_OP_FSYNC:
    case EDDY_OP_STAT:
    case EDDY_OP_RENAME:
    case EDDY_OP_UNLINK:
    case EDDY_OP_MKDIR:
    case EDDY_OP_LINK:
    case EDDY_OP_SYMLINK: eddy_uring_file_prepare(u, sqe, op); break;
    default: assert(false);
    }
    /* After the helpers: they clear it. */
    sqe->user_data = (uintptr_t)op | EDDY_URING_OP;
}

void eddy_uring_arm(struct eddy_uring *u, struct eddy_op *op)
{
    struct io_uring_sqe *sqe = entry_get(u);

    assert(!(op->state & EDDY_URING_IN_FLIGHT));
    if (!sqe) {
        eddy_uring_list(&u->backlog, op);
        return;
    }
    op->state |= EDDY_URING_IN_FLIGHT;
    prepare(u, sqe, op);
}

void eddy_uring_arm_cancel(struct eddy_uring *u, struct eddy_op *op)
{
    struct io_uring_sqe *sqe = entry_get(u);

    if (!sqe) {
        eddy_uring_list(&u->backlog, op);
        return;
    }
    io_uring_prep_cancel64(sqe, (uintptr_t)op | EDDY_URING_OP, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = EDDY_URING_CANCEL;
}

/* --- the driver's own ----------------------------------------------------------------------------- */

void eddy_uring_arm_wake(struct eddy_uring *u)
{
    struct io_uring_sqe *sqe = entry_get(u);

    if (!sqe)
        return;
    /* Edge-triggered while it stays armed: each write of wake() completes it, nobody reads. One that
     * came while it was not is found by arming it. */
    io_uring_prep_poll_multishot(sqe, u->event_fd, POLLIN);
    sqe->user_data = EDDY_URING_WAKE;
    u->wake_armed = true;
}

bool eddy_uring_arm_timer(struct eddy_uring *u, int64_t deadline_ns)
{
    if (u->timer_at <= deadline_ns)
        return true;
    struct io_uring_sqe *sqe = entry_get(u);
    if (!sqe)
        return false;
    u->timer_spec = (struct __kernel_timespec){ .tv_sec = deadline_ns / 1000000000,
                                                .tv_nsec = deadline_ns % 1000000000 };
    if (u->timer_armed) {
        /* Too late to move it means that its own completion is on its way, and ends the wait. */
        io_uring_prep_timeout_update(sqe, &u->timer_spec, EDDY_URING_TIMER, IORING_TIMEOUT_ABS);
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        sqe->user_data = EDDY_URING_CANCEL;
    } else {
        io_uring_prep_timeout(sqe, &u->timer_spec, 0, IORING_TIMEOUT_ABS);
        sqe->user_data = EDDY_URING_TIMER;
    }
    u->timer_armed = true;
    u->timer_at = deadline_ns;
    u->counts.timers++;
    return true;
}

/* --- what had to wait for an entry, or for a buffer --------------------------------------------------- */

void eddy_uring_arm_backlog(struct eddy_uring *u)
{
    struct eddy_list list;

    if (eddy_list_is_empty(&u->backlog))
        return;
    eddy_list_init(&list);
    eddy_list_take_all(&list, &u->backlog);
    while (!eddy_list_is_empty(&list)) {
        struct eddy_op *op = eddy_container_of(list.next, struct eddy_op, link);

        eddy_uring_unlist(op);
        if (op->state & EDDY_URING_IN_FLIGHT)
            eddy_uring_arm_cancel(u, op);
        else
            eddy_uring_arm(u, op);
    }
}

/*
 * As many as buffers came back, in order. With no completion left to be handled every buffer
 * is the kernel's, so all may try; who then finds none again does so because others were
 * served. That is why this neither starves nor spins.
 */
void eddy_uring_arm_starved(struct eddy_uring *u)
{
    if (eddy_list_is_empty(&u->starved))
        return;
    unsigned n = io_uring_cq_ready(&u->ring) == 0 ? u->buffer_count : u->returned;

    for (; n > 0 && !eddy_list_is_empty(&u->starved); n--) {
        struct eddy_op *op = eddy_container_of(u->starved.next, struct eddy_op, link);

        eddy_uring_unlist(op);
        eddy_uring_arm(u, op);
    }
}
