/*
 * https_test.c - fetching over TLS, with verification: whom to believe, and where a body ends
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "base/fault.h"
#include "base/memory.h"
#include "certs.h"
#include "check.h"

#include <eddy/address.h>
#include <eddy/buffer.h>
#include <eddy/fetch.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls.h>

#include <stdio.h>
#include <string.h>

enum ending { KEEP, GOODBYE, CUT };

struct server {
    struct eddy_listener *door; /* the serving task's */
    struct eddy_tls *tls;       /* NULL: speaks no TLS */
    const char *answer;
    enum ending ending;
    unsigned connections, requests;
    struct eddy_stream *peer; /* the last one, while it is served */
    char url[64];
};

/* TLS over what was accepted. @*peer is the caller's, before and after. */
static int secure(struct eddy_tls *tls, struct eddy_stream **peer)
{
    struct eddy_transport *below = NULL, *over = NULL;
    struct eddy_buffer kept = EDDY_BUFFER(65536);

    int r = eddy_stream_take_transport(*peer, &below, &kept);
    eddy_buffer_done(&kept);
    if (r < 0)
        return r;
    eddy_stream_free(EDDY_TAKE(*peer));
    r = eddy_tls_wrap(tls, below, NULL, &over);
    if (r == 0)
        r = eddy_stream_of(over, peer);
    if (r < 0)
        eddy_transport_close(over ? over : below, 0);
    return r;
}

struct converse_args {
    struct server *s;
    struct eddy_stream *peer;
};

static int converse(struct converse_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char head[2048];

    if (a->s->tls) {
        int r = secure(a->s->tls, &peer);
        if (r < 0)
            return r;
    }
    a->s->peer = peer;
    while (eddy_read_until(peer, EDDY_SLICE("\r\n\r\n"), head, sizeof head) > 0) {
        a->s->requests++;
        int r = eddy_write_text(peer, a->s->answer);
        if (r < 0 || a->s->ending == CUT)
            return r;
        if (a->s->ending == GOODBYE)
            return eddy_stream_finish(peer);
    }
    return 0;
}
EDDY_TASK(converse);

struct serve_args {
    struct server *s;
};

static int serve(struct serve_args *a)
{
    EDDY_OWN(eddy_listener) door = a->s->door;
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        EDDY_OWN(eddy_stream) peer = NULL;
        int r = eddy_accept(door, &peer);
        if (r < 0)
            return r;
        a->s->connections++;
        if (EDDY_GO(&peers, converse, .s = a->s, .peer = peer) == 0)
            eddy_disown(&peer);
    }
}
EDDY_TASK(serve);

static bool start(struct server *s, struct eddy_scope *scope)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address address;

    if (eddy_listen("127.0.0.1:0", NULL, &door) < 0 || eddy_listener_address(door, &address) < 0)
        return false;
    snprintf(s->url, sizeof s->url, "https://127.0.0.1:%u/", eddy_address_port(&address));
    s->door = door;
    if (EDDY_GO(scope, serve, .s = s) < 0)
        return false;
    eddy_disown(&door);
    return true;
}

static struct eddy_tls *server_tls(const char *cert)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };

    if (eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = cert), &tls, &err) < 0)
        EDDY_CHECK_FAIL("%s: %s", cert, err.text);
    return tls;
}

static struct eddy_tls *client_tls(const char *ca)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };

    if (eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = ca), &tls, &err) < 0)
        EDDY_CHECK_FAIL("%s: %s", ca, err.text);
    return tls;
}

static const char hi[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

EDDY_TEST(a_verified_connection_is_used_and_used_again)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = server_tls("good.pem");
    EDDY_OWN(eddy_tls) ours = client_tls("good.pem");
    struct server s = { .tls = theirs, .answer = hi };
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK(start(&s, &servers));
    for (int i = 0; i < 3; i++) {
        EDDY_AUTO(eddy_response) page = { 0 };
        struct eddy_error err = { 0 };
        int r = eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours, .error = &err), &page);
        if (!EDDY_CHECK_EQ(r, 0))
            EDDY_CHECK_FAIL("it says: %s", err.text);
        EDDY_CHECK_MEM(page.body.ptr, page.body.len, "hi", 2);
    }
    EDDY_CHECK_EQ(s.requests, 3);
    EDDY_CHECK_EQ(s.connections, 1);
}

