/*
 * task/offload.c - blocking work on a bounded pool of threads, one pool a loop
 *
 * A job lies on the stack of the task that waits for it. It is queued, taken by a thread, and
 * comes home as an embedded post, so nothing can fail once it was accepted. Threads start when
 * work finds none idle, up to the bound, and end with the loop. Under the simulator work runs
 * inline: its threads would bring an order of their own.
 */
#include "task/task.h"

#include "base/memory.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define WORKERS_DEFAULT 4
#define WORKERS_MAX 64

enum job_state { JOB_QUEUED, JOB_TAKEN, JOB_HOME };

struct job {
    struct eddy_wait wait; /* first */
    struct eddy_list link; /* under the pool's lock */
    struct pool *pool;
    int (*fn)(void *arg);
    void *arg;
    int result;
    enum job_state state; /* under the pool's lock */
    struct eddy_post post;
};

struct pool {
    struct eddy_loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct eddy_list queue; /* of jobs nobody has taken */
    unsigned limit;
    unsigned idle;
    unsigned count;
    bool ending;
    pthread_t threads[WORKERS_MAX];
};

static void came_home(void *ctx)
{
    struct job *job = ctx;

    job->state = JOB_HOME;
    eddy__wake(&job->wait, 0);
}

static void *worker(void *ctx)
{
    struct pool *pool = ctx;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct eddy_list *link;
        pool->idle++;
        while (!(link = eddy_list_shift(&pool->queue)) && !pool->ending)
            pthread_cond_wait(&pool->work, &pool->lock);
        pool->idle--;
        if (!link)
            break;
        struct job *job = eddy_container_of(link, struct job, link);
        job->state = JOB_TAKEN;
        pthread_mutex_unlock(&pool->lock);
        job->result = job->fn(job->arg);
        eddy__post_embedded(pool->loop, &job->post); /* the job is the loop's again */
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void free_pool(void *slot)
{
    struct pool *pool = slot;

    pthread_mutex_lock(&pool->lock);
    assert(eddy_list_is_empty(&pool->queue));
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    eddy__free(pool, sizeof *pool);
}

static struct pool *get_pool(struct eddy_loop *loop)
{
    struct pool *pool = loop->slot[EDDY_SLOT_OFFLOAD];

    if (pool)
        return pool;
    pool = eddy__zalloc(sizeof *pool);
    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->limit = loop->options.workers ? loop->options.workers : WORKERS_DEFAULT;
    if (pool->limit > WORKERS_MAX)
        pool->limit = WORKERS_MAX;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    eddy_list_init(&pool->queue);
    loop->slot[EDDY_SLOT_OFFLOAD] = pool;
    loop->slot_free[EDDY_SLOT_OFFLOAD] = free_pool;
    return pool;
}

/* With the lock held. Signals are the loop thread's business: workers block them all. */
static int start_worker(struct pool *pool)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&pool->threads[pool->count], NULL, worker, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pool->count++;
    return r;
}

static void withdraw(struct eddy_wait *w, int why)
{
    struct job *job = (struct job *)(void *)w;
    bool withdrawn = false;

    pthread_mutex_lock(&job->pool->lock);
    if (job->state == JOB_QUEUED) {
        eddy_list_remove(&job->link);
        withdrawn = true;
    }
    pthread_mutex_unlock(&job->pool->lock);
    if (withdrawn)
        eddy__wake(w, why);
}

int eddy_offload(int (*fn)(void *arg), void *arg)
{
    int r = eddy__wait_check();

    if (r < 0)
        return r;
    struct eddy_loop *loop = eddy__loop();
    if (strcmp(loop->driver->backend, "sim") == 0)
        return fn(arg);
    struct pool *pool = get_pool(loop);
    if (!pool)
        return -ENOMEM;

    struct job job = { .wait = EDDY_WAIT(withdraw, "offload"), .pool = pool, .fn = fn, .arg = arg };
    job.post = (struct eddy_post){ .fn = came_home, .ctx = &job, .embedded = true };
    pthread_mutex_lock(&pool->lock);
    if (pool->idle == 0 && pool->count < pool->limit)
        r = start_worker(pool);
    if (r == 0 || pool->count > 0) {
        r = 0;
        eddy_list_push(&pool->queue, &job.link);
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (r < 0)
        return r;
    r = eddy__wait(&job.wait);
    return r < 0 ? r : job.result;
}
