/*
 * task/dump_signal.c - a dump when a signal comes
 *
 * The handler hands an embedded post to the loop, which is allowed in one; the dump is written by a
 * callback. Until it is, another signal goes on to what stood there before: so who finds the loop
 * stuck sends the signal twice, and gets the core that it would have had without us.
 */
#include "task/task.h"

#include "base/sys.h"

#include <eddy/inspect.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static struct {
    _Atomic(struct eddy_loop *) loop; /* NULL: nobody has asked */
    atomic_bool on_its_way;
    int signo;
    struct sigaction before;
    struct eddy_post post;
} asked;

static void dump(void *ctx)
{
    (void)eddy_dump(ctx, STDERR_FILENO); /* nobody can be told that it could not be written */
    atomic_store(&asked.on_its_way, false);
}

static void go_on(int signo, siginfo_t *info, void *context)
{
    const struct sigaction *before = &asked.before;

    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(signo, info, context);
    } else if (before->sa_handler == SIG_DFL) {
        /* Delivered when this handler returns, which is not interrupted by its own signal. */
        eddy__sys.sigaction(signo, before, NULL);
        (void)raise(signo);
    } else if (before->sa_handler != SIG_IGN) {
        before->sa_handler(signo);
    }
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    struct eddy_loop *loop = atomic_load(&asked.loop);

    if (loop && !atomic_exchange(&asked.on_its_way, true)) {
        asked.post = (struct eddy_post){ .fn = dump, .ctx = loop, .embedded = true };
        eddy__post_embedded(loop, &asked.post);
    } else {
        go_on(signo, info, context);
    }
    errno = saved;
}

static void give_back(void *slot)
{
    (void)slot;
    atomic_store(&asked.loop, NULL);
    eddy__sys.sigaction(asked.signo, &asked.before, NULL);
}

/* In the child of a fork the loop that asked is the parent's, and so is a dump on its way. */
static void forked(void)
{
    if (atomic_load(&asked.loop))
        give_back(NULL);
    atomic_store(&asked.on_its_way, false);
}

static int watching;

static void watch(void)
{
    watching = -pthread_atfork(NULL, NULL, forked);
}

static int watch_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch);
    return watching;
}

static bool can_take(int signo)
{
    return signo > 0 && signo < NSIG && !eddy_signal_is_nobodys(signo);
}

int eddy_dump_on_signal(int signo)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

    if (!loop)
        return eddy__loop_refusal();
    if (signo == 0) {
        if (loop->slot[EDDY_SLOT_DUMP])
            give_back(EDDY_TAKE(loop->slot[EDDY_SLOT_DUMP]));
        return 0;
    }
    if (!can_take(signo))
        return -EINVAL;
    if (atomic_load(&asked.loop))
        return atomic_load(&asked.loop) == loop && asked.signo == signo ? 0 : -EBUSY;
    sigemptyset(&action.sa_mask);
    int r = watch_forks();
    if (r == 0)
        r = eddy__sys.sigaction(signo, NULL, &asked.before);
    if (r < 0)
        return r;
    asked.signo = signo;
    atomic_store(&asked.loop, loop);
    r = eddy__sys.sigaction(signo, &action, NULL);
    if (r < 0) {
        atomic_store(&asked.loop, NULL);
        return r;
    }
    loop->slot[EDDY_SLOT_DUMP] = &asked;
    loop->slot_free[EDDY_SLOT_DUMP] = give_back;
    return 0;
}
