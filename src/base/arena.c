/*
 * base/arena.c - bump allocation in blocks
 *
 * [at, end) is the free rest of the block in use. Blocks double from 1 KiB to 64 KiB. What is
 * larger than the next block gets one of its own, behind the newest, so the rest of that is not
 * lost. The borrowed first bytes are in no list: there is nothing to free.
 */
#include <eddy/arena.h>

#include "base/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdio.h>

#define ALIGN alignof(max_align_t)
#define BLOCK_FIRST 1024
#define BLOCK_LAST 65536

struct eddy_arena_block {
    struct eddy_arena_block *next;
    size_t size; /* of the whole, this header included */
    max_align_t bytes[];
};

void eddy_arena_init(struct eddy_arena *a, void *first, size_t size, size_t max)
{
    *a = (struct eddy_arena){ .max = max };
    if (first) {
        a->at = first;
        a->end = a->at + size;
    }
}

void eddy_arena_done(struct eddy_arena *a)
{
    for (struct eddy_arena_block *b = a->blocks; b;) {
        struct eddy_arena_block *next = b->next;
        eddy__free(b, b->size);
        b = next;
    }
    *a = (struct eddy_arena){ .max = a->max };
}

/* From a new block; @size as asked. */
static void *alloc_block(struct eddy_arena *a, size_t size)
{
    size_t left = a->max - a->used;
    size_t next = a->blocks ? a->blocks->size * 2 : BLOCK_FIRST;
    size_t need;

    assert(a->used <= a->max);
    if (__builtin_add_overflow(size, sizeof(struct eddy_arena_block), &need) || need > left)
        return NULL;
    if (next > BLOCK_LAST)
        next = BLOCK_LAST;
    if (next > left)
        next = left;

    bool own = need > next;
    size_t whole = own ? need : next;
    struct eddy_arena_block *b = eddy__alloc(whole);
    if (!b)
        return NULL;
    b->size = whole;
    a->used += whole;

    char *bytes = (char *)b->bytes;
    if (own && a->blocks) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
        a->at = bytes + size;
        a->end = (char *)b + whole;
    }
    return bytes;
}

void *eddy_arena_alloc(struct eddy_arena *a, size_t size)
{
    size_t pad = -(uintptr_t)a->at & (ALIGN - 1);
    size_t room = (size_t)(a->end - a->at);

    if (room > pad && size <= room - pad) {
        char *ptr = a->at + pad;
        a->at = ptr + size;
        return ptr;
    }
    return alloc_block(a, size);
}

/* Text needs no alignment. */
static char *alloc_text(struct eddy_arena *a, size_t size)
{
    if (size <= (size_t)(a->end - a->at)) {
        char *ptr = a->at;
        a->at += size;
        return ptr;
    }
    return alloc_block(a, size);
}

char *eddy_arena_copy(struct eddy_arena *a, const void *ptr, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = alloc_text(a, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, ptr, len);
    copy[len] = '\0';
    return copy;
}

char *eddy_arena_printf(struct eddy_arena *a, const char *format, ...)
{
    size_t room = (size_t)(a->end - a->at);
    va_list args;

    /* Into the rest of the block first: most texts fit, and are formatted once. */
    va_start(args, format);
    int n = vsnprintf(room ? a->at : NULL, room, format, args);
    va_end(args);
    if (n < 0)
        return NULL;

    size_t size = (size_t)n + 1;
    char *text = alloc_text(a, size);
    if (!text || size <= room)
        return text;
    va_start(args, format);
    n = vsnprintf(text, size, format, args);
    va_end(args);
    assert(n < 0 || (size_t)n + 1 == size);
    return n < 0 ? NULL : text;
}
