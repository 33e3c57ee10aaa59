/*
 * Lines typed at a pseudo-terminal, and lines of a pipe.
 *
 * backends: epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"
#include "support/role.h"

#include <eddy/line.h>
#include <eddy/loop.h>
#include <eddy/stdio.h>
#include <eddy/task.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char history[64];

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

void eddy_check_teardown(void)
{
    if (*history)
        (void)unlink(history);
}

static const char *fresh_history(void)
{
    (void)snprintf(history, sizeof history, "line-test-%ld", (long)getpid());
    (void)unlink(history);
    setenv("EDDY_HISTORY", history, 1);
    return history;
}

static void type(int fd, const char *bytes)
{
    EDDY_CHECK_EQ(write(fd, bytes, strlen(bytes)), strlen(bytes));
}

struct ticking_args {
    int *ticks;
};

static int ticking(struct ticking_args *a)
{
    while (eddy_sleep(1) == 0)
        ++*a->ticks;
    return 0;
}
EDDY_TASK(ticking);

/* Tells each line in brackets, until the end; "quit" ends it, too. */
ROLE(tell)
{
    EDDY_OWN(eddy_line) in = NULL;
    struct eddy_error err = { 0 };
    struct eddy_slice line;
    int ticks = 0;

    int r = eddy_line_open(EDDY_OPT(line, .history = getenv("EDDY_HISTORY"), .max_history = 3,
                                    .max_bytes = 100, .error = &err),
                           &in);
    if (r < 0) {
        eddy_print("open: %s (%s)", eddy_strerrorname(r), err.text);
        return 1;
    }
    EDDY_SCOPE(beside, .isolate = true);
    EDDY_GO(&beside, ticking, .ticks = &ticks);
    while ((r = eddy_line_read(in, "\xc2\xbb ", &line)) != 0) {
        if (r > 0)
            eddy_print("[%.*s]\n", (int)line.len, line.ptr);
        else
            eddy_print("<%s>\n", eddy_strerrorname(r));
        if (r < 0 && r != -EINTR && r != -EDDY_ETOOBIG)
            return 2;
        if (r > 0 && line.len == 4 && memcmp(line.ptr, "quit", 4) == 0)
            break;
    }
    eddy_print("{%s}\n", ticks > 3 ? "others went on" : "others stood still");
    return r < 0 ? 3 : 0;
}

static bool begin(int pty[2], pid_t *ret_pid)
{
    struct winsize w = { .ws_row = 24, .ws_col = 80 };

    if (!role_pty(pty) || !EDDY_CHECK_EQ(ioctl(pty[0], TIOCSWINSZ, &w), 0))
        return false;
    setenv("TERM", "xterm", 1);
    *ret_pid = role_on("tell", pty);
    return role_expect(pty[0], "\xc2\xbb ");
}

static void finish(int pty[2], pid_t pid)
{
    EDDY_CHECK_EQ(role_end(pid), 0);
    EDDY_CHECK(!role_is_raw(pty[1]));
    role_close(pty);
}

EDDY_TEST(a_line_is_edited_at_a_terminal)
{
    int pty[2];
    pid_t pid;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !begin(pty, &pid))
        return;
    role_becomes_raw(pty[1]);
    type(pty[0], "hllo\001\033[Ce\005!\r"); /* to its start, one right, the end */
    role_expect(pty[0], "[hello!]");
    role_expect(pty[0], "\xc2\xbb ");
    type(pty[0], "gr\xc3\xbc\xc3\x9f"
                 "e x\177\177\xf0\x9f\x98\x80\r"); /* UTF-8, backspace */
    role_expect(pty[0], "[gr\xc3\xbc\xc3\x9f"
                        "e\xf0\x9f\x98\x80]");
    role_expect(pty[0], "\xc2\xbb ");
    type(pty[0], "\033[A\033[A\r"); /* history, without a file */
    role_expect(pty[0], "[hello!]");
    type(pty[0], "quit\r");
    role_expect(pty[0], "[quit]");
    finish(pty, pid);
}

