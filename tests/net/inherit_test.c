/*
 * Sockets that somebody else has opened: by descriptor here, by systemd's variables in programs of
 * our own, and by systemd's own program.
 *
 * A child is this program again: with EDDY_CHILD set, the test of that name runs what a child does,
 * and leaves with 0 when all of it held.
 *
 * backends: select poll epoll uring sim
 */
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* A listening socket of the plain kind; where it is. */
static int open_listener(const char *address, int type, char text[EDDY_ADDRESS_TEXT])
{
    struct eddy_address a;

    if (eddy_address_parse(address, 0, &a, NULL) != 0)
        abort();
    int fd = socket(eddy_address_family(&a), type, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a.storage, a.len) < 0 ||
        ((type & 0xf) == SOCK_STREAM && listen(fd, 16) < 0))
        abort();
    a.len = sizeof a.storage;
    if (getsockname(fd, (struct sockaddr *)&a.storage, &a.len) < 0)
        abort();
    eddy_address_format(&a, text, EDDY_ADDRESS_TEXT);
    return fd;
}

/* An abstract one, of this process: tests of other backends run beside it. */
static const char *own_name(const char *what)
{
    static char text[64];

    snprintf(text, sizeof text, "unix:@eddy-%s-%d", what, (int)getpid());
    return text;
}

static const char *fd_text(int fd)
{
    static char text[32];

    snprintf(text, sizeof text, "fd:%d", fd);
    return text;
}

static bool exchange(struct eddy_listener *door, const char *address)
{
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char buf[4];

    return EDDY_CHECK_EQ(eddy_connect(address, NULL, &client), 0) &&
           EDDY_CHECK_EQ(eddy_accept(door, &server), 0) &&
           EDDY_CHECK_EQ(eddy_write(client, "ping", 4), 0) &&
           EDDY_CHECK_EQ(eddy_read_exactly(server, buf, 4), 0) &&
           EDDY_CHECK_EQ(eddy_write(server, "pong", 4), 0) &&
           EDDY_CHECK_EQ(eddy_read_exactly(client, buf, 4), 0) && EDDY_CHECK_MEM(buf, 4, "pong", 4);
}

/* --- by descriptor ---------------------------------------------------------------------------- */

EDDY_TEST(a_blocking_socket_stays_blocking)
{
    static const int types[] = { SOCK_STREAM, SOCK_STREAM | SOCK_NONBLOCK };
    char text[EDDY_ADDRESS_TEXT];

    if (is_sim())
        return;
    for (size_t i = 0; i < 2; i++) {
        EDDY_OWN(eddy_listener) door = NULL;
        EDDY_OWN(eddy_stream) nobody = NULL;
        int fd = open_listener("127.0.0.1:0", types[i], text), kept = dup(fd);
        EDDY_CHECK_EQ(eddy_listen(fd_text(fd), NULL, &door), 0);
        EDDY_CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        EDDY_CHECK_EQ(eddy_listener_fd(door), fd);
        exchange(door, text);
        exchange(door, text);
        {
            /* Nobody comes: the wait is over in time, so nothing blocks in the kernel. */
            EDDY_SCOPE(patience, .timeout_ms = 50);
            EDDY_CHECK_ERR(eddy_accept(door, &nobody), -ETIMEDOUT);
        }
        EDDY_CHECK_EQ(fcntl(kept, F_GETFL) & O_NONBLOCK, i ? O_NONBLOCK : 0);
        close(kept);
    }
}

/* Who looked has found it ready; when it accepts, somebody else has been faster. */
static int steal_next = -1;

static int steal(struct pollfd *fds, nfds_t count, int64_t timeout_ns)
{
    int r = eddy__sys_kernel.poll(fds, count, timeout_ns);

    if (r == 1 && fds[0].fd == steal_next && timeout_ns == 0) {
        close(accept(steal_next, NULL, NULL));
        steal_next = -1;
        r = eddy__sys_kernel.poll(fds, count, timeout_ns);
    }
    return r;
}

