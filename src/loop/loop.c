/*
 * loop/loop.c - the loop: one iteration fits one screen
 *
 *   1. timers that are due            bounded by TIMERS_A_TURN
 *   2. the ready queue as it stood    what is queued meanwhile waits for the next iteration, but
 *                                     for the first JOINS_A_TURN of those whom tasks wake
 *   3. submit and wait                not at all while something is ready
 *   4. completions                    bounded by the driver
 *   5. posts and signals              told by the driver's wake
 *
 * depth counts the iterations on this thread's stack: 0 is plain code, where a call that waits
 * turns the loop itself. Callbacks run at depth 1 with no current task.
 */
#include "loop/debug.h"

#include "base/memory.h"
#include "base/sys.h"

#include <eddy/log.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS_A_TURN 10000
#define JOINS_A_TURN 64

static _Thread_local struct eddy_loop *this_loop;
static _Thread_local int refusal; /* of the last one that eddy_loop_current() could not make */

/* Not inlined: a task must not keep the address of a thread-local across a switch. */
__attribute__((noinline)) struct eddy_loop *eddy__loop(void)
{
    return this_loop;
}

__attribute__((noinline)) int eddy__loop_refusal(void)
{
    return !this_loop && refusal ? refusal : -ENOMEM;
}

void eddy_loop_set(struct eddy_loop *loop)
{
    this_loop = loop;
}

/* --- operations ------------------------------------------------------------------------------ */

bool eddy__op_submit(struct eddy_loop *loop, struct eddy_op *op)
{
    assert(!op->pending);
    if (eddy_fault_here(EDDY_FAULT_OP) && op->kind != EDDY_OP_CLOSE) {
        op->more = false;
        op->res = -ECONNRESET;
        return true;
    }
    if (eddy_loop_is_parents(loop))
        return eddy_dead_submit(op);
    eddy_loop_touch(loop);
    return loop->driver->ops->submit(loop->driver, op);
}

bool eddy__op_cancel(struct eddy_loop *loop, struct eddy_op *op)
{
    assert(op->pending);
    if (eddy_loop_is_parents(loop))
        return eddy_dead_cancel(op);
    eddy_loop_touch(loop);
    return loop->driver->ops->cancel(loop->driver, op);
}

/* --- ready queue and timers --------------------------------------------------------------------- */

void eddy__soon(struct eddy_loop *loop, struct eddy_soon *s, eddy_soon_fn *run)
{
    s->run = run;
    if (s->link.next && !eddy_list_is_empty(&s->link))
        return;
    eddy_list_push(&loop->ready, &s->link);
    eddy_loop_touch(loop);
}

void eddy__soon_join(struct eddy_loop *loop, struct eddy_soon *s, eddy_soon_fn *run)
{
    s->run = run;
    if (s->link.next && !eddy_list_is_empty(&s->link))
        return;
    if (loop->joins > 0) {
        loop->joins--;
        eddy_list_push(&loop->batch, &s->link);
    } else {
        eddy_list_push(&loop->ready, &s->link);
        eddy_loop_touch(loop);
    }
}

void eddy__soon_cancel(struct eddy_soon *s)
{
    if (s->link.next)
        eddy_list_remove(&s->link);
}

void eddy__timer_start(struct eddy_loop *loop, struct eddy_timer *t, int64_t deadline_ns,
                       eddy_timer_fn *fire)
{
    if (eddy_loop_is_parents(loop))
        return;
    eddy_wheel_cancel(&loop->wheel, t);
    eddy_wheel_arm(&loop->wheel, t, deadline_ns, fire);
    eddy_loop_touch(loop);
}

void eddy__timer_stop(struct eddy_loop *loop, struct eddy_timer *t)
{
    if (!eddy_loop_is_parents(loop))
        eddy_wheel_cancel(&loop->wheel, t);
}

/* Under the simulator: who is ready together runs in any order. Each round deals the cards into two
 * heaps and puts one on the other; some more rounds than the length has bits mix them well. */
