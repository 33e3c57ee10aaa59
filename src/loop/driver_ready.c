/*
 * loop/driver_ready.c - operations over readiness: any poller
 *
 * Try first, wait where the call would block, try again. For each descriptor the driver keeps one
 * operation that waits for input and one that waits for output, and what the poller was told.
 *
 * Interest is lazy. When an operation ends, the poller is not told: the next one most likely
 * wants the same. So a keep-alive connection costs one call to the poller in its life. When
 * readiness is reported that nobody waits for,
 *
 *   of TCP, where the poller follows EDDY_EDGE: it is remembered (ready.h: watch.ready), as is what
 *     a turn's share has left, for it will not be reported again. An operation that waits for what
 *     is remembered stands in a list, to be tried in the next turn, which does not sleep
 *   elsewhere: the interest is taken back, or it is reported for ever
 *
 * Nor is a timeout handed to epoll when it is long: the kernel would set and cancel a timer of its
 * own in every wait (3 % of a small request). One timerfd stands in the poller instead, set only when
 * something is due before it would fire; firing early costs one turn.
 *
 * A short read on TCP means that it is drained, so it is not tried again before the poller says so;
 * unless an end, an error or an urgent mark was told of with the bytes. Tokens carry a generation: an event for a descriptor that was closed, and whose
 * number was given out again inside the same batch, is recognised and dropped.
 */
#include "base/memory.h"
#include "base/sanitize.h"
#include "base/sys.h"
#include "loop/ready.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* At most so many accepts, and so many full buffers of one connection, in one turn: the rest is
 * still ready in the next, after everybody else had theirs. */
#define ACCEPTS_A_TURN 64
#define LENDS_A_TURN 4

static struct ready_driver *self(struct eddy_driver *d)
{
    return (struct ready_driver *)(void *)d;
}

/* --- trying --------------------------------------------------------------------------------- */

static bool is_again(ssize_t r)
{
    return r == -EAGAIN || r == -EWOULDBLOCK;
}

static int try_accept(struct eddy_op *op)
{
    int r;

    /* Two processes that look at once may both find one connection; the later one waits then. */
    if (op->accept.blocking) {
        struct pollfd ready = { .fd = op->fd, .events = POLLIN };
        if (eddy__sys.poll(&ready, 1, 0) == 0)
            return -EAGAIN;
    }
    /* accept(2): errors of a connection that died in the queue are reported here; they end
     * that connection, not the listening. */
    do
        r = eddy__sys.accept(op->fd, NULL, NULL);
    while (r == -ECONNABORTED || r == -EPROTO || r == -EPERM);
    return r;
}

static int try_connect(struct eddy_op *op)
{
    int error = 0;
    socklen_t len = sizeof error;

    int r = eddy__sys.getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (r < 0)
        return r;
    return error ? -error : op->fd;
}

static int try_recv(struct ready_driver *d, struct eddy_op *op)
{
    const size_t cap = eddy_ready_at_most(d, op->recv.len);
    ssize_t n = eddy__sys.recv(op->fd, op->recv.ptr, cap, MSG_DONTWAIT);

    eddy_ready_received(&d->watches[op->fd], n, cap);
    return (int)n;
}

/* One try. -EAGAIN: it has to wait. */
static int try_op(struct ready_driver *d, struct eddy_op *op)
{
    switch (op->kind) {
    case EDDY_OP_RECV: return try_recv(d, op);
    case EDDY_OP_SEND: return eddy_ready_send(d, op);
    case EDDY_OP_CONNECT: return try_connect(op);
    default: assert(false && "accept, lend, close and poll have ways of their own"); return -EINVAL;
    }
}

/* --- completing ----------------------------------------------------------------------------- */

static void detach(struct ready_driver *r, struct eddy_op *op)
{
    struct watch *w = &r->watches[op->fd];

    if (w->in == op) {
        w->in = NULL;
        eddy_ready_clear(w, READY_WATCH);
    }
    if (w->out == op)
        w->out = NULL;
    eddy_ready_unlist(op);
    eddy_driver_ended(&r->driver, op);
    /* A descriptor that is polled is somebody else's, who closes it without telling: its number
     * must not be found known to the poller when it is given out again. */
    if (op->kind == EDDY_OP_POLL)
        eddy_ready_update(r, op->fd, true);
}

