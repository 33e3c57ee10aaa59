/*
 * serve/nearest.c - optimal string alignment distance over short words
 *
 * Three rows of the table are enough: a swap of neighbours looks two rows back.
 */
#include "serve/nearest.h"

#include <string.h>

#define WORD_MAX 32

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned row[3][WORD_MAX + 1];
    unsigned *before = row[0], *last = row[1], *now = row[2];

    for (size_t j = 0; j <= b_len; j++)
        last[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(now[j], least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[b_len];
}

const char *eddy__nearest(const char *word, const char *const *among)
{
    size_t len = strlen(word);
    const char *best = NULL;
    unsigned best_distance = 0;

    if (len == 0 || len > WORD_MAX)
        return NULL;
    for (; *among; among++) {
        size_t other = strlen(*among);
        size_t longer = other > len ? other : len;
        if (other > WORD_MAX)
            continue;
        unsigned d = distance(word, len, *among, other);
        if (d > (longer + 2) / 3 || (best && d >= best_distance))
            continue;
        best = *among;
        best_distance = d;
    }
    return best;
}
