/*
 * loop/signals.c - signals told as callbacks of a loop
 *
 * The handler only sets a bit in the loop and wakes its driver: both may be done in a signal
 * handler. What stood there before is put back when the signal is given up, and called too
 * (chained) when it was a handler, so that a host program keeps hearing its signals.
 */
#include "base/sys.h"
#include "loop/loop.h"

#include <eddy/error.h>

#include <signal.h>

#define SIGNALS 64

struct taken {
    _Atomic(struct eddy_loop *) loop;
    void (*fn)(void *ctx, int signo);
    void *ctx;
    struct sigaction before;
};

static struct taken table[SIGNALS];

static void chain(const struct sigaction *before, int signo, siginfo_t *info, void *context)
{
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signo, info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(signo);
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    struct eddy_loop *loop = atomic_load(&table[signo].loop);

    if (loop) {
        atomic_fetch_or(&loop->signals, UINT64_C(1) << signo);
        loop->driver->ops->wake(loop->driver);
        chain(&table[signo].before, signo, info, context);
    }
    errno = saved;
}

static bool can_take(int signo)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return false;
    default: return signo > 0 && signo < SIGNALS;
    }
}

static int give_back(struct taken *t, int signo)
{
    atomic_store(&t->loop, NULL);
    return eddy__sys.sigaction(signo, &t->before, NULL);
}

int eddy_loop_on_signal(struct eddy_loop *loop, int signo, void (*fn)(void *ctx, int signo),
                        void *ctx)
{
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (!can_take(signo))
        return -EINVAL;
    struct taken *t = &table[signo];
    struct eddy_loop *owner = atomic_load(&t->loop);
    if (owner && owner != loop)
        return -EBUSY;
    if (!fn)
        return owner ? give_back(t, signo) : 0;

    t->fn = fn;
    t->ctx = ctx;
    if (owner)
        return 0;
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    int r = eddy__sys.sigaction(signo, NULL, &t->before);
    if (r < 0)
        return r;
    atomic_store(&t->loop, loop);
    r = eddy__sys.sigaction(signo, &action, NULL);
    if (r < 0)
        atomic_store(&t->loop, NULL);
    return r;
}

void eddy_signals_run(struct eddy_loop *loop)
{
    uint64_t bits = atomic_exchange(&loop->signals, 0);

    for (int signo = 1; signo < SIGNALS; signo++) {
        struct taken *t = &table[signo];
        if ((bits >> signo & 1) && atomic_load(&t->loop) == loop)
            t->fn(t->ctx, signo);
    }
}

/* In the child of a fork: the parent's loops hear of nothing here, so each signal does again what it
 * did before. */
void eddy_signals_forked(void)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        if (atomic_load(&table[signo].loop))
            give_back(&table[signo], signo);
}

void eddy_signals_forget(struct eddy_loop *loop)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        if (atomic_load(&table[signo].loop) == loop)
            give_back(&table[signo], signo);
}
