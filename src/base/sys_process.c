/*
 * base/sys_process.c - the kernel's entries of the table: signals and children
 */
#include "base/sys_kernel.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int eddy_kernel_sigaction(int signo, const struct sigaction *action, struct sigaction *ret_old)
{
    FAULT(EIO);
    return answer(sigaction(signo, action, ret_old));
}

int eddy_kernel_pidfd_open(pid_t pid)
{
    FAULT(EMFILE);
#ifdef SYS_pidfd_open
    return answer((int)syscall(SYS_pidfd_open, pid, 0));
#else
    (void)pid;
    return -ENOSYS;
#endif
}

int eddy_kernel_waitpid(pid_t pid, int *ret_status, int options)
{
    pid_t r;

    RETRY(r, waitpid(pid, ret_status, options));
    return answer(r);
}
