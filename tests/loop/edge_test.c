/*
 * edge_test.c - nothing is lost where readiness is told once: what a driver has to remember
 *
 * backends: select poll epoll uring
 *
 * The peer's bytes are all there, and no more arrive, when the operation that is to take them is
 * submitted: a driver that waits for an event then waits for ever.
 */
#include "check.h"
#include "drive.h"
#include "poller/poller.h"

#include "base/sys.h"
#include "loop/loop.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* On a busy machine what is sent may lie with the kernel for a while: it has arrived when it is
 * acknowledged. */
static void put(int fd, const char *bytes, int flags)
{
    int domain = 0, left = 0;
    socklen_t len = sizeof domain;

    EDDY_CHECK_EQ(send(fd, bytes, strlen(bytes), flags), strlen(bytes));
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain == AF_UNIX)
        return; /* there it has arrived with the call */
    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
        sched_yield();
}

/* Until @fd has @events, seen from outside: POLLIN is no end, POLLRDHUP is. */
static bool arrived(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    return EDDY_CHECK_EQ(poll(&p, 1, 20000), 1);
}

/* What a receiver got: bytes, then how it ended. */
struct got {
    char text[64];
    size_t len, all;
    unsigned calls;
    unsigned full;  /* all of the bytes that are expected have come */
    unsigned ended; /* the last completion has */
    bool pauses;    /* in each call: cancel, and lend again */
    struct call *call;
};

static void lend(struct got *g, struct eddy_driver *d, int fd, size_t all);

static void note(struct call *c, int res)
{
    struct got *g = c->ctx;
    bool ended = !c->op.more;

    g->calls++;
    for (int i = 0; i < res; i++) {
        if (g->len < sizeof g->text)
            g->text[g->len] = c->op.lend.ptr[i];
        g->len++;
    }
    g->full = g->len >= g->all;
    if (!ended && g->pauses) {
        int fd = c->op.fd;
        if (call_cancel(c)) {
            struct eddy_driver *d = c->d;
            call_free(c);
            lend(g, d, fd, g->all);
            return;
        }
    }
    if (ended && g->pauses && res == -ECANCELED) {
        int fd = c->op.fd;
        struct eddy_driver *d = c->d;
        call_free(c);
        lend(g, d, fd, g->all);
        return;
    }
    g->ended = ended;
}

static void lend(struct got *g, struct eddy_driver *d, int fd, size_t all)
{
    g->all = all;
    g->call = call_new(d, note, g);
    eddy_op_lend(&g->call->op, fd, call_done);
    EDDY_CHECK(!call_submit(g->call));
}

/* Cancel it; its fields hold what it got. */
static void stop(struct got *g)
{
    struct eddy_driver *d = g->call->d;

    g->pauses = false;
    if (!g->ended && call_cancel(g->call))
        g->ended = 1;
    drive_until(d, &g->ended);
    call_free(g->call);
}

static void close_both(struct eddy_driver *d, const int fd[2])
{
    do_close(d, fd[0]);
    do_close(d, fd[1]);
}

/* So that the driver knows the descriptor, and has nothing to wait for at it. */
static void know(struct eddy_driver *d, const int fd[2])
{
    struct got g = { .len = 0 };

    lend(&g, d, fd[1], 1);
    put(fd[0], "k", 0);
    drive_until(d, &g.full);
    drive_turns(d, 1);
    stop(&g);
    EDDY_CHECK_MEM(g.text, g.len, "k", 1);
}

/* A turn reads four times from one connection: with short_io, twelve bytes at most. */
DRIVER_TEST(what_a_turns_share_left_is_read_in_the_next)
{
    const size_t len = few ? 60 : 400000;
    struct got g = { .len = 0 };
    char *bytes = malloc(len);
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    text_fill(bytes, len, 0);
    struct iovec iov = { bytes, len };
    struct call *c = call_new(d, NULL, NULL);
    eddy_op_send(&c->op, fd[0], &iov, 1, call_done);
    call_submit(c);
    if (few) {
        drive_until(d, &c->ends);
        arrived(fd[1], POLLIN);
    }
    lend(&g, d, fd[1], len);
    drive_until(d, &g.full);
    stop(&g);
    drive_until(d, &c->ends);
    call_free(c);
    text_is(g.text, few ? len : sizeof g.text, 0);
    close_both(d, fd);
    free(bytes);
}

DRIVER_TEST(bytes_that_came_while_nobody_received_are_lent)
{
    struct got g = { .len = 0 };
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    know(d, fd);
    put(fd[0], "while paused", 0);
    arrived(fd[1], POLLIN);
    drive_turns(d, 3); /* the event comes, and nobody waits */
    lend(&g, d, fd[1], 12);
    drive_until(d, &g.full);
    stop(&g);
    EDDY_CHECK_MEM(g.text, g.len, "while paused", 12);
    close_both(d, fd);
}

