/*
 * file_test.c - operations on files: the same on every driver; what is none of the simulator's
 * (pipes, terminals, devices) on those of a real kernel
 *
 * backends: select poll epoll uring sim
 * threads: yes
 * timeout: 120
 */
#include "check.h"

#include "base/sys.h"
#include "loop/file_op.h"
#include "loop/loop.h"

#include <eddy/loop.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* --- an operation that is not waited for at once -------------------------------------------------- */

struct job {
    struct eddy_file_op f; /* first */
    unsigned ends;
    int res;
};

static void job_done(struct eddy_op *op, int res)
{
    struct job *j = (struct job *)(void *)op;

    EDDY_CHECK_EQ(op->res, res);
    j->ends++;
    j->res = res;
}

static void job_start(struct job *j)
{
    j->ends = 0;
    if (eddy__op_submit(eddy_loop_current(), &j->f.op))
        job_done(&j->f.op, j->f.op.res);
}

static void job_cancel(struct job *j)
{
    if (!j->ends && eddy__op_cancel(eddy__loop(), &j->f.op))
        job_done(&j->f.op, j->f.op.res);
}

static int job_end(struct job *j)
{
    while (!j->ends)
        if (!EDDY_CHECK(eddy_loop_turn(eddy_loop_current(), 10000) >= 0))
            abort();
    EDDY_CHECK_EQ(j->ends, 1);
    return j->res;
}

static int job_run(struct job *j)
{
    job_start(j);
    return job_end(j);
}

static void turns(int count)
{
    while (count--)
        eddy_loop_turn(eddy_loop_current(), 1);
}

static int do_open(const char *path, int flags)
{
    struct job j;

    eddy_op_open(&j.f, AT_FDCWD, path, flags, 0600, job_done);
    return job_run(&j);
}

static int do_read(int fd, void *ptr, size_t len, int64_t offset)
{
    struct job j;

    eddy_op_read(&j.f, fd, ptr, len, offset, job_done);
    return job_run(&j);
}

static int do_write(int fd, const void *ptr, size_t len, int64_t offset)
{
    struct job j;

    eddy_op_write(&j.f, fd, ptr, len, offset, job_done);
    return job_run(&j);
}

static int do_fsync(int fd, bool data_only)
{
    struct job j;

    eddy_op_fsync(&j.f, fd, data_only, job_done);
    return job_run(&j);
}

static int do_stat(int dir, const char *path, int flags, struct statx *ret)
{
    struct job j;

    eddy_op_stat(&j.f, dir, path, flags, ret, job_done);
    return job_run(&j);
}

static int do_close(int fd)
{
    struct job j = { .ends = 0 };

    eddy_op_close(&j.f.op, fd, job_done);
    return job_run(&j);
}

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static const char *scratch(const char *what)
{
    static char path[64];

    snprintf(path, sizeof path, "file-%s-%s-%d", what, eddy_check_backend(), (int)getpid());
    return path;
}

/* --- files ------------------------------------------------------------------------------------------ */

EDDY_TEST(a_file_is_written_synced_read_and_asked_about)
{
    const char *path = scratch("plain");
    struct statx about = { 0 };
    char buf[64];

    int fd = do_open(path, O_RDWR | O_CREAT | O_EXCL);
    if (!EDDY_CHECK(fd >= 0))
        return;
    EDDY_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EDDY_CHECK_EQ(do_write(fd, "hello, world", 12, 0), 12);
    EDDY_CHECK_EQ(do_write(fd, "there", 5, 7), 5);
    EDDY_CHECK_EQ(do_fsync(fd, true), 0);
    EDDY_CHECK_EQ(do_fsync(fd, false), 0);
    EDDY_CHECK_EQ(do_read(fd, buf, sizeof buf, 7), 5);
    EDDY_CHECK_MEM(buf, 5, "there", 5);
    EDDY_CHECK_EQ(do_read(fd, buf, sizeof buf, 12), 0);
    EDDY_CHECK_EQ(do_read(fd, buf, sizeof buf, 5000000000), 0);

    /* Where the descriptor stands, which offsets have not moved. */
    EDDY_CHECK_EQ(do_read(fd, buf, 5, -1), 5);
    EDDY_CHECK_MEM(buf, 5, "hello", 5);
    EDDY_CHECK_EQ(do_write(fd, "!", 1, -1), 1);
    EDDY_CHECK_EQ(do_read(fd, buf, sizeof buf, -1), 6);
    EDDY_CHECK_MEM(buf, 6, " there", 6);
    EDDY_CHECK_EQ(do_read(fd, buf, sizeof buf, -1), 0);

    EDDY_CHECK_EQ(do_stat(AT_FDCWD, path, 0, &about), 0);
    EDDY_CHECK_EQ(about.stx_size, 12);
    EDDY_CHECK_EQ(do_write(fd, "x", 1, 99), 1);
    EDDY_CHECK_EQ(do_stat(fd, "", 0, &about), 0);
    EDDY_CHECK_EQ(about.stx_size, 100);
    EDDY_CHECK(S_ISREG(about.stx_mode));
    EDDY_CHECK_EQ(do_close(fd), 0);
    unlink(path);
}

