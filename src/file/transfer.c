/*
 * file/transfer.c - files and streams into streams: sendfile, splice, or a buffer between
 *
 * The kernel's calls are made on a socket that is the stream's own transport, non-blocking, when
 * nothing that was read ahead has to go first; -EAGAIN waits by the stream's own means. Whatever the
 * kernel refuses before the first byte (-EINVAL, -EOPNOTSUPP, -ENOSYS, -ESPIPE) goes by the buffer.
 */
#include "base/memory.h"
#include "base/quiet.h"
#include "base/sys.h"
#include "file/inside.h"
#include "stream/socket.h"
#include "stream/stream.h"

#include <eddy/transfer.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)
#define BUFFER ((size_t)64 << 10)

/* A socket of ours that can be written and read past the transport, or -1. */
static int own_socket(const struct eddy_stream *s)
{
    int fd;

    if (!s->t || !eddy_transport_is_socket(s->t) || eddy_file_is_simulated() ||
        eddy_stream_info(s, EDDY_INFO_FD, &fd) < 0)
        return -1;
    int flags = eddy__sys.fcntl(fd, F_GETFL, 0);
    return flags >= 0 && (flags & O_NONBLOCK) ? fd : -1;
}

static bool is_refused(ssize_t n)
{
    return n == -EINVAL || n == -EOPNOTSUPP || n == -ENOSYS || n == -ESPIPE;
}

/* After @moved bytes it failed with @r: whether the stream can still be used. */
static int failed(struct eddy_stream *s, int r, int64_t moved)
{
    if (moved && (r == -ECANCELED || r == -ETIMEDOUT))
        s->broken = true;
    return r;
}

/* --- a file to a stream ------------------------------------------------------------------------ */

struct fetch {
    int fd;
    int64_t at;
    size_t len;
};

/* On a thread: into the page cache with it. */
static int fetch(void *arg)
{
    struct fetch *f = arg;
    char byte;

    (void)eddy__sys.fadvise(f->fd, f->at, (int64_t)f->len, POSIX_FADV_WILLNEED);
    for (size_t i = 0; i < f->len; i += 4096) {
        ssize_t n = eddy__sys.pread(f->fd, &byte, 1, f->at + (int64_t)i, 0);
        if (n <= 0)
            return (int)n;
    }
    return 0;
}

/* Whether the byte there is in memory, or there is none; or an error. */
static int is_cached(int fd, int64_t at)
{
    char byte;

    ssize_t n = eddy__sys.pread(fd, &byte, 1, at, RWF_NOWAIT);
    return n == -EAGAIN ? 0 : n == -EOPNOTSUPP || n >= 0 ? 1 : (int)n;
}

/* Have the piece in memory, as far as a look at its both ends tells. Suspends if it is not. */
static int have_cached(int fd, int64_t at, size_t len)
{
    struct fetch f = { fd, at, len };

    int r = is_cached(fd, at);
    if (r == 1)
        r = is_cached(fd, at + (int64_t)len - 1);
    return r < 0 ? r : r == 1 ? 0 : eddy_file_on_thread("send a file", fetch, &f);
}

static ssize_t send_piece(int to, int from, int64_t at, size_t len)
{
    struct eddy_quiet quiet;

    eddy_quiet_begin(&quiet);
    ssize_t n = eddy__sys.sendfile(to, from, at, len);
    eddy_quiet_end(&quiet, n < (ssize_t)len); /* it may have sent some before */
    return eddy_op_result(n);
}

/* -EOPNOTSUPP, with nothing sent: not by this way. */
static int send_direct(struct eddy_stream *s, struct eddy_file *f, int64_t at, int64_t len,
                       int64_t *sent)
{
    int to = own_socket(s), r = to < 0 ? -EOPNOTSUPP : 0;

    while (r == 0 && *sent < len) {
        size_t piece = len - *sent < (int64_t)PIECE ? (size_t)(len - *sent) : PIECE;
        r = have_cached(f->fd, at + *sent, piece);
        if (r == 0)
            r = s->writing ? -EBUSY : stream_gone(s); /* it may have waited */
        if (r < 0)
            return r;
        ssize_t n = send_piece(to, f->fd, at + *sent, piece);
        if (n == -EAGAIN) {
            r = stream_wait_room(s);
        } else if (n <= 0) {
            eddy_transport_lost(s->t, (int)n);
            return !*sent && is_refused(n) ? -EOPNOTSUPP : (int)n;
        } else {
            *sent += n;
            eddy__budget_spend();
            r = eddy__wait_check();
        }
    }
    return r;
}

