/*
 * bench/channel.c - what it costs to hand a value from task to task, or from a generator
 *
 *     bench-channel          five rounds, median with minimum and maximum
 *
 * A hand-over is a send in one task, the receive in another, and the switches between; the loop's
 * iterations are part of it. The buffered ones fill and drain the buffer in turn.
 */
#include <eddy/channel.h>
#include <eddy/generator.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 5
#define ITEMS 1000000

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void report(const char *what, double *ns)
{
    qsort(ns, ROUNDS, sizeof *ns, compare);
    printf("%-44s %8.1f ns   (%.1f to %.1f)\n", what, ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
}

struct end_args {
    struct eddy_channel *ch, *back;
    uint64_t items;
};

static int sender(struct end_args *a)
{
    int r = 0;

    for (uint64_t i = 0; i < a->items && r >= 0; i++) {
        r = eddy_channel_send(a->ch, &i);
        if (r >= 0 && a->back)
            r = eddy_channel_receive(a->back, &i);
    }
    eddy_channel_close(a->ch);
    return r;
}

static int receiver(struct end_args *a)
{
    uint64_t item;
    int r;

    while ((r = eddy_channel_receive(a->ch, &item)) > 0)
        if (a->back && (r = eddy_channel_send(a->back, &item)) < 0)
            break;
    return r;
}

static int selecter(struct end_args *a)
{
    uint64_t item;
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(a->ch, &item),
                                        EDDY_ON_RECEIVE(a->back, &item) };

    for (;;) {
        int r = eddy_select(cases, 2, NULL);
        if (r < 0 || cases[r].result <= 0)
            return r;
    }
}

#define sender_args end_args
#define receiver_args end_args
#define selecter_args end_args
EDDY_TASK(sender);
EDDY_TASK(receiver);
EDDY_TASK(selecter);

static double one_way(size_t capacity, bool shared)
{
    EDDY_OWN(eddy_channel) ch = NULL;

    if (eddy_channel_new(8, EDDY_OPT(channel, .capacity = capacity, .shared = shared), &ch) < 0)
        exit(1);
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, receiver, .ch = ch);
    EDDY_GO(&s, sender, .ch = ch, .items = ITEMS);
    double start = now_ns();
    if (eddy_join(&s) < 0)
        exit(1);
    return (now_ns() - start) / ITEMS;
}

/* There and back: two hand-overs a turn, and no item ever waits. */
static double ping_pong(void)
{
    EDDY_OWN(eddy_channel) ch = NULL;
    EDDY_OWN(eddy_channel) back = NULL;

    if (eddy_channel_new(8, NULL, &ch) < 0 || eddy_channel_new(8, NULL, &back) < 0)
        exit(1);
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, receiver, .ch = ch, .back = back);
    EDDY_GO(&s, sender, .ch = ch, .back = back, .items = ITEMS / 2);
    double start = now_ns();
    if (eddy_join(&s) < 0)
        exit(1);
    return (now_ns() - start) / ITEMS;
}

static double selected(void)
{
    EDDY_OWN(eddy_channel) ch = NULL;
    EDDY_OWN(eddy_channel) never = NULL;

    if (eddy_channel_new(8, NULL, &ch) < 0 || eddy_channel_new(8, NULL, &never) < 0)
        exit(1);
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, selecter, .ch = ch, .back = never);
    EDDY_GO(&s, sender, .ch = ch, .items = ITEMS);
    double start = now_ns();
    if (eddy_join(&s) < 0)
        exit(1);
    return (now_ns() - start) / ITEMS;
}

/* --- generators -------------------------------------------------------------------------------------- */

struct count_args {
    uint64_t upto;
};

static int count(struct eddy_gen *gen, struct count_args *a)
{
    int r = 0;

    for (uint64_t i = 0; i < a->upto && r >= 0; i++)
        r = eddy_gen_yield(gen, &i);
    return r;
}
EDDY_GENERATOR(count, uint64_t);

struct reader_args {
    double *ret_ns;
};

static int reader(struct reader_args *a)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = ITEMS);
    uint64_t value;
    double start = now_ns();

    while (count_next(&gen, &value))
        ;
    *a->ret_ns = (now_ns() - start) / ITEMS;
    return gen.status;
}
EDDY_TASK(reader);

static double generated(bool in_a_task)
{
    double ns = 0;
    struct reader_args args = { &ns };
    EDDY_SCOPE(s, .timeout_ms = 0);

    if (in_a_task)
        EDDY_GO(&s, reader, .ret_ns = &ns);
    else if (reader(&args) < 0)
        exit(1);
    if (eddy_join(&s) < 0)
        exit(1);
    return ns;
}

#define LIVES 100000

struct maker_args {
    double *ret_ns;
};

static int maker(struct maker_args *a)
{
    double start = now_ns();

    for (int i = 0; i < LIVES; i++) {
        EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 1);
        uint64_t value;
        while (count_next(&gen, &value))
            ;
    }
    *a->ret_ns = (now_ns() - start) / LIVES;
    return 0;
}
EDDY_TASK(maker);

static double made(void)
{
    double ns = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, maker, .ret_ns = &ns);
    if (eddy_join(&s) < 0)
        exit(1);
    return ns;
}

int main(void)
{
    double ns[9][ROUNDS];

    one_way(0, false);
    for (int i = 0; i < ROUNDS; i++) {
        ns[0][i] = one_way(0, false);
        ns[1][i] = ping_pong();
        ns[2][i] = one_way(1, false);
        ns[3][i] = one_way(64, false);
        ns[4][i] = one_way(0, true);
        ns[5][i] = selected();
        ns[6][i] = generated(true);
        ns[7][i] = generated(false);
        ns[8][i] = made();
    }
    report("hand-over, unbuffered", ns[0]);
    report("hand-over, there and back on two channels", ns[1]);
    report("hand-over, a buffer of 1", ns[2]);
    report("hand-over, a buffer of 64", ns[3]);
    report("hand-over, unbuffered, .shared", ns[4]);
    report("hand-over to a select of two", ns[5]);
    report("value of a generator, read by a task", ns[6]);
    report("value of a generator, read by plain code", ns[7]);
    report("life of a generator with one value", ns[8]);
    return 0;
}
