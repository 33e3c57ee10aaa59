/*
 * http/reply.c - what a handler says
 *
 * A reply is whole (status, fields and one body, kept until the handler returns) or streamed (its
 * head leaves with the first eddy_reply_write()). The one rules the other out: a body that was set
 * cannot be streamed behind, and behind a head that left nothing can be set.
 */
#include "http/framework.h"
#include "http/server.h"

#include <eddy/log.h>

#include <stdarg.h>
#include <stdio.h>

#define PRINTF_ROOM ((size_t)512)

static const struct eddy_slice text_plain = { "text/plain; charset=utf-8",
                                              sizeof "text/plain; charset=utf-8" - 1 };

/* The first error stays, so that a handler need not look at each. */
static int fail(struct eddy_reply *reply, int error)
{
    if (reply->error == 0)
        reply->error = error;
    return error;
}

static int body_error(const struct eddy_server_exchange *x, size_t len)
{
    return len > x->conn->server->limits.reply ? -EDDY_ETOOBIG : -ENOMEM;
}

void eddy_server_reply_reset(struct eddy_reply *reply)
{
    assert(!reply->streaming);
    reply->body = (struct eddy_slice){ 0 };
    reply->body_cap = 0;
    reply->type = (struct eddy_slice){ 0 };
    reply->fields = NULL;
    reply->fields_tail = &reply->fields;
    reply->fields_len = 0;
    reply->whole = false;
}

static int set_body(struct eddy_reply *reply, struct eddy_slice type, struct eddy_slice data,
                    bool copy)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);

    if (reply->streaming)
        return fail(reply, -EALREADY);
    if (data.len > x->conn->server->limits.reply)
        return fail(reply, -EDDY_ETOOBIG);
    if (copy && data.len > 0) {
        char *own = eddy_arena_alloc(&x->arena, data.len);
        if (!own)
            return fail(reply, body_error(x, x->arena.used + data.len));
        memcpy(own, data.ptr, data.len);
        data.ptr = own;
    }
    reply->type = type;
    reply->body = data;
    reply->body_cap = 0;
    reply->whole = true;
    return 0;
}

int eddy_reply_status(struct eddy_reply *reply, int status)
{
    if (reply->streaming)
        return fail(reply, -EALREADY);
    if (status < 100 || status > 599)
        return fail(reply, -EINVAL);
    reply->status = status;
    return 0;
}

static bool is_servers_own(struct eddy_slice name)
{
    static const struct eddy_slice own[] = {
        { "Content-Length", 14 }, { "Transfer-Encoding", 17 }, { "Connection", 10 }, { "Date", 4 }
    };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (eddy_slice_ieq(name, own[i]))
            return true;
    return false;
}

int eddy__reply_field(struct eddy_reply *reply, struct eddy_slice n, struct eddy_slice v)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);
    size_t len = n.len + v.len + 4;
    struct eddy_server_field *field = eddy_arena_alloc(&x->arena, sizeof *field + len);
    if (!field)
        return fail(reply, -ENOMEM);
    field->next = NULL;
    field->len = len;
    memcpy(field->text, n.ptr, n.len);
    memcpy(field->text + n.len, ": ", 2);
    memcpy(field->text + n.len + 2, v.ptr, v.len);
    memcpy(field->text + len - 2, "\r\n", 2);
    *reply->fields_tail = field;
    reply->fields_tail = &field->next;
    reply->fields_len += len;
    return 0;
}

int eddy_reply_header(struct eddy_reply *reply, const char *name, const char *value)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);
    struct eddy_slice n = eddy_slice_of(name);
    struct eddy_slice v = eddy_slice_of(value);

    if (reply->streaming)
        return fail(reply, -EALREADY);
    if (eddy__http1_check_field(n, v) < 0 || is_servers_own(n))
        return fail(reply, -EINVAL);
    if (eddy_slice_ieq(n, EDDY_SLICE("Content-Type"))) {
        char *copy = eddy_arena_copy(&x->arena, v.ptr, v.len);
        if (!copy)
            return fail(reply, -ENOMEM);
        reply->type = (struct eddy_slice){ copy, v.len };
        return 0;
    }
    return eddy__reply_field(reply, n, v);
}

