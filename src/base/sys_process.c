/*
 * base/sys_process.c - the kernel's entries of the table: signals and children
 */
#include "base/sys_kernel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
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

/* As waitpid(2) would have it. */
static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

int eddy_kernel_reap(pid_t pid, int pidfd, bool wait, int *ret_status, struct rusage *ret_usage)
{
    const int how = wait ? 0 : WNOHANG;
    pid_t r;

#ifdef SYS_waitid
    if (pidfd >= 0) {
        const int p_pidfd = 3; /* Linux 5.4 */
        siginfo_t info = { .si_pid = 0 };

        RETRY(r, (pid_t)syscall(SYS_waitid, p_pidfd, pidfd, &info, WEXITED | how, ret_usage));
        if (r == 0 && info.si_pid)
            *ret_status = status_of(&info);
        if (r == 0 || errno != EINVAL)
            return r < 0 ? -errno : info.si_pid != 0;
    }
#endif
    RETRY(r, wait4(pid, ret_status, how, ret_usage));
    return r < 0 ? -errno : r > 0;
}

int eddy_kernel_kill(pid_t pid, int signo)
{
    return answer(kill(pid, signo));
}

int eddy_kernel_pidfd_signal(int pidfd, int signo, bool group)
{
#ifdef SYS_pidfd_send_signal
    const unsigned process_group = 4; /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */

    return answer(
        (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, group ? process_group : 0));
#else
    (void)pidfd, (void)signo, (void)group;
    return -ENOSYS;
#endif
}

static int other_end(int master)
{
    const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    char name[64];
    int fd = -1;

#ifdef TIOCGPTPEER
    fd = ioctl(master, TIOCGPTPEER, flags);
#endif
    if (fd < 0 && ptsname_r(master, name, sizeof name) == 0)
        fd = open(name, flags);
    return fd;
}

int eddy_kernel_pty(int ret_fd[2])
{
    FAULT(EMFILE);
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        return -errno;
    int slave = grantpt(master) == 0 && unlockpt(master) == 0 ? other_end(master) : -1;
    if (slave < 0) {
        int r = -errno;
        (void)close(master);
        return r;
    }
    ret_fd[0] = master;
    ret_fd[1] = slave;
    return 0;
}

int eddy_kernel_set_window_size(int fd, const struct winsize *size)
{
    FAULT(EIO);
    return answer(ioctl(fd, TIOCSWINSZ, size));
}
