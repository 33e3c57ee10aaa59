/*
 * stream/stream.c - making and ending streams, reading and writing by tasks
 */
#include "stream/stream.h"

#include "base/memory.h"

#include <eddy/address.h>

/* What `in` may hold: the longest line or delimited block, and one received() behind it. */
#define IN_MAX ((size_t)16 << 20)
#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)65536)

/* A call of a task that waits. */
struct call {
    struct eddy_wait wait; /* first */
    struct eddy_stream *s;
};

static struct eddy_stream *stream_of_wait(struct eddy_wait *w)
{
    return ((struct call *)(void *)w)->s;
}

static void wake(struct eddy_wait **at, int result)
{
    struct eddy_wait *w = *at;

    if (!w)
        return;
    *at = NULL;
    eddy__wake(w, result);
}

/* Why nothing can be done on @s any more. */
static int gone(const struct eddy_stream *s)
{
    if (eddy_forked_since(s->forks))
        return -EDDY_EFORKED;
    if (s->broken)
        return -EDDY_EBROKEN;
    if (s->closing)
        return -EBADF;
    return s->t ? 0 : s->why ? s->why : -EBADF;
}

/* --- as a protocol -------------------------------------------------------------------------- */

static void received(void *ctx, const char *data, size_t len)
{
    struct eddy_stream *s = ctx;
    size_t direct = s->into_cap < len ? s->into_cap : len;

    if (!s->reader)
        direct = 0;
    if (direct)
        memcpy(s->into, data, direct);
    int r = eddy_buffer_append(&s->in, data + direct, len - direct);
    if (r < 0) {
        /* Bytes are missing from here on: nothing that comes later may be read. */
        eddy_transport_close(s->t, r);
        wake(&s->reader, direct ? (int)direct : r);
        return;
    }
    eddy_transport_pause(s->t);
    wake(&s->reader, direct ? (int)direct : (int)len);
}

static void ended(void *ctx)
{
    struct eddy_stream *s = ctx;

    s->ended = true;
    eddy_transport_pause(s->t);
    wake(&s->reader, 0);
}

/* The text outlives the transport. Without memory for it the number must do. */
static void keep_failure(struct eddy_stream *s)
{
    struct eddy_error error;

    if (s->failure || eddy_transport_info(s->t, EDDY_INFO_FAILURE, &error) < 0)
        return;
    s->failure = eddy__alloc(sizeof *s->failure);
    if (s->failure)
        *s->failure = error;
}

static void closed(void *ctx, int why)
{
    struct eddy_stream *s = ctx;

    if (why < 0)
        keep_failure(s);
    s->t = NULL;
    s->why = why;
    wake(&s->reader, s->closing ? -EBADF : why ? why : -EBADF);
    wake(&s->closer, 0);
}

static const struct eddy_protocol stream_protocol = {
    .size = sizeof(struct eddy_protocol),
    .received = received,
    .ended = ended,
    .closed = closed,
};

/* Of a connection that nobody owns any more: the loop ends it. */
static const struct eddy_protocol orphan_protocol = { .size = sizeof(struct eddy_protocol) };

/* --- reading -------------------------------------------------------------------------------- */

int stream_read_begin(struct eddy_stream *s)
{
    int r = eddy_forked_since(s->forks) ? -EDDY_EFORKED : eddy__wait_check();

    if (r < 0)
        return r;
    if (s->reading)
        return -EBUSY;
    if (s->broken || s->closing)
        return gone(s);
    s->reading = true;
    return 0;
}

static void read_done(struct eddy_read *read)
{
    wake(&eddy_container_of(read, struct eddy_stream, read)->reader, read->res);
}

static void read_interrupted(struct eddy_wait *w, int why)
{
    struct eddy_stream *s = stream_of_wait(w);

    if (!s->t || !s->t->ops->read) {
        if (s->t)
            eddy_transport_pause(s->t);
        wake(&s->reader, why);
    } else if (s->t->ops->cancel_read(s->t, &s->read)) {
        wake(&s->reader, s->read.res);
    }
}