int eddy_reply_text(struct eddy_reply *reply, const char *text)
{
    return set_body(reply, text_plain, eddy_slice_of(text), true);
}

int eddy_reply_html(struct eddy_reply *reply, const char *html)
{
    return set_body(reply, EDDY_SLICE("text/html; charset=utf-8"), eddy_slice_of(html), true);
}

int eddy_reply_json(struct eddy_reply *reply, struct eddy_slice json)
{
    return set_body(reply, EDDY_SLICE("application/json"), json, true);
}

int eddy_reply_bytes(struct eddy_reply *reply, const char *type, struct eddy_slice data)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);
    struct eddy_slice t = eddy_slice_of(type);

    if (t.len == 0 || eddy__http1_check_field(EDDY_SLICE("Content-Type"), t) < 0)
        return fail(reply, -EINVAL);
    char *copy = eddy_arena_copy(&x->arena, t.ptr, t.len);
    if (!copy)
        return fail(reply, -ENOMEM);
    return set_body(reply, (struct eddy_slice){ copy, t.len }, data, true);
}

int eddy_reply_static(struct eddy_reply *reply, const char *type, struct eddy_slice data)
{
    struct eddy_http_server *server = eddy_server_exchange_of_reply(reply)->conn->server;

    /* A constant is judged once: most handlers say the same type each time. */
    if (!type || type != server->good_type.ptr) {
        struct eddy_slice t = eddy_slice_of(type);
        if (t.len == 0 || eddy__http1_check_field(EDDY_SLICE("Content-Type"), t) < 0)
            return fail(reply, -EINVAL);
        server->good_type = t;
    }
    return set_body(reply, server->good_type, data, false);
}

/* Room for @need bytes behind the body, which moves into memory of its own for that. */
static int grow_body(struct eddy_reply *reply, size_t need)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);
    size_t want = reply->body.len + need;
    size_t cap = reply->body_cap ? reply->body_cap * 2 : PRINTF_ROOM;

    if (want > x->conn->server->limits.reply)
        return -EDDY_ETOOBIG;
    if (cap < want)
        cap = want;
    char *ptr = eddy_arena_alloc(&x->arena, cap);
    if (!ptr && cap > want)
        ptr = eddy_arena_alloc(&x->arena, cap = want);
    if (!ptr)
        return body_error(x, x->arena.used + cap);
    if (reply->body.len)
        memcpy(ptr, reply->body.ptr, reply->body.len);
    reply->body.ptr = ptr;
    reply->body_cap = cap;
    return 0;
}

int eddy_reply_printf(struct eddy_reply *reply, const char *format, ...)
{
    va_list args;
    size_t need = 64;

    if (reply->streaming)
        return fail(reply, -EALREADY);
    /* At most twice: the second time the length is known. */
    for (;;) {
        if (reply->body_cap - (reply->body_cap ? reply->body.len : 0) < need) {
            int r = grow_body(reply, need);
            if (r < 0)
                return fail(reply, r);
        }
        size_t room = reply->body_cap - reply->body.len;
        va_start(args, format);
        int n = vsnprintf((char *)(uintptr_t)reply->body.ptr + reply->body.len, room, format, args);
        va_end(args);
        if (n < 0)
            return fail(reply, -EINVAL);
        if ((size_t)n < room) {
            if (reply->body.len + (size_t)n >
                eddy_server_exchange_of_reply(reply)->conn->server->limits.reply)
                return fail(reply, -EDDY_ETOOBIG);
            reply->body.len += (size_t)n;
            break;
        }
        need = (size_t)n + 1;
    }
    if (!reply->type.ptr)
        reply->type = text_plain;
    reply->whole = true;
    return 0;
}

int eddy_reply_fail(struct eddy_reply *reply, int status, int error)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);

    if (status < 400 || status > 599)
        status = 500;
    eddy_log(EDDY_LOG_WARNING, "%.*s %.*s: %d, %s", EDDY_SLICE_ARG(x->req.method_text),
             EDDY_SLICE_ARG(x->req.target), status, eddy_strerror(error));
    if (reply->streaming)
        return status;
    eddy_server_reply_reset(reply);
    /* Without memory for the text the status says enough. */
    EDDY_FAULT_BENIGN_BEGIN();
    int first = reply->error;
    if (eddy_reply_printf(reply, "%d %s: %s\n", status, eddy_status_text(status),
                          eddy_strerror(error)) < 0)
        reply->error = first;
    EDDY_FAULT_BENIGN_END();
    return status;
}

