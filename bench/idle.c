/*
 * bench/idle.c - user-space memory of an idle keep-alive connection
 *
 *     bench-idle [CONNECTIONS]     10 000; the limit of open files bounds it
 *
 * A server in this process, its clients in a child. Each client makes one request, reads the reply,
 * and stays. What the process has grown by since the first hundred of them (pools filled, libraries
 * warm) is theirs: resident memory, and what the allocator has handed out.
 */
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM 100

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n";

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_static(reply, "text/plain", EDDY_SLICE("Hello, World!"));
}

static void one_client(int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char reply[1024];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
        write(fd, request, sizeof request - 1) < 0 || read(fd, reply, sizeof reply) <= 0) {
        perror("bench-idle: client");
        _exit(1);
    }
}

/* Connects as many as each line on @commands asks for, then answers with a byte. */
static void clients(int port, int commands, int answers)
{
    int count;

    while (read(commands, &count, sizeof count) == (ssize_t)sizeof count) {
        while (count-- > 0)
            one_client(port);
        if (write(answers, "k", 1) != 1)
            break;
    }
    _exit(0);
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static void serve_until_answered(struct eddy_loop *loop, int commands, int answers, int count)
{
    char answer;

    if (write(commands, &count, sizeof count) != (ssize_t)sizeof count)
        exit(1);
    while (read(answers, &answer, 1) != 1)
        eddy_loop_turn(loop, 1);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 10000;
    struct rlimit files;
    int to_child[2], from_child[2];

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (pipe(to_child) < 0 || pipe2(from_child, O_NONBLOCK) < 0)
        return 1;

    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_listener *door = NULL;
    struct eddy_http_server *server = NULL;
    int r = eddy_listen("127.0.0.1:9301", EDDY_OPT(listen, .backlog = 4096), &door);
    if (r == 0)
        r = eddy_http_serve(door, hello, EDDY_OPT(http, .limits = { .connections = 20000 }),
                            &server);
    if (r < 0) {
        (void)fprintf(stderr, "bench-idle: %s\n", eddy_strerror(r));
        return 1;
    }
    pid_t child = fork();
    if (child == 0)
        clients(9301, to_child[0], from_child[1]);

    serve_until_answered(loop, to_child[1], from_child[0], WARM);
    long before = resident_kib();
    size_t handed_out = mallinfo2().uordblks + mallinfo2().hblkhd;
    serve_until_answered(loop, to_child[1], from_child[0], count);
    struct eddy_http_stats stats;
    eddy_http_stats(server, &stats);
    printf("%d idle connections (%zu open): %.0f bytes resident, %.0f bytes allocated each\n",
           count, stats.connections, (double)(resident_kib() - before) * 1024 / count,
           (double)(mallinfo2().uordblks + mallinfo2().hblkhd - handed_out) / count);
    (void)fflush(stdout);
    kill(child, SIGKILL);
    _exit(0);
}
