/*
 * unwind_test.c - whoever walks a task's stack finds its functions, and an end
 *
 * By the unwind tables from a running task (what a debugger, a profiler, C++ and backtrace() do), by
 * frame pointers from the registers of a suspended one, and by the tables from a signal that comes
 * at each single instruction of a switch.
 */
#include "check.h"
#include "side.h"

#include <eddy/task.h>

#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unwind.h>

#define DEEPEST 64

struct walk {
    uintptr_t pc[DEEPEST]; /* innermost first; inside the call, or where a signal came */
    uintptr_t cfa[DEEPEST];
    int depth;
    bool ended;
};

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *arg)
{
    struct walk *w = arg;
    int interrupted = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &interrupted);

    if (pc == 0)
        return _URC_NO_REASON; /* past the outermost */
    if (w->depth == DEEPEST)
        return _URC_END_OF_STACK;
    /* A return address may lie behind the last instruction of its function. */
    w->pc[w->depth] = interrupted ? pc : pc - 1;
    w->cfa[w->depth++] = _Unwind_GetCFA(context);
    return _URC_NO_REASON;
}

static void walk(struct walk *w)
{
    w->depth = 0;
    w->ended = _Unwind_Backtrace(note, w) == _URC_END_OF_STACK && w->depth < DEEPEST;
}

/* Where the function begins that an instruction lies in; 0: nowhere known. */
static uintptr_t function_at(uintptr_t pc)
{
    /* It is asked with return addresses, so it looks one below. */
    return (uintptr_t)_Unwind_FindEnclosingFunction((void *)(pc + 1));
}

#define ADDRESS(fn) ((uintptr_t)(__extension__(void *)(fn)))

static int frame_of(const struct walk *w, uintptr_t function)
{
    for (int i = 0; i < w->depth; i++)
        if (function_at(w->pc[i]) == function)
            return i;
    return -1;
}

/* --- running ----------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void innermost(struct walk *w)
{
    walk(w);
    __asm__ volatile("" : : : "memory"); /* no tail call */
}

static void from_a_side(struct side *s)
{
    innermost(s->arg);
    side_back(s);
    innermost(s->arg);
    __asm__ volatile("" : : : "memory");
}

static void check_the_end(const struct walk *w)
{
    EDDY_CHECK(w->ended);
#ifdef EDDY_SWITCH_ASM
    EDDY_CHECK_EQ(function_at(w->pc[w->depth - 1]), ADDRESS(eddy_switch_begin));
#endif
}

EDDY_TEST(a_walk_from_a_running_side_ends_where_it_began)
{
    struct walk w;
    struct side s = { .body = from_a_side, .arg = &w };

    side_open(&s);
    while (!s.ended) {
        memset(&w, 0, sizeof w);
        side_there(&s);
        if (s.ended && w.depth == 0)
            break;
        check_the_end(&w);
        int inner = frame_of(&w, ADDRESS(innermost));
        EDDY_CHECK(inner >= 0);
        EDDY_CHECK_EQ(frame_of(&w, ADDRESS(from_a_side)), inner + 1);
        EDDY_CHECK_EQ(frame_of(&w, ADDRESS(side_begin)), inner + 2);
        for (int i = inner; i < w.depth && i <= inner + 2; i++)
            EDDY_CHECK(w.cfa[i] > (uintptr_t)s.stack && w.cfa[i] <= (uintptr_t)s.stack + s.size);
    }
    side_close(&s);
}

struct walker_args {
    struct walk *ret;
};

static __attribute__((noinline)) int walker(struct walker_args *a)
{
    int r = eddy_yield();

    innermost(a->ret);
    return r;
}
EDDY_TASK(walker);

