/*
 * task/future.c - set once, awaited by any number, on any thread
 */
#include "task/future.h"

#include "base/memory.h"
#include "task/waiters.h"

/* --- life ---------------------------------------------------------------------------------------- */

int eddy_future_new(struct eddy_site site, const struct eddy_future_options *options,
                    struct eddy_future **ret_future)
{
    struct eddy_future *f = eddy__zalloc(sizeof *f);

    if (!f)
        return -ENOMEM;
    pthread_mutex_init(&f->lock, NULL);
    atomic_init(&f->refs, 1);
    eddy_list_init(&f->watches);
    eddy_list_init(&f->calls);
    f->site = site;
    f->forks = eddy_forks;
    if (options)
        f->free_value = options->free_value;
    struct eddy_loop *loop = eddy__loop();
    if (loop && loop->debug)
        eddy_future_noted(f, loop);
    *ret_future = f;
    return 0;
}

struct eddy_future *eddy_future_ref(struct eddy_future *f)
{
    unsigned before = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);

    assert(before > 0 && "whoever takes a reference has one, or got it from who has");
    (void)before;
    return f;
}

static void free_calls(struct eddy_future *f);

void eddy_future_free(struct eddy_future *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (f->debug)
        eddy_future_forgotten(f);
    free_calls(f);
    assert(eddy_forked_since(f->forks) || eddy_list_is_empty(&f->watches));
    if (f->free_value && f->value)
        f->free_value(f->value);
    if (!eddy_forked_since(f->forks))
        pthread_mutex_destroy(&f->lock);
    eddy__free(f, sizeof *f);
}

/* --- watching ------------------------------------------------------------------------------------ */

/* By the post of a setter on another thread. */
static void arrived(void *ctx)
{
    struct eddy_watch *w = ctx;

    w->told(w);
}

bool eddy_watch_begin(struct eddy_watch *w, struct eddy_future *f,
                      void (*told)(struct eddy_watch *w))
{
    w->loop = eddy__loop();
    w->post = (struct eddy_post){ .fn = arrived, .ctx = w, .embedded = true };
    w->told = told;
    w->future = f;
    w->coming = false;
    pthread_mutex_lock(&f->lock);
    bool begun = !f->done;
    if (begun)
        eddy_list_push(&f->watches, &w->link);
    pthread_mutex_unlock(&f->lock);
    return begun;
}

bool eddy_watch_end(struct eddy_watch *w)
{
    if (eddy_forked_since(w->future->forks))
        return true;
    pthread_mutex_lock(&w->future->lock);
    bool ended = !w->coming;
    if (ended)
        eddy_list_remove(&w->link);
    pthread_mutex_unlock(&w->future->lock);
    return ended;
}

/* --- setting ------------------------------------------------------------------------------------- */

static int settle(struct eddy_future *f, int result, void *value)
{
    struct eddy_loop *here = eddy__loop();
    struct eddy_list told, *link;

    if (eddy_forked_since(f->forks))
        return -EDDY_EFORKED;
    eddy_list_init(&told);
    pthread_mutex_lock(&f->lock);
    if (f->done) {
        pthread_mutex_unlock(&f->lock);
        return -EALREADY;
    }
    f->result = result;
    f->value = value;
    atomic_store_explicit(&f->done, true, memory_order_release);
    for (link = f->watches.next; link != &f->watches; link = link->next) {
        struct eddy_watch *w = eddy_container_of(link, struct eddy_watch, link);
        w->coming = true;
        if (w->weak)
            eddy_future_ref(f);
    }
    eddy_list_take_all(&told, &f->watches);
    pthread_mutex_unlock(&f->lock);

    while ((link = eddy_list_shift(&told))) {
        struct eddy_watch *w = eddy_container_of(link, struct eddy_watch, link);
        if (w->loop == here)
            w->told(w);
        else
            eddy__post_embedded(w->loop, &w->post); /* w may be gone from here on */
    }
    return 0;
}

int eddy_future_set(struct eddy_future *f, int result, void *value)
{
    return result < 0 ? -EINVAL : settle(f, result, value);
}

int eddy_future_fail(struct eddy_future *f, int error)
{
    return error >= 0 ? -EINVAL : settle(f, error, NULL);
}

void eddy_future_complete(struct eddy_future *f, int result)
{
    (void)settle(f, result, NULL); /* or somebody was faster: then that is the result */
    eddy_future_free(f);
}

/* --- asking -------------------------------------------------------------------------------------- */

bool eddy_future_is_done(const struct eddy_future *f)
{
    return atomic_load_explicit(&f->done, memory_order_acquire);
}

int eddy_future_result(struct eddy_future *f, void **ret_value)
{
    if (eddy_forked_since(f->forks))
        return -EDDY_EFORKED;
    atomic_store_explicit(&f->awaited, true, memory_order_relaxed);
    if (!eddy_future_is_done(f))
        return -EAGAIN;
    if (f->result >= 0 && ret_value)
        *ret_value = f->value;
    return f->result;
}

struct await {
    struct eddy_wait wait; /* first */
    struct eddy_watch watch;
};

static void await_told(struct eddy_watch *w)
{
    eddy__wake(&eddy_container_of(w, struct await, watch)->wait, 0);
}

static void await_interrupted(struct eddy_wait *wait, int why)
{
    if (eddy_watch_end(&((struct await *)(void *)wait)->watch))
        eddy__wake(wait, why);
    /* else it is set, and the news on its way: completion wins */
}

