/*
 * The rules of eddy/queue.h, a test for each row, on every driver.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/loop.h>
#include <eddy/queue.h>
#include <eddy/task.h>

#include <string.h>

#define UNSET 12345

static struct eddy_queue *queue(size_t capacity)
{
    struct eddy_queue *q = NULL;

    EDDY_CHECK_EQ(eddy_queue_new(sizeof(int), EDDY_OPT(queue, .capacity = capacity), &q), 0);
    return q;
}

struct putter_args {
    struct eddy_queue *q;
    int first, count;
    int *ret_result, *ret_put;
};

static int putter(struct putter_args *a)
{
    for (int i = 0; i < a->count; i++) {
        int item = a->first + i;
        int r = eddy_queue_put(a->q, &item);
        if (a->ret_result)
            *a->ret_result = r;
        if (r < 0)
            return 0;
        if (a->ret_put)
            ++*a->ret_put;
    }
    return 0;
}
EDDY_TASK(putter);

/* Gets until the queue is shut down; works on each item for a while. */
struct worker_args {
    struct eddy_queue *q;
    int work_ms;
    int *ret_done, *ret_result;
};

static int worker(struct worker_args *a)
{
    int item, r;

    while ((r = eddy_queue_get(a->q, &item)) > 0) {
        if (a->work_ms && eddy_sleep(a->work_ms) < 0)
            break;
        ++*a->ret_done;
        EDDY_CHECK_EQ(eddy_queue_task_done(a->q), 0);
    }
    if (a->ret_result)
        *a->ret_result = r;
    return 0;
}
EDDY_TASK(worker);

struct joiner_args {
    struct eddy_queue *q;
    int *ret_result;
};

static int joiner(struct joiner_args *a)
{
    *a->ret_result = eddy_queue_join(a->q);
    return 0;
}
EDDY_TASK(joiner);

EDDY_TEST(work_keeps_its_order)
{
    EDDY_OWN(eddy_queue) q = queue(3);
    int item = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, putter, .q = q, .count = 50);
    for (int i = 0; i < 50; i++) {
        EDDY_CHECK_EQ(eddy_queue_get(q, &item), 1);
        EDDY_CHECK_EQ(item, i);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(eddy_queue_try_get(q, &item), -EAGAIN);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 50);
}

EDDY_TEST(full_queue_makes_putters_wait)
{
    EDDY_OWN(eddy_queue) q = queue(0); /* the default */
    int put = 0, item;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, putter, .q = q, .count = 100, .ret_put = &put);
    for (int i = 0; i < 20; i++)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(put, 64);
    EDDY_CHECK_EQ(eddy_queue_count(q), 64);
    EDDY_CHECK_EQ(eddy_queue_try_put(q, &put), -EAGAIN);
    for (int i = 0; i < 100; i++)
        EDDY_CHECK_EQ(eddy_queue_get(q, &item), 1);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(put, 100);
}

EDDY_TEST(join_waits_for_all_work)
{
    EDDY_OWN(eddy_queue) q = queue(4);
    int done = 0, joined[2] = { UNSET, UNSET }, item;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_queue_join(q), 0); /* nothing to wait for */
    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, worker, .q = q, .work_ms = 1 + i, .ret_done = &done);
    for (int i = 0; i < 20; i++)
        EDDY_CHECK_EQ(eddy_queue_put(q, &i), 0);
    EDDY_CHECK_EQ(eddy_queue_join(q), 0);
    EDDY_CHECK_EQ(done, 20);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 0);
    eddy_queue_shutdown(q, false);
    EDDY_CHECK_EQ(eddy_join(&s), 0);

    /* All who join are woken, and got is not done. */
    EDDY_OWN(eddy_queue) p = queue(4);
    EDDY_CHECK_EQ(eddy_queue_put(p, &done), 0);
    for (int i = 0; i < 2; i++)
        EDDY_GO(&s, joiner, .q = p, .ret_result = &joined[i]);
    EDDY_CHECK_EQ(eddy_queue_get(p, &item), 1);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(joined[0], UNSET);
    EDDY_CHECK_EQ(eddy_queue_task_done(p), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(joined[0], 0);
    EDDY_CHECK_EQ(joined[1], 0);
}

EDDY_TEST(waiting_puts_do_not_count)
{
    EDDY_OWN(eddy_queue) q = queue(1);
    int item;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_queue_put(q, &(int){ 1 }), 0);
    EDDY_GO(&s, putter, .q = q, .first = 2, .count = 1);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_queue_count(q), 1);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 1);
    /* Got and done before who put it has run again: it was counted when it entered. */
    EDDY_CHECK_EQ(eddy_queue_try_get(q, &item), 1);
    EDDY_CHECK_EQ(eddy_queue_try_get(q, &item), 1);
    EDDY_CHECK_EQ(item, 2);
    EDDY_CHECK_EQ(eddy_queue_task_done(q), 0);
    EDDY_CHECK_EQ(eddy_queue_task_done(q), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 0);
}

