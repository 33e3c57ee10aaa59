/* bench/echo/epoll.c - the floor: a bare loop */
#include "scene.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const stack_name = "bare-epoll";

static char buf[65536];

static void watch(int epoll, int fd, unsigned events)
{
    struct epoll_event e = { .events = events, .data.fd = fd };

    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

/* Waits where the peer does not read: there is one connection. */
static void echo(int fd)
{
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    for (ssize_t at = 0; at < n;) {
        ssize_t sent = send(fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent > 0) {
            at += sent;
        } else {
            struct epoll_event e;
            int room = epoll_create1(EPOLL_CLOEXEC);
            watch(room, fd, EPOLLOUT);
            epoll_wait(room, &e, 1, -1);
            close(room);
        }
    }
}

void stack_echo(int listener)
{
    struct epoll_event batch[16];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, batch, 16, -1);
        for (int i = 0; i < count; i++) {
            if (batch[i].data.fd == listener)
                watch(epoll, accept4(listener, NULL, NULL, SOCK_NONBLOCK), EPOLLIN);
            else
                echo(batch[i].data.fd);
        }
    }
}
