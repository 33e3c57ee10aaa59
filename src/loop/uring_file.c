/*
 * loop/uring_file.c - operations on files as entries of the ring
 *
 * What the disk makes wait the kernel hands to threads of its own; a pipe or a terminal it polls.
 * Where a descriptor is O_NONBLOCK and what is behind it cannot be asked without waiting (a
 * terminal), it answers -EAGAIN instead: then this polls, and asks again. The flag is not ours to
 * change, as the open file may be shared with other processes.
 *
 * An OPEN that was asked to cancel and opened its file all the same is closed again: whoever
 * cancelled does not look for a descriptor.
 *
 * The entries that change names came after the others: where a kernel has none (or forbids them) a thread
 * of the pool makes the call, as under the ready driver.
 */
#include "base/sys.h"
#include "loop/file_op.h"
#include "loop/uring.h"

#include <fcntl.h>
#include <sys/stat.h>

/* What is in the page cache is copied while the loop waits: no more than a share of a turn. */
static unsigned length_of(struct eddy_uring *u, const struct eddy_file_op *f)
{
    const size_t max = u->short_io ? eddy_uring_few(u) : EDDY_SEND_A_TURN;

    return (unsigned)(f->len < max ? f->len : max);
}

void eddy_uring_file_prepare(struct eddy_uring *u, struct io_uring_sqe *sqe, struct eddy_op *op)
{
    const struct eddy_file_op *f = eddy_file_op_of(op);
    const uint64_t offset = (uint64_t)f->offset; /* -1 is "where it stands" there, too */

    if (op->state & EDDY_URING_POLLING) {
        io_uring_prep_poll_add(sqe, op->fd, op->kind == EDDY_OP_READ ? POLLIN : POLLOUT);
        return;
    }
    switch (op->kind) {
    case EDDY_OP_OPEN:
        io_uring_prep_openat(sqe, op->fd, f->path, f->flags | O_CLOEXEC, f->mode);
        /* Tried at once, the kernel adds O_NONBLOCK, and a FIFO opens that nobody writes to. */
        if (!(f->flags & (O_NONBLOCK | O_DIRECTORY)))
            sqe->flags |= IOSQE_ASYNC;
        break;
    case EDDY_OP_READ: io_uring_prep_read(sqe, op->fd, f->ptr, length_of(u, f), offset); break;
    case EDDY_OP_WRITE:
        io_uring_prep_write(sqe, op->fd, f->ptr, length_of(u, f), offset);
        if (f->offset < 0)
            sqe->flags |= IOSQE_ASYNC; /* a pipe without readers sends SIGPIPE to who writes */
        break;
    case EDDY_OP_FSYNC:
        io_uring_prep_fsync(sqe, op->fd, f->data_only ? IORING_FSYNC_DATASYNC : 0);
        break;
    case EDDY_OP_RENAME:
        io_uring_prep_renameat(sqe, op->fd, f->path, f->to_dir, f->to, (unsigned)f->flags);
        break;
    case EDDY_OP_UNLINK: io_uring_prep_unlinkat(sqe, op->fd, f->path, f->flags); break;
    case EDDY_OP_MKDIR: io_uring_prep_mkdirat(sqe, op->fd, f->path, f->mode); break;
    case EDDY_OP_LINK:
        io_uring_prep_linkat(sqe, op->fd, f->path, f->to_dir, f->to, f->flags);
        break;
    case EDDY_OP_SYMLINK: io_uring_prep_symlinkat(sqe, f->path, op->fd, f->to); break;
    default:
        io_uring_prep_statx(sqe, op->fd, f->path, f->flags | (*f->path ? 0 : AT_EMPTY_PATH),
                            STATX_BASIC_STATS | STATX_BTIME, f->ptr);
    }
}

unsigned eddy_uring_file_complete(struct eddy_uring *u, struct eddy_op *op, int res)
{
    const bool cancelled = (op->state & EDDY_URING_CANCELLED) != 0;

    if (op->state & EDDY_URING_POLLING) {
        op->state = (uint8_t)(op->state & ~EDDY_URING_POLLING);
        /* A terminal whose other end is gone, and that is full: nobody will ever make room. */
        if (res > 0 && op->kind == EDDY_OP_WRITE && (res & (POLLHUP | POLLOUT)) == POLLHUP)
            res = -EIO;
        if (res >= 0 && eddy_uring_go_on(u, op))
            return 0;
        res = cancelled ? -ECANCELED : res;
    } else if (res == -EINTR || res == -EAGAIN) {
        if (res == -EAGAIN && (op->kind == EDDY_OP_READ || op->kind == EDDY_OP_WRITE))
            op->state |= EDDY_URING_POLLING;
        if (eddy_uring_go_on(u, op))
            return 0;
        res = -ECANCELED;
    } else if (cancelled && op->kind == EDDY_OP_OPEN && res >= 0) {
        eddy__sys.close(res);
        res = -ECANCELED;
    }
    eddy_uring_finish(u, op, res);
    return 1;
}

/* --- threads -------------------------------------------------------------------------------------- */

static void run(struct eddy_work *w)
{
    struct eddy_file_op *f = eddy_container_of(w, struct eddy_file_op, work);

    f->op.res = eddy_file_op_call(f);
}

static void came_home(struct eddy_work *w)
{
    struct eddy_file_op *f = eddy_container_of(w, struct eddy_file_op, work);

    eddy_uring_finish(eddy_uring_of(w->loop->driver), &f->op, f->op.res);
}

bool eddy_uring_file_to_thread(struct eddy_uring *u, struct eddy_op *op)
{
    struct eddy_file_op *f = eddy_file_op_of(op);

    f->work = (struct eddy_work){ .run = run, .done = came_home };
    op->more = false;
    /* From the submit on the result is the thread's. */
    int r = u->base.loop ? eddy__work_submit(u->base.loop, EDDY_WORK_FILES, &f->work) : -EOPNOTSUPP;
    if (r < 0) {
        op->res = r;
        return true;
    }
    op->state = EDDY_URING_THREAD;
    eddy_driver_began(&u->base, op);
    return false;
}

bool eddy_uring_file_withdraw(struct eddy_uring *u, struct eddy_op *op)
{
    if (!eddy__work_withdraw(&eddy_file_op_of(op)->work))
        return false;
    eddy_uring_release(u, op, -ECANCELED);
    return true;
}