EDDY_TEST(other_tasks_go_on_meanwhile)
{
    int pty[2];
    pid_t pid;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !begin(pty, &pid))
        return;
    type(pty[0], "\033"); /* the half of a key: libedit waits for the rest of it */
    usleep(50000);
    type(pty[0], "[Dquit\r");
    role_expect(pty[0], "{others went on}");
    finish(pty, pid);
}

EDDY_TEST(ctrl_c_and_ctrl_d_are_told)
{
    int pty[2];
    pid_t pid;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !begin(pty, &pid))
        return;
    type(pty[0], "never\003");
    role_expect(pty[0], "<EINTR>");
    role_expect(pty[0], "\xc2\xbb ");
    type(pty[0], "next\r");
    role_expect(pty[0], "[next]");
    role_expect(pty[0], "\xc2\xbb ");
    for (int i = 0; i < 30; i++)
        type(pty[0], "12345");
    type(pty[0], "\r");
    role_expect(pty[0], "<EDDY_ETOOBIG>");
    role_expect(pty[0], "\xc2\xbb ");
    type(pty[0], "\004");
    role_expect(pty[0], "{others");
    finish(pty, pid);
}

static size_t read_history(char *buf, size_t cap)
{
    int fd = open(history, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, buf, cap - 1);

    EDDY_CHECK(n >= 0);
    (void)close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

EDDY_TEST(history_is_kept_in_a_file)
{
    char text[200];
    int pty[2];
    pid_t pid;

    fresh_history();
    if (is_sim() || !begin(pty, &pid))
        return;
    type(pty[0], "\xc3\xa9ins\rzwei\rzwei\r\rquit\r"); /* empty ones and repetitions are not kept */
    role_expect(pty[0], "[quit]");
    finish(pty, pid);
    read_history(text, sizeof text);
    EDDY_CHECK_STR(text, "\xc3\xa9ins\nzwei\nquit\n");
    if (!begin(pty, &pid)) /* another program finds it */
        return;
    type(pty[0], "\033[A\033[A\033[A\r");
    role_expect(pty[0], "[\xc3\xa9ins]");
    type(pty[0], "quit\r");
    finish(pty, pid);
}

EDDY_TEST(history_is_bounded)
{
    char text[200];
    int pty[2];
    pid_t pid;

    if (is_sim())
        return;
    int fd = open(fresh_history(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    EDDY_CHECK_EQ(write(fd, "1\n2\n3\n4\n5", 9), 9);
    EDDY_CHECK_EQ(close(fd), 0);
    if (!begin(pty, &pid))
        return;
    read_history(text, sizeof text);
    EDDY_CHECK_STR(text, "3\n4\n5");
    type(pty[0], "quit\r");
    finish(pty, pid);
}

EDDY_TEST(a_history_that_cannot_be_read_is_told)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    setenv("EDDY_HISTORY", ".", 1);
    pid_t pid = role_on("tell", pty);
    role_expect(pty[0], "open: EISDIR");
    EDDY_CHECK_EQ(role_end(pid), 1);
    role_close(pty);
    unsetenv("EDDY_HISTORY");
}

EDDY_TEST(lines_of_a_pipe_are_read_plainly)
{
    char got[300] = { 0 };
    int in[2], out[2];
    size_t len = 0;
    ssize_t n;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !EDDY_CHECK_EQ(pipe2(in, O_CLOEXEC) + pipe2(out, O_CLOEXEC), 0))
        return;
    pid_t pid = role_start("tell", (int[]){ in[0], out[1], 2 }, -1);
    EDDY_CHECK_EQ(close(out[1]) + close(in[0]), 0);
    type(in[1], "one\r\n\ntwo\033[A\nlast");
    EDDY_CHECK_EQ(close(in[1]), 0);
    while (len < sizeof got - 1 && (n = read(out[0], got + len, sizeof got - 1 - len)) > 0)
        len += (size_t)n;
    EDDY_CHECK_EQ(role_end(pid), 0);
    EDDY_CHECK(strncmp(got, "[one]\n[]\n[two\033[A]\n[last]\n{", 26) == 0);
    EDDY_CHECK_EQ(close(out[0]), 0);
}

EDDY_TEST(a_line_too_long_is_dropped)
{
    char got[300] = { 0 }, much[9001];
    int in[2], out[2];
    size_t len = 0;
    ssize_t n;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !EDDY_CHECK_EQ(pipe2(in, O_CLOEXEC) + pipe2(out, O_CLOEXEC), 0))
        return;
    pid_t pid = role_start("tell", (int[]){ in[0], out[1], 2 }, -1);
    EDDY_CHECK_EQ(close(out[1]) + close(in[0]), 0);
    memset(much, 'x', sizeof much);
    much[sizeof much - 1] = '\0';
    type(in[1], much);
    type(in[1], "\nnext\n");
    type(in[1], much); /* and one without an end */
    EDDY_CHECK_EQ(close(in[1]), 0);
    while (len < sizeof got - 1 && (n = read(out[0], got + len, sizeof got - 1 - len)) > 0)
        len += (size_t)n;
    EDDY_CHECK_EQ(close(out[0]), 0);
    EDDY_CHECK_EQ(role_end(pid), 0);
    EDDY_CHECK(strncmp(got, "<EDDY_ETOOBIG>\n[next]\n<EDDY_ETOOBIG>\n{", 38) == 0);
}

