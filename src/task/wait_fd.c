/*
 * task/wait_fd.c - a task that waits for a descriptor of somebody else's
 */
#include "base/sys.h"
#include "task/wait.h"

#include <eddy/descriptor.h>

#include <fcntl.h>

/* epoll refuses what is always ready: poll(2) says what that is. */
static int ready_now(int fd, unsigned events)
{
    struct pollfd p = { .fd = fd };

    if (events & EDDY_READABLE)
        p.events |= POLLIN;
    if (events & EDDY_WRITABLE)
        p.events |= POLLOUT;
    int r = eddy__sys.poll(&p, 1, 0);
    if (r < 0)
        return r;
    unsigned ready = 0;
    if (p.revents & POLLIN)
        ready |= EDDY_READABLE;
    if (p.revents & POLLOUT)
        ready |= EDDY_WRITABLE;
    if (p.revents & POLLERR)
        ready |= EDDY_FAILED;
    return ready ? (int)ready : -EPERM;
}

int eddy_wait_fd(int fd, unsigned events)
{
    struct eddy_op op;

    int r = eddy__wait_check();
    if (r < 0)
        return r;
    if (!events || (events & ~(unsigned)(EDDY_READABLE | EDDY_WRITABLE)))
        return -EINVAL;
    r = eddy__sys.fcntl(fd, F_GETFD, 0); /* the ring would say so later only */
    if (r < 0)
        return r;
    eddy_op_poll(&op, fd, events, NULL);
    r = eddy__op_wait(&op);
    return r == -EPERM ? ready_now(fd, events) : r;
}
