/*
 * loop/stall.h - who holds the loop, seen from the watchdog's thread
 */
#ifndef EDDY_LOOP_STALL_H
#define EDDY_LOOP_STALL_H

#include "loop/loop.h"

/* The task that runs, as far as a signal handler may ask. */
struct eddy_culprit {
    uint64_t id; /* 0: no task, a callback */
    char name[32];
    const char *file;
    int line;
};

/* In the child of a fork: the watchdog, and whom it looks at, are the parent's. */
void eddy_stall_forked(void);

#endif
