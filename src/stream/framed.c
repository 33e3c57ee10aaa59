/*
 * stream/framed.c - messages for callbacks: a protocol that finds them, an output that is copied
 *
 * Input: bytes that the transport lends are cut where they lie; only what is left of them when
 * they end, or when a message pauses, is kept in `in`. While a message is told, `rest` is what lies
 * behind it, so that whoever takes the transport then gets that, too.
 *
 * Output: `going` is in the transport's hands, `waiting` gathers what is sent meanwhile.
 *
 * A message may close it, or take its transport: so it is freed only where no call of it is on the
 * stack (`telling`).
 */
#include "base/memory.h"
#include "loop/loop.h"

#include <eddy/framed.h>

#define HIGH ((size_t)65536)
#define MAX ((size_t)1 << 20)
#define IN_MAX ((size_t)64 << 20) /* .framing.max_bytes is the bound that matters */

struct eddy_framed {
    struct eddy_transport *t; /* NULL: closed, or taken */
    struct eddy_loop *loop;
    const struct eddy_framed_protocol *protocol;
    void *ctx;
    struct eddy_framing framing;
    struct eddy_soon soon; /* to tell what is kept */
    struct eddy_buffer in;
    struct eddy_slice rest; /* lent, behind the message that is being told */
    size_t scanned;
    struct eddy_buffer going, waiting;
    struct eddy_write write;
    struct iovec iov;
    size_t high, low;
    int why;        /* of closed(), once it was told us */
    bool resumed;   /* as the user wants it */
    bool telling;   /* a call of the protocol's is on the stack */
    bool writing;   /* write is in the transport's hands */
    bool over_high; /* a send has said 1 */
    bool finishing; /* the end is wanted */
    bool finished;  /* and was handed to the transport */
    bool in_ended;  /* the peer has ended */
    bool told_end;
    bool closing;
    bool closed;
};

static size_t held(const struct eddy_buffer *b)
{
    return b->end - b->start;
}

static void free_framed(struct eddy_framed *f)
{
    eddy__soon_cancel(&f->soon);
    eddy_buffer_done(&f->in);
    eddy_buffer_done(&f->going);
    eddy_buffer_done(&f->waiting);
    eddy__free(f, sizeof *f);
}

/* After anything was told: what was put off meanwhile. True: @f is no more. */
static bool settle(struct eddy_framed *f)
{
    if (f->telling)
        return false;
    if (f->closed) {
        f->telling = true;
        if (f->protocol->closed)
            f->protocol->closed(f->ctx, f->why);
        free_framed(f);
        return true;
    }
    if (!f->t) {
        free_framed(f);
        return true;
    }
    return false;
}

/* --- input ---------------------------------------------------------------------------------- */

static bool may_tell(const struct eddy_framed *f)
{
    return f->resumed && f->t && !f->closing;
}

static void tell(struct eddy_framed *f, struct eddy_slice message)
{
    f->telling = true;
    if (f->protocol->message)
        f->protocol->message(f->ctx, f, message);
    f->telling = false;
}

/* The messages at the start of @bytes: how many bytes they took. */
static size_t tell_messages(struct eddy_framed *f, struct eddy_slice bytes, bool lent)
{
    size_t used = 0;

    while (may_tell(f)) {
        struct eddy_slice ahead = { bytes.ptr + used, bytes.len - used }, message;
        ssize_t n = eddy_framing_find(&f->framing, ahead, &f->scanned, &message);
        if (n < 0)
            eddy_framed_close(f, (int)n);
        if (n <= 0)
            break;
        used += (size_t)n;
        if (lent)
            f->rest = (struct eddy_slice){ bytes.ptr + used, bytes.len - used };
        else
            eddy_buffer_take(&f->in, (size_t)n); /* the bytes stay until something is appended */
        tell(f, message);
        f->rest = (struct eddy_slice){ "", 0 };
    }
    return used;
}

