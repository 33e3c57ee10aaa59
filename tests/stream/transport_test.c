/*
 * The callback face: who is told what, when, and how often.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "ends.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/transport.h>

#include <string.h>

void eddy_check_teardown(void)
{
    ends_loop_free();
}

static void settle(void)
{
    for (int i = 0; i < 30; i++)
        eddy_yield();
    eddy_sleep(strcmp(eddy_check_backend(), "sim") == 0 ? 100 : 1);
}

/* A protocol that writes down what it was told. */
struct ear {
    struct eddy_transport *t;
    char heard[64];
    size_t len;
    size_t total;
    int pieces;
    int ended;
    int closed;
    int why;
    bool pause_at_once;
    bool close_at_once;
    bool answer;
    struct eddy_write write;
    struct iovec iov;
};

static bool in_call; /* a call on a transport is on the stack: no callback may come */

static void answered(struct eddy_write *w)
{
    EDDY_CHECK_EQ(w->res, 0);
}

static void heard(void *ctx, const char *data, size_t len)
{
    struct ear *e = ctx;

    EDDY_CHECK(!in_call && !e->ended && !e->closed && len > 0);
    e->pieces++;
    e->total += len;
    for (size_t i = 0; i < len && e->len < sizeof e->heard - 1; i++)
        e->heard[e->len++] = data[i];
    if (e->pause_at_once)
        eddy_transport_pause(e->t);
    if (e->answer) {
        e->answer = false;
        e->iov = (struct iovec){ (void *)(uintptr_t) "answer", 6 };
        e->write = (struct eddy_write){ .iov = &e->iov, .count = 1, .done = answered };
        eddy_transport_write(e->t, &e->write);
    }
    if (e->close_at_once)
        eddy_transport_close(e->t, 0);
}

static void heard_end(void *ctx)
{
    struct ear *e = ctx;

    EDDY_CHECK(!in_call && !e->closed);
    e->ended++;
}

static void heard_close(void *ctx, int why)
{
    struct ear *e = ctx;

    EDDY_CHECK(!in_call);
    e->closed++;
    e->why = why;
}

static const struct eddy_protocol ear_protocol = {
    .size = sizeof(struct eddy_protocol),
    .received = heard,
    .ended = heard_end,
    .closed = heard_close,
};

/* A write that counts how often it was told of. */
struct mouth {
    struct eddy_write write; /* first */
    struct iovec iov;
    int told;
    bool at_once;
};

static void said(struct eddy_write *w)
{
    EDDY_CHECK(!in_call);
    ((struct mouth *)(void *)w)->told++;
}

static void say(struct eddy_transport *t, struct mouth *m, const void *bytes, size_t len)
{
    *m = (struct mouth){ .iov = { (void *)(uintptr_t)bytes, len } };
    m->write = (struct eddy_write){ .iov = &m->iov, .count = 1, .done = said };
    in_call = true;
    m->at_once = len ? eddy_transport_write(t, &m->write) : eddy_transport_finish(t, &m->write);
    in_call = false;
}

static bool connect_ears(enum ends_kind kind, struct ear ear[2])
{
    struct eddy_transport *t[2];

    memset(ear, 0, 2 * sizeof *ear);
    if (!ends_transports(kind, t))
        return false;
    for (int i = 0; i < 2; i++) {
        ear[i].t = t[i];
        eddy_transport_use(t[i], &ear_protocol, &ear[i]);
    }
    return true;
}

static void calling(void (*call)(struct eddy_transport *), struct eddy_transport *t)
{
    in_call = true;
    call(t);
    in_call = false;
}

static void close_both(enum ends_kind kind, struct ear ear[2])
{
    for (int i = 0; i < 2; i++) {
        in_call = true;
        if (!ear[i].closed)
            eddy_transport_close(ear[i].t, 0);
        in_call = false;
    }
    for (int i = 0; i < 1000 && !(ear[0].closed && ear[1].closed); i++)
        eddy_sleep(1);
    settle();
    if (!EDDY_CHECK_EQ(ear[0].closed, 1) || !EDDY_CHECK_EQ(ear[1].closed, 1))
        EDDY_CHECK_FAIL("over %s", ends_name(kind));
}

