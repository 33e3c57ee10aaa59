/*
 * The rules of eddy/channel.h for channels of one thread, a test for each row, on every driver.
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

static struct eddy_channel *channel(size_t capacity)
{
    struct eddy_channel *ch = NULL;

    EDDY_CHECK_EQ(eddy_channel_new(sizeof(int), EDDY_OPT(channel, .capacity = capacity), &ch), 0);
    return ch;
}

/* Sends first, first + 1, ... and writes down how the last send ended, and how many went in. */
struct sender_args {
    struct eddy_channel *ch;
    int first, count;
    int *ret_result, *ret_sent;
};

static int sender(struct sender_args *a)
{
    for (int i = 0; i < a->count; i++) {
        int item = a->first + i;
        int r = eddy_channel_send(a->ch, &item);
        if (a->ret_result)
            *a->ret_result = r;
        if (r < 0)
            break;
        if (a->ret_sent)
            ++*a->ret_sent;
    }
    return 0;
}
EDDY_TASK(sender);

/* Receives one item and says when that was, as a number in the order of all ends. */
struct receiver_args {
    struct eddy_channel *ch;
    int *ret_result, *ret_item;
    int *order, *ret_place;
};

static int receiver(struct receiver_args *a)
{
    int item = UNSET;
    int r = eddy_channel_receive(a->ch, &item);

    if (a->ret_item)
        *a->ret_item = item;
    if (a->ret_result)
        *a->ret_result = r;
    if (a->order)
        *a->ret_place = (*a->order)++;
    return 0;
}
EDDY_TASK(receiver);

EDDY_TEST(items_keep_their_order)
{
    static const size_t capacities[] = { 0, 1, 2, 3, 7, 64 };

    for (size_t c = 0; c < sizeof capacities / sizeof *capacities; c++) {
        EDDY_OWN(eddy_channel) ch = channel(capacities[c]);
        int item = UNSET;
        EDDY_SCOPE(s, .timeout_ms = 0);

        EDDY_GO(&s, sender, .ch = ch, .first = 0, .count = 100);
        for (int i = 0; i < 100; i++) {
            EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
            EDDY_CHECK_EQ(item, i);
        }
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(eddy_channel_count(ch), 0);
    }
}

EDDY_TEST(unbuffered_waits_for_the_receiver)
{
    EDDY_OWN(eddy_channel) ch = channel(0);
    int result = UNSET, item = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sender, .ch = ch, .first = 7, .count = 1, .ret_result = &result);
    for (int i = 0; i < 5; i++)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(result, UNSET);
    EDDY_CHECK_EQ(eddy_channel_count(ch), 0);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 7);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(result, 0);
}

EDDY_TEST(full_channel_makes_senders_wait)
{
    EDDY_OWN(eddy_channel) ch = channel(3);
    int sent = 0, item;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sender, .ch = ch, .count = 5, .ret_sent = &sent);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(sent, 3);
    EDDY_CHECK_EQ(eddy_channel_count(ch), 3);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    EDDY_CHECK_EQ(eddy_channel_count(ch), 3); /* the waiting sender's item took the place */
    for (int i = 1; i < 5; i++) {
        EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
        EDDY_CHECK_EQ(item, i);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

EDDY_TEST(waiting_receivers_are_fifo)
{
    EDDY_OWN(eddy_channel) ch = channel(0);
    int item[50], place[50], order = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 50; i++) {
        EDDY_GO(&s, receiver, .ch = ch, .ret_item = &item[i], .order = &order,
                .ret_place = &place[i]);
        EDDY_CHECK_EQ(eddy_yield(), 0); /* they wait in the order they were made in */
    }
    for (int i = 0; i < 50; i++)
        EDDY_CHECK_EQ(eddy_channel_send(ch, &i), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 50; i++) {
        EDDY_CHECK_EQ(item[i], i);
        if (strcmp(eddy_check_backend(), "sim") != 0)
            EDDY_CHECK_EQ(place[i], i); /* and they ran in that order */
    }
}

