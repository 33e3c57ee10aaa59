/*
 * codec/framing.c - finding messages in bytes, and putting them into frames
 *
 * Lines and delimiters are looked for from where the last look ended; lengths and netstrings say
 * at their start how much has to come, and are judged before it does.
 */
#include <eddy/error.h>
#include <eddy/framing.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEFAULT ((size_t)65536)
#define DELIMITER_MAX 256

static size_t max_of(const struct eddy_framing *f)
{
    /* So that ten times as much, and a frame around it, can still be said. */
    return f->max_bytes > SIZE_MAX / 16 ? SIZE_MAX / 16 : f->max_bytes ? f->max_bytes : MAX_DEFAULT;
}

static unsigned prefix_of(const struct eddy_framing *f)
{
    return f->prefix ? f->prefix : 4;
}

int eddy_framing_check(const struct eddy_framing *f)
{
    unsigned prefix = prefix_of(f);

    switch (f->kind) {
    case EDDY_FRAMING_NONE:
    case EDDY_FRAMING_LINE:
    case EDDY_FRAMING_NETSTRING: return 0;
    case EDDY_FRAMING_DELIMITER:
        return f->delimiter.len && f->delimiter.len <= DELIMITER_MAX ? 0 : -EINVAL;
    case EDDY_FRAMING_LENGTH:
        return prefix == 1 || prefix == 2 || prefix == 4 || prefix == 8 ? 0 : -EINVAL;
    default: return -EINVAL;
    }
}

/* --- finding -------------------------------------------------------------------------------- */

static ssize_t found(struct eddy_slice in, size_t start, size_t len, size_t used, size_t *scanned,
                     struct eddy_slice *ret_message)
{
    *ret_message = (struct eddy_slice){ in.ptr + start, len };
    *scanned = 0;
    return (ssize_t)used;
}

static ssize_t find_line(const struct eddy_framing *f, struct eddy_slice in, size_t *scanned,
                         struct eddy_slice *ret_message)
{
    const char *end = in.len > *scanned ? memchr(in.ptr + *scanned, '\n', in.len - *scanned) : NULL;
    size_t len = end ? (size_t)(end - in.ptr) : in.len;
    size_t bare = len && in.ptr[len - 1] == '\r' ? len - 1 : len;

    if (bare > max_of(f))
        return -EDDY_ETOOBIG;
    if (end)
        return found(in, 0, bare, len + 1, scanned, ret_message);
    *scanned = in.len;
    return 0;
}

static ssize_t find_delimiter(const struct eddy_framing *f, struct eddy_slice in, size_t *scanned,
                              struct eddy_slice *ret_message)
{
    struct eddy_slice d = f->delimiter;
    const char *at = in.len > *scanned ? memmem(in.ptr + *scanned, in.len - *scanned, d.ptr, d.len)
                                       : NULL;
    /* Without one, all but the delimiter's possible beginning is the message's. */
    size_t len = at ? (size_t)(at - in.ptr) : in.len < d.len ? 0 : in.len - d.len + 1;

    if (len > max_of(f))
        return -EDDY_ETOOBIG;
    if (at)
        return found(in, 0, len, len + d.len, scanned, ret_message);
    *scanned = len;
    return 0;
}

static ssize_t find_length(const struct eddy_framing *f, struct eddy_slice in, size_t *scanned,
                           struct eddy_slice *ret_message)
{
    unsigned prefix = prefix_of(f);
    uint64_t len = 0;

    if (in.len < prefix)
        return 0;
    for (unsigned i = 0; i < prefix; i++)
        len = len << 8 | (unsigned char)in.ptr[f->little_endian ? prefix - 1 - i : i];
    if (f->counts_itself) {
        if (len < prefix)
            return -EDDY_ESYNTAX;
        len -= prefix;
    }
    if (len > max_of(f))
        return -EDDY_ETOOBIG;
    if (in.len - prefix < len)
        return 0;
    return found(in, prefix, (size_t)len, prefix + (size_t)len, scanned, ret_message);
}

