/*
 * What a TLS connection holds, whoever is slow: a few records, never what the peer would like to send.
 *
 * backends: select poll epoll uring sim
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/loop.h>
#include <eddy/memory.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SENT ((size_t)3 << 20)
#define STEP ((size_t)9000)       /* less than a record */
#define BOUND ((size_t)512 << 10) /* both ends, with what their sockets lend */

static atomic_size_t live, peak;

static void *counting(void *ctx, void *old, size_t old_size, size_t new_size)
{
    (void)ctx;
    if (!new_size) {
        atomic_fetch_sub(&live, old_size);
        free(old);
        return NULL;
    }
    void *moved = realloc(old, new_size);
    if (!moved)
        return NULL;
    size_t now = atomic_fetch_add(&live, new_size - old_size) + new_size - old_size;
    size_t was = atomic_load(&peak);
    while (was < now && !atomic_compare_exchange_weak(&peak, &was, now))
        continue;
    return moved;
}

/* Before anything is allocated. */
__attribute__((constructor)) static void install(void)
{
    (void)eddy_memory_hook(counting, NULL);
}

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

struct push_args {
    struct eddy_stream *s;
    char *bytes;
};

static int push(struct push_args *a)
{
    int r = eddy_write(a->s, a->bytes, SENT);

    return r < 0 ? r : eddy_stream_finish(a->s);
}
EDDY_TASK(push);

/* Both ends of a connection, a task that writes all of @bytes into one. */
static bool begin(bool pair, struct secured *both, struct eddy_stream *ret[2])
{
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .insecure = true));
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));

    return secured_begin(client, server, "us.test", pair, both) &&
           EDDY_CHECK_EQ(eddy_tls_handshake(both->t[0], NULL), 0) &&
           EDDY_CHECK_EQ(eddy_tls_handshake(both->t[1], NULL), 0) &&
           EDDY_CHECK_EQ(eddy_stream_of(both->t[0], &ret[0]), 0) &&
           EDDY_CHECK_EQ(eddy_stream_of(both->t[1], &ret[1]), 0);
}

EDDY_TEST(a_slow_reader_holds_a_few_records)
{
    char *out = malloc(SENT), *in = malloc(SENT + STEP);

    if (!EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9)))
        return;
    for (size_t i = 0; i < SENT; i++)
        out[i] = (char)(i * 13 + i / 256);
    for (int pair = 0; pair < 2; pair++) {
        EDDY_OWN(eddy_stream) reader = NULL;
        EDDY_OWN(eddy_stream) writer = NULL;
        struct eddy_stream *ends[2];
        struct secured both;
        size_t got = 0;
        ssize_t n;
        if (!begin(pair == 1, &both, ends))
            break;
        reader = ends[0];
        writer = ends[1];
        size_t before = atomic_load(&live);
        atomic_store(&peak, before);
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, push, .s = writer, .bytes = out);
        /* With something else between. */
        while ((n = eddy_read(reader, in + got, STEP)) > 0) {
            got += (size_t)n;
            EDDY_CHECK_EQ(eddy_yield(), 0);
        }
        EDDY_CHECK_EQ(n, 0);
        EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        EDDY_CHECK_MEM(in, got, out, SENT);
        if (!EDDY_CHECK(atomic_load(&peak) - before < BOUND))
            EDDY_CHECK_FAIL("%zu bytes at the peak", atomic_load(&peak) - before);
    }
    free(out);
    free(in);
}

EDDY_TEST(a_peer_that_does_not_read_costs_a_few_records)
{
    char *out = calloc(1, SENT);

    if (!EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9)))
        return;
    for (int pair = 0; pair < 2; pair++) {
        EDDY_OWN(eddy_stream) idle = NULL;
        EDDY_OWN(eddy_stream) writer = NULL;
        struct eddy_stream *ends[2];
        struct secured both;
        if (!begin(pair == 1, &both, ends))
            break;
        idle = ends[0];
        writer = ends[1];
        size_t before = atomic_load(&live);
        atomic_store(&peak, before);
        {
            EDDY_SCOPE(tasks, .isolate = true);
            EDDY_GO(&tasks, push, .s = writer, .bytes = out);
            EDDY_CHECK_EQ(eddy_sleep(5), 0);
        }
        if (!EDDY_CHECK(atomic_load(&peak) - before < BOUND))
            EDDY_CHECK_FAIL("%zu bytes at the peak", atomic_load(&peak) - before);
    }
    free(out);
}
