/*
 * conform_test.c - the contract of eddy/poller.h, on each backend, with each row of its table
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "check.h"
#include "ready.h"

#include "base/fault.h"
#include "base/memory.h"
#include "base/sys.h"

#include <eddy/error.h>
#include <eddy/poller.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

EDDY_TEST(a_backend_has_its_name_and_an_unknown_one_is_refused)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    EDDY_OWN(eddy_poller) best = NULL;
    EDDY_OWN(eddy_poller) none = NULL;
    bool listed = false;

    EDDY_CHECK_STR(eddy_poller_name(p), backend());
    for (const char *const *name = eddy_poller_backends(); *name; name++)
        listed |= is(*name);
    EDDY_CHECK(listed);
    EDDY_CHECK_EQ(eddy_poller_open(NULL, &best), 0);
    EDDY_CHECK_STR(eddy_poller_name(best), eddy_poller_backends()[0]);
    EDDY_CHECK_ERR(eddy_poller_open("iocp", &none), -EDDY_EBACKEND);
    EDDY_CHECK(none == NULL);
    eddy_poller_free(NULL);
}

EDDY_TEST(readable_is_reported_until_it_was_read)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];
    char byte;

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, UINT64_MAX - 7), 0);
    EDDY_CHECK_EQ(events_within(p, 0, 0), 0);
    EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
    EDDY_CHECK_EQ(events_within(p, UINT64_MAX - 7, -1), EDDY_READABLE);
    EDDY_CHECK_EQ(events_within(p, UINT64_MAX - 7, 0), EDDY_READABLE);
    EDDY_CHECK_EQ(read(fd[0], &byte, 1), 1);
    EDDY_CHECK_EQ(events_within(p, 0, 0), 0);
    close_pair(fd);
}

EDDY_TEST(writable_ends_when_the_kernel_is_full)
{
    static char block[65536];
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], BOTH, 1), 0);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_WRITABLE);
    EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), BOTH); /* one entry a descriptor */
    while (write(fd[0], block, sizeof block) > 0)
        ;
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE);
    while (read(fd[1], block, sizeof block) > 0)
        ;
    EDDY_CHECK_EQ(events_within(p, 1, LONG), BOTH);
    close_pair(fd);
}

EDDY_TEST(modify_changes_events_and_token)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_ERR(eddy_poller_modify(p, fd[0], EDDY_READABLE, 1), -ENOENT);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], EDDY_WRITABLE, 2), 0);
    EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
    EDDY_CHECK_EQ(events_within(p, 2, LONG), EDDY_WRITABLE);
    EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], EDDY_READABLE, 3), 0);
    EDDY_CHECK_EQ(events_within(p, 3, LONG), EDDY_READABLE);
    close_pair(fd);
}

EDDY_TEST(wrong_use_is_an_error_and_changes_nothing)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    struct eddy_ready ready;
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_ERR(eddy_poller_add(p, -1, EDDY_READABLE, 1), -EBADF);
    EDDY_CHECK_ERR(eddy_poller_add(p, 900, EDDY_READABLE, 1), -EBADF);
    EDDY_CHECK_ERR(eddy_poller_add(p, INT32_MAX, EDDY_READABLE, 1), -EBADF);
    EDDY_CHECK_ERR(eddy_poller_add(p, fd[0], 0, 1), -EINVAL);
    EDDY_CHECK_ERR(eddy_poller_add(p, fd[0], EDDY_READABLE | EDDY_URGENT, 1), -EINVAL);
    EDDY_CHECK_ERR(eddy_poller_add(p, fd[0], EDDY_EDGE, 1), -EINVAL);
    EDDY_CHECK_ERR(eddy_poller_remove(p, fd[0]), -ENOENT);
    EDDY_CHECK_ERR(eddy_poller_remove(p, -1), -ENOENT);
    EDDY_CHECK_ERR(eddy_poller_remove(p, INT32_MAX), -ENOENT);
    EDDY_CHECK_ERR(eddy_poller_wait(p, 0, &ready, 0), -EINVAL);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_WRITABLE, 1), 0);
    EDDY_CHECK_ERR(eddy_poller_add(p, fd[0], EDDY_READABLE, 2), -EEXIST);
    EDDY_CHECK_ERR(eddy_poller_modify(p, fd[0], 0, 2), -EINVAL);
    EDDY_CHECK_ERR(eddy_poller_add(p, 60, EDDY_READABLE, 1), -EBADF);
    EDDY_CHECK_ERR(eddy_poller_remove(p, 60), -ENOENT); /* the failed add left nothing */
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_WRITABLE);
    close_pair(fd);
}

