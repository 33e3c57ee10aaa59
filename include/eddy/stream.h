/*
 * eddy/stream.h - the task face of a connection: read, write, lines
 *
 *     char buf[4096];
 *     ssize_t n;
 *
 *     while ((n = eddy_read(s, buf, sizeof buf)) > 0) {
 *         int r = eddy_write(s, buf, (size_t)n);
 *         if (r < 0)
 *             return r;
 *     }
 *     return n < 0 ? (int)n : eddy_stream_finish(s);
 *
 * A stream is one adapter over any transport (eddy/transport.h): a socket, a pair in memory, TLS.
 * One task may read while another writes; a second reader, or a second writer, gets -EBUSY.
 *
 * Cancellation: reads leave the stream as it was ("nothing happened"), and bytes that raced in are
 * kept for the next read. A write that has begun cannot be taken back ("unknown, close it"): the
 * stream is then broken, and every later call on it returns -EDDY_EBROKEN.
 *
 * Every call here that can suspend returns -EDEADLK in a callback, and -ECANCELED or -ETIMEDOUT
 * as eddy/task.h says; these three are not repeated below.
 */
#ifndef EDDY_STREAM_H
#define EDDY_STREAM_H

#include <eddy/buffer.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>
#include <eddy/transport.h>

EDDY_BEGIN

struct eddy_stream;
struct eddy_address;

/**
 * eddy_stream_of() - a stream over a transport
 * @t:          paused; owned by the stream from now on when 0 is returned
 * @ret_stream: owned; EDDY_OWN(eddy_stream)
 *
 * Return: 0 or -ENOMEM.   Source: none.   Since: 0.1
 */
EDDY_API int eddy_stream_of(struct eddy_transport *t, struct eddy_stream **ret_stream);

/**
 * eddy_stream_of_kept() - the same, with bytes that had been received before
 * @t:          as eddy_stream_of()
 * @kept:       read before anything @t delivers; taken over, and empty, when 0 is returned
 * @ret_stream: owned
 *
 * What follows eddy_framed_take() and eddy_stream_take_transport().
 *
 * Return: 0 or -ENOMEM.   Source: none.   Since: 0.1
 */
EDDY_API int eddy_stream_of_kept(struct eddy_transport *t, struct eddy_buffer *kept,
                                 struct eddy_stream **ret_stream);

/**
 * eddy_stream_pair() - two streams joined in memory
 * @ret_a: owned
 * @ret_b: owned
 *
 * What one writes the other reads; 64 KiB each way, then the writer waits.
 *
 * Return: 0 or -ENOMEM.   Source: socketpair(2).   Since: 0.1
 */
EDDY_API int eddy_stream_pair(struct eddy_stream **ret_a, struct eddy_stream **ret_b);

/**
 * eddy_stream_of_fd() - a stream over any descriptors: pipes, terminals, devices, files
 * @in:         read from; -1: there is only the end
 * @out:        written to, may be @in; -1: every write is -EPIPE
 * @options:    EDDY_OPT(fd, .borrow = true), may be NULL
 * @ret_stream: owned; see eddy_transport_of_fd() for what it does with the descriptors
 *
 * Return: as eddy_transport_of_fd().   Source: read(2), write(2).   Since: 0.1
 */
EDDY_API int eddy_stream_of_fd(int in, int out, const struct eddy_fd_options *options,
                               struct eddy_stream **ret_stream);

/**
 * eddy_stream_free() - end a stream without waiting
 * @s: NULL is fine; no call on it may be waiting
 *
 * A live connection is handed to the loop, which ends its operations and closes it. What the
 * kernel has taken is still sent; what the peer sent and nobody read is lost.
 *
 * Return: nothing.   Source: close(2).   Since: 0.1
 */
EDDY_API void eddy_stream_free(struct eddy_stream *s);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_stream)

/* Ownership has moved elsewhere: forget a pointer that EDDY_OWN declared. */
#define eddy_disown(at) ((void)(*(at) = NULL))
#endif

