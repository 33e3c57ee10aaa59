#include "role.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

void role_play(const char *name, int (*run)(void))
{
    const char *wanted = getenv("EDDY_ROLE");

    if (wanted && strcmp(wanted, name) == 0)
        exit(run());
}

static void become(const char *name, const int fds[3], int terminal)
{
    int kept[3];

    if (terminal >= 0 && (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0))
        _exit(101);
    for (int i = 0; i < 3; i++) /* away from 0 to 2 first: they may be given crosswise */
        kept[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++)
        if (kept[i] < 0)
            close(i);
        else
            dup2(kept[i], i);
    if (*name == '/')
        execl(name, name, (char *)NULL);
    setenv("EDDY_ROLE", name, 1);
    execl("/proc/self/exe", "role", (char *)NULL);
    _exit(102);
}

pid_t role_start(const char *name, const int fds[3], int terminal)
{
    pid_t pid = fork();

    if (pid == 0)
        become(name, fds, terminal);
    EDDY_CHECK(pid > 0);
    return pid;
}

int role_end(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool role_pty(int ret[2])
{
    ret[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (!EDDY_CHECK(ret[0] >= 0) || !EDDY_CHECK_EQ(grantpt(ret[0]) + unlockpt(ret[0]), 0))
        return false;
    ret[1] = open(ptsname(ret[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    return EDDY_CHECK(ret[1] >= 0);
}

void role_close(const int pty[2])
{
    EDDY_CHECK_EQ(close(pty[0]) + close(pty[1]), 0);
}

pid_t role_on(const char *name, const int pty[2])
{
    return role_start(name, (int[]){ pty[1], pty[1], pty[1] }, pty[1]);
}

struct termios role_modes(int fd)
{
    struct termios t = { 0 };

    EDDY_CHECK_EQ(tcgetattr(fd, &t), 0);
    return t;
}

bool role_same(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
           a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof a->c_cc) == 0;
}

bool role_is_raw(int fd)
{
    return !(role_modes(fd).c_lflag & (ICANON | ECHO));
}

bool role_becomes_raw(int fd)
{
    for (int i = 0; i < 60000; i++) {
        if (role_is_raw(fd))
            return true;
        usleep(1000);
    }
    return EDDY_CHECK_FAIL("it never became raw again");
}

bool role_expect(int fd, const char *text)
{
    char seen[4096];
    size_t len = 0;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, 60000) <= 0)
            break;
        if (len == sizeof seen - 1)
            memmove(seen, seen + sizeof seen / 2, len -= sizeof seen / 2);
        ssize_t n = read(fd, seen + len, 1);
        if (n <= 0)
            break;
        seen[++len] = '\0';
        size_t wanted = strlen(text);
        if (len >= wanted && memcmp(seen + len - wanted, text, wanted) == 0)
            return true;
    }
    seen[len] = '\0';
    return EDDY_CHECK_FAIL("'%s' never came; '%s' did", text, seen);
}
