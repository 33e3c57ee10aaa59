/*
 * eddy/frames.h - messages of a stream, for tasks: lines, lengths, netstrings
 *
 *     static const struct eddy_framing framing = { .kind = EDDY_FRAMING_NETSTRING };
 *     EDDY_AUTO(eddy_frames) in = eddy_frames(s, &framing);
 *
 *     while (eddy_frames_next(&in)) {
 *         r = eddy_frame_write(s, &framing, in.message.ptr, in.message.len);
 *         if (r < 0)
 *             return r;
 *     }
 *     return in.status;
 *
 * What frames a message is eddy/framing.h's. The framing may be changed between two messages, and
 * the stream be read otherwise: what was not delivered is still in it.
 *
 * What holds, with the test that shows it (tests/stream/frames_test.c):
 *
 *  rule                                                test
 *  --------------------------------------------------  -------------------------------------------
 *  Messages arrive whole, however they were cut        messages_arrive_whole
 *  Looks at its scope first; a cancelled wait leaves   a_cancelled_wait_leaves_the_bytes
 *   every byte
 *  An end between messages is the end, inside one an   an_end_inside_a_message_is_an_error
 *   error; a last line without an end is a line
 *  What breaks the framing ends the iteration          what_breaks_the_framing_ends_it
 *  The framing may be changed on the way               the_framing_may_be_changed
 *  What cannot be framed is not written in part        what_cannot_be_framed_is_not_written
 */
#ifndef EDDY_FRAMES_H
#define EDDY_FRAMES_H

#include <eddy/common.h>
#include <eddy/framing.h>
#include <eddy/stream.h>

EDDY_BEGIN

/* An iterator; what is not told here is the library's. */
struct eddy_frames {
    struct eddy_slice message; /* valid until the stream is read again */
    int status;                /* 0, or what ended the iteration */
    struct eddy_stream *stream;
    const struct eddy_framing *framing; /* may be set to another one between two messages */
    bool over;
};

/** eddy_frames() - the messages of a stream
 * @s:       borrowed until eddy_frames_done()
 * @framing: likewise; .max_bytes at most 8 MiB, more is taken as that
 *
 * Return: the iterator.   Source: Twisted's IntNStringReceiver and its like.   Since: 0.1 */
EDDY_API struct eddy_frames eddy_frames(struct eddy_stream *s, const struct eddy_framing *framing);

/**
 * eddy_frames_next() - the next message into ->message
 * @frames: of eddy_frames()
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, but the iteration is over; the
 * bytes of a message that was not complete stay in the stream.
 *
 * Return: true with a message; false at the end (->status is 0) or on an error: what
 * eddy_framing_find() and eddy_read() say, and -EDDY_EEOF (the end came inside a message).
 * Source: Python's `async for`.   Since: 0.1
 */
EDDY_API bool eddy_frames_next(struct eddy_frames *frames);

/** eddy_frames_done() - end the iteration; what was not read stays in the stream
 * @frames: safe twice
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_frames_done(struct eddy_frames *frames);

/**
 * eddy_frame_write() - write one message in its frame
 * @s:       borrowed until return
 * @framing: likewise
 * @message: likewise
 * @len:     0 is fine
 *
 * Suspends. Looks at its scope first. Cancelled while it waits: as eddy_write().
 *
 * Return: 0; what eddy_framing_wrap() says: then nothing was written; else as eddy_write().
 * Source: Twisted's sendString.   Since: 0.1
 */
EDDY_API int eddy_frame_write(struct eddy_stream *s, const struct eddy_framing *framing,
                              const void *message, size_t len);

EDDY_END

#endif
