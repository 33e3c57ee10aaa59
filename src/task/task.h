/*
 * task/task.h - tasks and scopes from inside
 *
 * A task's record lies at the top of its own stack, with its arguments below: a sleeping task
 * is one warm page. It is ready (in the loop's queue), running (loop->current), suspended
 * (task->wait says in what), or done, which it stays only until the loop has reaped it.
 *
 * Two trees in one: a scope's children are tasks; a task's body, and plain code, enter scopes
 * one inside the other. So every scope has a parent scope, and the end of one walks down over
 * `subscopes`. Who waits with scope S as its innermost is found from S: its owner (the body that
 * entered it) and its children, those of them that have entered no scope of their own.
 */
#ifndef EDDY_TASK_TASK_H
#define EDDY_TASK_TASK_H

#include "loop/debug.h"
#include "task/context.h"
#include "task/stack.h"
#include "task/wait.h"

#include <eddy/task.h>

struct scope;

struct eddy_task {
    struct eddy_context context;
    struct eddy_soon soon;     /* its turn to run */
    struct eddy_list siblings; /* in born->tasks */
    struct scope *born;        /* the scope it is a child of; NULL for the root */
    struct scope *scope;       /* innermost */
    struct eddy_wait *wait;    /* in what it is suspended */
    struct eddy_loop *loop;
    const struct eddy_task_type *type;
    void *args;
    int (*deep)(void *arg); /* eddy_call_deep(): to be run on the thread's stack */
    void *deep_arg;
    int result;
    int budget; /* tries that may succeed at once before it yields */
    bool done;
    char name[32]; /* its own; "": the type's */
    struct eddy_site site;
    uint64_t id;       /* the how manyeth of its loop; 0: the root */
    uint64_t switches; /* times it was resumed */
    int64_t born_ns;   /* on the loop's clock as it was last read */
    int64_t busy_ns;   /* time it ran, counted while somebody watches (loop->watched) */
    int64_t ran_ns;    /* when it was resumed last, while somebody watches; else 0 */
    struct eddy_local_value *locals; /* that hold to its end; task/local.c's */
    struct eddy_future *future;      /* of eddy_spawn(): completed by its end */
    bool future_only;                /* which alone hears of a failure */
    uint16_t host;                   /* of the simulator: inherited by what it spawns */
};

struct scope {
    size_t size; /* of the public struct; first, as there */
    struct eddy_loop *loop;
    struct scope *parent;
    struct eddy_task *owner;   /* whose body is inside; NULL: callback code's */
    struct eddy_list siblings; /* in parent->subscopes */
    struct eddy_list subscopes;
    struct eddy_list tasks;   /* children that live */
    struct eddy_list wards;   /* of struct eddy_ward: what is no task, and ends with it */
    struct eddy_wait *joiner; /* who waits for the last child */
    size_t count;             /* of tasks */
    size_t failures;
    int64_t deadline_ns; /* its own; INT64_MAX: none */
    int64_t nearest_ns;  /* of its own and all outer ones that reach in */
    struct eddy_timer timer;
    void (*on_fail)(void *ctx, const char *task_name, int error);
    void *ctx;
    void (*on_empty)(void *ctx);
    void *on_empty_ctx;
    struct eddy_soon soon;           /* on_empty is called from the loop */
    struct eddy_local_value *locals; /* that its owner set in it; task/local.c's */
    int error;                       /* the first failure */
    int why;                         /* what waits in it return; 0 while it goes on */
    int refused; /* entered in a callback or without memory: nothing may be started in it */
    bool isolate;
    bool shield;
    bool expired;
    bool draining;
    bool leaving;  /* the joiner waits for the wards, too */
    bool closing;  /* eddy__scope_close() was called */
    bool heap;     /* of eddy_scope_new() */
    uint16_t host; /* of the simulator, for tasks that callbacks spawn in it */
} __attribute__((may_alias));

static_assert(sizeof(struct scope) <= sizeof(struct eddy_scope), "a placed scope has room");

/* What this room keeps for a loop, in EDDY_SLOT_TASK. */
struct task_room {
    struct eddy_task root; /* plain code */
    struct scope root_scope;
    struct eddy_context thread;
    struct eddy_stack_pool stacks;
    uint64_t dice; /* eddy_select()'s; 0: not seeded yet */
    bool chained;  /* the loop resumed who runs: they may go on as the next in its batch */
};

