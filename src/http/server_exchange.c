/*
 * http/server_exchange.c - one request's handler: its start, its end, what its result means
 *
 * The handler is the only child of the exchange's scope, and is run at once from the callback
 * that brought the request's last byte. Mostly it has ended when eddy__go_now() returns; if not,
 * its end is told to the connection through the ready queue, because a reply may start the next
 * handler, and that happens in callbacks only.
 */
#include "http/server.h"

#include <eddy/log.h>

struct run_handler_args {
    struct eddy_server_exchange *x;
};

static void handler_ended(struct eddy_soon *s)
{
    struct eddy_server_conn *conn = eddy_container_of(s, struct eddy_server_conn, soon);

    eddy_server_exchange_end(conn->x);
    if (conn->closed)
        eddy_server_conn_free_if_done(conn);
    else
        eddy_server_conn_advance(conn);
}

static int run_handler(struct run_handler_args *a)
{
    struct eddy_server_exchange *x = a->x;
    struct eddy_server_conn *conn = x->conn;

    x->result = conn->server->handler(&x->req, &x->reply);
    x->finished = true;
    if (x->suspended)
        eddy__soon(conn->server->loop, &conn->soon, handler_ended);
    return 0;
}
EDDY_TASK(run_handler);

struct eddy_server_exchange *eddy_server_exchange_new(struct eddy_server_conn *conn)
{
    struct eddy_http_server *server = conn->server;
    struct eddy_server_exchange *x = eddy_server_block_take(server->pool);

    if (!x)
        return NULL;
    memset(x, 0, offsetof(struct eddy_server_exchange, scope));
    eddy_arena_init(&x->arena, x + 1, HTTP_BLOCK - sizeof *x, server->arena_max);
    x->conn = conn;
    x->req.arena = &x->arena;
    x->req.app = server->app;
    x->reply.fields_tail = &x->reply.fields;
    return x;
}

void eddy_server_exchange_free(struct eddy_server_exchange *x)
{
    assert(!x->started || x->finished);
    if (x->body.ptr)
        eddy_buffer_done(&x->body);
    if (x->arena.blocks)
        eddy_arena_done(&x->arena);
    eddy_server_block_give(x->conn->server->pool, x);
}

void eddy_server_exchange_start(struct eddy_server_exchange *x)
{
    struct eddy_server_conn *conn = x->conn;
    struct eddy_http_server *server = conn->server;
    static const struct eddy_scope_options alone = { .size = sizeof alone, .isolate = true };

    assert(conn->x == x && !x->started);
    x->started = true;
    server->stats.requests_running++;
    int r = eddy__scope_open(&x->scope, &server->scope, &alone);
    assert(r == 0); /* its parent is open */
    r = eddy__go_now(&x->scope, &run_handler_task, &(struct run_handler_args){ x });
    if (r < 0) {
        x->finished = true;
        x->result = r;
        x->forced = 503;
    }
    if (x->finished)
        eddy_server_exchange_end(x);
    else
        x->suspended = true;
}

/* The status of a reply that is not streamed; what it lacks is filled in. */
static int settle_status(struct eddy_server_exchange *x)
{
    struct eddy_reply *reply = &x->reply;
    int result = x->result;
    int status = reply->status ? reply->status : 200;

    if (result >= 0 && result < 400 && (reply->error == -ENOMEM || reply->error == -EDDY_ETOOBIG)) {
        result = -EIO; /* half of what the handler said would look like all of it */
        reply->whole = false;
    }
    if (result < 0 && x->forced) {
        eddy_server_reply_reset(reply);
        status = x->forced;
    } else if (result < 0 && !reply->whole) {
        eddy_server_reply_reset(reply);
        status = eddy_error_status(result);
        if (status == 500)
            eddy_log(EDDY_LOG_ERROR, "%.*s %.*s: %s", EDDY_SLICE_ARG(x->req.method_text),
                     EDDY_SLICE_ARG(x->req.target), eddy_strerror(result));
    } else if (result >= 100) {
        status = result;
    } else if (result >= 0) {
        return status < 200 ? 500 : status; /* written already, be it nothing */
    }
    if (status < 200 || status > 599)
        status = 500;
    if (!reply->whole && status != 204 && status != 304) {
        reply->body = eddy_slice_of(eddy_status_text(status));
        if (!reply->type.ptr)
            reply->type = EDDY_SLICE("text/plain; charset=utf-8");
    }
    return status;
}

/* The last piece of a streamed reply; one that broke off must not look whole, so it is cut. */
static void end_stream(struct eddy_server_exchange *x)
{
    struct eddy_server_conn *conn = x->conn;
    struct eddy_reply *reply = &x->reply;

    if (x->result < 0 || reply->error < 0) {
        eddy_server_output_drop(conn);
        eddy_server_conn_close(conn, x->result < 0 ? x->result : reply->error);
        return;
    }
    if (!reply->chunked || reply->bodiless)
        return;
    if (eddy_server_output_reserve(conn, sizeof EDDY__HTTP1_CHUNKS_LAST, 1))
        memcpy(eddy_server_output_copy(conn, sizeof EDDY__HTTP1_CHUNKS_LAST - 1),
               EDDY__HTTP1_CHUNKS_LAST, sizeof EDDY__HTTP1_CHUNKS_LAST - 1);
    else
        eddy_server_conn_close(conn, -ENOMEM);
}

void eddy_server_exchange_end(struct eddy_server_exchange *x)
{
    struct eddy_server_conn *conn = x->conn;
    struct eddy_http_server *server = conn->server;
    struct eddy_reply *reply = &x->reply;

    assert(x->finished && conn->x == x);
    eddy__scope_close(&x->scope, NULL, NULL);
    server->stats.requests_running--;
    conn->x = NULL;

    if (conn->phase == HTTP_CLOSED) {
        eddy_server_exchange_free(x);
        return;
    }
    if (reply->streaming) {
        end_stream(x);
    } else {
        if (x->forced || server->stopping)
            x->keep = false;
        reply->keep = x->keep;
        if (!eddy_server_reply_gather(x, settle_status(x)))
            eddy_server_conn_close(conn, -ENOMEM);
    }
    if (conn->phase != HTTP_CLOSED) {
        server->stats.requests++;
        conn->closing = !reply->keep;
    }
    if (x->referred && conn->out)
        eddy_server_output_hold(conn, x);
    else
        eddy_server_exchange_free(x);
}
