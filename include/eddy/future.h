/*
 * eddy/future.h - a result that is still to come, and waiting for many
 *
 *     EDDY_OWN(eddy_future) quote[2] = ...     // two tasks whose results we want
 *     EDDY_SPAWN(&scope, &quote[0], ask, .shop = "a");
 *     EDDY_SPAWN(&scope, &quote[1], ask, .shop = "b");
 *     int cents = eddy_future_await(quote[0], NULL);
 *
 * A future is set once: with a result of 0 or more and a pointer, or with an error. Everybody who
 * awaits it gets that, however many they are and however late they come.
 *
 * Setting and awaiting work from every thread: who awaits on another loop is woken there. A
 * future is counted: eddy_future_new() gives one reference, eddy_future_ref() more; each thread
 * that touches it has one of its own, and gives it back with eddy_future_free().
 *
 * What holds, with the test that shows it (tests/task/, on every driver; with threads on all but
 * the simulator):
 *
 *  rule                                                          test
 *  ------------------------------------------------------------  -------------------------------
 *  Set once: later ones are -EALREADY, and change nothing        a_future_is_set_once
 *  Awaited by any number, before and after                       any_number_may_await
 *  It may be set from a callback, a task, another thread         a_callback_sets_a_future,
 *                                                                another_thread_sets_a_future
 *  Who awaits on another loop is woken there                     awaited_on_another_loop
 *  A cancelled await leaves the future as it was                 a_cancelled_await_changes_nothing
 *  What was set when the cancel came is returned                 what_was_set_is_returned
 *  A call looks at its scope first and then has done nothing     await_looks_at_its_scope_first
 *  Functions are called from the loop where they were asked for  on_done_is_called_by_the_loop
 *  A function that was forgotten is not called                   a_forgotten_function_is_not_called
 *  The value is freed with the last reference                    the_value_is_freed_at_last
 *  A task's result completes its future, whatever it is          a_task_completes_its_future
 *  A failure is the scope's, too ...                             a_failure_is_also_the_scopes
 *  ... unless .future_only                                       future_only_spares_the_scope
 *  eddy_gather() waits for all, then tells the first failure     gather_waits_for_all
 *  eddy_future_all() ends with the first failure                 all_ends_with_the_first_failure
 *  eddy_future_any() is the first that is done                   any_is_the_first_done
 *  eddy_future_first_success() passes over failures              first_success_passes_over_failures
 *  What is waited for by many is nobody's to cancel              many_leave_the_others_alone
 *  .timeout_ms is a deadline                                     many_have_a_deadline
 *  No wake-up is lost, whoever is cancelled when                 futures_survive_random_cancels
 */
#ifndef EDDY_FUTURE_H
#define EDDY_FUTURE_H

#include <eddy/common.h>
#include <eddy/task.h>

EDDY_BEGIN

struct eddy_future;

struct eddy_future_options {
    size_t size;                     /* filled by EDDY_OPT(future, ...) */
    void (*free_value)(void *value); /* called with the value when the last reference goes */
};

struct eddy_gather_options {
    size_t size;        /* filled by EDDY_OPT(gather, ...) */
    int64_t timeout_ms; /* 0: no deadline of its own */
};

#ifndef __cplusplus

/* EDDY_GO() with a future of the child's result: EDDY_SPAWN(&scope, &future, fn, .args...). */
#define EDDY_SPAWN(scope, ret_future, fn, ...)                                                     \
    eddy_spawn((scope), &fn##_task, &(struct fn##_args){ __VA_ARGS__ }, EDDY_HERE, NULL,           \
               (ret_future))

/* The same with options: EDDY_SPAWN_WITH(&s, &f, EDDY_OPT(go, .future_only = true), fn, ...). */
#define EDDY_SPAWN_WITH(scope, ret_future, options, fn, ...)                                       \
    eddy_spawn((scope), &fn##_task, &(struct fn##_args){ __VA_ARGS__ }, EDDY_HERE, (options),      \
               (ret_future))

