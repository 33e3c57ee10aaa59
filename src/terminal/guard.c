/*
 * terminal/guard.c - what gives terminals back when the program ends, and while it is stopped
 *
 *   FREE -> SHOWN (raw)  <->  HIDDEN (as it was, while the program is stopped)  -> FREE
 *
 * A signal that would end the program does so still: its handler gives the terminals back, puts the
 * default action in place and raises it again. Only those are taken whose action is the default;
 * faults are taken always, and go on to whatever handler stood there. When somebody takes a signal
 * over from us and calls us behind his own handler, the program goes on, so nothing is given back.
 *
 * What runs in handlers uses the array of guards, system calls that are safe there, and no table of
 * tests'. The mutex is for everybody else.
 */
#include "terminal/guard.h"

#include "base/fault.h"
#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { FREE, SHOWN, HIDDEN };
enum { GUARDS = 8, SIGNALS = 65 };

static struct eddy_guard guards[GUARDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned guarded;

struct taken {
    bool is;
    struct sigaction before;
};
static struct taken taken[SIGNALS];

/* --- the terminals ---------------------------------------------------------------------------- */

/* Whether it shows another job: then its modes are that one's, and touching them would stop us. */
static bool is_anothers(int fd)
{
    pid_t group = tcgetpgrp(fd); /* fails where it is not our controlling terminal */

    return group >= 0 && group != getpgrp();
}

/* What goes at once, and nothing where the output is held up: nobody waits here. */
static bool say(int fd, const char *text, size_t len)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    if (len == 0)
        return true;
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
        return false;
    return write(fd, text, len) == (ssize_t)len;
}

static bool is_ours(const struct eddy_guard *g)
{
    return g->pid == getpid();
}

static void hide(struct eddy_guard *g, int state)
{
    int shown = SHOWN;

    if (atomic_load(&g->state) == FREE || !is_ours(g) ||
        !atomic_compare_exchange_strong(&g->state, &shown, state) || is_anothers(g->fd))
        return;
    (void)say(g->fd, g->off, g->off_len);
    (void)tcsetattr(g->fd, TCSANOW, &g->before);
}

static void hide_all(int state)
{
    for (int i = 0; i < GUARDS; i++)
        hide(&guards[i], state);
}

static void show_all(void)
{
    for (int i = 0; i < GUARDS; i++) {
        struct eddy_guard *g = &guards[i];
        /* Shown already, too: after a SIGSTOP, of which nobody hears, a shell has set its modes. */
        if (atomic_load(&g->state) == FREE || !is_ours(g) || is_anothers(g->fd))
            continue;
        atomic_store(&g->state, SHOWN);
        (void)tcsetattr(g->fd, TCSANOW, &g->raw);
        (void)say(g->fd, g->on, g->on_len);
    }
}

/* --- handlers --------------------------------------------------------------------------------- */

static void on_end(int signo, siginfo_t *info, void *context);
static void on_stop(int signo, siginfo_t *info, void *context);
static void on_going_on(int signo, siginfo_t *info, void *context);

static bool is_fault(int signo)
{
    switch (signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT: return true;
    default: return false;
    }
}

/* Whether the signal's action is our handler: else somebody took it, and calls us behind his. */
static bool stands(int signo, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction now;

    return sigaction(signo, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
           now.sa_sigaction == handler;
}

static bool is_default(int signo)
{
    struct sigaction now;

    return sigaction(signo, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == SIG_DFL;
}

static void set_default(int signo)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    (void)sigaction(signo, &action, NULL);
}

static bool call_before(int signo, siginfo_t *info, void *context)
{
    const struct sigaction *before = &taken[signo].before;

    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signo, info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(signo);
    else
        return false;
    return true;
}

static void on_end(int signo, siginfo_t *info, void *context)
{
    int saved = errno;

    if (is_fault(signo) || stands(signo, on_end)) {
        hide_all(HIDDEN);
        if (!call_before(signo, info, context)) {
            set_default(signo);
            (void)raise(signo); /* when this handler has returned; as a fault would, that repeats */
        } else if (!is_default(signo)) {
            show_all(); /* it came back, and means the program to go on */
        }
    }
    errno = saved;
}

static void on_stop(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    struct sigaction ours;
    sigset_t only, before;

    (void)info, (void)context;
    if (stands(signo, on_stop)) {
        hide_all(HIDDEN);
        sigemptyset(&only);
        sigaddset(&only, signo);
        (void)sigaction(signo, NULL, &ours);
        set_default(signo);
        (void)raise(signo);
        (void)pthread_sigmask(SIG_UNBLOCK, &only, &before); /* here it stops */
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void)sigaction(signo, &ours, NULL);
        show_all(); /* where nobody could stop us (an orphaned job) no SIGCONT comes */
    }
    errno = saved;
}

