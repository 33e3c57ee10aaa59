/*
 * file_name_test.c - operations that change names: the same on every driver, and on a ring that has no
 * entries for them
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "check.h"

#include "base/sys.h"
#include "loop/file_op.h"
#include "loop/loop.h"
#ifdef EDDY_HAVE_URING
#include "loop/uring.h"
#endif

#include <eddy/loop.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
    struct eddy_file_op f; /* first */
    unsigned ends;
    int res;
};

static void job_done(struct eddy_op *op, int res)
{
    struct job *j = (struct job *)(void *)op;

    EDDY_CHECK_EQ(op->res, res);
    j->ends++;
    j->res = res;
}

static void job_start(struct job *j)
{
    j->ends = 0;
    if (eddy__op_submit(eddy_loop_current(), &j->f.op))
        job_done(&j->f.op, j->f.op.res);
}

static int job_end(struct job *j)
{
    while (!j->ends)
        if (!EDDY_CHECK(eddy_loop_turn(eddy_loop_current(), 10000) >= 0))
            abort();
    EDDY_CHECK_EQ(j->ends, 1);
    return j->res;
}

static int job_run(struct job *j)
{
    job_start(j);
    return job_end(j);
}

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* The ring forgets that it can: then the pool does it. */
static void without_entries(bool without)
{
#ifdef EDDY_HAVE_URING
    struct eddy_loop *loop = eddy_loop_current();

    if (loop->driver->ops == &eddy_driver_uring)
        eddy_uring_of(loop->driver)->has_names = !without;
#else
    (void)without;
#endif
}

static char folder[64];

void eddy_check_teardown(void)
{
    eddy__sys.rename = eddy__sys_kernel.rename;
    if (*folder && !is_sim()) {
        static const char *const names[] = { "d", "a", "b", "c", "l" };
        int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (unlinkat(dir, names[i], 0) < 0)
                (void)unlinkat(dir, names[i], AT_REMOVEDIR);
        close(dir);
        rmdir(folder);
    }
    *folder = '\0';
}

static int open_in(int dir, const char *name, int flags)
{
    struct job j;

    eddy_op_open(&j.f, dir, name, flags, 0700, job_done);
    return job_run(&j);
}

static void close_it(int fd)
{
    struct job j = { .ends = 0 };

    eddy_op_close(&j.f.op, fd, job_done);
    EDDY_CHECK_EQ(job_run(&j), 0);
}

