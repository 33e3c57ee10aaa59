/*
 * json_test.c - the scanner
 */
#include "check.h"

#include <eddy/json.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check(const char *text, size_t len, struct eddy_error *err)
{
    char *exact = malloc(len ? len : 1); /* the sanitizer watches its end */
    memcpy(exact, text, len);
    int r = eddy_json_check((struct eddy_slice){ exact, len }, 0, err);

    /* Asked for token after token, it comes to the same answer. */
    struct eddy_arena arena = EDDY_ARENA(1 << 20);
    struct eddy_error why = { 0 };
    struct eddy_json j = EDDY_JSON(((struct eddy_slice){ exact, len }), &arena, &why);
    int last;
    while ((last = eddy_json_next(&j)) > 0)
        ;
    /* ... but for a number's size, which is not grammar's. */
    EDDY_CHECK_ERR(last, r == 0 && strstr(why.text, "no double holds") ? -EDDY_ESYNTAX : r);
    EDDY_CHECK_ERR(eddy_json_next(&j), last);
    eddy_arena_done(&arena);
    free(exact);
    return r;
}

EDDY_TEST(what_rfc_8259_allows_is_taken)
{
    static const char *const good[] = {
        "0",
        "-0",
        "-1",
        "1.5",
        "1e9",
        "1E+2",
        "1e-2",
        "0.0",
        "-0.1e1",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        " \t\r\n1 \t\r\n",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1,2]",
        "{\"a\":1,\"b\":[{}],\"a\":2}",
        "[[],[[]],{}]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83c\\udf0a\"",
        "\"\\u0000\"",
        "\"\xc3\xa9\"",
        "\"\x7f\"",
        "[1 , 2]",
        "{\"a\" : 1}",
        "\"/\"",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (check(good[i], strlen(good[i]), NULL) != 0)
            EDDY_CHECK_FAIL("%s", good[i]);
}

EDDY_TEST(what_rfc_8259_forbids_is_refused_at_its_byte)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        { "", 0 },
        { " ", 1 },
        { "[", 1 },
        { "{", 1 },
        { "]", 0 },
        { "}", 0 },
        { "[1", 2 },
        { "[1,", 3 },
        { "[1,]", 3 },
        { "[,1]", 1 },
        { "[1 2]", 3 },
        { "[1}", 2 },
        { "{]", 1 },
        { "{\"a\"}", 4 },
        { "{\"a\":}", 5 },
        { "{\"a\":1,}", 7 },
        { "{a:1}", 1 },
        { "{1:1}", 1 },
        { "{\"a\" 1}", 5 },
        { "{\"a\":1 \"b\":2}", 7 },
        { "1 2", 2 },
        { "[] []", 3 },
        { "nul", 0 },
        { "nulL", 0 },
        { "True", 0 },
        { "NaN", 0 },
        { "Infinity", 0 },
        { "-Infinity", 1 },
        { "+1", 0 },
        { ".5", 0 },
        { "1.", 2 },
        { "1.e1", 2 },
        { "01", 0 },
        { "-01", 1 },
        { "-", 1 },
        { "1e", 2 },
        { "1e+", 3 },
        { "0x1", 1 },
        { "1_0", 1 },
        { "'a'", 0 },
        { "\"", 1 },
        { "\"a", 2 },
        { "\"\\", 2 },
        { "\"\\\"", 3 },
        { "\"\\x\"", 1 },
        { "\"\\u12\"", 1 },
        { "\"\\u12g4\"", 1 },
        { "\"\\ud800\"", 1 },
        { "\"\\udc00\"", 1 },
        { "\"\\ud800\\u0041\"", 1 },
        { "\"\t\"", 1 },
        { "\"\n\"", 1 },
        { "\"\xff\"", 1 },
        { "\"ab\xc0\x80\"", 3 },
        { "\"\xed\xa0\x80\"", 1 },
        { "\xef\xbb\xbf[]", 0 },
        { "[1]//", 3 },
        { "/**/1", 0 },
        { "[1,\f2]", 3 },
        { "{\"a\":1", 6 },
        { "{\"a\"", 4 },
        { "{\"a\":", 5 },
        { "\"abcdefghijk\x01\"", 12 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_error err = { 0 };
        int r = check(cases[i].text, strlen(cases[i].text), &err);
        if (r != -EDDY_ESYNTAX || err.offset != cases[i].offset || !err.text[0])
            EDDY_CHECK_FAIL("%s: %d at %zu (%s)", cases[i].text, r, err.offset, err.text);
    }
    EDDY_CHECK_ERR(check("[\0]", 3, NULL), -EDDY_ESYNTAX);
    EDDY_CHECK_ERR(check("\"\0\"", 3, NULL), -EDDY_ESYNTAX);
    EDDY_CHECK_ERR(check("1\0", 2, NULL), -EDDY_ESYNTAX);
}

EDDY_TEST(depth_is_bounded)
{
    char text[2001];
    struct eddy_error err;

    memset(text, '[', 2000);
    EDDY_CHECK_ERR(check(text, 2000, &err), -EDDY_EDEPTH);
    EDDY_CHECK_EQ(err.offset, 64);
    memset(text + 64, ']', 64);
    EDDY_CHECK_EQ(check(text, 128, NULL), 0);
    EDDY_CHECK_ERR(eddy_json_check(EDDY_SLICE("[[[]]]"), 2, NULL), -EDDY_EDEPTH);
    EDDY_CHECK_EQ(eddy_json_check(EDDY_SLICE("[[[]]]"), 3, NULL), 0);
}

