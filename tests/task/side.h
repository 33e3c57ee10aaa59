/*
 * side.h - a second stack to switch to and fro, with no loop and no task around it
 *
 *     struct side s = { .body = body };
 *     side_open(&s);
 *     while (!s.ended)
 *         side_there(&s);      // body() runs until its next side_back()
 *     side_close(&s);
 */
#ifndef EDDY_TESTS_TASK_SIDE_H
#define EDDY_TESTS_TASK_SIDE_H

#include "task/context.h"

#define SIDE_STACK ((size_t)64 * 1024)

struct side {
    struct eddy_context opener, own;
    void (*body)(struct side *s);
    void *arg;
    char *stack;
    size_t size; /* of the stack; 0: SIDE_STACK */
    bool ended;
};

/* On the stack that will call side_there(). */
void side_open(struct side *s);
void side_there(struct side *s);
void side_back(struct side *s); /* from body() */
void side_close(struct side *s);

/* The function under body(), for tests that look at the stack. */
void side_begin(void *arg);

#endif
