/*
 * Unix datagrams: peers that do not read, paths that are left behind.
 *
 * backends: select poll epoll uring
 */
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/udp.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
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

struct send_until_it_fails_args {
    struct eddy_udp *u;
    const struct eddy_address *to;
    long *sent;
    int *result;
};

static int send_until_it_fails(struct send_until_it_fails_args *a)
{
    while ((*a->result = eddy_udp_send(a->u, a->to, "x", 1)) == 0)
        ++*a->sent;
    return 0;
}
EDDY_TASK(send_until_it_fails);

struct send_late_args {
    struct eddy_udp *u;
};

static int send_late(struct send_late_args *a)
{
    int r = eddy_sleep(2);
    return r < 0 ? r : eddy_udp_send(a->u, NULL, "x", 1);
}
EDDY_TASK(send_late);

/* Wait until it does not get on. */
static void until_full(const long *sent)
{
    for (long before = -1; before != *sent;) {
        before = *sent;
        for (int i = 0; i < 10; i++)
            EDDY_CHECK_EQ(eddy_yield(), 0);
    }
}

EDDY_TEST(unix_datagrams_wait_for_room)
{
    for (int connected = 0; connected < 2; connected++) {
        EDDY_OWN(eddy_udp) server = NULL;
        EDDY_OWN(eddy_udp) client = NULL;
        struct eddy_address a;
        long sent = 0;
        int result = 0;
        char buf[4];

        if (!open_two(abstract("full"), &server, &client))
            return;
        EDDY_CHECK_EQ(eddy_udp_address(server, &a), 0);
        if (!connected) {
            EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(client)), 0);
            EDDY_CHECK_EQ(eddy_udp_open(abstract("sender"), NULL, &client), 0);
        }
        EDDY_SCOPE(senders, .timeout_ms = 20000);
        EDDY_GO(&senders, send_until_it_fails, .u = client, .to = connected ? NULL : &a,
                .sent = &sent, .result = &result);
        until_full(&sent);
        long full = sent;
        EDDY_CHECK(full > 0);
        EDDY_CHECK_ERR(eddy_udp_try_send(client, connected ? NULL : &a, "y", 1), -EAGAIN);
        /* Nor does it overtake who waits, when there is room. */
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
        EDDY_CHECK_ERR(eddy_udp_try_send(client, connected ? NULL : &a, "y", 1), -EAGAIN);
        for (long i = 1; i < full + 20; i++)
            EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
        EDDY_CHECK(sent >= full + 20);
        until_full(&sent);
        /* The peer goes: whoever waits for its room hears of it. */
        eddy_udp_free(EDDY_TAKE(server));
        EDDY_CHECK_EQ(eddy_join(&senders), 0);
        EDDY_CHECK_ERR(result, -ECONNREFUSED);
    }
}

static uint64_t iterations_of_30_ms(void)
{
    struct eddy_loop *loop = eddy__loop();
    uint64_t before = loop->iterations;

    EDDY_CHECK_EQ(eddy_sleep(30), 0);
    return loop->iterations - before;
}

/* A socket is told writable though its peer has no room, and readable though nobody reads: neither
 * keeps the loop awake. */
EDDY_TEST(who_waits_lets_the_loop_sleep)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    EDDY_OWN(eddy_udp) other = NULL;
    struct eddy_address a;
    long sent = 0;
    int result = 0;
    char buf[4];

    if (!open_two(abstract("full"), &server, &client))
        return;
    {
        /* The poll is armed by a wait, and stays so; then there is something, and nobody. */
        EDDY_SCOPE(senders, .timeout_ms = 20000);
        EDDY_GO(&senders, send_late, .u = client);
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
        EDDY_CHECK_EQ(eddy_join(&senders), 0);
    }
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "y", 1), 0);
    EDDY_CHECK(iterations_of_30_ms() < 100);

    EDDY_CHECK_EQ(eddy_udp_address(server, &a), 0);
    EDDY_CHECK_EQ(eddy_udp_open(abstract("sender"), NULL, &other), 0);
    EDDY_SCOPE(senders, .timeout_ms = 20000);
    EDDY_GO(&senders, send_until_it_fails, .u = other, .to = &a, .sent = &sent, .result = &result);
    until_full(&sent);
    EDDY_CHECK(iterations_of_30_ms() < 100);
    eddy_udp_free(EDDY_TAKE(other));
    EDDY_CHECK_EQ(eddy_join(&senders), 0);
}

