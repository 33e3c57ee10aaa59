/*
 * TLS in one call, and on streams that have spoken plain text.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/memory.h"
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

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

    if (!made)
        made = EDDY_CHECK(
            cert_make("us.pem", "DNS:localhost,DNS:us.test,IP:127.0.0.1", NULL, -1, 9));
}

/* --- a server that accepts and echoes -------------------------------------------------------- */

struct echo_args {
    struct eddy_stream *s;
};

static int echo(struct echo_args *a)
{
    EDDY_OWN(eddy_stream) s = a->s;
    char buf[256];
    ssize_t n;

    while ((n = eddy_read(s, buf, sizeof buf)) > 0) {
        int r = eddy_write(s, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return n < 0 ? (int)n : eddy_stream_finish(s);
}
EDDY_TASK(echo);

struct stare_args {
    struct eddy_stream *s;
};

static int stare(struct stare_args *a)
{
    EDDY_OWN(eddy_stream) s = a->s;

    return eddy_sleep(60000);
}
EDDY_TASK(stare);

struct serve_args {
    struct eddy_listener *door;
    struct eddy_tls *tls; /* NULL: takes connections and says nothing */
};

static int serve(struct serve_args *a)
{
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        EDDY_OWN(eddy_stream) s = NULL;
        int r = a->tls ? eddy_tls_accept(a->tls, a->door, &s) : eddy_accept(a->door, &s);
        if (r < 0)
            return r;
        if (a->tls ? EDDY_GO(&peers, echo, .s = s) == 0 : EDDY_GO(&peers, stare, .s = s) == 0)
            eddy_disown(&s);
    }
}
EDDY_TASK(serve);

static bool open_door(const char *host, struct eddy_listener **ret_door, char *address, size_t cap)
{
    struct eddy_address at;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, ret_door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(*ret_door, &at), 0))
        return false;
    snprintf(address, cap, "%s:%u", host, eddy_address_port(&at));
    return true;
}

static int say_and_hear(struct eddy_stream *s, const char *text)
{
    char buf[64] = "";
    int r = eddy_write_text(s, text);

    if (r == 0)
        r = eddy_read_exactly(s, buf, strlen(text));
    return r < 0 ? r : strcmp(buf, text) == 0 ? 0 : -EBADMSG;
}

EDDY_TEST(a_name_becomes_a_secured_stream)
{
    EDDY_OWN(eddy_listener) door = NULL;
    /* The simulator has its own names. */
    const char *host = strcmp(eddy_check_backend(), "sim") == 0 ? "127.0.0.1" : "localhost";
    char address[64];

    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!open_door(host, &door, address, sizeof address))
        return;
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, serve, .door = door, .tls = server);
    for (int named = 0; named < 2; named++) {
        EDDY_OWN(eddy_stream) s = NULL;
        struct eddy_tls_info info = { 0 };
        struct eddy_error err = { 0 };
        char byte;
        int r = eddy_tls_connect(
            client, address,
            EDDY_OPT(tls_connect, .server_name = named ? "us.test." : NULL, .error = &err), &s);
        if (!EDDY_CHECK_EQ(r, 0)) {
            EDDY_CHECK_FAIL("%s", err.text);
            return;
        }
        EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_TLS, &info), 0);
        EDDY_CHECK(info.peer.verified);
        EDDY_CHECK_STR(info.server_name, named ? "us.test" : host[0] == 'l' ? "localhost" : "");
        EDDY_CHECK_EQ(say_and_hear(s, "hello"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(s), 0); /* close-notify both ways */
        EDDY_CHECK_EQ(eddy_read(s, &byte, 1), 0);
    }
}

struct greet_args {
    struct eddy_listener *door;
    struct eddy_tls *tls;
    struct eddy_error *why;
};

/* Tells one client who it is, or remembers why it could not. */
static int greet(struct greet_args *a)
{
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_address peer = { .len = 0 };
    char text[EDDY_ADDRESS_TEXT];

    int r = eddy_tls_accept(a->tls, a->door, &s);
    if (r == 0)
        r = eddy_stream_peer(s, &peer);
    if (r == 0)
        r = eddy_write_text(s, eddy_address_format(&peer, text, sizeof text));
    if (r == 0)
        r = eddy_stream_finish(s);
    if (r < 0 && s)
        EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_FAILURE, a->why), 0);
    return r;
}
EDDY_TASK(greet);

