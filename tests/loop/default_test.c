/*
 * default_test.c - which backend a loop gets, and what is said of those it does not get
 */
#include "check.h"

#include "base/sys.h"
#include "loop/backend.h"
#include "loop/loop.h"

#include <eddy/log.h>
#include <eddy/loop.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the rule, on kernels that are made up ------------------------------------------------------------ */

EDDY_TEST(io_uring_needs_its_kernel_and_every_feature_to_be_the_default)
{
    static const struct {
        const char *backend;
        struct eddy_kernel kernel;
        const char *says; /* part of the objection; NULL: there is none */
    } cases[] = {
        { "uring", { 6018, EDDY_RING_ALL }, NULL },
        { "uring", { 7000, EDDY_RING_ALL }, NULL },
        { "uring", { 6017, EDDY_RING_ALL }, "older than Linux 6.18" },
        { "uring", { 6000, EDDY_RING_ALL }, "older than Linux 6.18" },
        { "uring", { 5015, EDDY_RING_ALL }, "older than Linux 6.18" },
        { "uring", { 0, 0 }, "older than Linux 6.18" },
        { "uring", { 6018, EDDY_RING_ALL & ~EDDY_RING_SINGLE_ISSUER }, "single issuer" },
        { "uring", { 6018, EDDY_RING_ALL & ~EDDY_RING_DEFER_TASKRUN }, "defer task work" },
        { "uring", { 6018, EDDY_RING_ALL & ~EDDY_RING_BUFFERS }, "provided buffers" },
        { "uring", { 6018, EDDY_RING_ALL & ~EDDY_RING_MULTISHOT }, "multishot" },
        { "uring", { 6018, EDDY_RING_ALL & ~EDDY_RING_NODROP }, "drops completions" },
        { "epoll", { 6018, 0 }, NULL },
        { "epoll", { 3010, 0 }, NULL },
        { "kqueue", { 0, 0 }, NULL },
        { "poll", { 0, 0 }, NULL },
        { "select", { 0, 0 }, NULL },
        { "sim", { 6018, EDDY_RING_ALL }, "nobody's default" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *says = eddy_default_objection(cases[i].backend, &cases[i].kernel);
        if (!cases[i].says)
            EDDY_CHECK_STR(says, NULL);
        else
            EDDY_CHECK(says && strstr(says, cases[i].says));
    }
}

static void expect_order(const char *const *names)
{
    unsigned i = 0;

    for (; names[i]; i++)
        EDDY_CHECK_STR(eddy_default_name(i), names[i]);
    EDDY_CHECK_STR(eddy_default_name(i), NULL);
}

EDDY_TEST(the_backends_are_tried_best_first)
{
    const bool before = eddy_default_uring;

    eddy_default_uring = false;
    expect_order((const char *const[]){ "epoll", "kqueue", "poll", "select", NULL });
    eddy_default_uring = true;
    expect_order((const char *const[]){ "uring", "epoll", "kqueue", "poll", "select", NULL });
    eddy_default_uring = before;
}

/* --- loops ---------------------------------------------------------------------------------------------- */

static char logged[4096];

static enum eddy_log_level loudest;

static void keep(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    if (level > loudest)
        loudest = level;
    strncat(logged, line, sizeof logged - strlen(logged) - 2);
    strcat(logged, "\n");
}

struct outcome {
    int r;
    char backend[16];
    char why[256];
};

/* A loop made and freed; @backend NULL: the default, io_uring first where the rule lets it. */
static struct outcome make(const char *backend)
{
    const bool before = eddy_default_uring;
    struct outcome o = { .r = 0 };
    struct eddy_loop_info info;
    struct eddy_loop *loop;

    logged[0] = '\0';
    loudest = EDDY_LOG_DEBUG;
    eddy_log_to(keep, NULL, EDDY_LOG_DEBUG);
    eddy_default_uring = true;
    unsetenv("EDDY_BACKEND");
    o.r = eddy_loop_new(EDDY_OPT(loop, .backend = backend), &loop);
    eddy_default_uring = before;
    if (o.r == 0) {
        eddy_loop_info(loop, &info);
        strncpy(o.backend, info.backend, sizeof o.backend - 1);
        strncpy(o.why, info.why, sizeof o.why - 1);
        eddy_loop_free(loop);
    }
    eddy_log_to(NULL, NULL, EDDY_LOG_ERROR);
    return o;
}

EDDY_TEST(the_names_say_what_can_be_had_and_the_default_first)
{
    char names[128], *at = names, *name;

    strncpy(names, eddy_backend_names(), sizeof names - 1);
    names[sizeof names - 1] = '\0';
    for (bool first = true; (name = strsep(&at, " ")); first = false) {
        struct outcome o = make(name);
        if (o.r == 0)
            EDDY_CHECK_STR(o.backend, name);
        else
            EDDY_CHECK(o.r == -EDDY_EBACKEND && strstr(logged, name));
        if (first) {
            struct eddy_loop_info info;
            eddy_loop_info(eddy_loop_current(), &info);
            if (*info.why) /* an older kernel, or one that refuses */
                EDDY_CHECK(strncmp(info.why, name, strlen(name)) == 0);
            else
                EDDY_CHECK_STR(info.backend, name);
            eddy_loop_free(eddy_loop_current());
        }
    }
    EDDY_CHECK_ERR(make("kitchen sink").r, -EDDY_EBACKEND);
    EDDY_CHECK(strstr(logged, "no backend is called kitchen sink") && strstr(logged, "select"));
}

#ifdef EDDY_HAVE_URING
#include "loop/uring.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static bool have_uring(void)
{
    struct outcome o = make("uring");

    if (o.r < 0)
        EDDY_CHECK_NOT_RUN("no io_uring here to be taken away");
    return o.r == 0;
}

/* By name it is an error, by default epoll serves; either way the reason is told: whoever asked for
 * it is warned, and who did not hears it once, below what a server shows. */
static bool expect_refused(const char *reason)
{
    bool ok = true;

    ok &= EDDY_CHECK_ERR(make("uring").r, -EDDY_EBACKEND);
    ok &= EDDY_CHECK(strstr(logged, "backend uring") && strstr(logged, reason));
    ok &= EDDY_CHECK_EQ(loudest, EDDY_LOG_WARNING);
    eddy_default_told = false;
    struct outcome o = make(NULL);
    ok &= EDDY_CHECK_EQ(o.r, 0);
    ok &= EDDY_CHECK_STR(o.backend, "epoll");
    ok &= EDDY_CHECK(strncmp(o.why, "uring: ", 7) == 0 && strstr(o.why, reason));
    ok &= EDDY_CHECK(strstr(logged, "backend uring") && strstr(logged, reason));
    ok &= EDDY_CHECK_EQ(loudest, EDDY_LOG_INFO);
    o = make(NULL);
    ok &= EDDY_CHECK_STR(logged, "");
    ok &= EDDY_CHECK(strncmp(o.why, "uring: ", 7) == 0 && strstr(o.why, reason));
    return ok;
}

EDDY_TEST(a_kernel_with_everything_gives_the_ring_by_default)
{
    struct eddy_kernel kernel = { eddy_kernel_version(), EDDY_RING_ALL };

    if (!have_uring())
        return;
    struct outcome o = make(NULL);
    const char *objection = eddy_default_objection("uring", &kernel);
    EDDY_CHECK_EQ(o.r, 0);
    if (strcmp(o.backend, "uring") == 0) {
        EDDY_CHECK_STR(o.why, "");
        EDDY_CHECK_STR(objection, NULL);
        EDDY_CHECK_STR(logged, "");
    } else {
        EDDY_CHECK(strncmp(o.why, "uring: ", 7) == 0);
    }
}

/* In a child, because a filter cannot be taken back. */
static void under_a_filter(unsigned answer, const char *reason)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = { sizeof code / sizeof *code, code };
    int status;

    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
            _exit(2);
        _exit(expect_refused(reason) ? 0 : 1);
    }
    EDDY_CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        EDDY_CHECK_NOT_RUN("no seccomp filters here");
    else
        EDDY_CHECK_EQ(WEXITSTATUS(status), 0);
}

