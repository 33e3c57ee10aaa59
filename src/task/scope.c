/*
 * task/scope.c - scopes: who belongs to whom, and how an end spreads
 *
 * An end has a reason for each scope it reaches: the scope that ended itself by its deadline gives
 * -ETIMEDOUT, every scope inside it -ECANCELED; -ECANCELED outranks. `why` is written down in each
 * scope when the end arrives, so the look at the entry of every call is one load. A shield keeps
 * the ends of outer scopes out.
 *
 * Nothing here runs anybody's code: waits that are interrupted make their tasks ready.
 */
#include "task/task.h"

#include "base/memory.h"

#include <string.h>

/* --- the walk ----------------------------------------------------------------------------------- */

/* The next scope of the tree under @top, in preorder, without recursion: nesting is the
 * program's, and it may be deep. Shields and what is inside them are left out. */
static struct scope *next_inside(struct scope *top, struct scope *at, bool skip_inner)
{
    struct eddy_list *link = skip_inner ? &at->subscopes : at->subscopes.next;
    struct eddy_list *head = &at->subscopes;

    if (skip_inner)
        link = head;
    for (;;) {
        for (; link != head; link = link->next) {
            struct scope *s = eddy_container_of(link, struct scope, siblings);
            if (!s->shield)
                return s;
        }
        if (at == top)
            return NULL;
        link = at->siblings.next;
        at = at->parent;
        head = &at->subscopes;
    }
}

static void interrupt(struct eddy_task *t, struct scope *s, int why)
{
    struct eddy_wait *w = t->wait;

    if (!w || w->done || t->scope != s)
        return;
    if (why == -EDDY_EDRAINING) {
        if (w->polite && !w->why)
            w->interrupt(w, why);
        return;
    }
    bool first = !w->why;
    w->why = why;
    if (first && w->interrupt)
        w->interrupt(w, why);
}

/* Everybody who waits with @s as the innermost scope. */
static void interrupt_all(struct scope *s, int why)
{
    if (s->owner)
        interrupt(s->owner, s, why);
    for (struct eddy_list *l = s->tasks.next; l != &s->tasks; l = l->next)
        interrupt(eddy_container_of(l, struct eddy_task, siblings), s, why);
}

/* Each may leave at once. */
static void end_wards(struct scope *s)
{
    struct eddy_list *next;

    for (struct eddy_list *l = s->wards.next; l != &s->wards; l = next) {
        struct eddy_ward *w = eddy_container_of(l, struct eddy_ward, link);
        next = l->next;
        w->end(w);
    }
}

static void end(struct scope *top, int why)
{
    struct scope *s = top;

    while (s) {
        bool news = s->why == 0 || (s->why == -ETIMEDOUT && why == -ECANCELED);
        bool inner_know = s->why != 0;
        if (news) {
            s->why = why;
            interrupt_all(s, why);
            end_wards(s);
        }
        why = -ECANCELED;
        s = next_inside(top, s, inner_know);
    }
}

static void expire(struct scope *s)
{
    s->expired = true;
    s->deadline_ns = INT64_MAX;
    eddy__timer_stop(s->loop, &s->timer);
    end(s, -ETIMEDOUT);
}

static void on_deadline(struct eddy_timer *t)
{
    struct scope *s = eddy_container_of(t, struct scope, timer);

    if (s->deadline_ns != INT64_MAX)
        expire(s);
    else
        end(s, -ECANCELED); /* the end of a drain's grace */
}

int eddy_scope_reason(struct scope *s)
{
    if (s->why || s->nearest_ns == INT64_MAX)
        return s->why;
    int64_t now = eddy_loop_clock(s->loop);
    if (now < s->nearest_ns)
        return 0;
    /* Late, and the timer had no chance to say so because this task was computing. */
    for (struct scope *at = s; at; at = at->shield ? NULL : at->parent)
        if (at->deadline_ns <= now)
            expire(at);
    return s->why;
}

/* --- begin ----------------------------------------------------------------------------------------- */