DRIVER_TEST(bytes_that_came_while_nobody_received_are_received)
{
    for (int late = 0; late < 2; late++) { /* with and without the event told before */
        char buf[12];
        size_t got = 0;
        int fd[2];

        if (!drive_pair(d, fd))
            return;
        know(d, fd);
        put(fd[0], "while paused", 0);
        arrived(fd[1], POLLIN);
        drive_turns(d, late ? 3 : 0);
        while (got < sizeof buf) {
            int r = do_recv(d, fd[1], buf + got, 2);
            if (!EDDY_CHECK(r > 0))
                break;
            got += (size_t)r;
        }
        EDDY_CHECK_MEM(buf, got, "while paused", 12);
        close_both(d, fd);
    }
}

DRIVER_TEST(a_pause_with_bytes_left_keeps_them)
{
    struct got g = { .pauses = true };
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    know(d, fd);
    put(fd[0], "abcdefghijklmnopqrstuvwxyz", 0);
    arrived(fd[1], POLLIN);
    lend(&g, d, fd[1], 26);
    drive_until(d, &g.full);
    stop(&g);
    EDDY_CHECK_MEM(g.text, g.len, "abcdefghijklmnopqrstuvwxyz", 26);
    close_both(d, fd);
}

DRIVER_TEST(an_end_behind_the_bytes_is_read)
{
    for (int late = 0; late < 2; late++) {
        struct got g = { .len = 0 };
        char byte;
        int fd[2];

        if (!drive_pair(d, fd))
            return;
        know(d, fd);
        put(fd[0], "abc", 0);
        d->ops->shutdown(d, fd[0]);
        arrived(fd[1], POLLRDHUP);
        drive_turns(d, late ? 3 : 0);
        lend(&g, d, fd[1], 3);
        drive_until(d, &g.ended);
        EDDY_CHECK_EQ(g.call->res, 0);
        stop(&g);
        EDDY_CHECK_MEM(g.text, g.len, "abc", 3);
        EDDY_CHECK_EQ(do_recv(d, fd[1], &byte, 1), 0);
        close_both(d, fd);
    }
}

DRIVER_TEST(a_reset_behind_the_bytes_is_told)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    for (int late = 0; late < 2; late++) {
        struct got g = { .len = 0 };
        int fd[2];

        if (!drive_pair(d, fd))
            return;
        know(d, fd);
        put(fd[0], "abc", 0);
        setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        do_close(d, fd[0]);
        arrived(fd[1], POLLRDHUP);
        drive_turns(d, late ? 3 : 0);
        lend(&g, d, fd[1], 3);
        drive_until(d, &g.ended);
        EDDY_CHECK_ERR(g.call->res, -ECONNRESET);
        stop(&g);
        do_close(d, fd[1]);
    }
}

/* A read ends at TCP's urgent mark, though there is more behind it. The kernel's own multishot
 * receive takes that for all there is, sometimes, until more arrives. */
DRIVER_TEST(bytes_behind_an_urgent_mark_are_read)
{
    for (int late = 0; late < 2; late++) {
        struct got g = { .len = 0 };
        int fd[2];

        if (!drive_pair(d, fd))
            return;
        know(d, fd);
        put(fd[0], "abcdU", MSG_OOB);
        put(fd[0], "efgh", 0);
        arrived(fd[1], POLLPRI);
        drive_turns(d, late ? 3 : 0);
        const bool sleeps = drive_is(d, "uring");
        lend(&g, d, fd[1], sleeps ? 4 : 8);
        drive_until(d, &g.full);
        if (sleeps) {
            put(fd[0], "i", 0);
            g.all = 9;
            g.full = g.len >= g.all;
            drive_until(d, &g.full);
        }
        stop(&g);
        EDDY_CHECK_MEM(g.text, g.len, "abcdefghi", sleeps ? 9 : 8);
        close_both(d, fd);
    }
}

/* --- numbers given out again ---------------------------------------------------------------------- */

static int counted_fd;
static unsigned receives;
static ssize_t (*kernels_recv)(int fd, void *buf, size_t len, int flags);

static ssize_t counting_recv(int fd, void *buf, size_t len, int flags)
{
    receives += fd == counted_fd;
    return kernels_recv(fd, buf, len, flags);
}

static void count_receives(int fd)
{
    if (!kernels_recv)
        kernels_recv = eddy__sys.recv;
    counted_fd = fd;
    receives = 0;
    eddy__sys.recv = counting_recv;
}

