/*
 * loop/idle.c - work for when there is nothing else to do
 *
 * A ring of those that have something to do. An iteration that found nothing runs one slice of the
 * first, and puts it at the end if it wants more. While the ring is not empty the loop looks for
 * events without waiting; when it is empty it sleeps as ever.
 */
#include "base/memory.h"
#include "loop/loop.h"

struct eddy_idle {
    struct eddy_list link; /* in loop->idle */
    struct eddy_loop *loop;
    bool (*fn)(void *ctx);
    void *ctx;
};

int eddy_idle_new(bool (*fn)(void *ctx), void *ctx, struct eddy_idle **ret_idle)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_idle *idle = loop ? eddy__alloc(sizeof *idle) : NULL;

    if (!idle)
        return eddy__loop_refusal();
    *idle = (struct eddy_idle){ .loop = loop, .fn = fn, .ctx = ctx };
    eddy_list_init(&idle->link);
    *ret_idle = idle;
    return 0;
}

void eddy_idle_start(struct eddy_idle *idle)
{
    if (!eddy_list_is_empty(&idle->link) || eddy_loop_is_parents(idle->loop))
        return;
    eddy_list_push(&idle->loop->idle, &idle->link);
    eddy_loop_touch(idle->loop);
}

void eddy_idle_stop(struct eddy_idle *idle)
{
    eddy_list_remove(&idle->link);
    if (idle->loop->idling == idle)
        idle->loop->idling = NULL;
}

void eddy_idle_free(struct eddy_idle *idle)
{
    if (!idle)
        return;
    eddy_idle_stop(idle);
    eddy__free(idle, sizeof *idle);
}

void eddy_idle_run(struct eddy_loop *loop)
{
    struct eddy_list *link = loop->idle.next;
    struct eddy_idle *idle = eddy_container_of(link, struct eddy_idle, link);

    /* To the end first: fn may stop or free it, and then nothing of it is touched. */
    eddy_list_remove(link);
    eddy_list_push(&loop->idle, link);
    loop->idling = idle;
    bool more = idle->fn(idle->ctx);
    if (!more && loop->idling == idle)
        eddy_list_remove(link);
    loop->idling = NULL;
}
