/*
 * mirror.c - standard input, mirrored: each line backwards, and slowly
 *
 *     mirror [MS] < FILE      a line every so many milliseconds, 100 unless told
 *
 * One task reads, one writes, four lines fit between them. While the writer sleeps the reader goes
 * on until those are full; then it stops reading, and whoever feeds us has to wait: that is
 * back-pressure. A third task tells how it stands, because nothing of this holds up the thread.
 */
#include <eddy.h>

#include <stdlib.h>
#include <string.h>

struct line {
    size_t len;
    char text[1024];
};

struct mirror_args {
    struct eddy_channel *lines;
    int *read;
    long ms;
};
#define read_lines_args mirror_args
#define write_slowly_args mirror_args
#define tell_args mirror_args

static int read_lines(struct mirror_args *a)
{
    EDDY_AUTO(eddy_lines) in = eddy_lines(eddy_stdin(), EDDY_OPT(lines, .max_bytes = 1024));
    int r = 0;

    while (r == 0 && eddy_lines_next(&in)) {
        struct line line = { .len = in.line.len };
        for (size_t i = 0; i < line.len; i++)
            line.text[i] = in.line.ptr[line.len - 1 - i];
        ++*a->read;
        r = eddy_channel_send(a->lines, &line);
    }
    eddy_channel_close(a->lines);
    return r < 0 ? r : in.status;
}
EDDY_TASK(read_lines);

static int write_slowly(struct mirror_args *a)
{
    struct line line;
    int r;

    while ((r = eddy_channel_receive(a->lines, &line)) > 0) {
        r = eddy_print("%.*s\n", (int)line.len, line.text);
        if (r == 0)
            r = eddy_sleep(a->ms);
        if (r < 0)
            break;
    }
    return r;
}
EDDY_TASK(write_slowly);

static int tell(struct mirror_args *a)
{
    while (eddy_sleep(1000) == 0)
        eddy_print_error("mirror: %d read, %zu wait\n", *a->read, eddy_channel_count(a->lines));
    return 0;
}
EDDY_TASK(tell);

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_channel) lines = NULL;
    long ms = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    int read = 0;

    int r = eddy_channel_new(sizeof(struct line), EDDY_OPT(channel, .capacity = 4), &lines);
    if (r == 0) {
        EDDY_SCOPE(clock, .isolate = true);
        EDDY_GO(&clock, tell, .lines = lines, .read = &read);
        EDDY_SCOPE(work, .isolate = false);
        EDDY_GO(&work, read_lines, .lines = lines, .read = &read);
        EDDY_GO(&work, write_slowly, .lines = lines, .ms = ms);
        r = eddy_join(&work);
    }
    if (r < 0)
        eddy_print_error("mirror: %s\n", eddy_strerror(r));
    return r < 0;
}