EDDY_TEST(a_half_close_is_readable_and_where_it_can_be_said_ended)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];
    char byte;

    make_tcp(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    EDDY_CHECK_EQ(shutdown(fd[1], SHUT_WR), 0);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), told(EDDY_READABLE | EDDY_READ_ENDED));
    EDDY_CHECK_EQ(read(fd[0], &byte, 1), 0);
    EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], EDDY_WRITABLE, 2), 0);
    EDDY_CHECK_EQ(events_within(p, 2, LONG), EDDY_WRITABLE); /* who does not read is not told */
    EDDY_CHECK_EQ(write(fd[0], "x", 1), 1);
    EDDY_CHECK_EQ(read(fd[1], &byte, 1), 1);
    close_pair(fd);
}

EDDY_TEST(a_hang_up_is_reported_asked_for_or_not)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];
    char byte;

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    close(fd[1]);
    /* A kqueue tells each direction apart. */
    unsigned ended = EDDY_READABLE | EDDY_READ_ENDED | (is("kqueue") ? 0 : EDDY_HANGUP);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), told(ended));
    EDDY_CHECK_EQ(read(fd[0], &byte, 1), 0);
    EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], EDDY_WRITABLE, 1), 0);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), told(EDDY_WRITABLE | EDDY_HANGUP));
    close(fd[0]);
}

EDDY_TEST(a_pending_error_is_reported)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int ends[2];

    if (pipe(ends) < 0)
        abort();
    EDDY_CHECK_EQ(eddy_poller_add(p, ends[1], EDDY_WRITABLE, 1), 0);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_WRITABLE);
    close(ends[0]);
    unsigned events = events_within(p, 1, LONG);
    if (is("kqueue"))
        EDDY_CHECK(events & EDDY_HANGUP); /* nobody reads any more */
    else
        EDDY_CHECK_EQ(events, told(EDDY_WRITABLE | EDDY_FAILED));
    close(ends[1]);
}

EDDY_TEST(data_comes_before_the_end_and_before_a_reset)
{
    for (int reset = 0; reset < 2; reset++) {
        EDDY_OWN(eddy_poller) p = open_poller();
        struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        int fd[2];
        char bytes[8];

        make_tcp(fd);
        EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
        EDDY_CHECK_EQ(write(fd[1], "last", 4), 4);
        if (reset)
            setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd[1]);
        unsigned events = events_within(p, 1, LONG);
        EDDY_CHECK(events & EDDY_READABLE);
        EDDY_CHECK_EQ(events & EDDY_FAILED, told(reset ? EDDY_FAILED : 0));
        EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 4);
        EDDY_CHECK(events_within(p, 1, LONG) & EDDY_READABLE);
        EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), reset && !is_library() ? -1 : 0);
        close(fd[0]);
    }
}

EDDY_TEST(what_was_removed_while_ready_is_not_reported)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    struct eddy_ready ready[4];
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_WRITABLE, 1), 0);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[1], EDDY_WRITABLE, 2), 0);
    EDDY_CHECK_EQ(eddy_poller_wait(p, LONG, ready, 1), 1); /* the other one is ready still */
    EDDY_CHECK_EQ(eddy_poller_remove(p, fd[2 - ready[0].token]), 0);
    EDDY_CHECK_EQ(events_within(p, ready[0].token, LONG), EDDY_WRITABLE);
    EDDY_CHECK_EQ(eddy_poller_remove(p, fd[ready[0].token - 1]), 0);
    EDDY_CHECK_EQ(eddy_poller_wait(p, 0, ready, 4), 0);
    EDDY_CHECK_ERR(eddy_poller_remove(p, fd[0]), -ENOENT);
    close_pair(fd);
}

