/*
 * Who is believed, and who shows what: names, pins, clients' certificates, versions, reloads.
 *
 * backends: select poll epoll uring sim
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/log.h>
#include <eddy/task.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    made =
        EDDY_CHECK(cert_make("root.pem", "DNS:root.test", NULL, -1, 100)) &&
        EDDY_CHECK(cert_make("good.pem", "DNS:good.test", "root.pem", -1, 100)) &&
        EDDY_CHECK(cert_make("other.pem", "DNS:good.test", "root.pem", -1, 100)) &&
        EDDY_CHECK(cert_make("a.pem", "DNS:a.test,DNS:*.wild.test", "root.pem", -1, 100)) &&
        EDDY_CHECK(cert_make("b.pem", "DNS:b.test,DNS:one.wild.test", "root.pem", -1, 100)) &&
        EDDY_CHECK(cert_make("late.pem", "DNS:a.test,DNS:*.wild.test", "root.pem", -1, 100)) &&
        EDDY_CHECK(cert_make("clients.pem", "DNS:clients.test", NULL, -1, 100)) &&
        EDDY_CHECK(cert_write(&(struct cert){ .file = "alice.pem",
                                              .cn = "alice",
                                              .names = "email:alice@example.test",
                                              .issuer = "clients.pem",
                                              .usage = "clientAuth",
                                              .from = -1,
                                              .to = 100 })) &&
        EDDY_CHECK(cert_write(&(struct cert){
            .file = "mallory.pem", .cn = "mallory", .issuer = "root.pem", .from = -1, .to = 100 }));
}

EDDY_TEST(the_certificate_is_chosen_by_name)
{
    static const struct eddy_tls_cert more[] = { { .cert_file = "a.pem" },
                                                 { .cert_file = "b.pem" },
                                                 { .cert_file = "late.pem" } };
    static const struct {
        const char *host, *want;
    } cases[] = {
        { "good.test", "good.pem" },       /* the first */
        { "a.test", "a.pem" },             /* the earlier of two */
        { "b.test", "b.pem" },             /* written out */
        { "A.tesT", "a.pem" },             /* without case */
        { "b.test.", "b.pem" },            /* the root's dot */
        { "two.wild.test", "a.pem" },      /* a wildcard */
        { "one.wild.test", "b.pem" },      /* written out comes before a wildcard */
        { "x.two.wild.test", "good.pem" }, /* a wildcard is for one label */
        { "wild.test", "good.pem" },       /* ... and not for none */
        { ".wild.test", "good.pem" },
        { "nobody.test", "good.pem" },
        { "127.0.0.1", "good.pem" }, /* addresses are not sent */
    };

    make_certificates();
    EDDY_OWN(eddy_tls)
    server = server_of(
        EDDY_OPT(tls_server, .cert_file = "good.pem", .certs = more, .cert_count = 3));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .insecure = true));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secured s;
        char want[64];
        if (!secured_meet(client, server, cases[i].host, false, &s))
            return;
        snprintf(want, sizeof want, "CN=%s", cases[i].want);
        if (!EDDY_CHECK_EQ(s.r[0], 0) || !EDDY_CHECK_STR(s.info[0].peer.subject, want) ||
            !EDDY_CHECK_EQ(s.r[1], 0) ||
            !EDDY_CHECK_STR(s.info[1].server_name, cases[i].host[0] == '1' ? "" : cases[i].host))
            EDDY_CHECK_FAIL("case %s: %s", cases[i].host, s.err[0].text);
        secured_drop(&s);
    }
}

