/*
 * task/switch_x86_64.S - where a new stack begins; the switch itself is in switch_x86_64.h
 *
 * Entered by a jump from eddy_switch(): rbx is the function, rbp its argument, as
 * eddy_switch_prepare() laid them down. The function never returns. rip is undefined for the
 * unwinder, and rbp is zero for who follows frame pointers: the stack ends here.
 *
 * No shadow stack: the build asks for no SHSTK property (see cmake/Flags.cmake), because the
 * switch would have to change it, too.
 */
        .text
        .globl  eddy_switch_begin
        .hidden eddy_switch_begin
        .type   eddy_switch_begin, @function
        .p2align 4
eddy_switch_begin:
        .cfi_startproc
        .cfi_undefined rip
        movq    %rbp, %rdi
        xorl    %ebp, %ebp
        call    *%rbx
        ud2
        .cfi_endproc
        .size   eddy_switch_begin, .-eddy_switch_begin

        .section .note.GNU-stack,"",@progbits
