/*
 * net/unix.c - what only Unix sockets can: credentials, and descriptors beside the bytes
 *
 * Receiving waits until there is something, by the stream's own way of reading, and then takes
 * bytes and descriptors in one call: so a wait that is cancelled has taken neither, on any driver.
 * There is always room for all that one message can carry, so nothing is cut off by the kernel but
 * for want of descriptors; what the caller has no room for is closed here.
 */
#include "base/sys.h"
#include "net/options.h"
#include "stream/socket.h"
#include "stream/stream.h"

#include <eddy/unix.h>

#include <assert.h>
#include <string.h>

/* Descriptors beside the bytes, as the kernel reads and writes them. */
union control {
    struct cmsghdr first;
    char bytes[CMSG_SPACE(EDDY_UNIX_FDS_MAX * sizeof(int))];
};

static int domain_of(int fd)
{
    int domain = 0;
    socklen_t len = sizeof domain;

    int r = eddy__sys.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    return r == -ENOTSOCK ? 0 : r < 0 ? r : domain;
}

/* The descriptor of a Unix socket under @s, or why there is none. */
static int unix_fd(const struct eddy_stream *s)
{
    int fd = -1;

    int r = eddy_stream_info(s, EDDY_INFO_FD, &fd);
    if (r == -EBADF || r == -EDDY_EFORKED)
        return r;
    if (r == 0 && fd >= 0)
        r = eddy__sim_refuse(eddy__loop(), "what only Unix sockets can");
    if (r < 0 || fd < 0)
        return r == -EDDY_ESIM ? r : -EOPNOTSUPP;
    r = domain_of(fd);
    return r < 0 ? r : r == AF_UNIX ? fd : -EOPNOTSUPP;
}

/* The same, where the bytes must be the socket's own. */
static int own_fd(const struct eddy_stream *s)
{
    int fd = unix_fd(s);

    return fd >= 0 && !eddy_transport_is_socket(s->t) ? -EOPNOTSUPP : fd;
}

/* --- credentials ------------------------------------------------------------------------------ */

#ifdef __linux__
static int ask_credentials(int fd, struct eddy_credentials *ret)
{
    struct ucred who;
    socklen_t len = sizeof who;

    int r = eddy__sys.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
    if (r < 0)
        return r;
    *ret = (struct eddy_credentials){ .pid = who.pid, .uid = who.uid, .gid = who.gid };
    return 0;
}
#else
static int ask_credentials(int fd, struct eddy_credentials *ret)
{
    (void)fd;
    (void)ret;
    return -EOPNOTSUPP;
}
#endif

int eddy_stream_peer_credentials(const struct eddy_stream *s, struct eddy_credentials *ret_who)
{
    int fd = unix_fd(s);

    return fd < 0 ? fd : ask_credentials(fd, ret_who);
}

/* --- sending ---------------------------------------------------------------------------------- */

static ssize_t send_once(int fd, const void *bytes, size_t len, const int *fds, size_t count)
{
    union control control = { .first = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec iov = { (void *)(uintptr_t)bytes, len };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };

    control.first.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&control.first), fds, count * sizeof(int));
    return eddy__sys.sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* How many bytes went, with the descriptors. Suspends. */
static ssize_t send_first(struct eddy_stream *s, const void *bytes, size_t len, const int *fds,
                          size_t count)
{
    int r = eddy__wait_check();

    while (r >= 0) {
        if (s->writing)
            return -EBUSY;
        r = stream_gone(s);
        if (r < 0)
            return r;
        int fd = own_fd(s);
        if (fd < 0)
            return fd;
        ssize_t n = send_once(fd, bytes, len, fds, count);
        if (n < 0 && n != -EAGAIN)
            eddy_transport_lost(s->t, (int)n);
        if (n != -EAGAIN)
            return n;
        r = stream_wait_room(s);
    }
    return r;
}

