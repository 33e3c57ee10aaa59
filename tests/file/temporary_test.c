/*
 * temporary_test.c - temporary files and folders
 *
 * backends: select poll epoll uring sim
 * faults: yes
 * threads: yes
 */
#include "scratch.h"

#include "base/fault.h"
#include "base/sys.h"

#include <eddy/loop.h>

#include <limits.h>

void eddy_check_teardown(void)
{
    scratch_clean();
}

static struct eddy_file *made(bool nameless, char *path)
{
    struct eddy_file *f = NULL;

    EDDY_CHECK_EQ(eddy_file_temporary(EDDY_OPT(temporary, .folder = scratch(""), .prefix = "p-",
                                               .suffix = ".txt", .nameless = nameless),
                                      &f),
                  0);
    if (f)
        EDDY_CHECK_EQ(eddy_file_path(f) == NULL, nameless);
    if (f && !nameless)
        (void)snprintf(path, PATH_MAX, "%s", eddy_file_path(f));
    return f;
}

EDDY_TEST(a_temporary_file_is_gone_afterwards)
{
    char path[PATH_MAX], other[PATH_MAX], text[4] = "";
    struct eddy_file_info about;
    struct eddy_file *f = made(false, path);

    if (!f)
        return;
    EDDY_CHECK(strstr(path, "/p-") && strstr(path, ".txt"));
    EDDY_CHECK(on_sim() || *path == '/');
    EDDY_CHECK_EQ(eddy_path_stat(path, 0, &about), 0);
    EDDY_CHECK_EQ(about.mode, 0600);
    EDDY_CHECK_EQ(eddy_file_write(f, "abc", 3, 0), 0);
    EDDY_CHECK_EQ(eddy_file_read(f, text, 3, 0), 3);
    EDDY_CHECK_STR(text, "abc");
    struct eddy_file *g = made(false, other);
    EDDY_CHECK(strcmp(path, other) != 0);
    EDDY_CHECK_EQ(eddy_file_close(f), 0);
    EDDY_CHECK_EQ(eddy_path_exists(path), 0);
    EDDY_CHECK_EQ(eddy_path_exists(other), 1);
    eddy_file_free(g); /* does not wait: the loop does it */
    for (int i = 0; i < 1000 && eddy_path_exists(other) == 1; i++)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(eddy_path_exists(other), 0);
}

/* In an ended scope, too; and in a callback, by the loop. */
static void close_it(void *ctx)
{
    EDDY_CHECK_EQ(eddy_file_close(ctx), 0);
}

EDDY_TEST(a_temporary_file_is_gone_however_it_ends)
{
    char path[PATH_MAX];
    struct eddy_file *f = made(false, path);
    {
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_EQ(eddy_file_close(f), 0);
    }
    EDDY_CHECK_EQ(eddy_path_exists(path), 0);
    in_callback(close_it, made(false, path));
    for (int i = 0; i < 1000 && eddy_path_exists(path) == 1; i++)
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_EQ(eddy_path_exists(path), 0);
    f = made(false, path);
    EDDY_CHECK_EQ(eddy_path_remove(path), 0); /* somebody was faster */
    EDDY_CHECK_EQ(eddy_file_close(f), 0);
}

EDDY_TEST(a_temporary_file_freed_last_is_gone_with_its_loop)
{
    struct eddy_loop *loop = NULL;
    char path[PATH_MAX];

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_loop_new(NULL, &loop), 0);
    struct eddy_file *f = made(false, path);
    EDDY_CHECK_EQ(access(path, F_OK), 0);
    eddy_file_free(f);
    eddy_loop_free(loop);
    EDDY_CHECK(access(path, F_OK) < 0);
}

EDDY_TEST(a_temporary_file_may_be_kept)
{
    char path[PATH_MAX];
    struct eddy_file *f = made(false, path);

    EDDY_CHECK_EQ(eddy_file_write(f, "kept", 4, 0), 0);
    EDDY_CHECK_EQ(eddy_file_keep(f, NULL), 0);
    EDDY_CHECK(eddy_file_path(f) == NULL);
    EDDY_CHECK_ERR(eddy_file_keep(f, NULL), -EINVAL);
    EDDY_CHECK_EQ(eddy_file_close(f), 0);
    scratch_has(path, "kept");
    f = made(false, path);
    EDDY_CHECK_EQ(eddy_file_keep(f, scratch("name")), 0);
    EDDY_CHECK_EQ(eddy_file_close(f), 0);
    scratch_has(scratch("name"), "");
    EDDY_CHECK_EQ(eddy_path_exists(path), 0);
    f = made(false, path);
    if (!on_sim())
        EDDY_CHECK_ERR(eddy_file_keep(f, scratch("no/name")), -ENOENT);
    EDDY_CHECK_EQ(eddy_file_close(f), 0); /* it was not kept */
    EDDY_CHECK_EQ(eddy_path_exists(path), 0);
}

