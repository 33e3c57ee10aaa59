/*
 * Mistakes told while a program runs: who holds the loop, who waits in a callback, what is never closed.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "check.h"

#include "base/sys.h"
#include "loop/backtrace.h"
#include "loop/debug.h"
#include "task/task.h"

#include <eddy/inspect.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/task.h>
#include <eddy/watch.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- the log, read from other threads, too ------------------------------------------------------- */

static atomic_int lines;
static char log_text[16][1200];

static void keep(void *ctx, enum eddy_log_level level, const char *line)
{
    int at = atomic_load(&lines);

    (void)ctx;
    (void)level;
    if (at < 16)
        snprintf(log_text[at], sizeof log_text[at], "%s", line);
    atomic_store(&lines, at + 1);
}

static bool log_says(const char *a, const char *b)
{
    for (int i = 0; i < atomic_load(&lines) && i < 16; i++) {
        const char *at = strstr(log_text[i], a);
        if (at && strstr(at, b))
            return true;
    }
    return false;
}

static void show_log(void)
{
    for (int i = 0; i < atomic_load(&lines) && i < 16; i++)
        printf("log: %s\n", log_text[i]);
}

static struct eddy_loop *loop;

static bool with_loop(bool debug, int64_t stall_ms)
{
    atomic_store(&lines, 0);
    eddy_log_to(keep, NULL, EDDY_LOG_WARNING);
    return EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .debug = debug, .stall_ms = stall_ms), &loop),
                         0);
}

/* A library is loaded, and two descriptors stay: before anybody counts. */
static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there();
}

static void end_loop(void)
{
    eddy_loop_free(EDDY_TAKE(loop));
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
}

/* --- stalls ------------------------------------------------------------------------------------------ */

/* Holds the loop until the report of it has come: nothing here depends on how fast the machine is. */
static __attribute__((noinline)) void hold(void)
{
    const struct timespec a_moment = { .tv_nsec = 100000 };
    const int before = atomic_load(&lines);

    while (atomic_load(&lines) == before)
        nanosleep(&a_moment, NULL); /* else who reports waits for the processor we burn */
}

/* Goes on to hold after the report, past the time in which nothing is said anyway. */
static void holding_on(void *ctx)
{
    struct timespec left = { .tv_sec = 1, .tv_nsec = 200000000 };

    hold();
    while (nanosleep(&left, &left) < 0)
        ; /* by the signal that asks who it is */
    ++*(int *)ctx;
}

static void holding_callback(void *ctx)
{
    hold();
    ++*(int *)ctx;
}

struct holder_args {
    int held;
};

static __attribute__((noinline)) int holder(struct holder_args *a)
{
    hold();
    a->held++;
    return 0;
}
EDDY_TASK(holder);

EDDY_TEST(a_callback_that_holds_the_loop_is_reported_while_it_does)
{
    int ran = 0;

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 20), 0);
    EDDY_CHECK_EQ(eddy_post(loop, holding_callback, &ran), 0);
    while (!ran)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(log_says("a callback holds the loop for ", " ms: "));
    if (eddy__backtrace_is_there() && !EDDY_CHECK(log_says("hold", " < holding_callback < ")))
        show_log();
    end_loop();
}

EDDY_TEST(a_task_that_holds_the_loop_is_named_with_its_birthplace)
{
    char name[300];

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 20), 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO_WITH(&s, EDDY_OPT(go, .name = "brute"), holder, .held = 0);
        const int line = __LINE__ - 1;
        snprintf(name, sizeof name, "`brute`, spawned at %s:%d, holds the loop for ", __FILE__,
                 line);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    if (!EDDY_CHECK(log_says("task 1 ", name)))
        show_log();
    if (eddy__backtrace_is_there() && !EDDY_CHECK(log_says("hold", " < holder")))
        show_log();
    end_loop();
}

static void on_alarm(void *ctx)
{
    holding_callback(ctx);
    ++*(int *)ctx;
}

EDDY_TEST(a_timer_that_holds_the_loop_is_reported)
{
    struct eddy_alarm *alarm = NULL;
    int ran = 0;

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 20), 0);
    EDDY_CHECK_EQ(eddy_alarm_new(on_alarm, &ran, &alarm), 0);
    eddy_alarm_start(alarm, 1);
    EDDY_CHECK_EQ(eddy_sleep(2), 0);
    while (!ran)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    if (eddy__backtrace_is_there() && !EDDY_CHECK(log_says(" < hold < ", "on_alarm < ")))
        show_log();
    eddy_alarm_free(alarm);
    end_loop();
}

static int readable[2];

