/*
 * loop/pool.c - threads for blocking work: a lane for each class, all of one loop
 *
 * A lane is a queue, a bound and threads of its own, so that no class can hold what another needs,
 * however slow its work is. A thread is started when work finds none idle and the lane has room for
 * one more; all end with the loop. Work is the caller's memory and comes home as an embedded post,
 * so nothing can fail once it was accepted.
 *
 * Under the simulator there are no threads: they would bring an order of their own. There a timer,
 * at a time from the seed, runs the work on the loop's thread, and another one brings it home.
 */
#include "loop/pool.h"

#include "base/memory.h"

#include <pthread.h>
#include <signal.h>

enum { NAME_WORKERS = 2, FILE_WORKERS = 4, USER_WORKERS = 4, WORKERS_MAX = 64 };
#define QUEUE_DEFAULT 65536u

/* Of a piece of work; under its lane's lock. */
enum { QUEUED = 1, BEGUN };

struct lane {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct eddy_list queue; /* of work that no thread has taken */
    unsigned queued;
    unsigned limit; /* of threads */
    unsigned idle;  /* that wait for work; those that were signalled and are on their way too */
    unsigned busy;  /* that run a piece of work */
    unsigned count;
    bool ending;
    pthread_t threads[WORKERS_MAX];
};

struct eddy_pool {
    struct eddy_loop *loop;
    size_t out; /* accepted, and neither done nor withdrawn: the loop's thread's */
    unsigned queue_limit;
    bool simulated;
    struct lane lanes[EDDY_WORK_CLASSES];
};

/* --- threads ------------------------------------------------------------------------------------ */

static void come_home(void *ctx)
{
    struct eddy_work *w = ctx;

    assert(w->state == BEGUN && w->loop->pool->out > 0);
    w->loop->pool->out--;
    w->done(w);
}

