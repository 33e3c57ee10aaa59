/* error_test.c - codes, names, texts, statuses */
#include "check.h"

#include <eddy/error.h>

#include <limits.h>
#include <string.h>

EDDY_TEST(every_code_of_ours_has_its_name_text_and_status)
{
#define ROW(name_, code_, text_, status_)                                                          \
    EDDY_CHECK_STR(eddy_strerrorname(-(code_)), #name_);                                           \
    EDDY_CHECK_STR(eddy_strerrorname(code_), #name_);                                              \
    EDDY_CHECK_STR(eddy_strerror(-(code_)), text_);                                                \
    EDDY_CHECK_EQ(eddy_error_status(-(code_)), status_);
    EDDY_ERRORS(ROW)
#undef ROW
}

EDDY_TEST(errno_codes_have_libc_names_and_unknown_ones_a_question_mark)
{
    EDDY_CHECK_STR(eddy_strerrorname(-ECONNRESET), "ECONNRESET");
    EDDY_CHECK_STR(eddy_strerrorname(EAGAIN), "EAGAIN");
    EDDY_CHECK_STR(eddy_strerror(-ENOENT), strerror(ENOENT));
    EDDY_CHECK_STR(eddy_strerrorname(0), "0");
    EDDY_CHECK_STR(eddy_strerrorname(-4999), "E?");
    EDDY_CHECK_STR(eddy_strerrorname(-5999), "E?");
    EDDY_CHECK_STR(eddy_strerrorname(INT_MIN), "E?");
    EDDY_CHECK(eddy_strerror(-5999) != NULL);
    EDDY_CHECK(eddy_strerror(INT_MIN) != NULL);
}

EDDY_TEST(a_result_becomes_its_status)
{
    static const struct {
        int code, status;
    } cases[] = {
        { -ENOENT, 404 }, { -EACCES, 403 },       { -EPERM, 403 },        { -EEXIST, 409 },
        { -EBUSY, 503 },  { -ETIMEDOUT, 503 },    { -ENOMEM, 500 },       { -EINVAL, 500 },
        { -5999, 500 },   { -ECONNREFUSED, 502 }, { -EHOSTUNREACH, 502 }, { -ENETUNREACH, 502 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EDDY_CHECK_EQ(eddy_error_status(cases[i].code), cases[i].status);
}

EDDY_TEST(an_error_text_is_cut_and_terminated)
{
    struct eddy_error err;
    char text[400];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(&err, 'y', sizeof err);
    EDDY_CHECK_ERR(eddy_error_set(&err, -EDDY_EURL, 7, "%s", text), -EDDY_EURL);
    EDDY_CHECK_EQ(strlen(err.text), sizeof err.text - 1);
    EDDY_CHECK_EQ(err.offset, 7);
    EDDY_CHECK_ERR(err.code, -EDDY_EURL);
    EDDY_CHECK_ERR(eddy_error_set(NULL, -EINVAL, 0, "nobody listens"), -EINVAL);
}
