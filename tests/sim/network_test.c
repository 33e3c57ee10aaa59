/*
 * The network of the simulator, and what goes wrong in it by rows and by calls.
 *
 * backends: sim
 * seeds: yes
 */
#include "town.h"

#include <eddy/loop.h>

#include <errno.h>

EDDY_TEST(a_partition_holds_bytes)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);
    char back[9];

    if (!town_server(&sim, &servers, "far", ":7") ||
        !EDDY_CHECK_EQ(eddy_connect("far:7", NULL, &s), 0))
        return;
    EDDY_CHECK_ERR(eddy_sim_heal(&sim, "far", ""), -ENOENT);
    EDDY_CHECK_EQ(eddy_sim_partition(&sim, "far", ""), 0);
    EDDY_CHECK_EQ(eddy_write(s, "abc", 3), 0);
    EDDY_CHECK_EQ(eddy_write(s, "def", 3), 0);
    {
        EDDY_SCOPE(patience, .timeout_ms = 100000);
        EDDY_CHECK_ERR(eddy_read(s, back, 1), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_write(s, "ghi", 3), 0);
    EDDY_CHECK_EQ(eddy_sim_heal(&sim, "", "far"), 0);
    int64_t healed_ms = eddy_sim_clock_ms(&sim);
    {
        EDDY_SCOPE(patience, .timeout_ms = 200000);
        if (!EDDY_CHECK_EQ(eddy_read_exactly(s, back, 9), 0))
            return;
    }
    EDDY_CHECK_MEM(back, 9, "abcdefghi", 9);
    /* When it is next sent: by then the pauses are 51.2 or 102.4 s long. */
    EDDY_CHECK(eddy_sim_clock_ms(&sim) - healed_ms < 103000);
    EDDY_CHECK_EQ(town_ask(s, "and all is well again"), 0);
}

static void send_through_loss(uint64_t seed)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);
    static char text[20000];
    size_t got = 0;
    ssize_t n;

    if (!town_server(&sim, &servers, "far", ":7") ||
        !EDDY_CHECK_EQ(eddy_connect("far:7", NULL, &s), 0))
        return;
    const struct eddy_sim_fault lossy = { .kind = EDDY_SIM_LOSS, .per_mille = 300 };
    EDDY_CHECK_EQ(eddy_sim_fault(&sim, &lossy), 0);
    EDDY_CHECK_EQ(eddy_write(s, text, sizeof text), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(s), 0);
    while ((n = eddy_read(s, text, sizeof text)) > 0)
        got += (size_t)n;
    EDDY_CHECK_EQ(n, 0);
    EDDY_CHECK_EQ(got, sizeof text);
}

EDDY_TEST(the_end_waits_for_held_bytes)
{
    for (EDDY_EACH_SEED(seed, 200))
        send_through_loss(seed);
}

EDDY_TEST(a_connect_gives_up_after_127_s)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);

    if (!town_server(&sim, &servers, "far", ":7"))
        return;
    EDDY_CHECK_EQ(eddy_sim_partition(&sim, "far", NULL), 0);
    EDDY_CHECK_ERR(eddy_connect("10.0.0.2:7", EDDY_OPT(connect, .timeout_ms = -1), &s),
                   -EDDY_EPEER_TIMEOUT);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim) / 1000, 127);
    EDDY_CHECK_EQ(eddy_sim_heal(&sim, "far", NULL), 0);
    EDDY_CHECK_EQ(eddy_connect("10.0.0.2:7", NULL, &s), 0);
    eddy_stream_free(s);
    s = NULL;
    /* Nobody's address, of the blocks that hosts have. */
    EDDY_CHECK_ERR(eddy_connect("10.0.0.77:7", NULL, &s), -ETIMEDOUT);
    EDDY_CHECK_ERR(eddy_connect("[fd00::77]:7", NULL, &s), -ETIMEDOUT);
}

EDDY_TEST(a_connect_goes_through_when_it_is_tried_again)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_PARTITION, .to = "far", .until_ms = 2500 }, /* one way is enough */
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, EDDY_SIM_FAULTS(rows)));
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);

    if (!town_server(&sim, &servers, "far", ":7"))
        return;
    EDDY_CHECK_EQ(eddy_connect("far:7", NULL, &s), 0); /* at 0, 1, 3 s */
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim) / 1000, 3);
}

EDDY_TEST(held_bytes_are_given_up_after_924_s)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);
    char back[1];

    if (!town_server(&sim, &servers, "far", ":7") ||
        !EDDY_CHECK_EQ(eddy_connect("far:7", NULL, &s), 0))
        return;
    EDDY_CHECK_EQ(eddy_sim_partition(&sim, "", "far"), 0);
    int64_t before_ms = eddy_sim_clock_ms(&sim);
    EDDY_CHECK_EQ(eddy_write(s, "abc", 3), 0);
    EDDY_CHECK_ERR(eddy_read(s, back, 1), -EDDY_EPEER_TIMEOUT);
    int64_t took_ms = eddy_sim_clock_ms(&sim) - before_ms;
    EDDY_CHECK(took_ms >= 924000 && took_ms < 924000 + 121000);
}