void eddy_scope_init(struct scope *s, struct eddy_loop *loop, struct scope *parent,
                     const struct eddy_scope_options *options)
{
    memset(s, 0, sizeof *s);
    s->size = sizeof(struct eddy_scope);
    s->loop = loop;
    s->parent = parent;
    eddy_list_init(&s->siblings);
    eddy_list_init(&s->subscopes);
    eddy_list_init(&s->tasks);
    eddy_list_init(&s->wards);
    s->host = loop->current || !loop->depth || !parent ? *eddy_loop_host(loop) : parent->host;
    s->deadline_ns = s->nearest_ns = INT64_MAX;
    if (options) {
        s->isolate = options->isolate;
        s->shield = options->shield;
        s->on_fail = options->on_fail;
        s->ctx = options->ctx;
    }
    if (parent) {
        loop->scopes++;
        eddy_list_push(&parent->subscopes, &s->siblings);
        s->draining = parent->draining;
        if (!s->shield) {
            s->nearest_ns = parent->nearest_ns;
            s->why = parent->why ? -ECANCELED : 0;
        }
    }
    if (options && options->timeout_ms > 0) {
        s->deadline_ns = eddy_deadline_ns(eddy_loop_clock(loop), options->timeout_ms);
        if (s->deadline_ns < s->nearest_ns)
            s->nearest_ns = s->deadline_ns;
        eddy__timer_start(loop, &s->timer, s->deadline_ns, on_deadline);
    }
}

void eddy_scope_enter(struct eddy_scope *scope, const struct eddy_scope_options *options)
{
    struct eddy_task *t = eddy_task_current();

    if (!t) {
        /* In a callback, or without a loop: what follows is told so. */
        memset(scope, 0, sizeof *scope);
        scope_of(scope)->refused = eddy_task_refusal();
        return;
    }
    eddy_scope_init(scope_of(scope), t->loop, t->scope, options);
    scope_of(scope)->owner = t;
    t->scope = scope_of(scope);
}

static void unlink_scope(struct scope *s)
{
    assert(s->count == 0 && eddy_list_is_empty(&s->subscopes) && eddy_list_is_empty(&s->wards));
    eddy__timer_stop(s->loop, &s->timer);
    eddy_list_remove(&s->siblings);
    s->loop->scopes--;
    if (s->locals)
        eddy_locals_free(&s->locals);
}

/* --- children ---------------------------------------------------------------------------------------- */

void eddy_scope_fail(struct scope *s, int error)
{
    s->failures++;
    if (s->isolate)
        return;
    if (!s->error)
        s->error = error;
    end(s, -ECANCELED);
}

static void on_empty(struct eddy_soon *soon)
{
    struct scope *s = eddy_container_of(soon, struct scope, soon);
    void (*fn)(void *ctx) = s->on_empty;
    void *ctx = s->on_empty_ctx;

    if (s->count || !eddy_list_is_empty(&s->wards)) /* somebody came meanwhile: told again */
        return;
    unlink_scope(s);
    if (s->heap)
        eddy__free(s, sizeof(struct eddy_scope));
    if (fn)
        fn(ctx);
}

/* The last child has stopped, or the last ward has left. */
static void tell_if_empty(struct scope *s)
{
    bool alone = eddy_list_is_empty(&s->wards);

    if (s->joiner && (alone || !s->leaving)) {
        struct eddy_wait *w = s->joiner;
        s->joiner = NULL;
        eddy__wake(w, 0);
    }
    if (s->closing && alone)
        eddy__soon(s->loop, &s->soon, on_empty);
}

void eddy_scope_child_done(struct scope *s, const char *name, int result)
{
    /* What the end of the scope caused is no failure of the child's. */
    bool caused = s->why && (result == -ECANCELED || result == -ETIMEDOUT);

    assert(s->count > 0);
    s->count--;
    if (s->refused) /* it has forked, and this is the child: whoever hears of it is in the parent */
        return;
    if (result < 0 && !caused) {
        eddy_scope_fail(s, result);
        if (s->isolate && s->on_fail)
            s->on_fail(s->ctx, name, result);
    }
    if (s->count == 0)
        tell_if_empty(s);
}