/* Close-notify and the end have come, and the loop has not told yet. */
EDDY_TEST(an_idle_connection_that_has_ended_is_not_used)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = server_tls("good.pem");
    EDDY_OWN(eddy_tls) ours = client_tls("good.pem");
    struct server s = { .tls = theirs, .answer = hi };
    EDDY_AUTO(eddy_response) first = { 0 };
    EDDY_AUTO(eddy_response) second = { 0 };
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK(start(&s, &servers));
    EDDY_CHECK_EQ(eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours), &first), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(s.peer), 0);
    /* A method that may not be repeated. */
    EDDY_CHECK_EQ(eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours, .method = "POST"), &second), 0);
    EDDY_CHECK_EQ(s.connections, 2);
    EDDY_CHECK_EQ(s.requests, 2);
}

EDDY_TEST(who_cannot_be_verified_is_not_asked)
{
    static const struct {
        const char *name, *host, *ca;
        int from, to, want;
    } cases[] = {
        { "known", "IP:127.0.0.1", "cert.pem", -1, 30, 0 },
        { "not among the system's roots", "IP:127.0.0.1", NULL, -1, 30, -EDDY_ECERT },
        { "signed by another", "IP:127.0.0.1", "other.pem", -1, 30, -EDDY_ECERT },
        { "another host's", "DNS:elsewhere.test", "cert.pem", -1, 30, -EDDY_ECERT },
        { "expired", "IP:127.0.0.1", "cert.pem", -30, -1, -EDDY_ECERT },
    };

    EDDY_CHECK(cert_make("other.pem", "IP:127.0.0.1", NULL, -1, 30));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EDDY_CHECK(cert_make("cert.pem", cases[i].host, NULL, cases[i].from, cases[i].to));
        EDDY_OWN(eddy_tls) theirs = server_tls("cert.pem");
        EDDY_OWN(eddy_tls) ours = cases[i].ca ? client_tls(cases[i].ca) : NULL;
        struct server s = { .tls = theirs, .answer = hi };
        struct eddy_error err = { 0 };
        EDDY_AUTO(eddy_response) page = { 0 };
        EDDY_SCOPE(servers, .isolate = true);

        EDDY_CHECK(start(&s, &servers));
        int r = eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours, .error = &err), &page);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK_EQ(s.requests, r == 0) ||
            (r < 0 && !EDDY_CHECK(err.text[0])))
            EDDY_CHECK_FAIL("case: %s; it says: %s", cases[i].name, err.text);
    }
}

/* In TLS 1.3 the client's handshake is over before the server has judged it. */
EDDY_TEST(who_is_refused_after_the_handshake_is_told_why)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = NULL;
    EDDY_OWN(eddy_tls) ours = client_tls("good.pem");
    struct server s = { .answer = hi };
    struct eddy_error err = { 0 };
    EDDY_AUTO(eddy_response) page = { 0 };

    EDDY_CHECK_EQ(eddy_tls_server_new(
                      EDDY_OPT(tls_server, .cert_file = "good.pem", .client_ca_file = "good.pem"),
                      &theirs, &err),
                  0);
    s.tls = theirs;
    EDDY_SCOPE(servers, .isolate = true);
    EDDY_CHECK(start(&s, &servers));
    EDDY_CHECK_ERR(eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours, .error = &err), &page),
                   -EDDY_ETLS);
    if (!EDDY_CHECK(strstr(err.text, ".cert_file")))
        EDDY_CHECK_FAIL("it says: %s", err.text);
    EDDY_CHECK_EQ(s.requests, 0);
}

EDDY_TEST(a_context_is_part_of_what_makes_connections_alike)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = server_tls("good.pem");
    EDDY_OWN(eddy_tls) believer = client_tls("good.pem");
    struct server s = { .tls = theirs, .answer = hi };
    EDDY_AUTO(eddy_response) page = { 0 };
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK(start(&s, &servers));
    EDDY_CHECK_EQ(eddy_fetch(s.url, EDDY_OPT(fetch, .tls = believer), &page), 0);
    eddy_response_done(&page);
    /* An idle connection that somebody more credulous opened must not serve this one. */
    EDDY_CHECK_ERR(eddy_fetch(s.url, NULL, &page), -EDDY_ECERT);
}

