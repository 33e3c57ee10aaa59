/*
 * http1_write_test.c - status lines, chunk heads, field checks, methods, dates
 */
#include "check.h"
#include "codec/http/http1.h"

#include <stdio.h>
#include <string.h>

EDDY_TEST(status_lines_are_whole)
{
    char scratch[EDDY__HTTP1_STATUS_SCRATCH], want[64];

    for (int status = 100; status <= 599; status++) {
        struct eddy_slice line = eddy__http1_status_line(status, scratch);
        int len = snprintf(want, sizeof want, "HTTP/1.1 %d %s\r\n", status,
                           eddy_status_text(status));
        EDDY_CHECK_MEM(line.ptr, line.len, want, (size_t)len);
    }
    EDDY_CHECK_STR(eddy_status_text(404), "Not Found");
    EDDY_CHECK_STR(eddy_status_text(299), "");
    EDDY_CHECK_STR(eddy_status_text(-1), "");
}

EDDY_TEST(methods_have_names_both_ways)
{
    for (int m = EDDY_METHOD_GET; m < EDDY_METHOD_COUNT; m++)
        EDDY_CHECK_EQ(eddy_method_of(eddy_slice_of(eddy_method_text((enum eddy_method)m))), m);
    EDDY_CHECK_EQ(eddy_method_of(EDDY_SLICE("get")), EDDY_METHOD_OTHER);
    EDDY_CHECK_EQ(eddy_method_of(EDDY_SLICE("")), EDDY_METHOD_OTHER);
    EDDY_CHECK_EQ(eddy_method_of(EDDY_SLICE("PURGE")), EDDY_METHOD_OTHER);
    EDDY_CHECK_STR(eddy_method_text((enum eddy_method)99), "OTHER");
}

EDDY_TEST(a_field_that_would_split_the_reply_is_refused)
{
    struct eddy_slice x = EDDY_SLICE("X"), nul = { "a\0b", 3 }, empty = { NULL, 0 };

    EDDY_CHECK_EQ(eddy__http1_check_field(x, EDDY_SLICE("a b\tc \xe9")), 0);
    EDDY_CHECK_EQ(eddy__http1_check_field(x, empty), 0);
    EDDY_CHECK_ERR(eddy__http1_check_field(x, EDDY_SLICE("a\r\nSet-Cookie: b")), -EINVAL);
    EDDY_CHECK_ERR(eddy__http1_check_field(x, EDDY_SLICE("a\n")), -EINVAL);
    EDDY_CHECK_ERR(eddy__http1_check_field(x, EDDY_SLICE("a\r")), -EINVAL);
    EDDY_CHECK_ERR(eddy__http1_check_field(x, nul), -EINVAL);
    EDDY_CHECK_ERR(eddy__http1_check_field(empty, x), -EINVAL);
    EDDY_CHECK_ERR(eddy__http1_check_field(EDDY_SLICE("a b"), x), -EINVAL);
    EDDY_CHECK_ERR(eddy__http1_check_field(EDDY_SLICE("a:"), x), -EINVAL);
}

EDDY_TEST(chunk_heads_are_hex)
{
    static const uint64_t sizes[] = { 1, 9, 15, 16, 255, 256, 4095, 65536, INT64_MAX, UINT64_MAX };
    char out[EDDY__HTTP1_CHUNK_HEAD], want[32];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int len = snprintf(want, sizeof want, "%llx\r\n", (unsigned long long)sizes[i]);
        EDDY_CHECK_MEM(out, eddy__http1_chunk_head(sizes[i], out), want, (size_t)len);
    }
}

EDDY_TEST(dates_are_what_strftime_makes_in_the_plain_locale)
{
    static const time_t times[] = { 0, 784111777, 951782400, 1709164800, 2147483648, 253402300799 };
    char out[EDDY__HTTP_DATE], want[64];

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct tm tm;
        eddy__http_date(times[i], out);
        size_t len = strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT",
                              gmtime_r(&times[i], &tm));
        EDDY_CHECK_MEM(out, sizeof out, want, len);
    }
    eddy__http_date((time_t)1 << 60, out);
    EDDY_CHECK_MEM(out, sizeof out, "Thu, 01 Jan 1970 00:00:00 GMT", 29);
}
