/*
 * TLS over sockets and pairs: serving and fetching with verification on, and every refusal.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "certs.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/tls.h>

#include <stdlib.h>
#include <string.h>

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static void make_certificates(void)
{
    static bool made;

    if (made)
        return;
    made = EDDY_CHECK(cert_make("root.pem", "DNS:root.test", NULL, -1, 100)) &&
           EDDY_CHECK(cert_make("good.pem", "DNS:good.test", "root.pem", -1, 100)) &&
           EDDY_CHECK(cert_make("ip.pem", "IP:127.0.0.1", "root.pem", -1, 100)) &&
           EDDY_CHECK(cert_make("expired.pem", "DNS:good.test", "root.pem", -100, -1)) &&
           EDDY_CHECK(cert_make("future.pem", "DNS:good.test", "root.pem", 2, 100)) &&
           EDDY_CHECK(cert_make("alone.pem", "DNS:good.test", NULL, -1, 100));
}

/* Both ends of a TLS connection, their handshakes under way. */
struct secured {
    struct eddy_transport *below[2];
    struct eddy_transport *t[2]; /* client, server */
};

static const struct eddy_protocol nobody = { .size = sizeof(struct eddy_protocol) };

static bool sockets(struct eddy_transport *ret[2])
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) accepted = NULL;
    struct eddy_address at;
    struct eddy_buffer kept;
    char text[EDDY_ADDRESS_TEXT];

    return EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) &&
           EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0) &&
           EDDY_CHECK_EQ(
               eddy__connect_transport(eddy_address_format(&at, text, sizeof text), NULL, &ret[0]),
               0) &&
           EDDY_CHECK_EQ(eddy_accept(door, &accepted), 0) &&
           EDDY_CHECK_EQ(eddy_stream_take_transport(accepted, &ret[1], &kept), 0);
}

static bool secure(bool over_pair, const struct eddy_tls_client_options *client, const char *cert,
                   const char *host, struct secured *ret)
{
    EDDY_OWN(eddy_tls) c = NULL;
    EDDY_OWN(eddy_tls) s = NULL;
    struct eddy_error err = { 0 };

    make_certificates();
    if (!EDDY_CHECK_EQ(eddy_tls_client_new(client, &c, &err), 0) ||
        !EDDY_CHECK_EQ(
            eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = cert, .alpn = "http/1.1,other"),
                                &s, &err),
            0))
        return EDDY_CHECK_FAIL("%s", err.text);
    if (over_pair) {
        if (!EDDY_CHECK_EQ(eddy_transport_pair(0, &ret->below[0], &ret->below[1]), 0))
            return false;
    } else if (!sockets(ret->below)) {
        return false;
    }
    return EDDY_CHECK_EQ(eddy_tls_wrap(c, ret->below[0], host, &ret->t[0]), 0) &&
           EDDY_CHECK_EQ(eddy_tls_wrap(s, ret->below[1], NULL, &ret->t[1]), 0);
}

static void drop(struct secured *s)
{
    for (int i = 0; i < 2; i++) {
        eddy_transport_use(s->t[i], &nobody, NULL);
        eddy_transport_close(s->t[i], 0);
    }
}

struct echo_args {
    struct eddy_stream *s;
};

