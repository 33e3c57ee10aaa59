/*
 * base/wheel.c - the timer wheel
 *
 * A deadline becomes a tick, rounded up. A timer stands at the level of the highest group of six
 * bits in which its tick differs from the wheel's, in the slot which that group names: level 0
 * holds the rest of the current 64 ticks one by one, level 1 the rest of the current 4096 in
 * slots of 64, and so on. From this follow the three facts the code stands on:
 *
 *   - what stands at a lower level is due before all that stands at a higher one;
 *   - in a level the occupied slots lie ahead of the wheel's own, so the lowest bit is the next;
 *   - a slot is left (fired, or spread over lower levels) before the wheel enters its ticks.
 *
 * Due timers are gathered in order of ticks, each slot sorted by (deadline, order), before the
 * first of them fires: so what they arm waits for the next call, and what they cancel is gone.
 */
#include "base/wheel.h"

#include <assert.h>

#define TICK_NS INT64_C(1000000)
#define SLOT_BITS 6
#define SLOT_MASK (EDDY_WHEEL_SLOTS - 1U)
#define NO_SLOT (EDDY_WHEEL_LEVELS * EDDY_WHEEL_SLOTS)

static_assert(EDDY_WHEEL_SLOTS == 1 << SLOT_BITS, "a slot is one group of bits");
static_assert(INT64_MAX / TICK_NS < INT64_C(1) << (SLOT_BITS * EDDY_WHEEL_LEVELS),
              "every deadline has a slot");

static struct eddy_timer *timer_of(struct eddy_list *link)
{
    return eddy_container_of(link, struct eddy_timer, link);
}

static uint64_t tick_up(int64_t ns)
{
    return ns <= 0 ? 0 : ((uint64_t)ns + (uint64_t)TICK_NS - 1) / (uint64_t)TICK_NS;
}

/* When a tick may fire; the last tick ends behind what the clock can say. */
static int64_t tick_ns(uint64_t tick)
{
    return tick > (uint64_t)(INT64_MAX / TICK_NS) ? INT64_MAX - 1 : (int64_t)tick * TICK_NS;
}

static bool before(const struct eddy_timer *a, const struct eddy_timer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->order < b->order;
}

void eddy_wheel_init(struct eddy_wheel *w, int64_t now_ns)
{
    w->tick = now_ns > 0 ? (uint64_t)(now_ns / TICK_NS) : 0;
    w->order = 0;
    w->count = 0;
    w->next_ns = INT64_MAX;
    w->expiring = false;
    eddy_list_init(&w->due);
    for (int level = 0; level < EDDY_WHEEL_LEVELS; level++) {
        w->occupied[level] = 0;
        for (int slot = 0; slot < EDDY_WHEEL_SLOTS; slot++)
            eddy_list_init(&w->slots[level][slot]);
    }
}

/* Into a sorted list, looking from its end: what comes late is due late, nearly always. */
static void insert_sorted(struct eddy_list *head, struct eddy_timer *t)
{
    struct eddy_list *at = head;

    while (at->prev != head && before(t, timer_of(at->prev)))
        at = at->prev;
    eddy_list_insert(at, &t->link);
}

/* Put an armed timer where its tick belongs. */
static void place(struct eddy_wheel *w, struct eddy_timer *t, uint64_t tick)
{
    if (tick <= w->tick) {
        t->slot = NO_SLOT;
        insert_sorted(&w->due, t);
        return;
    }
    unsigned level = (63U - (unsigned)__builtin_clzll(tick ^ w->tick)) / SLOT_BITS;
    unsigned slot = (unsigned)(tick >> (level * SLOT_BITS)) & SLOT_MASK;

    t->slot = (uint16_t)(level * EDDY_WHEEL_SLOTS + slot);
    w->occupied[level] |= UINT64_C(1) << slot;
    eddy_list_push(&w->slots[level][slot], &t->link);
}

void eddy_wheel_arm(struct eddy_wheel *w, struct eddy_timer *t, int64_t deadline_ns,
                    eddy_timer_fn *fire)
{
    uint64_t tick = tick_up(deadline_ns);
    int64_t fires_ns = tick_ns(tick);

    assert(!eddy_timer_is_armed(t) && deadline_ns != INT64_MAX && fire);
    t->deadline_ns = deadline_ns > 0 ? deadline_ns : 1; /* 0 says: not armed */
    t->fire = fire;
    t->order = w->order++;
    w->count++;
    place(w, t, tick);
    if (fires_ns < w->next_ns)
        w->next_ns = fires_ns;
}

void eddy_wheel_cancel(struct eddy_wheel *w, struct eddy_timer *t)
{
    if (!eddy_timer_is_armed(t))
        return;
    assert(w->count > 0);
    eddy_list_remove(&t->link);
    if (t->slot != NO_SLOT) {
        unsigned level = t->slot / EDDY_WHEEL_SLOTS, slot = t->slot % EDDY_WHEEL_SLOTS;

        if (eddy_list_is_empty(&w->slots[level][slot]))
            w->occupied[level] &= ~(UINT64_C(1) << slot);
    }
    if (t->deadline_ns <= w->next_ns)
        w->next_ns = 0;
    t->deadline_ns = 0;
    if (--w->count == 0)
        w->next_ns = INT64_MAX;
}

static bool is_sorted(struct eddy_list *head)
{
    for (struct eddy_list *l = head->next; l != head && l->next != head; l = l->next)
        if (before(timer_of(l->next), timer_of(l)))
            return false;
    return true;
}

/* Two chains that end in NULL; only `next` is kept. */
static struct eddy_list *merge(struct eddy_list *a, struct eddy_list *b)
{
    struct eddy_list *first = NULL, **at = &first;

