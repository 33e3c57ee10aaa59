/*
 * context_test.c - what a switch keeps, what it does not, and that signals do not disturb it
 *
 * The values that must survive are held in plain local variables across calls that switch, more of
 * them than a machine has registers to keep: the compiler puts what it can into those that a callee
 * must save, and the other side fills the same ones.
 */
#include "check.h"
#include "side.h"

#include <eddy/task.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* --- registers ---------------------------------------------------------------------------------- */

static volatile uint64_t whole = 3;
static volatile double part = 1.5;

/* Holds values of its own across @rounds switches; how many were found changed. */
static __attribute__((noinline)) unsigned hold(struct side *s, void (*go)(struct side *),
                                               unsigned rounds, uint64_t seed)
{
    uint64_t a = whole * seed, b = whole + seed, c = whole ^ seed, d = ~seed + whole, e = a ^ b;
    uint64_t f = b ^ c, g = c + d, h = d ^ a, i = a + c, j = b + d, k = a - d, l = c - b;
    double m = part * (double)seed, n = part + (double)seed, o = m - part, p = n - m, q = m + n;
    double r = q * part, t = o + p, u = r - n, v = t + part, w = u * 2;
    unsigned changed = 0;

    for (unsigned at = 0; at < rounds; at++) {
        go(s);
        uint64_t now = whole;
        double piece = part, lot = (double)seed;
        changed += a != now * seed || b != now + seed || c != (now ^ seed) || d != ~seed + now;
        changed += e != (a ^ b) || f != (b ^ c) || g != c + d || h != (d ^ a);
        changed += i != a + c || j != b + d || k != a - d || l != c - b;
        changed += m != piece * lot || n != piece + lot || o != m - piece || p != n - m;
        changed += q != m + n || r != q * piece || t != o + p || u != r - n;
        changed += v != t + piece || w != u * 2;
    }
    return changed;
}

struct holder {
    unsigned rounds;
    uint64_t seed;
    unsigned changed;
};

static void holding(struct side *s)
{
    struct holder *h = s->arg;

    h->changed = hold(s, side_back, h->rounds, h->seed);
}

EDDY_TEST(registers_that_a_callee_keeps_survive_a_switch)
{
    struct holder h = { .rounds = 1000, .seed = 0x5a5a5a5a5 };
    struct side s = { .body = holding, .arg = &h };

    side_open(&s);
    side_there(&s);
    EDDY_CHECK_EQ(hold(&s, side_there, 999, 0x777), 0);
    EDDY_CHECK(!s.ended);
    side_there(&s);
    EDDY_CHECK(s.ended);
    EDDY_CHECK_EQ(h.changed, 0);
    side_close(&s);
}

#define CROWD 16

EDDY_TEST(registers_survive_switches_among_many_in_any_order)
{
    static struct side side[CROWD];
    static struct holder holder[CROWD];
    uint64_t dice = 1;
    size_t left = CROWD;

    for (size_t i = 0; i < CROWD; i++) {
        holder[i] = (struct holder){ .rounds = 200 + (unsigned)i, .seed = 1000 * i + 7 };
        side[i] = (struct side){ .body = holding, .arg = &holder[i] };
        side_open(&side[i]);
    }
    while (left > 0) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        struct side *s = &side[(dice >> 33) % CROWD];
        if (s->ended)
            continue;
        side_there(s);
        left -= s->ended;
    }
    for (size_t i = 0; i < CROWD; i++) {
        EDDY_CHECK_EQ(holder[i].changed, 0);
        side_close(&side[i]);
    }
}

/* --- floating point: modes and flags -------------------------------------------------------------- */

/* Rounding upwards, tiny results to zero where the processor can, as one word; and the flag that an
 * inexact result raises. */
#if defined(__x86_64__)
#define MODES_DEFAULT 0x037f1f80u
#define MODES_OTHER                                                                                \
    0x0b7e5f00u /* x87 and SSE: up, invalid operations trap; as <fenv.h> sets both */
#define FLAG_INEXACT 0x20u

static uint32_t modes_read(void)
{
    uint32_t sse;
    uint16_t x87;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(sse), "=m"(x87));
    return (uint32_t)x87 << 16 | (sse & 0xffc0);
}

static uint32_t flags_read(void)
{
    uint32_t sse;

    __asm__ volatile("stmxcsr %0" : "=m"(sse));
    return sse & 0x3f;
}

static void modes_write(uint32_t modes)
{
    uint32_t sse = modes & 0xffc0;
    uint16_t x87 = (uint16_t)(modes >> 16);

    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(sse), "m"(x87));
}
#elif defined(__aarch64__)
#define MODES_DEFAULT 0u
#define MODES_OTHER 0x01400000u /* up, flush to zero */
#define FLAG_INEXACT 0x10u

static uint32_t modes_read(void)
{
    uint64_t word;

    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (uint32_t)word;
}

static uint32_t flags_read(void)
{
    uint64_t word;

    __asm__ volatile("mrs %0, fpsr" : "=r"(word));
    return (uint32_t)word & 0x1f;
}