static void shuffle(struct eddy_loop *loop, struct eddy_list *batch)
{
    unsigned count = 0, rounds = 2;
    struct eddy_list heap[2], *link;

    for (link = batch->next; link != batch; link = link->next)
        count++;
    if (count < 2)
        return;
    for (; count; count /= 2)
        rounds += 2;
    while (rounds--) {
        eddy_list_init(&heap[0]);
        eddy_list_init(&heap[1]);
        while ((link = eddy_list_shift(batch)))
            eddy_list_push(&heap[loop->driver->ops->dice(loop->driver, 2)], link);
        for (int i = 0; i < 2; i++)
            while ((link = eddy_list_shift(&heap[i])))
                eddy_list_push(batch, link);
    }
}

static void run_ready(struct eddy_loop *loop)
{
    struct eddy_list *link;

    eddy_list_take_all(&loop->batch, &loop->ready);
    loop->joins = JOINS_A_TURN;
    if (eddy_driver_is_simulated(loop->driver))
        shuffle(loop, &loop->batch);
    while ((link = eddy_list_shift(&loop->batch))) {
        struct eddy_soon *s = eddy_container_of(link, struct eddy_soon, link);
        __builtin_prefetch(loop->batch.next->next); /* while this one runs */
        s->run(s);
    }
    loop->joins = 0;
}

/* A clock that may be so stale is good enough for deadlines that are farther away. */
#define FAR_NS INT64_C(1000000000)

/* How long the driver may wait: not at all while something is ready, else until the next timer,
 * and never longer than the caller allows (negative: for ever).
 *
 * Reading the clock is a good part of what an iteration costs. A timer that is far away is waited
 * for with the time of the last wait's end, half a second less, and looked at again then. */
static int64_t wait_limit(struct eddy_loop *loop, int64_t timeout_ns)
{
    if (loop->nudged || !eddy_list_is_empty(&loop->ready) || !eddy_list_is_empty(&loop->idle))
        return 0;
    int64_t next = eddy_wheel_next(&loop->wheel);
    if (next == INT64_MAX)
        return timeout_ns;
    int64_t until = next - loop->now_ns - FAR_NS / 2;
    if (until < FAR_NS / 2) {
        loop->now_ns = eddy_loop_clock(loop);
        until = next - loop->now_ns;
    }
    if (until < 0)
        until = 0;
    return timeout_ns < 0 || until < timeout_ns ? until : timeout_ns;
}

/* How long to wait after all. A sleep is announced before the last look at the posts: a post either
 * sees `asleep` and wakes the driver, or is seen here. Sequentially consistent for that. Where there
 * will be no sleep a post costs nobody a system call. */
static int64_t begin_wait(struct eddy_loop *loop, int64_t timeout_ns)
{
    int64_t limit = timeout_ns == 0 ? 0 : wait_limit(loop, timeout_ns);

    if (limit == 0)
        return 0;
    atomic_store(&loop->asleep, true);
    return atomic_load(&loop->posts) || atomic_load(&loop->signals) ? 0 : limit;
}

/* The time before a wait that may sleep. wait_limit() has read the clock when a timer is near. */
static int64_t before_sleep(struct eddy_loop *loop, int64_t began_ns)
{
    return loop->now_ns != began_ns ? loop->now_ns : eddy_loop_clock(loop);
}

/* From the end of one wait to the beginning of the next is what an iteration took. @slept_ns: when
 * this wait began, or 0 when it could not sleep; its end is loop->now_ns. */
static void account(struct eddy_loop *loop, int64_t began_ns, int64_t slept_ns)
{
    int64_t took = (slept_ns ? slept_ns : loop->now_ns) - began_ns;

    if (took > loop->longest_ns)
        loop->longest_ns = took;
    if (slept_ns) {
        loop->sleeps++;
        loop->asleep_ns += loop->now_ns - slept_ns;
    }
}

