/* bench/pipes/libuv.c - the scene on libuv */
#include "scene.h"

#include <stdlib.h>
#include <uv.h>

const char *const stack_name = "libuv";
static uv_loop_t loop;
static uv_poll_t *watchers;

static void readable(uv_poll_t *w, int status, int events)
{
    (void)status;
    (void)events;
    scene_readable((int)(w - watchers));
}

void stack_open(int count)
{
    uv_loop_init(&loop);
    watchers = calloc((size_t)count, sizeof *watchers);
}

void stack_watch(int index, int fd)
{
    uv_poll_init(&loop, &watchers[index], fd);
    uv_poll_start(&watchers[index], UV_READABLE, readable);
}

void stack_turn(void)
{
    uv_run(&loop, UV_RUN_ONCE);
}
