/*
 * http/server_head.c - a reply's head, in one pass of copies
 *
 * "HTTP/1.1 200 OK", Server and Date are one prebuilt piece that changes once a second; what is
 * left is copied behind it. Nothing is formatted but the length.
 */
#include "http/server.h"

#define SMALL_BODY ((size_t)2048) /* up to this a body is copied, beyond it is referred to */

static char *put(char *at, const char *ptr, size_t len)
{
    memcpy(at, ptr, len);
    return at + len;
}

#define PUT(at, literal) put((at), (literal), sizeof(literal) - 1)

static char *put_number(char *at, size_t value)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[sizeof digits - ++n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return put(at, digits + sizeof digits - n, n);
}

/* What every reply begins with, anew when the second has changed. */
static void refresh(struct eddy_http_server *server)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\n";
    struct eddy_server_pool *pool = server->pool;

    eddy_server_date_refresh(pool, server->loop);
    if (server->date_serial == pool->date_serial)
        return;
    char *at = PUT(server->ok, ok);
    at = put(at, server->name, server->name_len);
    at = PUT(at, "Date: ");
    at = put(at, pool->date, EDDY__HTTP_DATE);
    at = PUT(at, "\r\n");
    server->ok_len = (size_t)(at - server->ok);
    assert(server->ok_len <= server->ok_cap);
    server->date_serial = pool->date_serial;
}

static char *put_head(struct eddy_server_exchange *x, char *at, int status,
                      struct eddy_server_framing framing)
{
    static const size_t ok_line = sizeof "HTTP/1.1 200 OK\r\n" - 1;
    struct eddy_http_server *server = x->conn->server;
    struct eddy_reply *reply = &x->reply;

    if (status == 200) {
        at = put(at, server->ok, server->ok_len);
    } else {
        char scratch[EDDY__HTTP1_STATUS_SCRATCH];
        struct eddy_slice line = eddy__http1_status_line(status, scratch);
        at = put(at, line.ptr, line.len);
        at = put(at, server->ok + ok_line, server->ok_len - ok_line);
    }
    if (!reply->keep)
        at = PUT(at, "Connection: close\r\n");
    else if (x->req.minor_version == 0)
        at = PUT(at, "Connection: keep-alive\r\n");
    if (status == 503 && x->forced)
        at = PUT(at, "Retry-After: 1\r\n");
    if (reply->type.ptr) {
        at = PUT(at, "Content-Type: ");
        at = put(at, reply->type.ptr, reply->type.len);
        at = PUT(at, "\r\n");
    }
    for (struct eddy_server_field *f = reply->fields; f; f = f->next)
        at = put(at, f->text, f->len);
    if (framing.chunked) {
        at = PUT(at, "Transfer-Encoding: chunked\r\n");
    } else if (framing.has_length) {
        at = PUT(at, "Content-Length: ");
        at = put_number(at, framing.length);
        at = PUT(at, "\r\n");
    }
    return PUT(at, "\r\n");
}

/* An upper bound of what put_head() writes. */
static size_t head_bound(const struct eddy_server_exchange *x)
{
    return 64 + x->conn->server->ok_cap + 24 + 18 + x->reply.type.len + x->reply.fields_len + 64;
}

/* The head goes into the output, or into the arena when it is longer than an output has room. */
bool eddy_server_head_gather(struct eddy_server_exchange *x, int status,
                             struct eddy_server_framing framing, size_t behind)
{
    struct eddy_server_conn *conn = x->conn;
    size_t bound = head_bound(x);

    refresh(conn->server);
    if (bound + behind <= HTTP_OUTPUT_ROOM) {
        if (!eddy_server_output_reserve(conn, bound + behind, 5))
            return false;
        /* Written where it will stand, and its length told afterwards. */
        char *start = conn->out->data + conn->out->used;
        char *end = put_head(x, start, status, framing);
        assert((size_t)(end - start) <= bound);
        eddy_server_output_copy(conn, (size_t)(end - start));
        return true;
    }
    char *start = eddy_arena_alloc(&x->arena, bound);
    if (!start || !eddy_server_output_reserve(conn, behind, 5))
        return false;
    eddy_server_output_refer(conn, start, (size_t)(put_head(x, start, status, framing) - start));
    x->referred = true;
    return true;
}

/* A reply that is not streamed, whole. */
bool eddy_server_reply_gather(struct eddy_server_exchange *x, int status)
{
    struct eddy_server_conn *conn = x->conn;
    struct eddy_reply *reply = &x->reply;
    bool no_body = status == 204 || status == 304;
    bool send = !no_body && x->req.method != EDDY_METHOD_HEAD && reply->body.len > 0;
    bool small = reply->body.len <= SMALL_BODY;

    if (no_body)
        reply->type = (struct eddy_slice){ 0 };
    if (!eddy_server_head_gather(
            x, status,
            (struct eddy_server_framing){ .has_length = !no_body, .length = reply->body.len },
            send && small ? reply->body.len : 0))
        return false;
    if (send && small) {
        memcpy(eddy_server_output_copy(conn, reply->body.len), reply->body.ptr, reply->body.len);
    } else if (send) {
        eddy_server_output_refer(conn, reply->body.ptr, reply->body.len);
        x->referred = true;
    }
    return true;
}