EDDY_TEST(a_closed_input_is_told)
{
    char got[100] = { 0 };
    int out[2];

    if (is_sim() || !EDDY_CHECK_EQ(pipe2(out, O_CLOEXEC), 0))
        return;
    pid_t pid = role_start("tell", (int[]){ -1, out[1], 2 }, -1);
    EDDY_CHECK_EQ(role_end(pid), 1);
    EDDY_CHECK(read(out[0], got, sizeof got - 1) > 0);
    EDDY_CHECK(strstr(got, "open: EBADF (standard input cannot be read"));
    EDDY_CHECK_EQ(close(out[0]) + close(out[1]), 0);
}

EDDY_TEST(a_window_may_change_its_size)
{
    struct winsize w = { .ws_row = 24, .ws_col = 20 };
    int pty[2];
    pid_t pid;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !begin(pty, &pid))
        return;
    type(pty[0], "123456789012345");
    role_expect(pty[0], "12345");
    EDDY_CHECK_EQ(ioctl(pty[0], TIOCSWINSZ, &w), 0);
    type(pty[0], "678901234567890\r"); /* which is over the new edge */
    role_expect(pty[0], "[123456789012345678901234567890]");
    type(pty[0], "quit\r");
    finish(pty, pid);
}

/* 23 rows of it, in a window of three. */
EDDY_TEST(a_line_may_need_more_than_the_window)
{
    struct winsize w = { .ws_row = 3, .ws_col = 80 };
    int pty[2];
    pid_t pid;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !begin(pty, &pid))
        return;
    for (int i = 0; i < 180; i++) {
        type(pty[0], "123456789 ");
        role_expect(pty[0], "9");
    }
    EDDY_CHECK_EQ(ioctl(pty[0], TIOCSWINSZ, &w), 0);
    type(pty[0], "x");
    role_expect(pty[0], "x");
    type(pty[0], "\r");
    role_expect(pty[0], "<EDDY_ETOOBIG>");
    type(pty[0], "quit\r");
    finish(pty, pid);
}

