/*
 * uring_test.c - the rare paths of the ring: each is shown to have been taken
 *
 * backends: uring
 * timeout: 120
 *
 * With `short_io` the ring has 8 entries, 16 completions and 8 buffers of a few bytes. A completion
 * that no test can order from the kernel (an interruption) is handed to the driver by the test.
 */
#include "check.h"
#include "drive.h"
#include "reader.h"

#ifdef EDDY_HAVE_URING
#include "loop/uring.h"
#include "poller/poller.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct eddy_uring_counts *counts(struct eddy_driver *d)
{
    return &eddy_uring_of(d)->counts;
}

/* What the kernel could have said of an operation that it never saw. */
static void pretend(struct eddy_driver *d, struct call *c, int res, unsigned flags)
{
    const struct io_uring_cqe cqe = { .user_data = (uintptr_t)&c->op, .res = res, .flags = flags };
    struct eddy_uring *u = eddy_uring_of(d);

    if (!c->op.pending) {
        c->op.state = EDDY_URING_IN_FLIGHT;
        c->op.scratch[0] = 0;
        if (!eddy_op_is_file(&c->op))
            EDDY_CHECK_EQ(eddy_uring_sides_take(u, c->op.fd, eddy_uring_sides_of(&c->op)), 0);
        eddy_driver_began(d, &c->op);
    }
    eddy_uring_complete(u, &cqe);
}

/* --- cancelling --------------------------------------------------------------------------------- */

