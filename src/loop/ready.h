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

/* One descriptor. What of it waits is told to the poller with EDDY_EDGE where all of it can live with
 * that: then `ready` remembers what the poller will not tell again. */
struct watch {
    struct eddy_op *in;
    struct eddy_op *out;
    uint32_t generation;   /* grows when the descriptor is closed */
    uint8_t interest;      /* what the poller was told; 0: it does not know the descriptor */
    uint8_t ready;         /* see below */
    uint16_t file_events;  /* what operations on files wait for */
    struct eddy_op *files; /* those: a chain by link.next */
};

/* watch.ready. With EDDY_EDGE in `interest`, EDDY_READABLE and EDDY_WRITABLE: it may be, and no
 * event will come; without the bit one comes with the next arrival. EDDY_READ_ENDED: behind the bytes
 * there is an end, an error or a mark, so a short read does not say that all was read.
 *
 * And what it is. Of TCP a short read says that there is no more; on a Unix socket it ends where
 * descriptors were sent along. */
#define READY_WATCH 32U /* `in` is a POLL that goes on */
#define READY_TCP 64U
#define READY_KNOWN 128U
#define READY_EVENTS (EDDY_READABLE | EDDY_WRITABLE | EDDY_READ_ENDED)

/* op->state, but for files: it is in `again` or `due`, by its link. */
enum { READY_LISTED = 1 };

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
    bool edges;     /* the poller follows EDDY_EDGE */
    bool streams;   /* and our own operations on TCP can use that */
    bool unread;    /* the counter that wakes, and the timer: each time is told, read or not */
    bool abandoned; /* this is the child of a fork: what goes on in it ends */
    bool short_io;  /* tests: every call moves 1 to 3 bytes at most */
    unsigned few;   /* short_io: 1, 2, 3, 1, ... */
    /* Operations that wait for what `ready` of their descriptors has: to be tried in the next turn,
     * and in this one. */
    struct eddy_list again, due;
    struct eddy_ready batch[BATCH];
};

/* Tokens of what is no descriptor of an operation: their lower halves are past every table. */
#define TOKEN_NOBODY UINT64_MAX
#define TOKEN_WAKE (UINT64_MAX - 1)
#define TOKEN_TIMER (UINT64_MAX - 2)

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

/* ready_table.c. The table, to hold @fd. */
int eddy_ready_grow(struct ready_driver *r, int fd);

/* Tell the poller what is wanted of @fd: exactly (@shrink) or at least. */
int eddy_ready_update(struct ready_driver *r, int fd, bool shrink);

unsigned eddy_ready_unwanted(const struct ready_driver *r, const struct watch *w); /* but told */

/* Have the poller tell anew what is ready of @fd, which it knows. */
int eddy_ready_renew(struct ready_driver *r, int fd);

/* @fd has just been made, @what is known of it (READY_TCP, READY_KNOWN): what was known of its number
 * was another's. */
void eddy_ready_born(struct ready_driver *r, int fd, unsigned what);

/* An operation of our own is going to wait for @fd: find out what it is. */
void eddy_ready_ask(struct ready_driver *r, int fd);

/* It is closed: nothing waits for it any more. */
void eddy_ready_forget(struct ready_driver *r, int fd);

/* To be tried in the next turn; and not to be. */
void eddy_ready_list(struct ready_driver *r, struct eddy_op *op);
void eddy_ready_unlist(struct eddy_op *op);

/* The poller has told @events. */
static inline void eddy_ready_remember(struct watch *w, unsigned events)
{
    unsigned ready = w->ready | (events & (EDDY_READABLE | EDDY_WRITABLE));

    if (events & (EDDY_READ_ENDED | EDDY_HANGUP | EDDY_FAILED | EDDY_URGENT)) {
        ready |= EDDY_READABLE | EDDY_READ_ENDED;
        if (events & (EDDY_HANGUP | EDDY_FAILED))
            ready |= EDDY_WRITABLE;
    }
    w->ready = (uint8_t)ready;
}

static inline void eddy_ready_clear(struct watch *w, unsigned what)
{
    w->ready = (uint8_t)(w->ready & ~what);
}

/* A receive of up to @cap has answered @n: what that says of the next one. */
static inline void eddy_ready_received(struct watch *w, ssize_t n, size_t cap)
{
    if (n == -EAGAIN || n == -EWOULDBLOCK)
        eddy_ready_clear(w, EDDY_READABLE | EDDY_READ_ENDED);
    else if (n > 0 && (size_t)n < cap && !(w->ready & EDDY_READ_ENDED))
        eddy_ready_clear(w, EDDY_READABLE);
}

/* Whether another receive follows in the same turn upon one that was @was_short. */
static inline bool eddy_ready_goes_on(const struct watch *w, bool was_short)
{
    return w->interest & EDDY_EDGE ? (w->ready & EDDY_READABLE) != 0 : !was_short;
}

/* Whether @what of @w may be ready with no event to come. */
static inline bool eddy_ready_is_left(const struct watch *w, unsigned what)
{
    return (w->interest & EDDY_EDGE) && (w->ready & what);
}

/* ready_send.c: the result, or -EAGAIN: it has to wait. */
int eddy_ready_send(struct ready_driver *d, struct eddy_op *op);

/* ready_file.c: operations on files. The third: @fd is ready, and files wait for it. */
bool eddy_ready_file_submit(struct ready_driver *r, struct eddy_op *op);
bool eddy_ready_file_cancel(struct ready_driver *r, struct eddy_op *op);
void eddy_ready_files(struct ready_driver *r, int fd, unsigned events);

/* ready_wait.c: what ends a wait besides readiness. */
int eddy_ready_open_wake(struct ready_driver *r);
void eddy_ready_wake(struct eddy_driver *d);
void eddy_ready_woken(struct ready_driver *r);
void eddy_ready_open_timer(struct ready_driver *r);
int64_t eddy_ready_timeout(struct ready_driver *r, int64_t timeout_ns);
void eddy_ready_timer_fired(struct ready_driver *r);

#endif
