/* slice_test.c - slices */
#include "check.h"

#include <eddy/slice.h>

#include <errno.h>

EDDY_TEST(equality_ignores_case_of_ascii_letters_only)
{
    EDDY_CHECK(eddy_slice_ieq(EDDY_SLICE("Content-LENGTH"), EDDY_SLICE("content-length")));
    EDDY_CHECK(!eddy_slice_ieq(EDDY_SLICE("abc"), EDDY_SLICE("abcd")));
    EDDY_CHECK(!eddy_slice_ieq(EDDY_SLICE("@"), EDDY_SLICE("`"))); /* 0x40, 0x60 */
    EDDY_CHECK(!eddy_slice_ieq(EDDY_SLICE("["), EDDY_SLICE("{")));
    EDDY_CHECK(!eddy_slice_ieq(EDDY_SLICE("\xc3\x84"), EDDY_SLICE("\xc3\xa4")));
    EDDY_CHECK(eddy_slice_ieq(EDDY_SLICE(""), (struct eddy_slice){ NULL, 0 }));
    EDDY_CHECK(eddy_slice_eq(EDDY_SLICE("a\0b"), EDDY_SLICE("a\0b")));
    EDDY_CHECK(!eddy_slice_eq(EDDY_SLICE("a\0b"), EDDY_SLICE("a\0c")));
    EDDY_CHECK_EQ(eddy_slice_of(NULL).len, 0);
}

EDDY_TEST(trim_takes_blanks_and_tabs_and_nothing_else)
{
    static const struct {
        struct eddy_slice in, out;
    } cases[] = {
        { { " \t a b\t ", 8 }, { "a b", 3 } },
        { { "", 0 }, { "", 0 } },
        { { " \t ", 3 }, { "", 0 } },
        { { "\r\na\n", 4 }, { "\r\na\n", 4 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_slice got = eddy_slice_trim(cases[i].in);
        EDDY_CHECK_MEM(got.ptr, got.len, cases[i].out.ptr, cases[i].out.len);
    }
}

EDDY_TEST(a_number_is_digits_only_and_fits)
{
    static const struct {
        const char *in;
        int want;
        uint64_t value;
    } cases[] = {
        { "0", 0, 0 },
        { "007", 0, 7 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999999", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "0x1", -EINVAL, 0 },
        { "99999999999999999999999x", -EINVAL, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 42;
        if (!EDDY_CHECK_ERR(eddy_slice_u64(eddy_slice_of(cases[i].in), &value), cases[i].want))
            EDDY_CHECK_FAIL("%s", cases[i].in);
        EDDY_CHECK(value == (cases[i].want ? 42 : cases[i].value));
    }
}
