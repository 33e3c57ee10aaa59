/*
 * A name's addresses, raced: which is tried when, who wins, what is left behind, and what is said
 * when nobody does. In the simulator, on its clock.
 *
 * backends: sim
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/sim.h>
#include <eddy/task.h>

#include <string.h>
#include <sys/socket.h>

/* Connections that the server sees open. */
static int live;

struct keep_args {
    struct eddy_stream *peer;
};

static int keep(struct keep_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char c;

    live++;
    ssize_t n = eddy_read(peer, &c, 1);
    live--;
    return n < 0 ? (int)n : 0;
}
EDDY_TASK(keep);

/* Takes connections until its scope ends, and holds them until their other end is gone. */
struct serve_args {
    struct eddy_listener *door;
};

static int serve(struct serve_args *a)
{
    EDDY_OWN(eddy_listener) door = a->door;
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        struct eddy_stream *peer;
        int r = eddy_accept(door, &peer);
        if (r < 0)
            return r == -ECANCELED ? 0 : r;
        if (EDDY_GO(&peers, keep, .peer = peer) < 0)
            eddy_stream_free(peer);
    }
}
EDDY_TASK(serve);

/* "two.test" listens on @address; the rows are what goes wrong on the way there. */
static bool start(struct eddy_sim *sim, struct eddy_scope *servers, const char *address)
{
    EDDY_OWN(eddy_listener) door = NULL;

    eddy_sim_as(sim, "two.test");
    bool ok = EDDY_CHECK_EQ(eddy_listen(address, NULL, &door), 0) &&
              EDDY_CHECK_EQ(EDDY_GO(servers, serve, .door = door), 0);
    if (ok)
        (void)EDDY_TAKE(door);
    eddy_sim_as(sim, NULL);
    return ok;
}

/* A look-up and a way there of exactly so long, unless a later row says otherwise. */
#define PLAIN                                                                                      \
    {                                                                                              \
        .kind = EDDY_SIM_LATENCY, .to = "two.test", .min_us = 1000                                 \
    }

static struct eddy_sim world(uint64_t seed, const struct eddy_sim_fault *rows, size_t count)
{
    return eddy_sim_start(EDDY_OPT(sim, .seed = seed, .faults = rows, .fault_count = count,
                                   .fault_size = sizeof *rows));
}

/* The peer's family; or the error. */
static int race(int first_family, int64_t delay_ms, struct eddy_error *err)
{
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_address peer;

    int r = eddy_connect(
        "two.test:80",
        EDDY_OPT(connect, .first_family = first_family, .attempt_delay_ms = delay_ms, .error = err),
        &s);
    if (r < 0)
        return r;
    r = eddy_stream_peer(s, &peer);
    return r < 0 ? r : eddy_address_family(&peer);
}

/* The race with these rows, beside PLAIN: who wins, and when. */
#define RACE(rows, address, first, delay, want, want_ms)                                           \
    do {                                                                                           \
        for (EDDY_EACH_SEED(seed, 5)) {                                                            \
            EDDY_AUTO(eddy_sim) sim = world(seed, rows, sizeof(rows) / sizeof *(rows));            \
            struct eddy_error err = { 0 };                                                         \
            EDDY_SCOPE(servers, .isolate = true);                                                  \
            if (!start(&sim, &servers, address))                                                   \
                break;                                                                             \
            int64_t begin_ms = eddy_sim_clock_ms(&sim);                                            \
            int r = race(first, delay, &err);                                                      \
            if (!EDDY_CHECK_EQ(r, want))                                                           \
                EDDY_CHECK_FAIL("%s", err.text);                                                   \
            EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim) - begin_ms, want_ms);                            \
        }                                                                                          \
    } while (0)

EDDY_TEST(the_first_family_is_tried_first)
{
    static const struct eddy_sim_fault rows[] = { PLAIN };

    RACE(rows, ":80", 0, 0, AF_INET, 2); /* as RFC 6724 sorts: ULA behind IPv4 */
    RACE(rows, "[::]:80", AF_INET6, 0, AF_INET6, 2);
    RACE(rows, "[::]:80", AF_INET, 0, AF_INET, 2);
}

EDDY_TEST(a_partitioned_family_costs_the_attempt_delay)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_PARTITION, .to = "two.test", .family = AF_INET6 },
    };

    RACE(rows, "[::]:80", AF_INET6, 0, AF_INET, 252);
    RACE(rows, "[::]:80", AF_INET6, 100, AF_INET, 102);
    RACE(rows, "[::]:80", AF_INET6, 1, AF_INET, 12); /* at least 10 */
    RACE(rows, "[::]:80", AF_INET, 0, AF_INET, 2);
}

