/*
 * loop/driver.h - what carries operations out: a poller, a ring, or a simulation
 *
 * One struct of functions; the chosen one is data, so every test runs on every driver.
 *
 *   driver_ready.c   any poller: tries first, waits where the call would block, tries again
 *   driver_uring.c   io_uring: submits in one batch a turn, takes completions
 *   driver_sim.c     a network, a clock and a dice of its own
 */
#ifndef EDDY_LOOP_DRIVER_H
#define EDDY_LOOP_DRIVER_H

#include "loop/op.h"

#include <assert.h>
#include <stdatomic.h>

struct eddy_loop;
struct eddy_driver;

struct eddy_driver_config {
    const char *backend; /* "select" "poll" "epoll": the ready driver's poller; "uring"; "sim" */
    uint64_t seed;       /* sim: decides all order, delays and cuts */
    bool short_io;       /* tests: every receive and send moves a few bytes at most */
};

/* Datagrams of a made-up network: as the system's calls, on descriptors that POLL takes. */
struct eddy_datagram_ops {
    /* Bound, to a port of its own for 0. @shared: with others that say so, too. */
    int (*open)(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, bool shared,
                bool v6_only);
    int (*connect)(struct eddy_driver *d, int fd, const struct sockaddr *addr, socklen_t len);
    ssize_t (*send)(struct eddy_driver *d, int fd, const struct msghdr *message);
    ssize_t (*receive)(struct eddy_driver *d, int fd, struct msghdr *message);
};

struct eddy_driver_ops {
    const char *name;

    /* Allocates the driver, whose first member is a struct eddy_driver. Negative: what the
     * kernel refused, with the reason for a person in @why (a constant text, or untouched). */
    int (*open)(const struct eddy_driver_config *config, struct eddy_driver **ret_driver,
                const char **why);
    /* Nothing may be pending. */
    void (*close)(struct eddy_driver *d);

    /* See op.h: true means complete, done() not called. */
    bool (*submit)(struct eddy_driver *d, struct eddy_op *op);
    bool (*cancel)(struct eddy_driver *d, struct eddy_op *op);

    /* Submit what is gathered, wait at most @timeout_ns (0: do not; negative: for ever; and
     * not at all when something is complete already), call done() for what is complete, a
     * bounded number. Returns how many, or a negative errno; -EINTR is 0. */
    int (*turn)(struct eddy_driver *d, int64_t timeout_ns);

    /* End the current or next wait of turn(). From any thread, and from signal handlers. */
    void (*wake)(struct eddy_driver *d);

    /* What never suspends. */
    int (*listen)(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, int backlog,
                  const struct eddy_socket_options *options); /* a bound, listening descriptor */
    int (*shutdown)(struct eddy_driver *d, int fd);           /* the writing side */
    int (*address)(struct eddy_driver *d, int fd, bool peer, struct sockaddr_storage *ret_addr,
                   socklen_t *ret_len);

    int64_t (*now_ns)(struct eddy_driver *d);
    int64_t (*wall_ns)(struct eddy_driver *d);
    int (*random)(struct eddy_driver *d, void *buf, size_t len);

    /* Both for a loop inside another's (guest.c), or both NULL: the descriptors, at most two, of
     * which one is readable while a turn without a wait would find something (how many, or an
     * error); and what to do before the host sleeps on them, which answers whether a turn is
     * wanted all the same. */
    int (*descriptors)(struct eddy_driver *d, int ret_fds[2]);
    bool (*rest)(struct eddy_driver *d);

    /* In the child of a fork, maybe in the middle of turn(): tell nobody anything more, close the
     * driver's own descriptors, touch nothing that the parent goes on with. */
    void (*abandon)(struct eddy_driver *d);

    /* Only where everything is made up, NULL elsewhere: 0..sides-1, for all that a real machine
     * leaves open (what of the ready runs first, how long a thread takes). Such a driver does
     * EDDY_OP_LOOKUP, too. */
    uint64_t (*dice)(struct eddy_driver *d, uint64_t sides);
    const struct eddy_datagram_ops *datagrams; /* likewise; elsewhere they are the kernel's */
};

