/*
 * base/fault.c - which point fails in which round
 *
 * One kind is armed at a time, by one test. Points may be passed on any thread: the counter is
 * atomic, and a point belongs to the round whose number it drew. Without EDDY_FAULTS=all a run
 * with many points tries SAMPLE of them, evenly spread; `make check` asks for all.
 */
#include "base/fault.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE 100

bool eddy__fault_armed[EDDY_FAULT_KINDS];
_Thread_local int eddy__fault_benign;

static unsigned long passed; /* points of this round so far */
static unsigned long chosen; /* the one that fails; 0: none */
static bool and_after;
static unsigned long fired;

static void arm(enum eddy_fault_kind kind, bool on)
{
    __atomic_store_n(&eddy__fault_armed[kind], on, __ATOMIC_SEQ_CST);
}

struct eddy_fault eddy_fault_each(enum eddy_fault_kind kind)
{
    assert(kind < EDDY_FAULT_KINDS);
    return (struct eddy_fault){ .kind = kind };
}

/* How far apart the tried points are. */
static unsigned long stride(const struct eddy_fault *f)
{
    const char *faults = getenv("EDDY_FAULTS");

    if ((faults && strcmp(faults, "all") == 0) || f->points <= SAMPLE)
        return 1;
    return (f->points + SAMPLE - 1) / SAMPLE;
}

bool eddy_fault_next(struct eddy_fault *f)
{
    arm(f->kind, false);
    if (!f->started) {
        f->started = true;
    } else if (f->k == 0) {
        f->points = __atomic_load_n(&passed, __ATOMIC_RELAXED);
        f->k = 1;
    } else if (!f->persistent) {
        f->persistent = true;
    } else {
        f->persistent = false;
        f->k += stride(f);
    }
    if (f->k > f->points)
        return false;

    __atomic_store_n(&passed, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&fired, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&chosen, f->k, __ATOMIC_RELAXED);
    __atomic_store_n(&and_after, f->persistent, __ATOMIC_RELAXED);
    arm(f->kind, true);
    return true;
}

bool eddy_fault_fired(const struct eddy_fault *f)
{
    return f->k != 0 && __atomic_load_n(&fired, __ATOMIC_RELAXED) != 0;
}

void eddy_fault_stop(void)
{
    for (int kind = 0; kind < EDDY_FAULT_KINDS; kind++)
        arm((enum eddy_fault_kind)kind, false);
}

bool eddy__fault_hit(enum eddy_fault_kind kind)
{
    assert(kind < EDDY_FAULT_KINDS);
    if (eddy__fault_benign > 0)
        return false;

    unsigned long k = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    unsigned long n = __atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED);
    bool fail = k != 0 && (n == k || (n > k && __atomic_load_n(&and_after, __ATOMIC_RELAXED)));

    if (fail)
        __atomic_store_n(&fired, 1, __ATOMIC_RELAXED);
    return fail;
}
