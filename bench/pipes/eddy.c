/* bench/pipes/eddy.c - the scene on eddy */
#include "scene.h"

#include <eddy/loop.h>
#include <eddy/poller.h>
#include <eddy/watch.h>

#include <stdint.h>
#include <stdlib.h>

#ifndef SCENE_EDGE
#define SCENE_EDGE 0
#define SCENE_NAME "eddy"
#endif

const char *const stack_name = SCENE_NAME;
static struct eddy_loop *loop;

static void readable(void *index, unsigned events)
{
    (void)events;
    scene_readable((int)(intptr_t)index);
}

void stack_open(int count)
{
    (void)count;
    loop = eddy_loop_current();
}

void stack_watch(int index, int fd)
{
    struct eddy_watch *w;

    if (eddy_watch_new(fd, EDDY_READABLE | SCENE_EDGE, readable, (void *)(intptr_t)index, &w) < 0)
        abort();
}

void stack_turn(void)
{
    eddy_loop_turn(loop, -1);
}
