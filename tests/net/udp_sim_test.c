/*
 * Datagrams on a simulated network: what becomes of them is the seed's affair.
 *
 * seeds: yes
 */
#include "base/fault.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/dns.h>
#include <eddy/sim.h>
#include <eddy/task.h>
#include <eddy/udp.h>

#include <stdio.h>
#include <string.h>

#define MANY 200

struct world {
    struct eddy_udp *server, *client; /* on the host "server", and on "" */
};

static bool world_open(struct eddy_sim *sim, struct world *w)
{
    struct eddy_addresses a;

    if (!EDDY_CHECK_EQ(sim->status, 0) || !EDDY_CHECK_EQ(eddy_sim_as(sim, "server"), 0) ||
        !EDDY_CHECK_EQ(eddy_udp_open("0.0.0.0:53", NULL, &w->server), 0) ||
        !EDDY_CHECK_EQ(eddy_sim_as(sim, NULL), 0))
        return false;
    return EDDY_CHECK_EQ(
               eddy_resolve(EDDY_SLICE("server"), 53, EDDY_OPT(resolve, .family = AF_INET), &a),
               0) &&
           EDDY_CHECK_EQ(eddy_udp_open(NULL, EDDY_OPT(udp, .peer = &a.at[0]), &w->client), 0);
}

static void world_close(struct world *w)
{
    eddy_udp_free(w->server);
    eddy_udp_free(w->client);
}

/* Numbers 0 to MANY - 1, one a millisecond; how often each came, and whether one overtook another. */
static int send_numbers(struct world *w, unsigned char seen[MANY], bool *ret_overtaken)
{
    int got = 0, before = -1;

    memset(seen, 0, MANY);
    *ret_overtaken = false;
    for (int i = 0; i < MANY; i++) {
        EDDY_CHECK_EQ(eddy_udp_send(w->client, NULL, &i, sizeof i), 0);
        if (i % 4 == 0)
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
    }
    for (;;) {
        EDDY_SCOPE(patience, .timeout_ms = 1000);
        int number = -1;
        ssize_t n = eddy_udp_receive(w->server, &number, sizeof number, NULL);
        if (n < 0)
            break;
        if (!EDDY_CHECK_EQ(n, sizeof number) || !EDDY_CHECK(number >= 0 && number < MANY))
            break;
        seen[number]++;
        *ret_overtaken |= number < before;
        before = number;
        got++;
    }
    return got;
}

EDDY_TEST(datagrams_overtake_each_other)
{
    for (EDDY_EACH_SEED(seed, 10)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        struct world w = { NULL, NULL };
        unsigned char seen[MANY];
        bool overtaken = false;

        if (world_open(&sim, &w)) {
            EDDY_CHECK_EQ(send_numbers(&w, seen, &overtaken), MANY);
            for (int i = 0; i < MANY; i++)
                EDDY_CHECK_EQ(seen[i], 1);
            EDDY_CHECK(overtaken);
        }
        world_close(&w);
    }
}

EDDY_TEST(datagrams_are_lost_and_doubled)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_LOSS, .per_mille = 300 },
        { .kind = EDDY_SIM_DUPLICATE, .per_mille = 300 },
    };

    for (EDDY_EACH_SEED(seed, 10)) {
        EDDY_AUTO(eddy_sim)
        sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed, EDDY_SIM_FAULTS(rows)));
        struct world w = { NULL, NULL };
        unsigned char seen[MANY];
        bool overtaken = false;
        int lost = 0, twice = 0;

        if (world_open(&sim, &w)) {
            (void)send_numbers(&w, seen, &overtaken);
            for (int i = 0; i < MANY; i++) {
                EDDY_CHECK(seen[i] <= 2);
                lost += seen[i] == 0;
                twice += seen[i] == 2;
            }
            EDDY_CHECK(lost > MANY / 10 && lost < MANY / 2);
            EDDY_CHECK(twice > MANY / 20 && twice < MANY / 2);
        }
        world_close(&w);
    }
}

EDDY_TEST(a_partition_loses_datagrams)
{
    for (EDDY_EACH_SEED(seed, 10)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        struct world w = { NULL, NULL };
        char buf[8] = "";

        if (world_open(&sim, &w)) {
            eddy_sim_partition(&sim, "", "server");
            EDDY_CHECK_EQ(eddy_udp_send(w.client, NULL, "gone", 4), 0);
            EDDY_CHECK_EQ(eddy_sleep(3600000), 0);
            eddy_sim_heal(&sim, "", "server");
            EDDY_CHECK_EQ(eddy_udp_send(w.client, NULL, "here", 4), 0);
            EDDY_CHECK_EQ(eddy_udp_receive(w.server, buf, sizeof buf, NULL), 4);
            EDDY_CHECK_STR(buf, "here");
        }
        world_close(&w);
    }
}