static void *worker(void *ctx)
{
    struct lane *lane = ctx;

    pthread_mutex_lock(&lane->lock);
    for (;;) {
        struct eddy_list *link;
        lane->idle++;
        while (!(link = eddy_list_shift(&lane->queue)) && !lane->ending)
            pthread_cond_wait(&lane->work, &lane->lock);
        lane->idle--;
        if (!link)
            break;
        struct eddy_work *w = eddy_container_of(link, struct eddy_work, link);
        lane->queued--;
        lane->busy++;
        w->state = BEGUN;
        pthread_mutex_unlock(&lane->lock);
        w->run(w);
        pthread_mutex_lock(&lane->lock);
        lane->busy--; /* before the loop hears of it, and submits more */
        pthread_mutex_unlock(&lane->lock);
        eddy__post_embedded(w->loop, &w->post); /* from here on it is the loop's */
        pthread_mutex_lock(&lane->lock);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* With the lock held. Signals are the loop thread's business: workers block them all. */
static int start_worker(struct lane *lane)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&lane->threads[lane->count], NULL, worker, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        lane->count++;
    return r;
}

/* What a thread that is free, or can be started, is about to take does not wait. */
static bool is_full(const struct eddy_pool *pool, const struct lane *lane)
{
    return lane->queued >= (uint64_t)pool->queue_limit + (lane->limit - lane->busy);
}

static int enqueue(struct eddy_pool *pool, struct lane *lane, struct eddy_work *w)
{
    int r = 0;

    pthread_mutex_lock(&lane->lock);
    const bool full = is_full(pool, lane);
    if (full)
        r = -EAGAIN;
    else if (lane->idle <= lane->queued && lane->count < lane->limit)
        r = start_worker(lane);
    /* Where a thread serves this lane already, the work waits for it. */
    if (r == 0 || (lane->count > 0 && !full)) {
        r = 0;
        eddy_list_push(&lane->queue, &w->link);
        lane->queued++;
        pthread_cond_signal(&lane->work);
    }
    pthread_mutex_unlock(&lane->lock);
    return r;
}

/* --- the simulator's ------------------------------------------------------------------------------ */

#define SIMULATED_NS 3000000 /* a piece of work waits, and then takes, at most so long */

static int64_t simulated_time(struct eddy_loop *loop)
{
    return eddy_loop_clock(loop) + (int64_t)loop->driver->ops->dice(loop->driver, SIMULATED_NS);
}

static void simulated_end(struct eddy_timer *t)
{
    come_home(eddy_container_of(t, struct eddy_work, timer));
}

static void simulated_run(struct eddy_timer *t)
{
    struct eddy_work *w = eddy_container_of(t, struct eddy_work, timer);

    w->state = BEGUN;
    w->run(w);
    eddy__timer_start(w->loop, &w->timer, simulated_time(w->loop), simulated_end);
}

/* --- the pool --------------------------------------------------------------------------------------- */

static unsigned limit_of(unsigned option, unsigned otherwise)
{
    unsigned limit = option ? option : otherwise;

    return limit < WORKERS_MAX ? limit : WORKERS_MAX;
}

static struct eddy_pool *pool_of(struct eddy_loop *loop)
{
    const struct eddy_loop_options *options = &loop->options;
    const unsigned limits[EDDY_WORK_CLASSES] = {
        [EDDY_WORK_NAMES] = NAME_WORKERS,
        [EDDY_WORK_FILES] = limit_of(options->file_workers, FILE_WORKERS),
        [EDDY_WORK_USER] = limit_of(options->workers, USER_WORKERS),
    };

    if (loop->pool)
        return loop->pool;
    struct eddy_pool *pool = eddy__zalloc(sizeof *pool);
    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->queue_limit = options->work_queue ? options->work_queue : QUEUE_DEFAULT;
    pool->simulated = loop->driver->ops == &eddy_driver_sim;
    for (int i = 0; i < EDDY_WORK_CLASSES; i++) {
        struct lane *lane = &pool->lanes[i];
        pthread_mutex_init(&lane->lock, NULL);
        pthread_cond_init(&lane->work, NULL);
        eddy_list_init(&lane->queue);
        lane->limit = limits[i];
    }
    loop->pool = pool;
    return pool;
}

int eddy__work_submit(struct eddy_loop *loop, enum eddy_work_class class_of, struct eddy_work *w)
{
    struct eddy_pool *pool = pool_of(loop);
    int r = 0;

    assert(class_of < EDDY_WORK_CLASSES && w->run && w->done);
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (!pool)
        return -ENOMEM;
    w->loop = loop;
    w->class_of = (uint8_t)class_of;
    w->state = QUEUED;
    eddy_list_init(&w->link);
    w->timer = (struct eddy_timer){ .deadline_ns = 0 };
    w->post = (struct eddy_post){ .fn = come_home, .ctx = w, .embedded = true };
    if (pool->simulated)
        eddy__timer_start(loop, &w->timer, simulated_time(loop), simulated_run);
    else
        r = enqueue(pool, &pool->lanes[class_of], w);
    if (r == 0)
        pool->out++;
    return r;
}

bool eddy__work_withdraw(struct eddy_work *w)
{
    struct eddy_pool *pool = w->loop->pool;
    struct lane *lane = &pool->lanes[w->class_of];

    pthread_mutex_lock(&lane->lock);
    bool withdrawn = w->state == QUEUED;
    if (withdrawn && !pool->simulated) {
        eddy_list_remove(&w->link);
        lane->queued--;
    }
    pthread_mutex_unlock(&lane->lock);
    if (withdrawn) {
        eddy__timer_stop(w->loop, &w->timer);
        pool->out--;
    }
    return withdrawn;
}

size_t eddy_pool_out(const struct eddy_loop *loop)
{
    return loop->pool ? loop->pool->out : 0;
}

void eddy_pool_free(struct eddy_loop *loop)
{
    struct eddy_pool *pool = loop->pool;

    if (!pool)
        return;
    assert(pool->out == 0);
    for (int i = 0; i < EDDY_WORK_CLASSES; i++) {
        struct lane *lane = &pool->lanes[i];
        assert(eddy_list_is_empty(&lane->queue));
        pthread_mutex_lock(&lane->lock);
        lane->ending = true;
        pthread_cond_broadcast(&lane->work);
        pthread_mutex_unlock(&lane->lock);
        for (unsigned k = 0; k < lane->count; k++)
            pthread_join(lane->threads[k], NULL);
        pthread_cond_destroy(&lane->work);
        pthread_mutex_destroy(&lane->lock);
    }
    loop->pool = NULL;
    eddy__free(pool, sizeof *pool);
}
