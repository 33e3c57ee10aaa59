/*
 * task/generator.c - generators: a task that its reader drives
 *
 * The generator's task waits to be asked (`asked` says in which wait) before its first line and
 * in every yield; otherwise it works. The reader waits for the value (`reader`). Each wakes the
 * other, and since one of the two always waits, they switch to each other directly: a value is
 * two switches and no look at the loop. The loop comes in when the generator waits for something
 * else, at the first line, while somebody measures tasks, and when the reader's tries are spent.
 *
 * The state lies on the heap: the reader's struct may move, and the generator's stack goes when
 * it ends. It belongs to the reader, until that closes it in a callback, which cannot wait.
 */
#include "task/task.h"

#include "base/memory.h"

#include <eddy/generator.h>

#include <string.h>

#define SIZE_MAX_OF_ONE 4096 /* of the arguments, and of a value */

struct gen;

struct asked {
    struct eddy_wait wait; /* first */
    struct gen *gen;
};

struct reader {
    struct eddy_wait wait; /* first */
    struct gen *gen;
    void *into;
};

struct gen {
    const struct eddy_gen_type *type;
    struct eddy_loop *loop;
    struct eddy_task *task;   /* NULL: it has ended */
    struct eddy_scope *scope; /* its own; NULL before it began, and at the end */
    struct asked *asked;      /* in which it waits to be asked; NULL: it works, or has ended */
    struct reader *reader;    /* who waits for a value */
    struct eddy_wait *closer; /* who waits for its end */
    struct asked first;       /* the wait before its first line */
    int status;
    bool full;   /* `value` is one that nobody has read */
    bool closed; /* its reader has left */
    bool orphan; /* and does not wait: it frees itself */
    size_t bytes;
    char *value;
    max_align_t args[];
};

static struct gen *gen_of(const struct eddy_gen *handle)
{
    return handle->opaque[0];
}

/* --- from one to the other ---------------------------------------------------------------------- */

/* @w is over, and its task will be switched to by hand. */
static inline struct eddy_task *settle(struct eddy_wait *w, int result)
{
    struct eddy_task *t = w->task;

    assert(!w->done && t->wait == w && t->born);
    w->done = true;
    w->result = result;
    t->wait = NULL;
    t->loop->tasks_waiting--;
    return t;
}

/* End the wait @over of the other one with @result, and begin this one's, @w. Inlined, as are its
 * callers: each return after a switch is one that the processor predicts wrongly. */
static inline __attribute__((always_inline)) int wake_and_wait(struct eddy_task *t,
                                                               struct eddy_wait *over, int result,
                                                               struct eddy_wait *w)
{
    struct eddy_task *other = over->task;

    /* Not yet waiting (plain code that runs the generator), or not begun; and whatever else has to
     * be looked at is looked at on the long way. */
    if (!t->born || !other || other->wait != over || !other->born || !other->switches ||
        t->scope->why || t->loop->watched) {
        eddy__wake(over, result);
        return eddy_task_wait(t, w);
    }
    w->task = t;
    w->since_ns = t->loop->now_ns;
    t->wait = w;
    t->loop->tasks_waiting++;
    eddy_task_go_on(t, settle(over, result));
    assert(w->done && !t->wait);
    return w->result;
}

static void asked_interrupted(struct eddy_wait *w, int why)
{
    ((struct asked *)(void *)w)->gen->asked = NULL;
    eddy__wake(w, why);
}

static void reader_interrupted(struct eddy_wait *w, int why)
{
    ((struct reader *)(void *)w)->gen->reader = NULL;
    eddy__wake(w, why);
}

/* --- the generator's side ------------------------------------------------------------------------- */

int eddy_gen_yield(struct eddy_gen *handle, const void *value)
{
    struct gen *g = gen_of(handle);
    struct eddy_task *t = eddy_task_current();

    if (!t || g->task != t)
        return eddy_loop_is_parents(g->loop) ? -EDDY_EFORKED : -EINVAL;
    int r = g->closed ? -ECANCELED : eddy_scope_reason(t->scope);
    if (r < 0)
        return r;
    struct asked a = { .wait = EDDY_WAIT(asked_interrupted, "reader"), .gen = g };
    if (g->full) {
        /* An earlier wait in here was cut short by a deadline of its own. */
        g->asked = &a;
        r = eddy_task_wait(t, &a.wait);
        if (r < 0)
            return r;
        a.wait = EDDY_WAIT(asked_interrupted, "reader");
    }
    struct reader *reader = g->reader;
    g->asked = &a;
    if (reader) {
        g->reader = NULL;
        memcpy(reader->into, value, g->type->value_size);
        return wake_and_wait(t, &reader->wait, 1, &a.wait);
    }
    memcpy(g->value, value, g->type->value_size);
    g->full = true;
    return eddy_task_wait(t, &a.wait);
}

struct body_args {
    struct gen *gen;
};

static int body(struct body_args *a)
{
    struct gen *g = a->gen;
    struct eddy_gen self = { .size = sizeof self, .opaque = { g } };
    struct eddy_scope scope;

    eddy_scope_enter(&scope, NULL);
    g->scope = &scope;
    if (g->closed)
        eddy_scope_cancel(&scope);
    int r = g->type->call(&self, g->args);
    eddy_scope_leave(&scope);
    g->scope = NULL;
    g->status = r < 0 ? r : 0;
    g->task = NULL;
    if (g->closer) {
        eddy__wake(g->closer, 0);
    } else if (g->orphan) {
        eddy__free(g, g->bytes);
    } else if (g->reader) {
        struct reader *reader = g->reader;
        g->reader = NULL;
        eddy__wake(&reader->wait, 0);
    }
    return 0; /* what went wrong is for its reader, not for its scope */
}