/* The kernel may hand bytes to a thread of its own first. */
static void until_heard(const struct ear *e, size_t total)
{
    for (int i = 0; i < 10000 && e->total < total; i++)
        eddy_sleep(1);
}

EDDY_TEST(nothing_is_told_while_paused_and_nothing_is_lost)
{
    ENDS_EACH(kind)
    {
        struct ear ear[2];
        struct mouth m[3];
        if (!connect_ears(kind, ear))
            return;
        say(ear[0].t, &m[0], "one ", 4);
        settle();
        EDDY_CHECK_EQ(ear[1].pieces, 0); /* a transport starts paused */
        calling(eddy_transport_resume, ear[1].t);
        calling(eddy_transport_resume, ear[1].t);
        until_heard(&ear[1], 4);
        EDDY_CHECK_STR(ear[1].heard, "one ");
        /* Pausing races with bytes that are on their way; they wait. */
        say(ear[0].t, &m[1], "two ", 4);
        calling(eddy_transport_pause, ear[1].t);
        settle();
        EDDY_CHECK_STR(ear[1].heard, "one ");
        say(ear[0].t, &m[2], "three", 5);
        settle();
        EDDY_CHECK_STR(ear[1].heard, "one ");
        calling(eddy_transport_resume, ear[1].t);
        until_heard(&ear[1], 13);
        EDDY_CHECK_STR(ear[1].heard, "one two three");
        close_both(kind, ear);
    }
}

EDDY_TEST(what_raced_a_pause_is_read_first_by_a_stream)
{
    ENDS_EACH(kind)
    {
        /* The more turns between, the further the bytes are when the pause comes. */
        for (int turns = 0; turns < 6; turns++) {
            struct ear ear[2];
            struct mouth m;
            struct eddy_stream *s;
            char got[12] = { 0 };
            if (!connect_ears(kind, ear))
                return;
            if (turns % 2) { /* they are there when the reading begins, and ends at once */
                say(ear[0].t, &m, "0123456789", 10);
                settle();
                calling(eddy_transport_resume, ear[1].t);
            } else {
                calling(eddy_transport_resume, ear[1].t);
                say(ear[0].t, &m, "0123456789", 10);
                for (int i = 0; i < turns; i++)
                    eddy_yield();
            }
            calling(eddy_transport_pause, ear[1].t);
            size_t had = ear[1].len;
            if (!EDDY_CHECK_EQ(eddy_stream_of(ear[1].t, &s), 0))
                return;
            for (size_t i = had; i < 10; i++)
                EDDY_CHECK_EQ(eddy_read(s, got + i, 1), 1);
            EDDY_CHECK_MEM(got + had, 10 - had, &"0123456789"[had], 10 - had);
            eddy_stream_free(s);
            calling(eddy_transport_resume, ear[0].t);
            ear[1].closed = 1; /* the stream's */
            close_both(kind, ear);
        }
    }
}

EDDY_TEST(pausing_and_resuming_at_every_step_keeps_the_order)
{
    static char bytes[100000];

    ENDS_EACH(kind)
    {
        struct ear ear[2];
        struct mouth m;
        if (!connect_ears(kind, ear))
            return;
        ear[1].pause_at_once = true;
        memcpy(bytes, "order", 5);
        say(ear[0].t, &m, bytes, sizeof bytes);
        for (int i = 0; i < 20000 && ear[1].total < sizeof bytes; i++) {
            int before = ear[1].pieces;
            calling(eddy_transport_resume, ear[1].t);
            for (int j = 0; j < i % 3; j++)
                eddy_yield();
            calling(eddy_transport_pause, ear[1].t);
            if (ear[1].pieces == before)
                eddy_sleep(1);
        }
        EDDY_CHECK_EQ(ear[1].total, sizeof bytes);
        EDDY_CHECK(memcmp(ear[1].heard, "order", 5) == 0);
        close_both(kind, ear);
    }
}

