/*
 * wheel_test.c - the timer wheel against a model that is nothing but a list
 *
 * seeds: yes
 */
#include "check.h"

#include "base/wheel.h"

#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

struct probe {
    struct eddy_timer timer; /* first */
    int number;
};

static struct eddy_wheel wheel;
static int fired[4096];
static size_t fired_count;

static void note(struct eddy_timer *t)
{
    if (fired_count < sizeof fired / sizeof fired[0])
        fired[fired_count] = ((struct probe *)(void *)t)->number;
    fired_count++;
}

static void start(int64_t now)
{
    eddy_wheel_init(&wheel, now);
    fired_count = 0;
}

static void arm(struct probe *p, int number, int64_t deadline)
{
    p->number = number;
    eddy_wheel_arm(&wheel, &p->timer, deadline, note);
}

EDDY_TEST(a_timer_never_fires_early_and_at_most_a_tick_late)
{
    static const int64_t deadlines[] = {
        1, MS - 1, MS, MS + 1, 64 * MS, 64 * MS + 1, 4096 * MS - 1, 262144 * MS + 5, 86400000 * MS
    };
    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        struct probe p = { 0 };
        int64_t tick = (deadlines[i] + MS - 1) / MS * MS;

        start(0);
        arm(&p, 1, deadlines[i]);
        EDDY_CHECK_EQ(eddy_wheel_next(&wheel), tick);
        EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, deadlines[i] - 1, 9), 0);
        EDDY_CHECK_EQ(eddy_wheel_next(&wheel), tick);
        EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, tick, 9), 1);
        EDDY_CHECK(!eddy_timer_is_armed(&p.timer));
        EDDY_CHECK_EQ(eddy_wheel_next(&wheel), INT64_MAX);
    }
}

EDDY_TEST(a_past_deadline_fires_at_the_next_expire)
{
    static const int64_t past[] = { INT64_MIN, -1, 0, 1, 5 * MS, 5 * MS + 700 };

    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        struct probe p = { 0 };

        start(5 * MS + 700);
        eddy_wheel_expire(&wheel, 6 * MS, 9);
        arm(&p, 1, past[i]);
        EDDY_CHECK(eddy_wheel_next(&wheel) <= 6 * MS);
        EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 6 * MS, 9), 1);
    }
    struct probe zero = { 0 };
    start(0);
    arm(&zero, 1, 0);
    EDDY_CHECK(eddy_wheel_next(&wheel) <= 1);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 0, 9), 1);
}

EDDY_TEST(equal_deadlines_fire_in_start_order_and_others_by_deadline)
{
    /* Armed at different distances, so the same tick is reached through different levels. */
    static struct probe p[6];
    static const int want[] = { 5, 0, 2, 3, 1, 4 };

    memset(p, 0, sizeof p);
    start(0);
    arm(&p[0], 0, 5000 * MS - 10);
    arm(&p[1], 1, 5000 * MS);
    arm(&p[2], 2, 5000 * MS - 10);
    eddy_wheel_expire(&wheel, 4990 * MS, 9);
    arm(&p[3], 3, 5000 * MS - 10);
    arm(&p[4], 4, 5000 * MS);
    arm(&p[5], 5, 5000 * MS - 20);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 6000 * MS, 9), 6);
    for (int i = 0; i < 6; i++)
        EDDY_CHECK_EQ(fired[i], want[i]);
}

EDDY_TEST(one_expire_across_many_cascades_keeps_deadline_order)
{
    enum { COUNT = 2000 };
    static struct probe p[COUNT];

    memset(p, 0, sizeof p);
    start(123 * MS);
    for (int i = 0; i < COUNT; i++) /* 7919 is prime to 2000: every place once */
        arm(&p[i], i * 7919 % COUNT, 123 * MS + (int64_t)(i * 7919 % COUNT) * 613 * MS / 4);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, INT64_C(1000000) * MS, SIZE_MAX), COUNT);
    for (int i = 0; i < COUNT; i++)
        if (!EDDY_CHECK_EQ(fired[i], i))
            return;
}