EDDY_TEST(done_too_often_is_einval)
{
    EDDY_OWN(eddy_queue) q = queue(1);
    struct eddy_queue *never = NULL;
    int item;

    EDDY_CHECK_EQ(eddy_queue_task_done(q), -EINVAL);
    EDDY_CHECK_EQ(eddy_queue_put(q, &(int){ 1 }), 0);
    EDDY_CHECK_EQ(eddy_queue_get(q, &item), 1);
    EDDY_CHECK_EQ(eddy_queue_task_done(q), 0);
    EDDY_CHECK_EQ(eddy_queue_task_done(q), -EINVAL);
    EDDY_CHECK_EQ(eddy_queue_new(5000, NULL, &never), -EINVAL);
    eddy_queue_free(never);
}

EDDY_TEST(shutdown_lets_work_be_finished)
{
    EDDY_OWN(eddy_queue) q = queue(2);
    int result = UNSET, ended = UNSET, done = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 2; i++)
        EDDY_CHECK_EQ(eddy_queue_put(q, &i), 0);
    EDDY_GO(&s, putter, .q = q, .first = 2, .count = 1, .ret_result = &result);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_queue_shutdown(q, false);
    eddy_queue_shutdown(q, false);
    EDDY_CHECK_EQ(eddy_queue_put(q, &done), -EPIPE);
    EDDY_CHECK_EQ(eddy_queue_try_put(q, &done), -EPIPE);
    EDDY_GO(&s, worker, .q = q, .work_ms = 1, .ret_done = &done, .ret_result = &ended);
    EDDY_CHECK_EQ(eddy_queue_join(q), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(result, -EPIPE);
    EDDY_CHECK_EQ(done, 2);
    EDDY_CHECK_EQ(ended, 0);
}

EDDY_TEST(immediate_shutdown_drops_work)
{
    EDDY_OWN(eddy_queue) q = queue(5);
    int joined = UNSET, item = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 4; i++)
        EDDY_CHECK_EQ(eddy_queue_put(q, &i), 0);
    EDDY_CHECK_EQ(eddy_queue_get(q, &item), 1);
    EDDY_GO(&s, joiner, .q = q, .ret_result = &joined);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_queue_shutdown(q, true);
    EDDY_CHECK_EQ(eddy_queue_count(q), 0);
    EDDY_CHECK_EQ(eddy_queue_get(q, &item), 0);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 1); /* the one in hand */
    EDDY_CHECK_EQ(joined, UNSET);
    EDDY_CHECK_EQ(eddy_queue_task_done(q), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(joined, 0);

    /* With nothing in hand the shutdown itself ends the join. */
    EDDY_OWN(eddy_queue) p = queue(5);
    EDDY_CHECK_EQ(eddy_queue_put(p, &item), 0);
    joined = UNSET;
    EDDY_GO(&s, joiner, .q = p, .ret_result = &joined);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_queue_shutdown(p, true);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(joined, 0);
}

EDDY_TEST(cancelled_calls_did_nothing)
{
    EDDY_OWN(eddy_queue) q = queue(1);
    int result = UNSET, joined = UNSET, item = UNSET;

    EDDY_CHECK_EQ(eddy_queue_put(q, &(int){ 1 }), 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, putter, .q = q, .first = 2, .count = 1, .ret_result = &result);
        EDDY_GO(&s, joiner, .q = q, .ret_result = &joined);
        EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(result, -ECANCELED);
    EDDY_CHECK_EQ(joined, -ECANCELED);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 1);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_EQ(eddy_queue_get(q, &item), -ECANCELED);
        EDDY_CHECK_EQ(eddy_queue_join(q), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_queue_get(q, &item), 1);
    EDDY_CHECK_EQ(item, 1);
    {
        EDDY_SCOPE(s, .timeout_ms = 3);
        EDDY_CHECK_EQ(eddy_queue_get(q, &item), -ETIMEDOUT);
        EDDY_CHECK_EQ(eddy_queue_join(q), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_queue_task_done(q), 0);
    EDDY_CHECK_EQ(eddy_queue_join(q), 0);
}

EDDY_TEST(queue_tries_look_at_no_scope)
{
    EDDY_OWN(eddy_queue) q = queue(1);
    int item = 1;
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_scope_cancel(&s);
    EDDY_CHECK_EQ(eddy_queue_try_put(q, &item), 0);
    EDDY_CHECK_EQ(eddy_queue_try_get(q, &item), 1);
}

struct tried {
    struct eddy_queue *q;
    int r[8];
};

