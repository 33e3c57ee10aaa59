/*
 * base/sys_child.c - the birth of a process, and what it does until its program runs
 *
 * On Linux the child shares the parent's memory and the calling thread waits until its program runs
 * (clone with VM and VFORK): nothing of the parent is copied, however large it is, and a failure is
 * seen in memory. Where that is refused, or does not share (an emulator, Valgrind), it is a fork,
 * and a failure comes by a pipe that the program's start closes.
 *
 * The child's code runs beside the parent's other threads in their memory. So it makes bare system
 * calls only: a library's wrapper may take locks, tell other threads (setuid), or be a sanitizer's.
 * Signals are blocked until the handlers, which are the parent's, are gone.
 */
#include "base/child.h"
#include "base/sanitize.h"
#include "base/sys_kernel.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define BARE __attribute__((disable_sanitizer_instrumentation, noinline))
#endif
#endif
#ifndef BARE
#define BARE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#endif

#ifdef __linux__
#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
#else
#define CALL(name, ...) name(__VA_ARGS__)
#endif

/* --- in the child --------------------------------------------------------------------------------- */

#ifdef __linux__

BARE static void signals_to_default(void)
{
    const long zero[8] = { 0 }; /* the kernel's struct sigaction: SIG_DFL, no flags */

    for (int signo = 1; signo <= 64; signo++)
        CALL(rt_sigaction, signo, zero, NULL, 8);
}

BARE static void unblock_signals(void)
{
    const long zero[2] = { 0 };

    CALL(rt_sigprocmask, SIG_SETMASK, zero, NULL, 8);
}

BARE static long set_limit(const struct eddy_child_limit *l)
{
    return CALL(prlimit64, 0, l->resource, &l->limit, NULL);
}

BARE static long duplicate(int fd, int as)
{
    return CALL(dup3, fd, as, 0);
}

BARE static long niceness(void)
{
    return 20 - CALL(getpriority, PRIO_PROCESS, 0);
}

BARE static long session(void)
{
    return syscall(SYS_setsid);
}

#else

static void signals_to_default(void)
{
    for (int signo = 1; signo < NSIG; signo++)
        (void)signal(signo, SIG_DFL);
}

static void unblock_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static long set_limit(const struct eddy_child_limit *l)
{
    return setrlimit(l->resource, &l->limit);
}

static long duplicate(int fd, int as)
{
    return dup2(fd, as);
}

static long niceness(void)
{
    return getpriority(PRIO_PROCESS, 0);
}

static long session(void)
{
    return setsid();
}

#endif

BARE static bool failed(struct eddy_child *c, long r, int step, unsigned index)
{
    if (r >= 0)
        return false;
    c->failure.error = -errno;
    c->failure.index = index;
    c->failure.step = step;
    return true;
}

/* From the first on; the second stays. */
BARE static void close_between(unsigned low, unsigned end)
{
    if (low >= end)
        return;
#ifdef SYS_close_range
    if (CALL(close_range, low, end - 1, 0) == 0)
        return;
#endif
    for (unsigned fd = low; fd < end && fd < 65536; fd++)
        CALL(close, fd);
}

/* All but those given, and the one for the report. */
BARE static void close_others(const struct eddy_child *c)
{
    unsigned low = 0;

    for (unsigned i = 0; i < c->fd_count; i++) {
        close_between(low, (unsigned)c->fds[i].as);
        low = (unsigned)c->fds[i].as + 1;
    }
    if (c->report >= 0) { /* above all of them */
        close_between(low, (unsigned)c->report);
        low = (unsigned)c->report + 1;
    }
    close_between(low, ~0U);
}

/* What stands where another is to be goes out of the way first. */
BARE static bool place_descriptors(struct eddy_child *c)
{
    int top = c->fd_count ? c->fds[c->fd_count - 1].as : -1;

    if (c->report >= 0 && c->report <= top) {
        c->report = (int)CALL(fcntl, c->report, F_DUPFD_CLOEXEC, top + 1);
        if (failed(c, c->report, EDDY_CHILD_DESCRIPTOR, 0))
            return false;
    }
    for (unsigned i = 0; i < c->fd_count; i++) {
        if (c->fds[i].left || c->fds[i].fd > top)
            continue;
        c->fds[i].fd = (int)CALL(fcntl, c->fds[i].fd, F_DUPFD_CLOEXEC, top + 1);
        if (failed(c, c->fds[i].fd, EDDY_CHILD_DESCRIPTOR, i))
            return false;
    }
    for (unsigned i = 0; i < c->fd_count; i++)
        if (!c->fds[i].left &&
            failed(c, duplicate(c->fds[i].fd, c->fds[i].as), EDDY_CHILD_DESCRIPTOR, i))
            return false;
    if (!c->keep_fds)
        close_others(c);
    return true;
}

BARE static bool become_its_own(struct eddy_child *c)
{
    if (c->group == EDDY_CHILD_OWN_SESSION)
        return !failed(c, session(), EDDY_CHILD_GROUP, 0);
    return c->group != EDDY_CHILD_OWN_GROUP || !failed(c, CALL(setpgid, 0, 0), EDDY_CHILD_GROUP, 0);
}

BARE static bool be_bounded(struct eddy_child *c)
{
    for (unsigned i = 0; i < c->limit_count; i++)
        if (failed(c, set_limit(&c->limits[i]), EDDY_CHILD_LIMIT, i))
            return false;
    if (c->nice && failed(c, CALL(setpriority, PRIO_PROCESS, 0, (int)niceness() + c->nice),
                          EDDY_CHILD_NICE, 0))
        return false;
    if (c->set_umask)
        CALL(umask, c->umask);
    return true;
}

