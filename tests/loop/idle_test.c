/*
 * Work for when there is nothing else to do.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/task.h>

struct job {
    int left;
    int slices;
    int *order;
    int *count;
    int name;
    struct eddy_idle *idle;
    bool frees;
};

static bool slice(void *ctx)
{
    struct job *job = ctx;

    job->slices++;
    if (job->order && *job->count < 16)
        job->order[(*job->count)++] = job->name;
    if (job->frees) {
        eddy_idle_free(job->idle);
        return true; /* which nobody may believe */
    }
    return --job->left > 0;
}

static void turns(int n)
{
    struct eddy_loop *loop = eddy_loop_current();

    while (n--)
        EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
}

EDDY_TEST(a_slice_runs_in_each_iteration_that_finds_nothing_until_it_says_no)
{
    struct job job = { .left = 3 };
    struct eddy_idle *idle;

    EDDY_CHECK_EQ(eddy_idle_new(slice, &job, &idle), 0);
    turns(2);
    EDDY_CHECK_EQ(job.slices, 0);
    eddy_idle_start(idle);
    eddy_idle_start(idle);
    turns(2);
    EDDY_CHECK_EQ(job.slices, 2);
    turns(5);
    EDDY_CHECK_EQ(job.slices, 3);
    job.left = 1;
    eddy_idle_start(idle);
    turns(3);
    EDDY_CHECK_EQ(job.slices, 4);
    eddy_idle_free(idle);
}

EDDY_TEST(the_loop_sleeps_when_no_slice_is_wanted)
{
    struct job job = { .left = 100 };
    struct eddy_idle *idle;
    struct eddy_loop *loop = eddy_loop_current();

    EDDY_CHECK_EQ(eddy_idle_new(slice, &job, &idle), 0);
    eddy_idle_start(idle);
    EDDY_CHECK_EQ(eddy_sleep(200), 0);
    /* All slices, and an iteration for each, and not many more: it slept for the rest. */
    if (job.slices == 100)
        EDDY_CHECK(loop->iterations < 100 + 50);
    else
        EDDY_CHECK_EQ(eddy_check_backend()[0],
                      's'); /* the clock stands still while there are slices */
    eddy_idle_free(idle);
}

EDDY_TEST(several_take_turns)
{
    int order[16], count = 0;
    struct job a = { .left = 3, .order = order, .count = &count, .name = 'a' };
    struct job b = { .left = 2, .order = order, .count = &count, .name = 'b' };
    struct eddy_idle *first, *second;
    static const int want[] = { 'a', 'b', 'a', 'b', 'a' };

    EDDY_CHECK_EQ(eddy_idle_new(slice, &a, &first), 0);
    EDDY_CHECK_EQ(eddy_idle_new(slice, &b, &second), 0);
    eddy_idle_start(first);
    eddy_idle_start(second);
    turns(10);
    EDDY_CHECK_MEM(order, (size_t)count * sizeof *order, want, sizeof want);
    eddy_idle_free(first);
    eddy_idle_free(second);
}

EDDY_TEST(it_may_be_freed_from_inside_and_stopped_from_outside)
{
    struct job gone = { .left = 5, .frees = true }, stopped = { .left = 5 };
    struct eddy_idle *idle;

    EDDY_CHECK_EQ(eddy_idle_new(slice, &gone, &gone.idle), 0);
    EDDY_CHECK_EQ(eddy_idle_new(slice, &stopped, &idle), 0);
    eddy_idle_start(gone.idle);
    eddy_idle_start(idle);
    turns(2);
    eddy_idle_stop(idle);
    turns(5);
    EDDY_CHECK_EQ(gone.slices, 1);
    EDDY_CHECK_EQ(stopped.slices, 1);
    eddy_idle_free(idle);
    eddy_idle_free(NULL);
}

struct busy_args {
    int rounds;
};

static int busy(struct busy_args *a)
{
    while (a->rounds--)
        eddy_yield();
    return 0;
}
EDDY_TASK(busy);

EDDY_TEST(whatever_else_there_is_comes_first)
{
    struct job job = { .left = 1000 };
    struct eddy_idle *idle;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_idle_new(slice, &job, &idle), 0);
    eddy_idle_start(idle);
    EDDY_GO(&s, busy, .rounds = 50);
    while (eddy_scope_tasks(&s) > 0) {
        turns(1);
        if (eddy_scope_tasks(&s) > 0)
            EDDY_CHECK_EQ(job.slices, 0);
    }
    turns(3);
    EDDY_CHECK(job.slices > 0);
    eddy_idle_free(idle);
}
