/*
 * The end of a scope, of an owner, of a loop: what becomes of a process and its group.
 *
 * backends: select poll epoll uring sim
 */
#include "children.h"

#include "base/sys.h"
#include "loop/loop.h"

#include <eddy/loop.h>
#include <eddy/process.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    children_restore();
}

/* A shell whose first line of output has been read: it is where the script says. All that it starts
 * holds the writing end of `alive`, whose reading end ends when the last of them has. */
static int alive[2];

static struct eddy_process *ready(const char *script, struct eddy_process_options o)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct eddy_process *p = NULL;
    char byte;

    EDDY_CHECK_EQ(pipe(alive), 0);
    o.size = sizeof o;
    o.out = (struct eddy_process_io)EDDY_IO_PIPE;
    o.fds = &(struct eddy_process_fd){ alive[1], 9 };
    o.fd_count = 1;
    EDDY_CHECK_ERR(eddy_process_spawn(argv, &o, &p), 0);
    close(alive[1]);
    EDDY_CHECK_EQ(eddy_read(eddy_process_stdout(p), &byte, 1), 1);
    return p;
}

static bool all_gone_within(int ms)
{
    struct pollfd fd = { alive[0], POLLIN, 0 };
    int r;

    while ((r = poll(&fd, 1, ms)) < 0 && errno == EINTR)
        ;
    return r == 1;
}

static void gone(void)
{
    EDDY_CHECK(all_gone_within(20000));
    close(alive[0]);
}

#define OPTIONS(...) ((struct eddy_process_options){ .size = 0, __VA_ARGS__ })
#define LONG_GRACE .grace_ms = 600000

EDDY_TEST(leaving_a_scope_ends_the_group)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_OWN(eddy_process) p = NULL;
        EDDY_OWN(eddy_process) q = NULL;
        int other[2];
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            /* Its children are in the group, and one of them has a child. */
            p = ready("sleep 1000 & (sleep 1000 & sleep 1000) & echo; wait", OPTIONS(LONG_GRACE));
            memcpy(other, alive, sizeof other);
            q = ready("echo; sleep 1000", OPTIONS(LONG_GRACE));
            EDDY_CHECK_ERR(eddy_join(&s), 0); /* does not wait for processes */
            EDDY_CHECK_ERR(eddy_process_signal(p, 0), 0);
        }
        EDDY_CHECK(!have_children());
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGTERM);
        EDDY_CHECK_ERR(eddy_process_wait(q, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGTERM);
        gone();
        alive[0] = other[0];
        gone();
    }
}

EDDY_TEST(a_cancelled_scope_ends_the_group_at_once)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_OWN(eddy_process) p = ready("sleep 1000 & echo; wait", OPTIONS(LONG_GRACE));

        eddy_scope_cancel(&s);
        EDDY_SHIELD(look, .timeout_ms = 30000);
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGTERM);
        gone();
    }
}

EDDY_TEST(who_ignores_sigterm_is_killed)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_OWN(eddy_process) p = NULL;
        int64_t began = eddy_now_ns();
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            p = ready("trap '' TERM; sleep 1000 & echo; wait", OPTIONS(.grace_ms = 30));
        }
        EDDY_CHECK(eddy_now_ns() - began >= 30000000);
        EDDY_CHECK(!have_children());
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGKILL);
        gone();
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            eddy_process_free(EDDY_TAKE(p));
            p = ready("echo; sleep 1000", OPTIONS(.grace_ms = -1)); /* no SIGTERM at all */
        }
        EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGKILL);
        gone();
    }
}

/* Its leader ends by SIGTERM, or has ended before; who else is in the group does not listen. */
EDDY_TEST(what_is_left_of_a_group_is_killed)
{
    static const char *const scripts[] = {
        "(trap '' TERM; echo; sleep 1000) & wait",
        "(trap '' TERM; echo; sleep 1000) & exit 0",
    };

    for (int way = 0; next_way(&way);) {
        for (int i = 0; i < 2; i++) {
            EDDY_OWN(eddy_process) p = NULL;
            pid_t leader = 0;
            if (way == 2 && i == 1)
                continue; /* without a pidfd such a group cannot be told from another's */
            {
                EDDY_SCOPE(s, .timeout_ms = 0);
                p = ready(scripts[i], OPTIONS(.grace_ms = 30));
                leader = eddy_process_pid(p);
                if (i == 1) {
                    EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0);
                    EDDY_CHECK_ERR(eddy_process_signal(p, 0), -ESRCH);
                    EDDY_CHECK_ERR(eddy_process_kill_group(p, 0), 0);
                    EDDY_CHECK(!all_gone_within(0));
                }
            }
            if (way == 2) /* once the leader is reaped nothing tells its group from another's */
                (void)kill(-leader, SIGKILL);
            gone();
        }
    }
}

EDDY_TEST(a_daemon_is_outside)
{
    for (int way = 0; next_way(&way);) {
        pid_t daemon = 0;
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            char line[32] = "";
            EDDY_OWN(eddy_process)
            p = ready("setsid sh -c 'echo; echo $$; sleep 1000' & wait", OPTIONS(LONG_GRACE));
            EDDY_CHECK(eddy_read(eddy_process_stdout(p), line, sizeof line - 1) > 1);
            daemon = (pid_t)atol(line);
        }
        EDDY_CHECK(!all_gone_within(0));
        EDDY_CHECK(daemon > 1 && kill(-daemon, SIGKILL) == 0);
        gone();
    }
}

