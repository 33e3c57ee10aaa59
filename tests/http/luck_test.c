/*
 * Bad luck, over sockets, on every driver: each client that goes wrong gets its answer, or none if
 * it is gone, and whoever comes next is served.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"
#include "script.h"

#include <eddy/address.h>
#include <eddy/fetch.h>
#include <eddy/http.h>
#include <eddy/json.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* --- the server ------------------------------------------------------------------------------------- */

static unsigned handled;

static int deep(int levels)
{
    volatile char frame[1024];

    memset((void *)(uintptr_t)frame, 1, sizeof frame);
    return levels > 1 ? frame[7] + deep(levels - 1) : frame[7];
}

/* Fetches what the query names: what fails there is this server's 502, or 504. */
static int fetch_for(struct eddy_request *req, struct eddy_reply *reply)
{
    EDDY_AUTO(eddy_response) page = { 0 };
    struct eddy_slice url = eddy_request_query(req, "url");

    int r = eddy_fetch(url.ptr ? eddy_arena_copy(req->arena, url.ptr, url.len) : "",
                       EDDY_OPT(fetch, .timeout_ms = 100), &page);
    if (r == -EDDY_EURL)
        return eddy_reply_fail(reply, 400, r);
    if (r == -EDDY_EUPSTREAM_TIMEOUT)
        return r; /* is 504 by itself */
    return r < 0 ? eddy_reply_fail(reply, 502, r) : eddy_reply_text(reply, "fetched");
}

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    handled++;
    if (eddy_slice_eq(req->path, EDDY_SLICE("/fetch")))
        return fetch_for(req, reply);
    if (eddy_slice_eq(req->path, EDDY_SLICE("/deep")))
        return eddy_reply_printf(reply, "%d KiB deep", deep(60));
    if (eddy_slice_eq(req->path, EDDY_SLICE("/json"))) {
        int r = eddy_json_check(req->body, 0, NULL);
        return r < 0 ? r : eddy_reply_text(reply, "good json");
    }
    return eddy_reply_text(reply, "hello");
}

struct house {
    struct eddy_http_server *server;
    char address[EDDY_ADDRESS_TEXT];
};

static bool house_open(struct house *h, const struct eddy_http_options *options)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;

    *h = (struct house){ 0 };
    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0) ||
        !EDDY_CHECK_EQ(eddy_http_serve(door, handle, options, &h->server), 0))
        return false;
    eddy_disown(&door);
    eddy_address_format(&at, h->address, sizeof h->address);
    return true;
}

/* --- clients ------------------------------------------------------------------------------------------ */

/* The status of what @s answers, to the end of the connection or of its first head. */
static int status_of(struct eddy_stream *s)
{
    char head[2048] = "";
    EDDY_SCOPE(patience, .timeout_ms = 10000);

    ssize_t n = eddy_read_until(s, EDDY_SLICE("\r\n\r\n"), head, sizeof head - 1);
    return n < 0 ? (int)n : atoi(head + 9);
}

static int say(const char *address, const char *text, struct eddy_stream **ret)
{
    int r = eddy_connect(address, EDDY_OPT(connect, .timeout_ms = 10000), ret);

    return r < 0 ? r : eddy_write_text(*ret, text);
}

