/*
 * loop/ready_file.c - operations on files, which no poller waits for
 *
 * READ and WRITE are tried first, asking the kernel not to wait (RWF_NOWAIT): what is in the page
 * cache, or in a pipe, moves at once. What would wait goes by what is behind the descriptor:
 *
 *   a file, a disk          to a thread of the pool, as all but READ and WRITE always do
 *   a pipe, a terminal, ... waits for readiness, in a chain of its descriptor's, and is tried again
 *
 * Some of the latter (terminals) cannot be asked not to wait. Once they are ready a thread makes the
 * plain call, of so few bytes that it should not wait; if another process was faster it does, and
 * the loop is not held. O_NONBLOCK is never touched: the open file may be shared with others.
 *
 * Of an operation that a thread has begun the end is waited for, cancelled or not. An OPEN that was
 * cancelled and opened its file all the same is closed again.
 */
#include "base/quiet.h"
#include "loop/file_op.h"
#include "loop/ready.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8 /* answered -EOPNOTSUPP where the system has none */
#endif

#define BYTES_MAX ((size_t)0x7ffff000) /* of one read(2) or write(2) on Linux */
#define TRY_BYTES ((size_t)131072)     /* what one try may copy while others wait */
#define PIPE_BYTES ((size_t)4096)      /* a pipe that is writable takes so many without waiting */

/* op->state, bits. */
enum {
    WAITING = 1, /* for readiness: in its descriptor's chain */
    THREAD = 2,  /* the pool has it */
    CANCELLED = 4,
    DUE = 8, /* to be tried */
};

static bool is_again(ssize_t r)
{
    return r == -EAGAIN || r == -EWOULDBLOCK;
}

/* --- calls --------------------------------------------------------------------------------------- */

/* A write to a pipe without readers raises SIGPIPE, which is nobody's here. */
static ssize_t write_quietly(const struct eddy_file_op *f, size_t len, int flags)
{
    struct eddy_quiet quiet;

    eddy_quiet_begin(&quiet);
    ssize_t n = eddy__sys.pwrite(f->op.fd, f->ptr, len, f->offset, flags);
    eddy_quiet_end(&quiet, n == -EPIPE);
    return n;
}

static ssize_t move(struct eddy_file_op *f, size_t max, int flags)
{
    const size_t len = f->len < max ? f->len : max;

    for (;;) {
        ssize_t n = f->op.kind == EDDY_OP_READ
                        ? eddy__sys.pread(f->op.fd, f->ptr, len, f->offset, flags)
                    : f->offset < 0 && flags
                        ? write_quietly(f, len, flags)
                        : eddy__sys.pwrite(f->op.fd, f->ptr, len, f->offset, flags);
        /* What has no places has no offset either: the ring ignores it, too. */
        if (n != -ESPIPE || f->offset < 0)
            return n;
        f->offset = -1;
    }
}

static size_t try_bytes(struct ready_driver *r)
{
    return r->short_io ? 1 + r->few++ % 3 : TRY_BYTES;
}

/* Whether its end has to be waited for by a thread, because readiness says nothing of it. */
static bool is_of_disk(int fd)
{
#ifdef __linux__
    struct statx about;

    if (eddy__sys.stat(fd, "", 0, &about) < 0)
        return true;
    return S_ISREG(about.stx_mode) || S_ISBLK(about.stx_mode) || S_ISDIR(about.stx_mode);
#else
    struct stat about;

    return fstat(fd, &about) < 0 || S_ISREG(about.st_mode) || S_ISBLK(about.st_mode) ||
           S_ISDIR(about.st_mode);
#endif
}

/* --- ends ----------------------------------------------------------------------------------------- */

static bool done_now(struct eddy_op *op, ssize_t res)
{
    op->more = false;
    op->res = eddy_op_result(res);
    return true;
}

static void complete(struct ready_driver *r, struct eddy_op *op, ssize_t res)
{
    op->state = 0;
    eddy_driver_ended(&r->driver, op);
    done_now(op, res);
    op->done(op, op->res);
}

/* --- threads --------------------------------------------------------------------------------------- */

