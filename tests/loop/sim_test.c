/*
 * sim_test.c - what only the simulator does: one seed, one history; time that jumps; cuts
 *
 * seeds: yes
 */
#include "check.h"
#include "loop/sim.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct eddy_driver *sim(uint64_t seed)
{
    const struct eddy_driver_config config = { .backend = "sim", .seed = seed };
    struct eddy_driver *d = NULL;
    const char *why = "";

    if (eddy_driver_sim.open(&config, &d, &why) < 0)
        abort();
    return d;
}

struct peer {
    struct eddy_op op;
    struct eddy_driver *d;
    uint64_t bytes;
    int res;
    bool over;
};

static void peer_done(struct eddy_op *op, int res)
{
    struct peer *p = eddy_container_of(op, struct peer, op);

    p->res = res;
    if (op->more && op->kind == EDDY_OP_LEND)
        p->bytes += (uint64_t)res;
    p->over = !op->more || op->kind == EDDY_OP_ACCEPT;
}

static void run(struct eddy_driver *d, const bool *flag)
{
    for (int i = 0; i < 100000 && !*flag; i++)
        EDDY_CHECK(d->ops->turn(d, 1000000000) >= 0);
    EDDY_CHECK(*flag);
}

static int run_op(struct eddy_driver *d, struct peer *p)
{
    p->over = false;
    p->op.done = peer_done;
    if (d->ops->submit(d, &p->op))
        return p->op.res;
    run(d, &p->over);
    return p->res;
}

static int close_it(struct eddy_driver *d, int fd)
{
    struct peer p = { .d = d };

    eddy_op_close(&p.op, fd, peer_done);
    return run_op(d, &p);
}

static void pair(struct eddy_driver *d, int ret_fd[2])
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
    struct peer accept = { .d = d }, connect = { .d = d };

    int listener = d->ops->listen(d, (struct sockaddr *)&in, sizeof in, 8, NULL);
    EDDY_CHECK_ERR(d->ops->listen(d, (struct sockaddr *)&in, sizeof in, 8, NULL), -EADDRINUSE);
    eddy_op_accept(&accept.op, listener, peer_done);
    d->ops->submit(d, &accept.op);
    eddy_op_connect(&connect.op, (struct sockaddr *)&in, sizeof in, peer_done);
    ret_fd[0] = run_op(d, &connect);
    run(d, &accept.over);
    ret_fd[1] = accept.res;
    accept.over = false;
    if (!d->ops->cancel(d, &accept.op))
        while (accept.op.pending)
            d->ops->turn(d, 1000000);
    close_it(d, listener);
}

/* A little history: on four connections at once 50 000 bytes one way, then the end. */
static uint64_t history(uint64_t seed, int64_t *ret_ns)
{
    enum { PAIRS = 4 };
    static char text[50000];
    struct eddy_driver *d = sim(seed);
    struct peer send[PAIRS] = { 0 }, lend[PAIRS] = { 0 };
    struct iovec iov[PAIRS];
    uint64_t random;
    int fd[PAIRS][2];

    for (int i = 0; i < PAIRS; i++)
        pair(d, fd[i]);
    for (int i = 0; i < PAIRS; i++) {
        iov[i] = (struct iovec){ text, sizeof text };
        eddy_op_lend(&lend[i].op, fd[i][1], peer_done);
        d->ops->submit(d, &lend[i].op);
        eddy_op_send(&send[i].op, fd[i][0], &iov[i], 1, peer_done);
        d->ops->submit(d, &send[i].op);
    }
    d->ops->random(d, &random, sizeof random);
    for (int i = 0; i < PAIRS; i++) {
        run(d, &send[i].over);
        EDDY_CHECK_EQ(send[i].res, sizeof text);
        EDDY_CHECK_EQ(close_it(d, fd[i][0]), 0);
        run(d, &lend[i].over);
        EDDY_CHECK_EQ(lend[i].res, 0);
        EDDY_CHECK_EQ(lend[i].bytes, sizeof text);
        EDDY_CHECK_EQ(close_it(d, fd[i][1]), 0);
    }
    uint64_t hash = eddy_sim_history(d) ^ random;
    *ret_ns = d->ops->now_ns(d);
    d->ops->close(d);
    return hash;
}

