/*
 * Shared channels: the rules of eddy/channel.h that cross threads, a loop in each of four.
 *
 * backends: select poll epoll uring
 * threads: yes
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/channel.h>
#include <eddy/loop.h>
#include <eddy/queue.h>
#include <eddy/task.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define THREADS 4
#define TASKS 4 /* senders, and receivers, of each thread */
#define ITEMS 400

struct item {
    unsigned producer;
    unsigned number;
};

struct crowd {
    struct eddy_channel *ch[2];
    atomic_uint senders; /* that still send */
    atomic_uint in[THREADS * TASKS][ITEMS];
    atomic_uint out[THREADS * TASKS][ITEMS];
    atomic_uint cancelled;
    bool selects;
    bool cancels;
};

struct thread {
    struct crowd *crowd;
    unsigned number;
    pthread_t id;
    uint64_t dice;
    struct eddy_scope *current[2 * TASKS];
    unsigned busy; /* tasks that go on */
};

static unsigned roll(struct thread *t, unsigned sides)
{
    t->dice = t->dice * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(t->dice >> 33) % sides;
}

static int one_send(struct thread *t, const struct item *item)
{
    struct crowd *c = t->crowd;

    if (!c->selects)
        return eddy_channel_send(c->ch[0], item);
    struct eddy_select_case cases[] = { EDDY_ON_SEND(c->ch[0], item),
                                        EDDY_ON_SEND(c->ch[1], item) };
    int which = eddy_select(cases, 2, NULL);
    return which < 0 ? which : cases[which].result;
}

static int one_receive(struct thread *t, struct item *item)
{
    struct crowd *c = t->crowd;

    if (!c->selects)
        return eddy_channel_receive(c->ch[0], item);
    struct item got[2];
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(c->ch[0], &got[0]),
                                        EDDY_ON_RECEIVE(c->ch[1], &got[1]) };
    int which = eddy_select(cases, 2, NULL);
    if (which < 0)
        return which;
    if (cases[which].result == 1)
        *item = got[which];
    else /* one is closed; what the other holds comes first */
        return eddy_channel_try_receive(c->ch[1 - which], item);
    return 1;
}

struct worker_args {
    struct thread *thread;
    unsigned who;
};
#define producer_args worker_args
#define consumer_args worker_args

static int producer(struct worker_args *a)
{
    struct thread *t = a->thread;
    unsigned me = t->number * TASKS + a->who;

    for (unsigned i = 0; i < ITEMS; i++) {
        struct item item = { me, i };
        EDDY_SCOPE(s, .timeout_ms = 0);
        t->current[a->who] = &s;
        int r = one_send(t, &item);
        t->current[a->who] = NULL;
        EDDY_CHECK(r == 0 || r == -ECANCELED);
        if (r == 0)
            atomic_fetch_add(&t->crowd->in[me][i], 1);
    }
    if (atomic_fetch_sub(&t->crowd->senders, 1) == 1)
        for (int i = 0; i < 2; i++)
            eddy_channel_close(t->crowd->ch[i]);
    t->busy--;
    return 0;
}
EDDY_TASK(producer);

static int consumer(struct worker_args *a)
{
    struct thread *t = a->thread;
    long last[THREADS * TASKS];

    memset(last, -1, sizeof last);
    for (;;) {
        struct item item = { 0, 0 };
        EDDY_SCOPE(s, .timeout_ms = 0);
        t->current[TASKS + a->who] = &s;
        int r = one_receive(t, &item);
        t->current[TASKS + a->who] = NULL;
        if (r == 0)
            break;
        if (r == -EAGAIN) { /* one channel is empty and closed, the other will be */
            eddy_yield();
            continue;
        }
        EDDY_CHECK(r == 1 || r == -ECANCELED);
        if (r < 0)
            continue;
        atomic_fetch_add(&t->crowd->out[item.producer][item.number], 1);
        /* What one producer sent is in order, at each of the receivers. */
        if (!t->crowd->selects)
            EDDY_CHECK((long)item.number > last[item.producer]);
        last[item.producer] = item.number;
    }
    t->busy--;
    return 0;
}
EDDY_TASK(consumer);

/* Ends others' waits, while other threads may be about to serve them. */
struct canceller_args {
    struct thread *thread;
};

