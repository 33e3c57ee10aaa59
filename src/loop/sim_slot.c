/*
 * loop/sim_slot.c - the simulated descriptors, and errands: what is under way and has none
 *
 * A slot is one of either. Its number is not given out again while events for it are queued.
 */
#include "base/memory.h"
#include "loop/sim.h"

int eddy_sim_fd(const struct sim_slot *slot)
{
    return SIM_FD + (int)slot->index;
}

struct sim_slot *eddy_sim_slot(const struct sim *s, int fd)
{
    if (fd < SIM_FD || (size_t)(fd - SIM_FD) >= s->slot_count)
        return NULL;
    struct sim_slot *slot = s->slots[fd - SIM_FD];
    return slot->type == SIM_FREE || slot->type == SIM_ON_ERRAND ? NULL : slot;
}

static int slots_grow(struct sim *s)
{
    size_t cap = s->slot_cap ? s->slot_cap * 2 : 16;

    struct sim_slot **slots = eddy__resize(s->slots, s->slot_cap * sizeof *slots,
                                           cap * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    s->slots = slots;
    uint32_t *unused = eddy__resize(s->unused, s->slot_cap * sizeof *unused, cap * sizeof *unused);
    if (!unused) {
        /* Back to what slot_cap says; shrinking cannot fail in a way that matters. */
        slots = eddy__resize(s->slots, cap * sizeof *slots, s->slot_cap * sizeof *slots);
        s->slots = s->slot_cap ? slots : NULL;
        return -ENOMEM;
    }
    s->unused = unused;
    s->slot_cap = cap;
    return 0;
}

static int slot_add(struct sim *s)
{
    if (s->slot_count == s->slot_cap) {
        int r = slots_grow(s);
        if (r < 0)
            return r;
    }
    int r = eddy_sim_reserve(s, (s->slot_count + 1) * SIM_EVENTS);
    if (r < 0)
        return r;
    struct sim_slot *slot = eddy__zalloc(sizeof *slot);
    if (!slot)
        return -ENOMEM;
    slot->index = (uint32_t)s->slot_count;
    s->slots[s->slot_count++] = slot;
    s->unused[s->unused_count++] = slot->index;
    return 0;
}

int eddy_sim_slot_new(struct sim *s, enum sim_type type, struct sim_slot **ret_slot)
{
    if (s->unused_count == 0) {
        int r = slot_add(s);
        if (r < 0)
            return r;
    }
    uint32_t index = s->unused[--s->unused_count];
    struct sim_slot *slot = s->slots[index];
    assert(slot->type == SIM_FREE && slot->events == 0 && !slot->in);
    *slot = (struct sim_slot){ .type = type, .index = index };
    eddy_list_init(&slot->queue);
    eddy_list_init(&slot->coming);
    *ret_slot = slot;
    return 0;
}

void eddy_sim_slot_free(struct sim *s, struct sim_slot *slot)
{
    assert(!slot->read.op && !slot->write.op && !slot->file);
    eddy__free(slot->in, slot->in_cap);
    slot->in = NULL;
    slot->in_cap = 0;
    slot->type = SIM_FREE;
    if (slot->events == 0)
        s->unused[s->unused_count++] = slot->index;
}

void eddy_sim_slot_settle(struct sim *s, struct sim_slot *slot)
{
    assert(slot->events > 0);
    if (--slot->events == 0 && slot->type == SIM_FREE)
        s->unused[s->unused_count++] = slot->index;
}

void eddy_sim_look(struct sim *s, struct sim_slot *slot, enum sim_kind kind)
{
    struct sim_side *side = kind == SIM_READ ? &slot->read : &slot->write;

    if (!side->op || side->queued)
        return;
    side->queued = true;
    int64_t delay = eddy_sim_roll(s, 2) ? (int64_t)eddy_sim_roll(s, 3) * 10000 : 0;
    eddy_sim_post(s, slot, kind, s->now_ns + delay, 0);
}

bool eddy_sim_errand(struct sim *s, struct eddy_op *op, int64_t delay_ns)
{
    struct sim_slot *slot;

    op->res = eddy_sim_slot_new(s, SIM_ON_ERRAND, &slot);
    if (op->res < 0)
        return false;
    slot->host = (uint16_t)eddy_sim_host_here(s);
    slot->write.op = op;
    op->scratch[0] = slot->index;
    eddy_driver_began(&s->driver, op);
    eddy_sim_post(s, slot, SIM_ERRAND, s->now_ns + delay_ns, 0);
    return true;
}

struct sim_slot *eddy_sim_errand_of(const struct sim *s, const struct eddy_op *op)
{
    struct sim_slot *slot = s->slots[op->scratch[0]];

    assert(slot->type == SIM_ON_ERRAND && slot->write.op == op);
    return slot;
}

size_t eddy_sim_some_of(struct sim *s, int from, int to, size_t len)
{
    if (len == 0)
        return 0;
    if (s->short_io || eddy_sim_rule(s, EDDY_SIM_SHORT, from, to, 0)) {
        size_t few = 1 + eddy_sim_roll(s, 3);
        return few < len ? few : len;
    }
    return eddy_sim_roll(s, 4) ? len : 1 + eddy_sim_roll(s, len);
}