int eddy_file_op_call(const struct eddy_file_op *f)
{
    const int fd = f->op.fd;

    switch (f->op.kind) {
    case EDDY_OP_OPEN: return eddy__sys.open(fd, f->path, f->flags, f->mode);
    case EDDY_OP_FSYNC: return eddy__sys.fsync(fd, f->data_only);
#ifdef __linux__
    case EDDY_OP_STAT: return eddy__sys.stat(fd, f->path, f->flags, f->ptr);
    case EDDY_OP_RENAME: return eddy__sys.rename(fd, f->path, f->to_dir, f->to, (unsigned)f->flags);
    case EDDY_OP_UNLINK: return eddy__sys.unlink(fd, f->path, f->flags);
    case EDDY_OP_MKDIR: return eddy__sys.mkdir(fd, f->path, f->mode);
    case EDDY_OP_LINK: return eddy__sys.link(fd, f->path, f->to_dir, f->to, f->flags);
    case EDDY_OP_SYMLINK: return eddy__sys.symlink(f->path, fd, f->to);
#endif
    default: return -EOPNOTSUPP;
    }
}

/* On a thread: nothing of the driver's is touched here. */
static void run(struct eddy_work *w)
{
    struct eddy_file_op *f = eddy_container_of(w, struct eddy_file_op, work);
    struct eddy_op *op = &f->op;

    if (op->kind == EDDY_OP_READ || op->kind == EDDY_OP_WRITE)
        op->res = (int)move(f, op->scratch[0], 0);
    else
        op->res = eddy_file_op_call(f);
}

static bool wait_ready(struct ready_driver *r, struct eddy_op *op);

static void came_home(struct eddy_work *w)
{
    struct eddy_file_op *f = eddy_container_of(w, struct eddy_file_op, work);
    struct eddy_op *op = &f->op;
    struct ready_driver *r = (struct ready_driver *)(void *)w->loop->driver;
    const bool cancelled = (op->state & CANCELLED) != 0;

    op->state = 0;
    if (cancelled && op->kind == EDDY_OP_OPEN && op->res >= 0) {
        eddy__sys.close(op->res);
        op->res = -ECANCELED;
    } else if (is_again(op->res)) {
        /* O_NONBLOCK, and what readiness promised another has taken. */
        if (!cancelled && wait_ready(r, op))
            return;
        op->res = cancelled ? -ECANCELED : op->res;
    }
    complete(r, op, op->res);
}

/* 0, or why it cannot be. */
static int to_thread(struct ready_driver *r, struct eddy_op *op, size_t bytes)
{
    struct eddy_file_op *f = eddy_file_op_of(op);

    if (!r->driver.loop)
        return -EOPNOTSUPP;
    f->work = (struct eddy_work){ .run = run, .done = came_home };
    op->scratch[0] = bytes;
    int result = eddy__work_submit(r->driver.loop, EDDY_WORK_FILES, &f->work);
    if (result == 0)
        op->state = THREAD;
    return result;
}

/* --- readiness --------------------------------------------------------------------------------------- */

static unsigned event_of(const struct eddy_op *op)
{
    return op->kind == EDDY_OP_READ ? EDDY_READABLE : EDDY_WRITABLE;
}

static struct eddy_op *next_of(const struct eddy_op *op)
{
    return op->link.next ? eddy_container_of(op->link.next, struct eddy_op, link) : NULL;
}

/* Into the chain; false: it cannot be waited for, op->res says why. */
static bool wait_ready(struct ready_driver *r, struct eddy_op *op)
{
    op->res = eddy_ready_grow(r, op->fd);
    if (op->res < 0)
        return false;
    struct watch *w = &r->watches[op->fd];
    const uint16_t before = w->file_events;
    w->file_events = (uint16_t)(before | event_of(op));
    op->res = eddy_ready_update(r, op->fd, false);
    if (op->res < 0) {
        w->file_events = before;
        return false;
    }
    op->state = WAITING;
    op->link.next = w->files ? &w->files->link : NULL;
    w->files = op;
    return true;
}

