/*
 * file/whole.c - a whole file as one job: read it, replace it
 */
#include "file/inside.h"

#include <eddy/whole_file.h>

#include <string.h>

/* --- reading ------------------------------------------------------------------------------------ */

#define PIECE ((size_t)65536) /* where the size is not told, as in /proc */

/* Room for the next read: for all that is expected and one byte more, so that the end is seen. */
static int next_room(struct eddy_buffer *bytes, uint64_t expected, char **ret, size_t *ret_len)
{
    const size_t have = bytes->end - bytes->start, left = bytes->max - have;
    size_t want = expected >= have ? (size_t)(expected - have) + 1 : PIECE;

    if (want > left)
        want = left;
    *ret_len = want;
    return eddy_buffer_room(bytes, want, ret);
}

static int read_on(struct eddy_file *f, uint64_t expected, struct eddy_buffer *bytes)
{
    for (;;) {
        const size_t have = bytes->end - bytes->start;
        char probe, *at = &probe;
        size_t len = 1;

        int r = have < bytes->max ? next_room(bytes, expected, &at, &len) : 0;
        if (r < 0)
            return r;
        ssize_t n = eddy_file_read(f, at, len, (int64_t)have);
        if (n <= 0)
            return (int)n;
        if (at == &probe)
            return -EDDY_ETOOBIG;
        eddy_buffer_grew(bytes, (size_t)n);
    }
}

int eddy_file_read_all(const char *path, size_t max_bytes, struct eddy_buffer *ret_bytes,
                       struct eddy_error *err)
{
    struct eddy_buffer bytes = EDDY_BUFFER(max_bytes);
    EDDY_OWN(eddy_file) f = NULL;
    struct eddy_file_info about;

    int r = eddy_file_open(path, O_RDONLY, 0, &f);
    if (r == 0)
        r = eddy_file_stat(f, &about);
    if (r == 0 && about.type == EDDY_FILE_DIRECTORY)
        r = -EISDIR;
    if (r == 0)
        r = about.bytes > max_bytes ? -EDDY_ETOOBIG : read_on(f, about.bytes, &bytes);
    eddy_file_close(EDDY_TAKE(f));
    if (r < 0) {
        eddy_buffer_done(&bytes);
        return eddy_file_explain(err, r, "reading", path, "");
    }
    *ret_bytes = bytes;
    return 0;
}

/* --- replacing ----------------------------------------------------------------------------------- */

int eddy_file_replace(const char *path, const void *bytes, size_t len,
                      const struct eddy_replace_options *options)
{
    struct eddy_replace_options o = { .size = sizeof o };

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    struct neighbour n = { .what = "replacing", .error = o.error };
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    r = eddy_neighbour_open(&n, path, o.mode, o.no_replace);
    if (r == 0) {
        r = eddy_file_write(n.file, bytes, len, 0);
        if (r < 0)
            eddy_neighbour_fail(&n, r, "writing:");
    }
    if (r == 0)
        r = eddy_neighbour_done(&n, o.no_replace, !o.unsynced);
    eddy_neighbour_close(&n);
    return r;
}