static void complete(struct ready_driver *r, struct eddy_op *op, int res)
{
    detach(r, op);
    op->more = false;
    op->res = eddy_op_result(res);
    op->done(op, op->res);
}

/* --- submitting ----------------------------------------------------------------------------- */

static bool done_now(struct eddy_op *op, int res)
{
    op->more = false;
    op->res = eddy_op_result(res);
    return true;
}

static bool park(struct ready_driver *r, struct eddy_op *op, bool output)
{
    struct watch *w = &r->watches[op->fd];
    struct eddy_op **place = output ? &w->out : &w->in;

    if (*place)
        return done_now(op, -EBUSY);
    if (op->kind != EDDY_OP_POLL && !w->interest)
        eddy_ready_ask(r, op->fd);
    *place = op;
    int result = eddy_ready_update(r, op->fd, false);
    if (result == 0 && eddy_ready_is_left(w, output ? EDDY_WRITABLE : EDDY_READABLE)) {
        if (op->kind == EDDY_OP_POLL)
            result = eddy_ready_renew(r, op->fd);
        else
            eddy_ready_list(r, op);
    }
    if (result < 0) {
        *place = NULL;
        return done_now(op, result);
    }
    if (op->kind == EDDY_OP_POLL && op->poll.multishot && !output)
        w->ready = (uint8_t)(w->ready | READY_WATCH);
    eddy_driver_began(&r->driver, op);
    return false;
}

static unsigned what_is(sa_family_t family)
{
    return family == AF_INET || family == AF_INET6 ? READY_KNOWN | READY_TCP : READY_KNOWN;
}

static bool submit_connect(struct ready_driver *r, struct eddy_op *op)
{
    int fd = eddy_sockets_open(op->connect.addr, op->connect.options);

    if (fd < 0)
        return done_now(op, fd);
    op->fd = fd;
    int result = eddy_ready_grow(r, fd);
    if (result == 0)
        eddy_ready_born(r, fd, what_is(op->connect.addr->sa_family));
    if (result == 0)
        result = eddy__sys.connect(fd, op->connect.addr, op->addr_len);
    if (result == 0)
        return done_now(op, fd);
    /* A Unix socket whose backlog is full answers EAGAIN, and nothing will tell when to repeat. */
    if (result == -EINPROGRESS && !park(r, op, true))
        return false;
    if (result == -EINPROGRESS)
        result = op->res;
    eddy__sys.close(fd);
    op->fd = -1;
    return done_now(op, result == -EAGAIN ? -ECONNREFUSED : result);
}

static bool submit_close(struct ready_driver *r, struct eddy_op *op)
{
    eddy_ready_forget(r, op->fd);
    eddy__sys.close(op->fd);
    return done_now(op, 0);
}

static bool submit(struct eddy_driver *d, struct eddy_op *op)
{
    const unsigned input = EDDY_READABLE | EDDY_EDGE;
    struct ready_driver *r = self(d);

    if (op->kind == EDDY_OP_CONNECT)
        return submit_connect(r, op);
    if (op->kind == EDDY_OP_CLOSE)
        return submit_close(r, op);
    if (eddy_op_is_file(op))
        return eddy_ready_file_submit(r, op);

    int result = op->fd < 0 ? -EBADF : eddy_ready_grow(r, op->fd);
    if (result < 0)
        return done_now(op, result);
    struct watch *w = &r->watches[op->fd];

    switch (op->kind) {
    case EDDY_OP_RECV:
        if (w->in)
            return done_now(op, -EBUSY);
        /* Known to be empty: an event is under way, or there is nothing. */
        if ((w->interest & input) == input && !(w->ready & EDDY_READABLE))
            return park(r, op, false);
        result = try_op(r, op);
        return is_again(result) ? park(r, op, false) : done_now(op, result);
    case EDDY_OP_SEND:
        if (w->out)
            return done_now(op, -EBUSY);
        op->scratch[0] = 0;
        result = eddy_op_send_check(op);
        if (result == 0)
            result = try_op(r, op);
        return is_again(result) ? park(r, op, true) : done_now(op, result);
    case EDDY_OP_ACCEPT:
    case EDDY_OP_LEND:
        /* Not tried: a multishot that is armed has most likely nothing to read yet. */
        return park(r, op, false);
    case EDDY_OP_POLL: return park(r, op, !(op->poll.events & EDDY_READABLE));
    default: return done_now(op, -EINVAL);
    }
}

