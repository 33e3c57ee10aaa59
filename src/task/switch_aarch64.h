/*
 * task/switch_aarch64.h - the switch for AArch64; included by context.h
 */
#ifndef EDDY_TASK_SWITCH_AARCH64_H
#define EDDY_TASK_SWITCH_AARCH64_H

/* What a suspended stack keeps, in the frame of whoever suspended it. The assembly below knows the
 * offsets. x29 is the frame pointer; x19 is what Clang hangs frames of changing size on. */
struct eddy_switch_frame {
    void *pc, *sp, *x29, *x19;
    uint64_t fpcr;
};

/* switch_aarch64.S: calls what x19 names with what x29 holds. */
void eddy_switch_begin(void);

static inline void *eddy_switch_prepare(void *low, size_t size, void (*begin)(void *), void *arg)
{
    char *top = (char *)low + size;

    top -= (uintptr_t)top & 15;
    struct eddy_switch_frame *frame = (struct eddy_switch_frame *)(void *)top - 1;
    /* The hardware itself refuses a stack pointer that is no multiple of 16. Two words that stay
     * empty are a frame record that ends the chain. */
    uintptr_t *sp = (uintptr_t *)(void *)((char *)frame - ((uintptr_t)frame & 15)) - 2;
    sp[0] = sp[1] = 0;
    *frame = (struct eddy_switch_frame){
        .pc = __extension__(void *) eddy_switch_begin,
        .sp = sp,
        .x29 = arg,
        .x19 = __extension__(void *) begin,
        .fpcr = 0, /* what a process starts with */
    };
    return frame;
}

static inline bool eddy_switch_registers(const void *at, struct eddy_registers *ret_registers)
{
    const struct eddy_switch_frame *frame = at;
    /* Before its first run x29 carries an argument, no frame. */
    bool begun = frame->pc != __extension__(void *) eddy_switch_begin;

    *ret_registers = (struct eddy_registers){
        .pc = (uintptr_t)frame->pc,
        .sp = (uintptr_t)frame->sp,
        .fp = begun ? (uintptr_t)frame->x29 : 0,
        .bx = (uintptr_t)frame->x19,
    };
    return true;
}

/* Directives for the unwind tables, where the compiler writes them as such. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define EDDY_SWITCH_CFI_ENDS ".cfi_remember_state\n\t.cfi_undefined x30\n\t"
#define EDDY_SWITCH_CFI_GOES_ON ".cfi_restore_state\n\t"
#else
#define EDDY_SWITCH_CFI_ENDS
#define EDDY_SWITCH_CFI_GOES_ON
#endif

/* x18 is never touched. Where the platform has reserved it, the compiler keeps nothing there; on
 * Linux it is an ordinary register that a callee may change, and the other stack will have. */
#if defined(__linux__) && !defined(__ANDROID__)
#define EDDY_SWITCH_LOST_X18 "x18",
#else
#define EDDY_SWITCH_LOST_X18
#endif
#ifdef __ARM_FEATURE_SVE
#define EDDY_SWITCH_LOST_SVE                                                                       \
    "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", \
        "p15",
#else
#define EDDY_SWITCH_LOST_SVE
#endif

/*
 * From this stack to the one that @to describes; *@save will describe this one.
 *
 * Inline, and a jump instead of a call and a return, for the reason that switch_x86_64.h gives. Of
 * the registers that the ABI makes a callee keep, x19 and x29 are in the frame; the others, d8 to
 * d15 among them, are declared lost, so that the compiler saves what it needs and its unwind tables
 * stay true. The control word of floating point is written only where it differs: that may empty
 * the pipeline. Return addresses may be signed (PAC): each is, by its own frame's address, and the
 * frames do not move. Branches may be tracked (BTI): `hint #36` is `bti j`, where a jump may land.
 */
static inline __attribute__((always_inline)) void eddy_switch(void **save, void *to)
{
    struct eddy_switch_frame frame;
    register void **x0 __asm__("x0") = save;
    register void *x1 __asm__("x1") = to;
    register void *x2 __asm__("x2") = &frame;

    /* clang-format off */
    __asm__ volatile(
        "adr     x9, 1f\n\t"
        "mov     x10, sp\n\t"
        "stp     x9, x10, [x2]\n\t"
        "stp     x29, x19, [x2, #16]\n\t"
        "mrs     x11, fpcr\n\t"
        "str     x11, [x2, #32]\n\t"
        "str     x2, [x0]\n\t"
        "ldr     x12, [x1, #32]\n\t"
        "cmp     x11, x12\n\t"
        "b.ne    2f\n"
        "3:\tldp x9, x10, [x1]\n\t" EDDY_SWITCH_CFI_ENDS
        "ldp     x29, x19, [x1, #16]\n\t"
        "mov     sp, x10\n\t"
        "br      x9\n"
        "2:\n\t" EDDY_SWITCH_CFI_GOES_ON
        "msr     fpcr, x12\n\t"
        "b       3b\n"
        "1:\thint #36\n"
        : "+r"(x0), "+r"(x1), "+r"(x2)
        :
        : EDDY_SWITCH_LOST_X18 EDDY_SWITCH_LOST_SVE "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
          "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x20", "x21", "x22", "x23", "x24", "x25",
          "x26", "x27", "x28", "x30", "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
          "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19",
          "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
    /* clang-format on */
}

#endif
