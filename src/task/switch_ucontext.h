/*
 * task/switch_ucontext.h - the switch of any other machine; included by context.h
 *
 * makecontext() builds a stack, _setjmp() and _longjmp() go between them: unlike swapcontext(),
 * which changes the signal mask, they make no system call. It still takes several times as long as
 * the assembly (bench/task.c). Under AddressSanitizer each _longjmp() also clears the marks of what
 * is live on the stack that is left, so some overflows there go unseen.
 */
#ifndef EDDY_TASK_SWITCH_UCONTEXT_H
#define EDDY_TASK_SWITCH_UCONTEXT_H

void *eddy_switch_prepare(void *low, size_t size, void (*begin)(void *), void *arg);

/* From this stack to the one that @to describes; *@save will describe this one. */
void eddy_switch(void **save, void *to);

/* False where the frame of a caller cannot be read portably, and before the first run. */
bool eddy_switch_registers(const void *at, struct eddy_registers *ret_registers);

#endif