EDDY_TEST(a_walk_from_a_task_names_its_function_and_ends)
{
    struct walk w = { .depth = 0 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(EDDY_GO(&s, walker, .ret = &w), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    check_the_end(&w);
    EDDY_CHECK(frame_of(&w, ADDRESS(innermost)) >= 0);
}

/* --- suspended ---------------------------------------------------------------------------------------- */

/* Asking for its own frame makes a function keep a frame pointer, however it is compiled; side.c
 * does so, too. */
static __attribute__((noinline)) uintptr_t sleeps(struct side *s)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

    side_back(s);
    return frame;
}

static void calls_a_sleeper(struct side *s)
{
    uintptr_t *frame = s->arg;

    *frame = (uintptr_t)__builtin_frame_address(0);
    if (sleeps(s) >= *frame)
        EDDY_CHECK_FAIL("a stack that grows upwards?");
}

EDDY_TEST(a_suspended_side_says_where_it_goes_on)
{
    uintptr_t body_frame = 0;
    struct side s = { .body = calls_a_sleeper, .arg = &body_frame };
    struct eddy_registers at;
    bool found = false;

    memset(&at, 0, sizeof at);
    EDDY_CHECK(!eddy_context_registers(&s.own, &at));
    side_open(&s);
    uintptr_t low = (uintptr_t)s.stack, high = low + s.size;
#ifdef EDDY_SWITCH_ASM
    EDDY_CHECK(eddy_context_registers(&s.own, &at));
    EDDY_CHECK_EQ(at.pc, ADDRESS(eddy_switch_begin));
    EDDY_CHECK(at.sp > low && at.sp <= high && at.fp == 0);
#endif
    side_there(&s);
    if (!eddy_context_registers(&s.own, &at)) {
#ifdef EDDY_SWITCH_ASM
        EDDY_CHECK_FAIL("no registers");
#endif
        EDDY_CHECK_NOT_RUN("this switch cannot say");
    } else {
        EDDY_CHECK_EQ(function_at(at.pc), ADDRESS(side_back));
        EDDY_CHECK(at.sp > low && at.sp < high);
        /* Frame by frame outwards: through body()'s, then to an end. */
        uintptr_t fp = at.fp;
        while (fp > low && fp < high - sizeof fp && fp % sizeof fp == 0) {
            found |= fp == body_frame;
            uintptr_t outer = *(uintptr_t *)fp;
            EDDY_CHECK(outer == 0 || outer > fp);
            if (outer <= fp)
                break;
            fp = outer;
        }
        EDDY_CHECK(found);
#ifdef EDDY_SWITCH_ASM
        EDDY_CHECK_EQ(*(uintptr_t *)fp, 0);
#endif
    }
    side_there(&s);
    EDDY_CHECK(s.ended);
    side_close(&s);
}

/* --- at each instruction of a switch -------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(EDDY_SWITCH_ASM) && !defined(EDDY_ASAN) && !defined(EDDY_TSAN)

static struct {
    unsigned steps, whole, cut, wrong;
    bool on;
} stepped;

static __attribute__((noinline)) void stepping(struct side *s);

/* The processor's single-step flag is on: a signal after each instruction. */
static void on_step(int signo, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    struct walk w;

    (void)signo;
    (void)info;
    if (!stepped.on) {
        interrupted->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
        return;
    }
    walk(&w);
    stepped.steps++;
    bool main_end = frame_of(&w, ADDRESS(stepping)) >= 0;
    bool side_end = frame_of(&w, ADDRESS(side_begin)) >= 0;
    /* One side's frame on the other's stack. */
    bool crossed = (main_end && frame_of(&w, ADDRESS(side_back)) >= 0) ||
                   (side_end && frame_of(&w, ADDRESS(side_there)) >= 0);
    if (!w.ended || crossed || function_at(w.pc[w.depth - 1]) == 0)
        stepped.wrong++;
    else if (main_end != side_end)
        stepped.whole++;
    else
        stepped.cut++;
}

static void steps_back(struct side *s)
{
    side_back(s);
    side_back(s);
}

static __attribute__((noinline)) void stepping(struct side *s)
{
    stepped.on = true;
    __asm__ volatile("subq $128, %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "addq $128, %%rsp"
                     :
                     :
                     : "memory", "cc");
    side_there(s);
    stepped.on = false;
    __asm__ volatile("nop" : : : "memory");
}

EDDY_TEST(a_walk_from_any_instruction_of_a_switch_ends)
{
    struct side s = { .body = steps_back };
    struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO }, before;

    memset(&stepped, 0, sizeof stepped);
    sigemptyset(&action.sa_mask);
    side_open(&s);
    side_there(&s);
    EDDY_CHECK_EQ(sigaction(SIGTRAP, &action, &before), 0);
    stepping(&s);
    EDDY_CHECK_EQ(sigaction(SIGTRAP, &before, NULL), 0);
    if (stepped.steps == 0)
        EDDY_CHECK_NOT_RUN("no single steps here");
    else
        EDDY_CHECK(stepped.whole > 40);
    EDDY_CHECK_EQ(stepped.wrong, 0);
    /* Each of the two switches: three instructions have neither side's registers. */
    EDDY_CHECK(stepped.cut <= 6);
    side_there(&s);
    side_close(&s);
}

#endif
