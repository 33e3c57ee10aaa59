/*
 * http/server_conn.c - a connection: what its transport tells, its phases, its one timer
 *
 * Whatever happened - bytes, a write's end, a handler's end - ends in eddy_server_conn_settle(), the only
 * place that decides the phase: it hands gathered replies over, turns reading on or off, and sets
 * the deadline of the phase. The timer is re-armed only when a deadline moves forward; one that
 * moved back is noticed when the timer fires, so a busy connection does not touch the wheel.
 */
#include "http/server.h"

#include <eddy/tls_info.h>

static void finish_done(struct eddy_write *w);

static bool may_close(const struct eddy_server_conn *conn)
{
    return conn->finished && conn->ended;
}

/* Our end of output: the constant 503 first, where there was no memory for another. */
static void send_end(struct eddy_server_conn *conn)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";

    conn->finishing = true;
    if (conn->no_memory) {
        conn->no_memory = false;
        conn->last_iov = (struct iovec){ (void *)(uintptr_t)text, sizeof text - 1 };
        conn->last = (struct eddy_write){ .iov = &conn->last_iov, .count = 1, .done = finish_done };
        if (!eddy_transport_write(conn->t, &conn->last))
            return;
        if (conn->last.res < 0) {
            eddy_server_conn_close(conn, conn->last.res);
            return;
        }
        conn->last_iov.iov_base = NULL;
    }
    conn->last = (struct eddy_write){ .done = finish_done };
    if (eddy_transport_finish(conn->t, &conn->last))
        finish_done(&conn->last);
}

static void finish_done(struct eddy_write *w)
{
    struct eddy_server_conn *conn = eddy_container_of(w, struct eddy_server_conn, last);

    if (conn->phase == HTTP_CLOSED)
        return;
    if (w->res < 0) {
        eddy_server_conn_close(conn, w->res);
    } else if (conn->last_iov.iov_base) {
        conn->last_iov.iov_base = NULL; /* the 503 has left, now the end */
        send_end(conn);
    } else {
        conn->finished = true;
        if (may_close(conn))
            eddy_server_conn_close(conn, 0);
    }
}

/* --- deadlines --------------------------------------------------------------------------------- */

static void timer_fire(struct eddy_timer *t);

void eddy_server_conn_deadline(struct eddy_server_conn *conn, unsigned delay_ms)
{
    struct eddy_loop *loop = conn->server->loop;

    conn->deadline_ns = loop->now_ns + (int64_t)delay_ms * 1000000;
    if (!eddy_timer_is_armed(&conn->timer) || conn->timer.deadline_ns > conn->deadline_ns)
        eddy__timer_start(loop, &conn->timer, conn->deadline_ns, timer_fire);
}

/* Whether something left since the last look; then the write gets its time again. */
static bool made_progress(struct eddy_server_conn *conn)
{
    size_t left;

    if (eddy_transport_info(conn->t, EDDY_INFO_BUFFERED, &left) < 0 || left >= conn->write_left)
        return false;
    conn->write_left = left;
    return true;
}

static void handler_timeout(struct eddy_server_conn *conn)
{
    struct eddy_server_exchange *x = conn->x;

    conn->server->stats.timeouts++;
    conn->deadline_ns = INT64_MAX; /* it has been told; how long its farewell takes is its own */
    if (x->reply.streaming) {
        eddy_server_conn_close(conn, -ETIMEDOUT);
    } else {
        x->forced = 503;
        eddy_scope_cancel(&x->scope);
    }
}

/* The first thing that the head's time is spent on; -EAGAIN until it is done. */
static bool is_shaking(struct eddy_server_conn *conn)
{
    struct eddy_tls_info info;

    return eddy_transport_info(conn->t, EDDY_INFO_TLS, &info) == -EAGAIN;
}

/* True: it was the handshake's, which is done, and from now on the client is merely idle. */
static bool handshake_was_in_time(struct eddy_server_conn *conn)
{
    if (!conn->shaking || is_shaking(conn))
        return false;
    conn->shaking = false;
    eddy_server_conn_deadline(conn, conn->server->limits.idle_timeout_ms);
    return true;
}

