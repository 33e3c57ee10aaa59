/*
 * eddy/common.h - what every other header stands on: visibility, ownership, options
 *
 * Nothing here is a function. The macros that take part in a user's program do one of
 * three things: mark a name, attach a cleanup to a variable, or fill a struct.
 */
#ifndef EDDY_COMMON_H
#define EDDY_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if !defined(__GNUC__)
#error "eddy needs GCC or Clang: the cleanup attribute is how it releases what a scope owns"
#endif

#ifdef __cplusplus
#define EDDY_BEGIN extern "C" {
#define EDDY_END }
#else
#define EDDY_BEGIN
#define EDDY_END
#endif

#define EDDY_VERSION_MAJOR 0
#define EDDY_VERSION_MINOR 1
#define EDDY_VERSION_PATCH 0
#define EDDY_VERSION "0.1.0"

/* A public name: exported under the version EDDY_0. */
#define EDDY_API __attribute__((visibility("default")))
/* A name (eddy__x) shared between eddy's own libraries, exported under a version of this build. */
#define EDDY_PRIVATE __attribute__((visibility("default")))

#define EDDY_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define EDDY_MUST_USE __attribute__((warn_unused_result))
#define EDDY_UNUSED __attribute__((unused))

#ifndef __cplusplus

/*
 * EDDY_OWN(eddy_stream) s = ...;   a pointer, freed by eddy_stream_free() when it leaves its block
 * EDDY_AUTO(eddy_gen) g = ...;     a struct, ended by eddy_gen_done() when it leaves its block
 *
 * The variable is marked unused because Clang warns about one that exists for its cleanup only.
 */
#define EDDY_OWN(type) __attribute__((cleanup(type##_free_at), unused)) struct type *
#define EDDY_AUTO(type) __attribute__((cleanup(type##_done), unused)) struct type

/* Take ownership out of a variable: its value, which becomes NULL. */
#define EDDY_TAKE(pointer)                                                                         \
    __extension__({                                                                                \
        __typeof__(pointer) eddy_taken_ = (pointer);                                               \
        (pointer) = NULL;                                                                          \
        eddy_taken_;                                                                               \
    })

/* Options: a struct whose first member is its own size, so that it may grow without breaking
 * programs that were compiled before. Zero means default in every field. */
#define EDDY_OPT(noun, ...)                                                                        \
    (&(const struct eddy_##noun##_options){ .size = sizeof(struct eddy_##noun##_options),          \
                                            __VA_ARGS__ })

#endif /* !__cplusplus */

/* For a type with eddy_x_free(): the cleanup that EDDY_OWN names. */
#define EDDY_FREE_AT(type)                                                                         \
    static inline EDDY_UNUSED void type##_free_at(struct type **at)                                \
    {                                                                                              \
        if (*at)                                                                                   \
            type##_free(*at);                                                                      \
    }

#endif
