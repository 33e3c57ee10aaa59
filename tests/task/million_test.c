/*
 * A million tasks asleep under the system's own bound of mappings; and, where guards cost mappings,
 * as many as may be guarded, the others with a canary.
 *
 * alone: yes
 * timeout: 300
 */
#include "check.h"

#include "base/sanitize.h"
#include "base/sys.h"
#include "task/guard.h"

#include <eddy/loop.h>
#include <eddy/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a sleeping task: a page, its share of the page tables, and something over. */
#define KIB_EACH 6

struct dreamer_args {
    long *born;
};

static int dreamer(struct dreamer_args *a)
{
    ++*a->born;
    return eddy_sleep(INT64_C(3600000));
}
EDDY_TASK(dreamer);

static long available_kib(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[256];
    long kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtol(line + 13, NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static int mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    int lines = 0, c;

    while (f && (c = fgetc(f)) != EOF)
        lines += c == '\n';
    if (f)
        (void)fclose(f);
    return lines;
}

/* Lets @count tasks sleep, and tells what is then. */
static int live_through(long count, struct eddy_stack_info *ret_info)
{
    long born = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (long i = 0; i < count; i++) {
        if (!EDDY_CHECK_EQ(EDDY_GO(&s, dreamer, .born = &born), 0))
            break;
        if (i % 10000 == 0)
            eddy_yield();
    }
    eddy_yield();
    EDDY_CHECK_EQ(born, count);
    *ret_info = (struct eddy_stack_info){ .size = sizeof *ret_info };
    eddy_stack_info(ret_info);
    return mappings();
}

/* As many as memory allows, or 0 with the reason said. */
static long as_many_as(long wanted)
{
#if defined(EDDY_ASAN) || defined(EDDY_TSAN)
    EDDY_CHECK_NOT_RUN("a sanitizer's memory for so many stacks");
    return 0;
#endif
    long fit = available_kib() / 2 / KIB_EACH;

    if (fit >= wanted)
        return wanted;
    if (fit < 50000) {
        EDDY_CHECK_NOT_RUN("too little memory for even 50 000 tasks");
        return 0;
    }
    printf("only %ld tasks instead of %ld: half of the memory available does not hold more\n", fit,
           wanted);
    return fit;
}

EDDY_TEST(a_million_tasks_need_few_mappings)
{
    struct eddy_stack_info info;
    int before = mappings();

    if (strcmp(eddy_guard_name(), "madvise") != 0) {
        EDDY_CHECK_NOT_RUN("no MADV_GUARD_INSTALL in this kernel");
        return;
    }
    long count = as_many_as(1000000);
    if (!count)
        return;
    int during = live_through(count, &info);
    EDDY_CHECK_EQ(info.live, count);
    EDDY_CHECK_EQ(info.unguarded, 0);
    EDDY_CHECK(during - before <= 600); /* chunks, when the kernel merges none */
    printf("%ld tasks asleep: %d mappings more, guards by %s\n", count, during - before,
           info.guard);
    fflush(stdout);

    /* And it is not paid for for ever. */
    for (int i = 0; i < 3000; i++) {
        eddy_stack_info(&info);
        if (info.pooled_bytes <= info.pool_limit)
            break;
        eddy_sleep(20);
    }
    EDDY_CHECK(info.pooled_bytes <= info.pool_limit);
}

static int refuse_guard(void *addr, size_t len, int advice)
{
    return advice == 102 ? -EINVAL : eddy__sys_kernel.madvise(addr, len, advice);
}

EDDY_TEST(guards_by_mprotect_leave_half_of_the_mappings)
{
    struct eddy_stack_info info;
    int max = eddy__sys.mappings_max();
    long count = max > 0 && max < 200000 ? as_many_as(max) : 0;

    if (!count) {
        EDDY_CHECK_NOT_RUN("another bound of mappings than usual, or too little memory");
        return;
    }
    eddy__sys.madvise = refuse_guard;
    eddy_guard_forget();
    EDDY_CHECK_STR(eddy_guard_name(), "mprotect");
    int before = mappings();
    int during = live_through(count, &info);
    EDDY_CHECK_EQ(info.live, count);
    EDDY_CHECK(during - before <= max / 2 + 600);
    EDDY_CHECK(during - before >= max / 4);
    EDDY_CHECK_EQ(info.unguarded, count - max / 4);
    EDDY_CHECK_STR(info.guard, "canary");
    printf("%ld tasks without MADV_GUARD_INSTALL: %d mappings more of %d\n", count, during - before,
           max);
    fflush(stdout);
    eddy__sys.madvise = eddy__sys_kernel.madvise;
    eddy_guard_forget();
}
