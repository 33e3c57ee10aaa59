/* bench/udp/scene.c - the sender, and the counting */
#include "scene.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM 20000

static size_t total, since_look;
static int64_t began_ns, began_cpu_ns, until_ns, seconds;
static uint64_t began_sent;
static volatile uint64_t *sent; /* by the other process */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void begin(void)
{
    total = 0;
    began_sent = *sent;
    began_ns = clock_ns(CLOCK_MONOTONIC);
    began_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    until_ns = began_ns + seconds * 1000000000;
}

bool scene_received(size_t count)
{
    total += count;
    since_look += count;
    if (since_look < 1000)
        return true;
    since_look = 0;
    if (!began_ns) {
        if (total >= WARM)
            begin();
        return true;
    }
    return clock_ns(CLOCK_MONOTONIC) < until_ns;
}

static void pace(int64_t start_ns, uint64_t rate)
{
    int64_t due = start_ns + (int64_t)(*sent * 1000000000 / rate);
    struct timespec t = { due / 1000000000, due % 1000000000 };

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void send_for_ever(int port, size_t bytes, uint64_t rate)
{
    static char payload[65536];
    static struct iovec iov[64];
    static struct mmsghdr messages[64];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    const unsigned batch = rate ? 16 : 64;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        _exit(1);
    for (int i = 0; i < 64; i++) {
        iov[i] = (struct iovec){ payload, bytes };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
    }
    for (;;) {
        int n = sendmmsg(fd, messages, batch, 0);
        if (n > 0)
            *sent += (unsigned)n;
        if (rate)
            pace(start_ns, rate);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODE BYTES SECONDS [RATE]\n", argv[0]);
        return 2;
    }
    const size_t bytes = strtoul(argv[2], NULL, 10);
    const uint64_t rate = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    seconds = strtol(argv[3], NULL, 10);
    sent = mmap(NULL, sizeof *sent, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sent == MAP_FAILED || bytes > SCENE_ROOM)
        return 1;
    int port = stack_open(argv[1]);
    if (port <= 0) {
        fprintf(stderr, "%s: no mode %s\n", stack_name, argv[1]);
        return 2;
    }
    pid_t sender = fork();
    if (sender == 0)
        send_for_ever(port, bytes, rate);
    stack_receive();
    const double ns = (double)(clock_ns(CLOCK_MONOTONIC) - began_ns);
    const double cpu = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began_cpu_ns);
    const double share = (double)total / (double)(*sent - began_sent);
    (void)kill(sender, SIGKILL);
    (void)waitpid(sender, NULL, 0);
    printf("%s %s %zu %.0f %.1f %.0f\n", stack_name, argv[1], bytes, (double)total * 1e9 / ns,
           cpu / (double)total, share * 1000);
    return 0;
}
