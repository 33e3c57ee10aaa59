/*
 * bench/floor/epoll.c - the floor: what the kernel alone costs
 *
 * One thread, level-triggered epoll, and no HTTP at all: every read is answered with one canned
 * reply, or with one for each REQUEST_LENGTH bytes that came, in a single write. What a real
 * server adds to this is its own work. Links nothing of eddy.
 *
 *     floor-epoll PORT [REQUEST_LENGTH]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 512
#define COPIES 256
#define DESCRIPTORS 20000

static const char reply[] =
    "HTTP/1.1 200 OK\r\nServer: f\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n"
    "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
#define REPLY_LENGTH (sizeof reply - 1)

static char canned[REPLY_LENGTH * COPIES];
static uint32_t left_over[DESCRIPTORS]; /* bytes of a request that is not whole yet */

static int listen_on(int port)
{
    const int on = 1;
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited */
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 4096) < 0) {
        perror("floor-epoll: bind");
        exit(1);
    }
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };

    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= DESCRIPTORS) {
            close(fd);
            continue;
        }
        left_over[fd] = 0;
        watch(epoll, fd);
    }
}

static void answer(int fd, uint32_t request_length)
{
    static char buf[65536];
    ssize_t got = recv(fd, buf, sizeof buf, 0);
    uint32_t replies = 1;

    if (got <= 0) {
        close(fd);
        return;
    }
    if (request_length) {
        left_over[fd] += (uint32_t)got;
        replies = left_over[fd] / request_length;
        left_over[fd] %= request_length;
        if (replies > COPIES)
            replies = COPIES;
    }
    if (replies && send(fd, canned, replies * REPLY_LENGTH, MSG_NOSIGNAL) < 0)
        close(fd);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8081;
    uint32_t request_length = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
    struct epoll_event batch[BATCH];

    for (size_t i = 0; i < COPIES; i++)
        memcpy(canned + i * REPLY_LENGTH, reply, REPLY_LENGTH);
    int listener = listen_on(port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        int count = epoll_wait(epoll, batch, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (batch[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(batch[i].data.fd, request_length);
        }
    }
}
