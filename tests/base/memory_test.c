/*
 * memory_test.c - the hook, the count, and allocations that fail
 */
#include "check.h"

#include "base/fault.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>

static size_t hook_bytes; /* what the hook believes is live: right only if sizes come back right */
static int hook_calls;

static void *counting(void *ctx, void *old, size_t old_size, size_t new_size)
{
    EDDY_CHECK(ctx == &hook_bytes);
    EDDY_CHECK(old || old_size == 0);
    hook_calls++;
    if (new_size == 0) {
        hook_bytes -= old_size;
        free(old);
        return NULL;
    }
    void *moved = realloc(old, new_size);
    hook_bytes += new_size - old_size;
    return moved;
}

EDDY_TEST(every_byte_goes_through_the_hook_with_its_size)
{
    if (!EDDY_CHECK_EQ(eddy_memory_hook(counting, &hook_bytes), 0))
        return;
    char *a = eddy__alloc(10);
    EDDY_CHECK_ERR(eddy_memory_hook(NULL, NULL), -EBUSY);
    a = eddy__resize(a, 10, 100);
    a = eddy__resize(a, 100, 5);
    char *b = eddy__zalloc(0), *c = eddy__strdup("text"), *d = eddy__foreign_malloc(3);
    d = eddy__foreign_realloc(d, 3000);
    char *e = eddy__foreign_realloc(NULL, 1);
    EDDY_CHECK_STR(c, "text");
    EDDY_CHECK_EQ(eddy__memory_live(), 5);
    EDDY_CHECK(hook_bytes >= 5 + 5 + 3000);
    EDDY_CHECK(eddy__resize(a, 5, 0) == NULL);
    eddy__free(b, 0);
    eddy__free(c, 5);
    eddy__foreign_free(d);
    eddy__foreign_free(e);
    eddy__foreign_free(NULL);
    eddy__free(NULL, 0);
    EDDY_CHECK_EQ(eddy__memory_live(), 0);
    EDDY_CHECK_EQ(hook_bytes, 0);
    int calls = hook_calls;
    EDDY_CHECK_EQ(eddy_memory_hook(NULL, NULL), 0);
    eddy__free(eddy__alloc(1), 1);
    EDDY_CHECK_EQ(hook_calls, calls);
}

EDDY_TEST(a_size_that_overflows_is_refused)
{
    EDDY_CHECK(eddy__foreign_malloc(SIZE_MAX) == NULL);
    void *p = eddy__foreign_malloc(1);
    EDDY_CHECK(eddy__foreign_realloc(p, SIZE_MAX) == NULL);
    eddy__foreign_free(p);
}

EDDY_TEST(a_failed_growth_leaves_the_old_memory_and_shrinking_never_fails)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        char *p = eddy__alloc(4);
        if (!p) {
            EDDY_CHECK(eddy_fault_fired(&f));
            continue;
        }
        memcpy(p, "abc", 4);
        char *grown = eddy__resize(p, 4, 5000);
        EDDY_CHECK_EQ(grown == NULL, eddy_fault_fired(&f));
        if (grown) {
            p = eddy__resize(grown, 5000, 4);
            EDDY_CHECK(p != NULL);
        }
        EDDY_CHECK_STR(p, "abc");
        eddy__free(p, 4);
    }
}

EDDY_TEST(faults_hit_each_point_alone_and_then_with_all_after_it)
{
    static const char *const want[] = { "+++", "-++", "---", "+-+", "+--", "++-", "++-" };
    size_t round = 0;

    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f); round++) {
        char got[4] = "";
        for (int i = 0; i < 3; i++) {
            void *p = eddy__alloc(1);
            got[i] = p ? '+' : '-';
            eddy__free(p, 1);
        }
        EDDY_CHECK_EQ(eddy_fault_fired(&f), round > 0);
        if (EDDY_CHECK(round < 7))
            EDDY_CHECK_STR(got, want[round]);
    }
    EDDY_CHECK_EQ(round, 7);
}

EDDY_TEST(benign_and_stopped_points_neither_count_nor_fail)
{
    int rounds = 0;

    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f); rounds++) {
        EDDY_FAULT_BENIGN_BEGIN();
        void *p = eddy__alloc(1);
        EDDY_FAULT_BENIGN_END();
        void *q = eddy__alloc(1);
        eddy_fault_stop();
        void *r = eddy__alloc(1);
        EDDY_CHECK(p && r);
        EDDY_CHECK_EQ(q == NULL, rounds > 0);
        eddy__free(p, 1);
        eddy__free(q, 1);
        eddy__free(r, 1);
    }
    EDDY_CHECK_EQ(rounds, 3);
}
