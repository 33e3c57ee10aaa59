/*
 * base/sys_socket.c - the kernel's entries of the table: sockets, and the bytes through them
 */
#include "base/sys_kernel.h"

#include <unistd.h>

ssize_t eddy_kernel_recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, recv(fd, buf, len, flags));
    return n < 0 ? -errno : n;
}

ssize_t eddy_kernel_send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, send(fd, buf, len, flags));
    return n < 0 ? -errno : n;
}

ssize_t eddy_kernel_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, sendmsg(fd, message, flags));
    return n < 0 ? -errno : n;
}

ssize_t eddy_kernel_recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, recvmsg(fd, message, flags));
    return n < 0 ? -errno : n;
}

int eddy_kernel_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int n;

    FAULT(EIO);
    RETRY(n, recvmmsg(fd, messages, count, flags, NULL));
    return answer(n);
}

int eddy_kernel_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int n;

    FAULT(EIO);
    RETRY(n, sendmmsg(fd, messages, count, flags));
    return answer(n);
}

int eddy_kernel_socket(int family, int type, int protocol)
{
    FAULT(EMFILE);
    return answer(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int eddy_kernel_socketpair(int family, int type, int ret_fd[2])
{
    FAULT(EMFILE);
    return answer(socketpair(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd));
}

int eddy_kernel_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    FAULT(EIO);
    return answer(bind(fd, addr, len));
}

int eddy_kernel_listen(int fd, int backlog)
{
    FAULT(EIO);
    return answer(listen(fd, backlog));
}

int eddy_kernel_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    int r;

    FAULT(EMFILE);
    RETRY(r, accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return answer(r);
}

int eddy_kernel_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    FAULT(EIO);
    if (connect(fd, addr, len) == 0)
        return 0;
    /* Interrupted, a connect goes on by itself; a second call would say EALREADY. */
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int eddy_kernel_shutdown(int fd, int how)
{
    FAULT(EIO);
    return answer(shutdown(fd, how));
}

int eddy_kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    FAULT(EIO);
    return answer(getsockopt(fd, level, name, value, len));
}

int eddy_kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    FAULT(EIO);
    return answer(setsockopt(fd, level, name, value, len));
}

int eddy_kernel_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    FAULT(EIO);
    return answer(getsockname(fd, addr, len));
}

int eddy_kernel_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    FAULT(EIO);
    return answer(getpeername(fd, addr, len));
}