/* Digits without a leading zero, a colon, the bytes, a comma. */
static ssize_t find_netstring(const struct eddy_framing *f, struct eddy_slice in, size_t *scanned,
                              struct eddy_slice *ret_message)
{
    size_t len = 0, at = 0;

    for (; at < in.len && in.ptr[at] >= '0' && in.ptr[at] <= '9'; at++) {
        if (at == 1 && in.ptr[0] == '0')
            return -EDDY_ESYNTAX;
        len = len * 10 + (size_t)(in.ptr[at] - '0');
        if (len > max_of(f))
            return -EDDY_ETOOBIG;
    }
    if (at == in.len)
        return 0;
    if (at == 0 || in.ptr[at] != ':')
        return -EDDY_ESYNTAX;
    at++;
    if (in.len - at <= len)
        return 0;
    if (in.ptr[at + len] != ',')
        return -EDDY_ESYNTAX;
    return found(in, at, len, at + len + 1, scanned, ret_message);
}

ssize_t eddy_framing_find(const struct eddy_framing *f, struct eddy_slice in, size_t *scanned,
                          struct eddy_slice *ret_message)
{
    int r = eddy_framing_check(f);

    if (r < 0)
        return r;
    switch (f->kind) {
    case EDDY_FRAMING_LINE: return find_line(f, in, scanned, ret_message);
    case EDDY_FRAMING_DELIMITER: return find_delimiter(f, in, scanned, ret_message);
    case EDDY_FRAMING_LENGTH: return find_length(f, in, scanned, ret_message);
    case EDDY_FRAMING_NETSTRING: return find_netstring(f, in, scanned, ret_message);
    case EDDY_FRAMING_NONE:
    default: return in.len ? found(in, 0, in.len, in.len, scanned, ret_message) : 0;
    }
}

/* --- wrapping ------------------------------------------------------------------------------- */

/* What ends a message of this kind by standing in it. */
static struct eddy_slice terminator(const struct eddy_framing *f)
{
    if (f->kind == EDDY_FRAMING_LINE)
        return (struct eddy_slice){ "\n", 1 };
    return f->kind == EDDY_FRAMING_DELIMITER ? f->delimiter : (struct eddy_slice){ "", 0 };
}

static int put_length(const struct eddy_framing *f, size_t len, char *head)
{
    unsigned prefix = prefix_of(f);
    uint64_t number = len + (f->counts_itself ? prefix : 0);

    if (prefix < 8 && number >> (8 * prefix))
        return -EMSGSIZE;
    for (unsigned i = 0; i < prefix; i++)
        head[f->little_endian ? i : prefix - 1 - i] = (char)(number >> (8 * i));
    return (int)prefix;
}

static void add(struct eddy_frame *frame, const void *ptr, size_t len)
{
    if (len)
        frame->iov[frame->count++] = (struct iovec){ (void *)(uintptr_t)ptr, len };
}

int eddy_framing_wrap(const struct eddy_framing *f, const void *message, size_t len,
                      struct eddy_frame *ret_frame)
{
    struct eddy_slice ends = terminator(f);
    int head = eddy_framing_check(f);

    if (head < 0)
        return head;
    if (f->kind != EDDY_FRAMING_NONE && len > max_of(f))
        return -EMSGSIZE;
    if (ends.len && len && memmem(message, len, ends.ptr, ends.len))
        return -EDDY_ESYNTAX;
    if (f->kind == EDDY_FRAMING_LENGTH)
        head = put_length(f, len, ret_frame->head);
    else if (f->kind == EDDY_FRAMING_NETSTRING)
        head = snprintf(ret_frame->head, sizeof ret_frame->head, "%zu:", len);
    if (head < 0)
        return head;
    ret_frame->count = 0;
    add(ret_frame, ret_frame->head, (size_t)head);
    add(ret_frame, message, len);
    if (f->kind == EDDY_FRAMING_LINE)
        add(ret_frame, "\r\n", 2);
    else if (f->kind == EDDY_FRAMING_NETSTRING)
        add(ret_frame, ",", 1);
    else
        add(ret_frame, ends.ptr, ends.len);
    return 0;
}
