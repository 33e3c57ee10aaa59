/*
 * bench/tls-idle.c - user-space memory of an idle keep-alive connection with TLS
 *
 *     bench-tls-idle [CONNECTIONS] [1.2|1.3]     5 000; the limit of open files bounds it
 *
 * As bench-idle: a server in this process, its clients in a child, one request each. What the
 * process has grown by since the first hundred of them is theirs; run both for what TLS adds.
 */
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WARM 100

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n";

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_static(reply, "text/plain", EDDY_SLICE("Hello, World!"));
}

static void one_client(struct eddy_tls *tls)
{
    struct eddy_error err = { 0 };
    struct eddy_stream *s = NULL; /* it stays */
    char reply[1024];

    int r = eddy_tls_connect(tls, "127.0.0.1:9302", EDDY_OPT(tls_connect, .error = &err), &s);
    if (r < 0 || eddy_write(s, request, sizeof request - 1) < 0 ||
        eddy_read(s, reply, sizeof reply) <= 0) {
        (void)fprintf(stderr, "bench-tls-idle: client: %s\n", err.text);
        _exit(1);
    }
}

/* Connects as many as each line on @commands asks for, then answers with a byte. */
static void clients(int version, int commands, int answers)
{
    struct eddy_tls *tls = NULL;
    int count;

    if (eddy_tls_client_new(EDDY_OPT(tls_client, .insecure = true, .no_resumption = true,
                                     .max_version = (enum eddy_tls_version)version),
                            &tls, NULL) < 0)
        _exit(1);
    while (read(commands, &count, sizeof count) == (ssize_t)sizeof count) {
        while (count-- > 0)
            one_client(tls);
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

static struct eddy_tls *server_context(void)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };
    char folder[] = "/tmp/bench-tls-XXXXXX", file[64], command[512];

    if (!mkdtemp(folder))
        return NULL;
    (void)snprintf(file, sizeof file, "%s/us.pem", folder);
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
                   "/CN=bench -days 1 -keyout %s -out %s.cert 2>/dev/null && cat %s.cert >>%s",
                   file, file, file, file);
    if (system(command) != 0 ||
        eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = file), &tls, &err) < 0)
        (void)fprintf(stderr, "bench-tls-idle: %s\n", err.text);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)system(command);
    return tls;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 5000;
    int version = argc > 2 && strcmp(argv[2], "1.2") == 0 ? EDDY_TLS_1_2 : EDDY_TLS_1_3;
    struct rlimit files;
    int to_child[2], from_child[2];

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (pipe(to_child) < 0 || pipe2(from_child, O_NONBLOCK) < 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        clients(version, to_child[0], from_child[1]);

    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_listener *door = NULL;
    struct eddy_http_server *server = NULL;
    struct eddy_tls *tls = server_context();
    int r = tls ? eddy_listen("127.0.0.1:9302", EDDY_OPT(listen, .backlog = 4096), &door) : -EINVAL;
    if (r == 0)
        r = eddy_http_serve(
            door, hello, EDDY_OPT(http, .tls = tls, .limits = { .connections = 20000 }), &server);
    if (r < 0) {
        (void)fprintf(stderr, "bench-tls-idle: %s\n", eddy_strerror(r));
        return 1;
    }
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
