/*
 * task/stack.h - guarded stacks from a pool
 *
 * A slot is EDDY_STACK_SPAN bytes of address space, committed as it is used: at its low end guard
 * pages, above them the usable part. Slots are cut from chunks of growing size, so a million of
 * them are a few hundred mappings that the kernel merges. A stack given back goes to a free list,
 * last in first out, because its top page is warm.
 */
#ifndef EDDY_TASK_STACK_H
#define EDDY_TASK_STACK_H

#include <stddef.h>

#define EDDY_STACK_SPAN ((size_t)256 * 1024)
#define EDDY_STACK_GUARD ((size_t)4 * 4096)
#define EDDY_STACK_USABLE (EDDY_STACK_SPAN - EDDY_STACK_GUARD)

struct eddy_stack_chunk;

struct eddy_stack_pool {
    struct eddy_stack_chunk *chunks;
    void *free; /* usable low ends, linked through their topmost word */
    size_t live;
    size_t pooled;
    size_t next_chunk; /* slots of the chunk to come */
};

/* The usable low end of a stack, or NULL: out of memory or address space. */
void *eddy_stack_take(struct eddy_stack_pool *p);
void eddy_stack_give(struct eddy_stack_pool *p, void *low);
void eddy_stack_pool_done(struct eddy_stack_pool *p); /* none may be live */

/* "madvise" or "mprotect": probed by effect, once a process. */
const char *eddy_stack_guard_name(void);
void eddy_stack_guard_forget(void); /* tests: probe again */

#endif