EDDY_TEST(waiting_senders_are_fifo)
{
    EDDY_OWN(eddy_channel) ch = channel(2);
    int item;
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 10; i++) {
        EDDY_GO(&s, sender, .ch = ch, .first = i, .count = 1);
        EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    for (int i = 0; i < 10; i++) {
        EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
        EDDY_CHECK_EQ(item, i);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

EDDY_TEST(cancelled_receiver_took_nothing)
{
    EDDY_OWN(eddy_channel) ch = channel(0);
    int result = UNSET, item = UNSET, other = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);
    {
        EDDY_SCOPE(inner, .timeout_ms = 0);
        EDDY_GO(&inner, receiver, .ch = ch, .ret_result = &result, .ret_item = &item);
        EDDY_GO(&s, receiver, .ch = ch, .ret_item = &other);
        EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(result, -ECANCELED);
    EDDY_CHECK_EQ(item, UNSET);
    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 5 }), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(other, 5); /* it went to the next one */
}

EDDY_TEST(cancelled_sender_put_nothing_in)
{
    EDDY_OWN(eddy_channel) ch = channel(1);
    int result = UNSET, sent = 0, item = UNSET;

    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 1 }), 0);
    {
        EDDY_SCOPE(inner, .timeout_ms = 0);
        EDDY_GO(&inner, sender, .ch = ch, .first = 2, .count = 1, .ret_result = &result,
                .ret_sent = &sent);
        EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(result, -ECANCELED);
    EDDY_CHECK_EQ(sent, 0);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 1);
    EDDY_CHECK_EQ(eddy_channel_try_receive(ch, &item), -EAGAIN);
}

EDDY_TEST(handed_over_beats_the_cancel)
{
    EDDY_OWN(eddy_channel) ch = channel(0);
    int result = UNSET, item = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, receiver, .ch = ch, .ret_result = &result, .ret_item = &item);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &(int){ 9 }), 0);
    eddy_scope_cancel(&s);
    EDDY_CHECK_EQ(eddy_join(&s), -ECANCELED);
    EDDY_CHECK_EQ(result, 1);
    EDDY_CHECK_EQ(item, 9);
}

EDDY_TEST(deadline_ends_a_wait)
{
    EDDY_OWN(eddy_channel) ch = channel(0);
    int item = UNSET;
    {
        EDDY_SCOPE(s, .timeout_ms = 5);
        EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), -ETIMEDOUT);
        EDDY_CHECK_EQ(eddy_channel_send(ch, &item), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_channel_try_receive(ch, &item), -EAGAIN); /* nobody stands there */
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &item), -EAGAIN);
}

EDDY_TEST(cancelled_call_does_nothing)
{
    EDDY_OWN(eddy_channel) ch = channel(2);
    int item = UNSET;

    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 1 }), 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), -ECANCELED);
        EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 2 }), -ECANCELED);
    }
    EDDY_CHECK_EQ(item, UNSET);
    EDDY_CHECK_EQ(eddy_channel_count(ch), 1);
}

EDDY_TEST(tries_look_at_no_scope)
{
    EDDY_OWN(eddy_channel) ch = channel(2);
    int item = UNSET;
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(ch, &item) };
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_scope_cancel(&s);
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &(int){ 1 }), 0);
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &(int){ 2 }), 0);
    EDDY_CHECK_EQ(eddy_channel_try_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 1);
    EDDY_CHECK_EQ(eddy_select(cases, 1, EDDY_OPT(select, .nowait = true)), 0);
    EDDY_CHECK_EQ(item, 2);
    EDDY_CHECK_ERR(eddy_select(cases, 1, NULL), -ECANCELED);
}

EDDY_TEST(closed_channel_is_drained_first)
{
    EDDY_OWN(eddy_channel) ch = channel(4);
    int item = UNSET, results[3] = { UNSET, UNSET, UNSET };

    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 1 }), 0);
    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 2 }), 0);
    eddy_channel_close(ch);
    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 3 }), -EPIPE);
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &(int){ 3 }), -EPIPE);
    for (int i = 1; i <= 2; i++) {
        EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
        EDDY_CHECK_EQ(item, i);
    }
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 0);
    EDDY_CHECK_EQ(eddy_channel_try_receive(ch, &item), 0);
    EDDY_CHECK_EQ(item, 2);

    EDDY_OWN(eddy_channel) empty = channel(0);
    EDDY_SCOPE(s, .timeout_ms = 0);
    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, receiver, .ch = empty, .ret_result = &results[i]);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_channel_close(empty);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(results[i], 0); /* those who waited, too */
}

EDDY_TEST(close_refuses_waiting_senders)
{
    EDDY_OWN(eddy_channel) ch = channel(1);
    int results[3] = { UNSET, UNSET, UNSET }, item = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 1 }), 0);
    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, sender, .ch = ch, .first = 10 + i, .count = 1, .ret_result = &results[i]);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_channel_close(ch);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 1);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(results[i], -EPIPE);
}

