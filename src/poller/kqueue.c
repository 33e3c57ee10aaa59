/*
 * poller/kqueue.c - the BSDs and macOS: the kernel keeps the set, one filter for each direction
 *
 * What the others call one descriptor with events is here up to two filters, READ and WRITE, and a
 * wait may report both: they are put together into one entry where they came in one batch. Which
 * filters the kernel has stands in the table (at, the low two bits), and with EDDY_EDGE whether they
 * are EV_CLEAR; above that, during a wait, which entry is the descriptor's.
 *
 * The end of the peer's output is EV_EOF on READ; EV_EOF on WRITE says that nobody reads any more,
 * and an error comes in fflags. An EV_ADD does not change a filter's EV_CLEAR, nor does it tell anew
 * what is ready everywhere. So where EV_CLEAR was or is wanted, the filters go and come again.
 */
#include "poller/poller.h"

#include "base/fault.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <sys/event.h>

#define BATCH 256
#define FILTERS 3U /* of watched.at */
#define CLEAR 4U   /* these are EV_CLEAR */
#define ENTRY 3    /* above them: the place in this wait's report, plus one */

struct kqueue_poller {
    struct eddy_poller poller; /* first */
    int fd;
};

static struct kqueue_poller *self(struct eddy_poller *p)
{
    return (struct kqueue_poller *)(void *)p;
}

static int open_kqueue(struct eddy_poller *p)
{
    int fd = eddy__sys.kqueue();

    if (fd < 0)
        return fd;
    self(p)->fd = fd;
    return 0;
}

static void close_kqueue(struct eddy_poller *p)
{
    eddy__sys.close(self(p)->fd);
}

/* One filter of one descriptor: @flags EV_ADD or EV_DELETE. */
static int change(int kqueue, int fd, unsigned filter, unsigned short flags)
{
    struct kevent event;

    EV_SET(&event, (uintptr_t)fd, filter == EDDY_READABLE ? EVFILT_READ : EVFILT_WRITE, flags, 0, 0,
           0);
    return eddy__sys.kevent(kqueue, &event, 1, NULL, 0, 0);
}

static void drop(struct eddy_poller *p, int fd, unsigned filters)
{
    /* It fails when the descriptor is closed already, and then the kernel has forgotten it. */
    EDDY_FAULT_BENIGN_BEGIN();
    for (unsigned filter = EDDY_READABLE; filter <= EDDY_WRITABLE; filter <<= 1)
        if (filters & filter)
            (void)change(self(p)->fd, fd, filter, EV_DELETE);
    EDDY_FAULT_BENIGN_END();
}

/* Only the kernel knows what it can watch, so it is asked, by a trial. */
static int check(int fd)
{
    int kqueue = eddy__sys.kqueue();

    if (kqueue < 0)
        return kqueue;
    int r = change(kqueue, fd, EDDY_READABLE, EV_ADD);
    eddy__sys.close(kqueue);
    return r;
}

static int put(struct eddy_poller *p, int fd, unsigned filters, unsigned short flags,
               unsigned *ret_put)
{
    for (unsigned filter = EDDY_READABLE; filter <= EDDY_WRITABLE; filter <<= 1) {
        int r = filters & filter ? change(self(p)->fd, fd, filter, flags) : 0;
        if (r < 0)
            return r;
        *ret_put |= filters & filter;
    }
    return 0;
}

/* Make the kernel's filters be @events; those of @had it has. All or nothing: what is new is
 * added first, and taken back when the rest fails. EV_ADD of a filter that is there is harmless,
 * and it is how a descriptor that was closed meanwhile is noticed. */
static int set(struct eddy_poller *p, int fd, unsigned had, unsigned events)
{
    const bool clear = events & EDDY_EDGE, anew = (had & FILTERS) && (clear || (had & CLEAR));
    const unsigned have = anew ? 0 : had & FILTERS;
    unsigned added = 0, back = 0;

    if (anew)
        drop(p, fd, had & FILTERS);
    int r = put(p, fd, events & FILTERS, clear ? EV_ADD | EV_CLEAR : EV_ADD, &added);
    if (r < 0) {
        drop(p, fd, added & ~have);
        if (anew)
            (void)put(p, fd, had & FILTERS, had & CLEAR ? EV_ADD | EV_CLEAR : EV_ADD, &back);
        return r;
    }
    drop(p, fd, have & ~events);
    p->watched[fd].at = (events & FILTERS) | (clear ? CLEAR : 0);
    return 0;
}

static int add(struct eddy_poller *p, int fd, unsigned events, bool known)
{
    const unsigned have = known ? p->watched[fd].at & FILTERS : 0;

    /* A filter that can be switched on is there: only a descriptor that was closed has lost it. */
    for (unsigned filter = EDDY_READABLE; filter <= EDDY_WRITABLE; filter <<= 1)
        if ((have & filter) && change(self(p)->fd, fd, filter, EV_ENABLE) == 0)
            return -EEXIST;
    return set(p, fd, 0, events);
}

static int modify(struct eddy_poller *p, int fd, unsigned events)
{
    return set(p, fd, p->watched[fd].at, events);
}

static void remove_fd(struct eddy_poller *p, int fd)
{
    drop(p, fd, p->watched[fd].at & FILTERS);
    p->watched[fd].at = 0;
}

static unsigned events_of(const struct kevent *e)
{
    bool ended = e->flags & EV_EOF;
    unsigned events = ended && e->fflags ? EDDY_FAILED : 0;

    if (e->flags & EV_ERROR)
        return EDDY_FAILED;
    if (e->filter == EVFILT_READ)
        return events | EDDY_READABLE | (ended ? EDDY_READ_ENDED : 0);
    return events | EDDY_WRITABLE | (ended ? EDDY_HANGUP : 0);
}

static int wait_kqueue(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret,
                       size_t cap)
{
    struct kevent batch[BATCH];
    int want = cap < BATCH ? (int)cap : BATCH, found = 0;

    int count = eddy__sys.kevent(self(p)->fd, NULL, 0, batch, want, timeout_ns);
    for (int i = 0; i < count; i++) {
        struct eddy_watched *w = &p->watched[batch[i].ident];
        assert(batch[i].ident < p->cap);
        if (!(w->at >> ENTRY)) {
            ret[found++] = (struct eddy_ready){ .token = w->token };
            w->at |= (uint32_t)found << ENTRY;
        }
        ret[(w->at >> ENTRY) - 1].events |= events_of(&batch[i]);
    }
    for (int i = 0; i < count; i++)
        p->watched[batch[i].ident].at &= FILTERS | CLEAR;
    return count < 0 ? count : found;
}

const struct eddy_poller_ops eddy_poller_kqueue = {
    .name = "kqueue",
    .size = sizeof(struct kqueue_poller),
    .open = open_kqueue,
    .close = close_kqueue,
    .check = check,
    .forgets = true,
    .edges = true,
    .add = add,
    .modify = modify,
    .remove = remove_fd,
    .wait = wait_kqueue,
};
