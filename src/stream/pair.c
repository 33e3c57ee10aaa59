/*
 * stream/pair.c - two transports joined in memory
 *
 * Each end has the bytes on their way to it (`in`, at most `capacity` of them), and its own queue
 * of writes. Writing copies into the peer's `in`, at once as far as there is room; the rest of a
 * write waits until the peer has taken some. The peer is told by its `soon`, so from the loop
 * only. There is one deviation from a socket: an end that is closed says so at once, there is no
 * network between.
 *
 * A close is seen by the other end as a socket's: bytes that were on their way are delivered,
 * then comes the end, or, when the closer left bytes unread, -ECONNRESET; writing gives -EPIPE.
 */
#include "base/memory.h"
#include "loop/loop.h"
#include "stream/writes.h"

#include <eddy/buffer.h>
#include <eddy/transport.h>

#define CAPACITY ((size_t)65536)

struct pair_end {
    struct eddy_transport base; /* first */
    struct eddy_loop *loop;
    struct pair_end *peer; /* NULL: it was freed */
    struct eddy_buffer in;
    struct eddy_writes writes; /* writes with bytes left */
    struct eddy_write *spent;  /* done, but not told yet */
    struct eddy_write *spent_tail;
    struct eddy_soon soon;
    int why;
    int in_error;
    bool resumed;
    bool in_ended; /* no more will come into `in` */
    bool told;
    bool closing;
};

static void settle(struct eddy_soon *soon);

static struct pair_end *self(struct eddy_transport *t)
{
    return (struct pair_end *)(void *)t;
}

static void settle_soon(struct pair_end *p)
{
    eddy__soon(p->loop, &p->soon, settle);
}

static size_t held(const struct pair_end *p)
{
    return p->in.end - p->in.start;
}

/* --- output --------------------------------------------------------------------------------- */

/* Move bytes of @w into the peer. True: all have left, or it failed; w->res is set. */
static bool move_bytes(struct pair_end *p, struct eddy_write *w)
{
    struct pair_end *to = p->peer;

    if (!to || to->closing) {
        w->res = -EPIPE;
        return true;
    }
    w->res = 0;
    for (; w->count; w->iov++, w->count--) {
        size_t room = to->in.max - held(to);
        size_t len = w->iov->iov_len < room ? w->iov->iov_len : room;
        if (len) {
            w->res = eddy_buffer_append(&to->in, w->iov->iov_base, len);
            if (w->res < 0)
                return true;
            settle_soon(to);
            w->iov->iov_base = (char *)w->iov->iov_base + len;
            w->iov->iov_len -= len;
        }
        if (w->iov->iov_len)
            return false;
    }
    if (w->end) {
        to->in_ended = true;
        settle_soon(to);
    }
    return true;
}

static bool write_or_queue(struct pair_end *p, struct eddy_write *w)
{
    if (!p->writes.head && move_bytes(p, w))
        return true;
    eddy_writes_push(&p->writes, w);
    return false;
}

static bool write_bytes(struct eddy_transport *base, struct eddy_write *w)
{
    struct pair_end *p = self(base);

    return eddy_writes_refuse(&p->writes, w, false, p->closing) || write_or_queue(p, w);
}

static bool finish(struct eddy_transport *base, struct eddy_write *w)
{
    struct pair_end *p = self(base);

    return eddy_writes_refuse(&p->writes, w, true, p->closing) || write_or_queue(p, w);
}

/* The head of the queue is over: it is told from the loop. */
static void spend(struct pair_end *p)
{
    struct eddy_write *w = p->writes.head;

    p->writes.head = w->next;
    w->next = NULL;
    if (p->spent)
        p->spent_tail->next = w;
    else
        p->spent = w;
    p->spent_tail = w;
    settle_soon(p);
}

/* There is room again, or the peer has gone. */
static void push(struct pair_end *p)
{
    while (p->writes.head && move_bytes(p, p->writes.head))
        spend(p);
}

/* --- input ---------------------------------------------------------------------------------- */