EDDY_TEST(close_is_idempotent)
{
    EDDY_OWN(eddy_channel) ch = channel(1);
    int item = UNSET;

    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 1 }), 0);
    eddy_channel_close(ch);
    eddy_channel_close(ch);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    eddy_channel_close(ch);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 0);
}

struct from_callback {
    struct eddy_channel *ch;
    int sent, waited, received, item;
};

static void in_a_callback(void *ctx)
{
    struct from_callback *c = ctx;

    c->sent = eddy_channel_try_send(c->ch, &(int){ 3 });
    c->waited = eddy_channel_send(c->ch, &(int){ 4 });
    c->received = eddy_channel_receive(c->ch, &c->item);
}

EDDY_TEST(try_calls_never_wait)
{
    EDDY_OWN(eddy_channel) ch = channel(1);
    struct from_callback c = { .ch = ch, .item = UNSET };
    int item = UNSET;

    EDDY_CHECK_EQ(eddy_channel_try_receive(ch, &item), -EAGAIN);
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &(int){ 1 }), 0);
    EDDY_CHECK_EQ(eddy_channel_try_send(ch, &(int){ 2 }), -EAGAIN);
    EDDY_CHECK_EQ(eddy_channel_try_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 1);

    /* A receiver that waits in plain code is served by a callback. */
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), in_a_callback, &c), 0);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 3);
    EDDY_CHECK_EQ(c.sent, 0);
    EDDY_CHECK_EQ(c.waited, -EDEADLK);
    EDDY_CHECK_EQ(c.received, -EDEADLK);
    EDDY_CHECK_EQ(c.item, UNSET);
}

/* Two tasks that never have to wait for long, until a third says so. */
struct busy_args {
    struct eddy_channel *ch;
    bool sends;
    const bool *stop;
    long *count;
};

static int busy(struct busy_args *a)
{
    int item = 0, r = 0;

    while (!*a->stop && r >= 0) {
        r = a->sends ? eddy_channel_send(a->ch, &item) : eddy_channel_receive(a->ch, &item);
        ++*a->count;
    }
    eddy_channel_close(a->ch);
    return 0;
}
EDDY_TASK(busy);

EDDY_TEST(busy_pair_starves_nobody)
{
    static const size_t capacities[] = { 0, 1, 1000 };

    for (size_t c = 0; c < 3; c++) {
        EDDY_OWN(eddy_channel) ch = channel(capacities[c]);
        bool stop = false;
        long count = 0;
        EDDY_SCOPE(s, .timeout_ms = 0);

        EDDY_GO(&s, busy, .ch = ch, .sends = true, .stop = &stop, .count = &count);
        EDDY_GO(&s, busy, .ch = ch, .stop = &stop, .count = &count);
        for (int i = 0; i < 100; i++)
            EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK(count >= 100);   /* it works while we yield, ... */
        EDDY_CHECK(count < 500000); /* ... and comes to us in between */
        stop = true;
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
}

EDDY_TEST(who_need_not_wait_gives_way)
{
    EDDY_OWN(eddy_channel) ch = channel(1000);
    int sent = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sender, .ch = ch, .count = 1000, .ret_sent = &sent);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(sent > 0 && sent < 100); /* there is room, but it is our turn, too */
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sent, 1000);
}

EDDY_TEST(plain_code_turns_the_loop)
{
    EDDY_OWN(eddy_channel) ch = channel(0);
    int item = UNSET, got = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sender, .ch = ch, .first = 3, .count = 1);
    EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
    EDDY_CHECK_EQ(item, 3);
    EDDY_GO(&s, receiver, .ch = ch, .ret_item = &got);
    EDDY_CHECK_EQ(eddy_channel_send(ch, &(int){ 4 }), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(got, 4);
}

