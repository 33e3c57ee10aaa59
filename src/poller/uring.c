/*
 * poller/uring.c - io_uring as a poller: one multishot poll for each descriptor
 *
 * A multishot poll tells of changes, the contract is of levels. So what a wait has reported is a
 * suspect: the next wait looks at the suspects with one poll(2) that does not wait, reports those
 * that are ready still, and forgets the others, which their multishot polls will tell of again.
 * What the ring tells in the wait that reports it is fresh: with DEFER_TASKRUN the kernel looks at
 * a descriptor when we enter, not before. What did not fit into a report becomes a suspect, too.
 *
 * Suspects are kept in the order in which they are to be reported: those not told of this time
 * come before those that were.
 *
 * A poll holds its file open. So a removal is submitted at once, and a descriptor that is closed
 * without one stays open for its peer; eddy/poller.h says so.
 */
#include "poller/poller.h"

#include "base/memory.h"
#include "base/sys.h"

#include <eddy/error.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>

#define ENTRIES 256
#define COMPLETIONS 4096

/* User data: the descriptor and how often its poll was made anew; or one of these. */
#define OF_NOBODY UINT64_MAX

struct armed {
    uint32_t generation; /* of the poll in flight; completions of older ones are dropped */
    bool in_flight;
};

struct uring_poller {
    struct eddy_poller poller; /* first */
    struct io_uring ring;
    struct armed *armed; /* indexed by descriptor */
    size_t armed_cap;
    size_t in_flight;
    struct pollfd *suspects; /* fd -1: gone; watched.at is the place plus one, or 0 */
    struct pollfd *spare;    /* of the same size */
    size_t count;            /* of suspects */
    size_t told;             /* of them, the last ones: told of by the last wait */
    size_t cap;              /* each watched descriptor has room here */
    size_t members;          /* descriptors watched */
};

/* What a wait is about to return, and how many suspects it leaves for the next one. */
struct report {
    struct eddy_ready *ret;
    size_t cap, found, kept;
};

static struct uring_poller *self(struct eddy_poller *p)
{
    return (struct uring_poller *)(void *)p;
}

static int open_uring(struct eddy_poller *p)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_SUBMIT_ALL,
        .cq_entries = COMPLETIONS,
    };
    int r = io_uring_queue_init_params(ENTRIES, &self(p)->ring, &params);

    /* Not there (ENOSYS), too old (EINVAL), forbidden (EPERM): it is no backend of this machine. */
    return r == -ENOSYS || r == -EINVAL || r == -EPERM ? -EDDY_EBACKEND : r;
}

static struct io_uring_sqe *entry_get(struct uring_poller *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe) {
        (void)io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
    }
    return sqe;
}

static void close_uring(struct eddy_poller *p)
{
    struct uring_poller *u = self(p);

    if (u->in_flight > 0) {
        /* The ring would let go of the files some time after it is closed. */
        struct io_uring_sqe *sqe = entry_get(u);
        if (sqe) {
            io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY);
            sqe->user_data = OF_NOBODY;
            (void)io_uring_submit_and_get_events(&u->ring);
        }
    }
    io_uring_queue_exit(&u->ring);
    eddy__free(u->armed, u->armed_cap * sizeof *u->armed);
    eddy__free(u->suspects, u->cap * sizeof *u->suspects);
    eddy__free(u->spare, u->cap * sizeof *u->spare);
}

static int check(int fd)
{
    int r = eddy__sys.fcntl(fd, F_GETFD, 0);

    return r < 0 ? r : 0;
}

static unsigned short mask_of(unsigned events)
{
    unsigned mask = 0;

    if (events & EDDY_READABLE)
        mask |= POLLIN | POLLRDHUP;
    if (events & EDDY_WRITABLE)
        mask |= POLLOUT;
    return (unsigned short)mask;
}

static unsigned events_of(unsigned e)
{
    return ((e & POLLIN) ? EDDY_READABLE : 0U) | ((e & POLLOUT) ? EDDY_WRITABLE : 0U) |
           ((e & POLLHUP) ? EDDY_HANGUP : 0U) | ((e & (POLLERR | POLLNVAL)) ? EDDY_FAILED : 0U) |
           ((e & POLLRDHUP) ? EDDY_READ_ENDED : 0U);
}

/* --- arming ------------------------------------------------------------------------------------ */

