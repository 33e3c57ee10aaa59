/*
 * address_test.c - addresses from text and back
 */
#include "check.h"

#include <eddy/address.h>
#include <stdlib.h>
#include <string.h>

EDDY_TEST(text_becomes_an_address_and_text_again)
{
    static const struct {
        const char *text;
        uint16_t port; /* the default */
        const char *want;
    } cases[] = {
        { "127.0.0.1:80", 0, "127.0.0.1:80" },
        { "127.0.0.1", 8000, "127.0.0.1:8000" },
        { "127.0.0.1:0", 8000, "127.0.0.1:0" },
        { "[::1]:80", 0, "[::1]:80" },
        { "[::1]", 443, "[::1]:443" },
        { "::1", 443, "[::1]:443" },
        { "[2001:DB8::1]:65535", 0, "[2001:db8::1]:65535" },
        { "fe80::1%7777", 1, "[fe80::1%7777]:1" },
        { ":8000", 0, "0.0.0.0:8000" },
        { "*:8000", 0, "0.0.0.0:8000" },
        { "8000", 0, "127.0.0.1:8000" },
        { "unix:/run/x.sock", 0, "unix:/run/x.sock" },
        { "unix:x y", 0, "unix:x y" },
        { "unix:@name", 0, "unix:@name" },
    };
    char text[EDDY_ADDRESS_TEXT];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_address a, b;
        struct eddy_error err = { 0 };
        if (eddy_address_parse(cases[i].text, cases[i].port, &a, &err) != 0) {
            EDDY_CHECK_FAIL("%s: %s", cases[i].text, err.text);
            continue;
        }
        EDDY_CHECK_STR(eddy_address_format(&a, text, sizeof text), cases[i].want);
        EDDY_CHECK_EQ(eddy_address_parse(text, 0, &b, NULL), 0);
        EDDY_CHECK(eddy_address_eq(&a, &b));
    }
}

EDDY_TEST(a_name_is_left_to_the_resolver)
{
    struct eddy_address a = { .len = 77 };
    struct eddy_slice host;
    uint16_t port;

    EDDY_CHECK_EQ(eddy_address_parse("example.org:80", 0, &a, NULL), EDDY_ADDRESS_NAME);
    EDDY_CHECK_EQ(eddy_address_parse("localhost", 80, &a, NULL), EDDY_ADDRESS_NAME);
    EDDY_CHECK_EQ(a.len, 77);
    EDDY_CHECK_EQ(eddy_address_split("example.org:81", 80, &host, &port, NULL), 0);
    EDDY_CHECK_MEM(host.ptr, host.len, "example.org", 11);
    EDDY_CHECK_EQ(port, 81);
    EDDY_CHECK_EQ(eddy_address_split("[::1%eth0]", 80, &host, &port, NULL), 0);
    EDDY_CHECK_MEM(host.ptr, host.len, "::1%eth0", 8);
    EDDY_CHECK_EQ(port, 80);
    EDDY_CHECK_EQ(eddy_address_of_ip(EDDY_SLICE("::ffff:1.2.3.4"), 5, &a), 0);
    EDDY_CHECK_EQ(eddy_address_port(&a), 5);
    EDDY_CHECK_EQ(eddy_address_of_ip(EDDY_SLICE("1.2.3"), 5, &a), EDDY_ADDRESS_NAME);
}

EDDY_TEST(what_is_no_address_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        { "", 0 },
        { "127.0.0.1", 9 },
        { "h:", 2 },
        { "h:x", 2 },
        { "h:65536", 2 },
        { "h:-1", 2 },
        { "h:+1", 2 },
        { "h:8 0", 2 },
        { "[::1", 0 },
        { "[]:80", 0 },
        { "[::1]x", 5 },
        { "[::1]80", 5 },
        { "[host]:80", 0 },
        { "1:2:3:80", 8 },
        { "65536", 0 },
        { "unix:", 5 },
        { "unix:@", 5 },
        { "http://h:80", 0 },
        { "a b:80", 1 },
        { "a/b:80", 1 },
        { "a\n:80", 1 },
        { "u@h:80", 1 },
        { "[::g]:80", 0 },
        { "a:b", 2 },
        { "[fe80::1%4294967297]:80", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_error err = { 0 };
        struct eddy_address a;
        int r = eddy_address_parse(cases[i].text, 0, &a, &err);
        EDDY_CHECK_ERR(r, -EINVAL);
        EDDY_CHECK_EQ(err.code, r);
        if (strcmp(cases[i].text, "http://h:80") != 0 && err.offset != cases[i].offset)
            EDDY_CHECK_FAIL("%s: at %zu (%s)", cases[i].text, err.offset, err.text);
    }

    char path[200] = "unix:/";
    struct eddy_address a;
    memset(path + 6, 'p', 106);
    EDDY_CHECK_EQ(eddy_address_parse(path, 0, &a, NULL), 0);
    path[112] = 'p';
    EDDY_CHECK_ERR(eddy_address_parse(path, 0, &a, NULL), -EINVAL);
}

EDDY_TEST(addresses_compare_by_meaning)
{
    struct eddy_address a, b, none = { 0 };
    char text[8];

    EDDY_CHECK_EQ(eddy_address_parse("1.2.3.4:5", 0, &a, NULL), 0);
    EDDY_CHECK_EQ(eddy_address_of_sockaddr((const struct sockaddr *)&a.storage, a.len, &b), 0);
    EDDY_CHECK(eddy_address_eq(&a, &b));
    eddy_address_set_port(&b, 6);
    EDDY_CHECK(!eddy_address_eq(&a, &b) && eddy_address_port(&b) == 6);
    EDDY_CHECK(!eddy_address_eq(&a, &none) && eddy_address_eq(&none, &none));
    EDDY_CHECK_EQ(eddy_address_family(&none), 0);
    EDDY_CHECK_STR(eddy_address_format(&a, text, sizeof text), "1.2.3.4");
    EDDY_CHECK_ERR(eddy_address_of_sockaddr((const struct sockaddr *)&a.storage, 4096, &b),
                   -EINVAL);
    /* An unnamed Unix socket: what accept() gives for one. */
    struct sockaddr unnamed = { .sa_family = AF_UNIX };
    EDDY_CHECK_EQ(eddy_address_of_sockaddr(&unnamed, sizeof unnamed.sa_family, &b), 0);
    EDDY_CHECK_STR(eddy_address_format(&b, text, sizeof text), "unix:");
}

EDDY_TEST(the_host_alone)
{
    static const char *const cases[][2] = {
        { "1.2.3.4:80", "1.2.3.4" },         { "[2001:db8::1]:80", "2001:db8::1" },
        { "[fe80::1%lo]:80", "fe80::1%lo" }, { "[fe80::1%4711]:80", "fe80::1%4711" },
        { "unix:/run/x", "unix:/run/x" },
    };
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_address a;

    for (size_t i = 0; i < 5; i++) {
        if (EDDY_CHECK_EQ(eddy_address_parse(cases[i][0], 0, &a, NULL), 0))
            EDDY_CHECK_STR(eddy_address_format_ip(&a, text, sizeof text), cases[i][1]);
    }
    EDDY_CHECK_EQ(eddy_address_parse("1.2.3.4:80", 0, &a, NULL), 0);
    EDDY_CHECK_STR(eddy_address_format_ip(&a, text, 4), "1.2");
    EDDY_CHECK_STR(eddy_address_format_ip(&(struct eddy_address){ 0 }, text, sizeof text), "?");
}