DRIVER_TEST(a_cancelled_operation_is_the_kernels_until_its_completion)
{
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    for (int i = 0; i < 40; i++) {
        char *bytes = malloc(8);
        struct call *c = call_new(d, NULL, NULL);
        memset(bytes, '-', 8);
        eddy_op_recv(&c->op, fd[1], bytes, 8, call_done);
        EDDY_CHECK(!call_submit(c));
        if (i % 2)
            d->ops->turn(d, 0); /* so the kernel has it */
        /* The peer's byte may be written to the buffer at any time from here on. */
        EDDY_CHECK_EQ(send(fd[0], "x", 1, 0), 1);
        EDDY_CHECK(!call_cancel(c));
        EDDY_CHECK(!call_cancel(c)); /* once more changes nothing */
        EDDY_CHECK(c->ends == 0 && c->op.pending && d->pending == 1);
        drive_until(d, &c->ends);
        if (c->res == -ECANCELED) {
            EDDY_CHECK_MEM(bytes, 8, "--------", 8);
            EDDY_CHECK_EQ(recv(fd[1], bytes, 8, 0), 1);
        } else {
            EDDY_CHECK_EQ(c->res, 1);
            EDDY_CHECK_MEM(bytes, 8, "x-------", 8);
        }
        call_free(c);
        free(bytes);
        drive_turns(d, 1);
    }
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

DRIVER_TEST(what_waits_for_an_entry_is_cancelled_at_once)
{
    struct eddy_uring *u = eddy_uring_of(d);
    struct call *c = call_new(d, NULL, NULL);
    char buf[4];
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    /* As if no entry had been free. */
    eddy_op_recv(&c->op, fd[1], buf, sizeof buf, call_done);
    c->op.state = 0;
    EDDY_CHECK_EQ(eddy_uring_sides_take(u, fd[1], EDDY_URING_READ), 0);
    eddy_driver_began(d, &c->op);
    eddy_uring_list(&u->backlog, &c->op);
    EDDY_CHECK(call_cancel(c));
    EDDY_CHECK_ERR(c->res, -ECANCELED);
    EDDY_CHECK(eddy_list_is_empty(&u->backlog));
    call_free(c);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

DRIVER_TEST(what_finds_no_entry_is_armed_in_the_next_turn)
{
    struct eddy_uring *u = eddy_uring_of(d);
    struct call *c = call_new(d, NULL, NULL);
    char buf[4];
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    eddy_op_recv(&c->op, fd[1], buf, 1, call_done);
    c->op.state = 0;
    EDDY_CHECK_EQ(eddy_uring_sides_take(u, fd[1], EDDY_URING_READ), 0);
    eddy_driver_began(d, &c->op);
    eddy_uring_list(&u->backlog, &c->op);
    EDDY_CHECK_EQ(send(fd[0], "x", 1, 0), 1);
    EDDY_CHECK(drive_until(d, &c->ends));
    EDDY_CHECK_EQ(c->res, 1);
    call_free(c);
    /* Likewise the wake-up; one that came meanwhile is not lost. */
    const struct io_uring_cqe ended = { .user_data = EDDY_URING_WAKE };
    const unsigned entries = io_uring_sq_ready(&u->ring);
    d->ops->wake(d);
    eddy_uring_complete(u, &ended);
    EDDY_CHECK(u->wake_armed);
    EDDY_CHECK_EQ(io_uring_sq_ready(&u->ring), entries + 1);
    u->wake_armed = false;
    EDDY_CHECK(d->ops->turn(d, -1) >= 0);
    EDDY_CHECK(u->wake_armed);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* --- what the kernel ends on its own ---------------------------------------------------------------- */

static void take_fd(struct call *c, int res)
{
    if (res >= 0)
        *(int *)c->ctx = res;
}

DRIVER_TEST(an_accept_that_the_kernel_ended_is_armed_again)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int accepted = -1;

    int listener = drive_listen(d, 16, &addr, &len);
    struct call *c = call_new(d, take_fd, &accepted);
    eddy_op_accept(&c->op, listener, call_done);
    pretend(d, c, -ECONNABORTED, 0);
    EDDY_CHECK(c->calls == 0 && c->op.pending);
    int client = do_connect(d, &addr, len);
    EDDY_CHECK(client >= 0 && drive_until(d, &c->calls));
    EDDY_CHECK(accepted >= 0);
    do_close(d, accepted);
    do_close(d, client);

    /* A connection, and the end of the multishot with it. */
    call_cancel(c);
    drive_until(d, &c->ends);
    call_free(c);
    c = call_new(d, take_fd, &accepted);
    eddy_op_accept(&c->op, listener, call_done);
    accepted = -1;
    int made = dup(listener);
    pretend(d, c, made, 0);
    EDDY_CHECK(c->calls == 1 && c->ends == 0 && accepted == made);
    do_close(d, made);
    client = do_connect(d, &addr, len);
    while (c->calls < 2 && d->ops->turn(d, 100000000) >= 0)
        ;
    do_close(d, accepted);
    do_close(d, client);
    call_cancel(c);
    drive_until(d, &c->ends);
    call_free(c);
    do_close(d, listener);
}

DRIVER_TEST(what_a_signal_interrupted_is_repeated)
{
    struct reader r = { .d = d, .dice = 3 };
    char buf[8], text[8], byte = text_at(0);
    struct iovec iov = { text, sizeof text };
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    struct call *c = call_new(d, NULL, NULL);
    eddy_op_recv(&c->op, fd[1], buf, 1, call_done);
    pretend(d, c, -EINTR, 0);
    EDDY_CHECK_EQ(send(fd[0], "x", 1, 0), 1);
    EDDY_CHECK(drive_until(d, &c->ends) && c->res == 1);
    call_free(c);

    c = call_new(d, reader_lent, &r);
    eddy_op_lend(&c->op, fd[1], call_done);
    r.busy = 1;
    pretend(d, c, -EINTR, 0);
    EDDY_CHECK(c->op.pending);
    EDDY_CHECK_EQ(send(fd[0], &byte, 1, 0), 1);
    while (r.at == 0 && d->ops->turn(d, 100000000) >= 0)
        ;
    if (r.busy) {
        call_cancel(c);
        while (r.busy)
            d->ops->turn(d, 100000000);
    }

    c = call_new(d, NULL, NULL);
    text_fill(text, sizeof text, 0);
    eddy_op_send(&c->op, fd[0], &iov, 1, call_done);
    pretend(d, c, -EINTR, 0);
    EDDY_CHECK(drive_until(d, &c->ends) && c->res == (int)sizeof text);
    call_free(c);
    EDDY_CHECK_EQ(recv(fd[1], buf, sizeof buf, MSG_WAITALL), sizeof buf);
    EDDY_CHECK_MEM(buf, sizeof buf, text, sizeof text);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* --- too little room ---------------------------------------------------------------------------------- */

enum { CROWD = 40 };

struct crowd {
    struct eddy_driver *d;
    struct call *lends[CROWD];
    struct crowd_end {
        int fd[2];
        uint64_t at;
        struct crowd *crowd;
    } ends[CROWD];
    uint64_t got, lent;
};

static void crowd_lent(struct call *c, int res)
{
    struct crowd_end *e = c->ctx;

    if (res <= 0)
        return;
    text_is(c->op.lend.ptr, (size_t)res, e->at);
    e->at += (uint64_t)res;
    e->crowd->got += (uint64_t)res;
    e->crowd->lent++;
}

static void crowd_open(struct crowd *w, struct eddy_driver *d)
{
    *w = (struct crowd){ .d = d };
    for (int i = 0; i < CROWD; i++) {
        struct crowd_end *e = &w->ends[i];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, e->fd) < 0)
            abort();
        e->crowd = w;
        w->lends[i] = call_new(d, crowd_lent, e);
        eddy_op_lend(&w->lends[i]->op, e->fd[1], call_done);
        EDDY_CHECK(!call_submit(w->lends[i]));
    }
    drive_turns(d, 10);
}

static void crowd_send(struct crowd *w, int i, uint64_t at, size_t len)
{
    char text[1024];

    text_fill(text, len, at);
    EDDY_CHECK_EQ(send(w->ends[i].fd[0], text, len, 0), len);
}

/* Returns the turns it took, or a lot. */
static unsigned crowd_take(struct crowd *w, uint64_t bytes)
{
    unsigned turns = 0;

    while (w->got < bytes && turns < 100000) {
        turns++;
        if (!EDDY_CHECK(w->d->ops->turn(w->d, 1000000000) >= 0))
            break;
    }
    EDDY_CHECK_EQ(w->got, bytes);
    return turns;
}

static void crowd_close(struct crowd *w)
{
    for (int i = 0; i < CROWD; i++) {
        call_cancel(w->lends[i]);
        drive_until(w->d, &w->lends[i]->ends);
        EDDY_CHECK_ERR(w->lends[i]->res, -ECANCELED);
        call_free(w->lends[i]);
        do_close(w->d, w->ends[i].fd[0]);
        do_close(w->d, w->ends[i].fd[1]);
    }
}

EDDY_TEST(without_a_buffer_a_lend_waits_and_neither_drops_nor_spins)
{
    struct eddy_driver *d = drive_open(true, 1);
    struct crowd w;

    if (!d)
        return;
    crowd_open(&w, d);
    for (int i = 0; i < CROWD; i++)
        crowd_send(&w, i, 0, 300);
    unsigned turns = crowd_take(&w, CROWD * 300);
    /* It was short of buffers, often; yet each try that found none stands for one that was served. */
    EDDY_CHECK(counts(d)->starved > 100);
    EDDY_CHECK(counts(d)->starved <= w.lent + CROWD);
    EDDY_CHECK(turns <= w.lent + CROWD);
    crowd_close(&w);
    drive_close(d);
}

EDDY_TEST(an_idle_connection_pins_no_buffer)
{
    struct eddy_driver *d = drive_open(true, 1);
    struct crowd w;

    if (!d)
        return;
    crowd_open(&w, d); /* five connections for each buffer; each has received, and is armed */
    for (int i = 0; i < CROWD; i++) {
        crowd_send(&w, i, 0, 1);
        crowd_take(&w, (uint64_t)i + 1);
    }
    const uint64_t starved = counts(d)->starved;
    for (unsigned k = 0; k < 500; k++) {
        crowd_send(&w, 7, 1 + k, 1);
        crowd_take(&w, CROWD + k + 1);
    }
    EDDY_CHECK_EQ(counts(d)->starved, starved);
    for (int i = 0; i < CROWD; i++)
        EDDY_CHECK(w.lends[i]->ends == 0 && w.lends[i]->op.pending);
    crowd_close(&w);
    drive_close(d);
}

struct sip {
    unsigned left; /* buffers until it pauses */
    uint64_t got;
    unsigned over;
};

static void sipped(struct call *c, int res)
{
    struct sip *s = c->ctx;

    EDDY_CHECK(res > 0 && c->op.more);
    s->got += (uint64_t)res;
    if (--s->left == 0) {
        EDDY_CHECK(call_cancel(c)); /* at once: the kernel has nothing of it */
        EDDY_CHECK_ERR(c->res, -ECANCELED);
        call_free(c);
        s->over = 1;
    }
}

DRIVER_TEST(one_that_sips_has_taken_no_more_when_it_pauses)
{
    static char text[30000];
    uint64_t got = 0;
    int fd[2], left = 0;

    if (!drive_pair(d, fd))
        return;
    text_fill(text, sizeof text, 0);
    EDDY_CHECK_EQ(do_send(d, fd[0], text, sizeof text), (int)sizeof text);
    while (ioctl(fd[0], SIOCOUTQ, &left) == 0 && left > 0)
        sched_yield(); /* on a busy machine it may lie with the kernel for a while */
    for (unsigned i = 1; i < 3; i++) {
        struct sip s = { .left = i };
        struct call *c = call_new(d, sipped, &s);
        eddy_op_lend(&c->op, fd[1], call_done);
        c->op.lend.sip = true;
        EDDY_CHECK(!call_submit(c));
        drive_until(d, &s.over);
        got += s.got;
        EDDY_CHECK_EQ(ioctl(fd[1], FIONREAD, &left), 0);
        EDDY_CHECK_EQ(left, sizeof text - got);
    }
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

EDDY_TEST(a_full_completion_queue_loses_nothing)
{
    struct eddy_driver *d = drive_open(true, 1);
    struct call *calls[CROWD];
    int pipes[CROWD][2];

    if (!d)
        return;
    /* More than twice what 16 places hold is complete at once. */
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < CROWD; i++) {
            if (pipe2(pipes[i], O_CLOEXEC) < 0)
                abort();
            calls[i] = call_new(d, NULL, NULL);
            eddy_op_poll(&calls[i]->op, pipes[i][0], EDDY_READABLE, call_done);
            call_submit(calls[i]);
        }
        drive_turns(d, 6);
        for (int i = 0; i < CROWD; i++)
            EDDY_CHECK_EQ(write(pipes[i][1], "x", 1), 1);
        for (int i = 0; i < CROWD; i++) {
            drive_until(d, &calls[i]->ends);
            EDDY_CHECK(calls[i]->res & EDDY_READABLE);
            call_free(calls[i]);
            close(pipes[i][0]);
            close(pipes[i][1]);
        }
    }
    EDDY_CHECK(counts(d)->overflows > 0);
    drive_close(d);
}