EDDY_TEST(a_connection_that_went_before_the_look_holds_nobody)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) first = NULL;
    EDDY_OWN(eddy_stream) nobody = NULL;
    char text[EDDY_ADDRESS_TEXT];

    if (is_sim())
        return;
    int fd = open_listener("127.0.0.1:0", SOCK_STREAM, text);
    EDDY_CHECK_EQ(eddy_listen(fd_text(fd), NULL, &door), 0);
    eddy__sys.poll = steal;
    steal_next = fd;
    EDDY_CHECK_EQ(eddy_connect(text, NULL, &first), 0);
    EDDY_SCOPE(patience, .timeout_ms = 100);
    int r = eddy_accept(door, &nobody);
    /* On the ring the kernel waits by itself, and nobody looked. */
    EDDY_CHECK(r == -ETIMEDOUT || (r == 0 && steal_next == fd));
}

EDDY_TEST(what_does_not_listen_is_refused)
{
    struct eddy_listener *door = NULL;
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];
    int pair[2], pipes[2];

    if (is_sim())
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(pipes) < 0)
        abort();
    int datagrams = open_listener("127.0.0.1:0", SOCK_DGRAM, text);
    int packets = open_listener(own_name("packets"), SOCK_SEQPACKET, text);
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    const struct {
        int fd, want;
        const char *says;
    } cases[] = {
        { datagrams, -ENOTSOCK, "datagrams" },  { packets, -ENOTSOCK, "datagrams" },
        { pair[0], -ENOTSOCK, "a connection" }, { silent, -ENOTSOCK, "a connection" },
        { pipes[0], -ENOTSOCK, "no socket" },   { 9999, -EBADF, "not open" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "descriptor %d ", cases[i].fd);
        EDDY_CHECK_ERR(eddy_listen(fd_text(cases[i].fd), EDDY_OPT(listen, .error = &err), &door),
                       cases[i].want);
        if (!EDDY_CHECK(strstr(err.text, cases[i].says) && strstr(err.text, text)))
            printf("case %zu: %s\n", i, err.text);
        /* It is left as it was, and open. */
        EDDY_CHECK_EQ(fcntl(cases[i].fd, F_GETFD), cases[i].want == -EBADF ? -1 : 0);
    }
    EDDY_CHECK_ERR(eddy_listen("fd:x", EDDY_OPT(listen, .error = &err), &door), -EINVAL);
    EDDY_CHECK_ERR(eddy_listen("fd:", NULL, &door), -EINVAL);
    EDDY_CHECK_ERR(eddy_listen("fd:99999999999", NULL, &door), -EINVAL);
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(pipes[i]);
    }
    close(datagrams);
    close(packets);
    close(silent);
}

EDDY_TEST(options_of_a_socket_that_is_open)
{
    struct eddy_listener *door = NULL;
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];

    if (is_sim())
        return;
    int fd = open_listener("127.0.0.1:0", SOCK_STREAM, text);
    const char *where = fd_text(fd);
    EDDY_CHECK_ERR(eddy_listen(where, EDDY_OPT(listen, .interface = "lo"), &door), -EINVAL);
    EDDY_CHECK_ERR(eddy_listen(where, EDDY_OPT(listen, .mode = 0600), &door), -EINVAL);
    EDDY_CHECK_ERR(eddy_listen(where, EDDY_OPT(listen, .v6_only = true), &door), -EINVAL);
    EDDY_CHECK_ERR(eddy_listen(where, EDDY_OPT(listen, .reuse_port = true, .error = &err), &door),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, ".reuse_port does not fit") != NULL);
    close(fd);
}