EDDY_TEST(a_descriptor_closed_behind_its_back_fails_or_is_forgotten)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2], other[2];

    make_pair(fd);
    make_pair(other);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    EDDY_CHECK_EQ(eddy_poller_add(p, other[0], EDDY_READABLE, 2), 0);
    EDDY_CHECK_EQ(events_within(p, 1, 0), 0);
    close(fd[0]);
    /* A poll of the ring holds the file, so it is as open as before, and nothing happens on it. */
    unsigned want = is("epoll") || is("kqueue") || is("uring") ? 0 : EDDY_FAILED;
    EDDY_CHECK_EQ(events_within(p, 1, 20 * MS), want);
    EDDY_CHECK_EQ(events_within(p, 1, 0), want); /* until it is removed */
    EDDY_CHECK_ERR(eddy_poller_modify(p, fd[0], EDDY_WRITABLE, 9), -EBADF);
    EDDY_CHECK_EQ(events_within(p, 1, 0), want); /* with the token it had */
    EDDY_CHECK_EQ(eddy_poller_remove(p, fd[0]), 0);
    EDDY_CHECK_ERR(eddy_poller_remove(p, fd[0]), -ENOENT);
    EDDY_CHECK_EQ(events_within(p, 1, 0), 0);
    EDDY_CHECK_EQ(write(other[1], "x", 1), 1);
    EDDY_CHECK_EQ(events_within(p, 2, LONG), EDDY_READABLE);
    close(fd[1]);
    close_pair(other);
}

EDDY_TEST(a_number_given_out_again_can_be_watched)
{
    if (is_library()) {
        EDDY_CHECK_NOT_RUN("libkqueue does not notice what was closed");
        return;
    }
    for (int removed = 0; removed < 2; removed++) {
        EDDY_OWN(eddy_poller) p = open_poller();
        int fd[2], other[2];

        make_pair(fd);
        make_pair(other);
        EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
        EDDY_CHECK_EQ(dup2(other[0], fd[0]), fd[0]); /* closes it, and takes its number */
        if (removed)
            EDDY_CHECK_EQ(eddy_poller_remove(p, fd[0]), 0);
        int r = eddy_poller_add(p, fd[0], EDDY_WRITABLE, 2);
        EDDY_CHECK_ERR(r, removed || is("epoll") || is("kqueue") ? 0 : -EEXIST);
        if (r == 0) {
            EDDY_CHECK_EQ(events_within(p, 2, LONG), EDDY_WRITABLE);
            EDDY_CHECK_ERR(eddy_poller_add(p, fd[0], EDDY_WRITABLE, 3), -EEXIST);
        }
        close_pair(fd);
        close_pair(other);
    }
}

EDDY_TEST(a_number_that_returns_to_the_same_file_can_be_watched)
{
    int fd[2];

    if (is_library()) {
        EDDY_CHECK_NOT_RUN("libkqueue does not notice what was closed");
        return;
    }
    EDDY_OWN(eddy_poller) p = open_poller();
    make_pair(fd);
    int keeper = dup(fd[0]);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    close(fd[0]);
    EDDY_CHECK_EQ(eddy_poller_remove(p, fd[0]), 0); /* epoll still has it, under the duplicate */
    EDDY_CHECK_EQ(dup2(keeper, fd[0]), fd[0]);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_WRITABLE, 2), 0);
    EDDY_CHECK_EQ(events_within(p, 2, LONG), EDDY_WRITABLE);
    close(keeper);
    close_pair(fd);
}

EDDY_TEST(past_fd_setsize_select_refuses_and_the_others_work)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    struct rlimit limit;
    int fd[2], high = 2000;

    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t soft = limit.rlim_cur;
    if (limit.rlim_max <= (rlim_t)high) {
        EDDY_CHECK_NOT_RUN("the hard limit of descriptors is below 2001");
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    make_pair(fd);
    EDDY_CHECK_EQ(dup2(fd[0], high), high);
    EDDY_CHECK_EQ(eddy_poller_can(backend(), high), !is("select"));
    int r = eddy_poller_add(p, high, EDDY_WRITABLE, 1);
    EDDY_CHECK_ERR(r, is("select") ? -ERANGE : 0);
    EDDY_CHECK_EQ(events_within(p, 1, 0), is("select") ? 0 : EDDY_WRITABLE);
    close(high);
    close_pair(fd);
    limit.rlim_cur = soft;
    setrlimit(RLIMIT_NOFILE, &limit);
}

