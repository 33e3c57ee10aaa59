/*
 * eddy/process.h - child processes: started, talked to, waited for, and never left behind
 *
 *     const char *const argv[] = { "sort", "-u", NULL };
 *     EDDY_OWN(eddy_process) p = NULL;
 *
 *     r = eddy_process_spawn(argv, EDDY_OPT(process, .in = EDDY_IO_PIPE, .out = EDDY_IO_PIPE), &p);
 *     r = eddy_write_text(eddy_process_stdin(p), "b\na\nb\n");
 *     r = eddy_stream_finish(eddy_process_stdin(p));
 *     ... eddy_read(eddy_process_stdout(p), ...)
 *     r = eddy_process_wait(p, &status);
 *
 * Who only wants what a command prints takes eddy_process_run() of eddy/command.h.
 *
 * A process belongs to the scope that was innermost where it was spawned: when that is cancelled or
 * left, the process and its whole group get SIGTERM, after .grace_ms SIGKILL, and the leaving waits
 * until it has been reaped. eddy_join() does not wait for processes. In plain code outside of any
 * scope it ends with the loop: SIGKILL, and reaped. A descendant that has made a session or group
 * of its own (a daemon, a job of an interactive shell) is outside, and lives on. So does every child
 * of a program that is itself killed, by SIGKILL or by a signal that it does not take.
 *
 * The loop reaps a process as soon as it has ended, whether anybody waits or not; a detached one
 * that outlives the loop is the program's to reap. No other child of the program is touched. Where
 * the program has SIGCHLD ignored, or reaps everybody by waitpid(-1), the end is noticed all the
 * same, and the status is lost: -ECHILD.
 *
 * A child begins with all signals at their defaults and none blocked, and with no descriptor but
 * those it was given. Processes are started on the pool's threads for files: what looks for a
 * program may wait for a disk.
 *
 * What holds, with the test that shows it (tests/process/: S spawn_, I io_, W wait_, G group_,
 * P pty_, C child_test.c), by a pidfd and without:
 *
 *  rule                                           test
 *  ---------------------------------------------  ------------------------------------------------
 *  The program is looked up in the child's PATH   S a_program_is_found_in_path
 *  .path is run, whatever argv[0] says            S path_is_run_whatever_argv_0_says
 *  Environment, folder, umask, limits, nice, ids  S the_child_is_as_the_options_say
 *  Signals are at their defaults, none blocked    S signals_are_default_and_unblocked
 *  What went wrong is told, with where and why    S what_went_wrong_is_told
 *  A failure at each step leaves nothing behind   S every_failure_leaves_nothing_behind
 *  A call looks at its scope first                S a_cancelled_spawn_starts_nothing
 *  The loop turns while a program is looked for   S the_loop_turns_while_a_child_starts
 *  No descriptor but those given                  I no_descriptor_leaks, ..._beside_other_threads
 *  Pipes, files, null, given ones, one for both   I each_kind_of_standard_stream
 *  More descriptors at given numbers              I descriptors_at_given_numbers
 *  A wait ends with the child, for all who wait   W all_who_wait_are_told
 *  A cancelled wait has done nothing              W a_cancelled_wait_may_be_repeated
 *  Ignored SIGCHLD or a foreign waitpid: -ECHILD  W a_stolen_status_is_echild
 *  A pid used again is never signalled            W one_that_has_ended_is_not_signalled
 *  It is reaped though nobody waits               W nobody_waits_and_no_zombie_is_left
 *  A thousand at once                             W a_thousand_at_once
 *  Debug tells of one never waited for            W debug_tells_of_one_never_waited_for
 *  The scope's end ends the group: SIGTERM ...    G leaving_a_scope_ends_the_group
 *  ... and SIGKILL for who does not listen        G who_ignores_sigterm_is_killed
 *  Who made a session of its own is outside       G a_daemon_is_outside
 *  Its leader gone, the others get theirs         G what_is_left_of_a_group_is_killed
 *  eddy_process_stop() ends it and waits          G stop_asks_then_kills_and_waits
 *  In our group it alone is ended                 G in_our_group_it_alone_is_ended
 *  One that we may not kill is let go             G one_that_we_may_not_kill_is_let_go
 *                                                 G nor_does_the_loops_end_wait_for_it
 *  Freed: killed and reaped without suspending    G a_freed_one_is_killed_and_reaped
 *  The loop's end reaps, too                      G the_loops_end_reaps
 *  Detached, it lives on                          G a_detached_one_lives_on
 *  A pseudo-terminal is the child's, with a size  P a_child_has_a_terminal, P a_new_size_is_told
 *  Its end is the end of the stream               P the_childs_end_is_the_end
 *  ... and of writing to it                       P writing_to_one_that_has_ended_fails
 *  Once our end is closed it has no size          P a_terminal_that_was_closed_has_no_size
 *  The simulator has no processes                 S the_simulator_refuses
 *  A fork's child is told -EDDY_EFORKED           G the_child_of_a_fork_is_told
 */