EDDY_TEST(writes_leave_in_order_and_each_is_told_once)
{
    static char big[4 << 20];

    ENDS_EACH(kind)
    {
        struct ear ear[2];
        struct mouth m[4];
        size_t buffered = 0;
        if (!connect_ears(kind, ear))
            return;
        say(ear[0].t, &m[0], big, sizeof big);
        say(ear[0].t, &m[1], big, sizeof big);
        say(ear[0].t, &m[2], "", 0); /* the end */
        say(ear[0].t, &m[3], "x", 1);
        EDDY_CHECK(m[3].at_once);
        EDDY_CHECK_ERR(m[3].write.res, -EPIPE);
        EDDY_CHECK_EQ(eddy_transport_info(ear[0].t, EDDY_INFO_BUFFERED, &buffered), 0);
        EDDY_CHECK(buffered > 0);
        calling(eddy_transport_resume, ear[1].t);
        for (int i = 0; i < 100000 && !ear[1].ended; i++)
            eddy_sleep(1);
        EDDY_CHECK_EQ(ear[1].total, 2 * sizeof big);
        EDDY_CHECK_EQ(ear[1].ended, 1);
        calling(eddy_transport_pause, ear[1].t);
        calling(eddy_transport_resume, ear[1].t);
        settle();
        EDDY_CHECK_EQ(ear[1].ended, 1); /* told once */
        for (int i = 0; i < 3; i++) {
            EDDY_CHECK_EQ(m[i].told, m[i].at_once ? 0 : 1);
            EDDY_CHECK_EQ(m[i].write.res, 0);
        }
        close_both(kind, ear);
    }
}

EDDY_TEST(a_close_ends_every_write_first)
{
    static char big[8 << 20];

    ENDS_EACH(kind)
    {
        struct ear ear[2];
        struct mouth m[2], late;
        if (!connect_ears(kind, ear))
            return;
        say(ear[0].t, &m[0], big, sizeof big);
        say(ear[0].t, &m[1], big, sizeof big);
        in_call = true;
        eddy_transport_close(ear[0].t, -EIO);
        eddy_transport_close(ear[0].t, 0); /* harmless, and does not change why */
        in_call = false;
        EDDY_CHECK_EQ(ear[0].closed, 0);
        say(ear[0].t, &late, "x", 1);
        EDDY_CHECK(late.at_once && late.write.res == -ECANCELED);
        for (int i = 0; i < 1000 && !ear[0].closed; i++)
            eddy_sleep(1);
        EDDY_CHECK_EQ(ear[0].why, -EIO);
        for (int i = 0; i < 2; i++) {
            EDDY_CHECK_EQ(m[i].told, 1);
            EDDY_CHECK_ERR(m[i].write.res, -ECANCELED);
        }
        close_both(kind, ear);
    }
}

EDDY_TEST(a_protocol_may_write_and_close_in_its_callback)
{
    ENDS_EACH(kind)
    {
        struct ear ear[2];
        struct mouth m;
        if (!connect_ears(kind, ear))
            return;
        ear[1].answer = true;
        calling(eddy_transport_resume, ear[0].t);
        calling(eddy_transport_resume, ear[1].t);
        say(ear[0].t, &m, "question", 8);
        for (int i = 0; i < 1000 && ear[0].total < 6; i++)
            eddy_sleep(1);
        EDDY_CHECK_STR(ear[0].heard, "answer");
        ear[1].close_at_once = true;
        say(ear[0].t, &m, "more", 4);
        for (int i = 0; i < 1000 && !ear[1].closed; i++)
            eddy_sleep(1);
        EDDY_CHECK_EQ(ear[1].closed, 1);
        settle();
        EDDY_CHECK(ear[0].ended || ear[0].closed);
        close_both(kind, ear);
    }
}

