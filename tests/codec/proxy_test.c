/*
 * The PROXY protocol's header: what is one, what is none, and that nothing behind it is touched.
 */
#include "check.h"

#include <eddy/proxy.h>

#include <stdio.h>
#include <string.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

struct one {
    const char *name;
    const char *bytes;
    size_t len;
    int want;                         /* -1: the whole of it; else the code */
    const char *source, *destination; /* as text; NULL: none */
    const char *why;                  /* in the error's text */
};

#define TEXT(s) (s), sizeof(s) - 1

static void judge(const struct one *c)
{
    struct eddy_proxy proxy = { .version = 77 };
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];
    size_t more = 0;

    ssize_t n = eddy_proxy_parse(c->bytes, c->len, &proxy, &more, &err);
    bool good = EDDY_CHECK_EQ(n, c->want == -1 ? (ssize_t)c->len : c->want);
    if (n > 0) {
        good &= EDDY_CHECK_STR(
            proxy.source.len ? eddy_address_format(&proxy.source, text, sizeof text) : NULL,
            c->source);
        good &= EDDY_CHECK_STR(proxy.destination.len
                                   ? eddy_address_format(&proxy.destination, text, sizeof text)
                                   : NULL,
                               c->destination);
        good &= EDDY_CHECK_EQ(proxy.via.len, 0);
    } else {
        good &= EDDY_CHECK_EQ(proxy.version, 77); /* written on success only */
    }
    if (n == -EAGAIN)
        good &= EDDY_CHECK(more > 0);
    if (c->why)
        good &= EDDY_CHECK(strstr(err.text, c->why) != NULL) && EDDY_CHECK_EQ(err.code, n) &&
                EDDY_CHECK(err.offset <= c->len);
    if (!good)
        printf("case: %s (%s)\n", c->name, err.text);
}

#define UNKNOWN_REST /* "PROXY UNKNOWN" and so many make 105 */                                    \
    " 4567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"