EDDY_TEST(a_refusal_comes_a_round_trip_later)
{
    for (EDDY_EACH_SEED(seed, 10)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        struct world w = { NULL, NULL };
        struct eddy_address to, from;
        char buf[8] = "";

        if (world_open(&sim, &w)) {
            EDDY_CHECK_EQ(eddy_udp_peer(w.client, &to), 0);
            EDDY_CHECK_EQ(eddy_udp_address(w.client, &from), 0);
            EDDY_CHECK_STR(eddy_address_format(&to, (char[64]){ 0 }, 64), "10.0.0.2:53");
            EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(w.server)), 0);
            EDDY_CHECK_EQ(eddy_udp_send(w.client, NULL, "x", 1), 0);
            EDDY_CHECK_ERR(eddy_udp_receive(w.client, buf, sizeof buf, NULL), -ECONNREFUSED);
            /* And the socket goes on; who it is the other one is told. */
            eddy_sim_as(&sim, "server");
            EDDY_CHECK_EQ(eddy_udp_open("10.0.0.2:53", NULL, &w.server), 0);
            eddy_sim_as(&sim, NULL);
            EDDY_CHECK_EQ(eddy_udp_send(w.client, NULL, "ask", 3), 0);
            EDDY_CHECK_EQ(eddy_udp_receive(w.server, buf, sizeof buf, &to), 3);
            EDDY_CHECK(eddy_address_eq(&from, &to));
            EDDY_CHECK_EQ(eddy_udp_send(w.server, &to, "told", 4), 0);
            EDDY_CHECK_EQ(eddy_udp_receive(w.client, buf, sizeof buf, NULL), 4);
            /* A third one is not heard: the client is the server's. */
            EDDY_OWN(eddy_udp) third = NULL;
            EDDY_CHECK_EQ(eddy_udp_open(NULL, NULL, &third), 0);
            EDDY_CHECK_EQ(eddy_udp_send(third, &from, "psst", 4), 0);
            EDDY_SCOPE(patience, .timeout_ms = 1000);
            EDDY_CHECK_ERR(eddy_udp_receive(w.client, buf, sizeof buf, NULL), -ETIMEDOUT);
        }
        world_close(&w);
    }
}

EDDY_TEST(a_host_that_crashes_says_so_to_its_own)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 3));
    struct world w = { NULL, NULL };
    char buf[8];

    if (world_open(&sim, &w)) {
        EDDY_CHECK_EQ(eddy_udp_send(w.client, NULL, "x", 1), 0);
        eddy_sim_crash(&sim, "server");
        EDDY_CHECK_ERR(eddy_udp_receive(w.server, buf, sizeof buf, NULL), -ENETDOWN);
        EDDY_CHECK_ERR(eddy_udp_receive(w.server, buf, sizeof buf, NULL), -ENETDOWN);
        EDDY_CHECK_EQ(eddy_udp_send(w.client, NULL, "nobody", 6), 0); /* and nobody hears */
    }
    world_close(&w);
}

struct flood_args {
    struct eddy_udp *u;
};

static int flood(struct flood_args *a)
{
    static char big[10000];

    for (int i = 0; i < 100; i++) {
        int r = eddy_udp_send(a->u, NULL, big, sizeof big);
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_TASK(flood);

/* A socket that nobody reads holds what a kernel would, and loses the rest. */
EDDY_TEST(a_socket_holds_so_much)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 5));
    struct world w = { NULL, NULL };
    static char buf[10000];
    int got = 0;

    if (world_open(&sim, &w)) {
        EDDY_SCOPE(senders, .timeout_ms = 60000);
        EDDY_GO(&senders, flood, .u = w.client);
        EDDY_CHECK_EQ(eddy_join(&senders), 0);
        EDDY_CHECK_EQ(eddy_sleep(1000), 0);
        for (;;) {
            EDDY_SCOPE(patience, .timeout_ms = 1000);
            if (eddy_udp_receive(w.server, buf, sizeof buf, NULL) < 0)
                break;
            got++;
        }
        EDDY_CHECK(got >= 20 && got <= 21);
    }
    world_close(&w);
}

