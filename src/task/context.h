/*
 * task/context.h - a place to go on from, and the switch between two; the sanitizers are told
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
    void *sp; /* while suspended: a struct eddy_switch_frame on its stack */
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

/* What a suspended stack keeps, in the frame of whoever suspended it. The offsets are the
 * switch's. */
struct eddy_switch_frame {
    void *rip, *rsp, *rbp, *rbx;
    uint32_t mxcsr;
    uint16_t fpu_control;
};

/*
 * From this stack to the one that @to describes; *@save will describe this one.
 *
 * Inline, and a jump where one expects a call and a return: the processor's stack of return
 * addresses then stays true on both sides. With a called function every switch, and the returns
 * behind it, are predicted wrongly (measured for a pair: 22 ns and more called, 14 ns so). The
 * registers that the ABI makes a callee keep are either in the frame or declared lost, so that
 * the compiler saves what it needs and its unwind tables stay true. Loading the control words of
 * SSE and x87 costs more than all the rest, and they nearly always agree: so it looks first.
 */
static inline __attribute__((always_inline)) void eddy_switch(void **save, void *to)
{
    struct eddy_switch_frame frame;

    __asm__ volatile("leaq    1f(%%rip), %%rax\n\t"
                     "movq    %%rax, 0(%%rdx)\n\t"
                     "movq    %%rsp, 8(%%rdx)\n\t"
                     "movq    %%rbp, 16(%%rdx)\n\t"
                     "movq    %%rbx, 24(%%rdx)\n\t"
                     "stmxcsr 32(%%rdx)\n\t"
                     "fnstcw  36(%%rdx)\n\t"
                     "movl    32(%%rdx), %%eax\n\t"
                     "movzwl  36(%%rdx), %%ecx\n\t"
                     "movq    %%rdx, (%%rdi)\n\t"
                     "cmpl    32(%%rsi), %%eax\n\t"
                     "jne     2f\n\t"
                     "cmpw    36(%%rsi), %%cx\n\t"
                     "jne     2f\n"
                     "3:\tmovq 8(%%rsi), %%rsp\n\t"
                     "movq    16(%%rsi), %%rbp\n\t"
                     "movq    24(%%rsi), %%rbx\n\t"
                     "jmp     *0(%%rsi)\n"
                     "2:\tldmxcsr 32(%%rsi)\n\t"
                     "fldcw   36(%%rsi)\n\t"
                     "jmp     3b\n"
                     "1:"
                     : "+D"(save), "+S"(to)
                     : "d"(&frame)
                     : "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
                       "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

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

/* Where a walk up a stack begins. */
struct eddy_registers {
    uintptr_t pc, sp, fp;
    uintptr_t bx; /* rbx on x86-64, x19 on AArch64: frames of changing size may hang on it */
};

/* Where @c goes on when it is switched to. Of a suspended context, or one that has not begun; of
 * the running one the answer is stale. False: never prepared, or this switch cannot say. */
bool eddy_context_registers(const struct eddy_context *c, struct eddy_registers *ret_registers);

#endif