EDDY_TEST(items_of_every_size)
{
    static const size_t sizes[] = { 0, 1, 3, 8, 24, 4096 };
    static char in[4096], out[4096];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        EDDY_OWN(eddy_channel) ch = NULL;
        EDDY_CHECK_EQ(eddy_channel_new(sizes[i], EDDY_OPT(channel, .capacity = 3), &ch), 0);
        for (int round = 0; round < 5; round++) {
            memset(in, 'a' + round, sizeof in);
            memset(out, '-', sizeof out);
            EDDY_CHECK_EQ(eddy_channel_send(ch, sizes[i] ? in : NULL), 0);
            EDDY_CHECK_EQ(eddy_channel_receive(ch, sizes[i] ? out : NULL), 1);
            EDDY_CHECK_MEM(out, sizes[i], in, sizes[i]);
            EDDY_CHECK(sizes[i] == sizeof out || out[sizes[i]] == '-');
        }
    }
    struct eddy_channel *ch = NULL;
    EDDY_CHECK_EQ(eddy_channel_new(4097, NULL, &ch), -EINVAL);
    EDDY_CHECK_EQ(eddy_channel_new(8, EDDY_OPT(channel, .capacity = SIZE_MAX / 4), &ch), -EINVAL);
    EDDY_CHECK(ch == NULL);
    eddy_channel_free(NULL);
}

/* --- everything at once, by chance ------------------------------------------------------------------ */

#define WORKERS 6
#define ITEMS 200

struct churn {
    struct eddy_channel *ch;
    uint64_t dice;
    struct eddy_scope *current[2 * WORKERS]; /* around each worker's call; NULL: none */
    int senders;                             /* that still have something to send */
    int next;
    unsigned char in[ITEMS], out[ITEMS];
    int cancelled;
};

static unsigned roll(struct churn *c, unsigned sides)
{
    c->dice = c->dice * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(c->dice >> 33) % sides;
}

/* One call in a scope that anybody may cancel. */
static int one_call(struct churn *c, unsigned who, bool sends, int *item)
{
    EDDY_SCOPE(s, .timeout_ms = roll(c, 8) ? 0 : 1 + roll(c, 3));
    c->current[who] = &s;
    int r = sends ? eddy_channel_send(c->ch, item) : eddy_channel_receive(c->ch, item);
    c->current[who] = NULL;
    return r;
}

static void meddle(struct churn *c)
{
    unsigned victim = roll(c, 2 * WORKERS);

    if (roll(c, 3) == 0 && c->current[victim]) {
        eddy_scope_cancel(c->current[victim]);
        c->current[victim] = NULL;
        c->cancelled++;
    }
    switch (roll(c, 8)) {
    case 0: eddy_sleep(roll(c, 3)); break;
    case 1:
    case 2: eddy_yield(); break;
    default: break;
    }
}

struct in_worker_args {
    struct churn *c;
    unsigned who;
};

static int in_worker(struct in_worker_args *a)
{
    struct churn *c = a->c;

    while (c->next < ITEMS) {
        int item = c->next++;
        int r = one_call(c, a->who, true, &item);
        EDDY_CHECK(r == 0 || r == -ECANCELED || r == -ETIMEDOUT);
        if (r == 0)
            c->in[item]++;
        meddle(c);
    }
    if (--c->senders == 0)
        eddy_channel_close(c->ch);
    return 0;
}
EDDY_TASK(in_worker);
#define out_worker_args in_worker_args

static int out_worker(struct out_worker_args *a)
{
    struct churn *c = a->c;

    for (;;) {
        int item = -1;
        int r = one_call(c, a->who, false, &item);
        if (r == 0)
            return 0;
        EDDY_CHECK(r == 1 || r == -ECANCELED || r == -ETIMEDOUT);
        if (r == 1 && EDDY_CHECK(item >= 0 && item < ITEMS))
            c->out[item]++;
        else
            EDDY_CHECK_EQ(item, -1);
        meddle(c);
    }
}
EDDY_TASK(out_worker);

static int churn_once(uint64_t seed)
{
    struct churn c = { .dice = seed, .senders = WORKERS };
    EDDY_OWN(eddy_channel) ch = channel(seed % 4);

    c.ch = ch;
    for (int i = 0; i < 8; i++)
        (void)roll(&c, 2);
    EDDY_SCOPE(s, .timeout_ms = 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        EDDY_GO(&s, in_worker, .c = &c, .who = i);
        EDDY_GO(&s, out_worker, .c = &c, .who = WORKERS + i);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < ITEMS; i++)
        if (c.in[i] > 1 || c.in[i] != c.out[i])
            EDDY_CHECK_FAIL("seed %llu: item %d went in %d times, and out %d times",
                            (unsigned long long)seed, i, c.in[i], c.out[i]);
    return c.cancelled;
}

EDDY_TEST(random_cancels_lose_nothing)
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
    EDDY_CHECK(cancelled > 20); /* or it has shown nothing */
}