static bool cancel(struct eddy_driver *d, struct eddy_op *op)
{
    struct ready_driver *r = self(d);

    assert(op->pending);
    if (eddy_op_is_file(op))
        return eddy_ready_file_cancel(r, op);
    detach(r, op);
    if (op->kind == EDDY_OP_CONNECT) {
        eddy_ready_forget(r, op->fd);
        eddy__sys.close(op->fd);
        op->fd = -1;
    }
    return done_now(op, -ECANCELED);
}

/* --- turning -------------------------------------------------------------------------------- */

/* done() may have closed the descriptor, or forked, and this be the child. */
static bool is_current(const struct ready_driver *r, int fd, uint32_t generation)
{
    return r->watches[fd].generation == generation && !r->abandoned;
}

/* done() may have cancelled the operation, freed it, closed the descriptor, or made another
 * operation of the same struct: then @op waits again, but for something else. */
static bool is_still(const struct ready_driver *r, int fd, uint32_t generation,
                     const struct eddy_op *op, enum eddy_op_kind kind)
{
    return is_current(r, fd, generation) && r->watches[fd].in == op && op->kind == kind;
}

static void input_accept(struct ready_driver *r, struct eddy_op *op)
{
    int fd = op->fd;
    uint32_t generation = r->watches[fd].generation;

    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int result = try_accept(op);
        if (is_again(result))
            return;
        if (result < 0) {
            complete(r, op, result);
            return;
        }
        eddy_ready_born(r, result, r->watches[fd].ready);
        op->more = true;
        op->res = result;
        op->done(op, result);
        if (!is_still(r, fd, generation, op, EDDY_OP_ACCEPT))
            return;
    }
}

static void input_lend(struct ready_driver *r, struct eddy_op *op)
{
    int fd = op->fd;
    uint32_t generation = r->watches[fd].generation;

    for (int i = 0; i < LENDS_A_TURN; i++) {
        size_t cap = eddy_ready_at_most(r, LEND_SIZE);
        ssize_t n = eddy__sys.recv(fd, r->lend, cap, MSG_DONTWAIT);
        /* Before done() looks: it may pause and resume. */
        eddy_ready_received(&r->watches[fd], n, cap);
        if (is_again(n))
            return;
        if (n <= 0) {
            complete(r, op, (int)n);
            return;
        }
        op->more = true;
        op->res = (int)n;
        op->lend.ptr = r->lend;
        op->done(op, (int)n);
#ifdef EDDY_ASAN
        memset(r->lend, 0xdb, (size_t)n); /* who kept the bytes reads this */
#endif
        if (!is_still(r, fd, generation, op, EDDY_OP_LEND) ||
            !eddy_ready_goes_on(&r->watches[fd], (size_t)n < cap))
            return;
    }
    if (eddy_ready_is_left(&r->watches[fd], EDDY_READABLE))
        eddy_ready_list(r, op);
}

static void report(struct ready_driver *r, struct eddy_op *op, unsigned events)
{
    if (!op->poll.multishot) {
        complete(r, op, (int)events);
        return;
    }
    op->more = true;
    op->res = (int)events;
    op->done(op, (int)events);
}

static void input(struct ready_driver *r, struct eddy_op *op, unsigned events)
{
    if (op->kind == EDDY_OP_LEND) {
        input_lend(r, op);
    } else if (op->kind == EDDY_OP_ACCEPT) {
        input_accept(r, op);
    } else if (op->kind == EDDY_OP_POLL) {
        report(r, op, events);
    } else {
        int result = try_op(r, op);
        if (!is_again(result))
            complete(r, op, result);
    }
}