static uint64_t name_of(const struct uring_poller *u, int fd)
{
    return (uint64_t)u->armed[fd].generation << 32 | (uint32_t)fd;
}

/* Submitted by the next wait. */
static int arm(struct uring_poller *u, int fd, unsigned events)
{
    struct io_uring_sqe *sqe = entry_get(u);

    if (!sqe)
        return -ENOMEM;
    io_uring_prep_poll_multishot(sqe, fd, mask_of(events));
    u->armed[fd].generation++;
    sqe->user_data = name_of(u, fd);
    u->armed[fd].in_flight = true;
    u->in_flight++;
    return 0;
}

static void disarm(struct uring_poller *u, int fd)
{
    if (!u->armed[fd].in_flight)
        return;
    struct io_uring_sqe *sqe = entry_get(u);
    assert(sqe && "the kernel has taken all entries, or this process is out of memory for good");
    io_uring_prep_poll_remove(sqe, name_of(u, fd));
    sqe->user_data = OF_NOBODY;
    u->armed[fd].in_flight = false;
    u->in_flight--;
}

/* --- suspects ------------------------------------------------------------------------------------ */

static void suspect(struct uring_poller *u, int fd, unsigned revents)
{
    struct eddy_watched *w = &u->poller.watched[fd];

    if (w->at == 0) {
        assert(u->count < u->cap);
        u->suspects[u->count] = (struct pollfd){ .fd = fd, .events = (short)mask_of(w->events) };
        w->at = (uint32_t)++u->count;
    }
    struct pollfd *s = &u->suspects[w->at - 1];
    s->revents = (short)((unsigned short)s->revents | revents);
}

static void acquit(struct uring_poller *u, int fd)
{
    struct eddy_watched *w = &u->poller.watched[fd];

    if (w->at > 0)
        u->suspects[w->at - 1].fd = -1;
    w->at = 0;
}

/* One suspect: told of, kept for the next wait, or let go. */
static void judge(struct uring_poller *u, const struct pollfd *s, struct report *to)
{
    struct eddy_watched *w = &u->poller.watched[s->fd < 0 ? 0 : s->fd];

    if (s->fd < 0)
        return;
    if (!s->revents) {
        w->at = 0;
    } else if (to->found < to->cap) {
        to->ret[to->found].token = w->token;
        to->ret[to->found++].events = events_of((unsigned short)s->revents);
        u->spare[u->cap - to->found] = *s;
    } else {
        u->spare[to->kept++] = *s;
    }
}

/* Fill @ret with who is ready, first who was not told of the last time. The order of those that
 * stay: who was not told of, then who was. */
static int report(struct uring_poller *u, size_t known, struct eddy_ready *ret, size_t cap)
{
    struct report to = { .ret = ret, .cap = cap };
    struct pollfd *old = u->suspects;

    for (size_t i = 0; i < known - u->told; i++)
        judge(u, &old[i], &to);
    for (size_t i = known; i < u->count; i++)
        judge(u, &old[i], &to);
    for (size_t i = known - u->told; i < known; i++)
        judge(u, &old[i], &to);

    for (size_t i = 0; i < to.found; i++)
        u->spare[to.kept + i] =
            u->spare[u->cap - 1 - i]; /* from the far end, where there is room */
    u->suspects = u->spare;
    u->spare = old;
    u->count = to.kept + to.found;
    u->told = to.found;
    for (size_t i = 0; i < u->count; i++)
        u->poller.watched[u->suspects[i].fd].at = (uint32_t)i + 1;
    return (int)to.found;
}

/* --- adding and removing --------------------------------------------------------------------------- */

