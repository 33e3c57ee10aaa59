/*
 * Datagrams for callbacks: lent, a bounded number a turn, stopped and freed in the middle.
 *
 * backends: select poll epoll uring
 */
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/udp.h>

#include <stdio.h>
#include <string.h>

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

struct heard {
    struct eddy_udp *u;
    char text[256]; /* what came, one after the other, a '.' behind each */
    long count;
    int error; /* the last one */
    long stop_at, free_at;
    bool answer;
};

static void on_datagram(void *ctx, const struct eddy_datagram *d, int error)
{
    struct heard *h = ctx;

    if (error) {
        EDDY_CHECK(!d);
        h->error = error;
        return;
    }
    size_t len = strlen(h->text);
    if (len + d->len + 2 < sizeof h->text)
        (void)snprintf(h->text + len, sizeof h->text - len, "%.*s.", (int)d->len,
                       (const char *)d->ptr);
    h->count++;
    if (h->answer)
        EDDY_CHECK_EQ(eddy_udp_try_send(h->u, &d->peer, d->ptr, d->len), 0);
    if (h->count == h->stop_at)
        eddy_udp_stop(h->u);
    if (h->count == h->free_at)
        eddy_udp_free(EDDY_TAKE(h->u));
}

static bool open_two(const struct eddy_udp_options *options, struct eddy_udp **ret_server,
                     struct eddy_udp **ret_client)
{
    struct eddy_address a;

    return EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", options, ret_server), 0) &&
           EDDY_CHECK_EQ(eddy_udp_address(*ret_server, &a), 0) &&
           EDDY_CHECK_EQ(eddy_udp_open(NULL, EDDY_OPT(udp, .peer = &a), ret_client), 0);
}

static void until_heard(const struct heard *h, long count)
{
    EDDY_SCOPE(patience, .timeout_ms = 20000);

    while (h->count < count)
        if (!EDDY_CHECK_EQ(eddy_sleep(1), 0))
            return;
}

EDDY_TEST(callbacks_get_lent_bytes)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct heard h = { .answer = true };
    char buf[8];

    if (!open_two(NULL, &server, &client))
        return;
    h.u = server;
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "before", 6), 0);
    EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
    EDDY_CHECK_ERR(eddy_udp_start(server, on_datagram, &h), -EBUSY);
    EDDY_CHECK_ERR(eddy_udp_receive(server, buf, sizeof buf, NULL), -EBUSY);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "", 0), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "after", 5), 0);
    until_heard(&h, 3);
    EDDY_CHECK_STR(h.text, "before..after.");
    EDDY_CHECK_EQ(eddy_udp_receive(client, buf, sizeof buf, NULL), 6);
    EDDY_CHECK_EQ(eddy_udp_receive(client, buf, sizeof buf, NULL), 0);
    EDDY_CHECK_EQ(eddy_udp_receive(client, buf, sizeof buf, NULL), 5);

    /* Stopped, the socket is the tasks' again. */
    eddy_udp_stop(server);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "task", 4), 0);
    EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 4);
    EDDY_CHECK_EQ(h.count, 3);
}

struct wait_for_one_args {
    struct eddy_udp *u;
    ssize_t *result;
};

static int wait_for_one(struct wait_for_one_args *a)
{
    char buf[8];

    *a->result = eddy_udp_receive(a->u, buf, sizeof buf, NULL);
    return 0;
}
EDDY_TASK(wait_for_one);

EDDY_TEST(a_start_is_refused_while_a_task_waits)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct heard h = { 0 };
    ssize_t result = 0;

    if (!open_two(NULL, &server, &client))
        return;
    {
        EDDY_SCOPE(waiter, .timeout_ms = 20000);
        EDDY_GO(&waiter, wait_for_one, .u = server, .result = &result);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_ERR(eddy_udp_start(server, on_datagram, &h), -EBUSY);
    }
    /* The poll may be on its way back still: the start waits for that by itself. */
    EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "x", 1), 0);
    until_heard(&h, 1);
}

