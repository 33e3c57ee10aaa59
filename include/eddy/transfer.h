/*
 * eddy/transfer.h - many bytes between streams and files, past the program where the kernel can
 *
 *     r = eddy_send_file(s, f, 0, -1, NULL);          all of a file to a stream
 *     r = eddy_receive_file(s, f, 0, length, NULL);   so many bytes of a stream into a file
 *     r = eddy_forward(near, far, NULL);              one stream into another, to its end
 *
 * Between a socket and a file, and between two sockets, the kernel moves the bytes (sendfile(2),
 * splice(2)); over TLS, pairs, pipes and in the simulator they go through a buffer. What a stream
 * had received already comes first. Receiving into a file is always by a buffer: the kernel would
 * copy there, too. A file that is not in memory is read ahead by the pool's threads before it is
 * sent, so a slow disk does not hold up the loop.
 *
 * Nobody else may write to the stream meanwhile: what they write would come in between.
 *
 * What holds, with the test that shows it (tests/file/transfer_test.c):
 *
 *  rule                                                  test
 *  ----------------------------------------------------  -----------------------------------------
 *  Every byte arrives, on every kind of stream           every_byte_arrives
 *  A part of a file is sent; its end ends the sending    a_part_of_a_file
 *  Bytes received before come first                      what_was_received_before_comes_first
 *  A stream's end before the length is -EDDY_EEOF        an_end_before_the_length
 *  A peer that does not read holds up only this task     a_peer_that_does_not_read
 *  Looks at its scope first; cancelled on the way, the   a_cancelled_transfer_breaks_the_stream
 *   stream is broken, and how much went is told
 *  A peer that is gone is an error and no signal         a_peer_that_is_gone
 *  No descriptor is left, whatever fails                 every_failure_leaves_nothing
 */
#ifndef EDDY_TRANSFER_H
#define EDDY_TRANSFER_H

#include <eddy/common.h>
#include <eddy/file.h>
#include <eddy/stream.h>

EDDY_BEGIN

/**
 * eddy_send_file() - write a file, or a part of it, to a stream
 * @s:        borrowed until return
 * @f:        open for reading; borrowed until return
 * @offset:   where in the file, not negative
 * @len:      bytes at most; negative: to its end, where that is when it is called
 * @ret_sent: how many are known to be sent, also when it fails; may be NULL
 *
 * Suspends until the kernel (or the layer below) has all of it. Looks at its scope first. A file
 * that ends before @len ends it: look at *@ret_sent. Cancelled while it goes: unknown, close it
 * (-EDDY_EBROKEN from then on, if a byte may have been sent).
 *
 * Return: 0; what eddy_write() and eddy_file_read() say; -EINVAL (@offset).
 * Source: sendfile(2), asyncio's loop.sendfile.   Since: 0.1
 */
EDDY_API int eddy_send_file(struct eddy_stream *s, struct eddy_file *f, int64_t offset, int64_t len,
                            int64_t *ret_sent);

/**
 * eddy_receive_file() - read from a stream into a file
 * @s:            borrowed until return
 * @f:            open for writing; borrowed until return
 * @offset:       where in the file, not negative
 * @len:          bytes; negative: to the stream's end
 * @ret_received: how many are in the file, also when it fails; may be NULL
 *
 * Suspends. Looks at its scope first. It does not sync. Cancelled while it goes: unknown, close it,
 * when bytes were read that are not in the file (-EDDY_EBROKEN from then on); else they wait in the
 * stream.
 *
 * Return: 0; -EDDY_EEOF (the end came before @len); what eddy_read() and eddy_file_write() say;
 * -EINVAL (@offset); -ENOMEM.
 * Source: splice(2).   Since: 0.1
 */
EDDY_API int eddy_receive_file(struct eddy_stream *s, struct eddy_file *f, int64_t offset,
                               int64_t len, int64_t *ret_received);

/**
 * eddy_forward() - write all that a stream brings to another, until its end
 * @from:      borrowed until return
 * @to:        likewise; its output is not ended: eddy_stream_finish() does
 * @ret_moved: bytes known to be written, also when it fails; may be NULL
 *
 * Suspends. Looks at its scope first. What is on the way is bounded (64 KiB), so a slow @to slows
 * @from. Cancelled while it waits for @from: nothing is lost; for @to: as eddy_write().
 *
 * Return: 0 at the end of @from; what eddy_read() and eddy_write() say; -EBUSY, -EMFILE, -ENOMEM.
 * Source: splice(2), Go's io.Copy.   Since: 0.1
 */
EDDY_API int eddy_forward(struct eddy_stream *from, struct eddy_stream *to, int64_t *ret_moved);

EDDY_END

#endif
