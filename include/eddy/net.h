/*
 * eddy/net.h - listen, accept, connect: TCP and Unix sockets by address or name
 *
 *     EDDY_OWN(eddy_listener) door = NULL;
 *     int r = eddy_listen("127.0.0.1:8000", NULL, &door);
 *     ...
 *     EDDY_OWN(eddy_stream) peer = NULL;
 *     r = eddy_accept(door, &peer);
 *
 *     EDDY_OWN(eddy_stream) s = NULL;
 *     r = eddy_connect("example.org:80", EDDY_OPT(connect, .timeout_ms = 2000), &s);
 *
 * Addresses are written as eddy/address.h says: "127.0.0.1:8000", "[::1]:0", ":8000",
 * "unix:/run/x.sock", "unix:@name"; to connect, a name will do. Listening understands two more, for
 * sockets that somebody else has opened for this process (systemd's socket activation): "systemd:"
 * and "systemd:NAME", and "fd:3".
 *
 * What only Unix sockets can is in eddy/unix.h, the PROXY protocol in eddy/proxy.h.
 *
 * What holds, with the test that shows it (tests/net/: options_test.c, race_test.c,
 * eyeballs_test.c, inherit_test.c, proxy_test.c):
 *
 *  rule                                                        test
 *  ----------------------------------------------------------  ---------------------------------
 *  A connection has the settings that were asked for           settings_reach_the_kernel
 *  A live stream's settings change one by one                  a_live_stream_is_set_anew
 *  An accepted connection has its listener's settings          accepted_connections_inherit
 *  .abort resets                                               abort_resets_the_peer
 *  "[::]" takes IPv4, too, but for .v6_only                    any_ipv6_takes_ipv4_unless_told
 *  .reuse_port shares a port, and without it nobody does       a_port_is_shared_only_if_all_want
 *  A name's families take turns                                the_families_take_turns
 *  The next address is tried when one fails, at once           a_refusal_starts_the_next_at_once
 *  ... and beside it after .attempt_delay_ms                   a_partitioned_family_costs_the_...
 *  The first family's addresses are waited for 50 ms           an_answer_of_the_other_family_...
 *  The first that connects is it, the others are closed        of_two_that_connect_together_...
 *  All failed: the most telling, and all are named             the_most_telling_error_is_returned
 *  Cancelled, a race leaves nothing behind                     a_cancelled_race_leaves_nothing_...
 *  .source and .interface are where a connection comes from    a_connection_has_its_source
 *  What cannot be set is refused, with what to mend            refused_settings_say_what_to_mend
 *  .mode is the socket file's                                  a_socket_file_has_its_mode
 *  Inherited sockets are found by order and by name            inherited_sockets_are_found
 *  The environment is taken once, and cleared                  the_environment_is_cleared
 *  What is no listening stream socket is refused               what_does_not_listen_is_refused
 *  A blocking one is left so, and holds nobody                 a_blocking_socket_stays_blocking
 *  A detached socket goes on listening                         a_detached_socket_listens_on
 *  A PROXY header's client is the peer                         the_client_is_the_peer
 *  A slow header holds nobody, and has its deadline            a_slow_header_holds_nobody
 *  Only .proxy_from may say it                                 only_the_named_proxies_are_heard
 *  .proxy_header comes first                                   an_announced_client_comes_first
 */
#ifndef EDDY_NET_H
#define EDDY_NET_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/proxy.h>
#include <eddy/stream.h>

EDDY_BEGIN

struct eddy_listener;
struct eddy_address;

/* --- how a TCP connection behaves ------------------------------------------------------------ */

enum eddy_setting { EDDY_AS_IS, EDDY_ON, EDDY_OFF };

/* Zero leaves everything as it is: without options small writes leave at once (no_delay), and
 * nobody asks whether a silent peer is there (no keep_alive). Unix sockets have none of it. */
struct eddy_tcp_options {
    size_t size;                  /* filled by EDDY_OPT(tcp, ...) */
    enum eddy_setting no_delay;   /* EDDY_OFF: small writes are gathered (Nagle) */
    enum eddy_setting keep_alive; /* probe a silent peer; on with any of the next three */
    int keep_idle_s;              /* silence before the first probe; 0: the system's (2 hours) */
    int keep_interval_s;          /* between probes; 0: the system's (75) */
    int keep_count;               /* lost ones before it counts as gone; 0: the system's (9) */
    int64_t user_timeout_ms;      /* sent bytes not acknowledged for so long: -EDDY_EPEER_TIMEOUT */
    enum eddy_setting abort;      /* closing resets the peer at once, and drops what was not sent */
    struct eddy_error *error;     /* eddy_stream_set_tcp() only; may be NULL */
};

/**
 * eddy_stream_set_tcp() - change how a live connection behaves
 * @s:       over a TCP socket; filters above it are fine
 * @options: EDDY_OPT(tcp, .keep_idle_s = 60)
 *
 * Does not suspend. Under the simulator nothing changes. One that fails leaves those before it set.
 *
 * Return: 0; -EOPNOTSUPP (no TCP socket); -EINVAL (a value out of range); -EBADF; -EDDY_EFORKED.
 * Source: tcp(7), socket(7).   Since: 0.1
 */
