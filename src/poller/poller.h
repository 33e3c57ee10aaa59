/*
 * poller/poller.h - the seam: one struct of functions for each backend
 *
 * poller.c keeps the table of watched descriptors, so errors are the same everywhere; a backend
 * is told only of changes that make sense, and finds token and events of a descriptor there.
 */
#ifndef EDDY_POLLER_POLLER_H
#define EDDY_POLLER_POLLER_H

#include <eddy/poller.h>

#include <stddef.h>

struct eddy_poller_ops {
    const char *name;
    size_t size; /* of the backend's struct, whose first member is struct eddy_poller */
    int (*open)(struct eddy_poller *p);
    void (*close)(struct eddy_poller *p);
    int (*check)(int fd); /* whether it could be added, without adding: 0 or the error */
    bool forgets;         /* what was closed leaves by itself: add() may be told of a known one */
    bool edges;           /* EDDY_EDGE is followed */
    bool urgent;          /* and EDDY_URGENT told beside it */
    int (*add)(struct eddy_poller *p, int fd, unsigned events, bool known);
    int (*modify)(struct eddy_poller *p, int fd, unsigned events);
    void (*remove)(struct eddy_poller *p, int fd);
    int (*wait)(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret, size_t cap);
    int (*descriptor)(
        const struct eddy_poller *p); /* readable while one watched is ready, or NULL */
};

/* A watched descriptor; events 0: not watched. */
struct eddy_watched {
    uint64_t token;
    uint32_t events;
    uint32_t at; /* the backend's: where it stands in an array */
};

struct eddy_poller {
    const struct eddy_poller_ops *ops;
    struct eddy_watched *watched; /* indexed by descriptor */
    size_t cap;                   /* of watched */
};

/* Whether EDDY_EDGE is followed: who remembers what may still be ready is told of all the rest. And
 * whether a short read of TCP can be taken for its emptiness, because EDDY_URGENT is told. */
bool eddy_poller_tells_edges(const struct eddy_poller *p);
bool eddy_poller_tells_urgent(const struct eddy_poller *p);

/* The descriptor that stands for the whole set, or -EOPNOTSUPP. */
int eddy_poller_descriptor(const struct eddy_poller *p);

extern const struct eddy_poller_ops eddy_poller_select;
extern const struct eddy_poller_ops eddy_poller_poll;
extern const struct eddy_poller_ops eddy_poller_epoll;
extern const struct eddy_poller_ops eddy_poller_kqueue;
extern const struct eddy_poller_ops eddy_poller_uring;

#endif
