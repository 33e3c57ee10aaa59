/* What comes in goes out again: ./echo [ADDRESS], 127.0.0.1:7000 unless told. A task for each peer, in
 * blocking style; one that is slow or vanishes is nobody else's affair (.isolate). Ctrl-C ends it. */
#include <eddy.h>
#include <stdio.h>

struct talk_args {
    struct eddy_stream *peer;
};

static int talk(struct talk_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char buf[16384];
    ssize_t n;

    while ((n = eddy_read(peer, buf, sizeof buf)) > 0) {
        int r = eddy_write(peer, buf, (size_t)n); /* waits while the peer does not read */
        if (r < 0)
            return r;
    }
    return n < 0 ? (int)n : eddy_stream_finish(peer);
}
EDDY_TASK(talk);

static int serve(struct eddy_listener *door)
{
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        struct eddy_stream *peer;
        int r = eddy_accept(door, &peer);
        if (r < 0)
            return r;
        r = EDDY_GO(&peers, talk, .peer = peer);
        if (r < 0)
            eddy_stream_free(peer);
    }
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_error err = { 0 };
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT];

    int r = eddy_listen(argc > 1 ? argv[1] : "127.0.0.1:7000", EDDY_OPT(listen, .error = &err),
                        &door);
    if (r == 0)
        r = eddy_listener_address(door, &at);
    if (r < 0) {
        fprintf(stderr, "echo: %s\n", err.text);
        return 1;
    }
    printf("echo at %s\n", eddy_address_format(&at, text, sizeof text));
    fflush(stdout);
    return serve(door) < 0;
}