EDDY_TEST(the_connection_below_is_as_asked)
{
    struct eddy_proxy header = { .version = 2 };
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT], told[EDDY_ADDRESS_TEXT] = "";

    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    EDDY_CHECK_EQ(eddy_address_parse("203.0.113.9:1234", 0, &header.source, NULL), 0);
    EDDY_CHECK_EQ(eddy_address_parse("192.0.2.1:443", 0, &header.destination, NULL), 0);
    if (!EDDY_CHECK_EQ(
            eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED), &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0))
        return;
    EDDY_SCOPE(tasks, .timeout_ms = 10000);
    EDDY_GO(&tasks, greet, .door = door, .tls = server, .why = &err);
    int r = eddy_tls_connect(
        client, eddy_address_format(&at, text, sizeof text),
        EDDY_OPT(tls_connect, .connect = EDDY_OPT(connect, .proxy_header = &header), .error = &err),
        &s);
    if (!EDDY_CHECK_EQ(r, 0)) {
        EDDY_CHECK_FAIL("%s", err.text);
        return;
    }
    EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_FAILURE, &err), -ENOENT);
    EDDY_CHECK_EQ(eddy_read_exactly(s, told, strlen("203.0.113.9:1234")), 0);
    EDDY_CHECK_STR(told, "203.0.113.9:1234");
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    /* What is the whole job's is not taken from there; what cannot be had is told. */
    EDDY_OWN(eddy_stream) none = NULL;
    EDDY_CHECK_ERR(
        eddy_tls_connect(client, text,
                         EDDY_OPT(tls_connect, .error = &err,
                                  .connect = EDDY_OPT(connect, .timeout_ms = 1, .source = "here")),
                         &none),
        -EINVAL);
    EDDY_CHECK(strstr(err.text, "here") != NULL);
}

EDDY_TEST(why_a_stream_failed_is_told_as_a_text)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 }, ours = { 0 }, theirs = { 0 };
    char address[64], byte;

    make_certificates();
    EDDY_OWN(eddy_tls)
    server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem", .client_ca_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!open_door("127.0.0.1", &door, address, sizeof address))
        return;
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, greet, .door = door, .tls = server, .why = &theirs);
    /* In TLS 1.3 the client is done before it has been judged. */
    if (!EDDY_CHECK_EQ(eddy_tls_connect(client, address, EDDY_OPT(tls_connect, .error = &err), &s),
                       0))
        return;
    EDDY_CHECK_ERR(eddy_read(s, &byte, 1), -EDDY_ETLS);
    EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_FAILURE, &ours), 0);
    EDDY_CHECK_ERR(ours.code, -EDDY_ETLS);
    EDDY_CHECK(strstr(ours.text, "it wants a certificate of ours: .cert_file") != NULL);
    (void)eddy_join(&tasks);
    EDDY_CHECK(strstr(theirs.text, "it showed no certificate") != NULL);
    /* Other ends have a number that says all. */
    EDDY_CHECK_ERR(eddy_stream_info(s, EDDY_INFO_PEER, &byte), -EBADF);
    eddy_stream_close(s);
    EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_FAILURE, &ours), 0);
}

EDDY_TEST(one_deadline_is_over_all_of_it)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };
    char address[64];

    make_certificates();
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!open_door("127.0.0.1", &door, address, sizeof address))
        return;
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, serve,
            .door = door); /* it accepts, so only the handshake is left to wait for */
    EDDY_CHECK_ERR(eddy_tls_connect(client, address,
                                    EDDY_OPT(tls_connect, .timeout_ms = 30, .error = &err), &s),
                   -ETIMEDOUT);
    EDDY_CHECK(strstr(err.text, "in time") && strstr(err.text, address));
    {
        EDDY_SCOPE(ours, .timeout_ms = 30); /* the caller's own deadline */
        EDDY_CHECK_ERR(eddy_tls_connect(client, address, NULL, &s), -ETIMEDOUT);
    }
    {
        EDDY_SCOPE(outer, .timeout_ms = 30);
        EDDY_SCOPE(inner, .timeout_ms = 0);
        EDDY_CHECK_ERR(eddy_tls_connect(client, address,
                                        EDDY_OPT(tls_connect, .timeout_ms = -1, .error = &err), &s),
                       -ECANCELED);
        EDDY_CHECK(strstr(err.text, address));
        /* Over: it looks first. */
        EDDY_CHECK_ERR(eddy_tls_connect(client, address, NULL, &s), -ECANCELED);
        EDDY_CHECK_ERR(eddy_tls_accept(client, door, &s), -EINVAL);
    }
    EDDY_CHECK(!s);
}

