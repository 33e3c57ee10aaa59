/*
 * task/queue.c - a channel that counts what went in and what is done, and who waits for the last
 *
 * The channel counts an item when it enters, be that from a sender that waited: so an item is
 * never done before it was counted. The count of what is done, and the queue of those who join,
 * are under the channel's lock.
 */
#include "task/channel.h"

#include "base/memory.h"

#include <eddy/queue.h>

#define CAPACITY 64

struct eddy_queue {
    struct eddy_channel *ch;
    size_t done;
    struct eddy_list joiners;
};

int eddy_queue_new(size_t item_size, const struct eddy_queue_options *options,
                   struct eddy_queue **ret_queue)
{
    struct eddy_queue *q = eddy__zalloc(sizeof *q);

    if (!q)
        return -ENOMEM;
    size_t capacity = options && options->capacity ? options->capacity : CAPACITY;
    int r = eddy_channel_new(
        item_size, EDDY_OPT(channel, .capacity = capacity, .shared = options && options->shared),
        &q->ch);
    if (r < 0) {
        eddy__free(q, sizeof *q);
        return r;
    }
    eddy_list_init(&q->joiners);
    *ret_queue = q;
    return 0;
}

void eddy_queue_free(struct eddy_queue *q)
{
    if (!q)
        return;
    assert((eddy_channel_is_parents(q->ch) || eddy_list_is_empty(&q->joiners)) &&
           "a queue is freed when nobody waits in it");
    eddy_channel_free(q->ch);
    eddy__free(q, sizeof *q);
}

int eddy_queue_put(struct eddy_queue *q, const void *item)
{
    return eddy_channel_send(q->ch, item);
}

int eddy_queue_get(struct eddy_queue *q, void *ret_item)
{
    return eddy_channel_receive(q->ch, ret_item);
}

int eddy_queue_try_put(struct eddy_queue *q, const void *item)
{
    return eddy_channel_try_send(q->ch, item);
}

int eddy_queue_try_get(struct eddy_queue *q, void *ret_item)
{
    return eddy_channel_try_receive(q->ch, ret_item);
}

/* Some are done; whom that concerns is put on the list. Under the lock. */
static void account(struct eddy_queue *q, size_t done, struct caller **wake)
{
    q->done += done;
    assert(q->done <= q->ch->entered);
    if (q->done == q->ch->entered)
        eddy_channel_serve_all(&q->joiners, 0, wake);
}

int eddy_queue_task_done(struct eddy_queue *q)
{
    struct caller *wake = NULL;
    int r = 0;

    if (eddy_channel_is_parents(q->ch))
        return -EDDY_EFORKED;
    eddy_channel_lock(q->ch);
    if (q->done == q->ch->entered)
        r = -EINVAL;
    else
        account(q, 1, &wake);
    eddy_channel_unlock(q->ch);
    eddy_channel_wake(wake);
    return r;
}

int eddy_queue_join(struct eddy_queue *q)
{
    struct eddy_task *t;

    int r = eddy_channel_enter(q->ch, &t);
    if (r < 0)
        return r;
    eddy_channel_lock(q->ch);
    if (q->done != q->ch->entered)
        return eddy_channel_wait_in(q->ch, t, &q->joiners, NULL, "join queue");
    eddy_channel_unlock(q->ch);
    eddy_task_spend(t);
    return 0;
}

void eddy_queue_shutdown(struct eddy_queue *q, bool immediate)
{
    struct caller *wake = NULL;

    if (eddy_channel_is_parents(q->ch))
        return;
    eddy_channel_lock(q->ch);
    eddy_channel_end(q->ch, &wake);
    if (immediate)
        account(q, eddy_channel_drop(q->ch), &wake);
    eddy_channel_unlock(q->ch);
    eddy_channel_wake(wake);
}

size_t eddy_queue_count(const struct eddy_queue *q)
{
    return eddy_channel_count(q->ch);
}

size_t eddy_queue_unfinished(const struct eddy_queue *q)
{
    if (eddy_channel_is_parents(q->ch))
        return 0;
    eddy_channel_lock(q->ch);
    size_t unfinished = q->ch->entered - q->done;
    eddy_channel_unlock(q->ch);
    return unfinished;
}
