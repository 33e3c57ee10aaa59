/*
 * loop/watch.c - a poll operation that goes on, for callback code
 *
 * The operation is the driver's until its last completion. So a watch that is freed meanwhile lives
 * on, mute, until that comes. Watches that nobody frees end with their loop.
 *
 * A descriptor that was closed under a watch is told at each wait by select and poll, which would
 * keep the loop awake for ever. So the watch ends itself when it hears of that.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"

#include <eddy/watch.h>

#include <fcntl.h>

struct eddy_watch {
    /* What an event needs lies side by side. */
    void (*fn)(void *ctx, unsigned events); /* NULL: freed */
    struct eddy_op op;                      /* its ctx is the user's */
    struct eddy_list link;                  /* among its loop's; alone once it was freed */
    struct eddy_loop *loop;
};

/* Of one that was freed, or has told that its descriptor is gone. */
static void on_last_words(struct eddy_op *op, int res)
{
    struct eddy_watch *w = eddy_container_of(op, struct eddy_watch, op);

    (void)res;
    if (!w->fn && !op->more)
        eddy__free(w, sizeof *w);
}

static void on_failure(struct eddy_watch *w, int res)
{
    if (res >= 0 && eddy__sys.fcntl(w->op.fd, F_GETFD, 0) < 0) {
        w->op.done = on_last_words;
        res = -EBADF;
        eddy__op_cancel(w->loop, &w->op);
    }
    /* Ended without being asked: there is nothing to be told of any more but that. */
    w->fn(w->op.ctx, res >= 0 ? (unsigned)res : EDDY_FAILED);
}

static void on_event(struct eddy_op *op, int res)
{
    struct eddy_watch *w = eddy_container_of(op, struct eddy_watch, op);

    if (__builtin_expect(res < 0 || (res & EDDY_FAILED), 0))
        on_failure(w, res);
    else
        w->fn(op->ctx, (unsigned)res);
}

/* Those of one loop, in EDDY_SLOT_WATCH. */
struct watches {
    struct eddy_list list;
};

static void free_watches(void *slot)
{
    struct watches *all = slot;

    while (!eddy_list_is_empty(&all->list)) {
        struct eddy_watch *w = eddy_container_of(all->list.next, struct eddy_watch, link);
        eddy__debug_complain(w->loop, w, "was never closed");
        eddy_watch_free(w);
    }
    eddy__free(all, sizeof *all);
}

static struct watches *watches_of(struct eddy_loop *loop)
{
    struct watches *all = loop->slot[EDDY_SLOT_WATCH];

    if (all)
        return all;
    all = eddy__alloc(sizeof *all);
    if (!all)
        return NULL;
    eddy_list_init(&all->list);
    loop->slot[EDDY_SLOT_WATCH] = all;
    loop->slot_free[EDDY_SLOT_WATCH] = free_watches;
    return all;
}

int eddy_watch_new(int fd, unsigned events, void (*fn)(void *ctx, unsigned events), void *ctx,
                   struct eddy_watch **ret_watch)
{
    const unsigned both = EDDY_READABLE | EDDY_WRITABLE;

    if (!(events & both) || (events & ~(both | EDDY_EDGE)))
        return -EINVAL;
    int open = eddy__sys.fcntl(fd, F_GETFD, 0); /* the ring would say so later only */
    if (open < 0)
        return open;
    struct eddy_loop *loop = eddy_loop_current();
    struct watches *all = loop ? watches_of(loop) : NULL;
    struct eddy_watch *w = all ? eddy__zalloc(sizeof *w) : NULL;
    if (!w)
        return eddy__loop_refusal();
    eddy_op_poll(&w->op, fd, events, on_event);
    w->op.poll.multishot = true;
    w->loop = loop;
    w->fn = fn;
    w->op.ctx = ctx;
    if (eddy__op_submit(loop, &w->op)) {
        int r = w->op.res;
        assert(r < 0);
        eddy__free(w, sizeof *w);
        return r;
    }
    eddy_list_push(&all->list, &w->link);
    eddy__debug_born(loop, w, "a watch");
    *ret_watch = w;
    return 0;
}

void eddy_watch_free(struct eddy_watch *watch)
{
    if (!watch)
        return;
    eddy__debug_gone(watch->loop, watch);
    watch->fn = NULL;
    watch->op.done = on_last_words;
    eddy_list_remove(&watch->link);
    if (!watch->op.pending || eddy__op_cancel(watch->loop, &watch->op))
        eddy__free(watch, sizeof *watch);
}