static void try_calls(void *ctx)
{
    struct tried *t = ctx;
    int item = 2;

    t->r[0] = eddy_queue_put(t->q, &item); /* has room */
    t->r[1] = eddy_queue_get(t->q, &item); /* has an item */
    t->r[2] = eddy_queue_join(t->q);
    t->r[3] = eddy_queue_try_put(t->q, &item);
    t->r[4] = eddy_queue_try_put(t->q, &item);
    t->r[5] = eddy_queue_try_get(t->q, &item);
    t->r[6] = item;
    t->r[7] = eddy_queue_task_done(t->q);
}

EDDY_TEST(in_a_callback_only_tries_are_served)
{
    EDDY_OWN(eddy_queue) q = queue(2);
    struct tried t = { .q = q };
    int item = 1;

    EDDY_CHECK_EQ(eddy_queue_put(q, &item), 0);
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), try_calls, &t), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_ERR(t.r[i], -EDEADLK);
    EDDY_CHECK_EQ(t.r[3], 0);
    EDDY_CHECK_ERR(t.r[4], -EAGAIN);
    EDDY_CHECK_EQ(t.r[5], 1);
    EDDY_CHECK_EQ(t.r[6], 1); /* what was refused took nothing and put nothing in */
    EDDY_CHECK_EQ(t.r[7], 0);
    EDDY_CHECK_EQ(eddy_queue_unfinished(q), 1);
}

/* --- by chance --------------------------------------------------------------------------------------- */

#define WORKERS 5
#define ITEMS 200

struct churn {
    struct eddy_queue *q;
    uint64_t dice;
    struct eddy_scope *current[2 * WORKERS];
    int next, putters, cancelled;
    unsigned char in[ITEMS], out[ITEMS];
};

static unsigned roll(struct churn *c, unsigned sides)
{
    c->dice = c->dice * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(c->dice >> 33) % sides;
}

static void meddle(struct churn *c)
{
    unsigned victim = roll(c, 2 * WORKERS);

    if (roll(c, 3) == 0 && c->current[victim]) {
        eddy_scope_cancel(c->current[victim]);
        c->current[victim] = NULL;
        c->cancelled++;
    }
    if (roll(c, 3) == 0)
        eddy_sleep(roll(c, 2));
}

struct churner_args {
    struct churn *c;
    unsigned who;
};

static int churner(struct churner_args *a)
{
    struct churn *c = a->c;
    bool puts = a->who < WORKERS;

    while (!puts || c->next < ITEMS) {
        int item = puts ? c->next++ : -1, r;
        {
            EDDY_SCOPE(s, .timeout_ms = roll(c, 6) ? 0 : 1);
            c->current[a->who] = &s;
            r = puts ? eddy_queue_put(c->q, &item) : eddy_queue_get(c->q, &item);
            c->current[a->who] = NULL;
        }
        EDDY_CHECK(r >= 0 || r == -ECANCELED || r == -ETIMEDOUT);
        if (!puts && r == 0)
            return 0;
        if (r < 0) {
            EDDY_CHECK(puts || item == -1);
        } else if (puts) {
            c->in[item]++;
        } else if (EDDY_CHECK(item >= 0 && item < ITEMS)) {
            c->out[item]++;
            meddle(c);
            EDDY_CHECK_EQ(eddy_queue_task_done(c->q), 0);
        }
        meddle(c);
    }
    c->putters--;
    return 0;
}
EDDY_TASK(churner);

static int churn_once(uint64_t seed)
{
    struct churn c = { .dice = seed, .putters = WORKERS };
    EDDY_OWN(eddy_queue) q = queue(1 + seed % 3);

    c.q = q;
    EDDY_SCOPE(s, .timeout_ms = 0);
    for (unsigned i = 0; i < 2 * WORKERS; i++)
        EDDY_GO(&s, churner, .c = &c, .who = i);
    while (c.putters > 0)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(eddy_queue_join(q), 0);
    for (int i = 0; i < ITEMS; i++)
        if (c.in[i] > 1 || c.in[i] != c.out[i])
            EDDY_CHECK_FAIL("seed %llu: item %d went in %d times, and out %d times",
                            (unsigned long long)seed, i, c.in[i], c.out[i]);
    eddy_queue_shutdown(q, false);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    return c.cancelled;
}

EDDY_TEST(random_cancels_lose_no_work)
{
    bool sim = strcmp(eddy_check_backend(), "sim") == 0;
    unsigned long first = eddy_check_number("EDDY_SEED", 1);
    unsigned long seeds = sim ? eddy_check_number("EDDY_SEEDS", 40) : 3;
    int cancelled = 0;

    for (unsigned long seed = first; seed < first + seeds; seed++) {
        EDDY_OWN(eddy_loop) loop = NULL;
        if (sim)
            EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .seed = seed), &loop), 0);
        cancelled += churn_once(seed);
    }
    EDDY_CHECK(cancelled > 5);
}
