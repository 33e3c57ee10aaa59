/*
 * task/chunk.c - where stacks come from and go to: mappings, and the slots in them
 *
 * A chunk knows of each of its slots whether it is cold, in a sweep's hands, or has a canary for a
 * guard; a bit each, in words that are also the unit of giving memory back.
 */
#include "task/guard.h"
#include "task/stack.h"

#include "base/memory.h"
#include "base/sys.h"

#include <sys/mman.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#define RUNNING_ON_VALGRIND 0
#endif

#define FIRST_BYTES ((size_t)4 << 20)
#define LARGEST_BYTES ((size_t)1 << 30) /* of address space */
#define LARGEST_SLOTS ((size_t)4096)

struct eddy_stack_chunk {
    struct eddy_stack_chunk *next;
    struct eddy_stack_class *class;
    char *base;
    size_t slots;
    size_t used; /* slots that were given out once; the others have no guard yet */
    size_t cold;
    size_t idle, cooling;
    size_t guards; /* by mprotect */
    unsigned *ids; /* Valgrind's, a slot each; NULL when it is not there */
    struct word {
        uint64_t cold, idle, cooling, bare;
    } words[]; /* a bit a slot */
};

static size_t span_of(const struct eddy_stack_class *c)
{
    return c->guard + c->usable;
}

static size_t words_of(size_t slots)
{
    return (slots + 63) / 64;
}

static size_t size_of(size_t slots)
{
    return sizeof(struct eddy_stack_chunk) + words_of(slots) * sizeof(struct word);
}

static struct eddy_stack *stack_at(struct eddy_stack_chunk *chunk, size_t slot)
{
    char *end = chunk->base + (slot + 1) * span_of(chunk->class);

    return (struct eddy_stack *)(void *)end - 1;
}

static size_t slot_of(const struct eddy_stack *s)
{
    return (size_t)((const char *)s - s->chunk->base) / span_of(s->class);
}

/* --- chunks -------------------------------------------------------------------------------------- */

/* As many slots as there are: so few chunks, and never much more than is needed. */
static size_t slots_of_next(const struct eddy_stack_class *c)
{
    size_t first = FIRST_BYTES / span_of(c), most = LARGEST_BYTES / span_of(c);
    size_t slots = c->slots;

    if (most > LARGEST_SLOTS)
        most = LARGEST_SLOTS;
    if (slots > most)
        slots = most;
    if (slots < first)
        slots = first;
    return slots ? slots : 1;
}

static struct eddy_stack_chunk *add_chunk(struct eddy_stack_class *c)
{
    size_t slots = slots_of_next(c), len = slots * span_of(c);
    struct eddy_stack_chunk *chunk = eddy__zalloc(size_of(slots));

    if (!chunk)
        return NULL;
    if (RUNNING_ON_VALGRIND && !(chunk->ids = eddy__zalloc(slots * sizeof *chunk->ids))) {
        eddy__free(chunk, size_of(slots));
        return NULL;
    }
    chunk->base = eddy__sys.mmap(len);
    if (!chunk->base) {
        eddy__free(chunk->ids, slots * sizeof *chunk->ids);
        eddy__free(chunk, size_of(slots));
        return NULL;
    }
    /* A huge page under a stack would commit 2 MiB for 4 KiB. A refusal costs memory only, and a
     * mapping without a name is as good. */
    eddy__sys.madvise(chunk->base, len, MADV_NOHUGEPAGE);
    eddy__sys.name_memory(chunk->base, len, "eddy stacks");
    chunk->class = c;
    chunk->slots = slots;
    *(c->newest ? &c->newest->next : &c->chunks) = chunk;
    c->newest = chunk;
    c->slots += slots;
    return chunk;
}

/* After its memory is unmapped, and out of the list. */
static void free_chunk(struct eddy_stack_chunk *chunk)
{
    struct eddy_stack_class *c = chunk->class;

    for (size_t i = 0; chunk->ids && i < chunk->used; i++)
        VALGRIND_STACK_DEREGISTER(chunk->ids[i]);
    eddy_guard_dropped(chunk->guards);
    c->slots -= chunk->slots;
    c->used -= chunk->used;
    c->cold -= chunk->cold;
    c->cooling -= chunk->cooling;
    if (c->hint == chunk)
        c->hint = NULL;
    if (c->newest == chunk)
        for (c->newest = c->chunks; c->newest && c->newest->next;)
            c->newest = c->newest->next;
    eddy__free(chunk->ids, chunk->slots * sizeof *chunk->ids);
    eddy__free(chunk, size_of(chunk->slots));
}

void eddy_stack_drop_chunks(struct eddy_stack_class *c)
{
    while (c->chunks) {
        struct eddy_stack_chunk *chunk = c->chunks;
        c->chunks = chunk->next;
        eddy__sys.munmap(chunk->base, chunk->slots * span_of(c));
        free_chunk(chunk);
    }
}

