/*
 * eddy/loop.h - the event loop: one per thread; what other threads may call says so
 *
 * A program needs no set-up: the first call that has to wait makes this thread's loop. Where it
 * cannot be made, that call, and whatever else needs a loop, returns what eddy_loop_new() says:
 * -EDDY_EBACKEND, -EMFILE, -ENOMEM (tests/task/refusal_test.c; only here is it said for them all).
 * What runs where is told apart three ways, and a call that may suspend behaves by it:
 *
 *   task         a coroutine made with EDDY_GO (eddy/task.h): the call suspends it
 *   plain code   main(), a thread's function: the call turns the loop itself until it is done
 *   callback     called by the loop (timers, posts, protocols): the call answers -EDEADLK
 *
 * An iteration: due timers; the ready queue as it stood; submit and wait; completions.
 *
 * A loop belongs to the process that made it. In the child of a fork(2) the parent's loop, its
 * scopes and whatever was made on it (listeners, streams, files, generators, signals, servers,
 * threads) answer -EDDY_EFORKED and touch nothing that the parent goes on with. So do channels,
 * queues and futures made since the program had its first loop, and locks, events and the like that
 * a task of the parent's has used; one that nobody has used yet is the child's own. What has no
 * result does nothing: an alarm does not ring, a transport tells nobody anything. What frees or
 * ends any of them may be called, as cleanups do: it waits for nobody, closes the child's copy of
 * the descriptor, and frees what nothing else of the parent's may still point to.
 *
 * The loop's signals have been given back, and the first call that waits makes the child a loop of
 * its own. Where a task or a callback forks, its code may go on in the child and wait as plain code
 * does; when it returns there, the wait or run of plain code that it was called from ends with
 * -EDDY_EFORKED. Descriptors are copies, as ever. (A child made by a bare clone(2) is not noticed.)
 *
 * What holds, with the test that shows it (tests/loop/: loop_, post_, idle_ and guest_test.c;
 * tests/task/fork_test.c), on every driver:
 *
 *  rule                                            test
 *  ----------------------------------------------  ----------------------------------------------
 *  Posts of one thread keep their order            posts_of_each_thread_arrive_once_and_in_order
 *  A post costs a system call only when the loop
 *   sleeps                                 a_post_that_finds_the_loop_asleep_costs_one_system_call,
 *                                                  a_post_to_a_busy_loop_costs_none
 *  An ending loop runs what was posted, then
 *   refuses                                an_ending_loop_runs_what_was_posted_and_what_that_posts,
 *                                                  a_post_without_end_is_refused_at_the_end
 *  Alarms are never early                          alarms_fire_in_deadline_order_and_never_early
 *  A signal is a callback, and given back          a_signal_becomes_a_callback_and_is_given_back
 *  One loop a thread, which ends with it  a_thread_has_one_loop_and_an_unknown_backend_is_an_error,
 *                                                  a_threads_loop_ends_with_it
 *  Idle work comes after all else                  whatever_else_there_is_comes_first
 *  ... a slice an iteration, until it says false
 *                                a_slice_runs_in_each_iteration_that_finds_nothing_until_it_says_no
 *  ... in turn with others                         several_take_turns
 *  ... and lets the loop sleep when there is none  the_loop_sleeps_when_no_slice_is_wanted
 *  A host that watches the descriptor misses
 *   nothing                                  tasks_talk_while_the_host_only_watches_the_descriptor,
 *                                                  a_timer_armed_between_turns_is_heard_of,
 *                                                  a_post_of_another_thread_wakes_the_host,
 *                                                  what_is_ready_after_a_turn_asks_for_another
 *  ... nor one that turns at the timeout           turning_at_the_timeout_is_enough_for_timers
 *  After a fork each process has its own   the_child_makes_a_loop_of_its_own_and_the_parent_goes_on
 *  ... and the parent's answers -EDDY_EFORKED      whatever_is_the_parents_answers_eforked
 *  ... to tasks and callbacks that fork, too      where_a_task_forks_the_childs_plain_code_is_told,
 *                                                  where_a_callback_forks_the_childs_run_is_told
 */
#ifndef EDDY_LOOP_H
#define EDDY_LOOP_H

#include <eddy/common.h>

