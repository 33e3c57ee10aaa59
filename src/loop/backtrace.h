/*
 * loop/backtrace.h - who called whom: stacks walked, addresses named
 *
 * Stands on libunwind, which follows the compiler's tables (no frame pointers are needed) and looks
 * at each address before it reads there. Without it, every walk is empty and an address is
 * told by its module and offset (backtrace_none.c).
 */
#ifndef EDDY_LOOP_BACKTRACE_H
#define EDDY_LOOP_BACKTRACE_H

#include <eddy/common.h>

#define EDDY_FRAMES_MAX 48

/* One frame. The innermost of a suspended stack is where it will go on, the others return there. */
struct eddy_frame {
    uintptr_t pc;
    uintptr_t slot; /* the place on the stack that @pc was read from; 0: none, a register */
};

/* Where a walk of a stack that does not run begins, and between which addresses it must stay. */
struct eddy_walk {
    uintptr_t pc, sp, fp, bx; /* see struct eddy_registers */
    uintptr_t low, high;
};

/* Whether stacks can be walked: loads libunwind, which keeps two descriptors from then on. */
EDDY_PRIVATE bool eddy__backtrace_is_there(void);

/* The frames from the innermost on, at most @cap; how many. A stack that makes no sense ends the
 * walk, never the program. */
EDDY_PRIVATE size_t eddy__backtrace(const struct eddy_walk *from, struct eddy_frame *ret_frames,
                                    size_t cap);

/* The same of whoever calls, without this function's own frame. */
EDDY_PRIVATE size_t eddy__backtrace_here(struct eddy_frame *ret_frames, size_t cap);

/* The same of what a signal interrupted: @ucontext is the handler's third argument. Safe there, once
 * eddy__backtrace_is_there() was asked in this process. */
EDDY_PRIVATE size_t eddy__backtrace_interrupted(void *ucontext, struct eddy_frame *ret_frames,
                                                size_t cap);

/* The function that a frame is in: its name, static ones too where symbols were not stripped, or
 * "libx.so+0x1234", which addr2line takes. Reads files: not for signal handlers. */
EDDY_PRIVATE void eddy__backtrace_name(uintptr_t pc, char *buf, size_t cap);

/* The name of the function that holds @at, where it is certain. */
bool eddy_backtrace_symbol(uintptr_t at, char *buf, size_t cap);

#endif
