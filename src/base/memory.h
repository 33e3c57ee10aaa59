/*
 * base/memory.h - allocation inside the library: through the hook, counted, and made to fail
 */
#ifndef EDDY_BASE_MEMORY_H
#define EDDY_BASE_MEMORY_H

#include <eddy/memory.h>

#include <string.h>

/* Everything eddy allocates goes through these four. Sizes are given back at free because the
 * hook may want them; NULL and size 0 are fine to free. Every failure returns NULL. */
EDDY_PRIVATE void *eddy__alloc(size_t size) __attribute__((malloc, alloc_size(1)));
EDDY_PRIVATE void *eddy__zalloc(size_t size) __attribute__((malloc, alloc_size(1)));
EDDY_PRIVATE void *eddy__resize(void *old, size_t old_size, size_t new_size);
EDDY_PRIVATE void eddy__free(void *ptr, size_t size);

/* A terminated copy; free with eddy__free(p, strlen(p) + 1). */
EDDY_PRIVATE char *eddy__strdup(const char *text);

/* For libraries that take malloc-shaped hooks (c-ares): size kept in front. */
EDDY_PRIVATE void *eddy__foreign_malloc(size_t size);
EDDY_PRIVATE void *eddy__foreign_realloc(void *ptr, size_t size);
EDDY_PRIVATE void eddy__foreign_free(void *ptr);

/* Live allocations in the process; a test compares before and after. */
EDDY_PRIVATE size_t eddy__memory_live(void);

#endif
