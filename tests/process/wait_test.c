/*
 * Waiting for a process, and what becomes of one that nobody waits for; by pidfd and without.
 *
 * backends: select poll epoll uring sim
 * timeout: 120
 */
#include "children.h"

#include "base/sys.h"
#include "loop/backtrace.h"
#include "loop/loop.h"

#include <eddy/inspect.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/process.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    children_restore();
}

/* `cat`, which ends when its input does. */
static struct eddy_process *a_cat(void)
{
    const char *const argv[] = { "cat", NULL };
    struct eddy_process *p = NULL;

    EDDY_CHECK_ERR(eddy_process_spawn(argv, EDDY_OPT(process, .in = EDDY_IO_PIPE), &p), 0);
    return p;
}

static struct eddy_process *a_shell(const char *script)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct eddy_process *p = NULL;

    EDDY_CHECK_ERR(eddy_process_spawn(argv, NULL, &p), 0);
    return p;
}

struct waiter_args {
    struct eddy_process *p;
    struct eddy_process_status *status;
    int *result;
};

static int waiter(struct waiter_args *a)
{
    *a->result = eddy_process_wait(a->p, a->status);
    return 0;
}
EDDY_TASK(waiter);

EDDY_TEST(all_who_wait_are_told)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status[3];
        int result[3] = { 1, 1, 1 };
        EDDY_OWN(eddy_process) p = a_cat();
        EDDY_SCOPE(s, .timeout_ms = 0);

        for (int i = 0; i < 3; i++)
            EDDY_GO(&s, waiter, .p = p, .status = &status[i], .result = &result[i]);
        EDDY_CHECK_EQ(eddy_sleep(5), 0);
        EDDY_CHECK_EQ(result[0], 1);
        EDDY_CHECK_ERR(eddy_process_signal(p, 0), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(eddy_process_stdin(p)), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        for (int i = 0; i < 3; i++) {
            EDDY_CHECK_EQ(result[i], 0);
            EDDY_CHECK_EQ(status[i].code, 0);
            EDDY_CHECK(WIFEXITED(status[i].raw));
            EDDY_CHECK(status[i].max_rss > 0);
        }
        EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0); /* and again */
        EDDY_CHECK(!have_children());
    }
}

EDDY_TEST(how_it_ended_is_told)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        char text[64];

        EDDY_OWN(eddy_process) three = a_shell("exit 3");
        EDDY_CHECK_ERR(eddy_process_wait(three, &status), 0);
        EDDY_CHECK_EQ(status.code, 3);
        EDDY_CHECK_EQ(status.signo, 0);
        EDDY_CHECK_STR(eddy_process_status_text(&status, text, sizeof text), "exited with 3");
        EDDY_OWN(eddy_process) killed = a_cat();
        EDDY_CHECK_ERR(eddy_process_signal(killed, SIGKILL), 0);
        EDDY_CHECK_ERR(eddy_process_wait(killed, &status), 0);
        EDDY_CHECK_EQ(status.code, -1);
        EDDY_CHECK_EQ(status.signo, SIGKILL);
        EDDY_CHECK(WIFSIGNALED(status.raw));
        EDDY_CHECK_STR(eddy_process_status_text(&status, text, sizeof text),
                       "killed by SIGKILL (9)");
        status.core_dumped = true;
        EDDY_CHECK_STR(eddy_process_status_text(&status, text, sizeof text),
                       "killed by SIGKILL (9), core dumped");
        EDDY_OWN(eddy_process) busy = a_shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        EDDY_CHECK_ERR(eddy_process_wait(busy, &status), 0);
        EDDY_CHECK(status.user_ns + status.system_ns > 0);
    }
}

EDDY_TEST(a_cancelled_wait_may_be_repeated)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_OWN(eddy_process) p = a_cat();

        {
            EDDY_SCOPE(s, .timeout_ms = 3);
            EDDY_CHECK_ERR(eddy_process_wait(p, &status), -ETIMEDOUT);
            EDDY_CHECK_ERR(eddy_process_wait(p, &status), -ETIMEDOUT);
        }
        EDDY_CHECK_EQ(eddy_stream_finish(eddy_process_stdin(p)), 0);
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), -ECANCELED); /* though it has ended */
    }
}

EDDY_TEST(a_stolen_status_is_echild)
{
    for (int way = 0; next_way(&way);) {
        int raw;
        EDDY_OWN(eddy_process) p = a_cat();
        pid_t pid = eddy_process_pid(p);

        /* waitpid(-1) of the program's own, before the loop has looked. */
        kill(pid, SIGKILL);
        EDDY_CHECK_EQ(waitpid(-1, &raw, 0), pid);
        EDDY_CHECK_ERR(eddy_process_wait(p, NULL), -ECHILD);
        EDDY_CHECK_ERR(eddy_process_signal(p, 0), -ESRCH);

        /* No zombie is made, and no status. */
        (void)signal(SIGCHLD, SIG_IGN);
        EDDY_OWN(eddy_process) q = a_cat();
        EDDY_CHECK_EQ(eddy_stream_finish(eddy_process_stdin(q)), 0);
        int r = eddy_process_wait(q, NULL);
        /* Without a pidfd we take the signal while one runs, which puts that right. */
        EDDY_CHECK_ERR(r, way == 2 ? 0 : -ECHILD);
        (void)signal(SIGCHLD, SIG_DFL);
    }
}

