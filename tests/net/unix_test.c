/*
 * What only Unix sockets can: credentials and descriptors, whoever gives up in between.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/unix.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* A pipe, and whether @fd is its writing end: what is written there comes out. */
struct mark {
    int fd[2];
};

static struct mark make_mark(void)
{
    struct mark m;

    if (pipe2(m.fd, O_CLOEXEC) < 0)
        abort();
    return m;
}

static void end_mark(struct mark *m)
{
    close(m->fd[0]);
    close(m->fd[1]);
}

static bool is_marked(const struct mark *m, int fd)
{
    char byte = 0;

    return EDDY_CHECK_EQ(write(fd, "m", 1), 1) && EDDY_CHECK_EQ(read(m->fd[0], &byte, 1), 1) &&
           EDDY_CHECK_EQ(byte, 'm');
}

EDDY_TEST(a_peer_is_known_by_its_credentials)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_credentials who;

    if (is_sim())
        return;
    EDDY_CHECK_EQ(eddy_listen("unix:eddy-unix-test.sock", NULL, &door), 0);
    /* A child connects, so that its number differs from ours. */
    int tell[2];
    if (!door || pipe(tell) < 0)
        return;
    EDDY_SCOPE(patience, .timeout_ms = 10000);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        struct eddy_address a;
        close(tell[1]);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (eddy_address_parse("unix:eddy-unix-test.sock", 0, &a, NULL) < 0 ||
            connect(fd, (struct sockaddr *)&a.storage, a.len) < 0)
            _exit(1);
        (void)!read(tell[0], &byte, 1);
        _exit(0);
    }
    close(tell[0]);
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    if (server && EDDY_CHECK_EQ(eddy_stream_peer_credentials(server, &who), 0)) {
        EDDY_CHECK_EQ(who.pid, child);
        EDDY_CHECK_EQ(who.uid, getuid());
        EDDY_CHECK_EQ(who.gid, getgid());
    }
    close(tell[1]);
    waitpid(child, NULL, 0);
    EDDY_CHECK_EQ(eddy_connect("unix:eddy-unix-test.sock", NULL, &client), 0);
    if (client && EDDY_CHECK_EQ(eddy_stream_peer_credentials(client, &who), 0))
        EDDY_CHECK_EQ(who.pid, getpid());
    if (client) {
        eddy_stream_close(client);
        EDDY_CHECK_ERR(eddy_stream_peer_credentials(client, &who), -EBADF);
    }
}

EDDY_TEST(descriptors_arrive_close_on_exec)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    int fds[3] = { -1, -1, -1 };
    size_t count = 77;
    char buf[32];

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    struct mark m = make_mark();
    const int both[2] = { m.fd[1], m.fd[1] };
    EDDY_CHECK_EQ(eddy_unix_send_fds(a, "two", 3, both, 2), 0);
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, fds, 3, &count), 3);
    EDDY_CHECK_MEM(buf, 3, "two", 3);
    EDDY_CHECK_EQ(count, 2);
    EDDY_CHECK_EQ(fds[2], -1);
    for (int i = 0; i < 2; i++) {
        EDDY_CHECK(fds[i] >= 0 && fds[i] != m.fd[1]);
        EDDY_CHECK_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        is_marked(&m, fds[i]);
        close(fds[i]);
    }
    /* Plain bytes, and the end. */
    EDDY_CHECK_EQ(eddy_write(a, "plain", 5), 0);
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, fds, 3, &count), 5);
    EDDY_CHECK_EQ(count, 0);
    EDDY_CHECK_EQ(eddy_stream_finish(a), 0);
    count = 77;
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, fds, 3, &count), 0);
    EDDY_CHECK_EQ(count, 0);
    EDDY_CHECK_ERR(eddy_unix_send_fds(a, "x", 1, both, 1), -EPIPE);
    end_mark(&m);
}

EDDY_TEST(surplus_descriptors_are_closed)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    int many[EDDY_UNIX_FDS_MAX + 1], fd = -1;
    size_t count = 0;
    char buf[8];

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    struct mark m = make_mark();
    for (size_t i = 0; i < EDDY_UNIX_FDS_MAX + 1; i++)
        many[i] = m.fd[1];
    EDDY_CHECK_ERR(eddy_unix_send_fds(a, "x", 1, many, EDDY_UNIX_FDS_MAX + 1), -EINVAL);
    EDDY_CHECK_EQ(eddy_unix_send_fds(a, "x", 1, many, EDDY_UNIX_FDS_MAX), 0);
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, &fd, 1, &count), 1);
    EDDY_CHECK_EQ(count, EDDY_UNIX_FDS_MAX);
    is_marked(&m, fd);
    close(fd);
    EDDY_CHECK_EQ(eddy_unix_send_fds(a, "y", 1, many, 2), 0);
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, NULL, 0, &count), 1);
    EDDY_CHECK_EQ(count, 2);
    end_mark(&m); /* that none is left of them, the harness sees */
}

