/*
 * Guarded stacks: both kinds of guard by their effect, reuse, deep use, an overflow named.
 */
#include "check.h"

#include "base/sys.h"
#include "task/guard.h"
#include "task/task.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int refuse_guard(void *addr, size_t len, int advice)
{
    return advice == 102 ? -EINVAL : eddy__sys_kernel.madvise(addr, len, advice);
}

static int pretend_guard(void *addr, size_t len, int advice)
{
    return advice == 102 ? 0 : eddy__sys_kernel.madvise(addr, len, advice);
}

/* Whether the kernel refuses to read there, as it does for a guard of either kind. */
static bool is_guarded(const char *at)
{
    int fd[2];

    if (!EDDY_CHECK_EQ(pipe(fd), 0))
        return false;
    ssize_t r = write(fd[1], at, 1);
    close(fd[0]);
    close(fd[1]);
    return r < 0 && errno == EFAULT;
}

static void check_guards_of_class(struct eddy_stack_class *c, struct eddy_stack_pool *pool)
{
    struct eddy_stack *taken[40];

    for (int i = 0; i < 40; i++) {
        taken[i] = eddy_stack_take(pool, c);
        if (!EDDY_CHECK(taken[i] != NULL))
            return;
        char *low = eddy_stack_low(taken[i]);
        for (size_t page = 0; page < c->guard; page += 4096)
            EDDY_CHECK(is_guarded(low - c->guard + page));
        EDDY_CHECK(!is_guarded(low));
        low[0] = 1;
        EDDY_CHECK_EQ((uintptr_t)(taken[i] + 1) - (uintptr_t)low, c->usable);
        if (i % 2)
            eddy_stack_give(pool, taken[i]);
    }
    for (int i = 0; i < 40; i += 2)
        eddy_stack_give(pool, taken[i]);
}

static void check_guard_of(const char *kind)
{
    struct eddy_stack_pool pool;

    eddy_stack_pool_init(&pool, NULL, 0);
    EDDY_CHECK_STR(eddy_guard_name(), kind);
    for (size_t i = 0; i < EDDY_STACK_CLASSES; i++)
        check_guards_of_class(&pool.classes[i], &pool);
    EDDY_CHECK_EQ(pool.bare, 0);
    eddy_stack_pool_done(&pool);
}

EDDY_TEST(guards_hold_as_the_kernel_offers_them)
{
    eddy_guard_forget();
    check_guard_of(eddy_guard_name());
}

EDDY_TEST(guards_fall_back_to_mprotect)
{
    eddy__sys.madvise = refuse_guard;
    eddy_guard_forget();
    check_guard_of("mprotect");
    eddy__sys.madvise = eddy__sys_kernel.madvise;
    eddy_guard_forget();
}

EDDY_TEST(a_guard_is_believed_by_its_effect_only)
{
    eddy__sys.madvise = pretend_guard;
    eddy_guard_forget();
    check_guard_of("mprotect");
    eddy__sys.madvise = eddy__sys_kernel.madvise;
    eddy_guard_forget();
}

/* --- where there are too few mappings -------------------------------------------------------------- */

static int few_mappings(void)
{
    return 40;
}

static int refuse_mprotect(void *addr, size_t len, int protection)
{
    (void)addr, (void)len, (void)protection;
    return -ENOMEM;
}

static void without_guard_install(void)
{
    eddy__sys.madvise = refuse_guard;
    eddy__sys.mappings_max = few_mappings;
    eddy_guard_forget();
}

static void as_it_was(void)
{
    eddy__sys = eddy__sys_kernel;
    eddy_guard_forget();
}

EDDY_TEST(mprotect_takes_half_of_the_mappings_then_a_canary_stands)
{
    struct eddy_stack_pool pool;
    struct eddy_stack *taken[30];

    eddy_stack_pool_init(&pool, NULL, 0);
    without_guard_install();
    EDDY_CHECK_STR(eddy_guard_name(), "mprotect");
    for (int i = 0; i < 30; i++) {
        taken[i] = eddy_stack_take(&pool, &pool.classes[EDDY_STACK_DEFAULT]);
        EDDY_CHECK_EQ(is_guarded(eddy_stack_low(taken[i]) - 4096), i < 10);
        EDDY_CHECK_STR(eddy_guard_name(), i < 9 ? "mprotect" : "canary");
    }
    EDDY_CHECK_EQ(pool.bare, 20);
    EDDY_CHECK(!eddy_stack_has_run_over(taken[29]));
    eddy_stack_low(taken[29])[-1] = 1;
    EDDY_CHECK(eddy_stack_has_run_over(taken[29]));
    EDDY_CHECK(!eddy_stack_has_run_over(taken[28]));
    EDDY_CHECK(!eddy_stack_has_run_over(taken[0]));
    for (int i = 0; i < 30; i++)
        eddy_stack_give(&pool, taken[i]);
    eddy_stack_pool_done(&pool);
    EDDY_CHECK_STR(eddy_guard_name(), "mprotect"); /* they are free again */
    as_it_was();
}

EDDY_TEST(a_guard_that_is_refused_is_a_canary)
{
    struct eddy_stack_pool pool;

    eddy_stack_pool_init(&pool, NULL, 0);
    without_guard_install();
    eddy__sys.mprotect = refuse_mprotect;
    struct eddy_stack *s = eddy_stack_take(&pool, &pool.classes[0]);
    if (EDDY_CHECK(s != NULL)) {
        EDDY_CHECK_EQ(pool.bare, 1);
        eddy_stack_give(&pool, s);
    }
    eddy_stack_pool_done(&pool);
    as_it_was();
}