static int canceller(struct canceller_args *a)
{
    struct thread *t = a->thread;

    while (t->busy > 0) {
        unsigned victim = roll(t, 2 * TASKS);
        if (t->current[victim]) {
            eddy_scope_cancel(t->current[victim]);
            t->current[victim] = NULL;
            atomic_fetch_add(&t->crowd->cancelled, 1);
        }
        for (unsigned i = roll(t, 20); i > 0; i--)
            eddy_yield();
    }
    return 0;
}
EDDY_TASK(canceller);

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    struct eddy_loop *loop = NULL;

    if (!EDDY_CHECK_EQ(eddy_loop_new(NULL, &loop), 0))
        return NULL;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        t->busy = 2 * TASKS;
        for (unsigned i = 0; i < TASKS; i++) {
            EDDY_GO(&s, producer, .thread = t, .who = i);
            EDDY_GO(&s, consumer, .thread = t, .who = i);
        }
        if (t->crowd->cancels)
            EDDY_GO(&s, canceller, .thread = t);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    eddy_loop_free(loop);
    return NULL;
}

static unsigned crowd_once(size_t capacity, bool selects, bool cancels)
{
    static struct crowd c; /* too large for a stack */
    struct thread threads[THREADS];
    unsigned all = 0;

    memset(&c, 0, sizeof c);
    c.senders = THREADS * TASKS;
    c.selects = selects;
    c.cancels = cancels;
    for (int i = 0; i < 2; i++)
        EDDY_CHECK_EQ(eddy_channel_new(sizeof(struct item),
                                       EDDY_OPT(channel, .capacity = capacity, .shared = true),
                                       &c.ch[i]),
                      0);
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){ .crowd = &c, .number = i, .dice = capacity * 16 + i };
        EDDY_CHECK_EQ(pthread_create(&threads[i].id, NULL, run_thread, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i].id, NULL);
    for (unsigned p = 0; p < THREADS * TASKS; p++)
        for (unsigned i = 0; i < ITEMS; i++) {
            all += c.in[p][i];
            if (c.in[p][i] > 1 || c.in[p][i] != c.out[p][i])
                EDDY_CHECK_FAIL("item %u of %u went in %u times, and out %u times", i, p,
                                c.in[p][i], c.out[p][i]);
        }
    if (!cancels)
        EDDY_CHECK_EQ(all, THREADS * TASKS * ITEMS);
    for (int i = 0; i < 2; i++) {
        EDDY_CHECK_EQ(eddy_channel_count(c.ch[i]), 0);
        eddy_channel_free(c.ch[i]);
    }
    return c.cancelled;
}

EDDY_TEST(many_to_many_over_threads)
{
    for (size_t capacity = 0; capacity < 3; capacity++)
        crowd_once(capacity, false, false);
    crowd_once(64, false, false);
}

EDDY_TEST(selects_over_threads)
{
    crowd_once(0, true, false);
    crowd_once(3, true, false);
}

EDDY_TEST(cancels_race_with_hand_overs)
{
    unsigned cancelled = crowd_once(0, false, true);

    cancelled += crowd_once(2, false, true);
    cancelled += crowd_once(0, true, true);
    cancelled += crowd_once(2, true, true);
    EDDY_CHECK(cancelled > 50);
}

/* One that waits, alone or in a select; another thread serves it, and then, before our loop has
 * heard of that, its scope ends. */
struct waiter_args {
    struct eddy_channel *ch;
    bool selects;
    int *ret_result, *ret_item;
};

static int waiter(struct waiter_args *a)
{
    struct eddy_select_case cases[] = { EDDY_ON_RECEIVE(a->ch, a->ret_item),
                                        EDDY_ON_RECEIVE(a->ch, a->ret_item) };
    int r = a->selects ? eddy_select(cases, 2, NULL) : eddy_channel_receive(a->ch, a->ret_item);

    *a->ret_result = r >= 0 && a->selects ? cases[r].result : r;
    return 0;
}
EDDY_TASK(waiter);

static void *serve_it(void *arg)
{
    EDDY_CHECK_EQ(eddy_channel_try_send(arg, &(int){ 7 }), 0);
    return NULL;
}

