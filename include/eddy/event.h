/*
 * eddy/event.h - meeting points for the tasks of one loop: event, barrier, wait group, once
 *
 *     static struct eddy_once once = EDDY_ONCE_INIT;
 *
 *     int r = eddy_once_run(&once, load_config, &config);   // others wait; load_config may, too
 *
 * As the locks of eddy/lock.h these are for one thread, placed by the caller, in line first come
 * first served, and looked at with the scope first. What has happened when a cancel arrives is
 * returned: a waiter that was woken is woken.
 *
 * What holds, with the test that shows it (tests/task/, on every driver):
 *
 *  rule                                                          test
 *  ------------------------------------------------------------  -------------------------------
 *  An event stays set until it is cleared                        an_event_stays_set
 *  Who waited when it was set is woken, though it is cleared     set_and_clear_wakes_who_waited
 *  All parties of a barrier go on together, one is told so       a_barrier_lets_all_go_at_once
 *  It is whole again for the next round at once                  a_barrier_is_used_again
 *  A party cancelled while it waits breaks it for all            a_cancelled_party_breaks_it
 *  A broken barrier stays so until it is reset                   a_broken_barrier_can_be_reset
 *  A wait group is waited for until nothing is left              a_wait_group_waits_for_all
 *  Once: one runs, the others wait; success is for ever          once_runs_once
 *  A failure is the runner's, and the next in line runs          once_failed_is_tried_again
 *  So is a cancelled runner's                                    once_cancelled_is_tried_again
 *  Who waits may be cancelled: it is out of line                 *_cancelled_is_out_of_line
 *  A callback may not wait: -EDEADLK                             event_in_a_callback_is_edeadlk
 *  No waiter is lost, whoever is cancelled when                  *_survives_random_cancels
 *  Misuse is told: running inside the run, finishing too often   misuse_of_once_is_told,
 *                                                                misuse_of_a_wait_group_is_told
 */
#ifndef EDDY_EVENT_H
#define EDDY_EVENT_H

#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

/* Placed by the caller; the content is the library's. */
struct eddy_event {
    void *opaque[6];
};
struct eddy_barrier {
    size_t parties;
    void *opaque[6];
};
struct eddy_wait_group {
    void *opaque[6];
};
struct eddy_once {
    void *opaque[6];
};

/* clang-format off */
#define EDDY_EVENT_INIT { { NULL } }
#define EDDY_BARRIER_INIT(parties) { (parties), { NULL } }
#define EDDY_WAIT_GROUP_INIT { { NULL } }
#define EDDY_ONCE_INIT { { NULL } }
/* clang-format on */

/* --- event: something has happened ------------------------------------------------------------ */

/** eddy_event_init() - as EDDY_EVENT_INIT, at run time
 * @e: placed by the caller; not set
 *
 * Return: nothing.   Source: asyncio.Event.   Since: 0.1 */
EDDY_API void eddy_event_init(struct eddy_event *e);

/** eddy_event_done() - end it; asserts that nobody waits
 * @e: initialised
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_event_done(struct eddy_event *e);

/** eddy_event_set() - it has happened: wake all that wait, let through who comes
 * @e: of this thread; from a task or a callback
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: asyncio.Event.   Since: 0.1 */
EDDY_API void eddy_event_set(struct eddy_event *e);

/** eddy_event_clear() - who comes from now on waits
 * @e: of this thread. Who has been woken by a set stays so
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: asyncio.Event.   Since: 0.1 */
EDDY_API void eddy_event_clear(struct eddy_event *e);

/** eddy_event_is_set() - whether it is set now
 * @e: initialised
 *
 * Return: true then.   Source: asyncio.Event.   Since: 0.1 */
EDDY_API bool eddy_event_is_set(const struct eddy_event *e);

/**
 * eddy_event_wait() - until it is set
 * @e: of this thread's tasks
 *
 * Suspends unless it is set; then it spends one of the turn's tries. Looks at its scope first.
 * Cancelled: nothing happened.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -EDEADLK (a callback).
 * Source: asyncio.Event.   Since: 0.1
 */
EDDY_API int eddy_event_wait(struct eddy_event *e);

/* --- barrier: n parties meet ------------------------------------------------------------------ */

/** eddy_barrier_init() - as EDDY_BARRIER_INIT(parties), at run time
 * @b:       placed by the caller
 * @parties: at least 1
 *
 * Return: nothing.   Source: pthread_barrier_init(3).   Since: 0.1 */
EDDY_API void eddy_barrier_init(struct eddy_barrier *b, size_t parties);

/** eddy_barrier_done() - end it; asserts that nobody waits
 * @b: initialised
 *
 * Return: nothing.   Source: pthread_barrier_destroy(3).   Since: 0.1 */
