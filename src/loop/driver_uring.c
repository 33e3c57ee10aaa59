/*
 * loop/driver_uring.c - operations on io_uring: submitted in one batch a turn, then completed
 *
 * The model. One ring, one thread (SINGLE_ISSUER, DEFER_TASKRUN: the kernel finishes things
 * only while we wait, so nothing interrupts user code). submit() only fills an entry of the
 * submission queue; turn() makes the one system call that submits them all and waits.
 *
 * An operation's user data is its address with a tag in the low bits. From its submission
 * until a completion without F_MORE it is in flight and the kernel may complete it at any time.
 * Besides that it can stand in one of two lists, armed again by turn():
 *
 *   starved   a LEND that found no buffer (-ENOBUFS); armed when buffers have come back
 *   backlog   something (an operation, or its cancel) for which there was no free entry
 *
 * Cancelling is a request whose own answer is of no interest: -ENOENT and -EALREADY both mean
 * that the operation's own completion is on its way. A request can never hit a later operation
 * at the same address, because the kernel takes entries in order, and whatever is submitted at
 * that address after the completion has a later entry.
 *
 * Where the kernel ends a multishot on its own, it is armed again BEFORE done() is called, so
 * done() always finds an operation in flight, which it may cancel like any other. After done()
 * with `more` the struct is not touched.
 *
 * Received bytes are lent from one ring of buffers for all connections, so an idle connection
 * pins none. The kernel owns all of them but the one that done() is looking at.
 *
 * `short_io` makes queues and buffers tiny: the rare paths are then the ordinary ones.
 */
#include "base/memory.h"
#include "base/sanitize.h"
#include "base/sys.h"
#include "loop/uring.h"
#include "poller/poller.h"

#include <limits.h>

#define TURN_MAX 1024 /* completions handled by one turn */
#define SMALL_SEND ((size_t)65536)

/* In the low bits of the user data. */
enum { TAG_OP, TAG_CANCEL, TAG_WAKE, TAG_MASK = 7 };

/* op->state, bits. */
enum {
    IN_FLIGHT = 1, /* the kernel has it, or the submission queue */
    LISTED = 2,    /* in starved or backlog */
    CANCELLED = 4, /* asked for; not armed again */
};

static struct eddy_uring *uring_of(struct eddy_driver *d)
{
    return eddy_container_of(d, struct eddy_uring, base);
}

static unsigned sides_of(const struct eddy_op *op)
{
    switch (op->kind) {
    case EDDY_OP_ACCEPT:
    case EDDY_OP_RECV:
    case EDDY_OP_LEND: return EDDY_URING_READ;
    case EDDY_OP_SEND: return EDDY_URING_WRITE;
    case EDDY_OP_POLL:
        return ((op->poll.events & EDDY_READABLE) ? EDDY_URING_READ : 0U) |
               ((op->poll.events & EDDY_WRITABLE) ? EDDY_URING_WRITE : 0U);
    default: /* CONNECT makes its own descriptor, CLOSE allows no other */ return 0;
    }
}

/* --- arming ----------------------------------------------------------------------------------- */

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

static void list_op(struct eddy_list *list, struct eddy_op *op)
{
    assert(!(op->state & LISTED));
    op->state |= LISTED;
    eddy_list_push(list, &op->link);
}

static void unlist_op(struct eddy_op *op)
{
    assert(op->state & LISTED);
    op->state = (uint8_t)(op->state & ~LISTED);
    eddy_list_remove(&op->link);
}

/* A small send is one piece of work for the kernel. Of a large one it does what the socket has room
 * for: how far it got is what tells a slow reader from none. */