/* Read into @ptr, or with NULL into `in`, past what `in` holds. Suspends. */
static ssize_t read_some(struct eddy_stream *s, void *ptr, size_t cap)
{
    struct call call = { .wait = EDDY_WAIT(read_interrupted, "read"), .s = s };

    if (!s->t)
        return gone(s);
    if (s->ended)
        return 0;
    s->reader = &call.wait;
    s->into = ptr;
    s->into_cap = ptr ? cap : 0;
    if (!s->t->ops->read) {
        eddy_transport_resume(s->t);
    } else {
        s->read = (struct eddy_read){ .ptr = ptr, .len = cap, .done = read_done };
        if (s->t->ops->read(s->t, &s->read)) {
            s->reader = NULL;
            return s->read.res;
        }
    }
    call.wait.fd = s->fd;
    int r = eddy__wait(&call.wait);
    if (r != -ECANCELED)
        return r;
    return call.wait.why ? call.wait.why : -EBADF; /* closed by another task */
}

ssize_t stream_fill(struct eddy_stream *s)
{
    size_t held = stream_held(s).len;
    size_t chunk = held < CHUNK_MIN ? CHUNK_MIN : held < CHUNK_MAX ? held : CHUNK_MAX;
    char *room = NULL;

    if (!s->t || !s->t->ops->read)
        return read_some(s, NULL, 0);
    int r = eddy_buffer_room(&s->in, chunk, &room);
    if (r < 0)
        return r;
    ssize_t n = read_some(s, room, chunk);
    if (n > 0)
        eddy_buffer_grew(&s->in, (size_t)n);
    return n;
}

/* One read, from `in` or the transport. */
static ssize_t read_once(struct eddy_stream *s, void *buf, size_t cap)
{
    struct eddy_slice held = stream_held(s);

    if (!held.len)
        return read_some(s, buf, cap < INT32_MAX ? cap : INT32_MAX);
    size_t len = held.len < cap ? held.len : cap;
    memcpy(buf, held.ptr, len);
    eddy_buffer_take(&s->in, len);
    eddy_buffer_release(&s->in);
    return (ssize_t)len;
}

ssize_t eddy_read(struct eddy_stream *s, void *buf, size_t cap)
{
    int r = stream_read_begin(s);

    if (r < 0)
        return r;
    ssize_t n = cap ? read_once(s, buf, cap) : -EINVAL;
    stream_read_end(s);
    if (n > 0)
        eddy__budget_spend();
    return n;
}

int eddy_read_exactly(struct eddy_stream *s, void *buf, size_t len)
{
    int r = stream_read_begin(s);
    size_t got = 0;

    if (r < 0)
        return r;
    while (got < len) {
        ssize_t n = got ? eddy__wait_check() : 0;
        if (n == 0)
            n = read_once(s, (char *)buf + got, len - got);
        if (n <= 0) {
            r = n == 0 ? -EDDY_EEOF : (int)n;
            if (got && (n == -ECANCELED || n == -ETIMEDOUT))
                s->broken = true;
            break;
        }
        got += (size_t)n;
    }
    stream_read_end(s);
    if (r == 0)
        eddy__budget_spend();
    return r;
}

/* --- writing -------------------------------------------------------------------------------- */

static void write_done(struct eddy_write *w)
{
    wake(&eddy_container_of(w, struct eddy_stream, write)->writer, w->res);
}

/* What was handed over cannot be taken back in part: the connection ends with the call. */
static void write_interrupted(struct eddy_wait *w, int why)
{
    struct eddy_stream *s = stream_of_wait(w);

    (void)why;
    s->broken = true;
    eddy_transport_close(s->t, -ECANCELED);
}

