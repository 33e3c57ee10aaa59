/*
 * eddy/framed.h - messages for callbacks: a transport cut into lines, lengths or netstrings
 *
 *     static void on_message(void *ctx, struct eddy_framed *f, struct eddy_slice message)
 *     {
 *         eddy_framed_send(f, message.ptr, message.len);
 *     }
 *     static const struct eddy_framed_protocol echo = { sizeof echo, .message = on_message };
 *
 *     r = eddy_framed_new(t, &echo, NULL, EDDY_OPT(framed, .framing = { EDDY_FRAMING_LINE }), &f);
 *     eddy_framed_resume(f);
 *
 * What asyncio's Protocol and Twisted's LineReceiver are: bytes in, messages to a function; messages
 * out, copied, with marks that say when to stop. Over any transport: a socket, TLS, or a pair in
 * memory (eddy_transport_pair()), by which a protocol is tested without a network. All rules of
 * eddy/transport.h hold; with .framing left out it is a plain protocol with a buffered output.
 *
 * What holds, with the test that shows it (tests/stream/framed_test.c):
 *
 *  rule                                                   test
 *  -----------------------------------------------------  ----------------------------------------
 *  Messages arrive whole and in order, however cut        messages_arrive_whole_and_in_order
 *  After a pause none is told until the next resume       a_pause_holds_after_the_message
 *  What is sent is copied, and leaves in order            what_is_sent_leaves_in_order
 *  Over .high a send says so; drained() when .low waits   marks_tell_when_to_stop
 *  Over .max a send is refused, and nothing of it taken   over_the_bound_a_send_is_refused
 *  finish() ends the output behind what was sent          finish_comes_behind_what_was_sent
 *  The framing may be changed in a message                the_framing_may_be_changed
 *  The transport may be taken for another protocol, with  an_upgrade_keeps_every_byte
 *   every byte behind the message
 *  It may be closed in its own call                       closing_in_a_message_ends_it
 *  What breaks the framing ends the connection            what_breaks_the_framing_closes
 *  An end inside a message is -EDDY_EEOF                  an_end_inside_a_message_closes
 *  Without memory it ends, and nothing leaks              every_failed_allocation
 */
#ifndef EDDY_FRAMED_H
#define EDDY_FRAMED_H

#include <eddy/buffer.h>
#include <eddy/common.h>
#include <eddy/framing.h>
#include <eddy/transport.h>

EDDY_BEGIN

struct eddy_framed;

/* What is told, from the loop only. Rows are constant; a NULL entry is not called. */
struct eddy_framed_protocol {
    size_t size; /* of this struct */
    /* A message, valid until it returns. It may send, pause, close, take the transport. */
    void (*message)(void *ctx, struct eddy_framed *f, struct eddy_slice message);
    void (*ended)(void *ctx);           /* the peer's end of input, behind all messages, once */
    void (*drained)(void *ctx);         /* after a send that returned 1: .low or less waits */
    void (*closed)(void *ctx, int why); /* the last call; the struct is freed behind it */
};

struct eddy_framed_options {
    size_t size;                 /* filled by EDDY_OPT(framed, ...) */
    struct eddy_framing framing; /* copied (.delimiter is borrowed); left out: bytes as they come.
                                    .max_bytes at most 32 MiB */
    size_t high;                 /* over so many bytes waiting to leave, a send says 1; 0: 64 KiB */
    size_t low;                  /* drained() when so few wait; 0: a quarter of .high */
    size_t max;                  /* over so many a send is refused; 0: 1 MiB */
    struct eddy_buffer *kept;    /* bytes that come before what @t delivers; taken over; or NULL */
};

/**
 * eddy_framed_new() - cut a transport into messages
 * @t:          paused; owned from now on when 0 is returned
 * @protocol:   constant
 * @ctx:        handed to its functions
 * @options:    EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_LINE }), may be NULL
 * @ret_framed: valid until closed() returns, or the transport was taken
 *
 * Does not suspend. It starts paused.
 *
 * Return: 0; -EINVAL (the framing makes no sense, .low over .high, .high over .max); -ENOMEM.
 * Source: asyncio's Protocol, Twisted's protocols.basic.   Since: 0.1
 */
