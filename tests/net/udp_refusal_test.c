/*
 * What the kernel, the backend, and a fork refuse, is told as it is.
 *
 * backends: select poll epoll uring
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/udp.h>

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static int error;

static int failing_socket(int family, int type, int protocol)
{
    (void)family, (void)type, (void)protocol;
    return error;
}

static int failing_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    (void)fd, (void)addr, (void)len;
    return error;
}

static int failing_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    (void)fd, (void)level, (void)name, (void)value, (void)len;
    return error;
}

EDDY_TEST(what_opening_meets_is_told)
{
    static const struct {
        int (*socket)(int, int, int);
        int (*bind)(int, const struct sockaddr *, socklen_t);
        int (*connect)(int, const struct sockaddr *, socklen_t);
        int error;
    } at[] = {
        { failing_socket, NULL, NULL, -EMFILE },    { failing_socket, NULL, NULL, -ENFILE },
        { failing_socket, NULL, NULL, -ENOBUFS },   { failing_socket, NULL, NULL, -ENOMEM },
        { NULL, failing_bind, NULL, -EACCES },      { NULL, failing_bind, NULL, -EPERM },
        { NULL, NULL, failing_bind, -ENETUNREACH }, { NULL, NULL, failing_bind, -EPERM },
    };

    EDDY_CHECK(eddy_loop_current() != NULL);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        EDDY_OWN(eddy_udp) u = NULL;
        struct eddy_error err = { 0 };

        error = at[i].error;
        eddy__sys.socket = at[i].socket ? at[i].socket : eddy__sys_kernel.socket;
        eddy__sys.bind = at[i].bind ? at[i].bind : eddy__sys_kernel.bind;
        eddy__sys.connect = at[i].connect ? at[i].connect : eddy__sys_kernel.connect;
        EDDY_CHECK_ERR(eddy_udp_open("127.0.0.1:0",
                                     EDDY_OPT(udp, .connect = "127.0.0.1:9", .error = &err), &u),
                       error);
        EDDY_CHECK(strstr(err.text, "127.0.0.1:") != NULL);
    }
}

/* Which option the kernel did not take is named. */
EDDY_TEST(an_option_that_is_refused_is_named)
{
    static const struct {
        struct eddy_udp_options o;
        const char *name;
    } at[] = {
        { { .reuse_addr = true }, ".reuse_addr" },
        { { .reuse_port = true }, ".reuse_port" },
        { { .broadcast = true }, ".broadcast" },
        { { .receive_buffer = 1 }, ".receive_buffer" },
        { { .send_buffer = 1 }, ".send_buffer" },
        { { .packet_info = true }, ".packet_info" },
        { { .tell_tos = true }, ".tell_tos" },
        { { .ttl = 1 }, ".ttl" },
        { { .multicast_ttl = 1 }, ".multicast_ttl" },
        { { .no_multicast_loop = true }, ".no_multicast_loop" },
        { { .multicast_interface = "lo" }, ".multicast_interface" },
        { { .interface = "lo" }, ".interface" },
    };

    EDDY_CHECK(eddy_loop_current() != NULL);
    eddy__sys.setsockopt = failing_setsockopt;
    error = -EPERM;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        EDDY_OWN(eddy_udp) u = NULL;
        struct eddy_error err = { 0 };
        struct eddy_udp_options o = at[i].o;

        o.size = sizeof o;
        o.error = &err;
        EDDY_CHECK_ERR(eddy_udp_open("127.0.0.1:0", &o, &u), -EPERM);
        EDDY_CHECK(strstr(err.text, at[i].name) != NULL);
    }
    /* But segments that are not joined come one by one: nothing is refused. */
    EDDY_OWN(eddy_udp) u = NULL;
    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", EDDY_OPT(udp, .gro = true), &u), 0);
}

static void on_datagram(void *ctx, const struct eddy_datagram *d, int why)
{
    (void)ctx, (void)d, (void)why;
}

EDDY_TEST(a_start_without_memory_is_refused)
{
    EDDY_OWN(eddy_udp) u = NULL;
    struct eddy_datagram d = { .ptr = (char[1]){ 0 }, .cap = 1 };

    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &u), 0);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = eddy_udp_start(u, on_datagram, NULL);
        eddy_fault_stop();
        EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
        eddy_udp_stop(u);
    }
    struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC);
    EDDY_CHECK(eddy_fault_next(&f));
    EDDY_SCOPE(patience, .timeout_ms = 1);
    EDDY_CHECK_ERR(eddy_udp_receive_many(u, &d, 1), -ETIMEDOUT);
    eddy_fault_stop();
}

