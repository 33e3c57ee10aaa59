/*
 * process/streams.c - the standard streams of a child: who opens what, and who closes it
 *
 * The child's ends stand in the plan, which closes them once the program runs; ours belong to
 * streams from the moment they are made. A pipe has two open files, so ours may be non-blocking
 * while the child's is as it expects.
 */
#include "process/process.h"

#include "base/sys.h"
#include "loop/file_op.h"

#include <eddy/stream.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int nonblocking(int fd)
{
    int flags = eddy__sys.fcntl(fd, F_GETFL, 0);

    return flags < 0 ? flags : eddy__sys.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int process_stream(int fd, bool in, bool out, struct eddy_stream **ret_stream)
{
    int r = nonblocking(fd);

    return r < 0 ? r : eddy_stream_of_fd(in ? fd : -1, out ? fd : -1, NULL, ret_stream);
}

/* Ours, @fd, becomes a stream of @p's, or is closed. */
static int keep(struct eddy_process *p, int which, int fd, bool in, bool out)
{
    int r = process_stream(fd, in, out, &p->streams[which]);

    if (r < 0)
        eddy__sys.close(fd);
    return r;
}

static int open_pipe(struct plan *plan, int which, struct eddy_process *p)
{
    int ends[2];
    bool written = which == STDIN_FILENO; /* by us */

    int r = eddy__sys.pipe(ends);
    if (r < 0)
        return r;
    plan->own[which] = ends[written ? 0 : 1];
    return keep(p, which, ends[written ? 1 : 0], !written, written);
}

int process_open_file(int which, const struct eddy_process_io *io)
{
    int flags = O_RDONLY;
    struct eddy_file_op op;

    if (which != STDIN_FILENO)
        flags = O_WRONLY | O_CREAT | (io->kind == EDDY_IO_KIND_APPEND ? O_APPEND : O_TRUNC);
    if (io->kind == EDDY_IO_KIND_NULL)
        flags = which == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    eddy_op_open(&op, AT_FDCWD, io->kind == EDDY_IO_KIND_NULL ? "/dev/null" : io->path,
                 flags | O_NOCTTY, 0666, NULL);
    return eddy__op_wait(&op.op);
}

static int open_file(struct plan *plan, int which, const struct eddy_process_io *io)
{
    int fd = process_open_file(which, io);

    if (fd < 0)
        return fd;
    plan->own[which] = fd;
    return 0;
}

static int open_one(struct plan *plan, int which, const struct eddy_process_io *io,
                    struct eddy_process *p)
{
    static const char *const names[] = { ".in", ".out", ".err" };
    struct eddy_child_fd *to = &plan->fds[which];
    const char *what = "a pipe";
    int r = 0;

    switch (io->kind) {
    case EDDY_IO_KIND_PIPE: r = open_pipe(plan, which, p); break;
    case EDDY_IO_KIND_NULL:
        r = open_file(plan, which, io);
        what = "/dev/null";
        break;
    case EDDY_IO_KIND_FILE:
    case EDDY_IO_KIND_APPEND:
        r = io->path ? open_file(plan, which, io) : -EINVAL;
        what = io->path ? io->path : "a file without a name";
        break;
    case EDDY_IO_KIND_FD: *to = (struct eddy_child_fd){ .fd = io->fd, .as = which }; break;
    case EDDY_IO_KIND_STDOUT: to->fd = plan->fds[STDOUT_FILENO].fd, to->left = false; break;
    default: break;
    }
    if (r < 0)
        return eddy_error_set(plan->error, r, 0, "cannot run %.40s: %s of it, %.50s: %s",
                              plan->name, names[which], what, eddy_strerror(r));
    if (plan->own[which] >= 0)
        *to = (struct eddy_child_fd){ .fd = plan->own[which], .as = which };
    return 0;
}

static int open_terminal(struct plan *plan, const struct eddy_process_options *o,
                         struct eddy_process *p)
{
    struct winsize size = { .ws_row = o->rows ? o->rows : 24, .ws_col = o->cols ? o->cols : 80 };

    int r = eddy__sys.pty(plan->terminal);
    if (r >= 0)
        r = eddy__sys.set_window_size(plan->terminal[0], &size);
    if (r >= 0) {
        int ours = plan->terminal[0];
        plan->terminal[0] = -1;
        r = keep(p, STDOUT_FILENO, ours, true, true);
    }
    if (r < 0)
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: no pseudo-terminal: %s",
                              plan->name, eddy_strerror(r));
    for (int i = 0; i < 3; i++)
        plan->fds[i] = (struct eddy_child_fd){ .fd = plan->terminal[1], .as = i };
    return 0;
}

int streams_open(struct plan *plan, const struct eddy_process_options *o, struct eddy_process *p)
{
    const struct eddy_process_io *io[] = { &o->in, &o->out, &o->err };
    int r = 0;

    if (o->pty)
        return open_terminal(plan, o, p);
    for (int i = 0; i < 3 && r == 0; i++)
        r = open_one(plan, i, io[i], p);
    return r;
}