EDDY_TEST(what_is_wrong_with_a_file_is_told)
{
    struct statx about;
    char byte = 0;

    EDDY_CHECK_ERR(do_open("no/such/file", O_RDONLY), -ENOENT);
    EDDY_CHECK_ERR(do_open(".", O_WRONLY), -EISDIR);
    EDDY_CHECK_ERR(do_stat(AT_FDCWD, "no/such/file", 0, &about), -ENOENT);
    EDDY_CHECK_ERR(do_read(-1, &byte, 1, 0), -EBADF);
    EDDY_CHECK_ERR(do_write(1000, &byte, 1, 0), -EBADF);
    EDDY_CHECK_ERR(do_fsync(-1, false), -EBADF);
    int fd = is_sim() ? do_open("empty", O_RDONLY | O_CREAT) : do_open("/dev/null", O_RDONLY);
    EDDY_CHECK_ERR(do_write(fd, &byte, 1, 0), -EBADF);
    EDDY_CHECK_EQ(do_read(fd, &byte, 1, -1), 0); /* no poller can watch it */
    do_close(fd);
    fd = do_open(".", O_RDONLY | O_DIRECTORY);
    EDDY_CHECK_ERR(do_read(fd, &byte, 1, 0), -EISDIR);
    EDDY_CHECK_EQ(do_stat(fd, "", 0, &about), 0);
    EDDY_CHECK(S_ISDIR(about.stx_mode));
    do_close(fd);
}