EDDY_TEST(a_client_shows_its_certificate)
{
    make_certificates();
    EDDY_OWN(eddy_tls)
    server = server_of(
        EDDY_OPT(tls_server, .cert_file = "good.pem", .client_ca_file = "clients.pem"));
    EDDY_OWN(eddy_tls)
    client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem", .cert_file = "alice.pem"));

    for (int again = 0; again < 2; again++) { /* and when its session is resumed */
        struct secured s;
        char pin[45];
        if (!secured_meet(client, server, "good.test", true, &s))
            return;
        if (!EDDY_CHECK_EQ(s.r[0], 0) || !EDDY_CHECK_EQ(s.r[1], 0))
            EDDY_CHECK_FAIL("%s; %s", s.err[0].text, s.err[1].text);
        EDDY_CHECK_EQ(s.info[1].resumed, again);
        const struct eddy_tls_peer *peer = &s.info[1].peer;
        EDDY_CHECK(peer->present && peer->verified);
        EDDY_CHECK_STR(peer->subject, "CN=alice");
        EDDY_CHECK_STR(peer->issuer, "CN=clients.pem");
        EDDY_CHECK_STR(peer->names, "email:alice@example.test");
        EDDY_CHECK_STR(peer->pin, cert_pin("alice.pem", pin));
        EDDY_CHECK_EQ(strlen(peer->fingerprint), 64);
        int64_t now_s = eddy_wall_ns() / 1000000000;
        EDDY_CHECK(peer->not_before_s < now_s && peer->not_before_s > now_s - 2 * 86400);
        EDDY_CHECK(peer->not_after_s > now_s + 99 * 86400 &&
                   peer->not_after_s < now_s + 101 * 86400);
        peer = &s.info[0].peer;
        EDDY_CHECK(peer->present && peer->verified);
        EDDY_CHECK_STR(peer->names, "DNS:good.test");
        secured_drop(&s);
    }
}

EDDY_TEST(who_shows_none_is_refused_unless_that_is_optional)
{
    static const struct {
        const char *cert;
        bool optional, tls12;
        int want;
        const char *client_text, *server_text;
    } cases[] = {
        { NULL, false, false, -EDDY_ETLS, "wants a certificate", "showed no certificate" },
        { NULL, false, true, -EDDY_ETLS, "wants a .cert_file", "showed no certificate" },
        { NULL, true, false, 0, "", "" },
        { "mallory.pem", false, false, -EDDY_ECERT, "know who signed our .cert_file",
          "\"root.pem\" is not trusted" },
        { "mallory.pem", true, false, -EDDY_ECERT, "know who signed our .cert_file",
          "\"root.pem\" is not trusted" },
        { "mallory.pem", true, true, -EDDY_ECERT, "know who signed our .cert_file",
          ".client_ca_file" },
        { "alice.pem", true, true, 0, "", "" },
    };

    make_certificates();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_tls)
        server = server_of(EDDY_OPT(tls_server, .cert_file = "good.pem",
                                    .client_ca_file = "clients.pem",
                                    .client_optional = cases[i].optional));
        EDDY_OWN(eddy_tls)
        client = client_of(
            EDDY_OPT(tls_client, .ca_file = "root.pem", .cert_file = cases[i].cert,
                     .max_version = cases[i].tls12 ? EDDY_TLS_1_2 : EDDY_TLS_DEFAULT));
        struct secured s;
        if (!secured_meet(client, server, "good.test", true, &s))
            return;
        bool ok = EDDY_CHECK_ERR(s.r[1], cases[i].want) &&
                  EDDY_CHECK_ERR(s.r[0], cases[i].want ? -EDDY_ETLS : 0) &&
                  EDDY_CHECK(strstr(s.err[0].text, cases[i].client_text)) &&
                  EDDY_CHECK(strstr(s.err[1].text, cases[i].server_text)) &&
                  EDDY_CHECK_EQ(s.info[1].peer.present, s.r[1] == 0 && cases[i].cert);
        if (!ok)
            EDDY_CHECK_FAIL("case %zu: %s; %s", i, s.err[0].text, s.err[1].text);
        secured_drop(&s);
    }
}

