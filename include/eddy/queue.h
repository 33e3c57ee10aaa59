/*
 * eddy/queue.h - a bounded queue of work, and waiting until all of it is done
 *
 *     r = eddy_queue_put(q, &job);                         who has work
 *
 *     while ((r = eddy_queue_get(q, &job)) > 0) {          each worker
 *         work_on(&job);
 *         eddy_queue_task_done(q);
 *     }
 *
 *     r = eddy_queue_join(q);                              until every job put in is done
 *     eddy_queue_shutdown(q, false);                       the workers' get is 0 from here on
 *
 * It is a channel (eddy/channel.h) that counts: items copied, first in first out, back-pressure,
 * those who wait served in the order in which they came, try_ calls that look at no scope and are
 * -EAGAIN where the others wait.
 *
 * What holds, with the test that shows it (tests/task/queue_test.c, on every driver):
 *
 *  rule                                                        test
 *  ----------------------------------------------------------  -------------------------------
 *  Work comes out in the order in which it was put in          work_keeps_its_order
 *  A full queue makes who puts wait                            full_queue_makes_putters_wait
 *  join waits until each item put in is done                   join_waits_for_all_work
 *  What a waiting put still holds does not count               waiting_puts_do_not_count
 *  task_done once too often is an error                        done_too_often_is_einval
 *  After shutdown puts fail and what is there is still got     shutdown_lets_work_be_finished
 *  An immediate shutdown drops what is there, and it counts    immediate_shutdown_drops_work
 *   as done
 *  A cancelled put, get or join did nothing                    cancelled_calls_did_nothing
 *  No item is lost or doubled, whoever is cancelled when       random_cancels_lose_no_work
 *  A callback may not wait: -EDEADLK; try_ calls are for it    in_a_callback_only_tries_are_served
 *  try_ calls look at no scope                                 queue_tries_look_at_no_scope
 *  .shared: from any thread                                    shared_queue_over_threads
 *                                                               (channel_threads_test.c)
 */
#ifndef EDDY_QUEUE_H
#define EDDY_QUEUE_H

#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

struct eddy_queue;

struct eddy_queue_options {
    size_t size;     /* filled by EDDY_OPT(queue, ...) */
    size_t capacity; /* items it holds; 0: 64. The buffer is at most 1 GiB */
    bool shared;     /* used from several threads; else only from the one */
};

/**
 * eddy_queue_new() - make a queue
 * @item_size: bytes of an item, 4096 at most
 * @options:   may be NULL
 * @ret_queue: owned by the caller
 *
 * Return: 0; -EINVAL (an item or a buffer too large), -ENOMEM.
 * Source: asyncio.Queue.   Since: 0.1
 */
EDDY_API int eddy_queue_new(size_t item_size, const struct eddy_queue_options *options,
                            struct eddy_queue **ret_queue);

/** eddy_queue_free() - free a queue, and what it holds with it
 * @q: NULL is fine. Nobody may wait in it (asserted)
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_queue_free(struct eddy_queue *q);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_queue)
#endif

/**
 * eddy_queue_put() - put an item in
 * @q:    not shut down
 * @item: read before this returns
 *
 * Suspends while the queue is full. Looks at its scope first. Cancelled: nothing happened, and the
 * item is still the caller's.
 *
 * Return: 0; or negative:
 *   -EPIPE      shut down, before or while it waited
 *   -ETIMEDOUT  the innermost deadline passed     -ECANCELED  an outer scope ended
 *   -EDEADLK    in a callback                     -ENOMEM     no memory for this thread's loop
 * Source: asyncio.Queue.put.   Since: 0.1
 */
EDDY_API int eddy_queue_put(struct eddy_queue *q, const void *item);

/**
 * eddy_queue_get() - take the oldest item
 * @q:        shut down or not
 * @ret_item: written only when 1 is returned
 *
 * Suspends while the queue is empty. Looks at its scope first. Cancelled: nothing happened. The
 * item counts as unfinished until eddy_queue_task_done() is called for it.
 *
 * Return: 1 with an item; 0 when it is shut down and empty; or negative:
 *   -ETIMEDOUT  the innermost deadline passed     -ECANCELED  an outer scope ended
 *   -EDEADLK    in a callback                     -ENOMEM     no memory for this thread's loop
 * Source: asyncio.Queue.get.   Since: 0.1
 */
EDDY_API int eddy_queue_get(struct eddy_queue *q, void *ret_item);

/** eddy_queue_try_put() - put an item in if there is room
 * @q:    not shut down
 * @item: read before this returns
 *
 * Never suspends and looks at no scope: from tasks, callbacks, and, if shared, any thread.
 *
 * Return: 0; -EAGAIN (full), -EPIPE.   Source: asyncio.Queue.put_nowait.   Since: 0.1 */
EDDY_API int eddy_queue_try_put(struct eddy_queue *q, const void *item);

/** eddy_queue_try_get() - take the oldest item if there is one
 * @q:        shut down or not
 * @ret_item: written only when 1 is returned
 *
 * Never suspends and looks at no scope: from tasks, callbacks, and, if shared, any thread.
 *
 * Return: 1; 0 (shut down and empty), -EAGAIN.
 * Source: asyncio.Queue.get_nowait.   Since: 0.1 */
EDDY_API int eddy_queue_try_get(struct eddy_queue *q, void *ret_item);

/** eddy_queue_task_done() - the work for one item that was got is finished
 * @q: once for each item
 *
 * Never suspends.
 *
 * Return: 0; -EINVAL (more often than items were put in).
 * Source: asyncio.Queue.task_done.   Since: 0.1 */
EDDY_API int eddy_queue_task_done(struct eddy_queue *q);

/**
 * eddy_queue_join() - wait until every item that was put in is done
 * @q: may be shut down
 *
 * Suspends while items are unfinished: in the queue, or got and not yet told to be done. Looks at
 * its scope first. Cancelled: nothing happened.
 *
 * Return: 0; or negative:
 *   -ETIMEDOUT  the innermost deadline passed     -ECANCELED  an outer scope ended
 *   -EDEADLK    in a callback                     -ENOMEM     no memory for this thread's loop
 * Source: asyncio.Queue.join.   Since: 0.1
 */
EDDY_API int eddy_queue_join(struct eddy_queue *q);

/** eddy_queue_shutdown() - no more work
 * @q:         may be shut down already
 * @immediate: what is in it is dropped, and counts as done
 *
 * Never suspends. Who waits to put gets -EPIPE and keeps the item; get is 0 once it is empty.
 *
 * Return: nothing.   Source: asyncio.Queue.shutdown of Python 3.13.   Since: 0.1 */
EDDY_API void eddy_queue_shutdown(struct eddy_queue *q, bool immediate);

/** eddy_queue_count() - how many items are in the queue
 * @q: what waiting puts hold does not count
 *
 * Return: the count; of a shared queue, as it was.   Source: asyncio.Queue.qsize.   Since: 0.1 */
EDDY_API size_t eddy_queue_count(const struct eddy_queue *q);

/** eddy_queue_unfinished() - how many items were put in and are not done
 * @q: what waiting puts hold does not count
 *
 * Return: the count; of a shared queue, as it was.   Source: none.   Since: 0.1 */
EDDY_API size_t eddy_queue_unfinished(const struct eddy_queue *q);

EDDY_END

#endif
