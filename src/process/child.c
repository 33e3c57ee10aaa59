/*
 * process/child.c - waiting for a child to end
 *
 * The child is asked after (WNOHANG) before each wait and after it: what tells us that something
 * ended, a descriptor or a signal, only says when to look. So it is reaped exactly by the look whose
 * answer the caller gets, and a cancelled wait has reaped nothing.
 */
#include "base/sys.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/poller.h>
#include <eddy/process.h>

#include <signal.h>
#include <sys/wait.h>

/* Its number and its status; 0 while it runs; or an error. */
static int look(pid_t pid, int *ret_status)
{
    return eddy__sys.waitpid(pid, ret_status, WNOHANG);
}

/* --- by SIGCHLD -------------------------------------------------------------------------------- */

struct signal_wait {
    struct eddy_wait wait; /* first */
    struct eddy_hearer hearer;
    pid_t pid;
    int *status;
};

static void some_child_changed(struct eddy_hearer *h)
{
    struct signal_wait *w = eddy_container_of(h, struct signal_wait, hearer);
    int r = look(w->pid, w->status);

    if (r == 0)
        return;
    (void)eddy__signal_unhear(h);
    eddy__wake(&w->wait, r);
}

static void interrupted(struct eddy_wait *w, int why)
{
    (void)eddy__signal_unhear(&((struct signal_wait *)(void *)w)->hearer);
    eddy__wake(w, why);
}

static int wait_by_signal(struct eddy_loop *loop, pid_t pid, int *status)
{
    struct signal_wait w = { .wait = EDDY_WAIT(interrupted, "child"),
                             .hearer = { .fn = some_child_changed },
                             .pid = pid,
                             .status = status };

    int r = eddy__signal_hear(loop, SIGCHLD, &w.hearer);
    if (r < 0)
        return r;
    r = look(pid, status); /* it may have ended before we heard */
    if (r == 0)
        return eddy__wait(&w.wait);
    (void)eddy__signal_unhear(&w.hearer);
    return r;
}

/* --- by a descriptor ------------------------------------------------------------------------------ */

static int wait_by_pidfd(int fd, pid_t pid, int *status)
{
    struct eddy_op op;
    int r;

    do {
        eddy_op_poll(&op, fd, EDDY_READABLE, NULL);
        r = eddy__op_wait(&op);
        if (r >= 0)
            r = look(pid, status);
    } while (r == 0);
    eddy__sys.close(fd);
    return r;
}

int eddy_child_wait(pid_t pid, int *ret_status)
{
    int status = 0;
    int r = eddy__wait_check();

    if (r < 0)
        return r;
    if (pid <= 0)
        return -EINVAL;
    struct eddy_loop *loop = eddy__loop();
    if (eddy_driver_is_simulated(loop->driver))
        return -EDDY_ESIM;
    r = look(pid, &status);
    if (r == 0) {
        int fd = eddy__sys.pidfd_open(pid);
        /* EPERM: a sandbox that does not know the call. */
        if (fd == -ENOSYS || fd == -EPERM)
            r = wait_by_signal(loop, pid, &status);
        else
            r = fd < 0 ? fd : wait_by_pidfd(fd, pid, &status);
    }
    if (r < 0)
        return r;
    if (ret_status)
        *ret_status = status;
    return 0;
}
