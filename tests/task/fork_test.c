/*
 * A fork in a program with a loop: the parent goes on undisturbed; the child is told, and makes a
 * loop of its own. Real processes. The child reports by its exit status: 0, or the line that failed.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "base/sys.h"
#include "loop/backtrace.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/inspect.h>
#include <eddy/log.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static void expect_fine(pid_t child)
{
    int status = -1;

    EDDY_CHECK(child > 0);
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(WIFEXITED(status));
    EDDY_CHECK_EQ(WEXITSTATUS(status), 0); /* else: the line + 1, modulo 250 */
}

struct echo_args {
    int fd;
    int rounds;
};

static int echo(struct echo_args *a)
{
    while (a->rounds--) {
        char byte;
        struct eddy_op op;

        eddy_op_recv(&op, a->fd, &byte, 1, NULL);
        int r = eddy__op_wait(&op);
        if (r != 1)
            return r < 0 ? r : -EIO;
        struct iovec iov = { &byte, 1 };
        eddy_op_send(&op, a->fd, &iov, 1, NULL);
        r = eddy__op_wait(&op);
        if (r != 1)
            return r;
    }
    return 0;
}
EDDY_TASK(echo);

struct talk_args {
    int fd;
    int rounds;
};

static int talk(struct talk_args *a)
{
    while (a->rounds--) {
        char byte = 'x';
        struct eddy_op op;
        struct iovec iov = { &byte, 1 };

        eddy_op_send(&op, a->fd, &iov, 1, NULL);
        int r = eddy__op_wait(&op);
        if (r != 1)
            return r < 0 ? r : -EIO;
        eddy_op_recv(&op, a->fd, &byte, 1, NULL);
        r = eddy__op_wait(&op);
        if (r != 1)
            return r < 0 ? r : -EIO;
    }
    return 0;
}
EDDY_TASK(talk);

static void close_both(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        struct eddy_op op;

        eddy_op_close(&op, pair[i], NULL);
        eddy__op_wait(&op);
    }
}

/* Two tasks that talk over a socket pair, and a timer. */
static int some_work(void)
{
    int pair[2];

    int r = eddy_sleep(1);
    if (r < 0 || is_sim())
        return r;
    r = eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair);
    if (r < 0)
        return r;
    {
        EDDY_SCOPE(s, .timeout_ms = 20000);
        EDDY_GO(&s, echo, .fd = pair[0], .rounds = 20);
        EDDY_GO(&s, talk, .fd = pair[1], .rounds = 20);
        r = eddy_join(&s);
    }
    close_both(pair);
    return r;
}

EDDY_TEST(the_child_makes_a_loop_of_its_own_and_the_parent_goes_on)
{
    struct eddy_loop *loop = eddy_loop_current();
    int pair[2] = { -1, -1 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    /* The parent has an operation in flight, a timer, and a task that waits. */
    if (!is_sim()) {
        EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair), 0);
        EDDY_GO(&s, echo, .fd = pair[0], .rounds = 10);
    }
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            CHILD(eddy__loop() == NULL);
            CHILD(some_work() == 0);
            CHILD(eddy__loop() != NULL && eddy__loop() != loop);
            eddy_loop_free(eddy__loop());
            _exit(0);
        }
        EDDY_CHECK_EQ(some_work(), 0);
        expect_fine(child);
        EDDY_CHECK_EQ(some_work(), 0);
    }
    if (!is_sim()) {
        EDDY_GO(&s, talk, .fd = pair[1], .rounds = 10);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        close_both(pair);
    }
}

static void never(void *ctx)
{
    (void)ctx;
    CHILD(false);
}

EDDY_TEST(whatever_is_the_parents_answers_eforked)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_alarm *alarm;
    int pair[2] = { -1, -1 };
    EDDY_SCOPE(outer, .timeout_ms = 0);
    EDDY_SHIELD(s, .timeout_ms = 0);

    if (!is_sim()) {
        EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pair), 0);
        EDDY_GO(&s, echo, .fd = pair[0], .rounds = 1);
    }
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_alarm_new(never, NULL, &alarm), 0);
    eddy_alarm_start(alarm, 20);

    pid_t child = fork();
    if (child == 0) {
        struct eddy_op op;

        CHILD(eddy_loop_turn(loop, 0) == -EDDY_EFORKED);
        CHILD(eddy_loop_run(loop) == -EDDY_EFORKED);
        CHILD(eddy_post(loop, never, NULL) == -EDDY_EFORKED);
        CHILD(eddy_loop_on_signal(loop, SIGUSR1, NULL, NULL) == -EDDY_EFORKED);
        CHILD(eddy_loop_fd(loop) == -EDDY_EFORKED);
        CHILD(eddy_loop_timeout_ms(loop) == -EDDY_EFORKED);
        CHILD(EDDY_GO(&s, echo, .fd = pair[0]) == -EDDY_EFORKED);
        CHILD(EDDY_GO(&outer, echo, .fd = pair[0]) == -EDDY_EFORKED);
        CHILD(eddy_join(&s) == -EDDY_EFORKED);
        eddy_op_poll(&op, pair[1], 1, NULL);
        CHILD(eddy__op_submit(loop, &op) && op.res == -EDDY_EFORKED);
        eddy_scope_cancel(&s);
        eddy_scope_leave(&s); /* waits for nobody */
        CHILD(eddy_sleep(30) == 0);
        eddy_alarm_free(alarm);
        eddy_loop_free(loop); /* nothing */
        CHILD(eddy_sleep(1) == 0);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    expect_fine(child);
    eddy_alarm_free(alarm);
    if (!is_sim()) {
        EDDY_GO(&s, talk, .fd = pair[1], .rounds = 1);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        close_both(pair);
    }
}