/**
 * eddy_stream_close() - close the connection and wait until it is
 * @s: still to be freed; later calls on it return -EBADF
 *
 * Suspends, shortly and even if the scope has ended: closing is certain, and not cancelled. In a
 * callback it does not suspend: the loop closes it.
 *
 * Return: 0, or the error that had ended the connection before.   Source: close(2).   Since: 0.1
 */
EDDY_API int eddy_stream_close(struct eddy_stream *s);

/**
 * eddy_read() - read what has arrived, at most @cap bytes
 * @s:   borrowed until return
 * @buf: caller's memory, filled from the start
 * @cap: over 0
 *
 * Suspends until a byte, the end, the deadline or cancellation. Looks at its scope first. Bytes
 * already received are delivered before an error of the connection is. Cancelled: nothing happened.
 *
 * Return: 1..@cap bytes; 0 at the end; or negative:
 *   -ECONNRESET  the peer vanished         -EDDY_EPEER_TIMEOUT  it stopped answering
 *   -EBUSY       another task reads        -EDDY_EBROKEN        see above
 *   -EBADF       closed                    -EINVAL              @cap is 0
 * Source: read(2); RFC 9293 3.10.4.   Since: 0.1
 */
EDDY_API ssize_t eddy_read(struct eddy_stream *s, void *buf, size_t cap);

/**
 * eddy_read_exactly() - read @len bytes
 * @s:   borrowed until return
 * @buf: caller's memory
 * @len: 0 is fine
 *
 * Suspends. Looks at its scope first. Cancelled: unknown, close it, once a byte was taken
 * (-EDDY_EBROKEN from then on).
 *
 * Return: 0; -EDDY_EEOF (the end came first: what had come is in @buf); else as eddy_read().
 * Source: asyncio's readexactly.   Since: 0.1
 */
EDDY_API int eddy_read_exactly(struct eddy_stream *s, void *buf, size_t len);

/**
 * eddy_read_until() - read up to and with a delimiter
 * @s:         borrowed until return
 * @delimiter: 1 to 256 bytes
 * @buf:       caller's memory; filled on success only
 * @cap:       bytes with the delimiter at most
 *
 * Suspends. Looks at its scope first. Bytes behind the delimiter stay for the next read. Cancelled:
 * nothing happened.
 *
 * Return: bytes with the delimiter; or negative, and then all stays to be read:
 *   -EDDY_ETOOBIG  @cap bytes came without it     -EDDY_EEOF  the end came first
 *   -ENOMEM, -EINVAL (@delimiter), and what eddy_read() says
 * Source: asyncio's readuntil.   Since: 0.1
 */
EDDY_API ssize_t eddy_read_until(struct eddy_stream *s, struct eddy_slice delimiter, void *buf,
                                 size_t cap);

/**
 * eddy_write() - write all of @buf
 * @s:   borrowed until return
 * @buf: borrowed until return
 * @len: 0 is fine
 *
 * Suspends until the kernel (or the layer below) has all of it: back-pressure is this wait. Looks
 * at its scope first. Cancelled while it waits: unknown, close it (-EDDY_EBROKEN from then on).
 *
 * Return: 0, or negative:
 *   -EPIPE  the peer ended, or eddy_stream_finish() was called     -ECONNRESET  it vanished
 *   -EBUSY  another task writes     -EDDY_EBROKEN, -EBADF  as eddy_read()
 * Source: write(2), sendmsg(2).   Since: 0.1
 */
EDDY_API int eddy_write(struct eddy_stream *s, const void *buf, size_t len);

/**
 * eddy_writev() - write several pieces in one go
 * @s:     borrowed until return
 * @iov:   consumed: bytes that left are taken from it
 * @count: of @iov
 *
 * Suspends. Looks at its scope first. Cancelled while it waits: as eddy_write().
 *
 * Return: as eddy_write().   Source: writev(2).   Since: 0.1
 */
EDDY_API int eddy_writev(struct eddy_stream *s, struct iovec *iov, unsigned count);

/** eddy_write_text() - write a terminated text
 * @s:    borrowed until return
 * @text: without its NUL
 *
 * Suspends. Looks at its scope first. Cancelled while it waits: as eddy_write().
 *
 * Return: as eddy_write().   Source: fputs(3).   Since: 0.1 */
