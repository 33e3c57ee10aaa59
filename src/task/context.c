/*
 * task/context.c - making and switching contexts; the sanitizers hear of every switch
 */
#include "task/context.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifdef EDDY_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef EDDY_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#ifndef __x86_64__
#error "the task switch is written for x86-64; other machines have their turn in task/switch_*.S"
#endif

void eddy_switch(void **save_sp, void *to_sp);
void eddy_switch_begin(void);

void eddy_context_make(struct eddy_context *c, void *low, size_t size, void (*begin)(void *),
                       void *arg)
{
    uintptr_t top = ((uintptr_t)low + size) & ~(uintptr_t)15;
    uint64_t *sp = (uint64_t *)top;                      // NOLINT(performance-no-int-to-ptr)
    const uint32_t mxcsr = 0x1f80, fpu_control = 0x037f; /* what the ABI starts a process with */

    /* As eddy_switch() leaves a suspended stack; begin runs with the alignment a call gives. */
    *--sp = 0; /* keeps the call in begin aligned */
    *--sp = 0;
    *--sp = (uint64_t)(uintptr_t)&eddy_switch_begin; /* returned to */
    *--sp = 0;                                       /* rbp */
    *--sp = (uint64_t)(uintptr_t)begin;              /* rbx */
    *--sp = (uint64_t)(uintptr_t)arg;                /* r12 */
    *--sp = 0;                                       /* r13 */
    *--sp = 0;                                       /* r14 */
    *--sp = 0;                                       /* r15 */
    *--sp = (uint64_t)fpu_control << 32 | mxcsr;
    memset(c, 0, sizeof *c);
    c->sp = sp;
#ifdef EDDY_ASAN
    c->low = low;
    c->size = size;
#endif
#ifdef EDDY_TSAN
    c->fiber = __tsan_create_fiber(0);
#endif
}

void eddy_context_of_thread(struct eddy_context *c)
{
    memset(c, 0, sizeof *c);
#ifdef EDDY_TSAN
    c->fiber = __tsan_get_current_fiber();
#endif
}

void eddy_context_switch(struct eddy_context *from, struct eddy_context *to)
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

void eddy_context_leave(struct eddy_context *from, struct eddy_context *to)
{
#ifdef EDDY_ASAN
    __sanitizer_start_switch_fiber(NULL, to->low, to->size);
#endif
#ifdef EDDY_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    eddy_switch(&from->sp, to->sp);
    __builtin_unreachable();
}

void eddy_context_arrived(struct eddy_context *self, struct eddy_context *from)
{
#ifdef EDDY_ASAN
    __sanitizer_finish_switch_fiber(NULL, &from->low, &from->size);
#else
    (void)from;
#endif
    (void)self;
}

void eddy_context_done(struct eddy_context *c)
{
#ifdef EDDY_TSAN
    __tsan_destroy_fiber(c->fiber);
    c->fiber = NULL;
#else
    (void)c;
#endif
}