EDDY_TEST(no_deadline_is_out_of_range)
{
    struct probe p = { 0 }, q = { 0 };

    start(0);
    arm(&p, 1, INT64_MAX - 1);
    EDDY_CHECK(eddy_wheel_next(&wheel) < INT64_MAX);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, INT64_MAX / 2, 9), 0);
    EDDY_CHECK(eddy_timer_is_armed(&p.timer));
    arm(&q, 2, INT64_MAX / 2 + MS);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, INT64_MAX / 2 + 2 * MS, 9), 1);
    EDDY_CHECK_EQ(fired[0], 2);
    eddy_wheel_cancel(&wheel, &p.timer);
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), INT64_MAX);
}

EDDY_TEST(the_next_deadline_is_exact_after_the_earliest_was_cancelled)
{
    struct probe p[3] = { 0 };

    start(0);
    arm(&p[0], 0, 70001 * MS);
    arm(&p[1], 1, 70003 * MS); /* in the same slot, of a high level */
    arm(&p[2], 2, 70002 * MS);
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), 70001 * MS);
    eddy_wheel_cancel(&wheel, &p[0].timer);
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), 70002 * MS);
    eddy_wheel_cancel(&wheel, &p[1].timer);
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), 70002 * MS);
    arm(&p[0], 0, 20);
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), MS);
    eddy_wheel_cancel(&wheel, &p[0].timer);
    eddy_wheel_cancel(&wheel, &p[0].timer); /* harmless */
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), 70002 * MS);
    eddy_wheel_cancel(&wheel, &p[2].timer);
    EDDY_CHECK_EQ(wheel.count, 0);
}

static struct probe other[2];

static void cancel_others(struct eddy_timer *t)
{
    note(t);
    eddy_wheel_cancel(&wheel, &other[0].timer);
    eddy_wheel_cancel(&wheel, &other[1].timer);
}

EDDY_TEST(a_timer_cancelled_by_one_of_its_own_batch_does_not_fire)
{
    struct probe killer = { .number = 7 }, last = { 0 };

    memset(other, 0, sizeof other);
    start(0);
    eddy_wheel_arm(&wheel, &killer.timer, MS, cancel_others);
    arm(&other[0], 1, MS);
    arm(&other[1], 2, 300 * MS);
    arm(&last, 3, 301 * MS);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 400 * MS, 9), 2);
    EDDY_CHECK_EQ(fired[0], 7);
    EDDY_CHECK_EQ(fired[1], 3);
    EDDY_CHECK_EQ(wheel.count, 0);
}

static void arm_again(struct eddy_timer *t)
{
    note(t);
    eddy_wheel_arm(&wheel, t, 1, arm_again);
}

static void free_it(struct eddy_timer *t)
{
    note(t);
    free(t);
}

EDDY_TEST(a_timer_armed_by_one_that_fires_waits_for_the_next_call)
{
    struct probe p = { 0 };

    start(0);
    eddy_wheel_arm(&wheel, &p.timer, MS, arm_again);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 9 * MS, SIZE_MAX), 1);
    EDDY_CHECK(eddy_wheel_next(&wheel) <= 9 * MS);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 9 * MS, SIZE_MAX), 1);
    eddy_wheel_cancel(&wheel, &p.timer);

    struct probe *heap = calloc(1, sizeof *heap);
    eddy_wheel_arm(&wheel, &heap->timer, 10 * MS, free_it);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 10 * MS, SIZE_MAX), 1);
}

EDDY_TEST(what_the_maximum_leaves_over_comes_first_in_the_next_call)
{
    struct probe p[5] = { 0 }, past = { 0 };
    static const int want[] = { 0, 1, 9, 2, 3, 4 };

    start(0);
    for (int i = 0; i < 5; i++)
        arm(&p[i], i, (i + 1) * MS);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 10 * MS, 2), 2);
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), 3 * MS);
    arm(&past, 9, 2 * MS); /* earlier than all that is left */
    EDDY_CHECK_EQ(eddy_wheel_next(&wheel), 2 * MS);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 10 * MS, 2), 2);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 10 * MS, 9), 2);
    for (int i = 0; i < 6; i++)
        EDDY_CHECK_EQ(fired[i], want[i]);
}