EDDY_TEST(a_detached_socket_listens_on)
{
    struct eddy_listener *door = NULL;
    struct eddy_stream *server = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    struct stat st;
    char buf[2];

    if (is_sim()) {
        EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
        EDDY_CHECK_ERR(eddy_listener_detach(door), -EDDY_ESIM);
        eddy_listener_free(door);
        EDDY_CHECK_ERR(eddy_listen("fd:3", NULL, &door), -EDDY_ESIM);
        EDDY_CHECK_ERR(eddy_listen_inherited(NULL, 0, NULL, &door), -ENOENT);
        return;
    }
    EDDY_CHECK_EQ(eddy_listen("unix:detach.sock", NULL, &door), 0);
    if (!door)
        return;
    exchange(door, "unix:detach.sock"); /* an accept stays armed */
    int fd = eddy_listener_detach(door);
    EDDY_CHECK(fd >= 0);
    EDDY_CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 10; i++)
        eddy_yield();
    EDDY_CHECK_EQ(stat("detach.sock", &st), 0);
    EDDY_CHECK_EQ(eddy_connect("unix:detach.sock", NULL, &client), 0); /* nobody accepts yet */
    EDDY_CHECK_EQ(eddy_listen(fd_text(fd), NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    EDDY_CHECK_EQ(eddy_write(client, "ok", 2), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(server, buf, 2), 0);
    eddy_stream_free(server);
    eddy_listener_free(door);
    for (int i = 0; i < 10; i++)
        eddy_yield();
    EDDY_CHECK_EQ(stat("detach.sock", &st), 0); /* who bound it removes it */
    unlink("detach.sock");
}

static int no_room(int fd, int command, int argument)
{
    return command == F_DUPFD_CLOEXEC ? -EMFILE : eddy__sys_kernel.fcntl(fd, command, argument);
}

EDDY_TEST(a_detach_without_room_leaves_it_listening)
{
    EDDY_OWN(eddy_listener) door = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_EQ(eddy_listen("unix:eddy-room.sock", NULL, &door), 0);
    eddy__sys.fcntl = no_room;
    EDDY_CHECK_ERR(eddy_listener_detach(door), -EMFILE);
    eddy__sys = eddy__sys_kernel;
    exchange(door, "unix:eddy-room.sock");
}

/* --- by systemd's variables ------------------------------------------------------------------- */

static bool is_child(const char *name)
{
    const char *child = getenv("EDDY_CHILD");

    return child && strcmp(child, name) == 0;
}

/* The rest of a child: 0 when all held. */
static void leave(bool good)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
    fflush(stdout);
    _exit(good ? 0 : 1);
}

