/*
 * loop/ready_wait.c - what ends a wait of the ready driver besides readiness: a wake-up, a timer
 */
#include "loop/ready.h"

#include "base/fault.h"

#include <fcntl.h>
#include <string.h>

/* --- waking ---------------------------------------------------------------------------------- */

static int watch(struct ready_driver *r, int fd, uint64_t token)
{
    return eddy_poller_add(r->poller, fd, EDDY_READABLE | (r->unread ? EDDY_EDGE : 0U), token);
}

/* With edges on Linux every write to the counter, and every expiry of the timer, is told, whether what
 * came before has been read or not. So it is not: one system call less for each. (The counter is full
 * after five hundred years of a wake-up each nanosecond.) */
int eddy_ready_open_wake(struct ready_driver *r)
{
    int fd = eddy__sys.eventfd(0);

    if (fd >= 0) {
        r->wake_in = r->wake_out = fd;
        r->unread = r->streams;
        return watch(r, fd, TOKEN_WAKE);
    }
    int pair[2];
    int result = eddy__sys.pipe(pair);
    if (result < 0)
        return result;
    r->wake_in = pair[0];
    r->wake_out = pair[1];
    result = eddy__sys.fcntl(pair[0], F_SETFL, O_NONBLOCK);
    if (result == 0)
        result = eddy__sys.fcntl(pair[1], F_SETFL, O_NONBLOCK);
    return result < 0 ? result : watch(r, pair[0], TOKEN_WAKE);
}

void eddy_ready_wake(struct eddy_driver *d)
{
    const uint64_t one = 1;

    /* A full pipe or counter means that the wake-up is under way. It fails in no other way, so none
     * is injected: a loop that nobody can wake is no case to be survived. */
    EDDY_FAULT_BENIGN_BEGIN();
    (void)eddy__sys.write(((struct ready_driver *)(void *)d)->wake_out, &one, sizeof one);
    EDDY_FAULT_BENIGN_END();
}

void eddy_ready_woken(struct ready_driver *r)
{
    uint64_t count[8];

    if (!r->unread)
        (void)eddy__sys.read(r->wake_in, count, sizeof count);
}

/* --- long timeouts ------------------------------------------------------------------------------ */

#ifdef __linux__
#define LONG_NS INT64_C(100000000)

/* Timeouts that are long become a setting of the timer, mostly one that holds already. */
int64_t eddy_ready_timeout(struct ready_driver *r, int64_t timeout_ns)
{
    if (r->timer < 0 || timeout_ns < LONG_NS || !r->driver.clock)
        return timeout_ns;
    int64_t deadline = *r->driver.clock + timeout_ns;
    if (r->timer_at <= deadline)
        return -1;
    if (eddy__sys.timerfd_settime(r->timer, deadline) < 0)
        return timeout_ns;
    r->timer_at = deadline;
    return -1;
}

void eddy_ready_timer_fired(struct ready_driver *r)
{
    uint64_t count;

    if (!r->unread)
        (void)eddy__sys.read(r->timer, &count, sizeof count);
    r->timer_at = INT64_MAX;
}

/* Without one, long timeouts are the poller's like the short ones. */
void eddy_ready_open_timer(struct ready_driver *r)
{
    if (strcmp(eddy_poller_name(r->poller), "epoll") != 0)
        return;
    int fd = eddy__sys.timerfd_create();
    if (fd < 0)
        return;
    if (watch(r, fd, TOKEN_TIMER) < 0)
        eddy__sys.close(fd);
    else
        r->timer = fd;
}
#else
int64_t eddy_ready_timeout(struct ready_driver *r, int64_t timeout_ns)
{
    (void)r;
    return timeout_ns;
}

void eddy_ready_timer_fired(struct ready_driver *r)
{
    (void)r;
}

void eddy_ready_open_timer(struct ready_driver *r)
{
    (void)r;
}
#endif
