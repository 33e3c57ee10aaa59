/*
 * eddy/buffer.h - bytes that grow at the end and are taken from the front, up to a maximum
 *
 * Every buffer names its maximum at birth. A buffer that holds nothing holds no memory once
 * eddy_buffer_release() was called, which is how an idle connection costs none.
 */
#ifndef EDDY_BUFFER_H
#define EDDY_BUFFER_H

#include <eddy/common.h>
#include <eddy/slice.h>
#include <stdarg.h>

EDDY_BEGIN

struct eddy_buffer {
    char *ptr;    /* owned; NULL while nothing was ever stored */
    size_t start; /* taken bytes before this point are dead; start <= end <= cap <= max */
    size_t end;
    size_t cap;
    size_t max;
};

/* A buffer of at most @max bytes; it allocates nothing until bytes come. */
#define EDDY_BUFFER(max_bytes) ((struct eddy_buffer){ .max = (max_bytes) })

/** eddy_buffer_done() - free the memory; the buffer may be used again, its maximum stays
 * @b: may be empty; safe twice
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_buffer_done(struct eddy_buffer *b);

/** eddy_buffer_bytes() - what it holds
 * @b: borrowed
 *
 * Return: a slice valid until the next call that stores, takes or frees.
 * Source: none.   Since: 0.1 */
static inline struct eddy_slice eddy_buffer_bytes(const struct eddy_buffer *b)
{
    struct eddy_slice s = { b->ptr ? b->ptr + b->start : "", b->end - b->start };
    return s;
}

/**
 * eddy_buffer_room() - make room for @want more bytes behind the end
 * @b:       grows; may move its bytes
 * @want:    at least so many
 * @ret_ptr: where to write; then call eddy_buffer_grew()
 *
 * Return: 0, -EDDY_ETOOBIG (over the maximum; the buffer is as it was), -ENOMEM (likewise).
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_buffer_room(struct eddy_buffer *b, size_t want, char **ret_ptr);

/** eddy_buffer_grew() - @len bytes were written into the room
 * @b:   after eddy_buffer_room()
 * @len: at most what was asked for
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_buffer_grew(struct eddy_buffer *b, size_t len);

/**
 * eddy_buffer_append() - copy bytes behind the end
 * @b:    grows
 * @data: copied; must not lie in @b
 * @len:  0 is fine
 *
 * Return: 0, -EDDY_ETOOBIG or -ENOMEM, with the buffer as it was.
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_buffer_append(struct eddy_buffer *b, const void *data, size_t len);

/**
 * eddy_buffer_printf() - format behind the end
 * @b:      grows
 * @format: printf's
 *
 * Return: 0, -EDDY_ETOOBIG, -ENOMEM, -EINVAL (a conversion failed); unchanged on failure.
 * Source: printf(3).   Since: 0.1
 */
EDDY_API int eddy_buffer_printf(struct eddy_buffer *b, const char *format, ...) EDDY_PRINTF(2, 3);

/** eddy_buffer_vprintf() - the same with a va_list
 * @b:      grows
 * @format: printf's
 * @args:   consumed
 *
 * Return: as eddy_buffer_printf().   Source: vprintf(3).   Since: 0.1 */
EDDY_API int eddy_buffer_vprintf(struct eddy_buffer *b, const char *format, va_list args)
    EDDY_PRINTF(2, 0);

/** eddy_buffer_take() - drop @len bytes from the front
 * @b:   when it becomes empty its room is used from the start again
 * @len: at most what it holds
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_buffer_take(struct eddy_buffer *b, size_t len);

/** eddy_buffer_release() - give the memory back if nothing is held
 * @b: unchanged if it holds bytes
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_buffer_release(struct eddy_buffer *b);

EDDY_END

#endif