EDDY_TEST(what_nobody_asked_for_is_not_the_next_answer)
{
    static char large[40000];
    int len = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n");

    /* A body that fills the client's first read, and more behind it. */
    memset(large + len, 'x', 30000);
    strcpy(large + len + 30000, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");

    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = server_tls("good.pem");
    EDDY_OWN(eddy_tls) ours = client_tls("good.pem");
    struct server s = { .tls = theirs, .answer = large };
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK(start(&s, &servers));
    for (int i = 0; i < 2; i++) {
        EDDY_AUTO(eddy_response) page = { 0 };
        EDDY_CHECK_EQ(eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours), &page), 0);
        EDDY_CHECK_EQ(page.body.len, 30000);
    }
    EDDY_CHECK_EQ(s.connections, 2);
}

EDDY_TEST(a_body_until_close_needs_a_goodbye)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = server_tls("good.pem");
    EDDY_OWN(eddy_tls) ours = client_tls("good.pem");

    for (int cut = 0; cut <= 1; cut++) {
        struct server s = { .tls = theirs,
                            .answer = "HTTP/1.1 200 OK\r\n\r\nhello",
                            .ending = cut ? CUT : GOODBYE };
        EDDY_AUTO(eddy_response) page = { 0 };
        EDDY_SCOPE(servers, .isolate = true);

        EDDY_CHECK(start(&s, &servers));
        int r = eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours), &page);
        EDDY_CHECK_ERR(r, cut ? -EDDY_EEOF : 0);
    }
}

EDDY_TEST(a_server_without_tls_is_told_apart)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) ours = client_tls("good.pem");
    struct server s = { .answer = "220 mail.test ESMTP\r\n" };
    struct eddy_error err = { 0 };
    EDDY_AUTO(eddy_response) page = { 0 };
    EDDY_SCOPE(servers, .isolate = true);

    /* It waits for a line that never comes, while we wait for its part of the handshake. */
    EDDY_CHECK(start(&s, &servers));
    EDDY_CHECK_ERR(
        eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours, .timeout_ms = 100, .error = &err), &page),
        -EDDY_EUPSTREAM_TIMEOUT);
}

/* One fetch, with the loop's making and end. */
static int one_fetch(struct eddy_tls *theirs, struct eddy_tls *ours)
{
    struct server s = { .tls = theirs, .answer = hi };
    EDDY_OWN(eddy_loop) loop = NULL;
    EDDY_AUTO(eddy_response) page = { 0 };

    int r = eddy_loop_new(NULL, &loop);
    if (r < 0)
        return r;
    EDDY_SCOPE(servers, .isolate = true);
    if (!start(&s, &servers))
        return -ENOMEM;
    return eddy_fetch(s.url, EDDY_OPT(fetch, .tls = ours, .timeout_ms = 250), &page);
}

EDDY_TEST(a_failed_allocation_is_an_error_and_leaves_nothing)
{
    EDDY_CHECK(cert_make("good.pem", "IP:127.0.0.1", NULL, -1, 30));
    EDDY_OWN(eddy_tls) theirs = server_tls("good.pem");
    EDDY_OWN(eddy_tls) ours = NULL;
    EDDY_CHECK_EQ(/* sessions that it kept would be live */
                  eddy_tls_client_new(
                      EDDY_OPT(tls_client, .ca_file = "good.pem", .no_resumption = true), &ours,
                      NULL),
                  0);
    size_t live = eddy__memory_live();

    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = one_fetch(theirs, ours);
        eddy_fault_stop();
        if (!eddy_fault_fired(&f))
            EDDY_CHECK_EQ(r, 0);
        EDDY_CHECK(r <= 0);
        if (!EDDY_CHECK_EQ(eddy__memory_live(), live)) {
            EDDY_CHECK_FAIL("allocation %lu%s", f.k, f.persistent ? " and all after it" : "");
            return;
        }
    }
}
