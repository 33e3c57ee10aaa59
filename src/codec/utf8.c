/*
 * codec/utf8.c - UTF-8 by the table of RFC 3629: shortest forms only, no surrogates
 */
#include "codec/utf8.h"

#include <string.h>

static bool follows(const char *p, size_t at)
{
    return ((unsigned char)p[at] & 0xc0) == 0x80;
}

size_t eddy__utf8_step(const char *text, size_t len)
{
    const unsigned char first = (unsigned char)text[0];
    const unsigned char second = len > 1 ? (unsigned char)text[1] : 0;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || len < 2 || !follows(text, 1))
        return 0;
    if (first < 0xe0)
        return 2;
    if (len < 3 || !follows(text, 2))
        return 0;
    if (first < 0xf0) {
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f))
            return 0;
        return 3;
    }
    if (len < 4 || !follows(text, 3))
        return 0;
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return 4;
}

bool eddy__utf8_valid(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        uint64_t word;
        /* Most text is ASCII: eight bytes at once. */
        if (len - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if (!(word & 0x8080808080808080u)) {
                at += sizeof word;
                continue;
            }
        }
        size_t step = eddy__utf8_step(text + at, len - at);
        if (!step)
            return false;
        at += step;
    }
    return true;
}
