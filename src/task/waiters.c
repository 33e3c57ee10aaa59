/*
 * task/waiters.c - leaving a line before one's turn
 */
#include "task/waiters.h"

void eddy_waiter_interrupted(struct eddy_wait *wait, int why)
{
    struct eddy_waiter *w = (struct eddy_waiter *)(void *)wait;

    eddy_waiter_wake(w, why);
    if (w->left)
        w->left(w->lock);
}
