/*
 * The rules of eddy_select() in eddy/channel.h, a test for each row, on every driver.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/channel.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <string.h>

#define UNSET 12345

static struct eddy_channel *channel(size_t capacity, bool shared)
{
    struct eddy_channel *ch = NULL;

    EDDY_CHECK_EQ(eddy_channel_new(sizeof(int),
                                   EDDY_OPT(channel, .capacity = capacity, .shared = shared), &ch),
                  0);
    return ch;
}

struct selecter_args {
    struct eddy_channel *from[2], *to;
    int *ret_which, *ret_result, *ret_item;
    const struct eddy_select_options *options;
};

static int selecter(struct selecter_args *a)
{
    int item = UNSET, send = 77;
    struct eddy_select_case cases[] = {
        EDDY_ON_RECEIVE(a->from[0], &item),
        EDDY_ON_RECEIVE(a->from[1], &item),
        EDDY_ON_SEND(a->to, &send),
    };
    int which = eddy_select(cases, 3, a->options);

    *a->ret_which = which;
    if (a->ret_result && which >= 0)
        *a->ret_result = cases[which].result;
    if (a->ret_item)
        *a->ret_item = item;
    return 0;
}
EDDY_TASK(selecter);

EDDY_TEST(select_takes_one_of_the_ready)
{
    EDDY_OWN(eddy_channel) a = channel(1, false);
    EDDY_OWN(eddy_channel) b = channel(1, false);
    EDDY_OWN(eddy_channel) full = channel(1, false);
    int item = UNSET;
    struct eddy_select_case cases[] = {
        EDDY_ON_RECEIVE(a, &item),
        EDDY_ON_RECEIVE(b, &item),
        EDDY_ON_RECEIVE(NULL, &item),
        EDDY_ON_SEND(full, &(int){ 3 }),
    };

    EDDY_CHECK_EQ(eddy_channel_send(full, &(int){ 0 }), 0);
    EDDY_CHECK_EQ(eddy_channel_send(b, &(int){ 2 }), 0);
    EDDY_CHECK_EQ(eddy_select(cases, 4, NULL), 1);
    EDDY_CHECK_EQ(cases[1].result, 1);
    EDDY_CHECK_EQ(item, 2);

    /* Both ready: one is taken, the other stays. */
    EDDY_CHECK_EQ(eddy_channel_send(a, &(int){ 10 }), 0);
    EDDY_CHECK_EQ(eddy_channel_send(b, &(int){ 11 }), 0);
    int which = eddy_select(cases, 4, NULL);
    EDDY_CHECK(which == 0 || which == 1);
    EDDY_CHECK_EQ(item, 10 + which);
    EDDY_CHECK_EQ(eddy_channel_count(a) + eddy_channel_count(b), 1);
    EDDY_CHECK_EQ(eddy_select(cases, 4, NULL), 1 - which);
    EDDY_CHECK_EQ(eddy_channel_count(full), 1);
    EDDY_CHECK_EQ(eddy_select(cases, 65, NULL), -EINVAL);
}

EDDY_TEST(select_is_fair)
{
    EDDY_OWN(eddy_channel) first = channel(1, false);
    EDDY_OWN(eddy_channel) second = channel(1, true);
    EDDY_OWN(eddy_channel) third = channel(1, false);
    struct eddy_channel *const ch[] = { first, second, third };
    int item, taken[3] = { 0 };
    struct eddy_select_case cases[] = {
        EDDY_ON_RECEIVE(NULL, &item),
        EDDY_ON_RECEIVE(ch[0], &item),
        EDDY_ON_RECEIVE(ch[1], &item),
        EDDY_ON_RECEIVE(ch[2], &item),
    };

    for (int i = 0; i < 3000; i++) {
        for (int c = 0; c < 3; c++)
            (void)eddy_channel_try_send(ch[c], &i);
        int which = eddy_select(cases, 4, NULL);
        if (EDDY_CHECK(which >= 1 && which <= 3))
            taken[which - 1]++;
    }
    for (int c = 0; c < 3; c++)
        EDDY_CHECK(taken[c] > 800 && taken[c] < 1200); /* eight deviations */
}

