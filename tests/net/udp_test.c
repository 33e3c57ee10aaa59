/*
 * Datagrams, one at a time: sending, receiving, waiting, closing, and what goes wrong with each.
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/log.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/udp.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

/* Names in the abstract space are everybody's: ours has our number in it. */
static const char *abstract(const char *name)
{
    static char text[64];

    (void)snprintf(text, sizeof text, "unix:@eddy-udp-%s-%ld", name, (long)getpid());
    return text;
}

/* A socket somewhere, and one that is connected to it. */
static bool open_two(const char *local, struct eddy_udp **ret_server, struct eddy_udp **ret_client)
{
    struct eddy_address a;

    return EDDY_CHECK_EQ(eddy_udp_open(local, NULL, ret_server), 0) &&
           EDDY_CHECK_EQ(eddy_udp_address(*ret_server, &a), 0) &&
           EDDY_CHECK_EQ(eddy_udp_open(NULL, EDDY_OPT(udp, .peer = &a), ret_client), 0);
}

static void gets(struct eddy_udp *u, const char *want)
{
    char buf[64];
    ssize_t n = eddy_udp_receive(u, buf, sizeof buf, NULL);

    if (EDDY_CHECK_EQ(n, strlen(want)))
        EDDY_CHECK_MEM(buf, (size_t)n, want, strlen(want));
}

EDDY_TEST(a_datagram_comes_as_it_was_sent)
{
    const char *const where[] = { "127.0.0.1:0", "[::1]:0", abstract("test"), "unix:udp.sock" };

    for (size_t i = 0; i < 4; i++) {
        EDDY_OWN(eddy_udp) server = NULL;
        EDDY_OWN(eddy_udp) client = NULL;
        struct eddy_address a, b;
        char buf[8] = "";

        if (!open_two(where[i], &server, &client))
            return;
        EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "one", 3), 0);
        EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "seven", 5), 0);
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, &a), 3);
        EDDY_CHECK_STR(buf, "one");
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, &a), 5);
        EDDY_CHECK_STR(buf, "seven");
        EDDY_CHECK_EQ(eddy_udp_peer(client, &b), 0);
        if (i >= 2) { /* a Unix socket that has no name cannot be answered */
            EDDY_CHECK_EQ(a.len, 0);
            EDDY_CHECK_ERR(eddy_udp_peer(server, &b), -ENOTCONN);
            continue;
        }
        EDDY_CHECK_EQ(eddy_udp_address(client, &b), 0);
        EDDY_CHECK(eddy_address_eq(&a, &b));
        EDDY_CHECK_EQ(eddy_udp_send(server, &a, "back", 4), 0);
        gets(client, "back");
    }
    EDDY_CHECK(access("udp.sock", F_OK) < 0); /* its path went with it */
}

EDDY_TEST(a_socket_of_both_families_tells_ipv4_as_ipv4)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    EDDY_OWN(eddy_udp) alone = NULL;
    struct eddy_address a, from, b;
    char text[EDDY_ADDRESS_TEXT], buf[8];

    EDDY_CHECK_EQ(eddy_udp_open(NULL, NULL, &server), 0);
    EDDY_CHECK_EQ(eddy_udp_address(server, &a), 0);
    EDDY_CHECK_EQ(eddy_address_family(&a), AF_INET6);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", eddy_address_port(&a));
    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", EDDY_OPT(udp, .connect = text), &client), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "4", 1), 0);
    EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, &from), 1);
    EDDY_CHECK_EQ(eddy_udp_address(client, &b), 0);
    EDDY_CHECK(eddy_address_eq(&from, &b));
    EDDY_CHECK_EQ(eddy_udp_send(server, &from, "four", 4), 0);
    gets(client, "four");

    /* With .v6_only the port is IPv6's alone. */
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(client)), 0);
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(server)), 0);
    EDDY_CHECK_EQ(eddy_udp_open("[::]:0", EDDY_OPT(udp, .v6_only = true), &alone), 0);
    EDDY_CHECK_EQ(eddy_udp_address(alone, &a), 0);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", eddy_address_port(&a));
    EDDY_CHECK_EQ(eddy_udp_open(text, NULL, &server), 0);
}

EDDY_TEST(an_empty_datagram_is_one)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, NULL, 0), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "x", 1), 0);
    gets(server, "");
    gets(server, "x");
}

