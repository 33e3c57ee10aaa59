/*
 * stream/writes.h - the queue of writes that every transport keeps
 *
 * In the order they were asked for; the one that ends the output is the last that is taken.
 */
#ifndef EDDY_STREAM_WRITES_H
#define EDDY_STREAM_WRITES_H

#include <eddy/transport.h>

struct eddy_writes {
    struct eddy_write *head; /* NULL: nothing waits */
    struct eddy_write *tail;
    bool finished; /* the end was asked for */
};

/* Whether a write, or with @end the end of output, is over before it began: w->res says why. */
static inline bool eddy_writes_refuse(struct eddy_writes *q, struct eddy_write *w, bool end,
                                      bool closing)
{
    w->end = end;
    w->next = NULL;
    if (end)
        w->count = 0;
    if (closing || q->finished) {
        w->res = closing ? -ECANCELED : -EPIPE;
        return true;
    }
    q->finished = end;
    return false;
}

static inline void eddy_writes_push(struct eddy_writes *q, struct eddy_write *w)
{
    if (q->head)
        q->tail->next = w;
    else
        q->head = w;
    q->tail = w;
}

static inline struct eddy_write *eddy_writes_shift(struct eddy_writes *q)
{
    struct eddy_write *w = q->head;

    q->head = w->next;
    w->next = NULL;
    return w;
}

/* What it still has to move. A write that only waits for room has no array. */
static inline size_t eddy_writes_bytes(const struct eddy_writes *q)
{
    size_t sum = 0;

    for (const struct eddy_write *w = q->head; w; w = w->next)
        for (unsigned i = 0; i < w->count && w->iov; i++)
            sum += w->iov[i].iov_len;
    return sum;
}

/* Whether a write's @error says that the connection is lost, both ways. The kernel says so once: a
 * read behind it comes to 0, which is no end then. A peer that had ended its output is none: EPIPE. */
static inline bool eddy_writes_is_loss(int error)
{
    return error == -ECONNRESET || error == -EDDY_EPEER_TIMEOUT || error == -EHOSTUNREACH ||
           error == -ENETUNREACH;
}

/* From the loop: each is told that it was cancelled. */
static inline void eddy_writes_cancel(struct eddy_writes *q)
{
    while (q->head) {
        struct eddy_write *w = eddy_writes_shift(q);
        w->res = -ECANCELED;
        w->done(w);
    }
}

#endif