EDDY_TEST(callbacks_leave_others_their_turn)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct heard h = { 0 };
    long before = 0, most = 0;

    if (!open_two(EDDY_OPT(udp, .receive_buffer = 1 << 20), &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
    for (int i = 0; i < 200; i++)
        EDDY_CHECK_EQ(eddy_udp_try_send(client, NULL, "x", 1), 0);
    while (h.count < 200) {
        EDDY_CHECK(eddy_loop_turn(eddy_loop_current(), 1000) >= 0);
        most = h.count - before > most ? h.count - before : most;
        before = h.count;
    }
    EDDY_CHECK_EQ(most, 64);
}

EDDY_TEST(a_callback_may_stop_and_free)
{
    for (int free = 0; free < 2; free++) {
        EDDY_OWN(eddy_udp) server = NULL;
        EDDY_OWN(eddy_udp) client = NULL;
        struct heard h = { 0 };
        struct eddy_datagram d;
        char buf[4];

        if (!open_two(NULL, &server, &client))
            return;
        h.u = server;
        *(free ? &h.free_at : &h.stop_at) = 2;
        EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
        for (int i = 0; i < 6; i++)
            EDDY_CHECK_EQ(eddy_udp_try_send(client, NULL, &"abcdef"[i], 1), 0);
        until_heard(&h, 2);
        EDDY_CHECK_STR(h.text, "a.b.");
        if (free) {
            server = NULL;
            continue;
        }
        /* Those that had been taken from the kernel are not lost: a task has one, and two, ... */
        d = (struct eddy_datagram){ .ptr = buf, .cap = sizeof buf };
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 1);
        EDDY_CHECK_EQ(buf[0], 'c');
        EDDY_CHECK_EQ(eddy_udp_receive_many(server, &d, 1), 1);
        EDDY_CHECK_EQ(buf[0], 'd');
        EDDY_CHECK(d.peer.len > 0 && d.len == 1 && d.cap == sizeof buf);
        /* ... callbacks the rest. */
        EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
        until_heard(&h, 4);
        EDDY_CHECK_STR(h.text, "a.b.e.f.");
    }
}

/* A stop in the middle, and then nobody wants the rest. */
EDDY_TEST(what_is_kept_goes_with_the_socket)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct heard h = { .stop_at = 1 };

    if (!open_two(NULL, &server, &client))
        return;
    h.u = server;
    EDDY_CHECK_EQ(eddy_udp_try_send(client, NULL, "a", 1), 0);
    EDDY_CHECK_EQ(eddy_udp_try_send(client, NULL, "b", 1), 0);
    EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
    until_heard(&h, 1);
    EDDY_CHECK_EQ(h.count, 1);
    /* Cut short for a task with too little room. */
    EDDY_CHECK_ERR(eddy_udp_receive(server, NULL, 0, NULL), -EMSGSIZE);
}

EDDY_TEST(errors_are_told_to_the_callback)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct heard h = { 0 };

    if (!open_two(NULL, &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(server)), 0);
    EDDY_CHECK_EQ(eddy_udp_start(client, on_datagram, &h), 0);
    EDDY_CHECK_EQ(eddy_udp_try_send(client, NULL, "x", 1), 0);
    EDDY_SCOPE(patience, .timeout_ms = 20000);
    while (!h.error && eddy_sleep(1) == 0)
        ;
    EDDY_CHECK_ERR(h.error, -ECONNREFUSED);
}

EDDY_TEST(joined_segments_are_handed_on_one_by_one)
{
    static char bytes[25];
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_datagram d = { .ptr = bytes, .len = sizeof bytes, .segment_size = 10 };
    struct heard h = { 0 };

    memcpy(bytes, "0123456789abcdefghijklmno", sizeof bytes);
    if (!open_two(EDDY_OPT(udp, .gro = true), &server, &client))
        return;
    h.u = server;
    h.stop_at = 2;
    EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
    EDDY_CHECK_EQ(eddy_udp_send_many(client, &d, 1), 1);
    until_heard(&h, 2);
    EDDY_CHECK_EQ(eddy_udp_start(server, on_datagram, &h), 0);
    until_heard(&h, 3);
    EDDY_CHECK_STR(h.text, "0123456789.abcdefghij.klmno.");
}