EDDY_TEST(one_seed_is_one_history)
{
    uint64_t last = 0;

    for (EDDY_EACH_SEED(seed, 20)) {
        int64_t first_ns, again_ns;
        uint64_t first = history(seed, &first_ns);
        void *shift = malloc(4096 * (size_t)seed); /* other addresses, the same history */
        EDDY_CHECK_EQ(history(seed, &again_ns), first);
        EDDY_CHECK_EQ(again_ns, first_ns);
        free(shift);
        EDDY_CHECK(first != last);
        last = first;
    }
}

EDDY_TEST(time_jumps_and_stands_still)
{
    struct eddy_driver *d = sim(1);
    const int64_t day_ns = (int64_t)86400 * 1000000000;
    int64_t start_ns = d->ops->now_ns(d), wall_ns = d->ops->wall_ns(d);

    EDDY_CHECK_EQ(wall_ns, 1704067200000000000);
    EDDY_CHECK_EQ(d->ops->turn(d, 0), 0);
    EDDY_CHECK_EQ(d->ops->now_ns(d), start_ns);
    EDDY_CHECK_EQ(d->ops->turn(d, day_ns), 0);
    EDDY_CHECK_EQ(d->ops->now_ns(d), start_ns + day_ns);
    EDDY_CHECK_EQ(d->ops->wall_ns(d), wall_ns + day_ns);
    d->ops->wake(d);
    EDDY_CHECK_EQ(d->ops->turn(d, day_ns), 0);
    EDDY_CHECK_EQ(d->ops->now_ns(d), start_ns + day_ns);
    d->ops->close(d);
}

EDDY_TEST(a_cut_resets_both_ends)
{
    struct eddy_driver *d = sim(3);
    struct peer lend = { .d = d }, other = { .d = d };
    char buf[4];
    int fd[2];

    pair(d, fd);
    eddy_op_lend(&lend.op, fd[0], peer_done);
    d->ops->submit(d, &lend.op);
    EDDY_CHECK_EQ(eddy_sim_cut_fd(d, fd[0]), 0);
    run(d, &lend.over);
    EDDY_CHECK_ERR(lend.res, -ECONNRESET);
    eddy_op_recv(&other.op, fd[1], buf, sizeof buf, peer_done);
    EDDY_CHECK_ERR(run_op(d, &other), -ECONNRESET);
    struct iovec iov = { buf, 1 };
    eddy_op_send(&other.op, fd[1], &iov, 1, peer_done);
    EDDY_CHECK_ERR(run_op(d, &other), -EPIPE);
    close_it(d, fd[0]);
    close_it(d, fd[1]);
    d->ops->close(d);
}

/* A full backlog drops the SYN: the connect goes through when somebody accepts. */
EDDY_TEST(a_full_backlog_delays_a_connect)
{
    struct eddy_driver *d = sim(5);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
    struct peer connect[2] = { { .d = d }, { .d = d } }, accept = { .d = d };

    int listener = d->ops->listen(d, (struct sockaddr *)&in, sizeof in, 1, NULL);
    for (int i = 0; i < 2; i++) {
        eddy_op_connect(&connect[i].op, (struct sockaddr *)&in, sizeof in, peer_done);
        d->ops->submit(d, &connect[i].op);
    }
    d->ops->turn(d, 500000000);
    d->ops->turn(d, 10000000);
    EDDY_CHECK(connect[0].over != connect[1].over);
    eddy_op_accept(&accept.op, listener, peer_done);
    d->ops->submit(d, &accept.op);
    run(d, &connect[0].over);
    run(d, &connect[1].over);
    EDDY_CHECK(connect[0].res >= 0 && connect[1].res >= 0);
    if (!d->ops->cancel(d, &accept.op))
        while (accept.op.pending)
            d->ops->turn(d, 1000000);
    close_it(d, listener);
    close_it(d, connect[0].res);
    close_it(d, connect[1].res);
    d->ops->close(d);
}
