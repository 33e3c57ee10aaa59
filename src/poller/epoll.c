/*
 * poller/epoll.c - Linux: the kernel keeps the set
 *
 * Level-triggered unless EDDY_EDGE is asked for. What is level-triggered the kernel puts back into
 * its queue when it has told of it, and looks at once more in the next wait: 3 to 5 % of a small
 * event. So where a short read says that there is no more, edges are cheaper.
 *
 * The kernel hands a token back by itself. A descriptor closed behind the poller's back leaves
 * the kernel's set without a word, and its number may return: so a change that the kernel finds
 * misplaced (ENOENT, EEXIST) is repeated as the other kind.
 */
#include "poller/poller.h"

#include "base/fault.h"
#include "base/sys.h"

#include <errno.h>
#include <sys/epoll.h>

#define BATCH 256

struct epoll_poller {
    struct eddy_poller poller; /* first */
    int fd;
};

static struct epoll_poller *self(struct eddy_poller *p)
{
    return (struct epoll_poller *)(void *)p;
}

static int open_epoll(struct eddy_poller *p)
{
    int fd = eddy__sys.epoll_create();

    if (fd < 0)
        return fd;
    self(p)->fd = fd;
    return 0;
}

static void close_epoll(struct eddy_poller *p)
{
    eddy__sys.close(self(p)->fd);
}

/* Only the kernel knows (/dev/null cannot be watched, /dev/tty can), so it is asked, by a trial. */
static int check(int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = eddy__sys.epoll_create();

    if (epoll < 0)
        return epoll;
    int r = eddy__sys.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    eddy__sys.close(epoll);
    return r;
}

static int change(struct eddy_poller *p, int command, int fd, unsigned events)
{
    struct epoll_event event = { .data.u64 = p->watched[fd].token };

    /* RDHUP comes with readability only: a writer that stopped reading is not told all the time. */
    if (events & EDDY_READABLE)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if (events & EDDY_WRITABLE)
        event.events |= EPOLLOUT;
    if (events & EDDY_EDGE)
        event.events |= events & EDDY_READABLE ? EPOLLET | EPOLLPRI : EPOLLET;
    return eddy__sys.epoll_ctl(self(p)->fd, command, fd, &event);
}

static int add(struct eddy_poller *p, int fd, unsigned events, bool known)
{
    int r = change(p, EPOLL_CTL_ADD, fd, events);

    return r == -EEXIST && !known ? change(p, EPOLL_CTL_MOD, fd, events) : r;
}

static int modify(struct eddy_poller *p, int fd, unsigned events)
{
    int r = change(p, EPOLL_CTL_MOD, fd, events);

    return r == -ENOENT ? change(p, EPOLL_CTL_ADD, fd, events) : r;
}

static void remove_fd(struct eddy_poller *p, int fd)
{
    struct epoll_event unused = { 0 };

    /* It fails when the descriptor is closed already, and then the kernel has forgotten it. No
     * other failure exists (it allocates nothing), so none is injected. */
    EDDY_FAULT_BENIGN_BEGIN();
    (void)eddy__sys.epoll_ctl(self(p)->fd, EPOLL_CTL_DEL, fd, &unused);
    EDDY_FAULT_BENIGN_END();
}

static unsigned events_of(uint32_t e)
{
    unsigned events = 0;

    if (__builtin_expect(e == EPOLLIN, 1))
        return EDDY_READABLE;
    if (e & EPOLLIN)
        events |= EDDY_READABLE;
    if (e & EPOLLOUT)
        events |= EDDY_WRITABLE;
    if (e & EPOLLHUP)
        events |= EDDY_HANGUP;
    if (e & EPOLLERR)
        events |= EDDY_FAILED;
    if (e & EPOLLRDHUP)
        events |= EDDY_READ_ENDED;
    if (e & EPOLLPRI)
        events |= EDDY_URGENT;
    return events;
}

static int wait_epoll(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret, size_t cap)
{
    struct epoll_event batch[BATCH];
    int want = cap < BATCH ? (int)cap : BATCH;

    int count = eddy__sys.epoll_wait(self(p)->fd, batch, want, timeout_ns);
    for (int i = 0; i < count; i++) {
        ret[i].token = batch[i].data.u64;
        ret[i].events = events_of(batch[i].events);
    }
    return count;
}

static int descriptor(const struct eddy_poller *p)
{
    return ((const struct epoll_poller *)(const void *)p)->fd;
}

const struct eddy_poller_ops eddy_poller_epoll = {
    .name = "epoll",
    .size = sizeof(struct epoll_poller),
    .open = open_epoll,
    .close = close_epoll,
    .check = check,
    .forgets = true,
    .edges = true,
    .urgent = true,
    .add = add,
    .modify = modify,
    .remove = remove_fd,
    .wait = wait_epoll,
    .descriptor = descriptor,
};