static void arm_earlier(struct eddy_timer *t)
{
    note(t);
    arm(&other[0], 9, MS / 2);
}

EDDY_TEST(a_past_deadline_armed_while_firing_goes_before_what_is_left_over)
{
    struct probe first = { 0 }, left = { 0 };

    memset(other, 0, sizeof other);
    start(0);
    eddy_wheel_arm(&wheel, &first.timer, MS, arm_earlier);
    arm(&left, 2, 2 * MS);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 5 * MS, 1), 1);
    EDDY_CHECK_EQ(eddy_wheel_expire(&wheel, 5 * MS, 9), 2);
    EDDY_CHECK_EQ(fired[1], 9);
    EDDY_CHECK_EQ(fired[2], 2);
}

/* --- against the model ----------------------------------------------------------------------- */

enum { PROBES = 300 };

static struct model {
    int64_t deadline;
    uint64_t order;
    bool armed;
} model[PROBES];

static uint64_t state;

static uint64_t chance(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* The earliest of the model; -1 when none is armed. */
static int earliest(void)
{
    int best = -1;

    for (int i = 0; i < PROBES; i++)
        if (model[i].armed &&
            (best < 0 || model[i].deadline < model[best].deadline ||
             (model[i].deadline == model[best].deadline && model[i].order < model[best].order)))
            best = i;
    return best;
}

static int64_t rounded(int64_t ns)
{
    return (ns + MS - 1) / MS * MS;
}

static bool agrees(int64_t now, size_t max)
{
    fired_count = 0;
    size_t count = eddy_wheel_expire(&wheel, now, max);

    for (size_t i = 0; i < count; i++) {
        int want = earliest();
        if (!EDDY_CHECK_EQ(fired[i], want))
            return false;
        model[want].armed = false;
    }
    int next = earliest();
    if (count < max && next >= 0 && !EDDY_CHECK(rounded(model[next].deadline) > now / MS * MS))
        return false; /* something due was left */
    return EDDY_CHECK_EQ(eddy_wheel_next(&wheel),
                         next < 0 ? INT64_MAX : rounded(model[next].deadline));
}

static bool one_run(unsigned long seed)
{
    static struct probe p[PROBES];
    static const uint64_t span[] = { 3, 64, 70, 4096, 300000, 100000000 };
    uint64_t order = 0;

    state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    memset(p, 0, sizeof p);
    memset(model, 0, sizeof model);
    int64_t now = (int64_t)chance(1000000) * MS + (int64_t)chance(MS);
    start(now);
    for (int step = 0; step < 4000; step++) {
        int i = (int)chance(PROBES);
        uint64_t what = chance(10);

        if (what < 6) {
            if (model[i].armed)
                eddy_wheel_cancel(&wheel, &p[i].timer);
            int64_t deadline = now + (int64_t)chance(span[chance(6)] * (uint64_t)MS);
            if (chance(4) == 0)
                deadline = deadline / (8 * MS) * (8 * MS); /* make equal ones likely */
            if (deadline < 1)
                deadline = 1;
            arm(&p[i], i, deadline);
            model[i] = (struct model){ .deadline = deadline, .order = order++, .armed = true };
        } else if (what < 8) {
            eddy_wheel_cancel(&wheel, &p[i].timer);
            model[i].armed = false;
        } else {
            now += (int64_t)chance(span[chance(6)] * (uint64_t)MS);
            if (!agrees(now, chance(3) ? SIZE_MAX : 1 + chance(5)))
                return false;
        }
    }
    return agrees(now + INT64_C(1000000000) * MS, SIZE_MAX) && EDDY_CHECK_EQ(wheel.count, 0);
}

EDDY_TEST(random_work_agrees_with_a_sorted_model)
{
    unsigned long seeds = eddy_check_number("EDDY_SEEDS", 20);

    for (unsigned long seed = 1; seed <= seeds; seed++)
        if (!one_run(seed)) {
            EDDY_CHECK_FAIL("seed %lu", seed);
            return;
        }
}
