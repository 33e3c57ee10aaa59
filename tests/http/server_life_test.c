/*
 * What ends a request or a connection: times, clients that go, handlers that fail, the stop.
 * Runs on the simulator's clock, so the default limits are waited for in no time.
 */
#include "check.h"
#include "http/peer.h"

#include "base/fault.h"

#include <eddy/json.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <stdlib.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static int seen;       /* what the last handler's wait returned */
static int depth_seen; /* bytes of stack the deep handler used */

static int deep(int levels)
{
    volatile char frame[1024];

    memset((char *)frame, levels, sizeof frame);
    if (levels > 0)
        depth_seen += deep(levels - 1);
    return (int)sizeof frame + frame[levels & 1023] * 0;
}

static int stream_pieces(struct eddy_reply *reply, int count, int then)
{
    for (int i = 0; i < count; i++) {
        int r = eddy_reply_write(reply, "piece", 5);
        if (r < 0) {
            seen = r;
            return r;
        }
        eddy_yield();
    }
    return then;
}

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_slice path = req->path;

    if (eddy_slice_eq(path, EDDY_SLICE("/sleep"))) {
        seen = eddy_sleep(1000000);
        return seen;
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/stubborn"))) {
        seen = eddy_sleep(1000000);
        return eddy_reply_text(reply, "all the same");
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/second"))) {
        seen = eddy_sleep(1000);
        return seen < 0 ? seen : eddy_reply_text(reply, "slept");
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/deep"))) {
        depth_seen = 0;
        deep(60);
        return eddy_reply_text(reply, "was deep");
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/json"))) {
        int r = eddy_json_check(req->body, 0, NULL);
        return r < 0 ? r : eddy_reply_text(reply, "good json");
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/stream")))
        return stream_pieces(reply, 3, 0);
    if (eddy_slice_eq(path, EDDY_SLICE("/broken")))
        return stream_pieces(reply, 2, -EIO);
    if (eddy_slice_eq(path, EDDY_SLICE("/endless")))
        return stream_pieces(reply, 1000000, 0);
    if (eddy_slice_eq(path, EDDY_SLICE("/stalled"))) {
        int r = stream_pieces(reply, 1, 0);
        return r < 0 ? r : (seen = eddy_sleep(1000000));
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/upstream")))
        return eddy_reply_fail(reply, 502, -ECONNREFUSED);
    if (eddy_slice_eq(path, EDDY_SLICE("/enoent")))
        return -ENOENT;
    if (eddy_slice_eq(path, EDDY_SLICE("/eio")))
        return -EIO;
    if (eddy_slice_eq(path, EDDY_SLICE("/created")))
        return 201;
    if (eddy_slice_eq(path, EDDY_SLICE("/empty")))
        return 204;
    if (eddy_slice_eq(path, EDDY_SLICE("/page"))) {
        eddy_reply_text(reply, "my own page");
        return 404;
    }
    if (eddy_slice_eq(path, EDDY_SLICE("/said"))) {
        eddy_reply_text(reply, "said before it failed");
        return -EIO;
    }
    return eddy_reply_text(reply, "hello");
}

struct result_case {
    const char *request, *status, *body;
};

EDDY_TEST(a_handlers_result_is_the_status)
{
    static const struct result_case cases[] = {
        { GET("/enoent"), "HTTP/1.1 404 Not Found\r\n", "\r\n\r\nNot Found" },
        { GET("/eio"), "HTTP/1.1 500 Internal Server Error\r\n", "\r\n\r\nInternal Server Error" },
        { GET("/created"), "HTTP/1.1 201 Created\r\n", "\r\n\r\nCreated" },
        { GET("/empty"), "HTTP/1.1 204 No Content\r\n", "\r\n\r\n" },
        { GET("/page"), "HTTP/1.1 404 Not Found\r\n", "\r\n\r\nmy own page" },
        { GET("/said"), "HTTP/1.1 200 OK\r\n", "\r\n\r\nsaid before it failed" },
        { GET("/upstream"), "HTTP/1.1 502 Bad Gateway\r\n", "502 Bad Gateway: " },
        { GET("/second"), "HTTP/1.1 200 OK\r\n", "\r\n\r\nslept" },
        { GET("/deep"), "HTTP/1.1 200 OK\r\n", "\r\n\r\nwas deep" },
        { GET("/stream"), "Transfer-Encoding: chunked\r\n\r\n",
          "\r\n\r\n5\r\npiece\r\n5\r\npiece\r\n5\r\npiece\r\n0\r\n\r\n" },
    };
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        peer_say(&p, cases[i].request);
        bool ok = EDDY_CHECK(peer_got_text(&p, cases[i].body));
        ok = EDDY_CHECK(strstr(peer_text(&p), cases[i].status) != NULL) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("%s: %s", cases[i].request, peer_text(&p));
        peer_turns(3);
        peer_forget(&p);
    }
    EDDY_CHECK(depth_seen >= 60 * 1024);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(a_body_nested_two_thousand_deep_is_refused)
{
    char request[2200] = "POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n";
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    size_t head = strlen(request);
    memset(request + head, '[', 2000);
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_send(&p, request, head + 2000);
    EDDY_CHECK(peer_got_text(&p, "HTTP/1.1 400 "));
    peer_say(&p, "POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n[]");
    EDDY_CHECK(peer_got_text(&p, "good json"));
    peer_close(&p);
    peer_end(server);
}

/* --- times -------------------------------------------------------------------------------------------- */

EDDY_TEST(a_head_in_drops_is_cut_off_in_all_not_by_the_drop)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct eddy_http_stats stats;
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    int64_t start = eddy_now_ns();
    peer_say(&p, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 100 && !p.ended && !p.closed; i++) {
        peer_say(&p, "a");
        peer_pass(500);
    }
    EDDY_CHECK(strstr(peer_text(&p), "HTTP/1.1 408 ") != NULL);
    int64_t took_ms = (eddy_now_ns() - start) / 1000000;
    EDDY_CHECK(took_ms >= 10000 && took_ms < 11000);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.timeouts, 1);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(a_second_head_has_a_time_of_its_own)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "GET / HTTP/1.1\r\nHo");
    peer_pass(8000);
    peer_say(&p, "st: h\r\n\r\nGET / HT");
    EDDY_CHECK(peer_got_text(&p, "hello"));
    peer_pass(8000);
    EDDY_CHECK(!p.ended && !p.closed);
    peer_say(&p, "TP/1.1\r\nHost: h\r\n\r\n");
    peer_turns(5);
    EDDY_CHECK_EQ(peer_count(&p, "hello"), 2);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(each_wait_for_the_client_has_its_bound)
{
    static const struct {
        const char *name, *say, *want;
        int64_t after_ms;
    } cases[] = {
        { "nothing", "", "", 75000 },
        { "idle", GET("/"), "hello", 75000 },
        { "body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", "408", 30000 },
        { "handler", GET("/sleep"), "HTTP/1.1 503 ", 60000 },
        { "stream", GET("/stalled"), "piece", 60000 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_http_server *server = peer_begin(handle, NULL, true);
        struct eddy_http_stats stats;
        struct peer p;
        seen = 0;
        EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
        int64_t start = eddy_now_ns();
        peer_say(&p, cases[i].say);
        bool ok = EDDY_CHECK(peer_saw_end(&p));
        int64_t took_ms = (eddy_now_ns() - start) / 1000000;
        ok = EDDY_CHECK(took_ms >= cases[i].after_ms && took_ms < cases[i].after_ms + 1000) && ok;
        ok = EDDY_CHECK(strstr(peer_text(&p), cases[i].want) != NULL) && ok;
        eddy_http_stats(server, &stats);
        ok = EDDY_CHECK_EQ(stats.timeouts, 1) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("%s after %lld ms: %s", cases[i].name, (long long)took_ms,
                            peer_text(&p));
        peer_close(&p);
        peer_end(server);
    }
    EDDY_CHECK_ERR(seen, -ECANCELED);
}

EDDY_TEST(a_write_without_progress_is_given_up)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    eddy_transport_pause(p.t);
    int64_t start = eddy_now_ns();
    seen = 0;
    peer_say(&p, GET("/endless"));
    for (int i = 0; i < 20000 && p.tap; i++)
        eddy_loop_turn(peer_loop, 100);
    EDDY_CHECK(p.tap == NULL);
    peer_turns(5);
    EDDY_CHECK_ERR(seen, -ECANCELED);
    EDDY_CHECK((eddy_now_ns() - start) / 1000000 >= 30000);
    peer_close(&p);
    peer_end(server);
}