EDDY_TEST(a_pin_decides_whom_to_believe)
{
    char good[45], other[45], root[45], both[100];

    make_certificates();
    cert_pin("good.pem", good);
    cert_pin("other.pem", other);
    cert_pin("root.pem", root);
    snprintf(both, sizeof both, "%s,%s", other, good);
    const struct {
        const char *pins, *ca, *host;
        bool insecure;
        int want;
    } cases[] = {
        { good, "root.pem", "good.test", false, 0 },
        { both, "root.pem", "good.test", false, 0 },
        { root, "root.pem", "good.test", false, 0 }, /* anywhere in the chain */
        { other, "root.pem", "good.test", false, -EDDY_ECERT },
        { good, "root.pem", "else.test", false, -EDDY_ECERT }, /* besides, not instead */
        { good, NULL, "good.test", false, -EDDY_ECERT },
        { good, NULL, "else.test", true, 0 },
        { other, NULL, "good.test", true, -EDDY_ECERT },
        { root, "root.pem", "good.test", true, -EDDY_ECERT }, /* unverified: the peer's own only */
    };
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "good.pem"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_tls)
        client = client_of(EDDY_OPT(tls_client, .ca_file = cases[i].ca, .pins = cases[i].pins,
                                    .insecure = cases[i].insecure));
        struct secured s;
        if (!secured_meet(client, server, cases[i].host, false, &s))
            return;
        bool ok = EDDY_CHECK_ERR(s.r[0], cases[i].want);
        if (strstr(s.err[0].text, ".pins"))
            ok = EDDY_CHECK(strstr(s.err[0].text, good)) && ok; /* what it would have to be */
        if (ok && s.r[0] == 0)
            ok = EDDY_CHECK_EQ(s.info[0].peer.verified, !cases[i].insecure);
        if (!ok)
            EDDY_CHECK_FAIL("case %zu: %s", i, s.err[0].text);
        secured_drop(&s);
    }
}

EDDY_TEST(versions_that_do_not_meet_are_told)
{
    static const struct {
        enum eddy_tls_version server_min, server_max, client_min, client_max;
        const char *want; /* NULL: they do not meet */
    } cases[] = {
        { 0, 0, 0, 0, "TLSv1.3" },
        { 0, EDDY_TLS_1_2, 0, 0, "TLSv1.2" },
        { EDDY_TLS_1_3, 0, 0, EDDY_TLS_1_2, NULL },
        { 0, EDDY_TLS_1_2, EDDY_TLS_1_3, 0, NULL },
        { EDDY_TLS_1_2, EDDY_TLS_1_3, EDDY_TLS_1_2, EDDY_TLS_1_2, "TLSv1.2" },
    };

    make_certificates();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_tls)
        server = server_of(EDDY_OPT(tls_server, .cert_file = "good.pem",
                                    .min_version = cases[i].server_min,
                                    .max_version = cases[i].server_max));
        EDDY_OWN(eddy_tls)
        client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem",
                                    .min_version = cases[i].client_min,
                                    .max_version = cases[i].client_max));
        struct secured s;
        if (!secured_meet(client, server, "good.test", false, &s))
            return;
        bool ok = cases[i].want
                      ? EDDY_CHECK_EQ(s.r[0], 0) && EDDY_CHECK_EQ(s.r[1], 0) &&
                            EDDY_CHECK_STR(s.info[0].version, cases[i].want)
                      : EDDY_CHECK_ERR(s.r[0], -EDDY_ETLS) && EDDY_CHECK_ERR(s.r[1], -EDDY_ETLS) &&
                            EDDY_CHECK(strstr(s.err[0].text, "version")) &&
                            EDDY_CHECK(strstr(s.err[1].text, "version"));
        if (!ok)
            EDDY_CHECK_FAIL("case %zu: %s; %s", i, s.err[0].text, s.err[1].text);
        secured_drop(&s);
    }
}

EDDY_TEST(protocols_that_do_not_meet_are_told)
{
    static const struct {
        const char *server, *client, *want; /* NULL: they do not meet */
    } cases[] = {
        { "h2,http/1.1", "http/1.1,h2", "h2" },
        { "http/1.1", "h2,http/1.1", "http/1.1" },
        { "http/1.1", "h2", NULL },
        { "http/1.1", NULL, "" },
        { NULL, "h2", "" },
    };

    make_certificates();
    for (int version = EDDY_TLS_1_2; version <= EDDY_TLS_1_3; version++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            EDDY_OWN(eddy_tls)
            server = server_of(
                EDDY_OPT(tls_server, .cert_file = "good.pem", .alpn = cases[i].server));
            EDDY_OWN(eddy_tls)
            client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem", .alpn = cases[i].client,
                                        .max_version = (enum eddy_tls_version)version));
            struct secured s;
            if (!secured_meet(client, server, "good.test", false, &s))
                return;
            bool ok = cases[i].want ? EDDY_CHECK_EQ(s.r[0], 0) && EDDY_CHECK_EQ(s.r[1], 0) &&
                                          EDDY_CHECK_STR(s.info[0].alpn, cases[i].want) &&
                                          EDDY_CHECK_STR(s.info[1].alpn, cases[i].want)
                                    : EDDY_CHECK_ERR(s.r[0], -EDDY_ETLS) &&
                                          EDDY_CHECK_ERR(s.r[1], -EDDY_ETLS) &&
                                          EDDY_CHECK(strstr(s.err[0].text, "none of our .alpn")) &&
                                          EDDY_CHECK(strstr(s.err[1].text, "none of our .alpn"));
            if (!ok)
                EDDY_CHECK_FAIL("case %zu: %s; %s", i, s.err[0].text, s.err[1].text);
            secured_drop(&s);
        }
}

