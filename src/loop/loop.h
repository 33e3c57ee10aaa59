/*
 * loop/loop.h - the loop from inside: what the rooms above hang on it
 */
#ifndef EDDY_LOOP_LOOP_H
#define EDDY_LOOP_LOOP_H

#include "base/fault.h"
#include "base/list.h"
#include "base/wheel.h"
#include "loop/driver.h"

#include <eddy/loop.h>

#include <stdatomic.h>

/* Something to be run in the next iteration's ready phase. Embedded in its owner. */
struct eddy_soon;
typedef void eddy_soon_fn(struct eddy_soon *s);
struct eddy_soon {
    struct eddy_list link; /* self-linked while not queued; zero before the first use */
    eddy_soon_fn *run;
};

/* What other rooms keep for each loop. Freed in this order when the loop ends. */
enum eddy_loop_slot {
    EDDY_SLOT_CLIENT, /* http: the client's pool of connections */
    EDDY_SLOT_SERVER, /* http: arenas, dates */
    EDDY_SLOT_DNS,
    EDDY_SLOT_TLS,     /* tls: handshakes that wait for their turn */
    EDDY_SLOT_PROCESS, /* process: children that live */
    EDDY_SLOT_STREAM,
    EDDY_SLOT_STDIO, /* terminal: the process's own streams */
    EDDY_SLOT_WATCH, /* loop: watches nobody has freed */
    EDDY_SLOT_DUMP,  /* task: the signal that asks for a dump */
    EDDY_SLOT_TASK,  /* task: the stack pool, the root task */
    EDDY_SLOTS
};

/* A function handed to the loop from any thread; allocated by eddy_post(), or embedded. */
struct eddy_post {
    struct eddy_post *next;
    void (*fn)(void *ctx);
    void *ctx;
    bool embedded;
};

struct eddy_debug;
struct eddy_stall;
struct eddy_culprit;

struct eddy_loop {
    struct eddy_driver *driver;
    int64_t now_ns; /* read once an iteration, and after waits */
    struct eddy_wheel wheel;
    struct eddy_list ready; /* of struct eddy_soon */
    struct eddy_list batch; /* of it, what this iteration's ready phase has still to run */
    unsigned joins;         /* how many may still join the batch; 0 outside the phase */
    void *current;          /* the task that runs; task/'s */
    unsigned depth;         /* of turns and tasks on the thread's stack: 0 in plain code */
    bool stop;
    bool running;         /* inside eddy_loop_run() or a wait of plain code, past its first turn */
    bool watched;         /* somebody wants to see times: tasks and callbacks are measured */
    bool nudged;          /* what plain code waits for has come: do not sleep in this iteration */
    bool owned_by_thread; /* made by eddy_loop_current() */
    char why[256];        /* why a better backend is not active */
    /* Under the simulator: on which of its hosts plain code runs; and of what runs now, asked of
     * task/ where there are tasks. */
    uint16_t host;
    uint16_t *(*host_now)(struct eddy_loop *loop);
    void *slot[EDDY_SLOTS];
    void (*slot_free[EDDY_SLOTS])(void *slot);

    _Atomic(struct eddy_post *) posts; /* a stack, newest first; any thread pushes */
    atomic_uint posters;               /* threads that are pushing one just now */
    atomic_bool asleep;                /* in, or about to enter, the driver's wait */
    _Atomic uint64_t signals;          /* bits of signals that came */
    struct eddy_loop_options options;
    struct eddy_pool *pool;   /* pool.c's: threads for blocking work, made when first needed */
    struct eddy_guest *guest; /* guest.c's: it turns inside another's loop; NULL: it does not */
    struct eddy_list idle;    /* of struct eddy_idle, those that have something to do */
    struct eddy_idle *idling; /* whose function runs; NULL: nobody's, or it has been stopped */
    unsigned forks; /* eddy_forks when it was made; where they differ it is the parent's */
    void (*on_fork)(struct eddy_loop *loop); /* task/'s: in the child its scopes are over */
    struct eddy_loop *before;                /* fork.c's, in the child: another one of a parent */

    struct eddy_debug *debug; /* debug.c's; NULL: nobody wants to hear of mistakes */
    struct eddy_stall *stall; /* stall.c's; NULL: nobody watches for stalls */
    /* The task that runs, told to a signal handler; set by task/. */
    void (*who)(const void *task, struct eddy_culprit *ret_culprit);
    atomic_bool turning; /* in an iteration, for other threads' eyes */

    /* What eddy_loop_info() tells. Written by this thread alone; two are read by others, which
     * see from them that the loop goes on. */
    _Atomic uint64_t iterations;
    _Atomic uint64_t switches; /* times a task was resumed */
    uint64_t completions;
    uint64_t timers_fired;
    uint64_t posts_run;
    uint64_t tasks_spawned; /* the last one's id */
    uint64_t tasks_finished;
    size_t tasks_waiting;
    size_t scopes;
    uint64_t sleeps;
    int64_t born_ns;
    int64_t asleep_ns;
    int64_t longest_ns;
};

/* One more, of what only the loop's own thread writes. */
static inline void eddy_loop_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* This thread's loop or NULL: no making. One non-inlined accessor, because a task may not
 * cache a thread-local's address. */
EDDY_PRIVATE struct eddy_loop *eddy__loop(void);

/* What to say after eddy_loop_current() was NULL: why the loop could not be made. With a loop it is
 * -ENOMEM, so that who needs a loop and memory has one answer for both. */
