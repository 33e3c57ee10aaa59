/*
 * base/sys_terminal.c - the kernel's entries of the table: terminals
 */
#include "base/sys_kernel.h"

#include <sys/ioctl.h>
#include <termios.h>

int eddy_kernel_tcgetattr(int fd, struct termios *ret)
{
    FAULT(EIO);
    return answer(tcgetattr(fd, ret));
}

/* A background process that calls it is stopped, and goes on when it is in the foreground. */
int eddy_kernel_tcsetattr(int fd, int when, const struct termios *attributes)
{
    int r;

    FAULT(EIO);
    RETRY(r, tcsetattr(fd, when, attributes));
    return answer(r);
}

int eddy_kernel_window_size(int fd, struct winsize *ret)
{
    FAULT(EIO);
    return answer(ioctl(fd, TIOCGWINSZ, ret));
}
