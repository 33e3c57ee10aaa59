/*
 * task/stack.c - see stack.h; the guards
 *
 * MADV_GUARD_INSTALL (Linux 6.13) puts the guard into the page tables and costs no mapping, so a
 * million guarded stacks stay far below vm.max_map_count. Where it is missing, mprotect() does
 * it, at two mappings a stack. The kernel's word is not taken for it: a guard is installed on a
 * trial page and the kernel is asked to read from there, which must fail with EFAULT.
 */
#include "task/stack.h"

#include "base/fault.h"
#include "base/memory.h"
#include "base/sanitize.h"
#include "base/sys.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define FIRST_CHUNK 16
#define LARGEST_CHUNK 4096 /* 1 GiB of address space */

struct eddy_stack_chunk {
    struct eddy_stack_chunk *next;
    char *base;
    size_t slots;
    size_t used; /* slots that were given out once; the others have no guard yet */
};

/* --- guards ------------------------------------------------------------------------------------ */

enum guard { GUARD_UNKNOWN, GUARD_MADVISE, GUARD_MPROTECT };
static enum guard guard_kind;

static bool kernel_can_read(const void *at)
{
    int fd[2];

    if (eddy__sys.pipe(fd) < 0)
        return true;
    ssize_t r = eddy__sys.write(fd[1], at, 1);
    eddy__sys.close(fd[0]);
    eddy__sys.close(fd[1]);
    return r == 1;
}

static enum guard probe(void)
{
    const size_t page = 4096;
    enum guard found = GUARD_MPROTECT;
    char *trial = eddy__sys.mmap(2 * page);

    if (!trial)
        return found;
    trial[0] = trial[page] = 1;
    if (eddy__sys.madvise(trial, page, MADV_GUARD_INSTALL) == 0 && !kernel_can_read(trial) &&
        kernel_can_read(trial + page))
        found = GUARD_MADVISE;
    eddy__sys.munmap(trial, 2 * page);
    return found;
}

static enum guard active_guard(void)
{
    enum guard g = __atomic_load_n(&guard_kind, __ATOMIC_RELAXED);

    if (g == GUARD_UNKNOWN) {
        /* Two threads may both probe; they find the same. */
        g = probe();
        __atomic_store_n(&guard_kind, g, __ATOMIC_RELAXED);
    }
    return g;
}

const char *eddy_stack_guard_name(void)
{
    return active_guard() == GUARD_MADVISE ? "madvise" : "mprotect";
}

void eddy_stack_guard_forget(void)
{
    __atomic_store_n(&guard_kind, GUARD_UNKNOWN, __ATOMIC_RELAXED);
}

static int install_guard(char *slot)
{
    if (active_guard() == GUARD_MADVISE)
        return eddy__sys.madvise(slot, EDDY_STACK_GUARD, MADV_GUARD_INSTALL);
    return eddy__sys.mprotect(slot, EDDY_STACK_GUARD, PROT_NONE);
}

/* --- the pool ------------------------------------------------------------------------------------ */

/* The link of a free stack lies where its task's record lay: in the page that is warm. */
static void **link_of(void *low)
{
    return (void **)(void *)((char *)low + EDDY_STACK_USABLE) - 1;
}

static struct eddy_stack_chunk *add_chunk(struct eddy_stack_pool *p)
{
    size_t slots = p->next_chunk ? p->next_chunk : FIRST_CHUNK;
    struct eddy_stack_chunk *chunk = eddy__alloc(sizeof *chunk);

    if (!chunk)
        return NULL;
    chunk->base = eddy__sys.mmap(slots * EDDY_STACK_SPAN);
    if (!chunk->base) {
        eddy__free(chunk, sizeof *chunk);
        return NULL;
    }
    /* A huge page under a stack would commit 2 MiB for 4 KiB. A refusal costs memory only. */
    eddy__sys.madvise(chunk->base, slots * EDDY_STACK_SPAN, MADV_NOHUGEPAGE);
    chunk->slots = slots;
    chunk->used = 0;
    chunk->next = p->chunks;
    p->chunks = chunk;
    p->next_chunk = slots * 2 < LARGEST_CHUNK ? slots * 2 : LARGEST_CHUNK;
    return chunk;
}

static void *first_use(struct eddy_stack_pool *p)
{
    struct eddy_stack_chunk *chunk = p->chunks;

    if (!chunk || chunk->used == chunk->slots)
        chunk = add_chunk(p);
    if (!chunk)
        return NULL;
    char *slot = chunk->base + chunk->used * EDDY_STACK_SPAN;
    if (install_guard(slot) < 0)
        return NULL;
    chunk->used++;
    (void)VALGRIND_STACK_REGISTER(slot + EDDY_STACK_GUARD, slot + EDDY_STACK_SPAN);
    return slot + EDDY_STACK_GUARD;
}

void *eddy_stack_take(struct eddy_stack_pool *p)
{
    void *low = p->free;

    if (eddy_fault_here(EDDY_FAULT_ALLOC))
        return NULL;
    if (low) {
        p->free = *link_of(low);
        p->pooled--;
    } else if (!(low = first_use(p))) {
        return NULL;
    }
    p->live++;
    eddy_leak_root_add(low, EDDY_STACK_USABLE);
    return low;
}

void eddy_stack_give(struct eddy_stack_pool *p, void *low)
{
    assert(p->live > 0);
    eddy_leak_root_remove(low, EDDY_STACK_USABLE);
    /* Frames that were left without returning keep their red zones poisoned. */
    eddy_unpoison(low, EDDY_STACK_USABLE);
    *link_of(low) = p->free;
    p->free = low;
    p->live--;
    p->pooled++;
}

void eddy_stack_pool_done(struct eddy_stack_pool *p)
{
    assert(p->live == 0);
    while (p->chunks) {
        struct eddy_stack_chunk *chunk = p->chunks;
        p->chunks = chunk->next;
        eddy__sys.munmap(chunk->base, chunk->slots * EDDY_STACK_SPAN);
        eddy__free(chunk, sizeof *chunk);
    }
    *p = (struct eddy_stack_pool){ 0 };
}
