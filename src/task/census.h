/*
 * task/census.h - how deep each task used its stack; nothing at all but in a census build
 */
#ifndef EDDY_TASK_CENSUS_H
#define EDDY_TASK_CENSUS_H

struct eddy_task;

#ifdef EDDY_CENSUS
/* @t has ended; its stack is as it left it. Leaves the stack empty, for the next one's count. */
void eddy_census_note(const struct eddy_task *t);
void eddy_census_at_end(void); /* of a loop */
#else
static inline void eddy_census_note(const struct eddy_task *t)
{
    (void)t;
}
static inline void eddy_census_at_end(void)
{
}
#endif

#endif
