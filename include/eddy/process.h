/*
 * eddy/process.h - child processes
 */
#ifndef EDDY_PROCESS_H
#define EDDY_PROCESS_H

#include <eddy/common.h>

EDDY_BEGIN

/**
 * eddy_child_wait() - wait until a child of this process has ended
 * @pid:        from fork(2) or posix_spawn(3)
 * @ret_status: as waitpid(2) gives it, for WIFEXITED() and the like; may be NULL
 *
 * Suspends, and reaps that child when it has ended; no other. Looks at its scope first. By a pidfd;
 * where the kernel has none SIGCHLD is taken meanwhile, which one loop of the process can do.
 * Cancelled: nothing happened, the child has not been reaped and may be waited for again.
 *
 * Return: 0; or negative:
 *   -ECHILD     not a child of ours, or reaped by somebody else (or SIGCHLD is ignored)
 *   -EINVAL     not one process (0 and less)        -EMFILE, -ENFILE, -ENOMEM
 *   -EBUSY      no pidfd here, and another loop has SIGCHLD
 *   -EDDY_ESIM  the simulator has no processes      -ETIMEDOUT, -ECANCELED, -EDEADLK
 * Source: waitpid(2), pidfd_open(2).   Since: 0.1
 */
EDDY_API int eddy_child_wait(pid_t pid, int *ret_status);

EDDY_END

#endif