static void timer_fire(struct eddy_timer *t)
{
    struct eddy_server_conn *conn = eddy_container_of(t, struct eddy_server_conn, timer);
    struct eddy_http_server *server = conn->server;

    if (conn->deadline_ns > server->loop->now_ns) {
        if (conn->deadline_ns != INT64_MAX)
            eddy__timer_start(server->loop, t, conn->deadline_ns, timer_fire);
        return;
    }
    switch ((enum eddy_server_phase)conn->phase) {
    case HTTP_IDLE:
        if (handshake_was_in_time(conn))
            return;
        server->stats.timeouts++;
        eddy_server_conn_close(conn, 0);
        return;
    case HTTP_HEAD:
    case HTTP_BODY:
        server->stats.timeouts++;
        eddy_server_refuse(conn, 408);
        eddy_server_conn_settle(conn);
        return;
    case HTTP_RUN: handler_timeout(conn); return;
    case HTTP_STREAM:
    case HTTP_WRITE:
        if (made_progress(conn)) {
            eddy_server_conn_deadline(conn, server->limits.write_timeout_ms);
            return;
        }
        server->stats.timeouts++;
        eddy_server_conn_close(conn, -ETIMEDOUT);
        return;
    case HTTP_LINGER: eddy_server_conn_close(conn, 0); return;
    case HTTP_TURN: /* the whole process was stopped for so long: it is not the client's fault */
    case HTTP_CLOSED: return;
    }
}

/* --- phases ------------------------------------------------------------------------------------- */

static enum eddy_server_phase next_phase(const struct eddy_server_conn *conn)
{
    if (eddy_server_conn_is_running(conn))
        return conn->writes > 0 ? HTTP_STREAM : HTTP_RUN;
    if (conn->writes > 0)
        return HTTP_WRITE;
    if (conn->closing)
        return HTTP_LINGER;
    if (conn->waiting)
        return HTTP_TURN;
    if (conn->x)
        return HTTP_BODY;
    return conn->in.end > conn->in.start ? HTTP_HEAD : HTTP_IDLE;
}

static unsigned time_of(const struct eddy_server_conn *conn, enum eddy_server_phase phase)
{
    const struct eddy_http_limits *limits = &conn->server->limits;

    switch (phase) {
    case HTTP_IDLE: return conn->shaking ? limits->head_timeout_ms : limits->idle_timeout_ms;
    case HTTP_HEAD: return limits->head_timeout_ms;
    case HTTP_BODY: return limits->body_timeout_ms;
    case HTTP_RUN: return limits->handler_timeout_ms;
    case HTTP_STREAM:
    case HTTP_WRITE:
    case HTTP_TURN: return limits->write_timeout_ms;
    case HTTP_LINGER: return conn->server->hard ? HTTP_LINGER_HARD_MS : HTTP_LINGER_MS;
    case HTTP_CLOSED: break;
    }
    return 0;
}

static void set_reading(struct eddy_server_conn *conn, bool want)
{
    if (conn->reading == want)
        return;
    conn->reading = want;
    if (want)
        eddy_transport_resume(conn->t);
    else
        eddy_transport_pause(conn->t);
}

void eddy_server_conn_settle(struct eddy_server_conn *conn)
{
    if (conn->out)
        eddy_server_output_flush(conn, NULL, NULL);
    if (conn->phase == HTTP_CLOSED)
        return;

    enum eddy_server_phase phase = next_phase(conn);
    if (conn->ended && (phase == HTTP_HEAD || phase == HTTP_BODY || phase == HTTP_IDLE)) {
        if (phase != HTTP_IDLE)
            conn->server->stats.refused++; /* cut short */
        eddy_server_conn_close(conn, 0);
        return;
    }
    if (phase == HTTP_IDLE && conn->server->stopping) {
        eddy_server_conn_close(conn, 0);
        return;
    }
    if (phase == HTTP_IDLE || phase != (enum eddy_server_phase)conn->phase) {
        conn->phase = (uint8_t)phase;
        eddy_server_conn_deadline(conn, time_of(conn, phase));
    }
    size_t kept = conn->in.end - conn->in.start;
    bool busy = phase >= HTTP_RUN && phase <= HTTP_TURN;
    set_reading(conn, !busy || conn->closing || kept < HTTP_READ_AHEAD);
    if (phase == HTTP_LINGER && !conn->finishing) {
        eddy_buffer_done(&conn->in);
        send_end(conn);
    }
}

static void consume_kept(struct eddy_server_conn *conn)
{
    struct eddy_slice kept = eddy_buffer_bytes(&conn->in);

    if (kept.len > 0)
        eddy_buffer_take(&conn->in, eddy_server_input(conn, kept.ptr, kept.len));
    if (conn->in.start == conn->in.end)
        eddy_buffer_done(&conn->in);
}

void eddy_server_conn_advance(struct eddy_server_conn *conn)
{
    if (conn->phase == HTTP_CLOSED)
        return;
    consume_kept(conn);
    eddy_server_conn_settle(conn);
}

/* --- what the transport tells ---------------------------------------------------------------------- */

static void discard(struct eddy_server_conn *conn, size_t len)
{
    conn->lingered += len;
    if (conn->lingered > HTTP_LINGER_BYTES && conn->phase == HTTP_LINGER)
        eddy_server_conn_close(conn, 0);
}

