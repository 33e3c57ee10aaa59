/*
 * eddy/inspect.h - seeing a program at work: its tasks, their stacks, and who holds the loop
 *
 * Everything here may be asked of a program in service; nothing of it costs anything until it is.
 * Counters of the loop as a whole: eddy_loop_info() in eddy/loop.h.
 *
 * EDDY_DEBUG=1 in the environment (or .debug in the loop's options) has every loop watched for
 * stalls of 100 ms (EDDY_DEBUG_STALL_MS), names the callback that made a call which would wait, and
 * tells at the loop's end which listeners, connections, files, watches, sets of signals and
 * generators were never closed, and where they were made; and of futures that end, or are left
 * then, that nobody set or awaited them. It reports to the log (eddy/log.h), and to standard error
 * when no log is set.
 *
 * What holds, with the test that shows it (tests/task/inspect_test.c, and stall_test.c for what is
 * reported to the log, on every driver):
 *
 *  rule                               test
 *  ---------------------------------  ------------------------------------------------------------
 *  Counters are exact, and told to    counters_are_exact,
 *   readers of any size               a_report_is_filled_by_the_readers_size
 *  Time asleep is no load, a long     time_asleep_is_told_apart,
 *   callback is                       a_long_callback_is_no_sleep
 *  Each task of every scope is told   each_task_is_told_once,
 *   once                              tasks_of_all_scopes_are_told
 *  The list ends when it was enough   the_list_ends_when_it_was_enough
 *  Busy time is measured while        busy_time_is_measured_while_watched_only
 *   watched only
 *  A dump shows stacks and            a_dump_shows_a_sleeping_tasks_stack_and_birthplace
 *   birthplaces
 *  Equal stacks are told once         tasks_with_equal_stacks_are_told_once,
 *                                     stacks_of_equal_depth_are_told_apart
 *  A dump is bounded                  a_dump_is_bounded
 *  A write that fails ends it         a_dump_that_cannot_be_written_says_so
 *  A signal asks for one              a_signal_asks_for_a_dump_and_a_second_one_goes_on
 *  Who holds the loop is named while  a_callback_that_holds_the_loop_is_reported_while_it_does,
 *   it does, and once                 a_task_that_holds_the_loop_is_named_with_its_birthplace,
 *                                     one_stall_is_told_once
 *  Reports are at most one a second   reports_are_at_most_one_a_second
 *  Debug names callbacks that would   a_callback_that_would_wait_is_named,
 *   wait, and what was never closed   what_was_never_closed_is_told_at_the_end_with_its_birthplace,
 *                                     tests/file/leftover_test.c
 *  Without it nothing is said         without_debug_nothing_is_said
 */
#ifndef EDDY_INSPECT_H
#define EDDY_INSPECT_H

#include <eddy/common.h>

EDDY_BEGIN

struct eddy_loop;

/* --- tasks ------------------------------------------------------------------------------------ */

enum eddy_task_state {
    EDDY_TASK_READY,   /* will run in this iteration or the next */
    EDDY_TASK_RUNNING, /* asks this */
    EDDY_TASK_WAITING
};

/* A copy that may be kept, but for the texts it points to: constants of the program. */
struct eddy_task_info {
    size_t size;      /* of this struct, as the library knows it: later fields are not filled */
    uint64_t id;      /* the how manyeth task of its loop, from 1 */
    uint64_t parent;  /* whose scope it lives in; 0: plain code's or a callback's */
    char name[32];    /* its own, or its function's, cut to fit */
    const char *type; /* the function it was made from */
    const char *file; /* where it was spawned; NULL: by the library, for a request */
    int line;         /* in @file */
    enum eddy_task_state state;
    int64_t age_ns;
    uint64_t switches;     /* times it was resumed */
    int64_t busy_ns;       /* it ran, while the loop was watched (eddy_loop_watch()) */
    const char *waits;     /* for what: "read", "sleep", "join", ...; NULL: it does not wait */
    int64_t waits_ns;      /* for how long */
    const char *operation; /* "recv", "connect", ... when it waits for one of its own; or NULL */
    int fd;                /* on which descriptor, or -1 */
    char local[64];        /* addresses of @fd, where it is a socket and they were asked for; "" */
    char peer[64];
};

struct eddy_tasks_options {
    size_t size;    /* filled by EDDY_OPT(tasks, ...) */
    bool addresses; /* ask the kernel for local and peer: two system calls a task on a socket */
    size_t max;     /* tasks to tell of; 0: all */
};

