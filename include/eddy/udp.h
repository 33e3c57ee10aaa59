/*
 * eddy/udp.h - datagrams: UDP over IPv4 and IPv6, and Unix datagrams
 *
 *     EDDY_OWN(eddy_udp) u = NULL;
 *     int r = eddy_udp_open("[::]:5300", NULL, &u);
 *     ...
 *     struct eddy_address from;
 *     ssize_t n = eddy_udp_receive(u, buf, sizeof buf, &from);
 *     if (n >= 0)
 *         n = eddy_udp_send(u, &from, buf, (size_t)n);
 *
 * Addresses are written as eddy/address.h says; "unix:/run/x.sock" and "unix:@name" make a Unix
 * datagram socket of it. A datagram may be empty: 0 bytes received is one, and not an end.
 *
 * Every call tries first and waits only where the kernel says that it would block. Any number of
 * tasks may receive and send; they are served in their order. Errors that a connected socket heard of
 * by ICMP (-ECONNREFUSED, -EHOSTUNREACH, ...) are told by the next call, once; that call has done
 * nothing else, and the socket goes on. (In the middle of a batch the kernel itself forgets them.)
 *
 * Under the simulator (eddy/sim.h) UDP goes over its network, where datagrams overtake each other,
 * get lost and are doubled; Unix datagrams, groups and what tells of interfaces are refused there.
 *
 * What holds, with the test that shows it (tests/net/udp*_test.c, on every backend):
 *
 *  rule                                                    test
 *  ------------------------------------------------------  ----------------------------------------
 *  One send is one datagram, an empty one, too             a_datagram_comes_as_it_was_sent,
 *                                                          an_empty_datagram_is_one
 *  It is sent at once or not at all                        a_cancelled_send_has_sent_nothing
 *  What does not fit is told, and the rest is lost         a_cut_datagram_is_told
 *  Readers, and senders, are served in their order         readers_are_served_in_their_order,
 *                                                          senders_are_served_in_their_order
 *  A cancelled receive has taken nothing                   a_cancelled_receive_takes_nothing
 *  A call looks at its scope first                         a_call_looks_at_its_scope_first
 *  A callback may not wait: -EDEADLK; it can try           a_callback_tries_and_does_not_wait
 *  A flood does not hold up others                         a_flood_does_not_hold_up_others,
 *                                                          a_turn_serves_a_bounded_number
 *  ICMP's errors are told once, and the socket goes on     a_refusal_is_told_once
 *  Whoever waits when it is closed gets -EBADF             whoever_waits_gets_ebadf
 *  A closed one's port is free when close returns          a_closed_ports_number_is_free
 *  A batch is what is there, at least one                  a_batch_is_what_is_there
 *  A batch that fails half way says how far it came        a_batch_says_how_far_it_came
 *  Segments leave in one call, or are cut here             segments_are_cut_by_whoever_can
 *  Joined segments are told, or come one by one            joined_segments_are_told
 *  A server on "::" answers from where it was asked        the_local_address_is_told_and_chosen
 *  A group is joined and left by interface                 a_group_is_joined_and_left
 *  Callbacks get lent bytes, a bounded number a turn       callbacks_get_lent_bytes,
 *                                                          callbacks_leave_others_their_turn
 *  A callback may stop, free and send                      a_callback_may_stop_and_free
 *  Unix datagrams wait for room                            unix_datagrams_wait_for_room
 *  A path that nobody has any more is replaced             a_path_whose_owner_died_is_...
 *  The child of a fork leaves the parent's alone           a_forks_child_is_refused
 *  Simulated, they get lost, doubled, and overtaken        datagrams_are_lost_and_doubled,
 *                                                          datagrams_overtake_each_other
 */
#ifndef EDDY_UDP_H
#define EDDY_UDP_H

#include <eddy/address.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>

EDDY_BEGIN

struct eddy_udp;