struct eddy_driver {
    const struct eddy_driver_ops *ops;
    const char *backend; /* the name under which it was asked for: "epoll", "uring" */
    unsigned pending;    /* operations submitted and not complete; by the two functions below */
    unsigned in_flight[EDDY_OP_KINDS]; /* the same, by kind */
    atomic_bool *asleep;    /* the loop's; false from the end of the wait on. NULL with the clock */
    struct eddy_loop *loop; /* whose it is; file operations of the ready driver go to its pool */
    int64_t *clock;         /* turn() writes the time here, between its wait and the first done() */
};

static inline bool eddy_driver_is_simulated(const struct eddy_driver *d)
{
    return d->ops->dice != NULL;
}

/* An operation is the driver's from here ... */
static inline void eddy_driver_began(struct eddy_driver *d, struct eddy_op *op)
{
    assert(!op->pending);
    op->pending = true;
    d->pending++;
    d->in_flight[op->kind]++;
}

/* ... to here: the last thing before its result is told. */
static inline void eddy_driver_ended(struct eddy_driver *d, struct eddy_op *op)
{
    assert(op->pending && d->in_flight[op->kind] > 0);
    op->pending = false;
    d->pending--;
    d->in_flight[op->kind]--;
}

/* The wait of turn() is over, at @now_ns, and what is complete will be told. */
static inline void eddy_driver_waited(struct eddy_driver *d, int64_t now_ns)
{
    if (!d->clock)
        return; /* a driver by itself, in a test */
    *d->clock = now_ns;
    atomic_store_explicit(d->asleep, false, memory_order_relaxed);
}

extern const struct eddy_driver_ops eddy_driver_ready;
extern const struct eddy_driver_ops eddy_driver_uring;
extern const struct eddy_driver_ops eddy_driver_sim;
extern const struct eddy_driver_ops eddy_driver_dead; /* fork.c: the parent's, seen by a child */

/* sockets.c: what the two drivers on a real kernel share. */
int eddy_sockets_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len,
                        int backlog, const struct eddy_socket_options *options);
int eddy_sockets_shutdown(struct eddy_driver *d, int fd);
int eddy_sockets_address(struct eddy_driver *d, int fd, bool peer,
                         struct sockaddr_storage *ret_addr, socklen_t *ret_len);
/* A non-blocking socket, TCP_NODELAY set; then its options, which may be NULL. */
int eddy_sockets_open(const struct sockaddr *addr, const struct eddy_socket_options *options);
/* The settings alone, of a socket that may be in use. */
EDDY_PRIVATE int eddy__sockets_set(int fd, const struct eddy_socket_setting *settings,
                                   unsigned count);
int64_t eddy_sockets_now_ns(struct eddy_driver *d);
int64_t eddy_sockets_wall_ns(struct eddy_driver *d);
int eddy_sockets_random(struct eddy_driver *d, void *buf, size_t len);

/* What one SEND moves before others have their turn: a peer that reads as fast as we write would
 * hold the loop, and one piece of work for the kernel that long cannot be seen to make progress. */
#define EDDY_SEND_A_TURN ((size_t)1 << 20)

/* How many of the pieces of a SEND, from the first on, hold at most @max bytes together; 0: the
 * first holds more. */
static inline unsigned eddy_op_send_pieces(const struct eddy_op *op, size_t max)
{
    const unsigned most = op->send.count < 1024 ? op->send.count : 1024; /* IOV_MAX */
    unsigned n = 0;

    for (; n < most && op->send.iov[n].iov_len <= max; n++)
        max -= op->send.iov[n].iov_len;
    return n;
}

/* 0, or -EMSGSIZE: more than a result could say. */
static inline int eddy_op_send_check(const struct eddy_op *op)
{
    size_t total = 0;

    for (unsigned i = 0; i < op->send.count; i++) {
        if (op->send.iov[i].iov_len > INT32_MAX - total)
            return -EMSGSIZE;
        total += op->send.iov[i].iov_len;
    }
    return 0;
}

/* A result of the kernel as an operation's: the connection's own ETIMEDOUT gets its own name. */
static inline int eddy_op_result(ssize_t r)
{
    return r == -ETIMEDOUT ? -EDDY_EPEER_TIMEOUT : (int)r;
}

#endif
