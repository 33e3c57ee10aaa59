/*
 * Failures: each says what is wrong and what to mend, for files, certificates, alerts, strangers.
 *
 * backends: select poll epoll uring sim
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/stream.h>
#include <eddy/task.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool write_file(const char *file, const char *text)
{
    FILE *out = fopen(file, "w");

    return out && fputs(text, out) >= 0 && fclose(out) == 0;
}

/* A certificate alone, without its key. */
static bool cert_only(const char *to, const char *from)
{
    char command[128];

    snprintf(command, sizeof command, "sed -n '/BEGIN CERT/,$p' %s > %s", from, to);
    return system(command) == 0;
}

static void make_certificates(void)
{
    static bool made;

    if (made)
        return;
    made = EDDY_CHECK(cert_make("root.pem", "DNS:root.test", NULL, -9, 100)) &&
           EDDY_CHECK(cert_make("good.pem", "DNS:good.test,DNS:www.good.test,IP:10.0.0.1",
                                "root.pem", -9, 100)) &&
           EDDY_CHECK(cert_make("expired.pem", "DNS:good.test", "root.pem", -9, -3)) &&
           EDDY_CHECK(cert_make("future.pem", "DNS:good.test", "root.pem", 5, 100)) &&
           EDDY_CHECK(cert_make("alone.pem", "DNS:good.test", NULL, -1, 100)) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "nameless.pem",
                                                 .cn = "old.test",
                                                 .issuer = "root.pem",
                                                 .from = -1,
                                                 .to = 9 })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "client.pem",
                                                 .names = "DNS:good.test",
                                                 .issuer = "root.pem",
                                                 .usage = "clientAuth",
                                                 .from = -1,
                                                 .to = 9 })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "middle.pem",
                                                 .cn = "Middle CA",
                                                 .issuer = "root.pem",
                                                 .from = -1,
                                                 .to = 9,
                                                 .ca = true })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "gap.pem",
                                                 .names = "DNS:good.test",
                                                 .issuer = "middle.pem",
                                                 .from = -1,
                                                 .to = 9 })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "whole.pem",
                                                 .names = "DNS:good.test",
                                                 .issuer = "middle.pem",
                                                 .from = -1,
                                                 .to = 9,
                                                 .chain = true })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "stranger.pem",
                                                 .names = "DNS:good.test",
                                                 .issuer = "alone.pem",
                                                 .from = -1,
                                                 .to = 9,
                                                 .chain = true })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "rsa.pem",
                                                 .names = "DNS:good.test",
                                                 .from = -1,
                                                 .to = 9,
                                                 .rsa_bits = 2048 })) &&
           EDDY_CHECK(cert_write(&(struct cert){ .file = "short.pem",
                                                 .names = "DNS:good.test",
                                                 .from = -1,
                                                 .to = 9,
                                                 .rsa_bits = 1024 })) &&
           EDDY_CHECK(cert_only("bare.pem", "good.pem")) &&
           EDDY_CHECK(cert_key_only("locked.key", "good.pem", "secret")) &&
           EDDY_CHECK(write_file("empty.pem", "")) &&
           EDDY_CHECK(write_file("noise.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                              "-----END CERTIFICATE-----\n")) &&
           EDDY_CHECK(write_file("secret.pem", "") && chmod("secret.pem", 0) == 0);
}

EDDY_TEST(every_failure_says_what_to_mend)
{
    static const struct {
        const char *cert, *host, *ca, *client_text, *server_text;
    } cases[] = {
        { "good.pem", "good.test", "root.pem", "", "" },
        { "whole.pem", "good.test", "root.pem", "", "" },
        { "expired.pem", "good.test", "root.pem", ", 3 days ago: renew it",
          "our certificate has expired" },
        { "future.pem", "good.test", "root.pem", ", in 5 days only: is this clock right?", "" },
        { "good.pem", "wrong.test", "root.pem",
          "wanted wrong.test, the certificate has good.test, www.good.test, IP Address:10.0.0.1",
          "it finds fault with our certificate" },
        { "good.pem", "10.0.0.2", "root.pem", "wanted 10.0.0.2, the certificate has good.test",
          "" },
        { "nameless.pem", "good.test", "root.pem",
          "of good.test has no host names (subjectAltName)", "" },
        { "alone.pem", "good.test", "root.pem", "is self-signed: to trust it, name it as .ca_file",
          "it does not trust who signed our certificate" },
        { "good.pem", "good.test", "alone.pem", "the issuer \"root.pem\" is not trusted", "" },
        { "stranger.pem", "good.test", "root.pem", "the issuer \"alone.pem\" is not trusted", "" },
        { "gap.pem", "good.test", "root.pem",
          "\"Middle CA\" is not trusted: name its root as "
          ".ca_file, or send what is between",
          "" },
        { "good.pem", "good.test", NULL, "the issuer \"root.pem\" is not trusted", "" },
        { "client.pem", "good.test", "root.pem", "not meant for a server (extendedKeyUsage)", "" },
    };

    make_certificates();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = cases[i].cert));
        EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = cases[i].ca));
        struct secured s;
        if (!secured_meet(client, server, cases[i].host, true, &s))
            return;
        int want = *cases[i].client_text ? -EDDY_ECERT : 0;
        bool ok = EDDY_CHECK_ERR(s.r[0], want) && EDDY_CHECK_ERR(s.r[1], want ? -EDDY_ETLS : 0) &&
                  EDDY_CHECK(strstr(s.err[0].text, cases[i].client_text)) &&
                  EDDY_CHECK(strstr(s.err[1].text, cases[i].server_text)) &&
                  EDDY_CHECK(strlen(s.err[0].text) < sizeof s.err[0].text - 1 || i == 4);
        if (!ok)
            EDDY_CHECK_FAIL("case %zu: %s; %s", i, s.err[0].text, s.err[1].text);
        secured_drop(&s);
    }
}

