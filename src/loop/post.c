/*
 * loop/post.c - functions handed to a loop from any thread
 *
 * A stack without locks: any thread pushes, the loop takes all of it at once and runs it oldest
 * first. The driver is woken by the push that finds the loop asleep, and only by that one: a
 * busy loop, or one that was woken already, costs the poster no system call.
 *
 * What a post says may be the reason for which the loop ends, while the poster is still about to
 * look whether it sleeps. So posters in the act are counted, and eddy_loop_free() waits for them.
 */
#include "base/memory.h"
#include "loop/loop.h"

void eddy__post_embedded(struct eddy_loop *loop, struct eddy_post *post)
{
    atomic_fetch_add(&loop->posters, 1);
    post->next = atomic_load_explicit(&loop->posts, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&loop->posts, &post->next, post))
        ;
    if (atomic_exchange(&loop->asleep, false))
        loop->driver->ops->wake(loop->driver);
    atomic_fetch_sub(&loop->posters, 1); /* the last look at the loop */
}

int eddy_post(struct eddy_loop *loop, void (*fn)(void *ctx), void *ctx)
{
    struct eddy_post *post = eddy__alloc(sizeof *post);

    if (!post)
        return -ENOMEM;
    post->fn = fn;
    post->ctx = ctx;
    post->embedded = false;
    eddy__post_embedded(loop, post);
    return 0;
}

void eddy_post_run_all(struct eddy_loop *loop)
{
    struct eddy_post *newest = atomic_exchange(&loop->posts, NULL);
    struct eddy_post *oldest = NULL;

    while (newest) {
        struct eddy_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct eddy_post post = *oldest;
        loop->posts_run++;
        if (!post.embedded)
            eddy__free(oldest, sizeof *oldest);
        post.fn(post.ctx);
        oldest = post.next;
    }
}
