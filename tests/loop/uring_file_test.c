/*
 * uring_file_test.c - operations on files as entries of the ring, without a loop
 *
 * backends: uring
 */
#include "check.h"
#include "drive.h"

#ifdef EDDY_HAVE_URING
#include "loop/file_op.h"
#include "loop/uring.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct file_call {
    struct eddy_file_op f; /* first */
    unsigned ends;
    int res;
};

static void file_done(struct eddy_op *op, int res)
{
    struct file_call *c = (struct file_call *)(void *)op;

    c->ends++;
    c->res = res;
}

static int file_run(struct eddy_driver *d, struct file_call *c)
{
    c->ends = 0;
    EDDY_CHECK(!d->ops->submit(d, &c->f.op));
    drive_until(d, &c->ends);
    return c->res;
}

DRIVER_TEST(files_move_a_few_bytes_at_a_time_if_they_must)
{
    char text[200], back[200];
    struct file_call c;
    int64_t at = 0;

    text_fill(text, sizeof text, 0);
    eddy_op_open(&c.f, AT_FDCWD, ".", O_RDWR | O_TMPFILE, 0600, file_done);
    int fd = file_run(d, &c);
    if (fd == -EOPNOTSUPP) {
        EDDY_CHECK_NOT_RUN("no O_TMPFILE here");
        return;
    }
    while (at < (int64_t)sizeof text) {
        eddy_op_write(&c.f, fd, text + at, sizeof text - (size_t)at, at, file_done);
        if (!EDDY_CHECK(file_run(d, &c) > 0))
            break;
        EDDY_CHECK(!few || c.res <= 3);
        at += c.res;
    }
    for (at = 0; at < (int64_t)sizeof back; at += c.res) {
        eddy_op_read(&c.f, fd, back + at, sizeof back - (size_t)at, at, file_done);
        if (!EDDY_CHECK(file_run(d, &c) > 0))
            break;
    }
    text_is(back, sizeof back, 0);
    do_close(d, fd);
}

/* Older kernels say "not now" of a terminal that is O_NONBLOCK: asked again at once, it spins. */
DRIVER_TEST(an_interrupted_file_operation_is_repeated_and_one_refused_for_now_polled)
{
    struct eddy_uring *u = eddy_uring_of(d);
    struct file_call c;
    char buf[4];
    int fd[2];

    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    static const int answers[] = { -EINTR, -EAGAIN };
    for (size_t i = 0; i < 4; i++) {
        const bool cancelled = i >= 2;
        eddy_op_read(&c.f, fd[0], buf, 1, -1, file_done);
        c.ends = 0;
        c.f.op.state = EDDY_URING_IN_FLIGHT | (cancelled ? EDDY_URING_CANCELLED : 0);
        eddy_driver_began(d, &c.f.op);
        const struct io_uring_cqe cqe = { .user_data = (uintptr_t)&c, .res = answers[i % 2] };
        eddy_uring_complete(u, &cqe);
        EDDY_CHECK_EQ(c.ends, cancelled);
        EDDY_CHECK_EQ(c.f.op.state & EDDY_URING_POLLING, i == 1 ? EDDY_URING_POLLING : 0);
        if (!cancelled) {
            EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
            drive_until(d, &c.ends);
            EDDY_CHECK_EQ(c.res, 1);
        } else {
            EDDY_CHECK_ERR(c.res, -ECANCELED);
        }
    }
    close(fd[0]);
    close(fd[1]);
}

/* The kernel opened it before the cancel reached it: nobody is told of a descriptor. */
DRIVER_TEST(an_open_that_outran_its_cancel_is_closed_again)
{
    struct eddy_uring *u = eddy_uring_of(d);
    struct file_call c = { .ends = 0 };
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    eddy_op_open(&c.f, AT_FDCWD, ".", O_RDONLY, 0, file_done);
    c.f.op.state = EDDY_URING_IN_FLIGHT | EDDY_URING_CANCELLED;
    eddy_driver_began(d, &c.f.op);
    const struct io_uring_cqe cqe = { .user_data = (uintptr_t)&c, .res = fd };
    eddy_uring_complete(u, &cqe);
    EDDY_CHECK_EQ(c.ends, 1);
    EDDY_CHECK_ERR(c.res, -ECANCELED);
    EDDY_CHECK(fcntl(fd, F_GETFD) < 0);
}
#endif
