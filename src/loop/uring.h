/*
 * loop/uring.h - the ring from inside: what driver_uring.c and uring_ring.c share
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

/* Sides of a descriptor that an operation is pending on. */
enum { EDDY_URING_READ = 1, EDDY_URING_WRITE = 2 };

struct eddy_uring {
    struct eddy_driver base;
    struct io_uring ring;
    bool ring_open;
    bool short_io;
    bool has_taskrun_flag; /* the kernel says in shared memory when entering is worth it */
    int event_fd;
    unsigned entries;
    struct msghdr *headers; /* one per submission entry: must live until it is submitted */
    uint8_t *sides;         /* by descriptor */
    size_t sides_cap;
    struct eddy_list starved;
    struct eddy_list backlog;

    void *buffer_map; /* the buffer ring, then the buffers */
    size_t buffer_map_len;
    struct io_uring_buf_ring *buffers;
    char *buffer_memory;
    unsigned buffer_count;
    unsigned returned; /* buffers given back in this turn */
    unsigned dice;     /* short_io: 1, 2, 3, 1, ... */
};

/* short_io: 1, 2, 3, 1, ... */
static inline unsigned eddy_uring_few(struct eddy_uring *u)
{
    return 1 + u->dice++ % 3;
}

static inline char *eddy_uring_buffer(const struct eddy_uring *u, unsigned id)
{
    return u->buffer_memory + (size_t)id * EDDY_URING_STRIDE;
}

/* Everything but the driver's own: ring, buffers, eventfd. What was opened before a failure is
 * closed by eddy_uring_ring_close(), which takes a struct that is half open, or all zero but
 * for event_fd = -1. */
int eddy_uring_ring_open(struct eddy_uring *u, const char **why);
void eddy_uring_ring_close(struct eddy_uring *u);

/* A buffer is the kernel's again. */
void eddy_uring_buffer_give(struct eddy_uring *u, unsigned id);

/* 0, or -EBUSY, -EBADF, -ENOMEM. */
int eddy_uring_sides_take(struct eddy_uring *u, int fd, unsigned sides);
void eddy_uring_sides_release(struct eddy_uring *u, int fd, unsigned sides);

/* What poll reported, in the poller's words. */
int eddy_uring_poll_result(int events);

#endif
