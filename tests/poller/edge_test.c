/*
 * edge_test.c - EDDY_EDGE of eddy/poller.h: told once for each arrival, where a backend can
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "ready.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whether it makes a difference. */
static bool tells_edges(void)
{
    return is("epoll") || is("kqueue");
}

EDDY_TEST(with_edge_an_arrival_is_told_once_or_for_as_long_as_it_is_ready)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    char bytes[8];
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE | EDDY_EDGE, 1), 0);
    EDDY_CHECK_EQ(events_within(p, 1, 0), 0);
    for (int i = 0; i < 3; i++) {
        EDDY_CHECK_EQ(write(fd[1], "ab", 2), 2);
        EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE);
        EDDY_CHECK_EQ(events_within(p, 1, 0), tells_edges() ? 0 : EDDY_READABLE);
        EDDY_CHECK_EQ(read(fd[0], bytes, 1), 1); /* one is left: the next arrival is told */
    }
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 3);
    EDDY_CHECK_EQ(write(fd[1], "c", 1), 1);
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 1);
    if (!is("uring"))                             /* whose poll may have been woken by it before */
        EDDY_CHECK_EQ(events_within(p, 1, 0), 0); /* an arrival that is no more is not told */
    close_pair(fd);
}

EDDY_TEST(with_edge_what_is_ready_at_add_and_modify_is_told)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE | EDDY_EDGE, 1), 0);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE);
    /* The same again, more, less: each time what is ready is told anew. */
    static const unsigned events[] = { EDDY_READABLE | EDDY_EDGE, BOTH | EDDY_EDGE,
                                       EDDY_WRITABLE | EDDY_EDGE, BOTH | EDDY_EDGE };
    for (uint64_t i = 0; i < sizeof events / sizeof *events; i++) {
        EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], events[i], i + 2), 0);
        EDDY_CHECK_EQ(events_within(p, i + 2, LONG), events[i] & BOTH);
        EDDY_CHECK_EQ(events_within(p, i + 2, 0), tells_edges() ? 0 : events[i] & BOTH);
    }
    close_pair(fd);
}

EDDY_TEST(edge_comes_and_goes_with_modify)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    int fd[2];

    make_pair(fd);
    EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE, 1), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE);
    EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], EDDY_READABLE | EDDY_EDGE, 2), 0);
    EDDY_CHECK_EQ(events_within(p, 2, LONG), EDDY_READABLE);
    EDDY_CHECK_EQ(events_within(p, 2, 0), tells_edges() ? 0 : EDDY_READABLE);
    EDDY_CHECK_EQ(eddy_poller_modify(p, fd[0], EDDY_READABLE, 3), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(events_within(p, 3, LONG), EDDY_READABLE);
    close_pair(fd);
}

EDDY_TEST(with_edge_all_that_do_not_fit_are_told)
{
    enum { COUNT = 50, CAP = 7 };
    EDDY_OWN(eddy_poller) p = open_poller();
    struct eddy_ready ready[CAP];
    int fd[COUNT], seen[COUNT] = { 0 };

    for (int i = 0; i < COUNT; i++) {
        fd[i] = eventfd(1, EFD_NONBLOCK);
        EDDY_CHECK_EQ(eddy_poller_add(p, fd[i], EDDY_READABLE | EDDY_EDGE, (uint64_t)i), 0);
    }
    for (int round = 0; round < (COUNT + CAP - 1) / CAP; round++) {
        int n = eddy_poller_wait(p, LONG, ready, CAP);
        EDDY_CHECK_EQ(n, tells_edges() && round == COUNT / CAP ? COUNT % CAP : CAP);
        for (int i = 0; i < n; i++)
            seen[ready[i].token]++;
    }
    for (int i = 0; i < COUNT; i++) {
        EDDY_CHECK(seen[i] == 1 || (seen[i] == 2 && !tells_edges()));
        close(fd[i]);
    }
}

EDDY_TEST(with_edge_an_end_behind_bytes_is_told_with_them_or_as_an_arrival)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    char bytes[8];
    int fd[2];

    make_tcp(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE | EDDY_EDGE, 1), 0);
    EDDY_CHECK_EQ(write(fd[1], "a", 1), 1);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE);
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 1);
    EDDY_CHECK_EQ(shutdown(fd[1], SHUT_WR), 0);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), told(EDDY_READABLE | EDDY_READ_ENDED));
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 0);
    close_pair(fd);
}

/* TCP's urgent byte parts the stream: a read ends at its mark, with more behind it. */
EDDY_TEST(with_edge_urgent_bytes_are_told_where_the_table_says_so)
{
    EDDY_OWN(eddy_poller) p = open_poller();
    char bytes[8];
    int fd[2];

    make_tcp(fd);
    EDDY_CHECK_EQ(eddy_poller_add(p, fd[0], EDDY_READABLE | EDDY_EDGE, 1), 0);
    EDDY_CHECK_EQ(send(fd[1], "abU", 3, MSG_OOB), 3);
    EDDY_CHECK_EQ(send(fd[1], "cd", 2, 0), 2);
    EDDY_CHECK_EQ(events_within(p, 1, LONG), EDDY_READABLE | (is("epoll") ? EDDY_URGENT : 0));
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 2);
    EDDY_CHECK_EQ(read(fd[0], bytes, sizeof bytes), 2);
    close_pair(fd);
}
