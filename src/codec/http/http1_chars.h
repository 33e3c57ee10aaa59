/*
 * codec/http/http1_chars.h - classes of bytes, and a word at a time
 */
#ifndef EDDY_CODEC_HTTP_HTTP1_CHARS_H
#define EDDY_CODEC_HTTP_HTTP1_CHARS_H

#include <eddy/common.h>
#include <eddy/slice.h>

#include <assert.h>

enum {
    EDDY__HTTP1_TOKEN = 1,  /* tchar, RFC 9110 5.6.2 */
    EDDY__HTTP1_TARGET = 2, /* in a request target; see http1_chars.c */
    EDDY__HTTP1_HOST = 4,   /* in a registered name or an IPv4 address, but for '%' */
    EDDY__HTTP1_DIGIT = 8,
    EDDY__HTTP1_HEX = 16,
    EDDY__HTTP1_VALUE = 32 /* in a field value: all but controls; HTAB is none */
};

extern const unsigned char eddy__http1_chars[256];

static inline bool eddy__http1_is(char c, unsigned classes)
{
    return (eddy__http1_chars[(unsigned char)c] & classes) != 0;
}

/* The index of the first byte from @at on that is not of the class, or @end. */
static inline size_t eddy__http1_run(const char *p, size_t at, size_t end, unsigned classes)
{
    while (at < end && eddy__http1_is(p[at], classes))
        at++;
    return at;
}

static inline uint64_t eddy__load64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint32_t eddy__load32(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/*
 * Whether @len bytes, 4 to 24 and a constant, equal a text in lower case, but for the case of
 * letters. Setting bit 5 folds letters; among the bytes a token may hold, it makes no other one
 * equal to a letter or '-'.
 */
static inline bool eddy__http1_same(const char *p, const char *lower, size_t len)
{
    assert(len >= 4 && len <= 24);
    if (len >= 8) {
        const uint64_t fold = 0x2020202020202020u;
        if (len > 16 && (eddy__load64(p + 8) | fold) != eddy__load64(lower + 8))
            return false;
        return (eddy__load64(p) | fold) == eddy__load64(lower) &&
               (eddy__load64(p + len - 8) | fold) == eddy__load64(lower + len - 8);
    }
    const uint32_t fold = 0x20202020u;
    return (eddy__load32(p) | fold) == eddy__load32(lower) &&
           (eddy__load32(p + len - 4) | fold) == eddy__load32(lower + len - 4);
}

#endif