EDDY_TEST(what_fails_leaves_nothing)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };
    char address[64], name[300];

    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!open_door("127.0.0.1", &door, address, sizeof address))
        return;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, serve, .door = door, .tls = server);
    struct {
        struct eddy_tls *tls;
        const char *address, *server_name, *text;
        int want;
    } cases[] = {
        { client, address, "else.test", "wanted else.test", -EDDY_ECERT },
        { NULL, address, NULL, "self-signed", -EDDY_ECERT }, /* the system's roots */
        { client, "unix:/nowhere.sock", NULL, ".server_name", -EINVAL },
        { client, "127.0.0.1:1", NULL, "cannot connect to 127.0.0.1:1", -ECONNREFUSED },
        { client, address, name, "names no host", -EINVAL },
        { client, address, "", "names no host", -EINVAL },
        { client, "127.0.0.1:notaport", NULL, "", -EINVAL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = eddy_tls_connect(
            cases[i].tls, cases[i].address,
            EDDY_OPT(tls_connect, .server_name = cases[i].server_name, .error = &err), &s);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK(strstr(err.text, cases[i].text)))
            EDDY_CHECK_FAIL("case %zu: %s", i, err.text);
    }
    EDDY_CHECK(!s);
}

EDDY_TEST(a_silent_client_does_not_hold_up_the_door)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) silent = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    char address[64];

    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!open_door("127.0.0.1", &door, address, sizeof address))
        return;
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, serve, .door = door, .tls = server);
    EDDY_CHECK_EQ(eddy_connect(address, NULL, &silent), 0);
    EDDY_CHECK_EQ(eddy_tls_connect(client, address, EDDY_OPT(tls_connect, .timeout_ms = 20000), &s),
                  0);
    if (s)
        EDDY_CHECK_EQ(say_and_hear(s, "hello"), 0);
}

/* --- STARTTLS -------------------------------------------------------------------------------- */

struct mail_args {
    struct eddy_stream *s;
    struct eddy_tls *tls;
    const char *behind; /* injected behind the agreement */
    int *r;
};

/* The server's part of RFC 3207. */
static int mail(struct mail_args *a)
{
    struct eddy_lines in = eddy_lines(a->s, NULL);
    char text[128];

    snprintf(text, sizeof text, "220 Go ahead\r\n%s", a->behind);
    while (eddy_lines_next(&in))
        if (eddy_slice_eq(in.line, EDDY_SLICE("STARTTLS")))
            break;
    eddy_lines_done(&in);
    int r = eddy_write_text(a->s, text);
    if (r == 0)
        r = eddy_starttls(a->s, a->tls, NULL, NULL);
    *a->r = r;
    return r < 0 ? eddy_stream_close(a->s) : eddy_write_text(a->s, "250 secured\r\n");
}
EDDY_TASK(mail);

struct wire {
    struct eddy_stream *client, *server;
};

static bool wire(bool pair, struct wire *ret)
{
    struct eddy_transport *t[2];

    if (pair)
        return EDDY_CHECK_EQ(eddy_stream_pair(&ret->client, &ret->server), 0);
    return sockets(t) && EDDY_CHECK_EQ(eddy_stream_of(t[0], &ret->client), 0) &&
           EDDY_CHECK_EQ(eddy_stream_of(t[1], &ret->server), 0);
}

static void cut(struct wire *w)
{
    eddy_stream_free(w->client);
    eddy_stream_free(w->server);
}

