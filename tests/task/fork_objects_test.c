/*
 * What was made on a loop, in the child of a fork: every call that waits says -EDDY_EFORKED, and what
 * ends it ends it, as the child's cleanups do. Real processes. The child reports by its exit status:
 * 0, or the line that failed.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/channel.h>
#include <eddy/event.h>
#include <eddy/future.h>
#include <eddy/generator.h>
#include <eddy/inspect.h>
#include <eddy/lock.h>
#include <eddy/queue.h>
#include <eddy/signal.h>
#include <eddy/task.h>
#include <eddy/thread.h>
#include <eddy/watch.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

static void expect_fine(pid_t child)
{
    int status = -1;

    EDDY_CHECK(child > 0);
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(WIFEXITED(status));
    EDDY_CHECK_EQ(WEXITSTATUS(status), 0); /* else: the line + 1, modulo 250 */
}

struct naps_args {
    int count;
};

static int naps(struct naps_args *a)
{
    int r = 0;

    while (r == 0 && a->count--)
        r = eddy_sleep(1);
    return r;
}
EDDY_TASK(naps);

/* With a loop of its own. */
static int some_work(void)
{
    EDDY_SCOPE(s, .timeout_ms = 20000);

    EDDY_GO(&s, naps, .count = 2);
    EDDY_GO(&s, naps, .count = 1);
    return eddy_join(&s);
}

static void never(void *ctx)
{
    (void)ctx;
    CHILD(false);
}

/* --- generators ------------------------------------------------------------------------------------- */

struct numbers_args {
    bool forks;
    pid_t *child;
};

static int numbers(struct eddy_gen *gen, struct numbers_args *a)
{
    int r = eddy_gen_yield(gen, &(int){ 1 });

    if (r == 0 && a->forks && (*a->child = fork()) == 0) {
        CHILD(some_work() == 0);
        CHILD(eddy_gen_yield(gen, &(int){ 2 }) == -EDDY_EFORKED);
        return 0;
    }
    for (int n = 2; r == 0; n++)
        r = eddy_gen_yield(gen, &n);
    return r;
}
EDDY_GENERATOR(numbers, int);

/* Suspended in a yield, never asked, and one whose reader waits; closed by cleanups in the child. */
EDDY_TEST(a_generator_of_the_parents_ends_in_the_child_and_is_closed_there)
{
    pid_t child = -1;
    int n = 0;

    {
        EDDY_AUTO(eddy_gen) begun = EDDY_GEN(numbers, .child = &child);
        EDDY_AUTO(eddy_gen) fresh = EDDY_GEN(numbers, .child = &child);
        EDDY_CHECK(numbers_next(&begun, &n) && n == 1);
        child = fork();
        if (child == 0) {
            CHILD(!numbers_next(&begun, &n) && begun.status == -EDDY_EFORKED);
            CHILD(!numbers_next(&fresh, &n) && fresh.status == -EDDY_EFORKED);
            eddy_gen_done(&begun);
            eddy_gen_done(&fresh);
            CHILD(some_work() == 0);
            eddy_loop_free(eddy__loop());
            _exit(0);
        }
        EDDY_CHECK(numbers_next(&begun, &n) && n == 2);
        EDDY_CHECK(numbers_next(&fresh, &n) && n == 1);
    }
    expect_fine(child);
}

EDDY_TEST(a_generator_that_forks_is_over_in_the_child)
{
    pid_t child = -1;
    int n = 0;

    {
        EDDY_AUTO(eddy_gen) gen = EDDY_GEN(numbers, .forks = true, .child = &child);
        EDDY_CHECK(numbers_next(&gen, &n) && n == 1);
        bool more = numbers_next(&gen, &n);
        if (child == 0) {
            CHILD(!more && gen.status == -EDDY_EFORKED);
            eddy_gen_done(&gen);
            CHILD(some_work() == 0);
            eddy_loop_free(eddy__loop());
            _exit(0);
        }
        EDDY_CHECK(more && n == 2);
    }
    expect_fine(child);
}

/* --- locks, channels, futures, signals --------------------------------------------------------------- */