/* --- clients that go ------------------------------------------------------------------------------------- */

EDDY_TEST(a_reset_cancels_the_handler)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct eddy_http_stats stats;
    struct peer p;

    seen = 0;
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET("/sleep"));
    peer_turns(5);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.requests_running, 1);
    peer_reset(&p);
    peer_turns(5);
    EDDY_CHECK_ERR(seen, -ECANCELED);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.requests_running, 0);
    EDDY_CHECK_EQ(stats.cancelled, 1);
    EDDY_CHECK_EQ(stats.connections, 0);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(a_failed_write_cancels_the_handler)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    seen = 0;
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET("/endless"));
    EDDY_CHECK(peer_got_text(&p, "piece"));
    peer_fail_writes(&p, -EPIPE);
    peer_turns(10);
    EDDY_CHECK_ERR(seen, -EPIPE);
    EDDY_CHECK(p.tap == NULL);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(the_end_of_input_cancels_only_where_that_was_asked_for)
{
    for (int asked = 0; asked < 2; asked++) {
        struct eddy_http_server *server = peer_begin(handle, EDDY_OPT(http, .cancel_on_eof = asked),
                                                     true);
        struct peer p;
        seen = 1;
        EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
        peer_say(&p, GET("/second"));
        peer_finish(&p);
        EDDY_CHECK(peer_saw_end(&p));
        EDDY_CHECK_ERR(seen, asked ? -ECANCELED : 0);
        EDDY_CHECK_EQ(peer_count(&p, "slept"), !asked);
        peer_close(&p);
        peer_end(server);
    }
}