EDDY_TEST(a_cut_datagram_is_told)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_address from, a;
    char buf[4];

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "longer", 6), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "next", 4), 0);
    EDDY_CHECK_ERR(eddy_udp_receive(server, buf, sizeof buf, &from), -EMSGSIZE);
    EDDY_CHECK_MEM(buf, 4, "long", 4);
    EDDY_CHECK_EQ(eddy_udp_address(client, &a), 0);
    EDDY_CHECK(eddy_address_eq(&from, &a));
    gets(server, "next");
}

struct read_one_args {
    struct eddy_udp *u;
    char *buf; /* of 16 */
    ssize_t *result;
};

static int read_one(struct read_one_args *a)
{
    *a->result = eddy_udp_receive(a->u, a->buf, 16, NULL);
    return 0;
}
EDDY_TASK(read_one);

EDDY_TEST(readers_are_served_in_their_order)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char buf[4][16] = { { 0 } };
    ssize_t result[4] = { 0 };

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_SCOPE(readers, .timeout_ms = 20000);
    for (int i = 0; i < 4; i++)
        EDDY_GO(&readers, read_one, .u = server, .buf = buf[i], .result = &result[i]);
    EDDY_CHECK_EQ(eddy_yield(), 0); /* they wait now */
    for (int i = 0; i < 5; i++)
        EDDY_CHECK_EQ(eddy_udp_send(client, NULL, &"abcde"[i], 1), 0);
    gets(server, "e"); /* who comes later does not overtake them */
    EDDY_CHECK_EQ(eddy_join(&readers), 0);
    for (int i = 0; i < 4; i++) {
        EDDY_CHECK_EQ(result[i], 1);
        EDDY_CHECK_EQ(buf[i][0], "abcd"[i]);
    }
}

EDDY_TEST(a_turn_serves_a_bounded_number)
{
    enum { MANY = 100 };
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    static char buf[MANY][16];
    static ssize_t result[MANY];
    int before = 0, most = 0;

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_SCOPE(readers, .timeout_ms = 20000);
    for (int i = 0; i < MANY; i++) {
        result[i] = 0;
        EDDY_GO(&readers, read_one, .u = server, .buf = buf[i], .result = &result[i]);
    }
    EDDY_CHECK_EQ(eddy_yield(), 0);
    for (int i = 0; i < MANY; i++)
        EDDY_CHECK_EQ(eddy_udp_try_send(client, NULL, "x", 1), 0);
    while (before < MANY) {
        int got = 0;
        EDDY_CHECK(eddy_loop_turn(eddy_loop_current(), 1000) >= 0);
        for (int i = 0; i < MANY; i++)
            got += result[i] == 1;
        most = got - before > most ? got - before : most;
        before = got;
    }
    EDDY_CHECK(most > 1 && most <= 32);
    EDDY_CHECK_EQ(eddy_join(&readers), 0);
}

EDDY_TEST(a_cancelled_receive_takes_nothing)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char buf[16];

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    {
        EDDY_SCOPE(patience, .timeout_ms = 5);
        EDDY_CHECK_ERR(eddy_udp_receive(server, buf, sizeof buf, NULL), -ETIMEDOUT);
    }
    {
        EDDY_SCOPE(ended, .timeout_ms = 20000);
        EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "kept", 4), 0);
        eddy_scope_cancel(&ended);
        EDDY_CHECK_ERR(eddy_udp_receive(server, buf, sizeof buf, NULL), -ECANCELED);
    }
    gets(server, "kept");
}

/* One reader is cancelled in the very turn that the datagram comes: it goes to the other one. */
EDDY_TEST(a_datagram_goes_past_a_cancelled_reader)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char buf[2][16] = { { 0 } };
    ssize_t result[2] = { 0 };

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_SCOPE(stays, .timeout_ms = 20000);
    {
        EDDY_SCOPE(leaves, .timeout_ms = 20000);
        EDDY_GO(&leaves, read_one, .u = server, .buf = buf[0], .result = &result[0]);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_GO(&stays, read_one, .u = server, .buf = buf[1], .result = &result[1]);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "mine", 4), 0);
    }
    EDDY_CHECK_EQ(eddy_join(&stays), 0);
    EDDY_CHECK_ERR(result[0], -ECANCELED);
    EDDY_CHECK_EQ(result[1], 4);
    EDDY_CHECK_STR(buf[1], "mine");
}