static void on_datagram(void *ctx, const struct eddy_datagram *d, int error)
{
    EDDY_CHECK_EQ(error, 0);
    EDDY_CHECK_EQ(d->len, 10);
    ++*(int *)ctx;
}

/* Batches, segments (cut here, for a simulated kernel cannot), callbacks. */
EDDY_TEST(batches_and_callbacks_work_as_elsewhere)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 7));
    struct world w = { NULL, NULL };
    char bytes[100] = { 0 }, room[8][16];
    struct eddy_datagram out = { .ptr = bytes, .len = sizeof bytes, .segment_size = 10 }, in[8];
    int got = 0, heard = 0;

    if (world_open(&sim, &w)) {
        EDDY_CHECK_EQ(eddy_udp_send_many(w.client, &out, 1), 1);
        while (got < 10) {
            for (int i = 0; i < 8; i++)
                in[i] = (struct eddy_datagram){ .ptr = room[i], .cap = sizeof room[i] };
            int n = eddy_udp_receive_many(w.server, in, 8);
            if (!EDDY_CHECK(n > 0))
                break;
            got += n;
        }
        EDDY_CHECK_EQ(got, 10);
        EDDY_CHECK_EQ(eddy_udp_start(w.server, on_datagram, &heard), 0);
        EDDY_CHECK_EQ(eddy_udp_send_many(w.client, &out, 1), 1);
        EDDY_CHECK_EQ(eddy_sleep(100), 0);
        EDDY_CHECK_EQ(heard, 10);
    }
    world_close(&w);
}

EDDY_TEST(what_it_does_not_do_it_refuses)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    EDDY_OWN(eddy_udp) u = NULL;
    EDDY_OWN(eddy_udp) other = NULL;
    struct eddy_error err = { 0 };
    struct eddy_address a;
    static char big[65508];

    EDDY_CHECK_ERR(eddy_udp_open("unix:@x", EDDY_OPT(udp, .error = &err), &u), -EDDY_ESIM);
    EDDY_CHECK(strstr(err.text, "simulator") != NULL);
    EDDY_CHECK_ERR(eddy_udp_open(NULL, EDDY_OPT(udp, .connect = "unix:@x"), &u), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_udp_open(NULL, EDDY_OPT(udp, .packet_info = true), &u), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_udp_open(NULL, EDDY_OPT(udp, .interface = "lo"), &u), -EDDY_ESIM);
    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:5", EDDY_OPT(udp, .ttl = 3, .gro = true), &u), 0);
    EDDY_CHECK_ERR(eddy_udp_join(u, "239.0.0.1", NULL), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_udp_open("127.0.0.1:5", NULL, &other), -EADDRINUSE);
    EDDY_CHECK_EQ(eddy_udp_address(u, &a), 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, NULL, "x", 1), -EDESTADDRREQ);
    EDDY_CHECK_ERR(eddy_udp_send(u, &a, big, sizeof big), -EMSGSIZE);
    eddy_address_set_port(&a, 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, &a, "x", 1), -EINVAL);
}

EDDY_TEST(one_seed_is_one_history_of_datagrams)
{
    for (EDDY_EACH_SEED(seed, 5)) {
        uint64_t hash[2] = { 0, 0 };

        for (int i = 0; i < 2; i++) {
            struct eddy_sim sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
            struct world w = { NULL, NULL };
            unsigned char seen[MANY];
            bool overtaken;

            if (world_open(&sim, &w))
                (void)send_numbers(&w, seen, &overtaken);
            world_close(&w);
            eddy_sim_done(&sim);
            hash[i] = sim.hash;
        }
        EDDY_CHECK(hash[0] == hash[1]);
    }
}

static int exchange(void)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 1));
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char buf[8];

    int r = sim.status;
    if (r == 0)
        r = eddy_udp_open("127.0.0.1:53", NULL, &server);
    if (r == 0)
        r = eddy_udp_open(NULL, EDDY_OPT(udp, .connect = "127.0.0.1:53"), &client);
    if (r == 0)
        r = eddy_udp_send(client, NULL, "abc", 3);
    if (r == 0)
        r = (int)eddy_udp_receive(server, buf, sizeof buf, NULL);
    return r < 0 ? r : 0;
}

EDDY_TEST(every_failed_allocation_is_survived)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = exchange();
        eddy_fault_stop();
        EDDY_CHECK(eddy_fault_fired(&f) ? r == -ENOMEM || r == 0 : r == 0);
    }
}