static void prepare_send(struct eddy_uring *u, struct io_uring_sqe *sqe, struct eddy_op *op)
{
    bool small = eddy_op_send_pieces(op, SMALL_SEND) == op->send.count;
    const int flags = small ? MSG_NOSIGNAL | MSG_WAITALL : MSG_NOSIGNAL;
    unsigned pieces = u->short_io ? 0 : eddy_op_send_pieces(op, EDDY_SEND_A_TURN);
    struct iovec *iov = op->send.iov;

    if (pieces <= 1) {
        size_t max = u->short_io ? eddy_uring_few(u) : EDDY_SEND_A_TURN;
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

    switch ((enum eddy_op_kind)op->kind) {
    case EDDY_OP_ACCEPT:
        io_uring_prep_multishot_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        break;
    case EDDY_OP_CONNECT:
        io_uring_prep_connect(sqe, (int)op->scratch[0], op->connect.addr, op->connect.len);
        break;
    case EDDY_OP_RECV:
        len = u->short_io ? eddy_uring_few(u) : INT_MAX;
        io_uring_prep_recv(sqe, op->fd, op->recv.ptr, op->recv.len < len ? op->recv.len : len, 0);
        break;
    case EDDY_OP_LEND:
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
    case EDDY_OP_KINDS: assert(false);
    }
    /* After the helpers: they clear it. */
    sqe->user_data = (uintptr_t)op | TAG_OP;
}

static void arm(struct eddy_uring *u, struct eddy_op *op)
{
    struct io_uring_sqe *sqe = entry_get(u);

    assert(!(op->state & IN_FLIGHT));
    if (!sqe) {
        list_op(&u->backlog, op);
        return;
    }
    op->state |= IN_FLIGHT;
    prepare(u, sqe, op);
}

static void arm_cancel(struct eddy_uring *u, struct eddy_op *op)
{
    struct io_uring_sqe *sqe = entry_get(u);

    if (!sqe) {
        list_op(&u->backlog, op);
        return;
    }
    io_uring_prep_cancel64(sqe, (uintptr_t)op | TAG_OP, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = TAG_CANCEL;
}

static int arm_wake(struct eddy_uring *u)
{
    struct io_uring_sqe *sqe = entry_get(u);

    if (!sqe)
        return -EBUSY;
    /* Edge-triggered while it stays armed: each write of wake() completes it, nobody reads. */
    io_uring_prep_poll_multishot(sqe, u->event_fd, POLLIN);
    sqe->user_data = TAG_WAKE;
    return 0;
}

/* --- submit and cancel ------------------------------------------------------------------------ */

/* Drop what has been sent, and empty parts. Returns whether anything is left. */
static bool send_consume(struct eddy_op *op, size_t len)
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

static bool finish_at_once(struct eddy_op *op, int res)
{
    op->res = res;
    op->more = false;
    op->pending = false;
    return true;
}

static bool uring_submit(struct eddy_driver *d, struct eddy_op *op)
{
    struct eddy_uring *u = uring_of(d);
    int r = 0;

    assert(!op->pending && op->kind < EDDY_OP_KINDS);
    if (eddy_op_is_file(op))
        return finish_at_once(op, -EOPNOTSUPP);
    op->state = 0;
    op->scratch[0] = 0;

    if (op->kind == EDDY_OP_SEND) {
        r = eddy_op_send_check(op);
        if (r < 0 || !send_consume(op, 0))
            return finish_at_once(op, r);
    }
    if (op->kind == EDDY_OP_CONNECT) {
        r = eddy_sockets_open(op->connect.addr);
        if (r < 0)
            return finish_at_once(op, r);
        op->scratch[0] = (uint64_t)r;
    } else if (op->kind == EDDY_OP_CLOSE) {
        /* Needs no place in the table, and so no memory: a close that fails is a leak. */
        assert((size_t)op->fd >= u->sides_cap || u->sides[op->fd] == 0);
    } else {
        r = eddy_uring_sides_take(u, op->fd, sides_of(op));
        if (r < 0)
            return finish_at_once(op, r);
    }

    eddy_driver_began(d, op);
    arm(u, op);
    return false;
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
            return eddy_uring_poll_result(res);
        break;
    default: break;
    }
    return eddy_op_result(res);
}

/* The operation is no longer the driver's: the last thing before its result is told. */
static void release(struct eddy_uring *u, struct eddy_op *op, int res)
{
    if (op->state & LISTED)
        unlist_op(op);
    if (op->kind != EDDY_OP_CONNECT)
        eddy_uring_sides_release(u, op->fd, sides_of(op));
    eddy_driver_ended(&u->base, op);
    op->state = 0;
    op->more = false;
    op->res = result_of(op, res);
}

static bool uring_cancel(struct eddy_driver *d, struct eddy_op *op)
{
    struct eddy_uring *u = uring_of(d);

    assert(op->pending);
    if (op->kind == EDDY_OP_CLOSE || (op->state & CANCELLED))
        return false;
    op->state |= CANCELLED;
    if (!(op->state & IN_FLIGHT)) {
        /* Only waiting to be armed: the kernel has nothing of it. */
        assert(op->state & LISTED);
        release(u, op, -ECANCELED);
        return true;
    }
    arm_cancel(u, op);
    return false;
}

/* --- completions ------------------------------------------------------------------------------- */

static void finish(struct eddy_uring *u, struct eddy_op *op, int res)
{
    release(u, op, res);
    op->done(op, op->res);
}

/* The kernel ended a multishot that goes on: arm it again, unless its owner wants the end.
 * Returns whether it goes on. */
static bool go_on(struct eddy_uring *u, struct eddy_op *op)
{
    if (op->state & CANCELLED)
        return false;
    arm(u, op);
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
        bool last = !more && !go_on(u, op);

        deliver(op, res);
        if (last)
            finish(u, op, -ECANCELED);
        return 1;
    }
    if (more || (is_of_one_peer(res) && go_on(u, op)))
        return 0;
    finish(u, op, (op->state & CANCELLED) ? -ECANCELED : res);
    return 1;
}

