/*
 * Handshakes take turns with everything else, whatever they cost.
 *
 * backends: select poll epoll uring
 */
#include "base/sys.h"
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/task.h>

#define PAIRS 20

static int64_t spent_ns;

/* A clock that a handshake step moves on, by more than its share of an iteration. */
static int64_t slow_clock(void)
{
    spent_ns += 1500000;
    return eddy__sys_kernel.now_ns() + spent_ns;
}

void eddy_check_teardown(void)
{
    eddy__sys.now_ns = eddy__sys_kernel.now_ns;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

struct tick_args {
    const bool *over;
    unsigned *ticks;
};

/* Everybody else: counts its own turns. */
static int tick(struct tick_args *a)
{
    while (!*a->over) {
        ++*a->ticks;
        int r = eddy_yield();
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_TASK(tick);

/* How many turns another task has while PAIRS connections shake hands. */
static unsigned shake_all(struct eddy_tls *client, struct eddy_tls *server)
{
    static const struct eddy_protocol nobody = { .size = sizeof(struct eddy_protocol) };
    struct eddy_transport *t[2 * PAIRS];
    unsigned ticks = 0;
    bool over = false;
    EDDY_SCOPE(tasks, .isolate = true);

    for (int i = 0; i < PAIRS; i++) {
        struct eddy_transport *below[2];
        EDDY_CHECK_EQ(eddy_transport_pair(0, &below[0], &below[1]), 0);
        EDDY_CHECK_EQ(eddy_tls_wrap(client, below[0], "us.test", &t[2 * i]), 0);
        EDDY_CHECK_EQ(eddy_tls_wrap(server, below[1], NULL, &t[2 * i + 1]), 0);
    }
    EDDY_GO(&tasks, tick, .over = &over, .ticks = &ticks);
    for (int i = 0; i < 2 * PAIRS; i++)
        EDDY_CHECK_EQ(eddy_tls_handshake(t[i], NULL), 0);
    over = true;
    for (int i = 0; i < 2 * PAIRS; i++) {
        eddy_transport_use(t[i], &nobody, NULL);
        eddy_transport_close(t[i], 0);
    }
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    return ticks;
}

EDDY_TEST(handshakes_take_turns_with_others)
{
    struct eddy_tls_stats stats;

    EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9));
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls)
    client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem", .no_resumption = true));

    /* A step costs more than half of an iteration's share: at most two of them fit into one. Each
     * connection has two on the server's side and two on the client's. */
    eddy__sys.now_ns = slow_clock;
    unsigned ticks = shake_all(client, server);
    eddy__sys.now_ns = eddy__sys_kernel.now_ns;
    if (!EDDY_CHECK(ticks >= PAIRS * 4 / 2))
        EDDY_CHECK_FAIL("%u turns of another task", ticks);
    eddy_tls_stats(server, &stats);
    EDDY_CHECK(stats.waited >= PAIRS);
    EDDY_CHECK_EQ(stats.handshakes, PAIRS);
}

EDDY_TEST(who_stands_in_line_can_be_closed_and_the_loop_freed)
{
    static const struct eddy_protocol nobody = { .size = sizeof(struct eddy_protocol) };
    struct eddy_transport *t[2 * PAIRS];

    EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9));
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    eddy__sys.now_ns = slow_clock;
    for (int i = 0; i < PAIRS; i++) {
        struct eddy_transport *below[2];
        EDDY_CHECK_EQ(eddy_transport_pair(0, &below[0], &below[1]), 0);
        EDDY_CHECK_EQ(eddy_tls_wrap(client, below[0], "us.test", &t[2 * i]), 0);
        EDDY_CHECK_EQ(eddy_tls_wrap(server, below[1], NULL, &t[2 * i + 1]), 0);
    }
    EDDY_CHECK_EQ(eddy_yield(), 0);
    for (int i = 0; i < 2 * PAIRS; i++) {
        eddy_transport_use(t[i], &nobody, NULL);
        eddy_transport_close(t[i], 0);
    }
    eddy__sys.now_ns = eddy__sys_kernel.now_ns;
}