/* A visitor with no bad luck, on a connection of its own. */
static int visit(const struct house *h)
{
    EDDY_OWN(eddy_stream) s = NULL;
    int r = say(h->address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", &s);

    return r < 0 ? r : status_of(s);
}

static bool await_connections(const struct house *h, size_t want)
{
    struct eddy_http_stats stats;

    for (int i = 0; i < 3000; i++) {
        eddy_http_stats(h->server, &stats);
        if (stats.connections == want)
            return true;
        eddy_sleep(1);
    }
    return EDDY_CHECK_EQ(stats.connections, want);
}

#define HOST " HTTP/1.1\r\nHost: h\r\n"

EDDY_TEST(each_has_its_status_and_the_next_is_served)
{
    static char brackets[2200] = "POST /json" HOST "Content-Length: 2000\r\n\r\n";
    static char chunks[2200] = "POST /" HOST "Transfer-Encoding: chunked\r\n\r\n7d1\r\n";
    static char silent_request[128], long_head[4000] = "GET /" HOST "A: ";
    const struct {
        const char *name, *request;
        int want;
    } cases[] = {
        { "no luck needed", "GET /" HOST "\r\n", 200 },
        { "60 KiB deep", "GET /deep" HOST "\r\n", 200 },
        { "2000 brackets", brackets, 400 },
        { "good json", "POST /json" HOST "Content-Length: 2\r\n\r\n[]", 200 },
        { "garbage", "\x16\x03\x01\x02 \r\n\r\n", 400 },
        { "a head too big", long_head, 431 },
        { "a body too big", "POST /" HOST "Content-Length: 2001\r\n\r\n", 413 },
        { "chunks too big", chunks, 413 },
        { "a chunk announced too big", "POST /" HOST "Transfer-Encoding: chunked\r\n\r\n7d1\r\n",
          413 },
        { "half a head and silence", "GET /" HOST, 408 },
        { "half a body and silence", "POST /" HOST "Content-Length: 9\r\n\r\nhalf", 408 },
        { "no URL", "GET /fetch?url=nonsense" HOST "\r\n", 400 },
        { "no such name", "GET /fetch?url=http://no-such-host.invalid/" HOST "\r\n", 502 },
        { "refused upstream", "GET /fetch?url=http://127.0.0.1:9/" HOST "\r\n", 502 },
        { "silent upstream", silent_request, 504 },
    };
    static const struct script_answer silence[] = { { NULL, SCRIPT_HANG, 0 } };
    struct script silent = SCRIPT(silence);
    struct house h;

    memset(brackets + strlen(brackets), '[', 2000);
    memset(chunks + strlen(chunks), 'c', 2001);
    memset(long_head + strlen(long_head), 'a', 3000);
    if (!house_open(&h, EDDY_OPT(http, .limits.head = 2048, .limits.body = 2000,
                                 .limits.head_timeout_ms = 100, .limits.body_timeout_ms = 100)))
        return;
    {
        EDDY_SCOPE(scope, .isolate = true);
        EDDY_CHECK_EQ(script_start(&silent, &scope), 0);
        snprintf(silent_request, sizeof silent_request, "GET /fetch?url=%s" HOST "\r\n",
                 silent.url);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            EDDY_OWN(eddy_stream) s = NULL;
            int r = say(h.address, cases[i].request, &s);
            if (r == 0)
                r = status_of(s);
            /* The simulator knows no names, and a machine without name servers may take its time
             * to say so. */
            bool named = strcmp(cases[i].name, "no such name") == 0;
            if (!(named && r == 504) && !EDDY_CHECK_EQ(r, cases[i].want))
                EDDY_CHECK_FAIL("%s", cases[i].name);
            if (!EDDY_CHECK_EQ(visit(&h), 200))
                EDDY_CHECK_FAIL("after: %s", cases[i].name);
        }
    }
    eddy_http_server_free(h.server);
}