static inline int eddy_write_text(struct eddy_stream *s, const char *text)
{
    return eddy_write(s, text, strlen(text));
}

/**
 * eddy_stream_finish() - end the output: the peer reads the end; reading goes on
 * @s: a second call is harmless
 *
 * Suspends until all that was written has left. Looks at its scope first, but for a second call.
 * Cancelled while it waits: as eddy_write().
 *
 * Return: as eddy_write().   Source: shutdown(2).   Since: 0.1
 */
EDDY_API int eddy_stream_finish(struct eddy_stream *s);

/** eddy_stream_peer() - who is at the other end
 * @s:           open
 * @ret_address: written on success
 *
 * Return: 0; -ENOENT (a pair has no address); -EBADF.   Source: getpeername(2).   Since: 0.1 */
EDDY_API int eddy_stream_peer(const struct eddy_stream *s, struct eddy_address *ret_address);

/** eddy_stream_local() - which address of ours it is
 * @s:           open
 * @ret_address: written on success
 *
 * Return: as eddy_stream_peer().   Source: getsockname(2).   Since: 0.1 */
EDDY_API int eddy_stream_local(const struct eddy_stream *s, struct eddy_address *ret_address);

/** eddy_stream_info() - ask the transport; see eddy_transport_info()
 * @s:         open; for EDDY_INFO_FAILURE, why a call on it failed, it may be broken
 * @key:       what
 * @ret_value: of the type that the key names
 *
 * Return: 0, -ENOENT, -EBADF.   Source: asyncio's get_extra_info.   Since: 0.1 */
EDDY_API int eddy_stream_info(const struct eddy_stream *s, enum eddy_transport_key key,
                              void *ret_value);

/**
 * eddy_stream_take_transport() - give the connection to another protocol
 * @s:        no call on it may be waiting; still to be freed
 * @ret_t:    owned, paused, with nobody told: eddy_transport_use() comes next
 * @ret_kept: bytes that had been received already, which come before all that @ret_t delivers;
 *            ended by eddy_buffer_done()
 *
 * Return: 0; -EBUSY (a call waits); -EBADF (closed); -EDDY_EBROKEN.
 * Source: asyncio's set_protocol.   Since: 0.1
 */
EDDY_API int eddy_stream_take_transport(struct eddy_stream *s, struct eddy_transport **ret_t,
                                        struct eddy_buffer *ret_kept);

/* --- lines ---------------------------------------------------------------------------------- */

struct eddy_lines_options {
    size_t size;      /* filled by EDDY_OPT(lines, ...) */
    size_t max_bytes; /* of a line, without its end; 0: 64 KiB */
};

/* An iterator: `EDDY_AUTO(eddy_lines) in = eddy_lines(s, NULL); while (eddy_lines_next(&in))`. */
struct eddy_lines {
    struct eddy_slice line; /* without CR LF; valid until the stream is read again */
    int status;             /* 0, or what ended the iteration: as eddy_read(), -EDDY_ETOOBIG */
    struct eddy_stream *stream;
    size_t max_bytes;
    bool over;
};

/** eddy_lines() - the lines of a stream
 * @s:       borrowed until eddy_lines_done()
 * @options: EDDY_OPT(lines, .max_bytes = 8192), may be NULL
 *
 * Return: the iterator.   Source: Python's `async for line in reader`.   Since: 0.1 */
EDDY_API struct eddy_lines eddy_lines(struct eddy_stream *s,
                                      const struct eddy_lines_options *options);

/**
 * eddy_lines_next() - the next line into ->line
 * @lines: of eddy_lines()
 *
 * Suspends. A line ends with LF; one CR before it is dropped with it. A last line without an
 * end is delivered as a line. Cancelled: nothing happened, but the iteration is over; bytes of a
 * line that was not complete stay in the stream.
 *
 * Return: true with a line; false at the end (->status is 0) or on an error (->status).
 * Source: RFC 5234 B.1 (CRLF).   Since: 0.1
 */
EDDY_API bool eddy_lines_next(struct eddy_lines *lines);

/** eddy_lines_done() - end the iteration; what was not read stays in the stream
 * @lines: safe twice
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_lines_done(struct eddy_lines *lines);

EDDY_END

#endif
