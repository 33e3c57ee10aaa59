/*
 * Posts from other threads: what they cost, and what becomes of them when the loop ends.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "check.h"

#include "base/sys.h"
#include "loop/loop.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* Only wake-ups write eight bytes. */
static atomic_int wakes;

static ssize_t counting_write(int fd, const void *buf, size_t len)
{
    atomic_fetch_add(&wakes, len == 8);
    return eddy__sys_kernel.write(fd, buf, len);
}

void eddy_check_teardown(void)
{
    eddy__sys.write = eddy__sys_kernel.write;
}

struct sender {
    struct eddy_loop *loop;
    atomic_int *ran;
    int posts;
    pthread_t thread;
};

static void count_it(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

/* Waits until the loop is about to sleep, posts, waits until that ran, and again. */
static void *post_to_a_sleeper(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < s->posts; i++) {
        while (!atomic_load(&s->loop->asleep))
            sched_yield();
        int ran = atomic_load(s->ran);
        EDDY_CHECK_EQ(eddy_post(s->loop, count_it, s->ran), 0);
        while (atomic_load(s->ran) == ran)
            sched_yield();
    }
    return NULL;
}

EDDY_TEST(a_post_that_finds_the_loop_asleep_costs_one_system_call)
{
    atomic_int ran = 0;
    struct sender s = { .loop = eddy_loop_current(), .ran = &ran, .posts = 50 };

    atomic_store(&wakes, 0);
    eddy__sys.write = counting_write;
    EDDY_CHECK_EQ(pthread_create(&s.thread, NULL, post_to_a_sleeper, &s), 0);
    while (atomic_load(&ran) < s.posts)
        EDDY_CHECK(eddy_loop_turn(s.loop, -1) >= 0);
    pthread_join(s.thread, NULL);
    EDDY_CHECK_EQ(atomic_load(&wakes), s.posts);
}

static void *post_many(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < s->posts; i++)
        EDDY_CHECK_EQ(eddy_post(s->loop, count_it, s->ran), 0);
    return NULL;
}

/* In a callback, and between two turns, it is awake. */
static void busy(void *ctx)
{
    struct sender *s = ctx;

    EDDY_CHECK_EQ(pthread_create(&s->thread, NULL, post_many, s), 0);
    pthread_join(s->thread, NULL);
}

EDDY_TEST(a_post_to_a_busy_loop_costs_none)
{
    atomic_int ran = 0;
    struct sender s = { .loop = eddy_loop_current(), .ran = &ran, .posts = 1000 };

    EDDY_CHECK_EQ(eddy_post(s.loop, busy, &s), 0);
    atomic_store(&wakes, 0);
    eddy__sys.write = counting_write;
    while (atomic_load(&ran) < s.posts)
        EDDY_CHECK(eddy_loop_turn(s.loop, -1) >= 0);
    busy(&s);
    EDDY_CHECK_EQ(atomic_load(&wakes), 0);
    while (atomic_load(&ran) < 2 * s.posts)
        EDDY_CHECK(eddy_loop_turn(s.loop, -1) >= 0);
}

EDDY_TEST(of_many_posts_to_a_sleeper_the_first_wakes_it)
{
    atomic_int ran = 0;
    struct eddy_loop *loop = eddy_loop_current();

    atomic_store(&loop->asleep, true);
    atomic_store(&wakes, 0);
    eddy__sys.write = counting_write;
    for (int i = 0; i < 100; i++)
        EDDY_CHECK_EQ(eddy_post(loop, count_it, &ran), 0);
    EDDY_CHECK_EQ(atomic_load(&wakes), 1);
    while (atomic_load(&ran) < 100)
        EDDY_CHECK(eddy_loop_turn(loop, -1) >= 0);
}

EDDY_TEST(a_storm_from_four_threads_loses_none)
{
    atomic_int ran = 0;
    struct sender s[4];

    for (int i = 0; i < 4; i++) {
        s[i] = (struct sender){ .loop = eddy_loop_current(), .ran = &ran, .posts = 5000 };
        EDDY_CHECK_EQ(pthread_create(&s[i].thread, NULL, post_many, &s[i]), 0);
    }
    while (atomic_load(&ran) < 4 * 5000)
        EDDY_CHECK(eddy_loop_turn(s[0].loop, -1) >= 0);
    for (int i = 0; i < 4; i++)
        pthread_join(s[i].thread, NULL);
    EDDY_CHECK_EQ(atomic_load(&ran), 4 * 5000);
}

struct chain {
    struct eddy_loop *loop;
    int length;
    int ran;
    int refused;
};

static void go_on(void *ctx)
{
    struct chain *c = ctx;

    c->ran++;
    if (c->ran < c->length) {
        int r = eddy_post(c->loop, go_on, c);
        if (r < 0)
            c->refused = r;
    }
}

EDDY_TEST(an_ending_loop_runs_what_was_posted_and_what_that_posts)
{
    struct chain c = { .length = 5 };

    EDDY_CHECK_EQ(eddy_loop_new(NULL, &c.loop), 0);
    EDDY_CHECK_EQ(eddy_post(c.loop, go_on, &c), 0);
    eddy_loop_free(c.loop);
    EDDY_CHECK_EQ(c.ran, 5);
    EDDY_CHECK_EQ(c.refused, 0);
}

EDDY_TEST(a_post_without_end_is_refused_at_the_end)
{
    struct chain c = { .length = 1000000 };

    EDDY_CHECK_EQ(eddy_loop_new(NULL, &c.loop), 0);
    EDDY_CHECK_EQ(eddy_post(c.loop, go_on, &c), 0);
    eddy_loop_free(c.loop);
    EDDY_CHECK(c.ran < 10000);
    EDDY_CHECK_EQ(c.refused, -ESHUTDOWN);
}