EDDY_TEST(what_a_seccomp_filter_refuses_is_said_and_epoll_serves)
{
    if (!have_uring())
        return;
    under_a_filter(EPERM, "a seccomp filter forbids io_uring");
    under_a_filter(ENOSYS, "this kernel has no io_uring, or a seccomp filter hides it");
}

static int refusal;

static int refuse(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    (void)entries, (void)ring, (void)p;
    return refusal;
}

EDDY_TEST(every_refusal_of_a_ring_is_told_in_words)
{
    static const struct {
        int r;
        const char *says;
    } cases[] = {
        { -ENOSYS, "this kernel has no io_uring" }, { -EACCES, "a security module" },
        { -EINVAL, "older than Linux 6.0" },        { -ENFILE, "no descriptor is left" },
        { -EIO, "io_uring_setup failed" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refusal = cases[i].r;
        eddy_uring_setup = refuse;
        expect_refused(cases[i].says);
    }
    /* For whom there is no memory for a ring there may be enough for epoll. */
    refusal = -ENOMEM;
    EDDY_CHECK_ERR(make("uring").r, -ENOMEM);
    EDDY_CHECK(strstr(logged, "RLIMIT_MEMLOCK"));
    struct outcome o = make(NULL);
    EDDY_CHECK_STR(o.backend, "epoll");
    EDDY_CHECK(strstr(o.why, "RLIMIT_MEMLOCK"));
    eddy_uring_setup = io_uring_queue_init_params;
}

static const char *sysctl;
static int sysctl_fd = -1;

static int open_sysctl(int dir, const char *path, int flags, unsigned mode)
{
    EDDY_CHECK_STR(path, "/proc/sys/kernel/io_uring_disabled");
    sysctl_fd = sysctl ? eddy__sys_kernel.open(dir, "/dev/null", flags, mode) : -ENOENT;
    return sysctl_fd;
}

static ssize_t read_sysctl(int fd, void *buf, size_t len)
{
    if (fd != sysctl_fd)
        return eddy__sys_kernel.read(fd, buf, len);
    memcpy(buf, sysctl, len);
    return (ssize_t)len;
}

EDDY_TEST(who_forbids_a_ring_is_told_apart)
{
    static const struct {
        const char *sysctl, *says;
    } cases[] = {
        { "2\n", "sysctl kernel.io_uring_disabled is 2" },
        { "1\n", "sysctl kernel.io_uring_disabled is 1" },
        { "0\n", "a seccomp filter" },
        { NULL, "a seccomp filter" }, /* before Linux 6.6 */
    };

    refusal = -EPERM;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sysctl = cases[i].sysctl;
        eddy_uring_setup = refuse;
        eddy__sys.open = open_sysctl;
        eddy__sys.read = read_sysctl;
        expect_refused(cases[i].says);
        eddy__sys.open = eddy__sys_kernel.open;
        eddy__sys.read = eddy__sys_kernel.read;
        sysctl_fd = -1;
    }
    eddy_uring_setup = io_uring_queue_init_params;
}

static int as_linux_6_0(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    if (p->flags & (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
        return -EINVAL;
    return io_uring_queue_init_params(entries, ring, p);
}

EDDY_TEST(a_ring_without_a_feature_is_had_by_name_but_not_by_default)
{
    if (!have_uring())
        return;
    eddy_uring_setup = as_linux_6_0;
    EDDY_CHECK_STR(make("uring").backend, "uring");
    struct outcome o = make(NULL);
    EDDY_CHECK_STR(o.backend, "epoll");
    EDDY_CHECK(strncmp(o.why, "uring: this kernel", 18) == 0);
    eddy_uring_setup = io_uring_queue_init_params;
}

static int without_nodrop(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    int r = io_uring_queue_init_params(entries, ring, p);

    ring->features &= ~IORING_FEAT_NODROP;
    return r;
}

EDDY_TEST(a_ring_that_would_lose_completions_is_not_used_at_all)
{
    if (!have_uring())
        return;
    eddy_uring_setup = without_nodrop;
    expect_refused("lacks");
    eddy_uring_setup = io_uring_queue_init_params;
}
#endif