EDDY_BEGIN

struct eddy_loop;

struct eddy_loop_options {
    size_t size;         /* filled by EDDY_OPT(loop, ...) */
    const char *backend; /* a name of eddy_backend_names(); NULL: $EDDY_BACKEND, or the default */
    uint64_t seed;       /* sim only; 0: $EDDY_SEED, or 1 */
    /* Threads for blocking work, at most 64 of each; started when needed, ended with the loop. Each
     * class has its own, so that slow work of one never holds what another needs. */
    unsigned workers;      /* of eddy_offload(); 0: 4 */
    unsigned file_workers; /* of file operations, where the backend has none; 0: 4 */
    unsigned work_queue;   /* pieces of work of one class that may wait; 0: 65 536; more: -EAGAIN */
    size_t stack_pool_bytes; /* memory that stacks may hold which no task has; 0: 64 MiB */
    bool debug;       /* tell of mistakes and stalls in the log: as EDDY_DEBUG=1, eddy/inspect.h */
    int64_t stall_ms; /* in debug: what counts as a stall; 0: $EDDY_DEBUG_STALL_MS, or 100 */
};

/**
 * eddy_loop_new() - make this thread's loop
 * @options:  EDDY_OPT(loop, .backend = "poll"), may be NULL
 * @ret_loop: owned by the caller, freed with eddy_loop_free() on the same thread
 *
 * Return: 0, or -EDDY_EBACKEND (unknown, or refused by this kernel: the log says why), -EBUSY
 * (this thread has a loop), -ENOMEM, -EMFILE.
 * Source: epoll_create1(2), io_uring_setup(2).   Since: 0.1
 */
EDDY_API int eddy_loop_new(const struct eddy_loop_options *options, struct eddy_loop **ret_loop);

/**
 * eddy_loop_free() - end this thread's loop
 * @loop: NULL is fine. No task may live: close the scopes first. Posts that never ran are run, and
 *   so are those that they make, within reason; then eddy_post() answers -ESHUTDOWN.
 *
 * Return: nothing.   Source: none.   Since: 0.1
 */
EDDY_API void eddy_loop_free(struct eddy_loop *loop);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_loop)
#endif

/**
 * eddy_loop_current() - this thread's loop, made with the defaults if there was none
 *
 * A loop made so is freed at the end of its thread, the main thread's at exit.
 *
 * Return: the loop, borrowed; NULL when it cannot be made (the log says why).
 * Source: asyncio.get_running_loop.   Since: 0.1
 */
EDDY_API struct eddy_loop *eddy_loop_current(void);

/**
 * eddy_loop_turn() - one iteration
 * @loop:       this thread's, not turning already
 * @timeout_ms: wait at most so long, and only if no timer fired and nothing was ready; 0: do not
 *   wait; negative: for ever
 *
 * Return: how many things ran, or -EDEADLK (called from a callback or a task), -EDDY_EFORKED.
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_loop_turn(struct eddy_loop *loop, int64_t timeout_ms);

/**
 * eddy_loop_run() - turn until eddy_loop_stop()
 * @loop: this thread's
 *
 * Return: 0, or -EDEADLK, -EDDY_EFORKED.   Source: asyncio's run_forever.   Since: 0.1
 */
EDDY_API int eddy_loop_run(struct eddy_loop *loop);

/** eddy_loop_stop() - let eddy_loop_run() return after this iteration
 * @loop: from its own thread; from others, post a function that calls it
 *
 * Return: nothing.   Source: asyncio's stop.   Since: 0.1 */
EDDY_API void eddy_loop_stop(struct eddy_loop *loop);

/**
 * eddy_post() - have a function called on a loop's thread
 * @loop: any thread's; must outlive the call
 * @fn:   called once, as a callback
 * @ctx:  handed to it
 *
 * Safe from every thread. Posts of one thread keep their order. It costs a system call only when
 * it finds the loop asleep.
 *
 * Return: 0, @fn will be called; or -ENOMEM, -ESHUTDOWN (the loop is ending and takes no more),
 * -EDDY_EFORKED.
 * Source: asyncio's call_soon_threadsafe.   Since: 0.1
 */
EDDY_API int eddy_post(struct eddy_loop *loop, void (*fn)(void *ctx), void *ctx);

