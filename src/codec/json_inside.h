/*
 * codec/json_inside.h - what JSON's files share
 */
#ifndef EDDY_CODEC_JSON_INSIDE_H
#define EDDY_CODEC_JSON_INSIDE_H

#include <eddy/json.h>

/* json_number.c. A number as the scanner saw it: text = +-digits * 10^exponent, if exact. */
struct eddy__json_number {
    struct eddy_slice text;
    uint64_t digits;
    int64_t exponent;
    bool negative;
    bool exact; /* digits holds all of them */
};

/* 0, or -EDDY_ESYNTAX: no double holds it, or its text is over 512 bytes. */
int eddy__json_to_double(const struct eddy__json_number *number, double *ret);

/* As few digits as read back the same. @value is finite. Return: the length. */
#define EDDY__JSON_DOUBLE 32
size_t eddy__json_from_double(double value, char out[EDDY__JSON_DOUBLE]);

/* The index of the first byte from @at on that a string may not hold plainly: '"', '\', a control,
 * or one above 127; or @end. Eight at a time: see find_control() in http1_scan.c for why that is exact. */
static inline size_t eddy__json_plain(const char *p, size_t at, size_t end)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, p + at, sizeof word);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
            word = __builtin_bswap64(word);
        uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
        uint64_t hit = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                       ((slash - ones) & ~slash) | word;
        hit &= tops;
        if (hit)
            return at + (size_t)__builtin_ctzll(hit) / 8;
        at += 8;
    }
    while (at < end && (unsigned char)p[at] >= 0x20 && (unsigned char)p[at] < 0x80 &&
           p[at] != '"' && p[at] != '\\')
        at++;
    return at;
}

#endif