EDDY_TEST(a_streamed_reply_that_breaks_off_does_not_look_whole)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET("/broken"));
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(peer_count(&p, "piece"), 2);
    EDDY_CHECK_EQ(peer_count(&p, "0\r\n\r\n"), 0);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(a_stream_to_http_1_0_ends_with_the_connection)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK(strstr(peer_text(&p), "Connection: close\r\n") != NULL);
    EDDY_CHECK(strstr(peer_text(&p), "\r\n\r\npiecepiecepiece") != NULL);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(what_is_read_ahead_of_a_handler_is_bounded)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    char *flood = malloc(200000);
    struct peer p;

    memset(flood, 'x', 200000);
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET("/second"));
    peer_turns(3);
    peer_send(&p, flood, 200000);
    peer_turns(20);
    /* The pair holds 64 KiB and what was delivered at once; the rest must still be the client's. */
    EDDY_CHECK_EQ(p.sending, 1);
    EDDY_CHECK(peer_got_text(&p, "slept"));
    EDDY_CHECK(peer_got_text(&p, "HTTP/1.1 4"));
    peer_close(&p);
    free(flood);
    peer_end(server);
}

EDDY_TEST(requests_wait_while_a_reply_cannot_leave)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct eddy_http_stats stats;
    struct peer p;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_hold_writes(&p, true);
    peer_say(&p, GET("/"));
    peer_turns(3);
    peer_say(&p, GET("/") GET("/"));
    peer_turns(3);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.requests, 1);
    peer_hold_writes(&p, false);
    peer_turns(5);
    EDDY_CHECK_EQ(peer_count(&p, "hello"), 3);
    EDDY_CHECK_EQ(p.writes, 2);
    peer_close(&p);
    peer_end(server);
}