struct objects {
    struct eddy_mutex mutex;
    struct eddy_rwlock rwlock;
    struct eddy_semaphore semaphore;
    struct eddy_condition condition;
    struct eddy_event event;
    struct eddy_barrier barrier;
    struct eddy_wait_group group;
    struct eddy_once once;
    struct eddy_channel *channel, *shared;
    struct eddy_queue *queue;
    struct eddy_future *future;
    struct eddy_signals *signals;
    bool held;
};

static int once_waits(void *arg)
{
    struct objects *o = arg;

    return eddy_event_wait(&o->event);
}

struct waits_in_args {
    struct objects *o;
    int which;
};

enum { MUTEX, WRITE, SEMAPHORE, CONDITION, EVENT, BARRIER, GROUP, ONCE, CHANNEL, SHARED, QUEUE };
enum { FUTURE = QUEUE + 1, SIGNALS, HOLDER, WAITERS };

static int hold(struct objects *o)
{
    EDDY_LOCKED(locked, &o->mutex);
    EDDY_READ_LOCKED(read, &o->rwlock);
    EDDY_PERMITTED(permitted, &o->semaphore);

    CHILD(locked == 0 && read == 0 && permitted == 0);
    o->held = true;
    return eddy_event_wait(&o->event);
}

/* Each call that waits, on its object. */
static int wait_in(struct objects *o, int which)
{
    static struct eddy_mutex other = EDDY_MUTEX_INIT;
    int item, r;

    switch (which) {
    case MUTEX: r = eddy_mutex_lock(&o->mutex); break;
    case WRITE: r = eddy_rwlock_write(&o->rwlock); break;
    case SEMAPHORE: r = eddy_semaphore_acquire(&o->semaphore); break;
    case CONDITION:
        r = eddy_mutex_lock(&other);
        if (r == 0)
            r = eddy_condition_wait(&o->condition, &other);
        (void)eddy_mutex_unlock(&other);
        break;
    case EVENT: r = eddy_event_wait(&o->event); break;
    case BARRIER: r = eddy_barrier_wait(&o->barrier); break;
    case GROUP: r = eddy_wait_group_wait(&o->group); break;
    case ONCE: r = eddy_once_run(&o->once, once_waits, o); break;
    case CHANNEL: r = eddy_channel_receive(o->channel, &item); break;
    case SHARED: r = eddy_channel_receive(o->shared, &item); break;
    case QUEUE: r = eddy_queue_join(o->queue); break;
    case FUTURE: r = eddy_future_await(o->future, NULL); break;
    case SIGNALS: r = eddy_signals_wait(o->signals, &item); break;
    default: r = hold(o); break;
    }
    return r;
}

static int waits_in(struct waits_in_args *a)
{
    (void)wait_in(a->o, a->which);
    return 0;
}
EDDY_TASK(waits_in);

static void make_objects(struct objects *o)
{
    *o = (struct objects){ .semaphore = EDDY_SEMAPHORE_INIT(1), .barrier = EDDY_BARRIER_INIT(3) };
    eddy_wait_group_add(&o->group, 1);
    EDDY_CHECK_EQ(eddy_channel_new(sizeof(int), NULL, &o->channel), 0);
    EDDY_CHECK_EQ(eddy_channel_new(sizeof(int), EDDY_OPT(channel, .shared = true), &o->shared), 0);
    EDDY_CHECK_EQ(eddy_queue_new(sizeof(int), NULL, &o->queue), 0);
    EDDY_CHECK_EQ(eddy_queue_try_put(o->queue, &(int){ 1 }), 0);
    EDDY_CHECK_EQ(eddy_future_new(EDDY_HERE, NULL, &o->future), 0);
    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR2), &o->signals), 0);
}

/* What cleanups call. */
static void end_objects(struct objects *o)
{
    eddy_mutex_done(&o->mutex);
    eddy_rwlock_done(&o->rwlock);
    eddy_semaphore_done(&o->semaphore);
    eddy_condition_done(&o->condition);
    eddy_event_done(&o->event);
    eddy_barrier_done(&o->barrier);
    eddy_wait_group_done(&o->group);
    eddy_once_done(&o->once);
    eddy_channel_free(o->channel);
    eddy_channel_free(o->shared);
    eddy_queue_free(o->queue);
    eddy_future_free(o->future);
    eddy_signals_free(o->signals);
}

