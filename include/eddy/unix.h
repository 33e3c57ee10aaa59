/*
 * eddy/unix.h - what only Unix sockets can: who is at the other end, and handing descriptors over
 *
 *     struct eddy_credentials who;
 *     r = eddy_stream_peer_credentials(s, &who);
 *     if (r == 0 && who.uid != getuid())
 *         return -EPERM;
 *
 *     r = eddy_unix_send_fds(s, "take this", 9, &fd, 1);
 *
 *     int fd;
 *     size_t count;
 *     ssize_t n = eddy_unix_receive_fds(s, buf, sizeof buf, &fd, 1, &count);
 *
 * Listening and connecting are eddy/net.h's: "unix:/run/x.sock", "unix:@name".
 *
 * THE STREAM'S READING AND DESCRIPTORS: they travel with the first byte that was sent with them,
 * and arrive with it, or not at all: eddy_read() and its like let the kernel drop them. A stream
 * reads no further than it is asked to by eddy_read() and eddy_read_exactly(), so these may be
 * mixed with eddy_unix_receive_fds() where the protocol says which bytes carry descriptors.
 * eddy_read_until() and lines read ahead: behind them descriptors may be lost.
 *
 * What holds, with the test that shows it (tests/net/unix_test.c):
 *
 *  rule                                                      test
 *  --------------------------------------------------------  ----------------------------------
 *  A peer's process, user and group are told                 a_peer_is_known_by_its_credentials
 *  Descriptors arrive with their bytes, close-on-exec        descriptors_arrive_close_on_exec
 *  More than there is room for are closed, and counted       surplus_descriptors_are_closed
 *  No room for descriptors is -EMFILE, and none leaks        without_room_none_leaks
 *  A cancelled receive has taken nothing                     a_cancelled_receive_takes_nothing
 *  eddy_read() ends where descriptors begin, if asked so     reads_may_stand_before_descriptors
 *  A pair is two streams of the kernel's                     a_pair_is_two_streams
 *  Only a Unix socket's own stream can                       what_is_no_unix_socket_is_refused
 *  The simulator refuses                                     the_simulator_refuses
 */
#ifndef EDDY_UNIX_H
#define EDDY_UNIX_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/stream.h>

EDDY_BEGIN

/* Who made the socket at the other end, or called listen() on it, when it did. */
struct eddy_credentials {
    pid_t pid; /* 0: of another pid namespace */
    uid_t uid;
    gid_t gid;
};

/* The most descriptors of one message (the kernel's SCM_MAX_FD). */
#define EDDY_UNIX_FDS_MAX 253

/**
 * eddy_stream_peer_credentials() - which process, user and group is at the other end
 * @s:       over a Unix socket; a filter above it (TLS) is fine
 * @ret_who: written on success; as the kernel saw it when the connection was made
 *
 * Does not suspend.
 *
 * Return: 0; -EOPNOTSUPP (no Unix socket: TCP, a pair in memory); -EBADF (closed); -EDDY_ESIM;
 * -EDDY_EFORKED.   Source: unix(7), SO_PEERCRED.   Since: 0.1
 */
EDDY_API int eddy_stream_peer_credentials(const struct eddy_stream *s,
                                          struct eddy_credentials *ret_who);

/**
 * eddy_unix_send_fds() - send bytes, and descriptors with the first of them
 * @s:     over a Unix socket, with no filter above it
 * @bytes: at least one; borrowed until return
 * @len:   of it
 * @fds:   the peer gets its own; these stay the caller's, to be closed or not
 * @count: 1 to EDDY_UNIX_FDS_MAX
 *
 * Suspends until the kernel has all of it. Looks at its scope first. Cancelled while it waits: as
 * eddy_write().
 *
 * Return: 0, or negative:
 *   -EINVAL      no byte, no descriptor, or too many
 *   -EBADF       a descriptor is not open; or @s is closed
 *   -EOPNOTSUPP  not a Unix socket's own stream         -ETOOMANYREFS  too many are on their way
 *   -EDDY_ESIM   under the simulator                    and what eddy_write() says
 * Source: unix(7), SCM_RIGHTS.   Since: 0.1
 */
EDDY_API int eddy_unix_send_fds(struct eddy_stream *s, const void *bytes, size_t len,
                                const int *fds, size_t count);

/**
 * eddy_unix_receive_fds() - read what has arrived, and the descriptors that came with it
 * @s:         over a Unix socket, with no filter above it
 * @buf:       caller's memory
 * @cap:       over 0
 * @fds:       filled: the caller's from now on, close-on-exec; whether they block is their senders'
 * @most:      of @fds; 0 is fine
 * @ret_count: how many came, written with success; over @most: the surplus was closed
 *
 * Suspends until a byte or the end. Looks at its scope first. Bytes that the stream had read ahead
 * come first, without descriptors. A call ends at the bytes that descriptors came with. Cancelled:
 * nothing happened.
 *
 * Return: 1..@cap bytes; 0 at the end; or negative, as eddy_read(), and:
 *   -EMFILE      no room for descriptors that came: they and their bytes are lost, and the stream
 *                is broken (-EDDY_EBROKEN from then on)
 *   -EOPNOTSUPP  not a Unix socket's own stream         -EDDY_ESIM  under the simulator
 * Source: unix(7), SCM_RIGHTS.   Since: 0.1
 */
EDDY_API ssize_t eddy_unix_receive_fds(struct eddy_stream *s, void *buf, size_t cap, int *fds,
                                       size_t most, size_t *ret_count);

/**
 * eddy_unix_pair() - two streams joined by the kernel
 * @ret_a: owned
 * @ret_b: owned
 *
 * Does not suspend. For what needs the kernel between them, as descriptors do: else
 * eddy_stream_pair() is cheaper.
 *
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM; -EDDY_ESIM.   Source: socketpair(2).   Since: 0.1
 */
EDDY_API int eddy_unix_pair(struct eddy_stream **ret_a, struct eddy_stream **ret_b);

EDDY_END

#endif