/* --- wards -------------------------------------------------------------------------------------------- */

void eddy__ward_enter(struct eddy_ward *w)
{
    struct eddy_task *t = eddy_task_current();

    assert(t && !w->scope);
    w->scope = (struct eddy_scope *)(void *)t->scope;
    eddy_list_push(&t->scope->wards, &w->link);
    if (t->scope->why)
        w->end(w);
}

void eddy__ward_leave(struct eddy_ward *w)
{
    struct scope *s = scope_of(w->scope);

    if (!s || s->refused) /* the parent's, in the child of a fork */
        return;
    w->scope = NULL;
    eddy_list_remove(&w->link);
    if (s->count == 0 && eddy_list_is_empty(&s->wards))
        tell_if_empty(s);
}

/* They end by themselves from here on. */
static void let_wards_go(struct scope *s)
{
    struct eddy_list *link;

    while ((link = eddy_list_shift(&s->wards))) {
        struct eddy_ward *w = eddy_container_of(link, struct eddy_ward, link);
        w->scope = NULL;
        w->end(w);
    }
}

/* --- waiting for them ------------------------------------------------------------------------------------ */

struct join {
    struct eddy_wait wait; /* first */
    struct scope *scope;
};

static void join_interrupted(struct eddy_wait *w, int why)
{
    struct scope *s = ((struct join *)(void *)w)->scope;

    /* Whose own scope ended stays: its children were told, too, and end by it. Only a scope
     * entered inside takes the body away from its wait. */
    if (w->task->scope == s)
        return;
    s->joiner = NULL;
    eddy__wake(w, why);
}

static int wait_for_children(struct scope *s, bool interruptible)
{
    int r = 0;

    /* Once woken, look again: somebody may have started another child before this one ran. */
    while (r >= 0 && (s->count || (s->leaving && !eddy_list_is_empty(&s->wards)))) {
        struct join join = { .wait = EDDY_WAIT(interruptible ? join_interrupted : NULL, "join"),
                             .scope = s };

        assert(!s->joiner);
        s->joiner = &join.wait;
        r = eddy__wait(&join.wait);
    }
    return r;
}

int eddy_join(struct eddy_scope *scope)
{
    struct scope *s = scope_of(scope);
    struct eddy_task *t = eddy_task_current();

    if (s->refused || !t)
        return s->refused ? s->refused : eddy_task_refusal();
    if (t->scope != s && eddy_scope_reason(t->scope))
        return t->scope->why;
    eddy_scope_reason(s);
    int r = wait_for_children(s, true);
    if (r < 0)
        return r;
    return s->error ? s->error : s->why;
}

void eddy_scope_leave(struct eddy_scope *scope)
{
    struct scope *s = scope_of(scope);

    struct eddy_task *t = s->owner;
    if (s->refused) {
        if (t) /* the parent's, in the child of a fork */
            t->scope = s->parent;
        s->owner = NULL; /* the second time it has been left already */
        return;
    }
    assert(t && t->scope == s && "scopes are left in reverse order of entry");
    if (s->count || !eddy_list_is_empty(&s->wards)) {
        s->leaving = true;
        end(s, -ECANCELED);
        wait_for_children(s, false);
    }
    if (!s->refused) /* else a child has forked, and this is the child process */
        unlink_scope(s);
    t->scope = s->parent;
    s->owner = NULL;
    if (!s->refused)
        s->refused = -EBADF;
}

/* --- ends asked for ---------------------------------------------------------------------------------------- */

void eddy_scope_cancel(struct eddy_scope *scope)
{
    if (!scope_of(scope)->refused)
        end(scope_of(scope), -ECANCELED);
}

bool eddy_scope_expired(const struct eddy_scope *scope)
{
    return ((const struct scope *)(const void *)scope)->expired;
}