EDDY_TEST(a_cancelled_send_has_sent_nothing)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    long sent = 0;
    int result = 0;
    char buf[4];

    if (!open_two(abstract("full"), &server, &client))
        return;
    {
        EDDY_SCOPE(senders, .timeout_ms = 20000);
        EDDY_GO(&senders, send_until_it_fails, .u = client, .sent = &sent, .result = &result);
        until_full(&sent);
    }
    EDDY_CHECK_ERR(result, -ECANCELED);
    for (long i = 0; i < sent; i++)
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
    EDDY_SCOPE(patience, .timeout_ms = 5);
    EDDY_CHECK_ERR(eddy_udp_receive(server, buf, sizeof buf, NULL), -ETIMEDOUT);
}

struct send_one_args {
    struct eddy_udp *u;
};

static int send_one(struct send_one_args *a)
{
    return eddy_udp_send(a->u, NULL, "1", 1);
}
EDDY_TASK(send_one);

EDDY_TEST(senders_are_served_in_their_order)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    long sent = 0;
    char buf[4] = "";

    if (!open_two(abstract("full"), &server, &client))
        return;
    while (eddy_udp_try_send(client, NULL, "x", 1) == 0)
        sent++;
    EDDY_SCOPE(senders, .timeout_ms = 20000);
    EDDY_GO(&senders, send_one, .u = client);
    EDDY_CHECK_EQ(eddy_yield(), 0); /* it waits now; then there is room for it, and for us */
    for (int i = 0; i < 2; i++)
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "2", 1), 0);
    EDDY_CHECK_EQ(eddy_join(&senders), 0);
    for (long i = 0; i < sent - 1; i++)
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
    EDDY_CHECK_EQ(buf[0], '1');
    EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
    EDDY_CHECK_EQ(buf[0], '2');
}

EDDY_TEST(a_sender_who_waits_gets_ebadf)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    long sent = 0;
    int result = 0;

    if (!open_two(abstract("full"), &server, &client))
        return;
    EDDY_SCOPE(senders, .timeout_ms = 20000);
    EDDY_GO(&senders, send_until_it_fails, .u = client, .sent = &sent, .result = &result);
    until_full(&sent);
    eddy_udp_free(EDDY_TAKE(client));
    EDDY_CHECK_EQ(eddy_join(&senders), 0);
    EDDY_CHECK_ERR(result, -EBADF);
}

EDDY_TEST(a_path_whose_owner_died_is_replaced_and_a_file_is_not)
{
    EDDY_OWN(eddy_udp) u = NULL;
    EDDY_OWN(eddy_udp) other = NULL;
    struct eddy_address a;

    (void)unlink("stale.sock");
    (void)unlink("file.sock");
    /* A socket that was closed without its path. */
    EDDY_CHECK_EQ(eddy_address_parse("unix:stale.sock", 0, &a, NULL), 0);
    int fd = eddy__sys.socket(AF_UNIX, SOCK_DGRAM, 0);
    EDDY_CHECK_EQ(eddy__sys.bind(fd, (struct sockaddr *)&a.storage, a.len), 0);
    EDDY_CHECK_EQ(eddy__sys.close(fd), 0);
    EDDY_CHECK_EQ(eddy_udp_open("unix:stale.sock", NULL, &u), 0);
    EDDY_CHECK_ERR(eddy_udp_open("unix:stale.sock", NULL, &other), -EADDRINUSE);
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(u)), 0);
    EDDY_CHECK(access("stale.sock", F_OK) < 0);

    fd = open("file.sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    EDDY_CHECK(fd >= 0);
    (void)close(fd);
    EDDY_CHECK_ERR(eddy_udp_open("unix:file.sock", NULL, &u), -EADDRINUSE);
    EDDY_CHECK_EQ(unlink("file.sock"), 0);
}
