/*
 * http/server.c - the server: birth, connections' number, the graceful stop, the end
 *
 * A server lives until eddy_http_server_free(), and its connections hold no count on it: free waits
 * for the last of them. Where it cannot wait (in a callback) the server is left to itself and goes
 * with its last connection.
 */
#include "http/server.h"

#include "http/framework.h"

#include <eddy/net.h>
#include <eddy/tls.h>

static const struct eddy_http_limits default_limits = {
    .head = 32768,
    .headers = EDDY__HTTP1_HEADERS,
    .body = 1u << 20,
    .reply = 16u << 20,
    .connections = 10000,
    .head_timeout_ms = 10000,
    .body_timeout_ms = 30000,
    .handler_timeout_ms = 60000,
    .idle_timeout_ms = 75000,
    .write_timeout_ms = 30000,
};

#define ARENA_EXTRA ((size_t)131072)

#define DEFAULT_TO(limits, field)                                                                  \
    if (!(limits)->field)                                                                          \
    (limits)->field = default_limits.field

static void fill_limits(struct eddy_http_limits *limits)
{
    DEFAULT_TO(limits, head);
    DEFAULT_TO(limits, headers);
    DEFAULT_TO(limits, body);
    DEFAULT_TO(limits, reply);
    DEFAULT_TO(limits, connections);
    DEFAULT_TO(limits, head_timeout_ms);
    DEFAULT_TO(limits, body_timeout_ms);
    DEFAULT_TO(limits, handler_timeout_ms);
    DEFAULT_TO(limits, idle_timeout_ms);
    DEFAULT_TO(limits, write_timeout_ms);
}

/* --- connections come and go ----------------------------------------------------------------- */

/* The handshake is the first thing that the head's time is spent on. */
static int secure(struct eddy_http_server *server, struct eddy_transport **t)
{
    struct eddy_transport *below = *t;
    int r = server->tls ? eddy_tls_wrap(server->tls, below, NULL, t) : 0;

    if (r < 0)
        eddy_transport_close(below, r);
    return r;
}

static void on_accept(void *ctx, struct eddy_transport *t)
{
    struct eddy_http_server *server = ctx;

    if (secure(server, &t) == 0)
        (void)eddy_server_admit(server, t);
    if (server->stats.connections >= server->limits.connections && server->listener) {
        server->full = true;
        eddy__listener_stop(server->listener);
    }
}

int eddy_server_admit(struct eddy_http_server *server, struct eddy_transport *t)
{
    int r = server->stopping ? -EDDY_EDRAINING : eddy_server_conn_new(server, t);

    if (r < 0)
        eddy_transport_close(t, r);
    return r;
}

int eddy_http_serve_transport(struct eddy_http_server *server, struct eddy_transport *t)
{
    return eddy_server_admit(server, t);
}

static void server_free(struct eddy_http_server *server)
{
    assert(eddy_list_is_empty(&server->conns) && eddy_list_is_empty(&server->waiters));
    eddy__timer_stop(server->loop, &server->grace);
    eddy__scope_close(&server->scope, NULL, NULL);
    eddy_tls_free(server->tls);
    if (server->free_owned)
        server->free_owned(server->owned);
    eddy__free(server->name, server->name_len + 1);
    eddy__free(server->ok, server->ok_cap);
    eddy__free(server->scratch, server->limits.headers * sizeof *server->scratch);
    eddy__free(server, sizeof *server);
}

static bool is_stopped(const struct eddy_http_server *server)
{
    return server->stopping && eddy_list_is_empty(&server->conns);
}

void eddy_server_conn_gone(struct eddy_http_server *server)
{
    server->stats.connections--;
    if (server->full && !server->stopping &&
        server->stats.connections < server->limits.connections) {
        server->full = false;
        eddy__listener_start(server->listener, on_accept, server);
    }
    if (!is_stopped(server))
        return;
    eddy__timer_stop(server->loop, &server->grace);
    if (server->orphan) {
        server_free(server);
        return;
    }
    struct eddy_list *link;
    while ((link = eddy_list_shift(&server->waiters)))
        eddy__wake(&eddy_container_of(link, struct eddy_server_stop_wait, link)->wait, 0);
}

/* --- stopping ------------------------------------------------------------------------------------- */

/* The grace is over: who runs is cancelled, who does not is closed. */
static void stop_hard(struct eddy_http_server *server)
{
    struct eddy_list *link, *next;

    if (server->hard)
        return;
    server->hard = true;
    for (link = server->conns.next; link != &server->conns; link = next) {
        struct eddy_server_conn *conn = eddy_container_of(link, struct eddy_server_conn, link);
        next = link->next;
        if (eddy_server_conn_is_running(conn) && conn->phase != HTTP_CLOSED) {
            server->stop_cancelled++;
            conn->x->forced = 503;
            if (conn->x->reply.streaming)
                eddy_server_conn_close(conn, -ECANCELED);
            else
                eddy_scope_cancel(&conn->x->scope);
        } else if (conn->phase == HTTP_LINGER) {
            eddy_server_conn_deadline(conn, HTTP_LINGER_HARD_MS);
        } else {
            eddy_server_conn_close(conn, 0);
        }
    }
}

static void grace_over(struct eddy_timer *t)
{
    stop_hard(eddy_container_of(t, struct eddy_http_server, grace));
}

