/*
 * eddy's own HTTP server behind TLS, and its own client in front of it, which verifies.
 *
 * backends: select poll epoll uring sim
 */
#include "certs.h"
#include "check.h"

#include <eddy/address.h>
#include <eddy/fetch.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls.h>
#include <eddy/tls_connect.h>

#include <stdio.h>
#include <string.h>

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    if (eddy_slice_eq(req->path, EDDY_SLICE("/sleep"))) {
        int r = eddy_sleep(60000);
        return r < 0 ? r : eddy_reply_text(reply, "slept");
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/stream"))) {
        static const char piece[20000]; /* more than a record */
        int r = 0;
        for (int i = 0; r == 0 && i < 10; i++)
            r = eddy_reply_write(reply, piece, sizeof piece);
        return r;
    }
    return eddy_reply_bytes(reply, "text/plain", req->body);
}

struct house {
    struct eddy_http_server *server;
    struct eddy_tls *tls;
    struct eddy_listener *door; /* the accepting task's */
    char url[64];
};

struct welcome_args {
    struct house *h;
};

/* Accepts, puts TLS over the connection, hands it to the server: what follows needs no task. */
static int welcome(struct welcome_args *a)
{
    EDDY_OWN(eddy_listener) door = a->h->door;

    for (;;) {
        EDDY_OWN(eddy_stream) peer = NULL;
        struct eddy_transport *below = NULL, *over = NULL;
        struct eddy_buffer kept = EDDY_BUFFER(65536);
        int r = eddy_accept(door, &peer);
        if (r < 0)
            return r;
        r = eddy_stream_take_transport(peer, &below, &kept);
        eddy_buffer_done(&kept);
        if (r < 0)
            continue;
        r = eddy_tls_wrap(a->h->tls, below, NULL, &over);
        if (r < 0)
            eddy_transport_close(below, 0);
        else
            eddy_http_serve_transport(a->h->server, over);
    }
}
EDDY_TASK(welcome);

static bool house_open(struct house *h, struct eddy_scope *scope)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;

    if (!EDDY_CHECK(cert_make("served.pem", "IP:127.0.0.1", NULL, -1, 30)) ||
        !EDDY_CHECK_EQ(
            eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = "served.pem"), &h->tls, NULL),
            0) ||
        !EDDY_CHECK_EQ(eddy_http_serve(NULL, handle, NULL, &h->server), 0) ||
        !EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0))
        return false;
    snprintf(h->url, sizeof h->url, "https://127.0.0.1:%u", eddy_address_port(&at));
    h->door = EDDY_TAKE(door);
    return EDDY_CHECK_EQ(EDDY_GO(scope, welcome, .h = h), 0);
}

static void house_close(struct house *h)
{
    eddy_http_server_free(h->server);
    eddy_tls_free(h->tls);
}

static int ask(const struct house *h, struct eddy_tls *tls, const char *path, const char *post,
               size_t *ret_len)
{
    EDDY_AUTO(eddy_response) page = { 0 };
    char url[96];

    snprintf(url, sizeof url, "%s%s", h->url, path);
    int r = eddy_fetch(
        url, EDDY_OPT(fetch, .tls = tls, .body = eddy_slice_of(post), .timeout_ms = 20000), &page);
    *ret_len = page.body.len;
    if (r == 0 && *post)
        EDDY_CHECK_MEM(page.body.ptr, page.body.len, post, strlen(post));
    return r < 0 ? r : page.status;
}

EDDY_TEST(a_verified_client_is_served_and_who_cannot_verify_asks_nothing)
{
    struct house h = { 0 };
    struct eddy_http_stats stats;
    size_t len;
    {
        EDDY_SCOPE(scope, .isolate = true);
        if (!house_open(&h, &scope))
            return;
        EDDY_OWN(eddy_tls) believer = NULL;
        EDDY_CHECK_EQ(
            eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "served.pem"), &believer, NULL), 0);
        for (int i = 0; i < 3; i++)
            EDDY_CHECK_EQ(ask(&h, believer, "/", "said over TLS", &len), 200);
        EDDY_CHECK_EQ(ask(&h, believer, "/stream", "", &len), 200);
        EDDY_CHECK_EQ(len, 200000);
        eddy_http_stats(h.server, &stats);
        EDDY_CHECK_EQ(stats.requests, 4);
        EDDY_CHECK_EQ(stats.connections, 1);
        /* The system's roots do not know it. */
        EDDY_CHECK_ERR(ask(&h, NULL, "/", "secret", &len), -EDDY_ECERT);
        /* Who speaks no TLS is told so, or sees the end, and the next is served. */
        {
            EDDY_OWN(eddy_stream) plain = NULL;
            EDDY_SCOPE(patience, .timeout_ms = 5000);
            char text[512];
            EDDY_CHECK_EQ(eddy_connect(h.url + strlen("https://"), NULL, &plain), 0);
            EDDY_CHECK_EQ(eddy_write_text(plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
            ssize_t n;
            do
                n = eddy_read(plain, text, sizeof text);
            while (n > 0);
            EDDY_CHECK(n == 0 || n == -ECONNRESET);
        }
        EDDY_CHECK_EQ(ask(&h, believer, "/", "again", &len), 200);
        int ms = 0;
        do { /* the server may hear of that end a moment later than we */
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
            eddy_http_stats(h.server, &stats);
        } while (stats.connections > 1 && ++ms < 5000);
        EDDY_CHECK_EQ(stats.requests, 5);
        EDDY_CHECK_EQ(stats.connections, 1);
    }
    house_close(&h);
}

