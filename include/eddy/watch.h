/*
 * eddy/watch.h - any descriptor, watched by a callback
 *
 * For libraries that bring a descriptor of their own and say what they wait for. What eddy knows
 * by itself (sockets, files, signals, children) is better used through its own calls: they try
 * first, and wait only where they must.
 *
 * What is still ready is told again (level-triggered), unless EDDY_EDGE is asked for. Then epoll
 * and kqueue tell once for each arrival, which costs the kernel less: so read until the call would
 * block. On a stream (TCP, a pipe) a read that came back short says the same, unless one of
 * EDDY_READ_ENDED, EDDY_HANGUP, EDDY_FAILED, EDDY_URGENT was told. It is a hint: every backend may
 * tell more often, for as long as it is ready (select, poll, uring), while something else waits for
 * the other direction of the descriptor without EDDY_EDGE, or when that comes and goes.
 *
 * What holds, with the test that shows it (tests/loop/watch_test.c, on every real backend):
 *
 *  rule                                                   test
 *  -----------------------------------------------------  ----------------------------------------
 *  What is still ready is told again                      what_is_still_ready_is_told_again
 *  With EDDY_EDGE an arrival is told once on epoll, as    an_arrival_is_told_once_with_edge
 *   long as there is something on the others
 *  With EDDY_EDGE what is there already is told           what_is_there_already_is_told_with_edge
 *  With EDDY_EDGE each arrival is told                    each_arrival_is_told_with_edge
 *  Beside a watch without it, both are told as levels     edge_beside_level_loses_nothing
 *  Input and output have a watch each, and only one       input_and_output_are_watched_apart
 *  A freed watch tells nothing more                       a_freed_watch_tells_nothing
 *  It may be freed in its own call                        it_may_be_freed_in_its_own_call
 *  One that nobody frees ends with its loop               one_that_nobody_frees_ends_with_its_loop
 *  A hang-up is told                                      a_hang_up_is_told
 *  A descriptor closed under it is told once, then        a_closed_descriptor_is_told_once
 *   nothing
 *  epoll refuses regular files: -EPERM                    a_regular_file_is_the_backends_affair
 *  select refuses what is past FD_SETSIZE: -ERANGE        past_fd_setsize_is_the_backends_affair
 *  No event and no descriptor are errors                  wrong_use_is_an_error
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
 * @events:    EDDY_READABLE | EDDY_WRITABLE, not 0; and EDDY_EDGE: as said above
 * @fn:        called on the loop's thread, as a callback, with what is ready: EDDY_READABLE,
 *             EDDY_WRITABLE, EDDY_HANGUP, EDDY_FAILED, EDDY_READ_ENDED, EDDY_URGENT. It may free the
 *             watch
 * @ctx:       handed to it
 * @ret_watch: owned, freed with eddy_watch_free()
 *
 * Does not suspend. When the backend notices that the descriptor cannot be watched any more, for
 * it was closed, @fn is called with EDDY_FAILED once, and then no more; the watch is still to be
 * freed. (epoll does not notice, the ring with the next event only: see eddy/poller.h.) At most one
 * watch for input and one for output of a descriptor, and none beside a task that waits for the
 * same.
 *
 * Return: 0, or negative:
 *   -EINVAL  no event, or an unknown one   -EBADF  not open
 *   -EBUSY   somebody waits for that       -ENOMEM, and what eddy_loop_new() says
 *   -EPERM, -ERANGE  the backend cannot watch it (see eddy/poller.h)
 *   -EDDY_ESIM  the simulator has no such descriptor
 * Source: asyncio's add_reader, uv_poll_start, libevent's EV_ET.   Since: 0.1
 */
EDDY_API int eddy_watch_new(int fd, unsigned events, void (*fn)(void *ctx, unsigned events),
                            void *ctx, struct eddy_watch **ret_watch);

/** eddy_watch_free() - watch no more; @fn is not called again
 * @watch: NULL is fine. On its loop's thread. One that nobody frees ends with its loop
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: uv_poll_stop.   Since: 0.1 */
EDDY_API void eddy_watch_free(struct eddy_watch *watch);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_watch)
#endif

EDDY_END

#endif
