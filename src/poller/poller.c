/*
 * poller/poller.c - choosing a backend, and the table that all of them share
 */
#include "poller/poller.h"

#include "base/memory.h"
#include "base/sys.h"

#include <eddy/error.h>

#include <assert.h>
#include <fcntl.h>
#include <string.h>

/* Best first. A kqueue on Linux is a library over epoll, there for the sake of its tests. */
static const struct eddy_poller_ops *const backends[] = {
#ifdef __linux__
    &eddy_poller_epoll,
#elif defined(EDDY_HAVE_KQUEUE)
    &eddy_poller_kqueue,
#endif
    &eddy_poller_poll,   &eddy_poller_select,
#ifdef EDDY_HAVE_URING
    &eddy_poller_uring,
#endif
#if defined(__linux__) && defined(EDDY_HAVE_KQUEUE)
    &eddy_poller_kqueue,
#endif
};

#define BACKENDS (sizeof backends / sizeof backends[0])

const char *const *eddy_poller_backends(void)
{
    static const char *const names[] = {
#ifdef __linux__
        "epoll",
#elif defined(EDDY_HAVE_KQUEUE)
        "kqueue",
#endif
        "poll",
        "select",
#ifdef EDDY_HAVE_URING
        "uring",
#endif
#if defined(__linux__) && defined(EDDY_HAVE_KQUEUE)
        "kqueue",
#endif
        NULL
    };

    static_assert(sizeof names / sizeof names[0] == BACKENDS + 1, "each backend has its name");
    return names;
}

static const struct eddy_poller_ops *find(const char *backend)
{
    if (!backend)
        return backends[0];
    for (size_t i = 0; i < BACKENDS; i++)
        if (strcmp(backends[i]->name, backend) == 0)
            return backends[i];
    return NULL;
}

int eddy_poller_open(const char *backend, struct eddy_poller **ret_poller)
{
    const struct eddy_poller_ops *ops = find(backend);

    if (!ops)
        return -EDDY_EBACKEND;
    struct eddy_poller *p = eddy__zalloc(ops->size);
    if (!p)
        return -ENOMEM;
    p->ops = ops;
    int r = ops->open(p);
    if (r < 0) {
        eddy__free(p, ops->size);
        return r;
    }
    *ret_poller = p;
    return 0;
}

void eddy_poller_free(struct eddy_poller *p)
{
    if (!p)
        return;
    p->ops->close(p);
    eddy__free(p->watched, p->cap * sizeof *p->watched);
    eddy__free(p, p->ops->size);
}

const char *eddy_poller_name(const struct eddy_poller *p)
{
    return p->ops->name;
}

bool eddy_poller_can(const char *backend, int fd)
{
    const struct eddy_poller_ops *ops = find(backend);

    if (!ops || fd < 0 || eddy__sys.fcntl(fd, F_GETFD, 0) < 0)
        return false;
    return ops->check(fd) == 0;
}

/* --- the table --------------------------------------------------------------------------------- */

static bool is_watched(const struct eddy_poller *p, int fd)
{
    return fd >= 0 && (size_t)fd < p->cap && p->watched[fd].events;
}

static int make_room(struct eddy_poller *p, int fd)
{
    size_t cap = p->cap ? p->cap : 64;

    if ((size_t)fd < p->cap)
        return 0;
    while (cap <= (size_t)fd)
        cap *= 2;
    struct eddy_watched *grown = eddy__resize(p->watched, p->cap * sizeof *grown,
                                              cap * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + p->cap, 0, (cap - p->cap) * sizeof *grown);
    p->watched = grown;
    p->cap = cap;
    return 0;
}

static bool are_valid(unsigned events)
{
    const unsigned both = EDDY_READABLE | EDDY_WRITABLE;

    return (events & both) && !(events & ~(both | EDDY_EDGE));
}

int eddy_poller_add(struct eddy_poller *p, int fd, unsigned events, uint64_t token)
{
    if (!are_valid(events))
        return -EINVAL;
    if (fd < 0)
        return -EBADF;
    bool known = is_watched(p, fd);
    if (known && !p->ops->forgets)
        return -EEXIST;
    if ((size_t)fd >= p->cap) {
        /* Looked at first, or a wild number would make a wild table. */
        int r = p->ops->check(fd);
        if (r == 0)
            r = make_room(p, fd);
        if (r < 0)
            return r;
    }
    struct eddy_watched before = p->watched[fd];
    p->watched[fd].token = token;
    p->watched[fd].events = events;
    int r = p->ops->add(p, fd, events, known);
    if (r < 0)
        p->watched[fd] = before;
    return r;
}

int eddy_poller_modify(struct eddy_poller *p, int fd, unsigned events, uint64_t token)
{
    if (!are_valid(events))
        return -EINVAL;
    if (!is_watched(p, fd))
        return -ENOENT;
    struct eddy_watched before = p->watched[fd];
    p->watched[fd].events = events;
    p->watched[fd].token = token;
    int r = p->ops->modify(p, fd, events);
    if (r < 0)
        p->watched[fd] = before;
    return r;
}

int eddy_poller_remove(struct eddy_poller *p, int fd)
{
    if (!is_watched(p, fd))
        return -ENOENT;
    p->ops->remove(p, fd);
    p->watched[fd].events = 0;
    return 0;
}

bool eddy_poller_tells_edges(const struct eddy_poller *p)
{
    return p->ops->edges;
}

bool eddy_poller_tells_urgent(const struct eddy_poller *p)
{
    return p->ops->urgent;
}

int eddy_poller_descriptor(const struct eddy_poller *p)
{
    return p->ops->descriptor ? p->ops->descriptor(p) : -EOPNOTSUPP;
}

int eddy_poller_wait(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret, size_t cap)
{
    if (cap == 0)
        return -EINVAL;
    return p->ops->wait(p, timeout_ns, ret, cap);
}