EDDY_TEST(version_1_is_judged_by_the_letter)
{
    static const struct one cases[] = {
        { "IPv4", TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"), -1, "192.0.2.1:40000",
          "192.0.2.2:443", NULL },
        { "IPv6", TEXT("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), -1, "[2001:db8::1]:0",
          "[::1]:65535", NULL },
        { "the longest",
          TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
          -1, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", NULL },
        { "unknown", TEXT("PROXY UNKNOWN\r\n"), -1, NULL, NULL, NULL },
        { "unknown with what is not looked at", TEXT("PROXY UNKNOWN ffff::1 x 99999 y\r\n"), -1,
          NULL, NULL, NULL },
        { "unknown, 107 bytes", TEXT("PROXY UNKNOWN" UNKNOWN_REST "\r\n"), -1, NULL, NULL, NULL },
        { "unknown, 108 bytes", TEXT("PROXY UNKNOWN" UNKNOWN_REST "x\r\n"), -EPROTO, NULL, NULL,
          "107" },
        { "unknown without an end", TEXT("PROXY UNKNOWN" UNKNOWN_REST "xxxx"), -EPROTO, NULL, NULL,
          "107" },
        { "unknown, LF alone", TEXT("PROXY UNKNOWN x\n"), -EPROTO, NULL, NULL, "CR LF" },
        { "unknown, CR in it", TEXT("PROXY UNKNOWN x\ry\r\n"), -EPROTO, NULL, NULL, "CR" },
        { "unknown, glued", TEXT("PROXY UNKNOWNx\r\n"), -EPROTO, NULL, NULL, "blank" },
        { "small letters", TEXT("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL,
          "begins" },
        { "another kind", TEXT("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL,
          "begins" },
        { "HTTP", TEXT("GET / HTTP/1.1\r\n\r\n"), -EPROTO, NULL, NULL, "begins" },
        { "HTTP that begins alike", TEXT("PROPFIND / HTTP/1.1\r\n"), -EPROTO, NULL, NULL,
          "begins" },
        { "two blanks", TEXT("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL,
          "address" },
        { "a tab", TEXT("PROXY TCP4 1.1.1.1\t2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL, "address" },
        { "a blank at the end", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"), -EPROTO, NULL, NULL,
          "port" },
        { "IPv6 as TCP4", TEXT("PROXY TCP4 ::1 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL, "address" },
        { "IPv4 as TCP6", TEXT("PROXY TCP6 1.1.1.1 ::1 1 2\r\n"), -EPROTO, NULL, NULL, "address" },
        { "an octal address", TEXT("PROXY TCP4 010.1.1.1 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL,
          "address" },
        { "three numbers", TEXT("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL,
          "address" },
        { "a scope", TEXT("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), -EPROTO, NULL, NULL, "address" },
        { "a name", TEXT("PROXY TCP4 localhost 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL, "address" },
        { "a port too large", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n"), -EPROTO, NULL, NULL,
          "port" },
        { "a port with a zero", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"), -EPROTO, NULL, NULL,
          "port" },
        { "a port with a sign", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n"), -EPROTO, NULL, NULL,
          "port" },
        { "no port", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n"), -EPROTO, NULL, NULL, "port" },
        { "LF alone", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"), -EPROTO, NULL, NULL, "port" },
        { "CR alone", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rx"), -EPROTO, NULL, NULL, "CR" },
        { "a NUL", TEXT("PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n"), -EPROTO, NULL, NULL, "address" },
        { "nothing yet", TEXT(""), -EAGAIN, NULL, NULL, NULL },
        { "a letter", TEXT("P"), -EAGAIN, NULL, NULL, NULL },
        { "no end yet", TEXT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r"), -EAGAIN, NULL, NULL, NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        judge(&cases[i]);
}

#define IP4 "\xc0\0\2\1\xc0\0\2\2\x9c\x40\1\xbb"
#define IP6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x9c\x40\1\xbb"

EDDY_TEST(version_2_is_judged_by_the_letter)
{
    static const struct one cases[] = {
        { "IPv4", TEXT(V2 "\x21\x11\0\xc" IP4), -1, "192.0.2.1:40000", "192.0.2.2:443", NULL },
        { "IPv4, datagrams", TEXT(V2 "\x21\x12\0\xc" IP4), -1, "192.0.2.1:40000", "192.0.2.2:443",
          NULL },
        { "IPv6", TEXT(V2 "\x21\x21\0\x24" IP6), -1, "[2001:db8::1]:40000", "[::1]:443", NULL },
        { "local", TEXT(V2 "\x20\0\0\0"), -1, NULL, NULL, NULL },
        { "local with a family that is not", TEXT(V2 "\x20\xff\0\4abcd"), -1, NULL, NULL, NULL },
        { "no family", TEXT(V2 "\x21\0\0\3abc"), -1, NULL, NULL, NULL },
        { "a family, no protocol", TEXT(V2 "\x21\x10\0\xc" IP4), -1, NULL, NULL, NULL },
        { "version 1", TEXT(V2 "\x11\x11\0\xc" IP4), -EPROTO, NULL, NULL, "version" },
        { "version 3", TEXT(V2 "\x31\x11\0\xc" IP4), -EPROTO, NULL, NULL, "version" },
        { "command 2", TEXT(V2 "\x22\x11\0\xc" IP4), -EPROTO, NULL, NULL, "command" },
        { "command 2, at once", TEXT(V2 "\x22"), -EPROTO, NULL, NULL, "command" },
        { "family 4", TEXT(V2 "\x21\x41\0\xc" IP4), -EPROTO, NULL, NULL, "family" },
        { "protocol 3", TEXT(V2 "\x21\x13\0\xc" IP4), -EPROTO, NULL, NULL, "family" },
        { "too short for IPv4", TEXT(V2 "\x21\x11\0\xb" IP4), -EPROTO, NULL, NULL, "short" },
        { "too short for IPv6", TEXT(V2 "\x21\x21\0\x23" IP6), -EPROTO, NULL, NULL, "short" },
        { "too short for a path", TEXT(V2 "\x21\x31\0\x24" IP6), -EPROTO, NULL, NULL, "short" },
        { "too long", TEXT(V2 "\x21\x11\xf\xf1"), -EDDY_ETOOBIG, NULL, NULL, "4097" },
        { "just not too long", TEXT(V2 "\x21\x11\xf\xf0"), -EAGAIN, NULL, NULL, NULL },
        { "a wrong signature", TEXT("\r\n\r\n\0\r\nQUIx"), -EPROTO, NULL, NULL, "begins" },
        { "a part of it", TEXT("\r\n\r\n\0"), -EAGAIN, NULL, NULL, NULL },
        { "an extension", TEXT(V2 "\x21\x11\0\x11" IP4 "\1\0\2h2"), -1, "192.0.2.1:40000",
          "192.0.2.2:443", NULL },
        { "an extension that is cut", TEXT(V2 "\x21\x11\0\x10" IP4 "\1\0\2h"), -EPROTO, NULL, NULL,
          "extension" },
        { "half an extension", TEXT(V2 "\x21\x11\0\xe" IP4 "\1\0"), -EPROTO, NULL, NULL,
          "extension" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        judge(&cases[i]);
}

static const struct {
    const char *bytes;
    size_t len;
} headers[] = {
    { TEXT("PROXY TCP4 192.0.2.1 192.0.2.222 40000 443\r\n") },
    { TEXT("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n") },
    { TEXT("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n") },
    { TEXT("PROXY TCP6 :: :: 0 0\r\n") },
    { TEXT("PROXY UNKNOWN\r\n") },
    { TEXT("PROXY UNKNOWN and more of it\r\n") },
    { TEXT(V2 "\x21\x11\0\x11" IP4 "\1\0\2h2") },
    { TEXT(V2 "\x21\x21\0\x24" IP6) },
    { TEXT(V2 "\x20\0\0\0") },
};
#define HEADERS (sizeof headers / sizeof *headers)

EDDY_TEST(a_header_in_pieces_is_the_same)
{
    for (size_t i = 0; i < HEADERS; i++) {
        for (size_t len = 0; len < headers[i].len; len++) {
            struct eddy_proxy proxy;
            size_t more = 0;
            EDDY_CHECK_EQ(eddy_proxy_parse(headers[i].bytes, len, &proxy, &more, NULL), -EAGAIN);
            if (!EDDY_CHECK(more >= 1 && more <= headers[i].len - len))
                printf("header %zu at %zu wants %zu\n", i, len, more);
        }
    }
}

/* Reading what is asked for, again and again, ends at the header's last byte, and soon. */
EDDY_TEST(wanted_bytes_are_the_headers)
{
    for (size_t i = 0; i < HEADERS; i++) {
        struct eddy_proxy proxy;
        size_t len = 0, more = 0;
        ssize_t n;
        int reads = 0;
        while ((n = eddy_proxy_parse(headers[i].bytes, len, &proxy, &more, NULL)) == -EAGAIN &&
               EDDY_CHECK(len + more <= headers[i].len)) {
            len += more;
            reads++;
        }
        EDDY_CHECK_EQ(n, headers[i].len);
        EDDY_CHECK_EQ(len, headers[i].len);
        if (!EDDY_CHECK(reads <= 12))
            printf("header %zu took %d reads\n", i, reads);
    }
}

static struct eddy_proxy example(unsigned version, const char *from, const char *to)
{
    struct eddy_proxy p = { .version = version };

    EDDY_CHECK_EQ(eddy_address_parse(from, 0, &p.source, NULL), 0);
    EDDY_CHECK_EQ(eddy_address_parse(to, 0, &p.destination, NULL), 0);
    return p;
}

EDDY_TEST(a_checksum_is_checked)
{
    struct eddy_proxy p = example(2, "192.0.2.1:40000", "192.0.2.2:443"), got;
    struct eddy_error err = { 0 };
    char buf[EDDY_PROXY_MAX];
    size_t flips = 0;

    p.checksum = true;
    ssize_t n = eddy_proxy_write(&p, buf, sizeof buf);
    if (!EDDY_CHECK_EQ(n, 16 + 12 + 7))
        return;
    EDDY_CHECK_MEM(buf + n - 7, 3, "\3\0\4", 3);
    EDDY_CHECK_EQ(eddy_proxy_parse(buf, (size_t)n, &got, NULL, NULL), n);
    EDDY_CHECK(got.checksum);
    for (size_t i = 16; i < (size_t)n; i++) {
        if (i >= 28 && i < 31)
            continue; /* the extension's own head: another mistake */
        buf[i] ^= 4;
        flips += eddy_proxy_parse(buf, (size_t)n, &got, NULL, &err) == -EPROTO &&
                 strstr(err.text, "checksum");
        buf[i] ^= 4;
    }
    EDDY_CHECK_EQ(flips, 16);
    EDDY_CHECK_EQ(eddy_proxy_parse(TEXT(V2 "\x21\x11\0\x12" IP4 "\3\0\3abc"), &got, NULL, &err),
                  -EPROTO);
}

/* Computed with another program (Python, bit by bit from the polynomial's other reading). */
EDDY_TEST(a_checksum_by_another_hand_is_right)
{
    struct eddy_proxy got;

    EDDY_CHECK_EQ(
        eddy_proxy_parse(TEXT(V2 "\x21\x11\0\x13" IP4 "\3\0\4\273\004\204\037"), &got, NULL, NULL),
        35);
    EDDY_CHECK(got.checksum);
}

EDDY_TEST(what_is_written_is_read)
{
    static const struct {
        unsigned version;
        const char *from, *to;
        ssize_t len;
        bool lost; /* UNKNOWN is all that the version can say of it */
    } cases[] = {
        { 1, "192.0.2.1:40000", "192.0.2.2:443", 42, false },
        { 1, "[2001:db8::1]:1", "[::1]:65535", 36, false },
        { 1, "unix:/run/a", "unix:@b", 15, true },
        { 2, "192.0.2.1:40000", "192.0.2.2:443", 28, false },
        { 2, "[2001:db8::1]:1", "[::1]:65535", 52, false },
        { 2, "unix:/run/a", "unix:@b", 232, false },
    };
    char buf[EDDY_PROXY_MAX];
    struct eddy_proxy got;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_proxy p = example(cases[i].version, cases[i].from, cases[i].to);
        for (size_t cap = 0; cap < (size_t)cases[i].len; cap++)
            EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, cap), -ENOSPC);
        EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), cases[i].len);
        EDDY_CHECK_EQ(eddy_proxy_parse(buf, (size_t)cases[i].len, &got, NULL, NULL), cases[i].len);
        EDDY_CHECK_EQ(got.version, cases[i].version);
        EDDY_CHECK_EQ(got.local, cases[i].lost);
        EDDY_CHECK(cases[i].lost || (eddy_address_eq(&got.source, &p.source) &&
                                     eddy_address_eq(&got.destination, &p.destination)));
    }
}

EDDY_TEST(what_nobody_said_is_written_as_such)
{
    struct eddy_proxy p = { .version = 1 };
    char buf[64];

    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), 15);
    EDDY_CHECK_MEM(buf, 15, "PROXY UNKNOWN\r\n", 15);
    p.version = 2;
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), 16);
    EDDY_CHECK_MEM(buf, 16, V2 "\x21\0\0\0", 16);
    p.local = true;
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), 16);
    EDDY_CHECK_MEM(buf, 16, V2 "\x20\0\0\0", 16);
    p.version = 3;
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), -EINVAL);
    p = example(2, "1.1.1.1:1", "[::1]:1");
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), -EINVAL);
}

EDDY_TEST(extensions_are_kept_and_found)
{
    struct eddy_proxy p = example(2, "192.0.2.1:40000", "192.0.2.2:443"), got;
    struct eddy_slice value;
    char buf[EDDY_PROXY_MAX], large[EDDY_PROXY_MAX] = { 4, (char)(4064 >> 8), (char)(4064 & 255) };

    p.extensions = EDDY_SLICE("\1\0\2h2\2\0\3a.b\4\0\0\2\0\1c");
    ssize_t n = eddy_proxy_write(&p, buf, sizeof buf);
    EDDY_CHECK_EQ(eddy_proxy_parse(buf, n > 0 ? (size_t)n : 0, &got, NULL, NULL), 28 + 18);
    EDDY_CHECK_EQ(eddy_proxy_extension(&got, EDDY_PROXY_ALPN, &value), 0);
    EDDY_CHECK_MEM(value.ptr, value.len, "h2", 2);
    EDDY_CHECK_EQ(eddy_proxy_extension(&got, EDDY_PROXY_AUTHORITY, &value), 0); /* the first */
    EDDY_CHECK_MEM(value.ptr, value.len, "a.b", 3);
    EDDY_CHECK_EQ(eddy_proxy_extension(&got, EDDY_PROXY_NOOP, &value), 0);
    EDDY_CHECK_EQ(value.len, 0);
    EDDY_CHECK_EQ(eddy_proxy_extension(&got, EDDY_PROXY_SSL, &value), -ENOENT);
    EDDY_CHECK(!got.checksum);

    /* Again with a checksum of ours, which replaces one that came. */
    got.checksum = true;
    p = got;
    char again[EDDY_PROXY_MAX];
    n = eddy_proxy_write(&p, again, sizeof again);
    EDDY_CHECK_EQ(eddy_proxy_parse(again, n > 0 ? (size_t)n : 0, &got, NULL, NULL), 28 + 18 + 7);
    ssize_t same = eddy_proxy_write(&got, buf, sizeof buf);
    EDDY_CHECK_MEM(buf, same > 0 ? (size_t)same : 0, again, (size_t)n);

    p.extensions = EDDY_SLICE("\1\0\3h2");
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), -EINVAL);
    p.extensions = EDDY_SLICE("\1\0");
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), -EINVAL);
    p.checksum = false;
    p.extensions = (struct eddy_slice){ large, 3 + 4064 };
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), 28 + 3 + 4064);
    p.checksum = true;
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), -EDDY_ETOOBIG);
    p.checksum = false;
    large[2]++; /* 4065: 4096 in all; one more is too many */
    p.extensions.len++;
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), EDDY_PROXY_MAX);
    large[2]++;
    p.extensions.len++;
    EDDY_CHECK_EQ(eddy_proxy_write(&p, buf, sizeof buf), -EDDY_ETOOBIG);
}