/* --- stopping --------------------------------------------------------------------------------------------- */

EDDY_TEST(a_stop_closes_the_idle_lets_the_running_end_and_cancels_the_rest)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer idle, soon, late;

    seen = 0;
    EDDY_CHECK(peer_open(&idle, server, PEER_PLAIN));
    EDDY_CHECK(peer_open(&soon, server, PEER_PLAIN));
    EDDY_CHECK(peer_open(&late, server, PEER_PLAIN));
    peer_say(&idle, GET("/"));
    EDDY_CHECK(peer_got_text(&idle, "hello"));
    peer_say(&soon, GET("/second"));
    peer_say(&late, GET("/sleep"));
    peer_turns(5);
    int64_t start = eddy_now_ns();
    EDDY_CHECK_EQ(eddy_http_stop(server, 1500), 1);
    int64_t took_ms = (eddy_now_ns() - start) / 1000000;
    EDDY_CHECK(took_ms >= 1500 && took_ms < 4000);
    EDDY_CHECK(idle.ended || idle.closed);
    EDDY_CHECK(peer_got_text(&soon, "slept"));
    EDDY_CHECK_EQ(peer_count(&soon, "Connection: close"), 1);
    EDDY_CHECK(peer_got_text(&late, "HTTP/1.1 503 "));
    EDDY_CHECK_EQ(peer_count(&late, "Connection: close"), 1);
    struct peer more;
    EDDY_CHECK(!peer_open(&more, server, PEER_PLAIN));
    peer_close(&more);
    peer_close(&idle);
    peer_close(&soon);
    peer_close(&late);
    peer_end(server);
}

struct stopper_args {
    struct eddy_http_server *server;
    int *ret;
};

static int stopper(struct stopper_args *a)
{
    *a->ret = eddy_http_stop(a->server, 100000);
    return 0;
}
EDDY_TASK(stopper);

EDDY_TEST(a_stop_from_a_task_may_be_cancelled_and_made_shorter)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;
    int first = 0;

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET("/sleep"));
    peer_turns(5);
    {
        EDDY_SCOPE(scope, .timeout_ms = 0);
        EDDY_GO(&scope, stopper, .server = server, .ret = &first);
        peer_turns(3);
    }
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_EQ(eddy_http_stop(server, 0), 1);
    EDDY_CHECK(peer_got_text(&p, "HTTP/1.1 503 "));
    peer_close(&p);
    peer_end(server);
}

/* --- no memory ------------------------------------------------------------------------------------------------ */

static void one_round(bool *ret_whole, enum peer_way way)
{
    struct eddy_http_server *server = NULL;
    struct peer p;

    *ret_whole = false;
    if (eddy_http_serve(NULL, handle, NULL, &server) < 0)
        return;
    bool open = peer_open(&p, server, way);
    if (open || p.t) {
        peer_say(&p,
                 GET("/") "POST /second HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer_turns(4);
        peer_say(&p, "3\r\nabc\r\n0\r\n\r\nGET /str");
        peer_turns(4);
        peer_pass(1100);
        peer_say(&p, "eam HTTP/1.1\r\nHost: h\r\n\r\n");
        peer_turns(20);
        *ret_whole = peer_count(&p, "hello") == 1 && peer_count(&p, "slept") == 1 &&
                     peer_count(&p, "piece") == 3;
        eddy_fault_stop();
        peer_close(&p);
    }
    eddy_fault_stop();
    eddy_http_server_free(server);
}

EDDY_TEST(no_failed_allocation_crashes_or_leaks)
{
    struct eddy_loop *warm;
    bool whole;

    EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .backend = "sim", .seed = 1), &warm), 0);
    peer_loop = warm;
    one_round(&whole, PEER_PLAIN);
    EDDY_CHECK(whole);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        one_round(&whole, PEER_PLAIN);
        if (!eddy_fault_fired(&f))
            EDDY_CHECK(whole);
        if (f.k == 0)
            continue;
        EDDY_CHECK(f.points > 10);
    }
    eddy_loop_free(warm);
}
