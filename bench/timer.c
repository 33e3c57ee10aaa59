/*
 * bench/timer.c - arming a timer and cancelling it, with a million others armed
 *
 *     bench-timer [ARMED]      five rounds, median with minimum and maximum
 *
 * The deadlines are spread over an hour, as those of connections are.
 */
#include <eddy/loop.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 5
#define TIMES 2000000

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

static void never(void *ctx)
{
    (void)ctx;
    abort();
}

static int64_t some_ms(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return 1000 * 60 + (int64_t)(*state >> 10) % (1000 * 3600);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    struct eddy_alarm **alarms = calloc((size_t)count + 1, sizeof *alarms);
    double ns[ROUNDS];
    uint32_t state = 1;

    if (!alarms || count < 1)
        return 1;
    for (long i = 0; i <= count; i++) {
        if (eddy_alarm_new(never, NULL, &alarms[i]) < 0)
            return 1;
        if (i < count)
            eddy_alarm_start(alarms[i], some_ms(&state));
    }
    for (int r = 0; r < ROUNDS; r++) {
        double start = now_ns();
        for (int i = 0; i < TIMES; i++) {
            eddy_alarm_start(alarms[count], some_ms(&state));
            eddy_alarm_stop(alarms[count]);
        }
        ns[r] = (now_ns() - start) / TIMES;
    }
    qsort(ns, ROUNDS, sizeof *ns, compare);
    printf("%-44s %8.1f ns   (%.1f to %.1f)\n", "timer, arm and cancel, a million armed",
           ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
    for (long i = 0; i <= count; i++)
        eddy_alarm_free(alarms[i]);
    free((void *)alarms);
    return 0;
}