EDDY_TEST(a_file_that_cannot_be_used_is_named)
{
    static const struct {
        const char *cert, *key, *client_ca, *text;
        int want;
    } cases[] = {
        { "good.pem", NULL, NULL, "", 0 },
        { "missing.pem", NULL, NULL, "missing.pem cannot be used as our certificate", -ENOENT },
        { "good.pem", "missing.pem", NULL, "missing.pem cannot be used as the key", -ENOENT },
        { "good.pem", "expired.pem", NULL,
          "the key in expired.pem is not that of the certificate in good.pem", -EDDY_ETLS },
        { "good.pem", "rsa.pem", NULL,
          "the key in rsa.pem is of another kind than the certificate in good.pem", -EDDY_ETLS },
        { "good.pem", "locked.key", NULL, "locked.key has a passphrase: take it off", -EDDY_ETLS },
        { "bare.pem", NULL, NULL, "bare.pem cannot be used as the key of our certificate",
          -EDDY_ETLS },
        { "empty.pem", NULL, NULL, "it holds none in PEM form", -EDDY_ETLS },
        { "noise.pem", NULL, NULL, "noise.pem cannot be used as our certificate", -EDDY_ETLS },
        { ".", NULL, NULL, ". cannot be used as our certificate", -EDDY_ETLS },
        { "short.pem", NULL, NULL, "its key is too short", -EDDY_ETLS },
        { "good.pem", NULL, "missing.pem", "missing.pem", -ENOENT },
        { "good.pem", NULL, "empty.pem", "empty.pem", -EDDY_ETLS },
    };

    make_certificates();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_tls *tls = NULL;
        struct eddy_error err = { 0 };
        int r = eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = cases[i].cert,
                                             .key_file = cases[i].key,
                                             .client_ca_file = cases[i].client_ca),
                                    &tls, &err);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK(strstr(err.text, cases[i].text)))
            EDDY_CHECK_FAIL("case %zu: %s", i, err.text);
        if (r == 0)
            eddy_tls_free(tls);
    }
}

EDDY_TEST(a_file_that_may_not_be_read_is_eacces)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };
    bool root = geteuid() == 0; /* whom nothing is forbidden */

    make_certificates();
    EDDY_CHECK(!root || seteuid(65534) == 0);
    int server = eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = "secret.pem"), &tls, &err);
    int client = eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = "secret.pem"), &tls, NULL);
    EDDY_CHECK(!root || seteuid(0) == 0);
    EDDY_CHECK_ERR(server, -EACCES);
    EDDY_CHECK_ERR(client, -EACCES);
    EDDY_CHECK(strstr(err.text, "secret.pem"));
}

