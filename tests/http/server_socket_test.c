/*
 * The server behind a listener, over sockets, on every driver; and on a hundred simulated networks.
 * backends: select poll epoll uring sim
 * faults: yes
 * seeds: yes
 */
#include "base/fault.h"
#include "check.h"

#include <eddy/address.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cancelled;

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    if (eddy_slice_eq(req->path, EDDY_SLICE("/sleep"))) {
        int r = eddy_sleep(60000);
        cancelled += r == -ECANCELED;
        return r;
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/nap"))) {
        int r = eddy_sleep(2);
        return r < 0 ? r : eddy_reply_text(reply, "napped");
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/peer")))
        return eddy_reply_text(reply, eddy_request_peer(req));
    if (eddy_slice_eq(req->path, EDDY_SLICE("/stream"))) {
        int r = 0;
        for (int i = 0; r == 0 && i < 3; i++)
            r = eddy_reply_write(reply, "piece", 5);
        return r;
    }
    if (req->body.len > 0)
        return eddy_reply_bytes(reply, "application/octet-stream", req->body);
    return eddy_reply_text(reply, "hello");
}

struct house {
    struct eddy_loop *loop;
    struct eddy_http_server *server;
    char address[EDDY_ADDRESS_TEXT];
};

static bool house_open(struct house *h, const struct eddy_loop_options *loop,
                       const struct eddy_http_options *options)
{
    struct eddy_listener *door;
    struct eddy_address at;

    *h = (struct house){ 0 };
    if (!EDDY_CHECK_EQ(eddy_loop_new(loop, &h->loop), 0))
        return false;
    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0))
        return false;
    EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0);
    eddy_address_format(&at, h->address, sizeof h->address);
    return EDDY_CHECK_EQ(eddy_http_serve(door, handle, options, &h->server), 0);
}

static void house_close(struct house *h)
{
    eddy_http_server_free(h->server);
    eddy_loop_free(h->loop);
}

/* Read one answer with a Content-Length: its status, and its body in @body. */
static int read_answer(struct eddy_stream *s, char *body, size_t cap)
{
    char head[2048];
    ssize_t n = eddy_read_until(s, EDDY_SLICE("\r\n\r\n"), head, sizeof head - 1);

    if (n < 0)
        return (int)n;
    head[n] = '\0';
    const char *field = strstr(head, "Content-Length: ");
    size_t len = field ? strtoul(field + 16, NULL, 10) : 0;
    if (len >= cap)
        return -ENOBUFS;
    int r = eddy_read_exactly(s, body, len);
    if (r < 0)
        return r;
    body[len] = '\0';
    return atoi(head + 9);
}

static int ask(struct eddy_stream *s, const char *request, char *body, size_t cap)
{
    int r = eddy_write_text(s, request);

    return r < 0 ? r : read_answer(s, body, cap);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

EDDY_TEST(requests_over_a_socket_are_answered)
{
    struct house h;
    char body[256];

    if (!house_open(&h, NULL, NULL))
        return;
    {
        EDDY_OWN(eddy_stream) s = NULL;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &s), 0);
        for (int i = 0; i < 20; i++) {
            EDDY_CHECK_EQ(ask(s, GET("/"), body, sizeof body), 200);
            EDDY_CHECK_STR(body, "hello");
            EDDY_CHECK_EQ(ask(s, GET("/nap"), body, sizeof body), 200);
            EDDY_CHECK_STR(body, "napped");
        }
        EDDY_CHECK_EQ(ask(s, GET("/peer"), body, sizeof body), 200);
        EDDY_CHECK(strchr(body, ':') != NULL);
    }
    house_close(&h);
}

EDDY_TEST(a_client_that_half_closes_gets_its_reply)
{
    struct house h;
    char body[256];

    if (!house_open(&h, NULL, NULL))
        return;
    {
        EDDY_OWN(eddy_stream) s = NULL;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &s), 0);
        EDDY_CHECK_EQ(eddy_write_text(s, GET("/nap")), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(s), 0);
        EDDY_CHECK_EQ(read_answer(s, body, sizeof body), 200);
        EDDY_CHECK_STR(body, "napped");
        EDDY_CHECK_EQ(eddy_read(s, body, sizeof body), 0);
    }
    house_close(&h);
}