static int send_buffered(struct eddy_stream *s, struct eddy_file *f, int64_t at, int64_t len,
                         int64_t *sent)
{
    char *buffer = eddy__alloc(BUFFER);
    int r = buffer ? 0 : -ENOMEM;

    while (r == 0 && *sent < len) {
        size_t piece = len - *sent < (int64_t)BUFFER ? (size_t)(len - *sent) : BUFFER;
        ssize_t n = eddy_file_read(f, buffer, piece, at + *sent);
        if (n <= 0) {
            r = (int)n;
            break;
        }
        r = eddy_write(s, buffer, (size_t)n);
        if (r == 0)
            *sent += n;
    }
    if (buffer)
        eddy__free(buffer, BUFFER);
    return r;
}

/* What is behind @at when it is asked: what is written behind it meanwhile is not of it, and no look
 * for more is needed. Without a size, as in /proc: as if it were endless. */
static int64_t rest_of(struct eddy_file *f, int64_t at)
{
    struct stat about = { .st_mode = S_IFREG };

    if (eddy_file_is_simulated())
        about.st_size = eddy_file_size(f);
    else if (fstat(f->fd, &about) < 0)
        return INT64_MAX - at;
    if (!S_ISREG(about.st_mode) || about.st_size <= at)
        return INT64_MAX - at;
    return about.st_size - at;
}

int eddy_send_file(struct eddy_stream *s, struct eddy_file *f, int64_t offset, int64_t len,
                   int64_t *ret_sent)
{
    int64_t sent = 0;

    int r = eddy_file_check(f);
    if (r == 0)
        r = offset < 0 ? -EINVAL : s->writing ? -EBUSY : stream_gone(s);
    if (r == 0) {
        if (len < 0 || len > INT64_MAX - offset)
            len = rest_of(f, offset);
        r = send_direct(s, f, offset, len, &sent);
        if (r == -EOPNOTSUPP)
            r = send_buffered(s, f, offset, len, &sent);
    }
    if (ret_sent)
        *ret_sent = sent;
    return failed(s, r, sent);
}

/* --- a stream into a file ---------------------------------------------------------------------- */

int eddy_receive_file(struct eddy_stream *s, struct eddy_file *f, int64_t offset, int64_t len,
                      int64_t *ret_received)
{
    bool to_end = len < 0;
    int64_t got = 0, lost = 0;
    char *buffer = NULL;

    int r = eddy_file_check(f);
    if (r == 0 && offset < 0)
        r = -EINVAL;
    if (r == 0 && !(buffer = eddy__alloc(BUFFER)))
        r = -ENOMEM;
    while (r == 0 && (to_end || got < len)) {
        size_t piece = to_end || len - got > (int64_t)BUFFER ? BUFFER : (size_t)(len - got);
        ssize_t n = eddy_read(s, buffer, piece);
        if (n <= 0) {
            r = n < 0 ? (int)n : to_end ? 0 : -EDDY_EEOF;
            break;
        }
        r = eddy_file_write(f, buffer, (size_t)n, offset + got);
        if (r == 0)
            got += n;
        else
            lost = n;
    }
    if (buffer)
        eddy__free(buffer, BUFFER);
    if (ret_received)
        *ret_received = got;
    return failed(s, r, lost);
}

/* --- a stream to a stream ---------------------------------------------------------------------- */

/* Write to @to what was read from @from. The scope may have ended behind the read: then nothing of it
 * has gone, and it waits in @from. */
static int pass_on(struct eddy_stream *from, struct eddy_stream *to, const char *bytes, size_t len)
{
    int r = eddy_write(to, bytes, len);

    if ((r == -ECANCELED || r == -ETIMEDOUT) && (to->broken || stream_unread(from, bytes, len) < 0))
        from->broken = true;
    return r;
}

