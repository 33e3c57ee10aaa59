/*
 * What can be seen of a program at work: counters, the list of tasks, the dump with their stacks.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "loop/backtrace.h"
#include "task/task.h"

#include <eddy/inspect.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* libunwind keeps two descriptors from its first walk on. */
static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there();
}

/* --- a known task ------------------------------------------------------------------------------- */

struct dozer_args {
    int64_t ms;
    int depth;
};

/* Functions of different depth, so that stacks differ. The volatile keeps them from becoming one. */
static __attribute__((noinline)) int doze(volatile int depth, int64_t ms)
{
    int r = depth > 0 ? doze(depth - 1, ms) : eddy_sleep(ms);

    return depth < 0 ? -EINVAL : r;
}

static __attribute__((noinline)) int dozer(struct dozer_args *a)
{
    int r = doze(a->depth, a->ms);

    a->ms = -1; /* or it were no call that returns */
    return r;
}
EDDY_TASK(dozer);

struct text {
    size_t len;
    char buf[65536];
};

static int gather(void *ctx, const char *text, size_t len)
{
    struct text *t = ctx;

    if (t->len + len >= sizeof t->buf)
        return -ENOSPC;
    memcpy(t->buf + t->len, text, len);
    t->len += len;
    t->buf[t->len] = '\0';
    return 0;
}

static struct text dumped;

static const char *dump(size_t max_groups)
{
    dumped.len = 0;
    dumped.buf[0] = '\0';
    EDDY_CHECK_EQ(eddy_dump_to(eddy_loop_current(), EDDY_OPT(dump, .max_groups = max_groups),
                               gather, &dumped),
                  0);
    return dumped.buf;
}

/* Whether @parts stand in @text in this order; the last one is NULL. */
static bool in_order(const char *text, const char *const *parts)
{
    for (; *parts; parts++) {
        const char *at = strstr(text, *parts);
        if (!at)
            return EDDY_CHECK_FAIL("\"%s\" is missing in:\n%.8000s", *parts, dumped.buf);
        text = at + strlen(*parts);
    }
    return true;
}

#define IN_ORDER(text, ...) in_order(text, (const char *const[]){ __VA_ARGS__, NULL })

/* --- counters ------------------------------------------------------------------------------------- */

EDDY_TEST(counters_are_exact)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_loop_info a, b;

    eddy_loop_info(loop, &a);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_loop_info(loop, &b);
        EDDY_CHECK_EQ(b.scopes - a.scopes, 1);

        for (int i = 0; i < 3; i++)
            EDDY_GO(&s, dozer, .ms = i < 2 ? 5 : 60000);
        eddy_loop_info(loop, &b);
        EDDY_CHECK_EQ(b.tasks_spawned - a.tasks_spawned, 3);
        EDDY_CHECK_EQ(b.tasks_ready, 3);
        EDDY_CHECK_EQ(b.tasks_waiting, 0);
        EDDY_CHECK_EQ(b.switches - a.switches, 0);

        EDDY_CHECK_EQ(eddy_yield(), 0);
        eddy_loop_info(loop, &b);
        EDDY_CHECK_EQ(b.iterations - a.iterations, 1);
        EDDY_CHECK_EQ(b.tasks_ready, 0);
        EDDY_CHECK_EQ(b.tasks_waiting, 3);
        EDDY_CHECK_EQ(b.tasks_running, 0);
        EDDY_CHECK_EQ(b.switches - a.switches, 3);
        EDDY_CHECK_EQ(b.timers, 3);
        EDDY_CHECK_EQ(b.timers_armed - a.timers_armed, 3);
        EDDY_CHECK_EQ(b.sleeps, a.sleeps);

        EDDY_CHECK_EQ(eddy_sleep(10), 0);
        eddy_loop_info(loop, &b);
        EDDY_CHECK_EQ(b.tasks_finished - a.tasks_finished, 2);
        EDDY_CHECK_EQ(b.tasks_waiting, 1);
        EDDY_CHECK_EQ(b.switches - a.switches, 5);
        EDDY_CHECK_EQ(b.timers_fired - a.timers_fired, 3);
        EDDY_CHECK_EQ(b.timers_armed - a.timers_armed, 4);
        EDDY_CHECK_EQ(b.timers, 1);
        EDDY_CHECK(b.sleeps > a.sleeps);
    }
    eddy_loop_info(loop, &b);
    EDDY_CHECK_EQ(b.tasks_finished - a.tasks_finished, 3);
    EDDY_CHECK_EQ(b.tasks_waiting, 0);
    EDDY_CHECK_EQ(b.switches - a.switches, 6);
    EDDY_CHECK_EQ(b.scopes, a.scopes);
    EDDY_CHECK_EQ(b.timers, 0);
}

