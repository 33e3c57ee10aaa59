/*
 * socat_test.c - a real peer tells what it sees of our sockets: socat
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool have_socat(void)
{
    if (access("/usr/bin/socat", X_OK) == 0)
        return true;
    EDDY_CHECK_FAIL("socat is missing: scripts/deps --test installs it");
    return false;
}

static pid_t socat(const char *from, const char *to)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl("/usr/bin/socat", "socat", from, to, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* A port that was free a moment ago. */
static unsigned free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&in, sizeof in) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &len) < 0)
        abort();
    close(fd);
    return ntohs(in.sin_port);
}

/* The first line that socat's command says. */
static void ask(const char *address, const struct eddy_connect_options *options, char *buf,
                size_t cap)
{
    EDDY_OWN(eddy_stream) s = NULL;
    int r = -ECONNREFUSED;
    ssize_t n = -1;

    buf[0] = '\0';
    while (r == -ECONNREFUSED || r == -ENOENT) {
        r = eddy_connect(address, options, &s);
        if (r < 0 && eddy_sleep(10) < 0)
            break;
    }
    if (EDDY_CHECK_EQ(r, 0))
        n = eddy_read_until(s, EDDY_SLICE("\n"), buf, cap - 1);
    EDDY_CHECK(n > 0);
    if (n > 0)
        buf[n - 1] = '\0';
}

EDDY_TEST(socat_sees_our_source)
{
    char from[64], address[64], said[64];
    const unsigned port = free_port();

    if (!have_socat())
        return;
    snprintf(from, sizeof from, "TCP4-LISTEN:%u,bind=127.0.0.1,reuseaddr", port);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    pid_t child = socat(from, "SYSTEM:echo $SOCAT_PEERADDR");
    EDDY_SCOPE(patience, .timeout_ms = 15000);
    ask(address, EDDY_OPT(connect, .source = "127.0.0.77:0"), said, sizeof said);
    EDDY_CHECK_STR(said, "127.0.0.77");
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

/* Version 1 is a line: what stands before everything else is what a shell reads first. */
EDDY_TEST(socat_reads_our_announcement_first)
{
    char path[64], to[64], said[128];
    struct eddy_proxy p = { .version = 1 };

    if (!have_socat())
        return;
    snprintf(to, sizeof to, "UNIX-LISTEN:/tmp/eddy-socat-%d", (int)getpid());
    snprintf(path, sizeof path, "unix:/tmp/eddy-socat-%d", (int)getpid());
    EDDY_CHECK_EQ(eddy_address_parse("203.0.113.5:1111", 0, &p.source, NULL), 0);
    EDDY_CHECK_EQ(eddy_address_parse("192.0.2.9:80", 0, &p.destination, NULL), 0);
    pid_t child = socat(to, "SYSTEM:read line; echo \"$line\"");
    EDDY_SCOPE(patience, .timeout_ms = 15000);
    ask(path, EDDY_OPT(connect, .proxy_header = &p), said, sizeof said);
    EDDY_CHECK_STR(said, "PROXY TCP4 203.0.113.5 192.0.2.9 1111 80\r");
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    unlink(path + 5);
}

/* Who connects by socat, under a mode that lets it. */
EDDY_TEST(a_socket_file_serves_socat)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    char path[64], to[64], buf[8] = "";

    if (!have_socat())
        return;
    snprintf(path, sizeof path, "unix:/tmp/eddy-socat-%d", (int)getpid());
    snprintf(to, sizeof to, "UNIX-CONNECT:/tmp/eddy-socat-%d", (int)getpid());
    if (!EDDY_CHECK_EQ(eddy_listen(path, EDDY_OPT(listen, .mode = 0600), &door), 0))
        return;
    pid_t child = socat("SYSTEM:printf hello", to);
    EDDY_SCOPE(patience, .timeout_ms = 15000);
    EDDY_CHECK_EQ(eddy_accept(door, &s), 0);
    if (s && EDDY_CHECK_EQ(eddy_read_exactly(s, buf, 5), 0))
        EDDY_CHECK_STR(buf, "hello");
    eddy_stream_free(EDDY_TAKE(s));
    waitpid(child, NULL, 0);
}
