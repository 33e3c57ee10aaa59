/*
 * net/udp_callback.c - the callback face of a datagram socket: bytes lent, a bounded number a turn
 *
 * One call of the kernel fills up to 16 places; they are handed on one after the other. Where the
 * callback stops in between, the others are kept, for the next start or a task's receive: what the
 * kernel has given cannot be given back.
 */
#include "base/memory.h"
#include "base/sanitize.h"
#include "net/udp.h"

#include <string.h>

/* The next one of what is kept, as one that was not joined. */
static struct eddy_datagram next_kept(struct udp_lent *l)
{
    struct eddy_datagram *at = &l->at[l->next];
    struct eddy_datagram d = *at;

    d.segment_size = 0;
    if (at->segment_size && at->len > at->segment_size) {
        d.len = at->segment_size;
        at->ptr = (char *)at->ptr + d.len;
        at->len -= d.len;
    } else {
        l->next++;
    }
    return d;
}

static void forget_if_empty(struct eddy_udp *u)
{
    if (u->on_datagram || u->busy || eddy_udp_has_kept(u))
        return;
    eddy__free(u->lent, sizeof *u->lent);
    u->lent = NULL;
}

int eddy_udp_take_kept(struct eddy_udp *u, struct eddy_datagram *d)
{
    struct eddy_datagram from = next_kept(u->lent);

    void *to = d->ptr;
    const size_t cap = d->cap;
    *d = from;
    d->ptr = to;
    d->cap = cap;
    if (from.len > cap) {
        d->len = cap;
        d->truncated = true;
    }
    if (d->len)
        memcpy(to, from.ptr, d->len);
    forget_if_empty(u);
    return 0;
}

static int fill(struct eddy_udp *u)
{
    struct udp_lent *l = u->lent;

    l->next = l->count = 0;
    for (unsigned i = 0; i < UDP_LENT; i++) {
        l->at[i].ptr = l->bytes[i];
        l->at[i].cap = UDP_LENT_SIZE;
    }
    int n = eddy_udp_receive_batch(u, l->at, UDP_LENT);
    if (n > 0)
        l->count = (unsigned)n;
    return n;
}

static void hand_on(struct eddy_udp *u)
{
    while (u->on_datagram && eddy_udp_has_kept(u)) {
        struct eddy_datagram d = next_kept(u->lent);

        u->on_datagram(u->ctx, &d, 0);
#ifdef EDDY_ASAN
        memset(d.ptr, 0xdb, d.len); /* who kept the bytes reads this */
#endif
    }
}

void eddy_udp_feed(struct eddy_udp *u)
{
    u->busy = true;
    hand_on(u);
    for (int i = 0; i < UDP_LENT_ROUNDS && u->on_datagram && !u->is_drained; i++) {
        int n = fill(u);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            u->on_datagram(u->ctx, NULL, n);
        hand_on(u);
    }
    u->busy = false;
    if (u->freeing) {
        eddy_udp_end_step(u);
        return;
    }
    forget_if_empty(u);
}

static void start_soon(struct eddy_soon *soon)
{
    struct eddy_udp *u = eddy_container_of(soon, struct eddy_udp, soon);

    if (u->on_datagram)
        eddy_udp_feed(u);
}

int eddy_udp_start(struct eddy_udp *u,
                   void (*on_datagram)(void *ctx, const struct eddy_datagram *d, int error),
                   void *ctx)
{
    if (eddy_loop_is_parents(u->loop))
        return -EDDY_EFORKED;
    if (u->on_datagram || !eddy_list_is_empty(&u->in.calls))
        return -EBUSY;
    if (!u->lent && !(u->lent = eddy__alloc(sizeof *u->lent)))
        return -ENOMEM;
    if (!eddy_udp_has_kept(u))
        u->lent->next = u->lent->count = 0;
    u->on_datagram = on_datagram;
    u->ctx = ctx;
    int r = eddy_udp_side_arm(u, &u->in);
    if (r < 0) {
        u->on_datagram = NULL;
        forget_if_empty(u);
        return r;
    }
    if (eddy_udp_has_kept(u))
        eddy__soon(u->loop, &u->soon, start_soon);
    return 0;
}

void eddy_udp_stop(struct eddy_udp *u)
{
    u->on_datagram = NULL;
    eddy__soon_cancel(&u->soon);
    eddy_udp_side_disarm(u, &u->in);
    forget_if_empty(u);
}
