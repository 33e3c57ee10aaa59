#include "children.h"

#include "base/child.h"
#include "base/sys.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static int no_pidfd(pid_t pid)
{
    (void)pid;
    return -ENOSYS;
}

static pid_t spawn_without(struct eddy_child *child, int *ret_pidfd)
{
    pid_t pid = eddy__sys_kernel.spawn(child, ret_pidfd);

    if (pid > 0 && *ret_pidfd >= 0)
        close(*ret_pidfd);
    *ret_pidfd = -1;
    return pid;
}

pid_t spawn_by_fork(struct eddy_child *child, int *ret_pidfd)
{
    child->forked = true;
    return eddy__sys_kernel.spawn(child, ret_pidfd);
}

void children_restore(void)
{
    eddy__sys.pidfd_open = eddy__sys_kernel.pidfd_open;
    eddy__sys.spawn = eddy__sys_kernel.spawn;
    eddy__sys.reap = eddy__sys_kernel.reap;
    eddy__sys.pipe = eddy__sys_kernel.pipe;
}

bool next_way(int *way)
{
    children_restore();
    if (is_sim() || *way == 3)
        return false;
    if (*way == 1) {
        eddy__sys.pidfd_open = no_pidfd;
        eddy__sys.spawn = spawn_without;
    }
    if (*way == 2)
        eddy__sys.spawn = spawn_by_fork;
    ++*way;
    return true;
}

void file_with(const char *path, const char *text, mode_t mode)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);

    if (EDDY_CHECK(fd >= 0)) {
        EDDY_CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
        close(fd);
    }
}

bool have_children(void)
{
    siginfo_t info = { .si_pid = 0 };

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}
