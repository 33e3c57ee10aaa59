/*
 * loop/backtrace_none.c - where there is no libunwind: no stacks, and no names
 */
#include "loop/backtrace.h"

bool eddy__backtrace_is_there(void)
{
    return false;
}

size_t eddy__backtrace(const struct eddy_walk *from, struct eddy_frame *ret_frames, size_t cap)
{
    (void)from;
    (void)ret_frames;
    (void)cap;
    return 0;
}

size_t eddy__backtrace_here(struct eddy_frame *ret_frames, size_t cap)
{
    (void)ret_frames;
    (void)cap;
    return 0;
}

size_t eddy__backtrace_interrupted(void *ucontext, struct eddy_frame *ret_frames, size_t cap)
{
    (void)ucontext;
    (void)ret_frames;
    (void)cap;
    return 0;
}

bool eddy_backtrace_symbol(uintptr_t at, char *buf, size_t cap)
{
    (void)at;
    (void)buf;
    (void)cap;
    return false;
}
