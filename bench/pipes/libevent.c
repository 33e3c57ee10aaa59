/* bench/pipes/libevent.c - the scene on libevent */
#include "scene.h"

#include <event2/event.h>
#include <stdint.h>

const char *const stack_name = "libevent";
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
    event_add(event_new(base, fd, EV_READ | EV_PERSIST, readable, (void *)(intptr_t)index), NULL);
}

void stack_turn(void)
{
    event_base_loop(base, EVLOOP_ONCE);
}