EDDY_API int eddy_framed_new(struct eddy_transport *t, const struct eddy_framed_protocol *protocol,
                             void *ctx, const struct eddy_framed_options *options,
                             struct eddy_framed **ret_framed);

/** eddy_framed_resume() - tell of messages
 * @f: may be resumed already
 *
 * Return: nothing; they come from the loop.   Source: asyncio's resume_reading.   Since: 0.1 */
EDDY_API void eddy_framed_resume(struct eddy_framed *f);

/** eddy_framed_pause() - no more messages until the next resume; what arrived is kept, bounded
 * @f: may be paused already
 *
 * Return: nothing.   Source: asyncio's pause_reading.   Since: 0.1 */
EDDY_API void eddy_framed_pause(struct eddy_framed *f);

/**
 * eddy_framed_send() - send a message in its frame
 * @f:       open
 * @message: copied
 * @len:     0 is fine
 *
 * Does not suspend; usable in callbacks and tasks.
 *
 * Return: 0; 1: taken, but more than .high waits: stop until drained(); or negative, and nothing of
 * it was taken:
 *   -ENOBUFS  over .max waits      -EPIPE  finished, or the peer ended     -EBADF  closed
 *   -EMSGSIZE, -EDDY_ESYNTAX  what eddy_framing_wrap() says     -ENOMEM
 * Source: asyncio's write and pause_writing.   Since: 0.1
 */
EDDY_API int eddy_framed_send(struct eddy_framed *f, const void *message, size_t len);

/** eddy_framed_finish() - end the output behind what was sent; reading goes on
 * @f: harmless when repeated
 *
 * Return: nothing.   Source: asyncio's write_eof.   Since: 0.1 */
EDDY_API void eddy_framed_finish(struct eddy_framed *f);

/** eddy_framed_close() - end the connection now; what was not sent is dropped
 * @f:   harmless when repeated
 * @why: handed to closed(); 0 or negative
 *
 * Return: nothing; closed() comes from the loop.   Source: asyncio's abort.   Since: 0.1 */
EDDY_API void eddy_framed_close(struct eddy_framed *f, int why);

/** eddy_framed_set() - another framing, from the next message on
 * @f:       open
 * @framing: copied
 *
 * Return: 0, or -EINVAL.   Source: Twisted's setRawMode, setLineMode.   Since: 0.1 */
EDDY_API int eddy_framed_set(struct eddy_framed *f, const struct eddy_framing *framing);

/**
 * eddy_framed_take() - give the connection to another protocol
 * @f:        freed when 0 is returned, without closed(); inside message(), when that returns
 * @ret_t:    owned, paused, with nobody told: eddy_transport_use(), eddy_stream_of_kept(), ...
 * @ret_kept: bytes behind the last message told; ended by eddy_buffer_done(), or handed on
 *
 * Return: 0; -EBUSY (output waits to leave: see drained()); -EBADF (closed); -ENOMEM.
 * Source: asyncio's set_protocol; an Upgrade, RFC 9110 7.8.   Since: 0.1
 */
EDDY_API int eddy_framed_take(struct eddy_framed *f, struct eddy_transport **ret_t,
                              struct eddy_buffer *ret_kept);

/** eddy_framed_waiting() - bytes that wait to leave, frames included
 * @f: open
 *
 * Return: bytes.   Source: asyncio's get_write_buffer_size.   Since: 0.1 */
EDDY_API size_t eddy_framed_waiting(const struct eddy_framed *f);

/** eddy_framed_info() - ask about the connection; see eddy_transport_info()
 * @f:         open
 * @key:       what
 * @ret_value: of the type that the key names
 *
 * Return: 0, -ENOENT, -EBADF.   Source: asyncio's get_extra_info.   Since: 0.1 */
EDDY_API int eddy_framed_info(const struct eddy_framed *f, enum eddy_transport_key key,
                              void *ret_value);

EDDY_END

#endif
