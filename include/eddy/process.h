/*
 * eddy/process.h - child processes
 *
 * What holds, by a pidfd and without, with the test that shows it (tests/process/child_test.c):
 *
 *  rule                                         test
 *  -------------------------------------------  --------------------------------------------------
 *  The status comes when the child has ended    the_status_comes_when_the_child_has_ended
 *  A signal that killed it is told              a_child_killed_by_a_signal_is_told_so
 *  One that has ended already is told at once   one_that_has_ended_already_is_told_at_once
 *  A call looks at its scope first; a           a_cancelled_wait_reaps_nothing_and_may_be_repeated
 *   cancelled one reaps nothing
 *  Other children are not reaped                other_children_are_not_reaped
 *  Any number may be waited for at a time       many_children_end_together
 *  Who is no child is refused                   who_is_no_child_is_refused
 *  SIGCHLD is given back                        sigchld_is_given_back
 *  Without pidfds another loop's SIGCHLD is     without_pidfd_another_loops_sigchld_is_busy
 *   -EBUSY
 */
#ifndef EDDY_PROCESS_H
#define EDDY_PROCESS_H

#include <eddy/common.h>

EDDY_BEGIN

/**
 * eddy_child_wait() - wait until a child of this process has ended
 * @pid:        from fork(2) or posix_spawn(3)
 * @ret_status: as waitpid(2) gives it, for WIFEXITED() and the like; may be NULL
 *
 * Suspends, and reaps that child when it has ended; no other. Looks at its scope first. By a pidfd;
 * where the kernel has none SIGCHLD is taken meanwhile, which one loop of the process can do.
 * Cancelled: nothing happened, the child has not been reaped and may be waited for again.
 *
 * Return: 0; or negative:
 *   -ECHILD     not a child of ours, or reaped by somebody else (or SIGCHLD is ignored)
 *   -EINVAL     not one process (0 and less)        -EMFILE, -ENFILE, -ENOMEM
 *   -EBUSY      no pidfd here, and another loop has SIGCHLD
 *   -EDDY_ESIM  the simulator has no processes      -ETIMEDOUT, -ECANCELED, -EDEADLK
 * Source: waitpid(2), pidfd_open(2).   Since: 0.1
 */
EDDY_API int eddy_child_wait(pid_t pid, int *ret_status);

EDDY_END

#endif