EDDY_TEST(select_waits_for_the_first)
{
    for (int to = 0; to < 3; to++) {
        EDDY_OWN(eddy_channel) a = channel(0, false);
        EDDY_OWN(eddy_channel) b = channel(0, false);
        EDDY_OWN(eddy_channel) c = channel(0, false);
        int which = UNSET, result = UNSET, item = UNSET, got = UNSET;
        EDDY_SCOPE(s, .timeout_ms = 0);

        EDDY_GO(&s, selecter, .from = { a, b }, .to = c, .ret_which = &which, .ret_result = &result,
                .ret_item = &item);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(which, UNSET);
        if (to == 2)
            EDDY_CHECK_EQ(eddy_channel_receive(c, &got), 1);
        else
            EDDY_CHECK_EQ(eddy_channel_send(to ? b : a, &(int){ 5 }), 0);
        /* Served: it stands nowhere any more. */
        EDDY_CHECK_EQ(eddy_channel_try_send(a, &(int){ 6 }), -EAGAIN);
        EDDY_CHECK_EQ(eddy_channel_try_send(b, &(int){ 6 }), -EAGAIN);
        EDDY_CHECK_EQ(eddy_channel_try_receive(c, &got), -EAGAIN);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(which, to);
        EDDY_CHECK_EQ(result, to == 2 ? 0 : 1);
        EDDY_CHECK_EQ(item, to == 2 ? UNSET : 5);
        EDDY_CHECK_EQ(got, to == 2 ? 77 : UNSET);
    }
}

EDDY_TEST(select_stands_where_it_came)
{
    EDDY_OWN(eddy_channel) a = channel(0, false);
    EDDY_OWN(eddy_channel) b = channel(0, false);
    int which[2] = { UNSET, UNSET }, item[2] = { UNSET, UNSET };
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 2; i++) {
        EDDY_GO(&s, selecter, .from = { a, b }, .ret_which = &which[i], .ret_item = &item[i]);
        EDDY_CHECK_EQ(eddy_yield(), 0); /* one after the other: the ready run in any order */
    }
    EDDY_CHECK_EQ(eddy_channel_send(b, &(int){ 1 }), 0);
    EDDY_CHECK_EQ(eddy_channel_send(a, &(int){ 2 }), 0); /* skips the first, served already */
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(which[0], 1);
    EDDY_CHECK_EQ(item[0], 1);
    EDDY_CHECK_EQ(which[1], 0);
    EDDY_CHECK_EQ(item[1], 2);
}

EDDY_TEST(two_selects_meet)
{
    EDDY_OWN(eddy_channel) ch = channel(0, false);
    int which[2] = { UNSET, UNSET }, item = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    /* One stands at both ends of the same channel: it must not hand to itself. */
    EDDY_GO(&s, selecter, .from = { ch, NULL }, .to = ch, .ret_which = &which[0],
            .ret_item = &item);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(which[0], UNSET);
    EDDY_GO(&s, selecter, .from = { ch, NULL }, .to = ch, .ret_which = &which[1]);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK(which[0] + which[1] == 2 && which[0] != which[1]);
}

EDDY_TEST(cancelled_select_did_nothing)
{
    EDDY_OWN(eddy_channel) a = channel(0, false);
    EDDY_OWN(eddy_channel) b = channel(0, true);
    EDDY_OWN(eddy_channel) c = channel(0, false);
    int which = UNSET, item = UNSET;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, selecter, .from = { a, b }, .to = c, .ret_which = &which, .ret_item = &item);
        EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(which, -ECANCELED);
    EDDY_CHECK_EQ(item, UNSET);
    EDDY_CHECK_EQ(eddy_channel_try_send(a, &item), -EAGAIN);
    EDDY_CHECK_EQ(eddy_channel_try_send(b, &item), -EAGAIN);
    EDDY_CHECK_EQ(eddy_channel_try_receive(c, &item), -EAGAIN);
    {
        EDDY_OWN(eddy_channel) ready = channel(1, false);
        struct eddy_select_case cases[] = { EDDY_ON_SEND(ready, &item) };
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_EQ(eddy_select(cases, 1, NULL), -ECANCELED); /* though it could */
        EDDY_CHECK_EQ(eddy_channel_count(ready), 0);
    }
}

