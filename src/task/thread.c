/*
 * task/thread.c - threads with a loop of their own
 *
 * What the two sides share is under a lock: the loop while it can be posted to, the scope while it
 * can be cancelled, and who waits for the end. Whoever posts to the other side does it with the lock
 * held, so the loop that is posted to cannot end meanwhile. The record is freed by who joins, after
 * the system's thread is gone.
 */
#include "base/memory.h"
#include "task/wait.h"

#include <eddy/thread.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>

struct eddy_thread {
    pthread_t id;
    int (*fn)(void *arg);
    void *arg;
    const struct eddy_loop_options *options; /* until it has begun */
    char name[16];
    sem_t begun;
    int refused;    /* why it did not begin */
    unsigned forks; /* eddy_forks where it was started: a child of a fork has no such thread */
    int result;     /* of fn */

    pthread_mutex_t lock;
    struct eddy_loop *loop;   /* NULL: no posts any more */
    struct eddy_post cancel;  /* in flight once at most */
    bool cancelled;           /* it was sent */
    bool ended;               /* all but the last steps of the system's thread */
    struct joiner *joiner;    /* who waits */
    struct eddy_scope *scope; /* around fn: the thread's own, no lock; NULL: it has been left */
};

struct joiner {
    struct eddy_wait wait; /* first */
    struct eddy_thread *thread;
    struct eddy_loop *loop;
    struct eddy_post post;
};

/* --- on the thread ----------------------------------------------------------------------------- */

static void cancel_here(void *ctx)
{
    struct eddy_thread *t = ctx;

    if (t->scope)
        eddy_scope_cancel(t->scope);
}

static int run(struct eddy_thread *t)
{
    EDDY_SCOPE(all, .timeout_ms = 0);
    t->scope = &all;
    int r = t->fn(t->arg);
    t->scope = NULL;
    return r;
}

static void *begin(void *arg)
{
    struct eddy_thread *t = arg;
    struct eddy_loop *loop = NULL;

    pthread_setname_np(pthread_self(), t->name);
    int r = eddy_loop_new(t->options, &loop);
    if (r == 0) {
        r = eddy__wait_check(); /* makes what plain code needs to wait */
        if (r < 0)
            eddy_loop_free(loop);
    }
    t->loop = r == 0 ? loop : NULL;
    t->refused = r;
    sem_post(&t->begun);
    if (r < 0)
        return NULL;

    t->result = run(t);
    pthread_mutex_lock(&t->lock);
    t->loop = NULL;
    pthread_mutex_unlock(&t->lock);
    eddy_loop_free(loop);

    pthread_mutex_lock(&t->lock);
    t->ended = true;
    if (t->joiner)
        eddy__post_embedded(t->joiner->loop, &t->joiner->post);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* --- starting ----------------------------------------------------------------------------------- */

static int start(struct eddy_thread *t, size_t stack_bytes)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int r = -pthread_attr_init(&attr);

    if (r < 0)
        return r;
    if (stack_bytes)
        r = -pthread_attr_setstacksize(&attr, stack_bytes);
    if (r == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = -pthread_create(&t->id, &attr, begin, t);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
    if (r < 0)
        return r;
    while (sem_wait(&t->begun) < 0)
        ; /* a signal */
    if (t->refused < 0)
        pthread_join(t->id, NULL);
    return t->refused;
}

static void dispose(struct eddy_thread *t)
{
    sem_destroy(&t->begun);
    pthread_mutex_destroy(&t->lock);
    eddy__free(t, sizeof *t);
}

int eddy_thread_start(int (*fn)(void *arg), void *arg, const struct eddy_thread_options *options,
                      struct eddy_thread **ret_thread)
{
    struct eddy_thread_options o = { .size = sizeof o };
    struct eddy_thread *t = eddy__zalloc(sizeof *t);

    if (!t)
        return -ENOMEM;
    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    t->fn = fn;
    t->arg = arg;
    t->forks = eddy_forks;
    t->options = o.loop;
    snprintf(t->name, sizeof t->name, "%s", o.name ? o.name : "eddy");
    sem_init(&t->begun, 0, 0);
    pthread_mutex_init(&t->lock, NULL);
    t->cancel = (struct eddy_post){ .fn = cancel_here, .ctx = t, .embedded = true };
    int r = start(t, o.stack_bytes);
    if (r < 0)
        dispose(t);
    else
        *ret_thread = t;
    return r;
}

/* --- from outside --------------------------------------------------------------------------------- */

void eddy_thread_cancel(struct eddy_thread *thread)
{
    if (eddy_forked_since(thread->forks))
        return;
    pthread_mutex_lock(&thread->lock);
    if (thread->loop && !thread->cancelled) {
        thread->cancelled = true;
        eddy__post_embedded(thread->loop, &thread->cancel);
    }
    pthread_mutex_unlock(&thread->lock);
}

int eddy_thread_post(struct eddy_thread *thread, void (*fn)(void *ctx), void *ctx)
{
    if (eddy_forked_since(thread->forks))
        return -EDDY_EFORKED;
    pthread_mutex_lock(&thread->lock);
    int r = thread->loop ? eddy_post(thread->loop, fn, ctx) : -ESHUTDOWN;
    pthread_mutex_unlock(&thread->lock);
    return r;
}

static void told(void *ctx)
{
    eddy__wake(&((struct joiner *)ctx)->wait, 0);
}

static void give_up(struct eddy_wait *w, int why)
{
    struct eddy_thread *t = ((struct joiner *)(void *)w)->thread;

    pthread_mutex_lock(&t->lock);
    bool ended = t->ended; /* then the post is on its way, and has our memory */
    if (!ended)
        t->joiner = NULL;
    pthread_mutex_unlock(&t->lock);
    if (!ended)
        eddy__wake(w, why);
}

static int wait_for(struct eddy_thread *t, bool interruptible)
{
    struct joiner j = { .wait = EDDY_WAIT(interruptible ? give_up : NULL, "thread"),
                        .thread = t,
                        .loop = eddy__loop() };
    int r = 0;

    j.post = (struct eddy_post){ .fn = told, .ctx = &j, .embedded = true };
    pthread_mutex_lock(&t->lock);
    bool ended = t->ended;
    if (!ended && t->joiner)
        r = -EBUSY;
    else if (!ended)
        t->joiner = &j;
    pthread_mutex_unlock(&t->lock);
    return r < 0 || ended ? r : eddy__wait(&j.wait);
}

static void reap(struct eddy_thread *t)
{
    pthread_join(t->id, NULL); /* its last few instructions */
    dispose(t);
}

int eddy_thread_join(struct eddy_thread *thread, int *ret_result)
{
    if (eddy_forked_since(thread->forks))
        return -EDDY_EFORKED;
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    if (pthread_equal(thread->id, pthread_self()))
        return -EDEADLK;
    r = wait_for(thread, true);
    if (r < 0)
        return r;
    if (ret_result)
        *ret_result = thread->result;
    reap(thread);
    return 0;
}

void eddy_thread_free(struct eddy_thread *thread)
{
    if (!thread)
        return;
    eddy_thread_cancel(thread);
    if (!eddy_forked_since(thread->forks) && eddy__wait_check() != -EDEADLK) {
        int r = wait_for(thread, false);
        assert((r == 0 || r == -EDDY_EFORKED) && "nobody may be joining it");
        (void)r;
    }
    if (eddy_forked_since(thread->forks))
        eddy__free(thread, sizeof *thread);
    else
        reap(thread);
}
