/*
 * loop/post.c - functions handed to a loop from any thread
 *
 * A stack without locks: any thread pushes, the loop takes all of it at once and runs it oldest
 * first. The driver is woken by the push that finds the loop asleep, and only by that one: a
 * busy loop, or one that was woken already, costs the poster no system call. An ending loop runs
 * what it has, then closes the stack: its head is a post that is none.
 *
 * What a post says may be the reason for which the loop ends, while the poster is still about to
 * look whether it sleeps. So posters in the act are counted, and eddy_loop_free() waits for them.
 */
#include "base/memory.h"
#include "loop/loop.h"

#include <sched.h>

static struct eddy_post closed;

static int push(struct eddy_loop *loop, struct eddy_post *post)
{
    int r = 0;

    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    atomic_fetch_add(&loop->posters, 1);
    post->next = atomic_load_explicit(&loop->posts, memory_order_relaxed);
    do
        r = post->next == &closed ? -ESHUTDOWN : 0;
    while (r == 0 && !atomic_compare_exchange_weak(&loop->posts, &post->next, post));
    if (r == 0 && atomic_exchange(&loop->asleep, false))
        loop->driver->ops->wake(loop->driver);
    atomic_fetch_sub(&loop->posters, 1); /* the last look at the loop */
    return r;
}

void eddy__post_embedded(struct eddy_loop *loop, struct eddy_post *post)
{
    (void)push(loop, post);
}

int eddy_post(struct eddy_loop *loop, void (*fn)(void *ctx), void *ctx)
{
    struct eddy_post *post = eddy__alloc(sizeof *post);

    if (!post)
        return -ENOMEM;
    post->fn = fn;
    post->ctx = ctx;
    post->embedded = false;
    int r = push(loop, post);
    if (r < 0)
        eddy__free(post, sizeof *post);
    return r;
}

static void run(struct eddy_loop *loop, struct eddy_post *newest)
{
    struct eddy_post *oldest = NULL;

    while (newest) {
        struct eddy_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    /* Where one of them forks and returns, the child runs no more of them. */
    while (oldest && !eddy_loop_is_parents(loop)) {
        struct eddy_post post = *oldest;
        loop->posts_run++;
        if (!post.embedded)
            eddy__free(oldest, sizeof *oldest);
        post.fn(post.ctx);
        oldest = post.next;
    }
}

void eddy_post_run_all(struct eddy_loop *loop)
{
    run(loop, atomic_exchange(&loop->posts, NULL));
}

void eddy_post_close(struct eddy_loop *loop)
{
    struct eddy_post *last = atomic_exchange(&loop->posts, &closed);

    loop->depth++; /* as ever, they are callbacks */
    run(loop, last);
    loop->depth--;
    while (atomic_load(&loop->posters))
        sched_yield();
}