EDDY_TEST(a_slow_family_that_is_there_first_wins)
{
    static const struct eddy_sim_fault slower[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 1000,
          .until_ms = 2 },
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 200000,
          .at_ms = 1,
          .until_ms = 100 },
    };
    static const struct eddy_sim_fault slowest[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 400000,
          .at_ms = 1,
          .until_ms = 100 },
    };

    RACE(slower, "[::]:80", AF_INET6, 0, AF_INET6, 201);
    RACE(slowest, "[::]:80", AF_INET6, 0, AF_INET, 252);
}

/* IPv6 from 1 ms on takes 251 ms, IPv4 from 251 ms on takes one. */
EDDY_TEST(of_two_that_connect_together_one_is_closed)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 1000,
          .until_ms = 1 },
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 251000,
          .at_ms = 1,
          .until_ms = 2 },
    };

    for (EDDY_EACH_SEED(seed, 10)) {
        EDDY_AUTO(eddy_sim) sim = world(seed, rows, 3);
        EDDY_OWN(eddy_stream) s = NULL;
        EDDY_SCOPE(servers, .isolate = true);
        live = 0;
        if (!start(&sim, &servers, "[::]:80"))
            return;
        EDDY_CHECK_EQ(eddy_connect("two.test:80", EDDY_OPT(connect, .first_family = AF_INET6), &s),
                      0);
        EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 252);
        eddy_sleep(1000);
        EDDY_CHECK_EQ(live, 1);
    }
}

EDDY_TEST(a_refusal_starts_the_next_at_once)
{
    static const struct eddy_sim_fault rows[] = { PLAIN };

    RACE(rows, ":80", AF_INET6, 0, AF_INET, 3); /* nobody listens there by IPv6 */
}

EDDY_TEST(an_answer_of_the_other_family_waits_fifty_milliseconds)
{
    static const struct eddy_sim_fault late[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 300000,
          .until_ms = 1 },
    };
    static const struct eddy_sim_fault soon[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 30000,
          .until_ms = 1 },
    };

    RACE(late, "[::]:80", AF_INET6, 0, AF_INET, 52);
    RACE(soon, "[::]:80", AF_INET6, 0, AF_INET6, 31);
}

EDDY_TEST(addresses_that_come_late_are_tried)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY,
          .to = "two.test",
          .family = AF_INET6,
          .min_us = 500000,
          .until_ms = 1 },
        { .kind = EDDY_SIM_PARTITION, .to = "two.test", .family = AF_INET },
    };

    /* IPv4 from 51 ms on, nowhere; IPv6 is known at 500 ms and there a millisecond later. */
    RACE(rows, "[::]:80", AF_INET6, 0, AF_INET6, 501);
}

EDDY_TEST(when_all_refuse_the_text_names_all)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_REFUSE, .to = "two.test" },
    };
    EDDY_AUTO(eddy_sim) sim = world(1, rows, 2);
    struct eddy_error err = { 0 };

    EDDY_CHECK_ERR(race(AF_INET6, 0, &err), -ECONNREFUSED);
    EDDY_CHECK(eddy_sim_clock_ms(&sim) < 10);
    EDDY_CHECK(strstr(err.text, "two.test:80") && strstr(err.text, "10.0.0.2") &&
               strstr(err.text, "fd00::2"));
    EDDY_CHECK_ERR(err.code, -ECONNREFUSED);
}

EDDY_TEST(when_all_is_dead_the_deadline_ends_it)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_PARTITION, .to = "two.test", .family = AF_INET },
        { .kind = EDDY_SIM_PARTITION, .to = "two.test", .family = AF_INET6 },
    };
    EDDY_AUTO(eddy_sim) sim = world(1, rows, 3);
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };

    EDDY_CHECK_ERR(
        eddy_connect("two.test:80", EDDY_OPT(connect, .timeout_ms = 2000, .error = &err), &s),
        -ETIMEDOUT);
    EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), 2000);
    EDDY_CHECK(strstr(err.text, "in time") && strstr(err.text, "10.0.0.2") &&
               strstr(err.text, "fd00::2"));
    /* Without a limit the kernel gives up, after 127 s. */
    EDDY_CHECK_ERR(
        eddy_connect("two.test:80", EDDY_OPT(connect, .timeout_ms = -1, .error = &err), &s),
        -EDDY_EPEER_TIMEOUT);
    /* The refusal is more telling than the silence. */
    EDDY_CHECK_EQ(eddy_sim_fault(&sim, &(struct eddy_sim_fault){ .kind = EDDY_SIM_REFUSE,
                                                                 .to = "two.test",
                                                                 .family = AF_INET }),
                  0);
    EDDY_CHECK_ERR(
        eddy_connect("two.test:80", EDDY_OPT(connect, .timeout_ms = -1, .error = &err), &s),
        -ECONNREFUSED);
}

