/*
 * base/buffer.c - bytes that grow at the end and are taken from the front
 *
 * The memory is [dead | held | free]: start, end and cap. Room is made by moving the held bytes
 * over the dead ones when that costs no more than what was taken since (so every byte is moved a
 * bounded number of times), else by growing to twice the size.
 */
#include <eddy/buffer.h>
#include <eddy/error.h>

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

#define SMALLEST 256

static void check(const struct eddy_buffer *b)
{
    assert(b->start <= b->end && b->end <= b->cap && b->cap <= b->max);
}

void eddy_buffer_done(struct eddy_buffer *b)
{
    check(b);
    eddy__free(b->ptr, b->cap);
    *b = (struct eddy_buffer){ .max = b->max };
}

static void compact(struct eddy_buffer *b)
{
    memmove(b->ptr, b->ptr + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
}

/* To at least @need bytes in all; the dead ones are not copied. */
static int grow(struct eddy_buffer *b, size_t need)
{
    size_t used = b->end - b->start;
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;

    if (cap < need)
        cap = need;
    if (cap < SMALLEST)
        cap = b->max < SMALLEST ? b->max : SMALLEST;

    char *ptr;
    if (b->start == 0) {
        ptr = eddy__resize(b->ptr, b->cap, cap);
        if (!ptr)
            return -ENOMEM;
    } else {
        ptr = eddy__alloc(cap);
        if (!ptr)
            return -ENOMEM;
        memcpy(ptr, b->ptr + b->start, used);
        eddy__free(b->ptr, b->cap);
    }
    *b = (struct eddy_buffer){ .ptr = ptr, .end = used, .cap = cap, .max = b->max };
    return 0;
}

int eddy_buffer_room(struct eddy_buffer *b, size_t want, char **ret_ptr)
{
    size_t used = b->end - b->start;

    check(b);
    if (want > b->max - used)
        return -EDDY_ETOOBIG;
    if (want > b->cap - b->end) {
        if (used + want <= b->cap && (b->start >= used || b->cap == b->max)) {
            compact(b);
        } else {
            int r = grow(b, used + want);
            if (r < 0)
                return r;
        }
    }
    assert(b->cap - b->end >= want);
    *ret_ptr = b->ptr ? b->ptr + b->end : NULL;
    return 0;
}

void eddy_buffer_grew(struct eddy_buffer *b, size_t len)
{
    assert(len <= b->cap - b->end);
    b->end += len;
}

int eddy_buffer_append(struct eddy_buffer *b, const void *data, size_t len)
{
    char *to;

    if (len == 0)
        return 0;
    int r = eddy_buffer_room(b, len, &to);
    if (r < 0)
        return r;
    assert(to);
    memcpy(to, data, len);
    b->end += len;
    return 0;
}

int eddy_buffer_printf(struct eddy_buffer *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int r = eddy_buffer_vprintf(b, format, args);
    va_end(args);
    return r;
}

int eddy_buffer_vprintf(struct eddy_buffer *b, const char *format, va_list args)
{
    char local[512];
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(local, sizeof local, format, args);
    int r = n < 0 ? -EINVAL : 0;
    size_t len = n < 0 ? 0 : (size_t)n;

    if (r == 0 && len < sizeof local) {
        r = eddy_buffer_append(b, local, len);
    } else if (r == 0) {
        /* vsnprintf terminates, but the last byte of a full buffer is not there for that: so a
         * long text is made beside it. */
        char *text = NULL;

        if (len > b->max - (b->end - b->start))
            r = -EDDY_ETOOBIG;
        else if (!(text = eddy__alloc(len + 1)))
            r = -ENOMEM;
        else if (vsnprintf(text, len + 1, format, again) != n)
            r = -EINVAL;
        else
            r = eddy_buffer_append(b, text, len);
        eddy__free(text, len + 1);
    }
    va_end(again);
    return r;
}

void eddy_buffer_take(struct eddy_buffer *b, size_t len)
{
    assert(len <= b->end - b->start);
    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void eddy_buffer_release(struct eddy_buffer *b)
{
    if (b->start == b->end)
        eddy_buffer_done(b);
}