int eddy_future_await(struct eddy_future *f, void **ret_value)
{
    struct eddy_task *t;

    if (eddy_forked_since(f->forks))
        return -EDDY_EFORKED;
    int r = eddy_lock_enter(&t);
    if (r < 0)
        return r;
    atomic_store_explicit(&f->awaited, true, memory_order_relaxed);
    if (eddy_future_is_done(f)) {
        r = eddy_lock_spend(t);
        return r < 0 ? r : eddy_future_result(f, ret_value);
    }
    struct await a = { .wait = EDDY_WAIT(await_interrupted, "future") };
    eddy_future_ref(f);
    if (eddy_watch_begin(&a.watch, f, await_told))
        r = eddy_task_wait(t, &a.wait);
    if (r == 0)
        r = eddy_future_result(f, ret_value);
    else if (a.wait.why)
        r = a.wait.why;
    eddy_future_free(f);
    return r;
}

/* --- functions that are called ------------------------------------------------------------------- */

struct call {
    struct eddy_watch watch;
    struct eddy_list link; /* in future->calls, under its lock */
    struct eddy_soon soon;
    void (*fn)(void *ctx, struct eddy_future *f);
    void *ctx;
    bool forgotten;
};

static void free_call(struct call *c)
{
    eddy__free(c, sizeof *c);
}

/* Of a future that ends unset; nobody else knows it any more. */
static void free_calls(struct eddy_future *f)
{
    for (struct eddy_list *l; (l = eddy_list_shift(&f->calls));) {
        struct call *c = eddy_container_of(l, struct call, link);
        if (!eddy_forked_since(f->forks))
            eddy_list_remove(&c->watch.link);
        free_call(c);
    }
}

static void run_call(struct eddy_soon *soon)
{
    struct call *c = eddy_container_of(soon, struct call, soon);
    struct eddy_future *f = c->watch.future;

    pthread_mutex_lock(&f->lock);
    eddy_list_remove(&c->link);
    pthread_mutex_unlock(&f->lock);
    if (!c->forgotten)
        c->fn(c->ctx, f);
    free_call(c);
    eddy_future_free(f);
}

/* Not from inside a set: as a callback of the loop. */
static void call_told(struct eddy_watch *w)
{
    struct call *c = eddy_container_of(w, struct call, watch);

    eddy__soon(w->loop, &c->soon, run_call);
}

int eddy_future_on_done(struct eddy_future *f, void (*fn)(void *ctx, struct eddy_future *f),
                        void *ctx)
{
    if (eddy_forked_since(f->forks))
        return -EDDY_EFORKED;
    struct eddy_loop *loop = eddy_loop_current();
    struct call *c = loop ? eddy__zalloc(sizeof *c) : NULL;

    if (!c)
        return eddy__loop_refusal();
    c->fn = fn;
    c->ctx = ctx;
    c->watch.weak = true;
    eddy_list_init(&c->watch.link);
    atomic_store_explicit(&f->awaited, true, memory_order_relaxed);
    pthread_mutex_lock(&f->lock);
    eddy_list_push(&f->calls, &c->link);
    pthread_mutex_unlock(&f->lock);
    if (!eddy_watch_begin(&c->watch, f, call_told)) {
        c->watch.coming = true;
        eddy_future_ref(f);
        call_told(&c->watch);
    }
    return 0;
}

bool eddy_future_forget(struct eddy_future *f, void (*fn)(void *ctx, struct eddy_future *f),
                        void *ctx)
{
    struct eddy_loop *here = eddy__loop();
    struct call *found = NULL;
    bool called_later = false;

    if (eddy_forked_since(f->forks))
        return false;
    pthread_mutex_lock(&f->lock);
    for (struct eddy_list *l = f->calls.next; l != &f->calls && !found; l = l->next) {
        struct call *c = eddy_container_of(l, struct call, link);
        if (c->fn == fn && c->ctx == ctx && c->watch.loop == here && !c->forgotten)
            found = c;
    }
    if (found) {
        called_later = found->watch.coming;
        found->forgotten = true;
        if (!called_later) {
            eddy_list_remove(&found->watch.link);
            eddy_list_remove(&found->link);
        }
    }
    pthread_mutex_unlock(&f->lock);
    if (found && !called_later)
        free_call(found);
    return found != NULL;
}

/* --- tasks --------------------------------------------------------------------------------------- */

int eddy_spawn(struct eddy_scope *scope, const struct eddy_task_type *type, const void *args,
               struct eddy_site site, const struct eddy_go_options *options,
               struct eddy_future **ret_future)
{
    const size_t until = offsetof(struct eddy_go_options, future_only) + sizeof(bool);
    struct scope *s = scope_of(scope);
    struct eddy_future *f = NULL;
    struct eddy_task *t;

    if (s->refused)
        return s->refused;
    int r = eddy_future_new(site, NULL, &f);
    if (r == 0)
        r = eddy_task_make(s, type, args, site, options, &t);
    if (r < 0) {
        eddy_scope_fail(s, r);
        eddy_future_free(f);
        return r;
    }
    t->future = eddy_future_ref(f);
    t->future_only = options && options->size >= until && options->future_only;
    eddy_task_run_soon(t);
    *ret_future = f;
    return 0;
}