static void begin_stop(struct eddy_http_server *server, int64_t grace_ms)
{
    struct eddy_list *link, *next;

    if (!server->stopping) {
        server->stopping = true;
        eddy_listener_free(server->listener);
        server->listener = NULL;
        for (link = server->conns.next; link != &server->conns; link = next) {
            struct eddy_server_conn *conn = eddy_container_of(link, struct eddy_server_conn, link);
            next = link->next;
            if (conn->phase == HTTP_IDLE)
                eddy_server_conn_close(conn, 0);
        }
        /* Handlers may ask eddy_draining(); who is cancelled, and how, is decided here. */
        eddy_scope_drain(&server->scope, INT32_MAX);
    }
    if (grace_ms <= 0) {
        stop_hard(server);
        return;
    }
    int64_t deadline_ns = eddy_deadline_ns(eddy_loop_clock(server->loop), grace_ms);
    if (!eddy_timer_is_armed(&server->grace) || server->grace.deadline_ns > deadline_ns)
        eddy__timer_start(server->loop, &server->grace, deadline_ns, grace_over);
}

/* Whoever waited no longer does; the stop goes on. */
static void stop_interrupt(struct eddy_wait *w, int why)
{
    eddy_list_remove(&eddy_container_of(w, struct eddy_server_stop_wait, wait)->link);
    eddy__wake(w, why);
}

static int wait_stopped(struct eddy_http_server *server)
{
    struct eddy_server_stop_wait w = { .wait = EDDY_WAIT(stop_interrupt, "end of the server") };

    if (is_stopped(server))
        return 0;
    eddy_list_push(&server->waiters, &w.link);
    return eddy__wait(&w.wait);
}

int eddy_http_stop(struct eddy_http_server *server, int64_t grace_ms)
{
    if (eddy__loop_is_parents(server->loop))
        return -EDDY_EFORKED;
    int r = eddy__wait_check();
    if (r == -EDEADLK)
        return r;
    begin_stop(server, grace_ms);
    if (r == 0)
        r = wait_stopped(server);
    return r < 0 ? r : server->stop_cancelled;
}

void eddy_http_server_free(struct eddy_http_server *server)
{
    if (!server)
        return;
    if (eddy__loop_is_parents(server->loop)) {
        /* Its connections lie there as the fork found them. */
        eddy_listener_free(server->listener);
        server->listener = NULL;
        return;
    }
    begin_stop(server, 0);
    if (!is_stopped(server) && eddy__wait_check() != -EDEADLK) {
        /* A cancelled task, too, must see its server gone: its handlers' memory may be its own. */
        EDDY_SHIELD(end, .timeout_ms = 0);
        (void)wait_stopped(server);
    }
    if (is_stopped(server))
        server_free(server);
    else
        server->orphan = true;
}

/* --- birth ------------------------------------------------------------------------------------------ */

static int prepare(struct eddy_http_server *server, const struct eddy_http_options *options)
{
    const char *name = options && options->server_name ? options->server_name : "eddy";
    struct eddy_slice text = eddy_slice_of(name);

    if (eddy__http1_check_field(EDDY_SLICE("Server"), text) < 0)
        return -EINVAL;
    fill_limits(&server->limits);
    server->scan_limits.head = server->limits.head;
    server->scan_limits.headers = server->limits.headers;
    server->arena_max = server->limits.reply + server->limits.head +
                        server->limits.headers * sizeof(struct eddy_header) + ARENA_EXTRA;
    server->pool = eddy_server_pool_of(server->loop);
    server->scratch = eddy__alloc(server->limits.headers * sizeof *server->scratch);
    server->name_len = text.len + sizeof "Server: \r\n" - 1;
    server->name = eddy__alloc(server->name_len + 1);
    server->ok_cap = server->name_len + 64;
    server->ok = eddy__alloc(server->ok_cap);
    if (!server->pool || !server->scratch || !server->name || !server->ok)
        return -ENOMEM;
    memcpy(server->name, "Server: ", 8);
    memcpy(server->name + 8, text.ptr, text.len);
    memcpy(server->name + 8 + text.len, "\r\n", 3);
    return 0;
}

static void copy_options(struct eddy_http_server *server, const struct eddy_http_options *options)
{
    struct eddy_http_options own = { 0 };

    if (!options)
        return;
    memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    server->limits = own.limits;
    server->cancel_on_eof = own.cancel_on_eof;
    server->app = own.app;
    server->ctx = own.ctx;
    if (own.tls)
        server->tls = eddy__tls_share(own.tls);
}

int eddy__http_serve_owned(struct eddy_listener *listener, eddy_handler_fn *handler,
                           const struct eddy_http_options *options, void *owned,
                           void (*free_owned)(void *owned), struct eddy_http_server **ret)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_http_server *server = loop ? eddy__zalloc(sizeof *server) : NULL;

    if (!server)
        return eddy__loop_refusal();
    server->loop = loop;
    server->handler = handler;
    eddy_list_init(&server->conns);
    eddy_list_init(&server->waiters);
    copy_options(server, options);
    int r = eddy__scope_open(&server->scope, NULL, EDDY_OPT(scope, .isolate = true));
    if (r == 0)
        r = prepare(server, options);
    if (r == 0 && listener)
        r = eddy__listener_start(listener, on_accept, server);
    if (r < 0) {
        server_free(server);
        return r;
    }
    server->listener = listener;
    server->owned = owned;
    server->free_owned = free_owned;
    *ret = server;
    return 0;
}

int eddy_http_serve(struct eddy_listener *listener, eddy_handler_fn *handler,
                    const struct eddy_http_options *options, struct eddy_http_server **ret)
{
    return eddy__http_serve_owned(listener, handler, options, NULL, NULL, ret);
}

void eddy_http_stats(const struct eddy_http_server *server, struct eddy_http_stats *ret_stats)
{
    *ret_stats = server->stats;
}
