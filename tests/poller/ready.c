/*
 * ready.c - see ready.h
 */
#include "ready.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *backend(void)
{
    return *eddy_check_backend() ? eddy_check_backend() : "epoll";
}

bool is(const char *name)
{
    return strcmp(backend(), name) == 0;
}

bool is_library(void)
{
#ifdef __linux__
    return is("kqueue");
#else
    return false;
#endif
}

struct eddy_poller *open_poller(void)
{
    struct eddy_poller *p = NULL;

    if (!EDDY_CHECK_EQ(eddy_poller_open(backend(), &p), 0))
        abort();
    return p;
}

void make_pair(int fd[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
        abort();
}

void make_tcp(int fd[2])
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    int door = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(door, (struct sockaddr *)&addr, len) < 0 || listen(door, 1) < 0 ||
        getsockname(door, (struct sockaddr *)&addr, &len) < 0)
        abort();
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd[0], (struct sockaddr *)&addr, len) < 0)
        abort();
    fd[1] = accept(door, NULL, NULL);
    close(door);
}

void close_pair(int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

unsigned events_within(struct eddy_poller *p, uint64_t token, int64_t timeout_ns)
{
    struct eddy_ready ready[4] = { { 0 } };
    int n = eddy_poller_wait(p, timeout_ns, ready, 4);

    if (n == 0)
        return 0;
    if (!EDDY_CHECK_EQ(n, 1) || !EDDY_CHECK(ready[0].token == token))
        return ~0U;
    return ready[0].events;
}

unsigned told(unsigned events)
{
    return is("select") ? events & BOTH : events;
}
