/*
 * loop/guest.c - a loop that turns inside another program's loop
 *
 * The host sleeps on one descriptor, an epoll set: of the driver's own (readable while a turn would
 * find completions, or a post has woken it), and a timer. The timer stands for everything that
 * the kernel does not know of: it is set to the next deadline, or to the beginning of time, and so
 * readable at once, when something is ready already.
 *
 * Between two turns the loop counts as asleep, so posts wake it. What its own thread does to it from
 * outside a turn (arms a timer, starts a task, submits an operation) asks for one turn: the exact
 * answer is found at the end of that.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/loop.h"

#include <sys/epoll.h>

#define AT_ONCE 1 /* ns since boot: has passed */

struct eddy_guest {
    int fd;
    int timer;
    int64_t set_ns; /* to when the timer is set; INT64_MAX: not at all */
};

static void set_timer(struct eddy_guest *g, int64_t when_ns)
{
    if (when_ns == g->set_ns)
        return;
    /* 0 stops it. It cannot fail for a timer that exists; if it did, the host would be called now. */
    if (eddy__sys.timerfd_settime(g->timer, when_ns == INT64_MAX ? 0 : when_ns) < 0 &&
        eddy__sys.timerfd_settime(g->timer, AT_ONCE) < 0)
        return;
    g->set_ns = when_ns;
}

/* When the next turn is wanted. */
static int64_t next_turn(struct eddy_loop *loop)
{
    bool now = (loop->driver->ops->rest && loop->driver->ops->rest(loop->driver)) ||
               !eddy_list_is_empty(&loop->ready) || !eddy_list_is_empty(&loop->idle) ||
               atomic_load(&loop->posts) || atomic_load(&loop->signals);

    return now ? AT_ONCE : eddy_wheel_next(&loop->wheel);
}

void eddy_guest_touch(struct eddy_loop *loop)
{
    if (loop->depth == 0 && !loop->current)
        set_timer(loop->guest, AT_ONCE);
}

void eddy_guest_rest(struct eddy_loop *loop)
{
    /* As before a wait: announce the sleep, then look at the posts for the last time. */
    atomic_store(&loop->asleep, true);
    set_timer(loop->guest, next_turn(loop));
}

void eddy_guest_free(struct eddy_loop *loop)
{
    struct eddy_guest *g = loop->guest;

    if (!g)
        return;
    if (g->timer >= 0)
        eddy__sys.close(g->timer);
    if (g->fd >= 0)
        eddy__sys.close(g->fd);
    loop->guest = NULL;
    eddy__free(g, sizeof *g);
}

static int watch(struct eddy_guest *g, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return eddy__sys.epoll_ctl(g->fd, EPOLL_CTL_ADD, fd, &event);
}

static int open_guest(struct eddy_guest *g, const int *fds, int count)
{
    g->timer = -1;
    g->set_ns = INT64_MAX;
    g->fd = eddy__sys.epoll_create();
    if (g->fd < 0)
        return g->fd;
    g->timer = eddy__sys.timerfd_create();
    if (g->timer < 0)
        return g->timer;
    int r = watch(g, g->timer);
    for (int i = 0; i < count && r == 0; i++)
        r = watch(g, fds[i]);
    return r;
}

int eddy_loop_fd(struct eddy_loop *loop)
{
    const struct eddy_driver_ops *ops = loop->driver->ops;

    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (loop->guest)
        return loop->guest->fd;
    int fds[2];
    int count = ops->descriptors ? ops->descriptors(loop->driver, fds) : -EOPNOTSUPP;
    if (count < 0)
        return count;
    loop->guest = eddy__alloc(sizeof *loop->guest);
    if (!loop->guest)
        return -ENOMEM;
    int r = open_guest(loop->guest, fds, count);
    if (r < 0) {
        eddy_guest_free(loop);
        return r;
    }
    if (loop->depth == 0)
        eddy_guest_rest(loop);
    return loop->guest->fd;
}

int64_t eddy_loop_timeout_ms(struct eddy_loop *loop)
{
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    int64_t next = next_turn(loop);
    if (next == AT_ONCE && loop->guest)
        set_timer(loop->guest, AT_ONCE); /* the driver has said so, and may not say so again */
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - eddy_loop_clock(loop);
    return left > 0 ? (left + 999999) / 1000000 : 0;
}