EDDY_TEST(a_call_looks_at_its_scope_first)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_datagram d = { .ptr = (char[8]){ 0 }, .cap = 8, .len = 1 };

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "x", 1), 0);
    {
        EDDY_SCOPE(over, .timeout_ms = 20000);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_udp_receive(server, d.ptr, 8, NULL), -ECANCELED);
        EDDY_CHECK_ERR(eddy_udp_receive_many(server, &d, 1), -ECANCELED);
        EDDY_CHECK_ERR(eddy_udp_receive_many(server, &d, 0), -ECANCELED);
        EDDY_CHECK_ERR(eddy_udp_send(client, NULL, "y", 1), -ECANCELED);
        EDDY_CHECK_ERR(eddy_udp_send_many(client, &d, 1), -ECANCELED);
        EDDY_CHECK_ERR(eddy_udp_send_many(client, &d, 0), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_udp_receive_many(server, &d, 0), 0);
    EDDY_CHECK_EQ(eddy_udp_send_many(client, &d, 0), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "z", 1), 0);
    gets(server, "x");
    gets(server, "z");
}

struct in_callback {
    struct eddy_udp *u;
    bool called;
};

static void try_it(void *ctx)
{
    struct in_callback *in = ctx;
    struct eddy_datagram d = { .ptr = (char[8]){ 0 }, .cap = 8 };

    in->called = true;
    EDDY_CHECK_ERR(eddy_udp_receive(in->u, d.ptr, 8, NULL), -EDEADLK);
    EDDY_CHECK_ERR(eddy_udp_receive_many(in->u, &d, 1), -EDEADLK);
    EDDY_CHECK_ERR(eddy_udp_send(in->u, NULL, "no", 2), -EDEADLK);
    EDDY_CHECK_ERR(eddy_udp_send_many(in->u, &d, 1), -EDEADLK);
    EDDY_CHECK_EQ(eddy_udp_try_send(in->u, NULL, "yes", 3), 0);
    EDDY_CHECK_EQ(eddy_udp_close(in->u), 0); /* the loop does it */
}

EDDY_TEST(a_callback_tries_and_does_not_wait)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    struct in_callback in = { .u = EDDY_TAKE(client) };
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), try_it, &in), 0);
    while (!in.called)
        eddy_loop_turn(eddy_loop_current(), -1);
    gets(server, "yes");
}

struct flood_args {
    struct eddy_udp *client, *server;
    bool *stop;
    long *received;
};

/* Sends a datagram for each that it receives: there is always one. */
static int flood(struct flood_args *a)
{
    char buf[16];

    for (int i = 0; i < 8; i++)
        if (eddy_udp_send(a->client, NULL, "flood", 5) < 0)
            return -EIO;
    while (!*a->stop) {
        ssize_t n = eddy_udp_receive(a->server, buf, sizeof buf, NULL);
        if (n < 0)
            return (int)n;
        ++*a->received;
        int r = eddy_udp_send(a->client, NULL, "flood", 5);
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_TASK(flood);

EDDY_TEST(a_flood_does_not_hold_up_others)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    bool stop = false;
    long received = 0, before = 0;

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_SCOPE(all, .timeout_ms = 20000);
    EDDY_GO(&all, flood, .client = client, .server = server, .stop = &stop, .received = &received);
    for (int i = 0; i < 50; i++) {
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK(received - before <= 32);
        before = received;
    }
    EDDY_CHECK_EQ(eddy_sleep(1), 0); /* timers fire, too */
    stop = true;
    EDDY_CHECK_EQ(eddy_join(&all), 0);
    EDDY_CHECK(received > 50);
}

EDDY_TEST(a_refusal_is_told_once)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT], buf[8];

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_address(server, &a), 0);
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(server)), 0);

    /* By the one that waits, and by the one that sends. */
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "x", 1), 0);
    EDDY_CHECK_ERR(eddy_udp_receive(client, buf, sizeof buf, NULL), -ECONNREFUSED);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "x", 1), 0);
    EDDY_CHECK_ERR(eddy_udp_send(client, NULL, "x", 1), -ECONNREFUSED);

    /* The socket goes on. */
    EDDY_CHECK_EQ(eddy_udp_open(eddy_address_format(&a, text, sizeof text), NULL, &server), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "there", 5), 0);
    gets(server, "there");
}

EDDY_TEST(whoever_waits_gets_ebadf)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char buf[2][16];
    ssize_t result[2] = { 0 };

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    EDDY_SCOPE(readers, .timeout_ms = 20000);
    for (int i = 0; i < 2; i++)
        EDDY_GO(&readers, read_one, .u = server, .buf = buf[i], .result = &result[i]);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_udp_free(EDDY_TAKE(server));
    EDDY_CHECK_EQ(eddy_join(&readers), 0);
    EDDY_CHECK_ERR(result[0], -EBADF);
    EDDY_CHECK_ERR(result[1], -EBADF);
}

