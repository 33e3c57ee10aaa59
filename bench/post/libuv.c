/* bench/post/libuv.c - the scene on libuv: uv_async_send() */
#include "scene.h"

#include <uv.h>

const char *const stack_name = "libuv";
static uv_loop_t loop;
static uv_async_t async;
static uv_idle_t idle;

static void posted(uv_async_t *a)
{
    (void)a;
    scene_posted();
}

/* An active idle handle keeps a loop from sleeping. */
static void spin(uv_idle_t *i)
{
    (void)i;
}

void stack_run(void)
{
    uv_loop_init(&loop);
    uv_async_init(&loop, &async, posted);
    uv_idle_init(&loop, &idle);
    atomic_store(&scene_ready, true);
    uv_run(&loop, UV_RUN_DEFAULT);
}

void stack_post(void)
{
    uv_async_send(&async);
}

void stack_stop(void)
{
    uv_stop(&loop);
}

void stack_busy(bool busy)
{
    if (busy)
        uv_idle_start(&idle, spin);
    else
        uv_idle_stop(&idle);
}