struct forker_args {
    pid_t *child;
    bool waits;
};

static int forker(struct forker_args *a)
{
    *a->child = fork();
    if (*a->child == 0 && a->waits)
        CHILD(some_work() == 0);
    return 0;
}
EDDY_TASK(forker);

struct bystander_args {
    int *ran;
};

static int bystander(struct bystander_args *a)
{
    int r = eddy_yield();

    ++*a->ran;
    return r;
}
EDDY_TASK(bystander);

/* The fork happens on a task's stack, inside an iteration, with others ready behind it. */
EDDY_TEST(where_a_task_forks_the_childs_plain_code_is_told)
{
    for (int waits = 0; waits < 2; waits++) {
        pid_t child = -1;
        int ran = 0;
        EDDY_SCOPE(s, .timeout_ms = 0);

        EDDY_GO(&s, forker, .child = &child, .waits = waits);
        for (int i = 0; i < 5; i++)
            EDDY_GO(&s, bystander, .ran = &ran);
        int r = eddy_join(&s);
        if (child == 0) {
            CHILD(r == -EDDY_EFORKED);
            CHILD(ran == 0);
            CHILD(some_work() == 0);
            if (eddy__loop())
                eddy_loop_free(eddy__loop());
            _exit(0);
        }
        EDDY_CHECK_EQ(r, 0);
        EDDY_CHECK_EQ(ran, 5);
        expect_fine(child);
    }
}

static pid_t forked;
static int others;

static void fork_it(void *ctx)
{
    (void)ctx;
    forked = fork();
}

static void count_other(void *ctx)
{
    (void)ctx;
    others++;
}

EDDY_TEST(where_a_callback_forks_the_childs_run_is_told)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_alarm *first, *second;

    /* Once among posts, once among timers. */
    for (int i = 0; i < 2; i++) {
        others = 0;
        EDDY_CHECK_EQ(eddy_alarm_new(fork_it, NULL, &first), 0);
        EDDY_CHECK_EQ(eddy_alarm_new(count_other, NULL, &second), 0);
        if (i == 0) {
            EDDY_CHECK_EQ(eddy_post(loop, fork_it, NULL), 0);
            EDDY_CHECK_EQ(eddy_post(loop, count_other, NULL), 0);
        } else {
            eddy_alarm_start(first, 0);
            eddy_alarm_start(second, 0);
        }
        forked = -1;
        int r = 0;
        while (forked < 0 && r >= 0)
            r = eddy_loop_turn(loop, -1);
        if (forked == 0) {
            r = eddy_loop_run(loop);
            CHILD(r == -EDDY_EFORKED);
            CHILD(others == 0);
            CHILD(some_work() == 0);
            eddy_loop_free(eddy__loop());
            _exit(0);
        }
        for (int k = 0; k < 20 && others == 0; k++)
            EDDY_CHECK(eddy_loop_turn(loop, 1) >= 0);
        EDDY_CHECK_EQ(others, 1);
        expect_fine(forked);
        eddy_alarm_free(first);
        eddy_alarm_free(second);
    }
}

static int done_count;

static void fork_in_done(struct eddy_op *op, int res)
{
    (void)op;
    (void)res;
    if (done_count++ == 0)
        forked = fork();
}

/* In the middle of the driver's completions: the child must not go on with the parent's. */
EDDY_TEST(where_a_completion_forks_the_child_takes_no_others)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_op ops[4];
    int pairs[4][2];
    char bytes[4];

    if (is_sim())
        return;
    done_count = 0;
    forked = -1;
    for (int i = 0; i < 4; i++) {
        EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, pairs[i]), 0);
        eddy_op_recv(&ops[i], pairs[i][0], &bytes[i], 1, fork_in_done);
        EDDY_CHECK(!eddy__op_submit(loop, &ops[i]));
    }
    EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
    for (int i = 0; i < 4; i++)
        EDDY_CHECK_EQ(eddy__sys.send(pairs[i][1], "x", 1, 0), 1);
    int r = 0;
    while (forked < 0 && r >= 0)
        r = eddy_loop_turn(loop, -1);
    if (forked == 0) {
        CHILD(done_count == 1);
        CHILD(eddy_loop_turn(loop, 0) == -EDDY_EFORKED);
        CHILD(some_work() == 0);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    expect_fine(forked);
    while (done_count < 4)
        EDDY_CHECK(eddy_loop_turn(loop, -1) >= 0);
    for (int i = 0; i < 4; i++)
        close_both(pairs[i]);
}

