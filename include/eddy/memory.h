/*
 * eddy/memory.h - the one allocator hook
 */
#ifndef EDDY_MEMORY_H
#define EDDY_MEMORY_H

#include <eddy/common.h>

EDDY_BEGIN

/*
 * One function does it all: @old NULL allocates, @new_size 0 frees, else it moves. It gets the
 * old size, so an allocator needs no headers of its own. Alignment: that of max_align_t.
 */
typedef void *eddy_resize_fn(void *ctx, void *old, size_t old_size, size_t new_size);

/**
 * eddy_memory_hook() - give eddy an allocator
 * @resize: called from any thread that uses eddy; NULL restores malloc's
 * @ctx:    handed back
 *
 * Process-wide, and to be called before any other call of eddy. Reaches c-ares; OpenSSL has
 * a hook of its own that must be set before its first use and is left to the program, and
 * llhttp allocates nothing.
 *
 * Return: 0, or -EBUSY when eddy has live allocations already.
 * Source: realloc(3).   Since: 0.1
 */
EDDY_API int eddy_memory_hook(eddy_resize_fn *resize, void *ctx);

EDDY_END

#endif
