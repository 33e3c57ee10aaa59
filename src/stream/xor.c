/*
 * stream/xor.c - a filter that flips bits: the smallest one that keeps every rule of a filter
 *
 * Down: writes queue here; one piece of at most CHUNK bytes is turned at a time and written to the
 * layer below. Up: lent bytes are turned into `in`, which is delivered before the callback
 * returns, or kept while the user above has paused.
 *
 * A call from above may find the layer below done at once, so that the loop runs inside a call:
 * nothing is told from there; `settle` tells it from the loop.
 */
#include "base/memory.h"
#include "loop/loop.h"
#include "stream/writes.h"

#include <eddy/buffer.h>
#include <eddy/transport.h>

#define CHUNK ((size_t)4096)
#define KEPT_MAX ((size_t)8 << 20) /* what one below may still deliver after a pause */

struct xor_filter {
    struct eddy_transport base; /* first */
    struct eddy_loop *loop;
    struct eddy_transport *below;
    struct eddy_buffer in;
    struct eddy_writes writes; /* from above, with bytes left; the first is being turned */
    struct eddy_write *spent;  /* done, not told yet */
    struct eddy_write *spent_tail;
    struct eddy_write down; /* the piece below; chunk_len is 0 when none is */
    struct iovec down_iov;
    size_t chunk_len;
    struct eddy_soon soon;
    int why;
    bool resumed;
    bool busy; /* `down` is in the hands of the layer below */
    bool told;
    bool ended;
    bool closing;
    bool below_closed;
    unsigned char key;
    char chunk[CHUNK];
};

static void settle(struct eddy_soon *soon);

static struct xor_filter *self(struct eddy_transport *t)
{
    return (struct xor_filter *)(void *)t;
}

static void turn(struct xor_filter *f, char *to, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(from[i] ^ f->key);
}

/* --- down ----------------------------------------------------------------------------------- */

static size_t fill_chunk(struct xor_filter *f, struct eddy_write *w)
{
    size_t len = 0;

    while (w->count && len < CHUNK) {
        size_t part = w->iov->iov_len < CHUNK - len ? w->iov->iov_len : CHUNK - len;
        turn(f, f->chunk + len, w->iov->iov_base, part);
        w->iov->iov_base = (char *)w->iov->iov_base + part;
        w->iov->iov_len -= part;
        len += part;
        if (w->iov->iov_len == 0) {
            w->iov++;
            w->count--;
        }
    }
    return len;
}

/* Turn and write what @w has. True: it is over, w->res is set. */
static bool advance(struct xor_filter *f, struct eddy_write *w)
{
    for (;;) {
        f->chunk_len = fill_chunk(f, w);
        if (!f->chunk_len && !w->end) {
            w->res = 0;
            return true;
        }
        f->down_iov = (struct iovec){ f->chunk, f->chunk_len };
        f->down.iov = &f->down_iov;
        f->down.count = 1;
        bool end = !f->chunk_len;
        f->busy = end ? !eddy_transport_finish(f->below, &f->down)
                      : !eddy_transport_write(f->below, &f->down);
        if (f->busy)
            return false;
        if (f->down.res < 0 || end) {
            w->res = f->down.res;
            return true;
        }
    }
}

static void spend(struct xor_filter *f, struct eddy_write *w)
{
    w->next = NULL;
    if (f->spent)
        f->spent_tail->next = w;
    else
        f->spent = w;
    f->spent_tail = w;
    eddy__soon(f->loop, &f->soon, settle);
}

static void down_done(struct eddy_write *down)
{
    struct xor_filter *f = eddy_container_of(down, struct xor_filter, down);
    struct eddy_write *w = f->writes.head;

    f->busy = false;
    if (!w)
        return;
    if (down->res < 0 || (w->end && !f->chunk_len)) {
        w->res = down->res;
        spend(f, eddy_writes_shift(&f->writes));
    }
    while (f->writes.head && !f->closing && advance(f, f->writes.head))
        spend(f, eddy_writes_shift(&f->writes));
}

static bool write_or_queue(struct xor_filter *f, struct eddy_write *w)
{
    if (!f->writes.head && advance(f, w))
        return true;
    eddy_writes_push(&f->writes, w);
    return false;
}

static bool write_bytes(struct eddy_transport *t, struct eddy_write *w)
{
    struct xor_filter *f = self(t);

    return eddy_writes_refuse(&f->writes, w, false, f->closing) || write_or_queue(f, w);
}

static bool finish(struct eddy_transport *t, struct eddy_write *w)
{
    struct xor_filter *f = self(t);

    return eddy_writes_refuse(&f->writes, w, true, f->closing) || write_or_queue(f, w);
}

/* --- up ------------------------------------------------------------------------------------- */

