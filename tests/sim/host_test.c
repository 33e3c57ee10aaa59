/*
 * Hosts: names, addresses, who is where; refusals, partitions, crashes.
 *
 * backends: sim
 */
#include "town.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/loop.h>

#include <errno.h>
#include <sys/socket.h>

EDDY_TEST(names_come_from_hosts)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    struct eddy_error err = { 0 };
    struct eddy_addresses a;
    char text[EDDY_ADDRESS_TEXT];

    EDDY_CHECK_EQ(eddy_sim_host(&sim, "One.example"), 0);
    EDDY_CHECK_EQ(eddy_sim_host(&sim, "two.example"), 0);
    EDDY_CHECK_EQ(eddy_sim_host(&sim, "one.EXAMPLE."), 0);
    EDDY_CHECK_EQ(eddy_resolve(eddy_slice_of("TWO.example"), 80, NULL, &a), 0);
    EDDY_CHECK_EQ(a.count, 2);
    EDDY_CHECK_STR(eddy_address_format(&a.at[0], text, sizeof text), "10.0.0.3:80");
    EDDY_CHECK_STR(eddy_address_format(&a.at[1], text, sizeof text), "[fd00::3]:80");
    EDDY_CHECK_EQ(
        eddy_resolve(eddy_slice_of("one.example"), 80, EDDY_OPT(resolve, .family = AF_INET6), &a),
        0);
    EDDY_CHECK_EQ(a.count, 1);
    EDDY_CHECK_STR(eddy_address_format(&a.at[0], text, sizeof text), "[fd00::2]:80");
    EDDY_CHECK_ERR(
        eddy_resolve(eddy_slice_of("three.example"), 80, EDDY_OPT(resolve, .error = &err), &a),
        -EDDY_ENONAME);
    EDDY_CHECK(strstr(err.text, "three.example") != NULL);
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    EDDY_CHECK_ERR(eddy_sim_host(&sim, long_name), -EINVAL);
}

EDDY_TEST(look_ups_fail_as_a_row_says)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_NAME, .to = "gone", .error = -EDDY_ENONAME },
        { .kind = EDDY_SIM_NAME, .to = "mute", .until_ms = 1000 },
        { .kind = EDDY_SIM_LATENCY, .to = "mute", .min_us = 400000 },
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, EDDY_SIM_FAULTS(rows)));
    struct eddy_addresses a;

    EDDY_CHECK_ERR(eddy_resolve(eddy_slice_of("gone"), 1, NULL, &a), -EDDY_ENONAME);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 0);
    EDDY_CHECK_ERR(eddy_resolve(eddy_slice_of("mute"), 1, NULL, &a), -EDDY_ERESOLVER);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 400);
    EDDY_CHECK_EQ(eddy_sleep(600), 0);
    EDDY_CHECK_EQ(eddy_resolve(eddy_slice_of("mute"), 1, NULL, &a), 0);
    {
        EDDY_SCOPE(hasty, .timeout_ms = 10);
        EDDY_CHECK_ERR(eddy_resolve(eddy_slice_of("mute"), 1, NULL, &a), -ETIMEDOUT);
    }
}

EDDY_TEST(loopback_is_each_hosts_own)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);

    if (!town_server(&sim, &servers, "a", "127.0.0.1:80") ||
        !town_server(&sim, &servers, "a", "unix:/run/a") ||
        !town_server(&sim, &servers, "b", ":80"))
        return;
    EDDY_CHECK_ERR(eddy_connect("127.0.0.1:80", NULL, &s), -ECONNREFUSED);
    EDDY_CHECK_ERR(eddy_connect("a:80", NULL, &s), -ECONNREFUSED);
    EDDY_CHECK(eddy_connect("unix:/run/a", NULL, &s) < 0);
    EDDY_CHECK_EQ(eddy_connect("b:80", NULL, &s), 0);
    EDDY_CHECK_EQ(town_ask(s, "from home"), 0);
    eddy_stream_free(s);
    s = NULL;
    EDDY_CHECK_EQ(eddy_sim_as(&sim, "a"), 0);
    EDDY_CHECK_EQ(eddy_connect("127.0.0.1:80", NULL, &s), 0);
    eddy_stream_free(s);
    s = NULL;
    EDDY_CHECK_EQ(eddy_connect("unix:/run/a", NULL, &s), 0);
    EDDY_CHECK_EQ(town_ask(s, "by its path"), 0);
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_CHECK_ERR(eddy_listen("10.9.9.9:80", NULL, &door), -EADDRNOTAVAIL);
    EDDY_CHECK_EQ(eddy_listen("10.0.0.3:81", NULL, &door), 0); /* b's: it is b's, whoever asks */
    eddy_stream_free(s);
    s = NULL;
    EDDY_CHECK_EQ(eddy_connect("b:81", NULL, &s), 0);
}

struct where_args {
    int generations; /* to be spawned yet */
};
static int where_call(void *args);
static const struct eddy_task_type where_task = { sizeof where_task, "where", where_call,
                                                  sizeof(struct where_args) };