/* An operation that fails is told to those who wait, and to the callback, which then is no more. */
static void heard(void *ctx, const struct eddy_datagram *d, int why)
{
    EDDY_CHECK(!d);
    *(int *)ctx = why;
}

EDDY_TEST(a_failed_wait_is_told)
{
    EDDY_OWN(eddy_udp) u = NULL;
    char byte;
    int told = 0;

    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &u), 0);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        EDDY_SCOPE(patience, .timeout_ms = 1);
        ssize_t n = eddy_udp_receive(u, &byte, 1, NULL);
        eddy_fault_stop();
        EDDY_CHECK(n < 0 && (n == -ETIMEDOUT) == !eddy_fault_fired(&f));
    }
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        told = 0;
        int r = eddy_udp_start(u, heard, &told);
        for (int i = 0; i < 10; i++)
            eddy_loop_turn(eddy_loop_current(), 0);
        eddy_fault_stop();
        EDDY_CHECK((r < 0 || told < 0) == eddy_fault_fired(&f));
        eddy_udp_stop(u);
    }
}

static int high_socket(int family, int type, int protocol)
{
    int fd = eddy__sys_kernel.socket(family, type, protocol);

    if (fd < 0)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 1100);
    (void)close(fd);
    return high < 0 ? -EMFILE : high;
}

EDDY_TEST(past_fd_setsize_is_the_backends_affair)
{
    const bool is_select = strcmp(eddy_check_backend(), "select") == 0;
    EDDY_OWN(eddy_udp) u = NULL;
    struct rlimit old, more = { .rlim_cur = 2048, .rlim_max = 2048 };
    char byte;

    if (!EDDY_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0))
        return;
    more.rlim_max = old.rlim_max;
    if (old.rlim_max < 2048) {
        EDDY_CHECK_NOT_RUN("at most 2048 descriptors may be open here");
        return;
    }
    EDDY_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &more), 0);
    EDDY_CHECK(eddy_loop_current() != NULL);
    eddy__sys.socket = high_socket;
    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &u), 0);
    EDDY_SCOPE(patience, .timeout_ms = 1);
    EDDY_CHECK_ERR(eddy_udp_receive(u, &byte, 1, NULL), is_select ? -ERANGE : -ETIMEDOUT);
    EDDY_CHECK_ERR(eddy_udp_start(u, on_datagram, NULL), is_select ? -ERANGE : 0);
    (void)setrlimit(RLIMIT_NOFILE, &old);
}

EDDY_TEST(a_forks_child_is_refused)
{
    EDDY_OWN(eddy_udp) u = NULL;
    struct eddy_address a;
    char buf[8];
    int status = -1;

    EDDY_CHECK_EQ(eddy_udp_open("unix:fork.sock", NULL, &u), 0);
    EDDY_CHECK_EQ(eddy_udp_address(u, &a), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct eddy_datagram d = { .ptr = buf, .cap = sizeof buf };
        bool ok = eddy_udp_receive(u, buf, sizeof buf, NULL) == -EDDY_EFORKED &&
                  eddy_udp_receive_many(u, &d, 1) == -EDDY_EFORKED &&
                  eddy_udp_send(u, &a, "x", 1) == -EDDY_EFORKED &&
                  eddy_udp_try_send(u, &a, "x", 1) == -EDDY_EFORKED &&
                  eddy_udp_send_many(u, &d, 1) == -EDDY_EFORKED &&
                  eddy_udp_start(u, on_datagram, NULL) == -EDDY_EFORKED &&
                  eddy_udp_join(u, "239.0.0.1", NULL) == -EDDY_EFORKED && eddy_udp_close(u) == 0;
        _exit(ok ? 0 : 1);
    }
    EDDY_CHECK_EQ(waitpid(pid, &status, 0), pid);
    EDDY_CHECK_EQ(status, 0);
    /* The parent's goes on, path and all. */
    EDDY_CHECK_EQ(eddy_udp_send(u, &a, "on", 2), 0);
    EDDY_CHECK_EQ(eddy_udp_receive(u, buf, sizeof buf, NULL), 2);
}