EDDY_TEST(a_regular_file_is_always_ready_or_refused)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    char path[] = "/tmp/eddy-poller-XXXXXX";
    int file = mkstemp(path), null = open("/dev/null", O_RDWR);

    unlink(path);
    EDDY_CHECK_EQ(eddy_poller_can(backend(), file), !is("epoll"));
    if (!is_library())
        EDDY_CHECK_EQ(eddy_poller_can(backend(), null), !is("epoll"));
    EDDY_CHECK_EQ(write(file, "x", 1), 1);
    EDDY_CHECK_EQ(lseek(file, 0, SEEK_SET), 0); /* a kqueue calls it readable until its end */
    EDDY_CHECK_ERR(eddy_poller_add(p, file, BOTH, 1), is("epoll") ? -EPERM : 0);
    EDDY_CHECK_EQ(events_within(p, 1, 0), is("epoll") ? 0 : BOTH);
    EDDY_CHECK(!eddy_poller_can("iocp", 0));
    EDDY_CHECK(!eddy_poller_can(backend(), -1));
    EDDY_CHECK(!eddy_poller_can(backend(), 900));
    close(file);
    close(null);
}

EDDY_TEST(a_timeout_is_never_early)
{
    static const int64_t timeouts[] = { 1, 1000, 300000, 1 * MS + 1, 7 * MS + 999 };
    EDDY_OWN(eddy_poller) p = open_poller();
    struct eddy_ready ready;
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    for (size_t i = 0; i < 20; i++) {
        int64_t timeout = timeouts[i % 5], start = eddy__sys.now_ns();
        EDDY_CHECK_EQ(eddy_poller_wait(p, timeout, &ready, 1), 0);
        int64_t took = eddy__sys.now_ns() - start;
        EDDY_CHECK(took >= timeout);
        EDDY_CHECK(took < timeout + 1000 * MS);
    }
    close_pair(fd);
}

EDDY_TEST(when_more_are_ready_than_fit_all_come_in_turn)
{
    enum { COUNT = 50, CAP = 7 };
    EDDY_OWN(eddy_poller) p = open_poller();
    struct eddy_ready ready[CAP];
    int fd[COUNT], seen[COUNT] = { 0 };

    for (int i = 0; i < COUNT; i++) {
        fd[i] = eventfd(1, EFD_NONBLOCK);
        EDDY_CHECK_EQ(eddy_poller_add(p, fd[i], EDDY_READABLE, (uint64_t)i), 0);
    }
    for (int round = 0; round < (COUNT + CAP - 1) / CAP; round++) {
        int n = eddy_poller_wait(p, LONG, ready, CAP);
        EDDY_CHECK_EQ(n, CAP);
        for (int i = 0; i < n; i++)
            seen[ready[i].token]++;
    }
    for (int i = 0; i < COUNT; i++) {
        EDDY_CHECK(seen[i] == 1 || seen[i] == 2);
        close(fd[i]);
    }
}

EDDY_TEST(a_thousand_descriptors_each_report_their_own_token)
{
    enum { COUNT = 1000 };
    static struct eddy_ready ready[COUNT];
    static int fd[COUNT], seen[COUNT];
    EDDY_OWN(eddy_poller) p = open_poller();
    uint64_t one = 1;
    int total = 0;

    memset(seen, 0, sizeof seen);
    for (int i = 0; i < COUNT; i++) {
        fd[i] = eventfd(0, EFD_NONBLOCK);
        EDDY_CHECK_EQ(eddy_poller_add(p, fd[i], EDDY_READABLE, (uint64_t)i << 32 | 5), 0);
    }
    for (int i = 0; i < COUNT; i += 3)
        EDDY_CHECK_EQ(eddy_poller_remove(p, fd[i]), 0);
    for (int i = 0; i < COUNT; i += 5)
        EDDY_CHECK_EQ(write(fd[i], &one, sizeof one), sizeof one);
    for (int n; (n = eddy_poller_wait(p, 0, ready, COUNT)) > 0;)
        for (int i = 0; i < n; i++) {
            size_t at = (size_t)(ready[i].token >> 32);
            seen[at]++;
            EDDY_CHECK_EQ(read(fd[at], &one, sizeof one), sizeof one);
        }
    for (int i = 0; i < COUNT; i++) {
        total += seen[i];
        EDDY_CHECK_EQ(seen[i], i % 5 == 0 && i % 3 != 0);
        close(fd[i]);
    }
    EDDY_CHECK_EQ(total, 133);
}

