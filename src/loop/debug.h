/*
 * loop/debug.h - what a loop tells about mistakes, when it was asked: EDDY_DEBUG=1, or .debug
 *
 * Whoever makes something that must be ended (a descriptor, a future) says so where it is made and
 * where it ends; what was born and is not gone at the loop's end is reported, with the stack it was
 * born in. Without debug each call is one look at a flag.
 */
#ifndef EDDY_LOOP_DEBUG_H
#define EDDY_LOOP_DEBUG_H

#include "loop/backtrace.h"
#include "loop/loop.h"

/* Behind the functions below. */
EDDY_PRIVATE void eddy__debug_note_birth(struct eddy_loop *loop, const void *object,
                                         const char *what);
EDDY_PRIVATE void eddy__debug_note_end(struct eddy_loop *loop, const void *object);

/* @what, a constant text, fits "%s was never closed" or says more: "a listener". */
static inline void eddy__debug_born(struct eddy_loop *loop, const void *object, const char *what)
{
    if (__builtin_expect(loop->debug != NULL, false))
        eddy__debug_note_birth(loop, object, what);
}

static inline void eddy__debug_gone(struct eddy_loop *loop, const void *object)
{
    if (__builtin_expect(loop->debug != NULL, false))
        eddy__debug_note_end(loop, object);
}

/* @object ends in a way that is a mistake: "a future was never awaited". Says so with its birth. */
EDDY_PRIVATE void eddy__debug_complain(struct eddy_loop *loop, const void *object,
                                       const char *mistake);

/* -EDEADLK; and in debug the names of who made a call that would wait, and of the callback. */
EDDY_PRIVATE void eddy__debug_note_refusal(struct eddy_loop *loop);

static inline int eddy_debug_refused(struct eddy_loop *loop)
{
    if (loop->debug)
        eddy__debug_note_refusal(loop);
    return -EDEADLK;
}

/* The frames as one line, "eddy_read < on_timer": from the first that is no internal function of
 * ours, until the loop's own begin. */
void eddy_debug_line(const struct eddy_frame *frame, size_t count, char *buf, size_t cap);

void eddy_debug_begin(struct eddy_loop *loop); /* reads what was asked for */
void eddy_debug_end(struct eddy_loop *loop);   /* when nothing can be ended any more */

#endif
