/*
 * task/stack_info.c - what is told of a thread's stacks
 */
#include "task/guard.h"
#include "task/task.h"

#include <string.h>

static_assert(EDDY_STACK_CLASSES <= 16, "the report has room for all classes");

void eddy_stack_info(struct eddy_stack_info *ret_info)
{
    struct task_room *room = eddy_task_room();
    struct eddy_stack_info info = {
        .size = ret_info->size,
        .guard = eddy_guard_name(),
        .class_count = room ? EDDY_STACK_CLASSES : 0,
    };

    for (size_t i = 0; i < info.class_count; i++) {
        const struct eddy_stack_class *c = &room->stacks.classes[i];
        struct eddy_stack_class_info *told = &info.classes[i];
        told->usable = c->usable;
        told->live = c->live;
        told->cold = c->cold;
        told->pooled = c->used - c->live - told->cold;
        info.live += told->live;
        info.live_bytes += told->live * told->usable;
        info.pooled += told->pooled;
        info.cold += told->cold;
    }
    if (room) {
        const struct eddy_stack_pool *p = &room->stacks;
        info.usable = p->classes[EDDY_STACK_DEFAULT].usable;
        info.pooled_bytes = p->bytes;
        info.pool_limit = p->bound;
        info.unguarded = p->bare;
        info.trimmed = p->trimmed;
    }
    memcpy(ret_info, &info, ret_info->size < sizeof info ? ret_info->size : sizeof info);
}
