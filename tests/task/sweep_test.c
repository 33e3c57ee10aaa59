/*
 * The pool's sweep, by hand: what stays warm, what is returned, with how many calls, and every
 * refusal of the kernel.
 */
#include "check.h"

#include "base/sanitize.h"
#include "base/sys.h"
#include "task/guard.h"
#include "task/stack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

static struct eddy_stack_pool pool;
static unsigned long returns, unmaps; /* calls */
static size_t unmapped;               /* bytes */

static int count_madvise(void *addr, size_t len, int advice)
{
    returns += advice == MADV_DONTNEED;
    return eddy__sys_kernel.madvise(addr, len, advice);
}

static int count_munmap(void *addr, size_t len)
{
    unmaps++;
    unmapped += len;
    return eddy__sys_kernel.munmap(addr, len);
}

static void begin(size_t bound)
{
    eddy__sys.madvise = count_madvise;
    eddy__sys.munmap = count_munmap;
    eddy_guard_name(); /* probe now, not in the middle of what is counted */
    returns = unmaps = unmapped = 0;
    eddy_stack_pool_init(&pool, NULL, bound);
}

static void end(void)
{
    eddy_stack_pool_done(&pool);
    eddy__sys = eddy__sys_kernel;
    eddy_guard_forget();
}

static struct eddy_stack_class *standard(void)
{
    return &pool.classes[EDDY_STACK_DEFAULT];
}

/* How many are in a class's list. */
static size_t warm(const struct eddy_stack_class *c)
{
    size_t count = 0;

    for (const struct eddy_stack *s = c->warm; s; s = s->next)
        count++;
    return count;
}

/* @count at once, each used @depth bytes deep, then given back. */
static void burst(struct eddy_stack_class *c, size_t count, size_t depth)
{
    struct eddy_stack **taken = calloc(count, sizeof *taken);

    for (size_t i = 0; i < count; i++) {
        taken[i] = eddy_stack_take(&pool, c);
        if (!EDDY_CHECK(taken[i] != NULL))
            count = i;
        else
            memset((char *)taken[i] - depth, 1, depth);
    }
    for (size_t i = 0; i < count; i++)
        eddy_stack_give(&pool, taken[i]);
    free(taken);
}

/* How often it had to be called. */
static unsigned sweep_all(size_t budget)
{
    unsigned calls = 1;

    eddy_stack_sweep_begin(&pool);
    while (eddy_stack_sweep(&pool, budget))
        calls++;
    return calls;
}

/* What the kernel says is in memory of all stacks that are warm. */
static size_t in_memory(const struct eddy_stack *s)
{
    unsigned char pages[16384];
    size_t len = s->class->usable, count = 0;

    EDDY_CHECK_EQ(mincore(eddy_stack_low(s), len, pages), 0);
    for (size_t i = 0; i < len / 4096; i++)
        count += pages[i] & 1;
    return count * 4096;
}

static size_t warm_bytes(void)
{
    size_t bytes = 0;

    for (size_t i = 0; i < EDDY_STACK_CLASSES; i++)
        for (const struct eddy_stack *s = pool.classes[i].warm; s; s = s->next)
            bytes += in_memory(s);
    return bytes;
}

