/*
 * task/offload.h - a blocking call on a thread of the pool, waited for by a task
 */
#ifndef EDDY_TASK_OFFLOAD_H
#define EDDY_TASK_OFFLOAD_H

#include "loop/pool.h"
#include "task/wait.h"

/* As eddy_offload(), of a class, with what people are told (a constant text): "chmod". Steadily: the
 * scope's end does not take it back, nor keep it from being begun. */
EDDY_PRIVATE int eddy__offload(enum eddy_work_class class, const char *what, bool steadily,
                               int (*fn)(void *arg), void *arg);

#endif
