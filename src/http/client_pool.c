/*
 * http/client_pool.c - connections by turns, and the idle ones
 *
 * Every fetch enters the one queue, and is served at once when its turn has come already: so none
 * overtakes another of the same host. A fetch whose own host is at its bound does not hold up the
 * others. At the bound of all, the idle connection that was unused longest makes room.
 *
 * Idle connections are watched: their transport is resumed, with a protocol that drops them at
 * any sign of life. A peer that ends one is noticed then, not by the fetch that would have used it;
 * what the loop has not told yet is asked for before use.
 */
#include "http/client.h"

#include "base/memory.h"
#include "base/sys.h"

#include <eddy/tls.h>
#include <eddy/transport.h>

#include <assert.h>

static const struct eddy_client_options defaults = {
    .idle_per_host = 8,
    .idle_total = 64,
    .open_per_host = 64,
    .open_total = 256,
    .idle_ms = 30000,
};

struct waiter {
    struct eddy_wait wait; /* first */
    struct eddy_list link; /* in pool->waiters */
    struct eddy_client_host *host;
    struct eddy_client_conn *conn; /* a spare until granted; then what was granted */
};

/* Nobody is told any more: what a transport has to say after this interests no one. */
static const struct eddy_protocol nobody = { .size = sizeof nobody };

/* --- hosts ---------------------------------------------------------------------------------------- */

static bool key_eq(const struct eddy_client_key *a, const struct eddy_client_key *b)
{
    return a->port == b->port && a->tls == b->tls && a->ipv6 == b->ipv6 &&
           strcmp(a->host, b->host) == 0;
}

static struct eddy_client_host *host_of(struct eddy_client_pool *pool,
                                        const struct eddy_client_key *key)
{
    for (struct eddy_list *l = pool->hosts.next; l != &pool->hosts; l = l->next) {
        struct eddy_client_host *h = eddy_container_of(l, struct eddy_client_host, link);
        if (key_eq(&h->key, key))
            return h;
    }
    struct eddy_client_host *h = eddy__zalloc(sizeof *h);
    if (!h)
        return NULL;
    h->key = *key;
    eddy_list_init(&h->idle);
    eddy_list_push(&pool->hosts, &h->link);
    return h;
}

static void host_check(struct eddy_client_host *h)
{
    assert(h->idle_count <= h->open);
    if (h->open > 0 || h->waiting > 0)
        return;
    eddy_list_remove(&h->link);
    eddy__free(h, sizeof *h);
}

/* --- idle connections ----------------------------------------------------------------------------- */

static void drop_idle(struct eddy_client_conn *conn);
static void serve_waiters(struct eddy_client_pool *pool);

static void idle_spoke(struct eddy_client_conn *conn)
{
    struct eddy_client_pool *pool = conn->pool;

    drop_idle(conn);
    serve_waiters(pool);
}

static void idle_received(void *ctx, const char *data, size_t len)
{
    (void)data, (void)len;
    idle_spoke(ctx);
}

static void idle_ended(void *ctx)
{
    idle_spoke(ctx);
}

static void idle_closed(void *ctx, int why)
{
    struct eddy_client_conn *conn = ctx;

    (void)why;
    conn->transport = NULL; /* it frees itself */
    idle_spoke(conn);
}

static const struct eddy_protocol idle_protocol = {
    .size = sizeof idle_protocol,
    .received = idle_received,
    .ended = idle_ended,
    .closed = idle_closed,
};

static void expire(struct eddy_timer *t);

static void arm_expiry(struct eddy_client_pool *pool)
{
    if (eddy_timer_is_armed(&pool->expiry) || eddy_list_is_empty(&pool->idle))
        return;
    struct eddy_client_conn *oldest = eddy_container_of(pool->idle.next, struct eddy_client_conn,
                                                        by_age);
    eddy__timer_start(pool->loop, &pool->expiry, oldest->idle_until_ns, expire);
}

static void expire(struct eddy_timer *t)
{
    struct eddy_client_pool *pool = eddy_container_of(t, struct eddy_client_pool, expiry);
    int64_t now = eddy_loop_clock(pool->loop);

    while (!eddy_list_is_empty(&pool->idle)) {
        struct eddy_client_conn *c = eddy_container_of(pool->idle.next, struct eddy_client_conn,
                                                       by_age);
        if (c->idle_until_ns > now)
            break;
        drop_idle(c);
    }
    arm_expiry(pool);
    serve_waiters(pool);
}