/* 0 on "inside" only: there is a door on its loopback. */
static int where_call(void *args)
{
    const struct where_args *a = args;
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(inner, .timeout_ms = 0);

    if (a->generations == 0)
        return eddy_connect("127.0.0.1:80", NULL, &s);
    EDDY_GO(&inner, where, .generations = a->generations - 1);
    return eddy_join(&inner);
}

EDDY_TEST(tasks_inherit_their_host)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_SCOPE(servers, .isolate = true);
    EDDY_SCOPE(tasks, .timeout_ms = 0);
    EDDY_SCOPE(others, .isolate = true);

    if (!town_server(&sim, &servers, "inside", "127.0.0.1:80"))
        return;
    EDDY_GO(&others, where, .generations = 1);
    EDDY_CHECK_EQ(eddy_sim_as(&sim, "inside"), 0);
    EDDY_GO(&tasks, where, .generations = 2);
    EDDY_CHECK_EQ(eddy_sim_as(&sim, NULL), 0);
    EDDY_GO(&others, where, .generations = 1);
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    EDDY_CHECK_EQ(eddy_join(&others), 0);
    EDDY_CHECK_EQ(eddy_scope_failures(&others), 2);
}

EDDY_TEST(a_refusal_comes_at_once)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK_EQ(eddy_sim_refuse(&sim, "example.org", 443), 0);
    EDDY_CHECK_ERR(eddy_connect("example.org:443", NULL, &s), -ECONNREFUSED);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 0);
    if (!town_server(&sim, &servers, "example.org", ":80"))
        return;
    EDDY_CHECK_EQ(eddy_connect("example.org:80", NULL, &s), 0);
}

/* --- crashes --------------------------------------------------------------------------------- */

EDDY_TEST(a_crash_is_heard_when_it_answers)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_OWN(eddy_stream) new = NULL;
    EDDY_SCOPE(after, .isolate = true);
    char buf[8];

    {
        EDDY_SCOPE(servers, .isolate = true);
        if (!town_server(&sim, &servers, "db", ":80"))
            return;
        EDDY_CHECK_EQ(eddy_connect("db:80", NULL, &s), 0);
        EDDY_CHECK_EQ(town_ask(s, "before"), 0);
        EDDY_CHECK_ERR(eddy_sim_crash(&sim, "nobody"), -ENOENT);
        EDDY_CHECK_ERR(eddy_sim_restart(&sim, "db"), -EALREADY);
        EDDY_CHECK_EQ(eddy_sim_crash(&sim, "db"), 0);
        EDDY_CHECK_ERR(eddy_sim_crash(&sim, "db"), -EALREADY);
        /* On it everything fails. */
        EDDY_OWN(eddy_listener) door = NULL;
        EDDY_CHECK_EQ(eddy_sim_as(&sim, "db"), 0);
        EDDY_CHECK_ERR(eddy_listen(":81", NULL, &door), -ENETDOWN);
        EDDY_CHECK_ERR(eddy_connect("10.0.0.1:80", NULL, &new), -ENETDOWN);
        EDDY_CHECK_ERR(town_open("x", 0), -EIO);
        EDDY_CHECK_EQ(eddy_sim_as(&sim, NULL), 0);
    }
    { /* Outside nothing is heard of it ... */
        EDDY_SCOPE(hasty, .timeout_ms = 10000);
        EDDY_CHECK_ERR(eddy_read(s, buf, sizeof buf), -ETIMEDOUT);
    }
    EDDY_CHECK_ERR(eddy_connect("db:80", EDDY_OPT(connect, .timeout_ms = 3000), &new), -ETIMEDOUT);
    EDDY_CHECK_EQ(eddy_write(s, "?", 1), 0);
    {
        EDDY_SCOPE(hasty, .timeout_ms = 60000);
        EDDY_CHECK_ERR(eddy_read(s, buf, sizeof buf), -ETIMEDOUT);
    }
    /* ... until it is up and has an answer. */
    EDDY_CHECK_EQ(eddy_sim_restart(&sim, "db"), 0);
    EDDY_CHECK_ERR(eddy_read(s, buf, sizeof buf), -ECONNRESET);
    if (!town_server(&sim, &after, "db", ":80"))
        return;
    EDDY_CHECK_EQ(eddy_connect("db:80", NULL, &new), 0);
    EDDY_CHECK_EQ(town_ask(new, "after"), 0);
}

EDDY_TEST(a_sender_to_a_host_that_stays_down_gives_up)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_stream) s = NULL;
    char buf[8];

    {
        EDDY_SCOPE(servers, .isolate = true);
        if (!town_server(&sim, &servers, "db", ":80"))
            return;
        EDDY_CHECK_EQ(eddy_connect("db:80", NULL, &s), 0);
        EDDY_CHECK_EQ(eddy_sim_crash(&sim, "db"), 0);
    }
    int64_t before_ms = eddy_sim_clock_ms(&sim);
    EDDY_CHECK_EQ(eddy_write(s, "?", 1), 0);
    EDDY_CHECK_ERR(eddy_read(s, buf, sizeof buf), -EDDY_EPEER_TIMEOUT);
    int64_t took_ms = eddy_sim_clock_ms(&sim) - before_ms;
    EDDY_CHECK(took_ms >= 924000 && took_ms < 924000 + 121000);
}
