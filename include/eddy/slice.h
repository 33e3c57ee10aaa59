/*
 * eddy/slice.h - a pointer and a length: bytes that somebody else owns
 *
 * A slice never owns and is never terminated. Who owns the bytes, and until when, is said
 * by the call that hands one out.
 */
#ifndef EDDY_SLICE_H
#define EDDY_SLICE_H

#include <eddy/common.h>
#include <string.h>

EDDY_BEGIN

struct eddy_slice {
    const char *ptr;
    size_t len;
};

/* A slice of a string literal, or of a char array used as one. */
#define EDDY_SLICE(literal) ((struct eddy_slice){ (literal), sizeof(literal) - 1 })

/* For printf: printf("%.*s", EDDY_SLICE_ARG(s)). */
#define EDDY_SLICE_ARG(slice) (int)(slice).len, (slice).ptr

/**
 * eddy_slice_of() - a slice over a terminated string
 * @text: borrowed; NULL gives the empty slice
 *
 * Return: the slice; it lives as long as @text.
 * Source: none, a convenience.   Since: 0.1
 */
static inline struct eddy_slice eddy_slice_of(const char *text)
{
    struct eddy_slice s = { text ? text : "", text ? strlen(text) : 0 };
    return s;
}

/**
 * eddy_slice_eq() - whether two slices hold the same bytes
 * @a: borrowed
 * @b: borrowed
 *
 * Return: true when lengths and bytes are equal.
 * Source: none, a convenience.   Since: 0.1
 */
static inline bool eddy_slice_eq(struct eddy_slice a, struct eddy_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/**
 * eddy_slice_ieq() - whether two slices are equal but for the case of ASCII letters
 * @a: borrowed
 * @b: borrowed
 *
 * Return: true when they are. Bytes above 127 compare as they are: no locale takes part.
 * Source: RFC 9110 5.1 (field names).   Since: 0.1
 */
EDDY_API bool eddy_slice_ieq(struct eddy_slice a, struct eddy_slice b);

/**
 * eddy_slice_trim() - without the blanks and tabs at both ends
 * @s: borrowed
 *
 * Return: a slice inside @s.
 * Source: RFC 9110 5.6.3 (OWS).   Since: 0.1
 */
EDDY_API struct eddy_slice eddy_slice_trim(struct eddy_slice s);

/**
 * eddy_slice_u64() - an unsigned decimal number, whole
 * @s:         borrowed; digits only: no sign, no blank, nothing behind
 * @ret_value: written on success
 *
 * Return: 0, or -EINVAL (not a number), -ERANGE (over UINT64_MAX).
 * Source: RFC 9110 8.6 (as Content-Length asks).   Since: 0.1
 */
EDDY_API int eddy_slice_u64(struct eddy_slice s, uint64_t *ret_value);

EDDY_END

#endif