EDDY_PRIVATE int eddy__loop_refusal(void);

/* Submit and cancel: see op.h. The `op` fault seam is here, on every driver. */
EDDY_PRIVATE bool eddy__op_submit(struct eddy_loop *loop, struct eddy_op *op);
EDDY_PRIVATE bool eddy__op_cancel(struct eddy_loop *loop, struct eddy_op *op);

/* The name of an operation's kind, as eddy_loop_info() tells it. */
EDDY_PRIVATE const char *eddy__op_name(unsigned kind);

/* Run @s once in the next ready phase; harmless if it is queued already. */
EDDY_PRIVATE void eddy__soon(struct eddy_loop *loop, struct eddy_soon *s, eddy_soon_fn *run);
EDDY_PRIVATE void eddy__soon_cancel(struct eddy_soon *s);

/* The same, but in this ready phase, behind all that it will run, if one goes on and a bounded
 * number has not joined it yet. For whom a task wakes: two tasks that work for each other do not
 * pay an iteration for each step. */
EDDY_PRIVATE void eddy__soon_join(struct eddy_loop *loop, struct eddy_soon *s, eddy_soon_fn *run);

/* Timers on the loop's clock; see base/wheel.h. */
EDDY_PRIVATE void eddy__timer_start(struct eddy_loop *loop, struct eddy_timer *t,
                                    int64_t deadline_ns, eddy_timer_fn *fire);
EDDY_PRIVATE void eddy__timer_stop(struct eddy_loop *loop, struct eddy_timer *t);

/* As eddy_post(), with the memory in the caller's hands until @post->fn is called. */
EDDY_PRIVATE void eddy__post_embedded(struct eddy_loop *loop, struct eddy_post *post);

/* Who hears of a signal, from the loop, as a callback. Zero `loop`: of none. unhear() may be called
 * from fn, and where hear() failed. */
struct eddy_hearer {
    struct eddy_list link;
    struct eddy_loop *loop;
    int signo;
    void (*fn)(struct eddy_hearer *h);
};
EDDY_PRIVATE int eddy__signal_hear(struct eddy_loop *loop, int signo, struct eddy_hearer *h);
EDDY_PRIVATE int eddy__signal_unhear(struct eddy_hearer *h);

/* The clock of this loop's driver, afresh; loop->now_ns is the cheap one. */
static inline int64_t eddy_loop_clock(struct eddy_loop *loop)
{
    return loop->driver->ops->now_ns(loop->driver);
}

static inline uint16_t *eddy_loop_host(struct eddy_loop *loop)
{
    return loop->host_now ? loop->host_now(loop) : &loop->host;
}

/* -EDDY_ESIM under the simulator, with a line in the log (once each) that says it does not do
 * @what ("processes"); elsewhere 0. */
EDDY_PRIVATE int eddy__sim_refuse(struct eddy_loop *loop, const char *what);

/* One iteration, from plain code that waits (task/wait.c) or eddy_loop_turn(). */
EDDY_PRIVATE int eddy__loop_iterate(struct eddy_loop *loop, int64_t timeout_ns);

/* Whether the loop is in an iteration on this thread: then plain code is a callback. */
static inline bool eddy_loop_is_turning(const struct eddy_loop *loop)
{
    return loop->depth > 0;
}

void eddy_post_run_all(struct eddy_loop *loop);
void eddy_post_close(struct eddy_loop *loop); /* the same, and nothing is taken from here on */
void eddy_signals_run(struct eddy_loop *loop);
/* A fault repeats when its handler returns, and two signals cannot be caught. */
bool eddy_signal_is_nobodys(int signo);
void eddy_signals_forget(struct eddy_loop *loop);
int eddy_backend_open(struct eddy_loop *loop, const char *name);
size_t eddy_pool_out(const struct eddy_loop *loop); /* pieces of work that will come home */
void eddy_pool_free(struct eddy_loop *loop);

/* fork.c: a loop belongs to the process that made it. In the child of a fork nothing of it moves
 * any more, the kernel's part is not touched, and whoever uses it is told -EDDY_EFORKED. */
extern unsigned eddy_forks; /* how many lie between the program's first process and this one */
int eddy_fork_watch(void);
void eddy_loop_set(struct eddy_loop *loop); /* this thread's, or NULL */
void eddy_signals_forked(void);
static inline bool eddy_forked_since(unsigned forks)
{
    return __builtin_expect(forks != eddy_forks, 0);
}
static inline bool eddy_loop_is_parents(const struct eddy_loop *loop)
{
    return eddy_forked_since(loop->forks);
}
bool eddy_dead_submit(struct eddy_op *op); /* refused; but the child's descriptors are closed */
bool eddy_dead_cancel(struct eddy_op *op);

/* The same for other libraries of ours. */
EDDY_PRIVATE bool eddy__loop_is_parents(const struct eddy_loop *loop);

/* guest.c. touch: something outside a turn may have made work for one. rest: a turn is over. */
void eddy_guest_touch(struct eddy_loop *loop);
void eddy_guest_rest(struct eddy_loop *loop);
void eddy_guest_free(struct eddy_loop *loop);
static inline void eddy_loop_touch(struct eddy_loop *loop)
{
    if (__builtin_expect(loop->guest != NULL, 0))
        eddy_guest_touch(loop);
}

void eddy_idle_run(struct eddy_loop *loop); /* one slice of the first in the list */

#endif