/* The descriptor may be closed without our being told, so nothing of it stays behind. */
static void stop_waiting(struct ready_driver *r, struct eddy_op *op)
{
    struct watch *w = &r->watches[op->fd];

    assert(op->state & WAITING);
    op->state = 0;
    if (w->files == op)
        w->files = next_of(op);
    w->file_events = 0;
    for (struct eddy_op *at = w->files; at; at = next_of(at)) {
        if (at->link.next == &op->link)
            at->link.next = op->link.next;
        w->file_events = (uint16_t)(w->file_events | event_of(at));
    }
    (void)eddy_ready_update(r, op->fd, true);
}

static void try_again(struct ready_driver *r, struct eddy_op *op, unsigned events)
{
    ssize_t n = move(eddy_file_op_of(op), try_bytes(r), RWF_NOWAIT);

    /* A terminal whose other end is gone, and that is full: nobody will ever make room. */
    if (op->kind == EDDY_OP_WRITE && (events & (EDDY_HANGUP | EDDY_WRITABLE)) == EDDY_HANGUP &&
        (is_again(n) || n == -EOPNOTSUPP))
        n = -EIO;
    if (is_again(n))
        return;
    stop_waiting(r, op);
    if (n == -EOPNOTSUPP) {
        n = to_thread(r, op, r->short_io ? 1 : op->kind == EDDY_OP_READ ? TRY_BYTES : PIPE_BYTES);
        if (n == 0)
            return;
    }
    complete(r, op, n);
}

/* Of the descriptor's, the first that is due: done() of another may have ended any of them. */
static struct eddy_op *next_due(const struct ready_driver *r, int fd)
{
    struct eddy_op *op = r->watches[fd].files;

    while (op && !(op->state & DUE))
        op = next_of(op);
    return op;
}

void eddy_ready_files(struct ready_driver *r, int fd, unsigned events)
{
    struct eddy_op *op;

    /* Those that wait as of now: what done() submits may wait for the next event. */
    for (op = r->watches[fd].files; op; op = next_of(op))
        if ((event_of(op) | EDDY_HANGUP | EDDY_FAILED) & events)
            op->state |= DUE;
    while ((op = next_due(r, fd))) {
        op->state = WAITING;
        try_again(r, op, events);
    }
}

/* --- submit and cancel --------------------------------------------------------------------------------- */

bool eddy_ready_file_submit(struct ready_driver *r, struct eddy_op *op)
{
    struct eddy_file_op *f = eddy_file_op_of(op);
    bool moves = (op->kind == EDDY_OP_READ || op->kind == EDDY_OP_WRITE) && !f->direct;
    int result = -EAGAIN;

    op->state = 0;
    if (moves) {
        ssize_t n = op->fd < 0 ? -EBADF : move(f, try_bytes(r), RWF_NOWAIT);
        bool disk = false;
        if (n == 0 || is_again(n) || n == -EOPNOTSUPP)
            disk = is_of_disk(op->fd);
        /* Kernels are known to say 0 for "not in the cache": the end of a file is asked again. */
        if (n > 0 || (n == 0 && !disk) || (n < 0 && !is_again(n) && n != -EOPNOTSUPP))
            return done_now(op, n);
        if (!disk) {
            if (wait_ready(r, op)) {
                eddy_driver_began(&r->driver, op);
                return false;
            }
            result = op->res;
            if (result != -EPERM) /* of a poller: this can always be read and written */
                return done_now(op, result);
        }
    }
    result = to_thread(r, op, r->short_io ? 1 + r->few++ % 3 : BYTES_MAX);
    if (result < 0)
        return done_now(op, result);
    eddy_driver_began(&r->driver, op);
    return false;
}

bool eddy_ready_file_cancel(struct ready_driver *r, struct eddy_op *op)
{
    if (op->state & WAITING) {
        stop_waiting(r, op);
    } else if (!eddy__work_withdraw(&eddy_file_op_of(op)->work)) {
        op->state |= CANCELLED;
        return false;
    }
    op->state = 0;
    eddy_driver_ended(&r->driver, op);
    return done_now(op, -ECANCELED);
}
