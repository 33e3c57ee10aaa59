/*
 * One context, several threads: handshakes, sessions, keys of tickets, and reloads at once.
 *
 * backends: epoll uring
 * threads: yes
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/thread.h>

#include <stdatomic.h>

#define THREADS 3
#define VISITS 30

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

struct visitor {
    struct eddy_tls *client, *server;
    atomic_uint resumed, left;
};

static int visit(struct visitor *v)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    struct eddy_transport *t[2], *over[2];
    struct eddy_tls_info info;
    char byte;

    int r = eddy_transport_pair(0, &t[0], &t[1]);
    if (r < 0 || (r = eddy_tls_wrap(v->client, t[0], "us.test", &over[0])) < 0 ||
        (r = eddy_tls_wrap(v->server, t[1], NULL, &over[1])) < 0 ||
        (r = eddy_stream_of(over[0], &a)) < 0 || (r = eddy_stream_of(over[1], &b)) < 0 ||
        (r = eddy_write(a, "x", 1)) < 0 || (r = eddy_read_exactly(b, &byte, 1)) < 0 ||
        (r = eddy_write(b, "y", 1)) < 0 || (r = eddy_read_exactly(a, &byte, 1)) < 0 ||
        (r = eddy_stream_info(a, EDDY_INFO_TLS, &info)) < 0)
        return r;
    atomic_fetch_add(&v->resumed, info.resumed);
    return 0;
}

static int visit_often(void *arg)
{
    struct visitor *v = arg;
    int r = 0;

    for (int i = 0; i < VISITS && r == 0; i++)
        r = visit(v);
    atomic_fetch_sub(&v->left, 1);
    return r;
}

EDDY_TEST(a_context_is_for_several_threads)
{
    struct eddy_thread *threads[THREADS];
    struct eddy_tls_stats stats;

    EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9));
    /* A key of tickets for a millisecond: it changes all the time. */
    EDDY_OWN(eddy_tls)
    server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem", .ticket_key_ms = 1));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem", .sessions = 2));
    struct visitor v = { .client = client, .server = server };
    atomic_init(&v.left, THREADS);
    for (int i = 0; i < THREADS; i++)
        EDDY_CHECK_EQ(eddy_thread_start(visit_often, &v, NULL, &threads[i]), 0);
    unsigned reloads = 0;
    while (atomic_load(&v.left)) {
        EDDY_CHECK_EQ(eddy_tls_server_reload(server, NULL), 0);
        reloads++;
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        int result = 1;
        EDDY_CHECK_EQ(eddy_thread_join(threads[i], &result), 0);
        EDDY_CHECK_EQ(result, 0);
    }
    eddy_tls_stats(server, &stats);
    EDDY_CHECK_EQ(stats.handshakes, THREADS * VISITS);
    EDDY_CHECK_EQ(stats.reloads, reloads);
    EDDY_CHECK_EQ(stats.resumed, atomic_load(&v.resumed));
}