EDDY_TEST(served_select_beats_the_cancel)
{
    EDDY_OWN(eddy_channel) a = channel(0, false);
    EDDY_OWN(eddy_channel) b = channel(0, false);
    int which = UNSET, item = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, selecter, .from = { a, b }, .ret_which = &which, .ret_item = &item);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_channel_try_send(b, &(int){ 9 }), 0);
    eddy_scope_cancel(&s);
    EDDY_CHECK_EQ(eddy_join(&s), -ECANCELED);
    EDDY_CHECK_EQ(which, 1);
    EDDY_CHECK_EQ(item, 9);
}

static void nowait_in_a_callback(void *ctx)
{
    int *which = ctx, item;
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(NULL, &item) };

    which[0] = eddy_select(cases, 1, EDDY_OPT(select, .nowait = true));
    which[1] = eddy_select(cases, 1, NULL);
}

EDDY_TEST(nowait_is_eagain)
{
    EDDY_OWN(eddy_channel) a = channel(0, false);
    EDDY_OWN(eddy_channel) b = channel(1, true);
    int item = UNSET, which[2] = { UNSET, UNSET };
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(a, &item), EDDY_ON_RECEIVE(b, &item) };

    EDDY_CHECK_EQ(eddy_select(cases, 2, EDDY_OPT(select, .nowait = true)), -EAGAIN);
    EDDY_CHECK_EQ(eddy_select(NULL, 0, EDDY_OPT(select, .nowait = true)), -EAGAIN);
    EDDY_CHECK_EQ(eddy_channel_send(b, &(int){ 4 }), 0);
    EDDY_CHECK_EQ(eddy_select(cases, 2, EDDY_OPT(select, .nowait = true)), 1);
    EDDY_CHECK_EQ(item, 4);

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), nowait_in_a_callback, which), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(which[0], -EAGAIN);
    EDDY_CHECK_EQ(which[1], -EDEADLK);
}

EDDY_TEST(timeout_is_etimedout)
{
    EDDY_OWN(eddy_channel) a = channel(0, false);
    int item = UNSET;
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(a, &item) };

    EDDY_CHECK_EQ(eddy_yield(), 0); /* the loop is made: its clock, which may be virtual */
    int64_t start = eddy_now_ns();
    EDDY_CHECK_EQ(eddy_select(cases, 1, EDDY_OPT(select, .timeout_ms = 5)), -ETIMEDOUT);
    EDDY_CHECK(eddy_now_ns() - start >= 5000000);
    EDDY_CHECK_EQ(eddy_select(NULL, 0, EDDY_OPT(select, .timeout_ms = 1)), -ETIMEDOUT);
    EDDY_SCOPE(s, .timeout_ms = 5);
    EDDY_CHECK_EQ(eddy_select(cases, 1, NULL), -ETIMEDOUT);
    EDDY_CHECK_EQ(eddy_channel_try_send(a, &item), -EAGAIN);
}

EDDY_TEST(closed_channel_is_ready)
{
    EDDY_OWN(eddy_channel) a = channel(0, false);
    EDDY_OWN(eddy_channel) b = channel(0, false);
    int item = UNSET, which[2] = { UNSET, UNSET }, result[2] = { UNSET, UNSET };
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, selecter, .from = { a, NULL }, .ret_which = &which[0], .ret_result = &result[0]);
    EDDY_GO(&s, selecter, .to = b, .ret_which = &which[1], .ret_result = &result[1]);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_channel_close(a);
    eddy_channel_close(b);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(which[0], 0);
    EDDY_CHECK_EQ(result[0], 0);
    EDDY_CHECK_EQ(which[1], 2);
    EDDY_CHECK_EQ(result[1], -EPIPE);

    struct eddy_select_case receive[] = { EDDY_ON_RECEIVE(a, &item) };
    struct eddy_select_case send[] = { EDDY_ON_SEND(a, &item) };
    EDDY_CHECK_EQ(eddy_select(receive, 1, NULL), 0);
    EDDY_CHECK_EQ(receive[0].result, 0);
    EDDY_CHECK_EQ(eddy_select(send, 1, NULL), 0);
    EDDY_CHECK_EQ(send[0].result, -EPIPE);
}