/* --- a stack that is not warm ----------------------------------------------------------------------- */

/* Into its top, which takes a page for it. */
static struct eddy_stack *warm_up(struct eddy_stack_chunk *chunk, size_t slot)
{
    struct eddy_stack *s = stack_at(chunk, slot);

    *s = (struct eddy_stack){ .class = chunk->class, .chunk = chunk };
    return s;
}

static struct eddy_stack *take_fresh(struct eddy_stack_pool *p, struct eddy_stack_class *c)
{
    struct eddy_stack_chunk *chunk = c->newest;

    if (!chunk || chunk->used == chunk->slots)
        chunk = add_chunk(c);
    if (!chunk)
        return NULL;
    size_t slot = chunk->used++;
    char *base = chunk->base + slot * span_of(c);
    enum eddy_guard guard = eddy_guard_install(base, c->guard);
    c->used++;
    if (guard == EDDY_GUARD_MPROTECT)
        chunk->guards++;
    if (guard == EDDY_GUARD_CANARY) {
        chunk->words[slot / 64].bare |= UINT64_C(1) << slot % 64;
        p->bare++;
        eddy_stack_watch(p);
    }
    if (chunk->ids)
        chunk->ids[slot] = VALGRIND_STACK_REGISTER(base + c->guard, base + span_of(c));
    return warm_up(chunk, slot);
}

/* From the oldest chunk that has one, so that the newest, which are the largest, get empty. */
static struct eddy_stack *take_cold(struct eddy_stack_class *c)
{
    struct eddy_stack_chunk *chunk = c->hint;
    size_t i = 0;

    if (!chunk || !chunk->cold)
        for (chunk = c->chunks; !chunk->cold;)
            chunk = chunk->next;
    c->hint = chunk;
    while (!chunk->words[i].cold)
        i++;
    size_t slot = i * 64 + (size_t)__builtin_ctzll(chunk->words[i].cold);
    chunk->words[i].cold &= chunk->words[i].cold - 1;
    chunk->cold--;
    c->cold--;
    return warm_up(chunk, slot);
}

/* From a sweep's hands: as good as a warm one. */
static struct eddy_stack *take_back(struct eddy_stack_pool *p, struct eddy_stack_class *c)
{
    struct eddy_stack_chunk *chunk = c->chunks;
    size_t i = 0;

    while (!chunk->idle && !chunk->cooling)
        chunk = chunk->next;
    while (!chunk->words[i].idle && !chunk->words[i].cooling)
        i++;
    struct word *w = &chunk->words[i];
    size_t slot = i * 64 + (size_t)__builtin_ctzll(w->idle ? w->idle : w->cooling);
    if (w->idle) {
        w->idle &= w->idle - 1;
        chunk->idle--;
        c->idle--;
    } else {
        w->cooling &= w->cooling - 1;
        chunk->cooling--;
        c->cooling--;
    }
    p->bytes -= c->usable;
    return stack_at(chunk, slot);
}

struct eddy_stack *eddy_stack_make(struct eddy_stack_pool *p, struct eddy_stack_class *c)
{
    struct eddy_stack *s = p->todo;

    if (s && s->class == c) { /* a sweep has the list in hand */
        p->todo = s->next;
        p->bytes -= s->bytes;
        return s;
    }
    if (c->idle || c->cooling)
        return take_back(p, c);
    return c->cold ? take_cold(c) : take_fresh(p, c);
}

bool eddy_stack_has_run_over(const struct eddy_stack *s)
{
    size_t slot = slot_of(s);

    return s->chunk->words[slot / 64].bare >> slot % 64 & 1 &&
           !eddy_guard_is_intact(eddy_stack_low(s) - s->class->guard, s->class->guard);
}

/* --- giving memory back ------------------------------------------------------------------------------ */

void eddy_stack_sort(struct eddy_stack_pool *p, struct eddy_stack *s)
{
    struct eddy_stack_class *c = s->class;
    size_t slot = slot_of(s);

    s->chunk->words[slot / 64].idle |= UINT64_C(1) << slot % 64;
    s->chunk->idle++;
    c->idle++;
    p->bytes += c->usable - s->bytes; /* each counts whole until it is known what it holds */
    if (!p->chunk) {
        p->chunk = c->chunks;
        p->word = 0;
    }
}

static size_t spend(size_t budget, size_t cost)
{
    return budget > cost ? budget - cost : 0;
}

