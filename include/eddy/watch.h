/*
 * eddy/watch.h - any descriptor, watched by a callback
 *
 * For libraries that bring a descriptor of their own and say what they wait for. What eddy knows
 * by itself (sockets, files, signals, children) is better used through its own calls: they try
 * first, and wait only where they must. Level-triggered: what is still ready is told again.
 */
#ifndef EDDY_WATCH_H
#define EDDY_WATCH_H

#include <eddy/common.h>
#include <eddy/poller.h>

EDDY_BEGIN

struct eddy_watch;

/**
 * eddy_watch_new() - have a function called while a descriptor is ready
 * @fd:        borrowed until the watch is freed: close it later
 * @events:    EDDY_READABLE | EDDY_WRITABLE, not 0
 * @fn:        called on the loop's thread, as a callback, with what is ready: EDDY_READABLE,
 *             EDDY_WRITABLE, EDDY_HANGUP, EDDY_FAILED, EDDY_READ_ENDED. It may free the watch
 * @ctx:       handed to it
 * @ret_watch: owned, freed with eddy_watch_free()
 *
 * When the descriptor cannot be watched any more, @fn is called with EDDY_FAILED once, and then
 * no more. At most one watch for input and one for output of a descriptor, and none beside a task
 * that waits for the same.
 *
 * Return: 0, or negative:
 *   -EINVAL  no event, or an unknown one   -EBADF  not open
 *   -EBUSY   somebody waits for that       -ENOMEM
 *   -EPERM, -ERANGE  the backend cannot watch it (see eddy/poller.h)
 *   -EDDY_ESIM  the simulator has no such descriptor
 * Source: asyncio's add_reader, uv_poll_start.   Since: 0.1
 */
EDDY_API int eddy_watch_new(int fd, unsigned events, void (*fn)(void *ctx, unsigned events),
                            void *ctx, struct eddy_watch **ret_watch);

/** eddy_watch_free() - watch no more; @fn is not called again
 * @watch: NULL is fine. On its loop's thread. One that nobody frees ends with its loop
 *
 * Return: nothing.   Source: uv_poll_stop.   Since: 0.1 */
EDDY_API void eddy_watch_free(struct eddy_watch *watch);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_watch)
#endif

EDDY_END

#endif