static void tell_end(struct eddy_framed *f)
{
    struct eddy_slice left = eddy_buffer_bytes(&f->in);

    if (!f->in_ended || f->told_end || !may_tell(f))
        return;
    if (left.len && f->framing.kind == EDDY_FRAMING_LINE) {
        eddy_buffer_take(&f->in, left.len);
        tell(f, left);
    } else if (left.len) {
        eddy_framed_close(f, -EDDY_EEOF);
    }
    if (!may_tell(f))
        return;
    f->told_end = true;
    f->telling = true;
    if (f->protocol->ended)
        f->protocol->ended(f->ctx);
    f->telling = false;
}

/* Tell what is kept, and the end if it was seen. */
static void tell_kept(struct eddy_framed *f)
{
    if (held(&f->in))
        tell_messages(f, eddy_buffer_bytes(&f->in), false);
    if (f->t && !held(&f->in))
        eddy_buffer_release(&f->in);
    tell_end(f);
}

static void on_soon(struct eddy_soon *soon)
{
    struct eddy_framed *f = eddy_container_of(soon, struct eddy_framed, soon);

    tell_kept(f);
    settle(f);
}

static void received(void *ctx, const char *data, size_t len)
{
    struct eddy_framed *f = ctx;
    bool behind = held(&f->in) > 0;
    size_t used = 0;

    if (!behind)
        used = tell_messages(f, (struct eddy_slice){ data, len }, true);
    if (f->t && !f->closing && used < len) {
        int r = eddy_buffer_append(&f->in, data + used, len - used);
        if (r < 0)
            eddy_framed_close(f, r);
        else if (behind)
            tell_kept(f);
    }
    settle(f);
}

static void ended(void *ctx)
{
    struct eddy_framed *f = ctx;

    f->in_ended = true;
    tell_kept(f);
    settle(f);
}

static void closed(void *ctx, int why)
{
    struct eddy_framed *f = ctx;

    f->t = NULL;
    f->why = why;
    f->closed = true;
    settle(f);
}

static const struct eddy_protocol framed_protocol = {
    .size = sizeof(struct eddy_protocol),
    .received = received,
    .ended = ended,
    .closed = closed,
};

void eddy_framed_resume(struct eddy_framed *f)
{
    f->resumed = true;
    if (!f->t || f->closing)
        return;
    if (held(&f->in) || (f->in_ended && !f->told_end))
        eddy__soon(f->loop, &f->soon, on_soon);
    eddy_transport_resume(f->t);
}

void eddy_framed_pause(struct eddy_framed *f)
{
    f->resumed = false;
    if (f->t && !f->closing)
        eddy_transport_pause(f->t);
}

/* --- output --------------------------------------------------------------------------------- */

static void flush(struct eddy_framed *f);

static void wrote(struct eddy_framed *f)
{
    f->writing = false;
    eddy_buffer_take(&f->going, held(&f->going));
    if (!held(&f->waiting))
        eddy_buffer_release(&f->going);
}

static void write_done(struct eddy_write *w)
{
    struct eddy_framed *f = eddy_container_of(w, struct eddy_framed, write);

    wrote(f);
    if (w->res == 0)
        flush(f);
    else
        eddy_buffer_done(&f->waiting); /* nothing more leaves; closed() says why */
    if (f->over_high && w->res == 0 && eddy_framed_waiting(f) <= f->low && f->t && !f->closing) {
        f->over_high = false;
        f->telling = true;
        if (f->protocol->drained)
            f->protocol->drained(f->ctx);
        f->telling = false;
    }
    settle(f);
}

/* Hand over what waits, and behind it the end. */
static void flush(struct eddy_framed *f)
{
    while (f->t && !f->closing && !f->writing && !f->finished) {
        bool end = !held(&f->waiting);
        if (end && !f->finishing)
            return;
        f->write = (struct eddy_write){ .iov = &f->iov, .count = !end, .done = write_done };
        f->writing = true;
        if (end) {
            f->finished = true;
            if (eddy_transport_finish(f->t, &f->write))
                wrote(f);
            return;
        }
        struct eddy_buffer filled = f->waiting;
        f->waiting = f->going;
        f->going = filled;
        struct eddy_slice bytes = eddy_buffer_bytes(&f->going);
        f->iov = (struct iovec){ (void *)(uintptr_t)bytes.ptr, bytes.len };
        if (!eddy_transport_write(f->t, &f->write))
            return;
        wrote(f);
        if (f->write.res < 0)
            return; /* closed() says why */
    }
}