static int open_without(int dir, const char *path, int flags, unsigned mode)
{
    return (flags & O_TMPFILE) == O_TMPFILE ? -EOPNOTSUPP
                                            : eddy__sys_kernel.open(dir, path, flags, mode);
}

EDDY_TEST(a_nameless_file_has_no_name)
{
    for (int i = 0; i < 2; i++) {
        struct eddy_file *f = made(true, NULL);
        char text[4] = "";

        if (!f)
            return;
        EDDY_CHECK_EQ(eddy_file_write(f, "abc", 3, 0), 0);
        EDDY_CHECK_EQ(eddy_file_read(f, text, 3, 0), 3);
        EDDY_CHECK_STR(text, "abc");
        if (!on_sim())
            EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
        EDDY_CHECK_ERR(eddy_file_keep(f, NULL), -EINVAL);
        EDDY_CHECK_EQ(eddy_file_close(f), 0);
        eddy__sys.open = open_without; /* a file system that cannot */
    }
}

EDDY_TEST(a_temporary_folder_is_new)
{
    char path[PATH_MAX], other[PATH_MAX];
    struct eddy_file_info about;
    const struct eddy_temporary_options *o = EDDY_OPT(temporary, .folder = scratch(""));

    int len = eddy_directory_temporary(o, path, sizeof path);
    EDDY_CHECK(len > 0 && (size_t)len == strlen(path));
    EDDY_CHECK_EQ(eddy_directory_temporary(o, other, sizeof other), len);
    EDDY_CHECK(strcmp(path, other) != 0);
    EDDY_CHECK_EQ(eddy_path_stat(path, 0, &about), 0);
    EDDY_CHECK_EQ(about.type, EDDY_FILE_DIRECTORY);
    EDDY_CHECK_EQ(about.mode, 0700);
    EDDY_CHECK_ERR(eddy_directory_temporary(o, other, strlen(path)), -ENAMETOOLONG);
    EDDY_CHECK_EQ(eddy_path_remove(path), 0);
}

EDDY_TEST(errors_tell_what_to_mend)
{
    struct eddy_error error = { 0 };
    struct eddy_file *f = NULL;
    char buf[8];

    EDDY_CHECK_ERR(eddy_file_temporary(EDDY_OPT(temporary, .prefix = "a/b", .error = &error), &f),
                   -EINVAL);
    EDDY_CHECK(strstr(error.text, ".folder") != NULL);
    EDDY_CHECK_ERR(eddy_directory_temporary(EDDY_OPT(temporary, .nameless = true), buf, 8),
                   -EINVAL);
    if (on_sim())
        return;
    EDDY_CHECK_ERR(
        eddy_file_temporary(EDDY_OPT(temporary, .folder = "/no/such", .error = &error), &f),
        -ENOENT);
    EDDY_CHECK(strstr(error.text, "/no/such: ") != NULL);
    EDDY_CHECK_ERR(
        eddy_file_temporary(EDDY_OPT(temporary, .folder = "no/such", .error = &error), &f),
        -ENOENT);
    if (!scratch_mount(scratch("m"), true))
        return;
    EDDY_CHECK_ERR(eddy_file_temporary(EDDY_OPT(temporary, .folder = scratch("m")), &f), -EROFS);
    EDDY_CHECK_ERR(
        eddy_file_temporary(EDDY_OPT(temporary, .folder = scratch("m"), .nameless = true), &f),
        -EROFS);
    scratch_unmount(scratch("m"));
}

static int open_taken(int dir, const char *path, int flags, unsigned mode)
{
    return flags & O_EXCL ? -EEXIST : eddy__sys_kernel.open(dir, path, flags, mode);
}

EDDY_TEST(a_hundred_taken_names_are_enough)
{
    struct eddy_file *f = NULL;

    if (on_sim() || strcmp(eddy_check_backend(), "uring") == 0)
        return; /* there the ring opens */
    eddy__sys.open = open_taken;
    EDDY_CHECK_ERR(eddy_file_temporary(EDDY_OPT(temporary, .folder = scratch("")), &f), -EEXIST);
}

EDDY_TEST(every_failure_is_an_error_and_leaves_nothing)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };

    for (size_t i = 0; i < 4; i++)
        for (struct eddy_fault f = eddy_fault_each(kinds[i % 2]); eddy_fault_next(&f);) {
            struct eddy_file *t = NULL;
            int r = eddy_file_temporary(
                EDDY_OPT(temporary, .folder = scratch(""), .nameless = i > 1), &t);
            EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
            eddy_file_close(t);
            eddy_fault_stop();
            if (!on_sim())
                EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
        }
}
