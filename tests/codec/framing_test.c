/*
 * framing_test.c - the rules of eddy/framing.h
 */
#include "check.h"

#include <eddy/error.h>
#include <eddy/framing.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLICE(text) ((struct eddy_slice){ (text), sizeof(text) - 1 })

static const struct eddy_framing kinds[] = {
    { .kind = EDDY_FRAMING_LINE },
    { .kind = EDDY_FRAMING_DELIMITER, .delimiter = { "--", 2 } },
    { .kind = EDDY_FRAMING_LENGTH },
    { .kind = EDDY_FRAMING_LENGTH, .prefix = 1 },
    { .kind = EDDY_FRAMING_LENGTH, .prefix = 2, .little_endian = true },
    { .kind = EDDY_FRAMING_LENGTH, .prefix = 8, .counts_itself = true },
    { .kind = EDDY_FRAMING_NETSTRING },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* All of a frame's bytes, one behind the other. */
static size_t flatten(const struct eddy_frame *frame, char *to)
{
    size_t len = 0;

    for (unsigned i = 0; i < frame->count; i++) {
        memcpy(to + len, frame->iov[i].iov_base, frame->iov[i].iov_len);
        len += frame->iov[i].iov_len;
    }
    return len;
}

static size_t wrap(const struct eddy_framing *f, const char *message, char *to)
{
    struct eddy_frame frame;

    EDDY_CHECK_EQ(eddy_framing_wrap(f, message, strlen(message), &frame), 0);
    return flatten(&frame, to);
}

EDDY_TEST(what_is_wrapped_is_found)
{
    static const char *const messages[] = { "hello", "", "a-b- c", "\r", "twelve bytes" };

    for (size_t k = 0; k < KINDS; k++) {
        char bytes[256];
        size_t len = 0;
        for (size_t m = 0; m < 5; m++)
            if (kinds[k].kind != EDDY_FRAMING_LINE || m != 3)
                len += wrap(&kinds[k], messages[m], bytes + len);

        /* In pieces of every size; what lies behind must not be touched: it is at malloc's end. */
        for (size_t piece = 1; piece <= len; piece++) {
            size_t used = 0, scanned = 0, m = 0;
            for (size_t have = 0; have < len;) {
                have = have + piece < len ? have + piece : len;
                struct eddy_slice message;
                ssize_t n = 1;
                while (n > 0) {
                    char *exact = malloc(have - used ? have - used : 1);
                    if (!exact)
                        abort();
                    memcpy(exact, bytes + used, have - used);
                    n = eddy_framing_find(&kinds[k], (struct eddy_slice){ exact, have - used },
                                          &scanned, &message);
                    EDDY_CHECK(n >= 0);
                    if (n > 0) {
                        m += kinds[k].kind == EDDY_FRAMING_LINE && m == 3;
                        EDDY_CHECK_MEM(message.ptr, message.len, messages[m], strlen(messages[m]));
                        used += (size_t)n;
                        m++;
                    }
                    free(exact);
                }
            }
            EDDY_CHECK_EQ(used, len);
            EDDY_CHECK_EQ(m, 5);
        }
    }
}

EDDY_TEST(a_long_message_is_scanned_once)
{
    char bytes[1000];
    size_t scanned = 0;
    struct eddy_slice message;

    memset(bytes, 'x', sizeof bytes);
    EDDY_CHECK_EQ(
        eddy_framing_find(&kinds[0], (struct eddy_slice){ bytes, 900 }, &scanned, &message), 0);
    EDDY_CHECK_EQ(scanned, 900);
    bytes[100] = '\n'; /* behind its back: it does not look there again */
    EDDY_CHECK_EQ(
        eddy_framing_find(&kinds[0], (struct eddy_slice){ bytes, 1000 }, &scanned, &message), 0);
    scanned = 0;
    EDDY_CHECK_EQ(
        eddy_framing_find(&kinds[0], (struct eddy_slice){ bytes, 1000 }, &scanned, &message), 101);
    EDDY_CHECK_EQ(scanned, 0);
    /* A delimiter that is cut in two is looked at again from its possible beginning. */
    EDDY_CHECK_EQ(
        eddy_framing_find(&kinds[1], (struct eddy_slice){ bytes, 900 }, &scanned, &message), 0);
    EDDY_CHECK_EQ(scanned, 899);
}

static ssize_t find(const struct eddy_framing *f, struct eddy_slice in, struct eddy_slice *message)
{
    size_t scanned = 0;

    return eddy_framing_find(f, in, &scanned, message);
}

EDDY_TEST(lines)
{
    struct eddy_framing f = { .kind = EDDY_FRAMING_LINE, .max_bytes = 3 };
    struct eddy_slice m;

    EDDY_CHECK_EQ(find(&f, SLICE("abc\r\nd"), &m), 5);
    EDDY_CHECK_MEM(m.ptr, m.len, "abc", 3);
    EDDY_CHECK_EQ(find(&f, SLICE("a\r\r\n"), &m), 4);
    EDDY_CHECK_MEM(m.ptr, m.len, "a\r", 2);
    EDDY_CHECK_EQ(find(&f, SLICE("\n"), &m), 1);
    EDDY_CHECK_EQ(m.len, 0);
    EDDY_CHECK_EQ(find(&f, SLICE("abc\r"), &m), 0);
    EDDY_CHECK_ERR(find(&f, SLICE("abcd"), &m), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(find(&f, SLICE("abcd\n"), &m), -EDDY_ETOOBIG);
}

EDDY_TEST(a_bound_is_kept_before_the_bytes_come)
{
    struct eddy_framing length = { .kind = EDDY_FRAMING_LENGTH, .max_bytes = 300 };
    struct eddy_framing net = { .kind = EDDY_FRAMING_NETSTRING, .max_bytes = 300 };
    struct eddy_framing delimited = { .kind = EDDY_FRAMING_DELIMITER,
                                      .max_bytes = 3,
                                      .delimiter = { "--", 2 } };
    struct eddy_slice m;

    EDDY_CHECK_EQ(find(&length, SLICE("\0\0\1\x2c"), &m), 0);
    EDDY_CHECK_ERR(find(&length, SLICE("\0\0\1\x2d"), &m), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(find(&length, SLICE("\xff\xff\xff\xff"), &m), -EDDY_ETOOBIG);
    length.prefix = 8;
    EDDY_CHECK_ERR(find(&length, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff"), &m), -EDDY_ETOOBIG);
    EDDY_CHECK_EQ(find(&net, SLICE("300"), &m), 0);
    EDDY_CHECK_ERR(find(&net, SLICE("301"), &m), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(find(&net, SLICE("99999999999999999999999999999"), &m), -EDDY_ETOOBIG);
    EDDY_CHECK_EQ(find(&delimited, SLICE("abc-"), &m), 0);
    EDDY_CHECK_EQ(find(&delimited, SLICE("abc--"), &m), 5);
    EDDY_CHECK_ERR(find(&delimited, SLICE("abcd-"), &m), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(find(&delimited, SLICE("abcd--"), &m), -EDDY_ETOOBIG);
}

EDDY_TEST(netstrings)
{
    static const char *const wrong[] = { ":",      "a",   "5;",   "05:", "00:,",
                                         "3:abcd", "-1:", "1:a;", "0:x" };
    struct eddy_framing f = { .kind = EDDY_FRAMING_NETSTRING };
    struct eddy_slice m;

    EDDY_CHECK_EQ(find(&f, SLICE("12:hello world!,"), &m), 16);
    EDDY_CHECK_MEM(m.ptr, m.len, "hello world!", 12);
    EDDY_CHECK_EQ(find(&f, SLICE("0:,"), &m), 3);
    EDDY_CHECK_EQ(find(&f, SLICE("0"), &m), 0);
    EDDY_CHECK_EQ(find(&f, SLICE("3:abc"), &m), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EDDY_CHECK_ERR(find(&f, (struct eddy_slice){ wrong[i], strlen(wrong[i]) }, &m),
                       -EDDY_ESYNTAX);
}

EDDY_TEST(lengths)
{
    struct eddy_framing f = { .kind = EDDY_FRAMING_LENGTH, .prefix = 2, .little_endian = true };
    struct eddy_slice m;
    char bytes[16];

    EDDY_CHECK_EQ(wrap(&f, "abc", bytes), 5);
    EDDY_CHECK_MEM(bytes, 5, "\3\0abc", 5);
    f.little_endian = false;
    f.counts_itself = true;
    EDDY_CHECK_EQ(wrap(&f, "abc", bytes), 5);
    EDDY_CHECK_MEM(bytes, 5, "\0\5abc", 5);
    EDDY_CHECK_EQ(find(&f, SLICE("\0\2"), &m), 2);
    EDDY_CHECK_EQ(m.len, 0);
    EDDY_CHECK_ERR(find(&f, SLICE("\0\1"), &m), -EDDY_ESYNTAX);
}

EDDY_TEST(a_message_cannot_end_itself)
{
    struct eddy_frame frame;

    EDDY_CHECK_ERR(eddy_framing_wrap(&kinds[0], "a\nb", 3, &frame), -EDDY_ESYNTAX);
    EDDY_CHECK_ERR(eddy_framing_wrap(&kinds[1], "a--b", 4, &frame), -EDDY_ESYNTAX);
    EDDY_CHECK_EQ(eddy_framing_wrap(&kinds[1], "a-\nb", 4, &frame), 0);
}

EDDY_TEST(what_is_too_long_is_not_wrapped)
{
    static char long_one[70000];
    struct eddy_framing f = { .kind = EDDY_FRAMING_LENGTH, .prefix = 1 };
    struct eddy_frame frame;

    EDDY_CHECK_EQ(eddy_framing_wrap(&f, long_one, 255, &frame), 0);
    EDDY_CHECK_ERR(eddy_framing_wrap(&f, long_one, 256, &frame), -EMSGSIZE);
    f.counts_itself = true;
    EDDY_CHECK_ERR(eddy_framing_wrap(&f, long_one, 255, &frame), -EMSGSIZE);
    f.kind = EDDY_FRAMING_NETSTRING;
    EDDY_CHECK_EQ(eddy_framing_wrap(&f, long_one, 65536, &frame), 0);
    EDDY_CHECK_ERR(eddy_framing_wrap(&f, long_one, 65537, &frame), -EMSGSIZE);
}

EDDY_TEST(bytes_as_they_come)
{
    struct eddy_framing f = { .kind = EDDY_FRAMING_NONE };
    struct eddy_frame frame;
    struct eddy_slice m;

    EDDY_CHECK_EQ(find(&f, SLICE("abc"), &m), 3);
    EDDY_CHECK_MEM(m.ptr, m.len, "abc", 3);
    EDDY_CHECK_EQ(find(&f, SLICE(""), &m), 0);
    EDDY_CHECK_EQ(eddy_framing_wrap(&f, "a\n", 2, &frame), 0);
    EDDY_CHECK_EQ(frame.count, 1);
    EDDY_CHECK_EQ(eddy_framing_wrap(&f, "", 0, &frame), 0);
    EDDY_CHECK_EQ(frame.count, 0);
}

EDDY_TEST(wrong_framings_are_refused)
{
    static char long_one[300];
    const struct eddy_framing wrong[] = {
        { .kind = (enum eddy_framing_kind)77 },
        { .kind = EDDY_FRAMING_DELIMITER },
        { .kind = EDDY_FRAMING_DELIMITER, .delimiter = { long_one, 257 } },
        { .kind = EDDY_FRAMING_LENGTH, .prefix = 3 },
    };
    struct eddy_frame frame;
    struct eddy_slice m;

    for (size_t i = 0; i < 4; i++) {
        EDDY_CHECK_ERR(eddy_framing_check(&wrong[i]), -EINVAL);
        EDDY_CHECK_ERR(find(&wrong[i], SLICE("x"), &m), -EINVAL);
        EDDY_CHECK_ERR(eddy_framing_wrap(&wrong[i], "x", 1, &frame), -EINVAL);
    }
}
