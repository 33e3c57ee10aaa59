/*
 * Rules of eddy/task.h that show only with connections: one reset among a hundred peers, a
 * completion that arrives together with the cancel, and calls that could finish at once.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <string.h>

#define PEERS 100

struct echo_args {
    struct eddy_stream *peer;
};

static int echo(struct echo_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char buf[256];
    ssize_t n;

    while ((n = eddy_read(peer, buf, sizeof buf)) > 0) {
        int r = eddy_write(peer, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return (int)n;
}
EDDY_TASK(echo);

struct failed {
    int count;
    int last;
};

static void on_fail(void *ctx, const char *name, int error)
{
    struct failed *f = ctx;

    EDDY_CHECK_STR(name, "echo");
    f->count++;
    f->last = error;
}

struct serve_args {
    struct eddy_listener *door;
    struct failed *failed;
};

static int serve(struct serve_args *a)
{
    EDDY_SCOPE(peers, .isolate = true, .on_fail = on_fail, .ctx = a->failed);

    for (;;) {
        EDDY_OWN(eddy_stream) peer = NULL;
        int r = eddy_accept(a->door, &peer);
        if (r < 0)
            return r;
        if (EDDY_GO(&peers, echo, .peer = peer) == 0)
            eddy_disown(&peer);
    }
}
EDDY_TASK(serve);

static bool echoes(struct eddy_stream *s, const char *text)
{
    char buf[64] = "";
    size_t len = strlen(text);

    return EDDY_CHECK_EQ(eddy_write(s, text, len), 0) &&
           EDDY_CHECK_EQ(eddy_read_exactly(s, buf, len), 0) && EDDY_CHECK_MEM(buf, len, text, len);
}

/* Closed with bytes that it never read, a TCP peer resets (RFC 9293 3.10.7.1). */
static void reset(struct eddy_stream **peer)
{
    EDDY_CHECK_EQ(eddy_write(*peer, "unread", 6), 0);
    EDDY_CHECK_EQ(eddy_sleep(20), 0); /* until the echo lies in our socket */
    eddy_stream_free(*peer);
    *peer = NULL;
}

static int listen_anywhere(struct eddy_listener **ret_door, char *text, size_t cap)
{
    struct eddy_address address;

    int r = eddy_listen("127.0.0.1:0", NULL, ret_door);
    if (r == 0)
        r = eddy_listener_address(*ret_door, &address);
    if (r == 0)
        eddy_address_format(&address, text, cap);
    return r;
}

EDDY_TEST(one_reset_ends_one_peer)
{
    struct failed failed = { 0 };
    struct eddy_stream *peers[PEERS] = { 0 };
    char address[128];
    EDDY_OWN(eddy_listener) door = NULL;

    if (!EDDY_CHECK_EQ(listen_anywhere(&door, address, sizeof address), 0))
        return;
    EDDY_SCOPE(server, .isolate = true);
    EDDY_GO(&server, serve, .door = door, .failed = &failed);
    for (int i = 0; i < PEERS; i++)
        EDDY_CHECK_EQ(eddy_connect(address, NULL, &peers[i]), 0);
    for (int i = 0; i < PEERS; i++)
        echoes(peers[i], "before");
    reset(&peers[42]);
    for (int i = 0; i < 200 && failed.count == 0; i++)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(failed.count, 1);
    EDDY_CHECK_EQ(failed.last, -ECONNRESET);
    for (int i = 0; i < PEERS; i++)
        if (peers[i])
            echoes(peers[i], "after");
    for (int i = 0; i < PEERS; i++)
        eddy_stream_free(peers[i]);
    eddy_scope_cancel(&server);
    EDDY_CHECK_EQ(eddy_join(&server), -ECANCELED);
    EDDY_CHECK_EQ(failed.count, 1);
}

struct reader_args {
    struct eddy_stream *s;
    char *buf;
    ssize_t *ret;
    ssize_t *ret_next;
};

static int reader(struct reader_args *a)
{
    char rest[8];

    *a->ret = eddy_read(a->s, a->buf, 3);
    *a->ret_next = eddy_read(a->s, rest, sizeof rest);
    return 0;
}
EDDY_TASK(reader);

/* Bytes and the cancel of the reader come in one and the same turn, at every distance from each
 * other: the bytes go to the reader or stay for the next, and are never lost or doubled. */