struct eddy_udp_options {
    size_t size;         /* filled by EDDY_OPT(udp, ...) */
    const char *connect; /* the one peer, as an address: what others send is not received. A name
                          * is to be resolved first (eddy_resolve()): */
    const struct eddy_address *peer; /* ... the same as an address in hand; NULL: see .connect */
    bool reuse_addr;        /* other sockets may have the address, too: for groups (SO_REUSEADDR) */
    bool reuse_port;        /* several sockets share out what comes to one address (SO_REUSEPORT) */
    bool broadcast;         /* may send to broadcast addresses */
    bool v6_only;           /* "[::]:53" is IPv6 alone; else IPv4, too */
    bool packet_info;       /* tell .local and .interface of each datagram */
    bool tell_tos;          /* tell .tos of each datagram */
    bool gro;               /* joined segments are received as one, and told (UDP_GRO) */
    bool no_multicast_loop; /* what it sends to a group does not come to this machine */
    uint8_t ttl;            /* hops; 0: the system's */
    uint8_t multicast_ttl;  /* likewise, to groups; 0: 1 */
    const char *multicast_interface; /* by which to send to groups: "eth0" or its number */
    const char *interface;           /* only by this one (SO_BINDTODEVICE) */
    unsigned receive_buffer;         /* bytes that the kernel keeps for it; 0: the system's */
    unsigned send_buffer;            /* likewise */
    struct eddy_error *error;        /* where the text of a failure goes; may be NULL */
};

/* One of a batch. Placed by the caller, who sets all that is not said to be told to zero or to
 * what it wants. */
struct eddy_datagram {
    void *ptr;  /* the bytes: filled, or sent (and then only read) */
    size_t cap; /* receive: room at ptr */
    size_t len; /* send: bytes; receive, told: bytes */
    /* Receive, told: who sent it; .len is 0 for a Unix socket without a name. Send: to whom; .len
     * 0: the connected peer. */
    struct eddy_address peer;
    /* Receive, told with .packet_info: to which address it came, with the port of the socket. Send:
     * from which of this machine's; .len 0: the system chooses. */
    struct eddy_address local;
    unsigned interface; /* the same for the interface's number; 0: none */
    /* Send: not one datagram, but one of every so many bytes, the last may be shorter; 0: one.
     * Receive, told with .gro: the same; see eddy_datagram_segment(). */
    unsigned segment_size;
    size_t
        sent; /* send, told: bytes that have left, of which the kernel took all or whole segments */
    uint8_t tos;    /* told with .tell_tos, ECN in the low two bits; send: 0: the socket's */
    bool truncated; /* receive, told: it did not fit; the rest is lost */
    uint8_t reserved[14];
};

/**
 * eddy_udp_open() - a socket for datagrams
 * @local:   where to receive, port 0: the system chooses, and eddy_udp_address() tells; NULL: any
 *           address and port (without a peer IPv6 and IPv4 where this machine has both)
 * @options: EDDY_OPT(udp, .connect = "127.0.0.1:53"), may be NULL
 * @ret_udp: owned, of this thread's loop
 *
 * Does not suspend. The path of a Unix socket that nobody has any more is replaced; it is removed
 * again when this one goes.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL  not an address, or a name; peer and local of two families; a .interface without IP
 *   -EADDRINUSE     another program has it    -EADDRNOTAVAIL  not an address of this machine
 *   -EACCES, -EPERM not allowed               -ENODEV         no such interface
 *   -ECONNREFUSED, -ENOENT  no such Unix peer -ENETUNREACH    no way to the peer
 *   -EAFNOSUPPORT   a family this machine does not have
 *   -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS       no room
 *   -EDDY_ESIM      the simulator has no such option
 * Source: udp(7), unix(7), bind(2), connect(2).   Since: 0.1
 */
EDDY_API int eddy_udp_open(const char *local, const struct eddy_udp_options *options,
                           struct eddy_udp **ret_udp);

/** eddy_udp_close() - close and free it
 * @u: NULL is fine. Tasks that wait in it get -EBADF
 *
 * Suspends until the system has it back, its port is free, and is not itself cancelled. In a
 * callback the loop closes it, as eddy_udp_free() has it do.
 *
 * Return: 0.   Source: close(2).   Since: 0.1 */
EDDY_API int eddy_udp_close(struct eddy_udp *u);

/** eddy_udp_free() - the same without suspending: the loop closes it
 * @u: NULL is fine. Tasks that wait in it get -EBADF. To be called before its loop ends
 *
 * Return: nothing.   Source: close(2).   Since: 0.1 */
EDDY_API void eddy_udp_free(struct eddy_udp *u);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_udp)
#endif

/** eddy_udp_address() - where it receives, with the port that the system chose
 * @u:           open
 * @ret_address: written on success
 *
 * Return: 0, or what getsockname(2) says.   Source: getsockname(2).   Since: 0.1 */
EDDY_API int eddy_udp_address(const struct eddy_udp *u, struct eddy_address *ret_address);

/** eddy_udp_peer() - to whom it is connected
 * @u:           open
 * @ret_address: written on success
 *
 * Return: 0; -ENOTCONN: to nobody.   Source: getpeername(2).   Since: 0.1 */