EDDY_TEST(time_asleep_is_told_apart)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_loop_info a, b;

    eddy_loop_info(loop, &a);
    EDDY_CHECK_EQ(eddy_sleep(20), 0);
    eddy_loop_info(loop, &b);
    /* However busy the machine: it slept these 20 ms, and not longer than there was time. */
    EDDY_CHECK(b.asleep_ns - a.asleep_ns >= 19000000);
    EDDY_CHECK(b.asleep_ns - a.asleep_ns <= b.total_ns - a.total_ns);
    EDDY_CHECK(b.longest_ns >= 0);
}

static void compute(void *ctx)
{
    int64_t until = eddy_now_ns() + *(int64_t *)ctx;

    while (eddy_now_ns() < until)
        ;
}

EDDY_TEST(a_long_callback_is_no_sleep)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_loop_info a, b;
    int64_t ns = 30000000;

    if (strcmp(eddy_check_backend(), "sim") == 0)
        return; /* its clock stands still while code runs */
    eddy_loop_info(loop, &a);
    EDDY_CHECK_EQ(eddy_post(loop, compute, &ns), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_loop_info(loop, &b);
    EDDY_CHECK_EQ(b.posts - a.posts, 1);
    EDDY_CHECK(b.total_ns - a.total_ns >= ns + b.asleep_ns - a.asleep_ns);
    EDDY_CHECK(b.longest_ns >= 0);
}

struct cruncher_args {
    int64_t ns;
};

static int cruncher(struct cruncher_args *a)
{
    compute(&a->ns);
    return eddy_sleep(60000);
}
EDDY_TASK(cruncher);

EDDY_TEST(the_longest_iteration_is_kept)
{
    struct eddy_loop_info info;
    EDDY_SCOPE(s, .timeout_ms = 0);

    if (strcmp(eddy_check_backend(), "sim") == 0)
        return;
    EDDY_GO(&s, cruncher, .ns = 20000000);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    eddy_loop_info(eddy_loop_current(), &info);
    EDDY_CHECK(info.longest_ns >= 20000000);
}

EDDY_TEST(operations_are_counted_by_kind)
{
    struct eddy_loop_info info;
    const struct eddy_operations *o = info.operations;

    eddy_loop_info(eddy_loop_current(), &info);
    for (; o->name; o++) {
        EDDY_CHECK_EQ(o->pending, 0);
    }
    EDDY_CHECK_EQ(o - info.operations, EDDY_OP_KINDS);
    EDDY_CHECK_STR(info.backend, eddy_check_backend());
}

EDDY_TEST(a_report_is_filled_by_the_readers_size)
{
    struct eddy_loop_info info;
    char *bytes = (char *)&info;

    memset(&info, 0x55, sizeof info);
    eddy_loop_info_sized(eddy_loop_current(), &info, offsetof(struct eddy_loop_info, timers_armed));
    EDDY_CHECK(info.backend[0] != '\0');
    EDDY_CHECK_EQ(bytes[offsetof(struct eddy_loop_info, timers_armed)], 0x55);
    EDDY_CHECK_EQ(bytes[sizeof info - 1], 0x55);

    struct {
        struct eddy_loop_info info;
        char later[64];
    } grown;
    memset(&grown, 0x55, sizeof grown);
    eddy_loop_info_sized(eddy_loop_current(), &grown.info, sizeof grown);
    for (size_t i = 0; i < sizeof grown.later; i++)
        EDDY_CHECK_EQ(grown.later[i], 0);
}