int eddy__loop_iterate(struct eddy_loop *loop, int64_t timeout_ns)
{
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    assert(loop->depth == 0 && loop == this_loop);
    loop->depth++;
    atomic_store_explicit(&loop->turning, true, memory_order_relaxed);
    eddy_loop_count(&loop->iterations);
    loop->nudged = false;
    /* From plain code, time has passed since the last iteration; between two of a run, it is
     * as late as the last wait's end. */
    if (!loop->running)
        loop->now_ns = eddy_loop_clock(loop);

    const int64_t began_ns = loop->now_ns;
    size_t fired = eddy_wheel_expire(&loop->wheel, loop->now_ns, TIMERS_A_TURN);
    loop->timers_fired += fired;
    /* A single turn has done something then: what its caller waits for may have come. */
    bool idle = !fired && eddy_list_is_empty(&loop->ready);
    if (!loop->running && !idle)
        loop->nudged = true;
    run_ready(loop);

    const int64_t limit_ns = begin_wait(loop, timeout_ns);
    const int64_t slept_ns = limit_ns ? before_sleep(loop, began_ns) : 0;
    int count = loop->driver->ops->turn(loop->driver, limit_ns);
    account(loop, began_ns, slept_ns);
    atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
    if (count > 0)
        loop->completions += (unsigned)count;

    if (atomic_load_explicit(&loop->posts, memory_order_relaxed)) {
        idle = false;
        eddy_post_run_all(loop);
    }
    if (atomic_load_explicit(&loop->signals, memory_order_relaxed)) {
        idle = false;
        eddy_signals_run(loop);
    }
    if (idle && count == 0 && !eddy_list_is_empty(&loop->idle))
        eddy_idle_run(loop);
    atomic_store_explicit(&loop->turning, false, memory_order_relaxed);
    loop->depth--;
    if (__builtin_expect(loop->guest != NULL, 0))
        eddy_guest_rest(loop);
    return count < 0 ? count : count + (int)fired;
}

int eddy_loop_turn(struct eddy_loop *loop, int64_t timeout_ms)
{
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (loop->depth || loop->current)
        return eddy_debug_refused(loop);
    return eddy__loop_iterate(loop, timeout_ms < 0 ? -1 : eddy_deadline_ns(0, timeout_ms));
}

int eddy_loop_run(struct eddy_loop *loop)
{
    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (loop->depth || loop->current)
        return eddy_debug_refused(loop);
    int r = 0;
    loop->stop = false;
    while (!loop->stop && r >= 0) {
        r = eddy__loop_iterate(loop, -1);
        loop->running = true;
    }
    loop->running = false;
    return r < 0 ? r : 0;
}

void eddy_loop_stop(struct eddy_loop *loop)
{
    loop->stop = true;
    loop->nudged = true;
}

/* --- birth and end -------------------------------------------------------------------------------- */

int eddy_loop_new(const struct eddy_loop_options *options, struct eddy_loop **ret_loop)
{
    if (this_loop)
        return -EBUSY;
    struct eddy_loop *loop = eddy__zalloc(sizeof *loop);
    if (!loop)
        return -ENOMEM;
    if (options)
        memcpy(&loop->options, options,
               options->size < sizeof loop->options ? options->size : sizeof loop->options);

    const char *name = loop->options.backend ? loop->options.backend : getenv("EDDY_BACKEND");
    int r = eddy_fork_watch();
    if (r == 0)
        r = eddy_backend_open(loop, name && *name ? name : NULL);
    loop->options.backend = NULL; /* the caller's string need not live on */
    if (r < 0) {
        eddy__free(loop, sizeof *loop);
        return r;
    }
    loop->driver->loop = loop;
    loop->driver->clock = &loop->now_ns;
    loop->driver->asleep = &loop->asleep;
    loop->born_ns = loop->now_ns = eddy_loop_clock(loop);
    eddy_wheel_init(&loop->wheel, loop->now_ns);
    eddy_list_init(&loop->ready);
    eddy_list_init(&loop->batch);
    eddy_list_init(&loop->idle);
    loop->forks = eddy_forks;
    this_loop = loop;
    eddy_debug_begin(loop);
    *ret_loop = loop;
    return 0;
}

static bool has_work(const struct eddy_loop *loop)
{
    return loop->driver->pending || !eddy_list_is_empty(&loop->ready) || atomic_load(&loop->posts);
}

