/*
 * stream/transport_fd.c - a transport over any descriptors: pipes, terminals, devices, files
 *
 * READ and WRITE of loop/file_op.h carry it; they wait as what is behind the descriptor demands,
 * and never change whether it blocks. `in_op` is a READ into the buffer while the protocol has
 * resumed, or into a task's memory while one reads; writing is fd_write.c's.
 *
 *   input    OPEN -> ENDED or FAILED (remembered, and told when the protocol is resumed)
 *   output   open -> failed (out_error) or finished
 *   closing  operations are cancelled -> both have completed -> writes and read are done with
 *            -ECANCELED -> CLOSE of what is owned -> closed() -> freed
 *
 * The buffer lives while the protocol has resumed, while a READ into it is on its way, and while it
 * holds bytes: what came although the protocol had paused. Those are delivered before anything
 * else.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"
#include "stream/fd.h"

#include <eddy/address.h>
#include <eddy/stream.h>
#include <eddy/transport.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)16384)

/* What one turn does at most, before everybody else has theirs. */
#define READS_A_TURN 4

static void settle(struct eddy_soon *soon);

void fd_settle_soon(struct fd_transport *t)
{
    eddy__soon(t->loop, &t->soon, settle);
}

/* --- input ---------------------------------------------------------------------------------- */

/* Whether what is read from is the connection that was lost: given twice, or once and duplicated. */
static bool is_lost(const struct fd_transport *t)
{
    struct stat in, out;

    return eddy_writes_is_loss(t->out_error) &&
           (t->in == t->out || (fstat(t->in, &in) == 0 && fstat(t->out, &out) == 0 &&
                                in.st_dev == out.st_dev && in.st_ino == out.st_ino));
}

/* The READ is over: remember what that means; the result as it is told. */
static int read_over(struct fd_transport *t)
{
    int res = t->in_op.op.res;

    if (res == -EIO && t->in_tty)
        res = 0; /* the other end of a pseudo-terminal is gone */
    else if (res == 0 && is_lost(t))
        res = t->out_error;
    t->in_asked = false;
    if (res == 0) {
        t->input = FD_ENDED;
    } else if (res < 0 && res != -ECANCELED) {
        t->input = FD_FAILED;
        t->in_error = res;
    }
    if (res > 0 && t->in_at >= 0)
        t->in_at += res;
    if (res > 0 && !t->direct) {
        t->start = 0;
        t->end = (size_t)res;
    }
    t->direct = false;
    return res;
}

static void reader_done(struct fd_transport *t, int res)
{
    struct eddy_read *r = t->reader;

    t->reader = NULL;
    r->res = res;
    r->done(r);
}

/* The terminal shows another job. Who reads it then is stopped, until a shell brings him to the
 * foreground; but READ comes from threads that take no signals, and is told EIO. So we stop the
 * job as the kernel would have. False: nobody would set it going again, or SIGTTIN means something
 * else here. */
static bool stop_in_background(const struct fd_transport *t)
{
    struct sigaction action;
    sigset_t blocked;
    pid_t shown = tcgetpgrp(t->in), parent = getppid();

    if (shown < 0 || shown == getpgrp() || getsid(parent) != getsid(0) ||
        getpgid(parent) == getpgrp())
        return false;
    if (eddy__sys.sigaction(SIGTTIN, NULL, &action) < 0 || action.sa_handler != SIG_DFL ||
        pthread_sigmask(SIG_SETMASK, NULL, &blocked) != 0 || sigismember(&blocked, SIGTTIN))
        return false;
    return kill(0, SIGTTIN) == 0;
}

/* After a READ: whether it has been asked again, and is under way. Else its result stands. */
static bool read_again(struct fd_transport *t)
{
    struct eddy_op *op = &t->in_op.op;

    while (op->res == -EIO && t->in_tty && !t->closing && !t->in_asked && stop_in_background(t)) {
        eddy_op_read(&t->in_op, t->in, t->in_op.ptr, t->in_op.len, t->in_at, op->done);
        op->ctx = t;
        if (!eddy__op_submit(t->loop, op))
            return true;
    }
    return false;
}

static void read_done(struct eddy_op *op, int res)
{
    struct fd_transport *t = op->ctx;
    bool direct = t->direct;

    if (read_again(t))
        return;
    res = read_over(t);
    if (direct && t->reader)
        reader_done(t, res);
    settle(&t->soon);
}