static void unlink_idle(struct eddy_client_conn *conn)
{
    assert(conn->host->idle_count > 0 && conn->pool->idle_count > 0);
    eddy_list_remove(&conn->link);
    eddy_list_remove(&conn->by_age);
    conn->host->idle_count--;
    conn->pool->idle_count--;
}

static void close_transport(struct eddy_transport *t)
{
    eddy_transport_pause(t);
    eddy_transport_use(t, &nobody, NULL);
    eddy_transport_close(t, 0);
}

/* The right to have one open goes back; who waits for it is served by the caller. */
static void forget(struct eddy_client_conn *conn)
{
    struct eddy_client_host *host = conn->host;

    assert(host->open > 0 && conn->pool->open > 0);
    host->open--;
    conn->pool->open--;
    eddy__free(conn, sizeof *conn);
    host_check(host);
}

static void drop_idle(struct eddy_client_conn *conn)
{
    unlink_idle(conn);
    if (conn->transport)
        close_transport(conn->transport);
    forget(conn);
}

/* Its peer has sent the end, whatever stands before it and has yet to be read. */
static bool has_hung_up(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLRDHUP };

    return eddy__sys.poll(&p, 1, 0) != 0;
}

/* What the loop would tell us in its next turn: a peer that has ended it, or said what nobody asked
 * for, a moment ago. Under TLS bytes may be there by right (tickets), and the filter judges them;
 * but a close-notify is bytes, too, and then the end stands behind it. */
static bool has_ended(const struct eddy_client_conn *conn)
{
    char byte;
    int fd = -1;

    if (strcmp(conn->pool->loop->driver->ops->name, "sim") == 0 ||
        eddy_transport_info(conn->transport, EDDY_INFO_FD, &fd) < 0 || fd < 0)
        return false;
    ssize_t n = eddy__sys.recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0)
        return !conn->host->key.tls || has_hung_up(fd);
    return n != -EAGAIN;
}

/* --- turns ---------------------------------------------------------------------------------------- */

static struct eddy_client_conn *take_idle(struct eddy_client_host *host)
{
    while (!eddy_list_is_empty(&host->idle)) {
        struct eddy_client_conn *c = eddy_container_of(host->idle.next, struct eddy_client_conn,
                                                       link);
        eddy_transport_pause(c->transport);
        eddy_transport_use(c->transport, &nobody, NULL);
        if (has_ended(c) || eddy_stream_of(c->transport, &c->stream) < 0) {
            /* Without memory for the adapter a new connection will say so better than we can here.
             * The host stays, because somebody waits for it. */
            drop_idle(c);
            continue;
        }
        c->transport = NULL;
        unlink_idle(c);
        return c;
    }
    return NULL;
}

static bool may_open(struct eddy_client_pool *pool, struct eddy_client_host *host)
{
    if (host->open >= pool->bounds.open_per_host)
        return false;
    if (pool->open < pool->bounds.open_total)
        return true;
    if (eddy_list_is_empty(&pool->idle))
        return false;
    drop_idle(eddy_container_of(pool->idle.next, struct eddy_client_conn, by_age));
    return pool->open < pool->bounds.open_total;
}

static bool grant(struct eddy_client_pool *pool, struct waiter *w)
{
    struct eddy_client_conn *reused = take_idle(w->host);

    if (reused) {
        eddy__free(w->conn, sizeof *w->conn);
        w->conn = reused;
    } else if (may_open(pool, w->host)) {
        w->conn->host = w->host;
        w->host->open++;
        pool->open++;
    } else {
        return false;
    }
    assert(w->host->open <= pool->open);
    return true;
}

static void serve_waiters(struct eddy_client_pool *pool)
{
    for (struct eddy_list *l = pool->waiters.next, *next; l != &pool->waiters; l = next) {
        struct waiter *w = eddy_container_of(l, struct waiter, link);
        next = l->next;
        if (!grant(pool, w))
            continue;
        eddy_list_remove(l);
        eddy__wake(&w->wait, 0);
    }
}

static void turn_interrupted(struct eddy_wait *wait, int why)
{
    struct waiter *w = (struct waiter *)(void *)wait;

    eddy_list_remove(&w->link);
    eddy__wake(wait, why);
}

int eddy_client_take(struct eddy_client_pool *pool, const struct eddy_client_key *key,
                     struct eddy_client_conn **ret_conn)
{
    int r = eddy__wait_check();
    if (r < 0)
        return r;

