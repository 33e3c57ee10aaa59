/* arena_test.c - the arena */
#include "check.h"

#include "base/fault.h"
#include "base/memory.h"

#include <eddy/arena.h>

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

EDDY_TEST(allocations_are_aligned_and_do_not_overlap)
{
    enum { COUNT = 500 };
    static unsigned char *ptr[COUNT];
    static size_t len[COUNT];
    struct eddy_arena a = EDDY_ARENA(10 << 20);

    for (int i = 0; i < COUNT; i++) {
        len[i] = (size_t)(i * 37 % 300) + (i % 50 == 0 ? 20000 : 0);
        if (i % 3 == 0)
            EDDY_CHECK_STR(eddy_arena_copy(&a, "odd", 3), "odd");
        ptr[i] = eddy_arena_alloc(&a, len[i]);
        if (!EDDY_CHECK(ptr[i] != NULL))
            break;
        EDDY_CHECK_EQ((uintptr_t)ptr[i] % alignof(max_align_t), 0);
        if (len[i])
            memset(ptr[i], i & 0xff, len[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t k = 0; k < len[i]; k++)
            if (ptr[i][k] != (i & 0xff)) {
                EDDY_CHECK_FAIL("allocation %d was overwritten", i);
                k = len[i];
            }
    eddy_arena_done(&a);
    eddy_arena_done(&a);
}

EDDY_TEST(the_borrowed_bytes_are_used_first_and_are_not_freed)
{
    alignas(max_align_t) char first[256];
    struct eddy_arena a;

    eddy_arena_init(&a, first, sizeof first, 4096);
    size_t live = eddy__memory_live();
    char *p = eddy_arena_alloc(&a, 200);
    EDDY_CHECK(p >= first && p < first + sizeof first);
    EDDY_CHECK_EQ(eddy__memory_live(), live);
    EDDY_CHECK_EQ(a.used, 0);
    char *q = eddy_arena_alloc(&a, 200);
    EDDY_CHECK(q && (q < first || q >= first + sizeof first));
    EDDY_CHECK_EQ(eddy__memory_live(), live + 1);
    eddy_arena_done(&a);
}

EDDY_TEST(a_rest_too_short_to_be_aligned_is_not_used)
{
    alignas(max_align_t) char first[60];
    struct eddy_arena a;

    memset(first, 'x', sizeof first);
    eddy_arena_init(&a, first, sizeof first, 4096);
    EDDY_CHECK(eddy_arena_copy(&a, first, 49) == first); /* 10 bytes left, 14 to the next place */
    char *p = eddy_arena_alloc(&a, 16);
    EDDY_CHECK(p && (p < first || p >= first + sizeof first));
    eddy_arena_done(&a);
}

EDDY_TEST(the_maximum_bounds_what_is_allocated)
{
    struct eddy_arena a = EDDY_ARENA(5000);
    size_t got = 0;

    while (eddy_arena_alloc(&a, 100))
        got += 100;
    EDDY_CHECK(got > 4000 && got <= 5000);
    while (eddy_arena_alloc(&a, 1))
        ;
    EDDY_CHECK(a.used <= 5000);
    EDDY_CHECK(eddy_arena_alloc(&a, 4096) == NULL);
    EDDY_CHECK(eddy_arena_alloc(&a, SIZE_MAX) == NULL);
    EDDY_CHECK(eddy_arena_copy(&a, "", SIZE_MAX) == NULL);
    EDDY_CHECK(eddy_arena_printf(&a, "%6000d", 1) == NULL);
    eddy_arena_done(&a);
    EDDY_CHECK(eddy_arena_alloc(&a, 100) != NULL); /* usable again, with the same maximum */
    EDDY_CHECK_EQ(a.max, 5000);
    eddy_arena_done(&a);
}

EDDY_TEST(texts_are_whole_wherever_the_block_ends)
{
    struct eddy_arena a = EDDY_ARENA(1 << 20);
    char want[64];

    for (int i = 0; i < 2000; i++) {
        int width = i % 40 + 6;
        snprintf(want, sizeof want, "%0*d", width, i);
        if (!EDDY_CHECK_STR(eddy_arena_printf(&a, "%0*d", width, i), want))
            break;
    }
    EDDY_CHECK_STR(eddy_arena_copy(&a, NULL, 0), "");
    eddy_arena_done(&a);
}

EDDY_TEST(a_failed_allocation_is_null_and_the_arena_goes_on)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_arena a = EDDY_ARENA(1 << 20);
        int missed = 0;

        missed += !eddy_arena_alloc(&a, 100);
        missed += !eddy_arena_alloc(&a, 100000);
        missed += !eddy_arena_printf(&a, "%5000d", 1);
        EDDY_CHECK_EQ(missed > 0, eddy_fault_fired(&f));
        eddy_fault_stop();
        EDDY_CHECK(eddy_arena_alloc(&a, 10) != NULL);
        eddy_arena_done(&a);
    }
}
