/*
 * directory_test.c - the calls of eddy/directory.h
 *
 * backends: select poll epoll uring sim
 * faults: yes
 * threads: yes
 */
#include "scratch.h"

#include "base/fault.h"
#include "base/memory.h"
#include "base/sys.h"

#include <eddy/directory.h>

#include <dirent.h>

void eddy_check_teardown(void)
{
    scratch_clean();
}

#define MANY 3000

static void fill(int count)
{
    char name[64];

    scratch("");
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "file-%05d", i);
        int fd = open(scratch(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            abort();
        close(fd);
    }
}

EDDY_TEST(each_name_comes_once)
{
    static bool seen[MANY];
    EDDY_OWN(eddy_directory) d = NULL;
    struct eddy_directory_entry e;
    int files = 0, links = 0, folders = 0, r;

    if (on_sim())
        return;
    fill(MANY);
    mkdir(scratch("folder"), 0700);
    EDDY_CHECK_EQ(symlink("folder", scratch("link")), 0);
    EDDY_CHECK_EQ(eddy_directory_open(scratch(""), NULL, &d), 0);
    while ((r = eddy_directory_next(d, &e)) == 1) {
        if (e.type == EDDY_FILE_REGULAR) {
            long i = strtol(e.name + 5, NULL, 10);
            EDDY_CHECK(i >= 0 && i < MANY && !seen[i]);
            seen[i] = true;
        }
        EDDY_CHECK(e.inode > 0);
        EDDY_CHECK(strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0);
        files += e.type == EDDY_FILE_REGULAR;
        links += e.type == EDDY_FILE_LINK && strcmp(e.name, "link") == 0;
        folders += e.type == EDDY_FILE_DIRECTORY && strcmp(e.name, "folder") == 0;
    }
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK_EQ(eddy_directory_next(d, &e), 0); /* again and again */
    EDDY_CHECK_EQ(files, MANY);
    EDDY_CHECK_EQ(links, 1);
    EDDY_CHECK_EQ(folders, 1);
    eddy_directory_free(NULL);
}

/* A folder of a million, made up: nobody could wait for a real one. */
static unsigned left;

static ssize_t many_dents(int fd, void *buf, size_t cap)
{
    size_t len = 0;

    (void)fd;
    while (left && len + 40 <= cap) {
        struct dirent64 *e = (struct dirent64 *)(void *)((char *)buf + len);
        e->d_reclen = 40;
        e->d_ino = left;
        e->d_type = DT_REG;
        (void)snprintf(e->d_name, 21, "%u", left--);
        len += e->d_reclen;
    }
    return (ssize_t)len;
}

EDDY_TEST(a_large_folder_takes_little_memory)
{
    EDDY_OWN(eddy_directory) d = NULL;
    struct eddy_directory_entry e;
    size_t allocations = 0, before;
    unsigned count = 0;

    if (on_sim())
        return;
    left = 1000000;
    eddy__sys.getdents = many_dents;
    EDDY_CHECK_EQ(eddy_directory_open(scratch(""), NULL, &d), 0);
    before = eddy__memory_live();
    while (eddy_directory_next(d, &e) == 1) {
        count++;
        if (eddy__memory_live() > before + 64) /* the pool's first use */
            allocations++;
    }
    EDDY_CHECK_EQ(count, 1000000);
    EDDY_CHECK_EQ(allocations, 0);
}

EDDY_TEST(sorted_by_bytes_up_to_a_bound)
{
    EDDY_OWN(eddy_directory) d = NULL;
    EDDY_OWN(eddy_directory) none = NULL;
    struct eddy_error error = { 0 };
    struct eddy_directory_entry e;
    char name[64];
    int i = 0;

    if (on_sim())
        return;
    fill(500);
    EDDY_CHECK_EQ(eddy_directory_open(scratch(""), EDDY_OPT(directory, .sorted = true), &d), 0);
    for (; eddy_directory_next(d, &e) == 1; i++) {
        (void)snprintf(name, sizeof name, "file-%05d", i);
        EDDY_CHECK_STR(e.name, name);
        EDDY_CHECK_EQ(e.type, EDDY_FILE_REGULAR);
    }
    EDDY_CHECK_EQ(i, 500);
    EDDY_CHECK_EQ(eddy_directory_next(d, &e), 0);
    EDDY_CHECK_ERR(eddy_directory_open(
                       scratch(""),
                       EDDY_OPT(directory, .sorted = true, .max_bytes = 15000, .error = &error),
                       &none),
                   -EDDY_ETOOBIG);
    EDDY_CHECK(strstr(error.text, "raise the bound") != NULL);
    EDDY_CHECK(none == NULL);
    mkdir(scratch("empty"), 0700);
    EDDY_CHECK_EQ(eddy_directory_open(scratch("empty"), EDDY_OPT(directory, .sorted = true), &none),
                  0);
    EDDY_CHECK_EQ(eddy_directory_next(none, &e), 0);
}

static ssize_t untyped_dents(int fd, void *buf, size_t cap)
{
    ssize_t n = eddy__sys_kernel.getdents(fd, buf, cap);

    for (ssize_t at = 0; at < n;) {
        struct dirent64 *e = (struct dirent64 *)(void *)((char *)buf + at);
        e->d_type = DT_UNKNOWN;
        at += e->d_reclen;
    }
    return n;
}

