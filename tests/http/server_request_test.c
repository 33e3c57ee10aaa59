/*
 * Requests and their replies: what comes in, in whatever pieces, and what goes out.
 * backends: epoll sim
 */
#include "base/memory.h"
#include "check.h"
#include "http/peer.h"

#include <eddy/task.h>
#include <stdio.h>
#include <stdlib.h>

#define GET_OK "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

/* Answers with what it was asked: method, path, query, body. */
static int echo(struct eddy_request *req, struct eddy_reply *reply)
{
    if (eddy_slice_eq(req->path, EDDY_SLICE("/yield")) && eddy_yield() < 0)
        return 500;
    if (eddy_slice_eq(req->path, EDDY_SLICE("/big"))) {
        char *big = eddy_arena_alloc(req->arena, 300000);
        if (!big)
            return -ENOMEM;
        memset(big, 'b', 300000);
        return eddy_reply_static(reply, "application/x-big", (struct eddy_slice){ big, 300000 });
    }
    return eddy_reply_printf(reply, "%.*s %.*s?%.*s [%.*s] %.*s", EDDY_SLICE_ARG(req->method_text),
                             EDDY_SLICE_ARG(req->path), EDDY_SLICE_ARG(req->query),
                             EDDY_SLICE_ARG(req->host), EDDY_SLICE_ARG(req->body));
}

EDDY_TEST(a_request_is_answered_on_a_connection_that_stays)
{
    for (int way = 0; way < PEER_WAYS; way++) {
        struct eddy_http_server *server = peer_begin(echo, NULL, false);
        struct peer p;
        if (!EDDY_CHECK(peer_open(&p, server, (enum peer_way)way)))
            return;
        for (int i = 0; i < 3; i++) {
            peer_say(&p, "GET /a?b=c HTTP/1.1\r\nHost: h:1\r\n\r\n");
            EDDY_CHECK(peer_got_text(&p, "\r\n\r\nGET /a?b=c [h:1] "));
            EDDY_CHECK(strncmp(peer_text(&p), "HTTP/1.1 200 OK\r\nServer: eddy\r\nDate: ", 37) ==
                       0);
            EDDY_CHECK(strstr(peer_text(&p), "Content-Length: 17\r\n") != NULL);
            EDDY_CHECK(strstr(peer_text(&p), "Connection:") == NULL);
            peer_forget(&p);
        }
        EDDY_CHECK_EQ(p.writes, 3);
        struct eddy_http_stats stats;
        eddy_http_stats(server, &stats);
        EDDY_CHECK_EQ(stats.requests, 3);
        EDDY_CHECK_EQ(stats.connections, 1);
        peer_close(&p);
        eddy_http_stats(server, &stats);
        EDDY_CHECK_EQ(stats.connections, 0);
        peer_end(server);
    }
}

EDDY_TEST(a_request_may_arrive_in_any_two_pieces)
{
    static const char *const requests[] = {
        "GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nT: r\r\n\r\n",
        "POST /yield HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GET_OK,
    };
    static const char *const answers[] = { "GET /x? [h] ", "POST /x? [h] hello",
                                           "POST /x? [h] hello", "GET /? [h] " };

    for (int way = 0; way < PEER_WAYS; way++) {
        struct eddy_http_server *server = peer_begin(echo, NULL, false);
        for (size_t k = 0; k < sizeof requests / sizeof requests[0]; k++) {
            size_t len = strlen(requests[k]);
            struct peer p;
            EDDY_CHECK(peer_open(&p, server, (enum peer_way)way));
            for (size_t cut = 1; cut < len; cut++) {
                peer_send(&p, requests[k], cut);
                peer_turns(4);
                peer_send(&p, requests[k] + cut, len - cut);
                if (!EDDY_CHECK(peer_got_text(&p, answers[k])))
                    EDDY_CHECK_FAIL("request %zu cut at %zu: %s", k, cut, peer_text(&p));
                peer_turns(2);
                peer_forget(&p);
            }
            peer_close(&p);
        }
        peer_end(server);
    }
}

