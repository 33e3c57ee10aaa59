/*
 * proxy_peer_test.c - a server that asks for PROXY headers, and a real peer that sends one: curl
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/address.h>
#include <eddy/http.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned requests;
static char seen_peer[EDDY_ADDRESS_TEXT];

static int on_request(struct eddy_request *req, struct eddy_reply *reply)
{
    requests++;
    snprintf(seen_peer, sizeof seen_peer, "%s", eddy_request_peer(req));
    return eddy_reply_text(reply, "seen");
}

struct curl_call {
    char line[256];
    char out[256];
    int status;
};

static int run_curl(void *arg)
{
    struct curl_call *c = arg;
    FILE *f = popen(c->line, "r");

    if (!f)
        return -EIO;
    size_t n = fread(c->out, 1, sizeof c->out - 1, f);
    c->out[n] = '\0';
    c->status = pclose(f);
    return 0;
}

static struct curl_call curl(const char *options, const char *address)
{
    struct curl_call c = { .status = -1 };

    /* What curl writes of itself: its own end, as the header says it. */
    snprintf(c.line, sizeof c.line,
             "curl -sS --max-time 10 -w ' %%{local_ip}:%%{local_port}' %s http://%s/ 2>/dev/null",
             options, address);
    EDDY_CHECK_EQ(eddy_offload(run_curl, &c), 0);
    return c;
}

EDDY_TEST(curls_header_is_taken_and_tells_the_peer)
{
    struct eddy_listener *door = NULL;
    struct eddy_http_server *server = NULL;
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT], want[EDDY_ADDRESS_TEXT + 8];

    if (access("/usr/bin/curl", X_OK) < 0) {
        EDDY_CHECK_FAIL("curl is missing: scripts/deps --test installs it");
        return;
    }
    requests = 0;
    eddy_log_to(NULL, NULL, EDDY_LOG_ERROR);
    EDDY_CHECK_EQ(
        eddy_listen("127.0.0.1:0",
                    EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED, .proxy_from = "127.0.0.0/8"),
                    &door),
        0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &a), 0);
    eddy_address_format(&a, text, sizeof text);
    if (!EDDY_CHECK_EQ(eddy_http_serve(door, on_request, NULL, &server), 0))
        return;

    struct curl_call c = curl("--haproxy-protocol --interface 127.0.0.9", text);
    EDDY_CHECK_EQ(c.status, 0);
    snprintf(want, sizeof want, "seen %s", seen_peer);
    EDDY_CHECK_STR(c.out, want);
    EDDY_CHECK(strncmp(seen_peer, "127.0.0.9:", 10) == 0);
    EDDY_CHECK_EQ(requests, 1);

    /* Without one it is dropped, and no handler hears of it. */
    c = curl("", text);
    EDDY_CHECK(c.status != 0);
    EDDY_CHECK_EQ(requests, 1);
    c = curl("--haproxy-protocol", text);
    EDDY_CHECK_EQ(c.status, 0);
    EDDY_CHECK_EQ(requests, 2);

    EDDY_CHECK_EQ(eddy_http_stop(server, 0), 0);
    eddy_http_server_free(server);
    eddy_loop_free(eddy_loop_current());
}
