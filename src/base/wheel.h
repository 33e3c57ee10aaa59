/*
 * base/wheel.h - timers: a hierarchical wheel of 1 ms ticks
 *
 * Arm and cancel are O(1); a timer never fires early, and at most a tick late; timers of one
 * deadline fire in the order they were armed; the next deadline is found exactly, not by
 * waking at every cascade. The wheel knows no clock: the caller says what time it is.
 *
 * Times are nanoseconds on the caller's monotonic clock. A deadline in the past fires at the
 * next eddy_wheel_expire(). INT64_MAX means never and may not be armed.
 */
#ifndef EDDY_BASE_WHEEL_H
#define EDDY_BASE_WHEEL_H

#include "base/list.h"

#include <stdint.h>

struct eddy_timer;
typedef void eddy_timer_fn(struct eddy_timer *t);

/* Placed by its owner; fields are the wheel's. Zero-initialised means: not armed. */
struct eddy_timer {
    struct eddy_list link; /* in a slot, or in the batch being expired */
    int64_t deadline_ns;   /* 0 while not armed */
    eddy_timer_fn *fire;
    uint64_t order; /* equal deadlines keep their start order */
    uint16_t slot;  /* where it stands, to clear the slot's bit when it leaves; in none: due */
};

/* The deadline @ms after @now_ns. What is longer than 73 years is as good as 73 years: so nothing that
 * is reckoned with such a time overflows, a clock that stands at it included. */
static inline int64_t eddy_deadline_ns(int64_t now_ns, int64_t ms)
{
    const int64_t longest_ns = INT64_C(1) << 61;
    const int64_t ns = ms <= 0 ? 0 : ms < longest_ns / 1000000 ? ms * 1000000 : longest_ns;

    return now_ns < INT64_MAX - ns ? now_ns + ns : INT64_MAX - 1;
}

/* 64^8 ticks are more than an int64_t of nanoseconds holds, so no deadline is out of range. */
#define EDDY_WHEEL_LEVELS 8
#define EDDY_WHEEL_SLOTS 64

struct eddy_wheel {
    uint64_t tick;                        /* the tick up to which all has been expired */
    uint64_t order;                       /* of the next timer armed */
    size_t count;                         /* armed timers */
    int64_t next_ns;                      /* eddy_wheel_next()'s answer; 0: to be found anew */
    bool expiring;                        /* inside eddy_wheel_expire() */
    struct eddy_list due;                 /* past deadlines, and what @max left over; sorted */
    uint64_t earliest;                    /* no timer is due before this tick; 0: to be found */
    uint64_t occupied[EDDY_WHEEL_LEVELS]; /* a bit a slot */
    struct eddy_list slots[EDDY_WHEEL_LEVELS][EDDY_WHEEL_SLOTS];
};

/* Start at @now_ns. No allocation, nothing to free. */
void eddy_wheel_init(struct eddy_wheel *w, int64_t now_ns);

/* Arm @t, which must not be armed. @fire runs inside eddy_wheel_expire(), with @t not armed:
 * it may arm it again, cancel others, or free it. */
void eddy_wheel_arm(struct eddy_wheel *w, struct eddy_timer *t, int64_t deadline_ns,
                    eddy_timer_fn *fire);

/* Disarm; harmless when it is not armed. Also from inside another timer's @fire. */
void eddy_wheel_cancel(struct eddy_wheel *w, struct eddy_timer *t);

static inline bool eddy_timer_is_armed(const struct eddy_timer *t)
{
    return t->deadline_ns != 0;
}

/* Fire what is due at @now_ns, in deadline order, equal ones in start order; timers armed by
 * those that fire wait for the next call, even if due. At most @max; returns how many fired. */
size_t eddy_wheel_expire(struct eddy_wheel *w, int64_t now_ns, size_t max);

/* When to look again: the time at which the earliest timer may fire (its deadline rounded up
 * to a tick), INT64_MAX when none is armed. Exact, but after the earliest one was cancelled: then
 * its time stays the answer until it has passed, which costs one look and keeps cancel O(1). */
int64_t eddy_wheel_next(struct eddy_wheel *w);

#endif
