/*
 * poller/poll.c - poll(2): an array of what is watched, without holes
 *
 * Which entry a descriptor has stands in the shared table; removing moves the last one into the
 * hole. A wait that finds more than it may report goes on behind that place the next time.
 */
#include "poller/poller.h"

#include "base/memory.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

struct poll_poller {
    struct eddy_poller poller; /* first */
    struct pollfd *fds;
    size_t count;
    size_t cap;
    size_t next; /* where the next report begins */
};

static struct poll_poller *self(struct eddy_poller *p)
{
    return (struct poll_poller *)(void *)p;
}

static int open_poll(struct eddy_poller *p)
{
    (void)p;
    return 0;
}

static void close_poll(struct eddy_poller *p)
{
    eddy__free(self(p)->fds, self(p)->cap * sizeof(struct pollfd));
}

static int check(int fd)
{
    int r = eddy__sys.fcntl(fd, F_GETFD, 0);

    return r < 0 ? r : 0;
}

static short mask_of(unsigned events)
{
    short mask = 0;

    if (events & EDDY_READABLE)
        mask |= POLLIN | POLLRDHUP;
    if (events & EDDY_WRITABLE)
        mask |= POLLOUT;
    return mask;
}

static int add(struct eddy_poller *p, int fd, unsigned events, bool known)
{
    struct poll_poller *q = self(p);

    assert(!known);
    int r = check(fd); /* poll itself would say so at each wait only */
    if (r < 0)
        return r;
    if (q->count == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        struct pollfd *grown = eddy__resize(q->fds, q->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        q->fds = grown;
        q->cap = cap;
    }
    p->watched[fd].at = (uint32_t)q->count;
    q->fds[q->count++] = (struct pollfd){ .fd = fd, .events = mask_of(events) };
    return 0;
}

static int modify(struct eddy_poller *p, int fd, unsigned events)
{
    int r = check(fd);

    if (r < 0)
        return r;
    self(p)->fds[p->watched[fd].at].events = mask_of(events);
    return 0;
}

static void remove_fd(struct eddy_poller *p, int fd)
{
    struct poll_poller *q = self(p);
    uint32_t at = p->watched[fd].at;

    assert(at < q->count && q->fds[at].fd == fd);
    q->fds[at] = q->fds[--q->count];
    p->watched[q->fds[at].fd].at = at;
}

static unsigned events_of(short e)
{
    unsigned events = 0;

    if (e & POLLIN)
        events |= EDDY_READABLE;
    if (e & POLLOUT)
        events |= EDDY_WRITABLE;
    if (e & POLLHUP)
        events |= EDDY_HANGUP;
    if (e & (POLLERR | POLLNVAL))
        events |= EDDY_FAILED;
    if (e & POLLRDHUP)
        events |= EDDY_READ_ENDED;
    return events;
}

static int wait_poll(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret, size_t cap)
{
    struct poll_poller *q = self(p);
    int ready = eddy__sys.poll(q->fds, (nfds_t)q->count, timeout_ns);
    int found = 0;

    if (ready <= 0)
        return ready;
    size_t at = q->next < q->count ? q->next : 0;
    for (size_t seen = 0; seen < q->count && found < ready && (size_t)found < cap; seen++) {
        const struct pollfd *f = &q->fds[at];
        if (f->revents) {
            ret[found].token = p->watched[f->fd].token;
            ret[found].events = events_of(f->revents);
            found++;
        }
        at = at + 1 < q->count ? at + 1 : 0;
    }
    q->next = at;
    return found;
}

const struct eddy_poller_ops eddy_poller_poll = {
    .name = "poll",
    .size = sizeof(struct poll_poller),
    .open = open_poll,
    .close = close_poll,
    .check = check,
    .add = add,
    .modify = modify,
    .remove = remove_fd,
    .wait = wait_poll,
};