EDDY_TEST(a_request_may_arrive_byte_by_byte)
{
    struct eddy_http_server *server = peer_begin(echo, NULL, false);
    const char *text = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" GET_OK;
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    for (const char *at = text; *at; at++) {
        peer_send(&p, at, 1);
        peer_turns(2);
    }
    EDDY_CHECK(peer_got_text(&p, "POST /x? [h] hello"));
    EDDY_CHECK(peer_got_text(&p, "GET /? [h] "));
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(sixteen_pipelined_requests_leave_in_one_write)
{
    char text[16 * sizeof "GET /00 HTTP/1.1\r\nHost: h\r\n\r\n"] = "";
    struct eddy_http_server *server = peer_begin(echo, NULL, false);
    struct peer p;

    for (int i = 0; i < 16; i++)
        snprintf(text + strlen(text), 40, "GET /%02d HTTP/1.1\r\nHost: h\r\n\r\n", i);
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, text);
    EDDY_CHECK(peer_got_text(&p, "GET /15?"));
    EDDY_CHECK_EQ(p.writes, 1);
    EDDY_CHECK_EQ(peer_count(&p, "HTTP/1.1 200 OK"), 16);
    const char *at = peer_text(&p);
    for (int i = 0; i < 16; i++) {
        char want[16];
        snprintf(want, sizeof want, "GET /%02d?", i);
        at = strstr(at, want);
        if (!EDDY_CHECK(at != NULL))
            break;
    }
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(replies_keep_the_order_of_requests_though_some_handlers_wait)
{
    struct eddy_http_server *server = peer_begin(echo, NULL, false);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /yield HTTP/1.1\r\nHost: h\r\n\r\n"
                 "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /4 HTTP/1.1\r\nHost: h\r\n\r\n");
    EDDY_CHECK(peer_got_text(&p, "GET /4?"));
    const char *text = peer_text(&p);
    const char *one = strstr(text, "GET /1?"), *two = strstr(text, "GET /yield?");
    const char *three = strstr(text, "application/x-big"), *four = strstr(text, "GET /4?");
    EDDY_CHECK(one && two && three && one < two && two < three && three < four);
    EDDY_CHECK(four - three > 300000);
    peer_close(&p);
    peer_end(server);
}

/* --- versions, HEAD, Connection, Expect --------------------------------------------------------------- */

struct exchange_case {
    const char *name, *request, *want, *never;
    bool closes;
};

static void run_cases(struct eddy_http_server *server, const struct exchange_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct peer p;
        EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
        peer_say(&p, cases[i].request);
        bool ok = EDDY_CHECK(peer_got_text(&p, cases[i].want));
        if (cases[i].closes)
            ok = EDDY_CHECK(peer_saw_end(&p)) && ok;
        else
            ok = EDDY_CHECK(!p.ended && !p.closed) && ok;
        if (cases[i].never)
            ok = EDDY_CHECK(!strstr(peer_text(&p), cases[i].never)) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("%s: %s", cases[i].name, peer_text(&p));
        peer_close(&p);
    }
}