struct racer_args {
    int *result;
};

static int racer(struct racer_args *a)
{
    *a->result = race(AF_INET6, 0, NULL);
    return 0;
}
EDDY_TASK(racer);

/* At every millisecond of a race: during the look-up, with one attempt, with two, at its end. */
EDDY_TEST(a_cancelled_race_leaves_nothing_behind)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_LATENCY, .to = "two.test", .min_us = 20000 },
        { .kind = EDDY_SIM_PARTITION, .to = "two.test", .family = AF_INET6 },
    };

    for (int64_t at_ms = 0; at_ms < 320; at_ms += at_ms < 60 || at_ms > 260 ? 1 : 20) {
        for (EDDY_EACH_SEED(seed, 3)) {
            EDDY_AUTO(eddy_sim) sim = world(seed, rows, 3);
            int result = 1;
            EDDY_SCOPE(servers, .isolate = true);
            if (!start(&sim, &servers, "[::]:80"))
                return;
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, racer, .result = &result);
            eddy_sleep(at_ms);
            eddy_scope_cancel(&tasks);
            int64_t before_ms = eddy_sim_clock_ms(&sim);
            eddy_join(&tasks);
            EDDY_CHECK_EQ(eddy_sim_clock_ms(&sim), before_ms); /* at once */
            EDDY_CHECK(result == -ECANCELED || (result == AF_INET && at_ms >= 290));
        }
    }
}

EDDY_TEST(a_name_that_does_not_resolve_says_so)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 1));
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };

    EDDY_CHECK_ERR(eddy_connect("no.test:80", EDDY_OPT(connect, .error = &err), &s), -EDDY_ENONAME);
    EDDY_CHECK(strstr(err.text, "no.test") && strstr(err.text, "no such name"));
    EDDY_CHECK_EQ(eddy_sim_fault(&sim, &(struct eddy_sim_fault){ .kind = EDDY_SIM_NAME }), 0);
    EDDY_CHECK_ERR(eddy_connect("no.test:80", EDDY_OPT(connect, .error = &err), &s),
                   -EDDY_ERESOLVER);
    EDDY_CHECK(strstr(err.text, "cannot look up"));
}

EDDY_TEST(one_family_alone_can_be_asked_for)
{
    static const struct eddy_sim_fault rows[] = { PLAIN };
    EDDY_AUTO(eddy_sim) sim = world(1, rows, 1);
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };
    EDDY_SCOPE(servers, .isolate = true);

    if (!start(&sim, &servers, ":80"))
        return;
    EDDY_CHECK_ERR(
        eddy_connect("two.test:80", EDDY_OPT(connect, .family = AF_INET6, .error = &err), &s),
        -ECONNREFUSED);
    EDDY_CHECK(!strstr(err.text, "10.0.0.2"));
    EDDY_CHECK_ERR(eddy_connect("two.test:80", EDDY_OPT(connect, .family = 77, .error = &err), &s),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, ".family is 77"));
    EDDY_CHECK_ERR(eddy_connect("two.test:80", EDDY_OPT(connect, .first_family = 77), &s), -EINVAL);
    EDDY_CHECK_EQ(eddy_connect("two.test:80",
                               EDDY_OPT(connect, .family = AF_INET, .first_family = AF_INET6), &s),
                  0);
}

static int race_once(uint64_t seed, struct eddy_scope *servers, struct eddy_sim *sim)
{
    (void)seed;
    EDDY_SCOPE(patience, .timeout_ms = 10000);
    (void)servers;
    (void)sim;
    return race(AF_INET6, 0, NULL);
}

EDDY_TEST(no_failed_allocation_or_operation_leaks)
{
    static const struct eddy_sim_fault rows[] = {
        PLAIN,
        { .kind = EDDY_SIM_PARTITION, .to = "two.test", .family = AF_INET6 },
    };

    for (int kind = 0; kind < 2; kind++) {
        for (struct eddy_fault f = eddy_fault_each(kind ? EDDY_FAULT_OP : EDDY_FAULT_ALLOC);
             eddy_fault_next(&f);) {
            EDDY_AUTO(eddy_sim) sim = world(1, rows, 2);
            if (sim.status < 0) {
                eddy_fault_stop();
                continue;
            }
            EDDY_SCOPE(servers, .isolate = true);
            EDDY_OWN(eddy_listener) door = NULL;
            eddy_sim_as(&sim, "two.test");
            int r = eddy_listen("[::]:80", NULL, &door);
            eddy_sim_as(&sim, NULL);
            if (r == 0)
                r = race_once(1, &servers, &sim);
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(fired || r == AF_INET);
        }
    }
}