static void resume(struct eddy_transport *base)
{
    struct pair_end *p = self(base);

    if (p->resumed || p->closing)
        return;
    assert(base->protocol);
    p->resumed = true;
    if (held(p) || p->in_ended)
        settle_soon(p);
}

static void pause_reading(struct eddy_transport *base)
{
    self(base)->resumed = false;
}

static void deliver(struct pair_end *p)
{
    struct eddy_buffer in = p->in;
    struct eddy_slice bytes = eddy_buffer_bytes(&in);

    /* Taken out first: what received() makes the peer write has all the room again. */
    p->in = EDDY_BUFFER(in.max);
    if (p->base.protocol->received)
        p->base.protocol->received(p->base.ctx, bytes.ptr, bytes.len);
    eddy_buffer_done(&in);
    if (p->peer && !p->peer->closing)
        push(p->peer);
}

/* --- closing -------------------------------------------------------------------------------- */

static void close_transport(struct eddy_transport *base, int why)
{
    struct pair_end *p = self(base);
    struct pair_end *peer = p->peer;

    if (p->closing)
        return;
    p->closing = true;
    p->resumed = false;
    p->why = why;
    if (eddy_loop_is_parents(p->loop))
        return;
    while (p->writes.head) {
        p->writes.head->res = -ECANCELED;
        spend(p);
    }
    settle_soon(p);
    if (!peer || peer->closing)
        return;
    push(peer); /* finds us closing: its writes fail */
    if (!peer->in_ended && held(p))
        peer->in_error = -ECONNRESET;
    peer->in_ended = true;
    settle_soon(peer);
}

static void free_end(struct pair_end *p)
{
    if (p->peer)
        p->peer->peer = NULL;
    eddy__soon_cancel(&p->soon);
    if (p->base.protocol && p->base.protocol->closed)
        p->base.protocol->closed(p->base.ctx, p->why);
    eddy_buffer_done(&p->in);
    eddy__free(p, sizeof *p);
}

static void settle(struct eddy_soon *soon)
{
    struct pair_end *p = eddy_container_of(soon, struct pair_end, soon);

    while (p->spent) {
        struct eddy_write *w = p->spent;
        p->spent = w->next;
        w->next = NULL;
        w->done(w);
    }
    if (p->resumed && held(p))
        deliver(p);
    if (p->resumed && !held(p) && p->in_ended && !p->told) {
        if (p->in_error) {
            close_transport(&p->base, p->in_error);
        } else {
            p->told = true;
            if (p->base.protocol->ended)
                p->base.protocol->ended(p->base.ctx);
        }
    }
    if (p->closing && !p->spent)
        free_end(p);
}

/* --- making --------------------------------------------------------------------------------- */

static int info(struct eddy_transport *base, enum eddy_transport_key key, void *ret_value)
{
    if (key == EDDY_INFO_FD) {
        *(int *)ret_value = -1;
        return 0;
    }
    if (key == EDDY_INFO_BUFFERED) {
        *(size_t *)ret_value = eddy_writes_bytes(&self(base)->writes);
        return 0;
    }
    return -ENOENT;
}

static const struct eddy_transport_ops pair_ops = {
    .size = sizeof(struct eddy_transport_ops),
    .name = "pair",
    .resume = resume,
    .pause = pause_reading,
    .write = write_bytes,
    .finish = finish,
    .close = close_transport,
    .info = info,
};

static struct pair_end *end_new(struct eddy_loop *loop, size_t capacity)
{
    struct pair_end *p = loop ? eddy__zalloc(sizeof *p) : NULL;

    if (p) {
        p->base.ops = &pair_ops;
        p->loop = loop;
        p->in = EDDY_BUFFER(capacity ? capacity : CAPACITY);
    }
    return p;
}

int eddy_transport_pair(size_t capacity, struct eddy_transport **ret_a,
                        struct eddy_transport **ret_b)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct pair_end *a = end_new(loop, capacity);
    struct pair_end *b = a ? end_new(loop, capacity) : NULL;

    if (!b) {
        eddy__free(a, sizeof *a);
        return eddy__loop_refusal();
    }
    a->peer = b;
    b->peer = a;
    *ret_a = &a->base;
    *ret_b = &b->base;
    return 0;
}
