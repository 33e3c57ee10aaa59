/*
 * server_fuzz.c - a whole server: bytes in, over a pair; every reply must be one that we can read
 *
 * The first byte says how the rest arrives (its cuts, whether the client reads meanwhile), so one
 * input tries many ways. The simulator's clock ends what would wait. When all is over nothing may
 * be left: no connection, and no byte that LeakSanitizer sees.
 */
#include "base/list.h"
#include "codec/http/http1.h"
#include "fuzz.h"

#include <eddy/buffer.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/task.h>
#include <eddy/transport.h>

enum { SENT_MAX = 1 << 16, REQUESTS_MAX = 1 << 14 };

struct client {
    struct eddy_transport *t; /* NULL once closed */
    struct eddy_buffer got;
    struct eddy_write write;
    struct iovec iov;
    const char *data;
    size_t len;
    size_t step;
    bool busy, ended, resumed;
};

/* What was asked, in order: what its reply may look like depends on it. */
static enum eddy_method asked[REQUESTS_MAX];
static size_t asked_count;

static struct eddy_loop *loop;

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_slice path = req->path;

    if (asked_count < REQUESTS_MAX)
        asked[asked_count++] = req->method;
    if (eddy_slice_eq(path, EDDY_SLICE("/wait")) && eddy_sleep(5) < 0)
        return -ECANCELED;
    if (eddy_slice_eq(path, EDDY_SLICE("/long"))) {
        int r = eddy_sleep(1000000);
        return r < 0 ? r : 200;
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/stream"))) {
        for (int i = 0; i < 3; i++) {
            int r = eddy_reply_write(reply, "piece of a body", 15);
            if (r < 0)
                return r;
        }
        return 0;
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/large"))) {
        static const char large[10000];
        return eddy_reply_static(reply, "text/plain", (struct eddy_slice){ large, sizeof large });
    }
    eddy_reply_header(reply, "X-Host", eddy_arena_copy(req->arena, req->host.ptr, req->host.len));
    return eddy_reply_printf(reply, "%.*s %.*s %zu", EDDY_SLICE_ARG(req->method_text),
                             EDDY_SLICE_ARG(req->path), req->body.len);
}

/* --- the client -------------------------------------------------------------------------------- */

static void received(void *ctx, const char *data, size_t len)
{
    struct client *c = ctx;

    REQUIRE(eddy_buffer_append(&c->got, data, len) == 0);
}

static void ended(void *ctx)
{
    struct client *c = ctx;

    c->ended = true;
    eddy_transport_close(c->t, 0);
}

static void closed(void *ctx, int why)
{
    struct client *c = ctx;

    (void)why;
    c->t = NULL;
}

static const struct eddy_protocol client_protocol = {
    .size = sizeof client_protocol,
    .received = received,
    .ended = ended,
    .closed = closed,
};

static void sent(struct eddy_write *w)
{
    eddy_container_of(w, struct client, write)->busy = false;
}

static void send_some(struct client *c)
{
    size_t n = c->len < c->step ? c->len : c->step;

    c->iov = (struct iovec){ (void *)(uintptr_t)c->data, n };
    c->write = (struct eddy_write){ .iov = &c->iov, .count = 1, .done = sent };
    c->data += n;
    c->len -= n;
    c->busy = !eddy_transport_write(c->t, &c->write);
    if (!c->busy && c->write.res < 0)
        c->len = 0;
}

static void finish(struct client *c)
{
    c->write = (struct eddy_write){ .done = sent };
    c->busy = !eddy_transport_finish(c->t, &c->write);
}

/* --- what it got ------------------------------------------------------------------------------ */

static size_t chunked_len(const char *data, size_t len)
{
    struct eddy__http1_chunks chunks = { 0 };
    struct eddy_slice piece;
    size_t at = 0, used;
    int r;

    do {
        r = eddy__http1_chunks_feed(&chunks, data + at, len - at, &used, &piece);
        at += used;
        REQUIRE(r >= 0);
    } while (r == EDDY__HTTP1_CHUNKS_PIECE);
    return r == EDDY__HTTP1_CHUNKS_DONE ? at : SIZE_MAX;
}