static unsigned complete_lend(struct eddy_uring *u, struct eddy_op *op, int res, unsigned flags)
{
    bool more = (flags & IORING_CQE_F_MORE) != 0;

    if (res > 0) {
        unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
        assert((flags & IORING_CQE_F_BUFFER) && id < u->buffer_count);
        bool last = !more && !go_on(u, op);

        eddy_unpoison(eddy_uring_buffer(u, id), (size_t)res);
        op->lend.ptr = eddy_uring_buffer(u, id);
        deliver(op, res);
        eddy_uring_buffer_give(u, id);
        u->returned++;
        if (last)
            finish(u, op, -ECANCELED);
        return 1;
    }
    if (flags & IORING_CQE_F_BUFFER)
        eddy_uring_buffer_give(u, flags >> IORING_CQE_BUFFER_SHIFT);
    if (more || (res == -EINTR && go_on(u, op)))
        return 0;
    if (res == -ENOBUFS && !(op->state & CANCELLED)) {
        list_op(&u->starved, op);
        return 0;
    }
    finish(u, op, res == -ENOBUFS ? -ECANCELED : res);
    return 1;
}

static unsigned complete_send(struct eddy_uring *u, struct eddy_op *op, int res)
{
    if (res == 0)
        res = -EIO; /* cannot be: there is always a byte left to send */
    if (res > 0) {
        op->scratch[0] += (uint64_t)res;
        if (send_consume(op, (size_t)res)) {
            if (go_on(u, op))
                return 0;
            res = -ECANCELED;
        }
    } else if (res == -EINTR && go_on(u, op)) {
        return 0;
    }
    finish(u, op, res);
    return 1;
}

static unsigned complete(struct eddy_uring *u, const struct io_uring_cqe *cqe)
{
    struct eddy_op *op = (struct eddy_op *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);
    bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;

    switch (cqe->user_data & TAG_MASK) {
    case TAG_WAKE:
        if (!more)
            (void)arm_wake(u);
        return 0;
    case TAG_CANCEL: return 0;
    default: break;
    }

    assert(op->pending && (op->state & IN_FLIGHT));
    if (!more) {
        op->state = (uint8_t)(op->state & ~IN_FLIGHT);
        if (op->state & LISTED)
            unlist_op(op); /* its cancel, which nobody needs any more */
    }
    switch (op->kind) {
    case EDDY_OP_ACCEPT: return complete_accept(u, op, cqe->res, more);
    case EDDY_OP_LEND: return complete_lend(u, op, cqe->res, cqe->flags);
    case EDDY_OP_SEND: return complete_send(u, op, cqe->res);
    default:
        if (cqe->res == -EINTR && op->kind == EDDY_OP_RECV && go_on(u, op))
            return 0;
        finish(u, op, cqe->res);
        return 1;
    }
}

/* --- the turn ------------------------------------------------------------------------------------ */

static void arm_backlog(struct eddy_uring *u)
{
    struct eddy_list list;

    eddy_list_init(&list);
    eddy_list_take_all(&list, &u->backlog);
    while (!eddy_list_is_empty(&list)) {
        struct eddy_op *op = eddy_container_of(list.next, struct eddy_op, link);

        unlist_op(op);
        if (op->state & IN_FLIGHT)
            arm_cancel(u, op);
        else
            arm(u, op);
    }
}

/*
 * As many as buffers came back, in order. With no completion left to be handled every buffer
 * is the kernel's, so all may try; who then finds none again does so because others were
 * served. That is why this neither starves nor spins.
 */
