/*
 * The examples that are guests of another library's loop: an echo server whose host's timer ticks.
 *
 * backends: poll epoll uring
 */
#include "check.h"
#include "support/program.h"

#include <eddy/net.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct peer_args {
    const char *address;
    char fill;
};

/* Talks for a while, and for longer than the host's timer takes to tick. */
static int peer(struct peer_args *a)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char out[3000], in[3000];

    int r = eddy_connect(a->address, NULL, &s);
    for (int i = 0; r == 0 && i < 50; i++) {
        memset(out, a->fill + i % 20, sizeof out);
        r = eddy_write(s, out, sizeof out);
        if (r == 0)
            r = eddy_read_exactly(s, in, sizeof in);
        if (r == 0 && memcmp(in, out, sizeof in) != 0)
            r = -EIO;
        if (r == 0)
            r = eddy_sleep(2);
    }
    return r;
}
EDDY_TASK(peer);

static void check_guest(const char *name)
{
    struct program p;
    char path[512], address[32];

    snprintf(path, sizeof path, "%s/examples/%s", EDDY_BIN_DIR, name);
    if (access(path, X_OK) != 0) {
        EDDY_CHECK_NOT_RUN("its library was not found when this was built: scripts/deps --test");
        return;
    }
    if (!EDDY_CHECK(program_start(&p, false, PROGRAM_ARGV(path))))
        return;
    if (strcmp(eddy_check_backend(), "poll") == 0) {
        EDDY_CHECK(program_end(&p));
        EDDY_CHECK_EQ(p.exit, 1);
        EDDY_CHECK(strstr(p.text, "no guest: ") != NULL);
        return;
    }
    if (EDDY_CHECK(program_await(&p, "tick 2\n"))) { /* said after the port */
        const char *port = strstr(p.text, "echo at port ");
        EDDY_CHECK(port != NULL);
        snprintf(address, sizeof address, "127.0.0.1:%d", port ? atoi(port + 13) : 0);
        EDDY_SCOPE(s, .timeout_ms = 20000);
        for (int i = 0; i < 4; i++)
            EDDY_GO(&s, peer, .address = address, .fill = (char)('a' + i));
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK(program_await(&p, "tick 5\n"));
    }
    kill(p.pid, SIGINT);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
    EDDY_CHECK(strstr(p.text, "bye\n") != NULL);
}

EDDY_TEST(an_echo_server_is_a_guest_of_glib)
{
    check_guest("glib");
}

EDDY_TEST(an_echo_server_is_a_guest_of_libuv)
{
    check_guest("libuv");
}
