/*
 * poller/select.c - select(2): three bit sets, up to FD_SETSIZE
 *
 * select() knows no hang-up: it says readable, and the read tells. A closed descriptor makes the
 * whole call fail with EBADF, so the culprits are looked for then, and reported as failed; what
 * else is ready waits until they are removed.
 */
#include "poller/poller.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/select.h>

struct select_poller {
    struct eddy_poller poller; /* first */
    fd_set in;
    fd_set out;
    int highest; /* -1: nothing is watched */
    int next;    /* where the next report begins */
};

static struct select_poller *self(struct eddy_poller *p)
{
    return (struct select_poller *)(void *)p;
}

static int open_select(struct eddy_poller *p)
{
    struct select_poller *s = self(p);

    FD_ZERO(&s->in);
    FD_ZERO(&s->out);
    s->highest = -1;
    return 0;
}

static void close_select(struct eddy_poller *p)
{
    (void)p;
}

static int check(int fd)
{
    int r = eddy__sys.fcntl(fd, F_GETFD, 0);

    if (r < 0)
        return r;
    return fd >= FD_SETSIZE ? -ERANGE : 0;
}

static void set(struct select_poller *s, int fd, unsigned events)
{
    FD_CLR(fd, &s->in);
    FD_CLR(fd, &s->out);
    if (events & EDDY_READABLE)
        FD_SET(fd, &s->in);
    if (events & EDDY_WRITABLE)
        FD_SET(fd, &s->out);
}

static int add(struct eddy_poller *p, int fd, unsigned events, bool known)
{
    struct select_poller *s = self(p);

    assert(!known);
    int r = check(fd);
    if (r < 0)
        return r;
    set(s, fd, events);
    if (fd > s->highest)
        s->highest = fd;
    return 0;
}

static int modify(struct eddy_poller *p, int fd, unsigned events)
{
    int r = check(fd);

    if (r < 0)
        return r;
    set(self(p), fd, events);
    return 0;
}

static void remove_fd(struct eddy_poller *p, int fd)
{
    struct select_poller *s = self(p);

    set(s, fd, 0);
    while (s->highest >= 0 && !FD_ISSET(s->highest, &s->in) && !FD_ISSET(s->highest, &s->out))
        s->highest--;
}

static int find_closed(struct eddy_poller *p, struct eddy_ready *ret, size_t cap)
{
    struct select_poller *s = self(p);
    int found = 0;

    int fd = s->next <= s->highest ? s->next : 0;
    for (int seen = 0; seen <= s->highest && (size_t)found < cap; seen++) {
        if (p->watched[fd].events && eddy__sys.fcntl(fd, F_GETFD, 0) == -EBADF) {
            ret[found].token = p->watched[fd].token;
            ret[found].events = EDDY_FAILED;
            found++;
        }
        fd = fd < s->highest ? fd + 1 : 0;
    }
    s->next = fd;
    return found;
}

static int wait_select(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret,
                       size_t cap)
{
    struct select_poller *s = self(p);
    fd_set in = s->in, out = s->out;
    int found = 0;

    int ready = eddy__sys.select(s->highest + 1, &in, &out, NULL, timeout_ns);
    if (ready == -EBADF)
        return find_closed(p, ret, cap);
    if (ready <= 0)
        return ready;
    int fd = s->next <= s->highest ? s->next : 0;
    for (int seen = 0; seen <= s->highest && (size_t)found < cap; seen++) {
        unsigned events = 0;
        if (FD_ISSET(fd, &in))
            events |= EDDY_READABLE;
        if (FD_ISSET(fd, &out))
            events |= EDDY_WRITABLE;
        if (events) {
            ret[found].token = p->watched[fd].token;
            ret[found].events = events;
            found++;
        }
        fd = fd < s->highest ? fd + 1 : 0;
    }
    s->next = fd;
    return found;
}

const struct eddy_poller_ops eddy_poller_select = {
    .name = "select",
    .size = sizeof(struct select_poller),
    .open = open_select,
    .close = close_select,
    .check = check,
    .add = add,
    .modify = modify,
    .remove = remove_fd,
    .wait = wait_select,
};
