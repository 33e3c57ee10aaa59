/*
 * Streams over any descriptors: what each kind of them does. What holds for every stream is in
 * stream_test.c and transport_test.c, which take pipes and descriptors of sockets, too.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/memory.h"
#include "base/sys.h"
#include "check.h"
#include "ends.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    ends_loop_free();
}

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* A new stream, or NULL after a check that failed. */
static struct eddy_stream *over(int in, int out, const struct eddy_fd_options *options)
{
    struct eddy_stream *s = NULL;

    EDDY_CHECK_EQ(eddy_stream_of_fd(in, out, options, &s), 0);
    return s;
}

EDDY_TEST(finishing_closes_what_is_only_written_to)
{
    EDDY_OWN(eddy_stream) r = NULL;
    EDDY_OWN(eddy_stream) w = NULL;
    char buf[8] = { 0 };
    int end[2], fd = 0;

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    r = over(end[0], -1, NULL);
    w = over(-1, end[1], NULL);
    EDDY_CHECK_EQ(eddy_stream_info(w, EDDY_INFO_FD_OUT, &fd), 0);
    EDDY_CHECK_EQ(fd, end[1]);
    EDDY_CHECK_EQ(eddy_write_text(w, "all"), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(w), 0);
    EDDY_CHECK_EQ(fcntl(end[1], F_GETFD), -1);
    EDDY_CHECK_EQ(eddy_stream_finish(w), 0);
    EDDY_CHECK_ERR(eddy_write_text(w, "more"), -EPIPE);
    EDDY_CHECK_EQ(eddy_read(r, buf, sizeof buf), 3);
    EDDY_CHECK_STR(buf, "all");
    EDDY_CHECK_EQ(eddy_read(r, buf, sizeof buf), 0);
    EDDY_CHECK_EQ(eddy_read(r, buf, sizeof buf), 0);
}

EDDY_TEST(without_a_side_there_is_the_end_and_epipe)
{
    EDDY_OWN(eddy_stream) r = NULL;
    EDDY_OWN(eddy_stream) w = NULL;
    char byte;
    int end[2];

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    r = over(end[0], -1, NULL);
    w = over(-1, end[1], NULL);
    EDDY_CHECK_EQ(eddy_read(w, &byte, 1), 0);
    EDDY_CHECK_ERR(eddy_write_text(r, "x"), -EPIPE);
    EDDY_CHECK_ERR(eddy_stream_finish(r), -EPIPE);
}

EDDY_TEST(what_is_not_open_for_it_is_refused)
{
    struct eddy_error err = { 0 };
    struct eddy_stream *s = NULL;
    int end[2];

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    EDDY_CHECK_ERR(eddy_stream_of_fd(-1, -1, EDDY_OPT(fd, .error = &err), &s), -EINVAL);
    EDDY_CHECK(strstr(err.text, "neither"));
    EDDY_CHECK_ERR(eddy_stream_of_fd(end[1], -1, EDDY_OPT(fd, .error = &err), &s), -EBADF);
    EDDY_CHECK(strstr(err.text, "read from, was not opened for that"));
    EDDY_CHECK_ERR(eddy_stream_of_fd(-1, end[0], NULL, &s), -EBADF);
    int path = open("/dev/null", O_PATH | O_CLOEXEC);
    EDDY_CHECK_ERR(eddy_stream_of_fd(path, -1, NULL, &s), -EBADF);
    EDDY_CHECK_EQ(close(path), 0);
    EDDY_CHECK_EQ(close(end[0]) + close(end[1]), 0);
    EDDY_CHECK_ERR(eddy_stream_of_fd(end[0], -1, EDDY_OPT(fd, .error = &err), &s), -EBADF);
    EDDY_CHECK(strstr(err.text, "is not open"));
    EDDY_CHECK(s == NULL);
}

EDDY_TEST(what_is_borrowed_is_left_as_it_was)
{
    struct eddy_stream *s;
    char byte;
    int end[2];

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    s = over(end[0], end[1], EDDY_OPT(fd, .borrow = true));
    EDDY_CHECK_EQ(eddy_write_text(s, "ab"), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(s), 0); /* remembered only */
    EDDY_CHECK_ERR(eddy_write_text(s, "c"), -EPIPE);
    EDDY_CHECK_EQ(eddy_read(s, &byte, 1), 1);
    EDDY_CHECK_EQ(eddy_stream_close(s), 0);
    eddy_stream_free(s);
    EDDY_CHECK_EQ(write(end[1], "d", 1), 1);
    EDDY_CHECK_EQ(read(end[0], &byte, 1), 1);
    EDDY_CHECK_EQ(byte, 'b'); /* nothing was read ahead */
    EDDY_CHECK_EQ(close(end[0]) + close(end[1]), 0);
}

