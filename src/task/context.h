/*
 * task/context.h - a place to go on from, and the switch between two; the sanitizers are told
 *
 * What is common to all machines stands here. The switch itself is one of switch_*.h, chosen by the
 * build, each with the same three functions:
 *
 *   eddy_switch_prepare()    lays down where a new stack begins
 *   eddy_switch()            keeps this place, goes on at another
 *   eddy_switch_registers()  says where a kept place is
 *
 * A switch keeps what the ABI makes a callee keep, what <fenv.h> sets of floating point among it
 * (rounding, traps), and errno. The flags of past floating-point exceptions belong to nobody: they
 * are neither kept nor hidden. The signal mask is the thread's, and so, on x86-64, is what
 * _mm_setcsr() alone can set (flush to zero): see switch_x86_64.h.
 *
 * No switch changes the shadow stack of CET (x86-64) or the guarded control stack (AArch64). So
 * nothing is built with the mark that asks for one: see cmake/Flags.cmake.
 */
#ifndef EDDY_TASK_CONTEXT_H
#define EDDY_TASK_CONTEXT_H

#include "base/sanitize.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef EDDY_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef EDDY_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct eddy_context {
    void *sp; /* while suspended: what the switch keeps, on the suspended stack */
#ifdef EDDY_ASAN
    void *fake_stack; /* ASan's, while suspended */
    const void *low;  /* the stack's lowest usable byte, and its size */
    size_t size;
#endif
#ifdef EDDY_TSAN
    void *fiber;
#endif
};

/* Where a walk up a stack begins. */
struct eddy_registers {
    uintptr_t pc, sp, fp;
    uintptr_t bx; /* rbx on x86-64, x19 on AArch64: frames of changing size may hang on it */
};

#if !defined(EDDY_SWITCH_ASM)
#include "task/switch_ucontext.h"
#elif defined(__x86_64__)
#include "task/switch_x86_64.h"
#elif defined(__aarch64__)
#include "task/switch_aarch64.h"
#else
#error "cmake/Rooms.cmake found a switch_*.S for this machine, and context.h knows no header of it"
#endif

/* Prepare @c so that the first switch to it calls begin(arg) at the top of the stack
 * [low, low + size). begin must not return: it leaves with eddy_context_leave(). */
void eddy_context_make(struct eddy_context *c, void *low, size_t size, void (*begin)(void *),
                       void *arg);

/* What stands for the thread's own stack, before anything was switched. */
void eddy_context_of_thread(struct eddy_context *c);

/* Save here into @from, go on in @to. errno is kept. */
static inline __attribute__((always_inline)) void eddy_context_switch(struct eddy_context *from,
                                                                      struct eddy_context *to)
{
    int saved = errno;

#ifdef EDDY_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->size);
#endif
#ifdef EDDY_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    eddy_switch(&from->sp, to->sp);
#ifdef EDDY_ASAN
    /* Where we came from may be the thread's stack, whose bounds only ASan knows. */
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
    errno = saved;
}

/* The same, never to come back: @from's stack may be given to somebody else by @to. */
void eddy_context_leave(struct eddy_context *from, struct eddy_context *to);

/* First thing on a new stack. */
void eddy_context_arrived(struct eddy_context *self, struct eddy_context *from);

/* After eddy_context_leave(), from elsewhere. */
void eddy_context_done(struct eddy_context *c);

/* Where @c goes on when it is switched to. Of a suspended context, or one that has not begun; of
 * the running one the answer is stale. False: never prepared, or this switch cannot say. */
bool eddy_context_registers(const struct eddy_context *c, struct eddy_registers *ret_registers);

#endif