struct asker_args {
    const struct house *h;
    struct eddy_tls *tls;
    int *status;
};

static int asker(struct asker_args *a)
{
    size_t len;

    *a->status = ask(a->h, a->tls, "/sleep", "", &len);
    return 0;
}
EDDY_TASK(asker);

static bool await_running(const struct house *h, size_t want)
{
    struct eddy_http_stats stats;

    for (int i = 0; i < 3000; i++) {
        eddy_http_stats(h->server, &stats);
        if (stats.requests_running == want)
            return true;
        eddy_sleep(1);
    }
    return EDDY_CHECK_EQ(stats.requests_running, want);
}

EDDY_TEST(a_stop_answers_503_through_tls)
{
    struct house h = { 0 };
    struct eddy_http_stats stats;
    int status = 1;
    {
        EDDY_SCOPE(scope, .isolate = true);
        if (!house_open(&h, &scope))
            return;
        EDDY_OWN(eddy_tls) believer = NULL;
        EDDY_CHECK_EQ(
            eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "served.pem"), &believer, NULL), 0);
        EDDY_SCOPE(askers, .isolate = true);
        EDDY_GO(&askers, asker, .h = &h, .tls = believer, .status = &status);
        EDDY_CHECK(await_running(&h, 1));
        EDDY_CHECK_EQ(eddy_http_stop(h.server, 20), 1);
        EDDY_CHECK_EQ(eddy_join(&askers), 0);
        EDDY_CHECK_EQ(status, 503);
        eddy_http_stats(h.server, &stats);
        EDDY_CHECK_EQ(stats.connections, 0);
    }
    house_close(&h);
}

/* Who is silent before the handshake has the head's time, who is silent behind it the idle time. */
EDDY_TEST(a_handshake_has_the_time_of_a_head)
{
    struct eddy_http_server *server = NULL;
    struct eddy_http_stats stats;
    struct eddy_address at;
    char address[EDDY_ADDRESS_TEXT], byte;

    EDDY_CHECK(cert_make("shaken.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) ours = NULL;
    EDDY_OWN(eddy_tls) theirs = NULL;
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_CHECK_EQ(eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = "shaken.pem"), &ours, NULL),
                  0);
    EDDY_CHECK_EQ(eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "shaken.pem"), &theirs, NULL),
                  0);
    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0) ||
        !EDDY_CHECK_EQ(eddy_http_serve(door, handle,
                                       EDDY_OPT(http, .tls = ours, .limits.head_timeout_ms = 500,
                                                .limits.idle_timeout_ms = 60000),
                                       &server),
                       0))
        return;
    eddy_disown(&door);
    eddy_address_format(&at, address, sizeof address);
    {
        EDDY_OWN(eddy_stream) quiet = NULL;
        EDDY_OWN(eddy_stream) silent = NULL;
        EDDY_SCOPE(patience, .timeout_ms = 20000);
        EDDY_CHECK_EQ(eddy_tls_connect(theirs, address, NULL, &quiet), 0);
        EDDY_CHECK_EQ(eddy_connect(address, NULL, &silent), 0);
        EDDY_CHECK_EQ(eddy_read(silent, &byte, 1), 0);
        eddy_http_stats(server, &stats);
        EDDY_CHECK_EQ(stats.timeouts, 1);
        EDDY_CHECK_EQ(stats.connections, 1);
        EDDY_CHECK_EQ(eddy_write_text(quiet, "GET / HTTP/1.0\r\n\r\n"), 0);
        EDDY_CHECK_EQ(eddy_read(quiet, &byte, 1), 1);
        EDDY_CHECK_EQ(byte, 'H');
    }
    eddy_http_server_free(server);
}