struct deep_args {
    size_t bytes;
    int *sum;
};

static int use_stack(size_t bytes)
{
    volatile char page[1024];

    memset((void *)(uintptr_t)page, 1, sizeof page);
    return bytes <= sizeof page ? page[0] : page[0] + use_stack(bytes - sizeof page);
}

static int deep(struct deep_args *a)
{
    *a->sum = use_stack(a->bytes);
    return eddy_yield();
}
EDDY_TASK(deep);

EDDY_TEST(a_task_may_be_60_kib_deep)
{
    int sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, deep, .bytes = (size_t)60 * 1024, .sum = &sum);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sum, 60);
}

static int whole_thread_stack(void *arg)
{
    *(int *)arg = use_stack((size_t)1024 * 1024);
    return eddy_sleep(1);
}

struct caller_args {
    int *sum;
    int *result;
};

static int caller(struct caller_args *a)
{
    *a->result = eddy_call_deep(whole_thread_stack, a->sum);
    return eddy_yield();
}
EDDY_TASK(caller);

EDDY_TEST(call_deep_has_the_threads_stack_and_may_not_wait)
{
    int sum = 0, result = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, caller, .sum = &sum, .result = &result);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sum, 1024);
    EDDY_CHECK_EQ(result, -EDEADLK);
}

EDDY_TEST(stacks_are_reused)
{
    struct eddy_stack_info before = { .size = sizeof before }, after = { .size = sizeof after };
    int sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, deep, .bytes = 1, .sum = &sum);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    eddy_stack_info(&before);
    for (int i = 0; i < 1000; i++) {
        EDDY_GO(&s, deep, .bytes = 1, .sum = &sum);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    eddy_stack_info(&after);
    EDDY_CHECK_EQ(before.pooled, 1);
    EDDY_CHECK_EQ(after.pooled, 1);
    EDDY_CHECK_EQ(after.live, 0);
}

/* --- overflow ---------------------------------------------------------------------------------------- */

struct plunge_args {
    size_t bytes;
};

static int plunge(struct plunge_args *a)
{
    return use_stack(a->bytes) < 0;
}
EDDY_TASK(plunge);

struct poke_args {
    size_t bytes;
};

/* Touches what lies so far from the end of its stack, and nothing else. */
static int poke(struct poke_args *a)
{
    char *low = eddy_stack_low(eddy_task_stack(eddy_task_current()));

    low[-(ptrdiff_t)a->bytes] = 1;
    return 0;
}
EDDY_TASK(poke);

/* In a child process: its standard error is read, its end looked at. */
static void overflow_in_a_child(const struct eddy_go_options *options,
                                const struct eddy_task_type *type, size_t bytes, char *text,
                                size_t cap, int *ret_status)
{
    size_t len = 0;
    ssize_t n;
    int fd[2];

    if (!EDDY_CHECK_EQ(pipe(fd), 0))
        return;
    pid_t child = fork();
    if (child == 0) {
        dup2(fd[1], STDERR_FILENO);
        /* A sanitizer's own handler would print pages and exit; what is tested is ours. */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        eddy_overflow_report();
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_go(&s, type, &bytes, EDDY_HERE, options);
        eddy_join(&s);
        _exit(0);
    }
    close(fd[1]);
    while (len < cap - 1 && (n = read(fd[0], text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(fd[0]);
    EDDY_CHECK_EQ(waitpid(child, ret_status, 0), child);
}

static void check_overflow(const struct eddy_go_options *options, const char *want, int signal)
{
    char text[1024] = "";
    int status = 0;

    overflow_in_a_child(options, &plunge_task, (size_t)100 * 1024 * 1024, text, sizeof text,
                        &status);
    if (!EDDY_CHECK(strstr(text, want) != NULL))
        fprintf(stderr, "it said: %s\n", text);
    EDDY_CHECK(strstr(text, "stack_test.c:") != NULL); /* where it was spawned */
    EDDY_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

EDDY_TEST(an_overflow_names_the_task)
{
    check_overflow(NULL, "task plunge overflowed its stack of 240 KiB", SIGSEGV);
}

EDDY_TEST(an_overflow_names_the_task_by_its_own_name)
{
    check_overflow(EDDY_OPT(go, .name = "diver 7"), "task diver 7 overflowed its stack of 240 KiB",
                   SIGSEGV);
}

EDDY_TEST(an_overflow_of_a_small_stack_is_named)
{
    check_overflow(EDDY_OPT(go, .stack_bytes = (size_t)100 * 1024),
                   "task plunge overflowed its stack of 112 KiB", SIGSEGV);
}

EDDY_TEST(an_overflow_of_a_large_stack_is_named)
{
    check_overflow(EDDY_OPT(go, .stack_bytes = (size_t)1024 * 1024),
                   "task plunge overflowed its stack of 1024 KiB", SIGSEGV);
}

static int no_mappings(void)
{
    return 0;
}

EDDY_TEST(an_overflow_without_a_guard_is_found_at_the_tasks_end)
{
    char text[1024] = "";
    int status = 0;

    without_guard_install();
    eddy__sys.mappings_max = no_mappings;
    overflow_in_a_child(NULL, &poke_task, 100, text, sizeof text, &status);
    EDDY_CHECK(strstr(text, "task poke overflowed its stack of 240 KiB") != NULL);
    EDDY_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    overflow_in_a_child(NULL, &poke_task, 0, text, sizeof text, &status);
    EDDY_CHECK_EQ(status, 0);
    as_it_was();
}