/* --- streaming ------------------------------------------------------------------------------------ */

/* The scope ended while a piece was on its way. Nobody can take it back, so the connection goes:
 * then the transport gives up the write, and the wait ends with what that says. */
static void stream_interrupt(struct eddy_wait *w, int why);

struct stream_wait {
    struct eddy_wait wait;
    struct eddy_server_conn *conn;
};

static void stream_interrupt(struct eddy_wait *w, int why)
{
    struct stream_wait *s = eddy_container_of(w, struct stream_wait, wait);

    eddy_server_conn_close(s->conn, why);
}

static int begin_stream(struct eddy_server_exchange *x)
{
    struct eddy_reply *reply = &x->reply;
    int status = reply->status ? reply->status : 200;
    struct eddy_server_framing framing = { 0 };

    if (status < 200)
        return -EINVAL;
    bool no_body = status == 204 || status == 304;
    reply->bodiless = no_body || x->req.method == EDDY_METHOD_HEAD;
    reply->chunked = x->req.minor_version == 1 && !no_body;
    reply->keep = x->keep && !x->conn->server->stopping && (reply->chunked || no_body);
    framing.chunked = reply->chunked;
    if (!reply->type.ptr && !no_body)
        reply->type = EDDY_SLICE("application/octet-stream");
    if (!eddy_server_head_gather(x, status, framing, EDDY__HTTP1_CHUNK_HEAD + 2))
        return -ENOMEM;
    reply->streaming = true;
    return 0;
}

static int gather_piece(struct eddy_server_exchange *x, const void *data, size_t len)
{
    struct eddy_server_conn *conn = x->conn;

    if (!eddy_server_output_reserve(conn, EDDY__HTTP1_CHUNK_HEAD + 2, 3))
        return -ENOMEM;
    if (x->reply.chunked) {
        char line[EDDY__HTTP1_CHUNK_HEAD];
        size_t n = eddy__http1_chunk_head(len, line);
        memcpy(eddy_server_output_copy(conn, n), line, n);
    }
    eddy_server_output_refer(conn, data, len);
    if (x->reply.chunked)
        memcpy(eddy_server_output_copy(conn, 2), EDDY__HTTP1_CHUNK_END, 2);
    return 0;
}

int eddy_reply_write(struct eddy_reply *reply, const void *data, size_t len)
{
    struct eddy_server_exchange *x = eddy_server_exchange_of_reply(reply);
    struct eddy_server_conn *conn = x->conn;

    if (reply->whole)
        return fail(reply, -EALREADY);
    int r = eddy__wait_check();
    if (conn->phase == HTTP_CLOSED)
        return fail(reply, conn->why == -EPIPE ? -EPIPE : -ECONNRESET);
    if (r < 0)
        return fail(reply, r);
    if (!reply->streaming)
        r = begin_stream(x);
    if (r == 0 && len > 0 && !reply->bodiless)
        r = gather_piece(x, data, len);
    if (r < 0) {
        /* What was gathered of this piece must not leave: it refers to the caller's memory. */
        if (reply->streaming)
            eddy_server_conn_close(conn, r);
        return fail(reply, r);
    }
    struct stream_wait s = { .wait = EDDY_WAIT(stream_interrupt, "write of a reply"),
                             .conn = conn };
    if (eddy_server_output_flush(conn, &s.wait, &r)) {
        if (r == 0)
            eddy__budget_spend();
    } else {
        if (!conn->t || eddy_transport_info(conn->t, EDDY_INFO_FD, &s.wait.fd) < 0)
            s.wait.fd = -1;
        eddy_server_conn_settle(conn); /* the write's own time */
        r = eddy__wait(&s.wait);
        eddy_server_conn_settle(conn);
    }
    return r < 0 ? fail(reply, r) : 0;
}
