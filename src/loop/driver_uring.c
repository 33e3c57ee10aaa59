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
 * At TCP's urgent mark the kernel's multishot receive may take what is before it for all there is:
 * what is behind comes with the next bytes that arrive (seen on Linux 6.18; poll(2) calls it readable).
 *
 * A timer that is set and cancelled in every wait costs the kernel more than a small answer. Timeouts
 * that are long become one TIMEOUT that stays in flight, set again only when something is due before
 * it would fire; firing early costs one turn.
 *
 * `short_io` makes queues and buffers tiny: the rare paths are then the ordinary ones.
 */
#include "base/fault.h"
#include "base/memory.h"
#include "base/sys.h"
#include "loop/uring.h"

#define TURN_MAX 1024 /* completions handled by one turn */
#define LONG_NS INT64_C(100000000)

/* --- submit and cancel ------------------------------------------------------------------------ */

static bool finish_at_once(struct eddy_op *op, int res)
{
    op->res = res;
    op->more = false;
    op->pending = false;
    return true;
}

static bool uring_submit(struct eddy_driver *d, struct eddy_op *op)
{
    struct eddy_uring *u = eddy_uring_of(d);
    int r = 0;

    assert(!op->pending && op->kind < EDDY_OP_KINDS);
    op->state = 0;
    op->scratch[0] = 0;

    if (op->kind > EDDY_OP_SYMLINK)
        return finish_at_once(op, -EOPNOTSUPP);
    if (op->kind > EDDY_OP_STAT && !u->has_names)
        return eddy_uring_file_to_thread(u, op);
    if (op->kind == EDDY_OP_SEND) {
        r = eddy_op_send_check(op);
        if (r < 0 || !eddy_uring_send_consume(op, 0))
            return finish_at_once(op, r);
    }
    if (op->kind == EDDY_OP_CONNECT) {
        r = eddy_sockets_open(op->connect.addr, op->connect.options);
        if (r < 0)
            return finish_at_once(op, r);
        op->scratch[0] = (uint64_t)r;
    } else if (op->kind == EDDY_OP_CLOSE) {
        /* Needs no place in the table, and so no memory: a close that fails is a leak. */
        assert((size_t)op->fd >= u->sides_cap || u->sides[op->fd] == 0);
    } else if (!eddy_op_is_file(op)) {
        r = eddy_uring_sides_take(u, op->fd, eddy_uring_sides_of(op));
        if (r < 0)
            return finish_at_once(op, r);
    }

    eddy_driver_began(d, op);
    eddy_uring_arm(u, op);
    return false;
}

static bool uring_cancel(struct eddy_driver *d, struct eddy_op *op)
{
    struct eddy_uring *u = eddy_uring_of(d);

    assert(op->pending);
    if (op->kind == EDDY_OP_CLOSE || (op->state & EDDY_URING_CANCELLED))
        return false;
    op->state |= EDDY_URING_CANCELLED;
    if (op->state & EDDY_URING_THREAD)
        return eddy_uring_file_withdraw(u, op);
    if (!(op->state & EDDY_URING_IN_FLIGHT)) {
        /* Only waiting to be armed: the kernel has nothing of it. */
        assert(op->state & EDDY_URING_LISTED);
        eddy_uring_release(u, op, -ECANCELED);
        return true;
    }
    eddy_uring_arm_cancel(u, op);
    return false;
}

/* --- the turn ------------------------------------------------------------------------------------ */

