/*
 * bench/blast.c - a load generator that costs less than a server, so that it can saturate one
 *
 * It parses nothing: it learns the length of the answer from one exchange, by its Content-Length,
 * and counts bytes from then on, so it suits answers of one length only. One thread, io_uring, a
 * multishot receive for each connection, the next DEPTH requests when DEPTH answers are in.
 * link: uring
 *
 *     bench-blast PORT PATH CONNECTIONS SECONDS [DEPTH]
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
#include <time.h>
#include <unistd.h>

#define BUFFERS 1024
#define BUFFER_LENGTH 8192
#define GROUP 1
#define CONNECTIONS 4096

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][BUFFER_LENGTH];
static int fds[CONNECTIONS];
static long missing[CONNECTIONS]; /* bytes of the answers on their way */
static char *requests;
static size_t requests_length;

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *why)
{
    (void)fprintf(stderr, "bench-blast: %s\n", why);
    exit(1);
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

static void arm_receive(int i)
{
    struct io_uring_sqe *s = entry();

    io_uring_prep_recv_multishot(s, fds[i], NULL, 0, 0);
    s->flags |= IOSQE_BUFFER_SELECT;
    s->buf_group = GROUP;
    s->user_data = (uint64_t)i << 1;
}

static void ask(int i, long answers_length)
{
    struct io_uring_sqe *s = entry();

    io_uring_prep_send(s, fds[i], requests, requests_length, MSG_NOSIGNAL | MSG_WAITALL);
    s->flags |= IOSQE_CQE_SKIP_SUCCESS;
    s->user_data = (uint64_t)i << 1 | 1;
    missing[i] = answers_length;
}

static void give_back(unsigned id, int at)
{
    io_uring_buf_ring_add(buffers, memory[id], BUFFER_LENGTH, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFERS), at);
}

static void open_ring(void)
{
    struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_CQSIZE,
                                 .cq_entries = 8192 };
    struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };

    if (io_uring_queue_init_params(1024, &ring, &p) < 0)
        fail("this kernel offers no such ring");
    io_uring_register_ring_fd(&ring);
    if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0)
        fail("out of memory");
    reg.ring_addr = (uintptr_t)buffers;
    if (io_uring_register_buf_ring(&ring, &reg, 0) < 0)
        fail("no ring of buffers");
    io_uring_buf_ring_init(buffers);
    for (unsigned id = 0; id < BUFFERS; id++)
        give_back(id, (int)id);
    io_uring_buf_ring_advance(buffers, BUFFERS);
}

static int dial(int port)
{
    const int on = 1;
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        perror("bench-blast: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* One exchange, to learn how long an answer is. */
static long learn(int fd, const char *request)
{
    static char answer[65536];
    size_t got = 0, length = strlen(request);

    if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("the request was not taken");
    for (;;) {
        ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
        if (n <= 0)
            fail("no answer");
        got += (size_t)n;
        answer[got] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *field = strcasestr(answer, "content-length:");
        if (!end || !field)
            continue;
        if (strncmp(answer + 9, "200", 3) != 0)
            fail("the answer is no 200");
        long whole = end + 4 - answer + strtol(field + 15, NULL, 10);
        if ((long)got >= whole)
            return whole;
    }
}

static void complete(const struct io_uring_cqe *cqe, long answers_length, int *returned, long *done)
{
    const int i = (int)(cqe->user_data >> 1);

    if (cqe->user_data & 1)
        fail("a send failed");
    if (cqe->flags & IORING_CQE_F_BUFFER)
        give_back(cqe->flags >> IORING_CQE_BUFFER_SHIFT, (*returned)++);
    if (cqe->res <= 0 && cqe->res != -ENOBUFS)
        fail("a connection was closed");
    if (cqe->res > 0) {
        missing[i] -= cqe->res;
        if (missing[i] < 0)
            fail("the answers are not of one length");
        if (missing[i] == 0) {
            (*done)++;
            ask(i, answers_length);
        }
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_receive(i);
}

int main(int argc, char **argv)
{
    char request[1024];

    if (argc < 5) {
        (void)fputs("bench-blast PORT PATH CONNECTIONS SECONDS [DEPTH]\n", stderr);
        return 2;
    }
    const int port = atoi(argv[1]), count = atoi(argv[3]), depth = argc > 5 ? atoi(argv[5]) : 1;
    const double seconds = atof(argv[4]);
    const int length = snprintf(request, sizeof request,
                                "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                                "Accept: text/plain,text/html;q=0.9,application/xhtml+xml;q=0.9,"
                                "application/xml;q=0.8,*/*;q=0.7\r\nConnection: keep-alive\r\n\r\n",
                                argv[2]);
    if (length < 0 || length >= (int)sizeof request || count < 1 || count > CONNECTIONS ||
        depth < 1)
        return 2;
    requests_length = (size_t)length * (size_t)depth;
    requests = malloc(requests_length);
    if (!requests)
        return 1;
    for (int i = 0; i < depth; i++)
        memcpy(requests + (size_t)i * (size_t)length, request, (size_t)length);

    for (int i = 0; i < count; i++)
        fds[i] = dial(port);
    const long answers_length = learn(fds[0], request) * depth;
    open_ring();
    for (int i = 0; i < count; i++) {
        arm_receive(i);
        ask(i, answers_length);
    }
    long done = 0;
    unsigned turns = 0;
    const double start = now_s();
    do {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        int returned = 0;

        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            seen++;
            complete(cqe, answers_length, &returned, &done);
        }
        io_uring_buf_ring_advance(buffers, returned);
        io_uring_cq_advance(&ring, seen);
    } while ((++turns & 63) != 0 || now_s() < start + seconds);
    printf("%ld requests in %.3f s\n", done * depth, now_s() - start);
    return 0;
}
