/*
 * loop/backtrace.c - stacks walked with libunwind
 *
 * A suspended task is described by four registers; the others were spilled by the compiler, which was
 * told that they are lost, so its tables say where. The walk stops at the first frame that is not
 * above the one before, or outside the stack. In between, libunwind itself reads only what is mapped.
 *
 * The library is loaded at the first walk and seen by nobody else. Linked, it would come between every
 * program and the unwinder of its C++ exceptions: it brings functions of the same names.
 */
#include "loop/backtrace.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <ucontext.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static struct {
    int (*init)(unw_cursor_t *, unw_context_t *, int);
    int (*step)(unw_cursor_t *);
    int (*get)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
    int (*saved)(unw_cursor_t *, int, unw_save_loc_t *);
    int (*name)(unw_cursor_t *, char *, size_t, unw_word_t *);
    int (*function)(unw_cursor_t *, unw_proc_info_t *);
    bool there;
} unwind;
static pthread_once_t unwind_once = PTHREAD_ONCE_INIT;

/* ISO C has no conversion from an object's pointer to a function's; POSIX has, and it is this. */
static bool find(void *library, const char *name, void *ret_function)
{
    void *at = dlsym(library, name);

    memcpy(ret_function, &at, sizeof at);
    return at != NULL;
}

static void describe(unw_context_t *context, const struct eddy_walk *from)
{
    memset(context, 0, sizeof *context);
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)from->pc;
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)from->sp;
    context->uc_mcontext.gregs[REG_RBP] = (greg_t)from->fp;
    context->uc_mcontext.gregs[REG_RBX] = (greg_t)from->bx;
#elif defined(__aarch64__)
    context->uc_mcontext.pc = from->pc;
    context->uc_mcontext.sp = from->sp;
    context->uc_mcontext.regs[29] = from->fp;
    context->uc_mcontext.regs[19] = from->bx;
#else
#error "loop/backtrace.c has its turn on this machine; until then the build leaves it out"
#endif
}

static void load(void)
{
    const struct eddy_walk nowhere = { 0 };
    unw_context_t context;
    unw_cursor_t cursor;

    /* For the life of the process: what it maps and caches is used from signal handlers, too. */
    void *library = dlopen(EDDY_UNWIND_LIBRARY, RTLD_NOW | RTLD_LOCAL);

    unwind.there = library && find(library, TEXT(unw_init_local2), &unwind.init) &&
                   find(library, TEXT(unw_step), &unwind.step) &&
                   find(library, TEXT(unw_get_reg), &unwind.get) &&
                   find(library, TEXT(unw_get_save_loc), &unwind.saved) &&
                   find(library, TEXT(unw_get_proc_name), &unwind.name) &&
                   find(library, TEXT(unw_get_proc_info), &unwind.function);
    /* What it sets up at its first use is then done outside a signal handler. */
    describe(&context, &nowhere);
    if (unwind.there)
        (void)unwind.init(&cursor, &context, 0);
}

bool eddy__backtrace_is_there(void)
{
    pthread_once(&unwind_once, load);
    return unwind.there;
}

/* What describe() takes, of a context of the system's. */
static struct eddy_walk registers_of(const ucontext_t *u)
{
    return (struct eddy_walk)
    {
#if defined(__x86_64__)
        .pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP],
        .sp = (uintptr_t)u->uc_mcontext.gregs[REG_RSP],
        .fp = (uintptr_t)u->uc_mcontext.gregs[REG_RBP],
        .bx = (uintptr_t)u->uc_mcontext.gregs[REG_RBX],
#elif defined(__aarch64__)
        .pc = u->uc_mcontext.pc, .sp = u->uc_mcontext.sp, .fp = u->uc_mcontext.regs[29],
        .bx = u->uc_mcontext.regs[19],
#endif
        .high = UINTPTR_MAX,
    };
}

/* Where the frame's return address lies; 0: not on the stack. */
static uintptr_t slot_of(unw_cursor_t *cursor)
{
    unw_save_loc_t at;

    if (unwind.saved(cursor, UNW_REG_IP, &at) < 0 || at.type != UNW_SLT_MEMORY)
        return 0;
    return (uintptr_t)at.u.addr;
}

/* @skip: frames of ours at the inner end. */
static size_t walk(unw_cursor_t *cursor, uintptr_t low, uintptr_t high, unsigned skip,
                   struct eddy_frame *ret_frames, size_t cap)
{
    size_t count = 0;
    unw_word_t pc, sp, before = 0;

    while (count < cap) {
        if (unwind.get(cursor, UNW_REG_IP, &pc) < 0 || unwind.get(cursor, UNW_REG_SP, &sp) < 0)
            break;
        if (pc == 0 || sp < low || sp > high || sp < before)
            break;
        if (skip > 0)
            skip--;
        else
            ret_frames[count++] = (struct eddy_frame){ pc, before ? slot_of(cursor) : 0 };
        before = sp;
        if (unwind.step(cursor) <= 0)
            break;
    }
    return count;
}

size_t eddy__backtrace(const struct eddy_walk *from, struct eddy_frame *ret_frames, size_t cap)
{
    unw_context_t context;
    unw_cursor_t cursor;

    if (!eddy__backtrace_is_there() || from->sp < from->low || from->sp >= from->high)
        return 0;
    describe(&context, from);
    if (unwind.init(&cursor, &context, 0) < 0)
        return 0;
    return walk(&cursor, from->low, from->high, 0, ret_frames, cap);
}

__attribute__((noinline)) size_t eddy__backtrace_here(struct eddy_frame *ret_frames, size_t cap)
{
    ucontext_t here;
    unw_context_t context;
    unw_cursor_t cursor;

    if (!eddy__backtrace_is_there() || getcontext(&here) < 0)
        return 0;
    const struct eddy_walk from = registers_of(&here);
    describe(&context, &from);
    if (unwind.init(&cursor, &context, 0) < 0)
        return 0;
    return walk(&cursor, 0, UINTPTR_MAX, 1, ret_frames, cap);
}

size_t eddy__backtrace_interrupted(void *ucontext, struct eddy_frame *ret_frames, size_t cap)
{
    unw_cursor_t cursor;

    /* No look at the once: it is not for signal handlers. */
    if (!unwind.there || unwind.init(&cursor, ucontext, UNW_INIT_SIGNAL_FRAME) < 0)
        return 0;
    size_t count = walk(&cursor, 0, UINTPTR_MAX, 0, ret_frames, cap);
    if (count > 0)
        ret_frames[0].pc++; /* the others are return addresses, and named by the byte before */
    return count;
}

/* A name counts only if the compiler's table begins the function where the symbol does: the nearest
 * symbol before an address may be another function's, where those in between were stripped. */
bool eddy_backtrace_symbol(uintptr_t at, char *buf, size_t cap)
{
    struct eddy_walk here = { .pc = at, .sp = (uintptr_t)&here };
    unw_context_t context;
    unw_cursor_t cursor;
    unw_proc_info_t function;
    unw_word_t offset;

    if (!eddy__backtrace_is_there())
        return false;
    describe(&context, &here);
    if (unwind.init(&cursor, &context, 0) < 0 || unwind.name(&cursor, buf, cap, &offset) < 0)
        return false;
    return unwind.function(&cursor, &function) < 0 || function.start_ip == at - offset;
}
