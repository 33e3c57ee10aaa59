/*
 * spawn.c - what starting a process and waiting for it costs
 *
 *     bench-spawn [COUNT]        COUNT times /bin/true, one after the other; 500 by default
 *
 * From a small parent (10 MiB resident) and a large one (1 GiB), because fork(2) copies the tables of
 * a parent's pages and clone(2) with VM and VFORK, which eddy and posix_spawn(3) use, does not:
 *
 *   posix_spawn   posix_spawn + waitpid, the thread held all the time
 *   clone         eddy's entry of the table + waitpid: the same, inline
 *   eddy          eddy_process_spawn + eddy_process_wait: born on the pool, waited for by the loop
 *   fork          fork + execve + waitpid
 *
 * `held` is for how long the calling thread does nothing else because of the start; with eddy, the
 * processor time of the loop's thread for start, wait and all, because it blocks in nothing but its
 * wait. All in microseconds, median and 90th percentile.  link: static
 */
#include "base/child.h"
#include "base/sys.h"

#include <eddy/loop.h>
#include <eddy/process.h>

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char *const child_argv[] = { "true", NULL };
static const char *const programs[] = { "/bin/true", NULL };

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double thread_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void await(pid_t pid)
{
    int status = -1;

    if (pid <= 0 || waitpid(pid, &status, 0) != pid || status != 0)
        exit(1);
}

/* Each: one process, to its end; returns for how long the thread was held. */
static double by_posix_spawn(void)
{
    pid_t pid = -1;
    double began = now_us();

    if (posix_spawn(&pid, programs[0], NULL, NULL, child_argv, environ) != 0)
        exit(1);
    double held = now_us() - began;
    await(pid);
    return held;
}

static double by_clone(void)
{
    struct eddy_child_fd fds[] = { { 0, 0, true }, { 1, 1, true }, { 2, 2, true } };
    struct eddy_child child = { .programs = programs,
                                .argv = child_argv,
                                .env = environ,
                                .fds = fds,
                                .fd_count = 3,
                                .group = EDDY_CHILD_OWN_GROUP };
    int pidfd = -1;
    double began = now_us();
    pid_t pid = eddy__sys.spawn(&child, &pidfd);
    double held = now_us() - began;

    await(pid);
    close(pidfd);
    return held;
}

static double by_fork(void)
{
    double began = now_us();
    pid_t pid = fork();

    if (pid == 0) {
        execve(programs[0], child_argv, environ);
        _exit(127);
    }
    double held = now_us() - began;
    await(pid);
    return held;
}

static double by_eddy(void)
{
    const char *const argv[] = { "/bin/true", NULL };
    struct eddy_process_status status;
    EDDY_OWN(eddy_process) p = NULL;
    double began = thread_us();

    if (eddy_process_spawn(argv, NULL, &p) < 0 || eddy_process_wait(p, &status) < 0 || status.raw)
        exit(1);
    return thread_us() - began;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *name, double (*one)(void), int count)
{
    double *whole = calloc((size_t)count, sizeof *whole),
           *held = calloc((size_t)count, sizeof *held);

    if (!whole || !held)
        exit(1);
    for (int i = 0; i < count; i++) {
        double began = now_us();
        held[i] = one();
        whole[i] = now_us() - began;
    }
    qsort(whole, (size_t)count, sizeof *whole, compare);
    qsort(held, (size_t)count, sizeof *held, compare);
    printf("  %-12s whole %6.0f (%6.0f)   held %6.0f (%6.0f)\n", name, whole[count / 2],
           whole[count * 9 / 10], held[count / 2], held[count * 9 / 10]);
    free(whole);
    free(held);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = { (size_t)10 << 20, (size_t)1 << 30 };
    int count = argc > 1 ? atoi(argv[1]) : 500;

    for (size_t i = 0; i < 2 && count > 0; i++) {
        char *memory = malloc(sizes[i]);
        if (!memory)
            return 1;
        memset(memory, 1, sizes[i]);
        printf("%zu MiB resident, %d times\n", sizes[i] >> 20, count);
        measure("posix_spawn", by_posix_spawn, count);
        measure("clone", by_clone, count);
        measure("eddy", by_eddy, count);
        measure("fork", by_fork, count);
        eddy_loop_free(eddy_loop_current());
        free(memory);
    }
    return 0;
}