static void on_readable(void *ctx, unsigned events)
{
    char byte;

    EDDY_CHECK(events != 0);
    EDDY_CHECK_EQ(read(readable[0], &byte, 1), 1);
    holding_callback(ctx);
    ++*(int *)ctx;
}

/* What the driver calls while it is being turned: the loop is known to be awake. */
EDDY_TEST(a_completion_that_holds_the_loop_is_reported)
{
    struct eddy_watch *watch = NULL;
    int ran = 0;

    if (strcmp(eddy_check_backend(), "sim") == 0)
        return; /* it knows no foreign descriptors */
    if (!with_loop(false, 0) || !EDDY_CHECK_EQ(pipe(readable), 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 20), 0);
    EDDY_CHECK_EQ(eddy_watch_new(readable[0], EDDY_READABLE, on_readable, &ran, &watch), 0);
    EDDY_CHECK_EQ(write(readable[1], "x", 1), 1);
    while (!ran)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    if (eddy__backtrace_is_there() && !EDDY_CHECK(log_says(" < hold < ", "on_readable < ")))
        show_log();
    eddy_watch_free(watch);
    close(readable[0]);
    close(readable[1]);
    end_loop();
}

/* A loop that sleeps, and plain code that computes, hold nobody. */
EDDY_TEST(who_does_not_hold_the_loop_is_not_reported)
{
    const struct timespec a_while = { .tv_nsec = 700000000 };

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 300), 0);
    EDDY_CHECK_EQ(eddy_sleep(700), 0);
    nanosleep(&a_while, NULL);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(atomic_load(&lines), 0);
    show_log();
    end_loop();
}

EDDY_TEST(one_stall_is_told_once)
{
    int ran = 0;

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 10), 0);
    EDDY_CHECK_EQ(eddy_post(loop, holding_on, &ran), 0);
    while (!ran)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(atomic_load(&lines), 1);
    end_loop();
}

/* The watchdog is one for the process: how long it sleeps for one loop must not blind it for others. */
EDDY_TEST(a_short_threshold_is_kept_after_a_long_one)
{
    const struct timespec a_while = { .tv_nsec = 50000000 };
    int ran = 0;

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 240000), 0);
    nanosleep(&a_while, NULL);
    end_loop();
    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 20), 0);
    int64_t began_ns = eddy__sys.now_ns();
    EDDY_CHECK_EQ(eddy_post(loop, holding_callback, &ran), 0);
    while (!ran)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(eddy__sys.now_ns() - began_ns < INT64_C(30000000000)); /* not the minute it slept */
    end_loop();
}

static void holding_briefly(void *ctx)
{
    const struct timespec a_while = { .tv_nsec = 60000000 };

    nanosleep(&a_while, NULL);
    ++*(int *)ctx;
}

EDDY_TEST(reports_are_at_most_one_a_second)
{
    int ran = 0;

    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_EQ(eddy_stall_watch(loop, 10), 0);
    int64_t began_ns = eddy__sys.now_ns();
    for (int i = 1; i <= 5; i++) {
        EDDY_CHECK_EQ(eddy_post(loop, holding_briefly, &ran), 0);
        while (ran < i)
            EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK(atomic_load(&lines) <= 1 + (eddy__sys.now_ns() - began_ns) / 1000000000);
    end_loop();
}

/* --- debug --------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void waiting_callback(void *ctx)
{
    for (int i = 0; i < 3; i++)
        ++*(int *)ctx;
    EDDY_CHECK_ERR(eddy_sleep(1), -EDEADLK);
    ++*(int *)ctx;
}

EDDY_TEST(a_callback_that_would_wait_is_named)
{
    int ran = 0;

    if (!with_loop(true, 60000))
        return;
    for (int i = 1; i <= 2; i++) {
        EDDY_CHECK_EQ(eddy_post(loop, waiting_callback, &ran), 0);
        while (ran < 4 * i)
            EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(atomic_load(&lines), 1);
    if (eddy__backtrace_is_there() &&
        !EDDY_CHECK(log_says("a callback made a call that would wait (EDEADLK): ",
                             "eddy_sleep < waiting_callback < ")))
        show_log();
    end_loop();
}

EDDY_TEST(without_debug_nothing_is_said)
{
    int ran = 0, object = 0;

    if (!with_loop(false, 0))
        return;
    eddy__debug_born(loop, &object, "a thing");
    EDDY_CHECK_EQ(eddy_post(loop, waiting_callback, &ran), 0);
    while (!ran)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    end_loop();
    EDDY_CHECK_EQ(atomic_load(&lines), 0);
}

static __attribute__((noinline)) void make(int *things)
{
    for (int i = 0; i < 3; i++)
        eddy__debug_born(loop, &things[i], "a thing");
    things[0] = 1;
}

EDDY_TEST(what_was_never_closed_is_told_at_the_end_with_its_birthplace)
{
    int things[3] = { 0 };

    if (!with_loop(true, 60000))
        return;
    make(things);
    eddy__debug_gone(loop, &things[0]);
    eddy__debug_gone(loop, &things[0]); /* harmless: unknown */
    EDDY_CHECK_EQ(atomic_load(&lines), 0);
    eddy__debug_complain(loop, &things[1], "was never awaited");
    EDDY_CHECK(
        log_says("a thing was never awaited; made by ", eddy__backtrace_is_there() ? "make" : ""));
    EDDY_CHECK_EQ(atomic_load(&lines), 1);
    end_loop();
    EDDY_CHECK_EQ(atomic_load(&lines), 2);
    EDDY_CHECK(
        log_says("a thing was never closed; made by ", eddy__backtrace_is_there() ? "make" : ""));
}

