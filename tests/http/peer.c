/*
 * tests/http/peer.c - see peer.h
 */
#include "http/peer.h"

#include "base/memory.h"
#include "check.h"
#include "loop/loop.h"

#include <stdlib.h>

#define TURNS 20000

struct eddy_loop *peer_loop;

/* --- the tap: a transport over a transport that counts, holds and fails writes ---------------------- */

struct tap {
    struct eddy_transport base;
    struct eddy_transport *below;
    struct peer *peer;
    struct eddy_write *held[64]; /* in order */
    unsigned held_count;
    bool hold;
    int fail;
    struct eddy_write *failed;
    struct eddy_soon soon;
};

static struct tap *tap_of(struct eddy_transport *t)
{
    return (struct tap *)(void *)t;
}

static void tap_resume(struct eddy_transport *t)
{
    eddy_transport_resume(tap_of(t)->below);
}

static void tap_pause(struct eddy_transport *t)
{
    eddy_transport_pause(tap_of(t)->below);
}

static bool tap_write(struct eddy_transport *t, struct eddy_write *w)
{
    struct tap *tap = tap_of(t);

    if (tap->peer)
        tap->peer->writes++;
    if (tap->fail) {
        w->res = tap->fail;
        return true;
    }
    if (tap->hold) {
        tap->held[tap->held_count++] = w;
        return false;
    }
    return eddy_transport_write(tap->below, w);
}

static bool tap_finish(struct eddy_transport *t, struct eddy_write *w)
{
    return eddy_transport_finish(tap_of(t)->below, w);
}

/* Each held write is over before closed() comes, as a transport promises. */
static void drop_held(struct tap *tap, int res)
{
    unsigned count = tap->held_count;

    tap->held_count = 0;
    for (unsigned i = 0; i < count; i++) {
        tap->held[i]->res = res;
        tap->held[i]->done(tap->held[i]);
    }
}

static void tap_close(struct eddy_transport *t, int why)
{
    eddy_transport_close(tap_of(t)->below, why);
}

static int tap_info(struct eddy_transport *t, enum eddy_transport_key key, void *ret)
{
    return eddy_transport_info(tap_of(t)->below, key, ret);
}

static const struct eddy_transport_ops tap_ops = {
    .size = sizeof tap_ops,
    .name = "tap",
    .resume = tap_resume,
    .pause = tap_pause,
    .write = tap_write,
    .finish = tap_finish,
    .close = tap_close,
    .info = tap_info,
};

static void below_received(void *ctx, const char *data, size_t len)
{
    struct tap *tap = ctx;
    char *lent = malloc(len); /* its own block, so that a sanitizer sees who keeps a lent byte */

    memcpy(lent, data, len);
    tap->base.protocol->received(tap->base.ctx, lent, len);
    memset(lent, 0xEE, len);
    free(lent);
}

static void below_ended(void *ctx)
{
    struct tap *tap = ctx;

    tap->base.protocol->ended(tap->base.ctx);
}

static void below_closed(void *ctx, int why)
{
    struct tap *tap = ctx;

    drop_held(tap, why ? why : -ECANCELED);
    if (tap->base.protocol) /* refused at the door: nobody to tell */
        tap->base.protocol->closed(tap->base.ctx, why);
    if (tap->peer)
        tap->peer->tap = NULL;
    free(tap);
}

static const struct eddy_protocol below_protocol = {
    .size = sizeof below_protocol,
    .received = below_received,
    .ended = below_ended,
    .closed = below_closed,
};

void peer_hold_writes(struct peer *p, bool hold)
{
    struct tap *tap = p->tap;

    tap->hold = hold;
    if (hold)
        return;
    unsigned count = tap->held_count;
    tap->held_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct eddy_write *w = tap->held[i];
        if (eddy_transport_write(tap->below, w))
            w->done(w);
    }
}

void peer_fail_writes(struct peer *p, int error)
{
    p->tap->fail = error;
}

struct delivery {
    struct tap *tap;
    const char *data;
    size_t len;
    bool done;
};

static void deliver(void *ctx)
{
    struct delivery *d = ctx;

    below_received(d->tap, d->data, d->len);
    d->done = true;
}

void peer_deliver(struct peer *p, const char *data, size_t len)
{
    struct delivery d = { p->tap, data, len, false };

    /* A protocol's callbacks run from the loop only. */
    EDDY_CHECK_EQ(eddy_post(peer_loop, deliver, &d), 0);
    for (int i = 0; i < 10 && !d.done; i++)
        peer_turns(1);
    EDDY_CHECK(d.done);
}

/* --- the client's end ---------------------------------------------------------------------------------- */

static void on_received(void *ctx, const char *data, size_t len)
{
    struct peer *p = ctx;

    eddy_buffer_append(&p->got, data, len);
}

static void on_ended(void *ctx)
{
    ((struct peer *)ctx)->ended = true;
}

static void on_closed(void *ctx, int why)
{
    struct peer *p = ctx;

    p->closed = true;
    p->why = why;
    p->t = NULL;
}

static const struct eddy_protocol peer_protocol = {
    .size = sizeof peer_protocol,
    .received = on_received,
    .ended = on_ended,
    .closed = on_closed,
};

