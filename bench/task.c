/*
 * bench/task.c - what a task costs: a switch, a life, and the memory of a million asleep
 *
 *     bench-task             the times, five rounds, median with minimum and maximum
 *     bench-task memory [N]  resident memory of one of N sleeping tasks (a million)
 *
 * A switch there and back is a yield seen from the loop: the ready queue is part of it. The bare
 * pair of switches is what eddy_call_deep() does, twice.
 */
#include <eddy/loop.h>
#include <eddy/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

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

/* --- a switch there and back --------------------------------------------------------------------- */

#define SWITCHES 2000000

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct switcher_args {
    double *ret_ns;
};

static int switcher(struct switcher_args *a)
{
    double start = now_ns();

    for (int i = 0; i < SWITCHES; i++)
        eddy_call_deep(nothing, NULL);
    *a->ret_ns = (now_ns() - start) / SWITCHES;
    return 0;
}
EDDY_TASK(switcher);

struct yielder_args {
    int times;
};

static int yielder(struct yielder_args *a)
{
    for (int i = 0; i < a->times; i++)
        eddy_yield();
    return 0;
}
EDDY_TASK(yielder);

static double one_switch(void)
{
    double ns = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, switcher, .ret_ns = &ns);
    eddy_join(&s);
    return ns;
}

#define YIELDERS 1000
#define YIELDS 1000

static double one_yield(void)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < YIELDERS; i++)
        EDDY_GO(&s, yielder, .times = YIELDS);
    double start = now_ns();
    eddy_join(&s);
    return (now_ns() - start) / (YIELDERS * YIELDS);
}

/* --- a life ------------------------------------------------------------------------------------------ */

struct empty_args {
    int unused;
};

static int empty(struct empty_args *a)
{
    return a->unused;
}
EDDY_TASK(empty);

#define LIVES 1000
#define BATCHES 500

static double one_life(void)
{
    double start = now_ns();

    for (int b = 0; b < BATCHES; b++) {
        EDDY_SCOPE(s, .timeout_ms = 0);
        for (int i = 0; i < LIVES; i++)
            EDDY_GO(&s, empty, .unused = 0);
        eddy_join(&s);
    }
    return (now_ns() - start) / (LIVES * BATCHES);
}

/* --- memory -------------------------------------------------------------------------------------------- */

struct dreamer_args {
    int64_t ms;
};

static int dreamer(struct dreamer_args *a)
{
    eddy_sleep(a->ms);
    return 0;
}
EDDY_TASK(dreamer);

static long status_kib(const char *field)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field), NULL, 10);
    (void)fclose(f);
    return kib;
}

static int memory(long count)
{
    struct eddy_stack_info info = { .size = sizeof info };
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_yield();
    long rss = status_kib("VmRSS:"), tables = status_kib("VmPTE:");
    for (long i = 0; i < count; i++) {
        int r = EDDY_GO(&s, dreamer, .ms = 3600000);
        if (r < 0) {
            (void)fprintf(stderr, "bench-task: task %ld: %s\n", i, eddy_strerror(r));
            return 1;
        }
        if (i % 10000 == 0)
            eddy_yield();
    }
    eddy_sleep(1);
    eddy_stack_info(&info);
    rss = status_kib("VmRSS:") - rss;
    tables = status_kib("VmPTE:") - tables;
    printf("%zu tasks asleep, guards by %s: %.3f KiB resident and %.3f KiB of page tables each\n",
           info.live, info.guard, (double)rss / (double)count, (double)tables / (double)count);
    (void)fflush(stdout);
    _exit(0); /* cancelling a million is another benchmark */
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "memory") == 0)
        return memory(argc > 2 ? strtol(argv[2], NULL, 10) : 1000000);

    double ns[3][ROUNDS];
    one_life();
    for (int i = 0; i < ROUNDS; i++) {
        ns[0][i] = one_switch();
        ns[1][i] = one_yield();
        ns[2][i] = one_life();
    }
    report("switch, there and back", ns[0]);
    report("yield among 1000 tasks", ns[1]);
    report("spawn, run, join; stack from the pool", ns[2]);
    return 0;
}
