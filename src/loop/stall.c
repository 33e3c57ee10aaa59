/*
 * loop/stall.c - the watchdog: reports who holds a loop, while it does
 *
 * One thread a process looks at every watched loop a few times in the shortest threshold. A loop that
 * is in an iteration, does not sleep, and has neither begun another nor resumed another task since
 * the last look is held by somebody. When that has gone on for the threshold the watchdog asks: it
 * sends the loop's thread a signal, whose handler writes down the stack that it interrupted and which
 * task runs; names are found, and the report is made, on the watchdog's thread.
 *
 * Time is counted in looks, each for two periods at most: a machine that stood still held nobody.
 * The loop does nothing for all this but what it does anyway.
 *
 *   IDLE -> ASKED (watchdog) -> TAKING -> TAKEN (handler) -> IDLE (watchdog)
 *                            -> IDLE (watchdog: no answer)
 */
#include "loop/stall.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/backtrace.h"
#include "loop/debug.h"

#include <eddy/inspect.h>
#include <eddy/log.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define THRESHOLD_MS 100
#define LOOKS 4 /* in a threshold */
#define PERIOD_MIN_NS 500000
#define ANSWER_NS 500000000 /* how long a signal may take */
#define REPORT_EACH_NS 1000000000
#define FRAMES 24
#define LINE_MAX_BYTES 800

struct eddy_stall {
    struct eddy_list link; /* the fields are the watchdog's, under the lock */
    struct eddy_loop *loop;
    pthread_t thread;
    int64_t threshold_ns;
    uint64_t iterations, switches; /* as last seen */
    int64_t held_ns;
    bool told;           /* of this stall */
    int64_t reported_ns; /* when, last */
    unsigned silent;     /* stalls that were not told, since */
};

/* The watchdog. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t first; /* something is watched again */
    struct eddy_list watched;
    bool running; /* for the rest of the process */
    int signo;    /* 0: not chosen yet. The handler stays: a signal may be on its way */
} dog = { .lock = PTHREAD_MUTEX_INITIALIZER,
          .first = PTHREAD_COND_INITIALIZER,
          .watched = { &dog.watched, &dog.watched } };

/* --- the question ------------------------------------------------------------------------------------ */

enum { IDLE, ASKED, TAKING, TAKEN };

static atomic_int state;
static struct {
    _Atomic(struct eddy_loop *) loop;
    uint64_t iterations, switches; /* the answer is about these */
    bool came;
    bool moved; /* it went on meanwhile */
    size_t frames;
    struct eddy_frame frame[FRAMES];
    struct eddy_culprit culprit;
} answer;

/* On the loop's thread, in the middle of whatever holds it. */
static void on_signal(int signo, siginfo_t *info, void *ucontext)
{
    const int saved = errno;
    struct eddy_loop *loop = eddy__loop();
    int asked = ASKED;

    (void)signo;
    (void)info;
    if (!loop || atomic_load(&answer.loop) != loop ||
        !atomic_compare_exchange_strong(&state, &asked, TAKING))
        return;
    answer.moved = atomic_load_explicit(&loop->iterations, memory_order_relaxed) !=
                       answer.iterations ||
                   atomic_load_explicit(&loop->switches, memory_order_relaxed) != answer.switches;
    answer.culprit.id = 0;
    answer.frames = 0;
    if (!answer.moved) {
        answer.frames = eddy__backtrace_interrupted(ucontext, answer.frame, FRAMES);
        if (loop->current)
            loop->who(loop->current, &answer.culprit);
    }
    answer.came = true;
    atomic_store(&state, TAKEN);
    errno = saved;
}