static void use_the_parents(struct objects *o)
{
    struct eddy_select_case one[] = { EDDY_ON_RECEIVE(o->channel, &(int){ 0 }) };

    for (int which = 0; which < WAITERS - 1; which++)
        CHILD(which == CONDITION || wait_in(o, which) == -EDDY_EFORKED);
    CHILD(eddy_mutex_try(&o->mutex) == -EDDY_EFORKED);
    CHILD(eddy_mutex_unlock(&o->mutex) == -EDDY_EFORKED);
    CHILD(eddy_rwlock_read(&o->rwlock) == -EDDY_EFORKED);
    CHILD(eddy_rwlock_unlock(&o->rwlock) == -EDDY_EFORKED);
    CHILD(eddy_semaphore_try(&o->semaphore) == -EDDY_EFORKED);
    eddy_semaphore_release(&o->semaphore);
    eddy_condition_notify(&o->condition);
    eddy_condition_notify_all(&o->condition);
    eddy_event_set(&o->event);
    CHILD(eddy_event_wait(&o->event) == -EDDY_EFORKED);
    eddy_barrier_abort(&o->barrier);
    eddy_barrier_reset(&o->barrier);
    CHILD(eddy_wait_group_finish(&o->group) == -EDDY_EFORKED);
    CHILD(eddy_channel_send(o->channel, &(int){ 1 }) == -EDDY_EFORKED);
    CHILD(eddy_channel_try_send(o->shared, &(int){ 1 }) == -EDDY_EFORKED);
    CHILD(eddy_channel_try_receive(o->channel, &(int){ 1 }) == -EDDY_EFORKED);
    CHILD(eddy_select(one, 1, NULL) == -EDDY_EFORKED);
    eddy_channel_close(o->channel);
    eddy_channel_close(o->shared);
    CHILD(eddy_queue_put(o->queue, &(int){ 1 }) == -EDDY_EFORKED);
    CHILD(eddy_queue_task_done(o->queue) == -EDDY_EFORKED);
    eddy_queue_shutdown(o->queue, true);
    CHILD(eddy_future_set(o->future, 1, NULL) == -EDDY_EFORKED);
    CHILD(eddy_future_result(o->future, NULL) == -EDDY_EFORKED);
    CHILD(eddy_gather(&o->future, 1, NULL) == -EDDY_EFORKED);
}

EDDY_TEST(nothing_that_the_parents_tasks_wait_in_hangs_or_aborts_in_the_child)
{
    struct objects o;

    make_objects(&o);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, waits_in, .o = &o, .which = HOLDER);
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        for (int which = 0; which < HOLDER; which++)
            EDDY_GO(&s, waits_in, .o = &o, .which = which);
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        EDDY_CHECK(o.held);
        pid_t child = fork();
        if (child == 0) {
            use_the_parents(&o);
            end_objects(&o);
            /* One that nobody has used is the child's own. */
            struct eddy_mutex fresh = EDDY_MUTEX_INIT;
            CHILD(eddy_mutex_lock(&fresh) == 0 && eddy_mutex_unlock(&fresh) == 0);
            CHILD(some_work() == 0);
            eddy_loop_free(eddy__loop());
            _exit(0);
        }
        expect_fine(child);
        EDDY_CHECK_EQ(eddy_scope_tasks(&s), HOLDER + 1);
    }
    end_objects(&o);
}

struct fork_soon_args {
    struct objects *o;
    pid_t *child;
};

static int fork_soon(struct fork_soon_args *a)
{
    EDDY_SCOPE(inner, .timeout_ms = 60000); /* is left in the child, too */
    int r = eddy_sleep(1);

    if (a->o && eddy_mutex_try(&a->o->mutex) == 0) {
        *a->child = fork();
        r = eddy_mutex_unlock(&a->o->mutex);
        if (*a->child == 0)
            CHILD(r == -EDDY_EFORKED);
        else
            r = -EIO; /* ends its scope, and so the waits of the others */
    }
    return r;
}
EDDY_TASK(fork_soon);