EDDY_TEST(the_environment_turns_debug_on)
{
    int ran = 0;

    setenv("EDDY_DEBUG", "1", 1);
    setenv("EDDY_DEBUG_STALL_MS", "20", 1);
    if (!with_loop(false, 0))
        return;
    unsetenv("EDDY_DEBUG");
    unsetenv("EDDY_DEBUG_STALL_MS");
    EDDY_CHECK(loop->debug != NULL);
    EDDY_CHECK_EQ(eddy_post(loop, holding_callback, &ran), 0);
    while (!ran)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(log_says("holds the loop", ""));
    end_loop();

    setenv("EDDY_DEBUG", "0", 1);
    if (!with_loop(false, 0))
        return;
    unsetenv("EDDY_DEBUG");
    EDDY_CHECK(loop->debug == NULL && loop->stall == NULL);
    end_loop();
}

/* --- a dump for a signal ---------------------------------------------------------------------------------- */

static atomic_int chained;

static void before_us(int signo)
{
    (void)signo;
    atomic_fetch_add(&chained, 1);
}

/* Standard error for as long as it takes, read back. */
static bool dumped_to_stderr(char *buf, size_t cap)
{
    int pair[2], saved = dup(2);

    if (!EDDY_CHECK_EQ(pipe(pair), 0))
        return false;
    dup2(pair[1], 2);
    close(pair[1]);
    EDDY_CHECK_EQ(raise(SIGQUIT), 0);
    EDDY_CHECK_EQ(atomic_load(&chained), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    dup2(saved, 2);
    close(saved);
    ssize_t n = read(pair[0], buf, cap - 1);
    close(pair[0]);
    buf[n > 0 ? n : 0] = '\0';
    return EDDY_CHECK(n > 0);
}

EDDY_TEST(a_signal_asks_for_a_dump_and_a_second_one_goes_on)
{
    struct sigaction mine = { .sa_handler = before_us }, old, now;
    static char text[20000];

    EDDY_CHECK_EQ(sigaction(SIGQUIT, &mine, &old), 0);
    atomic_store(&chained, 0);
    if (!with_loop(false, 0))
        return;
    EDDY_CHECK_ERR(eddy_dump_on_signal(SIGKILL), -EINVAL);
    EDDY_CHECK_ERR(eddy_dump_on_signal(-1), -EINVAL);
    EDDY_CHECK_EQ(eddy_dump_on_signal(0), 0);
    EDDY_CHECK_EQ(eddy_dump_on_signal(SIGUSR1), 0);
    EDDY_CHECK_EQ(eddy_dump_on_signal(0), 0);
    EDDY_CHECK_EQ(eddy_dump_on_signal(SIGQUIT), 0);
    EDDY_CHECK_EQ(eddy_dump_on_signal(SIGQUIT), 0);
    EDDY_CHECK_ERR(eddy_dump_on_signal(SIGUSR1), -EBUSY);
    for (int i = 0; i < 2; i++)
        if (dumped_to_stderr(text, sizeof text))
            EDDY_CHECK(strstr(text, "eddy: dump of a loop") && strstr(text, "end of the dump"));

    /* The loop did not come to it between the two. */
    EDDY_CHECK_EQ(raise(SIGQUIT), 0);
    EDDY_CHECK_EQ(raise(SIGQUIT), 0);
    EDDY_CHECK_EQ(atomic_load(&chained), 1);
    int saved = dup(2), pair[2];
    EDDY_CHECK_EQ(pipe(pair), 0);
    dup2(pair[1], 2);
    end_loop();
    dup2(saved, 2);
    close(saved);
    close(pair[0]);
    close(pair[1]);

    EDDY_CHECK_EQ(sigaction(SIGQUIT, &old, &now), 0);
    EDDY_CHECK(now.sa_handler == before_us);
}
