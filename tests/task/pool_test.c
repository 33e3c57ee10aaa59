/*
 * Sizes that a spawn asks for, and a pool that forgets a burst.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "base/sanitize.h"
#include "base/sys.h"
#include "task/task.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* ThreadSanitizer's fibers are few. */
#ifdef EDDY_TSAN
#define MANY 2000
#else
#define MANY 20000
#endif

static struct eddy_loop *loop;

static bool with_loop(size_t pool_bytes)
{
    return EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .stack_pool_bytes = pool_bytes), &loop), 0);
}

void eddy_check_teardown(void)
{
    eddy_loop_free(loop);
    loop = NULL;
}

static struct eddy_stack_info info(void)
{
    struct eddy_stack_info i = { .size = sizeof i };

    eddy_stack_info(&i);
    return i;
}

static int use_stack(size_t bytes)
{
    volatile char page[1024];

    memset((void *)(uintptr_t)page, 1, sizeof page);
    return bytes <= sizeof page ? page[0] : page[0] + use_stack(bytes - sizeof page);
}

struct deep_args {
    size_t bytes;
    int *sum;
};

static int deep(struct deep_args *a)
{
    *a->sum += use_stack(a->bytes);
    return 0;
}
EDDY_TASK(deep);

EDDY_TEST(a_task_has_the_stack_it_asked_for)
{
    /* What it may use: frames are larger than what they hold, and other calls need some. */
    static const size_t sizes[] = { 48 * KIB, 112 * KIB, 240 * KIB, MIB, 4 * MIB, 64 * MIB };

    if (!with_loop(0))
        return;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t bytes = sizes[i] / 2;
        int sum = 0;
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_CHECK_EQ(EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = sizes[i]), deep, .bytes = bytes,
                                   .sum = &sum),
                      0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(sum, bytes / 1024);
    }
}

struct print_args {
    char *text;
};

static int print(struct print_args *a)
{
    return snprintf(a->text, 32, "%s %d", "number", 7) < 0;
}
EDDY_TASK(print);

EDDY_TEST(the_smallest_stack_prints_a_number)
{
    char text[32] = "";
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 1), print, .text = text);
    EDDY_CHECK(info().live_bytes >= (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(text, "number 7");
}

EDDY_TEST(more_than_64_mib_is_einval)
{
    int sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_ERR(
        EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 64 * MIB + 1), deep, .bytes = 1, .sum = &sum),
        -EINVAL);
    EDDY_CHECK_ERR(eddy_join(&s), -EINVAL);
    EDDY_CHECK_EQ(sum, 0);
}

EDDY_TEST(options_of_an_older_program_ask_for_no_size)
{
    struct eddy_go_options old = { .size = offsetof(struct eddy_go_options, stack_bytes),
                                   .stack_bytes = SIZE_MAX };
    int sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(EDDY_GO_WITH(&s, &old, deep, .bytes = 1, .sum = &sum), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sum, 1);
}

EDDY_TEST(each_size_has_its_own_pool)
{
    int sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 100 * KIB), deep, .bytes = 1, .sum = &sum);
    EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 2 * MIB), deep, .bytes = 1, .sum = &sum);
    EDDY_GO(&s, deep, .bytes = 1, .sum = &sum);
    struct eddy_stack_info during = info();
    EDDY_CHECK_EQ(during.live, 3);
    EDDY_CHECK_EQ(during.live_bytes, 112 * KIB + 2 * MIB + 240 * KIB);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    struct eddy_stack_info after = info();
    EDDY_CHECK_EQ(after.live, 0);
    EDDY_CHECK_EQ(after.pooled, 3);
    EDDY_CHECK_EQ(after.pooled_bytes, during.live_bytes); /* not measured */
    for (size_t i = 0; i < after.class_count; i++) {
        size_t usable = after.classes[i].usable;
        bool used = usable == 112 * KIB || usable == 240 * KIB || usable == 2 * MIB;
        EDDY_CHECK_EQ(after.classes[i].pooled, used ? 1 : 0);
    }
}

EDDY_TEST(stack_info_fills_what_the_caller_has_room_for)
{
    struct eddy_stack_info small;

    memset(&small, 0x5a, sizeof small);
    small.size = offsetof(struct eddy_stack_info, live);
    eddy_stack_info(&small);
    EDDY_CHECK_EQ(small.usable, 240 * KIB);
    EDDY_CHECK_EQ(small.size, offsetof(struct eddy_stack_info, live));
    EDDY_CHECK_EQ((uint8_t)small.live, 0x5a);
    EDDY_CHECK_EQ(info().pool_limit, 64 * MIB);
}

/* --- a burst ------------------------------------------------------------------------------------------- */

struct sleeper_args {
    int64_t ms;
};