static bool kernel_has_work(const struct eddy_uring *u)
{
    return !u->has_taskrun_flag ||
           (IO_URING_READ_ONCE(*u->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

/* Something is to be handled already, or would not be told of. */
static bool may_not_wait(struct eddy_uring *u)
{
    bool overflow = (IO_URING_READ_ONCE(*u->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;

    u->counts.overflows += overflow;
    return overflow || io_uring_cq_ready(&u->ring) > 0 || !eddy_list_is_empty(&u->starved) ||
           !eddy_list_is_empty(&u->backlog) || !u->wake_armed;
}

static int enter(struct eddy_uring *u, int64_t timeout_ns)
{
    if (may_not_wait(u) || timeout_ns == 0) {
        if (io_uring_sq_ready(&u->ring) == 0 && !kernel_has_work(u))
            return 0;
        u->counts.enters++;
        return io_uring_submit_and_get_events(&u->ring);
    }
    u->counts.enters++;
    const int64_t *clock = u->base.clock;
    if (timeout_ns < 0 ||
        (timeout_ns >= LONG_NS && clock && eddy_uring_arm_timer(u, *clock + timeout_ns)))
        return io_uring_submit_and_wait(&u->ring, 1);

    struct __kernel_timespec ts = { .tv_sec = timeout_ns / 1000000000,
                                    .tv_nsec = timeout_ns % 1000000000 };
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
}

/* The next completion's operation comes into the cache while this one is told. Past the last one it
 * is an old one's, or nobody's: reading ahead harms nothing. */
static void prefetch(const struct eddy_uring *u, unsigned head)
{
    const struct io_uring_cqe *next = &u->ring.cq.cqes[head & u->cq_mask];

    __builtin_prefetch((const void *)(uintptr_t)(next->user_data & ~(uint64_t)EDDY_URING_TAGS));
}

static int uring_turn(struct eddy_driver *d, int64_t timeout_ns)
{
    struct eddy_uring *u = eddy_uring_of(d);

    if (!u->wake_armed)
        eddy_uring_arm_wake(u);
    eddy_uring_arm_backlog(u);
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
        prefetch(u, head + 1);
        count += eddy_uring_complete(u, &cqe);
        if (++seen == TURN_MAX || u->is_abandoned)
            break;
    }
    eddy_uring_arm_starved(u);
    return (int)count;
}

static void uring_wake(struct eddy_driver *d)
{
    static const uint64_t one = 1;
    int saved = errno; /* a signal handler must leave it */

    EDDY_FAULT_BENIGN_BEGIN(); /* it cannot fail but where the wake-up is under way */
    (void)eddy__sys.write(eddy_uring_of(d)->event_fd, &one, sizeof one);
    EDDY_FAULT_BENIGN_END();
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
    u->event_fd = u->told_fd = -1;
    eddy_list_init(&u->starved);
    eddy_list_init(&u->backlog);
    u->timer_at = INT64_MAX;

    int r = eddy_uring_ring_open(u, why);
    if (r == 0)
        eddy_uring_arm_wake(u);
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
    eddy_uring_ring_close(eddy_uring_of(d));
    eddy__free(eddy_uring_of(d), sizeof(struct eddy_uring));
}

/* The ring's own descriptor does not do: with DEFER_TASKRUN nobody who sleeps on it in epoll is woken.
 * A registered eventfd is told of work; but not reliably, where the work comes from another eventfd
 * (the kernel puts such a signal off, and forgets that it did: seen on Linux 6.18, where only the
 * first one arrives). So the eventfd of wake() is looked at by itself, and while descriptors are
 * polled, which may be eventfds, it is registered anew each time. */
static int uring_descriptors(struct eddy_driver *d, int ret_fds[2])
{
    struct eddy_uring *u = eddy_uring_of(d);

    if (u->told_fd < 0) {
        int fd = eddy__sys.eventfd(0);
        if (fd < 0)
            return fd;
        int r = io_uring_register_eventfd(&u->ring, fd);
        if (r < 0) {
            eddy__sys.close(fd);
            return r;
        }
        u->told_fd = fd;
    }
    ret_fds[0] = u->told_fd;
    ret_fds[1] = u->event_fd;
    return 2;
}

static int register_anew(struct eddy_uring *u)
{
    int r = io_uring_unregister_eventfd(&u->ring);

    return r < 0 ? r : io_uring_register_eventfd(&u->ring, u->told_fd);
}

/* What done() and plain code have asked for since the turn's system call goes to the kernel. Told of
 * something before the last look is forgotten; what comes after it is told anew. */
static bool uring_rest(struct eddy_driver *d)
{
    struct eddy_uring *u = eddy_uring_of(d);
    bool blind = false;
    uint64_t count;

    if (io_uring_sq_ready(&u->ring) > 0)
        (void)io_uring_submit(&u->ring);
    if (u->told_fd >= 0) {
        bool polls = d->in_flight[EDDY_OP_POLL] > 0;
        if (polls || u->polled)
            blind = register_anew(u) < 0; /* then the host turns all the time, but loses nothing */
        u->polled = polls;
        (void)eddy__sys.read(u->told_fd, &count, sizeof count);
        (void)eddy__sys.read(u->event_fd, &count, sizeof count);
    }
    return blind || io_uring_sq_ready(&u->ring) > 0 || may_not_wait(u) ||
           (IO_URING_READ_ONCE(*u->ring.sq.kflags) & IORING_SQ_TASKRUN);
}

/* The queues are memory shared with the parent, which goes on at once: this process looks at words
 * of its own instead, which say that they are empty. The memory stays mapped, and is not touched. */
static void uring_abandon(struct eddy_driver *d)
{
    struct eddy_uring *u = eddy_uring_of(d);

    u->is_abandoned = true;
    u->ring.cq.khead = u->ring.cq.ktail = &u->abandoned[0];
    u->ring.sq.khead = u->ring.sq.ktail = &u->abandoned[1];
    u->ring.sq.kflags = &u->abandoned[2];
    eddy_list_init(&u->starved);
    eddy_list_init(&u->backlog);
    eddy__sys.close(u->ring.ring_fd);
    eddy__sys.close(u->event_fd);
    if (u->told_fd >= 0)
        eddy__sys.close(u->told_fd);
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
    .descriptors = uring_descriptors,
    .rest = uring_rest,
    .abandon = uring_abandon,
};