EDDY_TEST(a_type_not_told_is_asked_for)
{
    EDDY_OWN(eddy_directory) d = NULL;
    struct eddy_directory_entry e;

    if (on_sim())
        return;
    fill(1);
    EDDY_CHECK_EQ(symlink("x", scratch("link")), 0);
    eddy__sys.getdents = untyped_dents;
    EDDY_CHECK_EQ(eddy_directory_open(scratch(""), EDDY_OPT(directory, .sorted = true), &d), 0);
    EDDY_CHECK_EQ(eddy_directory_next(d, &e), 1);
    EDDY_CHECK_EQ(e.type, EDDY_FILE_REGULAR);
    EDDY_CHECK_EQ(eddy_directory_next(d, &e), 1);
    EDDY_CHECK_EQ(e.type, EDDY_FILE_LINK);
    EDDY_CHECK_EQ(eddy_directory_next(d, &e), 0);
}

EDDY_TEST(errors_are_the_kernels)
{
    EDDY_OWN(eddy_directory) d = NULL;
    struct eddy_error error = { 0 };
    struct eddy_directory_entry e;

    if (on_sim()) {
        EDDY_CHECK_ERR(eddy_directory_open(".", NULL, &d), -EDDY_ESIM);
        return;
    }
    EDDY_CHECK_ERR(eddy_directory_open(scratch("x"), EDDY_OPT(directory, .error = &error), &d),
                   -ENOENT);
    EDDY_CHECK_EQ(error.code, -ENOENT);
    EDDY_CHECK(strstr(error.text, "/x:") != NULL);
    fill(1);
    EDDY_CHECK_ERR(eddy_directory_open(scratch("file-00000"), NULL, &d), -ENOTDIR);
    mkdir(scratch("gone"), 0700);
    EDDY_CHECK_EQ(eddy_directory_open(scratch("gone"), NULL, &d), 0);
    rmdir(scratch("gone"));
    EDDY_CHECK_ERR(eddy_directory_next(d, &e), -ENOENT);
}

struct next_args {
    struct eddy_directory *d;
    int *ret;
};

static int next(struct next_args *a)
{
    struct eddy_directory_entry e;

    *a->ret = eddy_directory_next(a->d, &e);
    return 0;
}
EDDY_TASK(next);

EDDY_TEST(one_task_at_a_time_reads_it)
{
    EDDY_OWN(eddy_directory) d = NULL;
    int one = 9, two = 9;

    if (on_sim())
        return;
    fill(1);
    EDDY_CHECK_EQ(eddy_directory_open(scratch(""), NULL, &d), 0);
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, next, .d = d, .ret = &one);
    EDDY_GO(&s, next, .d = d, .ret = &two);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(one, 1);
    EDDY_CHECK_ERR(two, -EBUSY);
}

EDDY_TEST(a_cancelled_call_does_nothing)
{
    EDDY_OWN(eddy_directory) d = NULL;
    EDDY_OWN(eddy_directory) other = NULL;
    struct eddy_directory_entry e;

    if (!on_sim())
        EDDY_CHECK_EQ(eddy_directory_open(scratch(""), NULL, &d), 0);
    EDDY_SCOPE(over, .timeout_ms = 0);
    eddy_scope_cancel(&over);
    EDDY_CHECK_ERR(eddy_directory_open("", NULL, &other), -ECANCELED);
    if (d)
        EDDY_CHECK_ERR(eddy_directory_next(d, &e), -ECANCELED);
}

static void use(void *ctx)
{
    struct eddy_directory *d = ctx, *other = NULL;
    struct eddy_directory_entry e;

    EDDY_CHECK_ERR(eddy_directory_open("", NULL, &other), -EDEADLK);
    if (d)
        EDDY_CHECK_ERR(eddy_directory_next(d, &e), -EDEADLK);
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    EDDY_OWN(eddy_directory) d = NULL;

    if (!on_sim())
        EDDY_CHECK_EQ(eddy_directory_open(scratch(""), NULL, &d), 0);
    in_callback(use, d);
}

static int scenario(bool sorted)
{
    EDDY_OWN(eddy_directory) d = NULL;
    struct eddy_directory_entry e;

    int r = eddy_directory_open(scratch(""), EDDY_OPT(directory, .sorted = sorted), &d);
    while (r >= 0 && (r = eddy_directory_next(d, &e)) > 0)
        ;
    return r;
}

EDDY_TEST(every_failed_allocation_and_call_is_an_error_and_leaks_nothing)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };

    if (on_sim())
        return;
    fill(20);
    EDDY_CHECK_EQ(scenario(true), 0);
    for (size_t i = 0; i < 4; i++)
        for (struct eddy_fault f = eddy_fault_each(kinds[i / 2]); eddy_fault_next(&f);) {
            int r = scenario(i % 2);
            EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
            if (i < 2)
                EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
        }
    for (int k = 1; scratch_fail(k); k++) {
        int r = scenario(k % 2);
        EDDY_CHECK_ERR(r, scratch_failed() ? -EIO : 0);
        scratch_fail(0);
    }
}