static int echo(struct echo_args *a)
{
    char buf[5000];
    ssize_t n;

    while ((n = eddy_read(a->s, buf, sizeof buf)) > 0) {
        int r = eddy_write(a->s, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return n < 0 ? (int)n : eddy_stream_finish(a->s);
}
EDDY_TASK(echo);

struct send_all_args {
    struct eddy_stream *s;
    const char *bytes;
    size_t len;
};

static int send_all(struct send_all_args *a)
{
    int r = eddy_write(a->s, a->bytes, a->len);

    return r < 0 ? r : eddy_stream_finish(a->s);
}
EDDY_TASK(send_all);

EDDY_TEST(bytes_go_round_and_both_ends_part_properly)
{
    const size_t len = 700000;

    for (int pair = 0; pair < 2; pair++) {
        struct secured s;
        EDDY_OWN(eddy_stream) client = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        struct eddy_tls_info info;
        if (!secure(pair == 1, EDDY_OPT(tls_client, .ca_file = "root.pem", .alpn = "h9,http/1.1"),
                    "good.pem", "good.test", &s))
            return;
        EDDY_CHECK_EQ(eddy_transport_info(s.t[0], EDDY_INFO_TLS, &info), -EAGAIN);
        EDDY_CHECK_EQ(eddy_tls_handshake(s.t[0], NULL), 0);
        EDDY_CHECK_EQ(eddy_transport_info(s.t[0], EDDY_INFO_TLS, &info), 0);
        EDDY_CHECK_STR(info.version, "TLSv1.3");
        EDDY_CHECK_STR(info.alpn, "http/1.1");
        eddy_stream_of(s.t[0], &client);
        eddy_stream_of(s.t[1], &server);
        char *out = malloc(len), *in = calloc(1, len);
        for (size_t i = 0; i < len; i++)
            out[i] = (char)(i * 13 + i / 256);
        {
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, echo, .s = server);
            EDDY_GO(&tasks, send_all, .s = client, .bytes = out, .len = len);
            EDDY_CHECK_EQ(eddy_read_exactly(client, in, len), 0);
            char more;
            EDDY_CHECK_EQ(eddy_read(client, &more, 1), 0);
            EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        }
        EDDY_CHECK_MEM(in, len, out, len);
        free(out);
        free(in);
    }
}

EDDY_TEST(a_write_before_the_handshake_waits_for_it)
{
    struct secured s;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char buf[8];

    if (!secure(false, EDDY_OPT(tls_client, .ca_file = "root.pem"), "ip.pem", "127.0.0.1", &s))
        return;
    eddy_stream_of(s.t[0], &client);
    eddy_stream_of(s.t[1], &server);
    EDDY_CHECK_EQ(eddy_write_text(client, "early"), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(server, buf, 5), 0);
    EDDY_CHECK_MEM(buf, 5, "early", 5);
}

EDDY_TEST(every_wrong_certificate_is_refused_and_the_text_says_why)
{
    static const struct {
        const char *cert, *host, *ca, *text;
        bool insecure;
        int want;
    } cases[] = {
        { "good.pem", "good.test", "root.pem", "", false, 0 },
        { "good.pem", "other.test", "root.pem", "wanted other.test", false, -EDDY_ECERT },
        { "good.pem", "127.0.0.1", "root.pem", "wanted 127.0.0.1", false, -EDDY_ECERT },
        { "ip.pem", "127.0.0.2", "root.pem", "wanted 127.0.0.2", false, -EDDY_ECERT },
        { "expired.pem", "good.test", "root.pem", "expired on 2", false, -EDDY_ECERT },
        { "future.pem", "good.test", "root.pem", "valid from 2", false, -EDDY_ECERT },
        { "alone.pem", "good.test", "root.pem", "self-signed", false, -EDDY_ECERT },
        { "good.pem", "good.test", "alone.pem", "not trusted", false, -EDDY_ECERT },
        { "good.pem", "good.test", NULL, "not trusted", false, -EDDY_ECERT },
        { "alone.pem", "good.test", "alone.pem", "", false, 0 },
        { "expired.pem", "other.test", "root.pem", "", true, 0 },
        { "common.pem", "good.test", "root.pem", "only the common name good.test", false,
          -EDDY_ECERT },
    };

    make_certificates();
    EDDY_CHECK(cert_write(
        &(struct cert){ .file = "common.pem", .cn = "good.test", .issuer = "root.pem", .to = 9 }));

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secured s;
        struct eddy_error err = { 0 };
        if (!secure(i % 2,
                    EDDY_OPT(tls_client, .ca_file = cases[i].ca, .insecure = cases[i].insecure),
                    cases[i].cert, cases[i].host, &s))
            return;
        int r = eddy_tls_handshake(s.t[0], &err);
        bool ok = EDDY_CHECK_ERR(r, cases[i].want) &&
                  EDDY_CHECK(r == 0 || strstr(err.text, cases[i].text));
        struct eddy_error server_err = { 0 };
        r = eddy_tls_handshake(s.t[1], &server_err);
        if (cases[i].want == 0)
            ok = EDDY_CHECK_EQ(r, 0) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("case %zu: %s; %s", i, err.text, server_err.text);
        drop(&s);
    }
}

EDDY_TEST(a_context_names_the_file_that_is_wrong)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };

    make_certificates();
    EDDY_CHECK_ERR(eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "no.pem"), &tls, &err),
                   -ENOENT);
    EDDY_CHECK(strstr(err.text, "no.pem"));
    EDDY_CHECK_ERR(
        eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = "good.pem", .key_file = "ip.pem"),
                            &tls, &err),
        -EDDY_ETLS);
    EDDY_CHECK(strstr(err.text, "ip.pem"));
    EDDY_CHECK_ERR(eddy_tls_server_new(NULL, &tls, &err), -EINVAL);
    EDDY_CHECK_ERR(eddy_tls_client_new(EDDY_OPT(tls_client, .alpn = "a,,b"), &tls, &err), -EINVAL);
    if (EDDY_CHECK_EQ(eddy_tls_client_new(NULL, &tls, &err), 0)) {
        struct eddy_transport *t[2], *over;
        eddy_transport_pair(0, &t[0], &t[1]);
        EDDY_CHECK_ERR(eddy_tls_wrap(tls, t[0], NULL, &over), -EINVAL);
        eddy_transport_close(t[0], 0);
        eddy_transport_close(t[1], 0);
        eddy_tls_free(tls);
    }
}

