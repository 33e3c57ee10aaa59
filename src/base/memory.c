/*
 * base/memory.c - the allocator hook, and the four calls that go through it
 *
 * The count of live allocations is the only shared state that moves; it is relaxed, because it
 * orders nothing. The hook is set before first use and never changes while anything lives, so it
 * is read without a lock.
 *
 * A size of 0 is taken as 1 everywhere, so a zero-sized allocation is a pointer like another.
 */
#include "base/memory.h"

#include "base/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void *libc_resize(void *ctx, void *old, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_size);
}

static eddy_resize_fn *hook = libc_resize;
static void *hook_ctx;
static size_t live;

int eddy_memory_hook(eddy_resize_fn *resize, void *ctx)
{
    if (eddy__memory_live() != 0)
        return -EBUSY;
    hook = resize ? resize : libc_resize;
    hook_ctx = resize ? ctx : NULL;
    return 0;
}

size_t eddy__memory_live(void)
{
    return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

static size_t at_least_one(size_t size)
{
    return size ? size : 1;
}

void *eddy__alloc(size_t size)
{
    if (eddy_fault_here(EDDY_FAULT_ALLOC))
        return NULL;
    void *ptr = hook(hook_ctx, NULL, 0, at_least_one(size));
    if (ptr)
        __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    return ptr;
}

void *eddy__zalloc(size_t size)
{
    void *ptr = eddy__alloc(size);

    return ptr ? memset(ptr, 0, at_least_one(size)) : NULL;
}

void *eddy__resize(void *old, size_t old_size, size_t new_size)
{
    if (!old)
        return eddy__alloc(new_size);
    if (new_size == 0) {
        eddy__free(old, old_size);
        return NULL;
    }
    if (new_size > old_size && eddy_fault_here(EDDY_FAULT_ALLOC))
        return NULL;
    return hook(hook_ctx, old, at_least_one(old_size), new_size);
}

void eddy__free(void *ptr, size_t size)
{
    if (!ptr)
        return;
    size_t before = __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    assert(before > 0);
    (void)hook(hook_ctx, ptr, at_least_one(size), 0);
}

char *eddy__strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = eddy__alloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

/* In front of what a foreign library gets: its size, in a header that keeps the alignment. */
union foreign {
    size_t size; /* of the whole, header included */
    max_align_t align;
};

void *eddy__foreign_malloc(size_t size)
{
    size_t whole;

    if (__builtin_add_overflow(size, sizeof(union foreign), &whole))
        return NULL;
    union foreign *f = eddy__alloc(whole);
    if (!f)
        return NULL;
    f->size = whole;
    return f + 1;
}

void *eddy__foreign_realloc(void *ptr, size_t size)
{
    size_t whole;

    if (!ptr)
        return eddy__foreign_malloc(size);
    if (__builtin_add_overflow(size, sizeof(union foreign), &whole))
        return NULL;
    union foreign *f = (union foreign *)ptr - 1;
    f = eddy__resize(f, f->size, whole);
    if (!f)
        return NULL;
    f->size = whole;
    return f + 1;
}

void eddy__foreign_free(void *ptr)
{
    if (ptr) {
        union foreign *f = (union foreign *)ptr - 1;
        eddy__free(f, f->size);
    }
}