#define TRIES_A_TURN 32

static inline struct scope *scope_of(struct eddy_scope *s)
{
    return (struct scope *)(void *)s;
}

static inline const char *eddy_task_name_of(const struct eddy_task *t)
{
    return t->name[0] ? t->name : t->type->name;
}

/* The stack at whose top the record lies, and back. */
static inline struct eddy_stack *eddy_task_stack(const struct eddy_task *t)
{
    return (struct eddy_stack *)((uintptr_t)t + ((sizeof *t + 15) & ~(size_t)15));
}

static inline struct eddy_task *eddy_task_on(const struct eddy_stack *s)
{
    return (struct eddy_task *)((uintptr_t)s - ((sizeof(struct eddy_task) + 15) & ~(size_t)15));
}

/* This thread's room, made when there is none; NULL: eddy__loop_refusal() says why. */
struct task_room *eddy_task_room(void);

/* Who runs: a task, the root in plain code, NULL in a callback (or without memory). */
struct eddy_task *eddy_task_current(void);

/* Why there is no current task: a callback (-EDEADLK), or no loop, or no memory in it. */
static inline int eddy_task_refusal(void)
{
    struct eddy_loop *loop = eddy__loop();

    int r = loop && loop->depth ? eddy_debug_refused(loop) : eddy__loop_refusal();
    assert(r < 0);
    return r;
}

/* Leave the running task; comes back when its `soon` has run. */
static inline void eddy_task_suspend(struct eddy_task *t)
{
    struct task_room *room = t->loop->slot[EDDY_SLOT_TASK];

    assert(t->loop->current == t);
    eddy_context_switch(&t->context, &room->thread);
}

/* Task-locals that end with a scope or a task. */
void eddy_locals_free(struct eddy_local_value **at);

void eddy_task_run_soon(struct eddy_task *t);
void eddy_task_resume_soon(struct eddy_soon *s); /* what its `soon` runs */

void eddy_task_resume(struct eddy_task *t); /* right now, from the thread's stack */

/* A child that is not queued to run yet. Its failure to be is not told to the scope. */
int eddy_task_make(struct scope *s, const struct eddy_task_type *type, const void *args,
                   struct eddy_site site, const struct eddy_go_options *options,
                   struct eddy_task **ret_task);

/* Leave the running task @t for @next, which has run before and is not queued: what the loop would
 * do with two switches, done with one. */
static inline __attribute__((always_inline)) void eddy_task_go_on(struct eddy_task *t,
                                                                  struct eddy_task *next)
{
    assert(t->loop->current == t && next->born && next->switches && !next->wait);
    next->switches++;
    next->ran_ns = 0;
    eddy_loop_count(&t->loop->switches);
    t->loop->current = next;
    eddy_context_switch(&t->context, &next->context);
}

/* eddy__wait() and eddy__budget_spend() of who runs, for callers that have it in hand. */
int eddy_task_wait(struct eddy_task *t, struct eddy_wait *w);
void eddy_task_give_way(struct eddy_task *t);

static inline void eddy_task_spend(struct eddy_task *t)
{
    if (--t->budget <= 0)
        eddy_task_give_way(t);
}

/* The task on @s has ended, and the canary is no more: says so, and ends the process. */
_Noreturn void eddy_overflow_found(struct eddy_stack *s);

/* inspect.c: tell the log of the tasks that live, at the loop's end. */
void eddy_tasks_left(struct task_room *room);

/* The operation that eddy__op_wait() waits for; NULL: this is another kind of wait. */
const struct eddy_op *eddy_wait_op(const struct eddy_wait *w);

void eddy_scope_init(struct scope *s, struct eddy_loop *loop, struct scope *parent,
                     const struct eddy_scope_options *options);
void eddy_scope_child_done(struct scope *s, const char *name, int result);
void eddy_scope_fail(struct scope *s, int error); /* a child failed, or could not be made */
void eddy_scopes_forked(struct eddy_loop *loop);  /* in the child of a fork all are refused */
int eddy_scope_reason(struct scope *s);           /* ->why, with late deadlines seen to */

#endif
