/*
 * task/future.h - a future from inside
 *
 * Its lock guards the moment of setting and the list of watches; done, result and value never
 * change again once `done` is seen. A watch belongs to the loop on which it was begun, and ends
 * in one of two ways:
 *
 *   by eddy_watch_end()   true: told() is not called
 *   by the setter         which takes it off the list and tells it: at once on the same loop,
 *                         from elsewhere by its embedded post. Until told() has been called
 *                         eddy_watch_end() is false, and the watch's memory must stay
 *
 * A setter on another thread therefore never meets a watch that is gone, and touches the future
 * no more once it is unlocked.
 */
#ifndef EDDY_TASK_FUTURE_H
#define EDDY_TASK_FUTURE_H

#include "task/task.h"

#include <eddy/future.h>

#include <pthread.h>

struct eddy_future {
    pthread_mutex_t lock;
    atomic_uint refs;
    atomic_bool done;
    atomic_bool awaited; /* somebody has asked for its result, or to be told; for reports */
    int result;          /* negative: it failed */
    void *value;
    void (*free_value)(void *value);
    struct eddy_list watches;
    struct eddy_list calls;  /* of struct call, until they have run; under the lock */
    struct eddy_site site;   /* where it was born */
    struct eddy_loop *debug; /* that it was made on, if that was in debug; maybe gone; else NULL */
    struct eddy_list noted;  /* there: future_debug.c's */
    unsigned forks;          /* eddy_forks there: in a child of a fork it is the parent's */
};

struct eddy_watch {
    struct eddy_list link; /* in future->watches, under its lock; or in the setter's hands */
    struct eddy_loop *loop;
    struct eddy_post post;
    void (*told)(struct eddy_watch *w); /* on its loop; may end the watch's memory */
    struct eddy_future *future;
    bool coming; /* taken by a setter: told() will be called */
    bool weak;   /* holds no reference; the setter takes one for it, told() gives it back */
};

/* False: the future is done already, and told() is not called. */
bool eddy_watch_begin(struct eddy_watch *w, struct eddy_future *f,
                      void (*told)(struct eddy_watch *w));
bool eddy_watch_end(struct eddy_watch *w);

/* future_debug.c, for a loop in debug: one was made, ends, and what is left at the loop's end. */
void eddy_future_noted(struct eddy_future *f, struct eddy_loop *loop);
void eddy_future_forgotten(struct eddy_future *f);
void eddy_futures_left(struct eddy_loop *loop);

/* What a task's end does with its future: completes it and gives the reference back. */
void eddy_future_complete(struct eddy_future *f, int result);

#endif