/* A multishot whose completion finds no room ends there: the kernel says so by a missing flag. */
EDDY_TEST(a_lend_that_a_full_queue_ended_goes_on)
{
    struct eddy_driver *d = drive_open(true, 1);
    struct crowd w;

    if (!d)
        return;
    crowd_open(&w, d);
    uint64_t sent = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < CROWD; i++)
            crowd_send(&w, i, w.ends[i].at, 50);
        crowd_take(&w, sent += CROWD * 50);
    }
    EDDY_CHECK(counts(d)->rearmed > 0);
    crowd_close(&w);
    drive_close(d);
}

/* --- readiness ------------------------------------------------------------------------------------------ */

DRIVER_TEST(a_poll_tells_once)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) < 0)
        abort();
    for (int i = 0; i < 3; i++) {
        struct call *c = call_new(d, NULL, NULL);
        eddy_op_poll(&c->op, fd[0], EDDY_READABLE, call_done);
        call_submit(c);
        EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
        drive_until(d, &c->ends);
        EDDY_CHECK_EQ(write(fd[1], "y", 1), 1); /* still readable, and again so */
        drive_turns(d, 3);
        EDDY_CHECK(c->calls == 1 && !c->op.more && d->pending == 0);
        call_free(c);
    }
    close(fd[0]);
    close(fd[1]);
}

