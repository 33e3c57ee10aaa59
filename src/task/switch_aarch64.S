/*
 * task/switch_aarch64.S - where a new stack begins; the switch itself is in switch_aarch64.h
 *
 * Entered by a jump from eddy_switch(): x19 is the function, x29 its argument, as
 * eddy_switch_prepare() laid them down. The function never returns. x30 is undefined for the
 * unwinder, and x29 is zero for who follows frame records: the stack ends here.
 *
 * `hint #36` is `bti j`: a jump may land here where branches are tracked, and the note at the end
 * says so. Its other marks are left out: return addresses of this function are not signed, there
 * being none, and the switch does not change the guarded control stack (GCS), so it must not run
 * under one.
 */
        .text
        .globl  eddy_switch_begin
        .hidden eddy_switch_begin
        .type   eddy_switch_begin, %function
        .p2align 4
eddy_switch_begin:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36
        mov     x0, x29
        mov     x29, xzr
        mov     x30, xzr
        blr     x19
        brk     #0
        .cfi_endproc
        .size   eddy_switch_begin, .-eddy_switch_begin

        /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI is bit 0. */
        .pushsection .note.gnu.property, "a", %note
        .p2align 3
        .word   4, 16, 5
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0
        .popsection

        .section .note.GNU-stack,"",%progbits