/* One life of a connection, whatever fails in it; told only by what must hold. */
static void live(struct eddy_transport *t[2], struct ear ear[2])
{
    struct mouth m[2];

    memset(ear, 0, 2 * sizeof *ear);
    for (int i = 0; i < 2; i++) {
        ear[i].t = t[i];
        eddy_transport_use(t[i], &ear_protocol, &ear[i]);
        calling(eddy_transport_resume, t[i]);
    }
    say(t[0], &m[0], "hello", 5);
    settle();
    if (!ear[0].closed)
        say(t[0], &m[1], "", 0);
    settle();
}

EDDY_TEST(an_operation_that_fails_ends_in_one_closed)
{
    struct eddy_loop *loop = eddy_loop_current();
    int fds[2];

    if (strcmp(loop->driver->ops->name, "sim") == 0)
        return; /* it knows no socketpair */
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        struct eddy_transport *t[2];
        struct ear ear[2];
        if (!EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0))
            return;
        for (int i = 0; i < 2; i++)
            EDDY_CHECK_EQ(eddy_transport_of_socket(fds[i], &t[i]), 0);
        live(t, ear);
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK(fired || (ear[1].ended && ear[1].total == 5));
        close_both(ENDS_UNIX, ear);
    }
}

/* A program that answers each write's end with the next, to a peer that takes all at once. */
struct chain {
    struct eddy_transport *t;
    struct eddy_write write;
    struct iovec iov;
    unsigned done;
    int closed;
};

static unsigned sends;

static ssize_t send_later_then_at_once(int fd, const void *buf, size_t len, int flags)
{
    (void)fd, (void)buf, (void)flags;
    return sends++ == 0 ? -EAGAIN : (ssize_t)len;
}

static void write_the_next(struct eddy_write *w)
{
    struct chain *c = eddy_container_of(w, struct chain, write);

    if (w->res < 0 || ++c->done == 1000)
        return;
    c->iov = (struct iovec){ "x", 1 };
    *w = (struct eddy_write){ .iov = &c->iov, .count = 1, .done = write_the_next };
    EDDY_CHECK(!eddy_transport_write(c->t, w));
}

static void chain_closed(void *ctx, int why)
{
    (void)why;
    ((struct chain *)ctx)->closed++;
}

static const struct eddy_protocol chain_protocol = {
    .size = sizeof chain_protocol,
    .closed = chain_closed,
};

EDDY_TEST(writes_that_answer_writes_leave_others_their_turn)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct chain c = { .iov = { "x", 1 } };
    int fds[2];

    if (strcmp(loop->driver->ops->name, "ready") != 0)
        return; /* the others' writes are never over at once */
    if (!EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, fds), 0))
        return;
    EDDY_CHECK_EQ(eddy_transport_of_socket(fds[0], &c.t), 0);
    eddy_transport_use(c.t, &chain_protocol, &c);
    const struct eddy_sys kernel = eddy__sys;
    eddy__sys.send = send_later_then_at_once;
    sends = 0;
    c.write = (struct eddy_write){ .iov = &c.iov, .count = 1, .done = write_the_next };
    EDDY_CHECK(!eddy_transport_write(c.t, &c.write));
    eddy_loop_turn(loop, 10);
    EDDY_CHECK(c.done > 0 && c.done <= 20);
    for (int i = 0; i < 200 && c.done < 1000; i++)
        eddy_loop_turn(loop, 0);
    EDDY_CHECK_EQ(c.done, 1000);
    eddy__sys = kernel;
    eddy_transport_close(c.t, 0);
    for (int i = 0; i < 10 && !c.closed; i++)
        eddy_loop_turn(loop, 0);
    EDDY_CHECK_EQ(c.closed, 1);
    eddy__sys.close(fds[1]);
}
