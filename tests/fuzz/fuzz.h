/*
 * fuzz.h - what fuzzers share
 */
#ifndef EDDY_TESTS_FUZZ_H
#define EDDY_TESTS_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Broken: the engine keeps the input. */
#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Exactly as large as @len, so that looking past the end is seen. free() it. */
static inline char *fuzz_copy(const uint8_t *data, size_t len)
{
    char *copy = calloc(len ? len : 1, 1); /* cleared: gcc cannot see that it is all written */

    REQUIRE(copy);
    if (len)
        memcpy(copy, data, len);
    return copy;
}

#endif
