/*
 * loop/ready.h - the driver over a poller, from inside
 */
#ifndef EDDY_LOOP_READY_H
#define EDDY_LOOP_READY_H

#include "base/memory.h"
#include "base/sys.h"
#include "loop/driver.h"
#include "poller/poller.h"

#define LEND_SIZE 65536
#define BATCH 256

struct watch {
    struct eddy_op *in;
    struct eddy_op *out;
    uint32_t generation;   /* grows when the descriptor is closed */
    uint16_t interest;     /* what the poller was told; 0: it does not know the descriptor */
    uint16_t file_events;  /* what operations on files wait for */
    struct eddy_op *files; /* those: a chain by link.next */
};

struct ready_driver {
    struct eddy_driver driver; /* first */
    struct eddy_poller *poller;
    struct watch *watches; /* indexed by descriptor */
    size_t watch_cap;
    int wake_in; /* an eventfd, or the reading end of a pipe */
    int wake_out;
    int timer;        /* a timerfd, or -1: the poller's timeouts do it all */
    int64_t timer_at; /* when it fires; INT64_MAX: not set */
    char *lend;
    bool short_io; /* tests: every call moves 1 to 3 bytes at most */
    unsigned few;  /* short_io: 1, 2, 3, 1, ... */
    struct eddy_ready batch[BATCH];
};

static inline uint64_t eddy_ready_token(const struct ready_driver *r, int fd)
{
    return (uint64_t)r->watches[fd].generation << 32 | (uint32_t)fd;
}

/* How much of @len a call may move: all, but for short_io. */
static inline size_t eddy_ready_at_most(struct ready_driver *r, size_t len)
{
    const size_t few = 1 + r->few % 3;

    if (!r->short_io)
        return len;
    r->few++;
    return few < len ? few : len;
}

int eddy_ready_grow(struct ready_driver *r, int fd); /* the table, to hold @fd */

/* Tell the poller what is wanted of @fd: exactly (@shrink) or at least. */
int eddy_ready_update(struct ready_driver *r, int fd, bool shrink);

/* ready_send.c: the result, or -EAGAIN: it has to wait. */
int eddy_ready_send(struct ready_driver *d, struct eddy_op *op);

/* ready_file.c: operations on files. The third: @fd is ready, and files wait for it. */
bool eddy_ready_file_submit(struct ready_driver *r, struct eddy_op *op);
bool eddy_ready_file_cancel(struct ready_driver *r, struct eddy_op *op);
void eddy_ready_files(struct ready_driver *r, int fd, unsigned events);

/* ready_wait.c: what ends a wait besides readiness. */
int eddy_ready_open_wake(struct ready_driver *r);
void eddy_ready_wake(struct eddy_driver *d);
void eddy_ready_drain(struct ready_driver *r);
void eddy_ready_open_timer(struct ready_driver *r);
int64_t eddy_ready_timeout(struct ready_driver *r, int64_t timeout_ns);
void eddy_ready_timer_fired(struct ready_driver *r);

#endif