static void settle_later(struct eddy_soon *s)
{
    struct eddy_server_conn *conn = eddy_container_of(s, struct eddy_server_conn, flush);

    if (conn->phase != HTTP_CLOSED)
        eddy_server_conn_settle(conn);
}

/* Replies leave when all that came in this turn has been read: reading many connections in a row
 * and then writing many in a row keeps the processor's caches on one thing at a time. */
static void settle_after_input(struct eddy_server_conn *conn)
{
    if (conn->out && !eddy_server_conn_is_running(conn))
        eddy__soon(conn->server->loop, &conn->flush, settle_later);
    else
        eddy_server_conn_settle(conn);
}

static void on_received(void *ctx, const char *data, size_t len)
{
    struct eddy_server_conn *conn = ctx;

    if (conn->phase == HTTP_CLOSED)
        return;
    conn->shaking = false;
    if (conn->in.start == conn->in.end) {
        size_t used = eddy_server_input(conn, data, len);
        data += used;
        len -= used;
        if (conn->phase == HTTP_CLOSED)
            return;
    }
    if (len > 0 && conn->closing) {
        discard(conn, len);
    } else if (len > 0) {
        int r = eddy_buffer_append(&conn->in, data, len);
        if (r < 0) {
            eddy_server_conn_close(conn, r);
            return;
        }
        consume_kept(conn);
    }
    settle_after_input(conn);
}

static void on_ended(void *ctx)
{
    struct eddy_server_conn *conn = ctx;

    if (conn->phase == HTTP_CLOSED)
        return;
    conn->ended = true;
    if (may_close(conn))
        eddy_server_conn_close(conn, 0);
    else if (eddy_server_conn_is_running(conn) && conn->server->cancel_on_eof)
        eddy_server_conn_close(conn, -ECONNRESET);
    else
        eddy_server_conn_settle(conn);
}

/* The one end of a connection, whoever caused it; closed() follows from the loop. */
static void end_conn(struct eddy_server_conn *conn, int why)
{
    struct eddy_http_server *server = conn->server;

    assert(conn->phase != HTTP_CLOSED);
    if (conn->x && !conn->x->started && why < 0)
        server->stats.refused++; /* cut short */
    conn->phase = HTTP_CLOSED;
    conn->why = why < 0 ? why : -ECONNRESET;
    eddy__timer_stop(server->loop, &conn->timer);
    eddy_server_output_drop(conn);
    eddy__soon_cancel(&conn->flush);
    if (conn->waiting)
        eddy__soon_cancel(&conn->soon);
    conn->waiting = false;
    if (eddy_server_conn_is_running(conn)) {
        server->stats.cancelled++;
        eddy_scope_cancel(&conn->x->scope);
    }
}

void eddy_server_conn_close(struct eddy_server_conn *conn, int why)
{
    if (conn->phase == HTTP_CLOSED)
        return;
    end_conn(conn, why);
    eddy_transport_close(conn->t, why);
}

static void on_closed(void *ctx, int why)
{
    struct eddy_server_conn *conn = ctx;

    assert(conn->writes == 0 && !conn->closed);
    if (conn->phase != HTTP_CLOSED)
        end_conn(conn, why < 0 ? why : -ECONNRESET);
    conn->closed = true;
    conn->t = NULL;
    eddy_server_conn_free_if_done(conn);
}

void eddy_server_conn_free_if_done(struct eddy_server_conn *conn)
{
    struct eddy_http_server *server = conn->server;

    if (!conn->closed || eddy_server_conn_is_running(conn))
        return;
    assert(!eddy_timer_is_armed(&conn->timer));
    if (conn->x)
        eddy_server_exchange_free(conn->x);
    eddy_buffer_done(&conn->in);
    eddy_list_remove(&conn->link);
    eddy__free(conn, sizeof *conn);
    eddy_server_conn_gone(server);
}

static const struct eddy_protocol server_protocol = {
    .size = sizeof server_protocol,
    .received = on_received,
    .ended = on_ended,
    .closed = on_closed,
};

int eddy_server_conn_new(struct eddy_http_server *server, struct eddy_transport *t)
{
    struct eddy_server_conn *conn = eddy__zalloc(sizeof *conn);

    if (!conn)
        return -ENOMEM;
    conn->t = t;
    conn->server = server;
    conn->in.max = server->limits.head + HTTP_READ_AHEAD + HTTP_RACED;
    eddy_list_push(&server->conns, &conn->link);
    eddy_transport_use(t, &server_protocol, conn);
    server->stats.accepted++;
    server->stats.connections++;
    conn->phase = HTTP_IDLE;
    conn->shaking = is_shaking(conn);
    eddy_server_conn_settle(conn);
    return 0;
}
