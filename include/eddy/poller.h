/*
 * eddy/poller.h - readiness: which descriptors can be read or written now
 *
 * What Python's selectors is, for C: one contract over five backends, level-triggered everywhere
 * but for who asks otherwise, usable with no loop. What a backend cannot do is an error when the
 * descriptor is added; eddy_poller_can() answers beforehand.
 *
 *                      select          poll            epoll          kqueue          uring
 *  past FD_SETSIZE     -ERANGE at add  yes             yes            yes             yes
 *  a regular file      always ready    always ready    -EPERM at add  until its end   always ready
 *  EDDY_READ_ENDED     no: readable    yes             yes            yes             yes
 *  EDDY_HANGUP         no: ready for   yes             yes            to who watches  yes
 *                      what was asked                                 for output
 *  EDDY_FAILED         no, likewise    yes             yes            on sockets      yes
 *  EDDY_EDGE           no: told as     no: told as     yes            yes             no: told as
 *                      long as ready   long as ready                                  long as ready
 *  EDDY_URGENT         no              no              beside EDGE    no              no
 *  closed behind its   EDDY_FAILED at  EDDY_FAILED at  forgotten      forgotten       held open, as
 *    back              each wait, and  each wait       silently       silently        it was
 *                      nothing else
 *  its number reused,  -EEXIST until   -EEXIST until   yes            yes             -EEXIST until
 *    without remove    removed         removed                                        removed
 *  on other threads    yes             yes             yes            yes             no: -EEXIST
 *  cost of a wait      O(highest fd)   O(descriptors)  O(ready)       O(ready)        O(ready)
 *
 * "uring" is a multishot poll for each descriptor on a ring (Linux 6.1); "kqueue" is the BSDs' and
 * macOS's, and on Linux libkqueue's where that is installed, which notices less than a kernel does.
 * It has not run on a BSD yet.
 *
 * Remove a descriptor before it is closed. While a duplicate of it is open (dup, fork), epoll goes
 * on reporting one that was closed first, and cannot be told to stop.
 *
 * A poller is for one thread at a time. None of these calls suspends a task: eddy_poller_wait()
 * blocks its thread.
 */
#ifndef EDDY_POLLER_H
#define EDDY_POLLER_H

#include <eddy/common.h>

EDDY_BEGIN

struct eddy_poller;

enum eddy_poller_event {
    EDDY_READABLE = 1,    /* a read would not block: bytes, the end, or an error */
    EDDY_WRITABLE = 2,    /* a write would not block */
    EDDY_HANGUP = 4,      /* both directions ended; reported asked for or not */
    EDDY_FAILED = 8,      /* an error is pending, or the descriptor is closed; likewise */
    EDDY_READ_ENDED = 16, /* the peer ended its output; to who asked for EDDY_READABLE */
    /* Asked for, never reported: being told once for each arrival is enough. A hint: a backend may
     * go on telling for as long as it is ready. What is ready at an add or a modify is told, too. */
    EDDY_EDGE = 32,
    EDDY_URGENT = 64 /* bytes out of band: a short read may have stopped at their mark */
};

struct eddy_ready {
    uint64_t token; /* as given to add or modify */
    unsigned events;
};

/**
 * eddy_poller_open() - make a poller
 * @backend:    "epoll", "kqueue", "poll", "select", "uring"; NULL: the best here
 * @ret_poller: owned, freed with eddy_poller_free()
 *
 * Return: 0, -EDDY_EBACKEND (no such backend here, or refused by this kernel), -ENOMEM, -EMFILE,
 * -ENFILE.
 * Source: epoll_create1(2), kqueue(2), io_uring_setup(2), Python's selectors.
 * Since: 0.1
 */
EDDY_API int eddy_poller_open(const char *backend, struct eddy_poller **ret_poller);

/** eddy_poller_free() - close a poller; the descriptors in it stay open
 * @p: NULL is fine
 *
 * Return: nothing.   Source: close(2).   Since: 0.1 */
EDDY_API void eddy_poller_free(struct eddy_poller *p);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_poller)
#endif

/** eddy_poller_name() - the backend of a poller
 * @p: borrowed
 *
 * Return: a constant text.   Source: none.   Since: 0.1 */
EDDY_API const char *eddy_poller_name(const struct eddy_poller *p);

/** eddy_poller_backends() - the backends of this build, best first
 *
 * Return: a constant array that ends with NULL.   Source: none.   Since: 0.1 */
EDDY_API const char *const *eddy_poller_backends(void);

/**
 * eddy_poller_can() - whether a backend could watch a descriptor
 * @backend: as for eddy_poller_open()
 * @fd:      open
 *
 * It asks the kernel, which costs a few calls.
 *
 * Return: true when an add would succeed but for memory; false for a backend that is unknown or a
 * descriptor that is not open, too.
 * Source: select(2), epoll_ctl(2).   Since: 0.1
 */
EDDY_API bool eddy_poller_can(const char *backend, int fd);

/**
 * eddy_poller_add() - watch a descriptor
 * @p:      any
 * @fd:     open; stays the caller's
 * @events: EDDY_READABLE | EDDY_WRITABLE, not 0; and EDDY_EDGE if wanted
 * @token:  handed back with each event
 *
 * Return: 0, or negative, with nothing changed:
 *   -EEXIST  watched already             -EBADF  not open
 *   -EINVAL  no event, or an unknown one -ENOMEM, -ENOSPC (epoll: fs.epoll.max_user_watches)
 *   -ERANGE, -EPERM  as the table above says
 * Source: epoll_ctl(2).   Since: 0.1
 */
EDDY_API int eddy_poller_add(struct eddy_poller *p, int fd, unsigned events, uint64_t token);

/**
 * eddy_poller_modify() - watch it for something else
 * @p:      any
 * @fd:     watched
 * @events: as for add
 * @token:  as for add
 *
 * Return: 0, -ENOENT (not watched), -EINVAL, -EBADF (closed meanwhile), -ENOMEM; on failure
 * nothing is changed.
 * Source: epoll_ctl(2).   Since: 0.1
 */
EDDY_API int eddy_poller_modify(struct eddy_poller *p, int fd, unsigned events, uint64_t token);

/**
 * eddy_poller_remove() - watch it no more
 * @p:  any
 * @fd: watched; may be closed already
 *
 * No later wait reports it, even if it is ready now.
 *
 * Return: 0 or -ENOENT (not watched).
 * Source: epoll_ctl(2).   Since: 0.1
 */
EDDY_API int eddy_poller_remove(struct eddy_poller *p, int fd);

/**
 * eddy_poller_wait() - wait until something is ready
 * @p:          any
 * @timeout_ns: nanoseconds, rounded up, never early; 0: look only; negative: for ever
 * @ret:        filled from the start, one entry a descriptor
 * @cap:        at least 1; when more are ready, the others come first in the next wait
 *
 * What is still ready is reported again, but for what was asked for with EDDY_EDGE. Allocates
 * nothing.
 *
 * Return: how many; 0 when the time has passed; -EINTR (a signal was handled), -EINVAL.
 * Source: epoll_wait(2).   Since: 0.1
 */
EDDY_API int eddy_poller_wait(struct eddy_poller *p, int64_t timeout_ns, struct eddy_ready *ret,
                              size_t cap);

EDDY_END

#endif