struct eddy_http_server *peer_begin(eddy_handler_fn *handler,
                                    const struct eddy_http_options *options, bool sim)
{
    struct eddy_http_server *server = NULL;

    peer_loop = NULL;
    if (eddy_loop_new(sim ? EDDY_OPT(loop, .backend = "sim", .seed = 1) : NULL, &peer_loop) < 0)
        return NULL;
    EDDY_CHECK_EQ(eddy_http_serve(NULL, handler, options, &server), 0);
    return server;
}

void peer_end(struct eddy_http_server *server)
{
    eddy_http_server_free(server);
    eddy_loop_free(peer_loop);
    peer_loop = NULL;
}

bool peer_open(struct peer *p, struct eddy_http_server *server, enum peer_way way)
{
    struct eddy_transport *a, *b;

    *p = (struct peer){ .got = EDDY_BUFFER(64u << 20) };
    if (eddy_transport_pair(0, &a, &b) < 0)
        return false;
    if (way == PEER_XOR && (eddy_filter_xor(a, 0x5a, &a) < 0 || eddy_filter_xor(b, 0x5a, &b) < 0))
        return false;
    struct tap *tap = calloc(1, sizeof *tap);
    tap->base.ops = &tap_ops;
    tap->below = b;
    tap->peer = p;
    eddy_transport_use(b, &below_protocol, tap);
    p->tap = tap;
    p->t = a;
    eddy_transport_use(a, &peer_protocol, p);
    eddy_transport_resume(a);
    return eddy_http_serve_transport(server, &tap->base) == 0;
}

struct sent {
    struct eddy_write w;
    struct iovec iov;
    struct peer *peer;
    char data[];
};

static void sent_done(struct eddy_write *w)
{
    struct sent *s = (struct sent *)(void *)w;

    s->peer->sending--;
    free(s);
}

void peer_send(struct peer *p, const char *data, size_t len)
{
    if (!p->t)
        return;
    struct sent *s = calloc(1, sizeof *s + len);
    memcpy(s->data, data, len);
    s->iov = (struct iovec){ s->data, len };
    s->w = (struct eddy_write){ .iov = &s->iov, .count = 1, .done = sent_done };
    s->peer = p;
    p->sending++;
    if (eddy_transport_write(p->t, &s->w))
        sent_done(&s->w);
}

void peer_say(struct peer *p, const char *text)
{
    peer_send(p, text, strlen(text));
}

void peer_finish(struct peer *p)
{
    struct sent *s = calloc(1, sizeof *s);

    s->w.done = sent_done;
    s->peer = p;
    p->sending++;
    if (eddy_transport_finish(p->t, &s->w))
        sent_done(&s->w);
}

void peer_reset(struct peer *p)
{
    if (p->tap)
        eddy_transport_close(p->tap->below, -ECONNRESET);
}

void peer_close(struct peer *p)
{
    if (p->t)
        eddy_transport_close(p->t, 0);
    for (int i = 0; i < TURNS && (!p->closed || p->tap || p->sending); i++)
        eddy_loop_turn(peer_loop, 10);
    EDDY_CHECK(p->closed && !p->tap);
    if (p->tap)
        p->tap->peer = NULL;
    eddy_buffer_done(&p->got);
}

/* --- waiting -------------------------------------------------------------------------------------------- */

static bool turn_once(int *turns, int64_t until_ns)
{
    if (++*turns > TURNS || eddy_now_ns() > until_ns)
        return false;
    eddy_loop_turn(peer_loop, 5);
    return true;
}

static int64_t patience(void)
{
    return eddy_now_ns() + (int64_t)200 * 1000000000;
}

bool peer_got(struct peer *p, size_t bytes)
{
    int turns = 0;
    int64_t until = patience();

    while (p->got.end - p->got.start < bytes)
        if (p->closed || p->ended || !turn_once(&turns, until))
            return p->got.end - p->got.start >= bytes;
    return true;
}

const char *peer_text(struct peer *p)
{
    char *at;

    if (eddy_buffer_room(&p->got, 1, &at) < 0)
        return "";
    *at = '\0';
    return p->got.ptr + p->got.start;
}

bool peer_got_text(struct peer *p, const char *text)
{
    int turns = 0;
    int64_t until = patience();

    while (!strstr(peer_text(p), text))
        if (p->closed || p->ended || !turn_once(&turns, until))
            return strstr(peer_text(p), text) != NULL;
    return true;
}

bool peer_saw_end(struct peer *p)
{
    int turns = 0;
    int64_t until = patience();

    while (!p->ended && !p->closed)
        if (!turn_once(&turns, until))
            return false;
    return true;
}

void peer_turns(unsigned turns)
{
    while (turns--)
        eddy_loop_turn(peer_loop, 0);
}

void peer_pass(int64_t ms)
{
    int64_t until = eddy_now_ns() + ms * 1000000;

    while (eddy_now_ns() < until)
        eddy_loop_turn(peer_loop, (until - eddy_now_ns()) / 1000000 + 1);
}

unsigned peer_count(struct peer *p, const char *text)
{
    unsigned count = 0;

    for (const char *at = peer_text(p); (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

void peer_forget(struct peer *p)
{
    eddy_buffer_take(&p->got, p->got.end - p->got.start);
}