EDDY_TEST(one_that_has_ended_is_not_signalled)
{
    for (int way = 0; next_way(&way);) {
        EDDY_OWN(eddy_process) p = a_shell("exit 0");

        EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0);
        EDDY_CHECK_ERR(eddy_process_signal(p, SIGKILL), -ESRCH);
        EDDY_CHECK_ERR(eddy_process_kill_group(p, SIGKILL), -ESRCH);
        EDDY_CHECK_ERR(eddy_process_stop(p, NULL), 0);
    }
}

EDDY_TEST(signals_reach_it)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_OWN(eddy_process) p = a_cat();

        EDDY_CHECK_ERR(eddy_process_signal(p, 999), -EINVAL);
        EDDY_CHECK_ERR(eddy_process_kill_group(p, 999), -EINVAL);
        EDDY_CHECK_ERR(eddy_process_kill_group(p, 0), 0);
        EDDY_CHECK_ERR(eddy_process_resize(p, 1, 1), -ENOTTY);
        EDDY_CHECK_ERR(eddy_process_kill_group(p, SIGUSR1), 0);
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGUSR1);
    }
}

/* Sleeps, without a bound that a busy machine breaks, until no child is left. */
static void until_reaped(void)
{
    while (have_children())
        if (!EDDY_CHECK_EQ(eddy_sleep(1), 0))
            return;
}

EDDY_TEST(nobody_waits_and_no_zombie_is_left)
{
    for (int way = 0; next_way(&way);) {
        EDDY_OWN(eddy_process) p = a_shell("exit 5");
        struct eddy_process_status status;

        until_reaped();
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_CHECK_EQ(status.code, 5);
    }
}

/* Another loop has SIGCHLD and there are no pidfds: it is looked at, at times. */
static void hear(void *ctx, int signo)
{
    (void)ctx, (void)signo;
}

struct other {
    pthread_barrier_t barrier;
    int r;
};

static void *other_loop(void *arg)
{
    struct other *o = arg;

    o->r = eddy_loop_on_signal(eddy_loop_current(), SIGCHLD, hear, NULL);
    pthread_barrier_wait(&o->barrier);
    pthread_barrier_wait(&o->barrier);
    return NULL;
}

EDDY_TEST(without_pidfd_and_sigchld_it_is_looked_at)
{
    struct other o = { .r = -1 };
    pthread_t thread;
    int way = 1;

    if (!next_way(&way))
        return;
    pthread_barrier_init(&o.barrier, NULL, 2);
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, other_loop, &o), 0);
    pthread_barrier_wait(&o.barrier);
    EDDY_CHECK_EQ(o.r, 0);
    struct eddy_process_status status;
    EDDY_OWN(eddy_process) p = a_shell("exit 9");
    EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
    EDDY_CHECK_EQ(status.code, 9);
    pthread_barrier_wait(&o.barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&o.barrier);
}

struct one_args {
    int *started, *ended;
    int many;
};

/* All of them live before the first one ends. */
static int one(struct one_args *a)
{
    const char *const argv[] = { "cat", NULL };
    EDDY_OWN(eddy_process) p = NULL;

    int r = eddy_process_spawn(argv, EDDY_OPT(process, .in = EDDY_IO_PIPE), &p);
    if (r < 0)
        return r;
    ++*a->started;
    while (r == 0 && *a->started < a->many)
        r = eddy_sleep(5);
    if (r == 0)
        r = eddy_stream_finish(eddy_process_stdin(p));
    if (r == 0)
        r = eddy_process_wait(p, NULL);
    *a->ended += r == 0;
    return r;
}
EDDY_TASK(one);

EDDY_TEST(a_thousand_at_once)
{
    struct rlimit limit;
    int started = 0, ended = 0;

    if (is_sim() || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    int many = (int)eddy_check_number("EDDY_CHILDREN", 1000);
    if (limit.rlim_cur < 3000)
        many = 100;
    /* Past FD_SETSIZE select hears of a child by SIGCHLD. */
    EDDY_SCOPE(all, .timeout_ms = 0);
    for (int i = 0; i < many; i++)
        EDDY_GO(&all, one, .started = &started, .ended = &ended, .many = many);
    EDDY_CHECK_ERR(eddy_join(&all), 0);
    EDDY_CHECK_EQ(ended, many);
    EDDY_CHECK(!have_children());
}

/* --- debug ------------------------------------------------------------------------------------------ */

/* libunwind keeps a pipe from its first use on. */
static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there();
}

static char told[4096];

static void note(void *ctx, enum eddy_log_level level, const char *text)
{
    (void)ctx, (void)level;
    size_t len = strlen(told);
    (void)snprintf(told + len, sizeof told - len, "%s\n", text);
}

EDDY_TEST(debug_tells_of_one_never_waited_for)
{
    struct eddy_loop *loop = NULL;

    if (is_sim())
        return;
    told[0] = '\0';
    eddy_log_to(note, NULL, EDDY_LOG_WARNING);
    EDDY_CHECK_ERR(eddy_loop_new(EDDY_OPT(loop, .debug = true), &loop), 0);
    EDDY_OWN(eddy_process) waited = a_shell("exit 0");
    EDDY_CHECK_ERR(eddy_process_wait(waited, NULL), 0);
    eddy_process_free(EDDY_TAKE(waited));
    EDDY_CHECK_STR(told, "");
    EDDY_OWN(eddy_process) p = a_shell("exit 0");
    until_reaped();
    eddy_process_free(EDDY_TAKE(p));
    EDDY_CHECK(strstr(told, "a process") && strstr(told, "was never waited for"));
    eddy_loop_free(loop);
    eddy_log_to(NULL, NULL, EDDY_LOG_WARNING);
}
