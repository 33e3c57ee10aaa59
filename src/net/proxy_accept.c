/*
 * net/proxy_accept.c - accepted connections that owe us a PROXY header
 *
 * Each is read by itself, beside the listener, and never further than its header goes: what the
 * codec says surely belongs to it is asked for, so the first byte behind it is the first that the
 * connection's user reads, and nothing has to be put back.
 *
 *   WAITING   its RECV is pending, its timer runs; in `waiting`, the oldest first
 *   DROPPING  the RECV has been cancelled, and will complete
 *   CLOSING   its CLOSE is pending
 *   READY     nothing is pending; in `ready`, in the order in which headers were complete
 *
 * Ending: all of them go, and whoever waits for that is told.
 */
#include "base/list.h"
#include "base/memory.h"
#include "net/networks.h"
#include "net/proxy.h"
#include "stream/socket.h"

#include <eddy/log.h>

#include <assert.h>
#include <stdio.h>

#define TIMEOUT_MS 5000
#define WAITING_MAX 1024
#define SMALL 256 /* version 1, and version 2 with any address and little besides */

enum state { WAITING, DROPPING, CLOSING, READY };

struct greeting {
    struct eddy_list link;
    struct net_proxy *proxy;
    struct eddy_op op;
    struct eddy_timer timer;
    struct eddy_transport *t; /* READY: made, but its header had no memory yet */
    int fd;
    enum state state;
    size_t len, asked;
    char *large; /* of EDDY_PROXY_MAX; NULL: `small` does */
    struct eddy_proxy header;
    char small[SMALL];
};

struct net_proxy {
    struct eddy_loop *loop;
    void (*told)(void *ctx);
    void *ctx;
    int64_t timeout_ns;
    struct eddy_list waiting; /* DROPPING and CLOSING, too */
    struct eddy_list ready;
    unsigned waiting_count, ready_count;
    bool ending;
    bool warned; /* of one that was dropped, since the last good one */
    bool only_named;
    struct net_networks from;
};

static char *bytes_of(struct greeting *g)
{
    return g->large ? g->large : g->small;
}

/* --- going ------------------------------------------------------------------------------------ */

static void gone(struct greeting *g)
{
    struct net_proxy *p = g->proxy;

    eddy_list_remove(&g->link);
    p->waiting_count--;
    if (g->large)
        eddy__free(g->large, EDDY_PROXY_MAX);
    eddy__free(g, sizeof *g);
}

static void closed(struct eddy_op *op, int res)
{
    struct greeting *g = op->ctx;
    struct net_proxy *p = g->proxy;

    (void)res;
    gone(g);
    if (p->ending && eddy_list_is_empty(&p->waiting))
        p->told(p->ctx);
}

static void close_it(struct greeting *g)
{
    g->state = CLOSING;
    eddy_op_close(&g->op, g->fd, closed);
    g->op.ctx = g;
    if (eddy__op_submit(g->proxy->loop, &g->op))
        gone(g);
}

/* One line of warning for a row of failures: a port scanner must not fill the log. */
static void tell(struct greeting *g, const char *why)
{
    struct net_proxy *p = g->proxy;
    struct eddy_driver *d = p->loop->driver;
    char text[EDDY_ADDRESS_TEXT] = "unknown";
    struct eddy_address peer = { 0 };

    if (d->ops->address(d, g->fd, true, &peer.storage, &peer.len) == 0)
        eddy_address_format(&peer, text, sizeof text);
    eddy_log(p->warned ? EDDY_LOG_DEBUG : EDDY_LOG_WARNING,
             "a connection from %s was dropped: %s%s", text, why,
             p->warned ? "" : " (more of the like is logged for debugging only)");
    p->warned = true;
}

/* WAITING: it ends, now or when its RECV has. */
static void drop(struct greeting *g, const char *why)
{
    assert(g->state == WAITING);
    if (why)
        tell(g, why);
    g->state = DROPPING;
    eddy__timer_stop(g->proxy->loop, &g->timer);
    if (!g->op.pending || eddy__op_cancel(g->proxy->loop, &g->op))
        close_it(g);
}

static void too_late(struct eddy_timer *timer)
{
    drop(eddy_container_of(timer, struct greeting, timer), "no PROXY header in time");
}

/* --- reading ---------------------------------------------------------------------------------- */

static int make_room(struct greeting *g, size_t more)
{
    assert(g->len + more <= EDDY_PROXY_MAX);
    if (g->large || g->len + more <= SMALL)
        return 0;
    g->large = eddy__alloc(EDDY_PROXY_MAX);
    if (!g->large)
        return -ENOMEM;
    memcpy(g->large, g->small, g->len);
    return 0;
}

static void is_ready(struct greeting *g)
{
    struct net_proxy *p = g->proxy;

    eddy__timer_stop(p->loop, &g->timer);
    eddy_list_remove(&g->link);
    p->waiting_count--;
    p->warned = false;
    g->state = READY;
    eddy_list_push(&p->ready, &g->link);
    p->ready_count++;
}

static void received(struct eddy_op *op, int res);

