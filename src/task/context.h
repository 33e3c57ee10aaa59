/*
 * task/context.h - a place to go on from: one stack pointer, and what the sanitizers want told
 */
#ifndef EDDY_TASK_CONTEXT_H
#define EDDY_TASK_CONTEXT_H

#include "base/sanitize.h"

#include <stddef.h>

struct eddy_context {
    void *sp; /* while suspended */
#ifdef EDDY_ASAN
    void *fake_stack; /* ASan's, while suspended */
    const void *low;  /* the stack's lowest usable byte, and its size */
    size_t size;
#endif
#ifdef EDDY_TSAN
    void *fiber;
#endif
};

/* Prepare @c so that the first switch to it calls begin(arg) at the top of the stack
 * [low, low + size). begin must not return: it leaves with eddy_context_leave(). */
void eddy_context_make(struct eddy_context *c, void *low, size_t size, void (*begin)(void *),
                       void *arg);

/* What stands for the thread's own stack, before anything was switched. */
void eddy_context_of_thread(struct eddy_context *c);

/* Save here into @from, go on in @to. errno is kept. */
void eddy_context_switch(struct eddy_context *from, struct eddy_context *to);

/* The same, never to come back: @from's stack may be given to somebody else by @to. */
void eddy_context_leave(struct eddy_context *from, struct eddy_context *to);

/* First thing on a new stack. */
void eddy_context_arrived(struct eddy_context *self, struct eddy_context *from);

/* After eddy_context_leave(), from elsewhere. */
void eddy_context_done(struct eddy_context *c);

#endif