/**
 * eddy_tasks_each() - tell of every task of a loop
 * @loop:    this thread's
 * @options: EDDY_OPT(tasks, .addresses = true), may be NULL
 * @fn:      called for each, outer scopes first; must not start, end or suspend a task. false:
 *           enough
 * @ctx:     handed to it
 *
 * Does not suspend.
 *
 * Return: how many were told.   Source: asyncio.all_tasks.   Since: 0.1
 */
EDDY_API size_t eddy_tasks_each(struct eddy_loop *loop, const struct eddy_tasks_options *options,
                                bool (*fn)(void *ctx, const struct eddy_task_info *task),
                                void *ctx);

/** eddy_loop_watch() - measure how long each task runs, or stop it
 * @loop: this thread's
 * @on:   two readings of the clock for each time a task is resumed; off, the default, costs nothing
 *
 * Return: nothing.   Source: tokio-console's busy time.   Since: 0.1 */
EDDY_API void eddy_loop_watch(struct eddy_loop *loop, bool on);

/* --- dumps ------------------------------------------------------------------------------------ */

struct eddy_dump_options {
    size_t size;       /* filled by EDDY_OPT(dump, ...) */
    size_t max_groups; /* tasks with equal stacks are one group; 0: 100. The others are counted */
};

/**
 * eddy_dump_to() - write down what a loop and all its tasks are at, with their stacks
 * @loop:    this thread's
 * @options: may be NULL
 * @write:   called with pieces of text; negative: no more of it
 * @ctx:     handed to it
 *
 * Does not suspend. Tasks that were spawned at one place and wait at one place, with equal stacks,
 * are told once, with their number. Stacks are walked by libunwind, which is loaded for it (and
 * keeps two descriptors); where it is missing there are none, and the text says so.
 *
 * Return: 0, -ENOMEM, or what @write returned.
 * Source: Go's SIGQUIT, asyncio.Task.print_stack.   Since: 0.1
 */
EDDY_API int eddy_dump_to(struct eddy_loop *loop, const struct eddy_dump_options *options,
                          int (*write)(void *ctx, const char *text, size_t len), void *ctx);

/** eddy_dump() - the same to a descriptor
 * @loop: this thread's
 * @fd:   blocking; 2 for standard error
 *
 * Does not suspend: it blocks while @fd does.
 *
 * Return: 0, -ENOMEM, or what write(2) says.   Source: write(2).   Since: 0.1 */
EDDY_API int eddy_dump(struct eddy_loop *loop, int fd);

/**
 * eddy_dump_on_signal() - dump this thread's loop to standard error when a signal comes
 * @signo: SIGQUIT, mostly: Ctrl-\ in a terminal; 0: give it back
 *
 * eddy_serve() and `eddy run` ask for SIGQUIT; the library alone takes no signal. A signal that
 * comes before the dump of the one before was written goes on to what stood there: a loop that is
 * stuck can still be ended by Ctrl-\ twice. Given back when the loop ends, too.
 *
 * Return: 0, -EINVAL (not such a signal), -EBUSY (another loop has asked), -ENOMEM.
 * Source: sigaction(2), the JVM's and Go's SIGQUIT.   Since: 0.1
 */
EDDY_API int eddy_dump_on_signal(int signo);

/* --- stalls ----------------------------------------------------------------------------------- */

/**
 * eddy_stall_watch() - report whoever holds a loop, while it does
 * @loop:         this thread's
 * @threshold_ms: held so long by one callback or task; 0: 100; negative: watch no more
 *
 * A thread, one in the process, looks at the loop every quarter of the time; when the loop neither
 * sleeps nor goes on, it interrupts it by a signal (a real-time one that nobody uses) just to see
 * its stack, and writes one report a stall, at most one a second of a loop, to the log. The loop
 * itself does nothing for it. System calls that the signal interrupts are restarted, but those that
 * signal(7) says cannot be: a blocking sleep or poll in the culprit returns EINTR.
 *
 * Return: 0, -ENOMEM, -EAGAIN (no thread), -EBUSY (no signal is free).
 * Source: Seastar's stall detector, gevent's max_blocking_time.   Since: 0.1
 */
EDDY_API int eddy_stall_watch(struct eddy_loop *loop, int64_t threshold_ms);

EDDY_END

#endif
