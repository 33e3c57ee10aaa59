/*
 * loop/sim.h - the simulator from inside, and what its tests may ask of it
 *
 *   driver_sim.c   the driver: operations, the turn, the virtual clocks
 *   sim_slot.c     descriptors, and errands: what is under way and has none
 *   sim_net.c      listeners, connections, the bytes on their way
 *   sim_datagram.c datagrams
 *   sim_refuse.c   what it does not do
 *   sim_host.c     hosts: names, addresses, who is where, crashes
 *   sim_fault.c    the rows of what goes wrong
 *   sim_disk.c     the files of one host, and what a crash leaves of them
 *   sim_names.c    their names, and in which order these reach the disk
 *   sim_file.c     operations on them
 *   sim_queue.c    the queue of events, the dice, the hash of what happened
 *   sim_public.c   eddy/sim.h
 *
 * Everything that happens is an event with a virtual time. The turn takes the earliest and
 * moves the clock to it; events of one time are ordered by dice, then by the order in which
 * they were made. No address of anything takes part in an order, so one seed is one history.
 *
 * Memory is reserved where a descriptor is made: a descriptor has at most SIM_EVENTS
 * events in the queue, so posting one cannot fail, and its number is not given out again while
 * events for it are still queued.
 */
#ifndef EDDY_LOOP_SIM_H
#define EDDY_LOOP_SIM_H

#include "loop/driver.h"

#include <eddy/sim.h>

#include <netinet/in.h>
#include <stdatomic.h>

#define SIM_FD 1048576 /* the first virtual descriptor */
#define SIM_PIPE 65536 /* bytes of one direction that may be unread */
#define SIM_FLIGHTS 8  /* pieces of one direction on their way at a time */
#define SIM_EVENTS 16  /* flights, and at most one of each other kind */
#define SIM_LEND 16384 /* bytes lent at a time */
#define SIM_HOSTS_MAX 65534
#define SIM_NAME_MAX 253
#define SIM_DISK_BYTES ((size_t)64 << 20)
#define SIM_START_NS 1000000000          /* of the monotonic clock: not 0, which means unset */
#define SIM_REPEAT_NS INT64_C(200000000) /* what is lost is sent again after it, doubled ... */
#define SIM_REPEAT_MAX_NS INT64_C(120000000000) /* ... up to this: TCP's RTO, RFC 6298 */
#define SIM_GIVE_UP_NS INT64_C(924000000000)    /* tcp_retries2's default, tcp(7) */

enum sim_kind {
    SIM_READ,    /* look whether the reading operation can go on */
    SIM_WRITE,   /* likewise the writing one */
    SIM_CLOSE,   /* a CLOSE takes effect */
    SIM_CONNECT, /* a connect reaches the listener */
    SIM_ARRIVE,  /* a piece of bytes arrives */
    SIM_END,     /* the peer's half-close or close arrives */
    SIM_RESET,   /* the peer's reset arrives */
    SIM_ERRAND,  /* an errand is done */
    SIM_CRASH,   /* only in the log, as those below: a host goes down */
    SIM_DONE     /* a completion */
};

struct sim_event {
    int64_t at_ns;
    uint64_t tie;   /* dice */
    uint64_t order; /* of making */
    uint32_t slot;
    uint32_t bytes; /* ARRIVE; CONNECT: which try */
    enum sim_kind kind;
};

enum sim_type {
    SIM_FREE,
    SIM_LISTENER,
    SIM_CONNECTING,
    SIM_STREAM,
    SIM_FILE,
    SIM_DATAGRAM,
    SIM_ON_ERRAND /* no descriptor: a look-up, or an operation on a file */
};

/* An operation's place at a descriptor. */
struct sim_side {
    struct eddy_op *op;
    bool queued;    /* an event that looks at it is in the queue */
    bool cancelled; /* a cancel was asked for, and answered "later" */
};

/* A virtual descriptor. The pipe in it is the incoming direction. */
struct sim_slot {
    enum sim_type type;
    uint32_t index;
    unsigned events; /* in the queue, for this slot */
    uint16_t host, remote_host;
    struct sim_side read, write, close; /* an errand: write */
    struct sockaddr_storage local, remote;
    socklen_t local_len, remote_len;

