/*
 * eddy/task.h - tasks that read like blocking code, and the scopes they live in
 *
 *     struct greet_args { const char *name; int delay_ms; };
 *
 *     static int greet(struct greet_args *a)
 *     {
 *         int r = eddy_sleep(a->delay_ms);
 *         if (r < 0)
 *             return r;
 *         printf("hello %s\n", a->name);
 *         return 0;
 *     }
 *     EDDY_TASK(greet);
 *
 *     EDDY_SCOPE(greeters, .timeout_ms = 1000);
 *     EDDY_GO(&greeters, greet, .name = "you", .delay_ms = 10);
 *     int r = eddy_join(&greeters);
 *
 * A task is a coroutine with a stack of its own (256 KiB of address space, committed as it is
 * used, with guard pages below). It belongs to one scope and one thread for its life.
 *
 * What holds, with the test that shows it (tests/task/rules_test.c and tests/net/rules_test.c, on
 * every driver):
 *
 *  rule                                                            test
 *  --------------------------------------------------------------  ---------------------------
 *  Leaving a scope cancels what still runs in it and waits for it  leaving_cancels_and_waits
 *  Leaving it before its block is fine, it is left once            leaving_twice_is_leaving_once
 *  eddy_join() waits without cancelling                            join_waits_without_cancelling
 *  The first child that fails cancels its siblings ...             first_failure_cancels_siblings
 *  ... and the body's next wait                                    first_failure_cancels_body
 *  eddy_join() returns that failure, not the -ECANCELED it caused  join_returns_first_failure
 *  ... and looks first at scopes entered inside the joined one
 *                                                                join_looks_at_an_inner_scope_first
 *  .isolate: children fail alone; on_fail and a counter hear of it isolated_children_fail_alone
 *  A child runs from its first line even if cancelled at birth     child_runs_though_cancelled
 *  Cancellation is level-triggered: every later wait fails too     cancellation_is_level
 *  A call looks at its scope first and then has done nothing       entry_is_checked_first,
 *                                         entry_is_checked_first_though_it_could_finish
 *  What completed when the cancel arrives is returned              completion_wins,
 *                                 a_completion_that_arrives_with_the_cancel_is_delivered
 *  The innermost scope's own deadline is -ETIMEDOUT                own_deadline_is_etimedout
 *  An outer scope's end is -ECANCELED, and outranks                outer_end_is_ecanceled
 *  EDDY_SHIELD lets a farewell wait, for its own time              shield_lets_a_farewell_wait
 *  Arguments are copied when the task is made                      arguments_are_copied
 *  Over 1 KiB of them are refused                                  arguments_over_1_kib_are_einval
 *  One echo peer's reset ends one peer                             one_reset_ends_one_peer
 *  A drain asks politely, then cancels                             drain_asks_then_cancels
 *  A callback may not wait: -EDEADLK                               callback_gets_edeadlk
 *  Plain code waits by turning the loop                            plain_code_turns_the_loop
 */
#ifndef EDDY_TASK_H
#define EDDY_TASK_H

#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

struct eddy_task;
struct eddy_scope;

/* What EDDY_TASK() makes: how to call a function with its arguments. */
struct eddy_task_type {
    size_t size; /* of this struct */
    const char *name;
    int (*call)(void *args);
    size_t args_size;
};

struct eddy_scope_options {
    size_t size;        /* filled by EDDY_SCOPE and EDDY_OPT(scope, ...) */
    int64_t timeout_ms; /* 0: no deadline of its own */
    bool isolate;       /* children fail alone */
    bool shield;        /* the end of outer scopes does not reach in */
    /* Called for each failure of an isolated child, as a callback. */
    void (*on_fail)(void *ctx, const char *task_name, int error);
    void *ctx;
};

/* What EDDY_GO_WITH() may ask for one task. */
struct eddy_go_options {
    size_t size;        /* filled by EDDY_OPT(go, ...) */
    const char *name;   /* for people; copied, cut to 31 bytes; NULL: the function's */
    size_t stack_bytes; /* at least so many; 0: 240 KiB. At most 64 MiB. See "stacks" below */
    bool future_only;   /* eddy_spawn(): a failure is told by the future alone */
};

/* Where in the program a task was spawned. */
struct eddy_site {
    const char *file;
    int line;
};
#define EDDY_HERE ((struct eddy_site){ __FILE__, __LINE__ })

/* Placed by the caller, on its stack; the content is the library's. */
struct eddy_scope {
    size_t size;
    void *opaque[39];
};

#ifndef __cplusplus