size_t eddy_scope_failures(const struct eddy_scope *scope)
{
    return ((const struct scope *)(const void *)scope)->failures;
}

size_t eddy_scope_tasks(const struct eddy_scope *scope)
{
    return ((const struct scope *)(const void *)scope)->count;
}

void eddy_scope_drain(struct eddy_scope *scope, int64_t grace_ms)
{
    struct scope *top = scope_of(scope);

    if (top->refused)
        return;
    for (struct scope *s = top; s; s = next_inside(top, s, false)) {
        s->draining = true;
        interrupt_all(s, -EDDY_EDRAINING);
    }
    int64_t at = eddy_deadline_ns(eddy_loop_clock(top->loop), grace_ms);
    if (grace_ms <= 0)
        end(top, -ECANCELED);
    else if (at < top->deadline_ns) {
        /* The timer now stands for the end of the grace; a deadline that is later is moot. */
        top->deadline_ns = INT64_MAX;
        eddy__timer_start(top->loop, &top->timer, at, on_deadline);
    }
}

bool eddy_draining(void)
{
    struct eddy_task *t = eddy_task_current();

    return t && t->scope->draining;
}

/* --- scopes of callback code ---------------------------------------------------------------------------------- */

int eddy__scope_open(struct eddy_scope *scope, struct eddy_scope *parent,
                     const struct eddy_scope_options *options)
{
    struct task_room *room = eddy_task_room();

    if (!room) {
        memset(scope, 0, sizeof *scope);
        return scope_of(scope)->refused = eddy__loop_refusal();
    }
    assert(!parent || !scope_of(parent)->refused);
    eddy_scope_init(scope_of(scope), room->root.loop, parent ? scope_of(parent) : &room->root_scope,
                    options);
    return 0;
}

void eddy__scope_close(struct eddy_scope *scope, void (*fn)(void *ctx), void *ctx)
{
    struct scope *s = scope_of(scope);

    if (s->refused) {
        assert(!fn || s->refused == -EDDY_EFORKED);
        return;
    }
    assert(!s->closing);
    if (s->count == 0 && !fn) { /* at once: the loop may end before its next iteration */
        let_wards_go(s);
        unlink_scope(s);
        if (s->heap)
            eddy__free(s, sizeof(struct eddy_scope));
        return;
    }
    s->closing = true;
    s->on_empty = fn;
    s->on_empty_ctx = ctx;
    end(s, -ECANCELED);
    if (s->count == 0 && eddy_list_is_empty(&s->wards))
        eddy__soon(s->loop, &s->soon, on_empty);
}

int eddy_scope_new(const struct eddy_scope_options *options, struct eddy_scope **ret_scope)
{
    struct eddy_scope *scope = eddy__zalloc(sizeof *scope);

    if (!scope)
        return -ENOMEM;
    int r = eddy__scope_open(scope, NULL, options);
    if (r < 0) {
        eddy__free(scope, sizeof *scope);
        return r;
    }
    scope_of(scope)->heap = true;
    *ret_scope = scope;
    return 0;
}

void eddy_scope_close(struct eddy_scope *scope, void (*on_closed)(void *ctx), void *ctx)
{
    eddy__scope_close(scope, on_closed, ctx);
}

/* --- after a fork --------------------------------------------------------------------------------------------- */

void eddy_scopes_forked(struct eddy_loop *loop)
{
    struct scope *top = &((struct task_room *)loop->slot[EDDY_SLOT_TASK])->root_scope;
    struct scope *s = top;

    /* In preorder, shields and all. */
    for (;;) {
        s->refused = -EDDY_EFORKED;
        if (!eddy_list_is_empty(&s->subscopes)) {
            s = eddy_container_of(s->subscopes.next, struct scope, siblings);
            continue;
        }
        while (s != top && s->siblings.next == &s->parent->subscopes)
            s = s->parent;
        if (s == top)
            return;
        s = eddy_container_of(s->siblings.next, struct scope, siblings);
    }
}