EDDY_TEST(a_client_that_resets_cancels_its_handler_and_no_other)
{
    struct house h;
    char body[256];

    if (!house_open(&h, NULL, NULL))
        return;
    {
        EDDY_OWN(eddy_stream) other = NULL;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &other), 0);
        {
            EDDY_OWN(eddy_stream) s = NULL;
            cancelled = 0;
            EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &s), 0);
            /* The first answer is left unread, so that closing is a reset. */
            EDDY_CHECK_EQ(eddy_write_text(s, GET("/") GET("/sleep")), 0);
            struct eddy_http_stats stats;
            do {
                eddy_sleep(1);
                eddy_http_stats(h.server, &stats);
            } while (stats.requests_running == 0);
            eddy_sleep(5);
        }
        for (int i = 0; i < 1000 && !cancelled; i++)
            eddy_sleep(1);
        EDDY_CHECK_EQ(cancelled, 1);
        EDDY_CHECK_EQ(ask(other, GET("/"), body, sizeof body), 200);
    }
    house_close(&h);
}

EDDY_TEST(a_refused_client_reads_why_though_it_goes_on_sending)
{
    struct house h;
    char body[256];
    size_t len = (size_t)8 << 20; /* more than what is on the way at any time */
    char *flood = malloc(len);

    memset(flood, 'x', len);
    if (!house_open(&h, NULL, EDDY_OPT(http, .limits.body = 1000)))
        return;
    {
        EDDY_OWN(eddy_stream) s = NULL;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &s), 0);
        EDDY_CHECK_EQ(eddy_write_text(s, "POST / HTTP/1.1\r\nHost: h\r\n"
                                         "Content-Length: 8388608\r\n\r\n"),
                      0);
        EDDY_CHECK_EQ(eddy_write(s, flood, len), 0);
        EDDY_CHECK_EQ(read_answer(s, body, sizeof body), 413);
        EDDY_CHECK_EQ(eddy_read(s, body, sizeof body), 0);
    }
    free(flood);
    house_close(&h);
}

EDDY_TEST(slow_heads_get_408_and_others_are_served_meanwhile)
{
    struct house h;
    char body[256];

    if (!house_open(&h, NULL, EDDY_OPT(http, .limits.head_timeout_ms = 40)))
        return;
    {
        EDDY_OWN(eddy_stream) slow = NULL;
        EDDY_OWN(eddy_stream) quick = NULL;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &slow), 0);
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &quick), 0);
        EDDY_CHECK_EQ(eddy_write_text(slow, "GET / HTTP/1.1\r\nHo"), 0);
        EDDY_CHECK_EQ(ask(quick, GET("/"), body, sizeof body), 200);
        EDDY_CHECK_EQ(read_answer(slow, body, sizeof body), 408);
        EDDY_CHECK_EQ(ask(quick, GET("/"), body, sizeof body), 200);
    }
    house_close(&h);
}

EDDY_TEST(connections_past_the_bound_wait_their_turn)
{
    struct house h;
    char body[256];

    if (!house_open(&h, NULL, EDDY_OPT(http, .limits.connections = 2)))
        return;
    {
        EDDY_OWN(eddy_stream) a = NULL;
        EDDY_OWN(eddy_stream) b = NULL;
        EDDY_OWN(eddy_stream) c = NULL;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &a), 0);
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &b), 0);
        EDDY_CHECK_EQ(ask(a, GET("/"), body, sizeof body), 200);
        EDDY_CHECK_EQ(ask(b, GET("/"), body, sizeof body), 200);
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &c), 0);
        EDDY_CHECK_EQ(eddy_write_text(c, GET("/")), 0);
        eddy_sleep(20);
        struct eddy_http_stats stats;
        eddy_http_stats(h.server, &stats);
        EDDY_CHECK_EQ(stats.connections, 2);
        EDDY_CHECK_EQ(eddy_stream_close(a), 0);
        EDDY_CHECK_EQ(read_answer(c, body, sizeof body), 200);
    }
    house_close(&h);
}