EDDY_TEST(a_closed_ports_number_is_free)
{
    EDDY_OWN(eddy_udp) first = NULL;
    EDDY_OWN(eddy_udp) second = NULL;
    struct eddy_error err = { 0 };
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT], buf[1];
    ssize_t result = 0;

    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &first), 0);
    EDDY_CHECK_EQ(eddy_udp_address(first, &a), 0);
    eddy_address_format(&a, text, sizeof text);
    EDDY_CHECK_ERR(eddy_udp_open(text, EDDY_OPT(udp, .error = &err), &second), -EADDRINUSE);
    EDDY_CHECK(strstr(err.text, text) && strstr(err.text, "another port"));
    EDDY_SCOPE(reader, .timeout_ms = 20000);
    EDDY_GO(&reader, read_one, .u = first, .buf = buf, .result = &result); /* the poll is armed */
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(first)), 0);
    EDDY_CHECK_EQ(eddy_udp_open(text, NULL, &second), 0);
    EDDY_CHECK_EQ(eddy_join(&reader), 0);
    EDDY_CHECK_EQ(eddy_udp_close(NULL), 0);
    eddy_udp_free(NULL);
}

/* --- what goes wrong ----------------------------------------------------------------------------------- */

EDDY_TEST(a_wrong_address_says_what_is_wrong)
{
    static const struct {
        const char *local, *connect;
        int error;
        const char *text;
    } at[] = {
        { "example.org:53", NULL, -EINVAL, "eddy_resolve" },
        { NULL, "example.org:53", -EINVAL, "connect to an address" },
        { "127.0.0.1:99999", NULL, -EINVAL, "not a port" },
        { "127.0.0.1:0", "[::1]:53", -EINVAL, "different families" },
        { "192.0.2.1:0", NULL, -EADDRNOTAVAIL, "no such address" },
        { NULL, "unix:no-such.sock", -ENOENT, "no-such.sock" },
        { NULL, "unix:@eddy-nobody", -ECONNREFUSED, "eddy-nobody" },
        { NULL, "255.255.255.255:9", -EACCES, ".broadcast" },
    };

    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        EDDY_OWN(eddy_udp) u = NULL;
        struct eddy_error err = { 0 };
        EDDY_CHECK_ERR(
            eddy_udp_open(at[i].local, EDDY_OPT(udp, .connect = at[i].connect, .error = &err), &u),
            at[i].error);
        EDDY_CHECK_ERR(err.code, at[i].error);
        if (!strstr(err.text, at[i].text))
            EDDY_CHECK_FAIL("'%s' does not say '%s'", err.text, at[i].text);
    }
}

EDDY_TEST(a_wrong_send_says_why)
{
    static char big[70000];
    EDDY_OWN(eddy_udp) u = NULL;
    EDDY_OWN(eddy_udp) un = NULL;
    struct eddy_address a = { 0 };

    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &u), 0);
    EDDY_CHECK_EQ(eddy_udp_open(abstract("x"), NULL, &un), 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, NULL, "x", 1), -EDESTADDRREQ);
    EDDY_CHECK_ERR(eddy_udp_send(un, NULL, "x", 1), -ENOTCONN);
    EDDY_CHECK_EQ(eddy_address_parse("255.255.255.255:9", 0, &a, NULL), 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, &a, "x", 1), -EACCES);
    EDDY_CHECK_EQ(eddy_address_parse("[::1]:9", 0, &a, NULL), 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, &a, "x", 1), -EAFNOSUPPORT);
    EDDY_CHECK_EQ(eddy_address_parse("unix:@eddy-nobody", 0, &a, NULL), 0);
    EDDY_CHECK_ERR(eddy_udp_send(un, &a, "x", 1), -ECONNREFUSED);
    EDDY_CHECK_EQ(eddy_address_parse("unix:no-such.sock", 0, &a, NULL), 0);
    EDDY_CHECK_ERR(eddy_udp_send(un, &a, "x", 1), -ENOENT);
    EDDY_CHECK_EQ(eddy_udp_address(u, &a), 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, &a, big, 65508), -EMSGSIZE);
    EDDY_CHECK_EQ(eddy_udp_send(u, &a, big, 65507), 0);
    EDDY_CHECK_EQ(eddy_udp_receive(u, big, sizeof big, NULL), 65507);
    eddy_address_set_port(&a, 0);
    EDDY_CHECK_ERR(eddy_udp_send(u, &a, "x", 1), -EINVAL);
}

