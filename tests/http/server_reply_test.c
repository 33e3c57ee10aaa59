/*
 * What a handler may say, and what it is told when it may not.
 */
#include "check.h"
#include "http/peer.h"

#include <stdio.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static char long_value[6001];

static int fields(struct eddy_reply *reply)
{
    EDDY_CHECK_ERR(eddy_reply_header(reply, "X-A", "1"), 0);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "X-B", "2"), 0);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "bad name", "1"), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "X-C", "split\r\nX-D: 1"), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "content-length", "7"), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "Transfer-Encoding", "chunked"), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "Connection", "close"), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "Date", "now"), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_static(reply, "text/\r\nX: y", EDDY_SLICE("x")), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_bytes(reply, "", EDDY_SLICE("x")), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_status(reply, 99), -EINVAL);
    EDDY_CHECK_ERR(eddy_reply_status(reply, 202), 0);
    return eddy_reply_text(reply, "fields");
}

static int late(struct eddy_reply *reply)
{
    EDDY_CHECK_ERR(eddy_reply_write(reply, NULL, 0), 0);
    EDDY_CHECK_ERR(eddy_reply_text(reply, "late"), -EALREADY);
    EDDY_CHECK_ERR(eddy_reply_printf(reply, "late"), -EALREADY);
    EDDY_CHECK_ERR(eddy_reply_header(reply, "X", "1"), -EALREADY);
    EDDY_CHECK_ERR(eddy_reply_status(reply, 200), -EALREADY);
    return -EIO;
}

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    if (eddy_slice_eq(req->path, EDDY_SLICE("/fields")))
        return fields(reply);
    if (eddy_slice_eq(req->path, EDDY_SLICE("/late")))
        return late(reply);
    if (eddy_slice_eq(req->path, EDDY_SLICE("/early"))) {
        eddy_reply_text(reply, "early");
        EDDY_CHECK_ERR(eddy_reply_write(reply, "x", 1), -EALREADY);
        return 0;
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/replaced"))) {
        eddy_reply_text(reply, "first");
        return eddy_reply_html(reply, "<p>second");
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/long"))) {
        for (int i = 0; i < 3; i++)
            EDDY_CHECK_ERR(eddy_reply_header(reply, "X-Long", long_value), 0);
        return eddy_reply_text(reply, "long head");
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/printf"))) {
        for (int i = 0; i < 1000; i++)
            EDDY_CHECK_ERR(eddy_reply_printf(reply, "%03d,", i), 0);
        return 0;
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/toobig"))) {
        eddy_reply_text(reply, "part");
        EDDY_CHECK_ERR(eddy_reply_printf(reply, "%10001d", 1), -EDDY_ETOOBIG);
        return 200;
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/ask"))) {
        EDDY_CHECK(eddy_request_ctx(req) == long_value);
        EDDY_CHECK_STR(eddy_request_peer(req), "");
        return eddy_reply_printf(
            reply, "[%.*s] [%.*s] [%.*s] %d", EDDY_SLICE_ARG(eddy_request_header(req, "x-ONE")),
            EDDY_SLICE_ARG(eddy_request_query(req, "a b")),
            EDDY_SLICE_ARG(eddy_request_query(req, "c")), eddy_request_query(req, "d").ptr == NULL);
    }
    if (eddy_slice_eq(req->path, EDDY_SLICE("/304")))
        return eddy_reply_text(reply, "unseen"), 304;
    return 150; /* not a status that a reply can end with */
}

EDDY_TEST(a_reply_says_what_the_handler_said)
{
    static const struct {
        const char *request, *want, *also, *never;
    } cases[] = {
        { GET("/fields"), "HTTP/1.1 202 Accepted\r\n", "X-A: 1\r\nX-B: 2\r\nContent-Length: 6",
          "X-D" },
        { GET("/early"), "\r\n\r\nearly", "Content-Length: 5\r\n", NULL },
        { GET("/replaced"), "\r\n\r\n<p>second", "Content-Type: text/html; charset=utf-8\r\n",
          "first" },
        { GET("/printf"), "998,999,", "Content-Length: 4000\r\n", NULL },
        { GET("/toobig"), "HTTP/1.1 500 ", "\r\n\r\nInternal Server Error", "part" },
        { GET("/304"), "HTTP/1.1 304 ", "\r\n\r\n", "Content-Length" },
        { GET("/150"), "HTTP/1.1 500 ", "\r\n\r\n", NULL },
        { "GET /ask?x=1&a+b=%41+%2&c HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\n\r\n", "[1] [A %2] [] 1",
          "200", NULL },
        { GET("/long"), "\r\n\r\nlong head", "X-Long: vvvv", NULL },
    };
    struct eddy_http_server *server = peer_begin(
        handle, EDDY_OPT(http, .limits.reply = 10000, .ctx = long_value, .server_name = "me/1"),
        true);
    struct peer p;

    memset(long_value, 'v', sizeof long_value - 1);
    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        peer_say(&p, cases[i].request);
        bool ok = EDDY_CHECK(peer_got_text(&p, cases[i].want));
        peer_turns(3);
        ok = EDDY_CHECK(strstr(peer_text(&p), cases[i].also) != NULL) && ok;
        ok = EDDY_CHECK(strstr(peer_text(&p), "Server: me/1\r\n") != NULL) && ok;
        ok = EDDY_CHECK(!cases[i].never || !strstr(peer_text(&p), cases[i].never)) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("%s: %.500s", cases[i].request, peer_text(&p));
        peer_forget(&p);
    }
    peer_say(&p, GET("/late"));
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(peer_count(&p, "late"), 0);
    peer_close(&p);
    peer_end(server);
}

EDDY_TEST(the_date_is_the_clocks_and_moves_with_it)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    struct peer p;
    char first[40] = "", second[40] = "";

    EDDY_CHECK(peer_open(&p, server, PEER_PLAIN));
    peer_say(&p, GET("/early"));
    EDDY_CHECK(peer_got_text(&p, "early"));
    const char *at = strstr(peer_text(&p), "Date: ");
    if (EDDY_CHECK(at != NULL))
        memcpy(first, at, 35);
    peer_forget(&p);
    peer_pass(1000);
    peer_say(&p, GET("/early"));
    EDDY_CHECK(peer_got_text(&p, "early"));
    at = strstr(peer_text(&p), "Date: ");
    if (EDDY_CHECK(at != NULL))
        memcpy(second, at, 35);
    EDDY_CHECK(strcmp(first, second) != 0);
    EDDY_CHECK(strcmp(first + 31, " GMT") == 0);
    peer_close(&p);
    peer_end(server);
}