/* Half of a body, then: the end of input, the end of the connection, a reset. */
EDDY_TEST(who_vanishes_in_a_body_reaches_no_handler_and_the_next_is_served)
{
    struct house h;
    struct eddy_http_stats stats;

    if (!house_open(&h, NULL))
        return;
    for (int way = 0; way < 3; way++) {
        EDDY_OWN(eddy_stream) s = NULL;
        char rest[16];
        handled = 0;
        /* For the reset, an answer lies unread in the client's socket. */
        EDDY_CHECK_EQ(say(h.address, way == 2 ? "GET /" HOST "\r\n" : "", &s), 0);
        EDDY_CHECK_EQ(eddy_write_text(s, "POST /" HOST "Content-Length: 100\r\n\r\nhalf"), 0);
        EDDY_CHECK(await_connections(&h, 1));
        eddy_sleep(20);
        EDDY_CHECK_EQ(handled, way == 2);
        if (way == 0) {
            EDDY_CHECK_EQ(eddy_stream_finish(s), 0);
            EDDY_CHECK_EQ(eddy_read(s, rest, sizeof rest), 0);
        } else {
            eddy_stream_free(EDDY_TAKE(s));
        }
        EDDY_CHECK(await_connections(&h, 0));
        EDDY_CHECK_EQ(handled, way == 2);
        EDDY_CHECK_EQ(visit(&h), 200);
    }
    eddy_http_stats(h.server, &stats);
    EDDY_CHECK_EQ(stats.requests, 4);
    EDDY_CHECK_EQ(stats.requests_running, 0);
    eddy_http_server_free(h.server);
}

/* --- many who are slow ------------------------------------------------------------------------------- */

EDDY_TEST(a_hundred_half_heads_delay_nobody_and_get_408)
{
    enum { SLOW = 100, QUICK = 50 };
    struct eddy_stream *slow[SLOW] = { 0 };
    struct eddy_stack_info stacks = { .size = sizeof stacks };
    struct eddy_http_stats stats;
    struct house h;

    if (!house_open(&h, EDDY_OPT(http, .limits.head_timeout_ms = 1500)))
        return;
    int64_t began = eddy_now_ns();
    for (int i = 0; i < SLOW; i++)
        EDDY_CHECK_EQ(say(h.address, "GET /" HOST "X-Half: of a", &slow[i]), 0);
    EDDY_CHECK(await_connections(&h, SLOW));
    eddy_stack_info(&stacks);
    EDDY_CHECK_EQ(stacks.live, 0); /* who has not asked yet has no task */
    int64_t worst = 0;
    for (int i = 0; i < QUICK; i++) {
        int64_t start = eddy_now_ns();
        EDDY_CHECK_EQ(visit(&h), 200);
        int64_t took = eddy_now_ns() - start;
        worst = took > worst ? took : worst;
    }
    EDDY_CHECK(worst / 1000000 < 1000); /* nobody waited for the slow ones to be given up */
    for (int i = 0; i < SLOW; i++) {
        EDDY_CHECK_EQ(status_of(slow[i]), 408);
        eddy_stream_free(slow[i]);
    }
    EDDY_CHECK((eddy_now_ns() - began) / 1000000 >= 1500);
    EDDY_CHECK(await_connections(&h, 0));
    eddy_http_stats(h.server, &stats);
    EDDY_CHECK_EQ(stats.timeouts, SLOW);
    EDDY_CHECK_EQ(visit(&h), 200);
    eddy_http_server_free(h.server);
}

/* --- no descriptors ---------------------------------------------------------------------------------- */

static unsigned warnings;

static void count_warnings(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    if (level == EDDY_LOG_WARNING && strstr(line, "cannot accept"))
        warnings++;
}