int eddy_unix_send_fds(struct eddy_stream *s, const void *bytes, size_t len, const int *fds,
                       size_t count)
{
    if (!len || !count || count > EDDY_UNIX_FDS_MAX)
        return -EINVAL;
    ssize_t n = send_first(s, bytes, len, fds, count);
    if (n < 0)
        return (int)n;
    if ((size_t)n == len) {
        eddy__budget_spend();
        return 0;
    }
    int r = eddy_write(s, (const char *)bytes + n, len - (size_t)n);
    if (r == -ECANCELED || r == -ETIMEDOUT)
        s->broken = true; /* even if it failed at its entry: a part has gone */
    return r;
}

/* --- receiving -------------------------------------------------------------------------------- */

/* The descriptors of a message: the first @most are kept, all others closed. How many came. */
static size_t take_fds(struct msghdr *message, int *fds, size_t most)
{
    size_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++, count++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < most)
                fds[count] = fd;
            else
                eddy__sys.close(fd);
        }
    }
    return count;
}

static ssize_t receive_once(struct eddy_stream *s, int fd, struct iovec iov, int *fds, size_t most,
                            size_t *ret_count)
{
    union control control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };

    ssize_t n = eddy__sys.recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return n;
    const bool cut = message.msg_flags & MSG_CTRUNC;
    const size_t count = take_fds(&message, fds, cut ? 0 : most);
    if (cut) { /* for want of room in this process: some are gone for good */
        s->broken = true;
        return -EMFILE;
    }
    *ret_count = count;
    return n;
}

static ssize_t receive(struct eddy_stream *s, int fd, struct iovec iov, int *fds, size_t most,
                       size_t *ret_count)
{
    /* What had been read ahead comes first. */
    if (stream_held(s).len || eddy_transport_kept(s->t)) {
        *ret_count = 0;
        return stream_read_more(s, iov.iov_base, iov.iov_len);
    }
    for (;;) {
        ssize_t n = receive_once(s, fd, iov, fds, most, ret_count);
        if (n == 0)
            return eddy_transport_end(s->t);
        if (n != -EAGAIN)
            return n;
        n = stream_read_more(s, NULL, 0);
        if (n < 0)
            return n;
        if (!s->t)
            return stream_gone(s);
    }
}

ssize_t eddy_unix_receive_fds(struct eddy_stream *s, void *buf, size_t cap, int *fds, size_t most,
                              size_t *ret_count)
{
    struct iovec iov = { buf, cap < INT32_MAX ? cap : INT32_MAX };

    int r = stream_read_begin(s);
    if (r < 0)
        return r;
    int fd = cap ? own_fd(s) : -EINVAL;
    ssize_t n = fd < 0 ? fd : receive(s, fd, iov, fds, most, ret_count);
    stream_read_end(s);
    if (n == 0)
        *ret_count = 0;
    if (n > 0)
        eddy__budget_spend();
    return n;
}

/* --- a pair ----------------------------------------------------------------------------------- */

static int stream_over(int *fd, struct eddy_stream **ret_stream)
{
    struct eddy_transport *t;

    int r = eddy_transport_of_socket(*fd, &t);
    if (r < 0)
        return r;
    *fd = -1; /* the transport's */
    r = eddy_stream_of(t, ret_stream);
    if (r < 0)
        eddy_transport_close(t, 0);
    return r;
}

int eddy_unix_pair(struct eddy_stream **ret_a, struct eddy_stream **ret_b)
{
    struct eddy_loop *loop = eddy_loop_current();
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    int fd[2] = { -1, -1 };

    if (!loop)
        return eddy__loop_refusal();
    int r = eddy__sim_refuse(loop, "pairs of the kernel's sockets");
    if (r == 0)
        r = eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, fd);
    if (r >= 0)
        r = stream_over(&fd[0], &a);
    if (r >= 0)
        r = stream_over(&fd[1], &b);
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            eddy__sys.close(fd[i]);
    if (r < 0)
        return r;
    *ret_a = EDDY_TAKE(a);
    *ret_b = EDDY_TAKE(b);
    return 0;
}