EDDY_TEST(without_room_none_leaks)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    struct rlimit before, now;
    int fds[4];
    size_t count = 0;
    char buf[8];

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    struct mark m = make_mark();
    const int three[3] = { m.fd[0], m.fd[1], m.fd[0] };
    EDDY_CHECK_EQ(eddy_unix_send_fds(a, "x", 1, three, 3), 0);
    int next = dup(0); /* room for one more, not for three */
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    now = before;
    now.rlim_cur = (rlim_t)next + 1;
    setrlimit(RLIMIT_NOFILE, &now);
    ssize_t n = eddy_unix_receive_fds(b, buf, sizeof buf, fds, 4, &count);
    setrlimit(RLIMIT_NOFILE, &before);
    EDDY_CHECK_ERR(n, -EMFILE);
    EDDY_CHECK_ERR(eddy_read(b, buf, 1), -EDDY_EBROKEN);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(b, buf, 1, fds, 4, &count), -EDDY_EBROKEN);
    end_mark(&m);
}

struct receive_one_args {
    struct eddy_stream *s;
    ssize_t *ret;
    int *ret_fd;
};

static int receive_one(struct receive_one_args *a)
{
    size_t count;
    char buf[8];

    *a->ret = eddy_unix_receive_fds(a->s, buf, sizeof buf, a->ret_fd, 1, &count);
    return 0;
}
EDDY_TASK(receive_one);

/* At every distance between the arrival and the cancel: either it was received, or it still is to
 * be, with its descriptor. */
EDDY_TEST(a_cancelled_receive_takes_nothing)
{
    int received = 0, left = 0;

    if (is_sim())
        return;
    struct mark m = make_mark();
    for (int turns = 0; turns < 10; turns++) {
        EDDY_OWN(eddy_stream) a = NULL;
        EDDY_OWN(eddy_stream) b = NULL;
        ssize_t n = 99;
        size_t count = 0;
        char buf[8];
        int fd = -1;
        if (!EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
            break;
        {
            EDDY_SCOPE(s, .isolate = true);
            EDDY_GO(&s, receive_one, .s = b, .ret = &n, .ret_fd = &fd);
            EDDY_CHECK_EQ(eddy_yield(), 0);
            EDDY_CHECK_EQ(eddy_unix_send_fds(a, "x", 1, &m.fd[1], 1), 0);
            for (int i = 0; i < turns; i++)
                EDDY_CHECK_EQ(eddy_yield(), 0);
            eddy_scope_cancel(&s);
            eddy_join(&s);
        }
        received += n == 1;
        left += n == -ECANCELED;
        if (n == -ECANCELED) {
            EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, &fd, 1, &count), 1);
            EDDY_CHECK_EQ(count, 1);
        }
        is_marked(&m, fd);
        close(fd);
    }
    EDDY_CHECK_EQ(received + left, 10);
    EDDY_CHECK(received > 0 && left > 0);
    end_mark(&m);
}

struct read_two_args {
    struct eddy_stream *s;
    ssize_t *ret;
};

static int read_two(struct read_two_args *a)
{
    char buf[8];

    *a->ret = eddy_read(a->s, buf, sizeof buf);
    return 0;
}
EDDY_TASK(read_two);

/* What the wait has left behind is no answer to the next call. */
EDDY_TEST(after_a_cancelled_receive_reads_are_right)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    ssize_t first = 99, second = 99;
    int fd = -1;

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    {
        EDDY_SCOPE(s, .isolate = true);
        EDDY_GO(&s, receive_one, .s = b, .ret = &first, .ret_fd = &fd);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        eddy_scope_cancel(&s);
        eddy_join(&s);
    }
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_SCOPE(s, .isolate = true);
    EDDY_GO(&s, read_two, .s = b, .ret = &second);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_write(a, "12345", 5), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(second, 5);
}