EDDY_TEST(tokens_carry_their_values)
{
    struct eddy_arena arena = EDDY_ARENA(4096);
    struct eddy_json j = EDDY_JSON(
        EDDY_SLICE(" {\"a\\u00e9\":[1,-2.5,true,null],\"\":\"x\\n\\ud83c\\udf0a\",\"b\":false} "),
        &arena, NULL);

    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_OBJECT);
    EDDY_CHECK_EQ(j.offset, 1);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_KEY);
    EDDY_CHECK_MEM(j.string.ptr, j.string.len, "a\xc3\xa9", 3);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_ARRAY);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_INT);
    EDDY_CHECK_EQ(j.integer, 1);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_DOUBLE);
    EDDY_CHECK_EQ(j.real * 2, -5);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_BOOL);
    EDDY_CHECK(j.boolean);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_NULL);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_ARRAY_END);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_KEY);
    EDDY_CHECK_EQ(j.string.len, 0);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_STRING);
    EDDY_CHECK_MEM(j.string.ptr, j.string.len, "x\n\xf0\x9f\x8c\x8a", 6);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_KEY);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_BOOL);
    EDDY_CHECK(!j.boolean);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_OBJECT_END);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_END);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_END);
    eddy_arena_done(&arena);
}

EDDY_TEST(skip_passes_over_what_was_begun)
{
    struct eddy_json j = EDDY_JSON(
        EDDY_SLICE("{\"skip\":{\"a\":[1,{}]},\"n\":\"x\\\"\",\"id\":7,\"rest\":[]}"), NULL, NULL);
    int64_t id = 0;
    int r = eddy_json_next(&j);

    while ((r = eddy_json_next(&j)) == EDDY_JSON_KEY) {
        if (eddy_slice_eq(j.string, EDDY_SLICE("id")) && eddy_json_next(&j) == EDDY_JSON_INT)
            id = j.integer;
        else
            EDDY_CHECK_EQ(eddy_json_skip(&j), 0);
    }
    EDDY_CHECK_EQ(r, EDDY_JSON_OBJECT_END);
    EDDY_CHECK_EQ(id, 7);
    EDDY_CHECK_EQ(eddy_json_skip(&j), 0);
    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_END);

    j = EDDY_JSON(EDDY_SLICE("[[1,]]"), NULL, NULL);
    eddy_json_next(&j);
    EDDY_CHECK_ERR(eddy_json_skip(&j), -EDDY_ESYNTAX);
    EDDY_CHECK_ERR(eddy_json_next(&j), -EDDY_ESYNTAX);
}

EDDY_TEST(numbers_are_exact)
{
    static const struct {
        const char *text;
        bool whole;
        int64_t integer;
    } cases[] = {
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "18446744073709551615", false, 0 },
        { "18446744073709551616", false, 0 },
        { "0.1", false, 0 },
        { "1e22", false, 0 },
        { "1e23", false, 0 },
        { "1.7976931348623157e308", false, 0 },
        { "5e-324", false, 0 },
        { "1e-400", false, 0 },
        { "0e999999999999999999999", false, 0 },
        { "2.2250738585072011e-308", false, 0 },
        { "9007199254740993.0", false, 0 },
        { "123456789012345678901234567890.123456789e-20", false, 0 },
        { "0.000000000000000000000000000000000001e36", false, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_json j = EDDY_JSON(eddy_slice_of(cases[i].text), NULL, NULL);
        int r = eddy_json_next(&j);
        EDDY_CHECK_EQ(r, cases[i].whole ? EDDY_JSON_INT : EDDY_JSON_DOUBLE);
        if (cases[i].whole) {
            EDDY_CHECK_EQ(j.integer, cases[i].integer);
        } else {
            double want = strtod(cases[i].text, NULL);
            EDDY_CHECK_MEM(&j.real, sizeof want, &want, sizeof want);
        }
    }

    struct eddy_error err;
    struct eddy_json j = EDDY_JSON(EDDY_SLICE("[1e999]"), NULL, &err);
    eddy_json_next(&j);
    EDDY_CHECK_ERR(eddy_json_next(&j), -EDDY_ESYNTAX);
    EDDY_CHECK_EQ(err.offset, 1);
}

EDDY_TEST(without_an_arena_strings_stand_as_they_are)
{
    struct eddy_json j = EDDY_JSON(EDDY_SLICE("\"a\\n\""), NULL, NULL);

    EDDY_CHECK_EQ(eddy_json_next(&j), EDDY_JSON_STRING);
    EDDY_CHECK_MEM(j.string.ptr, j.string.len, "a\\n", 3);
    EDDY_CHECK(j.escaped);

    struct eddy_arena small = EDDY_ARENA(1);
    j = EDDY_JSON(EDDY_SLICE("\"a\\n\""), &small, NULL);
    EDDY_CHECK_ERR(eddy_json_next(&j), -ENOMEM);
    eddy_arena_done(&small);
}

/* seeds: yes */
EDDY_TEST(texts_changed_by_chance_break_nothing)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\ud83c\\udf0a\xc3\xa9\"],\"b\":{}}";
    static const char likely[] = "{}[],:\"\\u019eE-+. \xc3\x00";
    unsigned long rounds = 200 * eddy_check_number("EDDY_SEEDS", 100);

    srand(2);
    for (unsigned long i = 0; i < rounds; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        for (int k = rand() % 4; k > 0; k--)
            copy[(size_t)rand() % (sizeof text - 1)] = likely[(size_t)rand() % sizeof likely];
        struct eddy_error err = { 0 };
        size_t len = rand() % 4 ? sizeof text - 1 : (size_t)rand() % sizeof text;
        int r = check(copy, len, &err);
        EDDY_CHECK(r == 0 || (r == -EDDY_ESYNTAX && err.offset <= len));
    }
}