static void output(struct ready_driver *r, struct eddy_op *op, unsigned events)
{
    if (op->kind == EDDY_OP_POLL) {
        report(r, op, events);
        return;
    }
    int result = try_op(r, op);
    if (is_again(result)) {
        if (eddy_ready_is_left(&r->watches[op->fd], EDDY_WRITABLE))
            eddy_ready_list(r, op);
        return;
    }
    if (op->kind == EDDY_OP_CONNECT && result < 0) {
        struct eddy_op closing = *op;
        detach(r, op);
        eddy_ready_forget(r, closing.fd);
        eddy__sys.close(closing.fd);
        op->fd = -1;
        done_now(op, result);
        op->done(op, op->res);
        return;
    }
    complete(r, op, result);
}

/* A watch for input and nothing beside it: the one case that is all dispatching, so that is decided
 * without a look at the operation. Whoever comes next is told anew: nothing need be remembered. */
static inline bool is_plain_watch(const struct watch *w, unsigned events)
{
    return (w->ready & READY_WATCH) && (events & EDDY_READABLE) && !w->out && !w->files;
}

static void dispatch_other(struct ready_driver *r, uint64_t token)
{
    if (token == TOKEN_WAKE)
        eddy_ready_woken(r);
    else if (token == TOKEN_TIMER)
        eddy_ready_timer_fired(r);
}

static void dispatch(struct ready_driver *r, const struct eddy_ready *event)
{
    const int fd = (int)(uint32_t)event->token;
    const uint32_t generation = (uint32_t)(event->token >> 32);
    const unsigned events = event->events, ended = EDDY_HANGUP | EDDY_FAILED;
    bool used = false;

    if ((uint32_t)fd >= r->watch_cap) {
        dispatch_other(r, event->token);
        return;
    }
    struct watch *w = &r->watches[fd];
    if (w->generation != generation)
        return;
    if (is_plain_watch(w, events)) {
        w->in->more = true;
        w->in->res = (int)events;
        w->in->done(w->in, (int)events);
        return;
    }
    if (w->interest & EDDY_EDGE)
        eddy_ready_remember(w, events);

    struct eddy_op *op = w->out;
    if (op && (events & (EDDY_WRITABLE | ended))) {
        used = true;
        eddy_ready_unlist(op);
        output(r, op, events);
        if (!is_current(r, fd, generation))
            return;
    }
    op = r->watches[fd].in;
    unsigned in = EDDY_READABLE | EDDY_READ_ENDED | EDDY_URGENT | ended;
    if (op && op->kind == EDDY_OP_POLL)
        in |= op->poll.events;
    if (op && (events & in)) {
        used = true;
        eddy_ready_unlist(op);
        input(r, op, events);
        if (!is_current(r, fd, generation))
            return;
    }
    if (r->watches[fd].files) {
        eddy_ready_files(r, fd, events);
        if (!is_current(r, fd, generation))
            return;
    }
    /* Reported as a level, and nobody waits for it: take the interest back, or it is reported for
     * ever. Not when it has just been used: the next operation most likely wants the same. */
    w = &r->watches[fd];
    if (!used && !(w->interest & EDDY_EDGE) && (events & (eddy_ready_unwanted(r, w) | ended)))
        eddy_ready_update(r, fd, true);
}

/* Who waits for what no event will tell of; and has not been served by one after all. */
static int run_due(struct ready_driver *r)
{
    struct eddy_list *link;
    int count = 0;

    while ((link = eddy_list_shift(&r->due))) {
        struct eddy_op *op = eddy_container_of(link, struct eddy_op, link);
        op->state &= (uint8_t)~READY_LISTED;
        count++;
        if (r->watches[op->fd].out == op)
            output(r, op, EDDY_WRITABLE);
        else
            input(r, op, EDDY_READABLE);
    }
    return count;
}

static void prefetch(const struct ready_driver *r, const struct eddy_ready *event)
{
    uint32_t fd = (uint32_t)event->token;

    if (fd < r->watch_cap)
        __builtin_prefetch(r->watches[fd].in);
}