/* What the client gets that sends @hello, reads the answer's line, and starts TLS. */
static int start(struct wire *w, struct eddy_tls *client, struct eddy_tls *server,
                 const char *hello, const char *behind, int *ret_server, struct eddy_error *err)
{
    char line[64];
    EDDY_SCOPE(tasks, .timeout_ms = 0); /* who waits for one that gave up is told */

    EDDY_GO(&tasks, mail, .s = w->server, .tls = server, .behind = behind, .r = ret_server);
    int r = eddy_write_text(w->client, hello);
    if (r == 0 && eddy_read_until(w->client, EDDY_SLICE("\r\n"), line, sizeof line) < 0)
        r = -EBADMSG;
    if (r == 0)
        r = eddy_starttls(w->client, client, "us.test", err);
    if (r < 0) {
        (void)eddy_stream_close(w->client); /* as one should */
        (void)eddy_join(&tasks);
        return r;
    }
    r = eddy_read_until(w->client, EDDY_SLICE("\r\n"), line, sizeof line) == 13 ? 0 : -EBADMSG;
    return r == 0 && memcmp(line, "250 secured", 11) == 0 ? eddy_join(&tasks) : r;
}

EDDY_TEST(starttls_secures_the_same_stream)
{
    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));

    for (int pair = 0; pair < 2; pair++) {
        struct eddy_tls_info info;
        struct eddy_error err = { 0 };
        struct wire w;
        int r = -1;
        if (!wire(pair, &w))
            return;
        EDDY_CHECK_ERR(eddy_stream_info(w.client, EDDY_INFO_TLS, &info), -ENOENT);
        EDDY_CHECK_EQ(start(&w, client, server, "EHLO me\r\nSTARTTLS\r\n", "", &r, &err), 0);
        EDDY_CHECK_EQ(r, 0);
        EDDY_CHECK_EQ(eddy_stream_info(w.client, EDDY_INFO_TLS, &info), 0);
        EDDY_CHECK_STR(info.server_name, "us.test");
        cut(&w);
    }
}

EDDY_TEST(starttls_refuses_what_was_injected)
{
    make_certificates();
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));

    for (int i = 0; i < 4; i++) {
        bool into_server = i & 1;
        struct eddy_error err = { 0 };
        struct wire w;
        int theirs = 1;
        if (!wire(i & 2, &w))
            return;
        int r = start(&w, client, server,
                      into_server ? "STARTTLS\r\nRCPT TO:<mallory@test>\r\n" : "STARTTLS\r\n",
                      into_server ? "" : "250 you are welcome\r\n", &theirs, &err);
        EDDY_CHECK(r < 0);
        /* What is still on its way when TLS begins is no TLS. */
        int refusal = into_server ? theirs : r;
        EDDY_CHECK(refusal == -EPROTO || refusal == -EDDY_ETLS);
        if (r == -EPROTO)
            EDDY_CHECK(strstr(err.text, "plain text came before TLS began"));
        cut(&w);
    }
}

EDDY_TEST(starttls_that_is_refused_leaves_the_stream_as_it_was)
{
    struct eddy_error err = { 0 };
    struct wire w;
    char buf[8];

    make_certificates();
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!wire(false, &w))
        return;
    EDDY_CHECK_ERR(eddy_starttls(w.client, client, NULL, &err), -EINVAL);
    EDDY_CHECK_ERR(eddy_starttls(w.client, client, "", &err), -EINVAL);
    {
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", &err), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_write_text(w.server, "12\r\n34"), 0);
    /* All of it has come when there is no room for more. */
    EDDY_CHECK_ERR(eddy_read_until(w.client, EDDY_SLICE("none"), buf, 6), -EDDY_ETOOBIG);
    EDDY_CHECK_EQ(eddy_read_until(w.client, EDDY_SLICE("\r\n"), buf, sizeof buf), 4);
    EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", &err), -EPROTO);
    EDDY_CHECK_EQ(eddy_read_exactly(w.client, buf, 2), 0); /* still there, still plain */
    EDDY_CHECK_EQ(eddy_write_text(w.client, "56"), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(w.server, buf, 2), 0);
    EDDY_CHECK_MEM(buf, 2, "56", 2);
    EDDY_CHECK_EQ(eddy_stream_finish(w.client), 0);
    EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", &err), -EPIPE);
    EDDY_CHECK_EQ(eddy_stream_close(w.client), 0);
    EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", &err), -EBADF);
    cut(&w);
}