#ifndef EDDY_PROCESS_H
#define EDDY_PROCESS_H

#include <eddy/common.h>
#include <eddy/error.h>

#include <sys/resource.h>

EDDY_BEGIN

struct eddy_process;
struct eddy_stream;

/* Where one of the standard streams of a child goes; made by the macros below. */
struct eddy_process_io {
    int kind; /* 0: inherited */
    int fd;
    const char *path;
};

enum eddy_process_io_kind {
    EDDY_IO_KIND_DEFAULT,
    EDDY_IO_KIND_INHERIT,
    EDDY_IO_KIND_NULL,
    EDDY_IO_KIND_PIPE,
    EDDY_IO_KIND_FD,
    EDDY_IO_KIND_FILE,
    EDDY_IO_KIND_APPEND,
    EDDY_IO_KIND_STDOUT
};

#define EDDY_IO_INHERIT                                                                            \
    {                                                                                              \
        .kind = EDDY_IO_KIND_INHERIT                                                               \
    }
#define EDDY_IO_NULL                                                                               \
    {                                                                                              \
        .kind = EDDY_IO_KIND_NULL                                                                  \
    } /* /dev/null */
#define EDDY_IO_PIPE                                                                               \
    {                                                                                              \
        .kind = EDDY_IO_KIND_PIPE                                                                  \
    } /* a stream for the parent */
#define EDDY_IO_FD(n)                                                                              \
    {                                                                                              \
        .kind = EDDY_IO_KIND_FD, .fd = (n)                                                         \
    } /* stays the caller's */
#define EDDY_IO_FILE(name)                                                                         \
    {                                                                                              \
        .kind = EDDY_IO_KIND_FILE, .path = (name)                                                  \
    } /* read; or made anew */
#define EDDY_IO_APPEND(name)                                                                       \
    {                                                                                              \
        .kind = EDDY_IO_KIND_APPEND, .path = (name)                                                \
    }
#define EDDY_IO_STDOUT                                                                             \
    {                                                                                              \
        .kind = EDDY_IO_KIND_STDOUT                                                                \
    } /* of .err: where .out goes */

/* A descriptor of ours that is number @as in the child. */
struct eddy_process_fd {
    int fd;
    int as;
};

struct eddy_process_limit {
    int resource; /* RLIMIT_NOFILE, RLIMIT_AS, RLIMIT_CPU, ... */
    struct rlimit limit;
};

struct eddy_process_user {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary ones, exactly these */
    size_t group_count;
};

enum eddy_process_group {
    EDDY_PROCESS_OWN_GROUP, /* it leads a group of its own: a terminal's Ctrl-C does not reach it */
    EDDY_PROCESS_OUR_GROUP, /* in ours: then it alone is signalled, not what it started */
    EDDY_PROCESS_OWN_SESSION /* it leads a session, which has no terminal */
};

struct eddy_process_options {
    size_t size;                   /* filled by EDDY_OPT(process, ...) */
    const char *path;              /* the program; NULL: argv[0], looked up when it has no slash */
    const char *const *env;        /* the whole environment, NULL at its end; NULL: ours */
    const char *const *env_add;    /* "NAME=value", in place of what is there; NULL at its end */
    const char *const *env_remove; /* names; NULL at its end */
    const char *folder;            /* to work in; a relative program is looked for from there */
    struct eddy_process_io in;     /* standard input */
    struct eddy_process_io out;    /* standard output */
    struct eddy_process_io err;    /* standard error */
    const struct eddy_process_fd *fds;       /* more of them */
    size_t fd_count;                         /* at most 64 */
    bool keep_fds;                           /* let ours through that are not close-on-exec */
    bool pty;                                /* its terminal: in, out and err are not to be set */
    unsigned short rows, cols;               /* of the terminal; 0: 24, 80 */
    enum eddy_process_group group;           /* with .pty always a session of its own */
    const struct eddy_process_user *user;    /* NULL: ours */
    const struct eddy_process_limit *limits; /* set before the user is */
    size_t limit_count;
    bool set_umask; /* .umask is to be set */
    mode_t umask;
    int nice;                 /* added to ours */
    int64_t grace_ms;         /* between SIGTERM and SIGKILL; 0: 2000; negative: no SIGTERM */
    bool detach;              /* neither scope nor loop nor eddy_process_free() ends it */
    struct eddy_error *error; /* what went wrong, where, how to mend it; may be NULL */