EDDY_TEST(shared_and_local_are_mixed)
{
    EDDY_OWN(eddy_channel) a = channel(0, true);
    EDDY_OWN(eddy_channel) b = channel(0, false);
    EDDY_OWN(eddy_channel) c = channel(0, true);
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 3; i++) {
        int which = UNSET, item = UNSET, got = UNSET;
        EDDY_GO(&s, selecter, .from = { a, b }, .to = c, .ret_which = &which, .ret_item = &item);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        if (i == 2)
            EDDY_CHECK_EQ(eddy_channel_try_receive(c, &got), 1);
        else
            EDDY_CHECK_EQ(eddy_channel_try_send(i ? b : a, &i), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(which, i);
        EDDY_CHECK_EQ(item, i == 2 ? UNSET : i);
    }
}

/* --- everything at once, by chance --------------------------------------------------------------------- */

#define WORKERS 6
#define CHANNELS 4
#define ITEMS 300

struct churn {
    struct eddy_channel *ch[CHANNELS];
    uint64_t dice;
    struct eddy_scope *current[WORKERS];
    int next, done, workers, cancelled;
    unsigned char in[ITEMS], out[ITEMS];
};

static unsigned roll(struct churn *c, unsigned sides)
{
    c->dice = c->dice * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(c->dice >> 33) % sides;
}

struct worker_args {
    struct churn *c;
    unsigned who;
};

/* Receives from two channels and sends to one, whichever comes first. */
static int worker(struct worker_args *a)
{
    struct churn *c = a->c;

    while (c->done < ITEMS) {
        int item = c->next, got[2] = { -1, -1 };
        bool sends = c->next < ITEMS && roll(c, 2);
        unsigned from = roll(c, CHANNELS);
        struct eddy_select_case cases[] = {
            EDDY_ON_RECEIVE(c->ch[from], &got[0]),
            EDDY_ON_RECEIVE(c->ch[roll(c, CHANNELS)], &got[1]),
            EDDY_ON_SEND(sends ? c->ch[roll(c, CHANNELS)] : NULL, &item),
        };
        if (sends)
            c->next++;
        int which;
        {
            EDDY_SCOPE(s, .timeout_ms = 1 + roll(c, 3));
            c->current[a->who] = &s;
            which = eddy_select(cases, 3, NULL);
            c->current[a->who] = NULL;
        }
        EDDY_CHECK(which >= 0 || which == -ETIMEDOUT || which == -ECANCELED);
        if (which == 2)
            c->in[item]++;
        else if (sends)
            c->done++; /* never went in */
        for (int i = 0; i < 2; i++) {
            EDDY_CHECK_EQ(got[i] >= 0, which == i);
            if (got[i] < 0)
                continue;
            c->out[got[i]]++;
            c->done++;
        }
        unsigned victim = roll(c, WORKERS);
        if (roll(c, 3) == 0 && c->current[victim]) {
            eddy_scope_cancel(c->current[victim]);
            c->current[victim] = NULL;
            c->cancelled++;
        }
        if (roll(c, 4) == 0)
            eddy_yield();
    }
    return 0;
}
EDDY_TASK(worker);

static int churn_once(uint64_t seed)
{
    struct churn c = { .dice = seed };

    for (unsigned i = 0; i < CHANNELS; i++)
        c.ch[i] = channel(roll(&c, 3), roll(&c, 2) != 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        for (unsigned i = 0; i < WORKERS; i++)
            EDDY_GO(&s, worker, .c = &c, .who = i);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    for (int i = 0; i < ITEMS; i++)
        if (c.in[i] > 1 || c.in[i] != c.out[i])
            EDDY_CHECK_FAIL("seed %llu: item %d went in %d times, and out %d times",
                            (unsigned long long)seed, i, c.in[i], c.out[i]);
    for (unsigned i = 0; i < CHANNELS; i++)
        eddy_channel_free(c.ch[i]);
    return c.cancelled;
}

EDDY_TEST(random_selects_lose_nothing)
{
    bool sim = strcmp(eddy_check_backend(), "sim") == 0;
    unsigned long first = eddy_check_number("EDDY_SEED", 1);
    unsigned long seeds = eddy_check_number("EDDY_SEEDS", 40);
    int cancelled = 0;

    for (unsigned long seed = first; seed < first + (sim ? seeds : 4); seed++) {
        EDDY_OWN(eddy_loop) loop = NULL;
        if (sim)
            EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .seed = seed), &loop), 0);
        cancelled += churn_once(seed);
    }
    EDDY_CHECK(cancelled > 20);
}