EDDY_TEST(served_by_a_thread_beats_the_cancel)
{
    for (int selects = 0; selects < 2; selects++) {
        EDDY_OWN(eddy_channel) ch = NULL;
        int result = -1, item = -1;
        pthread_t id;

        EDDY_CHECK_EQ(eddy_channel_new(sizeof(int), EDDY_OPT(channel, .shared = true), &ch), 0);
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, waiter, .ch = ch, .selects = selects != 0, .ret_result = &result,
                .ret_item = &item);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(pthread_create(&id, NULL, serve_it, ch), 0);
        pthread_join(id, NULL);
        eddy_scope_cancel(&s);
        EDDY_CHECK_EQ(eddy_join(&s), -ECANCELED);
        EDDY_CHECK_EQ(result, 1);
        EDDY_CHECK_EQ(item, 7);
    }
}

/* --- plain code, and a thread without a loop ------------------------------------------------------------ */

static void *try_from_a_thread(void *arg)
{
    struct eddy_channel *ch = arg;
    int r;

    for (int i = 0; i < 100; i++)
        while ((r = eddy_channel_try_send(ch, &i)) == -EAGAIN)
            sched_yield();
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK(eddy__loop() == NULL); /* none was made for that */
    eddy_channel_close(ch);
    return NULL;
}

EDDY_TEST(a_thread_without_a_loop_may_try)
{
    EDDY_OWN(eddy_channel) ch = NULL;
    pthread_t id;
    int item = -1, r, want = 0;

    EDDY_CHECK_EQ(
        eddy_channel_new(sizeof(int), EDDY_OPT(channel, .capacity = 2, .shared = true), &ch), 0);
    EDDY_CHECK_EQ(pthread_create(&id, NULL, try_from_a_thread, ch), 0);
    while ((r = eddy_channel_receive(ch, &item)) > 0) /* plain code, asleep in its loop */
        EDDY_CHECK_EQ(item, want++);
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK_EQ(want, 100);
    pthread_join(id, NULL);
}

/* --- a queue of work ------------------------------------------------------------------------------------- */

static atomic_int work_done;

static void *work(void *arg)
{
    struct eddy_queue *q = arg;
    int item, r;

    while ((r = eddy_queue_get(q, &item)) > 0) { /* plain code */
        atomic_fetch_add(&work_done, 1);
        EDDY_CHECK_EQ(eddy_queue_task_done(q), 0);
    }
    EDDY_CHECK_EQ(r, 0);
    eddy_loop_free(eddy__loop());
    return NULL;
}

EDDY_TEST(shared_queue_over_threads)
{
    EDDY_OWN(eddy_queue) q = NULL;
    pthread_t id[3];

    EDDY_CHECK_EQ(eddy_queue_new(sizeof(int), EDDY_OPT(queue, .capacity = 4, .shared = true), &q),
                  0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(pthread_create(&id[i], NULL, work, q), 0);
    for (int round = 1; round <= 20; round++) {
        for (int i = 0; i < 50; i++)
            EDDY_CHECK_EQ(eddy_queue_put(q, &i), 0);
        EDDY_CHECK_EQ(eddy_queue_join(q), 0);
        EDDY_CHECK_EQ(atomic_load(&work_done), round * 50);
    }
    eddy_queue_shutdown(q, false);
    for (int i = 0; i < 3; i++)
        pthread_join(id[i], NULL);
}

/* --- freeing ---------------------------------------------------------------------------------------------- */

/* Who has received the last item may free the channel, though the sender has hardly left it. */
static void *send_one(void *arg)
{
    int r = eddy_channel_send(arg, &(int){ 1 });

    EDDY_CHECK_EQ(r, 0);
    eddy_loop_free(eddy__loop());
    return NULL;
}

EDDY_TEST(the_last_receiver_may_free_it)
{
    for (int i = 0; i < 200; i++) {
        EDDY_OWN(eddy_channel) ch = NULL;
        pthread_t id;
        int item = 0;

        EDDY_CHECK_EQ(eddy_channel_new(sizeof(int),
                                       EDDY_OPT(channel, .capacity = i % 2 ? 1 : 0, .shared = true),
                                       &ch),
                      0);
        EDDY_CHECK_EQ(pthread_create(&id, NULL, send_one, ch), 0);
        EDDY_CHECK_EQ(eddy_channel_receive(ch, &item), 1);
        eddy_channel_free(EDDY_TAKE(ch));
        pthread_join(id, NULL);
    }
}