struct reader_args {
    struct eddy_stream *s;
    ssize_t *n;
};

static int reader(struct reader_args *a)
{
    char byte;

    *a->n = eddy_read(a->s, &byte, 1);
    return 0;
}
EDDY_TASK(reader);

EDDY_TEST(starttls_and_other_calls_exclude_each_other)
{
    struct wire w;
    ssize_t n = 0;

    make_certificates();
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!wire(false, &w))
        return;
    {
        EDDY_SCOPE(tasks, .isolate = true);
        EDDY_GO(&tasks, reader, .s = w.client, .n = &n);
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", NULL), -EBUSY);
    }
    EDDY_CHECK_ERR(n, -ECANCELED);
    {
        EDDY_SCOPE(patience, .timeout_ms = 30); /* nobody answers: the handshake is left */
        EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", NULL), -ETIMEDOUT);
    }
    char byte;
    EDDY_CHECK_ERR(eddy_read(w.client, &byte, 1), -EDDY_EBROKEN);
    EDDY_CHECK_ERR(eddy_write(w.client, "x", 1), -EDDY_EBROKEN);
    EDDY_CHECK_ERR(eddy_starttls(w.client, client, "us.test", NULL), -EDDY_EBROKEN);
    cut(&w);
}

/* --- without memory -------------------------------------------------------------------------- */

static int visit_starttls(struct eddy_tls *client, struct eddy_tls *server)
{
    struct wire w = { 0 };
    int theirs = 0;
    int r = eddy_stream_pair(&w.client, &w.server);

    if (r == 0)
        r = start(&w, client, server, "STARTTLS\r\n", "", &theirs, NULL);
    cut(&w);
    return r < 0 ? r : theirs;
}

static int visit_door(struct eddy_tls *client, struct eddy_tls *server)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_address at;
    char address[64];
    int r = eddy_listen("127.0.0.1:0", NULL, &door);

    if (r == 0)
        r = eddy_listener_address(door, &at);
    if (r < 0)
        return r;
    snprintf(address, sizeof address, "127.0.0.1:%u", eddy_address_port(&at));
    EDDY_SCOPE(tasks, .timeout_ms = 0); /* who waits for one that gave up is told */
    r = EDDY_GO(&tasks, serve, .door = door, .tls = server);
    if (r == 0)
        r = eddy_tls_connect(client, address, NULL, &s);
    if (r == 0)
        r = say_and_hear(s, "hello");
    return r;
}

/* -ETIMEDOUT: somebody waited for what could not come, whatever the others made of that. */
static int whole_visit(struct eddy_tls *client, struct eddy_tls *server, bool starttls)
{
    EDDY_OWN(eddy_loop) loop = NULL;
    int r = eddy_loop_new(NULL, &loop);

    if (r < 0)
        return r;
    EDDY_SCOPE(patience, .timeout_ms = 20000);
    r = starttls ? visit_starttls(client, server) : visit_door(client, server);
    return eddy_yield() == -ETIMEDOUT ? -ETIMEDOUT : r;
}

EDDY_TEST(no_failed_allocation_crashes_or_leaks)
{
    make_certificates();
    if (strcmp(eddy_check_backend(), "sim") == 0)
        return; /* a loop of its own is a real one */
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls)
    client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem", .no_resumption = true));
    for (int starttls = 0; starttls < 2; starttls++) {
        EDDY_CHECK_EQ(whole_visit(client, server, starttls), 0);
        size_t live = eddy__memory_live();
        for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
            int r = whole_visit(client, server, starttls);
            eddy_fault_stop();
            EDDY_CHECK(r != -ETIMEDOUT);
            if (!eddy_fault_fired(&f))
                EDDY_CHECK_EQ(r, 0);
            if (!EDDY_CHECK_EQ(eddy__memory_live(), live)) {
                EDDY_CHECK_FAIL("allocation %lu%s", f.k, f.persistent ? " and all after it" : "");
                return;
            }
        }
    }
}