EDDY_API int eddy_udp_peer(const struct eddy_udp *u, struct eddy_address *ret_address);

/**
 * eddy_udp_receive() - wait for a datagram
 * @u:        open; any number of tasks may wait, and are served in their order
 * @buf:      filled from the start
 * @cap:      of it; no UDP datagram has more than 65,507 bytes over IPv4, 65,527 over IPv6
 * @ret_from: who sent it; may be NULL. An IPv4 peer is told as IPv4 by an IPv6 socket, too
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened; a datagram that raced in is
 * kept.
 *
 * Return: 0..@cap bytes, or negative:
 *   -EMSGSIZE   it was longer than @cap: the first @cap bytes are in @buf, @ret_from is told, the
 *               rest is lost
 *   -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH  what ICMP said of an earlier datagram of ours
 *   -EBUSY      callbacks have it (eddy_udp_start())    -EBADF  it was closed meanwhile
 *   -EINVAL     it was opened with .gro: use eddy_udp_receive_many()
 *   -ERANGE     the backend cannot watch it (select, past FD_SETSIZE)
 *   -ENOMEM     -EDDY_EFORKED  -ETIMEDOUT, -ECANCELED, -EDEADLK  see eddy/task.h
 * Source: recvmsg(2), udp(7).   Since: 0.1
 */
EDDY_API ssize_t eddy_udp_receive(struct eddy_udp *u, void *buf, size_t cap,
                                  struct eddy_address *ret_from);

/**
 * eddy_udp_receive_many() - wait for a datagram, and take what else is there
 * @u:         open
 * @datagrams: .ptr and .cap of each set; what is told of the first ones is written
 * @count:     of them; at most 64 are taken at a time, and 8 where no more came together lately
 *
 * Suspends until there is one. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 1..@count, how many; 0 when @count is; or negative as eddy_udp_receive(), which a cut one
 * is not: it has .truncated set.
 * Source: recvmmsg(2).   Since: 0.1
 */
EDDY_API int eddy_udp_receive_many(struct eddy_udp *u, struct eddy_datagram *datagrams,
                                   size_t count);

/**
 * eddy_udp_send() - send a datagram
 * @u:   open; any number of tasks may wait, and are served in their order
 * @to:  NULL: the connected peer
 * @buf: borrowed until return
 * @len: may be 0
 *
 * Suspends while the kernel has no room: seldom for UDP; a Unix peer that does not read is waited
 * for (where the socket is not connected by asking again, every 1 to 64 ms, for the kernel does not
 * tell). Looks at its scope first. Cancelled: nothing was sent.
 *
 * Return: 0, or negative:
 *   -EMSGSIZE      longer than a datagram can be    -EDESTADDRREQ, -ENOTCONN  no @to and no peer
 *   -ECONNREFUSED  what ICMP said of an earlier datagram; this one was not sent. Unix: nobody there
 *   -ENETUNREACH, -EHOSTUNREACH  no way there    -EACCES, -EPERM  broadcast; a firewall forbids
 *   -ENOBUFS       a device's queue is full         -ENOENT  no such Unix path
 *   -EAFNOSUPPORT, -EINVAL  @to is of another family, or not an address
 *   -EBADF  closed meanwhile  -ENOMEM  -EDDY_EFORKED  -ETIMEDOUT, -ECANCELED, -EDEADLK  see task.h
 * Source: sendmsg(2), udp(7).   Since: 0.1
 */
EDDY_API int eddy_udp_send(struct eddy_udp *u, const struct eddy_address *to, const void *buf,
                           size_t len);

/**
 * eddy_udp_try_send() - send a datagram if there is room for it now
 * @u:   open
 * @to:  NULL: the connected peer
 * @buf: borrowed until return
 * @len: may be 0
 *
 * Does not suspend, and looks at no scope: for callbacks. It does not overtake tasks that wait.
 *
 * Return: 0; -EAGAIN: no room, nothing was sent; or as eddy_udp_send().
 * Source: sendmsg(2).   Since: 0.1
 */
EDDY_API int eddy_udp_try_send(struct eddy_udp *u, const struct eddy_address *to, const void *buf,
                               size_t len);