EDDY_API int eddy_stream_set_tcp(struct eddy_stream *s, const struct eddy_tcp_options *options);

/* --- listening ------------------------------------------------------------------------------- */

enum eddy_proxy_mode {
    EDDY_PROXY_NONE,
    EDDY_PROXY_REQUIRED, /* who sends no header in time is dropped; WHO MAY SAY IT: eddy/proxy.h */
};

struct eddy_listen_options {
    size_t size;           /* filled by EDDY_OPT(listen, ...) */
    unsigned backlog;      /* connections the kernel holds for us; 0: 1024 */
    bool reuse_port;       /* several listen, and all said so: the kernel shares out */
    bool v6_only;          /* "[::]:80" takes no IPv4 */
    unsigned mode;         /* of a Unix socket's file, as 0660; 0: what the umask leaves */
    const char *interface; /* only what comes in there, as "lo"; NULL: anywhere */
    const struct eddy_tcp_options *tcp; /* of every connection; may be NULL */
    enum eddy_proxy_mode proxy;         /* a PROXY header comes first, and tells the peer */
    const char *proxy_from;   /* who may send one: "10.0.0.0/8 ::1"; NULL: whoever connects; needs
                               * .proxy */
    int64_t proxy_timeout_ms; /* for the header; 0: 5000 */
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_listen() - listen on an address
 * @address:      port 0: the system chooses, and eddy_listener_address() tells. "systemd:" is the
 *                first inherited socket that nobody has taken, "systemd:NAME" the first of that
 *                name, "fd:3" that descriptor, which is the listener's from then on
 * @options:      EDDY_OPT(listen, .backlog = 64), may be NULL
 * @ret_listener: owned, of this thread's loop
 *
 * Does not suspend. The path of a Unix socket that nobody listens on any more is replaced; it is
 * removed again when the listener goes. With a PROXY header asked for, connections are there when
 * theirs has come: slow ones wait beside, at most 1024 (then the oldest goes).
 *
 * An inherited socket keeps its backlog and its file, and stays blocking if it was: where several
 * processes accept from one that blocks, they may hold each other up (NonBlocking=yes in the unit
 * mends it; the backend uring does not mind). What is no listening stream socket is not touched.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL  not an address, or an option that does not fit   -EADDRINUSE  another program has it
 *   -EACCES, -EPERM  not allowed   -EADDRNOTAVAIL  not an address of this machine
 *   -ENODEV  no such interface     -ENOENT  none such was inherited   -ENOTSOCK  it does not listen
 *   -EBADF   the descriptor of "fd:3" is not open
 *   -EMFILE, -ENFILE, -ENOMEM      no room
 *   -EDDY_ESIM  an interface, or an inherited socket, under the simulator
 * Source: listen(2), bind(2).   Since: 0.1
 */
EDDY_API int eddy_listen(const char *address, const struct eddy_listen_options *options,
                         struct eddy_listener **ret_listener);

/**
 * eddy_listen_inherited() - listen on a socket that was opened for this process
 * @name:         among those of that name (LISTEN_FDNAMES); NULL: among all
 * @index:        from 0 on; one that was taken stays counted
 * @options:      as eddy_listen(); may be NULL
 * @ret_listener: owned
 *
 * Does not suspend. The first call here, of eddy_inherited_count() or with "systemd:" reads the
 * environment (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), clears it, and makes the descriptors
 * close-on-exec: call it before other threads run.
 *
 * Return: as eddy_listen(); -ENOENT (no such), -EBUSY (taken).
 * Source: sd_listen_fds(3).   Since: 0.1
 */
EDDY_API int eddy_listen_inherited(const char *name, unsigned index,
                                   const struct eddy_listen_options *options,
                                   struct eddy_listener **ret_listener);

/** eddy_inherited_count() - how many sockets were opened for this process
 * @name: of that name; NULL: all
 *
 * Those that were taken are counted, too. At most 64 are known.
 *
 * Return: how many; 0 without socket activation.   Source: sd_listen_fds(3).   Since: 0.1 */
EDDY_API unsigned eddy_inherited_count(const char *name);

/** eddy_listener_fd() - the listening socket, to be handed on (eddy/unix.h, a child)
 * @l: open; the descriptor stays the listener's
 *
 * Return: the descriptor.   Source: asyncio's Server.sockets.   Since: 0.1 */
EDDY_API int eddy_listener_fd(const struct eddy_listener *l);

/**
 * eddy_listener_detach() - free a listener, and keep its socket listening
 * @l: freed, on success; see eddy_listener_free() for who waits
 *
 * Does not suspend. The socket goes on gathering connections; a Unix path stays. Connections that
 * had been taken from it and that nobody accepted are closed.
 *
 * Return: a descriptor, the caller's, close-on-exec; or negative: -EMFILE, -EDDY_ESIM,
 * -EDDY_EFORKED.
 * Source: sd_pid_notify_with_fds(3), FDSTORE.   Since: 0.1
 */
EDDY_API int eddy_listener_detach(struct eddy_listener *l);

/** eddy_listener_free() - stop listening
 * @l: NULL is fine. Tasks that wait in eddy_accept() get -EBADF; connections nobody took are closed
 *
 * Return: nothing; the loop ends what is under way.   Source: close(2).   Since: 0.1 */
EDDY_API void eddy_listener_free(struct eddy_listener *l);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_listener)
#endif

