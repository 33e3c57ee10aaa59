/*
 * loop/uring.h - the ring from inside
 *
 *   driver_uring.c     the driver: submit, cancel, the turn (its head says the model)
 *   uring_arm.c        entries of the submission queue
 *   uring_complete.c   what completions mean
 *   uring_file.c       both for the operations on files
 *   uring_ring.c       the ring itself, its buffers, who is pending on a descriptor
 */
#ifndef EDDY_LOOP_URING_H
#define EDDY_LOOP_URING_H

#include "loop/driver.h"

#include <liburing.h>

enum {
    EDDY_URING_BUFFER_LEN = 8192,
    /* Not a power of two: heads of small messages would all fall into the same cache sets. */
    EDDY_URING_STRIDE = EDDY_URING_BUFFER_LEN + 320,
    EDDY_URING_GROUP = 1 /* of the buffer ring */
};

/* In the low bits of the user data: an operation's address, or one of the driver's own. */
enum {
    EDDY_URING_OP,
    EDDY_URING_CANCEL, /* an answer of no interest */
    EDDY_URING_WAKE,
    EDDY_URING_TIMER,
    EDDY_URING_TAGS = 7
};

/* op->state, bits. */
enum {
    EDDY_URING_IN_FLIGHT = 1, /* the kernel has it, or the submission queue */
    EDDY_URING_LISTED = 2,    /* in starved or backlog */
    EDDY_URING_CANCELLED = 4, /* asked for; not armed again */
    EDDY_URING_POLLING = 8,   /* of a file: in flight is a wait for readiness */
    EDDY_URING_THREAD = 16,   /* of a file: a thread of the pool has it */
};

/* Sides of a descriptor that an operation is pending on. */
enum { EDDY_URING_READ = 1, EDDY_URING_WRITE = 2 };

/* What the rare paths did, for the tests that claim to take them. */
struct eddy_uring_counts {
    uint64_t starved;   /* LENDs that found no buffer */
    uint64_t rearmed;   /* operations armed again, the starved ones not among them */
    uint64_t overflows; /* turns that found the completion queue overflown */
    uint64_t enters;    /* system calls made by turn() */
    uint64_t timers;    /* times the kept timer was set or moved */
};

struct eddy_uring {
    struct eddy_driver base;
    struct io_uring ring;
    bool ring_open;
    bool short_io;
    bool has_names;        /* entries for RENAME and its like */
    bool has_taskrun_flag; /* the kernel says in shared memory when entering is worth it */
    int event_fd;
    int told_fd; /* the kernel writes to it when there is something; -1: nobody asked */
    bool polled; /* descriptors were polled at the last rest() */
    unsigned entries;
    unsigned cq_mask;
    unsigned features;      /* EDDY_RING_..., of backend.h */
    struct msghdr *headers; /* one per submission entry: must live until it is submitted */
    uint8_t *sides;         /* by descriptor */
    size_t sides_cap;
    struct eddy_list starved;
    struct eddy_list backlog;

    bool is_abandoned;     /* in the child of a fork */
    unsigned abandoned[3]; /* there: what stands for the shared words, all 0 */
    bool wake_armed;       /* if not, nobody sleeps */
    bool timer_armed;      /* a TIMEOUT is in flight */
    int64_t timer_at;      /* when it fires; INT64_MAX: it does not */
    struct __kernel_timespec timer_spec;

    void *buffer_map; /* the buffer ring, then the buffers */
    size_t buffer_map_len;
    struct io_uring_buf_ring *buffers;
    char *buffer_memory;
    unsigned buffer_count;
    unsigned returned; /* buffers given back in this turn */
    unsigned dice;     /* short_io: 1, 2, 3, 1, ... */
    struct eddy_uring_counts counts;
};

static inline struct eddy_uring *eddy_uring_of(struct eddy_driver *d)
{
    return eddy_container_of(d, struct eddy_uring, base);
}

/* short_io: 1, 2, 3, 1, ... */
static inline unsigned eddy_uring_few(struct eddy_uring *u)
{
    return 1 + u->dice++ % 3;
}

static inline char *eddy_uring_buffer(const struct eddy_uring *u, unsigned id)
{
    return u->buffer_memory + (size_t)id * EDDY_URING_STRIDE;
}

/* --- uring_ring.c --------------------------------------------------------------------------- */

/* Everything but the driver's own: ring, buffers, eventfd. What was opened before a failure is
 * closed by eddy_uring_ring_close(), which takes a struct that is half open, or all zero but
 * for event_fd = -1. */
int eddy_uring_ring_open(struct eddy_uring *u, const char **why);
void eddy_uring_ring_close(struct eddy_uring *u);

/* io_uring_queue_init_params(); tests put refusals here. */
extern int (*eddy_uring_setup)(unsigned entries, struct io_uring *ring, struct io_uring_params *p);

/* A buffer is the kernel's again. */
void eddy_uring_buffer_give(struct eddy_uring *u, unsigned id);

/* 0, or -EBUSY, -EBADF, -ENOMEM. */
int eddy_uring_sides_take(struct eddy_uring *u, int fd, unsigned sides);
void eddy_uring_sides_release(struct eddy_uring *u, int fd, unsigned sides);
unsigned eddy_uring_sides_of(const struct eddy_op *op);

/* --- uring_arm.c ----------------------------------------------------------------------------- */

/* In flight from here on; or in the backlog, when no entry is free. */
void eddy_uring_arm(struct eddy_uring *u, struct eddy_op *op);
void eddy_uring_arm_cancel(struct eddy_uring *u, struct eddy_op *op);
void eddy_uring_arm_wake(struct eddy_uring *u); /* u->wake_armed says whether */
/* Have a completion come at @deadline_ns or before, without one more timer if one is set. */
bool eddy_uring_arm_timer(struct eddy_uring *u, int64_t deadline_ns);
void eddy_uring_arm_backlog(struct eddy_uring *u);
void eddy_uring_arm_starved(struct eddy_uring *u);
void eddy_uring_list(struct eddy_list *list, struct eddy_op *op);
void eddy_uring_unlist(struct eddy_op *op);

/* --- uring_complete.c ------------------------------------------------------------------------- */

/* Returns how many done() were called. */
unsigned eddy_uring_complete(struct eddy_uring *u, const struct io_uring_cqe *cqe);
/* The operation is no longer the driver's: the last thing before its result is told. */
void eddy_uring_release(struct eddy_uring *u, struct eddy_op *op, int res);
void eddy_uring_finish(struct eddy_uring *u, struct eddy_op *op, int res);
/* The kernel ended what goes on: arm it again, unless its owner wants the end. Returns whether. */
bool eddy_uring_go_on(struct eddy_uring *u, struct eddy_op *op);
/* Drop what has been sent, and empty parts. Returns whether anything is left. */
bool eddy_uring_send_consume(struct eddy_op *op, size_t len);

/* --- uring_file.c ------------------------------------------------------------------------------ */

void eddy_uring_file_prepare(struct eddy_uring *u, struct io_uring_sqe *sqe, struct eddy_op *op);
unsigned eddy_uring_file_complete(struct eddy_uring *u, struct eddy_op *op, int res);
/* For what the ring has no entry: as a driver's submit and cancel. */
bool eddy_uring_file_to_thread(struct eddy_uring *u, struct eddy_op *op);
bool eddy_uring_file_withdraw(struct eddy_uring *u, struct eddy_op *op);

#endif
