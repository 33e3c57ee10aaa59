/*
 * bench/post/scene.c - play the scene: post-<library>
 *
 * Prints the name and two medians with minimum and maximum, in nanoseconds: asleep, busy.
 */
#include "scene.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 7
#define ASLEEP 2000
#define BUSY 300000

/* What the next callback is told to do. */
enum { COUNT, GET_BUSY, END };

atomic_bool scene_ready;
static atomic_long ran;
static atomic_int order;
static _Atomic(double) ran_at;

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void scene_posted(void)
{
    int what = atomic_load(&order);

    atomic_store(&ran_at, now_ns());
    if (what == GET_BUSY)
        stack_busy(true);
    if (what == END)
        stack_stop();
    atomic_fetch_add(&ran, 1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void *loop_thread(void *unused)
{
    stack_run();
    return unused;
}

/* One at a time. Some tens of microseconds pass before each, so the loop sleeps. */
static double asleep(void)
{
    double total = 0;

    for (int i = 0; i < ASLEEP; i++) {
        struct timespec pause = { .tv_nsec = 60000 };
        nanosleep(&pause, NULL);
        long before = atomic_load(&ran);
        double start = now_ns();
        stack_post();
        while (atomic_load(&ran) == before)
            ;
        total += atomic_load(&ran_at) - start;
    }
    return total / ASLEEP;
}

/* A library may merge posts, so each waits for its callback, on a loop that spins. */
static double busy(void)
{
    double start = now_ns();

    for (int i = 0; i < BUSY; i++) {
        long before = atomic_load(&ran);
        stack_post();
        while (atomic_load(&ran) == before)
            ;
    }
    return (now_ns() - start) / BUSY;
}

int main(void)
{
    double ns[2][ROUNDS];
    pthread_t thread;

    if (pthread_create(&thread, NULL, loop_thread, NULL) != 0)
        return 1;
    while (!atomic_load(&scene_ready))
        ;
    asleep();
    for (int i = 0; i < ROUNDS; i++)
        ns[0][i] = asleep();
    atomic_store(&order, GET_BUSY);
    stack_post();
    while (atomic_load(&ran) < (ROUNDS + 1) * ASLEEP + 1)
        ;
    atomic_store(&order, COUNT);
    busy();
    for (int i = 0; i < ROUNDS; i++)
        ns[1][i] = busy();
    atomic_store(&order, END);
    stack_post();
    pthread_join(thread, NULL);

    printf("%s", stack_name);
    for (int k = 0; k < 2; k++) {
        qsort(ns[k], ROUNDS, sizeof *ns[k], compare);
        printf(" %.1f %.1f %.1f", ns[k][ROUNDS / 2], ns[k][0], ns[k][ROUNDS - 1]);
    }
    printf("\n");
    return 0;
}
