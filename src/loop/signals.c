/*
 * loop/signals.c - signals told as callbacks of a loop
 *
 * The handler only sets a bit in the loop and wakes its driver: both may be done in a signal
 * handler. What stood there before is put back when the signal is given up, and called too
 * (chained) when it was a handler, so that a host program keeps hearing its signals.
 *
 * A signal belongs to one loop at a time, the first that asks. There any number hear of it: the
 * function of eddy_loop_on_signal(), and what tasks wait with. The signal is taken for the first of
 * them and given back after the last. All but `loop` is the owning thread's.
 */
#include "base/sys.h"
#include "loop/loop.h"

#include <eddy/error.h>

#include <signal.h>

#define SIGNALS 64

struct taken {
    _Atomic(struct eddy_loop *) loop; /* the claim; the handler reads it */
    struct eddy_list hearers;
    unsigned count;              /* of hearers */
    struct eddy_hearer function; /* of eddy_loop_on_signal() */
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

bool eddy_signal_is_nobodys(int signo)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return true;
    default: return false;
    }
}

static bool can_take(int signo)
{
    return signo > 0 && signo < SIGNALS && !eddy_signal_is_nobodys(signo);
}

static int take(struct taken *t, int signo)
{
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

    sigemptyset(&action.sa_mask);
    int r = eddy__sys.sigaction(signo, NULL, &t->before);
    return r < 0 ? r : eddy__sys.sigaction(signo, &action, NULL);
}

static int give_back(struct taken *t, int signo)
{
    t->count = 0;
    /* It cannot fail, of a signal that was taken with what stood there; so none is injected. */
    EDDY_FAULT_BENIGN_BEGIN();
    int r = eddy__sys.sigaction(signo, &t->before, NULL);
    EDDY_FAULT_BENIGN_END();
    atomic_store(&t->loop, NULL); /* the last: from here on another loop may claim it */
    return r;
}

int eddy__signal_hear(struct eddy_loop *loop, int signo, struct eddy_hearer *h)
{
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (!can_take(signo))
        return -EINVAL;
    struct taken *t = &table[signo];
    struct eddy_loop *owner = NULL;
    if (!atomic_compare_exchange_strong(&t->loop, &owner, loop) && owner != loop)
        return -EBUSY;
    if (!owner) {
        eddy_list_init(&t->hearers);
        int r = take(t, signo);
        if (r < 0) {
            atomic_store(&t->loop, NULL);
            return r;
        }
    }
    h->loop = loop;
    h->signo = signo;
    t->count++;
    eddy_list_push(&t->hearers, &h->link);
    return 0;
}

int eddy__signal_unhear(struct eddy_hearer *h)
{
    struct taken *t = &table[h->signo];

    if (!h->loop || eddy_loop_is_parents(h->loop))
        return 0;
    h->loop = NULL;
    eddy_list_remove(&h->link);
    return --t->count ? 0 : give_back(t, h->signo);
}

static void call_function(struct eddy_hearer *h)
{
    struct taken *t = eddy_container_of(h, struct taken, function);

    t->fn(t->ctx, h->signo);
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
    bool is_set = owner && t->function.loop == loop;
    if (!fn)
        return is_set ? eddy__signal_unhear(&t->function) : 0;
    if (!is_set) {
        t->function.fn = call_function;
        int r = eddy__signal_hear(loop, signo, &t->function);
        if (r < 0)
            return r;
    }
    t->fn = fn;
    t->ctx = ctx;
    return 0;
}

/* Whoever is told may stop to hear, or begin, and so may others. */
static void tell(struct taken *t)
{
    struct eddy_list batch, *link;

    eddy_list_init(&batch);
    eddy_list_take_all(&batch, &t->hearers);
    while ((link = eddy_list_shift(&batch))) {
        struct eddy_hearer *h = eddy_container_of(link, struct eddy_hearer, link);
        eddy_list_push(&t->hearers, link);
        h->fn(h);
    }
}

void eddy_signals_run(struct eddy_loop *loop)
{
    uint64_t bits = atomic_exchange(&loop->signals, 0);

    for (int signo = 1; signo < SIGNALS && !eddy_loop_is_parents(loop); signo++)
        if ((bits >> signo & 1) && atomic_load(&table[signo].loop) == loop)
            tell(&table[signo]);
}

static void forget(struct taken *t, int signo)
{
    struct eddy_list *link;

    while ((link = eddy_list_shift(&t->hearers)))
        eddy_container_of(link, struct eddy_hearer, link)->loop = NULL;
    give_back(t, signo);
}

/* In the child of a fork: the parent's loops hear of nothing here, so each signal does again what it
 * did before. */
void eddy_signals_forked(void)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        if (atomic_load(&table[signo].loop))
            forget(&table[signo], signo);
}

void eddy_signals_forget(struct eddy_loop *loop)
{
    for (int signo = 1; signo < SIGNALS; signo++)
        if (atomic_load(&table[signo].loop) == loop)
            forget(&table[signo], signo);
}