#endif

/**
 * eddy_future_new() - make one
 * @site:       EDDY_HERE: where it was made; told in debug of one that nobody set, or awaited
 * @options:    may be NULL
 * @ret_future: one reference, owned
 *
 * Return: 0, or -ENOMEM.   Source: asyncio.Future.   Since: 0.1
 */
EDDY_API int eddy_future_new(struct eddy_site site, const struct eddy_future_options *options,
                             struct eddy_future **ret_future);

/** eddy_future_ref() - one reference more
 * @f: from any thread that has one
 *
 * Return: @f.   Source: none.   Since: 0.1 */
EDDY_API struct eddy_future *eddy_future_ref(struct eddy_future *f);

/**
 * eddy_future_free() - one reference less; with the last one it ends
 * @f: NULL is fine. From any thread
 *
 * Functions that were asked for and have not been called then never are. Who awaits it keeps it
 * alive, so a future that nobody can set any more is awaited until the await is cancelled.
 *
 * Return: nothing.   Source: none.   Since: 0.1
 */
EDDY_API void eddy_future_free(struct eddy_future *f);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_future)
#endif

/**
 * eddy_future_set() - here is the result
 * @f:      from any thread, callback or task, with a reference of its own
 * @result: 0 or more; what eddy_future_await() returns
 * @value:  goes with it; the future's from here, if it has .free_value; may be NULL
 *
 * Does not suspend, allocates nothing.
 *
 * Return: 0; -EALREADY: it was set, and @value stays the caller's; -EINVAL: @result is negative.
 * Source: asyncio's set_result, Promise.resolve.   Since: 0.1
 */
EDDY_API int eddy_future_set(struct eddy_future *f, int result, void *value);

/** eddy_future_fail() - there will be no result
 * @f:     as in eddy_future_set()
 * @error: negative
 *
 * Return: 0, -EALREADY, -EINVAL (not negative).   Source: asyncio's set_exception.   Since: 0.1 */
EDDY_API int eddy_future_fail(struct eddy_future *f, int error);

/** eddy_future_is_done() - whether it was set, or failed
 * @f: from any thread
 *
 * Return: true then.   Source: asyncio.Future.done.   Since: 0.1 */
EDDY_API bool eddy_future_is_done(const struct eddy_future *f);

/** eddy_future_result() - what it was set to
 * @f:         from any thread
 * @ret_value: the pointer, borrowed from the future; may be NULL; written only on success
 *
 * Return: the result; or the error it failed with; -EAGAIN: it is not done.
 * Source: asyncio.Future.result.   Since: 0.1 */
EDDY_API int eddy_future_result(struct eddy_future *f, void **ret_value);

/**
 * eddy_future_await() - until it is done
 * @f:         of any thread
 * @ret_value: the pointer, borrowed from the future; may be NULL; written only on success
 *
 * Suspends unless it is done; then it spends one of the turn's tries. Looks at its scope first.
 * Cancelled: nothing happened, the future goes on. A future may itself have failed with
 * -ECANCELED or -ETIMEDOUT; eddy_future_is_done() tells that apart.
 *
 * Return: the result; or the error it failed with; -ETIMEDOUT, -ECANCELED; -EDEADLK (a callback).
 * Source: asyncio.Future, Promise.then.   Since: 0.1
 */
EDDY_API int eddy_future_await(struct eddy_future *f, void **ret_value);

/**
 * eddy_future_on_done() - have a function called when it is done
 * @f:   of any thread
 * @fn:  called once, on this thread's loop, as a callback, never from inside this call
 * @ctx: handed to it
 *
 * Holds no reference: a future that ends without having been set calls nobody. This thread's
 * loop must outlive the future, or the function be forgotten first.
 *
 * Return: 0, -ENOMEM.   Source: asyncio's add_done_callback.   Since: 0.1
 */