EDDY_TEST(sizes_are_rounded_up_to_classes)
{
    static const struct {
        size_t asked, least;
    } cases[] = {
        { 13 * KIB, 24 * KIB },
        { 24 * KIB, 24 * KIB },
        { 24 * KIB + 1, 48 * KIB },
        { 240 * KIB, 240 * KIB },
        { 240 * KIB + 1, 496 * KIB },
        { 496 * KIB + 1, MIB },
        { MIB, MIB },
        { MIB + 1, 2 * MIB },
        { 33 * MIB, 64 * MIB },
        { 64 * MIB, 64 * MIB },
    };

    begin(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_stack_class *c = eddy_stack_class_of(&pool, cases[i].asked);
        if (cases[i].asked >= pool.least)
            EDDY_CHECK_EQ(c->usable, cases[i].least);
        EDDY_CHECK(c->usable >= cases[i].asked && c->usable >= pool.least);
    }
    EDDY_CHECK(eddy_stack_class_of(&pool, 64 * MIB + 1) == NULL);
    EDDY_CHECK(eddy_stack_class_of(&pool, SIZE_MAX) == NULL);
    EDDY_CHECK(eddy_stack_class_of(&pool, 1)->usable >= (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096);
    EDDY_CHECK_EQ(standard()->usable, 240 * KIB);
    pool.least = 20000; /* a processor with large registers */
    EDDY_CHECK_EQ(eddy_stack_class_of(&pool, 1)->usable, 24 * KIB);
    end();
}

EDDY_TEST(what_is_not_measured_counts_whole)
{
    begin(0);
    burst(standard(), 10, 100);
    EDDY_CHECK_EQ(pool.bytes, 10 * 240 * KIB);
    sweep_all(1000);
    EDDY_CHECK_EQ(pool.bytes, 10 * 4 * KIB);
    EDDY_CHECK_EQ(pool.bytes, warm_bytes());
    struct eddy_stack *s = eddy_stack_take(&pool, standard());
    EDDY_CHECK_EQ(pool.bytes, 9 * 4 * KIB);
    eddy_stack_give(&pool, s);
    EDDY_CHECK_EQ(pool.bytes, 9 * 4 * KIB + 240 * KIB);
    end();
    EDDY_CHECK_EQ(pool.bytes, 0);
}

EDDY_TEST(deep_pages_of_a_stack_are_returned)
{
    begin(0);
    burst(standard(), 3, 200 * KIB);
    burst(&pool.classes[EDDY_STACK_CLASSES - 1], 1, 20 * MIB);
    EDDY_CHECK(warm_bytes() > 20 * MIB + 600 * KIB);
    sweep_all(1000);
    EDDY_CHECK_EQ(warm_bytes(), 4 * EDDY_STACK_KEEP);
    EDDY_CHECK_EQ(pool.bytes, 4 * EDDY_STACK_KEEP);
    EDDY_CHECK_EQ(returns, 4);
    end();
}

EDDY_TEST(a_stack_that_was_not_used_again_is_not_measured_again)
{
    begin(0);
    burst(standard(), 8, 4000);
    sweep_all(1000);
    eddy__sys.mincore = NULL; /* a call would be a crash */
    sweep_all(1000);
    EDDY_CHECK_EQ(warm(standard()), 8);
    end();
}

static unsigned long asked;

static int count_mincore(void *addr, size_t len, unsigned char *ret_pages)
{
    asked++;
    return eddy__sys_kernel.mincore(addr, len, ret_pages);
}

EDDY_TEST(what_goes_anyhow_is_not_measured)
{
    begin(4 * 100 * KIB);
    burst(standard(), 1000, 100);
    asked = 0;
    eddy__sys.mincore = count_mincore;
    sweep_all(512);
    EDDY_CHECK_EQ(warm(standard()), 75);
    EDDY_CHECK_EQ(asked, 75);
    end();
}

EDDY_TEST(a_burst_is_returned_to_the_bound_with_few_calls)
{
    const size_t count = 4000, bound = 4 * MIB;

    begin(bound);
    burst(standard(), count, 5000); /* two pages each */
    EDDY_CHECK_EQ(warm_bytes(), count * 8 * KIB);
    sweep_all(512);
    EDDY_CHECK_EQ(warm_bytes(), pool.bytes);
    EDDY_CHECK(pool.bytes <= bound - bound / 4);
    EDDY_CHECK(pool.bytes > bound / 2); /* and not more than needed */
    EDDY_CHECK_EQ(pool.trimmed, count - warm(standard()));
    /* By runs of up to 64, or whole chunks. */
    EDDY_CHECK(returns + unmaps <= count / 32);
    EDDY_CHECK(unmaps > 0);
    EDDY_CHECK_EQ(standard()->used, warm(standard()) + standard()->cold);
    EDDY_CHECK_EQ(standard()->cooling, 0);

    /* They can be had again: cold ones, and new chunks. */
    burst(standard(), count, 5000);
    EDDY_CHECK_EQ(warm(standard()), count);
    EDDY_CHECK_EQ(standard()->cold, 0);
    sweep_all(512);
    EDDY_CHECK(pool.bytes <= bound - bound / 4);
    end();
}

EDDY_TEST(chunks_that_are_empty_are_unmapped)
{
    begin(1); /* nothing stays */
    burst(standard(), 1000, 100);
    sweep_all(512);
    EDDY_CHECK_EQ(standard()->slots, 0);
    EDDY_CHECK(standard()->chunks == NULL);
    EDDY_CHECK_EQ(pool.bytes, 0);
    EDDY_CHECK(unmapped >= 1000 * 256 * KIB);
    EDDY_CHECK_EQ(returns, 0);
    burst(standard(), 1, 100);
    EDDY_CHECK_EQ(standard()->slots, 16); /* from the start again */
    end();
}

EDDY_TEST(a_chunk_with_one_live_stack_stays)
{
    struct eddy_stack *s;

    begin(1);
    s = eddy_stack_take(&pool, standard());
    memset((char *)s - 50000, 7, 50000);
    burst(standard(), 100, 100);
    sweep_all(512);
    EDDY_CHECK_EQ(standard()->slots, 16);
    EDDY_CHECK_EQ(standard()->cold, 15);
    for (size_t i = 1; i <= 50000; i++)
        if (((char *)s)[-(ptrdiff_t)i] != 7) {
            EDDY_CHECK_FAIL("byte %zu of a live stack was lost", i);
            break;
        }
    eddy_stack_give(&pool, s);
    sweep_all(512);
    EDDY_CHECK_EQ(standard()->slots, 0);
    end();
}

EDDY_TEST(a_piece_of_a_sweep_is_bounded)
{
    begin(1 * MIB);
    burst(standard(), 2000, 100);
    unsigned pieces = sweep_all(50);
    EDDY_CHECK(pieces >= 2000 / 50);
    EDDY_CHECK(pieces <= 4 * 2000 / 50);
    end();
}

EDDY_TEST(stacks_are_taken_while_a_sweep_goes_on)
{
    struct eddy_stack *taken[600];

    begin(256 * KIB);
    burst(standard(), 600, 100);
    eddy_stack_sweep_begin(&pool);
    for (size_t i = 0; i < 600; i++) {
        if (!pool.sweeping)
            eddy_stack_sweep_begin(&pool);
        if (i % 10 == 0)
            eddy_stack_sweep(&pool, 7);
        taken[i] = eddy_stack_take(&pool, standard());
        if (!EDDY_CHECK(taken[i] != NULL))
            return;
        memset((char *)taken[i] - 200, (int)i, 200);
    }
    while (pool.sweeping)
        eddy_stack_sweep(&pool, 7);
    EDDY_CHECK_EQ(standard()->live, 600);
    EDDY_CHECK_EQ(pool.bytes, warm_bytes());
    for (size_t i = 0; i < 600; i++) {
        EDDY_CHECK_EQ(((unsigned char *)taken[i])[-1], (unsigned char)i);
        EDDY_CHECK_EQ(((unsigned char *)taken[i])[-200], (unsigned char)i);
        eddy_stack_give(&pool, taken[i]);
    }
    EDDY_CHECK_EQ(warm(standard()) + standard()->cold + standard()->cooling, standard()->used);
    end();
}

static bool kernel_reads(const char *at)
{
    int fd[2];

    if (!EDDY_CHECK_EQ(pipe(fd), 0))
        return false;
    ssize_t r = write(fd[1], at, 1);
    close(fd[0]);
    close(fd[1]);
    return r == 1;
}

static int without_install(void *addr, size_t len, int advice)
{
    return advice == 102 ? -EINVAL : count_madvise(addr, len, advice);
}

static void check_guards_after_a_sweep(void)
{
    struct eddy_stack *live = eddy_stack_take(&pool, standard()), *taken[15];

    burst(standard(), 15, 100); /* with the live one, all of a chunk */
    sweep_all(512);
    EDDY_CHECK_EQ(standard()->cold, 15);
    for (int i = 0; i < 15; i++) {
        taken[i] = eddy_stack_take(&pool, standard());
        for (size_t page = 0; page < standard()->guard; page += 4096)
            EDDY_CHECK(!kernel_reads(eddy_stack_low(taken[i]) - standard()->guard + page));
        EDDY_CHECK(kernel_reads(eddy_stack_low(taken[i])));
    }
    for (int i = 0; i < 15; i++)
        eddy_stack_give(&pool, taken[i]);
    eddy_stack_give(&pool, live);
    end();
}

EDDY_TEST(guards_outlive_a_sweep)
{
    begin(1);
    check_guards_after_a_sweep();
}

EDDY_TEST(guards_by_mprotect_outlive_a_sweep)
{
    begin(1);
    eddy__sys.madvise = without_install;
    eddy_guard_forget();
    EDDY_CHECK_STR(eddy_guard_name(), "mprotect");
    check_guards_after_a_sweep();
}

/* --- what the kernel may refuse ---------------------------------------------------------------------- */

static int refuse_to_take_back(void *addr, size_t len, int advice)
{
    return advice == MADV_DONTNEED ? -EINVAL : eddy__sys_kernel.madvise(addr, len, advice);
}

static int refuse_all_advice(void *addr, size_t len, int advice)
{
    (void)addr, (void)len, (void)advice;
    return -ENOSYS;
}

static int refuse_munmap(void *addr, size_t len)
{
    (void)addr, (void)len;
    return -ENOMEM;
}

static int refuse_mincore(void *addr, size_t len, unsigned char *ret_pages)
{
    (void)addr, (void)len, (void)ret_pages;
    return -EPERM;
}

static int refuse_name(void *addr, size_t len, const char *name)
{
    (void)addr, (void)len, (void)name;
    return -EINVAL;
}

static void *refuse_mmap(size_t len)
{
    (void)len;
    return NULL;
}

/* Locked memory: it stays in the pool, over the bound, and nobody tries again. */
EDDY_TEST(memory_that_is_not_taken_back_stays_in_the_pool)
{
    struct eddy_stack *live;

    begin(1);
    live = eddy_stack_take(&pool, standard());
    burst(standard(), 15, 100 * KIB);
    eddy__sys.madvise = refuse_to_take_back;
    sweep_all(512);
    EDDY_CHECK(pool.stuck);
    EDDY_CHECK_EQ(warm(standard()), 15);
    EDDY_CHECK_EQ(standard()->cold + standard()->cooling, 0);
    EDDY_CHECK_EQ(pool.trimmed, 0);
    sweep_all(512);
    EDDY_CHECK_EQ(warm(standard()), 15);
    burst(standard(), 15, 100 * KIB);
    eddy_stack_give(&pool, live);
    end();
}

EDDY_TEST(a_run_that_is_not_taken_back_stays_in_the_pool)
{
    struct eddy_stack *live;

    begin(1);
    live = eddy_stack_take(&pool, standard());
    burst(standard(), 15, 100); /* nothing deep: the first refusal is that of the run */
    eddy__sys.madvise = refuse_to_take_back;
    sweep_all(512);
    EDDY_CHECK(pool.stuck);
    EDDY_CHECK_EQ(warm(standard()), 15);
    EDDY_CHECK_EQ(pool.bytes, 15 * 240 * KIB);
    EDDY_CHECK_EQ(standard()->cooling, 0);
    eddy_stack_give(&pool, live);
    end();
}

/* What a sweep has in its hands is as good as a warm one, before it is looked at and after. */
EDDY_TEST(a_task_takes_what_a_sweep_has_in_its_hands)
{
    struct eddy_stack *live, *next[2];

    begin(1);
    live = eddy_stack_take(&pool, standard());
    burst(standard(), 15, 100);
    eddy_stack_sweep_begin(&pool);
    for (int i = 0; i < 15; i++)
        eddy_stack_sweep(&pool, 1); /* sorts */
    EDDY_CHECK_EQ(standard()->idle, 15);
    next[0] = eddy_stack_take(&pool, standard());
    for (int i = 0; i < 14; i++)
        eddy_stack_sweep(&pool, 1); /* chooses */
    EDDY_CHECK_EQ(standard()->cooling, 14);
    next[1] = eddy_stack_take(&pool, standard());
    for (int i = 0; i < 2; i++)
        EDDY_CHECK(next[i] != NULL && ((char *)next[i])[-100] == 1); /* as it was given back */
    EDDY_CHECK_EQ(standard()->slots, 16);
    EDDY_CHECK_EQ(pool.bytes, 13 * 240 * KIB);
    while (eddy_stack_sweep(&pool, 512))
        ;
    EDDY_CHECK_EQ(standard()->cold, 13);
    EDDY_CHECK_EQ(pool.bytes, 0);
    for (int i = 0; i < 2; i++)
        eddy_stack_give(&pool, next[i]);
    eddy_stack_give(&pool, live);
    end();
}

EDDY_TEST(a_chunk_that_cannot_be_unmapped_is_emptied)
{
    begin(1);
    burst(standard(), 100, 100);
    eddy__sys.munmap = refuse_munmap;
    sweep_all(512);
    EDDY_CHECK_EQ(standard()->cold, 100);
    EDDY_CHECK(returns > 0);
    burst(standard(), 100, 100);
    EDDY_CHECK_EQ(warm(standard()), 100);
    eddy__sys.munmap = count_munmap;
    sweep_all(512);
    EDDY_CHECK_EQ(standard()->slots, 0);
    end();
}

EDDY_TEST(without_mincore_what_is_deep_goes_all_the_same)
{
    begin(0);
    burst(standard(), 3, 200 * KIB);
    eddy__sys.mincore = refuse_mincore;
    sweep_all(512);
    EDDY_CHECK_EQ(warm_bytes(), 3 * EDDY_STACK_KEEP);
    EDDY_CHECK_EQ(pool.bytes, 3 * EDDY_STACK_KEEP);
    end();
}

EDDY_TEST(a_mapping_without_name_or_advice_is_as_good)
{
    begin(0);
    eddy__sys.name_memory = refuse_name;
    eddy__sys.madvise = refuse_all_advice;
    eddy_guard_forget();
    burst(standard(), 20, 100);
    EDDY_CHECK_EQ(warm(standard()), 20);
    EDDY_CHECK_STR(eddy_guard_name(), "mprotect");
    end();
}

EDDY_TEST(no_address_space_is_no_stack)
{
    begin(0);
    eddy__sys.mmap = refuse_mmap;
    for (size_t i = 0; i < EDDY_STACK_CLASSES; i++)
        EDDY_CHECK(eddy_stack_take(&pool, &pool.classes[i]) == NULL);
    EDDY_CHECK_EQ(standard()->slots, 0);
    eddy__sys.mmap = eddy__sys_kernel.mmap;
    burst(standard(), 1, 100);
    end();
}

EDDY_TEST(every_failed_allocation_is_no_stack)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        begin(0);
        struct eddy_stack *s = eddy_stack_take(&pool, standard());
        EDDY_CHECK_EQ(s == NULL, eddy_fault_fired(&f));
        eddy_fault_stop();
        if (s)
            eddy_stack_give(&pool, s);
        end();
    }
}