/* True: over at once; read_over() is next. */
static bool start_read(struct fd_transport *t, void *ptr, size_t len, bool direct)
{
    len = len < INT32_MAX ? len : INT32_MAX;
    t->direct = direct;
    eddy_op_read(&t->in_op, t->in, ptr, len, t->in_at, read_done);
    t->in_op.op.ctx = t;
    return eddy__op_submit(t->loop, &t->in_op.op) && !read_again(t);
}

/* Begin to fill the buffer. True: over at once. */
static bool fill(struct fd_transport *t)
{
    if (!t->buffer)
        t->buffer = eddy__alloc(BUFFER_SIZE);
    if (!t->buffer) {
        t->input = FD_FAILED;
        t->in_error = -ENOMEM;
        return true;
    }
    if (!start_read(t, t->buffer, BUFFER_SIZE, false))
        return false;
    read_over(t);
    return true;
}

static bool has_kept(const struct fd_transport *t)
{
    return t->start < t->end;
}

/* From the loop: hand over what is there, and read on. */
static void deliver(struct fd_transport *t)
{
    for (int i = 0; i < READS_A_TURN && t->resumed; i++) {
        if (has_kept(t)) {
            size_t start = t->start, end = t->end;
            t->start = t->end = 0;
            t->lending = true;
            if (t->base.protocol->received)
                t->base.protocol->received(t->base.ctx, t->buffer + start, end - start);
            t->lending = false;
        }
        if (!t->resumed || t->input != FD_OPEN || t->in_op.op.pending || !fill(t))
            break;
    }
    if (t->resumed && has_kept(t))
        fd_settle_soon(t);
}

/* Once nobody fills or empties the buffer any more. */
static void release(struct fd_transport *t)
{
    if (!t->buffer || t->in_op.op.pending || (has_kept(t) && !t->closing))
        return;
    eddy__free(t->buffer, BUFFER_SIZE);
    t->buffer = NULL;
    t->start = t->end = 0;
}

/* The answer to a task's read that needs no operation; -EAGAIN: it does. */
static int read_from_state(struct fd_transport *t, struct eddy_read *r)
{
    size_t len = t->end - t->start;

    if (len) {
        len = len < r->len ? len : r->len;
        memcpy(r->ptr, t->buffer + t->start, len);
        t->start += len;
        release(t);
        return (int)len;
    }
    if (t->input == FD_ENDED)
        return 0;
    return t->input == FD_FAILED ? t->in_error : -EAGAIN;
}

/* After what a READ into the buffer left behind: the read that waited for it. From the loop. */
static void serve_reader(struct fd_transport *t)
{
    int r = read_from_state(t, t->reader);

    if (r == -EAGAIN) {
        if (t->in_op.op.pending || !start_read(t, t->reader->ptr, t->reader->len, true))
            return;
        r = read_over(t);
    }
    reader_done(t, r);
}

static void resume(struct eddy_transport *base)
{
    struct fd_transport *t = fd_transport_of(base);

    if (t->resumed || t->closing)
        return;
    assert(!t->reader && base->protocol);
    t->resumed = true;
    if (t->lending) /* the buffer still is: deliver() reads on */
        return;
    if (has_kept(t) || t->input != FD_OPEN || (!t->in_op.op.pending && fill(t)))
        fd_settle_soon(t);
}

static void cancel_input(struct fd_transport *t)
{
    if (!t->in_op.op.pending || t->in_asked)
        return;
    t->in_asked = true;
    if (eddy__op_cancel(t->loop, &t->in_op.op))
        read_over(t);
}

static void pause_reading(struct eddy_transport *base)
{
    struct fd_transport *t = fd_transport_of(base);

    if (!t->resumed || t->closing)
        return;
    t->resumed = false;
    cancel_input(t);
    fd_settle_soon(t); /* the buffer is given back there, as its bytes may be lent just now */
}

static bool read_into(struct eddy_transport *base, struct eddy_read *r)
{
    struct fd_transport *t = fd_transport_of(base);

    assert(!t->resumed && !t->reader);
    r->res = t->closing ? -ECANCELED : read_from_state(t, r);
    if (r->res != -EAGAIN)
        return true;
    /* A READ into the buffer that is being cancelled may still bring bytes; they come first. */
    if (!t->in_op.op.pending && start_read(t, r->ptr, r->len, true)) {
        r->res = read_over(t);
        return true;
    }
    t->reader = r;
    return false;
}