/* A folder of the test's own, open: everything else is reached from it. */
static int folder_open(void)
{
    struct job j;

    (void)snprintf(folder, sizeof folder, "names-%s-%d", eddy_check_backend(), (int)getpid());
    eddy_op_mkdir(&j.f, AT_FDCWD, folder, 0700, job_done);
    EDDY_CHECK_EQ(job_run(&j), 0);
    int dir = open_in(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    EDDY_CHECK(dir >= 0);
    close_it(open_in(dir, "a", O_RDWR | O_CREAT));
    return dir;
}

static bool has(int dir, const char *name)
{
    struct statx about;
    struct job j;

    eddy_op_stat(&j.f, dir, name, AT_SYMLINK_NOFOLLOW, &about, job_done);
    return job_run(&j) == 0;
}

EDDY_TEST(names_are_changed_from_their_folder)
{
    for (int without = 0; without < 2; without++) {
        struct job j;

        without_entries(without);
        int dir = folder_open();
        eddy_op_link(&j.f, dir, "a", dir, "b", 0, job_done);
        EDDY_CHECK_EQ(job_run(&j), 0);
        EDDY_CHECK_ERR(job_run(&j), -EEXIST); /* the struct may be used again */
        eddy_op_rename(&j.f, dir, "a", dir, "b", RENAME_NOREPLACE, job_done);
        EDDY_CHECK_ERR(job_run(&j), -EEXIST);
        eddy_op_rename(&j.f, dir, "b", dir, "c", 0, job_done);
        EDDY_CHECK_EQ(job_run(&j), 0);
        EDDY_CHECK(has(dir, "a") && !has(dir, "b") && has(dir, "c"));
        eddy_op_mkdir(&j.f, dir, "d", 0700, job_done);
        EDDY_CHECK_EQ(job_run(&j), 0);
        eddy_op_unlink(&j.f, dir, "d", 0, job_done);
        EDDY_CHECK_ERR(job_run(&j), -EISDIR);
        eddy_op_unlink(&j.f, dir, "d", AT_REMOVEDIR, job_done);
        EDDY_CHECK_EQ(job_run(&j), 0);
        eddy_op_symlink(&j.f, "a", dir, "l", job_done);
        EDDY_CHECK_ERR(job_run(&j), is_sim() ? -EDDY_ESIM : 0);
        EDDY_CHECK_EQ(has(dir, "l"), !is_sim());
        for (const char *name = "acl"; *name; name++) {
            const char one[2] = { *name, '\0' };
            eddy_op_unlink(&j.f, dir, one, 0, job_done);
            EDDY_CHECK_ERR(job_run(&j), *name == 'l' && is_sim() ? -ENOENT : 0);
        }
        eddy_op_unlink(&j.f, dir, "a", 0, job_done);
        EDDY_CHECK_ERR(job_run(&j), -ENOENT);
        close_it(dir);
        eddy_op_unlink(&j.f, AT_FDCWD, folder, AT_REMOVEDIR, job_done);
        EDDY_CHECK_EQ(job_run(&j), 0);
        EDDY_CHECK_EQ(eddy__loop()->driver->pending, 0);
    }
}

EDDY_TEST(descriptors_that_are_none_are_refused)
{
    struct job j;

    for (int without = 0; without < 2; without++) {
        without_entries(without);
        eddy_op_rename(&j.f, -1, "a", AT_FDCWD, "b", 0, job_done);
        EDDY_CHECK_ERR(job_run(&j), -EBADF);
        eddy_op_unlink(&j.f, -1, "a", 0, job_done);
        EDDY_CHECK_ERR(job_run(&j), -EBADF);
        eddy_op_mkdir(&j.f, -1, "a", 0700, job_done);
        EDDY_CHECK_ERR(job_run(&j), -EBADF);
    }
}

/* Done, or not begun: the result says which, whenever the cancel comes. */
EDDY_TEST(a_cancelled_rename_is_done_or_has_not_happened)
{
    unsigned cancelled = 0;

    for (int without = 0; without < 2; without++) {
        without_entries(without);
        int dir = folder_open();
        for (int i = 0; i < 200; i++) {
            struct job j;
            eddy_op_rename(&j.f, dir, "a", dir, "b", 0, job_done);
            job_start(&j);
            if (i % 3 && !is_sim())
                usleep((useconds_t)(i % 7) * 10); /* a thread may or may not have begun */
            if (i % 5 == 0)
                eddy_loop_turn(eddy_loop_current(), 0);
            if (!j.ends && eddy__op_cancel(eddy__loop(), &j.f.op))
                job_done(&j.f.op, j.f.op.res);
            int r = job_end(&j);
            EDDY_CHECK(r == 0 || r == -ECANCELED);
            cancelled += r < 0;
            EDDY_CHECK_EQ(has(dir, "a"), r != 0);
            EDDY_CHECK_EQ(has(dir, "b"), r == 0);
            if (r == 0) {
                eddy_op_rename(&j.f, dir, "b", dir, "a", 0, job_done);
                EDDY_CHECK_EQ(job_run(&j), 0);
            }
        }
        close_it(dir);
        eddy_check_teardown();
        if (is_sim())
            break; /* one disk, and no folder of it to be taken away by */
    }
    EDDY_CHECK(cancelled > 0);
}

static int hold;

static int rename_slowly(int a, const char *from, int b, const char *to, unsigned flags)
{
    while (__atomic_load_n(&hold, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    return eddy__sys_kernel.rename(a, from, b, to, flags);
}

/* The struct and the paths are the caller's: who cancels waits until the thread has let go of them. */
EDDY_TEST(one_that_a_thread_has_begun_is_waited_for)
{
    if (is_sim())
        return;
    without_entries(true);
    int dir = folder_open();
    struct job *j = malloc(sizeof *j);
    char *from = strdup("a");
    eddy__sys.rename = rename_slowly;
    __atomic_store_n(&hold, 0, __ATOMIC_RELEASE);
    eddy_op_rename(&j->f, dir, from, dir, "b", 0, job_done);
    job_start(j);
    usleep(2000);
    bool at_once = eddy__op_cancel(eddy__loop(), &j->f.op);
    if (at_once)
        job_done(&j->f.op, j->f.op.res);
    EDDY_CHECK_EQ(j->ends, at_once);
    if (!at_once)
        EDDY_CHECK(!eddy__op_cancel(eddy__loop(), &j->f.op)); /* twice is once */
    __atomic_store_n(&hold, 1, __ATOMIC_RELEASE);
    EDDY_CHECK_ERR(job_end(j), at_once ? -ECANCELED : 0);
    free(from);
    free(j);
    close_it(dir);
}
