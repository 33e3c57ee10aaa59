/*
 * What a list of tasks shows of a server's: on which connection a handler waits.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/address.h>
#include <eddy/http.h>
#include <eddy/inspect.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <string.h>

/* More than any socket takes. */
static int pour(struct eddy_request *req, struct eddy_reply *reply)
{
    static const char piece[65536];
    int r = 0;

    (void)req;
    while (r == 0)
        r = eddy_reply_write(reply, piece, sizeof piece);
    return r;
}

struct sight {
    char peer[64];
    int fd;
};

static bool see(void *ctx, const struct eddy_task_info *task)
{
    struct sight *seen = ctx;

    if (!task->waits || strcmp(task->waits, "write of a reply") != 0)
        return true;
    seen->fd = task->fd;
    memcpy(seen->peer, task->peer, sizeof seen->peer);
    return false;
}

EDDY_TEST(a_handler_that_waits_to_write_shows_its_connection)
{
    EDDY_OWN(eddy_http_server) server = NULL;
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_address address;
    char text[EDDY_ADDRESS_TEXT];
    struct sight seen = { .fd = -2 };

    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &address), 0);
    EDDY_CHECK_EQ(eddy_http_serve(door, pour, NULL, &server), 0);
    eddy_disown(&door);
    EDDY_CHECK_EQ(eddy_connect(eddy_address_format(&address, text, sizeof text), NULL, &client), 0);
    EDDY_CHECK_EQ(eddy_write(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 0);
    for (int i = 0; i < 20000 && seen.fd == -2; i++) {
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        eddy_tasks_each(loop, EDDY_OPT(tasks, .addresses = true), see, &seen);
    }
    EDDY_CHECK_EQ(eddy_stream_local(client, &address), 0);
    EDDY_CHECK(seen.fd >= 0);
    EDDY_CHECK_STR(seen.peer, eddy_address_format(&address, text, sizeof text));
}