EDDY_TEST(any_number_may_be_pending_on_one_descriptor)
{
    enum { COUNT = 200, SIZE = 3000 };
    const char *path = scratch("many");
    struct job *jobs = calloc(COUNT, sizeof *jobs);
    char *text = malloc((size_t)COUNT * SIZE), *back = calloc(COUNT, SIZE);

    for (size_t i = 0; i < (size_t)COUNT * SIZE; i++)
        text[i] = (char)(i * 7 + i / 251);
    int fd = do_open(path, O_RDWR | O_CREAT | O_TRUNC);
    for (size_t i = 0; i < COUNT; i++) {
        eddy_op_write(&jobs[i].f, fd, text + i * SIZE, SIZE, (int64_t)(i * SIZE), job_done);
        job_start(&jobs[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        EDDY_CHECK_EQ(job_end(&jobs[i]), SIZE);
    for (size_t i = 0; i < COUNT; i++) {
        eddy_op_read(&jobs[i].f, fd, back + i * SIZE, SIZE, (int64_t)(i * SIZE), job_done);
        job_start(&jobs[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        EDDY_CHECK_EQ(job_end(&jobs[i]), SIZE);
    EDDY_CHECK_MEM(back, (size_t)COUNT * SIZE, text, (size_t)COUNT * SIZE);
    do_close(fd);
    unlink(path);
    free(jobs);
    free(text);
    free(back);
}

/* No driver promises to move all of it; none may say that it moved more than it did. */
EDDY_TEST(a_size_past_what_a_result_can_say_is_bounded)
{
    const char *path = scratch("huge");
    const size_t there = (size_t)3 << 20;
    char *room = eddy__sys.mmap((size_t)5 << 30); /* not reserved: only what is touched exists */
    size_t got = 0;
    int r;

    if (is_sim())
        return;
    if (!room) {
        EDDY_CHECK_NOT_RUN("no address space for 5 GiB");
        return;
    }
    int fd = do_open(path, O_RDWR | O_CREAT | O_TRUNC);
    EDDY_CHECK_EQ(ftruncate(fd, (off_t)there), 0);
    while ((r = do_read(fd, room, (size_t)5 << 30, (int64_t)got)) > 0)
        got += (size_t)r;
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK_EQ(got, there);
    r = do_write(fd, room, ((size_t)4 << 30) + 1, 0);
    EDDY_CHECK(r > 0);
    do_close(fd);
    unlink(path);
    eddy__sys.munmap(room, (size_t)5 << 30);
}

/* --- pipes and terminals ----------------------------------------------------------------------------- */

static void read_late(int in, int out, int flags, const char *text)
{
    struct job one, two;
    char a[64], b[64];
    size_t len = strlen(text);

    EDDY_CHECK_EQ(fcntl(in, F_SETFL, flags), 0);
    flags = fcntl(in, F_GETFL);
    eddy_op_read(&one.f, in, a, sizeof a, -1, job_done);
    eddy_op_read(&two.f, in, b, sizeof b, -1, job_done);
    job_start(&one);
    job_start(&two);
    int64_t before = eddy_now_ns();
    turns(5);
    EDDY_CHECK_EQ(one.ends + two.ends, 0);
    EDDY_CHECK(eddy_now_ns() - before < 5000000000); /* the loop was not held */
    EDDY_CHECK_EQ(write(out, text, len), len);
    while (!one.ends && !two.ends)
        eddy_loop_turn(eddy_loop_current(), 10000);
    turns(3);
    EDDY_CHECK_EQ(one.ends + two.ends, 1);
    EDDY_CHECK_MEM(one.ends ? a : b, (size_t)(one.ends ? one.res : two.res), text, len);
    EDDY_CHECK_EQ(fcntl(in, F_GETFL), flags);
    EDDY_CHECK_EQ(write(out, text, len), len);
    EDDY_CHECK_EQ(job_end(&one), len);
    EDDY_CHECK_EQ(job_end(&two), len);
    EDDY_CHECK_MEM(b, len, text, len);
}

EDDY_TEST(a_pipe_is_read_when_something_comes)
{
    int fd[2];

    if (is_sim())
        return;
    if (pipe(fd) < 0)
        abort();
    read_late(fd[0], fd[1], 0, "blocking");
    read_late(fd[0], fd[1], O_NONBLOCK, "not blocking");
    char byte;
    struct job j;
    EDDY_CHECK_EQ(write(fd[1], "x", 1), 1);
    EDDY_CHECK_EQ(do_read(fd[0], &byte, 1, 0), 1); /* a pipe has no places: any offset will do */
    eddy_op_read(&j.f, fd[0], &byte, 1, -1, job_done);
    job_start(&j);
    turns(2);
    close(fd[1]);
    EDDY_CHECK_EQ(job_end(&j), 0);
    do_close(fd[0]);
}

EDDY_TEST(a_terminal_is_read_when_something_comes)
{
    struct termios raw;

    if (is_sim())
        return;
    int out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (out < 0 || grantpt(out) < 0 || unlockpt(out) < 0) {
        EDDY_CHECK_NOT_RUN("no pseudo-terminals here");
        if (out >= 0)
            close(out);
        return;
    }
    int in = do_open(ptsname(out), O_RDWR | O_NOCTTY);
    EDDY_CHECK(in >= 0);
    tcgetattr(in, &raw);
    cfmakeraw(&raw);
    tcsetattr(in, TCSANOW, &raw);
    read_late(in, out, O_RDWR, "blocking");
    read_late(in, out, O_RDWR | O_NONBLOCK, "not blocking");
    char buf[16];
    EDDY_CHECK_EQ(do_write(in, "answer", 6, -1), 6);
    EDDY_CHECK_EQ(read(out, buf, sizeof buf), 6);
    do_close(in);
    close(out);
}

EDDY_TEST(a_full_pipe_is_written_when_there_is_room)
{
    static char text[200000], back[sizeof text];
    size_t sent = 0, got = 0;
    int fd[2];

    if (is_sim())
        return;
    if (pipe(fd) < 0)
        abort();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 13 + i / 255);
    while (got < sizeof text) {
        struct job j = { .ends = 1 };
        if (sent < sizeof text) {
            eddy_op_write(&j.f, fd[1], text + sent, sizeof text - sent, -1, job_done);
            job_start(&j);
        }
        turns(1);
        ssize_t n = read(fd[0], back + got, 30000);
        if (!EDDY_CHECK(n > 0))
            break;
        got += (size_t)n;
        if (sent < sizeof text) {
            /* Writing all of it would be right, too: then somebody must read meanwhile. */
            while (!j.ends) {
                turns(1);
                n = got < sizeof text && !j.ends ? read(fd[0], back + got, 30000) : 0;
                got += (size_t)n;
            }
            if (!EDDY_CHECK(j.res > 0))
                break;
            sent += (size_t)j.res;
        }
    }
    EDDY_CHECK_MEM(back, got, text, sizeof text);
    do_close(fd[0]);
    do_close(fd[1]);
}

static volatile sig_atomic_t signalled;

static void on_sigpipe(int signo)
{
    (void)signo;
    signalled = 1;
}

EDDY_TEST(a_pipe_without_readers_is_an_error_and_no_signal)
{
    struct sigaction action = { .sa_handler = on_sigpipe }, before;
    int fd[2];

    if (is_sim())
        return;
    signalled = 0;
    sigaction(SIGPIPE, &action, &before);
    for (int full = 0; full < 2; full++) {
        struct job j;
        if (pipe(fd) < 0)
            abort();
        fcntl(fd[1], F_SETPIPE_SZ, 4096);
        if (full)
            EDDY_CHECK_EQ(write(fd[1], &(char[4096]){ 0 }, 4096), 4096);
        else
            close(fd[0]);
        eddy_op_write(&j.f, fd[1], "x", 1, -1, job_done);
        job_start(&j);
        turns(2);
        if (full)
            close(fd[0]);
        EDDY_CHECK_ERR(job_end(&j), -EPIPE);
        do_close(fd[1]);
    }
    EDDY_CHECK_EQ(signalled, 0);
    sigaction(SIGPIPE, &before, NULL);
}

static bool sigpipe_is_pending(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGPIPE) == 1;
}

/* Who blocks the signal keeps the one that somebody has sent, and gets none of ours. */
EDDY_TEST(a_blocked_sigpipe_stays_as_it_was)
{
    const struct timespec now = { .tv_sec = 0 };
    sigset_t pipe_set, before;

    if (is_sim())
        return;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
    for (int pending = 0; pending < 2; pending++) {
        struct job j;
        int fd[2];
        if (pipe(fd) < 0)
            abort();
        close(fd[0]);
        if (pending)
            raise(SIGPIPE);
        eddy_op_write(&j.f, fd[1], "x", 1, -1, job_done);
        job_start(&j);
        EDDY_CHECK_ERR(job_end(&j), -EPIPE);
        EDDY_CHECK_EQ(sigpipe_is_pending(), pending);
        do_close(fd[1]);
    }
    (void)sigtimedwait(&pipe_set, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A kernel that knows no RWF_NOWAIT, or not of these. */
static ssize_t pread_old(int fd, void *buf, size_t len, int64_t offset, int flags)
{
    return flags ? -EOPNOTSUPP : eddy__sys_kernel.pread(fd, buf, len, offset, 0);
}

static ssize_t pwrite_old(int fd, const void *buf, size_t len, int64_t offset, int flags)
{
    return flags ? -EOPNOTSUPP : eddy__sys_kernel.pwrite(fd, buf, len, offset, 0);
}

EDDY_TEST(where_the_kernel_cannot_be_asked_not_to_wait_all_moves_too)
{
    char buf[8];
    int fd[2];

    if (is_sim())
        return;
    eddy__sys.pread = pread_old;
    eddy__sys.pwrite = pwrite_old;
    int file = do_open(scratch("old"), O_RDWR | O_CREAT | O_TRUNC);
    EDDY_CHECK_EQ(do_write(file, "bytes", 5, 0), 5);
    EDDY_CHECK_EQ(do_read(file, buf, sizeof buf, 0), 5);
    EDDY_CHECK_EQ(do_read(file, buf, sizeof buf, 5), 0);
    do_close(file);
    unlink(scratch("old"));
    file = do_open("/dev/null", O_RDWR); /* which epoll refuses to watch */
    EDDY_CHECK_EQ(do_read(file, buf, sizeof buf, -1), 0);
    EDDY_CHECK_EQ(do_write(file, buf, sizeof buf, -1), sizeof buf);
    do_close(file);
    if (pipe(fd) < 0)
        abort();
    read_late(fd[0], fd[1], 0, "blocking");
    read_late(fd[0], fd[1], O_NONBLOCK, "not blocking");
    EDDY_CHECK_EQ(do_write(fd[1], "out", 3, -1), 3);
    EDDY_CHECK_EQ(do_read(fd[0], buf, sizeof buf, -1), 3);
    eddy__sys.pread = eddy__sys_kernel.pread;
    eddy__sys.pwrite = eddy__sys_kernel.pwrite;
    do_close(fd[0]);
    do_close(fd[1]);
}

/* --- cancelling -------------------------------------------------------------------------------------- */

EDDY_TEST(a_cancelled_read_of_a_pipe_takes_nothing)
{
    char buf[8] = "";
    int fd[2];

    if (is_sim())
        return;
    if (pipe(fd) < 0)
        abort();
    for (int i = 0; i < 20; i++) {
        struct job *j = malloc(sizeof *j);
        eddy_op_read(&j->f, fd[0], buf, sizeof buf, -1, job_done);
        job_start(j);
        turns(i % 3);
        job_cancel(j);
        EDDY_CHECK_ERR(job_end(j), -ECANCELED);
        free(j);
        turns(1);
        EDDY_CHECK_EQ(write(fd[1], "abc", 3), 3);
        EDDY_CHECK_EQ(do_read(fd[0], buf, sizeof buf, -1), 3);
    }
    do_close(fd[0]);
    do_close(fd[1]);
}

EDDY_TEST(of_several_reads_any_may_be_cancelled)
{
    char buf[3][4];
    struct job j[3];
    int fd[2];

    if (is_sim())
        return;
    if (pipe(fd) < 0)
        abort();
    for (int gone = 0; gone < 3; gone++) {
        for (int i = 0; i < 3; i++) {
            eddy_op_read(&j[i].f, fd[0], buf[i], 1, -1, job_done);
            job_start(&j[i]);
        }
        turns(2);
        job_cancel(&j[gone]);
        EDDY_CHECK_ERR(job_end(&j[gone]), -ECANCELED);
        memset(&j[gone], 0xa5, sizeof j[gone]);
        EDDY_CHECK_EQ(write(fd[1], "ab", 2), 2);
        for (int i = 0; i < 3; i++)
            if (i != gone)
                EDDY_CHECK_EQ(job_end(&j[i]), 1);
    }
    do_close(fd[0]);
    do_close(fd[1]);
}

/* check.c counts descriptors: one that was opened and told to nobody fails the test. */
EDDY_TEST(an_open_cancelled_late_leaves_no_descriptor)
{
    const char *path = scratch("late");
    unsigned cancelled = 0;

    do_close(do_open(path, O_RDWR | O_CREAT));
    for (int i = 0; i < 300; i++) {
        struct job j;
        eddy_op_open(&j.f, AT_FDCWD, path, O_RDWR | (i % 2 ? O_TRUNC : 0), 0, job_done);
        job_start(&j);
        if (i % 3)
            usleep((useconds_t)(i % 7) * 10); /* a thread may or may not have begun */
        if (i % 5 == 0)
            eddy_loop_turn(eddy_loop_current(), 0);
        job_cancel(&j);
        int r = job_end(&j);
        if (r >= 0)
            do_close(r); /* before the cancel: it is ours */
        else
            EDDY_CHECK_ERR(r, -ECANCELED);
        cancelled += r < 0;
    }
    EDDY_CHECK(cancelled > 0);
    unlink(path);
}

EDDY_TEST(an_open_that_hangs_is_waited_for_and_closed_again)
{
    const char *path = scratch("fifo");
    struct job j;
    int writer = -1;

    if (is_sim())
        return;
    if (mkfifo(path, 0600) < 0)
        abort();
    eddy_op_open(&j.f, AT_FDCWD, path, O_RDONLY, 0, job_done);
    job_start(&j);
    turns(3);
    EDDY_CHECK_EQ(j.ends, 0);
    job_cancel(&j);
    while (!j.ends) {
        if (writer < 0)
            writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* a thread hangs until then */
        turns(1);
    }
    EDDY_CHECK_ERR(job_end(&j), -ECANCELED);
    if (writer >= 0)
        close(writer);
    unlink(path);
}
