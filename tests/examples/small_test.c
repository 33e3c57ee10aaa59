/*
 * The examples that print and end, as a user builds and runs them: against the shared libraries.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* What it prints, when its exit status is 0. */
static const char *said(const char *before, const char *name)
{
    static char text[4096];
    char command[512];

    (void)snprintf(command, sizeof command, "%s %s/examples/%s", before, EDDY_BIN_DIR, name);
    FILE *out = popen(command, "re");
    if (!EDDY_CHECK(out != NULL))
        return "";
    size_t n = fread(text, 1, sizeof text - 1, out);
    text[n] = '\0';
    EDDY_CHECK_EQ(pclose(out), 0);
    return text;
}

EDDY_TEST(generator)
{
    const char *text = said("", "generator");

    EDDY_CHECK(strncmp(text, "2 3 5 7 11 13 17 19 23 29\n", 26) == 0);
    EDDY_CHECK(strstr(text, "\n25 primes\n") != NULL);
    EDDY_CHECK(strstr(text, "\nafter ") !=
               NULL); /* the ticks of a clock: how late they are varies */
}

EDDY_TEST(gather)
{
    EDDY_CHECK(strstr(said("", "gather"), "first price: 1190, from shop 2\n") != NULL);
}

EDDY_TEST(pipeline)
{
    const char *text = said("printf 'one two\\nthree\\n' |", "pipeline");

    EDDY_CHECK(strstr(text, "2 lines, 11 letters\n") != NULL);
    EDDY_CHECK_STR(said("", "pipeline </dev/null"), "0 lines, 0 letters\n");
}
