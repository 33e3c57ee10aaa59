/*
 * task/task.c - birth, running and end of tasks
 */
#include "task/task.h"

#include "base/memory.h"
#include "loop/stall.h"
#include "task/census.h"
#include "task/future.h"

#include <eddy/log.h>

#include <stdio.h>
#include <string.h>

#define ARGS_MAX 1024

/* --- the room --------------------------------------------------------------------------------- */

/* For a signal handler: nothing but copying. */
static void who(const void *task, struct eddy_culprit *ret_culprit)
{
    const struct eddy_task *t = task;
    const char *name = eddy_task_name_of(t);
    size_t len = 0;

    for (; name[len] && len + 1 < sizeof ret_culprit->name; len++)
        ret_culprit->name[len] = name[len];
    ret_culprit->name[len] = '\0';
    ret_culprit->id = t->id;
    ret_culprit->file = t->site.file;
    ret_culprit->line = t->site.line;
}

static void free_room(void *slot)
{
    struct task_room *room = slot;

    /* A scope that nobody closed: what follows ends the program. */
    eddy_tasks_left(room);
    eddy_futures_left(room->root.loop);
    assert(eddy_list_is_empty(&room->root_scope.tasks));
    eddy_locals_free(&room->root_scope.locals);
    eddy_stack_pool_done(&room->stacks);
    eddy_census_at_end();
    eddy__free(room, sizeof *room);
}

static uint16_t *host_now(struct eddy_loop *loop)
{
    struct eddy_task *t = loop->current;

    return t ? &t->host : &loop->host;
}

static struct task_room *make_room(struct eddy_loop *loop)
{
    static const struct eddy_task_type main_type = { sizeof main_type, "main", NULL, 0 };
    struct task_room *room = eddy__zalloc(sizeof *room);

    if (!room)
        return NULL;
    eddy_context_of_thread(&room->thread);
    eddy_stack_pool_init(&room->stacks, loop, loop->options.stack_pool_bytes);
    room->stacks.overrun = eddy_overflow_found;
    room->root.loop = loop;
    room->root.type = &main_type;
    room->root.budget = TRIES_A_TURN;
    room->root.scope = &room->root_scope;
    eddy_scope_init(&room->root_scope, loop, NULL, NULL);
    room->root_scope.owner = &room->root;
    loop->slot[EDDY_SLOT_TASK] = room;
    loop->slot_free[EDDY_SLOT_TASK] = free_room;
    loop->who = who;
    loop->on_fork = eddy_scopes_forked;
    loop->host_now = host_now;
    return room;
}

struct task_room *eddy_task_room(void)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!loop)
        return NULL;
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    return room ? room : make_room(loop);
}

struct eddy_task *eddy_task_current(void)
{
    struct eddy_loop *loop = eddy__loop();

    if (loop && loop->current)
        return loop->current;
    if (loop && loop->depth)
        return NULL;
    struct task_room *room = eddy_task_room();
    return room ? &room->root : NULL;
}

/* --- running ------------------------------------------------------------------------------------ */

static void reap(struct task_room *room, struct eddy_task *t)
{
    struct scope *born = t->born;
    const char *name = t->type->name;
    char own[sizeof t->name];
    struct eddy_future *future = t->future;
    bool told = future && t->future_only;
    int result = t->result;

    if (t->name[0])
        name = memcpy(own, t->name, sizeof own);
    t->loop->tasks_finished++;
    eddy_context_done(&t->context);
    eddy_list_remove(&t->siblings);
    eddy_locals_free(&t->locals);
    eddy_census_note(t);
    eddy_stack_give(&room->stacks, eddy_task_stack(t)); /* the record is gone with it */
    if (future) /* before the scope hears of it, and cancels who awaits it there */
        eddy_future_complete(future, result);
    eddy_scope_child_done(born, name, told ? 0 : result);
}

/* Switch to @t until it, or whom it passed to, suspends or ends. From the thread's stack. */
static inline void resume(struct eddy_task *t, bool chained)
{
    struct eddy_loop *loop = t->loop;
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    void *outer = loop->current;

    assert(!outer);
    t->budget = TRIES_A_TURN;
    t->switches++;
    eddy_loop_count(&loop->switches);
    if (__builtin_expect(loop->watched, false))
        t->ran_ns = eddy_loop_clock(loop);
    for (;;) {
        loop->current = t;
        room->chained = chained;
        eddy_context_switch(&room->thread, &t->context);
        room->chained = false;
        t = loop->current; /* who came back: eddy_task_go_on() may have changed it */
        loop->current = outer;
        if (!t->deep)
            break;
        /* eddy_call_deep(): as a callback, so that what would wait is refused. */
        t->result = t->deep(t->deep_arg);
        t->deep = NULL;
    }
    if (__builtin_expect(loop->watched, false) && t->ran_ns)
        t->busy_ns += eddy_loop_clock(loop) - t->ran_ns;
    if (t->done)
        reap(room, t);
}

void eddy_task_resume(struct eddy_task *t)
{
    resume(t, false);
}

void eddy_task_resume_soon(struct eddy_soon *s)
{
    resume(eddy_container_of(s, struct eddy_task, soon), true);
}

void eddy_task_run_soon(struct eddy_task *t)
{
    eddy__soon(t->loop, &t->soon, eddy_task_resume_soon);
}

