/* sys_test.c - the table of system calls: results as promised, every entry able to fail */
#include "check.h"

#include "base/fault.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

EDDY_TEST(errors_are_negative_codes)
{
    char byte;
    struct epoll_event event;

    EDDY_CHECK_ERR(eddy__sys.read(-1, &byte, 1), -EBADF);
    EDDY_CHECK_ERR(eddy__sys.write(-1, &byte, 1), -EBADF);
    EDDY_CHECK_ERR(eddy__sys.recv(-1, &byte, 1, 0), -EBADF);
    EDDY_CHECK_ERR(eddy__sys.send(-1, &byte, 1, 0), -EBADF);
    EDDY_CHECK_ERR(eddy__sys.accept(-1, NULL, NULL), -EBADF);
    EDDY_CHECK_ERR(eddy__sys.close(-1), -EBADF);
    EDDY_CHECK_ERR(eddy__sys.epoll_wait(-1, &event, 1, 0), -EBADF);
    EDDY_CHECK(eddy__sys.mmap((size_t)1 << 62) == NULL);
}

EDDY_TEST(descriptors_are_close_on_exec_and_sockets_do_not_block)
{
    int pair[2] = { -1, -1 }, ends[2] = { -1, -1 };
    int fd[6];

    EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair), 0);
    EDDY_CHECK_EQ(eddy__sys.pipe(ends), 0);
    fd[0] = eddy__sys.socket(AF_INET, SOCK_STREAM, 0);
    fd[1] = pair[0];
    fd[2] = pair[1];
    fd[3] = eddy__sys.eventfd(0);
    fd[4] = ends[0];
    fd[5] = ends[1];
    for (int i = 0; i < 6; i++) {
        EDDY_CHECK(fcntl(fd[i], F_GETFD) & FD_CLOEXEC);
        EDDY_CHECK_EQ((fcntl(fd[i], F_GETFL) & O_NONBLOCK) != 0, i < 4);
        EDDY_CHECK_EQ(eddy__sys.close(fd[i]), 0);
    }
}

static void no_op(int signo)
{
    (void)signo;
}

EDDY_TEST(a_read_goes_on_after_a_signal_and_a_wait_does_not)
{
    struct sigaction action = { .sa_handler = no_op }, old;
    struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
    int ends[2];
    char byte;

    if (!EDDY_CHECK_EQ(eddy__sys.pipe(ends), 0))
        return;
    EDDY_CHECK_EQ(eddy__sys.sigaction(SIGALRM, &action, &old), 0);
    struct pollfd p = { .fd = ends[0], .events = POLLIN };
    setitimer(ITIMER_REAL, &soon, NULL);
    EDDY_CHECK_ERR(eddy__sys.poll(&p, 1, INT64_C(5000000000)), -EINTR);
    setitimer(ITIMER_REAL, &soon, NULL);
    EDDY_CHECK_ERR(eddy__sys.select(0, NULL, NULL, NULL, INT64_C(5000000000)), -EINTR);

    /* The handler of the second alarm writes nothing, so only a retried read can see the byte. */
    pid_t child = fork();
    if (child == 0) {
        usleep(60000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    setitimer(ITIMER_REAL, &soon, NULL);
    EDDY_CHECK_EQ(eddy__sys.read(ends[0], &byte, 1), 1);
    EDDY_CHECK_EQ(waitpid(child, NULL, 0), child);
    eddy__sys.sigaction(SIGALRM, &old, NULL);
    eddy__sys.close(ends[0]);
    eddy__sys.close(ends[1]);
}

EDDY_TEST(waits_are_never_short)
{
    static const int64_t timeouts[] = { 1, 999, 300000, 1000001, 7500000 };
    struct epoll_event event;
    int epoll = eddy__sys.epoll_create();

    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        int64_t start = eddy__sys.now_ns();
        EDDY_CHECK_EQ(eddy__sys.epoll_wait(epoll, &event, 1, timeouts[i]), 0);
        EDDY_CHECK(eddy__sys.now_ns() - start >= timeouts[i]);
        start = eddy__sys.now_ns();
        EDDY_CHECK_EQ(eddy__sys.poll(NULL, 0, timeouts[i]), 0);
        EDDY_CHECK(eddy__sys.now_ns() - start >= timeouts[i]);
        start = eddy__sys.now_ns();
        EDDY_CHECK_EQ(eddy__sys.select(0, NULL, NULL, NULL, timeouts[i]), 0);
        EDDY_CHECK(eddy__sys.now_ns() - start >= timeouts[i]);
    }
    eddy__sys.close(epoll);
}

EDDY_TEST(randomness_fills_all_of_a_long_buffer)
{
    static unsigned char bytes[100000];
    size_t zero = 0;

    EDDY_CHECK_EQ(eddy__sys.random(bytes, sizeof bytes), 0);
    for (size_t i = sizeof bytes - 1000; i < sizeof bytes; i++)
        zero += bytes[i] == 0;
    EDDY_CHECK(zero < 100);
    EDDY_CHECK(eddy__sys.wall_ns() > INT64_C(1700000000) * 1000000000);
}

/* Memory, a socket pair and a byte through it; what was opened is closed whatever fails. */
static int scenario(void)
{
    int pair[2];
    char byte = 'x';
    ssize_t n;

    void *memory = eddy__sys.mmap(4096);
    if (!memory)
        return -ENOMEM;
    int r = eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair);
    if (r == 0) {
        n = eddy__sys.send(pair[0], &byte, 1, MSG_NOSIGNAL);
        if (n == 1)
            n = eddy__sys.recv(pair[1], &byte, 1, 0);
        r = n < 0 ? (int)n : 0;
        EDDY_CHECK(eddy__sys.now_ns() > 0);
        EDDY_CHECK_EQ(eddy__sys.close(pair[0]), 0);
        EDDY_CHECK_EQ(eddy__sys.close(pair[1]), 0);
    }
    EDDY_CHECK_EQ(eddy__sys.munmap(memory, 4096), 0);
    return r;
}

EDDY_TEST(each_system_call_can_be_made_to_fail_but_those_that_clean_up)
{
    unsigned long rounds = 0;

    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_SYS); eddy_fault_next(&f); rounds++) {
        bool failed = scenario() < 0;
        EDDY_CHECK_EQ(failed, eddy_fault_fired(&f));
    }
    EDDY_CHECK_EQ(rounds, 1 + 2 * 4);
}

static ssize_t refuse(int fd, const void *buf, size_t len, int flags)
{
    (void)fd;
    (void)buf;
    (void)len;
    (void)flags;
    return -ECONNRESET;
}

EDDY_TEST(an_entry_can_be_replaced_and_restored)
{
    eddy__sys.send = refuse;
    EDDY_CHECK_ERR(scenario(), -ECONNRESET);
    eddy__sys = eddy__sys_kernel;
    EDDY_CHECK_EQ(scenario(), 0);
}