/* --- the list ---------------------------------------------------------------------------------------- */

struct seen {
    size_t count;
    size_t stop_at;
    struct eddy_task_info task[8];
};

static bool see(void *ctx, const struct eddy_task_info *task)
{
    struct seen *seen = ctx;

    if (seen->count < 8)
        seen->task[seen->count] = *task;
    return ++seen->count != seen->stop_at;
}

struct parent_args {
    struct eddy_scope **scope;
};

static int parent(struct parent_args *a)
{
    EDDY_SHIELD(mine, .timeout_ms = 60000);
    *a->scope = &mine;
    EDDY_GO_WITH(&mine, EDDY_OPT(go, .name = "little one"), dozer, .ms = 60000);
    return eddy_join(&mine);
}
EDDY_TASK(parent);

EDDY_TEST(each_task_is_told_once)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct seen seen = { 0 };
    struct eddy_scope *shielded = NULL;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_tasks_each(loop, NULL, see, &seen), 0);
    EDDY_GO(&s, parent, .scope = &shielded);
    const int line = __LINE__ - 1;
    while (eddy_tasks_each(loop, NULL, see, &(struct seen){ 0 }) < 2)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0); /* it has begun */
    EDDY_CHECK_EQ(eddy_sleep(3), 0);
    EDDY_CHECK_EQ(eddy_tasks_each(loop, EDDY_OPT(tasks, .addresses = true), see, &seen), 2);
    EDDY_CHECK_EQ(seen.count, 2);

    const struct eddy_task_info *p = &seen.task[0], *c = &seen.task[1];
    EDDY_CHECK_STR(p->name, "parent");
    EDDY_CHECK_STR(p->type, "parent");
    EDDY_CHECK_STR(p->file, __FILE__);
    EDDY_CHECK_EQ(p->line, line);
    EDDY_CHECK_EQ(p->parent, 0);
    EDDY_CHECK_EQ(p->state, EDDY_TASK_WAITING);
    EDDY_CHECK_STR(p->waits, "join");
    EDDY_CHECK(p->operation == NULL);
    EDDY_CHECK_EQ(p->fd, -1);
    EDDY_CHECK_EQ(p->switches, 1);
    EDDY_CHECK_STR(c->name, "little one");
    EDDY_CHECK_STR(c->type, "dozer");
    EDDY_CHECK_EQ(c->parent, p->id);
    EDDY_CHECK_STR(c->waits, "sleep");
    EDDY_CHECK(c->id > p->id);
    EDDY_CHECK(c->age_ns >= 2000000 && c->waits_ns >= 2000000 && c->waits_ns <= c->age_ns);
    EDDY_CHECK_STR(c->peer, "");
    eddy_scope_cancel(shielded);
}

/* Scopes beside each other, and in each other. */
EDDY_TEST(tasks_of_all_scopes_are_told)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_scope *shielded[3];
    struct seen seen = { 0 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 3; i++) {
        EDDY_GO(&s, parent, .scope = &shielded[i]);
        EDDY_CHECK_EQ(eddy_yield(), 0); /* in the simulator the ready run in any order */
    }
    EDDY_CHECK_EQ(eddy_tasks_each(loop, NULL, see, &seen), 6);
    uint64_t parents = 0, of_children = 0; /* who ran first is a simulator's dice */
    for (int i = 0; i < 3; i++) {
        parents |= UINT64_C(1) << seen.task[i].id;
        of_children |= UINT64_C(1) << seen.task[3 + i].parent;
        EDDY_CHECK_EQ(seen.task[i].parent, 0);
    }
    EDDY_CHECK_EQ(of_children, parents);
    for (int i = 0; i < 3; i++)
        eddy_scope_cancel(shielded[i]);
}