EDDY_TEST(reads_may_stand_before_descriptors)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    size_t count = 0;
    char buf[32];
    int fd = -1;

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    struct mark m = make_mark();
    EDDY_CHECK_EQ(eddy_write(a, "head", 4), 0);
    EDDY_CHECK_EQ(eddy_unix_send_fds(a, "fd", 2, &m.fd[1], 1), 0);
    EDDY_CHECK_EQ(eddy_write(a, "line\nrest", 9), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(b, buf, 4), 0);
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, 2, &fd, 1, &count), 2);
    EDDY_CHECK_EQ(count, 1);
    is_marked(&m, fd);
    close(fd);
    /* What was read ahead comes first, and has none. */
    EDDY_CHECK_EQ(eddy_read_until(b, EDDY_SLICE("\n"), buf, sizeof buf), 5);
    count = 77;
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, 2, &fd, 1, &count), 2);
    EDDY_CHECK_EQ(count, 0);
    EDDY_CHECK_EQ(eddy_unix_receive_fds(b, buf, sizeof buf, &fd, 1, &count), 2);
    EDDY_CHECK_MEM(buf, 2, "st", 2);
    end_mark(&m);
}

struct drain_args {
    struct eddy_stream *s;
    size_t *ret_bytes, *ret_fds;
};

static int drain(struct drain_args *a)
{
    static char buf[65536];
    size_t count = 0;
    ssize_t n;

    while ((n = eddy_unix_receive_fds(a->s, buf, sizeof buf, NULL, 0, &count)) > 0) {
        *a->ret_bytes += (size_t)n;
        *a->ret_fds += count;
    }
    return (int)n;
}
EDDY_TASK(drain);

/* More than the kernel holds: the sender waits for room, before and behind the descriptors. */
EDDY_TEST(sending_waits_for_room)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    static char large[1 << 20];
    size_t bytes = 0, fds = 0;

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    struct mark m = make_mark();
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, drain, .s = b, .ret_bytes = &bytes, .ret_fds = &fds);
        for (int i = 0; i < 4; i++)
            EDDY_CHECK_EQ(eddy_unix_send_fds(a, large, sizeof large, &m.fd[1], 1), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(a), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    EDDY_CHECK_EQ(bytes, 4 * sizeof large);
    EDDY_CHECK_EQ(fds, 4);
    end_mark(&m);
}

struct send_until_full_args {
    struct eddy_stream *s;
    int fd;
    int *ret;
};

static int send_until_full(struct send_until_full_args *a)
{
    static char large[1 << 16];

    do
        *a->ret = eddy_unix_send_fds(a->s, large, sizeof large, &a->fd, 1);
    while (*a->ret == 0);
    return 0;
}
EDDY_TASK(send_until_full);

EDDY_TEST(a_cancelled_send_breaks_and_leaks_nothing)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    int r = 1;

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    struct mark m = make_mark();
    {
        EDDY_SCOPE(s, .isolate = true);
        EDDY_GO(&s, send_until_full, .s = a, .fd = m.fd[1], .ret = &r);
        for (int i = 0; i < 20; i++)
            EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_ERR(eddy_unix_send_fds(a, "x", 1, m.fd, 1), -EBUSY);
        eddy_scope_cancel(&s);
        eddy_join(&s);
    }
    EDDY_CHECK_ERR(r, -ECANCELED);
    EDDY_CHECK_ERR(eddy_write(a, "x", 1), -EDDY_EBROKEN);
    end_mark(&m);
}

/* While a task waits for bytes, another closes the stream, or reads it, too. */
EDDY_TEST(closing_ends_a_receive)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    ssize_t n = 99;
    size_t count;
    char buf[4];
    int fd = -1;

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    EDDY_SCOPE(s, .isolate = true);
    EDDY_GO(&s, receive_one, .s = b, .ret = &n, .ret_fd = &fd);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(b, buf, sizeof buf, &fd, 1, &count), -EBUSY);
    EDDY_CHECK_ERR(eddy_read(b, buf, sizeof buf), -EBUSY);
    EDDY_CHECK_EQ(eddy_stream_close(b), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_ERR(n, -EBADF);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(b, buf, sizeof buf, &fd, 1, &count), -EBADF);
    EDDY_CHECK_ERR(eddy_unix_send_fds(b, "x", 1, &(int){ 0 }, 1), -EBADF);
}

EDDY_TEST(a_pair_is_two_streams)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    char buf[4];

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    EDDY_CHECK_EQ(eddy_write(a, "ping", 4), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(b, buf, 4), 0);
    EDDY_CHECK_EQ(eddy_write(b, "pong", 4), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(a, buf, 4), 0);
    EDDY_CHECK_EQ(eddy_stream_close(a), 0);
    EDDY_CHECK_EQ(eddy_read(b, buf, 4), 0);
}

