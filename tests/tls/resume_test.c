/*
 * Coming back: sessions kept by clients, tickets sealed by servers.
 *
 * backends: select poll epoll uring sim
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <stdio.h>
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
           EDDY_CHECK(cert_make("clients.pem", "DNS:clients.test", NULL, -1, 100)) &&
           EDDY_CHECK(cert_make("alice.pem", "DNS:alice.test", "clients.pem", -1, 100)) &&
           EDDY_CHECK(cert_make("many.pem", "DNS:a.test,DNS:b.test,DNS:c.test", "root.pem", -1, 9));
}

/* One connection: whether it was a resumed one, by both ends' word. -1: a check has failed. */
static int meet(struct eddy_tls *client, struct eddy_tls *server, const char *host, bool talk)
{
    struct secured s;

    if (!secured_meet(client, server, host, talk, &s))
        return -1;
    bool ok = EDDY_CHECK_EQ(s.r[0], 0) && EDDY_CHECK_EQ(s.r[1], 0) &&
              EDDY_CHECK_EQ(s.info[0].resumed, s.info[1].resumed) &&
              EDDY_CHECK(s.info[0].peer.present && s.info[0].peer.verified);
    if (!ok)
        EDDY_CHECK_FAIL("%s; %s", s.err[0].text, s.err[1].text);
    secured_drop(&s);
    return ok ? s.info[0].resumed : -1;
}

EDDY_TEST(a_second_connection_resumes)
{
    static const struct {
        enum eddy_tls_version max;
        bool client_off, server_off;
        int want;
    } cases[] = {
        { EDDY_TLS_1_2, false, false, 1 }, { EDDY_TLS_1_3, false, false, 1 },
        { EDDY_TLS_1_2, true, false, 0 },  { EDDY_TLS_1_3, true, false, 0 },
        { EDDY_TLS_1_2, false, true, 0 },  { EDDY_TLS_1_3, false, true, 0 },
    };

    make_certificates();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_tls)
        server = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem",
                                    .max_version = cases[i].max,
                                    .no_resumption = cases[i].server_off));
        EDDY_OWN(eddy_tls)
        client = client_of(
            EDDY_OPT(tls_client, .ca_file = "root.pem", .no_resumption = cases[i].client_off));
        bool ok = EDDY_CHECK_EQ(meet(client, server, "a.test", true), 0);
        for (int again = 0; again < 3; again++)
            ok = EDDY_CHECK_EQ(meet(client, server, "a.test", true), cases[i].want) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("case %zu", i);
    }
}

EDDY_TEST(sessions_are_of_one_name)
{
    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem"));

    EDDY_CHECK_EQ(meet(client, server, "a.test", true), 0);
    EDDY_CHECK_EQ(meet(client, server, "b.test", true), 0);
    EDDY_CHECK_EQ(meet(client, server, "b.test", true), 1);
    EDDY_CHECK_EQ(meet(client, server, "a.test", true), 1);
}

EDDY_TEST(a_ticket_is_used_once)
{
    make_certificates();
    for (int tls12 = 0; tls12 < 2; tls12++) {
        EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem"));
        EDDY_OWN(eddy_tls)
        client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem",
                                    .max_version = tls12 ? EDDY_TLS_1_2 : EDDY_TLS_DEFAULT));
        EDDY_CHECK_EQ(meet(client, server, "a.test", true), 0); /* two tickets are handed out */
        /* Who does not read is given no more. */
        EDDY_CHECK_EQ(meet(client, server, "a.test", false), 1);
        EDDY_CHECK_EQ(meet(client, server, "a.test", false), 1);
        EDDY_CHECK_EQ(meet(client, server, "a.test", false), tls12);
    }
}

EDDY_TEST(no_more_sessions_are_kept_than_asked_for)
{
    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem"));
    EDDY_OWN(eddy_tls)
    client = client_of(
        EDDY_OPT(tls_client, .ca_file = "root.pem", .sessions = 2, .max_version = EDDY_TLS_1_2));

    EDDY_CHECK_EQ(meet(client, server, "a.test", true), 0);
    EDDY_CHECK_EQ(meet(client, server, "b.test", true), 0);
    EDDY_CHECK_EQ(meet(client, server, "c.test", true), 0);
    EDDY_CHECK_EQ(meet(client, server, "b.test", true), 1);
    EDDY_CHECK_EQ(meet(client, server, "c.test", true), 1);
    EDDY_CHECK_EQ(meet(client, server, "a.test", true), 0); /* the oldest had gone */
}

EDDY_TEST(a_ticket_that_cannot_be_opened_costs_a_full_handshake)
{
    make_certificates();
    for (int tls12 = 0; tls12 < 2; tls12++) {
        EDDY_OWN(eddy_tls) one = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem"));
        EDDY_OWN(eddy_tls) two = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem"));
        EDDY_OWN(eddy_tls)
        client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem",
                                    .max_version = tls12 ? EDDY_TLS_1_2 : EDDY_TLS_DEFAULT));
        EDDY_CHECK_EQ(meet(client, one, "a.test", true), 0);
        EDDY_CHECK_EQ(meet(client, two, "a.test", true), 0);
        EDDY_CHECK_EQ(meet(client, two, "a.test", true), 1);
    }
}

EDDY_TEST(tickets_outlive_a_reload_but_not_their_judges)
{
    make_certificates();
    EDDY_CHECK(cert_make("judge.pem", "DNS:judge.test", NULL, -1, 9));
    EDDY_CHECK_EQ(rename("clients.pem", "judges.pem"), 0);
    EDDY_OWN(eddy_tls)
    server = server_of(EDDY_OPT(tls_server, .cert_file = "many.pem", .client_ca_file = "judges.pem",
                                .client_optional = true));
    EDDY_OWN(eddy_tls)
    client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem", .cert_file = "alice.pem",
                                .max_version = EDDY_TLS_1_2));
    EDDY_CHECK_EQ(meet(client, server, "a.test", true), 0);
    EDDY_CHECK_EQ(eddy_tls_server_reload(server, NULL), 0);
    EDDY_CHECK_EQ(meet(client, server, "a.test", true), 1);

    /* Nobody vouches for alice any more: what was judged before is judged again. */
    EDDY_CHECK_EQ(rename("judges.pem", "clients.pem"), 0);
    EDDY_CHECK_EQ(rename("judge.pem", "judges.pem"), 0);
    EDDY_CHECK_EQ(eddy_tls_server_reload(server, NULL), 0);
    struct secured s;
    if (!secured_meet(client, server, "a.test", true, &s))
        return;
    EDDY_CHECK_ERR(s.r[1], -EDDY_ECERT);
    secured_drop(&s);
}
