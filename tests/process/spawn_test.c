/*
 * Children are started as the options say; what goes wrong is told, and leaves nothing behind.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "check.h"
#include "children.h"

#include "base/child.h"
#include "base/fault.h"
#include "base/sys.h"
#include "loop/loop.h"

#include <eddy/loop.h>
#include <eddy/process.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    children_restore();
}

/* What a program prints, with @o but for .out. */
static const char *prints(const char *const *argv, struct eddy_process_options o)
{
    static char text[4096];
    size_t len = 0;
    ssize_t n = 0;
    EDDY_OWN(eddy_process) p = NULL;
    struct eddy_error error = { .text = "" };

    o.size = sizeof o;
    o.error = &error;
    o.out = (struct eddy_process_io)EDDY_IO_PIPE;
    int r = eddy_process_spawn(argv, &o, &p);
    EDDY_CHECK_ERR(r, 0);
    if (r < 0) {
        EDDY_CHECK_STR(error.text, "");
        return "";
    }
    while (len < sizeof text - 1 &&
           (n = eddy_read(eddy_process_stdout(p), text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    EDDY_CHECK_ERR(n, 0);
    struct eddy_process_status status = { .code = -2 };
    EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
    EDDY_CHECK_EQ(status.code, 0);
    return text;
}

static const char *says(const char *script, struct eddy_process_options o)
{
    const char *const argv[] = { "sh", "-c", script, NULL };

    return prints(argv, o);
}

#define OPTIONS(...) ((struct eddy_process_options){ .size = 0, __VA_ARGS__ })

EDDY_TEST(a_program_is_found_in_path)
{
    if (is_sim())
        return;
    EDDY_CHECK_STR(says("echo hello", OPTIONS(.rows = 0)), "hello\n");

    /* The child's PATH, not ours; past what cannot be run, and what is no folder. */
    EDDY_OWN(eddy_process) p = NULL;
    const char *const argv[] = { "only-here", NULL };
    const char *const env[] = { "PATH=/no/such/folder:bin-a:bin-b:/etc/passwd", NULL };
    struct eddy_process_status status;
    EDDY_CHECK_EQ(eddy_process_spawn(argv, EDDY_OPT(process, .env = env), &p), -ENOENT);
    (void)mkdir("bin-a", 0755);
    (void)mkdir("bin-b", 0755);
    file_with("bin-a/only-here", "#!/bin/sh\nexit 1\n", 0644);
    file_with("bin-b/only-here", "#!/bin/sh\nexit 17\n", 0755);
    EDDY_CHECK_ERR(eddy_process_spawn(argv, EDDY_OPT(process, .env = env), &p), 0);
    EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
    EDDY_CHECK_EQ(status.code, 17);
    (void)unlink("bin-b/only-here");
    eddy_process_free(EDDY_TAKE(p));
    EDDY_CHECK_ERR(eddy_process_spawn(argv, EDDY_OPT(process, .env = env), &p), -EACCES);
    (void)unlink("bin-a/only-here");
}

EDDY_TEST(path_is_run_whatever_argv_0_says)
{
    const char *const argv[] = { "-called-so", "-c", "echo $0; exit 3", NULL };
    struct eddy_process_status status;
    EDDY_OWN(eddy_process) p = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(
        eddy_process_spawn(argv, EDDY_OPT(process, .path = "/bin/sh", .out = EDDY_IO_PIPE), &p), 0);
    char text[64] = "";
    EDDY_CHECK_EQ(eddy_read(eddy_process_stdout(p), text, sizeof text), 11);
    EDDY_CHECK_STR(text, "-called-so\n");
    EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
    EDDY_CHECK_EQ(status.code, 3);
}

EDDY_TEST(the_child_is_as_the_options_say)
{
    const char *const env[] = { "A=1", "B=2", "PATH=/bin:/usr/bin", NULL };
    const char *const add[] = { "B=3", "C=4", NULL };
    const char *const remove[] = { "A", "NOT_THERE", NULL };
    const struct eddy_process_limit limits[] = { { RLIMIT_NOFILE, { 77, 88 } },
                                                 { RLIMIT_CORE, { 0, 0 } } };
    const gid_t groups[] = { 1234, 1235 };
    const struct eddy_process_user user = { 65534, 65533, groups, 2 };
    const int nicer = getpriority(PRIO_PROCESS, 0) + 7;
    char nice_text[16];

    if (is_sim())
        return;
    EDDY_CHECK_STR(says("echo $A,$B,$C", OPTIONS(.env = env, .env_add = add, .env_remove = remove)),
                   ",3,4\n");
    setenv("EDDY_TEST_OURS", "ours", 1);
    EDDY_CHECK_STR(says("echo $EDDY_TEST_OURS", OPTIONS(.rows = 0)), "ours\n");
    const char *const gone[] = { "EDDY_TEST_OURS", NULL };
    EDDY_CHECK_STR(says("echo $EDDY_TEST_OURS", OPTIONS(.env_remove = gone)), "\n");
    unsetenv("EDDY_TEST_OURS");
    EDDY_CHECK_STR(says("pwd", OPTIONS(.folder = "/")), "/\n");
    EDDY_CHECK_STR(
        says("ulimit -Sn; ulimit -Hn; ulimit -c", OPTIONS(.limits = limits, .limit_count = 2)),
        "77\n88\n0\n");
    EDDY_CHECK_STR(says("umask", OPTIONS(.set_umask = true, .umask = 031)), "0031\n");
    snprintf(nice_text, sizeof nice_text, "%d\n", nicer < 19 ? nicer : 19);
    EDDY_CHECK_STR(says("nice", OPTIONS(.nice = 7)), nice_text);
    if (getuid() == 0)
        EDDY_CHECK_STR(says("id -u; id -g; id -G", OPTIONS(.user = &user)),
                       "65534\n65533\n65533 1234 1235\n");
    /* In a group of its own, in ours, in a session of its own: pid, group, session. */
    char want[64];
    const char *script = "set -- $(cat /proc/$$/stat); [ $5 = $1 ] && echo own; echo $5 $6";
    (void)snprintf(want, sizeof want, "%d %d\n", (int)getpgrp(), (int)getsid(0));
    EDDY_CHECK_STR(says(script, OPTIONS(.group = EDDY_PROCESS_OUR_GROUP)), want);
    int group = 0, session = 0;
    EDDY_CHECK_EQ(sscanf(says(script, OPTIONS(.rows = 0)), "own %d %d", &group, &session), 2);
    EDDY_CHECK_EQ(session, getsid(0));
    EDDY_CHECK_EQ(sscanf(says(script, OPTIONS(.group = EDDY_PROCESS_OWN_SESSION)), "own %d %d",
                         &group, &session),
                  2);
    EDDY_CHECK_EQ(session, group);
}

EDDY_TEST(signals_are_default_and_unblocked)
{
    sigset_t some, before;

    if (is_sim())
        return;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    (void)signal(SIGUSR2, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    unsigned long blocked = 1, ignored = 1;
    /* Not by a shell, which might unblock them itself. */
    const char *const argv[] = { "grep", "-E", "SigBlk|SigIgn", "/proc/self/status", NULL };
    const char *text = prints(argv, OPTIONS(.rows = 0));
    EDDY_CHECK_EQ(sscanf(text, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
    EDDY_CHECK_EQ(blocked, 0);
    EDDY_CHECK_EQ(ignored, 0);
    (void)signal(SIGUSR2, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* --- what goes wrong ------------------------------------------------------------------------------ */

static void refused(const char *name, struct eddy_process_options o, int want, const char *text)
{
    const char *const argv[] = { name, NULL };
    struct eddy_error error = { .text = "" };
    EDDY_OWN(eddy_process) p = NULL;

    o.size = sizeof o;
    o.error = &error;
    EDDY_CHECK_ERR(eddy_process_spawn(name ? argv : NULL, &o, &p), want);
    EDDY_CHECK(p == NULL);
    EDDY_CHECK_ERR(error.code, want);
    if (!strstr(error.text, text))
        EDDY_CHECK_STR(error.text, text);
}

static void check_what_went_wrong(void)
{
    const char *const bad_env[] = { "NOVALUE", NULL };
    const struct eddy_process_limit limit = { .resource = 9999 };
    const struct eddy_process_fd closed = { 987, 5 }, standard = { 1, 2 };
    const struct eddy_process_fd twice[] = { { 1, 5 }, { 1, 5 } };
    char big[1 << 18];

    if (is_sim())
        return;
    file_with("no-first-line", "echo hello\n", 0755);
    file_with("not-executable", "#!/bin/sh\n", 0644);
    file_with("no-interpreter", "#!/no/such/shell\n", 0755);
    refused("no-such-program", OPTIONS(.rows = 0), -ENOENT,
            "cannot run no-such-program: not found in PATH");
    refused("/no/such/program", OPTIONS(.rows = 0), -ENOENT,
            "cannot run /no/such/program: No such");
    refused("", OPTIONS(.rows = 0), -ENOENT, "cannot run : No such");
    refused("/tmp", OPTIONS(.rows = 0), -EACCES, "cannot run /tmp: it is a folder");
    refused("./not-executable", OPTIONS(.rows = 0), -EACCES, "it is not executable");
    refused("./no-first-line", OPTIONS(.rows = 0), -ENOEXEC, "a script begins with #!/bin/sh");
    refused("./no-interpreter", OPTIONS(.rows = 0), -ENOENT, "interpreter, or its loader, is not");
    refused("true", OPTIONS(.folder = "/no/such"), -ENOENT, "cannot enter /no/such: No such");
    refused("true", OPTIONS(.limits = &limit, .limit_count = 1), -EINVAL, "its limit 9999");
    refused(NULL, OPTIONS(.rows = 0), -EINVAL, "argv[0] is NULL");
    refused("true", OPTIONS(.env_add = bad_env), -EINVAL, "\"NOVALUE\" of .env_add is not");
    refused("true", OPTIONS(.fds = &closed, .fd_count = 1), -EBADF, "descriptor 987");
    refused("true", OPTIONS(.fds = &standard, .fd_count = 1), -EINVAL, "below 3");
    refused("true", OPTIONS(.fds = twice, .fd_count = 2), -EINVAL, "given twice");
    refused("true", OPTIONS(.fds = twice, .fd_count = 65), -EINVAL, "over the limit of 64");
    refused("true", OPTIONS(.out = EDDY_IO_FD(987)), -EBADF, "descriptor 987");
    refused("true", OPTIONS(.out = EDDY_IO_FILE("no/such/log")), -ENOENT,
            ".out of it, no/such/log");
    refused("true", OPTIONS(.in = EDDY_IO_STDOUT), -EINVAL, "EDDY_IO_STDOUT is for .err");
    refused("true", OPTIONS(.pty = true, .in = EDDY_IO_NULL), -EINVAL, "all three streams are");
    refused("true", OPTIONS(.input = "x", .input_len = 1), -EINVAL, "are for eddy_process_run()");
    refused("true", OPTIONS(.timeout_ms = 100), -EINVAL, "are for eddy_process_run()");
    refused("true", OPTIONS(.group = (enum eddy_process_group)77), -EINVAL, ".group is unknown");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    const char *const argv[] = { "true", big, NULL };
    EDDY_OWN(eddy_process) p = NULL;
    EDDY_CHECK_ERR(eddy_process_spawn(argv, NULL, &p), -E2BIG);
}

EDDY_TEST(what_went_wrong_is_told)
{
    check_what_went_wrong();
}

EDDY_TEST(what_went_wrong_is_told_by_a_fork_too)
{
    eddy__sys.spawn = spawn_by_fork;
    check_what_went_wrong();
    if (!is_sim())
        EDDY_CHECK_STR(says("echo hello", OPTIONS(.rows = 0)), "hello\n");
}

static int no_more(int ret_fd[2])
{
    (void)ret_fd;
    return -EMFILE;
}

EDDY_TEST(no_descriptor_left_is_told)
{
    if (is_sim())
        return;
    eddy__sys.pipe = no_more;
    refused("true", OPTIONS(.out = EDDY_IO_PIPE), -EMFILE,
            "cannot run true: .out of it, a pipe: Too many open files");
}

/* As somebody who may not: root may do all of it. */
EDDY_TEST(who_may_not_is_told)
{
    const struct eddy_process_user nobody = { .uid = 65534, .gid = 65534 };
    const struct eddy_process_limit none[] = { { RLIMIT_NPROC, { 0, 0 } } };

    if (is_sim() || getuid() != 0)
        return;
    (void)mkdir("closed", 0700);
    refused("true", OPTIONS(.user = &nobody, .folder = "closed"), -EACCES, "cannot enter closed");
    (void)rmdir("closed");
    const char *const cat[] = { "cat", NULL };
    EDDY_OWN(eddy_process) one = NULL;
    EDDY_CHECK_ERR(
        eddy_process_spawn(cat, EDDY_OPT(process, .user = &nobody, .in = EDDY_IO_PIPE), &one), 0);
    refused("true", OPTIONS(.user = &nobody, .limits = none, .limit_count = 1), -EAGAIN,
            "cannot run true: ");
    EDDY_CHECK_EQ(seteuid(65534), 0);
    refused("true", OPTIONS(.user = &(struct eddy_process_user){ .uid = 0 }), -EPERM,
            "as user 0, group 0 (groups)");
    refused("true", OPTIONS(.nice = -5), -EACCES, ".nice = -5");
    EDDY_CHECK_EQ(seteuid(0), 0);
}

/* --- how it is called -------------------------------------------------------------------------------- */

EDDY_TEST(a_cancelled_spawn_starts_nothing)
{
    const char *const argv[] = { "sh", "-c", "echo > was-run", NULL };
    EDDY_OWN(eddy_process) p = NULL;

    EDDY_SCOPE(over, .timeout_ms = 0);
    eddy_scope_cancel(&over);
    EDDY_CHECK_ERR(eddy_process_spawn(argv, NULL, &p), -ECANCELED);
    EDDY_CHECK_ERR(eddy_process_spawn(NULL, NULL, &p), -ECANCELED);
    EDDY_CHECK(p == NULL);
    EDDY_CHECK_EQ(access("was-run", F_OK), -1);
}

/* A birth that takes until the loop has written: it does not stand still meanwhile. */
static int go[2];

static pid_t slow_spawn(struct eddy_child *child, int *ret_pidfd)
{
    char byte;

    EDDY_CHECK_EQ(read(go[0], &byte, 1), 1);
    return eddy__sys_kernel.spawn(child, ret_pidfd);
}

struct release_args {
    int turns;
};

static int release(struct release_args *a)
{
    for (int i = 0; i < a->turns; i++)
        eddy_yield();
    EDDY_CHECK_EQ(write(go[1], "", 1), 1);
    return 0;
}
EDDY_TASK(release);

EDDY_TEST(the_loop_turns_while_a_child_starts)
{
    const char *const argv[] = { "true", NULL };
    EDDY_OWN(eddy_process) p = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_EQ(pipe2(go, O_CLOEXEC), 0);
    eddy__sys.spawn = slow_spawn;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, release, .turns = 10);
        EDDY_CHECK_ERR(eddy_process_spawn(argv, NULL, &p), 0);
        EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0);
    }
    close(go[0]);
    close(go[1]);
}

struct in_callback {
    bool called;
};

static void spawn_in_callback(void *ctx)
{
    const char *const argv[] = { "true", NULL };
    EDDY_OWN(eddy_process) p = NULL;

    EDDY_CHECK_ERR(eddy_process_spawn(argv, NULL, &p), -EDEADLK);
    ((struct in_callback *)ctx)->called = true;
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    struct in_callback in = { .called = false };

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), spawn_in_callback, &in), 0);
    while (!in.called)
        eddy_loop_turn(eddy_loop_current(), -1);
}

EDDY_TEST(the_simulator_refuses)
{
    const char *const argv[] = { "true", NULL };
    struct eddy_error error = { .text = "" };
    EDDY_OWN(eddy_process) p = NULL;

    if (!is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_spawn(argv, EDDY_OPT(process, .error = &error), &p), -EDDY_ESIM);
    EDDY_CHECK(strstr(error.text, "the simulator does not") != NULL);
}

/* --- failures ------------------------------------------------------------------------------------------ */

static int scenario(bool pty)
{
    const char *const argv[] = { "sh", "-c", "read line; echo $line; echo >&2", NULL };
    struct eddy_process_status status;
    EDDY_OWN(eddy_process) p = NULL;
    char buf[64];
    int r;

    if (pty)
        r = eddy_process_spawn(argv, EDDY_OPT(process, .pty = true), &p);
    else
        r = eddy_process_spawn(
            argv, EDDY_OPT(process, .in = EDDY_IO_PIPE, .out = EDDY_IO_PIPE, .err = EDDY_IO_NULL),
            &p);
    if (r == 0)
        r = eddy_write_text(eddy_process_stdin(p), "hello\n");
    if (r == 0)
        r = (int)eddy_read(eddy_process_stdout(p), buf, sizeof buf);
    if (r > 0)
        r = eddy_process_wait(p, &status);
    return r;
}

EDDY_TEST(every_failure_leaves_nothing_behind)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_SYS, EDDY_FAULT_OP };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(scenario(false), 0); /* the pool's threads, the task's room */
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (int pty = 0; pty < 2; pty++) {
            for (struct eddy_fault f = eddy_fault_each(kinds[k]); eddy_fault_next(&f);) {
                if (kinds[k] == EDDY_FAULT_SYS && f.persistent)
                    eddy_fault_stop(); /* a loop that can never wait again is no matter here */
                int r = scenario(pty);
                EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
                if (kinds[k] == EDDY_FAULT_ALLOC && r != -ENOMEM)
                    EDDY_CHECK(!eddy_fault_fired(&f));
                eddy_fault_stop();
                for (int i = 0; i < 2000 && have_children(); i++)
                    eddy_sleep(1); /* those that were freed are reaped by the loop */
                EDDY_CHECK(!have_children());
            }
        }
    }
}
