/*
 * eddy/arena.h - memory that lives as long as one job and is given back at once
 *
 * A request's arena: bump allocation in blocks, freed together. It has a maximum.
 */
#ifndef EDDY_ARENA_H
#define EDDY_ARENA_H

#include <eddy/common.h>
#include <eddy/slice.h>
#include <stdarg.h>

EDDY_BEGIN

struct eddy_arena_block;

struct eddy_arena {
    struct eddy_arena_block *blocks; /* newest first; owned, but for the borrowed first one */
    char *at;                        /* next free byte of the newest block */
    char *end;
    size_t used; /* bytes of all blocks but the borrowed one */
    size_t max;  /* bound of used */
};

/* An arena of at most @max bytes; it allocates nothing until asked. */
#define EDDY_ARENA(max_bytes) ((struct eddy_arena){ .max = (max_bytes) })

/**
 * eddy_arena_init() - an arena whose first bytes are borrowed
 * @a:     made empty
 * @first: caller's memory, which must outlive the arena; NULL: none
 * @size:  of @first
 * @max:   bound of what is allocated behind it
 *
 * Return: nothing.   Source: none.   Since: 0.1
 */
EDDY_API void eddy_arena_init(struct eddy_arena *a, void *first, size_t size, size_t max);

/** eddy_arena_done() - free everything; safe twice
 * @a: all it gave out is dead
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_arena_done(struct eddy_arena *a);

/**
 * eddy_arena_alloc() - memory that lives until eddy_arena_done()
 * @a:    grows
 * @size: 0 gives a pointer that may not be used
 *
 * Aligned for any type, not cleared.
 *
 * Return: the memory, or NULL: out of memory, or over the maximum.
 * Source: none.   Since: 0.1
 */
EDDY_API void *eddy_arena_alloc(struct eddy_arena *a, size_t size);

/** eddy_arena_copy() - a copy of bytes, with a terminating NUL behind them
 * @a:   grows
 * @ptr: copied
 * @len: 0 is fine
 *
 * Return: the copy, or NULL as eddy_arena_alloc().   Source: strndup(3).   Since: 0.1 */
EDDY_API char *eddy_arena_copy(struct eddy_arena *a, const void *ptr, size_t len);

/** eddy_arena_printf() - a formatted, terminated text
 * @a:      grows
 * @format: printf's
 *
 * Return: the text, or NULL as eddy_arena_alloc().   Source: printf(3).   Since: 0.1 */
EDDY_API char *eddy_arena_printf(struct eddy_arena *a, const char *format, ...) EDDY_PRINTF(2, 3);

EDDY_END

#endif