static void arm_starved(struct eddy_uring *u)
{
    unsigned n = io_uring_cq_ready(&u->ring) == 0 ? u->buffer_count : u->returned;

    for (; n > 0 && !eddy_list_is_empty(&u->starved); n--) {
        struct eddy_op *op = eddy_container_of(u->starved.next, struct eddy_op, link);

        unlist_op(op);
        arm(u, op);
    }
}

static bool kernel_has_work(const struct eddy_uring *u)
{
    return !u->has_taskrun_flag ||
           (IO_URING_READ_ONCE(*u->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

static int enter(struct eddy_uring *u, int64_t timeout_ns)
{
    unsigned flags = IO_URING_READ_ONCE(*u->ring.sq.kflags);

    if (timeout_ns == 0 || io_uring_cq_ready(&u->ring) > 0 || (flags & IORING_SQ_CQ_OVERFLOW) ||
        !eddy_list_is_empty(&u->starved) || !eddy_list_is_empty(&u->backlog)) {
        if (io_uring_sq_ready(&u->ring) == 0 && !kernel_has_work(u))
            return 0;
        return io_uring_submit_and_get_events(&u->ring);
    }
    if (timeout_ns < 0)
        return io_uring_submit_and_wait(&u->ring, 1);

    struct __kernel_timespec ts = { .tv_sec = timeout_ns / 1000000000,
                                    .tv_nsec = timeout_ns % 1000000000 };
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
}

static int uring_turn(struct eddy_driver *d, int64_t timeout_ns)
{
    struct eddy_uring *u = uring_of(d);

    arm_backlog(u);
    int r = enter(u, timeout_ns);
    eddy_driver_waited(d, eddy__sys.now_ns());
    /* -EBUSY, -EAGAIN: completions must be taken first; what was not submitted stays queued. */
    if (r < 0 && r != -ETIME && r != -EINTR && r != -EBUSY && r != -EAGAIN)
        return r;

    struct io_uring_cqe *at;
    unsigned head, seen = 0, count = 0;

    u->returned = 0;
    io_uring_for_each_cqe(&u->ring, head, at)
    {
        /* Copied and given back first: done() may submit, which may need the room. */
        struct io_uring_cqe cqe = { .user_data = at->user_data,
                                    .res = at->res,
                                    .flags = at->flags };

        io_uring_cq_advance(&u->ring, 1);
        count += complete(u, &cqe);
        if (++seen == TURN_MAX)
            break;
    }
    arm_starved(u);
    return (int)count;
}

static void uring_wake(struct eddy_driver *d)
{
    static const uint64_t one = 1;
    int saved = errno; /* a signal handler must leave it */

    (void)eddy__sys.write(uring_of(d)->event_fd, &one, sizeof one);
    errno = saved;
}

/* --- open and close ------------------------------------------------------------------------ */

static int uring_open(const struct eddy_driver_config *config, struct eddy_driver **ret_driver,
                      const char **why)
{
    struct eddy_uring *u = eddy__zalloc(sizeof *u);

    if (!u)
        return -ENOMEM;
    u->base.ops = &eddy_driver_uring;
    u->base.backend = "uring";
    u->short_io = config->short_io;
    u->event_fd = -1;
    eddy_list_init(&u->starved);
    eddy_list_init(&u->backlog);

    int r = eddy_uring_ring_open(u, why);
    if (r == 0)
        r = arm_wake(u);
    if (r < 0) {
        eddy_uring_ring_close(u);
        eddy__free(u, sizeof *u);
        return r;
    }
    *ret_driver = &u->base;
    return 0;
}

static void uring_close(struct eddy_driver *d)
{
    assert(d->pending == 0);
    eddy_uring_ring_close(uring_of(d));
    eddy__free(uring_of(d), sizeof(struct eddy_uring));
}

const struct eddy_driver_ops eddy_driver_uring = {
    .name = "uring",
    .open = uring_open,
    .close = uring_close,
    .submit = uring_submit,
    .cancel = uring_cancel,
    .turn = uring_turn,
    .wake = uring_wake,
    .listen = eddy_sockets_listen,
    .shutdown = eddy_sockets_shutdown,
    .address = eddy_sockets_address,
    .now_ns = eddy_sockets_now_ns,
    .wall_ns = eddy_sockets_wall_ns,
    .random = eddy_sockets_random,
};
