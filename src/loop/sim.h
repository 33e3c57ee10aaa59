/*
 * loop/sim.h - the simulator from inside, and what its tests may ask of it
 *
 *   driver_sim.c   the driver: operations, the turn, the virtual clock
 *   sim_net.c      descriptors, connections, the bytes on their way
 *   sim_queue.c    the queue of events, the dice, the hash of what happened
 *
 * Everything that happens is an event with a virtual time. The turn takes the earliest and
 * moves the clock to it; events of one time are ordered by dice, then by the order in which
 * they were made. No address of anything takes part in an order, so one seed is one history.
 *
 * Memory is reserved where a descriptor is made: a descriptor has at most EDDY_SIM_EVENTS
 * events in the queue, so posting one cannot fail, and its number is not given out again while
 * events for it are still queued.
 */
#ifndef EDDY_LOOP_SIM_H
#define EDDY_LOOP_SIM_H

#include "loop/driver.h"

#include <stdatomic.h>

#define EDDY_SIM_FD 1048576 /* the first virtual descriptor */
#define EDDY_SIM_PIPE 65536 /* bytes of one direction that may be unread */
#define EDDY_SIM_FLIGHTS 8  /* pieces of one direction on their way at a time */
#define EDDY_SIM_EVENTS 16  /* flights, and at most one of each other kind */
#define EDDY_SIM_LEND 16384 /* bytes lent at a time */

enum eddy_sim_kind {
    EDDY_SIM_READ,    /* look whether the reading operation can go on */
    EDDY_SIM_WRITE,   /* likewise the writing one */
    EDDY_SIM_CLOSE,   /* a CLOSE takes effect */
    EDDY_SIM_CONNECT, /* a connect reaches the listener */
    EDDY_SIM_ARRIVE,  /* a piece of bytes arrives */
    EDDY_SIM_END,     /* the peer's half-close or close arrives */
    EDDY_SIM_RESET,   /* the peer's reset arrives */
    EDDY_SIM_DONE     /* only in the log: a completion */
};

struct eddy_sim_event {
    int64_t at_ns;
    uint64_t tie;   /* dice */
    uint64_t order; /* of making */
    uint32_t slot;
    uint32_t bytes; /* ARRIVE; CONNECT: which try */
    enum eddy_sim_kind kind;
};

enum eddy_sim_type { EDDY_SIM_FREE, EDDY_SIM_LISTENER, EDDY_SIM_CONNECTING, EDDY_SIM_STREAM };

/* An operation's place at a descriptor. */
struct eddy_sim_side {
    struct eddy_op *op;
    bool queued;    /* an event that looks at it is in the queue */
    bool cancelled; /* a cancel was asked for, and answered "later" */
};

/* A virtual descriptor. The pipe in it is the incoming direction. */
struct eddy_sim_slot {
    enum eddy_sim_type type;
    uint32_t index;
    unsigned events; /* in the queue, for this slot */
    struct eddy_sim_side read, write, close;
    struct sockaddr_storage local, remote;
    socklen_t local_len, remote_len;

    struct eddy_list queue; /* LISTENER: of connections to be accepted; STREAM: a link there */
    unsigned queued, backlog;
    bool reuse_port;

    struct eddy_sim_slot *peer; /* NULL: closed */
    bool shut;                  /* this side's writing has ended */
    bool ended;                 /* the peer's has, and all its bytes have arrived */
    bool reset;                 /* the connection is dead */
    bool reset_told;            /* and an operation has said so */
    bool reset_queued;
    char *in;
    size_t in_cap, in_head, arrived, flying;
    unsigned flights;
    int64_t last_arrival_ns; /* pieces do not overtake each other */
};

struct eddy_sim {
    struct eddy_driver driver; /* first */
    bool short_io;
    int64_t now_ns;
    uint64_t dice;       /* decides what happens */
    uint64_t randomness; /* what the program asked for: using it changes no order */
    uint64_t hash;
    uint64_t order;
    struct eddy_sim_event *heap;
    size_t heap_count, heap_cap;
    struct eddy_sim_slot **slots;
    uint32_t *unused; /* a stack of slots to be given out again */
    size_t slot_count, slot_cap, unused_count;
    uint16_t next_port;
    char *lend;
    int event_fd;
    atomic_bool woken;
};

/* For tests. The hash covers kind, descriptor, bytes and time of all that happened. */
uint64_t eddy_sim_hash(const struct eddy_driver *d);
/* Reset the connection @fd is an end of, at both ends, now; bytes on their way are lost. */
int eddy_sim_cut(struct eddy_driver *d, int fd);

/* sim_queue.c */
uint64_t eddy_sim_next(uint64_t *state);
uint64_t eddy_sim_roll(struct eddy_sim *s, uint64_t sides); /* 0..sides-1 */
int64_t eddy_sim_latency(struct eddy_sim *s);
void eddy_sim_log(struct eddy_sim *s, enum eddy_sim_kind kind, uint32_t slot, uint64_t bytes);
int eddy_sim_reserve(struct eddy_sim *s, size_t events);
void eddy_sim_post(struct eddy_sim *s, struct eddy_sim_slot *slot, enum eddy_sim_kind kind,
                   int64_t at_ns, uint32_t bytes);
struct eddy_sim_event eddy_sim_pop(struct eddy_sim *s);

/* sim_net.c */
struct eddy_sim_slot *eddy_sim_slot(const struct eddy_sim *s, int fd); /* NULL: not one */
int eddy_sim_slot_new(struct eddy_sim *s, enum eddy_sim_type type, struct eddy_sim_slot **ret_slot);
void eddy_sim_slot_free(struct eddy_sim *s, struct eddy_sim_slot *slot);
void eddy_sim_slot_settle(struct eddy_sim *s, struct eddy_sim_slot *slot); /* an event is gone */
int eddy_sim_fd(const struct eddy_sim_slot *slot);
void eddy_sim_look(struct eddy_sim *s, struct eddy_sim_slot *slot, enum eddy_sim_kind kind);
int eddy_sim_copy_address(struct sockaddr_storage *to, const struct sockaddr *addr, socklen_t len);
int eddy_sim_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, int backlog,
                    bool reuse_port);
int eddy_sim_shutdown(struct eddy_driver *d, int fd);
int eddy_sim_address(struct eddy_driver *d, int fd, bool peer, struct sockaddr_storage *ret_addr,
                     socklen_t *ret_len);
/* The connect has reached the network: 0, -EAGAIN (backlog full), or an error. */
int eddy_sim_establish(struct eddy_sim *s, struct eddy_sim_slot *client);
/* Take the oldest connection from a listener; NULL when there is none. */
struct eddy_sim_slot *eddy_sim_accept(struct eddy_sim_slot *listener);
/* Put some of @len bytes on their way: how many, 0 when there is no room, or an error. */
ssize_t eddy_sim_write(struct eddy_sim *s, struct eddy_sim_slot *slot, const char *bytes,
                       size_t len);
/* Take some of what has arrived, at most @cap. 0: nothing has. */
size_t eddy_sim_read(struct eddy_sim *s, struct eddy_sim_slot *slot, char *buf, size_t cap);
void eddy_sim_arrive(struct eddy_sim *s, struct eddy_sim_slot *slot,
                     const struct eddy_sim_event *event);
void eddy_sim_close(struct eddy_sim *s, struct eddy_sim_slot *slot);

#endif
