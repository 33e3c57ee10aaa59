/*
 * The process's own streams: this program starts itself with all kinds of 0, 1 and 2.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"
#include "loop/loop.h"
#include "support/role.h"

#include <eddy/loop.h>
#include <eddy/stdio.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static bool make_pipe(int end[2])
{
    return EDDY_CHECK_EQ(pipe2(end, O_CLOEXEC), 0);
}

static void shut(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0)
            EDDY_CHECK_EQ(close(fds[i]), 0);
}

/* Until its end. */
static size_t read_all(int fd, char *buf, size_t cap)
{
    size_t len = 0;
    ssize_t n;

    while (len < cap && (n = read(fd, buf + len, cap - len)) > 0)
        len += (size_t)n;
    return len;
}

ROLE(copy)
{
    char buf[1000];
    ssize_t n;

    while ((n = eddy_read(eddy_stdin(), buf, sizeof buf)) > 0) {
        int r = eddy_write(eddy_stdout(), buf, (size_t)n);
        if (r < 0)
            return -r;
    }
    int r = eddy_print_error("%s%d", "over", (int)n);
    return r < 0 ? -r : n < 0 ? (int)-n : 0;
}

enum kind { PIPES, FILES, SOCKETS, TERMINAL, KINDS };

static bool lay_out(enum kind kind, int in[2], int out[2])
{
    char name[] = "stdio-test-XXXXXX";

    switch (kind) {
    case PIPES: return make_pipe(in) && make_pipe(out);
    case FILES:
        out[1] = mkostemp(name, O_CLOEXEC);
        out[0] = open(name, O_RDONLY | O_CLOEXEC);
        (void)unlink(name);
        (void)strcpy(name, "stdio-test-XXXXXX");
        in[1] = mkostemp(name, O_CLOEXEC);
        in[0] = open(name, O_RDONLY | O_CLOEXEC);
        return EDDY_CHECK_EQ(unlink(name), 0);
    case SOCKETS:
        if (!EDDY_CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0))
            return false;
        return EDDY_CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
    default:
        if (!role_pty(out))
            return false;
        in[1] = fcntl(out[0], F_DUPFD_CLOEXEC, 0);
        in[0] = fcntl(out[1], F_DUPFD_CLOEXEC, 0);
        return true;
    }
}

EDDY_TEST(streams_work_whatever_they_are)
{
    static const char text[] = "what is said\nis said\n";
    char got[200] = { 0 };

    for (enum kind kind = PIPES; !is_sim() && kind < KINDS; kind++) {
        int in[2], out[2], err[2];
        size_t len = 0;
        if (!lay_out(kind, in, out) || !make_pipe(err))
            return;
        EDDY_CHECK_EQ(write(in[1], text, sizeof text - 1), sizeof text - 1);
        if (kind == TERMINAL)
            EDDY_CHECK_EQ(write(in[1], "\4", 1), 1); /* Ctrl-D: the end */
        else
            shut(&in[1], 1);
        pid_t pid = role_start("copy", (int[]){ in[0], out[1], err[1] },
                               kind == TERMINAL ? out[1] : -1);
        shut(&in[0], 1);
        shut(&err[1], 1);
        EDDY_CHECK_EQ(read_all(err[0], got, sizeof got), 5);
        EDDY_CHECK(memcmp(got, "over0", 5) == 0);
        if (kind != TERMINAL)
            shut(&out[1], 1);
        EDDY_CHECK_EQ(role_end(pid), 0);
        if (kind == TERMINAL) { /* what was typed is echoed, then comes the copy */
            EDDY_CHECK(role_expect(out[0], "is said\r\nis said\r\n") ||
                       role_expect(out[0], "what is said\r\nis said\r\n"));
            shut(&out[1], 1);
            shut(&in[1], 1);
        } else {
            len = read_all(out[0], got, sizeof got);
            EDDY_CHECK_MEM(got, len, text, sizeof text - 1);
        }
        shut(&out[0], 1);
        shut(&err[0], 1);
    }
    if (is_sim())
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    EDDY_CHECK_EQ(role_end(role_start("copy", (int[]){ null, null, null }, -1)), 0);
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    EDDY_CHECK_EQ(role_end(role_start("copy", (int[]){ null, null, full }, -1)), ENOSPC);
    shut(&null, 1);
    shut(&full, 1);
}