EDDY_TEST(the_list_ends_when_it_was_enough)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct seen seen = { .stop_at = 2 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 5; i++)
        EDDY_GO(&s, dozer, .ms = 60000);
    EDDY_CHECK_EQ(eddy_tasks_each(loop, NULL, see, &seen), 2);
    seen = (struct seen){ 0 };
    EDDY_CHECK_EQ(eddy_tasks_each(loop, EDDY_OPT(tasks, .max = 3), see, &seen), 3);
    EDDY_CHECK_EQ(seen.task[0].state, EDDY_TASK_READY);
    EDDY_CHECK(seen.task[0].waits == NULL);
}

struct busy_args {
    int rounds;
};

static int busy(struct busy_args *a)
{
    int64_t ns = 1000000;

    for (int i = 0; i < a->rounds; i++) {
        if (strcmp(eddy_check_backend(), "sim") != 0)
            compute(&ns);
        int r = eddy_sleep(1);
        if (r < 0)
            return r;
    }
    return eddy_sleep(60000);
}
EDDY_TASK(busy);

/* Until the task at @at was resumed @count times, so that it waits for the last time. */
static void await_switches(struct seen *seen, size_t at, uint64_t count)
{
    do {
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        *seen = (struct seen){ 0 };
        eddy_tasks_each(eddy_loop_current(), NULL, see, seen);
    } while (seen->task[at].switches < count);
}

EDDY_TEST(busy_time_is_measured_while_watched_only)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct seen seen = { 0 };
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, busy, .rounds = 3);
    await_switches(&seen, 0, 4);
    EDDY_CHECK_EQ(seen.task[0].busy_ns, 0);

    eddy_loop_watch(loop, true);
    EDDY_GO(&s, busy, .rounds = 3);
    await_switches(&seen, 1, 4);
    EDDY_CHECK_EQ(seen.task[0].busy_ns, 0);
    if (strcmp(eddy_check_backend(), "sim") != 0)
        EDDY_CHECK(seen.task[1].busy_ns >= 3000000);
    EDDY_CHECK(seen.task[1].busy_ns <= seen.task[1].age_ns);

    eddy_loop_watch(loop, false);
    EDDY_GO(&s, busy, .rounds = 1);
    await_switches(&seen, 2, 2);
    EDDY_CHECK_EQ(seen.task[2].busy_ns, 0);
}

/* --- the dump ------------------------------------------------------------------------------------------ */

EDDY_TEST(a_dump_shows_a_sleeping_tasks_stack_and_birthplace)
{
    char birth[300];
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, dozer, .ms = 60000, .depth = 2);
    snprintf(birth, sizeof birth, "`dozer`, spawned at %s:%d\n", __FILE__, __LINE__ - 1);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    const char *text = dump(0);
    IN_ORDER(text, "eddy: dump of a loop (", ": 1 tasks: 0 running, 0 ready, 1 waiting\n",
             "\ntask ", birth, "  waiting for sleep, ");
    if (eddy__backtrace_is_there())
        IN_ORDER(text, "    eddy_sleep\n", "    doze\n", "    doze\n", "    doze\n", "    dozer\n",
                 "\nplain code\n", "a_dump_shows_a_sleeping_tasks_stack_and_birthplace\n",
                 "eddy: end of the dump\n");
}

EDDY_TEST(tasks_with_equal_stacks_are_told_once)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 5000; i++)
        EDDY_GO(&s, dozer, .ms = 60000, .depth = i % 1000 == 0 ? 1 : 4);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    const char *text = dump(0);
    if (eddy__backtrace_is_there())
        IN_ORDER(text, "\n4995 tasks like ", "doze\n    doze\n    doze\n    doze\n    doze\n",
                 "\n5 tasks like ", "doze\n    doze\n    dozer");
    else
        IN_ORDER(text, "\n5000 tasks like ");
    EDDY_CHECK(dumped.len < 4000);
}

/* Two ways of equal depth to one place: only the return addresses on the stack tell them apart. */
static __attribute__((noinline)) int go_left(volatile int *mark)
{
    int r = doze(0, 60000);

    *mark = 1;
    return r;
}

