/*
 * What debug tells of things that were not ended: files, watches, sets of signals, generators, futures.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include "base/sys.h"
#include "loop/backtrace.h"
#include "loop/debug.h"

#include <eddy/file.h>
#include <eddy/future.h>
#include <eddy/generator.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/signal.h>
#include <eddy/task.h>
#include <eddy/watch.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static char log_text[16][1200];
static int lines;

static void keep(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx, (void)level;
    if (lines < 16)
        snprintf(log_text[lines++], sizeof log_text[0], "%s", line);
}

static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there(); /* keeps two descriptors */
}

/* How many lines have both. */
static int count(const char *a, const char *b)
{
    int n = 0;

    for (int i = 0; i < lines; i++)
        n += strstr(log_text[i], a) && strstr(log_text[i], b);
    return n;
}

static struct eddy_loop *loop;

static bool begin(bool debug)
{
    lines = 0;
    eddy_log_to(keep, NULL, EDDY_LOG_WARNING);
    return EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .debug = debug, .stall_ms = 60000), &loop),
                         0);
}

static void end(void)
{
    eddy_loop_free(EDDY_TAKE(loop));
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
}

struct one_args {
    int value;
};

static int one(struct eddy_gen *gen, struct one_args *a)
{
    return eddy_gen_yield(gen, &a->value);
}
EDDY_GENERATOR(one, int);

static void on_event(void *ctx, unsigned events)
{
    (void)ctx, (void)events;
}

struct things {
    struct eddy_file *file;
    struct eddy_watch *watch;
    struct eddy_signals *signals;
    struct eddy_gen gen;
    int pipes[2];
};

static void make(struct things *t)
{
    EDDY_CHECK_EQ(eddy_file_open("/dev/null", O_RDONLY, 0, &t->file), 0);
    EDDY_CHECK_EQ(eddy__sys.pipe(t->pipes), 0);
    EDDY_CHECK_EQ(eddy_watch_new(t->pipes[0], EDDY_READABLE, on_event, NULL, &t->watch), 0);
    EDDY_CHECK_EQ(eddy_signals_open(EDDY_SIGNAL(SIGUSR2), &t->signals), 0);
    t->gen = EDDY_GEN(one, .value = 1);
}

static void unmake(struct things *t)
{
    eddy_gen_done(&t->gen);
    eddy_signals_free(t->signals);
    eddy_watch_free(t->watch);
    eddy_file_free(t->file);
    eddy__sys.close(t->pipes[0]);
    eddy__sys.close(t->pipes[1]);
}

EDDY_TEST(what_is_left_of_each_kind_is_told_with_the_public_call_that_made_it)
{
    static const struct {
        const char *what, *made_by;
    } kinds[] = {
        { "a file was never closed", "made by eddy_file_open < make" },
        { "a watch was never closed", "made by eddy_watch_new < make" },
        { "a set of signals was never closed", "made by eddy_signals_open < make" },
        { "a generator was never closed", "made by " },
    };
    struct things t;

    if (!begin(true))
        return;
    make(&t);
    eddy_debug_end(loop); /* as at the loop's end: but then they could not be ended */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        EDDY_CHECK_EQ(count(kinds[i].what, eddy__backtrace_is_there() ? kinds[i].made_by : ""), 1);
    EDDY_CHECK_EQ(count("", "made by eddy__"), 0);
    EDDY_CHECK_EQ(lines, 4);
    unmake(&t);
    end();
}

EDDY_TEST(what_was_ended_is_not_told_and_a_watch_that_its_loop_ends_is)
{
    struct things t;

    if (!begin(true))
        return;
    make(&t);
    unmake(&t);
    EDDY_CHECK_EQ(eddy_sleep(1), 0); /* the ring's answer to a watch that was freed */
    EDDY_CHECK_EQ(eddy__sys.pipe(t.pipes), 0);
    EDDY_CHECK_EQ(eddy_watch_new(t.pipes[0], EDDY_READABLE, on_event, NULL, &t.watch), 0);
    EDDY_CHECK_EQ(lines, 0);
    end();
    EDDY_CHECK_EQ(count("a watch was never closed", "made by "), 1);
    EDDY_CHECK_EQ(lines, 1);
    eddy__sys.close(t.pipes[0]);
    eddy__sys.close(t.pipes[1]);
}

static struct eddy_future *future(bool set, bool awaited)
{
    struct eddy_future *f = NULL;

    EDDY_CHECK_EQ(eddy_future_new(EDDY_HERE, NULL, &f), 0);
    if (set)
        EDDY_CHECK_EQ(eddy_future_set(f, 0, NULL), 0);
    if (awaited)
        (void)eddy_future_result(f, NULL);
    return f;
}

EDDY_TEST(a_future_that_nobody_set_or_awaited_is_told_with_its_birthplace)
{
    if (!begin(true))
        return;
    eddy_future_free(future(true, true));
    EDDY_CHECK_EQ(lines, 0);
    eddy_future_free(future(true, false));
    EDDY_CHECK_EQ(count("a future was never awaited", "leftover_test.c:"), 1);
    eddy_future_free(future(false, true));
    EDDY_CHECK_EQ(count("a future was never set", "leftover_test.c:"), 1);
    EDDY_CHECK_EQ(lines, 2);

    /* Left over at the loop's end it is told there, and not again. */
    EDDY_CHECK_EQ(eddy_yield(), 0);
    struct eddy_future *late = future(false, false), *kept = future(true, true);
    end();
    EDDY_CHECK_EQ(count("a future was never set", "leftover_test.c:"), 2);
    EDDY_CHECK_EQ(count("a future was never freed", "leftover_test.c:"), 1);
    eddy_future_free(late);
    eddy_future_free(kept);
    EDDY_CHECK_EQ(lines, 4);
}

EDDY_TEST(without_debug_nothing_of_it_is_said)
{
    struct things t;

    if (!begin(false))
        return;
    make(&t);
    eddy_future_free(future(false, false));
    unmake(&t);
    end();
    EDDY_CHECK_EQ(lines, 0);
}