    struct waiter w = { .wait = EDDY_WAIT(turn_interrupted, "connection of the pool"),
                        .conn = eddy__zalloc(sizeof *w.conn) };
    if (!w.conn)
        return -ENOMEM;
    w.conn->pool = pool;
    eddy_list_init(&w.conn->link);
    eddy_list_init(&w.conn->by_age);
    w.host = host_of(pool, key);
    if (!w.host) {
        eddy__free(w.conn, sizeof *w.conn);
        return -ENOMEM;
    }
    w.host->waiting++;
    eddy_list_push(&pool->waiters, &w.link);
    serve_waiters(pool);
    r = eddy__wait(&w.wait);
    w.host->waiting--; /* only now: until it runs again, the waiter holds the host */
    if (r < 0) {
        /* Interrupted: what stands in w.conn is the spare still. */
        assert(!w.conn->host);
        eddy__free(w.conn, sizeof *w.conn);
        host_check(w.host);
        return r;
    }
    *ret_conn = w.conn;
    return 0;
}

void eddy_client_drop(struct eddy_client_conn *conn)
{
    struct eddy_client_pool *pool = conn->pool;

    eddy_stream_free(conn->stream);
    forget(conn);
    serve_waiters(pool);
}

void eddy_client_give_back(struct eddy_client_conn *conn)
{
    struct eddy_client_pool *pool = conn->pool;
    struct eddy_buffer kept = EDDY_BUFFER(1);

    if (eddy_stream_take_transport(conn->stream, &conn->transport, &kept) < 0) {
        eddy_client_drop(conn);
        return;
    }
    bool clean = kept.end == kept.start;
    eddy_buffer_done(&kept);
    eddy_stream_free(conn->stream);
    conn->stream = NULL;
    if (!clean || conn->host->idle_count >= pool->bounds.idle_per_host ||
        pool->idle_count >= pool->bounds.idle_total) {
        /* Bytes that nobody asked for would be read as the next answer; or there are enough. */
        close_transport(conn->transport);
        conn->transport = NULL;
        forget(conn);
        serve_waiters(pool);
        return;
    }

    conn->idle_until_ns = eddy_loop_clock(pool->loop) + (int64_t)pool->bounds.idle_ms * 1000000;
    eddy_list_push_front(&conn->host->idle, &conn->link);
    eddy_list_push(&pool->idle, &conn->by_age);
    conn->host->idle_count++;
    pool->idle_count++;
    eddy_transport_use(conn->transport, &idle_protocol, conn);
    eddy_transport_resume(conn->transport);
    arm_expiry(pool);
    serve_waiters(pool);
}

/* --- the pool --------------------------------------------------------------------------------------- */

/* With the loop: no task lives, so nobody waits and nothing is granted. */
static void pool_free(void *slot)
{
    struct eddy_client_pool *pool = slot;

    assert(eddy_list_is_empty(&pool->waiters));
    eddy__timer_stop(pool->loop, &pool->expiry);
    while (!eddy_list_is_empty(&pool->idle))
        drop_idle(eddy_container_of(pool->idle.next, struct eddy_client_conn, by_age));
    assert(pool->open == 0 && eddy_list_is_empty(&pool->hosts));
    eddy_tls_free(pool->tls);
    eddy__free(pool, sizeof *pool);
}

struct eddy_client_pool *eddy_client_pool_of_loop(void)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!loop)
        return NULL;
    if (loop->slot[EDDY_SLOT_CLIENT])
        return loop->slot[EDDY_SLOT_CLIENT];
    struct eddy_client_pool *pool = eddy__zalloc(sizeof *pool);
    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->bounds = defaults;
    eddy_list_init(&pool->hosts);
    eddy_list_init(&pool->idle);
    eddy_list_init(&pool->waiters);
    loop->slot[EDDY_SLOT_CLIENT] = pool;
    loop->slot_free[EDDY_SLOT_CLIENT] = pool_free;
    return pool;
}

int eddy_client_configure(const struct eddy_client_options *options)
{
    struct eddy_client_pool *pool = eddy_client_pool_of_loop();
    struct eddy_client_options o = { 0 };

    if (!pool)
        return eddy__loop_refusal();
    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    struct eddy_client_options *b = &pool->bounds;
    b->idle_per_host = o.idle_per_host ? o.idle_per_host : b->idle_per_host;
    b->idle_total = o.idle_total ? o.idle_total : b->idle_total;
    b->open_per_host = o.open_per_host ? o.open_per_host : b->open_per_host;
    b->open_total = o.open_total ? o.open_total : b->open_total;
    b->idle_ms = o.idle_ms ? o.idle_ms : b->idle_ms;
    serve_waiters(pool);
    return 0;
}