EDDY_TEST(a_completion_that_arrives_with_the_cancel_is_delivered)
{
    char address[128];
    EDDY_OWN(eddy_listener) door = NULL;

    if (!EDDY_CHECK_EQ(listen_anywhere(&door, address, sizeof address), 0))
        return;
    for (int turns = 0; turns < 12; turns++) {
        EDDY_OWN(eddy_stream) near = NULL;
        EDDY_OWN(eddy_stream) far = NULL;
        char got[3] = "", rest[8] = "";
        ssize_t first = 1, next = 1;

        EDDY_CHECK_EQ(eddy_connect(address, NULL, &near), 0);
        EDDY_CHECK_EQ(eddy_accept(door, &far), 0);
        {
            EDDY_SCOPE(s, .isolate = true);
            EDDY_GO(&s, reader, .s = near, .buf = got, .ret = &first, .ret_next = &next);
            EDDY_CHECK_EQ(eddy_yield(), 0); /* it waits now */
            EDDY_CHECK_EQ(eddy_write(far, "abcdef", 6), 0);
            for (int i = 0; i < turns; i++)
                EDDY_CHECK_EQ(eddy_yield(), 0);
            eddy_scope_cancel(&s);
            eddy_join(&s);
        }
        size_t have = first > 0 ? (size_t)first : 0;
        EDDY_CHECK(first == -ECANCELED || first > 0);
        EDDY_CHECK(first == -ECANCELED ? next == -ECANCELED : next == -ECANCELED || next > 0);
        if (next > 0)
            continue; /* the reader had both before the cancel */
        EDDY_CHECK_EQ(eddy_read_exactly(near, rest, 6 - have), 0);
        EDDY_CHECK_MEM(got, have, "abcdef", have);
        EDDY_CHECK_MEM(rest, 6 - have, &"abcdef"[have], 6 - have);
    }
}

static int touch(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

/* Each of these calls has what it would wait for, and must not take it. */
EDDY_TEST(entry_is_checked_first_though_it_could_finish)
{
    char address[128], buf[8];
    struct iovec iov = { buf, 1 };
    struct eddy_addresses found = { .count = 0 };
    bool touched = false;
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) near = NULL;
    EDDY_OWN(eddy_stream) far = NULL;
    EDDY_OWN(eddy_stream) other = NULL;

    if (!EDDY_CHECK_EQ(listen_anywhere(&door, address, sizeof address), 0))
        return;
    EDDY_CHECK_EQ(eddy_connect(address, NULL, &near), 0);
    EDDY_CHECK_EQ(eddy_accept(door, &far), 0);
    EDDY_CHECK_EQ(eddy_write(near, "line\n", 5), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(far, buf, 1), 0); /* the rest is there, too */
    EDDY_CHECK_EQ(eddy_connect(address, NULL, &other), 0);
    eddy_stream_free(EDDY_TAKE(other));
    {
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_read(far, buf, sizeof buf), -ECANCELED);
        EDDY_CHECK_ERR(eddy_read_exactly(far, buf, 0), -ECANCELED);
        EDDY_CHECK_ERR(eddy_read_exactly(far, buf, 1), -ECANCELED);
        EDDY_CHECK_ERR(eddy_read_until(far, EDDY_SLICE("\n"), buf, sizeof buf), -ECANCELED);
        EDDY_AUTO(eddy_lines) lines = eddy_lines(far, NULL);
        EDDY_CHECK(!eddy_lines_next(&lines));
        EDDY_CHECK_ERR(lines.status, -ECANCELED);
        EDDY_CHECK_ERR(eddy_write(far, "x", 1), -ECANCELED);
        EDDY_CHECK_ERR(eddy_write(far, "", 0), -ECANCELED);
        EDDY_CHECK_ERR(eddy_writev(far, &iov, 1), -ECANCELED);
        EDDY_CHECK_EQ(iov.iov_len, 1);
        EDDY_CHECK_ERR(eddy_write_text(far, "x"), -ECANCELED);
        EDDY_CHECK_ERR(eddy_stream_finish(far), -ECANCELED);
        EDDY_CHECK_ERR(eddy_accept(door, &other), -ECANCELED);
        EDDY_CHECK_ERR(eddy_connect(address, NULL, &other), -ECANCELED);
        EDDY_CHECK_ERR(eddy_resolve(EDDY_SLICE("127.0.0.1"), 80, NULL, &found), -ECANCELED);
        EDDY_CHECK_ERR(eddy_resolve(EDDY_SLICE("localhost"), 80, NULL, &found), -ECANCELED);
        EDDY_CHECK_ERR(eddy_offload(touch, &touched), -ECANCELED);
        EDDY_CHECK(!other && !touched);
        EDDY_CHECK_EQ(found.count, 0);
    }
    /* Nothing happened: all of it can be done now. */
    EDDY_CHECK_EQ(eddy_read_until(far, EDDY_SLICE("\n"), buf, sizeof buf), 4);
    EDDY_CHECK_EQ(eddy_accept(door, &other), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(far), 0);
    EDDY_CHECK_EQ(eddy_read(near, buf, sizeof buf), 0);
}