    /* Of eddy_process_run() and eddy_process_pipeline() alone, see eddy/command.h; eddy_process_spawn()
     * answers -EINVAL to them. */
    const void *input; /* what it reads; NULL: nothing */
    size_t input_len;
    size_t max_output;  /* of each output; 0: 16 MiB */
    bool truncate;      /* drop what is over it */
    int64_t timeout_ms; /* 0: as long as it takes */
};

/* How a process ended. */
struct eddy_process_status {
    int raw;   /* as waitpid(2) gives it */
    int code;  /* it exited with this; -1: it was killed */
    int signo; /* that killed it; 0: none did */
    bool core_dumped;
    int64_t user_ns; /* of processor time, with that of the children it waited for */
    int64_t system_ns;
    int64_t max_rss; /* bytes of memory, at its peak */
    void *reserved[4];
};

/**
 * eddy_process_spawn() - start a program
 * @argv:    its arguments with its name first, NULL at the end
 * @options: EDDY_OPT(process, ...), may be NULL
 * @ret_p:   owned; ended with eddy_process_free()
 *
 * Suspends until the program runs, or could not be run. Looks at its scope first. The program is
 * looked up in the PATH that the child gets, or else ours. Cancelled: nothing happened, or it runs
 * and is returned.
 *
 * Files of .in, .out and .err are opened by the caller's rights and from the caller's folder. A
 * script needs a #! line: no shell is asked. Limits, niceness, umask, user and folder are set in
 * this order.
 *
 * Return: 0; or negative, with a text in .error:
 *   -ENOENT   no such program, interpreter or folder   -EACCES  it may not be run, or entered
 *   -ENOEXEC  not a program                            -E2BIG   arguments and environment
 *   -EPERM    ids, limits or nice that may not be set
 *   -EAGAIN   too many processes or threads            -EMFILE, -ENFILE, -ENOMEM
 *   -EINVAL   no argv[0], a bad option                 -EBADF   a descriptor that is not open
 *   -EDDY_ESIM  the simulator has no processes
 *   -ETIMEDOUT, -ECANCELED, -EDEADLK (a callback), and what open(2) and execve(2) say
 * Source: posix_spawn(3), clone(2), execve(2).   Since: 0.1
 */
EDDY_API int eddy_process_spawn(const char *const *argv, const struct eddy_process_options *options,
                                struct eddy_process **ret_p);

/**
 * eddy_process_wait() - until it has ended
 * @p:          spawned by this thread; any number of tasks may wait
 * @ret_status: how it ended; may be NULL
 *
 * Suspends. Looks at its scope first. What it started may live on. Cancelled: nothing happened.
 *
 * Return: 0; -ECHILD (it has ended, and somebody else has its status: SIGCHLD is ignored, or
 * waitpid(-1) was called; or it is detached, and its loop has ended); -ETIMEDOUT, -ECANCELED,
 * -EDEADLK, -EDDY_EFORKED.
 * Source: waitid(2).   Since: 0.1
 */
EDDY_API int eddy_process_wait(struct eddy_process *p, struct eddy_process_status *ret_status);

/**
 * eddy_process_stop() - end it and its group: SIGTERM, after .grace_ms SIGKILL; and wait
 * @p:          may have ended; a detached one, too
 * @ret_status: how it ended; may be NULL
 *
 * Suspends, and is not cancelled: the end is certain, and near.
 *
 * Return: 0; -ECHILD as eddy_process_wait(); -EDEADLK (a callback; it is being ended all the same),
 * -EDDY_EFORKED.
 * Source: systemd's stop.   Since: 0.1
 */
EDDY_API int eddy_process_stop(struct eddy_process *p, struct eddy_process_status *ret_status);

/** eddy_process_signal() - send it a signal
 * @p:     of this thread
 * @signo: SIGHUP, SIGUSR1, ...; 0: look whether it lives
 *
 * Does not suspend. By its pidfd: never another process that got its number.
 *
 * Return: 0; -ESRCH (it has ended); -EINVAL, -EPERM; -EDDY_EFORKED.
 * Source: pidfd_send_signal(2).   Since: 0.1 */
