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
 * "unix:/run/x.sock", "unix:@name"; to connect, a name will do.
 */
#ifndef EDDY_NET_H
#define EDDY_NET_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/stream.h>

EDDY_BEGIN

struct eddy_listener;
struct eddy_address;

struct eddy_listen_options {
    size_t size;              /* filled by EDDY_OPT(listen, ...) */
    unsigned backlog;         /* connections the kernel holds for us; 0: 1024 */
    bool reuse_port;          /* several processes listen, the kernel shares out */
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_listen() - listen on an address
 * @address:      port 0: the system chooses, and eddy_listener_address() tells
 * @options:      EDDY_OPT(listen, .backlog = 64), may be NULL
 * @ret_listener: owned, of this thread's loop
 *
 * Does not suspend. The path of a Unix socket that nobody listens on any more is replaced; it is
 * removed again when the listener goes.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL  not an address        -EADDRINUSE     another program has it
 *   -EACCES  not allowed           -EADDRNOTAVAIL  not an address of this machine
 *   -EMFILE, -ENFILE, -ENOMEM      no room
 * Source: listen(2), bind(2).   Since: 0.1
 */
EDDY_API int eddy_listen(const char *address, const struct eddy_listen_options *options,
                         struct eddy_listener **ret_listener);

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
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_connect() - connect to an address or a name
 * @address:    "example.org:80", "[::1]:80", "unix:/run/x.sock"
 * @options:    EDDY_OPT(connect, .timeout_ms = 2000), may be NULL
 * @ret_stream: owned
 *
 * Suspends. Looks at its scope first. A name is resolved, and its addresses are tried one after the
 * other, each with its fair share of the time that is left. Cancelled: nothing is left behind.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL        not an address           -EDDY_ENONAME, -EDDY_ERESOLVER  as eddy_resolve()
 *   -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -ENOENT (unix:)  what the last address said
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