    struct eddy_list queue; /* LISTENER: of connections to be accepted; STREAM: a link there;
                             * DATAGRAM: of those that have arrived */
    unsigned queued, backlog;
    bool reuse_port, v6_only;

    struct eddy_list coming; /* DATAGRAM: of those on their way, the earliest first */

    struct sim_slot *peer; /* NULL: closed */
    bool shut;             /* this side's writing has ended */
    bool ended;            /* the peer's has; bytes that were held may still come */
    bool reset;            /* the connection, or what else it is, is dead ... */
    int why;               /* ... which is told once with this: 0: -ECONNRESET */
    bool reset_told;       /* and an operation has said so */
    bool reset_queued;
    char *in;
    size_t in_cap, in_head, arrived, flying;
    unsigned flights;
    int64_t last_arrival_ns; /* pieces do not overtake each other */
    int64_t held_ns;         /* before it nothing arrives: something was lost, and is sent again */
    int64_t lost_since_ns;   /* when the first try of that was lost; 0: nothing is lost */
    int64_t repeat_ns;       /* how long the next repetition takes */
    bool mute;               /* the sender has given up: nothing arrives any more */

    struct sim_file *file; /* FILE; ON_ERRAND: what it works on, or NULL */
    int flags;             /* FILE: of open(2) */
    int64_t position;      /* FILE */
};

struct sim_host {
    char name[SIM_NAME_MAX + 1]; /* small letters */
    bool down;
    struct sim_file *files;     /* newest first */
    struct sim_name *names;     /* newest first */
    struct sim_change *journal; /* of names: what is not on the disk yet, oldest first */
    size_t journal_count;
    uint64_t next_ino;
    size_t disk_used;
};

struct sim_rule {
    struct eddy_sim_fault fault; /* .from and .to are not used ... */
    int from, to;                /* ... but these: a host, or -1 */
    int64_t at_ns, until_ns;
};

struct sim {
    struct eddy_driver driver; /* first */
    bool short_io;
    int64_t now_ns;
    int64_t wall_offset_ns;
    uint64_t seed;
    uint64_t dice;       /* decides what happens */
    uint64_t randomness; /* what the program asked for: using it changes no order */
    uint64_t hash;
    uint64_t order;
    struct sim_event *heap;
    size_t heap_count, heap_cap;
    struct sim_slot **slots;
    uint32_t *unused; /* a stack of slots to be given out again */
    size_t slot_count, slot_cap, unused_count;
    uint16_t next_port;
    char *lend;
    struct sim_host **hosts; /* [0] is "" */
    size_t host_count, host_cap;
    struct sim_rule *rules;
    size_t rule_count, rule_cap;
    int family; /* of the connection or look-up that rules are asked about; 0: of neither */
    size_t disk_bytes;
    const char *refused[8]; /* what the log has been told of */
    int event_fd;
    atomic_bool woken;
};

static inline struct sim *eddy_sim_of(struct eddy_driver *d)
{
    return eddy_container_of(d, struct sim, driver);
}

/* The hash covers kind, descriptor, bytes and time of all that happened. */
uint64_t eddy_sim_history(const struct eddy_driver *d);
/* Reset the connection @fd is an end of, at both ends, now; bytes on their way are lost. */
int eddy_sim_cut_fd(struct eddy_driver *d, int fd);

/* sim_queue.c */
uint64_t eddy_sim_next(uint64_t *state);
uint64_t eddy_sim_roll(struct sim *s, uint64_t sides); /* 0..sides-1 */
int64_t eddy_sim_latency(struct sim *s, int from, int to);
int64_t eddy_sim_delay(struct sim *s, const struct eddy_sim_fault *latency); /* by that row */
void eddy_sim_log(struct sim *s, enum sim_kind kind, uint32_t slot, uint64_t bytes);
int eddy_sim_reserve(struct sim *s, size_t events);
void eddy_sim_post(struct sim *s, struct sim_slot *slot, enum sim_kind kind, int64_t at_ns,
                   uint32_t bytes);
struct sim_event eddy_sim_pop(struct sim *s);

