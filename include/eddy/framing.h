/*
 * eddy/framing.h - where one message ends and the next begins: lines, lengths, netstrings
 *
 *     struct eddy_framing framing = { .kind = EDDY_FRAMING_LENGTH, .max_bytes = 65536 };
 *     struct eddy_slice message;
 *     size_t scanned = 0;
 *     ssize_t used = eddy_framing_find(&framing, bytes, &scanned, &message);
 *
 * Pure: bytes in, bytes out, nothing allocated. Tasks read messages from a stream with
 * eddy/frames.h, callbacks get them with eddy/framed.h; both stand on this.
 *
 * What holds, with the test that shows it (tests/codec/framing_test.c):
 *
 *  rule                                                  test
 *  ----------------------------------------------------  -----------------------------------------
 *  What was wrapped is found again, wherever it is cut   what_is_wrapped_is_found
 *  Nothing is looked at twice                            a_long_message_is_scanned_once
 *  A line's one CR goes with its LF                      lines
 *  A length over the bound is refused before its bytes   a_bound_is_kept_before_the_bytes_come
 *  A netstring is the one in the specification           netstrings
 *  A message that holds what would end it is refused     a_message_cannot_end_itself
 *  A framing that makes no sense is -EINVAL              wrong_framings_are_refused
 */
#ifndef EDDY_FRAMING_H
#define EDDY_FRAMING_H

#include <eddy/common.h>
#include <eddy/slice.h>

#include <sys/uio.h>

EDDY_BEGIN

enum eddy_framing_kind {
    EDDY_FRAMING_NONE,      /* bytes as they come: every piece is a message */
    EDDY_FRAMING_LINE,      /* up to LF, a CR before it goes with it; written with CR LF */
    EDDY_FRAMING_DELIMITER, /* up to .delimiter */
    EDDY_FRAMING_LENGTH,    /* its length as a binary number, then the message */
    EDDY_FRAMING_NETSTRING, /* "5:hello," */
};

/* Plain data: copy it, keep it in a constant. All zero is bytes as they come. */
struct eddy_framing {
    enum eddy_framing_kind kind;
    size_t max_bytes;            /* bytes of a message, without what frames it; 0: 64 KiB */
    struct eddy_slice delimiter; /* DELIMITER: 1 to 256 bytes, borrowed */
    unsigned prefix;             /* LENGTH: bytes of the number: 1, 2, 4 or 8; 0: 4 */
    bool little_endian;          /* LENGTH: the least byte first; else network order */
    bool counts_itself;          /* LENGTH: the number's own bytes are counted with it */
};

/**
 * eddy_framing_find() - the message at the start of some bytes
 * @f:           borrowed
 * @in:          what has come so far and was not used yet
 * @scanned:     0 for bytes not looked at before; set to how far it has looked, and to be handed
 *               in again with the same bytes and more behind them; 0 after a message
 * @ret_message: inside @in, when one is whole
 *
 * Return: bytes of @in that the message takes with its frame, over 0; 0: more must come first; or
 * negative, and nothing behind it can be understood any more:
 *   -EDDY_ETOOBIG  longer than .max_bytes
 *   -EDDY_ESYNTAX  no netstring; a length that is less than its own bytes (.counts_itself)
 *   -EINVAL        @f makes no sense: .prefix, .delimiter
 * Source: RFC 5234 B.1 (CRLF); Bernstein's netstrings; Twisted's protocols.basic.   Since: 0.1
 */
EDDY_API ssize_t eddy_framing_find(const struct eddy_framing *f, struct eddy_slice in,
                                   size_t *scanned, struct eddy_slice *ret_message);

/* A message ready to be written. Its pieces point into it: do not move it. */
struct eddy_frame {
    struct iovec iov[3];
    unsigned count;
    char head[24];
};

/**
 * eddy_framing_wrap() - put a message into its frame
 * @f:         borrowed until @ret_frame was written
 * @message:   likewise
 * @len:       0 is fine
 * @ret_frame: filled when 0 is returned
 *
 * Return: 0; -EMSGSIZE (longer than .max_bytes, or than its prefix can say); -EDDY_ESYNTAX (it
 * holds an LF or the delimiter, which would end it early); -EINVAL (@f makes no sense).
 * Source: as eddy_framing_find().   Since: 0.1
 */
EDDY_API int eddy_framing_wrap(const struct eddy_framing *f, const void *message, size_t len,
                               struct eddy_frame *ret_frame);

/** eddy_framing_check() - whether a framing makes sense
 * @f: borrowed
 *
 * Return: 0, or -EINVAL (.kind, .prefix, .delimiter).   Source: none.   Since: 0.1 */
EDDY_API int eddy_framing_check(const struct eddy_framing *f);

EDDY_END

#endif
