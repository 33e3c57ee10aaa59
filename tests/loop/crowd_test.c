/*
 * crowd_test.c - many connections at once: no queue, buffer or table may lose a byte
 *
 * backends: select poll epoll uring sim
 * timeout: 120
 *
 * With `short_io` the ring has 8 entries, 16 completions and 8 buffers, so these crowds make it
 * run out of each of them all the time.
 */
#include "check.h"
#include "drive.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct crowd;

struct member {
    struct crowd *crowd;
    int fd[2]; /* ours, and the one that was accepted; any pairing */
    struct call *recv, *send;
    struct iovec iov;
    uint64_t at;
    char buf[16];
};

struct crowd {
    struct eddy_driver *d;
    unsigned count, connected, accepted, ended;
    const char *text;
    size_t len;
    bool lend;
    struct member *members;
};

static unsigned crowd_size(const struct eddy_driver *d)
{
    struct rlimit limit;
    unsigned most = drive_is(d, "select") ? 400 : 1000; /* FD_SETSIZE is 1024 */

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    while (most * 2 + 50 > limit.rlim_cur)
        most /= 2;
    return most;
}

static void one_connected(struct call *c, int res)
{
    struct crowd *w = c->ctx;

    EDDY_CHECK(res >= 0);
    w->members[w->connected++].fd[0] = res;
}

static void one_accepted(struct call *c, int res)
{
    struct crowd *w = c->ctx;

    if (res >= 0)
        w->members[w->accepted++].fd[1] = res;
}

static bool crowd_gather(struct crowd *w, struct eddy_driver *d, unsigned count)
{
    struct sockaddr_storage addr;
    socklen_t len;
    struct call **connects = calloc(count, sizeof *connects);

    *w = (struct crowd){ .d = d, .count = count, .members = calloc(count, sizeof *w->members) };
    int listener = drive_listen(d, 2048, &addr, &len);
    struct call *accept = call_new(d, one_accepted, w);
    eddy_op_accept(&accept->op, listener, call_done);
    call_submit(accept);
    for (unsigned i = 0; i < count; i++) {
        w->members[i].crowd = w;
        connects[i] = call_new(d, one_connected, w);
        eddy_op_connect(&connects[i]->op, (struct sockaddr *)&addr, len, call_done);
        if (call_submit(connects[i]))
            one_connected(connects[i], connects[i]->res);
    }
    for (unsigned idle = 0; (w->connected < count || w->accepted < count) && idle < 2000; idle++)
        if (d->ops->turn(d, 10000000) > 0)
            idle = 0;
    call_cancel(accept);
    drive_until(d, &accept->ends);
    call_free(accept);
    for (unsigned i = 0; i < count; i++)
        call_free(connects[i]);
    free(connects);
    do_close(d, listener);
    return EDDY_CHECK_EQ(w->connected, count) && EDDY_CHECK_EQ(w->accepted, count);
}

static void crowd_disperse(struct crowd *w)
{
    unsigned done = 0;
    struct call **closing = calloc((size_t)w->count * 2, sizeof *closing);

    for (unsigned i = 0; i < w->count * 2; i++) {
        closing[i] = call_new(w->d, NULL, NULL);
        eddy_op_close(&closing[i]->op, w->members[i / 2].fd[i % 2], call_done);
        call_submit(closing[i]);
    }
    for (; done < w->count * 2; done++) {
        drive_until(w->d, &closing[done]->ends);
        call_free(closing[done]);
    }
    free(closing);
    free(w->members);
}

static void member_arm(struct member *m);

static void member_read(struct call *c, int res)
{
    struct member *m = c->ctx;

    if (res > 0) {
        text_is(c->op.kind == EDDY_OP_LEND ? c->op.lend.ptr : m->buf, (size_t)res, m->at);
        m->at += (uint64_t)res;
    }
    if (c->op.more)
        return;
    call_free(c);
    if (res > 0) {
        member_arm(m);
        return;
    }
    EDDY_CHECK_EQ(res, 0);
    EDDY_CHECK_EQ(m->at, m->crowd->len);
    m->crowd->ended++;
}

static void member_arm(struct member *m)
{
    struct call *c = call_new(m->crowd->d, member_read, m);

    if (m->crowd->lend)
        eddy_op_lend(&c->op, m->fd[1], call_done);
    else
        eddy_op_recv(&c->op, m->fd[1], m->buf, sizeof m->buf, call_done);
    if (call_submit(c))
        member_read(c, c->res);
}

static void member_sent(struct call *c, int res)
{
    struct member *m = c->ctx;

    EDDY_CHECK_EQ(res, m->crowd->len);
    EDDY_CHECK_EQ(c->d->ops->shutdown(c->d, m->fd[0]), 0);
    call_free(c);
}

/* All send at once; all read. @late: the readers start when everything has been sent. */
static void crowd_talk(struct crowd *w, size_t len, bool lend, bool late)
{
    char *text = malloc(len);

    text_fill(text, len, 0);
    w->text = text;
    w->len = len;
    w->lend = lend;
    w->ended = 0;
    for (unsigned i = 0; i < w->count; i++) {
        struct member *m = &w->members[i];
        struct call *c = call_new(w->d, member_sent, m);
        m->iov = (struct iovec){ text, len };
        if (!late)
            member_arm(m);
        eddy_op_send(&c->op, m->fd[0], &m->iov, 1, call_done);
        if (call_submit(c))
            member_sent(c, c->res);
    }
    if (late) {
        while (w->d->pending > 0)
            if (!EDDY_CHECK(w->d->ops->turn(w->d, 10000000) >= 0))
                break;
        for (unsigned i = 0; i < w->count; i++)
            member_arm(&w->members[i]);
    }
    for (unsigned idle = 0; w->ended < w->count && idle < 2000; idle++)
        if (w->d->ops->turn(w->d, 10000000) > 0)
            idle = 0;
    EDDY_CHECK_EQ(w->ended, w->count);
    EDDY_CHECK_EQ(w->d->pending, 0);
    free(text);
}

static void crowd_once(struct eddy_driver *d, unsigned count, size_t len, bool lend, bool late)
{
    struct crowd w;

    if (crowd_gather(&w, d, count)) {
        crowd_talk(&w, len, lend, late);
        crowd_disperse(&w);
    }
}

DRIVER_TEST(a_thousand_connections_lend)
{
    crowd_once(d, crowd_size(d), few ? 20 : 3000, true, false);
}

/* More bytes wait at once than all buffers of the ring hold: 512 of 8 KiB. */
DRIVER_TEST(running_out_of_buffers_loses_nothing)
{
    crowd_once(d, few ? 40 : 300, few ? 300 : 30000, true, true);
}

/* Everything is complete at once, and there are more completions than the queue holds. */
DRIVER_TEST(more_completions_than_the_queue_holds_lose_nothing)
{
    crowd_once(d, few ? 100 : crowd_size(d), few ? 10 : 16, false, true);
}