EDDY_TEST(a_cut_is_between_two_hosts)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    EDDY_SCOPE(servers, .isolate = true);
    char back[1];

    if (!town_server(&sim, &servers, "a", ":7") || !town_server(&sim, &servers, "b", ":7") ||
        !EDDY_CHECK_EQ(eddy_connect("a:7", NULL, &a), 0) ||
        !EDDY_CHECK_EQ(eddy_connect("b:7", NULL, &b), 0))
        return;
    EDDY_CHECK_ERR(eddy_sim_cut(&sim, "a", "c"), -ENOENT);
    EDDY_CHECK_EQ(eddy_sim_cut(&sim, "a", "b"), 0);
    EDDY_CHECK_EQ(eddy_sim_cut(&sim, "a", NULL), 1);
    EDDY_CHECK_ERR(eddy_read(a, back, 1), -ECONNRESET);
    EDDY_CHECK_EQ(town_ask(b, "still here"), 0);
}

EDDY_TEST(latency_and_bandwidth_are_what_the_rows_say)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_LATENCY, .from = "far", .min_us = 100000 },
        { .kind = EDDY_SIM_LATENCY, .to = "far", .min_us = 200000, .max_us = 300000 },
        { .kind = EDDY_SIM_BANDWIDTH, .to = "far", .bytes_per_s = 1000 },
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, EDDY_SIM_FAULTS(rows)));
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);
    static char text[5000];

    if (!town_server(&sim, &servers, "far", ":7"))
        return;
    EDDY_CHECK_EQ(eddy_connect("10.0.0.2:7", NULL, &s), 0);
    int64_t at_ms = eddy_sim_clock_ms(&sim);
    EDDY_CHECK(at_ms >= 200 && at_ms <= 301);
    EDDY_CHECK_EQ(town_ask(s, "x"), 0);
    int64_t took_ms = eddy_sim_clock_ms(&sim) - at_ms;
    EDDY_CHECK(took_ms >= 300 && took_ms <= 402);
    at_ms = eddy_sim_clock_ms(&sim);
    EDDY_CHECK_EQ(eddy_write(s, text, sizeof text), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(s, text, sizeof text), 0);
    took_ms = eddy_sim_clock_ms(&sim) - at_ms;
    EDDY_CHECK(took_ms >= 5000 && took_ms < 7000);
}

EDDY_TEST(rows_shorten_and_reset)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);
    char buf[100];

    if (!town_server(&sim, &servers, "far", ":7") ||
        !EDDY_CHECK_EQ(eddy_connect("far:7", NULL, &s), 0))
        return;
    const struct eddy_sim_fault shorten = { .kind = EDDY_SIM_SHORT, .to = "far" };
    const struct eddy_sim_fault back = { .kind = EDDY_SIM_SHORT, .from = "far" };
    EDDY_CHECK_EQ(eddy_sim_fault(&sim, &shorten), 0);
    EDDY_CHECK_EQ(eddy_sim_fault(&sim, &back), 0);
    EDDY_CHECK_EQ(eddy_write(s, "0123456789", 10), 0);
    for (int got = 0; got < 10;) {
        ssize_t n = eddy_read(s, buf, sizeof buf);
        if (!EDDY_CHECK(n >= 1 && n <= 3))
            return;
        got += (int)n;
    }
    const struct eddy_sim_fault reset = { .kind = EDDY_SIM_RESET, .to = "far" };
    EDDY_CHECK_EQ(eddy_sim_fault(&sim, &reset), 0);
    EDDY_CHECK_ERR(town_ask(s, "?"), -ECONNRESET);
}

EDDY_TEST(rows_that_say_nothing_are_refused)
{
    static const struct eddy_sim_fault bad[] = {
        { .kind = (enum eddy_sim_fault_kind)0 },
        { .kind = (enum eddy_sim_fault_kind)99 },
        { .kind = EDDY_SIM_LOSS, .per_mille = 1001 },
        { .kind = EDDY_SIM_LOSS, .at_ms = 5, .until_ms = 5 },
        { .kind = EDDY_SIM_LATENCY, .min_us = 5, .max_us = 4 },
        { .kind = EDDY_SIM_BANDWIDTH },
        { .kind = EDDY_SIM_DISK, .error = 5 },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EDDY_AUTO(eddy_sim)
        sim = eddy_sim_start(
            EDDY_OPT(sim, .faults = &bad[i], .fault_count = 1, .fault_size = sizeof bad[i]));
        EDDY_CHECK_ERR(sim.status, -EINVAL);
    }
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_CHECK_ERR(eddy_sim_fault(&sim, &bad[0]), -EINVAL);
}

/* A program compiled when rows were shorter. */
EDDY_TEST(rows_have_a_size)
{
    struct {
        enum eddy_sim_fault_kind kind;
        const char *from, *to;
    } old[2] = { { EDDY_SIM_REFUSE, NULL, "a" }, { EDDY_SIM_REFUSE, NULL, "b" } };
    EDDY_AUTO(eddy_sim)
    sim = eddy_sim_start(EDDY_OPT(sim, .faults = (const struct eddy_sim_fault *)(const void *)old,
                                  .fault_count = 2, .fault_size = sizeof old[0]));
    EDDY_OWN(eddy_stream) s = NULL;

    EDDY_CHECK_EQ(sim.status, 0);
    EDDY_CHECK_ERR(eddy_connect("b:1", NULL, &s), -ECONNREFUSED);
}