static int write_or_finish(struct eddy_stream *s, struct iovec *iov, unsigned count, bool finish)
{
    int r = eddy_forked_since(s->forks) ? -EDDY_EFORKED : eddy__wait_check();

    if (r < 0)
        return r;
    if (s->writing)
        return -EBUSY;
    r = gone(s);
    if (r < 0)
        return r;
    struct call call = { .wait = EDDY_WAIT(write_interrupted, "write"), .s = s };
    s->writing = true;
    s->writer = &call.wait;
    s->write = (struct eddy_write){ .iov = iov, .count = count, .done = write_done };
    if (finish ? eddy_transport_finish(s->t, &s->write) : eddy_transport_write(s->t, &s->write)) {
        s->writer = NULL;
        r = s->write.res;
        if (r == 0)
            eddy__budget_spend();
    } else {
        call.wait.fd = s->fd;
        r = eddy__wait(&call.wait);
        if (r == -ECANCELED)
            r = call.wait.why ? call.wait.why : s->why ? s->why : -EBADF;
    }
    s->writing = false;
    return r;
}

int eddy_write(struct eddy_stream *s, const void *buf, size_t len)
{
    struct iovec iov = { (void *)(uintptr_t)buf, len };

    return write_or_finish(s, &iov, 1, false);
}

int eddy_writev(struct eddy_stream *s, struct iovec *iov, unsigned count)
{
    return write_or_finish(s, iov, count, false);
}

int eddy_stream_finish(struct eddy_stream *s)
{
    if (s->finished && !s->broken && !s->closing)
        return 0;
    int r = write_or_finish(s, NULL, 0, true);
    if (r == 0)
        s->finished = true;
    return r;
}

/* --- for net/unix.c --------------------------------------------------------------------------- */

int stream_gone(const struct eddy_stream *s)
{
    return gone(s);
}

ssize_t stream_read_more(struct eddy_stream *s, void *buf, size_t cap)
{
    return read_once(s, buf, cap);
}

int stream_unread(struct eddy_stream *s, const char *bytes, size_t len)
{
    struct eddy_buffer all = EDDY_BUFFER(IN_MAX);
    struct eddy_slice held = stream_held(s);

    int r = eddy_buffer_append(&all, bytes, len);
    if (r == 0)
        r = eddy_buffer_append(&all, held.ptr, held.len);
    if (r < 0) {
        eddy_buffer_done(&all);
        return r;
    }
    eddy_buffer_done(&s->in);
    s->in = all;
    return 0;
}

int stream_wait_room(struct eddy_stream *s)
{
    return write_or_finish(s, NULL, 1, false);
}

/* --- making and ending ---------------------------------------------------------------------- */

int eddy_stream_of(struct eddy_transport *t, struct eddy_stream **ret_stream)
{
    struct eddy_stream *s = eddy__zalloc(sizeof *s);

    if (!s)
        return -ENOMEM;
    s->t = t;
    s->forks = eddy_forks;
    if (eddy_transport_info(t, EDDY_INFO_FD, &s->fd) < 0)
        s->fd = -1;
    s->in = EDDY_BUFFER(IN_MAX);
    eddy_transport_use(t, &stream_protocol, s);
    *ret_stream = s;
    return 0;
}

void stream_renew(struct eddy_stream *s, struct eddy_transport *t)
{
    assert(s->broken && !s->t && !s->reading && !s->writing && !s->closer);
    s->t = t;
    s->why = 0;
    s->broken = s->closing = s->finished = s->ended = false;
    eddy__free(s->failure, sizeof *s->failure);
    s->failure = NULL;
    eddy_transport_use(t, &stream_protocol, s);
}

int eddy_stream_of_kept(struct eddy_transport *t, struct eddy_buffer *kept,
                        struct eddy_stream **ret_stream)
{
    int r = eddy_stream_of(t, ret_stream);

    if (r < 0)
        return r;
    (*ret_stream)->in = *kept;
    (*ret_stream)->in.max = IN_MAX;
    *kept = EDDY_BUFFER(kept->max);
    return 0;
}

int eddy_stream_pair(struct eddy_stream **ret_a, struct eddy_stream **ret_b)
{
    struct eddy_transport *t[2];
    struct eddy_stream *a, *b;

    int r = eddy_transport_pair(0, &t[0], &t[1]);
    if (r < 0)
        return r;
    r = eddy_stream_of(t[0], &a);
    if (r < 0) {
        eddy_transport_close(t[0], 0);
        eddy_transport_close(t[1], 0);
        return r;
    }
    r = eddy_stream_of(t[1], &b);
    if (r < 0) {
        eddy_stream_free(a);
        eddy_transport_close(t[1], 0);
        return r;
    }
    *ret_a = a;
    *ret_b = b;
    return 0;
}

