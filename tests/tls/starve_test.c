/*
 * OpenSSL without memory: many of its allocations fail, one at a time, in contexts and in a visit.
 *
 * backends: epoll
 * faults: yes
 * timeout: 180
 */
#include "base/memory.h"
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/stream.h>
#include <eddy/task.h>

#include <openssl/crypto.h>

#include <stdlib.h>

static unsigned long at, fail_at; /* 0: none */
static unsigned long made;        /* contexts were, by then */
static unsigned long wrapped;     /* both ends of the first connection were */

static bool fails(void)
{
    return ++at == fail_at;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : malloc(size);
}

static void *retake(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : realloc(old, size);
}

static void give(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    free(ptr);
}

static void __attribute__((constructor(101))) hook(void)
{
    if (CRYPTO_set_mem_functions(take, retake, give) != 1)
        abort();
}

void eddy_check_teardown(void)
{
    fail_at = 0;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static int visit(void)
{
    EDDY_OWN(eddy_tls) c = NULL;
    EDDY_OWN(eddy_tls) s = NULL;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    struct eddy_transport *t[2], *over[2];
    struct eddy_error err;
    struct eddy_tls_info info;
    char byte;
    EDDY_SCOPE(patience, .timeout_ms = fail_at ? 30 : 20000);

    int r = eddy_tls_client_new(
        EDDY_OPT(tls_client, .ca_file = "root.pem", .cert_file = "us.pem", .alpn = "x"), &c, &err);
    if (r == 0)
        r = eddy_tls_server_new(
            EDDY_OPT(tls_server, .cert_file = "us.pem", .alpn = "x", .client_ca_file = "root.pem"),
            &s, &err);
    if (r == 0)
        r = eddy_tls_server_reload(s, &err);
    made = at;
    for (int round = 0; r == 0 && round < 2; round++) {
        eddy_stream_free(EDDY_TAKE(a));
        eddy_stream_free(EDDY_TAKE(b));
        r = eddy_stream_pair(&a, &b);
        if (r < 0)
            return r;
        struct eddy_buffer kept;
        eddy_stream_take_transport(a, &t[0], &kept);
        eddy_stream_take_transport(b, &t[1], &kept);
        eddy_stream_free(EDDY_TAKE(a));
        eddy_stream_free(EDDY_TAKE(b));
        r = eddy_tls_wrap(c, t[0], "us.test", &over[0]);
        if (r < 0) {
            eddy_transport_close(t[0], 0);
            eddy_transport_close(t[1], 0);
            return r;
        }
        r = eddy_tls_wrap(s, t[1], NULL, &over[1]);
        if (r < 0) {
            eddy_transport_close(over[0], 0);
            eddy_transport_close(t[1], 0);
            return r;
        }
        if (round == 0)
            wrapped = at;
        EDDY_CHECK_EQ(eddy_stream_of(over[0], &a), 0);
        EDDY_CHECK_EQ(eddy_stream_of(over[1], &b), 0);
        if ((r = eddy_write(a, "x", 1)) < 0 || (r = eddy_read_exactly(b, &byte, 1)) < 0 ||
            (r = eddy_write(b, "y", 1)) < 0 || (r = eddy_read_exactly(a, &byte, 1)) < 0 ||
            (r = eddy_stream_info(b, EDDY_INFO_TLS, &info)) < 0 || (r = eddy_stream_finish(a)) < 0)
            return r;
    }
    return r;
}

/* Whether the visit failed. */
static bool starved_visit(unsigned long k)
{
    at = 0;
    fail_at = k;
    bool failed = visit() < 0;
    fail_at = 0;
    for (int i = 0; i < 5; i++)
        eddy_yield();
    return failed;
}

/* The next one to fail. Contexts read files, which takes most of them, and where a connection
 * begins most of what is asked for is ours. */
static unsigned long after(unsigned long k, unsigned long contexts, unsigned long wraps,
                           unsigned long count)
{
    unsigned long tries = getenv("EDDY_FAULTS") ? 1000 : 100;

    if (k < contexts) {
        k += contexts * 10 / tries + 1;
        return k < contexts ? k : contexts;
    }
    return k < wraps ? k + 1 : k + (count - wraps) / tries + 1;
}

EDDY_TEST(openssl_without_memory_is_an_error_not_a_crash)
{
    EDDY_CHECK(cert_make("root.pem", "DNS:root.test", NULL, -1, 9));
    EDDY_CHECK(cert_make("us.pem", "DNS:us.test", "root.pem", -1, 9));
    EDDY_CHECK_EQ(visit(), 0); /* what is made once is made */
    EDDY_CHECK(!starved_visit(0));
    unsigned long count = at, contexts = made, wraps = wrapped, failed = 0;
    size_t live = eddy__memory_live();
    for (unsigned long k = 1; k <= count; k = after(k, contexts, wraps, count)) {
        failed += starved_visit(k);
        if (!EDDY_CHECK_EQ(eddy__memory_live(), live)) {
            EDDY_CHECK_FAIL("allocation %lu of %lu", k, count);
            return;
        }
    }
    EDDY_CHECK(failed > 0);
    EDDY_CHECK(!starved_visit(0));
}
