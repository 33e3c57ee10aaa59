/*
 * stream/lines.c - what looks for an end in the bytes: read_until, lines
 *
 * Both look through the stream's `in` and take from it only what they return, so a call that fails
 * leaves every byte to the next one.
 */
#include "stream/stream.h"

#define LINE_MAX_DEFAULT ((size_t)65536)
#define DELIMITER_MAX 256

ssize_t eddy_read_until(struct eddy_stream *s, struct eddy_slice delimiter, void *buf, size_t cap)
{
    if (!delimiter.len || delimiter.len > DELIMITER_MAX)
        return -EINVAL;
    int r = stream_read_begin(s);
    if (r < 0)
        return r;

    ssize_t result = 0;
    size_t seen = 0; /* no delimiter begins before it */
    while (result == 0) {
        struct eddy_slice held = stream_held(s);
        const char *at = held.len > seen ? memmem(held.ptr + seen, held.len - seen, delimiter.ptr,
                                                  delimiter.len)
                                         : NULL;
        size_t len = at ? (size_t)(at - held.ptr) + delimiter.len : held.len;
        if (len > cap || (!at && len == cap)) {
            result = -EDDY_ETOOBIG;
        } else if (at) {
            memcpy(buf, held.ptr, len);
            eddy_buffer_take(&s->in, len);
            eddy_buffer_release(&s->in);
            result = (ssize_t)len;
        } else {
            if (held.len >= delimiter.len)
                seen = held.len - delimiter.len + 1;
            result = stream_fill(s);
            result = result == 0 ? -EDDY_EEOF : result > 0 ? 0 : result;
        }
    }
    stream_read_end(s);
    if (result > 0)
        eddy__budget_spend();
    return result;
}

struct eddy_lines eddy_lines(struct eddy_stream *s, const struct eddy_lines_options *options)
{
    size_t max = options ? options->max_bytes : 0;

    return (struct eddy_lines){ .stream = s, .max_bytes = max ? max : LINE_MAX_DEFAULT };
}

void eddy_lines_done(struct eddy_lines *lines)
{
    if (lines->stream)
        eddy_buffer_release(&lines->stream->in);
    lines->stream = NULL;
    lines->over = true;
}

static bool stop(struct eddy_lines *lines, int status)
{
    lines->line = (struct eddy_slice){ "", 0 };
    lines->status = status;
    lines->over = true;
    return false;
}

/* The bytes stay where they are until the stream is read again. */
static bool give(struct eddy_lines *lines, const char *ptr, size_t len, size_t with_end)
{
    eddy_buffer_take(&lines->stream->in, with_end);
    lines->line = (struct eddy_slice){ ptr, len };
    return true;
}

static bool next_line(struct eddy_lines *lines)
{
    struct eddy_stream *s = lines->stream;
    size_t seen = 0;

    for (;;) {
        struct eddy_slice held = stream_held(s);
        const char *end = held.len > seen ? memchr(held.ptr + seen, '\n', held.len - seen) : NULL;
        size_t len = end ? (size_t)(end - held.ptr) : held.len;
        size_t bare = len && held.ptr[len - 1] == '\r' ? len - 1 : len;

        if (bare > lines->max_bytes)
            return stop(lines, -EDDY_ETOOBIG);
        if (end)
            return give(lines, held.ptr, bare, len + 1);
        seen = held.len;
        ssize_t n = stream_fill(s);
        if (n < 0)
            return stop(lines, (int)n);
        if (n == 0) {
            if (len > lines->max_bytes)
                return stop(lines, -EDDY_ETOOBIG); /* a CR that no LF followed is the line's */
            lines->over = true;
            held = stream_held(s); /* filling may have moved them */
            return held.len ? give(lines, held.ptr, held.len, held.len) : stop(lines, 0);
        }
    }
}

bool eddy_lines_next(struct eddy_lines *lines)
{
    if (lines->over)
        return false;
    int r = stream_read_begin(lines->stream);
    if (r < 0)
        return stop(lines, r);
    bool got = next_line(lines);
    stream_read_end(lines->stream);
    if (got)
        eddy__budget_spend();
    return got;
}
