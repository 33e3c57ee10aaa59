/*
 * Blocking work on the pool: results, bounds, cancellation.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/loop.h>
#include <eddy/task.h>

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static int square(void *arg)
{
    int *n = arg;

    *n *= *n;
    return *n;
}

EDDY_TEST(offload_returns_what_the_work_returned)
{
    int n = 7;

    EDDY_CHECK_EQ(eddy_offload(square, &n), 49);
    EDDY_CHECK_EQ(n, 49);
}

struct worker_args {
    int n;
    int *ret;
};

static int worker(struct worker_args *a)
{
    int n = a->n;
    int r = eddy_offload(square, &n);

    *a->ret = r;
    return r < 0 ? r : 0;
}
EDDY_TASK(worker);

EDDY_TEST(many_jobs_share_the_pool)
{
    int results[200] = { 0 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 200; i++)
        EDDY_GO(&s, worker, .n = i, .ret = &results[i]);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 200; i++)
        EDDY_CHECK_EQ(results[i], i * i);
}

static sem_t gate;

static int wait_at_gate(void *arg)
{
    atomic_int *inside = arg;

    atomic_fetch_add(inside, 1);
    sem_wait(&gate);
    return 0;
}

static atomic_int inside;

struct blocker_args {
    int *ret;
};

static int blocker(struct blocker_args *a)
{
    *a->ret = eddy_offload(wait_at_gate, &inside);
    return *a->ret;
}
EDDY_TASK(blocker);

EDDY_TEST(a_cancel_withdraws_queued_work_and_waits_for_begun_work)
{
    struct eddy_loop *loop;
    int results[3] = { 1, 1, 1 };

    if (is_sim())
        return; /* runs inline there: nothing is ever queued */
    sem_init(&gate, 0, 0);
    atomic_store(&inside, 0);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .workers = 1), &loop), 0))
        return;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        for (int i = 0; i < 3; i++)
            EDDY_GO(&s, blocker, .ret = &results[i]);
        while (atomic_load(&inside) == 0)
            eddy_yield();
        eddy_scope_cancel(&s);
        EDDY_SHIELD(look, .timeout_ms = 5000);
        eddy_yield();
        eddy_yield();
        EDDY_CHECK_EQ(results[1], -ECANCELED);
        EDDY_CHECK_EQ(results[2], -ECANCELED);
        EDDY_CHECK_EQ(results[0], 1);
        sem_post(&gate);
    }
    EDDY_CHECK_EQ(results[0], 0); /* it had begun: completion wins */
    EDDY_CHECK_EQ(atomic_load(&inside), 1);
    eddy_loop_free(loop);
    sem_destroy(&gate);
}

EDDY_TEST(timers_run_while_work_blocks)
{
    int result = 1;

    if (is_sim())
        return;
    sem_init(&gate, 0, 0);
    atomic_store(&inside, 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, blocker, .ret = &result);
        EDDY_CHECK_EQ(eddy_sleep(5), 0);
        EDDY_CHECK_EQ(result, 1);
        sem_post(&gate);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    sem_destroy(&gate);
}