BARE static bool be_somebody(struct eddy_child *c)
{
    return !c->set_user ||
           (!failed(c, CALL(setgroups, c->group_count, c->groups), EDDY_CHILD_USER, 0) &&
            !failed(c, CALL(setregid, c->gid, c->gid), EDDY_CHILD_USER, 1) &&
            !failed(c, CALL(setreuid, c->uid, c->uid), EDDY_CHILD_USER, 2));
}

/* As execvp(3) goes on: what cannot be run may stand in a later folder, and -EACCES outranks. */
BARE static bool run_program(struct eddy_child *c)
{
    bool refused = false;
    unsigned refused_at = 0;
    int r = ENOENT;

    for (unsigned i = 0; c->programs[i]; i++) {
        CALL(execve, c->programs[i], c->argv, c->env);
        r = errno;
        if (r == EACCES && !refused) {
            refused = true;
            refused_at = i;
        }
        if (r != EACCES && r != ENOENT && r != ENOTDIR && r != ENAMETOOLONG && r != ESTALE &&
            r != ENODEV && r != ETIMEDOUT)
            return !failed(c, -1, EDDY_CHILD_PROGRAM, i);
    }
    errno = refused ? EACCES : c->programs[1] ? ENOENT : r;
    return !failed(c, -1, EDDY_CHILD_PROGRAM, refused_at);
}

/* clone()'s type. */
BARE static int live(void *arg) // NOLINT(readability-non-const-parameter)
{
    struct eddy_child *c = arg;

    c->ran = true;
    signals_to_default();
    if (become_its_own(c) && place_descriptors(c) &&
        (!c->terminal || !failed(c, CALL(ioctl, 0, TIOCSCTTY, 0), EDDY_CHILD_TERMINAL, 0)) &&
        be_bounded(c) && be_somebody(c) &&
        (!c->folder || !failed(c, CALL(chdir, c->folder), EDDY_CHILD_FOLDER, 0))) {
        unblock_signals();
        run_program(c);
    }
    if (c->report >= 0)
        CALL(write, c->report, &c->failure, sizeof c->failure);
#ifdef __linux__
    CALL(exit_group, 127);
#endif
    _exit(127);
}

/* --- in the parent -------------------------------------------------------------------------------- */

/* The child has said that it failed: it is ending, or has ended. */
static int give_up(struct eddy_child *c, pid_t pid, int pidfd)
{
    pid_t r;

    if (pidfd >= 0)
        (void)close(pidfd);
    RETRY(r, waitpid(pid, NULL, 0));
    return c->failure.error;
}

static bool heard_of_failure(struct eddy_child *c, int pipe)
{
    struct eddy_child_failure failure;
    ssize_t n;

    RETRY(n, read(pipe, &failure, sizeof failure));
    if (n != (ssize_t)sizeof failure)
        return false;
    c->failure = failure;
    return true;
}

static pid_t by_fork(struct eddy_child *c, int *ret_pidfd)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    c->report = ends[1];
    pid_t pid = fork();
    if (pid == 0)
        live(c);
    int r = -errno;
    c->report = -1;
    (void)close(ends[1]);
    bool is_born = pid > 0 && !heard_of_failure(c, ends[0]);
    (void)close(ends[0]);
    if (pid < 0)
        return r;
    if (!is_born)
        return give_up(c, pid, -1);
    int pidfd = eddy_kernel_pidfd_open(pid);
    *ret_pidfd = pidfd < 0 ? -1 : pidfd;
    return pid;
}

#ifdef __linux__

#ifdef EDDY_TSAN
/* TSan takes any clone() for a fork, and is thrown by one that shares its memory: past it. */
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static pid_t by_clone(struct eddy_child *c, int *ret_pidfd)
{
    char stack[16 << 10] __attribute__((aligned(64)));
    int pidfd = -1;

    c->ran = false;
    pid_t pid = clone(live, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c,
                      &pidfd);
    if (pid < 0)
        return -errno;
    if (c->failure.step != EDDY_CHILD_RUNS)
        return give_up(c, pid, pidfd);
    *ret_pidfd = pidfd;
    return pid;
}

#endif

static pid_t give_birth(struct eddy_child *c, int *ret_pidfd)
{
#ifdef __linux__
    static _Atomic bool is_copied; /* its memory, whatever was asked for */

    if (!is_copied && !c->forked && !RUNNING_ON_VALGRIND) {
        pid_t pid = by_clone(c, ret_pidfd);
        if (pid > 0 && !c->ran)
            is_copied = true;
        if (pid > 0 || (pid != -ENOSYS && pid != -EINVAL && pid != -EPERM) ||
            c->failure.step != EDDY_CHILD_RUNS)
            return pid;
    }
#endif
    return by_fork(c, ret_pidfd);
}

pid_t eddy_kernel_spawn(struct eddy_child *c, int *ret_pidfd)
{
    sigset_t all, before;

    c->failure = (struct eddy_child_failure){ .step = EDDY_CHILD_BIRTH, .error = -EAGAIN };
    FAULT(EAGAIN);
    c->failure = (struct eddy_child_failure){ .step = EDDY_CHILD_RUNS };
    c->report = -1;
    *ret_pidfd = -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = give_birth(c, ret_pidfd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0 && c->failure.step == EDDY_CHILD_RUNS)
        c->failure = (struct eddy_child_failure){ .step = EDDY_CHILD_BIRTH, .error = (int)pid };
    return pid;
}