/* --- the price of a turn ----------------------------------------------------------------------------------- */

EDDY_TEST(a_turn_is_at_most_one_system_call)
{
    struct eddy_driver *d = drive_open(false, 1);
    char byte = 'x', buf[4];
    struct call *c[2];
    int fd[2];

    if (!d || !drive_pair(d, fd))
        return;
    const uint64_t before = counts(d)->enters;
    unsigned turns = 0;
    for (int i = 0; i < 100; i++) {
        struct iovec iov = { &byte, 1 };
        c[0] = call_new(d, NULL, NULL);
        c[1] = call_new(d, NULL, NULL);
        eddy_op_recv(&c[0]->op, fd[1], buf, 1, call_done);
        eddy_op_send(&c[1]->op, fd[0], &iov, 1, call_done);
        call_submit(c[0]);
        call_submit(c[1]);
        for (; c[0]->ends + c[1]->ends < 2; turns++)
            d->ops->turn(d, -1);
        call_free(c[0]);
        call_free(c[1]);
    }
    EDDY_CHECK_EQ(counts(d)->enters - before, turns);
    EDDY_CHECK(turns <= 200);
    /* With nothing to submit, nothing complete and no leave to wait, none. */
    drive_turns(d, 1);
    const uint64_t still = counts(d)->enters;
    for (int i = 0; i < 10; i++)
        d->ops->turn(d, 0);
    EDDY_CHECK_EQ(counts(d)->enters, still);
    do_close(d, fd[0]);
    do_close(d, fd[1]);
    drive_close(d);
}