static bool cancel_read(struct eddy_transport *base, struct eddy_read *r)
{
    struct fd_transport *t = fd_transport_of(base);

    assert(t->reader == r);
    if (t->in_op.op.pending && t->direct) {
        if (t->in_asked)
            return false;
        t->in_asked = true;
        if (!eddy__op_cancel(t->loop, &t->in_op.op))
            return false;
        r->res = read_over(t);
    } else {
        r->res = -ECANCELED;
    }
    t->reader = NULL;
    return true;
}

/* --- closing -------------------------------------------------------------------------------- */

/* A descriptor that is to be closed, and is nobody's from here on; -1: there is none. */
static int take_owned(struct fd_transport *t)
{
    int fd = t->in >= 0 ? t->in : t->out;

    if (t->out == fd)
        t->out = -1;
    if (t->in == fd)
        t->in = -1;
    return t->owned ? fd : -1;
}

static void close_next(struct fd_transport *t);

static void close_done(struct eddy_op *op, int res)
{
    (void)res;
    close_next(op->ctx);
}

static void close_next(struct fd_transport *t)
{
    int fd;

    while ((fd = take_owned(t)) >= 0) {
        eddy_op_close(&t->in_op.op, fd, close_done);
        t->in_op.op.ctx = t;
        if (!eddy__op_submit(t->loop, &t->in_op.op))
            return;
    }
    eddy__soon_cancel(&t->soon);
    if (t->base.protocol && t->base.protocol->closed)
        t->base.protocol->closed(t->base.ctx, t->why);
    eddy__debug_gone(t->loop, t);
    eddy__free(t, sizeof *t);
}

/* From the loop, when no operation is pending any more. */
static void close_descriptors(struct fd_transport *t)
{
    t->closed = true;
    if (t->reader)
        reader_done(t, -ECANCELED);
    eddy_writes_cancel(&t->writes);
    release(t);
    close_next(t);
}

/* In the child of a fork: nobody will be told; but these copies are the child's. */
static void close_in_child(struct fd_transport *t)
{
    int fd;

    while ((fd = take_owned(t)) >= 0) {
        eddy_op_close(&t->in_op.op, fd, NULL);
        (void)eddy_dead_submit(&t->in_op.op);
    }
}

static void close_transport(struct eddy_transport *base, int why)
{
    struct fd_transport *t = fd_transport_of(base);

    if (t->closing)
        return;
    t->closing = true;
    t->why = why;
    t->resumed = false;
    if (eddy_loop_is_parents(t->loop)) {
        close_in_child(t);
        return;
    }
    cancel_input(t);
    if (t->out_op.op.pending && t->out_op.op.kind == EDDY_OP_WRITE)
        (void)eddy__op_cancel(t->loop, &t->out_op.op);
    fd_settle_soon(t);
}

/* From the loop, whenever something may have to be told: bytes, the end, an error; or the next step
 * of closing. May free @t. */
static void settle(struct eddy_soon *soon)
{
    struct fd_transport *t = eddy_container_of(soon, struct fd_transport, soon);

    if (t->reader && !t->closing)
        serve_reader(t);
    if (t->resumed)
        deliver(t);
    if (t->resumed && !has_kept(t)) {
        if (t->input == FD_ENDED && !t->told) {
            t->told = true;
            if (t->base.protocol->ended)
                t->base.protocol->ended(t->base.ctx);
        }
        if (t->resumed && t->input == FD_FAILED)
            close_transport(&t->base, t->in_error);
    }
    if (!t->resumed)
        release(t);
    if (t->writes.head && !t->out_op.op.pending && !t->closing)
        fd_pump(t, NULL);
    if (t->told && t->out_error && !t->writes.head)
        close_transport(&t->base, t->out_error);
    if (t->closing && !t->closed && !t->in_op.op.pending && !t->out_op.op.pending)
        close_descriptors(t);
}

/* --- asking --------------------------------------------------------------------------------- */