EDDY_TEST(an_end_without_close_notify_is_an_error)
{
    for (int pair = 0; pair < 2; pair++) {
        struct secured s;
        EDDY_OWN(eddy_stream) client = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        struct eddy_write fin = { 0 };
        char buf[8];
        if (!secure(pair == 1, EDDY_OPT(tls_client, .ca_file = "root.pem"), "good.pem", "good.test",
                    &s))
            return;
        EDDY_CHECK_EQ(eddy_tls_handshake(s.t[0], NULL), 0);
        EDDY_CHECK_EQ(eddy_tls_handshake(s.t[1], NULL), 0);
        eddy_stream_of(s.t[0], &client);
        eddy_stream_of(s.t[1], &server);
        EDDY_CHECK_EQ(eddy_write_text(server, "cut"), 0);
        EDDY_CHECK(eddy_transport_finish(s.below[1], &fin)); /* behind TLS's back */
        EDDY_CHECK_EQ(eddy_read_exactly(client, buf, 3), 0);
        EDDY_CHECK_ERR(eddy_read(client, buf, 1), -EDDY_EEOF);
    }
}

EDDY_TEST(a_peer_that_speaks_no_tls_is_told_apart)
{
    struct eddy_transport *t[2], *over;
    EDDY_OWN(eddy_tls) tls = NULL;
    EDDY_OWN(eddy_stream) plain = NULL;
    struct eddy_error err = { 0 };

    make_certificates();
    eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = "good.pem"), &tls, NULL);
    if (!sockets(t) || !EDDY_CHECK_EQ(eddy_tls_wrap(tls, t[1], NULL, &over), 0))
        return;
    eddy_stream_of(t[0], &plain);
    EDDY_CHECK_EQ(eddy_write_text(plain, "GET / HTTP/1.1\r\n\r\n"), 0);
    EDDY_CHECK_ERR(eddy_tls_handshake(over, &err), -EDDY_ETLS);
    EDDY_CHECK(strstr(err.text, "http request"));
    eddy_transport_use(over, &nobody, NULL);
    eddy_transport_close(over, 0);
}

struct shake_args {
    struct eddy_transport *t;
    int *ret;
};

static int shake(struct shake_args *a)
{
    *a->ret = eddy_tls_handshake(a->t, NULL);
    return 0;
}
EDDY_TASK(shake);

static void shake_in_callback(void *ctx)
{
    struct shake_args *a = ctx;

    *a->ret = eddy_tls_handshake(a->t, NULL);
}

EDDY_TEST(a_handshake_that_does_not_end_can_be_left)
{
    struct eddy_transport *t[2], *over;
    EDDY_OWN(eddy_tls) tls = NULL;
    struct eddy_error err = { 0 };

    eddy_tls_client_new(EDDY_OPT(tls_client, .insecure = true), &tls, NULL);
    if (!sockets(t) || !EDDY_CHECK_EQ(eddy_tls_wrap(tls, t[0], "silent.test", &over), 0))
        return;
    {
        EDDY_SCOPE(patience, .timeout_ms = 20);
        int second = 0, third = 0;
        EDDY_GO(&patience, shake, .t = over, .ret = &second);
        EDDY_CHECK_EQ(
            eddy_post(eddy_loop_current(), shake_in_callback, &(struct shake_args){ over, &third }),
            0);
        EDDY_CHECK_ERR(eddy_tls_handshake(over, &err), -ETIMEDOUT);
        EDDY_CHECK(err.text[0]);
        EDDY_CHECK_ERR(second, -EBUSY);
        EDDY_CHECK_ERR(third, -EDEADLK);
    }
    for (int i = 0; i < 2; i++) {
        eddy_transport_use(i ? over : t[1], &nobody, NULL);
        eddy_transport_close(i ? over : t[1], 0);
    }
}

static int talk(void)
{
    struct eddy_transport *t[2] = { 0 };
    EDDY_OWN(eddy_tls) c = NULL;
    EDDY_OWN(eddy_tls) s = NULL;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    char buf[8];
    EDDY_SCOPE(patience, .timeout_ms = 2000);

    int r = eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "root.pem"), &c, NULL);
    if (r == 0)
        r = eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = "good.pem"), &s, NULL);
    if (r == 0)
        r = eddy_transport_pair(0, &t[0], &t[1]);
    if (r == 0)
        r = eddy_tls_wrap(c, t[0], "good.test", &t[0]);
    if (r == 0)
        r = eddy_tls_wrap(s, t[1], NULL, &t[1]);
    if (r == 0)
        r = eddy_stream_of(t[0], &a);
    if (r == 0)
        t[0] = NULL;
    if (r == 0)
        r = eddy_stream_of(t[1], &b);
    if (r == 0)
        t[1] = NULL;
    if (r == 0)
        r = eddy_write_text(a, "secret");
    if (r == 0)
        r = eddy_read_exactly(b, buf, 6);
    for (int i = 0; i < 2; i++)
        if (t[i])
            eddy_transport_close(t[i], 0);
    return r;
}

EDDY_TEST(no_failed_allocation_crashes_or_leaks)
{
    make_certificates();
    eddy_loop_current();
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = talk();
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK(fired || r == 0); /* a failed answer of the server need not concern the client */
        for (int i = 0; i < 30; i++)
            eddy_yield();
    }
}