void eddy_loop_free(struct eddy_loop *loop)
{
    if (!loop || eddy_loop_is_parents(loop))
        return;
    assert(loop == this_loop && loop->depth == 0);
    /* What is ready still stands on what the rooms keep: a closed scope that has yet to say so. */
    for (int i = 0; i < 1000 && !eddy_list_is_empty(&loop->ready); i++)
        eddy__loop_iterate(loop, 0);
    /* What rooms keep may have descriptors to close and callbacks to run, each in its order. */
    for (int i = 0; i < EDDY_SLOTS; i++) {
        void *slot = loop->slot[i];
        if (slot && loop->slot_free[i])
            loop->slot_free[i](slot);
        loop->slot[i] = NULL;
    }
    /* However many end, as long as some do. */
    for (int idle = 0; idle < 1000 && has_work(loop); idle++) {
        const size_t before = loop->driver->pending;
        eddy__loop_iterate(loop, before ? 10000000 : 0);
        if (loop->driver->pending < before)
            idle = 0;
    }
    /* Work that has begun is waited for: its memory is somebody's, and its thread ours. */
    while (eddy_pool_out(loop))
        eddy__loop_iterate(loop, -1);
    eddy_post_close(loop);
    eddy_pool_free(loop);
    eddy_signals_forget(loop);
    eddy_guest_free(loop);
    eddy_debug_end(loop);
    loop->driver->ops->close(loop->driver);
    this_loop = NULL;
    eddy__free(loop, sizeof *loop);
}

/* --- a loop for a thread that made none ------------------------------------------------------------ */

static pthread_key_t at_thread_end;
static pthread_once_t at_thread_end_once = PTHREAD_ONCE_INIT;

static void free_threads_loop(void *loop)
{
    if (loop == this_loop)
        eddy_loop_free(loop);
}

/* Keys' destructors do not run for the main thread when main() returns. */
static void free_mains_loop(void)
{
    if (this_loop && this_loop->owned_by_thread && this_loop->depth == 0 && !this_loop->current)
        eddy_loop_free(this_loop);
}

static void make_key(void)
{
    pthread_key_create(&at_thread_end, free_threads_loop);
    atexit(free_mains_loop);
}

struct eddy_loop *eddy_loop_current(void)
{
    struct eddy_loop *loop = eddy__loop();

    if (loop)
        return loop;
    int r = refusal = eddy_loop_new(NULL, &loop);
    if (r < 0) {
        eddy_log(EDDY_LOG_ERROR, "no event loop for this thread: %s", eddy_strerror(r));
        return NULL;
    }
    loop->owned_by_thread = true;
    pthread_once(&at_thread_end_once, make_key);
    pthread_setspecific(at_thread_end, loop);
    return loop;
}

/* --- clocks, alarms --------------------------------------------------------------------------------- */

int64_t eddy_now_ns(void)
{
    struct eddy_loop *loop = eddy__loop();

    return loop ? eddy_loop_clock(loop) : eddy__sys.now_ns();
}

int64_t eddy_wall_ns(void)
{
    struct eddy_loop *loop = eddy__loop();

    return loop ? loop->driver->ops->wall_ns(loop->driver) : eddy__sys.wall_ns();
}

struct eddy_alarm {
    struct eddy_timer timer;
    struct eddy_loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
};

static void alarm_fire(struct eddy_timer *t)
{
    struct eddy_alarm *alarm = eddy_container_of(t, struct eddy_alarm, timer);

    alarm->fn(alarm->ctx);
}

int eddy_alarm_new(void (*fn)(void *ctx), void *ctx, struct eddy_alarm **ret_alarm)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_alarm *alarm = loop ? eddy__zalloc(sizeof *alarm) : NULL;

    if (!alarm)
        return eddy__loop_refusal();
    alarm->loop = loop;
    alarm->fn = fn;
    alarm->ctx = ctx;
    *ret_alarm = alarm;
    return 0;
}

void eddy_alarm_start(struct eddy_alarm *alarm, int64_t delay_ms)
{
    eddy__timer_start(alarm->loop, &alarm->timer,
                      eddy_deadline_ns(eddy_loop_clock(alarm->loop), delay_ms), alarm_fire);
}

void eddy_alarm_stop(struct eddy_alarm *alarm)
{
    eddy__timer_stop(alarm->loop, &alarm->timer);
}

void eddy_alarm_free(struct eddy_alarm *alarm)
{
    if (!alarm)
        return;
    eddy_alarm_stop(alarm);
    eddy__free(alarm, sizeof *alarm);
}