EDDY_TEST(long_waits_share_one_timer_and_none_is_late)
{
    struct eddy_driver *d = drive_open(false, 1);
    atomic_bool asleep = false;
    int64_t clock;

    if (!d)
        return;
    struct eddy_uring *u = eddy_uring_of(d);
    d->asleep = &asleep;
    d->clock = &clock;
    clock = d->ops->now_ns(d);
    d->ops->wake(d);
    d->ops->turn(d, 20000000000);
    EDDY_CHECK_EQ(counts(d)->timers, 1);
    /* Deadlines further away need nothing; nor does the same one, looked at again later. */
    const int64_t at = u->timer_at;
    for (int i = 0; i < 50; i++) {
        d->ops->wake(d);
        d->ops->turn(d, i % 2 ? 30000000000 : at - clock);
    }
    EDDY_CHECK_EQ(counts(d)->timers, 1);
    /* A nearer one moves it, and ends its wait: not before its time, nor long after. */
    int64_t start = clock;
    while (clock < start + 150000000)
        EDDY_CHECK(d->ops->turn(d, start + 150000000 - clock) >= 0);
    EDDY_CHECK_EQ(counts(d)->timers, 2);
    EDDY_CHECK(clock - start < 15000000000);
    /* It has fired: the next is a new one. */
    drive_turns(d, 1);
    EDDY_CHECK_EQ(u->timer_at, INT64_MAX);
    start = clock;
    EDDY_CHECK(d->ops->turn(d, 110000000) >= 0);
    EDDY_CHECK_EQ(counts(d)->timers, 3);
    EDDY_CHECK(clock - start >= 110000000 && clock - start < 15000000000);
    d->clock = NULL;
    drive_close(d);
}
#endif