EDDY_API void eddy_barrier_done(struct eddy_barrier *b);

/**
 * eddy_barrier_wait() - until all parties are here
 * @b: of this thread's tasks
 *
 * Suspends until the last party comes; that one does not wait, and is the leader. The barrier is
 * whole again for the next round at once. Looks at its scope first: who comes cancelled has not
 * come, and breaks nothing (eddy_barrier_abort() would). Cancelled while waiting: the barrier is
 * broken, for this round cannot become full; all that wait, and all that come until
 * eddy_barrier_reset(), are told.
 *
 * Return: 1 for the leader, 0 for the others; -EDDY_EBROKEN: a party was cancelled, or it was
 * aborted or reset meanwhile; -ETIMEDOUT, -ECANCELED; -EDEADLK (a callback).
 * Source: asyncio.Barrier, pthread_barrier_wait(3).   Since: 0.1
 */
EDDY_API int eddy_barrier_wait(struct eddy_barrier *b);

/** eddy_barrier_abort() - break it: a party will not come
 * @b: of this thread; from a task or a callback
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: asyncio.Barrier.   Since: 0.1 */
EDDY_API void eddy_barrier_abort(struct eddy_barrier *b);

/** eddy_barrier_reset() - whole and empty again; who waits now is told that it is broken
 * @b: of this thread; from a task or a callback
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: asyncio.Barrier.   Since: 0.1 */
EDDY_API void eddy_barrier_reset(struct eddy_barrier *b);

/* --- wait group: until nothing is left -------------------------------------------------------- */

/** eddy_wait_group_init() - as EDDY_WAIT_GROUP_INIT, at run time
 * @g: placed by the caller; nothing is left
 *
 * Return: nothing.   Source: Go's sync.WaitGroup.   Since: 0.1 */
EDDY_API void eddy_wait_group_init(struct eddy_wait_group *g);

/** eddy_wait_group_done() - end it; asserts that nobody waits (one job less is ..._finish())
 * @g: initialised
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_wait_group_done(struct eddy_wait_group *g);

/** eddy_wait_group_add() - so many jobs more
 * @g:     of this thread; from a task or a callback
 * @count: to be finished one by one
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: Go's sync.WaitGroup.   Since: 0.1 */
EDDY_API void eddy_wait_group_add(struct eddy_wait_group *g, size_t count);

/** eddy_wait_group_finish() - one job is done; the last one wakes all that wait
 * @g: of this thread; from a task or a callback
 *
 * Does not suspend.
 *
 * Return: 0, or -EINVAL: nothing was left.   Source: Go's WaitGroup.Done.   Since: 0.1 */
EDDY_API int eddy_wait_group_finish(struct eddy_wait_group *g);

/** eddy_wait_group_left() - how many jobs are left
 * @g: initialised
 *
 * Return: the count.   Source: none.   Since: 0.1 */
EDDY_API size_t eddy_wait_group_left(const struct eddy_wait_group *g);

/**
 * eddy_wait_group_wait() - until nothing is left
 * @g: of this thread's tasks
 *
 * Suspends unless nothing is; then it spends one of the turn's tries. Looks at its scope first.
 * Cancelled: nothing happened.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -EDEADLK (a callback).
 * Source: Go's WaitGroup.Wait.   Since: 0.1
 */
EDDY_API int eddy_wait_group_wait(struct eddy_wait_group *g);

/* --- once ------------------------------------------------------------------------------------- */

/** eddy_once_init() - as EDDY_ONCE_INIT, at run time
 * @o: placed by the caller
 *
 * Return: nothing.   Source: pthread_once(3).   Since: 0.1 */
EDDY_API void eddy_once_init(struct eddy_once *o);

/** eddy_once_done() - end it; asserts that nobody runs or waits
 * @o: initialised
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_once_done(struct eddy_once *o);

/**
 * eddy_once_run() - have a function succeed once
 * @o:   of this thread's tasks
 * @fn:  may suspend; negative is a failure
 * @arg: handed to it
 *
 * Suspends while another task runs it, and as @fn does. Looks at its scope first. When @fn
 * fails, its runner gets the error, and the task that has waited longest runs its own @fn next;
 * a runner that is cancelled fails like that, too. Cancelled while waiting: nothing happened.
 *
 * Return: 0: it has succeeded, here or elsewhere; what @fn returned when it failed here;
 * -ETIMEDOUT, -ECANCELED; -EDEADLK: from inside @fn, or in a callback.
 * Source: pthread_once(3), std::call_once.   Since: 0.1
 */
EDDY_API int eddy_once_run(struct eddy_once *o, int (*fn)(void *arg), void *arg);

EDDY_END

#endif