EDDY_API int eddy_future_on_done(struct eddy_future *f,
                                 void (*fn)(void *ctx, struct eddy_future *f), void *ctx);

/** eddy_future_forget() - a function of eddy_future_on_done() is not to be called
 * @f:   the same, on the same thread
 * @fn:  the same
 * @ctx: the same
 *
 * Return: true: it will not be called; false: there is none, or it was called.
 * Source: asyncio's remove_done_callback.   Since: 0.1 */
EDDY_API bool eddy_future_forget(struct eddy_future *f,
                                 void (*fn)(void *ctx, struct eddy_future *f), void *ctx);

/* --- tasks ------------------------------------------------------------------------------------ */

/**
 * eddy_spawn() - start a task whose result completes a future; EDDY_SPAWN() is the way to call it
 * @scope:      as in eddy_go()
 * @type:       as there
 * @args:       as there
 * @site:       of the task, and of the future
 * @options:    as there, may be NULL; .future_only: a failure is told by the future alone
 * @ret_future: one reference, owned; it may outlive the scope
 *
 * Does not suspend. The scope owns the child as ever: leaving it cancels the child, and the
 * future then fails with what the child returned (-ECANCELED). The future is complete before the
 * scope hears of a failure, so who awaits it in the scope's body gets the child's own error.
 *
 * Return: 0; or as eddy_go(), with no future.
 * Source: asyncio's create_task.   Since: 0.1
 */
EDDY_API int eddy_spawn(struct eddy_scope *scope, const struct eddy_task_type *type,
                        const void *args, struct eddy_site site,
                        const struct eddy_go_options *options, struct eddy_future **ret_future);

/* --- many ------------------------------------------------------------------------------------- */

/**
 * eddy_gather() - until each of them is done
 * @futures: borrowed; of any thread
 * @count:   may be 0
 * @options: may be NULL
 *
 * Suspends, and looks at its scope first, as the three calls below. Of futures that are done at
 * the call, the one with the lower index counts as the earlier. Cancelled: nothing happened;
 * never are the futures, or tasks behind them, cancelled: end their scope for that. More than
 * eight need memory for the wait.
 *
 * Return: 0; or the first failure, once all are done; -ETIMEDOUT, -ECANCELED, -EDEADLK, -ENOMEM.
 * Source: asyncio.gather, Promise.allSettled.   Since: 0.1
 */
EDDY_API int eddy_gather(struct eddy_future *const *futures, size_t count,
                         const struct eddy_gather_options *options);

/** eddy_future_all() - until each has a result, or one has failed
 * @futures: as in eddy_gather()
 * @count:   may be 0
 * @options: may be NULL
 *
 * Return: 0; or the first failure, at once; and as eddy_gather().
 * Source: Promise.all.   Since: 0.1 */
EDDY_API int eddy_future_all(struct eddy_future *const *futures, size_t count,
                             const struct eddy_gather_options *options);

/** eddy_future_any() - until one is done, whether it succeeded or not
 * @futures: as in eddy_gather()
 * @count:   1 to INT_MAX
 * @options: may be NULL
 *
 * Return: its index; -EINVAL (no futures); and as eddy_gather().
 * Source: asyncio.wait(FIRST_COMPLETED), Promise.race.   Since: 0.1 */
EDDY_API int eddy_future_any(struct eddy_future *const *futures, size_t count,
                             const struct eddy_gather_options *options);

/** eddy_future_first_success() - until one has a result, or all have failed
 * @futures: as in eddy_gather()
 * @count:   1 to INT_MAX
 * @options: may be NULL
 *
 * Return: its index; the first failure when all have failed; -EINVAL; and as eddy_gather().
 * Source: Promise.any.   Since: 0.1 */
EDDY_API int eddy_future_first_success(struct eddy_future *const *futures, size_t count,
                                       const struct eddy_gather_options *options);

EDDY_END

#endif
