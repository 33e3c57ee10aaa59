/*
 * http/server_input.c - bytes to heads and bodies, and the answer to what cannot be served
 *
 * A head is scanned where it lies, and copied once, whole, into its exchange; the bytes it lay in
 * may be lent. A body is gathered behind it, and the handler starts at its last byte.
 */
#include "http/server.h"

#define BODY_IN_ARENA ((uint64_t)16384) /* longer ones grow as they come: a length is a claim */

static bool is_ready(const struct eddy_server_conn *conn)
{
    return conn->phase != HTTP_CLOSED && !conn->closing && !conn->waiting && conn->writes == 0 &&
           !eddy_server_conn_is_running(conn);
}

static void next_turn(struct eddy_soon *s)
{
    struct eddy_server_conn *conn = eddy_container_of(s, struct eddy_server_conn, soon);

    conn->waiting = false;
    eddy_server_conn_advance(conn);
}

/* Thousands of small requests may stand in one buffer: nobody else would have their turn. */
static bool has_share(struct eddy_server_conn *conn)
{
    struct eddy_loop *loop = conn->server->loop;

    if (conn->turn != loop->iterations) {
        conn->turn = loop->iterations;
        conn->served = 0;
    }
    if (conn->served < HTTP_REQUESTS_A_TURN)
        return true;
    conn->waiting = true;
    eddy__soon(loop, &conn->soon, next_turn);
    return false;
}

/* Not even a block for an answer: a constant one, from the connection's own struct. */
static void refuse_without_memory(struct eddy_server_conn *conn)
{
    if (conn->phase == HTTP_CLOSED)
        return;
    conn->no_memory = true;
    conn->closing = true;
}

static void forget_exchange(struct eddy_server_conn *conn)
{
    if (conn->x)
        eddy_server_exchange_free(conn->x);
    conn->x = NULL;
}

void eddy_server_refuse(struct eddy_server_conn *conn, int status)
{
    assert(!eddy_server_conn_is_running(conn));
    bool head = conn->x && conn->x->req.method == EDDY_METHOD_HEAD;
    forget_exchange(conn);
    conn->server->stats.refused++;
    struct eddy_server_exchange *x = eddy_server_exchange_new(conn);
    if (!x) {
        refuse_without_memory(conn);
        return;
    }
    x->req.method = head ? EDDY_METHOD_HEAD : EDDY_METHOD_OTHER;
    x->req.minor_version = 1;
    x->reply.body = eddy_slice_of(eddy_status_text(status));
    x->reply.type = EDDY_SLICE("text/plain; charset=utf-8");
    if (eddy_server_reply_gather(x, status))
        conn->closing = true;
    else
        refuse_without_memory(conn);
    if (x->referred && conn->out)
        eddy_server_output_hold(conn, x);
    else
        eddy_server_exchange_free(x);
}

static void refuse_error(struct eddy_server_conn *conn, int error)
{
    if (error == -ENOMEM) {
        forget_exchange(conn);
        refuse_without_memory(conn);
    } else {
        eddy_server_refuse(conn, eddy_error_status(error));
    }
}

static int fill_request(struct eddy_server_exchange *x, const struct eddy__http1_head *head)
{
    struct eddy_request *req = &x->req;
    size_t size = head->header_count * sizeof *head->headers;
    struct eddy_header *headers = eddy_arena_alloc(&x->arena, size);

    if (!headers)
        return -ENOMEM;
    memcpy(headers, head->headers, size);
    req->method = head->method;
    req->method_text = head->method_text;
    req->target = head->target;
    req->path = head->path;
    req->query = head->query;
    req->host = head->host;
    req->minor_version = head->minor_version;
    req->headers = headers;
    req->header_count = head->header_count;
    return 0;
}

static int prepare_body(struct eddy_server_exchange *x, const struct eddy__http1_head *head,
                        bool more)
{
    struct eddy_server_conn *conn = x->conn;
    size_t limit = conn->server->limits.body;

    x->chunked = head->chunked;
    x->body.max = limit;
    if (!head->chunked) {
        if ((uint64_t)head->content_length > limit)
            return -EDDY_ETOOBIG;
        x->body_left = (uint64_t)head->content_length;
        if (x->body_left <= BODY_IN_ARENA) {
            x->req.body.ptr = eddy_arena_alloc(&x->arena, (size_t)x->body_left);
            if (!x->req.body.ptr)
                return -ENOMEM;
        }
    }
    if (head->expect_continue && !more) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        if (!eddy_server_output_reserve(conn, sizeof go_on, 1))
            return -ENOMEM;
        memcpy(eddy_server_output_copy(conn, sizeof go_on - 1), go_on, sizeof go_on - 1);
    }
    return 0;
}