/** eddy_now_ns() - the loop's monotonic clock, read afresh
 * Virtual under the simulator.
 *
 * Return: nanoseconds from an arbitrary start.   Source: clock_gettime(2).   Since: 0.1 */
EDDY_API int64_t eddy_now_ns(void);

/** eddy_wall_ns() - the loop's wall clock
 *
 * Return: nanoseconds since 1970, UTC.   Source: clock_gettime(2).   Since: 0.1 */
EDDY_API int64_t eddy_wall_ns(void);

/* --- timers for callback code; tasks sleep ----------------------------------------------- */

struct eddy_alarm;

/**
 * eddy_alarm_new() - a timer that calls back
 * @fn:        called on the loop's thread, as a callback
 * @ctx:       handed to it
 * @ret_alarm: owned; not started
 *
 * Return: 0 or -ENOMEM.   Source: none.   Since: 0.1
 */
EDDY_API int eddy_alarm_new(void (*fn)(void *ctx), void *ctx, struct eddy_alarm **ret_alarm);

/** eddy_alarm_start() - (re)start
 * @alarm:    if it runs it is moved
 * @delay_ms: never early, at most a tick of 1 ms late
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_alarm_start(struct eddy_alarm *alarm, int64_t delay_ms);

/** eddy_alarm_stop() - fn will not be called
 * @alarm: may be stopped already
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_alarm_stop(struct eddy_alarm *alarm);

/** eddy_alarm_free() - stop and free
 * @alarm: NULL is fine
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_alarm_free(struct eddy_alarm *alarm);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_alarm)
#endif

/* --- signals ------------------------------------------------------------------------------ */

/**
 * eddy_loop_on_signal() - have a function called when the process gets a signal
 * @loop:  this thread's
 * @signo: SIGINT, SIGTERM, SIGHUP, SIGUSR1, ...; not SIGKILL, SIGSTOP or a fault
 * @fn:    called on the loop's thread, as a callback; NULL: give the signal back
 * @ctx:   handed to it
 *
 * eddy takes no signal unless asked. The handler that stood there before is restored when the
 * signal is given back or the loop freed. One loop a signal; several of one signal that arrive
 * together may be told once.
 *
 * Return: 0, or -EINVAL (not such a signal), -EBUSY (another loop has it).
 * Source: sigaction(2), asyncio's add_signal_handler.   Since: 0.1
 */
EDDY_API int eddy_loop_on_signal(struct eddy_loop *loop, int signo,
                                 void (*fn)(void *ctx, int signo), void *ctx);

/* --- work for when there is nothing else to do ------------------------------------------------ */

struct eddy_idle;

/**
 * eddy_idle_new() - something to be done when the loop is idle
 * @fn:       one slice of it, a callback; true: there is more to do
 * @ctx:      handed to it
 * @ret_idle: owned; not started
 *
 * A slice is run by an iteration that found no event, no timer and nothing ready, one slice an
 * iteration, in turn with others'. While something wants slices the loop does not sleep; @fn's
 * false ends that until the next eddy_idle_start(). So keep slices short, and say false at the end.
 * The simulator's clock stands still meanwhile.
 *
 * Return: 0 or -ENOMEM.   Source: uv_idle_t, GLib's g_idle_add.   Since: 0.1
 */
EDDY_API int eddy_idle_new(bool (*fn)(void *ctx), void *ctx, struct eddy_idle **ret_idle);

/** eddy_idle_start() - there is something to do
 * @idle: may be started already
 *
 * Return: nothing.   Source: uv_idle_start.   Since: 0.1 */
EDDY_API void eddy_idle_start(struct eddy_idle *idle);

/** eddy_idle_stop() - fn will not be called
 * @idle: may be stopped already; also from inside fn
 *
 * Return: nothing.   Source: uv_idle_stop.   Since: 0.1 */
EDDY_API void eddy_idle_stop(struct eddy_idle *idle);

/** eddy_idle_free() - stop and free
 * @idle: NULL is fine; also from inside fn
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_idle_free(struct eddy_idle *idle);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_idle)
#endif

/* --- a guest in another loop ------------------------------------------------------------------ */

