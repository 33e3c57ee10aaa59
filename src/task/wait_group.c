/*
 * task/wait_group.c - until nothing is left
 */
#include "task/waiters.h"

#include <eddy/event.h>

struct wait_group {
    size_t left;
    struct eddy_waiters line; /* empty while nothing is left */
} __attribute__((may_alias));

static_assert(sizeof(struct wait_group) <= sizeof(struct eddy_wait_group), "it has room");

static struct wait_group *group_of(struct eddy_wait_group *g)
{
    return (struct wait_group *)(void *)g;
}

void eddy_wait_group_init(struct eddy_wait_group *g)
{
    *g = (struct eddy_wait_group)EDDY_WAIT_GROUP_INIT;
}

void eddy_wait_group_done(struct eddy_wait_group *g)
{
    assert(eddy_waiters_are_parents(&group_of(g)->line) || !eddy_waiters_first(&group_of(g)->line));
    (void)g;
}

void eddy_wait_group_add(struct eddy_wait_group *g, size_t count)
{
    if (eddy_waiters_claim(&group_of(g)->line) < 0)
        return;
    assert(count <= SIZE_MAX - group_of(g)->left);
    group_of(g)->left += count;
}

int eddy_wait_group_finish(struct eddy_wait_group *group)
{
    struct wait_group *g = group_of(group);

    if (eddy_waiters_are_parents(&g->line))
        return -EDDY_EFORKED;
    if (g->left == 0)
        return -EINVAL;
    if (--g->left == 0)
        eddy_waiters_wake_all(&g->line, 0);
    return 0;
}

size_t eddy_wait_group_left(const struct eddy_wait_group *g)
{
    return ((const struct wait_group *)(const void *)g)->left;
}

int eddy_wait_group_wait(struct eddy_wait_group *group)
{
    struct wait_group *g = group_of(group);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&g->line, &t);
    if (r < 0)
        return r;
    if (g->left == 0)
        return eddy_lock_spend(t);
    struct eddy_waiter w = EDDY_WAITER("wait group", g, NULL);
    return eddy_waiters_wait(&g->line, t, &w);
}
