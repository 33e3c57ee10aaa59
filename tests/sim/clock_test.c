/*
 * The simulation itself: its start and end, its clocks, its order, what it refuses.
 *
 * backends: sim
 */
#include "town.h"

#include <eddy/dns.h>
#include <eddy/log.h>
#include <eddy/loop.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

EDDY_TEST(an_hour_takes_no_time)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 7));

    EDDY_CHECK_EQ(sim.status, 0);
    EDDY_CHECK_EQ(eddy_sim_seed(&sim), 7);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 0);
    int64_t before_ns = eddy_now_ns(), wall_ns = eddy_wall_ns();
    EDDY_CHECK_EQ(wall_ns, 1704067200 * INT64_C(1000000000));
    EDDY_CHECK_EQ(eddy_sleep(3600000), 0);
    EDDY_CHECK_EQ(eddy_now_ns() - before_ns, 3600 * INT64_C(1000000000));
    EDDY_CHECK_EQ(eddy_wall_ns() - wall_ns, 3600 * INT64_C(1000000000));
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 3600000);
}

EDDY_TEST(the_wall_clock_is_set_alone)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    int64_t before_ns = eddy_now_ns();

    EDDY_CHECK_ERR(eddy_sim_set_wall(&sim, -1), -EINVAL);
    EDDY_CHECK_EQ(eddy_sim_set_wall(&sim, 0), 0);
    EDDY_CHECK_EQ(eddy_wall_ns(), 0);
    EDDY_CHECK_EQ(eddy_now_ns(), before_ns);
    EDDY_CHECK_EQ(eddy_sleep(250), 0);
    EDDY_CHECK_EQ(eddy_wall_ns(), 250000000);
    EDDY_CHECK_EQ(eddy_now_ns(), before_ns + 250000000);
}

struct note_args {
    char *order, name;
};

static int note(struct note_args *a)
{
    size_t len = strlen(a->order);

    a->order[len] = a->name;
    return 0;
}
EDDY_TASK(note);

/* Which of three tasks spawned together ran first, second, third, by this seed. */
static void order_of(uint64_t seed, char order[4])
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
    EDDY_SCOPE(s, .timeout_ms = 0);

    memset(order, 0, 4);
    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, note, .order = order, .name = (char)('a' + i));
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

EDDY_TEST(ready_tasks_run_in_any_order)
{
    static const char *const all[] = { "abc", "acb", "bac", "bca", "cab", "cba" };
    unsigned seen[6] = { 0 };
    char order[4], again[4];

    for (uint64_t seed = 1; seed <= 120; seed++) {
        order_of(seed, order);
        order_of(seed, again);
        EDDY_CHECK_STR(again, order);
        for (int i = 0; i < 6; i++)
            seen[i] += strcmp(order, all[i]) == 0;
    }
    for (int i = 0; i < 6; i++)
        EDDY_CHECK(seen[i] >= 5); /* 20 if it is fair */
}

EDDY_TEST(where_a_loop_is_there_is_no_simulation)
{
    EDDY_OWN(eddy_loop) loop = NULL;

    EDDY_CHECK_EQ(eddy_loop_new(NULL, &loop), 0);
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_CHECK_ERR(sim.status, -EBUSY);
    EDDY_CHECK_ERR(eddy_sim_host(&sim, "a"), -EBUSY);
    EDDY_CHECK_ERR(eddy_sim_clock_ms(&sim), -EBUSY);
    EDDY_CHECK_ERR(eddy_sim_partition(&sim, NULL, NULL), -EBUSY);
    EDDY_CHECK_ERR(eddy_sim_crash(&sim, NULL), -EBUSY);
}

EDDY_TEST(what_it_was_stays_readable)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 99));
    char text[256];

    EDDY_CHECK_EQ(eddy_resolve(eddy_slice_of("no.body"), 1, NULL, &(struct eddy_addresses){ 0 }),
                  -EDDY_ENONAME);
    uint64_t hash = eddy_sim_hash(&sim);
    EDDY_CHECK(hash != 0);
    eddy_sim_done(&sim);
    EDDY_CHECK_EQ(eddy_sim_hash(&sim), hash);
    EDDY_CHECK_EQ(eddy_sim_seed(&sim), 99);
    EDDY_CHECK_ERR(eddy_sim_host(&sim, "a"), -EDDY_EBROKEN);
    eddy_sim_replay(&sim, text, sizeof text);
    EDDY_CHECK(strncmp(text, "EDDY_BACKEND=sim EDDY_SEED=99 ", 30) == 0);
    EDDY_CHECK(strstr(text, "test_sim_clock") != NULL);
    EDDY_CHECK_EQ(strlen(eddy_sim_replay(&sim, text, 20)), 19);
}

EDDY_TEST(a_seed_of_zero_is_the_environments)
{
    const char *kept = getenv("EDDY_SEED");
    char *copy = kept ? strdup(kept) : NULL;

    setenv("EDDY_SEED", "4711", 1);
    {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
        EDDY_CHECK_EQ(eddy_sim_seed(&sim), 4711);
    }
    unsetenv("EDDY_SEED");
    {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
        EDDY_CHECK_EQ(eddy_sim_seed(&sim), 1);
    }
    if (copy)
        setenv("EDDY_SEED", copy, 1);
    free(copy);
}

/* --- what it refuses ------------------------------------------------------------------------- */

static char heard[1024];

static void hear(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    strncat(heard, line, sizeof heard - strlen(heard) - 1);
    strncat(heard, "\n", sizeof heard - strlen(heard) - 1);
}

EDDY_TEST(what_it_does_not_do_is_refused_by_name_and_once)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    struct eddy_op op;

    heard[0] = '\0';
    eddy_log_to(hear, NULL, EDDY_LOG_DEBUG);
    for (int i = 0; i < 3; i++) {
        eddy_op_poll(&op, 0, 1, NULL);
        EDDY_CHECK_ERR(eddy__op_wait(&op), -EDDY_ESIM);
        EDDY_CHECK_ERR(town_write(1, "x", 1, 0), -EDDY_ESIM);
        EDDY_CHECK_ERR(eddy__sim_refuse(eddy__loop(), "processes"), -EDDY_ESIM);
    }
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
    EDDY_CHECK_STR(heard, "the simulator does not do waiting for descriptors to be ready\n"
                          "the simulator does not do descriptors of others\n"
                          "the simulator does not do processes\n");
}

/* Addresses differ from run to run: a log that holds one cannot be compared. */
EDDY_TEST(no_log_line_of_the_library_holds_an_address)
{
    char line[512];
    FILE *found = popen(
        "grep -rn -A4 'eddy_log(' " EDDY_TESTS_DIR "/../src --include=*.c | grep '%p'", "re");

    if (!EDDY_CHECK(found != NULL))
        return;
    while (fgets(line, sizeof line, found))
        EDDY_CHECK_FAIL("%s", line);
    EDDY_CHECK_EQ(WEXITSTATUS(pclose(found)), 1); /* grep's: nothing was found */
}

EDDY_TEST(a_real_loop_refuses_nothing_of_that)
{
    EDDY_OWN(eddy_loop) loop = NULL;

    EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .backend = "poll"), &loop), 0);
    EDDY_CHECK_EQ(eddy__sim_refuse(loop, "processes"), 0);
}
