/*
 * Raw mode and every way out of it, over pseudo-terminals that this program starts itself on.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"
#include "support/role.h"

#include <eddy/loop.h>
#include <eddy/task.h>
#include <eddy/terminal.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* --- ends ------------------------------------------------------------------------------------- */

/* Signals do what they do without a sanitizer. */
static void plain_faults(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    struct sigaction plain = { .sa_handler = SIG_DFL };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigaction(faults[i], &plain, NULL);
}

static struct eddy_terminal *raw_and_say_so(void)
{
    static struct eddy_terminal *t; /* static: who ends the program frees nothing */
    int r = eddy_terminal_raw(0, EDDY_OPT(terminal, ALL_ON), &t);

    if (r < 0)
        exit(-r);
    (void)!write(1, "raw!", 4);
    return t;
}

static void wait_for_keys(struct eddy_terminal *t)
{
    struct eddy_key key;

    while (eddy_keys_next(t, &key) > 0)
        ;
}

ROLE(by_signal)
{
    plain_faults();
    wait_for_keys(raw_and_say_so());
    return 0;
}

ROLE(by_exit)
{
    (void)raw_and_say_so();
    exit(7);
}

ROLE(by_return)
{
    eddy_terminal_free(raw_and_say_so());
    return 7;
}

ROLE(by_abort)
{
    (void)raw_and_say_so();
    abort();
}

static volatile int *nowhere;

ROLE(by_fault)
{
    plain_faults();
    (void)raw_and_say_so();
    return *nowhere;
}

static volatile bool enough;

static __attribute__((noinline)) int use_the_stack(const volatile char *above)
{
    volatile char much[400];

    much[0] = *above;
    return enough ? 0 : use_the_stack(much) + much[0];
}

struct overflowing_args {
    int nothing;
};

static int overflowing(struct overflowing_args *a)
{
    (void)a;
    return use_the_stack("");
}
EDDY_TASK(overflowing);

/* In a task whose stack is used up: the handler that names it stands above ours, or below. */
ROLE(by_overflow)
{
    plain_faults();
    if (getenv("EDDY_NAMED") && *getenv("EDDY_NAMED") == 'b')
        eddy_overflow_report();
    (void)raw_and_say_so();
    if (getenv("EDDY_NAMED") && *getenv("EDDY_NAMED") == 'a')
        eddy_overflow_report();
    EDDY_SCOPE(deep, .isolate = false);
    EDDY_GO(&deep, overflowing, .nothing = 0);
    eddy_join(&deep);
    return 0;
}

static void *sit(void *ctx)
{
    for (;;)
        pause();
    return ctx;
}

/* The signal may come on any thread. */
ROLE(by_thread)
{
    pthread_t thread;
    sigset_t all;

    struct eddy_terminal *t = raw_and_say_so();
    pthread_create(&thread, NULL, sit, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    wait_for_keys(t);
    return 0;
}

static void ends(const char *role, int signo, int want)
{
    int pty[2];

    if (!role_pty(pty))
        return;
    const struct termios before = role_modes(pty[1]);
    pid_t pid = role_on(role, pty);
    bool ok = role_expect(pty[0], ON) && role_expect(pty[0], "raw!");
    if (signo) {
        ok = EDDY_CHECK(role_is_raw(pty[1])) && ok;
        EDDY_CHECK_EQ(kill(pid, signo), 0);
    }
    ok = EDDY_CHECK_EQ(role_end(pid), want) && ok;
    const struct termios after = role_modes(pty[1]);
    ok = EDDY_CHECK(role_same(&before, &after)) && ok;
    ok = role_expect(pty[0], OFF) && ok;
    if (!ok)
        EDDY_CHECK_FAIL("%s, signal %d", role, signo);
    role_close(pty);
}

EDDY_TEST(every_way_to_end_restores_the_terminal)
{
    static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT,
                                   SIGBUS,  SIGFPE,  SIGUSR1, SIGSEGV, SIGUSR2,   SIGPIPE,
                                   SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
                                   SIGIO,   SIGSYS,  40,      64 };

    if (is_sim())
        return;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        ends("by_signal", signals[i], 128 + signals[i]);
    ends("by_exit", 0, 7);
    ends("by_return", 0, 7);
    ends("by_abort", 0, 128 + SIGABRT);
    ends("by_fault", 0, 128 + SIGSEGV);
    ends("by_thread", SIGTERM, 128 + SIGTERM);
}

EDDY_TEST(a_stack_that_is_used_up_restores_the_terminal)
{
#ifdef __SANITIZE_ADDRESS__
    EDDY_CHECK_NOT_RUN("the sanitizer finds the overflow itself");
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    EDDY_CHECK_NOT_RUN("the sanitizer finds the overflow itself");
    return;
#endif
#endif
#ifndef __SANITIZE_ADDRESS__
    static const char *const named[] = { "not", "before", "after" };
    for (int i = 0; !is_sim() && i < 3; i++) {
        setenv("EDDY_NAMED", named[i], 1);
        ends("by_overflow", 0, 128 + SIGSEGV);
    }
    unsetenv("EDDY_NAMED");
#endif
}

/* --- handlers of others ----------------------------------------------------------------------- */

static volatile sig_atomic_t heard;

static void hear(int signo)
{
    heard = signo;
}

static void heard_by_eddy(void *ctx, int signo)
{
    *(int *)ctx = signo;
}

