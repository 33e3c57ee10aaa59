/*
 * chaos.h - tasks that work while others cancel them, in an order that a seed decides
 *
 * Every worker runs its work in a scope of its own, round after round; another task cancels
 * scopes at random, some scopes end by themselves, and all tasks wait for random numbers of
 * turns. The work checks what must hold; that all workers come to an end shows that no waiter
 * was lost. In the simulator time is virtual, so a lost waiter is told at once.
 */
#ifndef EDDY_TESTS_TASK_CHAOS_H
#define EDDY_TESTS_TASK_CHAOS_H

#include <eddy/loop.h>
#include <eddy/task.h>

#define CHAOS_WORKERS_MAX 8

struct chaos {
    /* Filled by the test. 0 or more: done; -ECANCELED or -ETIMEDOUT: was cancelled. */
    int (*work)(struct chaos *c, unsigned who);
    void *ctx;
    unsigned workers;
    unsigned rounds;
    /* Kept by the chaos. */
    uint64_t dice;
    struct eddy_scope *scope[CHAOS_WORKERS_MAX];
    unsigned living;
    unsigned done;
    unsigned cancelled;
};

uint64_t chaos_roll(struct chaos *c, uint64_t sides);

/* Wait for up to four turns or 2 ms, or until cancelled. */
int chaos_pause(struct chaos *c);

/* One run, with what is set; every worker must come to its end. */
void chaos_run(struct chaos *c);

/* Run a scenario with one seed after the other, on a loop of its own: EDDY_SEEDS of them, or a
 * hundred in the simulator and a few elsewhere. */
void chaos_each(void (*scenario)(uint64_t seed));

#endif