static int error_of_sendmsg;
static ssize_t failing_sendmsg(int fd, const struct msghdr *m, int flags)
{
    (void)fd, (void)m, (void)flags;
    return error_of_sendmsg;
}

static int error_of_recvmsg;
static ssize_t failing_recvmsg(int fd, struct msghdr *m, int flags)
{
    (void)fd, (void)m, (void)flags;
    return error_of_recvmsg;
}

/* What a machine without other machines around cannot be made to say: it is handed on as it is. */
EDDY_TEST(what_the_network_says_is_handed_on)
{
    static const int errors[] = { -ENOBUFS, -ENETUNREACH, -EHOSTUNREACH, -EPERM, -ENOMEM };
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char byte;

    if (!open_two("127.0.0.1:0", &server, &client))
        return;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        error_of_sendmsg = error_of_recvmsg = errors[i];
        eddy__sys.sendmsg = failing_sendmsg;
        eddy__sys.recvmsg = failing_recvmsg;
        EDDY_CHECK_ERR(eddy_udp_send(client, NULL, "x", 1), errors[i]);
        EDDY_CHECK_ERR(eddy_udp_receive(server, &byte, 1, NULL), errors[i]);
        eddy__sys = eddy__sys_kernel;
    }
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "on", 2), 0);
    gets(server, "on");
}

static int no_ipv6(int family, int type, int protocol)
{
    return family == AF_INET6 ? -EAFNOSUPPORT : eddy__sys_kernel.socket(family, type, protocol);
}

EDDY_TEST(a_machine_without_ipv6_does_with_ipv4)
{
    EDDY_OWN(eddy_udp) u = NULL;
    EDDY_OWN(eddy_udp) six = NULL;
    struct eddy_address a;

    EDDY_CHECK(eddy_loop_current() != NULL);
    eddy__sys.socket = no_ipv6;
    EDDY_CHECK_EQ(eddy_udp_open(NULL, NULL, &u), 0);
    EDDY_CHECK_EQ(eddy_udp_address(u, &a), 0);
    EDDY_CHECK_EQ(eddy_address_family(&a), AF_INET);
    EDDY_CHECK_ERR(eddy_udp_open("[::1]:0", NULL, &six), -EAFNOSUPPORT);
}

/* --- faults -------------------------------------------------------------------------------------------- */

static int exchange(void)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_address a;
    struct eddy_datagram d[2] = { { .ptr = (char[4]){ 0 }, .cap = 4 },
                                  { .ptr = (char[4]){ 0 }, .cap = 4 } };
    char buf[4];

    int r = eddy_udp_open("127.0.0.1:0", EDDY_OPT(udp, .packet_info = true), &server);
    if (r == 0)
        r = eddy_udp_address(server, &a);
    if (r == 0)
        r = eddy_udp_open(NULL, EDDY_OPT(udp, .peer = &a, .gro = true), &client);
    if (r == 0)
        r = eddy_udp_send(client, NULL, "abc", 3);
    if (r == 0)
        r = (int)eddy_udp_receive(server, buf, sizeof buf, NULL);
    if (r == 3) {
        EDDY_SCOPE(patience, .timeout_ms = 1);
        r = eddy_udp_receive_many(server, d, 2);
        r = r == -ETIMEDOUT ? 0 : r;
    }
    d[0].len = d[1].len = 4;
    if (r == 0)
        r = eddy_udp_send_many(client, d, 2);
    if (r > 0)
        r = eddy_udp_receive_many(server, d, 2);
    return r < 0 ? r : 0;
}

EDDY_TEST(every_failed_allocation_call_and_operation_is_survived)
{
    for (int kind = 0; kind < EDDY_FAULT_KINDS; kind++)
        for (struct eddy_fault f = eddy_fault_each((enum eddy_fault_kind)kind);
             eddy_fault_next(&f);) {
            if (kind == EDDY_FAULT_SYS && f.persistent)
                eddy_fault_stop(); /* a loop that can never wait again is not the matter here */
            int r = exchange();
            eddy_fault_stop();
            if (!eddy_fault_fired(&f))
                EDDY_CHECK_EQ(r, 0);
            eddy_check_teardown();
        }
}
