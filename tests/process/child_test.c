/*
 * Waiting for children, by a pidfd and by SIGCHLD.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "base/sys.h"
#include "loop/loop.h"

#include <eddy/loop.h>
#include <eddy/process.h>
#include <eddy/task.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static int no_pidfd(pid_t pid)
{
    (void)pid;
    return -ENOSYS;
}

void eddy_check_teardown(void)
{
    eddy__sys.pidfd_open = eddy__sys_kernel.pidfd_open;
}

/* Each test runs both ways. */
static bool next_way(int *way)
{
    if (is_sim() || *way == 2)
        return false;
    eddy__sys.pidfd_open = *way == 0 ? eddy__sys_kernel.pidfd_open : no_pidfd;
    ++*way;
    return true;
}

static int gate[2];

/* A child that ends with @code when the gate is closed, or at once. */
static pid_t start(int code, bool at_once)
{
    pid_t pid = fork();

    if (pid == 0) {
        char byte;
        close(gate[1]);
        if (!at_once)
            (void)!read(gate[0], &byte, 1);
        _exit(code);
    }
    EDDY_CHECK(pid > 0);
    return pid;
}

static void open_gate(void)
{
    EDDY_CHECK_EQ(pipe(gate), 0);
}

static void close_gate(void)
{
    close(gate[0]);
    close(gate[1]);
}

struct waiter_args {
    pid_t pid;
    int *status;
    int *result;
};

static int waiter(struct waiter_args *a)
{
    *a->result = eddy_child_wait(a->pid, a->status);
    return 0;
}
EDDY_TASK(waiter);

EDDY_TEST(the_status_comes_when_the_child_has_ended)
{
    for (int way = 0; next_way(&way);) {
        int status = -1, result = 1;
        EDDY_SCOPE(s, .timeout_ms = 0);

        open_gate();
        pid_t pid = start(7, false);
        EDDY_GO(&s, waiter, .pid = pid, .status = &status, .result = &result);
        EDDY_CHECK_EQ(eddy_sleep(5), 0);
        EDDY_CHECK_EQ(result, 1);
        close_gate();
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(result, 0);
        EDDY_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        EDDY_CHECK_EQ(waitpid(pid, &status, WNOHANG), -1); /* no zombie is left */
    }
}

EDDY_TEST(a_child_killed_by_a_signal_is_told_so)
{
    for (int way = 0; next_way(&way);) {
        int status = -1;

        open_gate();
        pid_t pid = start(0, false);
        kill(pid, SIGKILL);
        EDDY_CHECK_EQ(eddy_child_wait(pid, &status), 0);
        EDDY_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close_gate();
    }
}

EDDY_TEST(one_that_has_ended_already_is_told_at_once)
{
    for (int way = 0; next_way(&way);) {
        int status = -1;
        siginfo_t info;

        pid_t pid = start(3, true);
        EDDY_CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        EDDY_CHECK_EQ(eddy_child_wait(pid, &status), 0);
        EDDY_CHECK_EQ(WEXITSTATUS(status), 3);
        EDDY_CHECK_EQ(eddy_child_wait(pid, &status), -ECHILD);
    }
}

EDDY_TEST(a_cancelled_wait_reaps_nothing_and_may_be_repeated)
{
    for (int way = 0; next_way(&way);) {
        int status = -1;
        siginfo_t info;

        open_gate();
        pid_t pid = start(5, false);
        {
            EDDY_SCOPE(s, .timeout_ms = 3);
            EDDY_CHECK_EQ(eddy_child_wait(pid, &status), -ETIMEDOUT);
            close_gate();
            EDDY_CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
            EDDY_CHECK_EQ(eddy_child_wait(pid, &status), -ETIMEDOUT);
        }
        EDDY_CHECK_EQ(eddy_child_wait(pid, &status), 0);
        EDDY_CHECK_EQ(WEXITSTATUS(status), 5);
    }
}

EDDY_TEST(other_children_are_not_reaped)
{
    for (int way = 0; next_way(&way);) {
        int status = -1;
        siginfo_t info;

        pid_t foreign = start(1, true);
        pid_t ours = start(2, true);
        EDDY_CHECK_EQ(waitid(P_PID, (id_t)foreign, &info, WEXITED | WNOWAIT), 0);
        EDDY_CHECK_EQ(eddy_child_wait(ours, &status), 0);
        EDDY_CHECK_EQ(WEXITSTATUS(status), 2);
        EDDY_CHECK_EQ(waitpid(foreign, &status, 0), foreign);
        EDDY_CHECK_EQ(WEXITSTATUS(status), 1);
    }
}

