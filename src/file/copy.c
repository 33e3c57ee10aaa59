/*
 * file/copy.c - copying a file, in pieces with a look at the scope between them
 *
 * A piece is one call on a thread: it finds the next bytes that are no hole, and has the kernel copy them
 * (which on some file systems shares them instead); where it cannot, it reads and writes. What the
 * file system tells as holes is left out, so they are holes in the copy, too. The simulator has no
 * threads: there a piece is a read and a write of the simulated disk.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "file/inside.h"

#include <eddy/whole_file.h>

#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)8 << 20)
#define BUFFER ((size_t)128 << 10)

struct piece {
    int from, to;
    int64_t at;    /* copied up to here */
    char *buffer;  /* once the kernel does not help; else NULL */
    bool no_holes; /* the file system does not tell of any */
    bool over;     /* @at is the end */
};

/* The next bytes that are no hole: *@ret_len of them from p->at on, which moves. */
static int next_data(struct piece *p, size_t *ret_len)
{
    *ret_len = PIECE;
    if (p->no_holes)
        return 0;
    int64_t data = eddy__sys.seek(p->from, p->at, SEEK_DATA);
    if (data == -ENXIO) {
        /* Only a hole is left: the size says how much. */
        int64_t end = eddy__sys.seek(p->from, 0, SEEK_END);
        p->over = true;
        p->at = end > p->at ? end : p->at;
        return end < 0 ? (int)end : 0;
    }
    int64_t hole = data < 0 ? data : eddy__sys.seek(p->from, data, SEEK_HOLE);
    if (hole == -EINVAL || hole == -EOPNOTSUPP) {
        p->no_holes = true;
        return 0;
    }
    if (hole < 0)
        return (int)hole;
    p->at = data;
    if (hole > data && hole - data < (int64_t)PIECE)
        *ret_len = (size_t)(hole - data);
    return 0;
}

static int write_all(const struct piece *p, const char *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = eddy__sys.pwrite(p->to, bytes + done, len - done, p->at + (int64_t)done, 0);
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* Up to @len bytes through memory. */
static int by_hand(struct piece *p, size_t len)
{
    if (!p->buffer)
        p->buffer = eddy__alloc(BUFFER);
    if (!p->buffer)
        return -ENOMEM;
    while (len > 0) {
        ssize_t n = eddy__sys.pread(p->from, p->buffer, len < BUFFER ? len : BUFFER, p->at, 0);
        p->over = n == 0;
        if (n <= 0)
            return (int)n;
        int r = write_all(p, p->buffer, (size_t)n);
        if (r < 0)
            return r;
        p->at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* What the kernel says when it cannot copy between these two, by its version. */
static bool cannot(ssize_t n)
{
    return n == -EXDEV || n == -EINVAL || n == -EOPNOTSUPP || n == -ENOSYS || n == -EPERM ||
           n == -ETXTBSY;
}

static int do_piece(void *arg)
{
    struct piece *p = arg;
    size_t len;

    int r = next_data(p, &len);
    if (r < 0 || p->over)
        return r;
    if (!p->buffer) {
        ssize_t n = eddy__sys.copy_range(p->from, p->at, p->to, p->at, len);
        if (n > 0) {
            p->at += n;
            return 0;
        }
        if (n < 0 && !cannot(n))
            return (int)n;
        /* 0 is the end, but of files that are made when they are read (/proc) it is not. */
    }
    return by_hand(p, len);
}

static int simulated_piece(struct eddy_file *from, struct eddy_file *to, struct piece *p)
{
    if (!p->buffer)
        p->buffer = eddy__alloc(BUFFER);
    if (!p->buffer)
        return -ENOMEM;
    ssize_t n = eddy_file_read(from, p->buffer, BUFFER, p->at);
    p->over = n == 0;
    if (n <= 0)
        return (int)n;
    int r = eddy_file_write(to, p->buffer, (size_t)n, p->at);
    p->at += n;
    return r;
}

static int copy_bytes(struct eddy_file *from, struct eddy_file *to)
{
    struct piece p = { .from = from->fd, .to = to->fd };
    int64_t size;
    int r = 0;

    while (r == 0 && !p.over)
        r = eddy_file_is_simulated() ? simulated_piece(from, to, &p)
                                     : eddy_file_on_thread("copying", do_piece, &p);
    eddy__free(p.buffer, p.buffer ? BUFFER : 0);
    if (r < 0)
        return r;
    size = eddy_file_size(to);
    if (size < 0)
        return (int)size;
    return size < p.at ? eddy_file_truncate(to, p.at) : 0; /* a hole at the end */
}

static int copy(struct neighbour *n, const char *from, const char *to,
                const struct eddy_copy_options *o)
{
    EDDY_OWN(eddy_file) f = NULL;
    struct eddy_file_info about = { .mode = 0 };

    int r = eddy_file_open(from, O_RDONLY | O_NONBLOCK, 0, &f); /* a FIFO does not hold it */
    if (r == 0)
        r = eddy_file_stat(f, &about);
    if (r == 0 && about.type != EDDY_FILE_REGULAR)
        r = about.type == EDDY_FILE_DIRECTORY ? -EISDIR : -EINVAL;
    if (r < 0) {
        r = eddy_file_explain(o->error, r, "copying", from, "");
    } else {
        r = eddy_neighbour_open(n, to, o->mode ? o->mode : about.mode & 0777, o->no_replace);
        if (r == 0) {
            r = copy_bytes(f, n->file);
            if (r < 0)
                eddy_neighbour_fail(n, r, "writing:");
        }
    }
    eddy_file_close(EDDY_TAKE(f));
    return r;
}

int eddy_file_copy(const char *from, const char *to, const struct eddy_copy_options *options)
{
    struct eddy_copy_options o = { .size = sizeof o };

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    struct neighbour n = { .what = "copying to", .error = o.error };
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    r = copy(&n, from, to, &o);
    if (r == 0)
        r = eddy_neighbour_done(&n, o.no_replace, o.synced);
    eddy_neighbour_close(&n);
    return r;
}
