/*
 * A check that fails under the simulator is printed with the command that replays it: this program
 * runs itself, with one test that fails on purpose by a seed, and one that aborts.
 *
 * backends: sim
 */
#include "town.h"

#include <eddy/loop.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool on_purpose(void)
{
    return getenv("EDDY_FAIL_ON_PURPOSE") != NULL;
}

EDDY_TEST(fails_from_seed_3_on)
{
    if (!on_purpose())
        return;
    for (EDDY_EACH_SEED(seed, 5)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        EDDY_CHECK(eddy_sim_seed(&sim) < 3);
    }
}

EDDY_TEST(aborts_at_seed_4)
{
    if (!on_purpose())
        return;
    for (EDDY_EACH_SEED(seed, 5)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        if (eddy_sim_seed(&sim) == 4)
            abort();
    }
}

/* What this program says when it runs one of those two; and the line that begins with `replay:`. */
static int run(const char *test, const char *environment, char *replay, size_t cap)
{
    char command[1024], self[512], line[1024];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    self[n > 0 ? n : 0] = '\0';
    replay[0] = '\0';
    snprintf(command, sizeof command,
             "ulimit -c 0; unset EDDY_SEED EDDY_SEEDS; %s EDDY_FAIL_ON_PURPOSE=1 %s %s 2>&1",
             environment, self, test);
    FILE *out = popen(command, "re");
    if (!EDDY_CHECK(out != NULL))
        return -1;
    while (fgets(line, sizeof line, out))
        if (strncmp(line, "replay: ", 8) == 0)
            snprintf(replay, cap, "%s", line + 8);
    return pclose(out);
}

static void check(const char *test, unsigned seed)
{
    char replay[1024], again[1024], want[64];

    snprintf(want, sizeof want, "EDDY_BACKEND=sim EDDY_SEED=%u /", seed);
    EDDY_CHECK(run(test, "", replay, sizeof replay) != 0);
    EDDY_CHECK(strncmp(replay, want, strlen(want)) == 0);
    EDDY_CHECK(strstr(replay, test) != NULL);
    snprintf(want, sizeof want, "EDDY_SEED=%u", seed);
    EDDY_CHECK(run(test, want, again, sizeof again) != 0);
    EDDY_CHECK_STR(again, replay);
    EDDY_CHECK_EQ(run(test, "EDDY_SEED=2", again, sizeof again), 0);
    EDDY_CHECK_STR(again, "");
}

EDDY_TEST(a_failing_seed_is_printed_with_the_command_that_replays_it)
{
    check("fails_from_seed_3_on", 3);
    check("aborts_at_seed_4", 4);
}