EDDY_API int eddy_process_signal(struct eddy_process *p, int signo);

/** eddy_process_kill_group() - send its whole group a signal
 * @p:     of this thread; spawned into a group of its own
 * @signo: SIGTERM, ...; 0: look whether any of them lives
 *
 * Does not suspend. Where the process has ended and others of its group live, they are reached from
 * Linux 6.9 on; before it, the group might be another's by now, and the answer is -ESRCH.
 *
 * Return: 0; -ESRCH (nobody is left); -EINVAL (not a signal; it is in our group); -EPERM;
 * -EDDY_EFORKED.
 * Source: kill(2), pidfd_send_signal(2).   Since: 0.1 */
EDDY_API int eddy_process_kill_group(struct eddy_process *p, int signo);

/** eddy_process_pid() - its number
 * @p: any
 *
 * Return: the number, another's perhaps once it has ended.   Source: none.   Since: 0.1 */
EDDY_API pid_t eddy_process_pid(const struct eddy_process *p);

/** eddy_process_stdin() - to write to it: .in = EDDY_IO_PIPE, or .pty
 * @p: any
 *
 * eddy_stream_finish() lets it read the end. (On a terminal write "\4" for that.)
 *
 * Return: borrowed, until eddy_process_free(); NULL: there is none.   Source: none.   Since: 0.1 */
EDDY_API struct eddy_stream *eddy_process_stdin(struct eddy_process *p);

/** eddy_process_stdout() - what it prints: .out = EDDY_IO_PIPE, or .pty
 * @p: any
 *
 * With .pty it is the same stream as eddy_process_stdin(): both ways, and all it prints.
 *
 * Return: borrowed, until eddy_process_free(); NULL: there is none.   Source: none.   Since: 0.1 */
EDDY_API struct eddy_stream *eddy_process_stdout(struct eddy_process *p);

/** eddy_process_stderr() - what it complains of: .err = EDDY_IO_PIPE
 * @p: any
 *
 * Return: borrowed, until eddy_process_free(); NULL: there is none.   Source: none.   Since: 0.1 */
EDDY_API struct eddy_stream *eddy_process_stderr(struct eddy_process *p);

/** eddy_process_resize() - its terminal has another size; it gets SIGWINCH
 * @p:    spawned with .pty
 * @rows: over 0
 * @cols: over 0
 *
 * Does not suspend.
 *
 * Return: 0; -ENOTTY (it has no terminal of ours, or a write to it that was cancelled has closed
 * it); -EINVAL; -EDDY_EFORKED.
 * Source: ioctl_tty(2).   Since: 0.1 */
EDDY_API int eddy_process_resize(struct eddy_process *p, unsigned short rows, unsigned short cols);

/**
 * eddy_process_free() - end it without waiting
 * @p: NULL is fine; nobody may wait for it
 *
 * Does not suspend: a live one and its group get SIGKILL, and the loop reaps it; a detached one
 * lives on, and is reaped by the loop while there is one. Its streams are freed.
 *
 * Return: nothing.   Source: none.   Since: 0.1
 */
EDDY_API void eddy_process_free(struct eddy_process *p);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_process)
#endif

/** eddy_process_status_text() - "exited with 3", "killed by SIGKILL (9), core dumped"
 * @status: of a wait
 * @buf:    filled and terminated; 64 bytes are enough
 * @cap:    over 0
 *
 * Return: @buf.   Source: strsignal(3).   Since: 0.1 */
EDDY_API const char *eddy_process_status_text(const struct eddy_process_status *status, char *buf,
                                              size_t cap);

/* --- children that somebody else has started ----------------------------------------------------
 *
 *  rule                                           test (C)
 *  ---------------------------------------------  ------------------------------------------------
 *  The status comes when the child has ended      the_status_comes_when_the_child_has_ended
 *  A signal that killed it is told                a_child_killed_by_a_signal_is_told_so
 *  One that has ended already is told at once     one_that_has_ended_already_is_told_at_once
 *  A cancelled wait reaps nothing
 *                                              a_cancelled_wait_reaps_nothing_and_may_be_repeated
 *  Other children are not reaped                  other_children_are_not_reaped
 *  Any number may be waited for at a time         many_children_end_together
 *  Who is no child is refused                     who_is_no_child_is_refused
 *  SIGCHLD is given back                          sigchld_is_given_back
 *  Without pidfds another loop's SIGCHLD is
 *   -EBUSY                                        without_pidfd_another_loops_sigchld_is_busy
 */

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
