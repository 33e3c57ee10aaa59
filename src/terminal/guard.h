/*
 * terminal/guard.h - terminals that are to be given back however the program ends
 */
#ifndef EDDY_TERMINAL_GUARD_H
#define EDDY_TERMINAL_GUARD_H

#include <eddy/common.h>

#include <stdatomic.h>
#include <sys/types.h>
#include <termios.h>

/* A terminal's two faces. Read by signal handlers, so what stands here does not change while the
 * state is not FREE. */
struct eddy_guard {
    atomic_int state; /* guard.c's */
    pid_t pid;        /* whose it is: not a child's of a fork */
    int fd;
    struct termios before;
    struct termios raw;
    char on[96]; /* what is written when it becomes raw */
    char off[96];
    size_t on_len;
    size_t off_len;
};

/* Make the terminal of @fd what @want says (all but state, pid and fd), until it is given back. 0;
 * -EBUSY (guarded already, or none is free); -EAGAIN (its output is held up); or what the kernel
 * says. */
int eddy_guard_take(int fd, const struct eddy_guard *want, struct eddy_guard **ret_guard);
void eddy_guard_give_back(struct eddy_guard *guard);

#endif
