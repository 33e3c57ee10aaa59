/*
 * task/inspect.h - what a dump and a list of tasks share: the walk over them, and a look at one
 */
#ifndef EDDY_TASK_INSPECT_H
#define EDDY_TASK_INSPECT_H

#include "task/task.h"

#include <eddy/inspect.h>

/* Begin with (struct eddy_task_walk){ 0 }. Nothing may be spawned or end meanwhile. */
struct eddy_task_walk {
    struct scope *scope;
    struct eddy_list *link;
};

/* The next task of the loop, outer scopes first; NULL: that was all. */
struct eddy_task *eddy_task_next(struct task_room *room, struct eddy_task_walk *walk);

enum eddy_task_state eddy_task_state(const struct eddy_task *t);

/* All but the addresses. @now_ns: the loop's clock. */
void eddy_task_describe(const struct eddy_task *t, int64_t now_ns, struct eddy_task_info *ret_info);

/* The addresses of info->fd, where it has any. */
void eddy_task_addresses(struct eddy_loop *loop, struct eddy_task_info *info);

#endif