/* All of it are replies, but for the last, which may be cut short. */
static void judge(struct eddy_slice all)
{
    struct eddy_header headers[EDDY__HTTP1_HEADERS];
    size_t n = 0;
    bool over = false;

    while (all.len > 0) {
        struct eddy__http1_scan scan = { 0 };
        struct eddy__http1_head h;
        ssize_t head = eddy__http1_scan(&scan, all.ptr, all.len, NULL);
        REQUIRE(head >= 0 && !over);
        if (head == 0)
            return;
        /* Behind the handler's requests comes at most one refusal, of whatever method. */
        bool ours = n < asked_count;
        enum eddy_method method = ours ? asked[n] : EDDY_METHOD_OTHER;
        REQUIRE(eddy__http1_parse_response((char *)(uintptr_t)all.ptr, (size_t)head, method,
                                           headers, EDDY__HTTP1_HEADERS, &h, NULL) == 0);
        size_t len = (size_t)head;
        if (h.no_body || h.status == 100)
            len += 0;
        else if (h.chunked)
            len = chunked_len(all.ptr + head, all.len - (size_t)head);
        else if (h.content_length >= 0)
            len += (size_t)h.content_length;
        else
            len = all.len;
        if (h.chunked && !h.no_body && len != SIZE_MAX)
            len += (size_t)head;
        over = h.status != 100 && !h.keep_alive;
        if (h.status != 100)
            n++;
        if (len > all.len || !ours)
            return;
        all.ptr += len;
        all.len -= len;
    }
}

static void converse(const uint8_t *data, size_t len)
{
    struct eddy_http_server *server;
    struct eddy_transport *theirs;
    struct client c = { .got = EDDY_BUFFER(64 << 20) };
    struct eddy_http_stats stats;
    uint8_t how = data[0];

    REQUIRE(eddy_http_serve(NULL, handle,
                            EDDY_OPT(http, .limits = { .head = 1024, .headers = 8, .body = 2048 }),
                            &server) == 0);
    REQUIRE(eddy_transport_pair(how & 16 ? 512 : 0, &c.t, &theirs) == 0);
    c.data = (const char *)data + 1;
    c.len = len - 1;
    c.step = (size_t[]){ 1, 7, 64, SENT_MAX }[how & 3];
    eddy_transport_use(c.t, &client_protocol, &c);
    REQUIRE(eddy_http_serve_transport(server, theirs) == 0);
    bool reads_late = how & 4;
    if (!reads_late)
        eddy_transport_resume(c.t);
    for (unsigned turns = 0; turns < 20000 && c.t && c.len > 0; turns++) {
        if (!c.busy)
            send_some(&c);
        eddy_loop_turn(loop, c.busy || how & 32 ? 1 : 0);
    }
    if (c.t && (how & 8) && !c.busy)
        finish(&c);
    if (c.t && reads_late)
        eddy_transport_resume(c.t);
    /* The server's own limits end the rest; its clock is the simulator's. */
    int64_t until = eddy_now_ns() + (int64_t)600 * 1000000000;
    while (c.t && eddy_now_ns() < until)
        eddy_loop_turn(loop, 1000);
    REQUIRE(!c.t);
    for (int i = 0; i < 1000; i++) {
        eddy_http_stats(server, &stats);
        if (!stats.connections)
            break;
        eddy_loop_turn(loop, 100);
    }
    REQUIRE(stats.connections == 0 && stats.requests_running == 0);
    eddy_http_server_free(server);
    judge(eddy_buffer_bytes(&c.got));
    eddy_buffer_done(&c.got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    asked_count = 0;
    if (!loop)
        REQUIRE(eddy_loop_new(EDDY_OPT(loop, .backend = "sim"), &loop) == 0);
    if (len > 0 && len < SENT_MAX)
        converse(data, len);
    return 0;
}
