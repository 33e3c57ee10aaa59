/*
 * task/signal_wait.c - signals for tasks: what came is kept in a set until somebody waits for it
 */
#include "base/memory.h"
#include "loop/debug.h"
#include "task/wait.h"

#include <eddy/signal.h>

#define SIGNALS 64

struct ear {
    struct eddy_hearer hearer;
    struct eddy_signals *signals;
};

struct eddy_signals {
    struct eddy_loop *loop;
    uint64_t came;          /* and nobody has been told */
    struct eddy_list queue; /* of struct waiter, the longest first */
    unsigned count;
    struct ear ears[];
};

struct waiter {
    struct eddy_wait wait; /* first */
    struct eddy_list link;
    int signo;
};

static void heard(struct eddy_hearer *h)
{
    struct eddy_signals *s = eddy_container_of(h, struct ear, hearer)->signals;
    struct eddy_list *link = eddy_list_shift(&s->queue);

    if (!link) {
        s->came |= EDDY_SIGNAL(h->signo);
        return;
    }
    struct waiter *w = eddy_container_of(link, struct waiter, link);
    w->signo = h->signo;
    eddy__wake(&w->wait, 0);
}

static size_t size_for(unsigned count)
{
    return sizeof(struct eddy_signals) + count * sizeof(struct ear);
}

int eddy_signals_open(uint64_t set, struct eddy_signals **ret_signals)
{
    struct eddy_loop *loop = eddy_loop_current();
    unsigned count = (unsigned)__builtin_popcountll(set);

    if (!set)
        return -EINVAL;
    struct eddy_signals *s = loop ? eddy__zalloc(size_for(count)) : NULL;
    if (!s)
        return eddy__loop_refusal();
    s->loop = loop;
    s->count = count;
    eddy_list_init(&s->queue);
    for (int r, signo = 0, i = 0; signo < SIGNALS; signo++) {
        if (!(set >> signo & 1))
            continue;
        s->ears[i].signals = s;
        s->ears[i].hearer.fn = heard;
        r = eddy__signal_hear(loop, signo, &s->ears[i++].hearer);
        if (r < 0) {
            eddy_signals_free(s);
            return r;
        }
    }
    eddy__debug_born(loop, s, "a set of signals");
    *ret_signals = s;
    return 0;
}

static void interrupted(struct eddy_wait *w, int why)
{
    eddy_list_remove(&((struct waiter *)(void *)w)->link);
    eddy__wake(w, why);
}

int eddy_signals_wait(struct eddy_signals *signals, int *ret_signo)
{
    if (eddy_loop_is_parents(signals->loop))
        return -EDDY_EFORKED;
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    if (signals->came) {
        *ret_signo = __builtin_ctzll(signals->came);
        signals->came &= signals->came - 1;
        return 0;
    }
    struct waiter w = { .wait = EDDY_WAIT(interrupted, "signal") };
    eddy_list_push(&signals->queue, &w.link);
    r = eddy__wait(&w.wait);
    if (r == 0)
        *ret_signo = w.signo;
    return r;
}

void eddy_signals_free(struct eddy_signals *signals)
{
    if (!signals)
        return;
    assert((eddy_list_is_empty(&signals->queue) || eddy_loop_is_parents(signals->loop)) &&
           "nobody may wait");
    eddy__debug_gone(signals->loop, signals);
    for (unsigned i = 0; i < signals->count; i++)
        (void)eddy__signal_unhear(&signals->ears[i].hearer);
    eddy__free(signals, size_for(signals->count));
}

int eddy_signal_wait(uint64_t set, int *ret_signo)
{
    EDDY_OWN(eddy_signals) signals = NULL;
    int r = eddy__wait_check();

    if (r == 0)
        r = eddy_signals_open(set, &signals);
    if (r < 0)
        return r;
    assert(signals);
    return eddy_signals_wait(signals, ret_signo);
}
