/*
 * codec/http/http1_chunks.c - a chunked body, fed in any pieces
 *
 * RFC 9112 7.1, by the letter: hex digits, an optional extension, CR LF, data, CR LF; a chunk of
 * size 0, trailers, an empty line. Bare CR and LF are refused everywhere, and so is a blank
 * behind the size, which some readers skip and others do not.
 *
 * Bounded: 16 digits, 256 bytes of extension a chunk, 8 KiB of trailers. One-byte chunks with long
 * extensions would cost a peer nothing and us much, so framing is weighed against data:
 * `overhead` grows by each size line and shrinks by 16 and twice the data that followed; past
 * 16 KiB the body is refused (the measure of Go's net/http).
 */
#include "codec/http/http1.h"
#include "codec/http/http1_chars.h"

#include <assert.h>

enum {
    SIZE,          /* digits */
    EXTENSION,     /* behind ';' */
    SIZE_LF,       /* its CR was seen */
    DATA,          /* `left` bytes to come */
    DATA_CR,       /* behind them */
    DATA_LF,       /* */
    TRAILER,       /* at the begin of a line */
    TRAILER_NAME,  /* */
    TRAILER_VALUE, /* */
    TRAILER_LF,    /* */
    LAST_LF,       /* of the empty line */
    DONE,
    FAILED
};

#define DIGITS_MAX 16
#define EXTENSION_MAX 256
#define TRAILERS_MAX (8u * 1024)
#define OVERHEAD_MAX (16u * 1024)

static int refuse(struct eddy__http1_chunks *c, const char *why)
{
    c->state = FAILED;
    c->why = why;
    return -EDDY_EHTTP;
}

static int size_digit(struct eddy__http1_chunks *c, char ch)
{
    unsigned value = ch <= '9' ? (unsigned)(ch - '0') : (unsigned)((ch | 0x20) - 'a' + 10);

    if (c->digits == DIGITS_MAX || c->left > (uint64_t)INT64_MAX >> 4)
        return refuse(c, "a chunk size past any size");
    c->digits++;
    c->left = c->left << 4 | value;
    return 0;
}

/* The size line is over. */
static int begin_data(struct eddy__http1_chunks *c)
{
    uint64_t paid = c->left > OVERHEAD_MAX ? 3 * OVERHEAD_MAX : 16 + 2 * c->left;

    c->overhead += c->line;
    c->overhead -= paid < c->overhead ? (uint32_t)paid : c->overhead;
    if (c->overhead > OVERHEAD_MAX)
        return refuse(c, "more chunk framing than data");
    c->state = c->left ? DATA : TRAILER;
    c->line = 0;
    c->digits = 0;
    return 0;
}

/* One byte of a size line. */
static int size_line(struct eddy__http1_chunks *c, char ch)
{
    c->line++;
    if (c->state == SIZE && eddy__http1_is(ch, EDDY__HTTP1_HEX))
        return size_digit(c, ch);
    if (c->state == SIZE_LF)
        return ch == '\n' ? begin_data(c) : refuse(c, "a chunk size line with a bare CR");
    if (!c->digits)
        return refuse(c, "a chunk size that is not hexadecimal");
    if (ch == '\r') {
        c->state = SIZE_LF;
        return 0;
    }
    if (c->state == SIZE && ch != ';')
        return refuse(c, ch == '\n' ? "a chunk size line that ends in LF alone"
                                    : "a chunk size that is not hexadecimal");
    if (!eddy__http1_is(ch, EDDY__HTTP1_VALUE))
        return refuse(c, "a control byte in a chunk extension");
    if (c->line > EXTENSION_MAX)
        return refuse(c, "a chunk extension over the limit");
    c->state = EXTENSION;
    return 0;
}

/* One byte of the trailers: the rules of http1_scan.c, for bytes that are not kept. */
static int trailer(struct eddy__http1_chunks *c, char ch)
{
    if (++c->line > TRAILERS_MAX)
        return refuse(c, "trailers over the limit");

    switch (c->state) {
    case TRAILER:
        if (ch == '\r') {
            c->state = LAST_LF;
            return 0;
        }
        if (!eddy__http1_is(ch, EDDY__HTTP1_TOKEN))
            return refuse(c, "a trailer that does not begin with its name");
        c->state = TRAILER_NAME;
        return 0;
    case TRAILER_NAME:
        if (ch == ':')
            c->state = TRAILER_VALUE;
        else if (!eddy__http1_is(ch, EDDY__HTTP1_TOKEN))
            return refuse(c, "a byte that a trailer's name may not hold");
        return 0;
    case TRAILER_VALUE:
        if (ch == '\r')
            c->state = TRAILER_LF;
        else if (!eddy__http1_is(ch, EDDY__HTTP1_VALUE))
            return refuse(c, "a control byte in a trailer");
        return 0;
    default: /* TRAILER_LF and LAST_LF */
        if (ch != '\n')
            return refuse(c, "a trailer with a bare CR");
        c->state = c->state == LAST_LF ? DONE : TRAILER;
        return 0;
    }
}

static int data_end(struct eddy__http1_chunks *c, char ch)
{
    if (ch != (c->state == DATA_CR ? '\r' : '\n'))
        return refuse(c, "chunk data that is not followed by CR LF");
    c->state = c->state == DATA_CR ? DATA_LF : SIZE;
    return 0;
}

int eddy__http1_chunks_feed(struct eddy__http1_chunks *c, const char *data, size_t len,
                            size_t *ret_used, struct eddy_slice *ret_piece)
{
    size_t at = 0;
    int r = c->state == FAILED ? -EDDY_EHTTP : 0;

    while (r == 0 && c->state != DONE && at < len) {
        if (c->state == DATA) {
            size_t have = len - at < c->left ? len - at : (size_t)c->left;
            *ret_piece = (struct eddy_slice){ data + at, have };
            c->left -= have;
            c->body += have;
            if (!c->left)
                c->state = DATA_CR;
            *ret_used = at + have;
            return EDDY__HTTP1_CHUNKS_PIECE;
        }
        char ch = data[at++];
        r = c->state <= SIZE_LF   ? size_line(c, ch)
            : c->state <= DATA_LF ? data_end(c, ch)
                                  : trailer(c, ch);
    }
    assert(at <= len);
    *ret_used = at;
    if (r < 0)
        return r;
    return c->state == DONE ? EDDY__HTTP1_CHUNKS_DONE : EDDY__HTTP1_CHUNKS_MORE;
}
