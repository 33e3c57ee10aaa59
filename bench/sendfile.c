/*
 * bench/sendfile.c - a file to whoever asks, by eddy_send_file(): bench-sendfile PORT FILE
 *
 * No HTTP but what the load generator needs: the figure is that of sending a file.
 */
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/transfer.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct eddy_file *file;
static char head[128];
static size_t head_len;

struct answer_args {
    struct eddy_stream *peer;
};

static int answer(struct answer_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char request[4096];

    for (;;) {
        ssize_t n = eddy_read_until(peer, EDDY_SLICE("\r\n\r\n"), request, sizeof request);
        if (n < 0)
            return (int)n;
        int r = eddy_write(peer, head, head_len);
        if (r == 0)
            r = eddy_send_file(peer, file, 0, -1, NULL);
        if (r < 0)
            return r;
    }
}
EDDY_TASK(answer);

static int serve(const char *address)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_stream *peer;
    EDDY_SCOPE(peers, .isolate = true);

    int r = eddy_listen(address, NULL, &door);
    while (r == 0 && (r = eddy_accept(door, &peer)) == 0)
        if (EDDY_GO(&peers, answer, .peer = peer) < 0)
            eddy_stream_free(peer);
    return r;
}

int main(int argc, char **argv)
{
    char address[32];

    if (argc != 3 || eddy_file_open(argv[2], O_RDONLY, 0, &file) < 0) {
        (void)fprintf(stderr, "usage: bench-sendfile PORT FILE\n");
        return 2;
    }
    head_len = (size_t)snprintf(head, sizeof head,
                                "HTTP/1.1 200 OK\r\nContent-Length: %" PRId64 "\r\n\r\n",
                                eddy_file_size(file));
    (void)snprintf(address, sizeof address, "127.0.0.1:%s", argv[1]);
    int r = serve(address);
    (void)fprintf(stderr, "bench-sendfile: %s\n", eddy_strerror(r));
    return 1;
}