EDDY_TEST(many_children_end_together)
{
    enum { MANY = 20 };

    for (int way = 0; next_way(&way);) {
        int statuses[MANY], results[MANY];
        EDDY_SCOPE(s, .timeout_ms = 0);

        open_gate();
        for (int i = 0; i < MANY; i++)
            EDDY_GO(&s, waiter, .pid = start(i, false), .status = &statuses[i],
                    .result = &results[i]);
        EDDY_CHECK_EQ(eddy_sleep(2), 0);
        close_gate();
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        for (int i = 0; i < MANY; i++) {
            EDDY_CHECK_EQ(results[i], 0);
            EDDY_CHECK_EQ(WEXITSTATUS(statuses[i]), i);
        }
    }
}

EDDY_TEST(who_is_no_child_is_refused)
{
    int status;

    EDDY_CHECK_EQ(eddy_child_wait(0, &status), -EINVAL);
    EDDY_CHECK_EQ(eddy_child_wait(-1, &status), -EINVAL);
    if (is_sim())
        EDDY_CHECK_EQ(eddy_child_wait(getppid(), &status), -EDDY_ESIM);
    for (int way = 0; next_way(&way);)
        EDDY_CHECK_EQ(eddy_child_wait(getppid(), &status), -ECHILD);
}

EDDY_TEST(sigchld_is_given_back)
{
    struct sigaction before, after;

    sigaction(SIGCHLD, NULL, &before);
    for (int way = 0; next_way(&way);) {
        open_gate();
        pid_t pid = start(0, false);
        close_gate();
        EDDY_CHECK_EQ(eddy_child_wait(pid, NULL), 0);
    }
    sigaction(SIGCHLD, NULL, &after);
    EDDY_CHECK(before.sa_handler == after.sa_handler);
}

static void ignore_it(void *ctx, int signo)
{
    (void)ctx;
    (void)signo;
}

struct other {
    pthread_barrier_t barrier;
    int r;
};

static void *take_sigchld(void *arg)
{
    struct other *o = arg;

    o->r = eddy_loop_on_signal(eddy_loop_current(), SIGCHLD, ignore_it, NULL);
    pthread_barrier_wait(&o->barrier);
    pthread_barrier_wait(&o->barrier);
    return NULL;
}

EDDY_TEST(without_pidfd_another_loops_sigchld_is_busy)
{
    struct other o = { .r = -1 };
    pthread_t thread;

    if (is_sim())
        return;
    eddy__sys.pidfd_open = no_pidfd;
    pthread_barrier_init(&o.barrier, NULL, 2);
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, take_sigchld, &o), 0);
    pthread_barrier_wait(&o.barrier);
    EDDY_CHECK_EQ(o.r, 0);
    open_gate();
    pid_t pid = start(0, false);
    EDDY_CHECK_EQ(eddy_child_wait(pid, NULL), -EBUSY);
    close_gate();
    pthread_barrier_wait(&o.barrier);
    pthread_join(thread, NULL);
    EDDY_CHECK_EQ(eddy_child_wait(pid, NULL), 0);
    pthread_barrier_destroy(&o.barrier);
}

static int no_file_left(pid_t pid)
{
    (void)pid;
    return -ENFILE;
}

static int no_number_left(pid_t pid)
{
    (void)pid;
    return -EMFILE;
}

static void wait_in_callback(void *ctx)
{
    *(int *)ctx = eddy_child_wait(getppid(), NULL);
}

EDDY_TEST(a_wait_without_room_or_in_a_callback_reaps_nothing)
{
    int r = 0;

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), wait_in_callback, &r), 0);
    while (r == 0)
        eddy_loop_turn(eddy_loop_current(), -1);
    EDDY_CHECK_ERR(r, -EDEADLK);
    if (is_sim())
        return;
    open_gate();
    pid_t pid = start(7, false);
    eddy__sys.pidfd_open = no_file_left;
    EDDY_CHECK_ERR(eddy_child_wait(pid, NULL), -ENFILE);
    eddy__sys.pidfd_open = no_number_left;
    EDDY_CHECK_ERR(eddy_child_wait(pid, NULL), -EMFILE);
    eddy__sys.pidfd_open = eddy__sys_kernel.pidfd_open;
    close_gate();
    EDDY_CHECK_EQ(eddy_child_wait(pid, &r), 0);
    EDDY_CHECK_EQ(WEXITSTATUS(r), 7);
}