/* This program again, with @fds from 3 on and the variables set; for_me: with its own number. */
static pid_t start_child(const char *name, const int *fds, int count, const char *names,
                         bool for_me)
{
    char text[32];

    fflush(stdout);
    pid_t child = fork();
    if (child)
        return child;
    int high[8];
    for (int i = 0; i < count; i++)
        high[i] = fcntl(fds[i], F_DUPFD, 100);
    for (int i = 0; i < count; i++) {
        dup2(high[i], 3 + i);
        close(high[i]);
    }
    snprintf(text, sizeof text, "%d", (int)getpid() + !for_me);
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", count);
    setenv("LISTEN_FDS", text, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
    setenv("EDDY_CHILD", name, 1);
    execl("/proc/self/exe", "inherit_test", name, (char *)NULL);
    _exit(127);
}

static void expect_good(pid_t child)
{
    int status = -1;

    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK_EQ(status, 0);
}

static bool child_finds(void)
{
    EDDY_OWN(eddy_listener) web = NULL;
    EDDY_OWN(eddy_listener) admin = NULL;
    EDDY_OWN(eddy_listener) web2 = NULL;
    EDDY_OWN(eddy_listener) none = NULL;
    struct eddy_error err = { 0 };

    bool good = EDDY_CHECK_EQ(eddy_inherited_count(NULL), 3);
    good &= EDDY_CHECK_EQ(eddy_inherited_count("web"), 2);
    good &= EDDY_CHECK_EQ(eddy_inherited_count("admin"), 1);
    good &= EDDY_CHECK_EQ(eddy_inherited_count("x"), 0);
    good &= EDDY_CHECK(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
    for (int fd = 3; fd < 6; fd++)
        good &= EDDY_CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);

    good &= EDDY_CHECK_EQ(eddy_listen("systemd:admin", NULL, &admin), 0);
    good &= EDDY_CHECK_EQ(eddy_listen_inherited("web", 1, NULL, &web2), 0);
    good &= EDDY_CHECK_ERR(eddy_listen_inherited("web", 1, EDDY_OPT(listen, .error = &err), &none),
                           -EBUSY);
    good &= EDDY_CHECK(strstr(err.text, "in use") != NULL);
    good &= EDDY_CHECK_EQ(eddy_listen("systemd:", NULL, &web), 0); /* the one that is left */
    good &= EDDY_CHECK_ERR(eddy_listen("systemd:", EDDY_OPT(listen, .error = &err), &none),
                           -ENOENT);
    good &= EDDY_CHECK(strstr(err.text, "no more sockets") != NULL);
    good &= EDDY_CHECK_ERR(eddy_listen("systemd:x", EDDY_OPT(listen, .error = &err), &none),
                           -ENOENT);
    good &= EDDY_CHECK(strstr(err.text, "named x") != NULL);
    good &= EDDY_CHECK_ERR(eddy_listen_inherited(NULL, 3, NULL, &none), -ENOENT);
    if (!good)
        return false;
    EDDY_CHECK_EQ(eddy_listener_fd(web), 3);
    EDDY_CHECK_EQ(eddy_listener_fd(admin), 4);
    EDDY_CHECK_EQ(eddy_listener_fd(web2), 5);

    /* Somebody outside has connected to the second already. */
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(patience, .timeout_ms = 10000);
    return EDDY_CHECK_EQ(eddy_accept(admin, &s), 0) && EDDY_CHECK_EQ(eddy_write(s, "hello", 5), 0);
}

EDDY_TEST(inherited_sockets_are_found)
{
    char text[EDDY_ADDRESS_TEXT], admin_text[EDDY_ADDRESS_TEXT], buf[8] = "";
    struct eddy_address a;

    if (is_child("inherited_sockets_are_found"))
        leave(child_finds());
    if (is_sim())
        return;
    const int fds[] = { open_listener("127.0.0.1:0", SOCK_STREAM, text),
                        open_listener(own_name("admin"), SOCK_STREAM, admin_text),
                        open_listener("[::1]:0", SOCK_STREAM, text) };
    EDDY_CHECK_EQ(eddy_address_parse(admin_text, 0, &a, NULL), 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    EDDY_CHECK_EQ(connect(client, (struct sockaddr *)&a.storage, a.len), 0);
    pid_t child = start_child("inherited_sockets_are_found", fds, 3, "web:admin:web", true);
    EDDY_CHECK_EQ(recv(client, buf, 5, MSG_WAITALL), 5);
    EDDY_CHECK_MEM(buf, 5, "hello", 5);
    expect_good(child);
    EDDY_CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0); /* ours is as it was */
    close(client);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static bool child_is_another(void)
{
    struct eddy_listener *none = NULL;
    struct eddy_error err = { 0 };

    return EDDY_CHECK_EQ(eddy_inherited_count(NULL), 0) &&
           EDDY_CHECK_ERR(eddy_listen("systemd:", EDDY_OPT(listen, .error = &err), &none),
                          -ENOENT) &&
           EDDY_CHECK(strstr(err.text, ".socket unit") != NULL) &&
           EDDY_CHECK(getenv("LISTEN_PID") && getenv("LISTEN_FDS")) &&
           EDDY_CHECK_EQ(fcntl(3, F_GETFD), 0);
}

EDDY_TEST(anothers_sockets_are_left_alone)
{
    char text[EDDY_ADDRESS_TEXT];

    if (is_child("anothers_sockets_are_left_alone"))
        leave(child_is_another());
    if (is_sim())
        return;
    int fd = open_listener("127.0.0.1:0", SOCK_STREAM, text);
    expect_good(start_child("anothers_sockets_are_left_alone", &fd, 1, NULL, false));
    close(fd);
}

/* Without names, and with one that cannot be used: it is told, and stays to be taken. */
static bool child_has_no_names(void)
{
    EDDY_OWN(eddy_listener) l = NULL;
    struct eddy_error err = { 0 };

    return EDDY_CHECK_EQ(eddy_inherited_count("unknown"), 2) &&
           EDDY_CHECK_ERR(eddy_listen("systemd:", EDDY_OPT(listen, .error = &err), &l),
                          -ENOTSOCK) &&
           EDDY_CHECK(strstr(err.text, "descriptor 3 ") && strstr(err.text, "ListenDatagram")) &&
           EDDY_CHECK_ERR(eddy_listen_inherited(NULL, 0, NULL, &l), -ENOTSOCK) &&
           EDDY_CHECK_EQ(eddy_listen_inherited(NULL, 1, NULL, &l), 0) &&
           EDDY_CHECK_EQ(eddy_inherited_count(NULL), 2);
}

EDDY_TEST(the_environment_is_cleared)
{
    char text[EDDY_ADDRESS_TEXT];

    if (is_child("the_environment_is_cleared"))
        leave(child_has_no_names());
    if (is_sim())
        return;
    const int fds[] = { open_listener("127.0.0.1:0", SOCK_DGRAM, text),
                        open_listener("127.0.0.1:0", SOCK_STREAM, text) };
    expect_good(start_child("the_environment_is_cleared", fds, 2, NULL, true));
    close(fds[0]);
    close(fds[1]);
}

/* --- by systemd ------------------------------------------------------------------------------- */

static bool child_of_systemd(void)
{
    EDDY_OWN(eddy_listener) l = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_SCOPE(patience, .timeout_ms = 10000);

    return EDDY_CHECK_EQ(eddy_listen("systemd:door", NULL, &l), 0) &&
           EDDY_CHECK_EQ(eddy_accept(l, &s), 0) && EDDY_CHECK_EQ(eddy_write(s, "active", 6), 0);
}

EDDY_TEST(systemds_own_program_starts_us)
{
    char path[200], address[256], cwd[150], buf[8];

    if (is_child("systemds_own_program_starts_us"))
        leave(child_of_systemd());
    if (is_sim())
        return;
    if (access("/usr/bin/systemd-socket-activate", X_OK) < 0) {
        EDDY_CHECK_FAIL("systemd-socket-activate is missing: scripts/deps --test installs it");
        return;
    }
    if (!getcwd(cwd, sizeof cwd))
        abort();
    /* Short enough for a Unix socket, wherever the tests run. */
    snprintf(path, sizeof path, "/tmp/eddy-activate-%d", (int)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char exe[256] = "";
        ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
        setenv("EDDY_CHILD", "systemds_own_program_starts_us", 1);
        /* Only what is named is handed on. */
        char backend[64];
        snprintf(backend, sizeof backend, "EDDY_BACKEND=%s", eddy_check_backend());
        if (n > 0)
            execl("/usr/bin/systemd-socket-activate", "systemd-socket-activate", "-l", path,
                  "--fdname=door", "-E", "EDDY_CHILD", "-E", backend, exe,
                  "systemds_own_program_starts_us", (char *)NULL);
        _exit(127);
    }
    EDDY_OWN(eddy_stream) s = NULL;
    int r = -ENOENT;
    EDDY_SCOPE(patience, .timeout_ms = 15000);
    while (r == -ENOENT || r == -ECONNREFUSED) {
        r = eddy_connect(address, NULL, &s);
        if (r < 0 && eddy_sleep(10) < 0)
            break;
    }
    EDDY_CHECK_EQ(r, 0);
    if (s && EDDY_CHECK_EQ(eddy_read_exactly(s, buf, 6), 0))
        EDDY_CHECK_MEM(buf, 6, "active", 6);
    expect_good(child);
    unlink(path);
}
