/*
 * task/switch_x86_64.h - the switch for x86-64; included by context.h
 */
#ifndef EDDY_TASK_SWITCH_X86_64_H
#define EDDY_TASK_SWITCH_X86_64_H

/* What a suspended stack keeps, in the frame of whoever suspended it. The assembly below knows the
 * offsets. */
struct eddy_switch_frame {
    void *rip, *rsp, *rbp, *rbx;
    uint16_t fpu_control;
    uint32_t mxcsr; /* room for the moment of the switch */
};

/* switch_x86_64.S: calls what rbx names with what rbp holds. */
void eddy_switch_begin(void);

static inline void *eddy_switch_prepare(void *low, size_t size, void (*begin)(void *), void *arg)
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
        .fpu_control = 0x037f, /* what the ABI starts a process with */
    };
    return frame;
}

static inline bool eddy_switch_registers(const void *at, struct eddy_registers *ret_registers)
{
    const struct eddy_switch_frame *frame = at;
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

/* Directives for the unwind tables, where the compiler writes them as such. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define EDDY_SWITCH_CFI_ENDS ".cfi_remember_state\n\t.cfi_undefined rip\n\t"
#define EDDY_SWITCH_CFI_GOES_ON ".cfi_restore_state\n\t"
#else
#define EDDY_SWITCH_CFI_ENDS
#define EDDY_SWITCH_CFI_GOES_ON
#endif

#ifdef __AVX512F__
#define EDDY_SWITCH_LOST_AVX512                                                                    \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",      \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",  \
        "k7",
#else
#define EDDY_SWITCH_LOST_AVX512
#endif

/*
 * From this stack to the one that @to describes; *@save will describe this one.
 *
 * Inline, and a jump where one expects a call and a return: the processor's stack of return
 * addresses then stays true on both sides. With a called function every switch, and the returns
 * behind it, are predicted wrongly (measured for a pair: 22 ns and more called, 14 ns so). The
 * registers that the ABI makes a callee keep are either in the frame or declared lost, so that
 * the compiler saves what it needs and its unwind tables stay true. While the registers are
 * exchanged they are neither side's: a profiler's signal that comes then finds the stack ended.
 *
 * Rounding and traps stand twice, in the control words of x87 and of SSE, and <fenv.h> changes both.
 * Reading SSE's takes longer than all the rest (4.3 ns of 6.4), x87's next to nothing. So x87's is
 * looked at; only where it differs, which is rare, SSE's is made to agree. What stands in SSE's
 * alone (flush to zero, denormals are zero) is the thread's, not a context's.
 *
 * Whoever comes back finds in rsi what it had put in rdx: the compiler believes that an input is
 * still there.
 */
static inline __attribute__((always_inline)) void eddy_switch(void **save, void *to)
{
    struct eddy_switch_frame frame;

    /* clang-format off */
    __asm__ volatile(
        "leaq    1f(%%rip), %%rax\n\t"
        "movq    %%rax, 0(%%rdx)\n\t"
        "movq    %%rsp, 8(%%rdx)\n\t"
        "movq    %%rbp, 16(%%rdx)\n\t"
        "movq    %%rbx, 24(%%rdx)\n\t"
        "fnstcw  32(%%rdx)\n\t"
        "movzwl  32(%%rdx), %%ecx\n\t"
        "movq    %%rdx, (%%rdi)\n\t"
        "cmpw    32(%%rsi), %%cx\n\t"
        "jne     2f\n"
        "3:\tmovq 8(%%rsi), %%rsp\n\t" EDDY_SWITCH_CFI_ENDS
        "movq    16(%%rsi), %%rbp\n\t"
        "movq    24(%%rsi), %%rbx\n\t"
        "jmp     *0(%%rsi)\n"
        "2:\n\t" EDDY_SWITCH_CFI_GOES_ON
        "stmxcsr 36(%%rdx)\n\t"
        "movl    36(%%rdx), %%eax\n\t"
        "movzwl  32(%%rsi), %%ecx\n\t"
        "movl    %%ecx, %%r8d\n\t"
        "andl    $0xffff807f, %%eax\n\t" /* all but the traps and the rounding, */
        "andl    $0x3f, %%ecx\n\t"       /* which are x87's, */
        "shll    $7, %%ecx\n\t"
        "orl     %%ecx, %%eax\n\t"
        "andl    $0xc00, %%r8d\n\t"
        "shll    $3, %%r8d\n\t"
        "orl     %%r8d, %%eax\n\t"
        "movl    %%eax, 36(%%rdx)\n\t"
        "ldmxcsr 36(%%rdx)\n\t"
        "fldcw   32(%%rsi)\n\t"
        "jmp     3b\n"
        "1:\tmovq %%rsi, %%rdx"
        : "+D"(save), "+S"(to)
        : "d"(&frame)
        : EDDY_SWITCH_LOST_AVX512 "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
          "r15", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
          "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)",
          "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    /* clang-format on */
}

#endif