static const char *shown(struct eddy_tls *server, struct eddy_tls *client, char buf[64])
{
    struct secured s;

    buf[0] = '\0';
    if (!secured_meet(client, server, "good.test", false, &s))
        return buf;
    snprintf(buf, 64, "%.60s", s.info[0].peer.subject);
    secured_drop(&s);
    return buf;
}

EDDY_TEST(a_reload_is_all_or_nothing)
{
    static const struct eddy_tls_cert more[] = { { .cert_file = "second.pem" } };
    struct eddy_error err = { 0 };
    struct eddy_tls_stats stats;
    struct secured live;
    char text[64];

    make_certificates();
    EDDY_CHECK(cert_write(
        &(struct cert){ "first.pem", "DNS:good.test", "before", "root.pem", .from = -1, .to = 9 }));
    EDDY_CHECK(cert_make("second.pem", "DNS:second.test", "root.pem", -1, 9));
    EDDY_OWN(eddy_tls)
    server = server_of(
        EDDY_OPT(tls_server, .cert_file = "first.pem", .certs = more, .cert_count = 1));
    EDDY_OWN(eddy_tls)
    client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem", .no_resumption = true));
    if (!secured_begin(client, server, "good.test", false, &live)) /* it is shaking hands yet */
        return;
    EDDY_CHECK_STR(shown(server, client, text), "CN=before");

    EDDY_CHECK(cert_write(
        &(struct cert){ "first.pem", "DNS:good.test", "after", "root.pem", .from = -1, .to = 9 }));
    EDDY_CHECK_EQ(truncate("second.pem", 100), 0);
    EDDY_CHECK_ERR(eddy_tls_server_reload(server, &err), -EDDY_ETLS);
    EDDY_CHECK(strstr(err.text, "second.pem"));
    EDDY_CHECK_STR(shown(server, client, text), "CN=before");

    EDDY_CHECK(cert_make("second.pem", "DNS:second.test", "root.pem", -1, 9));
    EDDY_CHECK_EQ(eddy_tls_server_reload(server, &err), 0);
    EDDY_CHECK_STR(shown(server, client, text), "CN=after");
    eddy_tls_stats(server, &stats);
    EDDY_CHECK_EQ(stats.reloads, 1);

    EDDY_CHECK_EQ(eddy_tls_handshake(live.t[0], NULL), 0);
    EDDY_CHECK_EQ(eddy_transport_info(live.t[0], EDDY_INFO_TLS, &live.info[0]), 0);
    EDDY_CHECK_STR(live.info[0].peer.subject, "CN=before");
    secured_drop(&live);
    EDDY_CHECK_ERR(eddy_tls_server_reload(client, &err), -EINVAL);
}

EDDY_TEST(counters_tell_of_handshakes)
{
    struct eddy_tls_stats stats;
    struct secured s;

    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "good.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem"));
    for (int i = 0; i < 3; i++) {
        if (!secured_meet(client, server, i == 1 ? "else.test" : "good.test", true, &s))
            return;
        secured_drop(&s);
    }
    eddy_tls_stats(server, &stats);
    EDDY_CHECK_EQ(stats.handshakes, 2);
    EDDY_CHECK_EQ(stats.resumed, 1);
    EDDY_CHECK_EQ(stats.failed, 1);
    eddy_tls_stats(client, &stats);
    EDDY_CHECK_EQ(stats.handshakes, 2);
    EDDY_CHECK_EQ(stats.failed, 1);
}
