/*
 * What the tests of processes share.
 */
#ifndef EDDY_TESTS_PROCESS_CHILDREN_H
#define EDDY_TESTS_PROCESS_CHILDREN_H

#include "check.h"

#include <errno.h>
#include <sys/types.h>
#include <sys/wait.h>

bool is_sim(void);

/* Three times: with pidfds (way is 1); as on a kernel that has none (2); and born by fork (3), as where
 * clone is refused. Never under the simulator. */
bool next_way(int *way);
struct eddy_child;
pid_t spawn_by_fork(struct eddy_child *child, int *ret_pidfd);
void children_restore(void);

void file_with(const char *path, const char *text, mode_t mode);

/* Whether we have a child, a zombie included; none is reaped. */
bool have_children(void);

#endif
