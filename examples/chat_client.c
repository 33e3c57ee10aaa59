/* A chat in a terminal: ./chat_client ADDRESS NAME. Two tasks on one connection: what is typed goes out,
 * what others say comes in; when either ends, so does the program. Ctrl-D leaves. */
#include <eddy.h>
#include <stdio.h>

static const struct eddy_framing line = { .kind = EDDY_FRAMING_LINE, .max_bytes = 500 };

struct show_args {
    struct eddy_stream *from;
};

static int show(struct show_args *a)
{
    EDDY_AUTO(eddy_frames) in = eddy_frames(a->from, &line);

    while (eddy_frames_next(&in))
        eddy_print("%.*s\n", EDDY_SLICE_ARG(in.message));
    return in.status < 0 ? in.status : -ECONNRESET; /* the server has gone: stop typing */
}
EDDY_TASK(show);

static int take_part(struct eddy_stream *server, const char *name)
{
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_AUTO(eddy_lines) typed = eddy_lines(eddy_stdin(), NULL);
    char text[500];

    EDDY_GO(&s, show, .from = server);
    while (eddy_lines_next(&typed)) {
        int len = snprintf(text, sizeof text, "%s: %.*s", name, EDDY_SLICE_ARG(typed.line));
        int r = eddy_frame_write(server, &line, text, len < 500 ? (size_t)len : 499);
        if (r < 0)
            return r;
    }
    return typed.status;
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_error err = { 0 };

    if (argc != 3) {
        fprintf(stderr, "usage: chat_client ADDRESS NAME\n");
        return 2;
    }
    int r = eddy_connect(argv[1], EDDY_OPT(connect, .error = &err), &server);
    if (r < 0) {
        fprintf(stderr, "chat_client: %s\n", err.text);
        return 1;
    }
    r = take_part(server, argv[2]);
    if (r < 0)
        eddy_print_error("chat_client: the server has gone\n");
    return r < 0;
}
