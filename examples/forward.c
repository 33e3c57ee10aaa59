/* A port forwarder: ./forward FROM TO, as in ./forward :8080 example.org:80. Two tasks for each
 * connection, one each way; when one side has said all, the other may go on talking. */
#include <eddy.h>
#include <stdio.h>

struct pump_args {
    struct eddy_stream *from, *to;
};

static int pump(struct pump_args *a)
{
    int r = eddy_forward(a->from, a->to, NULL); /* past this program, where the kernel can */

    return r < 0 ? r : eddy_stream_finish(a->to); /* a failure cancels the other way, too */
}
EDDY_TASK(pump);

struct forward_args {
    struct eddy_stream *near;
    const char *to;
};

static int forward(struct forward_args *a)
{
    EDDY_OWN(eddy_stream) near = a->near;
    EDDY_OWN(eddy_stream) far = NULL;
    struct eddy_error err = { 0 };

    int r = eddy_connect(a->to, EDDY_OPT(connect, .timeout_ms = 5000, .error = &err), &far);
    if (r < 0) {
        fprintf(stderr, "forward: %s\n", err.text);
        return r;
    }
    EDDY_SCOPE(ways, .timeout_ms = 0);
    EDDY_GO(&ways, pump, .from = near, .to = far);
    EDDY_GO(&ways, pump, .from = far, .to = near);
    return eddy_join(&ways);
}
EDDY_TASK(forward);

static int serve(struct eddy_listener *door, const char *to)
{
    EDDY_SCOPE(connections, .isolate = true);

    for (;;) {
        struct eddy_stream *near;
        int r = eddy_accept(door, &near);
        if (r < 0)
            return r;
        r = EDDY_GO(&connections, forward, .near = near, .to = to);
        if (r < 0)
            eddy_stream_free(near);
    }
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_error err = { 0 };
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT];

    if (argc != 3) {
        fprintf(stderr, "usage: forward FROM TO, as in: forward :8080 example.org:80\n");
        return 2;
    }
    int r = eddy_listen(argv[1], EDDY_OPT(listen, .error = &err), &door);
    if (r == 0)
        r = eddy_listener_address(door, &at);
    if (r < 0) {
        fprintf(stderr, "forward: %s\n", err.text);
        return 1;
    }
    printf("forward from %s to %s\n", eddy_address_format(&at, text, sizeof text), argv[2]);
    fflush(stdout);
    return serve(door, argv[2]) < 0;
}