/* sim_slot.c */
struct sim_slot *eddy_sim_slot(const struct sim *s, int fd); /* NULL: not one */
int eddy_sim_slot_new(struct sim *s, enum sim_type type, struct sim_slot **ret_slot);
void eddy_sim_slot_free(struct sim *s, struct sim_slot *slot);
void eddy_sim_slot_settle(struct sim *s, struct sim_slot *slot); /* an event is gone */
int eddy_sim_fd(const struct sim_slot *slot);
void eddy_sim_look(struct sim *s, struct sim_slot *slot, enum sim_kind kind);
/* Begin an errand for @op, done after @delay_ns: true, or false with the error in op->res. */
bool eddy_sim_errand(struct sim *s, struct eddy_op *op, int64_t delay_ns);
struct sim_slot *eddy_sim_errand_of(const struct sim *s, const struct eddy_op *op);
/* How much of @len is moved at a time: mostly all, sometimes a part; a few bytes if asked. */
size_t eddy_sim_some_of(struct sim *s, int from, int to, size_t len);

/* sim_net.c */
in_port_t eddy_sim_port(const struct sockaddr_storage *addr); /* network order */
int eddy_sim_copy_address(struct sockaddr_storage *to, const struct sockaddr *addr, socklen_t len);
int eddy_sim_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, int backlog,
                    const struct eddy_socket_options *options);
int eddy_sim_shutdown(struct eddy_driver *d, int fd);
int eddy_sim_address(struct eddy_driver *d, int fd, bool peer, struct sockaddr_storage *ret_addr,
                     socklen_t *ret_len);
bool eddy_sim_is_any(const struct sockaddr_storage *a);
bool eddy_sim_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* Whether an address that is sent to, or to be bound, means this socket of that type and host. */
bool eddy_sim_is_match(struct sim_slot *slot, enum sim_type type, struct sockaddr_storage *addr,
                       socklen_t len, int host);
/* A new socket at an address of the host that asks: port 0 becomes a free one. 0, -EADDRNOTAVAIL,
 * -ENETDOWN, -EADDRINUSE, or why there is no socket. */
int eddy_sim_bound(struct sim *s, enum sim_type type, const struct sockaddr_storage *local,
                   socklen_t len, bool shared, struct sim_slot **ret_slot);
/* The socket of a CONNECT on host @here, which has what it was asked to have; or why it cannot. */
int eddy_sim_client_new(struct sim *s, const struct eddy_op *op, int here,
                        struct sim_slot **ret_slot);
/* The connect has reached the network: 0, -EAGAIN (backlog full), or an error. */
int eddy_sim_establish(struct sim *s, struct sim_slot *client);
/* Take the oldest connection from a listener; NULL when there is none. */
struct sim_slot *eddy_sim_accept(struct sim_slot *listener);
/* Put some of @len bytes on their way: how many, 0 when there is no room, or an error. */
ssize_t eddy_sim_write(struct sim *s, struct sim_slot *slot, const char *bytes, size_t len);
/* Take some of what has arrived, at most @cap. 0: nothing has. */
size_t eddy_sim_read(struct sim *s, struct sim_slot *slot, char *buf, size_t cap);
void eddy_sim_arrive(struct sim *s, struct sim_slot *slot, const struct sim_event *event);
void eddy_sim_close(struct sim *s, struct sim_slot *slot);
/* A crash has taken away a listener, a connection, or what else the slot is. */
void eddy_sim_kill(struct sim *s, struct sim_slot *slot);
void eddy_sim_reset(struct sim *s, struct sim_slot *slot); /* both ends, now */

/* sim_datagram.c */
extern const struct eddy_datagram_ops eddy_sim_datagrams;
void eddy_sim_datagrams_arrive(struct sim *s, struct sim_slot *slot);
unsigned eddy_sim_datagrams_ready(const struct sim_slot *slot); /* EDDY_READABLE, or 0 */
void eddy_sim_datagrams_free(struct sim_slot *slot);

/* sim_host.c */
int eddy_sim_host_find(const struct sim *s, const char *name); /* -ENOENT; NULL is "" */
int eddy_sim_host_have(struct sim *s, const char *name);
int eddy_sim_host_here(struct sim *s); /* of the code that runs */
/* Whose an address is; @own answers for loopback and the addresses nobody else has. Of the blocks
 * for hosts, what is nobody's is -1. */
