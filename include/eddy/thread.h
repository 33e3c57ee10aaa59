/*
 * eddy/thread.h - threads, each with a loop of its own
 *
 *     static int serve_half(void *arg) { return serve(arg); }      plain code, on its own loop
 *
 *     EDDY_OWN(eddy_thread) t = NULL;
 *     int r = eddy_thread_start(serve_half, &half, EDDY_OPT(thread, .name = "half"), &t);
 *     ...
 *     int result;
 *     if (r == 0)
 *         r = eddy_thread_join(t, &result);
 *
 * Loops share nothing, so a thread is reached from outside by the calls below, by eddy_post() to
 * its loop, and by the channels and futures that say so. Blocking work that needs no loop is
 * eddy_offload()'s (eddy/task.h).
 *
 * What holds, with the test that shows it (tests/task/thread_test.c, on every driver):
 *
 *  rule                                            test
 *  ----------------------------------------------  -----------------------------------------------
 *  Join gives what the function returned           join_gives_what_the_function_returned
 *  The function is plain code, on a loop of its    the_function_is_plain_code_on_a_loop_of_its_own
 *   own
 *  Cancel ends its waits and those of its tasks    cancel_ends_its_waits_and_its_tasks
 *  A cancelled join leaves it running, and may be  a_cancelled_join_leaves_the_thread_running
 *   repeated
 *  Free cancels and waits                          free_cancels_and_waits
 *  A callback may not join (-EDEADLK), and blocks  in_a_callback_join_is_refused_and_free_blocks
 *   in free
 *  A join holds up one task; a second one is       one_task_joins_while_others_run
 *   -EBUSY
 *  Posts reach it until its loop ends              posts_reach_it_until_its_loop_ends
 *  What its loop refuses is told by start          what_its_loop_refuses_is_told_by_start
 *  Threads begin and end in any number and order   many_threads_begin_and_end
 */
#ifndef EDDY_THREAD_H
#define EDDY_THREAD_H

#include <eddy/common.h>

EDDY_BEGIN

struct eddy_thread;
struct eddy_loop_options;

struct eddy_thread_options {
    size_t size;      /* filled by EDDY_OPT(thread, ...) */
    const char *name; /* for people and debuggers; copied, cut to 15 bytes; NULL: "eddy" */
    const struct eddy_loop_options
        *loop;          /* of its loop, used during the call; NULL: the defaults */
    size_t stack_bytes; /* of the thread's own stack; 0: the system's default */
};

/**
 * eddy_thread_start() - run a function on a new thread with a loop of its own
 * @fn:         runs there as plain code, inside a scope that ends with it
 * @arg:        handed to it; must live until the thread has been joined
 * @options:    may be NULL
 * @ret_thread: owned: joined or freed, on any thread with a loop
 *
 * Every signal is blocked on the new thread: those that loops take are told on theirs. Does not
 * suspend; waits a moment until the loop is there, so what that refuses is told here. Where @fn
 * returns, its tasks are cancelled and waited for as with every scope, then the loop ends.
 *
 * Return: 0; or -EDDY_EBACKEND, -EMFILE, -ENOMEM, -EAGAIN (no thread could be started), -EINVAL
 * (the stack).
 * Source: std::jthread.   Since: 0.1
 */
EDDY_API int eddy_thread_start(int (*fn)(void *arg), void *arg,
                               const struct eddy_thread_options *options,
                               struct eddy_thread **ret_thread);

/**
 * eddy_thread_join() - wait until a thread has ended, and free what is left of it
 * @thread:     freed when 0 is returned; else as before
 * @ret_result: what its function returned; may be NULL
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, the thread runs on and may be
 * joined again; who wants it stopped calls eddy_thread_cancel() first.
 *
 * Return: 0, -ECANCELED, -ETIMEDOUT, -EDEADLK (in a callback, or of oneself), -EBUSY (somebody else
 * waits for it).
 * Source: pthread_join(3).   Since: 0.1
 */
EDDY_API int eddy_thread_join(struct eddy_thread *thread, int *ret_result);

/**
 * eddy_thread_cancel() - ask a thread to stop
 * @thread: of any thread that may touch it, its own included
 *
 * The scope around its function is cancelled, by a post: its waits and those of its tasks end with
 * -ECANCELED. Does not suspend, and cannot fail; harmless when it has ended, or twice. Not under
 * way after a join.
 *
 * Return: nothing.   Source: jthread's request_stop.   Since: 0.1
 */
EDDY_API void eddy_thread_cancel(struct eddy_thread *thread);

/**
 * eddy_thread_post() - have a function called on a thread's loop
 * @thread: of any thread that may touch it
 * @fn:     called once, as a callback
 * @ctx:    handed to it
 *
 * As eddy_post(), and safe when the thread's loop may have ended.
 *
 * Return: 0, -ENOMEM, -ESHUTDOWN (its loop has ended or is ending).
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_thread_post(struct eddy_thread *thread, void (*fn)(void *ctx), void *ctx);

/** eddy_thread_free() - cancel a thread, wait for its end, free it
 * @thread: NULL is fine; nobody may be joining it
 *
 * Suspends like the end of a scope does, not itself cancelled; in a callback it blocks.
 *
 * Return: nothing.   Source: jthread's destructor.   Since: 0.1 */
EDDY_API void eddy_thread_free(struct eddy_thread *thread);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_thread)
#endif

EDDY_END

#endif