EDDY_TEST(a_stop_answers_503_when_its_grace_is_over)
{
    struct house h;
    char body[256];

    if (!house_open(&h, NULL, NULL))
        return;
    {
        EDDY_OWN(eddy_stream) s = NULL;
        struct eddy_http_stats stats;
        EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &s), 0);
        EDDY_CHECK_EQ(eddy_write_text(s, GET("/sleep")), 0);
        do {
            eddy_sleep(1);
            eddy_http_stats(h.server, &stats);
        } while (stats.requests_running == 0);
        EDDY_CHECK_EQ(eddy_http_stop(h.server, 30), 1);
        EDDY_CHECK_EQ(read_answer(s, body, sizeof body), 503);
        EDDY_OWN(eddy_stream) late = NULL;
        EDDY_CHECK(eddy_connect(h.address, NULL, &late) < 0);
    }
    house_close(&h);
}

/* --- operations that fail -------------------------------------------------------------------------------- */

EDDY_TEST(no_failed_operation_stops_the_server)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        struct house h;
        char body[256];
        if (!house_open(&h, NULL, NULL))
            return;
        {
            EDDY_OWN(eddy_stream) s = NULL;
            int r = eddy_connect(h.address, NULL, &s);
            if (r == 0)
                r = ask(s, GET("/"), body, sizeof body);
            if (r == 200)
                r = ask(s, GET("/nap"), body, sizeof body);
            EDDY_CHECK(r == 200 || (r < 0 && eddy_fault_fired(&f)));
        }
        eddy_fault_stop();
        {
            EDDY_OWN(eddy_stream) s = NULL;
            EDDY_CHECK_EQ(eddy_connect(h.address, NULL, &s), 0);
            EDDY_CHECK_EQ(ask(s, GET("/"), body, sizeof body), 200);
        }
        house_close(&h);
    }
}

/* --- a hundred networks --------------------------------------------------------------------------------- */

struct visitor_args {
    const char *address;
    int number;
    int *answered;
};

static int visitor(struct visitor_args *a)
{
    char request[256], body[256], want[32];
    EDDY_OWN(eddy_stream) s = NULL;

    int r = eddy_connect(a->address, NULL, &s);
    for (int i = 0; r == 0 && i < 5; i++) {
        int len = snprintf(want, sizeof want, "visitor %d, %d", a->number, i);
        snprintf(request, sizeof request,
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" GET("/nap") GET("/"),
                 len, want);
        r = eddy_write_text(s, request);
        if (r == 0 && (r = read_answer(s, body, sizeof body)) == 200)
            r = strcmp(body, want) == 0 ? 0 : -EBADMSG;
        if (r == 0 && (r = read_answer(s, body, sizeof body)) == 200)
            r = strcmp(body, "napped") == 0 ? 0 : -EBADMSG;
        if (r == 0 && (r = read_answer(s, body, sizeof body)) == 200)
            r = strcmp(body, "hello") == 0 ? 0 : -EBADMSG;
    }
    if (r == 0)
        ++*a->answered;
    return r > 0 ? -EBADMSG : r;
}
EDDY_TASK(visitor);

EDDY_TEST(every_simulated_network_carries_the_same_answers)
{
    if (strcmp(eddy_check_backend(), "sim") != 0)
        return;
    for (EDDY_EACH_SEED(seed, 100)) {
        struct house h;
        int answered = 0;
        if (!house_open(&h, EDDY_OPT(loop, .backend = "sim", .seed = seed), NULL))
            return;
        {
            EDDY_SCOPE(scope, .timeout_ms = 60000);
            for (int i = 0; i < 5; i++)
                EDDY_GO(&scope, visitor, .address = h.address, .number = i, .answered = &answered);
            int r = eddy_join(&scope);
            if (r < 0 || answered != 5)
                EDDY_CHECK_FAIL("seed %lu: %s, %d of 5 answered", seed, eddy_strerror(r), answered);
        }
        house_close(&h);
    }
}
