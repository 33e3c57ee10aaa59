/* bench/post/eddy.c - the scene on eddy: eddy_post() */
#include "scene.h"

#include <eddy/loop.h>

const char *const stack_name = "eddy";
static struct eddy_loop *loop;
static bool spinning, stopped;

static void posted(void *ctx)
{
    (void)ctx;
    scene_posted();
}

void stack_run(void)
{
    loop = eddy_loop_current();
    atomic_store(&scene_ready, true);
    while (!stopped)
        eddy_loop_turn(loop, spinning ? 0 : -1);
}

void stack_post(void)
{
    eddy_post(loop, posted, NULL);
}

void stack_stop(void)
{
    stopped = true;
}

void stack_busy(bool busy)
{
    spinning = busy;
}