/* Whether @w's thread answered, and is still where it was. */
static bool ask(const struct eddy_stall *w)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    int asked = ASKED;

    answer.iterations = w->iterations;
    answer.switches = w->switches;
    answer.frames = 0;
    answer.came = false;
    answer.moved = false;
    answer.culprit.id = 0;
    atomic_store(&answer.loop, w->loop);
    atomic_store(&state, ASKED);
    if (pthread_kill(w->thread, dog.signo) == 0) {
        const int64_t until = eddy__sys.now_ns() + ANSWER_NS;
        while (atomic_load(&state) != TAKEN && eddy__sys.now_ns() < until)
            nanosleep(&moment, NULL);
    }
    if (!atomic_compare_exchange_strong(&state, &asked, IDLE)) {
        while (atomic_load(&state) != TAKEN) /* it has begun */
            nanosleep(&moment, NULL);
        atomic_store(&state, IDLE);
    }
    return !answer.moved;
}

/* --- the report --------------------------------------------------------------------------------------- */

static void report(struct eddy_stall *w)
{
    const struct eddy_culprit *c = &answer.culprit;
    const long long ms = w->held_ns / 1000000;
    char line[LINE_MAX_BYTES], more[64] = "";
    int64_t now_ns = eddy__sys.now_ns();

    if (w->reported_ns && now_ns - w->reported_ns < REPORT_EACH_NS) {
        w->silent++;
        return;
    }
    if (w->silent)
        snprintf(more, sizeof more, " (and %u more since the last report)", w->silent);
    w->silent = 0;
    w->reported_ns = now_ns;
    eddy_debug_line(answer.frame, answer.frames, line, sizeof line);
    if (!line[0])
        snprintf(line, sizeof line, "(its stack cannot be seen)");
    if (c->id && c->file)
        eddy_log(EDDY_LOG_WARNING,
                 "task %llu `%s`, spawned at %s:%d, holds the loop for %lld ms: %s%s",
                 (unsigned long long)c->id, c->name, c->file, c->line, ms, line, more);
    else if (c->id)
        eddy_log(EDDY_LOG_WARNING, "task %llu `%s` holds the loop for %lld ms: %s%s",
                 (unsigned long long)c->id, c->name, ms, line, more);
    else
        eddy_log(EDDY_LOG_WARNING, "%s holds the loop for %lld ms: %s%s",
                 answer.came ? "a callback" : "somebody who takes no signals", ms, line, more);
}

/* Whether the loop is held, for long enough to be asked about now. @passed_ns: since the last look. */
static bool look(struct eddy_stall *w, int64_t passed_ns)
{
    struct eddy_loop *loop = w->loop;
    uint64_t iterations = atomic_load_explicit(&loop->iterations, memory_order_relaxed);
    uint64_t switches = atomic_load_explicit(&loop->switches, memory_order_relaxed);

    if (iterations != w->iterations || switches != w->switches ||
        !atomic_load_explicit(&loop->turning, memory_order_relaxed) ||
        atomic_load_explicit(&loop->asleep, memory_order_relaxed)) {
        w->iterations = iterations;
        w->switches = switches;
        w->held_ns = 0;
        w->told = false;
        return false;
    }
    w->held_ns += passed_ns;
    return !w->told && w->held_ns >= w->threshold_ns;
}

/* --- the thread --------------------------------------------------------------------------------------- */

/* Never longer than by default, however long the thresholds are: who comes meanwhile with a shorter
 * one is looked at after this time. */
static int64_t period_ns(void)
{
    int64_t least = (int64_t)THRESHOLD_MS * 1000000;

    for (struct eddy_list *l = dog.watched.next; l != &dog.watched; l = l->next) {
        const struct eddy_stall *w = eddy_container_of(l, struct eddy_stall, link);
        if (w->threshold_ns < least)
            least = w->threshold_ns;
    }
    return least / LOOKS > PERIOD_MIN_NS ? least / LOOKS : PERIOD_MIN_NS;
}

/* With the lock held. A loop cannot end while it is asked: its end waits for the lock, where signals
 * still reach it. */