    while (a && b) {
        struct eddy_list **least = before(timer_of(b), timer_of(a)) ? &b : &a;
        *at = *least;
        *least = (*least)->next;
        at = &(*at)->next;
    }
    *at = a ? a : b;
    return first;
}

/* Merge sort from below: runs[i] is empty or holds 2^i timers. */
static void sort(struct eddy_list *head)
{
    struct eddy_list *runs[48] = { NULL };
    struct eddy_list *l = head->next, *chain = NULL;

    head->prev->next = NULL;
    while (l) {
        struct eddy_list *next = l->next;
        size_t i = 0;

        l->next = NULL;
        for (; runs[i]; i++) {
            l = merge(runs[i], l);
            runs[i] = NULL;
        }
        runs[i] = l;
        l = next;
    }
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        if (runs[i])
            chain = merge(runs[i], chain);

    eddy_list_init(head);
    while (chain) {
        struct eddy_list *next = chain->next;
        eddy_list_push(head, chain);
        chain = next;
    }
}

/* The wheel has reached @tick, the only one of this slot: all of it is due. */
static void gather_slot(struct eddy_wheel *w, struct eddy_list *slot)
{
    if (!is_sorted(slot))
        sort(slot);
    while (!eddy_list_is_empty(slot)) {
        struct eddy_timer *t = timer_of(eddy_list_shift(slot));
        t->slot = NO_SLOT;
        eddy_list_push(&w->due, &t->link);
    }
}

/* The wheel has entered the ticks of a higher slot: spread it. Those due at once go through a
 * list of their own, since there may be very many and in any order. */
static void spread_slot(struct eddy_wheel *w, struct eddy_list *slot)
{
    struct eddy_list all, now;

    eddy_list_init(&all);
    eddy_list_init(&now);
    eddy_list_take_all(&all, slot);
    while (!eddy_list_is_empty(&all)) {
        struct eddy_timer *t = timer_of(eddy_list_shift(&all));
        uint64_t tick = tick_up(t->deadline_ns);

        if (tick <= w->tick)
            eddy_list_push(&now, &t->link);
        else
            place(w, t, tick);
    }
    gather_slot(w, &now);
}

/* The next occupied slot and the first tick it stands for; false when all are empty. */
static bool next_slot(const struct eddy_wheel *w, unsigned *ret_level, unsigned *ret_slot,
                      uint64_t *ret_tick)
{
    for (unsigned level = 0; level < EDDY_WHEEL_LEVELS; level++) {
        if (!w->occupied[level])
            continue;
        unsigned slot = (unsigned)__builtin_ctzll(w->occupied[level]);
        unsigned shift = level * SLOT_BITS;

        *ret_level = level;
        *ret_slot = slot;
        *ret_tick = (w->tick >> (shift + SLOT_BITS) << SLOT_BITS | slot) << shift;
        assert(*ret_tick > w->tick);
        return true;
    }
    return false;
}

/* Move all that is due by @to into the due list, in order. */
static void advance(struct eddy_wheel *w, uint64_t to)
{
    unsigned level, slot;
    uint64_t tick;

    while (next_slot(w, &level, &slot, &tick) && tick <= to) {
        w->occupied[level] &= ~(UINT64_C(1) << slot);
        w->tick = tick;
        if (level == 0)
            gather_slot(w, &w->slots[level][slot]);
        else
            spread_slot(w, &w->slots[level][slot]);
    }
    if (w->tick < to)
        w->tick = to;
}

size_t eddy_wheel_expire(struct eddy_wheel *w, int64_t now_ns, size_t max)
{
    struct eddy_list batch;
    size_t fired = 0;

    assert(!w->expiring);
    advance(w, now_ns > 0 ? (uint64_t)(now_ns / TICK_NS) : 0);
    if (eddy_list_is_empty(&w->due))
        return 0;

    w->expiring = true;
    eddy_list_init(&batch);
    eddy_list_take_all(&batch, &w->due);
    /* A child of a fork made in here has it stopped: it is no longer expiring. */
    while (fired < max && w->expiring && !eddy_list_is_empty(&batch)) {
        struct eddy_timer *t = timer_of(eddy_list_shift(&batch));
        eddy_timer_fn *fire = t->fire;

        assert(eddy_timer_is_armed(t) && tick_up(t->deadline_ns) <= w->tick + 1);
        t->deadline_ns = 0;
        w->count--;
        fired++;
        fire(t); /* may free it */
    }
    /* What was armed meanwhile and is due already goes behind what is left over, each at its place. */
    while (!eddy_list_is_empty(&w->due))
        insert_sorted(&batch, timer_of(eddy_list_shift(&w->due)));
    eddy_list_take_all(&w->due, &batch);
    w->next_ns = w->count ? 0 : INT64_MAX;
    w->expiring = false;
    return fired;
}

int64_t eddy_wheel_next(struct eddy_wheel *w)
{
    unsigned level, slot;
    uint64_t tick;

    if (w->next_ns != 0)
        return w->next_ns;
    assert(w->count > 0);
    if (!eddy_list_is_empty(&w->due)) {
        tick = tick_up(timer_of(w->due.next)->deadline_ns);
        if (tick > w->tick)
            tick = w->tick; /* the deadline was 0 or less */
    } else {
        bool found = next_slot(w, &level, &slot, &tick);
        assert(found);
        if (found && level > 0) {
            struct eddy_list *head = &w->slots[level][slot];
            int64_t least = INT64_MAX;

            for (struct eddy_list *l = head->next; l != head; l = l->next)
                if (timer_of(l)->deadline_ns < least)
                    least = timer_of(l)->deadline_ns;
            tick = tick_up(least);
        }
    }
    w->next_ns = tick_ns(tick);
    return w->next_ns ? w->next_ns : 1; /* tick 0: long past, but not "never looked" */
}
