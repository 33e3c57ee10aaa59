/*
 * eddy/signal.h - signals for tasks
 *
 *     EDDY_OWN(eddy_signals) signals = NULL;
 *     int r = eddy_signals_open(EDDY_SIGNAL(SIGHUP) | EDDY_SIGNAL(SIGTERM), &signals);
 *     for (int signo; r == 0 && (r = eddy_signals_wait(signals, &signo)) == 0;)
 *         if (signo == SIGTERM)
 *             break;
 *
 * From eddy_signals_open() to eddy_signals_free() the signals are taken and none is lost between
 * two waits; but as in every Unix, several of one signal that come before the first is waited for
 * count as one. Functions of eddy_loop_on_signal() (eddy/loop.h) and other objects on the same loop
 * hear of them, too. What stood there before is called as well when it was a handler, and put back
 * when nobody on the loop hears the signal any more.
 *
 * What holds, with the test that shows it (tests/task/signal_test.c, on every driver):
 *
 *  rule                                test
 *  ----------------------------------  -----------------------------------------------------------
 *  Between two waits signals are       what_comes_between_two_waits_is_kept_lowest_first
 *   kept, and told lowest number
 *   first
 *  The one who waited longest is told  each_signal_is_told_to_the_one_who_waited_longest
 *  A call looks at its scope first; a  a_cancelled_wait_loses_no_signal
 *   cancelled one loses nothing
 *  A single wait takes the signal and  a_single_wait_takes_the_signal_and_gives_it_back
 *   gives it back
 *  All on the loop hear of it, and     all_on_the_loop_hear_of_it_and_the_last_gives_it_back
 *   the last gives it back
 *  Another loop's is -EBUSY, what is   a_signal_is_one_loops_at_a_time_and_not_every_number_is_one
 *   no signal to be taken -EINVAL
 *  What cannot be opened leaves        what_cannot_be_opened_leaves_nothing_taken
 *   nothing taken
 */
#ifndef EDDY_SIGNAL_H
#define EDDY_SIGNAL_H

#include <eddy/common.h>
#include <signal.h> /* SIGTERM and its like */

EDDY_BEGIN

/* A set of signals, joined by |. Numbers below 64. */
#define EDDY_SIGNAL(signo) (UINT64_C(1) << (signo))

struct eddy_signals;

/**
 * eddy_signals_open() - take signals
 * @set:         EDDY_SIGNAL(SIGINT) | ...; none of SIGKILL, SIGSTOP and the faults
 * @ret_signals: owned; of this thread's loop, and freed before it
 *
 * Does not suspend.
 *
 * Return: 0, or -EINVAL (not such a set), -EBUSY (another loop has one of them), -ENOMEM,
 * -EDDY_EFORKED.
 * Source: trio's open_signal_receiver.   Since: 0.1
 */
EDDY_API int eddy_signals_open(uint64_t set, struct eddy_signals **ret_signals);

/**
 * eddy_signals_wait() - wait for one of them
 * @signals:   of this thread
 * @ret_signo: which came; those that are waiting already are told lowest number first
 *
 * Suspends. Looks at its scope first. Several tasks may wait: each signal is told to the one that
 * has waited longest. Cancelled: nothing happened, no signal is lost.
 *
 * Return: 0, -ECANCELED, -ETIMEDOUT, -EDEADLK, -EDDY_EFORKED (the object is the parent process's).
 * Source: sigwait(3).   Since: 0.1
 */
EDDY_API int eddy_signals_wait(struct eddy_signals *signals, int *ret_signo);

/** eddy_signals_free() - give the signals back
 * @signals: NULL is fine; nobody may wait for them
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_signals_free(struct eddy_signals *signals);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_signals)
#endif

/**
 * eddy_signal_wait() - wait for one signal, once
 * @set:       as for eddy_signals_open()
 * @ret_signo: which came
 *
 * Open, wait, free: signals are taken while this call waits and do what they did before and after,
 * so in a loop use the object. Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: as eddy_signals_open() and eddy_signals_wait().
 * Source: sigwait(3).   Since: 0.1
 */
EDDY_API int eddy_signal_wait(uint64_t set, int *ret_signo);

EDDY_END

#endif
