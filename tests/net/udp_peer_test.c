/*
 * Datagrams to and from a program that knows nothing of us: socat.
 *
 * backends: epoll uring
 */
#include "check.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/udp.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

struct socat {
    pid_t pid; /* 0: not started */
    int in, out;
};

/* Between its standard streams, or an echo, and an address. */
static bool start(struct socat *s, const char *one, const char *other)
{
    char *const argv[] = { "socat", (char *)(uintptr_t)one, (char *)(uintptr_t)other, NULL };
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    if (!EDDY_CHECK_EQ(pipe2(in, O_CLOEXEC), 0) || !EDDY_CHECK_EQ(pipe2(out, O_CLOEXEC), 0))
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    int r = posix_spawnp(&s->pid, "socat", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    s->in = in[1];
    s->out = out[0];
    if (r) {
        s->pid = 0;
        return EDDY_CHECK_FAIL("socat cannot be started (%s): run scripts/deps --test",
                               strerror(r));
    }
    return true;
}

static void stop(struct socat *s)
{
    if (s->pid) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    (void)close(s->in);
    (void)close(s->out);
}

/* What it says on its standard output: it has it already, or nearly. */
static void says(const struct socat *s, const char *want)
{
    char buf[32];
    size_t len = 0;
    struct pollfd p = { .fd = s->out, .events = POLLIN };

    while (len < strlen(want) && poll(&p, 1, 20000) > 0) {
        ssize_t n = read(s->out, buf + len, sizeof buf - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    EDDY_CHECK_MEM(buf, len, want, strlen(want));
}

static void socat_asks(const char *local, const char *address)
{
    EDDY_OWN(eddy_udp) server = NULL;
    struct eddy_address a, from;
    struct socat s = { 0 };
    char text[256], buf[32];

    if (!EDDY_CHECK_EQ(eddy_udp_open(local, NULL, &server), 0) ||
        !EDDY_CHECK_EQ(eddy_udp_address(server, &a), 0))
        return;
    (void)snprintf(text, sizeof text, "%s", address);
    if (eddy_address_port(&a))
        (void)snprintf(text, sizeof text, "%s:%u", address, eddy_address_port(&a));
    if (start(&s, "STDIO", text)) {
        EDDY_SCOPE(patience, .timeout_ms = 20000);
        EDDY_CHECK_EQ(write(s.in, "ping\n", 5), 5);
        EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, &from), 5);
        EDDY_CHECK_MEM(buf, 5, "ping\n", 5);
        EDDY_CHECK_EQ(eddy_udp_send(server, &from, "pong\n", 5), 0);
        says(&s, "pong\n");
    }
    stop(&s);
}

EDDY_TEST(socat_asks_and_is_answered)
{
    socat_asks("127.0.0.1:0", "UDP4:127.0.0.1");
    socat_asks("[::1]:0", "UDP6:[::1]");
    socat_asks("unix:eddy.sock", "UNIX-SENDTO:eddy.sock,bind=socat.sock");
    (void)unlink("socat.sock");
}

/* A port that the system has given to nobody just now. */
static uint16_t free_port(const char *local)
{
    EDDY_OWN(eddy_udp) u = NULL;
    struct eddy_address a = { 0 };

    EDDY_CHECK_EQ(eddy_udp_open(local, NULL, &u), 0);
    EDDY_CHECK_EQ(eddy_udp_address(u, &a), 0);
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(u)), 0);
    return eddy_address_port(&a);
}

static void socat_answers(const char *local, const char *host, const char *listen)
{
    EDDY_OWN(eddy_udp) client = NULL;
    uint16_t port = free_port(local);
    struct socat s = { 0 };
    char text[64], buf[32];
    ssize_t n = -1;

    (void)snprintf(text, sizeof text, "%s:%u,bind=%s", listen, port, host);
    if (start(&s, text, "PIPE")) {
        EDDY_SCOPE(patience, .timeout_ms = 20000);
        (void)snprintf(text, sizeof text, "%s:%u", host, port);
        EDDY_CHECK_EQ(eddy_udp_open(NULL, EDDY_OPT(udp, .connect = text), &client), 0);
        /* Until it is up there is nobody, which we are told of (and sleep no less for). */
        while (n < 0 && eddy_sleep(1) == 0) {
            EDDY_SCOPE(answer, .timeout_ms = 500);
            n = eddy_udp_send(client, NULL, "echo", 4);
            if (n == 0)
                n = eddy_udp_receive(client, buf, sizeof buf, NULL);
            EDDY_CHECK(n >= 0 || n == -ECONNREFUSED || n == -ETIMEDOUT);
        }
        EDDY_CHECK_EQ(n, 4);
        EDDY_CHECK_MEM(buf, 4, "echo", 4);
    }
    stop(&s);
}

EDDY_TEST(socat_is_asked_and_answers)
{
    socat_answers("127.0.0.1:0", "127.0.0.1", "UDP4-LISTEN");
    socat_answers("[::1]:0", "[::1]", "UDP6-LISTEN");
}