static size_t held(const struct xor_filter *f)
{
    return f->in.end - f->in.start;
}

static void close_transport(struct eddy_transport *t, int why)
{
    struct xor_filter *f = self(t);

    if (f->closing)
        return;
    f->closing = true;
    f->resumed = false;
    f->why = why;
    if (f->below)
        eddy_transport_close(f->below, why);
    else
        eddy__soon(f->loop, &f->soon, settle);
}

static void deliver(struct xor_filter *f)
{
    struct eddy_buffer in = f->in;
    struct eddy_slice bytes = eddy_buffer_bytes(&in);

    f->in = EDDY_BUFFER(KEPT_MAX);
    if (f->base.protocol->received)
        f->base.protocol->received(f->base.ctx, bytes.ptr, bytes.len);
    eddy_buffer_done(&in);
}

/* From the loop: tell what is due, in order. May free @f. */
static void settle(struct eddy_soon *soon)
{
    struct xor_filter *f = eddy_container_of(soon, struct xor_filter, soon);

    if (f->below_closed)
        f->closing = true;
    while (f->closing && !f->busy && f->writes.head) {
        f->writes.head->res = -ECANCELED;
        spend(f, eddy_writes_shift(&f->writes));
    }
    while (f->spent) {
        struct eddy_write *w = f->spent;
        f->spent = w->next;
        w->done(w);
    }
    if (f->resumed && held(f))
        deliver(f);
    if (f->resumed && !held(f) && f->ended && !f->told) {
        f->told = true;
        if (f->base.protocol->ended)
            f->base.protocol->ended(f->base.ctx);
    }
    if (f->below_closed && !f->spent) {
        eddy__soon_cancel(&f->soon);
        if (f->base.protocol && f->base.protocol->closed)
            f->base.protocol->closed(f->base.ctx, f->why);
        eddy_buffer_done(&f->in);
        eddy__free(f, sizeof *f);
    }
}

static void below_received(void *ctx, const char *data, size_t len)
{
    struct xor_filter *f = ctx;
    char *to;

    if (f->closing)
        return;
    int r = eddy_buffer_room(&f->in, len, &to);
    if (r < 0) {
        close_transport(&f->base, r);
        return;
    }
    turn(f, to, data, len);
    eddy_buffer_grew(&f->in, len);
    if (f->resumed)
        deliver(f);
}

static void below_ended(void *ctx)
{
    struct xor_filter *f = ctx;

    f->ended = true;
    eddy__soon(f->loop, &f->soon, settle);
}

static void below_closed(void *ctx, int why)
{
    struct xor_filter *f = ctx;

    if (!f->closing)
        f->why = why;
    f->below = NULL;
    f->below_closed = true;
    settle(&f->soon);
}

static const struct eddy_protocol below_protocol = {
    .size = sizeof(struct eddy_protocol),
    .received = below_received,
    .ended = below_ended,
    .closed = below_closed,
};

static void resume(struct eddy_transport *t)
{
    struct xor_filter *f = self(t);

    if (f->resumed || f->closing)
        return;
    f->resumed = true;
    if (held(f) || f->ended)
        eddy__soon(f->loop, &f->soon, settle);
    eddy_transport_resume(f->below);
}

static void pause_reading(struct eddy_transport *t)
{
    struct xor_filter *f = self(t);

    if (!f->resumed || f->closing)
        return;
    f->resumed = false;
    eddy_transport_pause(f->below);
}

static int info(struct eddy_transport *t, enum eddy_transport_key key, void *ret_value)
{
    struct xor_filter *f = self(t);

    if (!f->below)
        return -ENOENT;
    int r = eddy_transport_info(f->below, key, ret_value);
    if (r == 0 && key == EDDY_INFO_BUFFERED)
        *(size_t *)ret_value += eddy_writes_bytes(&f->writes);
    return r;
}

static const struct eddy_transport_ops xor_ops = {
    .size = sizeof(struct eddy_transport_ops),
    .name = "xor",
    .resume = resume,
    .pause = pause_reading,
    .write = write_bytes,
    .finish = finish,
    .close = close_transport,
    .info = info,
};

int eddy_filter_xor(struct eddy_transport *below, unsigned char key, struct eddy_transport **ret_t)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct xor_filter *f = loop ? eddy__zalloc(sizeof *f) : NULL;

    if (!f)
        return eddy__loop_refusal();
    f->base.ops = &xor_ops;
    f->loop = loop;
    f->below = below;
    f->key = key;
    f->in = EDDY_BUFFER(KEPT_MAX);
    f->down.done = down_done;
    eddy_transport_use(below, &below_protocol, f);
    *ret_t = &f->base;
    return 0;
}
