/*
 * bench/udp/eddy.c - datagrams by eddy: one at a time, in batches, by callbacks; and by nothing but
 * epoll and recvmmsg(2), the floor
 */
#include "scene.h"

#include <arpa/inet.h>
#include <eddy/loop.h>
#include <eddy/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64

const char *const stack_name = "eddy";
static const char *chosen;
static struct eddy_udp *u;
static int bare_fd;
static char room[BATCH][SCENE_ROOM];

static int open_bare(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bare_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (bare_fd < 0 || bind(bare_fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(bare_fd, (struct sockaddr *)&at, &len) < 0)
        exit(1);
    return ntohs(at.sin_port);
}

int stack_open(const char *mode)
{
    struct eddy_address a;

    chosen = mode;
    if (strcmp(mode, "bare") == 0)
        return open_bare();
    if (strcmp(mode, "single") != 0 && strcmp(mode, "batch") != 0 && strcmp(mode, "callback") != 0)
        return 0;
    if (eddy_udp_open("127.0.0.1:0", NULL, &u) < 0 || eddy_udp_address(u, &a) < 0)
        exit(1);
    return eddy_address_port(&a);
}

static void receive_single(void)
{
    struct eddy_address from;

    do
        if (eddy_udp_receive(u, room[0], SCENE_ROOM, &from) < 0)
            exit(1);
    while (scene_received(1));
}

static void receive_batch(void)
{
    static struct eddy_datagram d[BATCH];
    int n;

    for (int i = 0; i < BATCH; i++)
        d[i] = (struct eddy_datagram){ .ptr = room[i], .cap = SCENE_ROOM };
    do {
        n = eddy_udp_receive_many(u, d, BATCH);
        if (n < 0)
            exit(1);
    } while (scene_received((size_t)n));
}

static void on_datagram(void *ctx, const struct eddy_datagram *d, int error)
{
    (void)d;
    if (error)
        exit(1);
    if (!scene_received(1))
        eddy_loop_stop(ctx);
}

static void receive_bare(void)
{
    static struct mmsghdr m[BATCH];
    static struct iovec iov[BATCH];
    static struct sockaddr_storage from[BATCH];
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(0), n;

    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, bare_fd, &event);
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){ room[i], SCENE_ROOM };
            m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
                                            .msg_namelen = sizeof from[i],
                                            .msg_iov = &iov[i],
                                            .msg_iovlen = 1 };
        }
        n = recvmmsg(bare_fd, m, BATCH, 0, NULL);
        if (n > 0 && !scene_received((size_t)n))
            return;
        if (n < BATCH)
            (void)epoll_wait(epoll, &event, 1, -1);
    }
}

void stack_receive(void)
{
    if (strcmp(chosen, "bare") == 0) {
        receive_bare();
    } else if (strcmp(chosen, "single") == 0) {
        receive_single();
    } else if (strcmp(chosen, "batch") == 0) {
        receive_batch();
    } else {
        if (eddy_udp_start(u, on_datagram, eddy_loop_current()) < 0)
            exit(1);
        eddy_loop_run(eddy_loop_current());
    }
    eddy_udp_free(u);
}