static void look_at_all(int64_t passed_ns)
{
    for (struct eddy_list *l = dog.watched.next; l != &dog.watched; l = l->next) {
        struct eddy_stall *w = eddy_container_of(l, struct eddy_stall, link);
        if (!look(w, passed_ns))
            continue;
        w->told = true;
        if (ask(w))
            report(w);
    }
}

static void *watch(void *unused)
{
    int64_t last_ns = eddy__sys.now_ns();

    pthread_mutex_lock(&dog.lock);
    for (;;) {
        while (eddy_list_is_empty(&dog.watched))
            pthread_cond_wait(&dog.first, &dog.lock);
        const int64_t period = period_ns();
        const struct timespec pause = { .tv_sec = period / 1000000000,
                                        .tv_nsec = period % 1000000000 };

        pthread_mutex_unlock(&dog.lock);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&dog.lock);
        int64_t now_ns = eddy__sys.now_ns(), passed_ns = now_ns - last_ns;
        last_ns = now_ns;
        look_at_all(passed_ns < 2 * period ? passed_ns : 2 * period);
    }
    return unused;
}

/* A real-time signal that nobody has taken, from the end: programs begin at the other one. Not the
 * very last: emulators keep some for themselves, and what they are sent is lost without a word. */
static int choose_signal(void)
{
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    struct sigaction old;

    sigemptyset(&action.sa_mask);
    for (int signo = SIGRTMAX - 4; !dog.signo && signo > SIGRTMIN; signo--)
        if (eddy__sys.sigaction(signo, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
            old.sa_handler == SIG_DFL && eddy__sys.sigaction(signo, &action, NULL) == 0)
            dog.signo = signo;
    return dog.signo ? 0 : -EBUSY;
}

/* With the lock held. Signals are other threads' business. */
static int start(void)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;

    int r = choose_signal();
    if (r < 0 || dog.running)
        return r;
    (void)eddy__backtrace_is_there(); /* loads what the handler uses */
    r = -pthread_attr_init(&detached);
    if (r < 0)
        return r;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&thread, &detached, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    dog.running = r == 0;
    return r;
}

static void leave(struct eddy_loop *loop)
{
    struct eddy_stall *w = loop->stall;

    pthread_mutex_lock(&dog.lock);
    eddy_list_remove(&w->link);
    pthread_mutex_unlock(&dog.lock);
    loop->stall = NULL;
    eddy__free(w, sizeof *w);
}

static int join(struct eddy_loop *loop, int64_t threshold_ns)
{
    struct eddy_stall *w = eddy__zalloc(sizeof *w);

    if (!w)
        return -ENOMEM;
    w->loop = loop;
    w->thread = pthread_self();
    w->threshold_ns = threshold_ns;
    pthread_mutex_lock(&dog.lock);
    int r = start();
    if (r == 0) {
        eddy_list_push(&dog.watched, &w->link);
        pthread_cond_signal(&dog.first);
    }
    pthread_mutex_unlock(&dog.lock);
    if (r < 0)
        eddy__free(w, sizeof *w);
    else
        loop->stall = w;
    return r;
}

/* Whoever held the lock is not here to give it back. The handler stays as it was. */
void eddy_stall_forked(void)
{
    dog.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    dog.first = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    eddy_list_init(&dog.watched);
    dog.running = false;
    atomic_store(&state, IDLE);
}

int eddy_stall_watch(struct eddy_loop *loop, int64_t threshold_ms)
{
    const int64_t threshold_ns = eddy_deadline_ns(0, threshold_ms ? threshold_ms : THRESHOLD_MS);

    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (threshold_ms < 0) {
        if (loop->stall)
            leave(loop);
        return 0;
    }
    if (!loop->stall)
        return join(loop, threshold_ns);
    pthread_mutex_lock(&dog.lock);
    loop->stall->threshold_ns = threshold_ns;
    pthread_mutex_unlock(&dog.lock);
    return 0;
}