/* A head that is whole: take it apart, and start what it asks for. */
static int begin(struct eddy_server_conn *conn, const char *data, size_t len, bool more)
{
    struct eddy_http_server *server = conn->server;
    struct eddy__http1_head head;
    struct eddy_server_exchange *x = eddy_server_exchange_new(conn);

    if (!x)
        return -ENOMEM;
    conn->x = x;
    char *copy = eddy_arena_alloc(&x->arena, len);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, data, len);
    int r = eddy__http1_parse_request(copy, len, server->scratch, server->limits.headers, &head,
                                      NULL);
    if (r == 0)
        r = fill_request(x, &head);
    if (r < 0)
        return r;
    conn->served++;
    conn->requests++;
    x->keep = head.keep_alive && conn->requests != server->limits.requests;
    if (!eddy__http1_has_body(&head)) {
        eddy_server_exchange_start(x);
        return 0;
    }
    return prepare_body(x, &head, more);
}

static size_t input_head(struct eddy_server_conn *conn, const char *data, size_t len)
{
    ssize_t head_len = eddy__http1_scan(&conn->scan, data, len, &conn->server->scan_limits);

    if (head_len == 0)
        return 0;
    conn->scan = (struct eddy__http1_scan){ 0 };
    conn->phase = HTTP_IDLE; /* this head's time is over; another's begins anew */
    int r = head_len < 0 ? (int)head_len
                         : begin(conn, data, (size_t)head_len, (size_t)head_len < len);
    if (r < 0) {
        refuse_error(conn, r);
        return len;
    }
    return (size_t)head_len;
}

static int keep_piece(struct eddy_server_exchange *x, const char *data, size_t len)
{
    if (x->req.body.ptr) {
        memcpy((char *)(uintptr_t)x->req.body.ptr + x->req.body.len, data, len);
        x->req.body.len += len;
        return 0;
    }
    return eddy_buffer_append(&x->body, data, len);
}

static size_t input_known(struct eddy_server_exchange *x, const char *data, size_t len,
                          int *ret_status)
{
    size_t take = x->body_left < len ? (size_t)x->body_left : len;

    *ret_status = keep_piece(x, data, take);
    x->body_left -= take;
    if (*ret_status == 0 && x->body_left == 0)
        *ret_status = 1;
    return take;
}

static size_t input_chunked(struct eddy_server_exchange *x, const char *data, size_t len,
                            int *ret_status)
{
    size_t used = 0;

    for (;;) {
        struct eddy_slice piece;
        size_t n;
        int r = eddy__http1_chunks_feed(&x->chunks, data + used, len - used, &n, &piece);
        used += n;
        if (r == EDDY__HTTP1_CHUNKS_PIECE) {
            r = keep_piece(x, piece.ptr, piece.len);
            if (r == 0)
                continue;
        }
        /* A chunk that is announced too large is refused before it comes. */
        if (r == EDDY__HTTP1_CHUNKS_MORE && x->chunks.left > x->body.max - x->body.end)
            r = -EDDY_ETOOBIG;
        *ret_status = r == EDDY__HTTP1_CHUNKS_DONE ? 1 : r;
        return used;
    }
}

static size_t input_body(struct eddy_server_conn *conn, const char *data, size_t len)
{
    struct eddy_server_exchange *x = conn->x;
    int status = 0; /* 1: whole */
    size_t used = x->chunked ? input_chunked(x, data, len, &status)
                             : input_known(x, data, len, &status);

    if (status < 0) {
        refuse_error(conn, status);
        return len;
    }
    if (status == 1) {
        if (!x->req.body.ptr)
            x->req.body = eddy_buffer_bytes(&x->body);
        eddy_server_exchange_start(x);
    }
    return used;
}

size_t eddy_server_input(struct eddy_server_conn *conn, const char *data, size_t len)
{
    size_t used = 0;

    while (used < len && is_ready(conn) && (conn->x || has_share(conn))) {
        size_t n = conn->x ? input_body(conn, data + used, len - used)
                           : input_head(conn, data + used, len - used);
        if (n == 0)
            break;
        used += n;
    }
    return used;
}