EDDY_TEST(what_is_no_unix_socket_is_refused)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) tcp = NULL;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    EDDY_OWN(eddy_stream) over = NULL;
    struct eddy_address address;
    struct eddy_credentials who;
    char text[EDDY_ADDRESS_TEXT], buf[4];
    size_t count;
    int fd = 0;

    if (is_sim())
        return;
    EDDY_CHECK_EQ(eddy_stream_pair(&a, &b), 0);
    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &address), 0);
    EDDY_CHECK_EQ(eddy_connect(eddy_address_format(&address, text, sizeof text), NULL, &tcp), 0);
    for (int i = 0; i < 2; i++) {
        struct eddy_stream *s = i ? a : tcp;
        EDDY_CHECK_ERR(eddy_stream_peer_credentials(s, &who), -EOPNOTSUPP);
        EDDY_CHECK_ERR(eddy_unix_send_fds(s, "x", 1, &fd, 1), -EOPNOTSUPP);
        EDDY_CHECK_ERR(eddy_unix_receive_fds(s, buf, 4, &fd, 1, &count), -EOPNOTSUPP);
    }
    eddy_stream_free(EDDY_TAKE(a));
    eddy_stream_free(EDDY_TAKE(b));

    /* A filter above: its bytes are not the socket's; but who is there may be asked. */
    struct eddy_transport *t;
    struct eddy_buffer kept;
    if (!EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0) ||
        !EDDY_CHECK_EQ(eddy_stream_take_transport(a, &t, &kept), 0))
        return;
    eddy_buffer_done(&kept);
    EDDY_CHECK_EQ(eddy_filter_xor(t, 1, &t), 0);
    EDDY_CHECK_EQ(eddy_stream_of(t, &over), 0);
    EDDY_CHECK_EQ(eddy_stream_peer_credentials(over, &who), 0);
    EDDY_CHECK_ERR(eddy_unix_send_fds(over, "x", 1, &fd, 1), -EOPNOTSUPP);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(over, buf, 4, &fd, 1, &count), -EOPNOTSUPP);
    /* And arguments. */
    EDDY_CHECK_ERR(eddy_unix_send_fds(b, "", 0, &fd, 1), -EINVAL);
    EDDY_CHECK_ERR(eddy_unix_send_fds(b, "x", 1, &fd, 0), -EINVAL);
    EDDY_CHECK_ERR(eddy_unix_send_fds(b, "x", 1, &(int){ 999 }, 1), -EBADF);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(b, buf, 0, &fd, 1, &count), -EINVAL);
}

EDDY_TEST(entry_is_checked_first)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    size_t count;
    char buf[4];
    int fd = 0;

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    EDDY_CHECK_EQ(eddy_write(a, "x", 1), 0);
    EDDY_SCOPE(over, .timeout_ms = 0);
    eddy_scope_cancel(&over);
    EDDY_CHECK_ERR(eddy_unix_send_fds(a, "x", 1, &fd, 1), -ECANCELED);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(b, buf, 4, &fd, 1, &count), -ECANCELED);
}

EDDY_TEST(the_simulator_refuses)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    struct eddy_credentials who;
    size_t count;
    char buf[4];
    int fd = 0;

    if (!is_sim())
        return;
    EDDY_CHECK_ERR(eddy_unix_pair(&a, &b), -EDDY_ESIM);
    EDDY_CHECK_EQ(eddy_listen("unix:@x", NULL, &door), 0);
    if (!EDDY_CHECK_EQ(eddy_connect("unix:@x", NULL, &a), 0))
        return;
    EDDY_CHECK_ERR(eddy_stream_peer_credentials(a, &who), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_unix_send_fds(a, "x", 1, &fd, 1), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_unix_receive_fds(a, buf, 4, &fd, 1, &count), -EDDY_ESIM);
}

/* One exchange; every fault is told, and nothing stays open. */
static int exchange(int mark)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    size_t count = 0;
    char buf[8];
    int fd = -1;

    int r = eddy_unix_pair(&a, &b);
    if (r == 0)
        r = eddy_unix_send_fds(a, "x", 1, &mark, 1);
    if (r < 0)
        return r;
    ssize_t n = eddy_unix_receive_fds(b, buf, sizeof buf, &fd, 1, &count);
    if (fd >= 0)
        close(fd);
    return n < 0 ? (int)n : 0;
}

EDDY_TEST(every_failed_call_is_told_and_leaks_nothing)
{
    const enum eddy_fault_kind kinds[] = { EDDY_FAULT_SYS, EDDY_FAULT_ALLOC };

    if (is_sim())
        return;
    struct mark m = make_mark();
    EDDY_CHECK_EQ(exchange(m.fd[1]), 0); /* what is made once is there */
    for (size_t i = 0; i < 2; i++)
        for (struct eddy_fault f = eddy_fault_each(kinds[i]); eddy_fault_next(&f);) {
            int r = exchange(m.fd[1]);
            if (eddy_fault_fired(&f))
                EDDY_CHECK(r <= 0);
            else
                EDDY_CHECK_EQ(r, 0);
        }
    end_mark(&m);
}
