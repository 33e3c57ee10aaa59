/*
 * task/gather.c - waiting for many futures
 *
 * One wait and a watch for each future. What is done at the call is judged in the order of the
 * indices; the rest as the news arrive, until the mode has its answer. Then the watches that are
 * left are ended. Those that a setter on another thread has in its hands cannot be: they lie on
 * this stack, so their news are waited for, which are certain and near.
 */
#include "task/future.h"

#include "base/memory.h"
#include "task/waiters.h"

#include <limits.h>

#define AT_HAND 8 /* so many watches need no memory */

enum mode { GATHER, ALL, ANY, FIRST_SUCCESS };

struct one {
    struct eddy_watch watch;
    struct many *many;
    bool watched; /* and its news have not come */
    bool held;    /* we have a reference */
};

struct many {
    struct eddy_wait wait; /* first */
    struct eddy_wait rest; /* for the news that cannot be stopped */
    enum mode mode;
    struct eddy_future *const *futures;
    size_t count;
    size_t open;  /* not judged yet */
    size_t owing; /* news on their way after the answer */
    struct one *ones;
    int failure; /* the first */
    int answer;
    bool decided;
};

/* Future @i is done: does that decide? */
static void judge(struct many *m, size_t i)
{
    int r = eddy_future_result(m->futures[i], NULL);
    bool all = --m->open == 0;

    if (r < 0 && !m->failure)
        m->failure = r;
    if (m->mode == ANY || (m->mode == FIRST_SUCCESS && r >= 0)) {
        m->decided = true;
        m->answer = (int)i;
    } else if (all || (m->mode == ALL && r < 0)) {
        m->decided = true;
        m->answer = m->failure;
    }
}

static void told(struct eddy_watch *w)
{
    struct one *one = eddy_container_of(w, struct one, watch);
    struct many *m = one->many;

    one->watched = false;
    if (m->owing) {
        if (--m->owing == 0)
            eddy__wake(&m->rest, 0);
        return;
    }
    if (m->decided || m->wait.done)
        return;
    judge(m, (size_t)(one - m->ones));
    if (m->decided)
        eddy__wake(&m->wait, 0);
}

static void interrupted(struct eddy_wait *w, int why)
{
    eddy__wake(w, why); /* the watches are ended by who waits */
}

/* Those that are done now, in order. */
static void judge_done(struct many *m)
{
    m->open = m->count;
    m->failure = 0;
    m->decided = m->count == 0;
    for (size_t i = 0; i < m->count && !m->decided; i++)
        if (eddy_future_is_done(m->futures[i]))
            judge(m, i);
}

/* The same with a watch on each that is not; what another thread sets meanwhile is judged. */
static void begin(struct many *m)
{
    m->open = m->count;
    m->failure = 0;
    for (size_t i = 0; i < m->count && !m->decided; i++) {
        struct one *one = &m->ones[i];
        one->many = m;
        one->held = true;
        one->watched = eddy_watch_begin(&one->watch, eddy_future_ref(m->futures[i]), told);
        if (!one->watched)
            judge(m, i);
    }
}

static void end(struct many *m, struct eddy_task *t)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->ones[i].watched && !eddy_watch_end(&m->ones[i].watch))
            m->owing++;
    if (m->owing)
        (void)eddy_task_wait(t, &m->rest);
    for (size_t i = 0; i < m->count; i++)
        if (m->ones[i].held)
            eddy_future_free(m->futures[i]);
}

static int wait_watching(struct many *m, struct eddy_task *t)
{
    struct one at_hand[AT_HAND];
    int r = 0;

    if (m->count <= AT_HAND) {
        memset(at_hand, 0, sizeof at_hand);
        m->ones = at_hand;
    } else if (m->count > SIZE_MAX / sizeof *m->ones ||
               !(m->ones = eddy__zalloc(m->count * sizeof *m->ones))) {
        return -ENOMEM;
    }
    begin(m);
    if (!m->decided) {
        r = eddy_task_wait(t, &m->wait);
        if (r < 0 && m->wait.why)
            r = m->wait.why;
    }
    end(m, t);
    if (m->ones != at_hand)
        eddy__free(m->ones, m->count * sizeof *m->ones);
    return r;
}

static int wait_for(enum mode mode, struct eddy_future *const *futures, size_t count)
{
    struct many m = { .wait = EDDY_WAIT(interrupted, "futures"),
                      .rest = EDDY_WAIT(NULL, "futures"),
                      .mode = mode,
                      .futures = futures,
                      .count = count };
    struct eddy_task *t;

    for (size_t i = 0; i < count; i++)
        if (eddy_forked_since(futures[i]->forks))
            return -EDDY_EFORKED;
    int r = eddy_lock_enter(&t);
    if (r < 0)
        return r;
    if (mode >= ANY && (count == 0 || count > INT_MAX))
        return -EINVAL;
    judge_done(&m);
    r = m.decided ? eddy_lock_spend(t) : wait_watching(&m, t);
    return r < 0 ? r : m.answer;
}

static int wait_until(enum mode mode, struct eddy_future *const *futures, size_t count,
                      const struct eddy_gather_options *options)
{
    if (!options || options->timeout_ms <= 0)
        return wait_for(mode, futures, count);
    EDDY_SCOPE(late, .timeout_ms = options->timeout_ms);
    return wait_for(mode, futures, count);
}

int eddy_gather(struct eddy_future *const *futures, size_t count,
                const struct eddy_gather_options *options)
{
    return wait_until(GATHER, futures, count, options);
}

int eddy_future_all(struct eddy_future *const *futures, size_t count,
                    const struct eddy_gather_options *options)
{
    return wait_until(ALL, futures, count, options);
}

int eddy_future_any(struct eddy_future *const *futures, size_t count,
                    const struct eddy_gather_options *options)
{
    return wait_until(ANY, futures, count, options);
}

int eddy_future_first_success(struct eddy_future *const *futures, size_t count,
                              const struct eddy_gather_options *options)
{
    return wait_until(FIRST_SUCCESS, futures, count, options);
}
