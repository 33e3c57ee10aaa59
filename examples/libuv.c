/*
 * An echo server inside a libuv program: eddy is a guest of its loop, whose own timer ticks.
 *
 * pkg-config: libuv
 *     EDDY_BACKEND=epoll build/bin/examples/libuv     then: nc 127.0.0.1 PORT
 */
#include <eddy.h>

#include <signal.h>
#include <stdio.h>
#include <uv.h>

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
static void turn(uv_poll_t *watch, int status, int events)
{
    if (status == 0 && (events & UV_READABLE))
        eddy_loop_turn(watch->data, 0);
}

static void tick(uv_timer_t *timer)
{
    printf("tick %d\n", ++*(int *)timer->data);
}

static void quit(uv_signal_t *signal, int signo)
{
    (void)signo;
    uv_stop(signal->loop);
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
    uv_loop_t *host = uv_default_loop();
    uv_poll_t watch = { .data = eddy_loop_current() };
    uv_timer_t timer = { .data = &ticks };
    uv_signal_t interrupt;
    uv_poll_init(host, &watch, fd);
    uv_poll_start(&watch, UV_READABLE, turn);
    uv_timer_init(host, &timer);
    uv_timer_start(&timer, tick, 20, 20);
    uv_signal_init(host, &interrupt);
    uv_signal_start(&interrupt, quit, SIGINT);
    uv_run(host, UV_RUN_DEFAULT); /* until uv_stop() */
    puts("bye");
    return 0;
}
