/*
 * side.c - see side.h
 */
#include "side.h"

#include <assert.h>
#include <stdlib.h>

/* For whoever follows frame pointers: a function that asks for its own frame keeps one. */
#define KEEP_FRAME_POINTER() __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

void side_begin(void *arg)
{
    struct side *s = arg;

    KEEP_FRAME_POINTER();
    eddy_context_arrived(&s->own, &s->opener);
    s->body(s);
    s->ended = true;
    eddy_context_leave(&s->own, &s->opener);
}

void side_open(struct side *s)
{
    if (!s->size)
        s->size = SIDE_STACK;
    s->stack = malloc(s->size);
    assert(s->stack);
    s->ended = false;
    eddy_context_of_thread(&s->opener);
    eddy_context_make(&s->own, s->stack, s->size, side_begin, s);
}

__attribute__((noinline)) void side_there(struct side *s)
{
    KEEP_FRAME_POINTER();
    eddy_context_switch(&s->opener, &s->own);
}

__attribute__((noinline)) void side_back(struct side *s)
{
    KEEP_FRAME_POINTER();
    eddy_context_switch(&s->own, &s->opener);
}

void side_close(struct side *s)
{
    eddy_context_done(&s->own);
    eddy_unpoison(s->stack, s->size);
    free(s->stack);
    s->stack = NULL;
}