ROLE(own_handlers)
{
    struct sigaction action = { .sa_handler = hear }, now;
    struct eddy_terminal *t = NULL;
    int told = 0;

    sigaction(SIGUSR1, &action, NULL);
    t = raw_and_say_so();
    /* Taken over from us; we stand behind it. */
    if (eddy_loop_on_signal(eddy_loop_current(), SIGTERM, heard_by_eddy, &told) < 0)
        return 1;
    raise(SIGUSR1);
    raise(SIGTERM);
    eddy_sleep(20);
    if (heard != SIGUSR1 || told != SIGTERM || !role_is_raw(0))
        return 2;
    eddy_loop_on_signal(eddy_loop_current(), SIGTERM, NULL, NULL);
    eddy_terminal_free(t);
    sigaction(SIGUSR1, NULL, &now);
    return now.sa_handler == hear && !role_is_raw(0) ? 0 : 3;
}

EDDY_TEST(handlers_of_the_program_stay)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(role_end(role_on("own_handlers", pty)), 0);
    role_close(pty);
}

ROLE(caught_fault)
{
    struct sigaction action = { .sa_handler = hear };

    sigaction(SIGFPE, &action, NULL);
    struct eddy_terminal *t = raw_and_say_so();
    raise(SIGFPE); /* a handler that comes back: the program goes on, raw */
    if (heard != SIGFPE || !role_is_raw(0))
        return 1;
    eddy_terminal_free(t);
    return role_is_raw(0) ? 2 : 0;
}

EDDY_TEST(a_fault_that_was_handled_leaves_it_raw)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(role_end(role_on("caught_fault", pty)), 0);
    role_close(pty);
}

EDDY_TEST(the_last_one_gives_the_signals_back)
{
    struct eddy_terminal *t[2];
    struct sigaction before[65], after;
    int pty[2][2];

    if (is_sim() || !role_pty(pty[0]) || !role_pty(pty[1]))
        return;
    for (int i = 1; i < 65; i++)
        sigaction(i, NULL, &before[i]);
    for (int i = 0; i < 2; i++)
        EDDY_CHECK_EQ(eddy_terminal_raw(pty[i][1], NULL, &t[i]), 0);
    eddy_terminal_free(t[1]);
    sigaction(SIGHUP, NULL, &after);
    EDDY_CHECK(after.sa_handler != before[SIGHUP].sa_handler);
    EDDY_CHECK(role_is_raw(pty[0][1]) && !role_is_raw(pty[1][1]));
    eddy_terminal_free(t[0]);
    for (int i = 1; i < 65; i++) {
        if (sigaction(i, NULL, &after) == 0) /* the C library keeps two for itself */
            EDDY_CHECK(after.sa_handler == before[i].sa_handler);
    }
    role_close(pty[0]), role_close(pty[1]);
}

/* --- stops, forks ----------------------------------------------------------------------------- */

/* Of a session, the leader is orphaned and cannot be stopped: so there is a shell between. */
ROLE(stopped)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        while (tcgetpgrp(0) != getpgrp())
            usleep(1000);
        wait_for_keys(raw_and_say_so());
        return 0;
    }
    setpgid(pid, pid);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, pid);
    for (int i = 0; i < 2; i++) {
        struct termios t;
        if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
            return 1;
        tcgetattr(0, &t);
        if (!(t.c_lflag & ICANON)) /* restored */
            return i == 0 ? 2 : 3;
        t.c_lflag &= ~(tcflag_t)ECHO; /* a shell's own */
        tcsetpgrp(0, getpgrp());
        kill(pid, SIGCONT); /* in the background it leaves the terminal alone */
        usleep(50000);
        if (role_is_raw(0))
            return 4;
        tcsetpgrp(0, pid);
        kill(pid, SIGCONT);
    }
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 5;
}

EDDY_TEST(a_stop_restores_and_going_on_is_raw_again)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    const struct termios before = role_modes(pty[1]);
    pid_t shell = role_on("stopped", pty);
    for (int i = 0; i < 2; i++) {
        role_expect(pty[0], i ? ON : "raw!");
        if (!role_becomes_raw(pty[1]))
            break;
        EDDY_CHECK_EQ(kill(-tcgetpgrp(pty[0]), SIGTSTP), 0);
        role_expect(pty[0], OFF);
    }
    role_expect(pty[0], ON);
    role_becomes_raw(pty[1]);
    EDDY_CHECK_EQ(kill(-tcgetpgrp(pty[0]), SIGTERM), 0);
    EDDY_CHECK_EQ(role_end(shell), SIGTERM);
    const struct termios after = role_modes(pty[1]);
    EDDY_CHECK(role_same(&before, &after));
    role_close(pty);
}

ROLE(orphaned_stop)
{
    struct eddy_terminal *t = raw_and_say_so();

    raise(SIGTSTP); /* nobody could set it going again: the kernel does not stop it */
    bool raw = role_is_raw(0);
    eddy_terminal_free(t);
    return raw ? 0 : 1;
}

EDDY_TEST(a_stop_that_is_none_leaves_it_raw)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(role_end(role_on("orphaned_stop", pty)), 0);
    role_close(pty);
}

EDDY_TEST(a_child_of_a_fork_leaves_it_raw)
{
    struct eddy_terminal *t = NULL;
    int pty[2];

    for (int i = 0; !is_sim() && i < 3; i++) {
        if (!role_pty(pty) || !EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], NULL, &t), 0))
            return;
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            if (i == 0)
                eddy_terminal_free(t);
            else if (i == 1)
                raise(SIGTERM);
            quick_exit(0);
        }
        EDDY_CHECK_EQ(role_end(pid), i == 1 ? 128 + SIGTERM : 0);
        EDDY_CHECK(role_is_raw(pty[1]));
        eddy_terminal_free(t);
        EDDY_CHECK(!role_is_raw(pty[1]));
        role_close(pty);
    }
}