static __attribute__((noinline)) int go_right(volatile int *mark)
{
    int r = doze(0, 60000);

    *mark = 2;
    return r;
}

struct walker_args {
    bool left;
    volatile int mark;
};

static __attribute__((noinline)) int walker(struct walker_args *a)
{
    int r = a->left ? go_left(&a->mark) : go_right(&a->mark);

    a->mark = 0;
    return r;
}
EDDY_TASK(walker);

EDDY_TEST(stacks_of_equal_depth_are_told_apart)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    if (!eddy__backtrace_is_there())
        return;
    for (int i = 0; i < 30; i++)
        EDDY_GO(&s, walker, .left = i % 3 == 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    IN_ORDER(dump(0), "\n20 tasks like ", "    go_right\n", "\n10 tasks like ", "    go_left\n");
}

EDDY_TEST(a_dump_is_bounded)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    if (!eddy__backtrace_is_there())
        return;
    for (int i = 0; i < 60; i++)
        EDDY_GO(&s, dozer, .ms = 60000, .depth = i % 20);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    IN_ORDER(dump(4), "\n48 more tasks, of other groups than these 4\n");
}

EDDY_TEST(tasks_that_have_not_begun_are_dumped)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 0; i < 3; i++)
        EDDY_GO(&s, dozer, .ms = 0);
    IN_ORDER(dump(0), ": 3 tasks: 0 running, 3 ready, 0 waiting\n", "\n3 tasks like ",
             "  ready, born ");
}

struct dumper_args {
    int unused;
};

static __attribute__((noinline)) int dumper(struct dumper_args *a)
{
    dump(0);
    a->unused = 1;
    return 0;
}
EDDY_TASK(dumper);

EDDY_TEST(a_task_can_dump_itself)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, dumper, .unused = 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    IN_ORDER(dumped.buf, "1 tasks: 1 running", "`dumper`", "  running");
    if (eddy__backtrace_is_there())
        IN_ORDER(dumped.buf, "    dumper\n", "plain code: waiting for join", "    eddy_join\n",
                 "a_task_can_dump_itself");
}

static int refuse(void *ctx, const char *text, size_t len)
{
    (void)text;
    (void)len;
    ++*(int *)ctx;
    return -EPIPE;
}

EDDY_TEST(a_dump_that_cannot_be_written_says_so)
{
    int calls = 0;

    EDDY_CHECK_ERR(eddy_dump_to(eddy_loop_current(), NULL, refuse, &calls), -EPIPE);
    EDDY_CHECK_EQ(calls, 1);
    EDDY_CHECK_ERR(eddy_dump(eddy_loop_current(), -1), -EBADF);
}

/* A stack that makes no sense ends the walk, not the program. */
EDDY_TEST(a_spoilt_stack_does_no_harm)
{
    static uintptr_t stack[512];
    struct eddy_frame frame[EDDY_FRAMES_MAX];
    struct eddy_walk walk = { .pc = (uintptr_t)&doze + 16,
                              .sp = (uintptr_t)&stack[8],
                              .low = (uintptr_t)stack,
                              .high = (uintptr_t)(stack + 512) };
    static const uintptr_t fillings[] = { 0, 1, UINTPTR_MAX, 0x4141414141414141, 4096 };

    for (size_t f = 0; f < sizeof fillings / sizeof fillings[0]; f++) {
        for (size_t i = 0; i < 512; i++)
            stack[i] = fillings[f];
        walk.fp = fillings[f];
        for (uintptr_t at = 0; at < 64; at++) {
            walk.pc = (uintptr_t)&doze + at;
            EDDY_CHECK(eddy__backtrace(&walk, frame, EDDY_FRAMES_MAX) <= EDDY_FRAMES_MAX);
        }
    }
    walk.sp = 64;
    EDDY_CHECK_EQ(eddy__backtrace(&walk, frame, EDDY_FRAMES_MAX), 0);
}
