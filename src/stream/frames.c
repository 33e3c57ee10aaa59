/*
 * stream/frames.c - messages for tasks: eddy/framing.h over the stream's `in`
 *
 * Like lines.c it takes from `in` only what it returns.
 */
#include "stream/stream.h"

#include <eddy/frames.h>

#define MESSAGE_MAX ((size_t)8 << 20) /* with the frame and one read behind it `in` can hold it */

struct eddy_frames eddy_frames(struct eddy_stream *s, const struct eddy_framing *framing)
{
    return (struct eddy_frames){ .stream = s, .framing = framing };
}

void eddy_frames_done(struct eddy_frames *frames)
{
    if (frames->stream)
        eddy_buffer_release(&frames->stream->in);
    frames->stream = NULL;
    frames->over = true;
}

static bool stop(struct eddy_frames *frames, int status)
{
    frames->message = (struct eddy_slice){ "", 0 };
    frames->status = status;
    frames->over = true;
    return false;
}

/* The input has ended: a last line is one without its end, too. */
static bool last(struct eddy_frames *frames)
{
    struct eddy_slice held = stream_held(frames->stream);

    if (!held.len)
        return stop(frames, 0);
    if (frames->framing->kind != EDDY_FRAMING_LINE)
        return stop(frames, -EDDY_EEOF);
    eddy_buffer_take(&frames->stream->in, held.len);
    frames->message = held;
    frames->over = true;
    return true;
}

static bool next_message(struct eddy_frames *frames)
{
    struct eddy_framing framing = *frames->framing;
    struct eddy_stream *s = frames->stream;
    size_t scanned = 0;

    if (framing.max_bytes > MESSAGE_MAX)
        framing.max_bytes = MESSAGE_MAX;
    for (;;) {
        ssize_t n = eddy_framing_find(&framing, stream_held(s), &scanned, &frames->message);
        if (n < 0)
            return stop(frames, (int)n);
        if (n > 0) {
            eddy_buffer_take(&s->in, (size_t)n); /* the bytes stay until the next read */
            return true;
        }
        n = stream_fill(s);
        if (n < 0)
            return stop(frames, (int)n);
        if (n == 0)
            return last(frames);
    }
}

bool eddy_frames_next(struct eddy_frames *frames)
{
    if (frames->over)
        return false;
    int r = stream_read_begin(frames->stream);
    if (r < 0)
        return stop(frames, r);
    bool got = next_message(frames);
    stream_read_end(frames->stream);
    if (got)
        eddy__budget_spend();
    return got;
}

int eddy_frame_write(struct eddy_stream *s, const struct eddy_framing *framing, const void *message,
                     size_t len)
{
    struct eddy_frame frame = { .count = 0 };

    int r = eddy__wait_check();
    if (r == 0)
        r = eddy_framing_wrap(framing, message, len, &frame);
    return r < 0 ? r : eddy_writev(s, frame.iov, frame.count);
}
