/*
 * bench/switch.c - the bare switch between two contexts, there and back: no scheduler, no queue
 *
 * What boost.context is compared with, which has neither. What eddy's tasks pay is in bench-task.
 *
 * link: static
 */
#include "task/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 5
#define SWITCHES 5000000

static struct eddy_context here, there;
static char stack[64 * 1024] __attribute__((aligned(16)));

static void other_side(void *arg)
{
    (void)arg;
    eddy_context_arrived(&there, &here);
    for (;;)
        eddy_context_switch(&there, &here);
}

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

int main(void)
{
    double ns[ROUNDS];

    eddy_context_of_thread(&here);
    eddy_context_make(&there, stack, sizeof stack, other_side, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        double start = now_ns();
        for (int k = 0; k < SWITCHES; k++)
            eddy_context_switch(&here, &there);
        ns[i] = (now_ns() - start) / SWITCHES;
    }
    qsort(ns, ROUNDS, sizeof *ns, compare);
    printf("%-44s %8.1f ns   (%.1f to %.1f)\n", "switch, there and back, bare", ns[ROUNDS / 2],
           ns[0], ns[ROUNDS - 1]);
    return 0;
}