static void no_op(int signo)
{
    (void)signo;
}

EDDY_TEST(a_signal_interrupts_a_wait)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    struct sigaction action = { .sa_handler = no_op, .sa_flags = SA_RESTART }, old;
    struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
    struct eddy_ready ready;

    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    EDDY_CHECK_ERR(eddy_poller_wait(p, -1, &ready, 1), -EINTR);
    setitimer(ITIMER_REAL, &soon, NULL);
    EDDY_CHECK_ERR(eddy_poller_wait(p, LONG, &ready, 1), -EINTR);
    sigaction(SIGALRM, &old, NULL);
}

EDDY_TEST(wait_allocates_nothing)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    unsigned long rounds = 0;
    int fd = eventfd(1, EFD_NONBLOCK);

    EDDY_CHECK_EQ(eddy_poller_add(p, fd, EDDY_READABLE, 1), 0);
    size_t live = eddy__memory_live();
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f); rounds++) {
        EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE);
        EDDY_CHECK_EQ(eddy__memory_live(), live);
    }
    EDDY_CHECK_EQ(rounds, 1); /* the clean one: it met no allocation */
    close(fd);
}

static void *wait_elsewhere(void *p)
{
    struct eddy_ready ready;
    static int result;

    result = eddy_poller_wait(p, LONG, &ready, 1);
    return &result;
}

EDDY_TEST(another_thread_may_use_it_where_the_table_says_so)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd = eventfd(1, EFD_NONBLOCK);
    pthread_t thread;
    void *result = NULL;

    EDDY_CHECK_EQ(eddy_poller_add(p, fd, EDDY_READABLE, 1), 0);
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, wait_elsewhere, p), 0);
    EDDY_CHECK_EQ(pthread_join(thread, &result), 0);
    EDDY_CHECK_EQ(*(int *)result, is("uring") ? -EEXIST : 1);
    close(fd);
}

/* Open, add two far apart, modify, wait, remove: 0, or the first error. */
static int scenario(const int fd[2])
{
    EDDY_OWN(eddy_poller) p = NULL;
    struct eddy_ready ready[2];

    int r = eddy_poller_open(backend(), &p);
    if (r == 0)
        r = eddy_poller_add(p, fd[0], EDDY_READABLE, 1);
    if (r == 0)
        r = eddy_poller_add(p, fd[1], EDDY_READABLE, 2);
    if (r == 0)
        r = eddy_poller_modify(p, fd[1], EDDY_WRITABLE, 3);
    if (r == 0)
        r = eddy_poller_wait(p, LONG, ready, 2) == 1 && ready[0].token == 3 ? 0 : -EIO;
    if (r == 0)
        r = eddy_poller_remove(p, fd[1]);
    if (r == 0)
        r = eddy_poller_wait(p, 0, ready, 2);
    return r;
}

EDDY_TEST(every_failed_allocation_and_system_call_is_an_error_and_leaks_nothing)
{
    int fd[2];

    make_pair(fd);
    int far = fcntl(fd[1], F_DUPFD, 200); /* past the table's first size */
    int pair[2] = { fd[0], far };
    for (int kind = EDDY_FAULT_ALLOC; kind <= EDDY_FAULT_SYS; kind++)
        for (struct eddy_fault f = eddy_fault_each((enum eddy_fault_kind)kind);
             eddy_fault_next(&f);) {
            int r = scenario(pair);
            EDDY_CHECK_EQ(r < 0, eddy_fault_fired(&f));
            if (kind == EDDY_FAULT_ALLOC)
                EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
        }
    close(far);
    close_pair(fd);
}
