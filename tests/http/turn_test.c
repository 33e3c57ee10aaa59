/*
 * One connection's share of a turn: thousands of requests in one buffer, and what races a pause.
 */
#include "check.h"
#include "http/peer.h"

#include "http/server.h"

#include <eddy/task.h>
#include <stdlib.h>

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_LEN (sizeof GET - 1)
#define MANY 10000

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    if (eddy_slice_eq(req->path, EDDY_SLICE("/nap"))) {
        int r = eddy_sleep(5);
        if (r < 0)
            return r;
    }
    return eddy_reply_text(reply, "x");
}

static char *many_requests(size_t count)
{
    char *text = malloc(count * GET_LEN);

    for (size_t i = 0; text && i < count; i++)
        memcpy(text + i * GET_LEN, GET, GET_LEN);
    return text;
}

static uint64_t answered(const struct eddy_http_server *server)
{
    struct eddy_http_stats stats;

    eddy_http_stats(server, &stats);
    return stats.requests;
}

EDDY_TEST(requests_in_one_buffer_leave_others_their_turn)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    char *text = many_requests(MANY);
    struct peer p, other;

    if (!peer_open(&p, server, PEER_PLAIN) || !peer_open(&other, server, PEER_PLAIN))
        return;
    peer_send(&p, text, MANY * GET_LEN);
    peer_finish(&p);
    uint64_t most = 0, before = 0;
    for (unsigned turns = 0; turns < 2000 && answered(server) < MANY; turns++) {
        peer_turns(1);
        uint64_t now = answered(server);
        most = now - before > most ? now - before : most;
        before = now;
        if (turns == 3)
            peer_say(&other, GET);
        if (turns == 8)
            EDDY_CHECK_EQ(peer_count(&other, "HTTP/1.1 200 OK"), 1);
    }
    EDDY_CHECK(most <= HTTP_REQUESTS_A_TURN + 1);
    /* Its end of input came long before the last answer, and cut nothing off. */
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(peer_count(&p, "HTTP/1.1 200 OK"), MANY);
    peer_close(&p);
    peer_close(&other);
    free(text);
    peer_end(server);
}

EDDY_TEST(a_connection_that_waits_for_its_turn_can_end)
{
    for (int way = 0; way < 3; way++) {
        struct eddy_http_server *server = peer_begin(handle, NULL, true);
        char *text = many_requests(MANY);
        struct peer p;

        if (!peer_open(&p, server, PEER_PLAIN))
            return;
        peer_send(&p, text, MANY * GET_LEN);
        peer_turns(4);
        EDDY_CHECK(answered(server) > 0 && answered(server) < MANY);
        if (way == 0)
            peer_reset(&p);
        if (way == 1)
            peer_fail_writes(&p, -EPIPE);
        if (way == 2) {
            EDDY_CHECK_EQ(eddy_http_stop(server, 1000), 0);
            EDDY_CHECK_EQ(peer_count(&p, "Connection: close"), 1);
        }
        peer_turns(10);
        struct eddy_http_stats stats;
        eddy_http_stats(server, &stats);
        EDDY_CHECK_EQ(stats.connections, 0);
        peer_close(&p);
        free(text);
        peer_end(server);
    }
}

EDDY_TEST(a_nap_amid_many_requests_keeps_their_order)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    char *text = many_requests(MANY);
    struct peer p;

    if (!peer_open(&p, server, PEER_PLAIN))
        return;
    for (int i = 0; i < 10; i++) {
        peer_send(&p, text, (size_t)(i * 40 + 1) * GET_LEN);
        peer_say(&p, "GET /nap HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    peer_finish(&p);
    EDDY_CHECK(peer_saw_end(&p));
    EDDY_CHECK_EQ(peer_count(&p, "HTTP/1.1 200 OK"), 45 * 40 + 10 + 10);
    peer_close(&p);
    free(text);
    peer_end(server);
}

/* What a transport kept while its protocol had paused comes in one piece. */
EDDY_TEST(what_raced_a_pause_is_all_taken)
{
    struct eddy_http_server *server = peer_begin(handle, NULL, true);
    const size_t count = ((size_t)8 << 20) / GET_LEN;
    char *text = many_requests(count);
    struct peer p;

    if (!peer_open(&p, server, PEER_PLAIN))
        return;
    peer_say(&p, "GET /nap HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_turns(2);
    peer_deliver(&p, text, count * GET_LEN);
    for (int i = 0; i < 10000 && answered(server) < count + 1; i++)
        peer_pass(1);
    EDDY_CHECK_EQ(answered(server), count + 1);
    peer_close(&p);
    free(text);
    peer_end(server);
}
