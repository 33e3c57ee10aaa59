/* bench/echo/eddy.c - a task for each connection, as in examples/echo.c */
#include "scene.h"

#include <eddy/net.h>
#include <eddy/task.h>

#include <stdio.h>

const char *const stack_name = "eddy";

struct talk_args {
    struct eddy_stream *peer;
};

static int talk(struct talk_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    static char buf[65536];
    ssize_t n;

    while ((n = eddy_read(peer, buf, sizeof buf)) > 0) {
        int r = eddy_write(peer, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return (int)n;
}
EDDY_TASK(talk);

void stack_echo(int listener)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_stream *peer;
    char address[16];
    EDDY_SCOPE(peers, .isolate = true);

    (void)snprintf(address, sizeof address, "fd:%d", listener);
    if (eddy_listen(address, NULL, &door) < 0)
        return;
    while (eddy_accept(door, &peer) == 0)
        EDDY_GO(&peers, talk, .peer = peer);
}