static void modes_write(uint32_t modes)
{
    uint64_t word = modes, flags = 0;

    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(word), "r"(flags));
}
#else
#define MODES_DEFAULT 0u
#define MODES_OTHER 0u
#define FLAG_INEXACT 0u
#define modes_read() 0u
#define flags_read() 0u
#define modes_write(modes) (void)(modes)
#endif

struct moody {
    uint32_t first, second, third;
    double up;
};

static volatile double one = 1, three = 3;

static void with_own_modes(struct side *s)
{
    struct moody *m = s->arg;

    m->first = modes_read();
    modes_write(MODES_OTHER);
    side_back(s);
    m->second = modes_read();
    m->up = one / three;
    side_back(s);
    m->third = modes_read();
    modes_write(MODES_DEFAULT);
}

EDDY_TEST(each_side_has_its_modes_of_floating_point)
{
    struct moody m = { .first = 1 };
    struct side s = { .body = with_own_modes, .arg = &m };

    if (MODES_OTHER == MODES_DEFAULT) {
        EDDY_CHECK_NOT_RUN("this test does not know the machine's modes");
        return;
    }
    side_open(&s);
    /* What the opener has set is not what a new side begins with. */
    modes_write(MODES_OTHER);
    side_there(&s);
    EDDY_CHECK_EQ(m.first, MODES_DEFAULT);
    EDDY_CHECK_EQ(modes_read(), MODES_OTHER);
    modes_write(MODES_DEFAULT);
    double near = one / three;
    side_there(&s);
    EDDY_CHECK_EQ(m.second, MODES_OTHER);
    EDDY_CHECK_EQ(modes_read(), MODES_DEFAULT);
    EDDY_CHECK(m.up > near);
    EDDY_CHECK(one / three == near);
    side_there(&s);
    EDDY_CHECK_EQ(m.third, MODES_OTHER);
    EDDY_CHECK_EQ(modes_read(), MODES_DEFAULT);
    EDDY_CHECK(s.ended);
    side_close(&s);
}

#if defined(__x86_64__) && defined(EDDY_SWITCH_ASM)
#define FLUSH_TO_ZERO 0x8000u

static void setting_flush_to_zero(struct side *s)
{
    modes_write(MODES_DEFAULT | FLUSH_TO_ZERO);
    side_back(s);
    s->arg = &s->ended; /* found */
    if (!(modes_read() & FLUSH_TO_ZERO))
        s->arg = NULL;
    modes_write(MODES_OTHER | FLUSH_TO_ZERO);
    side_back(s);
}

EDDY_TEST(flush_to_zero_is_the_threads)
{
    struct side s = { .body = setting_flush_to_zero };

    side_open(&s);
    side_there(&s);
    EDDY_CHECK_EQ(modes_read(), MODES_DEFAULT | FLUSH_TO_ZERO);
    side_there(&s);
    EDDY_CHECK(s.arg);
    EDDY_CHECK_EQ(modes_read(), MODES_DEFAULT | FLUSH_TO_ZERO);
    side_there(&s);
    side_close(&s);
    modes_write(MODES_DEFAULT);
}
#endif

/* Switches with no call between them, which would hide that a register has changed. */
static void in_a_narrow_loop(struct side *s)
{
    uint64_t *turns = s->arg;

    for (int i = 0; i < 1000; i++) {
        ++*turns;
        eddy_context_switch(&s->own, &s->opener);
    }
}

EDDY_TEST(switches_follow_each_other_in_a_narrow_loop)
{
    uint64_t turns = 0;
    struct side s = { .body = in_a_narrow_loop, .arg = &turns };
    uint64_t own = 0;

    side_open(&s);
    for (int i = 0; i < 1000; i++) {
        eddy_context_switch(&s.opener, &s.own);
        own++;
    }
    EDDY_CHECK_EQ(turns, 1000);
    EDDY_CHECK_EQ(own, 1000);
    side_there(&s);
    EDDY_CHECK(s.ended);
    side_close(&s);
}

static volatile double thrown_away;

static void inexact(struct side *s)
{
    side_back(s);
    thrown_away = one / three;
    side_back(s);
}

EDDY_TEST(flags_of_past_exceptions_are_not_kept)
{
    struct side s = { .body = inexact };

    if (!FLAG_INEXACT) {
        EDDY_CHECK_NOT_RUN("this test does not know the machine's flags");
        return;
    }
    side_open(&s);
    side_there(&s);
    modes_write(MODES_DEFAULT); /* and no flag */
    EDDY_CHECK_EQ(flags_read(), 0);
    side_there(&s);
    EDDY_CHECK_EQ(flags_read(), FLAG_INEXACT);
    side_there(&s);
    side_close(&s);
    modes_write(MODES_DEFAULT);
}

/* --- errno, alignment, depth ------------------------------------------------------------------------ */

static void with_own_errno(struct side *s)
{
    int *found = s->arg;

    errno = EXDEV;
    side_back(s);
    *found = errno;
    errno = ENOTTY;
}