/** eddy_listener_address() - where it listens, with the port that the system chose
 * @l:           open
 * @ret_address: written on success
 *
 * Return: 0, or what getsockname(2) says.   Source: getsockname(2).   Since: 0.1 */
EDDY_API int eddy_listener_address(const struct eddy_listener *l, struct eddy_address *ret_address);

/**
 * eddy_accept() - wait for the next connection
 * @l:          any number of tasks may wait, and are served in their order
 * @ret_stream: owned
 *
 * Suspends. Looks at its scope first. Out of descriptors or memory it goes on waiting, tries again
 * every 100 ms, and says so in the log once. Cancelled: nothing happened; a connection that raced
 * in is kept for the next eddy_accept().
 *
 * Return: 0, or negative:
 *   -EDDY_EDRAINING  a scope around this task is being drained   -EBADF  the listener was freed
 *   -EBUSY  the listener belongs to a server   -ECANCELED, -ETIMEDOUT, -EDEADLK  see eddy/task.h
 * Source: accept(2).   Since: 0.1
 */
EDDY_API int eddy_accept(struct eddy_listener *l, struct eddy_stream **ret_stream);

struct eddy_connect_options {
    size_t size;              /* filled by EDDY_OPT(connect, ...) */
    int64_t timeout_ms;       /* the whole job, name included; 0: 30 s; negative: no limit */
    uint16_t default_port;    /* for an address that names none; 0: then it is -EINVAL */
    int family;               /* of a name: AF_INET or AF_INET6 only; 0: both */
    int first_family;         /* tried first; 0: what RFC 6724 puts first */
    int64_t attempt_delay_ms; /* until the next address is tried beside the last; 0: 250 ms */
    const char *source;       /* our end, as "10.0.0.1:0"; of another family it is not used */
    const char *interface;    /* out by this one only, as "eth0" */
    const struct eddy_tcp_options *tcp;    /* may be NULL */
    const struct eddy_proxy *proxy_header; /* sent first; no source and not local: our own end */
    struct eddy_error *error;              /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_connect() - connect to an address or a name
 * @address:    "example.org:80", "[::1]:80", "unix:/run/x.sock"
 * @options:    EDDY_OPT(connect, .timeout_ms = 2000), may be NULL
 * @ret_stream: owned
 *
 * Suspends. Looks at its scope first. A name's addresses are tried as RFC 8305 says ("happy
 * eyeballs"): IPv6 and IPv4 in turn, the next one at once when one fails, and else beside those
 * that are under way when .attempt_delay_ms (10 at least) have passed. It begins when the addresses
 * of the first family are known, or 50 ms after those of the other. The first that connects is it,
 * and the others are closed. Cancelled: nothing is left behind.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL        not an address, or .source, .tcp, .proxy_header is none
 *   -EDDY_ENONAME, -EDDY_ERESOLVER  as eddy_resolve()
 *   -EADDRNOTAVAIL, -ENODEV, -EPERM, -EADDRINUSE  .source or .interface cannot be had
 *   -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -ENOENT (unix:)  what the address said; of several
 *                  the most telling (refused before out of reach), and the text names all tried
 *   -ETIMEDOUT     .timeout_ms passed, or the scope's deadline
 *   -EDDY_EPEER_TIMEOUT  the kernel gave up    -EMFILE, -ENOMEM
 *   -ECANCELED     an outer scope ended     -EDEADLK  in a callback
 * Source: connect(2).   Since: 0.1
 */
EDDY_API int eddy_connect(const char *address, const struct eddy_connect_options *options,
                          struct eddy_stream **ret_stream);

/* --- for eddy's own servers and clients ------------------------------------------------------ */

/* As eddy_connect(), with the callback face: @ret_t is owned and paused. */
EDDY_PRIVATE int eddy__connect_transport(const char *address,
                                         const struct eddy_connect_options *options,
                                         struct eddy_transport **ret_t);

/* Have @on_accept called, from the loop, for every connection: @t is owned by the callee, paused.
 * Start again after a stop to go on; eddy_accept() is refused while started. -EBUSY: started, or
 * tasks wait in eddy_accept(). */
EDDY_PRIVATE int eddy__listener_start(struct eddy_listener *l,
                                      void (*on_accept)(void *ctx, struct eddy_transport *t),
                                      void *ctx);

/* No more on_accept; may be called inside it. What the kernel has accepted already is kept. */
EDDY_PRIVATE void eddy__listener_stop(struct eddy_listener *l);

EDDY_END

#endif