static void on_signal(void *ctx, int signo)
{
    *(int *)ctx = signo;
}

EDDY_TEST(signals_of_the_parents_loop_do_in_the_child_what_they_did_before)
{
    struct eddy_loop *loop = eddy_loop_current();
    int got = 0;

    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, on_signal, &got), 0);
    pid_t child = fork();
    if (child == 0) {
        raise(SIGUSR1); /* kills, as before */
        _exit(1);
    }
    int status = 0;
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    EDDY_CHECK_EQ(eddy_loop_turn(loop, 0), 0);
    EDDY_CHECK_EQ(got, 0);

    child = fork();
    if (child == 0) {
        int mine = 0;
        struct eddy_loop *own = eddy_loop_current();
        CHILD(eddy_loop_on_signal(own, SIGUSR1, on_signal, &mine) == 0);
        raise(SIGUSR1);
        CHILD(eddy_loop_turn(own, -1) >= 0 && mine == SIGUSR1);
        eddy_loop_free(own);
        _exit(0);
    }
    expect_fine(child);
    raise(SIGUSR1);
    while (!got)
        EDDY_CHECK(eddy_loop_turn(loop, -1) >= 0);
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGUSR1, NULL, NULL), 0);
}

EDDY_TEST(the_child_has_no_descriptor_of_the_parents_loop)
{
    struct eddy_loop *loop = eddy_loop_current();

    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    (void)eddy_loop_fd(loop);
    int highest = dup(0);
    close(highest);
    pid_t child = fork();
    if (child == 0) {
        for (int fd = 3; fd < highest; fd++) {
            char path[64], target[64] = "";
            snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
            (void)!readlink(path, target, sizeof target - 1);
            CHILD(strncmp(target, "anon_inode", 10) != 0);
        }
        _exit(0);
    }
    expect_fine(child);
}

static int offloaded(void *arg)
{
    return *(int *)arg + 1;
}

EDDY_TEST(the_pools_threads_stay_with_the_parent)
{
    int n = 1;

    EDDY_CHECK_EQ(eddy_offload(offloaded, &n), 2);
    pid_t child = fork();
    if (child == 0) {
        CHILD(eddy_offload(offloaded, &n) == 2); /* a pool of its own */
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    EDDY_CHECK_EQ(eddy_offload(offloaded, &n), 2);
    expect_fine(child);
}

EDDY_TEST(the_child_asks_for_dumps_of_its_own)
{
    struct sigaction now;

    EDDY_CHECK_EQ(eddy_dump_on_signal(SIGUSR2), 0);
    pid_t child = fork();
    if (child == 0) {
        CHILD(sigaction(SIGUSR2, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
        CHILD(eddy_dump_on_signal(SIGQUIT) == 0);
        CHILD(eddy_dump_on_signal(0) == 0);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    EDDY_CHECK_ERR(eddy_dump_on_signal(SIGQUIT), -EBUSY); /* it is still asked for here */
    EDDY_CHECK_EQ(eddy_dump_on_signal(0), 0);
    expect_fine(child);
}

/* A library is loaded, and two descriptors stay: before anybody counts. */
static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there();
}

static atomic_int lines;

static void count_line(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
    atomic_fetch_add(&lines, 1);
}

static void pause_ms(long ms)
{
    const struct timespec time = { .tv_nsec = ms * 1000000 };

    (void)nanosleep(&time, NULL);
}

static void hold_until_told(void *ctx)
{
    while (!atomic_load(&lines))
        pause_ms(1);
    *(bool *)ctx = true;
}

/* Holds the loop so that it is asked who it is, and forks before it answers. */
static void fork_while_asked(void *ctx)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pause_ms(100);
    *(pid_t *)ctx = fork();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (*(pid_t *)ctx == 0) {
        bool told = false;

        alarm(20);
        atomic_store(&lines, 0);
        CHILD(eddy_stall_watch(eddy_loop_current(), 5) == 0);
        CHILD(eddy_post(eddy__loop(), hold_until_told, &told) == 0);
        while (!told)
            CHILD(eddy_yield() == 0);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
}

EDDY_TEST(the_childs_loop_is_watched_for_stalls_as_well)
{
    pid_t child = -1;

    eddy_log_to(count_line, NULL, EDDY_LOG_WARNING);
    EDDY_CHECK_EQ(eddy_stall_watch(eddy_loop_current(), 5), 0);
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), fork_while_asked, &child), 0);
    while (child < 0)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    expect_fine(child);
    EDDY_CHECK_EQ(eddy_stall_watch(eddy_loop_current(), -1), 0);
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
}