/**
 * eddy_loop_fd() - a descriptor to watch for input in another program's loop
 * @loop: this thread's
 *
 * While it is readable, eddy_loop_turn(loop, 0) has something to do; that is all a host needs. It
 * is readable for timers, for what is ready already and for posts from other threads, too, and for
 * everything that the host's own code has started on the loop since the last turn. Tasks run inside
 * eddy_loop_turn() only. Level-triggered; belongs to the loop, do not close or read it.
 * examples/glib.c and examples/libuv.c are such hosts.
 *
 * Return: the descriptor; or -EOPNOTSUPP (on select, poll and in the simulator no descriptor stands
 * for all: use epoll or uring, or turn every eddy_loop_timeout_ms()), -ENOMEM, -EMFILE,
 * -EDDY_EFORKED.
 * Source: uv_backend_fd.   Since: 0.1
 */
EDDY_API int eddy_loop_fd(struct eddy_loop *loop);

/**
 * eddy_loop_timeout_ms() - how long the host may sleep if it hears of no descriptor
 * @loop: this thread's; not from inside a turn
 *
 * For hosts that keep timers themselves; who watches eddy_loop_fd() needs no timeout.
 *
 * Return: 0: turn now; negative: until the descriptor is readable; else milliseconds, never short.
 * Source: uv_backend_timeout.   Since: 0.1
 */
EDDY_API int64_t eddy_loop_timeout_ms(struct eddy_loop *loop);

/* --- what it is made of -------------------------------------------------------------------- */

/* Operations of one kind: "recv", "accept", "connect", ... */
struct eddy_operations {
    const char *name; /* NULL: behind the last one */
    unsigned pending; /* in flight now */
};

/* Times are of the loop's clock, virtual under the simulator. 1 - asleep_ns / total_ns, of the
 * differences between two reports, is the load: the best single sign of overload. */
struct eddy_loop_info {
    const char *backend;    /* "epoll", "uring", ... */
    const char *why;        /* why a better one is not active: "uring: ..."; the loop's; "" */
    uint64_t iterations;    /* turns so far */
    uint64_t completions;   /* operations that completed after having waited */
    uint64_t timers_fired;  /* timers that fired */
    size_t timers;          /* armed now */
    unsigned pending;       /* operations in flight */
    uint64_t timers_armed;  /* times a timer was armed, or moved */
    uint64_t posts;         /* functions of eddy_post() that were called */
    uint64_t sleeps;        /* waits that were allowed to sleep */
    int64_t total_ns;       /* since the loop was made */
    int64_t asleep_ns;      /* of it, in those waits */
    int64_t longest_ns;     /* the longest time between two waits: one callback or task, or many */
    uint64_t switches;      /* times a task was resumed */
    uint64_t tasks_spawned; /* plain code is no task here, nor below */
    uint64_t tasks_finished;
    size_t tasks_ready;   /* to run in this or the next iteration */
    size_t tasks_running; /* 1 when a task asks, else 0 */
    size_t tasks_waiting;
    size_t scopes; /* entered and not left */
    struct eddy_operations operations[24];
};

/** eddy_backend_names() - the backends this build has, those tried by default first, blanks between
 *
 * Return: a constant text.   Source: none.   Since: 0.1 */
EDDY_API const char *eddy_backend_names(void);

/** eddy_loop_info_sized() - what eddy_loop_info() calls with the size that its caller knows
 * @loop:     this thread's
 * @ret_info: its first @size bytes are filled; what this library does not know is zero
 * @size:     of the struct in the caller's header
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_loop_info_sized(const struct eddy_loop *loop, struct eddy_loop_info *ret_info,
                                   size_t size);

/** eddy_loop_info() - a report, cheap enough for every scrape
 * @loop:     this thread's
 * @ret_info: filled
 *
 * The counters are kept always: none costs a system call, and the clock is read once more only
 * before a wait that may sleep. A program compiled with an older header gets the fields it knows.
 *
 * Return: nothing.   Source: uv_metrics_info, uv_metrics_idle_time.   Since: 0.1 */
static inline void eddy_loop_info(const struct eddy_loop *loop, struct eddy_loop_info *ret_info)
{
    eddy_loop_info_sized(loop, ret_info, sizeof *ret_info);
}

EDDY_END

#endif
