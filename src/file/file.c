/*
 * file/file.c - open, read, write, sync, close: each one operation, or a row of them
 *
 * Closing is an operation, too, because the last close of a file may wait for its disk. The struct
 * carries it, so a file can always be closed, whatever memory there is. A file that goes with its name
 * (a temporary one) is unlinked first; the name carries that operation.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "file/inside.h"
#include "loop/debug.h"
#include "task/task.h"

#include <eddy/stream.h>
#include <eddy/transport.h>

#include <limits.h>

int eddy_file_open_in(int dir, const char *path, int flags, unsigned mode, struct eddy_file **ret)
{
    struct eddy_file_op op;

    int r = eddy__wait_check();
    if (r < 0)
        return r;
    struct eddy_file *f = eddy__zalloc(sizeof *f);
    if (!f)
        return -ENOMEM;
    eddy_op_open(&op, dir, path, flags, mode, NULL);
    int fd = eddy__op_wait(&op.op);
    if (fd < 0) {
        eddy__free(f, sizeof *f);
        return fd;
    }
    f->fd = fd;
    f->reads = (flags & O_ACCMODE) != O_WRONLY;
    f->writes = (flags & O_ACCMODE) != O_RDONLY;
    f->direct = (flags & O_DIRECT) != 0;
    f->loop = eddy__loop();
    *ret = f;
    return 0;
}

int eddy_file_open(const char *path, int flags, unsigned mode, struct eddy_file **ret_file)
{
    int r = eddy_file_open_in(AT_FDCWD, path, flags, mode, ret_file);

    if (r == 0)
        eddy__debug_born((*ret_file)->loop, *ret_file, "a file");
    return r;
}

int eddy_file_check(const struct eddy_file *f)
{
    return eddy_loop_is_parents(f->loop) ? -EDDY_EFORKED : eddy__wait_check();
}

ssize_t eddy_file_read(struct eddy_file *f, void *buf, size_t cap, int64_t offset)
{
    struct eddy_file_op op;

    int r = eddy_file_check(f);
    if (r < 0)
        return r;
    if (offset < 0)
        return -EINVAL;
    eddy_op_read(&op, f->fd, buf, cap < INT_MAX ? cap : INT_MAX, offset, NULL);
    op.direct = f->direct;
    return eddy__op_wait(&op.op);
}

/* All of it; *@at moves behind what is known to be written. */
static int write_all(struct eddy_file *f, const char *buf, size_t len, int64_t *at)
{
    while (len > 0) {
        struct eddy_file_op op;

        eddy_op_write(&op, f->fd, buf, len < INT_MAX ? len : INT_MAX, *at, NULL);
        op.direct = f->direct;
        int r = eddy__op_wait(&op.op);
        if (r <= 0)
            return r < 0 ? r : -EIO;
        buf += r;
        *at += r;
        len -= (size_t)r;
    }
    return 0;
}

int eddy_file_write(struct eddy_file *f, const void *buf, size_t len, int64_t offset)
{
    int r = eddy_file_check(f);

    if (r < 0)
        return r;
    return offset < 0 ? -EINVAL : write_all(f, buf, len, &offset);
}

int eddy_file_sync(struct eddy_file *f)
{
    struct eddy_file_op op;

    eddy_op_fsync(&op, f->fd, false, NULL);
    int r = eddy_file_check(f);
    return r < 0 ? r : eddy__op_wait(&op.op);
}

/* --- with a position --------------------------------------------------------------------------- */

ssize_t eddy_file_read_next(struct eddy_file *f, void *buf, size_t cap)
{
    int r = eddy_file_check(f);

    if (r < 0)
        return r;
    if (f->is_moving)
        return -EBUSY;
    f->is_moving = true;
    ssize_t n = eddy_file_read(f, buf, cap, f->at);
    f->is_moving = false;
    if (n > 0)
        f->at += n;
    return n;
}

int eddy_file_write_next(struct eddy_file *f, const void *buf, size_t len)
{
    int r = eddy_file_check(f);

    if (r < 0)
        return r;
    if (f->is_moving)
        return -EBUSY;
    f->is_moving = true;
    r = write_all(f, buf, len, &f->at);
    f->is_moving = false;
    return r;
}

int eddy_file_seek(struct eddy_file *f, int64_t offset)
{
    if (offset < 0)
        return -EINVAL;
    if (f->is_moving)
        return -EBUSY;
    f->at = offset;
    return 0;
}

int64_t eddy_file_tell(const struct eddy_file *f)
{
    return f->at;
}

int eddy_file_stream(struct eddy_file *f, struct eddy_stream **ret_stream)
{
    if (f->is_moving)
        return -EBUSY;
    if (f->name)
        return -EINVAL;
    int r = eddy_stream_of_fd(f->reads ? f->fd : -1, f->writes ? f->fd : -1,
                              EDDY_OPT(fd, .at = true, .offset = f->at), ret_stream);
    if (r < 0)
        return r;
    eddy__debug_gone(f->loop, f);
    eddy__free(f, sizeof *f);
    return 0;
}

/* --- ending ----------------------------------------------------------------------------------- */

void eddy_file_name_free(struct file_name *name)
{
    if (!name)
        return;
    eddy__free(name->path, strlen(name->path) + 1);
    eddy__free(name, sizeof *name);
}

static void close_now(struct eddy_file *f)
{
    if (eddy__op_submit(f->loop, &f->close))
        f->close.done(&f->close, f->close.res);
}

static void unlinked(struct eddy_op *op, int res)
{
    struct file_name *name = (struct file_name *)(void *)op;
    struct eddy_file *f = name->file;

    /* Where no thread could be had for it this one does it: a name that stays is worse. */
    if (res < 0 && res != -ENOENT && res != -EDDY_EFORKED &&
        !eddy_driver_is_simulated(f->loop->driver))
        (void)eddy__sys.unlink(name->dir, name->path, 0);
    eddy_file_name_free(name);
    f->name = NULL;
    close_now(f);
}

static void end(struct eddy_file *f, eddy_op_fn *closed)
{
    struct file_name *name = f->name;

    eddy__debug_gone(f->loop, f);
    eddy_op_close(&f->close, f->fd, closed);
    if (!name) {
        close_now(f);
        return;
    }
    eddy_op_unlink(&name->unlink, name->dir, name->path, 0, unlinked);
    if (eddy__op_submit(f->loop, &name->unlink.op))
        unlinked(&name->unlink.op, name->unlink.op.res);
}

static void closed(struct eddy_op *op, int res)
{
    eddy__wake(&((struct eddy_file *)(void *)op)->wait, res);
}

static void closed_unseen(struct eddy_op *op, int res)
{
    (void)res;
    eddy__free(op, sizeof(struct eddy_file));
}

int eddy_file_close(struct eddy_file *f)
{
    if (!f)
        return 0;
    if (!eddy_task_current()) { /* nobody who could wait; an ended scope is no reason */
        eddy_file_free(f);
        return 0;
    }
    f->wait = EDDY_WAIT(NULL, "close");
    f->wait.fd = f->fd;
    end(f, closed);
    eddy__wait(&f->wait);
    eddy__free(f, sizeof *f);
    return 0;
}

void eddy_file_free(struct eddy_file *f)
{
    if (f)
        end(f, closed_unseen);
}
