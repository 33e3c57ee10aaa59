/*
 * base/fault.h - making things fail on purpose, for tests
 *
 * Three kinds of point: an allocation, a system call of the table, the result of an operation.
 * A test runs its scenario under `for (f = eddy_fault_each(kind); eddy_fault_next(&f);)`: the
 * first round is clean and counts the points passed; then each round makes point k fail, first
 * that one alone, then it and all after it. Costs one relaxed load while nothing is injected.
 * Of a run with more than a hundred points only so many are tried, unless EDDY_FAULTS=all.
 *
 * A failure that the code may shrug off is bracketed with EDDY_FAULT_BENIGN_BEGIN/END at its
 * place, with the reason beside it: inside, points are neither counted nor failed.
 */
#ifndef EDDY_BASE_FAULT_H
#define EDDY_BASE_FAULT_H

#include <eddy/common.h>

enum eddy_fault_kind { EDDY_FAULT_ALLOC, EDDY_FAULT_SYS, EDDY_FAULT_OP, EDDY_FAULT_KINDS };

struct eddy_fault {
    enum eddy_fault_kind kind;
    unsigned long points; /* counted in the clean round */
    unsigned long k;      /* the point that fails in this round; 0: the clean round */
    bool persistent;      /* k and all after it */
    bool started;
};

struct eddy_fault eddy_fault_each(enum eddy_fault_kind kind);

/* Step to the next round; false when every point has had its turn, with injection off. */
bool eddy_fault_next(struct eddy_fault *f);

/* Whether the point of this round was reached and failed. */
bool eddy_fault_fired(const struct eddy_fault *f);

/* Switch injection off in the middle of a round: what follows is clean-up. */
void eddy_fault_stop(void);

/* At a point: whether to fail now. Any thread. */
EDDY_PRIVATE extern bool eddy__fault_armed[EDDY_FAULT_KINDS];
EDDY_PRIVATE bool eddy__fault_hit(enum eddy_fault_kind kind);

static inline bool eddy_fault_here(enum eddy_fault_kind kind)
{
    return __builtin_expect(__atomic_load_n(&eddy__fault_armed[kind], __ATOMIC_RELAXED), 0) &&
           eddy__fault_hit(kind);
}

EDDY_PRIVATE extern _Thread_local int eddy__fault_benign;
#define EDDY_FAULT_BENIGN_BEGIN() ((void)eddy__fault_benign++)
#define EDDY_FAULT_BENIGN_END() ((void)eddy__fault_benign--)

#endif
