/*
 * task/dump.c - all tasks of a loop as text, with their stacks
 *
 * A thousand connections that wait alike are one line: tasks are put into groups of one function, one
 * place of birth, one wait and one stack. The stack of the first of a group is walked; it is known
 * then where on it the return addresses lie, and another task whose stack is as deep and holds the
 * same ones there has the same stack. That takes some loads, so a million tasks are no matter of
 * minutes. Groups are bounded; whoever finds no room in one is counted.
 */
#include "task/inspect.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/backtrace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_DEFAULT 100
#define GROUPS_MAX 4096
#define NAMES 512 /* remembered; a power of two */
#define NAME_MAX_BYTES 96

struct group {
    size_t count;
    uint64_t first; /* id of the first met */
    struct eddy_task_info info;
    const char *what;    /* it waits for */
    int64_t shortest_ns; /* wait, of all */
    int64_t longest_ns;
    uintptr_t pc, depth; /* where it goes on, and how deep its stack is; 0: no stack */
    size_t frames;
    struct eddy_frame frame[EDDY_FRAMES_MAX]; /* slots count from the stack's top down */
};

struct name {
    uintptr_t pc;
    char text[NAME_MAX_BYTES];
};

struct dump {
    struct eddy_loop *loop;
    int (*write)(void *ctx, const char *text, size_t len);
    void *ctx;
    int error; /* the writer's */
    size_t count, cap;
    size_t tasks;
    size_t others; /* tasks for which there was no group */
    struct name *names;
    struct group *groups;
};

/* --- text ------------------------------------------------------------------------------------------ */

