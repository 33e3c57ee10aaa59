/*
 * Names in the simulator: its hosts, its time, and what it does not do.
 *
 * backends: sim
 * seeds: yes
 */
#include "check.h"

#include <eddy/dns.h>
#include <eddy/loop.h>
#include <eddy/sim.h>
#include <eddy/task.h>

#include <string.h>
#include <sys/socket.h>

static struct eddy_dns_info info(void)
{
    struct eddy_dns_info i;

    eddy_dns_info(&i);
    return i;
}

EDDY_TEST(the_cache_keeps_virtual_time)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_LATENCY, .to = "two.test", .min_us = 10000 },
    };

    for (EDDY_EACH_SEED(seed, 5)) {
        EDDY_AUTO(eddy_sim)
        sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed, EDDY_SIM_FAULTS(rows)));
        struct eddy_addresses a;
        const struct eddy_slice two = EDDY_SLICE("two.test");

        /* By default nothing is kept: a host's fate is seen by the next look-up. */
        EDDY_CHECK_EQ(eddy_resolve(two, 80, NULL, &a), 0);
        EDDY_CHECK(a.via == EDDY_DNS_SIMULATED && !a.cached && a.count == 2 && a.ttl_s == 0);
        EDDY_CHECK_EQ(eddy_resolve(two, 80, NULL, &a), 0);
        EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 20);
        EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .untimed_ttl_ms = 600000)), 0);
        EDDY_CHECK_EQ(eddy_resolve(two, 80, NULL, &a), 0);
        EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 30);
        EDDY_CHECK_EQ(eddy_sleep(599999), 0);
        EDDY_CHECK_EQ(eddy_resolve(two, 80, NULL, &a), 0);
        EDDY_CHECK(a.cached);
        int64_t before_ms = eddy_sim_clock_ms(&sim);
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        EDDY_CHECK_EQ(eddy_resolve(two, 80, NULL, &a), 0);
        EDDY_CHECK(!a.cached);
        EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim) - before_ms, 11);
        EDDY_CHECK_EQ(info().hits, 2);
    }
}

struct ask_args {
    struct eddy_sim *sim;
    const char *from;
    int *result;
};

static int ask(struct ask_args *a)
{
    struct eddy_addresses found;

    eddy_sim_as(a->sim, a->from);
    *a->result = eddy_resolve(EDDY_SLICE("two.test"), 80, NULL, &found);
    return 0;
}
EDDY_TASK(ask);

/* What goes wrong differs from host to host: they share neither questions nor answers. */
EDDY_TEST(simulated_hosts_share_no_answer)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_NAME, .from = "blind.test", .to = "two.test", .error = -EDDY_ENONAME },
    };

    for (EDDY_EACH_SEED(seed, 10)) {
        EDDY_AUTO(eddy_sim)
        sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed, EDDY_SIM_FAULTS(rows)));
        int result[3] = { 1, 1, 1 };
        EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .untimed_ttl_ms = 600000)), 0);
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, ask, .sim = &sim, .from = "one.test", .result = &result[0]);
        EDDY_GO(&tasks, ask, .sim = &sim, .from = "blind.test", .result = &result[1]);
        EDDY_GO(&tasks, ask, .sim = &sim, .from = "one.test", .result = &result[2]);
        EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        EDDY_CHECK_EQ(result[0], 0);
        EDDY_CHECK_ERR(result[1], -EDDY_ENONAME);
        EDDY_CHECK_EQ(result[2], 0);
        EDDY_CHECK_EQ(info().shared, 2);
    }
}

EDDY_TEST(records_are_refused)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_AUTO(eddy_records) found = { 0 };
    struct eddy_error err = { 0 };

    EDDY_CHECK_ERR(eddy_lookup_txt("two.test", EDDY_OPT(lookup, .error = &err), &found),
                   -EDDY_ESIM);
    EDDY_CHECK(strstr(err.text, "simulator"));
}

EDDY_TEST(a_look_up_that_is_left_leaves_nothing)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_LATENCY, .to = "two.test", .min_us = 10000 },
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 1, EDDY_SIM_FAULTS(rows)));
    int result = 1;

    EDDY_SCOPE(tasks, .timeout_ms = 0);
    EDDY_GO(&tasks, ask, .sim = &sim, .from = "one.test", .result = &result);
    eddy_sleep(5);
    EDDY_CHECK_EQ(info().waiting, 2);
    eddy_scope_cancel(&tasks);
    eddy_join(&tasks);
    EDDY_CHECK_ERR(result, -ECANCELED);
    EDDY_CHECK_EQ(info().waiting, 0);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 5);
}