static void begin(void *arg)
{
    struct eddy_task *t = arg;
    struct task_room *room = t->loop->slot[EDDY_SLOT_TASK];

    eddy_context_arrived(&t->context, &room->thread);
    t->result = t->type->call(t->args);
    assert(t->scope == t->born && !t->wait);
    t->done = true;
    eddy_context_leave(&t->context, &room->thread);
}

/* --- birth --------------------------------------------------------------------------------------- */

/* Record and arguments at the top of the stack; what is left below is the stack proper. */
static struct eddy_task *build(struct task_room *room, struct scope *s,
                               const struct eddy_task_type *type, const void *args,
                               struct eddy_site site, const struct eddy_go_options *options,
                               struct eddy_stack_class *class)
{
    struct eddy_stack *stack = eddy_stack_take(&room->stacks, class);

    if (!stack)
        return NULL;
    char *low = eddy_stack_low(stack);
    struct eddy_task *t = eddy_task_on(stack);
    char *at = (char *)t - ((type->args_size + 15) & ~(size_t)15);
    memcpy(at, args, type->args_size);

    eddy_context_make(&t->context, low, (size_t)(at - low), begin, t);
    t->soon = (struct eddy_soon){ .link = { NULL, NULL } };
    t->born = t->scope = s;
    t->wait = NULL;
    t->loop = s->loop;
    t->type = type;
    t->args = at;
    t->deep = NULL;
    t->deep_arg = NULL;
    t->result = 0;
    t->budget = TRIES_A_TURN;
    t->done = false;
    t->name[0] = '\0';
    t->site = site;
    t->id = ++s->loop->tasks_spawned;
    t->switches = 0;
    t->ran_ns = 0;
    t->born_ns = s->loop->now_ns;
    t->busy_ns = 0;
    t->locals = NULL;
    t->future = NULL;
    t->future_only = false;
    /* Who spawns passes on where it is; a callback is nowhere, its scope was made somewhere. */
    t->host = s->loop->current || !s->loop->depth ? *host_now(s->loop) : s->host;
    if (options && options->name)
        snprintf(t->name, sizeof t->name, "%s", options->name);
    eddy_list_push(&s->tasks, &t->siblings);
    s->count++;
    return t;
}

/* Programs that were compiled before it was there ask for nothing. */
static size_t stack_bytes_of(const struct eddy_go_options *o)
{
    const size_t until = offsetof(struct eddy_go_options, stack_bytes) + sizeof o->stack_bytes;

    return o->size >= until ? o->stack_bytes : 0;
}

int eddy_task_make(struct scope *s, const struct eddy_task_type *type, const void *args,
                   struct eddy_site site, const struct eddy_go_options *options,
                   struct eddy_task **ret_task)
{
    if (s->refused)
        return s->refused;
    struct task_room *room = s->loop->slot[EDDY_SLOT_TASK]; /* there is one, or it were refused */
    struct eddy_stack_class *class = &room->stacks.classes[EDDY_STACK_DEFAULT];

    if (options && stack_bytes_of(options))
        class = eddy_stack_class_of(&room->stacks, stack_bytes_of(options));
    if (type->args_size > ARGS_MAX || !class)
        return -EINVAL;
    *ret_task = build(room, s, type, args, site, options, class);
    return *ret_task ? 0 : -ENOMEM;
}

static int spawn(struct eddy_scope *scope, const struct eddy_task_type *type, const void *args,
                 struct eddy_site site, const struct eddy_go_options *options,
                 struct eddy_task **ret_task)
{
    struct scope *s = scope_of(scope);

    int r = eddy_task_make(s, type, args, site, options, ret_task);
    if (r < 0 && !s->refused)
        eddy_scope_fail(s, r);
    return r;
}

int eddy_go(struct eddy_scope *scope, const struct eddy_task_type *type, const void *args,
            struct eddy_site site, const struct eddy_go_options *options)
{
    struct eddy_task *t;

    int r = spawn(scope, type, args, site, options, &t);
    if (r == 0)
        eddy_task_run_soon(t);
    return r;
}

int eddy__go_now(struct eddy_scope *scope, const struct eddy_task_type *type, const void *args)
{
    struct eddy_task *t;

    int r = spawn(scope, type, args, (struct eddy_site){ NULL, 0 }, NULL, &t);
    if (r == 0)
        eddy_task_resume(t);
    return r;
}

/* --- small questions -------------------------------------------------------------------------------- */

const char *eddy_task_name(void)
{
    struct eddy_loop *loop = eddy__loop();
    struct eddy_task *t = loop ? loop->current : NULL;

    return t ? eddy_task_name_of(t) : "main";
}

void eddy_task_set_name(const char *name)
{
    struct eddy_loop *loop = eddy__loop();
    struct eddy_task *t = loop ? loop->current : NULL;

    if (t)
        snprintf(t->name, sizeof t->name, "%s", name ? name : "");
}

int eddy_call_deep(int (*fn)(void *arg), void *arg)
{
    struct eddy_loop *loop = eddy__loop();
    struct eddy_task *t = loop ? loop->current : NULL;

    if (!t)
        return fn(arg);
    t->deep_arg = arg;
    t->deep = fn;
    eddy_task_suspend(t);
    int r = t->result;
    t->result = 0;
    return r;
}