/* Behind `static int fn(struct fn_args *a)`: makes a typed trampoline, so that no function is called
 * through a pointer of another type. The struct is named after the function, and may be empty. */
#define EDDY_TASK(fn)                                                                              \
    static int fn##_call(void *args)                                                               \
    {                                                                                              \
        return fn((struct fn##_args *)args);                                                       \
    }                                                                                              \
    static EDDY_UNUSED const struct eddy_task_type fn##_task = { sizeof(struct eddy_task_type),    \
                                                                 #fn, fn##_call,                   \
                                                                 sizeof(struct fn##_args) }

/* Start a task. The arguments are a designated initialiser of fn##_args, copied. Evaluates to
 * 0 or the error, which also stays in the scope and comes out of eddy_join(). */
#define EDDY_GO(scope, fn, ...)                                                                    \
    eddy_go((scope), &fn##_task, &(struct fn##_args){ __VA_ARGS__ }, EDDY_HERE, NULL)

/* The same with options: EDDY_GO_WITH(&s, EDDY_OPT(go, .name = "reaper"), reap, .every_ms = 5). */
#define EDDY_GO_WITH(scope, options, fn, ...)                                                      \
    eddy_go((scope), &fn##_task, &(struct fn##_args){ __VA_ARGS__ }, EDDY_HERE, (options))

/* Declare a scope that is left with its block. Declare it after the data its children borrow:
 * cleanups run in reverse, so it is closed first. */
#define EDDY_SCOPE(name, ...)                                                                      \
    __attribute__((cleanup(eddy_scope_leave), unused)) struct eddy_scope name;                     \
    eddy_scope_enter(&name, EDDY_OPT(scope, __VA_ARGS__))

/* A scope that the end of outer scopes does not reach: for a farewell, with a deadline. */
#define EDDY_SHIELD(name, ...) EDDY_SCOPE(name, .shield = true, __VA_ARGS__)

#endif

/**
 * eddy_go() - start a task in a scope; EDDY_GO() is the way to call it
 * @scope:   of this thread, entered and not left
 * @type:    made by EDDY_TASK(), static
 * @args:    type->args_size bytes, copied onto the child's stack
 * @site:    where in the program: told by dumps and reports
 * @options: may be NULL
 *
 * Does not suspend: the child runs in the next iteration, from its first line even when the
 * scope is cancelled before. So what the arguments own passes to the child exactly when 0 is
 * returned.
 *
 * Return: 0; or negative, which also stays in the scope as its first failure:
 *   -ENOMEM   no stack, or over the scope's loop's bound
 *   -EINVAL   args over 1 KiB, a stack over 64 MiB
 *   -EDEADLK  the scope was entered in a callback   -EDDY_EFORKED  it is the parent process's
 *   -EBADF    the scope was left
 * Source: trio's start_soon.   Since: 0.1
 */
EDDY_API int eddy_go(struct eddy_scope *scope, const struct eddy_task_type *type, const void *args,
                     struct eddy_site site, const struct eddy_go_options *options);

/**
 * eddy_join() - wait until every child of the scope has stopped
 * @scope: entered by this task
 *
 * Suspends; cancels nothing. When the scope ends meanwhile (deadline, cancel, a failure), or has
 * ended, the children are cancelled by that and still waited for. Where this task has entered
 * another scope inside it, it looks at that first, and ends with that: the children go on.
 *
 * Return: 0, or the first failure of a child or a failed eddy_go(); -ETIMEDOUT or -ECANCELED
 * when the scope, or an outer one, ended; -EDEADLK in a callback; -EDDY_EFORKED.
 * Source: trio's nursery exit.   Since: 0.1
 */
EDDY_API int eddy_join(struct eddy_scope *scope);

/** eddy_scope_enter() - begin a scope; EDDY_SCOPE() is the way to call it
 * @scope:   placed by the caller; becomes the innermost scope of this task
 * @options: may be NULL
 *
 * Return: nothing; an entry in a callback is told by what is called next (-EDEADLK).
 * Source: trio's open_nursery, CancelScope.   Since: 0.1 */
EDDY_API void eddy_scope_enter(struct eddy_scope *scope, const struct eddy_scope_options *options);

/** eddy_scope_leave() - cancel what runs, wait for it, end the scope
 * @scope: the innermost one of this task; safe twice, so it may be left before its block is
 *
 * Suspends, and is not itself cancelled: children have been told, and they own what they hold. What
 * is asked of it later is -EBADF.
 *
 * Return: nothing.   Source: libdill's hclose.   Since: 0.1 */
EDDY_API void eddy_scope_leave(struct eddy_scope *scope);

/** eddy_scope_cancel() - end a scope's waits, now and later
 * @scope: of this thread; from anywhere: a child, a sibling, a callback
 *
 * Return: nothing.   Source: trio's CancelScope.cancel.   Since: 0.1 */
EDDY_API void eddy_scope_cancel(struct eddy_scope *scope);

/** eddy_scope_expired() - whether this scope's own deadline has passed
 * @scope: entered
 *
 * Return: true once it ended something.   Source: trio's cancelled_caught.   Since: 0.1 */
EDDY_API bool eddy_scope_expired(const struct eddy_scope *scope);

/** eddy_scope_failures() - how many children failed, isolated or not
 * @scope: entered
 *
 * Return: the count.   Source: none.   Since: 0.1 */
EDDY_API size_t eddy_scope_failures(const struct eddy_scope *scope);

/** eddy_scope_tasks() - how many children live
 * @scope: entered
 *
 * Return: the count.   Source: none.   Since: 0.1 */
EDDY_API size_t eddy_scope_tasks(const struct eddy_scope *scope);

/**
 * eddy_scope_drain() - ask the children to finish, and cancel what has not after a time
 * @scope:    of this thread
 * @grace_ms: from now; then it is as eddy_scope_cancel()
 *
 * Does not suspend; eddy_join() or leaving waits. Inside, eddy_draining() turns true, and
 * waits for new work (eddy_accept) fail with -EDDY_EDRAINING.
 *
 * Return: nothing.   Source: nginx's graceful quit.   Since: 0.1
 */
EDDY_API void eddy_scope_drain(struct eddy_scope *scope, int64_t grace_ms);

/** eddy_draining() - whether a scope around this task is being drained
 *
 * Return: true then; false outside a task.   Source: none.   Since: 0.1 */
EDDY_API bool eddy_draining(void);

/**
 * eddy_scope_new() - a scope for callback code that owns tasks
 * @options:   may be NULL
 * @ret_scope: ended by eddy_scope_close(), which frees it
 *
 * Return: 0 or -ENOMEM.   Source: none.   Since: 0.1
 */
EDDY_API int eddy_scope_new(const struct eddy_scope_options *options,
                            struct eddy_scope **ret_scope);

/** eddy_scope_close() - cancel a scope of eddy_scope_new() and be told when it is empty
 * @scope:     freed before @on_closed is called
 * @on_closed: called from the loop, never from inside this call; may be NULL
 * @ctx:       handed to it
 *
 * Its children may go on to start others in it: those are cancelled and waited for as well.
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_scope_close(struct eddy_scope *scope, void (*on_closed)(void *ctx), void *ctx);

/**
 * eddy_sleep() - wait for a time
 * @ms: 0 or less yields
 *
 * Suspends. Looks at its scope first. Never early. Cancelled: nothing happened.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -EDEADLK.
 * Source: nanosleep(2).   Since: 0.1
 */
EDDY_API int eddy_sleep(int64_t ms);

/** eddy_yield() - let everything else that is ready run first
 * Suspends. Looks at its scope first; a cancel that comes after that is told by the next call.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -EDEADLK.   Source: sched_yield(2).   Since: 0.1 */
EDDY_API int eddy_yield(void);

/**
 * eddy_offload() - run blocking work on the loop's thread pool and wait for it
 * @fn:  called on another thread, where of eddy only what is for any thread may be used:
 *   eddy_post(), eddy_future_set(), the try_ calls of a shared channel
 * @arg: borrowed until it returns
 *
 * Suspends. Looks at its scope first. Work that waits in the queue is withdrawn by a cancel; work
 * that has begun is waited for (it borrows @arg), and its result is returned: completion wins. The
 * pool is bounded (eddy_loop_options.workers, .work_queue), threads start when first needed, and
 * nothing but eddy_offload() runs on them. Under the simulator @fn is called on the loop's thread,
 * as a callback, at a time and in an order that the seed decides.
 * @fn must not wait for other work that was offloaded to the same loop: with every worker waiting
 * so, none is left to do it, and under the simulator the first one waits for ever.
 *
 * Return: what @fn returned; -ECANCELED or -ETIMEDOUT (it never began), -EDEADLK, -ENOMEM,
 * -EAGAIN (no thread could be started, or too much work waits).
 * Source: asyncio's to_thread.   Since: 0.1
 */
EDDY_API int eddy_offload(int (*fn)(void *arg), void *arg);

/** eddy_call_deep() - run a function on the thread's own, large stack
 * @fn:  must not wait (-EDEADLK)
 * @arg: handed to it
 *
 * For foreign code that recurses or has huge locals.
 *
 * Return: what @fn returned.   Source: none.   Since: 0.1 */
EDDY_API int eddy_call_deep(int (*fn)(void *arg), void *arg);

/** eddy_task_name() - this task's name: its own, or that of the function it was made from
 * "main" in plain code.
 *
 * Return: a text that lives as long as the task.   Source: none.   Since: 0.1 */
EDDY_API const char *eddy_task_name(void);

/** eddy_task_set_name() - name this task, for people
 * @name: copied, cut to 31 bytes; NULL or "": that of its function again
 *
 * Outside a task nothing happens. Dumps tell it, and a scope's on_fail.
 *
 * Return: nothing.   Source: asyncio's Task.set_name.   Since: 0.1 */
EDDY_API void eddy_task_set_name(const char *name);

/* --- stacks ---------------------------------------------------------------------------------
 *
 * .stack_bytes is rounded up to one of 12 24 48 112 240 (the default) 496 KiB and 1 2 4 ... 64 MiB,
 * and to what a signal's frame needs. A task's record and arguments, half a KiB with small ones,
 * lie in it. Only what is touched takes memory, so a large size costs address space, not memory.
 *
 * The guard below has 16 KiB (4 and 8 below the two smallest): locals larger than that may step over
 * it, into another task's stack, and nobody notices. Compile with -fstack-clash-protection, as `eddy
 * run` does and pkg-config says, and it is hit, however large they are.
 *
 * Stacks that no task has stay in a pool for the next ones, which keeps no more memory than
 * eddy_loop_options.stack_pool_bytes: what is over it after a burst, and what lies deep in a stack
 * that was used so once, is returned to the system a second later, while the loop turns.
 */

struct eddy_stack_class_info {
    size_t usable; /* bytes of each stack */
    size_t live;   /* tasks have them */
    size_t pooled; /* kept for the next task, with their memory */
    size_t cold;   /* likewise, their memory returned */
};

struct eddy_stack_info {
    size_t size;       /* of this struct; set by the caller: more is not filled */
    const char *guard; /* of the next stack: "madvise" (MADV_GUARD_INSTALL), "mprotect", "canary" */
    size_t usable;     /* bytes of a stack of the default size */
    size_t live;       /* tasks that have one, of any size */
    size_t live_bytes; /* their usable bytes: address space */
    size_t pooled;     /* kept for the next task, with their memory */
    size_t pooled_bytes; /* at most so much memory they hold; what is not measured counts whole */
    size_t pool_limit;   /* a second after that is passed, it holds again */
    size_t cold;         /* kept for the next task, their memory returned */
    size_t unguarded;    /* that have a canary: there were not enough mappings to guard them */
    uint64_t trimmed;    /* stacks whose memory was returned, so far */
    size_t class_count;
    struct eddy_stack_class_info classes[16]; /* smallest first */
};

/** eddy_stack_info() - which guard is active, and what the pool holds, on this thread
 * @info: struct eddy_stack_info info = { .size = sizeof info }; filled as far as that reaches
 *
 * Guards are probed by their effect, once a process. Where the kernel has no MADV_GUARD_INSTALL,
 * mprotect() may use up half of vm.max_map_count; stacks made beyond it have a canary, which is
 * looked at when the task ends: an overflow then ends the process, with the task's name.
 *
 * Return: nothing.   Source: madvise(2).   Since: 0.1 */
EDDY_API void eddy_stack_info(struct eddy_stack_info *info);

/**
 * eddy_census_report() - how deep stacks were used, by where their tasks were spawned
 * @fd: written to: a line a place, the deepest first: bytes, tasks, file and line, function
 *
 * Of all tasks of the process that have ended. Counted in a build with the CMake option
 * EDDY_CENSUS only, which makes each task's end slow. With EDDY_CENSUS_REPORT=1 in the environment
 * such a build also reports when a loop ends, to standard error.
 *
 * Return: how many places, -ENOSYS in other builds, or what write(2) says.
 * Source: libdill's census.   Since: 0.1
 */
EDDY_API int eddy_census_report(int fd);

/**
 * eddy_overflow_report() - name the task when a stack overflows
 *
 * Installs handlers for SIGSEGV and SIGBUS, on a signal stack of their own, that write one
 * line to standard error when the fault lies in a guard of ours, and in every case go on to
 * what stood there before. eddy_serve() and `eddy run` call it; the library alone does not.
 *
 * Return: 0, or -ENOMEM, or what sigaction(2) says.
 * Source: sigaltstack(2).   Since: 0.1
 */
EDDY_API int eddy_overflow_report(void);

EDDY_END

#endif