static void put(struct dump *d, const char *format, ...) EDDY_PRINTF(2, 3);
static void put(struct dump *d, const char *format, ...)
{
    char text[512];
    va_list args;

    if (d->error < 0)
        return;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        return;
    int r = d->write(d->ctx, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    if (r < 0)
        d->error = r;
}

/* "3.2 s": as exact as a reader wants it. */
static const char *time_text(int64_t ns, char *buf, size_t cap)
{
    if (ns < 1000000)
        snprintf(buf, cap, "%" PRId64 " us", ns / 1000);
    else if (ns < INT64_C(10000000000))
        snprintf(buf, cap, "%" PRId64 " ms", ns / 1000000);
    else
        snprintf(buf, cap, "%" PRId64 " s", ns / 1000000000);
    return buf;
}

/* Naming an address reads the program's file, and frames repeat. */
static const char *name_of(struct dump *d, uintptr_t pc)
{
    struct name *n = &d->names[(pc >> 2 ^ pc >> 11) & (NAMES - 1)];

    if (n->pc != pc) {
        n->pc = pc;
        eddy__backtrace_name(pc, n->text, sizeof n->text);
    }
    return n->text;
}

/* What every task's stack begins with says nothing. */
static size_t without_beginning(struct dump *d, const struct eddy_frame *frame, size_t count)
{
    if (count > 1 && strcmp(name_of(d, frame[count - 1].pc), "eddy_switch_begin") == 0)
        count--;
    if (count > 1 && strcmp(name_of(d, frame[count - 1].pc), "begin") == 0)
        count--;
    return count;
}

/* Nor does that whoever asked for the dump is in its functions, or those of the loop in between. */
static size_t without_asking(struct dump *d, const struct eddy_frame *frame, size_t count)
{
    size_t from = 0;

    for (size_t i = 0; i < count; i++) {
        const char *name = name_of(d, frame[i].pc);
        if (strncmp(name, "eddy_dump", 9) == 0 || strcmp(name, "eddy__loop_iterate") == 0)
            from = i + 1;
    }
    return from < count ? from : 0;
}

static void put_frames(struct dump *d, const struct eddy_frame *frame, size_t count)
{
    const size_t end = without_beginning(d, frame, count);

    for (size_t i = without_asking(d, frame, end); i < end; i++)
        put(d, "    %s\n", name_of(d, frame[i].pc));
    if (count == EDDY_FRAMES_MAX)
        put(d, "    ...\n");
}

/* --- groups ------------------------------------------------------------------------------------------ */

/* Return addresses lie between what the sanitizers watch. */
__attribute__((no_sanitize_address)) static uintptr_t load(uintptr_t at)
{
    return *(const uintptr_t *)at;
}

static bool has_stack_of(const struct group *g, const struct eddy_walk *walk)
{
    if (g->pc != walk->pc || g->depth != walk->high - walk->sp)
        return false;
    for (size_t i = 1; i < g->frames; i++)
        if (g->frame[i].slot && load(walk->high - g->frame[i].slot) != g->frame[i].pc)
            return false;
    return true;
}

static bool belongs(const struct group *g, const struct eddy_task *t, enum eddy_task_state state,
                    const struct eddy_walk *walk)
{
    return g->info.type == t->type->name && g->info.file == t->site.file &&
           g->info.line == t->site.line && g->info.state == state &&
           g->what == (t->wait ? t->wait->what : NULL) &&
           (walk->high ? has_stack_of(g, walk) : g->depth == 0);
}

/* Where the walk of a suspended task begins; all zero: there is nothing to walk. */
static struct eddy_walk start_of(const struct eddy_task *t, enum eddy_task_state state)
{
    const uintptr_t low = (uintptr_t)eddy_stack_low(eddy_task_stack(t));
    const uintptr_t high = (uintptr_t)t;
    struct eddy_registers r;

    if (state == EDDY_TASK_RUNNING || !eddy__backtrace_is_there() ||
        !eddy_context_registers(&t->context, &r) || r.sp < low || r.sp >= high)
        return (struct eddy_walk){ 0 };
    return (struct eddy_walk){ r.pc, r.sp, r.fp, r.bx, low, high };
}

static void fill(struct group *g, struct eddy_loop *loop, const struct eddy_task *t,
                 const struct eddy_walk *walk, int64_t now_ns)
{
    memset(g, 0, sizeof *g);
    eddy_task_describe(t, now_ns, &g->info);
    eddy_task_addresses(loop, &g->info);
    g->what = g->info.waits;
    g->shortest_ns = INT64_MAX;
    if (g->info.state == EDDY_TASK_RUNNING) {
        g->frames = eddy__backtrace_here(g->frame, EDDY_FRAMES_MAX);
    } else if (walk->high) {
        g->pc = walk->pc;
        g->depth = walk->high - walk->sp;
        g->frames = eddy__backtrace(walk, g->frame, EDDY_FRAMES_MAX);
        for (size_t i = 0; i < g->frames; i++)
            if (g->frame[i].slot)
                g->frame[i].slot = walk->high - g->frame[i].slot;
    }
}

static void add(struct dump *d, const struct eddy_task *t, int64_t now_ns)
{
    const enum eddy_task_state state = eddy_task_state(t);
    const struct eddy_walk walk = start_of(t, state);
    struct group *g = d->groups;

    d->tasks++;
    while (g < d->groups + d->count && !belongs(g, t, state, &walk))
        g++;
    if (g == d->groups + d->count) {
        if (d->count == d->cap) {
            d->others++;
            return;
        }
        fill(g, d->loop, t, &walk, now_ns);
        d->count++;
    }
    g->count++;
    int64_t waits_ns = t->wait ? now_ns - t->wait->since_ns : now_ns - t->born_ns;
    if (waits_ns < g->shortest_ns)
        g->shortest_ns = waits_ns;
    if (waits_ns > g->longest_ns)
        g->longest_ns = waits_ns;
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x->info.id < y->info.id ? -1 : x->info.id > y->info.id;
}

/* --- the parts of the text ---------------------------------------------------------------------------- */

static void put_loop(struct dump *d)
{
    struct eddy_loop_info info;
    char total[32], longest[32];

    eddy_loop_info(d->loop, &info);
    put(d, "eddy: dump of a loop (%s): %" PRIu64 " tasks: %zu running, %zu ready, %zu waiting\n",
        info.backend, info.tasks_spawned - info.tasks_finished, info.tasks_running,
        info.tasks_ready, info.tasks_waiting);
    put(d, "%" PRIu64 " iterations in %s, asleep %.1f %% of it, longest %s; %zu timers; in flight:",
        info.iterations, time_text(info.total_ns, total, sizeof total),
        info.total_ns > 0 ? 100.0 * (double)info.asleep_ns / (double)info.total_ns : 0.0,
        time_text(info.longest_ns, longest, sizeof longest), info.timers);
    for (const struct eddy_operations *o = info.operations; o->name; o++)
        if (o->pending)
            put(d, " %u %s", o->pending, o->name);
    put(d, info.pending ? "\n" : " nothing\n");
    if (!eddy__backtrace_is_there())
        put(d, "(without libunwind: no stacks)\n");
}

static void put_group(struct dump *d, const struct group *g)
{
    static const char *const states[] = { "ready", "running", "waiting for" };
    const struct eddy_task_info *i = &g->info;
    char text[32], longest[32], place[256] = "by the library";

    if (i->file)
        snprintf(place, sizeof place, "at %s:%d", i->file, i->line);
    if (g->count == 1)
        put(d, "\ntask %" PRIu64 " `%s`", i->id, i->name);
    else
        put(d, "\n%zu tasks like %" PRIu64 " `%s`", g->count, i->id, i->name);
    if (strcmp(i->name, i->type) != 0)
        put(d, " (%s)", i->type);
    put(d, ", spawned %s", place);
    if (i->parent)
        put(d, " under %" PRIu64, i->parent);
    put(d, "\n  %s%s%s", states[i->state], i->waits ? " " : "", i->waits ? i->waits : "");
    if (i->operation)
        put(d, " %s", i->operation);
    if (i->fd >= 0)
        put(d, " on %d", i->fd);
    if (i->local[0] || i->peer[0])
        put(d, " (%s%s%s)", i->local, i->peer[0] ? " from " : "", i->peer);
    put(d, i->waits ? ", %s" : ", born %s ago", time_text(g->shortest_ns, text, sizeof text));
    if (g->count > 1)
        put(d, " to %s", time_text(g->longest_ns, longest, sizeof longest));
    put(d, "\n");
    put_frames(d, g->frame, g->frames);
}

/* Plain code, if it waits: below the loop on the thread's stack. */
static void put_plain_code(struct dump *d, const struct task_room *room)
{
    struct eddy_frame frame[EDDY_FRAMES_MAX];
    const struct eddy_wait *w = room->root.wait;
    struct eddy_registers r;
    size_t count = 0;
    char text[32];

    if (d->loop->current && eddy_context_registers(&room->thread, &r)) {
        struct eddy_walk walk = {
            .pc = r.pc, .sp = r.sp, .fp = r.fp, .bx = r.bx, .low = r.sp, .high = UINTPTR_MAX
        };
        count = eddy__backtrace(&walk, frame, EDDY_FRAMES_MAX);
    } else if (!d->loop->current) {
        count = eddy__backtrace_here(frame, EDDY_FRAMES_MAX);
    }
    put(d, "\nplain code");
    if (w)
        put(d, ": waiting for %s, %s", w->what,
            time_text(eddy_loop_clock(d->loop) - w->since_ns, text, sizeof text));
    put(d, "\n");
    put_frames(d, frame, count);
}

/* --- all of it ---------------------------------------------------------------------------------------- */

static void write_down(struct dump *d)
{
    struct task_room *room = d->loop->slot[EDDY_SLOT_TASK];
    const int64_t now_ns = eddy_loop_clock(d->loop);
    struct eddy_task_walk walk = { 0 };
    struct eddy_task *t;

    while (room && (t = eddy_task_next(room, &walk)))
        add(d, t, now_ns);
    qsort(d->groups, d->count, sizeof *d->groups, by_count);
    put_loop(d);
    for (size_t i = 0; i < d->count && d->error == 0; i++)
        put_group(d, &d->groups[i]);
    if (d->others)
        put(d, "\n%zu more tasks, of other groups than these %zu\n", d->others, d->count);
    if (room)
        put_plain_code(d, room);
    put(d, "eddy: end of the dump\n");
}

int eddy_dump_to(struct eddy_loop *loop, const struct eddy_dump_options *options,
                 int (*write)(void *ctx, const char *text, size_t len), void *ctx)
{
    struct eddy_dump_options o = { 0 };
    struct dump d = { .loop = loop, .write = write, .ctx = ctx };

    if (eddy_loop_is_parents(loop))
        return -EDDY_EFORKED;
    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    d.cap = o.max_groups ? o.max_groups : GROUPS_DEFAULT;
    if (d.cap > GROUPS_MAX)
        d.cap = GROUPS_MAX;
    d.groups = eddy__alloc(d.cap * sizeof *d.groups);
    d.names = eddy__zalloc(NAMES * sizeof *d.names);
    if (d.groups && d.names)
        write_down(&d);
    else
        d.error = -ENOMEM;
    if (d.groups)
        eddy__free(d.groups, d.cap * sizeof *d.groups);
    if (d.names)
        eddy__free(d.names, NAMES * sizeof *d.names);
    return d.error;
}

static int write_fd(void *ctx, const char *text, size_t len)
{
    return eddy_sys_write_all(*(const int *)ctx, text, len);
}

int eddy_dump(struct eddy_loop *loop, int fd)
{
    return eddy_dump_to(loop, NULL, write_fd, &fd);
}