EDDY_TEST(the_connection_goes_on_as_the_client_asked)
{
    static const struct exchange_case cases[] = {
        { "1.1 close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
          "Connection: close\r\n", NULL, true },
        { "1.0", "GET / HTTP/1.0\r\n\r\n", "Connection: close\r\n", NULL, true },
        { "1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "Connection: keep-alive\r\n", "close", false },
        { "HEAD", "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n", "Content-Length: 13\r\n\r\n", "HEAD /x",
          false },
        { "expect",
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
          "Expect: 100-continue\r\n\r\n",
          "HTTP/1.1 100 Continue\r\n\r\n", "200", false },
        { "expect, body there",
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
          "Expect: 100-continue\r\n\r\nhi",
          "[h] hi", "100 Continue", false },
    };
    struct eddy_http_server *server = peer_begin(echo, NULL, false);

    run_cases(server, cases, sizeof cases / sizeof cases[0]);
    struct peer p;
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, cases[4].request);
    EDDY_CHECK(peer_got_text(&p, "100 Continue\r\n\r\n"));
    peer_say(&p, "ok");
    EDDY_CHECK(peer_got_text(&p, "[h] ok"));
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(what_breaks_a_rule_or_a_limit_gets_its_status_and_the_end)
{
    static const struct exchange_case cases[] = {
        { "no host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "200 OK", true },
        { "garbage", "\x16\x03\x01 x\r\n\r\n", "HTTP/1.1 400 ", "200 OK", true },
        { "version", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 ", NULL, true },
        { "coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
          "HTTP/1.1 501 ", NULL, true },
        { "expectation", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n",
          "HTTP/1.1 417 ", NULL, true },
        { "two lengths",
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
          "Transfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 400 ", NULL, true },
        { "long body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", "HTTP/1.1 413 ",
          NULL, true },
        { "long body, waiting",
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n"
          "Expect: 100-continue\r\n\r\n",
          "HTTP/1.1 413 ", "100 Continue", true },
        { "long chunks",
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
          "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"
          "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n",
          "HTTP/1.1 413 ", NULL, true },
        { "bad chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx",
          "HTTP/1.1 400 ", NULL, true },
        { "second is bad", GET_OK "GET / HTTP/1.1\r\n\r\n" GET_OK, "HTTP/1.1 400 ", NULL, true },
        { "fields", "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n",
          "HTTP/1.1 431 ", NULL, true },
    };
    struct eddy_http_server *server = peer_begin(
        echo, EDDY_OPT(http, .limits.body = 100, .limits.headers = 4), false);
    struct eddy_http_stats stats;

    run_cases(server, cases, sizeof cases / sizeof cases[0]);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.refused, sizeof cases / sizeof cases[0]);
    EDDY_CHECK_EQ(stats.requests, 1);

    /* Long lines are made, not written out. */
    char *line = malloc(40001);
    memset(line, 'a', 40000);
    line[40000] = '\0';
    struct peer p;
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "GET /");
    peer_say(&p, line);
    EDDY_CHECK(peer_got_text(&p, "HTTP/1.1 414 "));
    peer_close(&p);
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
    peer_say(&p, line);
    EDDY_CHECK(peer_got_text(&p, "HTTP/1.1 431 "));
    peer_close(&p);
    free(line);
    peer_end(server);
}

EDDY_TEST(nothing_is_kept_for_an_idle_connection)
{
    struct eddy_http_server *server = peer_begin(echo, NULL, false);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET_OK);
    EDDY_CHECK(peer_got_text(&p, "[h]"));
    struct eddy_stack_info stacks = { .size = sizeof stacks };
    eddy_stack_info(&stacks);
    EDDY_CHECK_EQ(stacks.live, 0);
    peer_close(&p);
    peer_end(server);
}

/* A large body in pieces, a large reply, a reply from a handler that waits. */
static void be_busy(struct peer *p, const char *body)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";

    peer_send(p, head, 20);
    peer_turns(3);
    peer_say(p, head + 20);
    peer_say(p, body);
    peer_say(p, "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /yield HTTP/1.1\r\nHost: h\r\n\r\n");
    EDDY_CHECK(peer_got_text(p, "GET /yield?"));
    peer_turns(3);
    EDDY_CHECK_EQ(peer_count(p, "HTTP/1.1 200 OK"), 3);
    eddy_buffer_done(&p->got);
}

EDDY_TEST(an_idle_connection_holds_no_more_than_a_new_one)
{
    enum { PEERS = 20 };
    struct eddy_http_server *server = peer_begin(echo, NULL, false);
    static struct peer peers[PEERS];
    char *body = malloc(100001);

    memset(body, 'x', 100000);
    body[100000] = '\0';
    for (int i = 0; i < PEERS; i++)
        EDDY_CHECK(peer_open(&peers[i], server, PEER_PLAIN));
    be_busy(&peers[0], body); /* fills the loop's pools */
    size_t live = eddy__memory_live();
    for (int i = 1; i < PEERS; i++)
        be_busy(&peers[i], body);
    EDDY_CHECK_EQ(eddy__memory_live(), live);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
    free(body);
    peer_end(server);
}

EDDY_TEST(a_connection_ends_after_its_bound_of_requests)
{
    struct eddy_http_server *server = peer_begin(echo, EDDY_OPT(http, .limits.requests = 2), false);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET_OK GET_OK GET_OK);
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(peer_count(&p, "HTTP/1.1 200 OK"), 2);
    EDDY_CHECK_EQ(peer_count(&p, "Connection: close"), 1);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(the_callers_input_may_end_before_the_reply)
{
    struct eddy_http_server *server = peer_begin(echo, NULL, false);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "GET /yield HTTP/1.1\r\nHost: h\r\n\r\n" GET_OK);
    peer_finish(&p);
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(peer_count(&p, "HTTP/1.1 200 OK"), 2);
    peer_close(&p);

    struct eddy_http_stats stats;
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    peer_finish(&p);
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(p.got.end - p.got.start, 0);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.refused, 1);
    EDDY_CHECK_EQ(stats.requests, 2);
    peer_close(&p);
    peer_end(server);
}