static int forward_buffered(struct eddy_stream *from, struct eddy_stream *to, int64_t *moved)
{
    char *buffer = eddy__alloc(BUFFER);
    ssize_t n = buffer ? 1 : -ENOMEM;
    int r = 0;

    while (n > 0 && r == 0) {
        n = eddy_read(from, buffer, BUFFER);
        if (n > 0)
            r = pass_on(from, to, buffer, (size_t)n);
        if (n > 0 && r == 0)
            *moved += n;
    }
    if (buffer)
        eddy__free(buffer, BUFFER);
    return n < 0 ? (int)n : r;
}

static ssize_t splice_quietly(int from, int to, size_t len)
{
    struct eddy_quiet quiet;

    eddy_quiet_begin(&quiet);
    ssize_t n = eddy__sys.splice(from, to, len);
    eddy_quiet_end(&quiet, n < (ssize_t)len); /* it may have sent some before */
    return eddy_op_result(n);
}

/* What lies in the pipe to @to. */
static int drain(int pipe, int fd, struct eddy_stream *to, size_t *len)
{
    int r = 0;

    while (*len && r == 0) {
        r = to->writing ? -EBUSY : stream_gone(to);
        ssize_t n = r < 0 ? r : splice_quietly(pipe, fd, *len);
        if (n == -EAGAIN)
            r = stream_wait_room(to);
        else if (n <= 0)
            r = n < 0 ? (int)n : -EPIPE;
        else
            *len -= (size_t)n;
        if (n < 0 && to->t)
            eddy_transport_lost(to->t, (int)n);
    }
    return r;
}

/* One pipeful. 1: go on; 0: the end; -EOPNOTSUPP: not by this way, and nothing was taken. */
static int forward_piece(struct eddy_stream *from, int in, struct eddy_stream *to, int out,
                         const int pipe[2], int64_t *moved)
{
    ssize_t n = splice_quietly(in, pipe[1], BUFFER);

    if (n == -EAGAIN) {
        n = stream_read_more(from, NULL, 0);
        return n < 0 ? (int)n : from->t ? 1 : stream_gone(from);
    }
    if (n == 0)
        return eddy_transport_end(from->t);
    if (n < 0)
        return is_refused(n) ? -EOPNOTSUPP : (int)n;
    size_t left = (size_t)n;
    int r = drain(pipe[0], out, to, &left);
    *moved += n - (ssize_t)left;
    if (left)
        from->broken = true; /* they are gone with the pipe */
    eddy__budget_spend();
    return r < 0 ? r : 1;
}

static int forward_direct(struct eddy_stream *from, struct eddy_stream *to, int64_t *moved)
{
    int in = own_socket(from), out = own_socket(to), pipe[2];

    if (in < 0 || out < 0)
        return -EOPNOTSUPP;
    int r = eddy__sys.pipe(pipe);
    if (r < 0)
        return r;
    for (r = 1; r > 0;) {
        r = eddy__wait_check();
        if (r == 0)
            r = stream_read_begin(from);
        if (r == 0) {
            r = forward_piece(from, in, to, out, pipe, moved);
            stream_read_end(from);
        }
    }
    eddy__sys.close(pipe[0]);
    eddy__sys.close(pipe[1]);
    return r;
}

/* What was received before goes first, by a buffer. */
static int forward_held(struct eddy_stream *from, struct eddy_stream *to, int64_t *moved)
{
    char buffer[4096];

    while (stream_held(from).len ||
           (from->t && eddy_transport_is_socket(from->t) && eddy_transport_kept(from->t))) {
        ssize_t n = eddy_read(from, buffer, sizeof buffer);
        int r = n <= 0 ? (int)n : pass_on(from, to, buffer, (size_t)n);
        if (r < 0)
            return r;
        *moved += n;
    }
    return 0;
}

int eddy_forward(struct eddy_stream *from, struct eddy_stream *to, int64_t *ret_moved)
{
    int64_t moved = 0;

    int r = eddy__wait_check();
    if (r == 0)
        r = from->reading || to->writing ? -EBUSY : stream_gone(to);
    if (r == 0)
        r = forward_held(from, to, &moved);
    if (r == 0)
        r = forward_direct(from, to, &moved);
    if (r == -EOPNOTSUPP)
        r = forward_buffered(from, to, &moved);
    if (ret_moved)
        *ret_moved = moved;
    return r;
}
