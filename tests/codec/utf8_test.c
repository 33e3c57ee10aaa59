/*
 * utf8_test.c - every code point, and what is none
 */
#include "check.h"
#include "codec/utf8.h"

#include <string.h>

EDDY_TEST(each_character_is_valid_and_each_surrogate_is_not)
{
    for (unsigned code = 0; code < 0x112000; code++) {
        unsigned char s[4];
        size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        bool want = code < 0x110000 && (code < 0xd800 || code > 0xdfff);

        if (len == 1) {
            s[0] = (unsigned char)code;
        } else {
            for (size_t i = len - 1; i > 0; i--)
                s[i] = (unsigned char)(0x80 | (code >> (6 * (len - 1 - i)) & 0x3f));
            s[0] = (unsigned char)((0xf0 << (4 - len) & 0xff) | code >> (6 * (len - 1)));
        }
        bool valid = eddy__utf8_valid((const char *)s, len);
        bool cut = len > 1 && eddy__utf8_valid((const char *)s, len - 1);
        if (valid != want || cut)
            EDDY_CHECK_FAIL("U+%04X", code);
    }
}

EDDY_TEST(bytes_that_are_not_utf8_are_found_wherever_they_stand)
{
    static const char *const bad[] = {
        "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xf0\x80\x80\x80",
        "\xff", "\xc3",     "\xc3\x28", "\xe2\x82",     "\xf8\x88\x80\x80\x80"
    };
    char text[64];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t at = 0; at < 20; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, bad[i], strlen(bad[i]));
            EDDY_CHECK(!eddy__utf8_valid(text, at + strlen(bad[i])));
            EDDY_CHECK(!eddy__utf8_valid(text, 40));
        }
    EDDY_CHECK(eddy__utf8_valid("", 0));
    EDDY_CHECK(eddy__utf8_valid("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8a", 15));
}