int eddy_sim_host_at(const struct sim *s, const struct sockaddr_storage *addr, int own);
void eddy_sim_host_address(int host, int family, struct sockaddr_storage *addr);
int eddy_sim_lookup(struct sim *s, struct sim_slot *errand, struct eddy_op *op);
bool eddy_sim_lookup_submit(struct sim *s, struct eddy_op *op); /* as a driver's submit */
void eddy_sim_host_free(struct sim_host *host);

/* sim_fault.c */
int eddy_sim_rule_add(struct sim *s, const struct eddy_sim_fault *fault);
/* The row that counts, now; NULL: none. Its per_mille is rolled for. */
const struct eddy_sim_fault *eddy_sim_rule(struct sim *s, enum eddy_sim_fault_kind kind, int from,
                                           int to, uint16_t port);
bool eddy_sim_is_lost(struct sim *s, int from, int to);

/* sim_disk.c: NULL, or negative: as the calls of open(2)'s family say it. */
struct sim_file {
    struct sim_file *next;
    char *path;        /* of a directory: where it is, absolute; else NULL */
    char *moving;      /* sim_names.c's */
    char *data, *safe; /* what is read; what a crash leaves for certain */
    size_t size, cap, safe_size, safe_cap;
    bool is_directory;
    unsigned users; /* descriptors, and operations under way */
    unsigned names; /* that it has */
    unsigned kept;  /* that it had, and may have again after a crash */
    unsigned mode;
    uint64_t ino;
    int64_t changed_ns; /* wall clock */
};
int eddy_sim_disk_path(const char *dir, const char *path, char *buf, size_t cap);
int eddy_sim_disk_open(struct sim *s, struct sim_host *h, const char *path, int flags,
                       unsigned mode, struct sim_file **ret);
void eddy_sim_disk_drop(struct sim_host *h, struct sim_file *f); /* one user less */
ssize_t eddy_sim_disk_write(struct sim *s, struct sim_host *h, struct sim_file *f, const char *ptr,
                            size_t len, size_t offset);
int eddy_sim_disk_mkdir(struct sim *s, struct sim_host *h, const char *path, unsigned mode);
int eddy_sim_disk_sync(struct sim_host *h, struct sim_file *f); /* its bytes, or its names */
void eddy_sim_disk_crash(struct sim *s, struct sim_host *h);
void eddy_sim_disk_free(struct sim_host *h);

/* sim_names.c */
struct sim_file *eddy_sim_disk_find(struct sim_host *h, const char *path); /* NULL: no such name */
bool eddy_sim_disk_is_directory(struct sim_host *h, const char *path);
bool eddy_sim_disk_is_through_a_file(const struct sim_host *h, const char *path); /* "f/x" */
int eddy_sim_disk_name(struct sim_host *h, const char *path, struct sim_file *f); /* one more */
int eddy_sim_disk_unlink(struct sim_host *h, const char *path, bool directory);
int eddy_sim_disk_link(struct sim_host *h, const char *from, const char *to);
int eddy_sim_disk_rename(struct sim_host *h, const char *from, const char *to, bool no_replace);
void eddy_sim_disk_sync_names(struct sim_host *h, const struct sim_file *f);
void eddy_sim_disk_settle_names(struct sim_host *h);
void eddy_sim_disk_crash_names(struct sim *s, struct sim_host *h);
void eddy_sim_disk_free_names(struct sim_host *h);

/* sim_file.c */
bool eddy_sim_file_submit(struct sim *s, struct eddy_op *op); /* as a driver's submit */
int eddy_sim_file_do(struct sim *s, struct sim_slot *errand, struct eddy_op *op);

/* driver_sim.c */
/* Of the simulation made last; 0: none. For reports about what failed under it. */
EDDY_PRIVATE uint64_t eddy__sim_last_seed(bool forget);

/* sim_refuse.c */
int eddy_sim_refused(struct sim *s,
                     const char *what); /* -EDDY_ESIM, and the log hears of it once */

/* -EDDY_ESIM for a real descriptor, which is refused so, -EBADF for none at all. */
int eddy_sim_not_ours(struct sim *s, int fd);

#endif