/* The wait of plain code ends in the child, and what stood in the parent's lists goes with it. */
EDDY_TEST(plain_code_that_waited_when_a_task_forked_unwinds_in_the_child)
{
    for (int which = 0; which < HOLDER; which++) {
        struct objects o;
        pid_t child = -1;

        if (which == MUTEX)
            continue; /* the forker's own */
        make_objects(&o);
        if (which == SEMAPHORE)
            EDDY_CHECK_EQ(eddy_semaphore_try(&o.semaphore), 0);
        if (which == WRITE)
            EDDY_CHECK_EQ(eddy_rwlock_read(&o.rwlock), 0);
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            EDDY_GO(&s, fork_soon, .o = &o, .child = &child);
            EDDY_GO(&s, waits_in, .o = &o, .which = which);
            int r = wait_in(&o, which);
            if (child == 0)
                CHILD(r == -EDDY_EFORKED);
            else
                EDDY_CHECK(r < 0);
        }
        if (child == 0) {
            end_objects(&o);
            CHILD(some_work() == 0);
            eddy_loop_free(eddy__loop());
            _exit(0);
        }
        expect_fine(child);
        if (which == WRITE)
            EDDY_CHECK_EQ(eddy_rwlock_unlock(&o.rwlock), 0);
        end_objects(&o);
    }
}

static int write_nothing(void *ctx, const char *text, size_t len)
{
    (void)ctx, (void)text, (void)len;
    return 0;
}

static void on_ready(void *ctx, unsigned events)
{
    (void)ctx, (void)events;
}

static int thread_sleeps(void *arg)
{
    (void)arg;
    return eddy_sleep(60000);
}

EDDY_TEST(what_else_hangs_on_the_parents_loop_answers_eforked_and_is_freed)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_scope *scope = NULL;
    struct eddy_thread *thread = NULL;
    struct eddy_watch *watch = NULL;
    struct eddy_alarm *alarm = NULL;
    int pipes[2] = { -1, -1 };

    if (strcmp(eddy_check_backend(), "sim") != 0) {
        EDDY_CHECK_EQ(pipe(pipes), 0);
        EDDY_CHECK_EQ(eddy_watch_new(pipes[0], EDDY_READABLE, on_ready, NULL, &watch), 0);
        EDDY_CHECK_EQ(eddy_thread_start(thread_sleeps, NULL, NULL, &thread), 0);
    }
    EDDY_CHECK_EQ(eddy_alarm_new(never, NULL, &alarm), 0);
    EDDY_CHECK_EQ(eddy_scope_new(NULL, &scope), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    pid_t child = fork();
    if (child == 0) {
        CHILD(eddy_dump_to(loop, NULL, write_nothing, NULL) == -EDDY_EFORKED);
        CHILD(eddy_dump(loop, 2) == -EDDY_EFORKED);
        CHILD(eddy_stall_watch(loop, 100) == -EDDY_EFORKED);
        CHILD(eddy_tasks_each(loop, NULL, NULL, NULL) == 0);
        CHILD(EDDY_GO(scope, naps, .count = 0) == -EDDY_EFORKED);
        eddy_scope_close(scope, never, NULL);
        eddy_alarm_start(alarm, 1);
        eddy_alarm_free(alarm);
        eddy_watch_free(watch);
        if (thread) {
            CHILD(eddy_thread_join(thread, NULL) == -EDDY_EFORKED);
            CHILD(eddy_thread_post(thread, never, NULL) == -EDDY_EFORKED);
            eddy_thread_cancel(thread);
            eddy_thread_free(thread);
        }
        CHILD(some_work() == 0);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    expect_fine(child);
    eddy_alarm_free(alarm);
    eddy_watch_free(watch);
    eddy_thread_free(thread);
    eddy_scope_close(scope, NULL, NULL);
    if (strcmp(eddy_check_backend(), "sim") != 0) {
        close(pipes[0]);
        close(pipes[1]);
    }
}