/* --- nobody reads ----------------------------------------------------------------------------- */

ROLE(unheard)
{
    return eddy_print("anybody?") == -EPIPE && eddy_print_error("nobody") == -EPIPE &&
                   eddy_print("still not") == -EPIPE
               ? 0
               : 1;
}

EDDY_TEST(without_a_reader_it_is_epipe_and_no_signal)
{
    int end[2];

    if (is_sim())
        return;
    if (pipe2(end, O_CLOEXEC) < 0)
        abort();
    close(end[0]);
    EDDY_CHECK_EQ(role_end(role_start("unheard", (int[]){ -1, end[1], end[1] }, -1)), 0);
    close(end[1]);
}

/* --- closed from the beginning ---------------------------------------------------------------- */

ROLE(closed)
{
    char byte;
    int fd[3];

    for (int i = 0; i < 3; i++) /* what the program opens takes the numbers */
        if ((fd[i] = open("taken", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) != i)
            return 10 + i;
    if (eddy_print("not here") != -EBADF || eddy_print_error("nor here") != -EBADF)
        return 20;
    if (eddy_read(eddy_stdin(), &byte, 1) != -EBADF ||
        eddy_write_text(eddy_stdout(), "x") != -EBADF)
        return 21;
    if (eddy_stream_close(eddy_stderr()) != -EBADF)
        return 22;
    return lseek(1, 0, SEEK_END) == 0 ? 0 : 23;
}

EDDY_TEST(what_was_closed_at_the_start_stays_so)
{
    (void)unlink("taken");
    if (!is_sim())
        EDDY_CHECK_EQ(role_end(role_start("closed", (int[]){ -1, -1, -1 }, -1)), 0);
    (void)unlink("taken");
}

/* --- O_NONBLOCK ------------------------------------------------------------------------------- */

ROLE(busy)
{
    char buf[100];

    eddy_print_error("ready");
    for (;;) {
        if (eddy_print("%0*d", 1000, 0) < 0)
            return 1;
        EDDY_SCOPE(little, .timeout_ms = 1);
        (void)!eddy_read(eddy_stdin(), buf, sizeof buf);
    }
}

/* The flags of what the child shares with us, while it works, and after it was killed. */
EDDY_TEST(o_nonblock_is_never_touched)
{
    for (enum kind kind = PIPES; !is_sim() && kind < KINDS; kind++) {
        for (int nonblock = 0; nonblock <= O_NONBLOCK; nonblock += O_NONBLOCK) {
            int in[2], out[2], err[2];
            if (!lay_out(kind, in, out) || !make_pipe(err))
                return;
            EDDY_CHECK(fcntl(in[0], F_SETFL, fcntl(in[0], F_GETFL) | nonblock) == 0 &&
                       fcntl(out[1], F_SETFL, fcntl(out[1], F_GETFL) | nonblock) == 0);
            const int in_flags = fcntl(in[0], F_GETFL), out_flags = fcntl(out[1], F_GETFL);
            pid_t pid = role_start("busy", (int[]){ in[0], out[1], err[1] }, -1);
            role_expect(err[0], "ready");
            for (int i = 0; i < 200; i++) {
                if (!EDDY_CHECK_EQ(fcntl(in[0], F_GETFL), in_flags) ||
                    !EDDY_CHECK_EQ(fcntl(out[1], F_GETFL), out_flags))
                    break;
                usleep(100);
            }
            EDDY_CHECK_EQ(kill(pid, SIGKILL), 0);
            EDDY_CHECK_EQ(role_end(pid), 128 + SIGKILL);
            EDDY_CHECK_EQ(fcntl(in[0], F_GETFL), in_flags);
            EDDY_CHECK_EQ(fcntl(out[1], F_GETFL), out_flags);
            shut(in, 2), shut(out, 2), shut(err, 2);
        }
    }
}

/* --- waiting ---------------------------------------------------------------------------------- */

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

struct printing_args {
    int nr, len;
};

static int printing(struct printing_args *a)
{
    for (int i = 0; i < 20; i++) {
        int r = eddy_print("%d:%0*d\n", a->nr, a->len, a->nr);
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_TASK(printing);

struct flooding_args {
    int *result;
};

/* More than any pipe holds. */
static int flooding(struct flooding_args *a)
{
    *a->result = eddy_print("%0*d", 1 << 21, 0);
    return 0;
}
EDDY_TASK(flooding);

/* Start it, and come back when it waits for a reader. */
static void flood(struct eddy_scope *scope, int *result)
{
    EDDY_GO(scope, flooding, .result = result);
    while (eddy_write(eddy_stdout(), "", 0) != -EBUSY)
        eddy_sleep(1);
}

ROLE(blocked)
{
    int ticks = 0, r = 0;

    {
        EDDY_SCOPE(work, .isolate = true);
        EDDY_GO(&work, ticking, .ticks = &ticks);
        flood(&work, &r);
        while (ticks < 5)
            eddy_sleep(1);
    }
    if (r != -ECANCELED)
        return 1;
    r = eddy_print_error("blocked");
    if (r == 0)
        r = eddy_print("\nbut now"); /* when the parent has begun to read */
    return -r;
}

EDDY_TEST(a_full_pipe_holds_up_its_writer_only)
{
    int out[2], err[2];

    if (is_sim() || !make_pipe(out) || !make_pipe(err))
        return;
    pid_t pid = role_start("blocked", (int[]){ -1, out[1], err[1] }, -1);
    shut(&out[1], 1), shut(&err[1], 1);
    role_expect(err[0], "blocked");
    role_expect(out[0], "\nbut now");
    EDDY_CHECK_EQ(role_end(pid), 0);
    shut(&out[0], 1), shut(&err[0], 1);
}

struct writing_args {
    int nothing;
};

static int writing(struct writing_args *a)
{
    static char much[1 << 21];

    (void)a;
    return eddy_write(eddy_stdout(), much, sizeof much);
}
EDDY_TASK(writing);

ROLE(beside_a_write)
{
    EDDY_SCOPE(work, .isolate = true);

    EDDY_GO(&work, writing, .nothing = 0);
    while (eddy_write(eddy_stdout(), "", 0) != -EBUSY)
        eddy_sleep(1);
    return eddy_print("in between") == -EBUSY ? 0 : 1;
}

EDDY_TEST(printing_beside_a_write_is_busy)
{
    int out[2];

    if (is_sim() || !make_pipe(out))
        return;
    EDDY_CHECK_EQ(role_end(role_start("beside_a_write", (int[]){ -1, out[1], 2 }, -1)), 0);
    shut(out, 2);
}

ROLE(broken)
{
    struct eddy_stream *s = eddy_stdout();
    int r = 0;

    {
        EDDY_SCOPE(work, .isolate = true);
        flood(&work, &r);
    }
    if (r != -ECANCELED || eddy_write_text(s, "x") != -EDDY_EBROKEN)
        return 1;
    eddy_print_error("broken");
    r = eddy_print("one");
    if (r == 0 && eddy_stdout() != s)
        return 2;
    return r < 0 ? -r : -eddy_write_text(eddy_stdout(), "two");
}

EDDY_TEST(a_cancelled_print_leaves_the_next_one)
{
    int out[2], err[2];

    if (is_sim() || !make_pipe(out) || !make_pipe(err))
        return;
    pid_t pid = role_start("broken", (int[]){ -1, out[1], err[1] }, -1);
    shut(&out[1], 1), shut(&err[1], 1);
    role_expect(err[0], "broken");
    role_expect(out[0], "onetwo");
    EDDY_CHECK_EQ(role_end(pid), 0);
    shut(&out[0], 1), shut(&err[0], 1);
}

ROLE(lines)
{
    EDDY_SCOPE(all, .isolate = false);

    for (int i = 0; i < 8; i++)
        EDDY_GO(&all, printing, .nr = i, .len = i * 3000);
    while (eddy_write(eddy_stdout(), "", 0) != -EBUSY) /* one waits, and the others behind it */
        eddy_sleep(1);
    eddy_print_error("full");
    int r = eddy_join(&all);
    return -r;
}

EDDY_TEST(lines_of_many_tasks_stay_whole)
{
    static char got[8 * 20 * 24010];
    int out[2], err[2];

    if (is_sim() || !make_pipe(out) || !make_pipe(err))
        return;
    pid_t pid = role_start("lines", (int[]){ -1, out[1], err[1] }, -1);
    shut(&out[1], 1), shut(&err[1], 1);
    role_expect(err[0], "full");
    shut(&err[0], 1);
    size_t len = read_all(out[0], got, sizeof got - 1);
    EDDY_CHECK_EQ(role_end(pid), 0);
    int lines = 0;
    for (char *line = got, *end; (end = memchr(line, '\n', len - (size_t)(line - got)));
         line = end + 1, lines++) {
        int nr = *line - '0';
        size_t digits = nr ? (size_t)nr * 3000 : 1;
        if (!EDDY_CHECK_EQ(end - line, digits + 2) || !EDDY_CHECK_EQ(end[-1], *line) ||
            !EDDY_CHECK(!memchr(line + 2, ':', digits)))
            break;
    }
    EDDY_CHECK_EQ(lines, 160);
    shut(&out[0], 1);
}

/* --- in the background ------------------------------------------------------------------------ */

/* A shell: its job reads the terminal from the background, and is brought to the foreground. */
ROLE(shell)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        char buf[20] = { 0 };
        setpgid(0, 0);
        ssize_t n = eddy_read(eddy_stdin(), buf, sizeof buf);
        return n < 0 ? (int)-n : n == 6 && strcmp(buf, "typed\n") == 0 ? 0 : 100;
    }
    setpgid(pid, pid);
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
        return 1;
    if (WSTOPSIG(status) != SIGTTIN)
        return 2;
    tcsetpgrp(0, pid);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

EDDY_TEST(who_reads_in_the_background_is_stopped)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(write(pty[0], "typed\n", 6), 6);
    EDDY_CHECK_EQ(role_end(role_on("shell", pty)), 0);
    role_close(pty);
}

/* --- in this process -------------------------------------------------------------------------- */

EDDY_TEST(the_descriptors_outlive_the_loop)
{
    for (int i = 0; i < 2; i++) {
        EDDY_CHECK_EQ(eddy_print("%s", ""), is_sim() ? -EDDY_ESIM : 0);
        EDDY_CHECK_EQ(eddy_stdin() == eddy_stdin(), true);
        if (eddy__loop())
            eddy_loop_free(eddy__loop());
        EDDY_CHECK(fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0);
    }
}

static void in_callback(void *ctx)
{
    *(int *)ctx = eddy_print("never %d", 1);
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    int r = 0;

    if (is_sim())
        return;
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), in_callback, &r), 0);
    eddy_sleep(5);
    EDDY_CHECK_ERR(r, -EDEADLK);
}

EDDY_TEST(what_cannot_be_formatted_is_refused)
{
    static const wchar_t no_character[] = { (wchar_t)0x7fffffff, 0 };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_print("%*d", 17 << 20, 1), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(eddy_print("%ls", no_character), -EINVAL);
}

EDDY_TEST(every_failed_allocation_is_told)
{
    if (is_sim())
        return;
    eddy_yield(); /* a loop, and what tasks need */
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_loop *loop = eddy_loop_current();
        int r = loop ? eddy_print("%600s\r", "") : -ENOMEM;
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK_ERR(r, fired ? -ENOMEM : 0);
        if (eddy__loop())
            eddy_loop_free(eddy__loop());
    }
}

EDDY_TEST(the_simulator_has_none)
{
    char byte;

    if (!is_sim())
        return;
    EDDY_CHECK_ERR(eddy_read(eddy_stdin(), &byte, 1), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_write_text(eddy_stderr(), "x"), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_print("x"), -EDDY_ESIM);
}
