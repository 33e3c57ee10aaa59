/*
 * task/switch_x86_64.S - from one stack to another, System V ABI
 *
 *     void eddy_switch(void **save_sp, void *to_sp);
 *
 * Saved is what the ABI makes the callee keep: rbx, rbp, r12 to r15, and the control words of
 * SSE and x87 (their status bits are the caller's to lose). All of it is pushed on the old
 * stack, so a suspended task is one pointer. errno is kept by the caller, in C.
 *
 * No shadow stack: the build asks for no SHSTK property (see cmake/Flags.cmake), because this
 * switch would have to change it, too.
 */
        .text
        .globl  eddy_switch
        .hidden eddy_switch
        .type   eddy_switch, @function
        .p2align 4
eddy_switch:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)

        movq    %rsp, (%rdi)
        movq    %rsi, %rsp

        /* The same frame, on the other stack: what the unwinder was told still holds. */
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        ret
        .cfi_endproc
        .size   eddy_switch, .-eddy_switch

/* Where a new stack begins: rbx is the function, r12 its argument (see context.c). It never
 * returns. rip is undefined for the unwinder: the stack ends here. */
        .globl  eddy_switch_begin
        .hidden eddy_switch_begin
        .type   eddy_switch_begin, @function
        .p2align 4
eddy_switch_begin:
        .cfi_startproc
        .cfi_undefined rip
        movq    %r12, %rdi
        xorl    %ebp, %ebp
        call    *%rbx
        ud2
        .cfi_endproc
        .size   eddy_switch_begin, .-eddy_switch_begin

        .section .note.GNU-stack,"",@progbits