static void choose(struct eddy_stack_pool *p, struct eddy_stack_chunk *chunk, size_t slot,
                   bool (*stays)(struct eddy_stack_pool *p, struct eddy_stack *s))
{
    struct eddy_stack_class *c = chunk->class;
    struct word *w = &chunk->words[slot / 64];
    struct eddy_stack *s = stack_at(chunk, slot);

    w->idle &= ~(UINT64_C(1) << slot % 64);
    chunk->idle--;
    c->idle--;
    if (stays(p, s)) {
        p->bytes -= c->usable - s->bytes;
        s->next = c->warm;
        c->warm = s;
    } else {
        w->cooling |= UINT64_C(1) << slot % 64;
        chunk->cooling++;
        c->cooling++;
    }
}

size_t eddy_stack_choose_some(struct eddy_stack_pool *p, struct eddy_stack_class *c, size_t budget,
                              bool (*stays)(struct eddy_stack_pool *p, struct eddy_stack *s))
{
    const size_t cost = 1 + c->usable / (1024 * 1024);

    while (c->idle && budget) {
        struct eddy_stack_chunk *chunk = p->chunk;
        if (!chunk->idle || p->word == words_of(chunk->slots)) {
            p->chunk = chunk->next;
            p->word = 0;
        } else if (chunk->words[p->word].idle) {
            size_t bit = (size_t)__builtin_ctzll(chunk->words[p->word].idle);
            choose(p, chunk, p->word * 64 + bit, stays);
            budget = spend(budget, cost);
        } else {
            p->word++;
        }
    }
    return c->idle ? 0 : budget;
}

/* They stay what they were. */
static void keep_run(struct eddy_stack_chunk *chunk, size_t first, size_t count)
{
    struct eddy_stack_class *c = chunk->class;

    for (size_t i = first; i < first + count; i++) {
        if (!(chunk->words[i / 64].cooling >> i % 64 & 1))
            continue;
        struct eddy_stack *s = stack_at(chunk, i);
        s->bytes = c->usable;
        s->next = c->warm;
        c->warm = s;
    }
}

/* One run of neighbours in one word: from the lowest that is cooling to where a stack is that is
 * neither cooling nor cold. Returns how many it were. */
static size_t return_run(struct eddy_stack_pool *p, struct eddy_stack_chunk *chunk, size_t i)
{
    struct eddy_stack_class *c = chunk->class;
    struct word *w = &chunk->words[i];
    size_t low = (size_t)__builtin_ctzll(w->cooling);
    uint64_t free_slots = (w->cooling | w->cold) >> low;
    size_t len = ~free_slots ? (size_t)__builtin_ctzll(~free_slots) : 64;
    uint64_t run = (len == 64 ? ~UINT64_C(0) : (UINT64_C(1) << len) - 1) << low;
    uint64_t cooling = w->cooling & run;
    size_t count = (size_t)__builtin_popcountll(cooling);

    /* Guards of either kind stay. */
    if (p->stuck || eddy__sys.madvise(chunk->base + (i * 64 + low) * span_of(c), len * span_of(c),
                                      MADV_DONTNEED) < 0) {
        eddy_stack_stuck(p);
        keep_run(chunk, i * 64 + low, len);
    } else {
        w->cold |= cooling;
        chunk->cold += count;
        c->cold += count;
        p->trimmed += count;
        p->bytes -= count * c->usable;
    }
    w->cooling &= ~cooling;
    chunk->cooling -= count;
    c->cooling -= count;
    return len;
}

/* Nothing of it is in use. One call for all; refused when it would split a mapping that may not. */
static bool unmap(struct eddy_stack_pool *p, struct eddy_stack_chunk **link)
{
    struct eddy_stack_chunk *chunk = *link;

    if (eddy__sys.munmap(chunk->base, chunk->slots * span_of(chunk->class)) < 0)
        return false;
    for (size_t i = 0; i < words_of(chunk->slots); i++)
        p->bare -= (size_t)__builtin_popcountll(chunk->words[i].bare);
    p->trimmed += chunk->cooling;
    p->bytes -= chunk->cooling * chunk->class->usable;
    *link = chunk->next;
    free_chunk(chunk);
    return true;
}

size_t eddy_stack_return_some(struct eddy_stack_pool *p, struct eddy_stack_class *c, size_t budget)
{
    struct eddy_stack_chunk **link = &c->chunks;

    while (c->cooling && budget) {
        struct eddy_stack_chunk *chunk = *link;
        size_t cooling = chunk->cooling;
        if (cooling && cooling + chunk->cold == chunk->used && unmap(p, link)) {
            budget = spend(budget, cooling);
            continue;
        }
        for (size_t i = 0; chunk->cooling && budget; i++)
            while (chunk->words[i].cooling && budget)
                budget = spend(budget, return_run(p, chunk, i));
        if (!chunk->cooling)
            link = &chunk->next;
    }
    return c->cooling ? 0 : budget;
}
