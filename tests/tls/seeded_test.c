/*
 * TLS under the simulator: seeded, by its clock, and of no use anywhere else.
 *
 * backends: sim
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/net.h>
#include <eddy/sim.h>
#include <eddy/task.h>
#include <eddy/tls.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct serve_args {
    struct eddy_listener *door;
    struct eddy_tls *tls;
};

static int wrap(struct eddy_stream *plain, struct eddy_tls *tls, const char *host,
                struct eddy_stream **ret)
{
    struct eddy_transport *below, *over;
    struct eddy_buffer kept;

    int r = eddy_stream_take_transport(plain, &below, &kept);
    if (r < 0)
        return r;
    eddy_buffer_done(&kept);
    r = eddy_tls_wrap(tls, below, host, &over);
    if (r < 0) {
        eddy_transport_close(below, 0);
        return r;
    }
    r = eddy_tls_handshake(over, NULL);
    if (r == 0)
        r = eddy_stream_of(over, ret);
    if (r < 0)
        eddy_transport_close(over, 0);
    return r;
}

static int serve(struct serve_args *a)
{
    EDDY_OWN(eddy_stream) plain = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    char buf[3000];

    int r = eddy_accept(a->door, &plain);
    if (r == 0)
        r = wrap(plain, a->tls, NULL, &s);
    if (r == 0)
        r = eddy_read_exactly(s, buf, sizeof buf);
    return r < 0 ? r : eddy_write(s, buf, sizeof buf);
}
EDDY_TASK(serve);

/* A handshake, 3000 bytes there and back; what the client saw of it. */
static int exchange(const char *cert, uint64_t *ret_end_ns)
{
    static char buf[3000];
    EDDY_OWN(eddy_tls) theirs = NULL;
    EDDY_OWN(eddy_tls) ours = NULL;
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) plain = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(server, .isolate = true);

    if (!EDDY_CHECK_EQ(eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = cert), &theirs, NULL),
                       0) ||
        !EDDY_CHECK_EQ(eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = cert), &ours, NULL),
                       0) ||
        !EDDY_CHECK_EQ(eddy_listen("127.0.0.1:443", NULL, &door), 0))
        return -EBADMSG;
    EDDY_GO(&server, serve, .door = door, .tls = theirs);
    int r = eddy_connect("127.0.0.1:443", NULL, &plain);
    if (r == 0)
        r = wrap(plain, ours, "127.0.0.1", &s);
    if (r == 0)
        r = eddy_write(s, buf, sizeof buf);
    if (r == 0)
        r = eddy_read_exactly(s, buf, sizeof buf);
    *ret_end_ns = (uint64_t)eddy_now_ns();
    return r;
}

static uint64_t history(uint64_t seed, uint64_t *ret_end_ns)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
    uint64_t next;

    EDDY_CHECK_EQ(exchange("seeded.pem", ret_end_ns), 0);
    /* What it has drawn shows in what is drawn next. */
    EDDY_CHECK_EQ(eddy__loop()->driver->ops->random(eddy__loop()->driver, &next, sizeof next), 0);
    return eddy_sim_hash(&sim) ^ next;
}

EDDY_TEST(tls_is_seeded)
{
    uint64_t end_ns, again_ns, last = 0;

    EDDY_CHECK(cert_make("seeded.pem", "IP:127.0.0.1", NULL, -1, 30));
    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t hash = history(seed, &end_ns);
        EDDY_CHECK_EQ(history(seed, &again_ns), hash);
        EDDY_CHECK_EQ(again_ns, end_ns);
        EDDY_CHECK(hash != last);
        last = hash;
    }
}

EDDY_TEST(certificates_are_judged_by_the_virtual_clock)
{
    uint64_t end_ns;

    EDDY_CHECK(cert_make("seeded.pem", "IP:127.0.0.1", NULL, -1, 30));
    for (int day = -3; day <= 40; day += 43) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
        EDDY_CHECK_EQ(
            eddy_sim_set_wall(&sim, (1704067200 + day * INT64_C(86400)) * INT64_C(1000000000)), 0);
        EDDY_CHECK_ERR(exchange("seeded.pem", &end_ns), -EDDY_ECERT);
    }
}

