/*
 * An echo server inside a GLib program: eddy is a guest of its main loop, whose own timer ticks.
 *
 * pkg-config: glib-2.0
 *
 *     EDDY_BACKEND=epoll build/bin/examples/glib      then: nc 127.0.0.1 PORT
 */
#include <eddy.h>

#include <glib-unix.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>

struct echo_args {
    struct eddy_stream *peer;
};

static int echo(struct echo_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char buf[4096];
    ssize_t n;

    while ((n = eddy_read(peer, buf, sizeof buf)) > 0)
        if (eddy_write(peer, buf, (size_t)n) < 0)
            break;
    return 0;
}
EDDY_TASK(echo);

struct serve_args {
    struct eddy_listener *door;
};

static int serve(struct serve_args *a)
{
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        struct eddy_stream *peer;
        int r = eddy_accept(a->door, &peer);
        if (r < 0)
            return r;
        if (EDDY_GO(&peers, echo, .peer = peer) < 0)
            eddy_stream_free(peer);
    }
}
EDDY_TASK(serve);

/* The whole of being a guest: when the descriptor is readable, turn, without waiting. */
static gboolean turn(gint fd, GIOCondition condition, gpointer loop)
{
    (void)fd;
    (void)condition;
    return eddy_loop_turn(loop, 0) >= 0;
}

static gboolean tick(gpointer ticks)
{
    printf("tick %d\n", ++*(int *)ticks);
    return G_SOURCE_CONTINUE;
}

static gboolean quit(gpointer main_loop)
{
    g_main_loop_quit(main_loop);
    return G_SOURCE_CONTINUE;
}

int main(void)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address address;
    int ticks = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = eddy_loop_fd(eddy_loop_current());
    int r = fd < 0 ? fd : eddy_listen("127.0.0.1:0", NULL, &door);
    if (r == 0)
        r = eddy_listener_address(door, &address);
    if (r < 0) {
        printf("no guest: %s\n", eddy_strerror(r));
        return 1;
    }
    printf("echo at port %d\n", eddy_address_port(&address));

    EDDY_SCOPE(server, .isolate = true);
    EDDY_GO(&server, serve, .door = door);
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(fd, G_IO_IN, turn, eddy_loop_current());
    g_timeout_add(20, tick, &ticks);
    g_unix_signal_add(SIGINT, quit, main_loop);
    g_main_loop_run(main_loop);
    g_main_loop_unref(main_loop);
    puts("bye");
    return 0;
}
