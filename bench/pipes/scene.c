/*
 * bench/pipes/scene.c - play the scene: pipes-<library> [PAIRS] [ACTIVE] [ROUNDS]
 *
 * Prints the name, and nanoseconds for each event: median, minimum and maximum of the rounds.
 */
#include "scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int pairs, active, fired, wanted, left;
static int (*ends)[2];

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

void scene_readable(int index)
{
    char bytes[8];

    /* With room for more than came, so that a short read says that there is no more. */
    ssize_t n = read(ends[index][0], bytes, sizeof bytes);
    if (n < 1 || n == sizeof bytes)
        fail("read");
    for (; n > 0; n--) {
        fired++;
        if (left <= 0)
            continue;
        left--;
        if (write(ends[(index + 1) % pairs][1], "e", 1) != 1)
            fail("write");
    }
}

static double play(void)
{
    fired = 0;
    left = pairs;
    wanted = pairs + active;
    double start = now_ns();
    for (int i = 0; i < active; i++)
        if (write(ends[i * (pairs / active)][1], "e", 1) != 1)
            fail("write");
    while (fired < wanted)
        stack_turn();
    return (now_ns() - start) / wanted;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    pairs = argc > 1 ? atoi(argv[1]) : 100;
    active = argc > 2 ? atoi(argv[2]) : 10;
    int rounds = argc > 3 ? atoi(argv[3]) : 25;
    struct rlimit limit;

    if (active < 1 || pairs < active || rounds < 1)
        return 2;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    ends = calloc((size_t)pairs, sizeof *ends);
    double *ns = calloc((size_t)rounds, sizeof *ns);
    if (!ends || !ns)
        return 1;
    stack_open(pairs);
    for (int i = 0; i < pairs; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]) < 0)
            fail("socketpair");
        stack_watch(i, ends[i][0]);
    }
    play(); /* warm up: registrations, memory */
    for (int i = 0; i < rounds; i++)
        ns[i] = play();
    qsort(ns, (size_t)rounds, sizeof *ns, compare);
    printf("%s %.1f %.1f %.1f\n", stack_name, ns[rounds / 2], ns[0], ns[rounds - 1]);
    return 0;
}
