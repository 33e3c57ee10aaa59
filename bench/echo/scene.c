/*
 * bench/echo/scene.c - the client's side of bench-echo-<library> [MILLISECONDS]
 *
 * For each size it prints the name, the size, and nanoseconds for a message there and back: the
 * median of its tenths.
 */
#include "scene.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TENTHS 10

static char out[1 << 20], in[1 << 20];

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

static void use_core(size_t core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* Large messages are echoed while they are still being sent, so both ways have to go on at once. */
static void there_and_back(int fd, size_t len)
{
    size_t sent = 0, got = 0;

    while (got < len) {
        if (sent < len) {
            ssize_t n = send(fd, out + sent, len - sent, len > 65536 ? MSG_DONTWAIT : 0);
            if (n > 0)
                sent += (size_t)n;
        }
        ssize_t n = recv(fd, in + got, len - got, sent < len ? MSG_DONTWAIT : 0);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0)
            fail("the server has gone");
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void measure(int fd, size_t len, double tenth_ns)
{
    double ns[TENTHS];

    there_and_back(fd, len); /* warm */
    for (int i = 0; i < TENTHS; i++) {
        double start = now_ns(), end;
        long count = 0;
        do {
            there_and_back(fd, len);
            count++;
            end = now_ns();
        } while (end - start < tenth_ns);
        ns[i] = (end - start) / (double)count;
    }
    qsort(ns, TENTHS, sizeof *ns, compare);
    printf("%s %zu %.0f\n", stack_name, len, ns[TENTHS / 2]);
}

static void client(const struct sockaddr_in *at, double tenth_ns)
{
    static const size_t sizes[] = { 1, 64, 1024, 16384, 65536, 1 << 20 };
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    use_core(1);
    if (connect(fd, (const struct sockaddr *)at, sizeof *at) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        measure(fd, sizes[i], tenth_ns);
    (void)fflush(stdout);
    kill(getppid(), SIGKILL);
    _exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    const int on = 1;
    double tenth_ns = (argc > 1 ? atof(argv[1]) : 200) * 1e5;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited */
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) < 0)
        fail("listen");
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            client(&at, tenth_ns);
        _exit(1);
    }
    use_core(0);
    stack_echo(listener);
    return 1;
}
