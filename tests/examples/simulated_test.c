/*
 * examples/simulated.c, as a user builds and runs it: against the shared libraries.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* What it prints, and its exit status. */
static int run(const char *environment, char *said, size_t cap)
{
    char command[512];

    snprintf(command, sizeof command, "unset EDDY_SEED; %s %s/examples/simulated", environment,
             EDDY_BIN_DIR);
    FILE *out = popen(command, "re");
    if (!EDDY_CHECK(out != NULL))
        return -1;
    size_t n = fread(said, 1, cap - 1, out);
    said[n] = '\0';
    int status = pclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

EDDY_TEST(a_client_is_tested_on_a_hundred_networks)
{
    char first[512], again[512];

    EDDY_CHECK_EQ(run("", first, sizeof first), 0);
    EDDY_CHECK(strncmp(first, "100 networks, the slowest answer came after ", 44) == 0);
    EDDY_CHECK_EQ(run("", again, sizeof again), 0);
    EDDY_CHECK_STR(again, first);
}

EDDY_TEST(one_network_is_had_again)
{
    char first[512], again[512];

    EDDY_CHECK_EQ(run("EDDY_SEED=17", first, sizeof first), 0);
    EDDY_CHECK(strncmp(first, "1 networks", 10) == 0);
    EDDY_CHECK_EQ(run("EDDY_SEED=17", again, sizeof again), 0);
    EDDY_CHECK_STR(again, first);
}
