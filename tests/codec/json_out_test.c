/*
 * json_out_test.c - the writer
 */
#include "check.h"

#include <eddy/json.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IS(buffer, text)                                                                           \
    EDDY_CHECK_MEM(eddy_buffer_bytes(&(buffer)).ptr, eddy_buffer_bytes(&(buffer)).len, (text),     \
                   strlen(text))

EDDY_TEST(commas_and_colons_come_by_themselves)
{
    struct eddy_buffer b = EDDY_BUFFER(4096);
    struct eddy_json_out out = EDDY_JSON_OUT(&b);

    eddy_json_out_object(&out);
    eddy_json_out_key(&out, "a");
    eddy_json_out_array(&out);
    eddy_json_out_int(&out, INT64_MIN);
    eddy_json_out_int(&out, 0);
    eddy_json_out_array(&out);
    eddy_json_out_array_end(&out);
    eddy_json_out_object(&out);
    eddy_json_out_object_end(&out);
    eddy_json_out_null(&out);
    eddy_json_out_array_end(&out);
    eddy_json_out_key(&out, "b\"");
    eddy_json_out_bool(&out, true);
    eddy_json_out_key(&out, "");
    eddy_json_out_text(&out, "x");
    eddy_json_out_key(&out, "n");
    eddy_json_out_text(&out, NULL);
    eddy_json_out_object_end(&out);
    EDDY_CHECK_EQ(eddy_json_out_done(&out), 0);
    IS(b, "{\"a\":[-9223372036854775808,0,[],{},null],\"b\\\"\":true,\"\":\"x\",\"n\":null}");
    EDDY_CHECK_EQ(eddy_json_check(eddy_buffer_bytes(&b), 0, NULL), 0);
    eddy_buffer_done(&b);
}

EDDY_TEST(strings_are_escaped_and_always_utf8)
{
    struct eddy_buffer b = EDDY_BUFFER(4096);
    struct eddy_json_out out = EDDY_JSON_OUT(&b);
    static const char text[] = "a\"b\\c\n\r\t\b\f\x01\x1f\x7f/\xc3\xa9\xff\xe2\x82\xed\xa0\x80z\0z";

    eddy_json_out_array(&out);
    EDDY_CHECK_EQ(eddy_json_out_string(&out, (struct eddy_slice){ text, sizeof text - 1 }), 0);
    eddy_json_out_string(&out, (struct eddy_slice){ NULL, 0 });
    eddy_json_out_array_end(&out);
    EDDY_CHECK_EQ(eddy_json_out_done(&out), 0);
    IS(b, "[\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\x7f/"
          "\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\\u0000z\",\"\"]");
    EDDY_CHECK_EQ(eddy_json_check(eddy_buffer_bytes(&b), 0, NULL), 0);
    eddy_buffer_done(&b);
}

EDDY_TEST(doubles_are_short_and_come_back_the_same)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { -0.0, "-0.0" },
        { 1, "1" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 0.3, "0.3" },
        { 1e21, "1e+21" },
        { 5e-324, "5e-324" },
        { 100, "100" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 123456.789, "123456.789" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_buffer b = EDDY_BUFFER(64);
        struct eddy_json_out out = EDDY_JSON_OUT(&b);
        EDDY_CHECK_EQ(eddy_json_out_double(&out, cases[i].value), 0);
        IS(b, cases[i].text);
        eddy_buffer_done(&b);
    }

    srand(3);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        struct eddy_buffer b = EDDY_BUFFER(64);
        struct eddy_json_out out = EDDY_JSON_OUT(&b);
        EDDY_CHECK_EQ(eddy_json_out_double(&out, value), 0);
        struct eddy_json in = EDDY_JSON(eddy_buffer_bytes(&b), NULL, NULL);
        double back = eddy_json_next(&in) == EDDY_JSON_INT ? (double)in.integer : in.real;
        EDDY_CHECK_MEM(&back, sizeof back, &value, sizeof value);
        eddy_buffer_done(&b);
    }
}

EDDY_TEST(what_would_not_be_json_is_refused_and_stays_refused)
{
    struct eddy_buffer b = EDDY_BUFFER(4096);

#define REFUSED(...)                                                                               \
    do {                                                                                           \
        struct eddy_json_out out = EDDY_JSON_OUT(&b);                                              \
        __VA_ARGS__;                                                                               \
        EDDY_CHECK_ERR(eddy_json_out_done(&out), -EINVAL);                                         \
        EDDY_CHECK_ERR(eddy_json_out_null(&out), -EINVAL);                                         \
    } while (0)
    REFUSED((void)0);
    REFUSED(eddy_json_out_int(&out, 1), eddy_json_out_int(&out, 2));
    REFUSED(eddy_json_out_object(&out), eddy_json_out_int(&out, 1));
    REFUSED(eddy_json_out_object(&out));
    REFUSED(eddy_json_out_object(&out), eddy_json_out_array_end(&out));
    REFUSED(eddy_json_out_array(&out), eddy_json_out_key(&out, "a"));
    REFUSED(eddy_json_out_object_end(&out));
    REFUSED(eddy_json_out_object(&out), eddy_json_out_key(&out, "a"), eddy_json_out_key(&out, "b"));
    REFUSED(eddy_json_out_object(&out), eddy_json_out_key(&out, "a"),
            eddy_json_out_object_end(&out));
    REFUSED(eddy_json_out_double(&out, (double)NAN));
    REFUSED(eddy_json_out_double(&out, (double)INFINITY));
#undef REFUSED

    struct eddy_json_out deep = EDDY_JSON_OUT(&b);
    for (int i = 0; i < EDDY_JSON_DEPTH; i++)
        EDDY_CHECK_EQ(eddy_json_out_array(&deep), 0);
    EDDY_CHECK_ERR(eddy_json_out_array(&deep), -EDDY_EDEPTH);
    eddy_buffer_done(&b);

    struct eddy_buffer small = EDDY_BUFFER(4);
    struct eddy_json_out full = EDDY_JSON_OUT(&small);
    EDDY_CHECK_ERR(eddy_json_out_text(&full, "abcdef"), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(eddy_json_out_done(&full), -EDDY_ETOOBIG);
    eddy_buffer_done(&small);
}