EDDY_TEST(errno_is_kept)
{
    int found = 0;
    struct side s = { .body = with_own_errno, .arg = &found };

    side_open(&s);
    errno = EDOM;
    side_there(&s);
    EDDY_CHECK_EQ(errno, EDOM);
    errno = EILSEQ;
    side_there(&s);
    EDDY_CHECK_EQ(errno, EILSEQ);
    EDDY_CHECK_EQ(found, EXDEV);
    side_close(&s);
}

/* Compilers store many arguments with instructions that fault on a stack that is off by eight. */
static __attribute__((noinline, format(printf, 3, 4))) int print(char *to, size_t cap,
                                                                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(to, cap, format, args);
    va_end(args);
    return n;
}

static void look_at_alignment(struct side *s)
{
    uintptr_t *frame = s->arg;
    char text[64];

    *frame = (uintptr_t)__builtin_frame_address(0);
    EDDY_CHECK_EQ(print(text, sizeof text, "%.1f %.1f", part, one), 7);
}

EDDY_TEST(a_stack_of_any_size_begins_aligned)
{
    for (size_t odd = 0; odd < 32; odd++) {
        uintptr_t frame = 1;
        struct side s = { .body = look_at_alignment, .arg = &frame, .size = SIDE_STACK - odd };
        side_open(&s);
        side_there(&s);
        EDDY_CHECK(s.ended);
        EDDY_CHECK_EQ(frame % 16, 0);
        side_close(&s);
    }
}

#define DEPTH 64

struct chain {
    struct side side[DEPTH];
    size_t depth;
    unsigned changed;
};

/* Each opens the next on its own stack and comes back when that has ended. */
static void deeper(struct side *s)
{
    struct chain *chain = s->arg;
    struct holder h = { .rounds = 3, .seed = chain->depth };

    if (chain->depth < DEPTH) {
        struct side *next = &chain->side[chain->depth++];
        *next = (struct side){ .body = deeper, .arg = chain };
        side_open(next);
        side_there(next);
        chain->changed += !next->ended;
        side_close(next);
    } else {
        struct side last = { .body = holding, .arg = &h };
        side_open(&last);
        side_there(&last);
        chain->changed += hold(&last, side_there, h.rounds, 99);
        side_close(&last);
    }
    chain->changed += h.changed;
}

EDDY_TEST(sides_open_sides_to_any_depth)
{
    static struct chain chain;
    struct side first = { .body = deeper, .arg = &chain };

    memset(&chain, 0, sizeof chain);
    side_open(&first);
    side_there(&first);
    EDDY_CHECK(first.ended);
    EDDY_CHECK_EQ(chain.depth, DEPTH);
    EDDY_CHECK_EQ(chain.changed, 0);
    side_close(&first);
}

/* --- signals ------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t signals;

/* Leaves other values in every register and on the stack below. */
static void on_alarm(int signo)
{
    volatile char scratch[512];
    int saved = errno;

    for (size_t i = 0; i < sizeof scratch; i++)
        scratch[i] = (char)(i + (size_t)signo);
    thrown_away = one / three + (double)scratch[7];
    errno = EINTR;
    signals++;
    errno = saved;
}

static void storming(struct side *s)
{
    struct holder *h = s->arg;
    struct timespec now;

    while (signals < (sig_atomic_t)h->rounds) {
        h->changed += hold(s, side_back, 64, h->seed);
        /* ThreadSanitizer hands out signals in calls of the C library only, to each stack its own. */
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
}

static void storm(int flags)
{
    struct holder h = { .rounds = 200, .seed = 4711 };
    struct side s = { .body = storming, .arg = &h };
    struct itimerval often = { .it_interval.tv_usec = 100, .it_value.tv_usec = 100 };
    struct itimerval never = { .it_value.tv_usec = 0 };
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags }, before;
    struct timespec now;
    unsigned changed = 0;

    signals = 0;
    sigemptyset(&action.sa_mask);
    side_open(&s);
    EDDY_CHECK_EQ(sigaction(SIGALRM, &action, &before), 0);
    EDDY_CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    errno = EDOM;
    while (!s.ended) {
        changed += hold(&s, side_there, 1, 815);
        changed += errno != EDOM;
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    EDDY_CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    EDDY_CHECK_EQ(sigaction(SIGALRM, &before, NULL), 0);
    EDDY_CHECK_EQ(changed + h.changed, 0);
    side_close(&s);
}

EDDY_TEST(signals_on_the_running_stack_disturb_no_switch)
{
    storm(SA_RESTART);
}

EDDY_TEST(signals_on_a_stack_of_their_own_disturb_no_switch)
{
    stack_t own = { .ss_size = SIDE_STACK }, before;

    own.ss_sp = malloc(own.ss_size);
    EDDY_CHECK_EQ(sigaltstack(&own, &before), 0);
    storm(SA_RESTART | SA_ONSTACK);
    EDDY_CHECK_EQ(sigaltstack(&before, NULL), 0);
    free(own.ss_sp);
}