/**
 * eddy_udp_send_many() - send datagrams in their order, as many as can be by one call of the kernel
 * @u:         open
 * @datagrams: .ptr and .len of each set, and what else is wanted; .sent of those tried is told
 * @count:     of them
 *
 * Suspends as eddy_udp_send() does. Looks at its scope first. One with .segment_size leaves as such
 * (UDP_SEGMENT, at most 64 segments at a time); where the kernel, the device or the kind of
 * socket cannot do that it is cut here, with the same effect. Cancelled, or failed: says how many
 * have left; of the next one .sent bytes have.
 *
 * Return: how many were sent: less than @count where one failed or the scope ended, which another
 * call from that one on will tell; negative as eddy_udp_send() when the first one failed.
 * Source: sendmmsg(2), udp(7).   Since: 0.1
 */
EDDY_API int eddy_udp_send_many(struct eddy_udp *u, struct eddy_datagram *datagrams, size_t count);

/** eddy_datagram_segment() - one of the datagrams that were joined in one
 * @d:           received
 * @index:       from 0
 * @ret_segment: its bytes, written if there is one
 *
 * One that was not joined has a single segment, itself.
 *
 * Return: true if there is such a segment.   Source: udp(7), UDP_GRO.   Since: 0.1 */
EDDY_API bool eddy_datagram_segment(const struct eddy_datagram *d, size_t index,
                                    struct eddy_slice *ret_segment);

/* --- callbacks ------------------------------------------------------------------------------ */

/**
 * eddy_udp_start() - have a function called for every datagram
 * @u:           open
 * @on_datagram: called from the loop, as a callback. @error is 0 and @d lent until it returns, or
 *               @error is what eddy_udp_receive() would have returned, and @d is NULL. It may stop
 *               and free @u
 * @ctx:         handed to it
 *
 * Joined segments (.gro) are handed on one by one. In one turn of the loop at most 64 are taken
 * from the kernel. The memory, room for 16 datagrams of 64 KiB, of which only what they fill is
 * used, is held until eddy_udp_stop(); what had been taken and not handed on by then comes first
 * later, to a task or to the next start.
 *
 * Does not suspend.
 *
 * Return: 0; -EBUSY (started, or tasks wait in eddy_udp_receive()); -ENOMEM; -EDDY_EFORKED; what
 * the backend says of a descriptor it cannot watch (-ERANGE: select, past FD_SETSIZE).
 * Source: asyncio's DatagramProtocol, uv_udp_recv_start.   Since: 0.1
 */
EDDY_API int eddy_udp_start(struct eddy_udp *u,
                            void (*on_datagram)(void *ctx, const struct eddy_datagram *d,
                                                int error),
                            void *ctx);

/** eddy_udp_stop() - no more calls; tasks may receive again
 * @u: open; started or not. May be called inside on_datagram
 *
 * Return: nothing.   Source: uv_udp_recv_stop.   Since: 0.1 */
EDDY_API void eddy_udp_stop(struct eddy_udp *u);

/* --- groups --------------------------------------------------------------------------------- */

struct eddy_udp_join_options {
    size_t size;              /* filled by EDDY_OPT(udp_join, ...) */
    const char *interface;    /* "eth0" or its number; NULL: the system chooses */
    const char *source;       /* only what this address sends (source-specific); NULL: anybody */
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_udp_join() - receive what is sent to a group
 * @u:       an IPv4 or IPv6 socket, bound to the port that the group is sent to
 * @group:   "239.1.2.3", "ff02::1234"
 * @options: EDDY_OPT(udp_join, .interface = "eth0"), may be NULL
 *
 * Does not suspend.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL      not a group, not of the socket's family, or the source is none
 *   -ENODEV      no such interface, or none for groups      -EADDRINUSE  joined already
 *   -ENOBUFS     in too many groups (net.ipv4.igmp_max_memberships)
 *   -EOPNOTSUPP  not an IP socket        -EADDRNOTAVAIL  the interface cannot     -ENOMEM
 *   -EDDY_ESIM   under the simulator  -EDDY_EFORKED
 * Source: ip(7), RFC 3678.   Since: 0.1
 */
EDDY_API int eddy_udp_join(struct eddy_udp *u, const char *group,
                           const struct eddy_udp_join_options *options);

/**
 * eddy_udp_leave() - receive it no more
 * @u:       as joined
 * @group:   as joined
 * @options: as joined
 *
 * Does not suspend.
 *
 * Return: 0; -EADDRNOTAVAIL: not joined so; else as eddy_udp_join().
 * Source: ip(7), RFC 3678.   Since: 0.1
 */
EDDY_API int eddy_udp_leave(struct eddy_udp *u, const char *group,
                            const struct eddy_udp_join_options *options);

EDDY_END

#endif