ROLE(cancelled)
{
    EDDY_OWN(eddy_line) in = NULL;
    struct eddy_slice line;

    int r = eddy_line_open(NULL, &in);
    if (r < 0)
        return -r;
    for (int i = 0; i < 2; i++) {
        EDDY_SCOPE(soon, .timeout_ms = 100);
        r = eddy_line_read(in, "1> ", &line);
        if (r != -ETIMEDOUT || role_is_raw(0))
            return 1;
        if (eddy_line_read(in, "never> ", &line) != -ETIMEDOUT)
            return 2;
    }
    r = eddy_line_read(in, "2> ", &line);
    return r == 1 && line.len == 4 && memcmp(line.ptr, "anew", 4) == 0 ? 0 : 3;
}

EDDY_TEST(a_cancelled_read_restores_the_terminal)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    setenv("TERM", "xterm", 1);
    pid_t pid = role_on("cancelled", pty);
    role_expect(pty[0], "1> ");
    type(pty[0], "lost");
    role_expect(pty[0], "2> ");
    type(pty[0], "anew\r");
    finish(pty, pid);
}

EDDY_TEST(a_killed_editor_restores_the_terminal)
{
    int pty[2];
    pid_t pid;

    unsetenv("EDDY_HISTORY");
    if (is_sim() || !begin(pty, &pid))
        return;
    role_becomes_raw(pty[1]);
    EDDY_CHECK_EQ(kill(pid, SIGTERM), 0);
    EDDY_CHECK_EQ(role_end(pid), 128 + SIGTERM);
    EDDY_CHECK(!role_is_raw(pty[1]));
    role_close(pty);
}

struct second_args {
    struct eddy_line *in;
    int *result;
};

static int second(struct second_args *a)
{
    struct eddy_slice line;

    *a->result = eddy_line_read(a->in, "", &line);
    return 0;
}
EDDY_TASK(second);

static void in_callback(void *ctx)
{
    struct eddy_line *in = NULL;

    *(int *)ctx = eddy_line_open(NULL, &in);
}

ROLE(busy)
{
    EDDY_OWN(eddy_line) in = NULL;
    struct eddy_slice line;
    int r = eddy_line_open(NULL, &in), told = 0;

    if (r < 0)
        return -r;
    {
        EDDY_SCOPE(two, .isolate = true);
        EDDY_GO(&two, second, .in = in, .result = &told);
        eddy_yield();
        r = eddy_line_read(in, "", &line);
    }
    if (r != -EBUSY || told != -ECANCELED)
        return 1;
    eddy_post(eddy_loop_current(), in_callback, &told);
    eddy_sleep(5);
    if (told != -EDEADLK)
        return 2;
    EDDY_SCOPE(over, .timeout_ms = 1);
    eddy_sleep(5);
    struct eddy_line *never = NULL;
    return eddy_line_open(NULL, &never) == -ETIMEDOUT ? 0 : 3;
}

EDDY_TEST(a_second_reader_is_busy_and_a_callback_may_not_wait)
{
    int pty[2], in[2];

    if (is_sim() || !role_pty(pty) || !EDDY_CHECK_EQ(pipe2(in, O_CLOEXEC), 0))
        return;
    EDDY_CHECK_EQ(role_end(role_start("busy", (int[]){ in[0], 1, 2 }, -1)), 0);
    EDDY_CHECK_EQ(close(in[0]) + close(in[1]), 0);
    EDDY_CHECK_EQ(role_end(role_on("busy", pty)), 0);
    EDDY_CHECK(!role_is_raw(pty[1]));
    role_close(pty);
}

ROLE(without_memory)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        EDDY_OWN(eddy_line) in = NULL;
        int r = eddy_line_open(NULL, &in);
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        if (r != (fired ? -ENOMEM : 0))
            return 1;
    }
    return 0;
}

EDDY_TEST(without_memory_it_says_so)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(role_end(role_on("without_memory", pty)), 0);
    role_close(pty);
}

EDDY_TEST(the_simulator_refuses_it)
{
    struct eddy_line *in = NULL;

    if (is_sim())
        EDDY_CHECK_ERR(eddy_line_open(NULL, &in), -EDDY_ESIM);
}
