/*
 * task/context.c - making contexts and leaving them; the sanitizers hear of it
 */
#include "task/context.h"

#include <stdint.h>
#include <string.h>

#ifndef __x86_64__
#error "the task switch is written for x86-64; other machines have their turn in task/switch_*.S"
#endif

void eddy_switch_begin(void);

void eddy_context_make(struct eddy_context *c, void *low, size_t size, void (*begin)(void *),
                       void *arg)
{
    char *top = (char *)low + size;

    top -= (uintptr_t)top & 15;
    struct eddy_switch_frame *frame = (struct eddy_switch_frame *)(void *)top - 1;
    /* Two words that stay empty end the stack for whoever walks it; the call in
     * eddy_switch_begin finds the alignment that the ABI asks for. */
    uintptr_t *sp = (uintptr_t *)(void *)((char *)frame - ((uintptr_t)frame & 15)) - 2;
    sp[0] = sp[1] = 0;
    *frame = (struct eddy_switch_frame){
        .rip = __extension__(void *) eddy_switch_begin,
        .rsp = sp,
        .rbp = arg,
        .rbx = __extension__(void *) begin,
        .mxcsr = 0x1f80, /* what the ABI starts a process with */
        .fpu_control = 0x037f,
    };
    memset(c, 0, sizeof *c);
    c->sp = frame;
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

bool eddy_context_registers(const struct eddy_context *c, struct eddy_registers *ret_registers)
{
    const struct eddy_switch_frame *frame = c->sp;

    if (!frame)
        return false;
    /* Before its first run rbp carries an argument, no frame. */
    bool begun = frame->rip != __extension__(void *) eddy_switch_begin;
    *ret_registers = (struct eddy_registers){
        .pc = (uintptr_t)frame->rip,
        .sp = (uintptr_t)frame->rsp,
        .fp = begun ? (uintptr_t)frame->rbp : 0,
        .bx = (uintptr_t)frame->rbx,
    };
    return true;
}
