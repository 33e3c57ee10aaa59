/* bench/peers/tasks_libdill.c - libdill: what a coroutine costs */
#include "resident.h"

#include <libdill.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static coroutine void yielder(int times)
{
    for (int i = 0; i < times; i++)
        if (yield() < 0)
            return;
}

static double switches(void)
{
    const int times = 1000000;
    int h = go(yielder(times));

    double start = now_ns();
    for (int i = 0; i < times; i++)
        yield();
    double ns = (now_ns() - start) / times;
    hclose(h);
    return ns;
}

static coroutine void empty(void)
{
}

static double lives(void)
{
    const int batches = 500, batch = 50; /* its cache holds 64 stacks */
    double start = now_ns();

    for (int b = 0; b < batches; b++) {
        int all = bundle();
        for (int i = 0; i < batch; i++)
            bundle_go(all, empty());
        bundle_wait(all, -1);
        hclose(all);
    }
    return (now_ns() - start) / (batches * batch);
}

static coroutine void sender(int ch, int times)
{
    for (int i = 0; i < times; i++)
        if (chsend(ch, &i, sizeof i, -1) < 0)
            return;
}

static double channel(void)
{
    const int times = 1000000;
    int ch[2], value;

    if (chmake(ch) < 0)
        return -1;
    int h = go(sender(ch[0], times));
    double start = now_ns();
    for (int i = 0; i < times; i++)
        chrecv(ch[1], &value, sizeof value, -1);
    double ns = (now_ns() - start) / times;
    hclose(h);
    hclose(ch[0]);
    hclose(ch[1]);
    return ns;
}

static coroutine void dreamer(void)
{
    msleep(now() + 3600000);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(void)
{
    double v[3][ROUNDS];
    const int count = 20000; /* two mappings each, and vm.max_map_count */

    lives();
    for (int i = 0; i < ROUNDS; i++) {
        v[0][i] = switches();
        v[1][i] = lives();
        v[2][i] = channel();
    }
    long before = resident_kib();
    int all = bundle();
    for (int i = 0; i < count; i++)
        bundle_go(all, dreamer());
    msleep(now() + 100);
    double kib = (double)(resident_kib() - before) / count;
    for (int k = 0; k < 3; k++)
        qsort(v[k], ROUNDS, sizeof *v[k], compare);
    printf("libdill %.1f %.1f %.1f %.1f %.1f %.1f %.2f %.1f %.1f %.1f\n", v[0][2], v[0][0], v[0][4],
           v[1][2], v[1][0], v[1][4], kib, v[2][2], v[2][0], v[2][4]);
    fflush(stdout);
    _exit(0);
}
