/*
 * loop/pool.h - blocking work on threads: one bounded pool a loop
 *
 * A piece of work is the caller's struct. From a submit that returned 0 until done() it is the
 * pool's. run() is called on a thread of the pool, where nothing of eddy but posts may be used;
 * done() on the loop's thread, as a callback, exactly once. Classes have threads of their own
 * shares, so a slow class cannot starve another. Under the simulator run() is called inline, on
 * the loop's thread, at a time and in an order that the seed decides.
 */
#ifndef EDDY_LOOP_POOL_H
#define EDDY_LOOP_POOL_H

#include "loop/loop.h"

enum eddy_work_class {
    EDDY_WORK_NAMES, /* the system's resolver, where c-ares cannot serve: two threads */
    EDDY_WORK_FILES, /* disks */
    EDDY_WORK_USER,  /* eddy_offload() */
    EDDY_WORK_CLASSES
};

struct eddy_work {
    void (*run)(struct eddy_work *w);
    void (*done)(struct eddy_work *w);
    /* The pool's. */
    struct eddy_list link;
    struct eddy_post post;
    struct eddy_loop *loop;
    uint8_t class_of;
    uint8_t state;
    struct eddy_timer timer; /* the simulator's */
};

/* 0; or -ENOMEM, -EAGAIN (no thread could be started), with nothing done. */
EDDY_PRIVATE int eddy__work_submit(struct eddy_loop *loop, enum eddy_work_class class_of,
                                   struct eddy_work *w);

/* True: taken back, neither run() nor done() will be called. False: it has begun; done() comes. */
EDDY_PRIVATE bool eddy__work_withdraw(struct eddy_work *w);

#endif
