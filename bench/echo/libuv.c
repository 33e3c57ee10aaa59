/* bench/echo/libuv.c - on libuv: what can be written at once is, the rest is copied and queued */
#include "scene.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

const char *const stack_name = "libuv";

static char buf[65536];
static uv_tcp_t door, peer;

static void alloc(uv_handle_t *h, size_t size, uv_buf_t *ret)
{
    (void)h, (void)size;
    *ret = uv_buf_init(buf, sizeof buf);
}

static void written(uv_write_t *w, int status)
{
    (void)status;
    free(w);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    if (n <= 0)
        return;
    uv_buf_t left = uv_buf_init(b->base, (unsigned)n);
    int sent = uv_try_write(s, &left, 1);
    size_t at = sent > 0 ? (size_t)sent : 0;
    if (at == (size_t)n)
        return;
    uv_write_t *w = malloc(sizeof *w + (size_t)n - at);
    memcpy(w + 1, b->base + at, (size_t)n - at);
    left = uv_buf_init((char *)(w + 1), (unsigned)((size_t)n - at));
    uv_write(w, s, &left, 1, written);
}

static void on_connection(uv_stream_t *s, int status)
{
    (void)status;
    uv_tcp_init(s->loop, &peer);
    if (uv_accept(s, (uv_stream_t *)&peer) == 0)
        uv_read_start((uv_stream_t *)&peer, alloc, on_read);
}

void stack_echo(int listener)
{
    uv_loop_t *loop = uv_default_loop();

    uv_tcp_init(loop, &door);
    uv_tcp_open(&door, listener);
    uv_listen((uv_stream_t *)&door, 16, on_connection);
    uv_run(loop, UV_RUN_DEFAULT);
}