DRIVER_TEST(what_is_remembered_of_a_descriptor_dies_with_it)
{
    struct got g = { .len = 0 };
    int fd[2], next[2];

    if (!drive_pair(d, fd))
        return;
    know(d, fd);
    put(fd[0], "for the former", 0);
    arrived(fd[1], POLLIN);
    drive_turns(d, 2);
    /* Its place in the list of those to be tried dies, too. */
    lend(&g, d, fd[1], 1);
    stop(&g);
    if (drive_is(d, "epoll"))
        EDDY_CHECK(!d->ops->rest(d));
    g = (struct got){ .len = 0 };
    close_both(d, fd);
    if (!drive_pair(d, next))
        return;
    EDDY_CHECK(next[0] == fd[1] || next[1] == fd[1]);
    int mine = next[1] == fd[1] ? 1 : 0;
    count_receives(next[mine]);
    lend(&g, d, next[mine], 1);
    drive_turns(d, 3);
    EDDY_CHECK_EQ(receives, 0);
    put(next[1 - mine], "n", 0);
    drive_until(d, &g.full);
    eddy__sys.recv = kernels_recv;
    stop(&g);
    EDDY_CHECK_MEM(g.text, g.len, "n", 1);
    close_both(d, next);
}

/* Of "abc" with a descriptor, then "def": the first read ends where the descriptor was. */
static void put_descriptor(int fd)
{
    char room[CMSG_SPACE(sizeof fd)] = { 0 };
    struct iovec iov = { (void *)(uintptr_t) "abc", 3 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);

    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS,
                           .cmsg_len = CMSG_LEN(sizeof fd) };
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    EDDY_CHECK_EQ(sendmsg(fd, &message, 0), 3);
    put(fd, "def", 0);
}

/* Its number was that of a TCP connection, of which a short read says more. */
DRIVER_TEST(a_short_read_of_a_unix_socket_is_not_the_last)
{
    struct got g = { .len = 0 };
    int fd[2], next[2];

    if (!drive_pair(d, fd))
        return;
    know(d, fd);
    close_both(d, fd);
    EDDY_CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
    if (next[1] != fd[1]) {
        EDDY_CHECK_EQ(dup2(next[1], fd[1]), fd[1]);
        close(next[1]);
        next[1] = fd[1];
    }
    put_descriptor(next[0]);
    lend(&g, d, next[1], 6);
    drive_until(d, &g.full);
    stop(&g);
    EDDY_CHECK_MEM(g.text, g.len, "abcdef", 6);
    close_both(d, next);
}

DRIVER_TEST(a_receive_known_to_find_nothing_is_not_tried)
{
    char buf[8];
    int fd[2];

    if (few || !drive_pair(d, fd))
        return;
    count_receives(fd[1]);
    struct call *c = call_new(d, NULL, NULL);
    eddy_op_recv(&c->op, fd[1], buf, sizeof buf, call_done);
    call_submit(c);
    put(fd[0], "ab", 0);
    drive_until(d, &c->ends);
    EDDY_CHECK_EQ(c->res, 2);
    call_free(c);
    unsigned tries = receives;
    c = call_new(d, NULL, NULL);
    eddy_op_recv(&c->op, fd[1], buf, sizeof buf, call_done);
    EDDY_CHECK(!call_submit(c));
    if (drive_is(d, "epoll"))
        EDDY_CHECK_EQ(receives, tries);
    put(fd[0], "c", 0);
    drive_until(d, &c->ends);
    EDDY_CHECK_EQ(c->res, 1);
    if (drive_is(d, "epoll"))
        EDDY_CHECK_EQ(receives, tries + 1);
    eddy__sys.recv = kernels_recv;
    call_free(c);
    close_both(d, fd);
}

/* --- beside levels ------------------------------------------------------------------------------- */

static void count_call(struct call *c, int res)
{
    (void)c, (void)res;
}

DRIVER_TEST(beside_a_watch_of_levels_nothing_is_lost)
{
    struct got g = { .len = 0 };
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    know(d, fd);
    lend(&g, d, fd[1], 3);
    struct call *out = call_new(d, count_call, NULL);
    eddy_op_poll(&out->op, fd[1], EDDY_WRITABLE, call_done);
    out->op.poll.multishot = true;
    EDDY_CHECK(!call_submit(out));
    for (unsigned i = 0; i < 5; i++) { /* told in each turn */
        unsigned before = out->calls;
        for (int turns = 0; out->calls == before && turns < 100; turns++)
            drive_turns(d, 1);
        EDDY_CHECK(out->calls > before);
    }
    put(fd[0], "a", 0);
    while (g.len < 1 && EDDY_CHECK(d->ops->turn(d, -1) >= 0))
        ;
    call_cancel(out);
    drive_until(d, &out->ends);
    call_free(out);
    put(fd[0], "b", 0); /* and without it, as before */
    while (g.len < 2 && EDDY_CHECK(d->ops->turn(d, -1) >= 0))
        ;
    stop(&g);
    put(fd[0], "c", 0);
    arrived(fd[1], POLLIN);
    g.ended = 0;
    lend(&g, d, fd[1], 3);
    drive_until(d, &g.full);
    stop(&g);
    EDDY_CHECK_MEM(g.text, g.len, "abc", 3);
    close_both(d, fd);
}