static void on_going_on(int signo, siginfo_t *info, void *context)
{
    int saved = errno;

    show_all();
    (void)call_before(signo, info, context);
    errno = saved;
}

static void on_exit_of_program(void)
{
    hide_all(FREE);
}

/* --- signals ---------------------------------------------------------------------------------- */

/* The handler for @signo; NULL: it ends nobody, or cannot be caught. */
static void (*handler_for(int signo))(int, siginfo_t *, void *)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
    case SIGTTIN:
    case SIGTTOU: return NULL;
    case SIGTSTP: return on_stop;
    case SIGCONT: return on_going_on;
    default: return on_end;
    }
}

static int take_signal(int signo)
{
    struct taken *t = &taken[signo];
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

    action.sa_sigaction = handler_for(signo);
    if (!action.sa_sigaction || t->is)
        return 0;
    sigfillset(&action.sa_mask);
    int r = eddy__sys.sigaction(signo, NULL, &t->before);
    if (r < 0)
        return r == -EINVAL ? 0 : r; /* the C library's own */
    if (!is_default(signo) && !is_fault(signo) && signo != SIGCONT)
        return 0;
    r = eddy__sys.sigaction(signo, &action, NULL);
    t->is = r == 0;
    return r;
}

/* What somebody has taken over from us stays, as he may call us still. */
static void give_signals_back(void)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        if (taken[signo].is && stands(signo, handler_for(signo)))
            taken[signo].is = sigaction(signo, &taken[signo].before, NULL) < 0;
}

/* A task whose stack is used up leaves no room for a handler on it. The first thread that comes
 * without a signal stack keeps this one. */
static void give_signal_stack(void)
{
    static char room[64 * 1024];
    static bool is_given;
    stack_t now, stack = { .ss_sp = room, .ss_size = sizeof room };

    if (!is_given && sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE))
        is_given = sigaltstack(&stack, NULL) == 0;
}

static int take_signals(void)
{
    static bool at_exit;
    int r = 0;

    give_signal_stack();
    if (!at_exit && atexit(on_exit_of_program) != 0)
        return -ENOMEM;
    at_exit = true;
    for (int signo = 1; signo < SIGNALS && r == 0; signo++)
        r = take_signal(signo);
    if (r < 0)
        give_signals_back();
    return r;
}

/* --- taking and giving back ------------------------------------------------------------------- */

/* A free one; NULL: there is none, or @fd has one. What a parent guards is free in its child. */
static struct eddy_guard *free_guard(int fd)
{
    struct eddy_guard *found = NULL;

    for (int i = GUARDS; i-- > 0;) {
        if (atomic_load(&guards[i].state) == FREE || !is_ours(&guards[i]))
            found = &guards[i];
        else if (guards[i].fd == fd)
            return NULL;
    }
    return found;
}

static int show(struct eddy_guard *g, int fd, const struct eddy_guard *want)
{
    g->pid = getpid();
    g->fd = fd;
    g->before = want->before;
    g->raw = want->raw;
    g->on_len = want->on_len;
    g->off_len = want->off_len;
    __builtin_memcpy(g->on, want->on, sizeof g->on);
    __builtin_memcpy(g->off, want->off, sizeof g->off);
    atomic_store(&g->state, SHOWN); /* first: to give back what has not changed yet is harmless */
    int r = eddy__sys.tcsetattr(fd, TCSANOW, &g->raw);
    if (r == 0 && !say(fd, g->on, g->on_len)) {
        (void)tcsetattr(fd, TCSANOW, &g->before);
        r = -EAGAIN;
    }
    if (r < 0)
        atomic_store(&g->state, FREE);
    return r;
}

int eddy_guard_take(int fd, const struct eddy_guard *want, struct eddy_guard **ret_guard)
{
    int r = -EBUSY;

    pthread_mutex_lock(&lock);
    struct eddy_guard *g = free_guard(fd);
    if (g) {
        atomic_store(&g->state, FREE);
        r = take_signals();
        if (r == 0)
            r = show(g, fd, want);
        if (r == 0)
            guarded++;
        else if (guarded == 0)
            give_signals_back();
    }
    pthread_mutex_unlock(&lock);
    *ret_guard = g;
    return r;
}

void eddy_guard_give_back(struct eddy_guard *g)
{
    if (!is_ours(g))
        return; /* the parent's: this is a child's copy */
    pthread_mutex_lock(&lock);
    assert(guarded > 0);
    hide(g, FREE);
    atomic_store(&g->state, FREE); /* it may have been hidden: a stop, an exit */
    if (--guarded == 0)
        give_signals_back();
    pthread_mutex_unlock(&lock);
}
