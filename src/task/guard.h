/*
 * task/guard.h - what stands below a stack, so that running over its end is not silent
 *
 * Three kinds, the best that can be had being taken:
 *
 *   madvise   MADV_GUARD_INSTALL (Linux 6.13) marks the pages in the page tables and costs no
 *             mapping, so a million guarded stacks stay far below vm.max_map_count
 *   mprotect  the pages are made inaccessible, at two mappings a stack; for at most half of the
 *             mappings that a process may have, the rest is the program's
 *   canary    nothing stops the program. The pages are empty, and nobody has business there: they
 *             are looked at when the task has ended, and a byte that is not zero ends the process
 *
 * The kernel's word is not taken for the first: a guard is installed on a trial page and the
 * kernel is asked to read from there, which must fail with EFAULT.
 *
 * What is known and counted here is the process's, not a thread's.
 */
#ifndef EDDY_TASK_GUARD_H
#define EDDY_TASK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum eddy_guard {
    EDDY_GUARD_UNKNOWN,
    EDDY_GUARD_MADVISE,
    EDDY_GUARD_MPROTECT,
    EDDY_GUARD_CANARY,
};

/* Guard the fresh pages [at, at + len) as well as it can be done now. Cannot fail. */
enum eddy_guard eddy_guard_install(char *at, size_t len);

/* So many guards by mprotect went away with their memory. */
void eddy_guard_dropped(size_t count);

/* Whether a canary still is what it was. It costs no memory to look: what nobody has written is
 * one page of zeros that the kernel shares. */
bool eddy_guard_is_intact(const char *at, size_t len);

/* What the next stack is going to have: "madvise", "mprotect" or "canary". */
const char *eddy_guard_name(void);

void eddy_guard_forget(void); /* tests: probe again, and ask for the bound of mappings again */

#endif
