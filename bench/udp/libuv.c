/* bench/udp/libuv.c - datagrams by libuv: one a call, or many by UV_UDP_RECVMMSG */
#include "scene.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

const char *const stack_name = "libuv";
static uv_loop_t loop;
static uv_udp_t udp;
static char room[20 * 65536]; /* as many as one call of libuv takes */

static void allocated(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)h, (void)suggested;
    *buf = uv_buf_init(room, sizeof room);
}

static void received(uv_udp_t *h, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                     unsigned flags)
{
    (void)h, (void)buf, (void)flags;
    if (n < 0)
        exit(1);
    if (from && !scene_received(1))
        uv_stop(&loop);
}

int stack_open(const char *mode)
{
    struct sockaddr_in at;
    int len = sizeof at;
    unsigned flags = strcmp(mode, "batch") == 0 ? (unsigned)UV_UDP_RECVMMSG : 0;

    if (!flags && strcmp(mode, "single") != 0)
        return 0;
    uv_loop_init(&loop);
    if (uv_udp_init_ex(&loop, &udp, AF_INET | flags) < 0 || uv_ip4_addr("127.0.0.1", 0, &at) < 0 ||
        uv_udp_bind(&udp, (struct sockaddr *)&at, 0) < 0 ||
        uv_udp_getsockname(&udp, (struct sockaddr *)&at, &len) < 0)
        exit(1);
    return ntohs(at.sin_port);
}

void stack_receive(void)
{
    if (uv_udp_recv_start(&udp, allocated, received) < 0)
        exit(1);
    uv_run(&loop, UV_RUN_DEFAULT);
}