int eddy_framed_send(struct eddy_framed *f, const void *message, size_t len)
{
    struct eddy_frame frame;
    size_t total = 0;

    if (!f->t || f->closing)
        return -EBADF;
    if (f->finishing)
        return -EPIPE;
    int r = eddy_framing_wrap(&f->framing, message, len, &frame);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < frame.count; i++)
        total += frame.iov[i].iov_len;
    if (total > f->waiting.max - eddy_framed_waiting(f))
        return -ENOBUFS;
    char *room = NULL;
    r = total ? eddy_buffer_room(&f->waiting, total, &room) : 0;
    if (r < 0)
        return -ENOMEM;
    for (unsigned i = 0; room && i < frame.count; i++) {
        memcpy(room, frame.iov[i].iov_base, frame.iov[i].iov_len);
        room += frame.iov[i].iov_len;
    }
    if (total)
        eddy_buffer_grew(&f->waiting, total);
    flush(f);
    if (!f->writing && f->write.res < 0)
        return f->write.res;
    if (eddy_framed_waiting(f) > f->high)
        f->over_high = true;
    return f->over_high;
}

void eddy_framed_finish(struct eddy_framed *f)
{
    f->finishing = true;
    flush(f);
}

size_t eddy_framed_waiting(const struct eddy_framed *f)
{
    return held(&f->going) + held(&f->waiting);
}

/* --- making and ending ---------------------------------------------------------------------- */

int eddy_framed_new(struct eddy_transport *t, const struct eddy_framed_protocol *protocol,
                    void *ctx, const struct eddy_framed_options *options,
                    struct eddy_framed **ret_framed)
{
    struct eddy_framed_options o = { .high = 0 };

    if (options)
        o = *options;
    size_t high = o.high ? o.high : HIGH, max = o.max ? o.max : MAX > high ? MAX : high;
    size_t low = o.low ? o.low : high / 4;
    if (eddy_framing_check(&o.framing) < 0 || low > high || high > max)
        return -EINVAL;
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_framed *f = loop ? eddy__zalloc(sizeof *f) : NULL;
    if (!f)
        return eddy__loop_refusal();
    f->t = t;
    f->loop = loop;
    f->protocol = protocol;
    f->ctx = ctx;
    f->framing = o.framing;
    f->high = high;
    f->low = low;
    f->going = f->waiting = EDDY_BUFFER(max);
    f->in = EDDY_BUFFER(IN_MAX);
    if (o.kept) {
        f->in = *o.kept;
        f->in.max = IN_MAX;
        *o.kept = EDDY_BUFFER(o.kept->max);
    }
    eddy_transport_use(t, &framed_protocol, f);
    *ret_framed = f;
    return 0;
}

void eddy_framed_close(struct eddy_framed *f, int why)
{
    if (!f->t || f->closing)
        return;
    f->closing = true;
    eddy__soon_cancel(&f->soon);
    eddy_transport_close(f->t, why);
}

int eddy_framed_set(struct eddy_framed *f, const struct eddy_framing *framing)
{
    int r = eddy_framing_check(framing);

    if (r == 0) {
        f->framing = *framing;
        f->scanned = 0;
    }
    return r;
}

int eddy_framed_take(struct eddy_framed *f, struct eddy_transport **ret_t,
                     struct eddy_buffer *ret_kept)
{
    if (!f->t || f->closing)
        return -EBADF;
    if (f->writing || held(&f->waiting))
        return -EBUSY;
    if (f->rest.len && eddy_buffer_append(&f->in, f->rest.ptr, f->rest.len) < 0)
        return -ENOMEM;
    eddy__soon_cancel(&f->soon);
    eddy_transport_pause(f->t);
    eddy_transport_use(f->t, NULL, NULL);
    *ret_t = f->t;
    *ret_kept = f->in;
    f->in = EDDY_BUFFER(IN_MAX);
    f->t = NULL;
    settle(f);
    return 0;
}

int eddy_framed_info(const struct eddy_framed *f, enum eddy_transport_key key, void *ret_value)
{
    return f->t ? eddy_transport_info(f->t, key, ret_value) : -EBADF;
}
