/*
 * http/server_output.c - gathering replies, and handing them to the transport
 *
 * A connection gathers into one output: small things are copied into its block, large ones are
 * referred to. It leaves in one write when the batch of requests is over, or when it is full. From
 * then on it belongs to the transport, until the write is done; the exchanges whose bytes it
 * refers to are held as long.
 */
#include "http/server.h"

static void output_free(struct eddy_server_output *out)
{
    struct eddy_server_pool *pool = out->conn->server->pool;

    while (out->held) {
        struct eddy_server_exchange *x = out->held;
        out->held = x->next;
        eddy_server_exchange_free(x);
    }
    eddy_server_block_give(pool, out);
}

/* The write is done: to the waiter, or to the connection, goes what it says. */
static void output_done(struct eddy_server_output *out)
{
    struct eddy_server_conn *conn = out->conn;
    int res = out->write.res;

    assert(conn->writes > 0);
    conn->writes--;
    output_free(out);
    if (res < 0)
        eddy_server_conn_close(conn, res);
}

static void write_done(struct eddy_write *w)
{
    struct eddy_server_output *out = eddy_container_of(w, struct eddy_server_output, write);
    struct eddy_server_conn *conn = out->conn;
    struct eddy_wait *waiter = out->waiter;
    int res = w->res;

    output_done(out);
    if (waiter)
        eddy__wake(waiter, res);
    else if (!eddy_server_conn_is_running(conn))
        eddy_server_conn_advance(conn);
}

bool eddy_server_output_flush(struct eddy_server_conn *conn, struct eddy_wait *waiter, int *ret_res)
{
    struct eddy_server_output *out = conn->out;

    if (!out || conn->phase == HTTP_CLOSED) {
        eddy_server_output_drop(conn);
        if (ret_res)
            *ret_res = conn->phase == HTTP_CLOSED ? conn->why : 0;
        return true;
    }
    conn->out = NULL;
    out->waiter = waiter;
    out->write.iov = out->iov;
    out->write.count = out->count;
    out->write.done = write_done;
    out->write.res = 0;
    conn->writes++;
    if (!eddy_transport_write(conn->t, &out->write)) {
        conn->write_left = SIZE_MAX;
        return false;
    }
    if (ret_res)
        *ret_res = out->write.res;
    output_done(out);
    return true;
}

void eddy_server_output_drop(struct eddy_server_conn *conn)
{
    if (conn->out)
        output_free(conn->out);
    conn->out = NULL;
}

bool eddy_server_output_reserve(struct eddy_server_conn *conn, size_t bytes, unsigned pieces)
{
    struct eddy_server_output *out = conn->out;

    assert(bytes <= HTTP_OUTPUT_ROOM && pieces < HTTP_OUTPUT_IOV);
    if (out && out->used + bytes <= HTTP_OUTPUT_ROOM && out->count + pieces <= HTTP_OUTPUT_IOV)
        return true;
    if (out)
        eddy_server_output_flush(conn, NULL, NULL);
    if (conn->phase == HTTP_CLOSED)
        return false;
    out = eddy_server_block_take(conn->server->pool);
    if (!out)
        return false;
    out->conn = conn;
    out->held = NULL;
    out->waiter = NULL;
    out->used = 0;
    out->count = 0;
    conn->out = out;
    return true;
}

/* Space was reserved. Bytes that follow each other share a piece. */
char *eddy_server_output_copy(struct eddy_server_conn *conn, size_t len)
{
    struct eddy_server_output *out = conn->out;
    char *at = out->data + out->used;

    assert(out->used + len <= HTTP_OUTPUT_ROOM);
    out->used += len;
    if (out->count > 0) {
        struct iovec *last = &out->iov[out->count - 1];
        if ((char *)last->iov_base + last->iov_len == at) {
            last->iov_len += len;
            return at;
        }
    }
    assert(out->count < HTTP_OUTPUT_IOV);
    out->iov[out->count++] = (struct iovec){ at, len };
    return at;
}

void eddy_server_output_refer(struct eddy_server_conn *conn, const void *ptr, size_t len)
{
    struct eddy_server_output *out = conn->out;

    assert(out->count < HTTP_OUTPUT_IOV);
    out->iov[out->count++] = (struct iovec){ (void *)(uintptr_t)ptr, len };
}

void eddy_server_output_hold(struct eddy_server_conn *conn, struct eddy_server_exchange *x)
{
    x->next = conn->out->held;
    conn->out->held = x;
}
