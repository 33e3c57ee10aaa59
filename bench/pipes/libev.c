/* bench/pipes/libev.c - the scene on libev */
#include "scene.h"

#include <ev.h>
#include <stdint.h>
#include <stdlib.h>

const char *const stack_name = "libev";
static struct ev_loop *loop;
static struct ev_io *watchers;

static void readable(struct ev_loop *l, struct ev_io *w, int events)
{
    (void)l;
    (void)events;
    scene_readable((int)(w - watchers));
}

void stack_open(int count)
{
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    watchers = calloc((size_t)count, sizeof *watchers);
}

void stack_watch(int index, int fd)
{
    ev_init(&watchers[index], readable);
    ev_io_set(&watchers[index], fd, EV_READ);
    ev_io_start(loop, &watchers[index]);
}

void stack_turn(void)
{
    ev_run(loop, EVRUN_ONCE);
}
