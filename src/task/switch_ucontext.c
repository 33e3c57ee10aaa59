/*
 * task/switch_ucontext.c - see switch_ucontext.h
 *
 * A stack that has not begun is described by a struct place at its top with a function in it; any
 * other by one in the frame of eddy_switch() that left it.
 */

/* Fortified, longjmp() refuses to go to a frame that lies deeper than its own. */
#undef _FORTIFY_SOURCE

#include "task/context.h"

#include <fenv.h>
#include <setjmp.h>
#include <ucontext.h>

/* The modes of floating point: all of them where the C library knows how (C23), else rounding. */
#ifdef FE_DFL_MODE
typedef femode_t modes;
#define modes_read(modes) ((void)fegetmode(modes))
#define modes_write(modes) ((void)fesetmode(modes))
#define modes_default() ((void)fesetmode(FE_DFL_MODE))
#else
typedef int modes;
#define modes_read(modes) ((void)(*(modes) = fegetround()))
#define modes_write(modes) ((void)fesetround(*(modes)))
#define modes_default() ((void)fesetround(FE_TONEAREST))
#endif

struct place {
    void (*begin)(void *); /* NULL once it has begun */
    void *arg;
    void *low;
    size_t size;
    modes modes;
    struct eddy_registers registers; /* of eddy_switch()'s caller; pc is 0: not known */
    jmp_buf env;
};

void *eddy_switch_prepare(void *low, size_t size, void (*begin)(void *), void *arg)
{
    char *top = (char *)low + size;

    top -= (uintptr_t)top & 15;
    struct place *p = (struct place *)(void *)(top - ((sizeof *p + 15) & ~(size_t)15));
    p->begin = begin;
    p->arg = arg;
    p->low = low;
    p->size = (size_t)((char *)p - (char *)low);
    p->registers = (struct eddy_registers){ 0, 0, 0, 0 };
    return p;
}

bool eddy_switch_registers(const void *at, struct eddy_registers *ret_registers)
{
    const struct place *p = at;

    if (!p->registers.pc)
        return false;
    *ret_registers = p->registers;
    return true;
}

/* makecontext() hands on ints; a pointer may take two. Shifted twice, because a shift by the whole
 * width of a 32-bit pointer is undefined. */
static void begin_here(unsigned high, unsigned low)
{
    struct place *p = (struct place *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low);

    modes_default();
    p->begin(p->arg);
    __builtin_unreachable();
}

/* Frames that are left without a return would keep AddressSanitizer's marks around their variables. */
#define LEFT_BY_A_JUMP __attribute__((noinline, no_sanitize_address))

/* Made only now, so that the signal mask it restores is the one that holds. */
LEFT_BY_A_JUMP static _Noreturn void enter(struct place *p)
{
    uintptr_t at = (uintptr_t)p;
    ucontext_t fresh;

    getcontext(&fresh);
    fresh.uc_stack.ss_sp = p->low;
    fresh.uc_stack.ss_size = p->size;
    fresh.uc_link = NULL;
    makecontext(&fresh, (void (*)(void))begin_here, 2, (unsigned)(at >> 16 >> 16),
                (unsigned)(at & UINT32_MAX));
    setcontext(&fresh);
    __builtin_trap(); /* a bad mask or context would be ours */
}

/* Not inlined: what is noted is where it returns to. */
LEFT_BY_A_JUMP void eddy_switch(void **save, void *to)
{
    struct place here;
    struct place *there = to;

    here.begin = NULL;
    here.registers = (struct eddy_registers){ 0, 0, 0, 0 };
#if defined(__x86_64__) || defined(__aarch64__)
    /* Both keep the caller's frame pointer where their own points to, and the return address above;
     * jmp_buf has them, too, but scrambled. */
    here.registers.pc = (uintptr_t)__builtin_return_address(0);
    here.registers.sp = (uintptr_t)__builtin_dwarf_cfa();
    here.registers.fp = *(uintptr_t *)__builtin_frame_address(0);
#endif
    modes_read(&here.modes);
    *save = &here;
    if (_setjmp(here.env) == 0) {
        if (there->begin)
            enter(there);
        _longjmp(there->env, 1);
    }
    modes_write(&here.modes);
}