static int call_body(void *args)
{
    return body(args);
}

/* --- birth -------------------------------------------------------------------------------------------- */

/* Let it wait before its first line, as if it had run; or run, if its scope has ended. */
static void hold(struct gen *g)
{
    struct eddy_task *t = g->task;

    if (eddy_scope_reason(t->scope) < 0) {
        eddy_task_run_soon(t);
        return;
    }
    g->first = (struct asked){ .wait = EDDY_WAIT(asked_interrupted, "first reader"), .gen = g };
    g->first.wait.task = t;
    g->first.wait.since_ns = t->loop->now_ns;
    g->asked = &g->first;
    t->wait = &g->first.wait;
    t->loop->tasks_waiting++;
}

static int make(const struct eddy_gen_type *type, const void *args, struct eddy_site site,
                struct gen **ret_gen)
{
    static const struct eddy_task_type body_type = { sizeof body_type, "generator", call_body,
                                                     sizeof(struct body_args) };
    struct eddy_task *t = eddy_task_current();

    if (!t)
        return eddy_task_refusal();
    if (type->args_size > SIZE_MAX_OF_ONE || type->value_size > SIZE_MAX_OF_ONE)
        return -EINVAL;
    const size_t align = sizeof(max_align_t);
    size_t args_size = (type->args_size + align - 1) / align * align;
    size_t bytes = sizeof(struct gen) + args_size + type->value_size;
    struct gen *g = eddy__alloc(bytes);
    if (!g)
        return -ENOMEM;
    *g = (struct gen){ .type = type, .loop = t->loop, .bytes = bytes };
    memcpy(g->args, args, type->args_size);
    g->value = (char *)g->args + args_size;

    int r = eddy_task_make(t->scope, &body_type, &(struct body_args){ g }, site, NULL, &g->task);
    if (r < 0) {
        eddy__free(g, bytes);
        return r;
    }
    strncpy(g->task->name, type->name, sizeof g->task->name - 1);
    g->task->name[sizeof g->task->name - 1] = '\0';
    hold(g);
    eddy__debug_born(g->loop, g, "a generator");
    *ret_gen = g;
    return 0;
}

struct eddy_gen eddy_gen(const struct eddy_gen_type *type, const void *args, struct eddy_site site)
{
    struct eddy_gen handle = { .size = sizeof handle };
    struct gen *g = NULL;

    handle.status = make(type, args, site, &g);
    handle.opaque[0] = g;
    return handle;
}

/* --- the reader's side ------------------------------------------------------------------------------------ */

/* Have it go on from where it waits to be asked, and wait for what it says. */
static inline __attribute__((always_inline)) int ask(struct gen *g, struct eddy_task *t,
                                                     struct eddy_wait *w)
{
    struct eddy_wait *asked = &g->asked->wait;

    g->asked = NULL;
    if (t->born)
        return wake_and_wait(t, asked, 0, w);
    /* Plain code has a whole iteration to wait for it, so it runs it by hand first. */
    struct eddy_task *other = settle(asked, 0);
    t->loop->depth++;
    eddy_task_resume(other);
    t->loop->depth--;
    return eddy_task_wait(t, w);
}

static inline __attribute__((always_inline)) int next(struct gen *g,
                                                      const struct eddy_gen_type *type,
                                                      void *ret_value)
{
    struct eddy_task *t = eddy_task_current();

    if (eddy_loop_is_parents(g->loop))
        return -EDDY_EFORKED;
    int r = t ? eddy_scope_reason(t->scope) : eddy_task_refusal();
    if (r < 0)
        return r;
    if (type != g->type)
        return -EINVAL;
    if (g->reader || g->task == t)
        return -EBUSY;
    if (g->full) {
        memcpy(ret_value, g->value, type->value_size);
        g->full = false;
        r = 1;
    } else if (g->task) {
        struct reader me = { .wait = EDDY_WAIT(reader_interrupted, "generator"),
                             .gen = g,
                             .into = ret_value };
        g->reader = &me;
        r = g->asked ? ask(g, t, &me.wait) : eddy_task_wait(t, &me.wait);
        if (r < 0)
            return r;
    }
    if (eddy_loop_is_parents(g->loop)) /* it has forked, and this is the child */
        return -EDDY_EFORKED;
    eddy_task_spend(t);
    return r > 0 ? r : g->status;
}

bool eddy_gen_next(struct eddy_gen *handle, const struct eddy_gen_type *type, void *ret_value)
{
    struct gen *g = gen_of(handle);

    if (!g)
        return false;
    int r = next(g, type, ret_value);
    handle->status = r < 0 ? r : 0;
    return r > 0;
}

void eddy_gen_done(struct eddy_gen *handle)
{
    struct gen *g = gen_of(handle);

    if (!g)
        return;
    handle->opaque[0] = NULL;
    eddy__debug_gone(g->loop, g);
    if (eddy_loop_is_parents(g->loop)) { /* it will not run again, here */
        eddy__free(g, g->bytes);
        return;
    }
    assert(!g->reader && "a generator is closed when nobody reads from it");
    if (g->task) {
        struct eddy_task *t = eddy_task_current();
        assert(t != g->task && "a generator does not close itself");
        g->closed = true;
        if (g->scope)
            eddy_scope_cancel(g->scope);
        if (g->asked) { /* not begun, or inside a shield */
            struct eddy_wait *w = &g->asked->wait;
            g->asked = NULL;
            eddy__wake(w, -ECANCELED);
        }
        if (!t) {
            g->orphan = true;
            return;
        }
        struct eddy_wait w = EDDY_WAIT(NULL, "end of generator");
        g->closer = &w;
        (void)eddy_task_wait(t, &w);
    }
    eddy__free(g, g->bytes);
}
