/*
 * task/stack.h - guarded stacks of many sizes, from a pool that gives back what it does not need
 *
 * A slot is a span of address space, committed as it is used: at its low end what guards it
 * (guard.h), above it the usable part, at the very top a struct eddy_stack. Sizes are classes,
 * each with its own slots, cut from chunks of growing size: a million slots are a few hundred
 * mappings that the kernel merges. A slot that no task has is one of
 *
 *   warm    given back, with the pages it had. In a list, last in first out: its top is in the
 *           cache, and holds the link
 *   cold    given back, then its pages were returned to the kernel. A bit in its chunk; the guard
 *           stays
 *   fresh   never given out: the end of the newest chunk
 *
 * What a warm stack costs is not known when it is given back: the task may have touched its top
 * page or all of it. So it counts with all, which is a store and an addition. When the sum passes
 * a quarter of the bound, a sweep (sweep.c) follows a second later. It goes through the idle stacks
 * from the oldest chunk to the newest, asks the kernel which pages are there (mincore), returns
 * what lies deeper than EDDY_STACK_KEEP, and counts what is left. While that is under three
 * quarters of the bound a stack stays warm; the others become cold, neighbours with one call, and a
 * chunk whose slots are all cold is unmapped. So what the pool holds is under the bound a second
 * after the last burst, and a server's few stacks, used over and over, are swept once a second at
 * most; taking and giving never do more than the list.
 *
 * Rejected: a canary at a known depth, which would commit a page more for each sleeping task, or
 * be read (a page fault) at each return; trimming at each return, a system call a task; keeping
 * those that were used last, which lie anywhere, so that hardly two that go are neighbours.
 */
#ifndef EDDY_TASK_STACK_H
#define EDDY_TASK_STACK_H

#include "loop/loop.h"

#include <stddef.h>

#define EDDY_STACK_CLASSES 13
#define EDDY_STACK_DEFAULT 4                             /* the class of 256 KiB spans */
#define EDDY_STACK_KEEP ((size_t)32 * 1024)              /* what a sweep leaves of a warm stack */
#define EDDY_STACK_POOL_BYTES ((size_t)64 * 1024 * 1024) /* the bound, when none is asked for */

struct eddy_stack_chunk;
struct eddy_stack_class;

/* The top of each stack; what is below it is the task's. Gone when the stack is cold. */
struct eddy_stack {
    struct eddy_stack *next; /* while warm */
    struct eddy_stack_class *class;
    struct eddy_stack_chunk *chunk;
    size_t bytes; /* while warm: with what it counts; class->usable: not measured */
};

struct eddy_stack_class {
    struct eddy_stack *warm;
    size_t usable; /* the struct at its top included */
    size_t guard;
    size_t live;
    size_t used; /* slots that are not fresh */
    size_t cold;
    size_t idle;                     /* in a sweep's hands, to be looked at */
    size_t cooling;                  /* in a sweep's hands, about to be cold */
    size_t slots;                    /* of all chunks */
    struct eddy_stack_chunk *chunks; /* oldest first */
    struct eddy_stack_chunk *newest; /* only this has fresh slots */
    struct eddy_stack_chunk *hint;   /* may have cold slots; NULL: look at all */
};

struct eddy_stack_pool {
    struct eddy_stack_class classes[EDDY_STACK_CLASSES];
    size_t bytes;     /* what the warm ones count, and those in a sweep's hands */
    size_t attention; /* above it eddy_stack_give() calls eddy_stack_notice() */
    size_t wanted;    /* above it a sweep is wanted */
    size_t bound;
    size_t least;   /* usable bytes that a stack must have */
    size_t bare;    /* slots with a canary */
    size_t trimmed; /* stacks whose pages were returned, so far */
    /* Told of a live stack, being given back, that was found to have run over; must not return. */
    void (*overrun)(struct eddy_stack *s);

    /* the sweep: see sweep.c */
    struct eddy_loop *loop; /* NULL: only by hand */
    struct eddy_timer timer;
    struct eddy_soon soon;
    unsigned at;                    /* the class */
    struct eddy_stack *todo;        /* its warm ones, not sorted into their chunks yet */
    struct eddy_stack_chunk *chunk; /* then: which chunk, and which word of it, is looked at */
    size_t word;
    size_t kept; /* bytes of those that stay warm */
    bool sweeping;
    bool stuck; /* the kernel takes no pages back */
};

/* @loop: whose timers start sweeps, may be NULL; @bound: bytes, 0: EDDY_STACK_POOL_BYTES. */
void eddy_stack_pool_init(struct eddy_stack_pool *p, struct eddy_loop *loop, size_t bound);
void eddy_stack_pool_done(struct eddy_stack_pool *p); /* none may be live */

/* The class for so many usable bytes, or NULL: over 64 MiB. Little is rounded up to what a record,
 * a signal's frame and some calls need. */
struct eddy_stack_class *eddy_stack_class_of(struct eddy_stack_pool *p, size_t bytes);

/* A stack of this class, or NULL: out of memory or address space. */
struct eddy_stack *eddy_stack_take(struct eddy_stack_pool *p, struct eddy_stack_class *c);
void eddy_stack_give(struct eddy_stack_pool *p, struct eddy_stack *s);

static inline char *eddy_stack_low(const struct eddy_stack *s)
{
    return (char *)(uintptr_t)(s + 1) - s->class->usable;
}

/* --- between stack.c, chunk.c and sweep.c ------------------------------------------------------- */

/* chunk.c: a slot that is not in the list, made ready; NULL: no memory. */
struct eddy_stack *eddy_stack_make(struct eddy_stack_pool *p, struct eddy_stack_class *c);
void eddy_stack_drop_chunks(struct eddy_stack_class *c);

/* Whether it has a canary, and that is no more. */
bool eddy_stack_has_run_over(const struct eddy_stack *s);

/* A warm stack, in no list any more, is put into its chunk's place for the sweep. */
void eddy_stack_sort(struct eddy_stack_pool *p, struct eddy_stack *s);

/* Those are looked at, from p->chunk and p->word on: stays(p, s) tells whether one is warm again.
 * The others become cold. Each is the work of about @budget stacks; they return what is left of
 * it, which is 0 while there is more to do. */
size_t eddy_stack_choose_some(struct eddy_stack_pool *p, struct eddy_stack_class *c, size_t budget,
                              bool (*stays)(struct eddy_stack_pool *p, struct eddy_stack *s));
size_t eddy_stack_return_some(struct eddy_stack_pool *p, struct eddy_stack_class *c, size_t budget);

/* sweep.c: a stack was given back, and the warm ones count too much, or it has a canary. */
void eddy_stack_notice(struct eddy_stack_pool *p, struct eddy_stack *s);

/* The kernel refused to take pages back: no sweeps any more. */
void eddy_stack_stuck(struct eddy_stack_pool *p);

/* When to be told again; after what it depends on has changed. */
void eddy_stack_watch(struct eddy_stack_pool *p);

/* Begin a sweep, and do at most @budget stacks' work of it. Returns whether some is left. */
void eddy_stack_sweep_begin(struct eddy_stack_pool *p);
bool eddy_stack_sweep(struct eddy_stack_pool *p, size_t budget);

#endif
