/* bench/pipes/libevent.c - the scene on libevent */
#include "scene.h"

#include <event2/event.h>
#include <stdint.h>

#ifndef SCENE_EDGE
#define SCENE_EDGE 0
#define SCENE_NAME "libevent"
#endif

const char *const stack_name = SCENE_NAME;
static struct event_base *base;

static void readable(evutil_socket_t fd, short what, void *index)
{
    (void)fd;
    (void)what;
    scene_readable((int)(intptr_t)index);
}

void stack_open(int count)
{
    (void)count;
    base = event_base_new();
}

void stack_watch(int index, int fd)
{
    const short events = EV_READ | EV_PERSIST | SCENE_EDGE;

    event_add(event_new(base, fd, events, readable, (void *)(intptr_t)index), NULL);
}

void stack_turn(void)
{
    event_base_loop(base, EVLOOP_ONCE);
}
