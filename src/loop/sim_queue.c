/*
 * loop/sim_queue.c - the simulator's queue of events, its dice, and the hash of its history
 *
 * A binary heap by (time, dice, order of making). The order is unique, so a heap, which is not
 * stable, gives one sequence all the same.
 */
#include "base/memory.h"
#include "loop/sim.h"

/* splitmix64 (Steele, Lea, Flood 2014): a whole generator in one word. */
uint64_t eddy_sim_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t eddy_sim_roll(struct sim *s, uint64_t sides)
{
    return eddy_sim_next(&s->dice) % sides;
}

int64_t eddy_sim_delay(struct sim *s, const struct eddy_sim_fault *latency)
{
    int64_t spread_us = latency->max_us - latency->min_us;

    return 1000 * (latency->min_us + (int64_t)eddy_sim_roll(s, (uint64_t)spread_us + 1));
}

/* 0.05 to 5 ms; every size of delay is as likely, so a slow piece is slow by a lot. */
int64_t eddy_sim_latency(struct sim *s, int from, int to)
{
    const struct eddy_sim_fault *rule = eddy_sim_rule(s, EDDY_SIM_LATENCY, from, to, 0);

    if (rule)
        return eddy_sim_delay(s, rule);
    int64_t base = (int64_t)50000 << eddy_sim_roll(s, 7);
    int64_t delay = base + (int64_t)eddy_sim_roll(s, (uint64_t)base);

    /* In steps, so that things happen at the same time often enough for dice to matter. */
    delay -= delay % 50000;
    return delay < 5000000 ? delay : 5000000;
}

static void hash_in(struct sim *s, uint64_t value)
{
    s->hash ^= value;
    (void)eddy_sim_next(&s->hash);
    s->hash = (s->hash ^ (s->hash >> 29)) * 0xbf58476d1ce4e5b9U;
}

void eddy_sim_log(struct sim *s, enum sim_kind kind, uint32_t slot, uint64_t bytes)
{
    hash_in(s, (uint64_t)kind << 32 | slot);
    hash_in(s, bytes);
    hash_in(s, (uint64_t)s->now_ns);
}

int eddy_sim_reserve(struct sim *s, size_t events)
{
    size_t cap = s->heap_cap ? s->heap_cap : 64;

    if (events <= s->heap_cap)
        return 0;
    while (cap < events)
        cap *= 2;
    struct sim_event *grown = eddy__resize(s->heap, s->heap_cap * sizeof *grown,
                                           cap * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    s->heap = grown;
    s->heap_cap = cap;
    return 0;
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    if (a->tie != b->tie)
        return a->tie < b->tie;
    return a->order < b->order;
}

void eddy_sim_post(struct sim *s, struct sim_slot *slot, enum sim_kind kind, int64_t at_ns,
                   uint32_t bytes)
{
    struct sim_event e = { .at_ns = at_ns,
                           .tie = eddy_sim_next(&s->dice),
                           .order = s->order++,
                           .slot = slot->index,
                           .bytes = bytes,
                           .kind = kind };
    size_t i = s->heap_count++;

    assert(s->heap_count <= s->heap_cap && slot->events < SIM_EVENTS);
    assert(at_ns >= s->now_ns);
    slot->events++;
    while (i > 0 && is_before(&e, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = e;
}

struct sim_event eddy_sim_pop(struct sim *s)
{
    struct sim_event first = s->heap[0];
    size_t i = 0;

    assert(s->heap_count > 0);
    struct sim_event last = s->heap[--s->heap_count];
    for (size_t child; (child = 2 * i + 1) < s->heap_count; i = child) {
        if (child + 1 < s->heap_count && is_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!is_before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return first;
}