EDDY_TEST(out_of_descriptors_old_visitors_are_served_and_new_ones_later)
{
    struct house h;
    EDDY_OWN(eddy_stream) old = NULL;
    EDDY_OWN(eddy_stream) late = NULL;
    struct eddy_loop_info before, after;
    struct eddy_http_stats stats;
    struct rlimit limit, few;
    int taken[64], count = 0, fd;

    if (is_sim()) /* its descriptors are not the kernel's */
        return;
    /* Lowered before anything is accepted: the ring remembers the limit from when it was asked to
     * accept. */
    fd = dup(0);
    close(fd);
    getrlimit(RLIMIT_NOFILE, &limit);
    few = limit;
    few.rlim_cur = (rlim_t)fd + 32;
    setrlimit(RLIMIT_NOFILE, &few);
    if (!house_open(&h, NULL))
        return;
    EDDY_CHECK_EQ(say(h.address, "HEAD /" HOST "\r\n", &old), 0);
    EDDY_CHECK_EQ(status_of(old), 200);
    warnings = 0;
    eddy_log_to(count_warnings, NULL, EDDY_LOG_WARNING);
    while (count < 64 && (fd = dup(0)) >= 0)
        taken[count++] = fd;
    /* One is left: the client's. The server's end of it has none. */
    if (EDDY_CHECK(count > 0))
        close(taken[--count]);
    EDDY_CHECK_EQ(say(h.address, "HEAD /" HOST "\r\n", &late), 0);
    eddy_loop_info(eddy_loop_current(), &before);
    eddy_sleep(350);
    eddy_loop_info(eddy_loop_current(), &after);
    eddy_http_stats(h.server, &stats);
    EDDY_CHECK_EQ(stats.connections, 1);
    EDDY_CHECK_EQ(warnings, 1);
    EDDY_CHECK(after.iterations - before.iterations < 30); /* no busy loop */
    EDDY_CHECK_EQ(eddy_write_text(old, "HEAD /" HOST "\r\n"), 0);
    EDDY_CHECK_EQ(status_of(old), 200);
    while (count > 0)
        close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &limit);
    EDDY_CHECK_EQ(status_of(late), 200);
    EDDY_CHECK_EQ(visit(&h), 200);
    EDDY_CHECK_EQ(warnings, 1);
    eddy_log_to(NULL, NULL, EDDY_LOG_WARNING);
    eddy_http_server_free(h.server);
}

/* select cannot watch a number past FD_SETSIZE: whoever gets one is turned away. */
EDDY_TEST(past_fd_setsize_newcomers_go_and_the_others_are_served)
{
    struct house h;
    EDDY_OWN(eddy_stream) old = NULL;
    static int taken[FD_SETSIZE + 1];
    struct rlimit limit;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    bool is_select = strcmp(eddy_check_backend(), "select") == 0;
    int count = 0, fd;

    if (is_sim())
        return;
    getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit more = limit;
    more.rlim_cur = FD_SETSIZE + 100;
    if (more.rlim_max < more.rlim_cur || setrlimit(RLIMIT_NOFILE, &more) < 0) {
        EDDY_CHECK_NOT_RUN("so many descriptors are not allowed here");
        return;
    }
    if (!house_open(&h, NULL))
        return;
    EDDY_CHECK_EQ(say(h.address, "HEAD /" HOST "\r\n", &old), 0);
    EDDY_CHECK_EQ(status_of(old), 200);
    while (count <= FD_SETSIZE && (fd = dup(0)) >= 0 && fd <= FD_SETSIZE)
        taken[count++] = fd;
    close(fd);
    /* The client is not eddy's: its descriptor is one of those, too. */
    fd = socket(AF_INET, SOCK_STREAM, 0);
    in.sin_port = htons((uint16_t)strtoul(strchr(h.address, ':') + 1, NULL, 10));
    EDDY_CHECK_EQ(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    static const char request[] = "HEAD /" HOST "\r\n";
    EDDY_CHECK_EQ(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    struct eddy_loop_info before, after;
    eddy_loop_info(eddy_loop_current(), &before);
    eddy_sleep(100);
    eddy_loop_info(eddy_loop_current(), &after);
    EDDY_CHECK(after.iterations - before.iterations < 30); /* no busy loop */
    char answer[512];
    ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (is_select)
        EDDY_CHECK(n == 0 || (n < 0 && errno == ECONNRESET));
    else
        EDDY_CHECK(n > 0);
    close(fd);
    EDDY_CHECK_EQ(eddy_write_text(old, "HEAD /" HOST "\r\n"), 0);
    EDDY_CHECK_EQ(status_of(old), 200);
    while (count > 0)
        close(taken[--count]);
    EDDY_CHECK(await_connections(&h, 1));
    EDDY_CHECK_EQ(visit(&h), 200);
    setrlimit(RLIMIT_NOFILE, &limit);
    eddy_http_server_free(h.server);
}
