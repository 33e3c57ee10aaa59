/*
 * terminal/size.c - how large a window is, and waiting for it to change
 *
 * SIGWINCH says only when to look. The caller says what he knows, so no change is lost between two
 * calls.
 */
#include "base/sys.h"
#include "task/wait.h"

#include <eddy/terminal.h>

#include <signal.h>
#include <sys/ioctl.h>

static int size_of(int fd, struct eddy_terminal_size *ret)
{
    struct winsize w;

    int r = eddy__sys.window_size(fd, &w);
    if (r == 0)
        *ret = (struct eddy_terminal_size){ .columns = w.ws_col, .rows = w.ws_row };
    return r;
}

int eddy_terminal_size(int fd, struct eddy_terminal_size *ret_size)
{
    struct eddy_loop *loop = eddy__loop();

    int r = loop ? eddy__sim_refuse(loop, "terminals") : 0;
    return r < 0 ? r : size_of(fd, ret_size);
}

struct resize {
    struct eddy_wait wait; /* first */
    struct eddy_hearer hearer;
    struct eddy_terminal_size *size;
    int fd;
};

/* 1: it is another, and written to ->size; 0: the same; or an error. */
static int look(const struct resize *w)
{
    struct eddy_terminal_size now = { 0 };

    int r = size_of(w->fd, &now);
    if (r < 0 || (now.columns == w->size->columns && now.rows == w->size->rows))
        return r;
    *w->size = now;
    return 1;
}

static void window_changed(struct eddy_hearer *h)
{
    struct resize *w = eddy_container_of(h, struct resize, hearer);

    int r = look(w);
    if (r == 0)
        return;
    (void)eddy__signal_unhear(h);
    eddy__wake(&w->wait, r < 0 ? r : 0);
}

static void interrupted(struct eddy_wait *wait, int why)
{
    (void)eddy__signal_unhear(&((struct resize *)(void *)wait)->hearer);
    eddy__wake(wait, why);
}

int eddy_terminal_resized(int fd, struct eddy_terminal_size *size)
{
    struct resize w = { .wait = EDDY_WAIT(interrupted, "window size"),
                        .hearer = { .fn = window_changed },
                        .size = size,
                        .fd = fd };

    int r = eddy__wait_check();
    if (r < 0)
        return r;
    struct eddy_loop *loop = eddy__loop();
    r = eddy__sim_refuse(loop, "terminals");
    if (r == 0)
        r = eddy__signal_hear(loop, SIGWINCH, &w.hearer);
    if (r < 0)
        return r;
    r = look(&w); /* it may have changed before we heard */
    if (r == 0)
        return eddy__wait(&w.wait);
    (void)eddy__signal_unhear(&w.hearer);
    return r < 0 ? r : 0;
}