EDDY_TEST(options_that_make_no_sense_are_refused)
{
    static const struct eddy_tls_cert unnamed[] = { { .key_file = "good.pem" } };
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };

    make_certificates();
    const struct eddy_tls_client_options *clients[] = {
        EDDY_OPT(tls_client, .alpn = "a,,b"),
        EDDY_OPT(tls_client, .pins = ""),
        EDDY_OPT(tls_client, .pins = "AAAA"),
        EDDY_OPT(tls_client, .pins = "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!="),
        EDDY_OPT(tls_client, .pins = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"),
        EDDY_OPT(tls_client, .min_version = 0x0301),
        EDDY_OPT(tls_client, .min_version = EDDY_TLS_1_3, .max_version = EDDY_TLS_1_2),
    };
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (!EDDY_CHECK_ERR(eddy_tls_client_new(clients[i], &tls, &err), -EINVAL))
            EDDY_CHECK_FAIL("client %zu: %s", i, err.text);
    const struct eddy_tls_server_options *servers[] = {
        NULL,
        EDDY_OPT(tls_server, .key_file = "good.pem"),
        EDDY_OPT(tls_server, .certs = unnamed, .cert_count = 1),
        EDDY_OPT(tls_server, .cert_file = "good.pem", .ticket_key_ms = -1),
        EDDY_OPT(tls_server, .cert_file = "good.pem", .max_version = 0x0305),
    };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (!EDDY_CHECK_ERR(eddy_tls_server_new(servers[i], &tls, &err), -EINVAL))
            EDDY_CHECK_FAIL("server %zu: %s", i, err.text);
}

/* What a handshake says when the peer's whole answer is @bytes. */
static int hear(struct eddy_tls *tls, const char *host, const void *bytes, size_t len, bool end,
                struct eddy_error *err)
{
    struct eddy_transport *t[2], *over;
    EDDY_OWN(eddy_stream) plain = NULL;
    static const struct eddy_protocol nobody = { .size = sizeof(struct eddy_protocol) };

    if (!sockets(t) || !EDDY_CHECK_EQ(eddy_tls_wrap(tls, t[0], host, &over), 0))
        return -EBADMSG;
    EDDY_CHECK_EQ(eddy_stream_of(t[1], &plain), 0);
    EDDY_CHECK_EQ(eddy_write(plain, bytes, len), 0);
    if (end)
        EDDY_CHECK_EQ(eddy_stream_finish(plain), 0);
    int r = eddy_tls_handshake(over, err);
    eddy_transport_use(over, &nobody, NULL);
    eddy_transport_close(over, 0);
    return r;
}

EDDY_TEST(an_alert_is_told_with_its_meaning)
{
    /* What a server makes of them is in every_failure_says_what_to_mend: it takes none at once. */
    static const struct {
        unsigned char alert;
        const char *text;
    } cases[] = {
        { 40, "no cipher in common, or it wants a .cert_file" },
        { 42, "it finds fault with our certificate" },
        { 43, "of a kind it does not take" },
        { 44, "our certificate was revoked" },
        { 45, "our certificate has expired: renew it" },
        { 46, "does not accept our certificate" },
        { 48, "does not know who signed our .cert_file" },
        { 70, "no version of TLS in common" },
        { 71, "asks for stronger ciphers" },
        { 80, "(alert \"internal error\")" },
        { 112, "it knows no host of that name" },
        { 116, "it wants a certificate of ours: .cert_file" },
        { 120, "it speaks none of our .alpn" },
    };

    make_certificates();
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char record[] = { 21, 3, 3, 0, 2, 2, cases[i].alert };
        struct eddy_error err = { 0 };
        int r = hear(client, "good.test", record, sizeof record, false, &err);
        if (!EDDY_CHECK_ERR(r, -EDDY_ETLS) || !EDDY_CHECK(strstr(err.text, cases[i].text)) ||
            !EDDY_CHECK(strncmp(err.text, "good.test refused us", 20) == 0))
            EDDY_CHECK_FAIL("alert %u: %s", cases[i].alert, err.text);
    }
}

EDDY_TEST(who_speaks_no_tls_is_told_apart)
{
    static const struct {
        const char *bytes;
        bool server, end;
        const char *text;
        int want;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false, "speaks plain HTTP", -EDDY_ETLS },
        { "CONNECT a:443 HTTP/1.1\r\n\r\n", true, false, "speaks plain HTTP", -EDDY_ETLS },
        { "SSH-2.0-OpenSSH_9.2\r\n", true, false, "is this the right port?", -EDDY_ETLS },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", false, false, "is this the right port?", -EDDY_ETLS },
        { "220 mail.test ESMTP\r\n", false, false, "is this the right port?", -EDDY_ETLS },
        { "", false, true, "ended the connection without a handshake", -EDDY_EEOF },
        { "", true, true, "the client ended the connection without a handshake", -EDDY_EEOF },
    };

    make_certificates();
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem"));
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "good.pem"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_error err = { 0 };
        int r = hear(cases[i].server ? server : client, cases[i].server ? NULL : "good.test",
                     cases[i].bytes, strlen(cases[i].bytes), cases[i].end, &err);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK(strstr(err.text, cases[i].text)))
            EDDY_CHECK_FAIL("case %zu: %s", i, err.text);
    }
}