void eddy_stream_free(struct eddy_stream *s)
{
    if (!s)
        return;
    assert((eddy_forked_since(s->forks) || (!s->reading && !s->writing && !s->closer)) &&
           "a call on the stream is waiting");
    if (s->t) {
        eddy_transport_use(s->t, &orphan_protocol, NULL);
        eddy_transport_close(s->t, 0);
    }
    eddy_buffer_done(&s->in);
    eddy__free(s->failure, sizeof *s->failure);
    eddy__free(s, sizeof *s);
}

int eddy_stream_close(struct eddy_stream *s)
{
    bool first = !s->closing;

    s->closing = true;
    if (!s->t)
        return first ? s->why : 0;
    eddy_transport_close(s->t, 0);
    if (eddy_forked_since(s->forks))
        return -EDDY_EFORKED;
    int r = eddy__wait_check();
    if (r == -EDEADLK || r == -ENOMEM || s->closer)
        return 0;
    struct call call = { .wait = EDDY_WAIT(NULL, "close"), .s = s };
    s->closer = &call.wait;
    r = eddy__wait(&call.wait);
    return r < 0 ? r : s->why;
}

int eddy_stream_take_transport(struct eddy_stream *s, struct eddy_transport **ret_t,
                               struct eddy_buffer *ret_kept)
{
    int r = gone(s);
    if (r != -EDDY_EFORKED && (s->reading || s->writing || s->closer))
        return -EBUSY;
    if (r < 0)
        return r;
    eddy_transport_pause(s->t);
    eddy_transport_use(s->t, NULL, NULL);
    *ret_t = EDDY_TAKE(s->t);
    *ret_kept = s->in;
    s->in = EDDY_BUFFER(IN_MAX);
    s->closing = true;
    return 0;
}

int eddy__stream_lift(struct eddy_stream *s, struct eddy_transport **ret_t)
{
    int r = gone(s);

    if (r != -EDDY_EFORKED && (s->reading || s->writing || s->closer))
        return -EBUSY;
    if (r < 0)
        return r;
    if (s->finished)
        return -EPIPE;
    if (stream_held(s).len || s->ended)
        return s->ended ? -EDDY_EEOF : -EPROTO;
    eddy_transport_pause(s->t);
    eddy_transport_use(s->t, NULL, NULL);
    *ret_t = EDDY_TAKE(s->t);
    s->reading = s->writing = true;
    return 0;
}

void eddy__stream_put(struct eddy_stream *s, struct eddy_transport *t)
{
    assert(!s->t && s->reading && s->writing);
    s->reading = s->writing = false;
    if (!t) {
        s->broken = true;
        return;
    }
    if (eddy_transport_info(t, EDDY_INFO_FD, &s->fd) < 0)
        s->fd = -1;
    eddy_transport_use(t, &stream_protocol, s);
    s->t = t;
    if (s->closing) /* by another task, meanwhile */
        eddy_transport_close(t, 0);
}

/* --- asking --------------------------------------------------------------------------------- */

int eddy_stream_info(const struct eddy_stream *s, enum eddy_transport_key key, void *ret_value)
{
    if (eddy_forked_since(s->forks))
        return -EDDY_EFORKED;
    if (s->t)
        return eddy_transport_info(s->t, key, ret_value);
    if (key != EDDY_INFO_FAILURE)
        return -EBADF;
    if (!s->failure)
        return -ENOENT;
    *(struct eddy_error *)ret_value = *s->failure;
    return 0;
}

int eddy_stream_peer(const struct eddy_stream *s, struct eddy_address *ret_address)
{
    return eddy_stream_info(s, EDDY_INFO_PEER, ret_address);
}

int eddy_stream_local(const struct eddy_stream *s, struct eddy_address *ret_address)
{
    return eddy_stream_info(s, EDDY_INFO_LOCAL, ret_address);
}
