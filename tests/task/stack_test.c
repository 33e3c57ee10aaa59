/*
 * Guarded stacks: both kinds of guard by their effect, reuse, deep use, an overflow named.
 */
#include "check.h"

#include "base/sys.h"
#include "task/stack.h"

#include <eddy/task.h>

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

static void check_guard_of(const char *kind)
{
    struct eddy_stack_pool pool = { 0 };

    EDDY_CHECK_STR(eddy_stack_guard_name(), kind);
    for (int i = 0; i < 40; i++) {
        char *low = eddy_stack_take(&pool);
        if (!EDDY_CHECK(low != NULL))
            return;
        for (size_t page = 0; page < EDDY_STACK_GUARD; page += 4096)
            EDDY_CHECK(is_guarded(low - EDDY_STACK_GUARD + page));
        EDDY_CHECK(!is_guarded(low));
        low[0] = 1;
        low[EDDY_STACK_USABLE - 1] = 1;
        if (i % 2)
            eddy_stack_give(&pool, low);
    }
    pool.live = 0;
    eddy_stack_pool_done(&pool);
}

EDDY_TEST(guards_hold_as_the_kernel_offers_them)
{
    eddy_stack_guard_forget();
    check_guard_of(eddy_stack_guard_name());
}

EDDY_TEST(guards_fall_back_to_mprotect)
{
    eddy__sys.madvise = refuse_guard;
    eddy_stack_guard_forget();
    check_guard_of("mprotect");
    eddy__sys.madvise = eddy__sys_kernel.madvise;
    eddy_stack_guard_forget();
}

EDDY_TEST(a_guard_is_believed_by_its_effect_only)
{
    eddy__sys.madvise = pretend_guard;
    eddy_stack_guard_forget();
    check_guard_of("mprotect");
    eddy__sys.madvise = eddy__sys_kernel.madvise;
    eddy_stack_guard_forget();
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
    struct eddy_stack_info before, after;
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

struct plunge_args {
    int unused;
};

static int plunge(struct plunge_args *a)
{
    return a->unused + use_stack((size_t)100 * 1024 * 1024);
}
EDDY_TASK(plunge);

/* In a child process: its standard error is read, its end looked at. */
EDDY_TEST(an_overflow_names_the_task)
{
    char text[512] = "";
    int fd[2], status = 0;

    if (!EDDY_CHECK_EQ(pipe(fd), 0))
        return;
    pid_t child = fork();
    if (child == 0) {
        dup2(fd[1], STDERR_FILENO);
        /* A sanitizer's own handler would print pages and exit; what is tested is ours. */
        signal(SIGSEGV, SIG_DFL);
        eddy_overflow_report();
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, plunge, .unused = 0);
        eddy_join(&s);
        _exit(0);
    }
    close(fd[1]);
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text - 1 && (n = read(fd[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    close(fd[0]);
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(strstr(text, "task plunge overflowed its stack") != NULL);
    EDDY_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
