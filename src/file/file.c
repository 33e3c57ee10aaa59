/*
 * file/file.c - the calls of eddy/file.h: each one operation, or a row of them
 *
 * Closing is an operation, too, because the last close of a file may wait for its disk. The struct
 * carries it, so a file can always be closed, whatever memory there is.
 */
#include "base/memory.h"
#include "loop/debug.h"
#include "loop/file_op.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/file.h>

#include <limits.h>
#include <sys/stat.h>

struct eddy_file {
    struct eddy_op close; /* first */
    struct eddy_wait wait;
    struct eddy_loop *loop;
    int fd;
};

int eddy_file_open(const char *path, int flags, unsigned mode, struct eddy_file **ret_file)
{
    struct eddy_file_op op;
    struct eddy_file *f = eddy__zalloc(sizeof *f);

    if (!f)
        return -ENOMEM;
    eddy_op_open(&op, AT_FDCWD, path, flags, mode, NULL);
    int fd = eddy__op_wait(&op.op);
    if (fd < 0) {
        eddy__free(f, sizeof *f);
        return fd;
    }
    f->fd = fd;
    f->loop = eddy__loop();
    eddy__debug_born(f->loop, f, "a file");
    *ret_file = f;
    return 0;
}

static int check(const struct eddy_file *f)
{
    return eddy_loop_is_parents(f->loop) ? -EDDY_EFORKED : eddy__wait_check();
}

ssize_t eddy_file_read(struct eddy_file *f, void *buf, size_t cap, int64_t offset)
{
    struct eddy_file_op op;

    int r = check(f);
    if (r < 0)
        return r;
    if (offset < 0)
        return -EINVAL;
    eddy_op_read(&op, f->fd, buf, cap < INT_MAX ? cap : INT_MAX, offset, NULL);
    return eddy__op_wait(&op.op);
}

int eddy_file_write(struct eddy_file *f, const void *buf, size_t len, int64_t offset)
{
    const char *at = buf;

    int r = check(f);
    if (r < 0)
        return r;
    if (offset < 0)
        return -EINVAL;
    while (len > 0) {
        struct eddy_file_op op;

        eddy_op_write(&op, f->fd, at, len < INT_MAX ? len : INT_MAX, offset, NULL);
        r = eddy__op_wait(&op.op);
        if (r <= 0)
            return r < 0 ? r : -EIO;
        at += r;
        offset += r;
        len -= (size_t)r;
    }
    return 0;
}

int eddy_file_sync(struct eddy_file *f)
{
    struct eddy_file_op op;

    eddy_op_fsync(&op, f->fd, false, NULL);
    int r = check(f);
    return r < 0 ? r : eddy__op_wait(&op.op);
}

int64_t eddy_file_size(struct eddy_file *f)
{
    struct eddy_file_op op;
    struct statx about = { 0 };

    eddy_op_stat(&op, f->fd, "", AT_EMPTY_PATH, &about, NULL);
    int r = check(f);
    if (r == 0)
        r = eddy__op_wait(&op.op);
    return r < 0 ? r : (int64_t)about.stx_size;
}

/* --- ending ----------------------------------------------------------------------------------- */

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
    int r = eddy__wait_check();
    if (r == -EDEADLK || r == -ENOMEM) { /* nobody who could wait; an ended scope is no reason */
        eddy_file_free(f);
        return 0;
    }
    eddy__debug_gone(f->loop, f);
    f->wait = EDDY_WAIT(NULL, "close");
    f->wait.fd = f->fd;
    eddy_op_close(&f->close, f->fd, closed);
    if (!eddy__op_submit(f->loop, &f->close))
        eddy__wait(&f->wait);
    eddy__free(f, sizeof *f);
    return 0;
}

void eddy_file_free(struct eddy_file *f)
{
    if (!f)
        return;
    eddy__debug_gone(f->loop, f);
    eddy_op_close(&f->close, f->fd, closed_unseen);
    if (eddy__op_submit(f->loop, &f->close))
        eddy__free(f, sizeof *f);
}