EDDY_TEST(whether_it_blocks_is_never_changed)
{
    for (int flags = 0; !is_sim() && flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        static char big[300000];
        int end[2];
        if (!EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
            return;
        for (int i = 0; i < 2; i++)
            EDDY_CHECK_EQ(fcntl(end[i], F_SETFL, flags), 0);
        struct eddy_stream *s = over(end[0], end[1], EDDY_OPT(fd, .borrow = true));
        {
            EDDY_SCOPE(short_while, .timeout_ms = 20);
            EDDY_CHECK_ERR(eddy_write(s, big, sizeof big), -ETIMEDOUT); /* nobody reads */
        }
        for (int i = 0; i < 2; i++)
            EDDY_CHECK_EQ(fcntl(end[i], F_GETFL) & O_NONBLOCK, flags);
        eddy_stream_free(s);
        EDDY_CHECK_EQ(close(end[0]) + close(end[1]), 0);
    }
}

EDDY_TEST(devices_are_read_and_written)
{
    EDDY_OWN(eddy_stream) null = NULL;
    EDDY_OWN(eddy_stream) zero = NULL;
    static char big[3 << 20];
    int fd = is_sim() ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
    int none = -2;

    if (is_sim())
        return;
    null = over(fd, fd, NULL);
    EDDY_CHECK_EQ(eddy_read(null, big, 10), 0);
    EDDY_CHECK_EQ(eddy_write(null, big, sizeof big), 0);
    EDDY_CHECK_EQ(eddy_stream_info(null, EDDY_INFO_FD, &none), 0);
    EDDY_CHECK_EQ(none, fd);
    struct eddy_address at;
    EDDY_CHECK_ERR(eddy_stream_peer(null, &at), -ENOENT);
    zero = over(open("/dev/zero", O_RDONLY | O_CLOEXEC), -1, NULL);
    memset(big, 1, 100);
    EDDY_CHECK_EQ(eddy_read_exactly(zero, big, 100), 0);
    EDDY_CHECK_EQ(big[99], 0);
}

EDDY_TEST(a_full_device_says_so)
{
    EDDY_OWN(eddy_stream) s = NULL;

    if (is_sim())
        return;
    s = over(-1, open("/dev/full", O_WRONLY | O_CLOEXEC), NULL);
    EDDY_CHECK_ERR(eddy_write_text(s, "x"), -ENOSPC);
    EDDY_CHECK_ERR(eddy_write_text(s, "x"), -ENOSPC);
}

EDDY_TEST(a_file_is_read_where_it_stands_or_from_a_place)
{
    char name[64], buf[8] = { 0 };

    if (is_sim())
        return;
    (void)snprintf(name, sizeof name, "fd-test-%ld", (long)getpid());
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct eddy_stream *s = over(fd, fd, NULL);
    EDDY_CHECK_EQ(eddy_write_text(s, "0123456789"), 0);
    EDDY_CHECK_EQ(eddy_read(s, buf, 8), 0); /* it stands at the end */
    EDDY_CHECK_EQ(lseek(fd, 8, SEEK_SET), 8);
    EDDY_CHECK_EQ(eddy_read(s, buf, 8), 0); /* an end is an end */
    eddy_stream_free(s);

    fd = open(name, O_RDWR | O_CLOEXEC);
    s = over(fd, fd, EDDY_OPT(fd, .at = true, .offset = 4));
    EDDY_CHECK_EQ(eddy_read_exactly(s, buf, 2), 0);
    EDDY_CHECK_EQ(eddy_write_text(s, "ABC"), 0);
    EDDY_CHECK_EQ(eddy_write_text(s, "D"), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(s, buf + 2, 3), 0);
    EDDY_CHECK_MEM(buf, 5, "45CD8", 5);
    EDDY_CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    eddy_stream_free(s);
    (void)unlink(name);
}

static bool open_pty(int ret[2])
{
    ret[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (!EDDY_CHECK(ret[0] >= 0) || !EDDY_CHECK_EQ(grantpt(ret[0]) + unlockpt(ret[0]), 0))
        return false;
    ret[1] = open(ptsname(ret[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios raw;
    EDDY_CHECK_EQ(tcgetattr(ret[1], &raw), 0);
    cfmakeraw(&raw);
    return EDDY_CHECK_EQ(tcsetattr(ret[1], TCSANOW, &raw), 0);
}

EDDY_TEST(a_terminal_whose_other_end_is_gone_is_at_its_end)
{
    EDDY_OWN(eddy_stream) master = NULL;
    EDDY_OWN(eddy_stream) slave = NULL;
    char buf[8] = { 0 };
    int end[2];

    if (is_sim() || !open_pty(end))
        return;
    master = over(end[0], end[0], NULL);
    slave = over(end[1], end[1], NULL);
    EDDY_CHECK_EQ(eddy_write_text(slave, "hi"), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(slave), 0); /* a terminal cannot tell; the rest goes on */
    EDDY_CHECK_EQ(eddy_read(master, buf, sizeof buf), 2);
    EDDY_CHECK_EQ(eddy_write_text(master, "yes"), 0);
    EDDY_CHECK_EQ(eddy_read(slave, buf, sizeof buf), 3);
    EDDY_CHECK_STR(buf, "yes");
    eddy_stream_close(slave);
    EDDY_CHECK_EQ(eddy_read(master, buf, sizeof buf), 0);

    if (!open_pty(end))
        return;
    EDDY_OWN(eddy_stream) left = over(end[1], end[1], NULL);
    EDDY_CHECK_EQ(close(end[0]), 0);
    EDDY_CHECK_ERR(eddy_write_text(left, "x"), -EPIPE);
    EDDY_CHECK_EQ(eddy_read(left, buf, sizeof buf), 0);
}

/* A TCP socket whose peer has written "half" and reset the connection. */
static int reset_socket(void)
{
    const struct linger at_once = { .l_onoff = 1 };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    int door = socket(AF_INET, SOCK_STREAM, 0), peer = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(door, (struct sockaddr *)&at, len) < 0 || listen(door, 1) < 0 ||
        getsockname(door, (struct sockaddr *)&at, &len) < 0 ||
        connect(peer, (struct sockaddr *)&at, len) < 0 || write(peer, "half", 4) != 4 ||
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
        abort();
    int fd = accept(door, NULL, NULL);
    close(peer);
    close(door);
    return fd;
}

/* The kernel tells a reset once, here to the writer; a reader must not take it for the end. */
EDDY_TEST(a_reset_that_a_write_heard_of_is_no_end)
{
    if (is_sim())
        return;
    for (int twice = 0; twice < 2; twice++) {
        EDDY_OWN(eddy_stream) s = NULL;
        char buf[8];
        int fd = reset_socket();
        EDDY_CHECK_EQ(eddy_stream_of_fd(fd, twice ? dup(fd) : fd, NULL, &s), 0);
        EDDY_CHECK_ERR(eddy_write(s, "x", 1), -ECONNRESET);
        EDDY_CHECK_EQ(eddy_read(s, buf, sizeof buf), 4);
        EDDY_CHECK_ERR(eddy_read(s, buf, sizeof buf), -ECONNRESET);
    }
}

EDDY_TEST(a_pipe_without_readers_is_epipe_and_no_signal)
{
    EDDY_OWN(eddy_stream) s = NULL;
    int end[2];

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    s = over(-1, end[1], NULL);
    EDDY_CHECK_EQ(close(end[0]), 0);
    EDDY_CHECK_ERR(eddy_write_text(s, "x"), -EPIPE);
    EDDY_CHECK_ERR(eddy_write_text(s, "x"), -EPIPE);
}

/* A protocol that counts, and pauses or resumes while it is called. */
struct ear {
    struct eddy_transport *t;
    char heard[64];
    size_t len;
    int ended, closed, why;
    bool stutter;
};

static void heard(void *ctx, const char *data, size_t len)
{
    struct ear *e = ctx;

    if (e->stutter) {
        eddy_transport_pause(e->t);
        eddy_transport_resume(e->t);
    }
    for (size_t i = 0; i < len && e->len < sizeof e->heard - 1; i++)
        e->heard[e->len++] = data[i];
}

static void heard_end(void *ctx)
{
    ((struct ear *)ctx)->ended++;
}

static void heard_close(void *ctx, int why)
{
    ((struct ear *)ctx)->closed++;
    ((struct ear *)ctx)->why = why;
}

static const struct eddy_protocol ear_protocol = {
    .size = sizeof ear_protocol, .received = heard, .ended = heard_end, .closed = heard_close
};

static void turn_until(const int *what)
{
    for (int i = 0; i < 1000 && !*what; i++)
        eddy_sleep(1);
}

EDDY_TEST(bytes_stay_lent_while_a_protocol_resumes)
{
    struct ear e = { .stutter = true };
    int end[2];

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    /* Two messages of a packet pipe: the second would be read over the first. */
    EDDY_CHECK_EQ(fcntl(end[1], F_SETFL, O_DIRECT), 0);
    EDDY_CHECK_EQ(write(end[1], "first ", 6) + write(end[1], "second", 6), 12);
    EDDY_CHECK_EQ(eddy_transport_of_fd(end[0], -1, NULL, &e.t), 0);
    eddy_transport_use(e.t, &ear_protocol, &e);
    eddy_transport_resume(e.t);
    EDDY_CHECK_EQ(close(end[1]), 0);
    turn_until(&e.ended);
    EDDY_CHECK_STR(e.heard, "first second");
    eddy_transport_close(e.t, 0);
    turn_until(&e.closed);
    EDDY_CHECK_EQ(e.closed, 1);
}

EDDY_TEST(no_buffer_is_held_while_paused)
{
    struct ear e = { 0 };
    size_t paused, resumed, again;
    int end[2];

    if (is_sim() || !EDDY_CHECK_EQ(eddy__sys.pipe(end), 0))
        return;
    EDDY_CHECK_EQ(eddy_transport_of_fd(end[0], end[1], NULL, &e.t), 0);
    eddy_transport_use(e.t, &ear_protocol, &e);
    eddy_sleep(1);
    paused = eddy__memory_live();
    eddy_transport_resume(e.t);
    eddy_sleep(1);
    resumed = eddy__memory_live();
    eddy_transport_pause(e.t);
    eddy_sleep(5);
    again = eddy__memory_live();
    EDDY_CHECK_EQ(resumed, paused + 1);
    EDDY_CHECK_EQ(again, paused);
    eddy_transport_close(e.t, 0);
    turn_until(&e.closed);
}

/* A whole life over two pipes, whatever fails in it: nothing hangs, leaks or is told twice. */
static int live(void)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char buf[8];
    int end[2];

    if (pipe2(end, O_CLOEXEC) < 0)
        return -errno;
    int r = eddy_stream_of_fd(end[0], end[1], NULL, &s);
    if (r < 0) { /* they are still ours */
        EDDY_CHECK_EQ(close(end[0]) + close(end[1]), 0);
        return r;
    }
    r = eddy_write_text(s, "hello");
    if (r == 0) {
        EDDY_SCOPE(while_it_comes, .timeout_ms = 2000);
        r = eddy_read_exactly(s, buf, 5);
    }
    if (r == 0)
        r = eddy_stream_finish(s);
    if (r == 0)
        r = (int)eddy_read(s, buf, sizeof buf);
    eddy_stream_close(s);
    return r;
}

EDDY_TEST(whatever_fails_is_told_and_nothing_leaks)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };

    for (size_t i = 0; !is_sim() && i < 2; i++) {
        EDDY_CHECK_EQ(live(), 0); /* the loop has all it needs */
        for (struct eddy_fault f = eddy_fault_each(kinds[i]); eddy_fault_next(&f);) {
            int r = live();
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(fired ? r <= 0 : r == 0);
            if (i == 0 && fired)
                EDDY_CHECK_ERR(r, -ENOMEM);
        }
    }
}

EDDY_TEST(a_failed_look_at_the_descriptor_is_told)
{
    struct eddy_stream *s;

    if (is_sim())
        return;
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_SYS); eddy_fault_next(&f);) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int r = eddy_stream_of_fd(fd, fd, NULL, &s);
        eddy_fault_stop();
        EDDY_CHECK(r == 0 || r == -EIO);
        if (r == 0)
            eddy_stream_free(s);
        else
            EDDY_CHECK_EQ(close(fd), 0);
    }
}

EDDY_TEST(the_simulator_refuses_descriptors_of_others)
{
    struct eddy_error err = { 0 };
    struct eddy_stream *s = NULL;
    int end[2];

    if (!is_sim() || !EDDY_CHECK_EQ(pipe2(end, O_CLOEXEC), 0))
        return;
    EDDY_CHECK_ERR(eddy_stream_of_fd(end[0], end[1], EDDY_OPT(fd, .error = &err), &s), -EDDY_ESIM);
    EDDY_CHECK(strstr(err.text, "simulator"));
    EDDY_CHECK_EQ(close(end[0]) + close(end[1]), 0);
}