/* On with the header, until a RECV is pending, it is complete or it has to go. */
static void read_on(struct greeting *g)
{
    struct eddy_error err = { 0 };
    size_t more = 0;

    for (;;) {
        ssize_t n = eddy_proxy_parse(bytes_of(g), g->len, &g->header, &more, &err);
        if (n > 0) {
            assert((size_t)n == g->len);
            is_ready(g);
            return;
        }
        if (n == -EAGAIN)
            n = make_room(g, more);
        if (n < 0) {
            drop(g, err.text[0] ? err.text : eddy_strerror((int)n));
            return;
        }
        eddy_op_recv(&g->op, g->fd, bytes_of(g) + g->len, more, received);
        g->op.ctx = g;
        if (!eddy__op_submit(g->proxy->loop, &g->op))
            return;
        if (g->op.res <= 0) {
            drop(g, g->op.res ? eddy_strerror(g->op.res) : "it ended before its PROXY header did");
            return;
        }
        g->len += (size_t)g->op.res;
    }
}

static void received(struct eddy_op *op, int res)
{
    struct greeting *g = op->ctx;
    struct net_proxy *p = g->proxy;

    if (g->state == DROPPING) {
        close_it(g);
    } else if (res <= 0) {
        drop(g, res ? eddy_strerror(res) : "it ended before its PROXY header did");
    } else {
        g->len += (size_t)res;
        read_on(g);
    }
    /* Last: it may free all of this. */
    if (p->ending ? eddy_list_is_empty(&p->waiting) : p->ready_count > 0)
        p->told(p->ctx);
}

/* --- coming ----------------------------------------------------------------------------------- */

static bool may_speak(struct net_proxy *p, int fd)
{
    struct eddy_driver *d = p->loop->driver;
    struct eddy_address peer = { 0 };

    if (!p->only_named)
        return true;
    return d->ops->address(d, fd, true, &peer.storage, &peer.len) == 0 &&
           net_networks_have(&p->from, &peer);
}

int net_proxy_greet(struct net_proxy *p, int fd)
{
    struct greeting *g = eddy__zalloc(sizeof *g);

    if (!g)
        return -ENOMEM;
    g->proxy = p;
    g->fd = fd;
    eddy_list_push(&p->waiting, &g->link);
    p->waiting_count++;
    eddy__timer_start(p->loop, &g->timer, eddy_loop_clock(p->loop) + p->timeout_ns, too_late);
    if (!may_speak(p, fd))
        drop(g, "it is none of the proxies in .proxy_from");
    else
        read_on(g);
    /* The new one has its chance: the oldest has had it. */
    if (p->waiting_count > WAITING_MAX)
        for (struct eddy_list *at = p->waiting.next; at != &p->waiting; at = at->next) {
            g = eddy_container_of(at, struct greeting, link);
            if (g->state == WAITING) {
                drop(g, "too many connections owe their PROXY header");
                break;
            }
        }
    return 0;
}

unsigned net_proxy_ready(const struct net_proxy *p)
{
    return p->ready_count;
}

int net_proxy_take(struct net_proxy *p, struct eddy_transport **ret_t)
{
    assert(p->ready_count > 0);
    struct greeting *g = eddy_container_of(p->ready.next, struct greeting, link);
    int r = g->t ? 0 : eddy_transport_of_socket(g->fd, &g->t);

    if (r == 0)
        r = eddy_transport_set_proxy(g->t, &g->header);
    if (r < 0)
        return r;
    *ret_t = g->t;
    p->ready_count--;
    p->waiting_count++; /* as gone() has it */
    gone(g);
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

int net_proxy_new(struct eddy_loop *loop, const struct eddy_listen_options *options,
                  void (*told)(void *ctx), void *ctx, struct net_proxy **ret)
{
    const int64_t timeout_ms = options->proxy_timeout_ms ? options->proxy_timeout_ms : TIMEOUT_MS;

    if (options->proxy != EDDY_PROXY_REQUIRED)
        return eddy_error_set(options->error, -EINVAL, 0, ".proxy is %d: EDDY_PROXY_REQUIRED, or 0",
                              (int)options->proxy);
    if (timeout_ms < 0 || timeout_ms > INT32_MAX)
        return eddy_error_set(options->error, -EINVAL, 0, ".proxy_timeout_ms is %lld: 1 or more",
                              (long long)timeout_ms);
    struct net_proxy *p = eddy__zalloc(sizeof *p);
    if (!p)
        return -ENOMEM;
    p->loop = loop;
    p->told = told;
    p->ctx = ctx;
    p->timeout_ns = timeout_ms * 1000000;
    eddy_list_init(&p->waiting);
    eddy_list_init(&p->ready);
    p->only_named = options->proxy_from != NULL;
    int r = p->only_named
                ? net_networks_parse(options->proxy_from, &p->from, ".proxy_from", options->error)
                : 0;
    if (r < 0) {
        eddy__free(p, sizeof *p);
        return r;
    }
    *ret = p;
    return 0;
}

/* READY: back among those that go. */
static void discard(struct greeting *g)
{
    struct net_proxy *p = g->proxy;

    eddy_list_remove(&g->link);
    p->ready_count--;
    eddy_list_push(&p->waiting, &g->link);
    p->waiting_count++;
    if (g->t) {
        eddy_transport_close(g->t, 0); /* the descriptor is the transport's */
        gone(g);
    } else {
        close_it(g);
    }
}

bool net_proxy_end(struct net_proxy *p)
{
    struct eddy_list *next;

    if (!p->ending) {
        p->ending = true;
        for (struct eddy_list *at = p->waiting.next; at != &p->waiting; at = next) {
            struct greeting *g = eddy_container_of(at, struct greeting, link);
            next = at->next;
            if (g->state == WAITING)
                drop(g, NULL);
        }
        while (!eddy_list_is_empty(&p->ready))
            discard(eddy_container_of(p->ready.next, struct greeting, link));
    }
    if (!eddy_list_is_empty(&p->waiting))
        return false;
    eddy__free(p, sizeof *p);
    return true;
}
