/*
 * url_test.c - URLs taken apart, or refused; and %-triplets
 */
#include "check.h"

#include <eddy/url.h>
#include <stdlib.h>
#include <string.h>

static bool is(struct eddy_slice s, const char *want)
{
    return eddy_slice_eq(s, eddy_slice_of(want));
}

EDDY_TEST(a_url_is_taken_apart)
{
    const char *text = "HTTPS://user:pw@[2001:db8::1]:8443/a%20b/c;d?q=1/?&r#frag/?";
    struct eddy_url u;

    EDDY_CHECK_EQ(eddy_url_parse(text, strlen(text), &u, NULL), 0);
    EDDY_CHECK(is(u.scheme, "HTTPS") && is(u.userinfo, "user:pw") && is(u.host, "2001:db8::1"));
    EDDY_CHECK(is(u.path, "/a%20b/c;d") && is(u.query, "q=1/?&r") && is(u.fragment, "frag/?"));
    EDDY_CHECK(is(u.target, "/a%20b/c;d?q=1/?&r") && is(u.authority, "[2001:db8::1]:8443"));
    EDDY_CHECK_EQ(u.port, 8443);
    EDDY_CHECK(u.has_port && u.host_is_ipv6);

    EDDY_CHECK_EQ(eddy_url_parse("http://h", 8, &u, NULL), 0);
    EDDY_CHECK(is(u.host, "h") && is(u.path, "") && is(u.target, "") && is(u.query, ""));
    EDDY_CHECK(u.port == 80 && !u.has_port && !u.host_is_ipv6 && is(u.authority, "h"));
    EDDY_CHECK_EQ(eddy_url_parse("wss://h?x", 9, &u, NULL), 0);
    EDDY_CHECK(u.port == 443 && is(u.target, "?x") && is(u.path, ""));
    EDDY_CHECK_EQ(eddy_url_parse("x+y://h#", 8, &u, NULL), 0);
    EDDY_CHECK(u.port == 0 && is(u.fragment, ""));
}

EDDY_TEST(what_rfc_3986_forbids_is_refused_at_its_byte)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        { "", 0 },
        { "example.org", 0 },
        { "/path", 0 },
        { "//h/", 0 },
        { "http:/h", 0 },
        { "1http://h", 0 },
        { "http://", 7 },
        { "http:///a", 7 },
        { "http://:80/", 7 },
        { "http://u@/", 9 },
        { "http://h:/", 9 },
        { "http://h:0/", 9 },
        { "http://h:65536/", 9 },
        { "http://h:99999999999999999999/", 9 },
        { "http://h:8x/", 10 },
        { "http://h:-1/", 9 },
        { "http://a b/", 8 },
        { "http://h/a b", 10 },
        { "http://h/a\tb", 10 },
        { "http://h/a\r\nX: y", 10 },
        { "http://h/\x7f", 9 },
        { "http://h/\xc3\xa9", 9 },
        { "http://h/%4", 9 },
        { "http://h/%zz", 9 },
        { "http://h/\"", 9 },
        { "http://h/a?b|c", 12 },
        { "http://h/a#b#c", 12 },
        { "http://h\\@g/", 8 },
        { "http://a@b@c/", 10 },
        { "http://[::1/", 7 },
        { "http://[]/", 7 },
        { "http://[::1]x/", 12 },
        { "http://[v1.x]/", 8 },
        { "http://h%/", 8 },
        { " http://h/", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_error err = { 0 };
        struct eddy_url u;
        size_t len = strlen(cases[i].text);
        char *exact = malloc(len ? len : 1); /* the sanitizer watches its end */
        memcpy(exact, cases[i].text, len);
        int r = eddy_url_parse(exact, len, &u, &err);
        free(exact);
        EDDY_CHECK_ERR(r, -EDDY_EURL);
        if (err.offset != cases[i].offset || !err.text[0])
            EDDY_CHECK_FAIL("%s: at %zu (%s)", cases[i].text, err.offset, err.text);
    }

    struct eddy_url u;
    EDDY_CHECK_ERR(eddy_url_parse("http://h/\0", 10, &u, NULL), -EDDY_EURL);
    struct eddy_error err;
    eddy_url_parse("example.org", 11, &u, &err);
    EDDY_CHECK(strstr(err.text, "http://") != NULL); /* says how to mend it */
}

EDDY_TEST(triplets_are_decoded_in_place)
{
    char text[] = "a%41%2f%00+%e9%";
    size_t len = 99;

    EDDY_CHECK_EQ(eddy_percent_decode((struct eddy_slice){ text, 14 }, text, &len), 0);
    EDDY_CHECK_MEM(text, len, "aA/\0+\xe9", 6);
    EDDY_CHECK_ERR(eddy_percent_decode(EDDY_SLICE("a%4"), text, &len), -EINVAL);
    EDDY_CHECK_ERR(eddy_percent_decode(EDDY_SLICE("%"), text, &len), -EINVAL);
    EDDY_CHECK_ERR(eddy_percent_decode(EDDY_SLICE("%4g"), text, &len), -EINVAL);
    EDDY_CHECK_EQ(eddy_percent_decode(EDDY_SLICE(""), text, &len), 0);
    EDDY_CHECK_EQ(len, 0);
}
