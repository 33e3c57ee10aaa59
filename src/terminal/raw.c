/*
 * terminal/raw.c - raw mode: what it changes, and giving it back
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"
#include "loop/loop.h"
#include "terminal/terminal.h"

#include <fcntl.h>
#include <string.h>

bool eddy_terminal_is(int fd)
{
    struct eddy_loop *loop = eddy__loop();
    struct termios attributes;

    return !(loop && eddy_driver_is_simulated(loop->driver)) &&
           eddy__sys.tcgetattr(fd, &attributes) == 0;
}

/* cfmakeraw(3), but output stays as it is: a line still ends with "\n". */
static void make_raw(struct termios *t, bool signals)
{
    t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals)
        t->c_lflag &= ~(tcflag_t)ISIG;
    t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
    t->c_cflag |= CS8;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

/* Behind what is switched on, before what is switched off: the last on is the first off. */
static void add(struct eddy_guard *want, bool wanted, const char *on, const char *off)
{
    const size_t on_len = strlen(on), off_len = strlen(off);

    if (!wanted)
        return;
    assert(want->on_len + on_len <= sizeof want->on && want->off_len + off_len <= sizeof want->off);
    memcpy(want->on + want->on_len, on, on_len);
    memmove(want->off + off_len, want->off, want->off_len);
    memcpy(want->off, off, off_len);
    want->on_len += on_len;
    want->off_len += off_len;
}

static void wishes(const struct eddy_terminal_options *o, struct eddy_guard *want)
{
    add(want, o->screen, "\033[?1049h", "\033[?1049l");
    add(want, o->hide_cursor, "\033[?25l", "\033[?25h");
    add(want, o->paste, "\033[?2004h", "\033[?2004l");
    add(want, o->focus, "\033[?1004h", "\033[?1004l");
    add(want, o->mouse, "\033[?1002h\033[?1006h", "\033[?1006l\033[?1002l");
}

static int refused(struct eddy_error *err, int fd, int r)
{
    switch (r) {
    case -ENOTTY:
        return eddy_error_set(err, r, 0, "descriptor %d is no terminal; ask eddy_terminal_is()",
                              fd);
    case -EBUSY:
        return eddy_error_set(err, r, 0, "descriptor %d is raw already, or eight terminals are",
                              fd);
    case -EAGAIN:
        return eddy_error_set(err, r, 0, "the terminal's output is held up; Ctrl-Q lets it go on");
    default:
        return eddy_error_set(err, r, 0, "the terminal of descriptor %d cannot be changed: %s", fd,
                              eddy_strerror(r));
    }
}

int eddy_terminal_raw(int fd, const struct eddy_terminal_options *options,
                      struct eddy_terminal **ret_t)
{
    static const struct eddy_terminal_options none = { .size = sizeof none };
    const struct eddy_terminal_options *o = options ? options : &none;
    struct eddy_loop *loop = eddy__loop();
    struct eddy_guard want = { .fd = fd };

    int r = loop ? eddy__sim_refuse(loop, "terminals") : 0;
    if (r == 0)
        r = eddy__sys.tcgetattr(fd, &want.before);
    if (r < 0)
        return refused(o->error, fd, r);
    want.raw = want.before;
    make_raw(&want.raw, o->signals);
    wishes(o, &want);
    r = want.on_len ? eddy__sys.fcntl(fd, F_GETFL, 0) : O_RDWR;
    if (r >= 0 && (r & O_ACCMODE) != O_RDWR)
        return eddy_error_set(o->error, -EBADF, 0,
                              "descriptor %d is not open for both reading and writing", fd);
    struct eddy_terminal *t = r < 0 ? NULL : eddy__zalloc(sizeof *t);
    if (t)
        r = eddy_guard_take(fd, &want, &t->guard);
    else
        r = r < 0 ? r : -ENOMEM;
    if (r < 0) {
        eddy__free(t, sizeof *t);
        return refused(o->error, fd, r);
    }
    t->fd = fd;
    t->escape_ms = o->escape_ms ? o->escape_ms : 50;
    t->at = t->end = t->bytes;
    *ret_t = t;
    return 0;
}

void eddy_terminal_free(struct eddy_terminal *t)
{
    if (!t)
        return;
    assert(!t->reading && "a task waits for keys");
    eddy_guard_give_back(t->guard);
    eddy_stream_free(t->stream);
    eddy__free(t, sizeof *t);
}
