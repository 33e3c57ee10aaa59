/*
 * nearest_test.c - which word was meant
 */
#include "check.h"

#include "serve/nearest.h"

EDDY_TEST(the_nearest_word_is_named_if_it_is_near)
{
    static const char *const words[] = { "--host", "--port", "--backend", "epoll", "run", NULL };
    static const struct {
        const char *word, *want;
    } cases[] = {
        { "--port", "--port" }, { "--prot", "--port" },
        { "--por", "--port" },  { "--ports", "--port" },
        { "--pxrt", "--port" }, { "--bakcend", "--backend" },
        { "eppoll", "epoll" },  { "rnu", "run" },
        { "rum", "run" },       { "frobnicate", NULL },
        { "x", NULL },          { "", NULL },
        { "select", NULL },     { "a-word-that-is-longer-than-any-of-ours", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!EDDY_CHECK_STR(eddy__nearest(cases[i].word, words), cases[i].want))
            EDDY_CHECK_FAIL("word: %s", cases[i].word);
}