static int info(struct eddy_transport *base, enum eddy_transport_key key, void *ret_value)
{
    struct fd_transport *t = fd_transport_of(base);
    struct eddy_driver *d = t->loop->driver;
    struct eddy_address *a = ret_value;
    int fd = t->in >= 0 ? t->in : t->out;

    switch (key) {
    case EDDY_INFO_FD: *(int *)ret_value = fd; return 0;
    case EDDY_INFO_FD_OUT: *(int *)ret_value = t->out; return 0;
    case EDDY_INFO_BUFFERED: *(size_t *)ret_value = eddy_writes_bytes(&t->writes); return 0;
    case EDDY_INFO_LOCAL:
    case EDDY_INFO_PEER:
        if (d->ops->address(d, fd, key == EDDY_INFO_PEER, &a->storage, &a->len) == 0)
            return 0;
        return -ENOENT; /* no socket */
    default: return -ENOENT;
    }
}

static const struct eddy_transport_ops fd_ops = {
    .size = sizeof(struct eddy_transport_ops),
    .name = "descriptor",
    .resume = resume,
    .pause = pause_reading,
    .write = fd_write,
    .finish = fd_finish,
    .close = close_transport,
    .info = info,
    .read = read_into,
    .cancel_read = cancel_read,
};

/* --- making --------------------------------------------------------------------------------- */

/* Whether @fd is open for what it is given for. */
static int check_fd(struct eddy_loop *loop, int fd, bool to_write, struct eddy_error *err)
{
    const char *what = to_write ? "written to" : "read from";
    int r;

    if (fd < 0)
        return 0;
    r = eddy__sys.fcntl(fd, F_GETFL, 0);
    if (eddy_driver_is_simulated(loop->driver)) {
        if (r < 0)
            return 0; /* one of its own files; else the first operation says so */
        return eddy_error_set(err, eddy__sim_refuse(loop, "descriptors of others"), 0,
                              "descriptor %d is the kernel's, and the simulator has none of those: "
                              "use a pair, or a file that was opened in it",
                              fd);
    }
    if (r < 0)
        return eddy_error_set(err, r, 0, "descriptor %d, to be %s, is not open", fd, what);
    if ((r & O_ACCMODE) == (to_write ? O_RDONLY : O_WRONLY) || (r & O_PATH))
        return eddy_error_set(err, -EBADF, 0, "descriptor %d, to be %s, was not opened for that",
                              fd, what);
    return 0;
}

static bool is_tty(struct eddy_loop *loop, int fd)
{
    struct termios attributes;

    return fd >= 0 && !eddy_driver_is_simulated(loop->driver) &&
           eddy__sys.tcgetattr(fd, &attributes) == 0;
}

int eddy_transport_of_fd(int in, int out, const struct eddy_fd_options *options,
                         struct eddy_transport **ret_t)
{
    static const struct eddy_fd_options none = { .size = sizeof none };
    const struct eddy_fd_options *o = options ? options : &none;
    struct eddy_loop *loop = eddy_loop_current();

    if (!loop)
        return eddy__loop_refusal();
    if (in < 0 && out < 0)
        return eddy_error_set(o->error, -EINVAL, 0,
                              "neither a descriptor to read from nor one to write to");
    int r = check_fd(loop, in, false, o->error);
    if (r == 0)
        r = check_fd(loop, out, true, o->error);
    if (r < 0)
        return r;
    struct fd_transport *t = eddy__zalloc(sizeof *t);
    if (!t)
        return eddy_error_set(o->error, -ENOMEM, 0, "no memory for a transport");
    t->base.ops = &fd_ops;
    t->loop = loop;
    t->in = in < 0 ? -1 : in;
    t->out = out < 0 ? -1 : out;
    t->in_at = t->out_at = o->at ? o->offset : -1;
    t->owned = !o->borrow;
    t->input = (uint8_t)(in < 0 ? FD_ENDED : FD_OPEN);
    t->writes.finished = out < 0;
    t->in_tty = is_tty(loop, in);
    t->out_tty = out == in ? t->in_tty : is_tty(loop, out);
    eddy__debug_born(loop, t, "a transport over descriptors");
    *ret_t = &t->base;
    return 0;
}

int eddy_stream_of_fd(int in, int out, const struct eddy_fd_options *options,
                      struct eddy_stream **ret_stream)
{
    struct eddy_transport *t = NULL;

    int r = eddy_transport_of_fd(in, out, options, &t);
    if (r < 0)
        return r;
    assert(t);
    r = eddy_stream_of(t, ret_stream);
    if (r < 0) {
        fd_transport_of(t)->owned = false; /* they stay the caller's */
        eddy_transport_close(t, 0);
    }
    return r;
}