static int grow(struct uring_poller *u, int fd)
{
    if ((size_t)fd >= u->armed_cap) {
        const size_t cap = u->poller.cap;
        struct armed *grown = eddy__resize(u->armed, u->armed_cap * sizeof *grown,
                                           cap * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        memset(grown + u->armed_cap, 0, (cap - u->armed_cap) * sizeof *grown);
        u->armed = grown;
        u->armed_cap = cap;
    }
    /* Removed suspects keep their places until the next wait. */
    if (u->members + u->count < u->cap)
        return 0;
    const size_t cap = u->cap ? u->cap * 2 : 64;
    struct pollfd *spare = eddy__alloc(cap * sizeof *spare);
    if (!spare)
        return -ENOMEM;
    struct pollfd *grown = eddy__resize(u->suspects, u->cap * sizeof *grown, cap * sizeof *grown);
    if (!grown) {
        eddy__free(spare, cap * sizeof *spare);
        return -ENOMEM;
    }
    eddy__free(u->spare, u->cap * sizeof *u->spare);
    u->suspects = grown;
    u->spare = spare;
    u->cap = cap;
    return 0;
}

static int add(struct eddy_poller *p, int fd, unsigned events, bool known)
{
    struct uring_poller *u = self(p);

    assert(!known);
    (void)known;
    int r = check(fd); /* the ring would say so at the next wait only */
    if (r == 0)
        r = grow(u, fd);
    if (r == 0)
        r = arm(u, fd, events);
    if (r < 0)
        return r;
    p->watched[fd].at = 0;
    u->members++;
    return 0;
}

static int modify(struct eddy_poller *p, int fd, unsigned events)
{
    int r = check(fd);

    if (r < 0)
        return r;
    disarm(self(p), fd);
    acquit(self(p), fd);
    return arm(self(p), fd, events);
}

static void remove_fd(struct eddy_poller *p, int fd)
{
    struct uring_poller *u = self(p);

    disarm(u, fd);
    acquit(u, fd);
    u->members--;
    /* At once, and to its end: whoever closes the descriptor next means it. */
    (void)io_uring_submit_and_get_events(&u->ring);
}

/* --- waiting --------------------------------------------------------------------------------------- */

static int enter(struct uring_poller *u, int64_t timeout_ns)
{
    struct __kernel_timespec ts = { .tv_sec = timeout_ns / 1000000000,
                                    .tv_nsec = timeout_ns % 1000000000 };
    struct io_uring_cqe *cqe;

    if (timeout_ns == 0)
        return io_uring_submit_and_get_events(&u->ring);
    if (timeout_ns < 0)
        return io_uring_submit_and_wait(&u->ring, 1);
    return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
}

static void complete(struct uring_poller *u, const struct io_uring_cqe *cqe)
{
    const int fd = (int)(uint32_t)cqe->user_data;

    if (cqe->user_data == OF_NOBODY || cqe->user_data != name_of(u, fd) || !u->armed[fd].in_flight)
        return; /* an answer to a removal, or the last words of what was removed */
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        /* The kernel gave it up: the completion queue was full, or the descriptor is not open. */
        u->armed[fd].in_flight = false;
        u->in_flight--;
        if (cqe->res >= 0)
            (void)arm(u, fd, u->poller.watched[fd].events);
    }
    /* The ring tells of a half-close whether asked for or not. */
    unsigned told = cqe->res < 0 ? POLLNVAL : (unsigned)cqe->res;
    if (!(u->poller.watched[fd].events & EDDY_READABLE))
        told &= ~(unsigned)POLLRDHUP;
    if (told)
        suspect(u, fd, told);
}

/* What the suspects are like now. Returns how many are ready. */
static int look_at_suspects(struct uring_poller *u)
{
    return u->count > 0 ? eddy__sys.poll(u->suspects, (nfds_t)u->count, 0) : 0;
}

static int wait_uring(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret, size_t cap)
{
    struct uring_poller *u = self(p);
    const int64_t until_ns = timeout_ns > 0 ? eddy__sys.now_ns() + timeout_ns : 0;

    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        const size_t known = u->count;

        int ready = look_at_suspects(u);
        if (ready < 0)
            return ready;
        int r = enter(u, ready > 0 ? 0 : timeout_ns);
        io_uring_for_each_cqe(&u->ring, head, cqe)
        {
            complete(u, cqe);
            seen++;
        }
        io_uring_cq_advance(&u->ring, seen);
        int found = report(u, known, ret, cap);
        if (found > 0)
            return found;
        if (r < 0 && r != -ETIME && r != -EBUSY && r != -EAGAIN)
            return r;
        /* Woken by words of no interest: wait on for the rest. */
        if (timeout_ns > 0)
            timeout_ns = until_ns - eddy__sys.now_ns();
        if (timeout_ns == 0 || (until_ns > 0 && timeout_ns <= 0))
            return 0;
    }
}

const struct eddy_poller_ops eddy_poller_uring = {
    .name = "uring",
    .size = sizeof(struct uring_poller),
    .open = open_uring,
    .close = close_uring,
    .check = check,
    .add = add,
    .modify = modify,
    .remove = remove_fd,
    .wait = wait_uring,
};
