/*
 * task/channel.h - channels from inside: who waits where, and how one of them is served
 *
 * A call that waits is a `caller`. It stands in one `place` in the queue of a channel, or, for a
 * select, in one place for each case. Whoever comes to the channel with what it waits for takes
 * the place out of the queue, copies the item from or to the caller's memory, and wakes it: so
 * being in the queue means that nothing has happened, and not being there, that all has.
 *
 * A select stands in several queues; the one who serves it first claims it (`served`). Its other
 * places are skipped until it has come back and taken them away.
 *
 * Of a shared channel, queues and buffer are under its lock; a caller of another loop is woken
 * by a post that it holds itself, sent after the lock is given back: then the one who is woken
 * may free the channel. A local channel runs the same code without the lock.
 */
#ifndef EDDY_TASK_CHANNEL_H
#define EDDY_TASK_CHANNEL_H

#include "task/task.h"

#include <eddy/channel.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct caller {
    struct eddy_wait wait; /* first */
    struct eddy_loop *loop;
    struct eddy_post post; /* filled when it is used */
    struct caller *next;   /* to be woken, too */
    struct place *winner;  /* the place that was served; NULL: none was */
    int result;            /* of that */
    bool several;          /* a select: `served` decides */
    atomic_bool served;
};

struct place {
    struct eddy_list link; /* self-linked while in no queue */
    struct caller *caller;
    union {
        const void *from;
        void *into;
    };
    struct eddy_channel *channel;
    unsigned index;
};

struct eddy_channel {
    size_t item_size;
    size_t capacity;
    size_t head;    /* the oldest item's slot */
    size_t count;   /* of items in the buffer */
    size_t entered; /* items that were ever accepted; a queue counts by it */
    struct eddy_list senders;
    struct eddy_list receivers;
    unsigned forks; /* eddy_forks where it was made: in a child of a fork it is the parent's */
    bool closed;
    bool shared;
    size_t bytes; /* of this allocation */
    pthread_mutex_t lock;
    max_align_t buffer[];
};

/* Then neither its lock nor who stands in it is touched: they are as the fork found them. */
static inline bool eddy_channel_is_parents(const struct eddy_channel *ch)
{
    return eddy_forked_since(ch->forks);
}

static inline void eddy_channel_lock(struct eddy_channel *ch)
{
    if (ch->shared)
        pthread_mutex_lock(&ch->lock);
}

static inline void eddy_channel_unlock(struct eddy_channel *ch)
{
    if (ch->shared)
        pthread_mutex_unlock(&ch->lock);
}

/* The two things that can be done, under the lock. -EAGAIN: not now. Who has to be woken, after
 * the unlock, is put in front of @wake. */
int eddy_channel_put(struct eddy_channel *ch, const void *item, struct caller **wake);
int eddy_channel_get(struct eddy_channel *ch, void *ret_item, struct caller **wake);

/* Leave a queue if still in it, taking the lock; whether it was. */
bool eddy_channel_step_out(struct place *place);

/* With the lock, which is given back: stand in one of the channel's queues and wait. */
int eddy_channel_wait_in(struct eddy_channel *ch, struct eddy_task *t, struct eddy_list *queue,
                         void *item, const char *what);

/* Under the lock: end the waits of all in a queue, first come first woken; no more items; and
 * forget those that are buffered (how many?). */
void eddy_channel_serve_all(struct eddy_list *queue, int result, struct caller **wake);
void eddy_channel_end(struct eddy_channel *ch, struct caller **wake);
size_t eddy_channel_drop(struct eddy_channel *ch);

/* Wake everybody on the list. Without the lock. */
void eddy_channel_wake_slow(struct caller *list);

static inline void eddy_channel_wake(struct caller *list)
{
    if (list)
        eddy_channel_wake_slow(list);
}

/* Whether it may begin to wait: the task in *ret_task, or a negative reason. */
static inline int eddy_channel_enter(const struct eddy_channel *ch, struct eddy_task **ret_task)
{
    if (eddy_channel_is_parents(ch))
        return -EDDY_EFORKED;
    struct eddy_task *t = eddy_task_current();
    *ret_task = t;
    return t ? eddy_scope_reason(t->scope) : eddy_task_refusal();
}

#endif
