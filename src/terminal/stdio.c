/*
 * terminal/stdio.c - the process's own streams, three a loop
 *
 * Each is made when it is first asked for, over a transport that only borrows the descriptor. Who
 * asks is never refused: where there can be no stream, one of this thread's that has no transport
 * tells why.
 *
 * Which of 0, 1 and 2 were open is looked at when the library is loaded. A number that was not is
 * the next to be given to whatever the program opens, and nobody means to print into that.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/loop.h"
#include "stream/stream.h"

#include <eddy/lock.h>
#include <eddy/stdio.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)

struct shelf {
    struct eddy_loop *loop;
    struct eddy_stream *streams[3];
    struct eddy_mutex printing[3]; /* whose text is leaving */
};

static bool was_closed[3];

/* Before every constructor that has no number, and so before the program can open anything. */
__attribute__((constructor(101))) static void look(void)
{
    for (int fd = 0; fd < 3; fd++)
        was_closed[fd] = eddy__sys_kernel.fcntl(fd, F_GETFD, 0) < 0;
}

static void free_shelf(void *slot)
{
    struct shelf *shelf = slot;

    for (int fd = 0; fd < 3; fd++) {
        eddy_stream_free(shelf->streams[fd]);
        eddy_mutex_done(&shelf->printing[fd]);
    }
    eddy__free(shelf, sizeof *shelf);
}

static int shelf_of_loop(struct shelf **ret_shelf)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!loop)
        return eddy__loop_refusal();
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    int r = eddy__sim_refuse(loop, "standard streams");
    if (r < 0)
        return r;
    struct shelf *shelf = loop->slot[EDDY_SLOT_STDIO];
    if (!shelf) {
        shelf = eddy__zalloc(sizeof *shelf);
        if (!shelf)
            return -ENOMEM;
        shelf->loop = loop;
        for (int fd = 0; fd < 3; fd++)
            eddy_mutex_init(&shelf->printing[fd]);
        loop->slot[EDDY_SLOT_STDIO] = shelf;
        loop->slot_free[EDDY_SLOT_STDIO] = free_shelf;
    }
    *ret_shelf = shelf;
    return 0;
}

/* Whether a call that was cancelled has broken it, and nothing of that is left under way. */
static bool is_to_be_renewed(const struct eddy_stream *s)
{
    return s->broken && !s->t && !s->reading && !s->writing && !s->closer;
}

static int stream_of(struct shelf *shelf, int fd, struct eddy_stream **ret_s)
{
    struct eddy_stream **at = &shelf->streams[fd];
    struct eddy_transport *t;

    if (was_closed[fd])
        return -EBADF;
    if (!*at || is_to_be_renewed(*at)) {
        int r = eddy_transport_of_fd(fd ? -1 : fd, fd ? fd : -1, EDDY_OPT(fd, .borrow = true), &t);
        if (r == 0 && *at)
            stream_renew(*at, t);
        else if (r == 0 && (r = eddy_stream_of(t, at)) < 0)
            eddy_transport_close(t, 0);
        if (r < 0)
            return r;
    }
    *ret_s = *at;
    return 0;
}

static struct eddy_stream *refusing(int fd, int why)
{
    static _Thread_local struct eddy_stream none[3];
    struct eddy_stream *s = &none[fd];

    *s = (struct eddy_stream){ .fd = -1, .why = why, .forks = eddy_forks };
    return s;
}

static struct eddy_stream *standard(int fd)
{
    struct shelf *shelf = NULL;
    struct eddy_stream *s = NULL;

    int r = shelf_of_loop(&shelf);
    assert(r < 0 || shelf);
    if (r == 0)
        r = stream_of(shelf, fd, &s);
    return r == 0 ? s : refusing(fd, r);
}

struct eddy_stream *eddy_stdin(void)
{
    return standard(0);
}

struct eddy_stream *eddy_stdout(void)
{
    return standard(1);
}

struct eddy_stream *eddy_stderr(void)
{
    return standard(2);
}

/* --- printing --------------------------------------------------------------------------------- */

static int write_whole(struct shelf *shelf, int fd, const char *text, size_t len)
{
    struct eddy_stream *s = standard(fd);

    /* What an earlier print left when it was cancelled is on its way out. */
    if (s == shelf->streams[fd] && s->broken && s->t) {
        eddy_stream_close(s);
        s = standard(fd);
    }
    return eddy_write(s, text, len);
}

static int print_text(int fd, const char *text, size_t len)
{
    struct shelf *shelf = NULL;

    int r = shelf_of_loop(&shelf);
    if (r == 0)
        r = eddy_mutex_lock(&shelf->printing[fd]);
    if (r < 0)
        return r;
    assert(shelf);
    r = write_whole(shelf, fd, text, len);
    (void)eddy_mutex_unlock(&shelf->printing[fd]);
    return r;
}

static EDDY_PRINTF(2, 0) int print(int fd, const char *format, va_list list)
{
    char short_text[512];
    va_list again;

    va_copy(again, list);
    int n = vsnprintf(short_text, sizeof short_text, format, list);
    int r = n < 0 ? -EINVAL : (size_t)n > TEXT_MAX ? -EDDY_ETOOBIG : 0;
    size_t len = n > 0 ? (size_t)n : 0;
    if (r == 0 && len < sizeof short_text) {
        r = print_text(fd, short_text, len);
    } else if (r == 0) {
        char *text = eddy__alloc(len + 1);
        if (text && vsnprintf(text, len + 1, format, again) == n)
            r = print_text(fd, text, len);
        else
            r = text ? -EINVAL : -ENOMEM;
        eddy__free(text, len + 1);
    }
    va_end(again);
    return r;
}

int eddy_print(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int r = print(1, format, list);
    va_end(list);
    return r;
}

int eddy_print_error(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int r = print(2, format, list);
    va_end(list);
    return r;
}