DRIVER_TEST(a_watch_of_edges_is_told_what_came_before_it)
{
    int fd[2];

    if (!drive_pair(d, fd))
        return;
    know(d, fd);
    put(fd[0], "ab", 0);
    arrived(fd[1], POLLIN);
    drive_turns(d, 2);
    struct call *c = call_new(d, NULL, NULL);
    eddy_op_poll(&c->op, fd[1], EDDY_READABLE | EDDY_EDGE, call_done);
    c->op.poll.multishot = true;
    EDDY_CHECK(!call_submit(c));
    drive_until(d, &c->calls);
    EDDY_CHECK(c->res & EDDY_READABLE);
    call_cancel(c);
    drive_until(d, &c->ends);
    call_free(c);
    close_both(d, fd);
}

/* --- guests and forks ------------------------------------------------------------------------------ */

struct step {
    struct eddy_op op;
    struct eddy_loop *loop;
    char byte;
    unsigned lent;
    bool over;
    pid_t child;
    unsigned calls;
};

static struct eddy_loop *make_loop(void)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!EDDY_CHECK(loop != NULL))
        abort();
    return loop;
}

static void step_lent(struct eddy_op *op, int res)
{
    struct step *s = eddy_container_of(op, struct step, op);

    s->lent += res > 0 ? (unsigned)res : 0;
    s->over = !op->more;
}

static void step_received(struct eddy_op *op, int res)
{
    struct step *s = eddy_container_of(op, struct step, op);
    int fd = op->fd;

    EDDY_CHECK_EQ(res, 1);
    eddy_op_lend(op, fd, step_lent);
    EDDY_CHECK(!eddy__op_submit(s->loop, op));
}

/* The turn ends with a LEND that waits for what was told already. */
EDDY_TEST(the_host_of_a_guest_is_told_of_what_is_remembered)
{
    struct step s = { .loop = make_loop() };
    int fd[2];

    int host = eddy_loop_fd(s.loop);
    if (host < 0 || !drive_pair(s.loop->driver, fd)) {
        EDDY_CHECK_EQ(host, -EOPNOTSUPP);
        return;
    }
    eddy_op_recv(&s.op, fd[1], &s.byte, 1, step_received);
    EDDY_CHECK(!eddy__op_submit(s.loop, &s.op));
    put(fd[0], "abc", 0);
    while (s.lent < 2 && arrived(host, POLLIN)) {
        EDDY_CHECK(eddy_loop_turn(s.loop, 0) >= 0);
        if (s.byte && s.lent < 2 && drive_is(s.loop->driver, "epoll"))
            EDDY_CHECK_EQ(eddy_loop_timeout_ms(s.loop), 0);
    }
    EDDY_CHECK_EQ(s.lent, 2);
    if (!eddy__op_cancel(s.loop, &s.op))
        while (!s.over)
            eddy_loop_turn(s.loop, -1);
    close_both(s.loop->driver, fd);
}

static void step_forks(struct eddy_op *op, int res)
{
    struct step *s = eddy_container_of(op, struct step, op);

    (void)res;
    s->calls++;
    s->over = !op->more;
    if (s->calls == 1)
        s->child = fork();
}

/* An end is known to be behind the bytes, so the driver is about to read on when it finds itself in
 * the child. */
EDDY_TEST(in_the_child_of_a_fork_nothing_more_is_received)
{
    struct step s = { .loop = make_loop(), .child = -1 };
    int fd[2], status = -1;

    if (!drive_pair(s.loop->driver, fd))
        return;
    put(fd[0], "abc", 0);
    shutdown(fd[0], SHUT_WR);
    arrived(fd[1], POLLRDHUP);
    eddy_op_lend(&s.op, fd[1], step_forks);
    EDDY_CHECK(!eddy__op_submit(s.loop, &s.op));
    while (s.calls < 1)
        (void)eddy_loop_turn(s.loop, -1);
    if (s.child == 0)
        _exit(s.calls == 1 ? 0 : 1);
    while (!s.over)
        (void)eddy_loop_turn(s.loop, -1);
    EDDY_CHECK_EQ(waitpid(s.child, &status, 0), s.child);
    EDDY_CHECK_EQ(status, 0);
    close_both(s.loop->driver, fd);
}