static int sleeper(struct sleeper_args *a)
{
    return eddy_sleep(a->ms);
}
EDDY_TASK(sleeper);

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;

    if (f && fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (f)
        (void)fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static size_t most_returned; /* by one call, in bytes */
static unsigned long calls;

static int count_madvise(void *addr, size_t len, int advice)
{
    if (advice == 4) {
        calls++;
        if (len > most_returned)
            most_returned = len;
    }
    return eddy__sys_kernel.madvise(addr, len, advice);
}

static void burst(size_t count)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (size_t i = 0; i < count; i++)
        EDDY_GO(&s, sleeper, .ms = 1);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

static void await_the_bound(void)
{
    for (int i = 0; i < 1000 && info().pooled_bytes > info().pool_limit; i++)
        eddy_sleep(20);
}

EDDY_TEST(a_burst_is_not_paid_for_for_ever)
{
    if (!with_loop((size_t)MANY * 400))
        return;
    burst(10); /* what the loop and the tests need */
    long before = resident_kib();
    eddy__sys.madvise = count_madvise;
    most_returned = calls = 0;
    burst(MANY);
    long peak = resident_kib();
    EDDY_CHECK(peak - before >= (long)MANY * 3); /* a page each; the kernel counts roughly */
    EDDY_CHECK(info().pooled + info().cold == MANY);
    await_the_bound();
    struct eddy_stack_info after = info();
    EDDY_CHECK(after.pooled_bytes <= (size_t)MANY * 400);
    EDDY_CHECK(after.trimmed >= (uint64_t)MANY / 2);
    /* Neighbours together, if neighbours end together: in the simulator they end in any order ... */
    EDDY_CHECK(calls > 0 && (calls <= MANY / 16 || strcmp(eddy_check_backend(), "sim") == 0));
    EDDY_CHECK(most_returned <= 64 * 256 * KIB); /* ... within a bound */
#if !defined(EDDY_ASAN) && !defined(EDDY_TSAN)
    /* The records of timers and chunks may stay; the stacks do not. */
    EDDY_CHECK(resident_kib() - before <= 16 * 1024);
#endif
    burst(MANY); /* and they are there again */
    eddy__sys.madvise = eddy__sys_kernel.madvise;
}

EDDY_TEST(a_sweep_lets_others_run)
{
    uint64_t most = 0, pieces = 0;

    if (!with_loop(MIB))
        return;
    burst(MANY);
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    for (int i = 0; i < 100 && !room->stacks.sweeping; i++)
        eddy_loop_turn(loop, 1000);
    while (room->stacks.sweeping) {
        uint64_t trimmed = info().trimmed;
        eddy_loop_turn(loop, -1); /* does not sleep */
        pieces++;
        if (info().trimmed - trimmed > most)
            most = info().trimmed - trimmed;
    }
    EDDY_CHECK(pieces >= MANY / 512);
    EDDY_CHECK(most <= 4096 + 512); /* a chunk, and what is left of the piece */
}

EDDY_TEST(few_stacks_make_no_timer)
{
    struct eddy_loop_info i;

    if (!with_loop(0))
        return;
    burst(60);
    eddy_loop_info(loop, &i);
    EDDY_CHECK_EQ(i.timers, 0);
    burst(200);
    eddy_loop_info(loop, &i);
    EDDY_CHECK_EQ(i.timers, 1);
    while (i.timers) {
        eddy_loop_turn(loop, 100);
        eddy_loop_info(loop, &i);
    }
    EDDY_CHECK(info().pooled_bytes < 200 * 32 * KIB);
}

EDDY_TEST(a_pool_that_ends_leaves_no_timer)
{
    struct eddy_stack_pool pool;

    if (!with_loop(0))
        return;
    size_t before = loop->wheel.count;
    eddy_stack_pool_init(&pool, loop, 1);
    eddy_stack_give(&pool, eddy_stack_take(&pool, &pool.classes[0]));
    EDDY_CHECK_EQ(loop->wheel.count, before + 1);
    eddy_stack_pool_done(&pool);
    EDDY_CHECK_EQ(loop->wheel.count, before);
}

EDDY_TEST(a_loop_ends_in_the_middle_of_a_sweep)
{
    if (!with_loop(MIB))
        return;
    burst(3000);
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    for (int i = 0; i < 1000 && !room->stacks.sweeping; i++)
        eddy_loop_turn(loop, 10);
    EDDY_CHECK(room->stacks.sweeping);
}

static int refuse_mmap_calls;
static void *refuse_mmap(size_t len)
{
    (void)len;
    refuse_mmap_calls++;
    return NULL;
}

EDDY_TEST(no_address_space_is_enomem)
{
    int sum = 0;

    if (!with_loop(0))
        return;
    EDDY_SCOPE(s, .timeout_ms = 0);
    eddy__sys.mmap = refuse_mmap;
    EDDY_CHECK_ERR(
        EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 64 * MIB), deep, .bytes = 1, .sum = &sum),
        -ENOMEM);
    eddy__sys.mmap = eddy__sys_kernel.mmap;
    EDDY_CHECK_EQ(refuse_mmap_calls, 1);
    EDDY_CHECK_ERR(eddy_join(&s), -ENOMEM);
}