EDDY_TEST(stop_asks_then_kills_and_waits)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_OWN(eddy_process)
        p = ready("trap 'exit 8' TERM; echo; while :; do sleep 0.01; done", OPTIONS(LONG_GRACE));
        EDDY_CHECK_ERR(eddy_process_stop(p, &status), 0);
        EDDY_CHECK_EQ(status.code, 8);
        EDDY_CHECK(!have_children());
        gone();
        EDDY_OWN(eddy_process) q = ready("trap '' TERM; echo; sleep 1000", OPTIONS(.grace_ms = 10));
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_process_stop(q, &status), 0); /* is not cancelled */
        EDDY_CHECK_EQ(status.signo, SIGKILL);
        gone();
    }
}

EDDY_TEST(in_our_group_it_alone_is_ended)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;
        EDDY_OWN(eddy_process)
        p = ready("echo; exec sleep 1000", OPTIONS(.group = EDDY_PROCESS_OUR_GROUP, LONG_GRACE));
        EDDY_CHECK_ERR(eddy_process_kill_group(p, SIGTERM), -EINVAL);
        EDDY_CHECK_ERR(eddy_process_stop(p, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGTERM);
        gone();
    }
}

static void until_reaped(void)
{
    while (have_children())
        if (!EDDY_CHECK_EQ(eddy_sleep(1), 0))
            return;
}

EDDY_TEST(a_freed_one_is_killed_and_reaped)
{
    for (int way = 0; next_way(&way);) {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_process_free(ready("trap '' TERM; sleep 1000 & echo; wait", OPTIONS(LONG_GRACE)));
        until_reaped();
        gone();
        eddy_process_free(NULL);
    }
}

EDDY_TEST(a_detached_one_lives_on)
{
    for (int way = 0; next_way(&way);) {
        pid_t pid = 0;
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            EDDY_OWN(eddy_process) p = ready("echo; exec sleep 1000", OPTIONS(.detach = true));
            pid = eddy_process_pid(p);
            eddy_scope_cancel(&s);
        }
        EDDY_CHECK(!all_gone_within(0));
        EDDY_CHECK_EQ(kill(pid, SIGKILL), 0);
        until_reaped(); /* by the loop, for all that */
        gone();
    }
}

EDDY_TEST(the_loops_end_reaps)
{
    for (int way = 0; next_way(&way);) {
        struct eddy_process_status status;

        EDDY_OWN(eddy_process) kept = ready("trap '' TERM; echo; sleep 1000", OPTIONS(.rows = 0));
        int first = alive[0];
        eddy_process_free(ready("sleep 1000 & echo; wait", OPTIONS(.rows = 0)));
        eddy_loop_free(eddy_loop_current());
        EDDY_CHECK(!have_children());
        gone();
        alive[0] = first;
        gone();
        EDDY_CHECK_ERR(eddy_process_wait(kept, &status), 0);
        EDDY_CHECK_EQ(status.signo, SIGKILL);
        EDDY_CHECK(eddy_process_stdout(kept) == NULL);
    }
}

/* One that has become another user's, as far as we are somebody else: it is left alone. */
EDDY_TEST(one_that_we_may_not_kill_is_let_go)
{
    if (is_sim() || getuid() != 0)
        return;
    pid_t pid = 0;
    EDDY_OWN(eddy_process) p = NULL;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        p = ready("echo; exec sleep 1000", OPTIONS(.grace_ms = 20));
        pid = eddy_process_pid(p);
        EDDY_CHECK_EQ(setresuid(65534, 65534, 0), 0);
        EDDY_CHECK_ERR(eddy_process_signal(p, SIGTERM), -EPERM);
        EDDY_CHECK_ERR(eddy_process_kill_group(p, SIGTERM), -EPERM);
    }
    EDDY_CHECK(!all_gone_within(0));
    EDDY_CHECK_EQ(setresuid(0, 0, 0), 0);
    EDDY_CHECK_EQ(kill(pid, SIGKILL), 0);
    EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0);
    gone();
}

EDDY_TEST(nor_does_the_loops_end_wait_for_it)
{
    if (is_sim() || getuid() != 0)
        return;
    EDDY_OWN(eddy_process) p = ready("echo; exec sleep 10", OPTIONS(.grace_ms = 20));
    pid_t pid = eddy_process_pid(p);
    EDDY_CHECK_EQ(setresuid(65534, 65534, 0), 0);
    eddy_loop_free(eddy_loop_current());
    EDDY_CHECK_EQ(setresuid(0, 0, 0), 0);
    EDDY_CHECK_ERR(eddy_process_wait(p, NULL), -ECHILD);
    EDDY_CHECK_EQ(kill(pid, SIGKILL), 0);
    EDDY_CHECK_EQ(waitpid(pid, NULL, 0), pid);
    gone();
}

#define CHILD(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

EDDY_TEST(the_child_of_a_fork_is_told)
{
    for (int way = 0; next_way(&way);) {
        int raw = -1;
        EDDY_OWN(eddy_process) p = ready("echo; exec sleep 1000", OPTIONS(.rows = 0));

        pid_t pid = fork();
        if (pid == 0) {
            CHILD(eddy_process_wait(p, NULL) == -EDDY_EFORKED);
            CHILD(eddy_process_stop(p, NULL) == -EDDY_EFORKED);
            CHILD(eddy_process_signal(p, SIGKILL) == -EDDY_EFORKED);
            CHILD(eddy_process_kill_group(p, SIGKILL) == -EDDY_EFORKED);
            CHILD(eddy_process_resize(p, 1, 1) == -EDDY_EFORKED);
            eddy_process_free(EDDY_TAKE(p));
            _exit(0);
        }
        EDDY_CHECK_EQ(waitpid(pid, &raw, 0), pid);
        EDDY_CHECK_EQ(WEXITSTATUS(raw), 0);
        EDDY_CHECK(!all_gone_within(0)); /* the parent's child has not felt it */
        eddy_process_free(EDDY_TAKE(p));
        gone();
        until_reaped();
    }
}
