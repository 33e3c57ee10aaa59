/*
 * Nobody starves: a task whose calls always succeed at once gives way, and timers keep their time.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include "base/sys.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/loop.h>
#include <eddy/task.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What the reader did, and what of it after a timer should have fired. */
struct seen {
    uint64_t bytes, late;
    int64_t due_ns;
};

struct reader_args {
    int fd, other;
    struct seen *seen;
};

static int reader(struct reader_args *a)
{
    char buf[64] = "";

    for (;;) {
        if (send(a->other, buf, sizeof buf, MSG_NOSIGNAL) < 0) /* it finds bytes at once, always */
            return -errno;
        struct eddy_op op;
        eddy_op_recv(&op, a->fd, buf, sizeof buf, NULL);
        int r = eddy__op_wait(&op);
        if (r <= 0)
            return r;
        if (a->seen->late > 1000000)
            return -EBUSY; /* it would never end */
        a->seen->bytes += (uint64_t)r;
        int64_t now_ns = eddy__sys.now_ns();
        if (!a->seen->due_ns) /* the first of the round: the timer has been armed before */
            a->seen->due_ns = now_ns + 12000000;
        a->seen->late += now_ns > a->seen->due_ns;
    }
}
EDDY_TASK(reader);

static void close_fd(int fd)
{
    struct eddy_op op;

    eddy_op_close(&op, fd, NULL);
    EDDY_CHECK_EQ(eddy__op_wait(&op), 0);
}

EDDY_TEST(a_peer_that_never_stops_does_not_delay_a_timer)
{
    int fd[2];
    struct seen seen = { .due_ns = INT64_MAX };

    if (!EDDY_CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0))
        return;
    EDDY_CHECK_EQ(eddy__sys.fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, reader, .fd = fd[0], .other = fd[1], .seen = &seen);
        /* Counted in tries, not in time, which is the machine's: of the turn in which the time came
         * 32 may be left, and 32 are the reader's again before the sleeper has its turn. A timer is
         * at most two milliseconds coarse. */
        for (int i = 0; i < 20; i++) {
            int64_t start = eddy__sys.now_ns();
            seen.late = 0;
            seen.due_ns = 0;
            EDDY_CHECK_EQ(eddy_sleep(10), 0);
            seen.due_ns = INT64_MAX;
            EDDY_CHECK(eddy__sys.now_ns() - start >= 10000000);
            if (!EDDY_CHECK(seen.late <= 64))
                EDDY_CHECK_FAIL("%ju tries while it was late", (uintmax_t)seen.late);
        }
        eddy_scope_cancel(&s);
    }
    close_fd(fd[0]);
    close(fd[1]);
    EDDY_CHECK(seen.bytes > 64 * 1000);
}

struct spinner_args {
    int *turns;
};

static int spinner(struct spinner_args *a)
{
    for (;;) {
        int r = eddy__wait_check();
        if (r < 0)
            return r;
        ++*a->turns;
        eddy__budget_spend();
    }
}
EDDY_TASK(spinner);

EDDY_TEST(a_task_gives_way_after_32_tries)
{
    int a = 0, b = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, spinner, .turns = &a);
    EDDY_GO(&s, spinner, .turns = &b);
    for (int i = 1; i <= 5; i++) {
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(a, 32 * i);
        EDDY_CHECK_EQ(b, 32 * i);
    }
}
