/*
 * bench/floor/uring.c - the floor of a server on io_uring: what the kernel alone costs
 *
 * One thread, one ring (single issuer, deferred task work), multishot accept, a multishot receive for
 * each connection out of one ring of buffers, one send for a completion; and no HTTP at all, as in
 * floor/epoll.c. Links nothing of eddy. link: uring
 *
 *     floor-uring PORT [REQUEST_LENGTH]
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COPIES 256
#define DESCRIPTORS 20000
#define BUFFERS 1024
#define BUFFER_LENGTH 4096
#define GROUP 1

static const char reply[] =
    "HTTP/1.1 200 OK\r\nServer: f\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n"
    "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
#define REPLY_LENGTH (sizeof reply - 1)

enum { ACCEPT = 1, RECEIVE, SEND, CLOSE };

static char canned[REPLY_LENGTH * COPIES];
static uint32_t left_over[DESCRIPTORS]; /* bytes of a request that is not whole yet */
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][BUFFER_LENGTH];

static uint64_t name(unsigned what, int fd)
{
    return (uint64_t)what << 32 | (uint32_t)fd;
}

static struct io_uring_sqe *entry(void)
{
    struct io_uring_sqe *s = io_uring_get_sqe(&ring);

    if (!s) {
        io_uring_submit(&ring);
        s = io_uring_get_sqe(&ring);
    }
    return s;
}

static void arm_accept(int listener)
{
    struct io_uring_sqe *s = entry();

    io_uring_prep_multishot_accept(s, listener, NULL, NULL, SOCK_CLOEXEC);
    s->user_data = name(ACCEPT, listener);
}

static void arm_receive(int fd)
{
    struct io_uring_sqe *s = entry();

    io_uring_prep_recv_multishot(s, fd, NULL, 0, 0);
    s->flags |= IOSQE_BUFFER_SELECT;
    s->buf_group = GROUP;
    s->user_data = name(RECEIVE, fd);
}

static void answer(int fd, uint32_t count, unsigned request_length)
{
    uint32_t replies = 1;

    if (request_length) {
        left_over[fd] += count;
        replies = left_over[fd] / request_length;
        left_over[fd] %= request_length;
    }
    if (replies == 0)
        return;
    struct io_uring_sqe *s = entry();
    io_uring_prep_send(s, fd, canned, (replies < COPIES ? replies : COPIES) * REPLY_LENGTH,
                       MSG_NOSIGNAL | MSG_WAITALL);
    s->user_data = name(SEND, fd);
}

static void give_back(unsigned id, int at)
{
    io_uring_buf_ring_add(buffers, memory[id], BUFFER_LENGTH, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFERS), at);
}

static void hang_up(int fd)
{
    struct io_uring_sqe *s = entry();

    io_uring_prep_close(s, fd);
    s->user_data = name(CLOSE, fd);
}

static void complete(const struct io_uring_cqe *cqe, unsigned request_length, int *returned)
{
    const int fd = (int)(uint32_t)cqe->user_data;
    const bool more = cqe->flags & IORING_CQE_F_MORE;

    switch (cqe->user_data >> 32) {
    case ACCEPT:
        if (cqe->res >= 0 && cqe->res < DESCRIPTORS) {
            left_over[cqe->res] = 0;
            arm_receive(cqe->res);
        }
        if (!more)
            arm_accept(fd);
        break;
    case RECEIVE:
        if (cqe->flags & IORING_CQE_F_BUFFER)
            give_back(cqe->flags >> IORING_CQE_BUFFER_SHIFT, (*returned)++);
        if (cqe->res > 0)
            answer(fd, (uint32_t)cqe->res, request_length);
        else if (cqe->res != -ENOBUFS)
            hang_up(fd);
        if (!more && (cqe->res > 0 || cqe->res == -ENOBUFS))
            arm_receive(fd);
        break;
    default: break;
    }
}

static int listen_on(int port)
{
    const int on = 1;
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited */
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 4096) < 0) {
        perror("floor-uring: bind");
        exit(1);
    }
    return fd;
}

static int open_ring(void)
{
    struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE,
                                 .cq_entries = 16384 };
    struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };

    if (io_uring_queue_init_params(1024, &ring, &p) < 0)
        return -1;
    io_uring_register_ring_fd(&ring);
    if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0)
        return -1;
    reg.ring_addr = (uintptr_t)buffers;
    if (io_uring_register_buf_ring(&ring, &reg, 0) < 0)
        return -1;
    io_uring_buf_ring_init(buffers);
    for (unsigned id = 0; id < BUFFERS; id++)
        give_back(id, (int)id);
    io_uring_buf_ring_advance(buffers, BUFFERS);
    return 0;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 9105;
    unsigned request_length = argc > 2 ? (unsigned)atoi(argv[2]) : 0;

    for (size_t i = 0; i < COPIES; i++)
        memcpy(canned + i * REPLY_LENGTH, reply, REPLY_LENGTH);
    if (open_ring() < 0) {
        (void)fputs("floor-uring: this kernel offers no such ring\n", stderr);
        return 1;
    }
    arm_accept(listen_on(port));
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        int returned = 0;

        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            seen++;
            complete(cqe, request_length, &returned);
        }
        io_uring_buf_ring_advance(buffers, returned);
        io_uring_cq_advance(&ring, seen);
    }
}