static int turn(struct eddy_driver *d, int64_t timeout_ns)
{
    struct ready_driver *r = self(d);

    eddy_list_take_all(&r->due, &r->again);
    timeout_ns = eddy_list_is_empty(&r->due) ? eddy_ready_timeout(r, timeout_ns) : 0;
    int count = eddy_poller_wait(r->poller, timeout_ns, r->batch, BATCH);
    eddy_driver_waited(d, eddy__sys.now_ns());
    if (count < 0 && count != -EINTR) {
        eddy_list_take_all(&r->again, &r->due);
        return count;
    }
    for (int i = 0; i < count; i++) {
        /* The next one's operation comes into the cache while this one is in the kernel. */
        if (i + 1 < count)
            prefetch(r, &r->batch[i + 1]);
        dispatch(r, &r->batch[i]);
    }
    return (count < 0 ? 0 : count) + run_due(r);
}

/* --- opening -------------------------------------------------------------------------------- */

static void close_driver(struct eddy_driver *d)
{
    struct ready_driver *r = self(d);

    assert(!d->pending);
    if (r->wake_out >= 0 && r->wake_out != r->wake_in)
        eddy__sys.close(r->wake_out);
    if (r->wake_in >= 0)
        eddy__sys.close(r->wake_in);
    if (r->timer >= 0)
        eddy__sys.close(r->timer);
    eddy_poller_free(r->poller);
    eddy__free(r->watches, r->watch_cap * sizeof *r->watches);
    eddy__free(r->lend, LEND_SIZE);
    eddy__free(r, sizeof *r);
}

static int descriptors(struct eddy_driver *d, int ret_fds[2])
{
    int fd = eddy_poller_descriptor(self(d)->poller);

    ret_fds[0] = fd;
    return fd < 0 ? fd : 1;
}

/* What the poller will not tell of again, the host cannot see. */
static bool rest(struct eddy_driver *d)
{
    return !eddy_list_is_empty(&self(d)->again);
}

static void abandon(struct eddy_driver *d)
{
    struct ready_driver *r = self(d);

    memset(r->batch, 0xff, sizeof r->batch); /* TOKEN_NOBODY */
    eddy_list_init(&r->again);
    eddy_list_init(&r->due);
    r->abandoned = true;
    if (r->wake_out != r->wake_in)
        eddy__sys.close(r->wake_out);
    eddy__sys.close(r->wake_in);
    if (r->timer >= 0)
        eddy__sys.close(r->timer);
    r->poller->ops->close(r->poller);
}

static int open_driver(const struct eddy_driver_config *config, struct eddy_driver **ret_driver,
                       const char **why)
{
    struct ready_driver *r = eddy__zalloc(sizeof *r);

    if (!r)
        return -ENOMEM;
    r->wake_in = r->wake_out = r->timer = -1;
    r->timer_at = INT64_MAX;
    r->short_io = config->short_io;
    eddy_list_init(&r->again);
    eddy_list_init(&r->due);
    int result = eddy_poller_open(config->backend, &r->poller);
    if (result == 0) {
        r->edges = eddy_poller_tells_edges(r->poller);
        r->streams = r->edges && eddy_poller_tells_urgent(r->poller);
    }
    if (result == 0 && !(r->lend = eddy__alloc(LEND_SIZE)))
        result = -ENOMEM;
    if (result == 0)
        result = eddy_ready_open_wake(r);
    if (result == 0)
        result = eddy_ready_grow(r, r->wake_in);
    if (result == 0)
        eddy_ready_open_timer(r);
    if (result < 0) {
        *why = eddy_strerror(result);
        close_driver(&r->driver);
        return result;
    }
    r->driver.ops = &eddy_driver_ready;
    r->driver.backend = eddy_poller_name(r->poller);
    *ret_driver = &r->driver;
    return 0;
}

const struct eddy_driver_ops eddy_driver_ready = {
    .name = "ready",
    .open = open_driver,
    .close = close_driver,
    .submit = submit,
    .cancel = cancel,
    .turn = turn,
    .wake = eddy_ready_wake,
    .listen = eddy_sockets_listen,
    .shutdown = eddy_sockets_shutdown,
    .address = eddy_sockets_address,
    .now_ns = eddy_sockets_now_ns,
    .wall_ns = eddy_sockets_wall_ns,
    .random = eddy_sockets_random,
    .descriptors = descriptors,
    .rest = rest,
    .abandon = abandon,
};