EDDY_TEST(a_seeded_context_is_refused_on_a_real_loop)
{
    EDDY_OWN(eddy_tls) tls = NULL;
    struct eddy_transport *end[2], *over;
    struct eddy_loop *loop;

    EDDY_CHECK(cert_make("seeded.pem", "IP:127.0.0.1", NULL, -1, 30));
    {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
        EDDY_CHECK_EQ(
            eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "seeded.pem"), &tls, NULL), 0);
    }
    EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .backend = "poll"), &loop), 0);
    EDDY_CHECK_EQ(eddy_transport_pair(0, &end[0], &end[1]), 0);
    EDDY_CHECK_ERR(eddy_tls_wrap(tls, end[0], "127.0.0.1", &over), -EDDY_ESIM);
    eddy_transport_close(end[0], 0);
    eddy_transport_close(end[1], 0);
    eddy_loop_free(loop);
}

static int visit(struct eddy_tls *client, struct eddy_tls *server, bool talk)
{
    struct secured s;

    if (!secured_meet(client, server, "keys.test", talk, &s))
        return -1;
    EDDY_CHECK_EQ(s.r[0], 0);
    EDDY_CHECK_EQ(s.r[1], 0);
    secured_drop(&s);
    return s.info[1].resumed;
}

EDDY_TEST(tickets_keys_rotate)
{
    static const struct {
        int64_t wait_s; /* between a ticket and its use; the key has sealed for half an hour */
        int want;
    } cases[] = { { 0, 1 }, { 1799, 1 }, { 1801, 1 }, { 5399, 1 }, { 5401, 0 }, { 86400, 0 } };

    EDDY_CHECK(cert_make("keys.pem", "DNS:keys.test", NULL, -1, 30));
    for (int tls12 = 0; tls12 < 2; tls12++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
            EDDY_OWN(eddy_tls)
            server = server_of(EDDY_OPT(tls_server, .cert_file = "keys.pem",
                                        .ticket_key_ms = 3600000,
                                        .max_version = tls12 ? EDDY_TLS_1_2 : EDDY_TLS_DEFAULT));
            EDDY_OWN(eddy_tls) first = client_of(EDDY_OPT(tls_client, .ca_file = "keys.pem"));
            EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "keys.pem"));
            EDDY_CHECK_EQ(visit(first, server, true), 0); /* the key is born */
            EDDY_CHECK_EQ(eddy_sleep(1800000), 0);
            EDDY_CHECK_EQ(visit(client, server, true), 0);
            EDDY_CHECK_EQ(eddy_sleep(cases[i].wait_s * 1000), 0);
            if (!EDDY_CHECK_EQ(visit(client, server, true), cases[i].want))
                EDDY_CHECK_FAIL("after %lld s", (long long)cases[i].wait_s);
        }
    }
}

EDDY_TEST(an_old_key_is_replaced_by_who_comes_back)
{
    EDDY_CHECK(cert_make("keys.pem", "DNS:keys.test", NULL, -1, 30));
    for (int tls12 = 0; tls12 < 2; tls12++) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
        EDDY_OWN(eddy_tls)
        server = server_of(EDDY_OPT(tls_server, .cert_file = "keys.pem",
                                    .max_version = tls12 ? EDDY_TLS_1_2 : EDDY_TLS_DEFAULT));
        EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "keys.pem"));
        EDDY_CHECK_EQ(visit(client, server, true), 0);
        for (int hour = 0; hour < 10; hour++) { /* each visit hands out one of a newer key */
            EDDY_CHECK_EQ(eddy_sleep(3600000), 0);
            if (!EDDY_CHECK_EQ(visit(client, server, true), 1))
                EDDY_CHECK_FAIL("hour %d, TLS 1.%d", hour, tls12 ? 2 : 3);
        }
    }
}
