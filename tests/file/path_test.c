/*
 * path_test.c - the calls of eddy/path.h on single files and folders
 *
 * backends: select poll epoll uring sim
 * faults: yes
 * threads: yes
 */
#include "scratch.h"

#include "base/fault.h"
#include "base/sys.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

void eddy_check_teardown(void)
{
    scratch_clean();
}

static enum eddy_file_type type_of(const char *path, unsigned flags)
{
    struct eddy_file_info about = { .type = EDDY_FILE_OTHER };

    EDDY_CHECK_EQ(eddy_path_stat(path, flags, &about), 0);
    return about.type;
}

EDDY_TEST(stat_tells_what_a_file_is)
{
    struct eddy_file_info about;
    EDDY_OWN(eddy_file) f = NULL;

    scratch_put(scratch("f"), "seven b");
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.type, EDDY_FILE_REGULAR);
    EDDY_CHECK_EQ(about.bytes, 7);
    EDDY_CHECK_EQ(about.links, 1);
    EDDY_CHECK_EQ(about.mode & 0600, 0600);
    EDDY_CHECK(about.inode > 0 && about.written_ns > 0);
    const uint64_t inode = about.inode;
    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDONLY, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_file_stat(f, &about), 0);
    EDDY_CHECK_EQ(about.inode, inode);
    EDDY_CHECK_EQ(type_of(scratch(""), 0), EDDY_FILE_DIRECTORY);
    EDDY_CHECK_EQ(eddy_path_exists(scratch("f")), 1);
    EDDY_CHECK_EQ(eddy_path_exists(scratch("g")), 0);
    EDDY_CHECK_EQ(eddy_path_exists(scratch("f/g")), 0);
    EDDY_CHECK_ERR(eddy_path_stat("", 0, &about), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_stat(scratch("f"), 64, &about), -EINVAL);
    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_path_symlink("f", scratch("l")), 0);
    EDDY_CHECK_EQ(type_of(scratch("l"), 0), EDDY_FILE_REGULAR);
    EDDY_CHECK_EQ(type_of(scratch("l"), EDDY_PATH_NO_FOLLOW), EDDY_FILE_LINK);
    EDDY_CHECK_EQ(mkfifo(scratch("p"), 0600), 0);
    EDDY_CHECK_EQ(type_of(scratch("p"), 0), EDDY_FILE_FIFO);
    EDDY_CHECK_EQ(type_of("/dev/null", 0), EDDY_FILE_CHARACTER);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", scratch("s"));
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EDDY_CHECK_EQ(bind(s, (const struct sockaddr *)&name, sizeof name), 0);
    EDDY_CHECK_EQ(type_of(scratch("s"), 0), EDDY_FILE_SOCKET);
    close(s);
}

EDDY_TEST(rename_replaces_unless_told_not_to)
{
    scratch_put(scratch("a"), "a");
    scratch_put(scratch("b"), "b");
    EDDY_CHECK_ERR(eddy_path_rename(scratch("a"), scratch("b"), EDDY_PATH_NO_REPLACE), -EEXIST);
    scratch_has(scratch("b"), "b");
    EDDY_CHECK_EQ(eddy_path_rename(scratch("a"), scratch("b"), 0), 0);
    scratch_has(scratch("b"), "a");
    scratch_has(scratch("a"), NULL);
    EDDY_CHECK_EQ(eddy_path_rename(scratch("b"), scratch("a"), EDDY_PATH_NO_REPLACE), 0);
    scratch_has(scratch("a"), "a");
    EDDY_CHECK_ERR(eddy_path_rename(scratch("b"), scratch("c"), 0), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("a"), scratch("a/b"), 0), -ENOTDIR);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("a"), scratch("b"), 64), -EINVAL);

    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0755, 0), 0);
    scratch_put(scratch("d/in"), "in");
    EDDY_CHECK_ERR(eddy_path_rename(scratch("a"), scratch("d"), 0), -EISDIR);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("d"), scratch("a"), 0), -ENOTDIR);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("d"), scratch("d/e"), 0), -EINVAL);
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("e"), 0755, 0), 0);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("e"), scratch("d"), 0), -ENOTEMPTY);
    EDDY_CHECK_EQ(eddy_path_rename(scratch("d"), scratch("e"), 0), 0);
    scratch_has(scratch("e/in"), "in");
    EDDY_CHECK_EQ(eddy_path_exists(scratch("d")), 0);
}

EDDY_TEST(rename_exchanges)
{
    scratch_put(scratch("a"), "a");
    scratch_put(scratch("b"), "b");
    int r = eddy_path_rename(scratch("a"), scratch("b"), EDDY_PATH_EXCHANGE);
    if (on_sim()) {
        EDDY_CHECK_ERR(r, -EDDY_ESIM);
        return;
    }
    EDDY_CHECK_EQ(r, 0);
    scratch_has(scratch("a"), "b");
    scratch_has(scratch("b"), "a");
}

EDDY_TEST(links_of_both_kinds)
{
    struct eddy_file_info about;
    char text[16];

    scratch_put(scratch("a"), "one");
    EDDY_CHECK_EQ(eddy_path_link(scratch("a"), scratch("b")), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("b"), 0, &about), 0);
    EDDY_CHECK_EQ(about.links, 2);
    EDDY_CHECK_ERR(eddy_path_link(scratch("a"), scratch("b")), -EEXIST);
    EDDY_CHECK_ERR(eddy_path_link(scratch("x"), scratch("c")), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_link(scratch(""), scratch("c")), -EPERM);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("a")), 0);
    scratch_has(scratch("b"), "one");
    int r = eddy_path_symlink("b", scratch("s"));
    if (on_sim()) {
        EDDY_CHECK_ERR(r, -EDDY_ESIM);
        return;
    }
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK_ERR(eddy_path_symlink("b", scratch("s")), -EEXIST);
    scratch_has(scratch("s"), "one");
    EDDY_CHECK_EQ(eddy_path_readlink(scratch("s"), text, sizeof text), 1);
    EDDY_CHECK_STR(text, "b");
    EDDY_CHECK_ERR(eddy_path_readlink(scratch("s"), text, 1), -ENAMETOOLONG);
    EDDY_CHECK_ERR(eddy_path_readlink(scratch("s"), text, 0), -ENAMETOOLONG);
    EDDY_CHECK_ERR(eddy_path_readlink(scratch("b"), text, sizeof text), -EINVAL);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("s")), 0); /* itself */
    scratch_has(scratch("b"), "one");
}

EDDY_TEST(mkdir_makes_parents)
{
    struct eddy_file_info about;

    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0700, 0), 0);
    EDDY_CHECK_ERR(eddy_path_mkdir(scratch("d"), 0700, 0), -EEXIST);
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0700, EDDY_PATH_PARENTS), 0);
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d/e/f//g/"), 0750, EDDY_PATH_PARENTS), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("d/e/f/g"), 0, &about), 0);
    EDDY_CHECK_EQ(about.type, EDDY_FILE_DIRECTORY);
    EDDY_CHECK_EQ(about.mode, 0750);
    scratch_put(scratch("file"), "");
    EDDY_CHECK_ERR(eddy_path_mkdir(scratch("file"), 0700, EDDY_PATH_PARENTS), -EEXIST);
    EDDY_CHECK_ERR(eddy_path_mkdir(scratch("file/x/y"), 0700, EDDY_PATH_PARENTS), -ENOTDIR);
    EDDY_CHECK_ERR(eddy_path_mkdir("", 0700, EDDY_PATH_PARENTS), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_mkdir(scratch("d"), 0700, EDDY_PATH_EXCHANGE), -EINVAL);
    if (!on_sim()) /* where what is above need not be made */
        EDDY_CHECK_ERR(eddy_path_mkdir(scratch("x/y"), 0700, 0), -ENOENT);
}

EDDY_TEST(remove_takes_files_and_empty_folders)
{
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0700, 0), 0);
    scratch_put(scratch("d/f"), "x");
    EDDY_CHECK_ERR(eddy_path_remove(scratch("d")), -ENOTEMPTY);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("d/f")), 0);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("d")), 0);
    EDDY_CHECK_ERR(eddy_path_remove(scratch("d")), -ENOENT);
    EDDY_CHECK_EQ(eddy_path_exists(scratch("d")), 0);
}

EDDY_TEST(an_open_file_lives_on_without_its_name)
{
    EDDY_OWN(eddy_file) f = NULL;
    char text[4] = "";

    scratch_put(scratch("f"), "abc");
    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDONLY, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("f")), 0);
    scratch_put(scratch("f"), "new");
    EDDY_CHECK_EQ(eddy_file_read(f, text, 3, 0), 3);
    EDDY_CHECK_STR(text, "abc");
}

EDDY_TEST(what_was_set_is_told)
{
    struct eddy_file_info about;

    if (on_sim())
        return;
    scratch_put(scratch("f"), "1234567");
    EDDY_CHECK_EQ(eddy_path_truncate(scratch("f"), 3), 0);
    EDDY_CHECK_EQ(eddy_path_chmod(scratch("f"), 0421), 0);
    EDDY_CHECK_EQ(eddy_path_utimes(scratch("f"), 1500000000, -500000000, 0), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.bytes, 3);
    EDDY_CHECK_EQ(about.mode, 0421);
    EDDY_CHECK_EQ(about.read_ns, 1500000000);
    EDDY_CHECK_EQ(about.written_ns, -500000000);
    EDDY_CHECK_EQ(eddy_path_utimes(scratch("f"), EDDY_TIME_KEEP, EDDY_TIME_NOW, 0), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.read_ns, 1500000000);
    EDDY_CHECK(about.written_ns > 1500000000);
    EDDY_CHECK_EQ(eddy_path_access(scratch("f"), F_OK), 0);
    EDDY_CHECK_ERR(eddy_path_access(scratch("g"), F_OK), -ENOENT);
    EDDY_CHECK_EQ(eddy_path_symlink("nowhere", scratch("l")), 0);
    EDDY_CHECK_EQ(eddy_path_utimes(scratch("l"), 7, 7, EDDY_PATH_NO_FOLLOW), 0);
    EDDY_CHECK_ERR(eddy_path_utimes(scratch("l"), 7, 7, 0), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_chmod(scratch("l"), 0600), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_chmod("", 0600), -ENOENT);
    EDDY_CHECK_ERR(eddy_path_truncate(scratch("f"), -1), -EINVAL);
    EDDY_CHECK_ERR(eddy_path_truncate(scratch(""), 0), -EISDIR);
    if (geteuid() != 0) {
        EDDY_CHECK_ERR(eddy_path_chown(scratch("f"), 0, 0, 0), -EPERM);
        return;
    }
    EDDY_CHECK_EQ(eddy_path_chown(scratch("f"), 1234, (gid_t)-1, 0), 0);
    EDDY_CHECK_EQ(eddy_path_chown(scratch("l"), 77, 78, EDDY_PATH_NO_FOLLOW), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.uid, 1234);
    EDDY_CHECK_EQ(about.gid, getegid());
    EDDY_CHECK_EQ(eddy_path_stat(scratch("l"), EDDY_PATH_NO_FOLLOW, &about), 0);
    EDDY_CHECK_EQ(about.gid, 78);
}

EDDY_TEST(the_real_path_has_no_links)
{
    char real[PATH_MAX], want[PATH_MAX + 16], folder[PATH_MAX];

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0700, 0), 0);
    EDDY_CHECK_EQ(eddy_path_symlink("d", scratch("l")), 0);
    if (!realpath(scratch(""), folder))
        abort();
    (void)snprintf(want, sizeof want, "%s/d", folder);
    EDDY_CHECK_EQ(eddy_path_real(scratch("l/../l/."), real, sizeof real), strlen(want));
    EDDY_CHECK_STR(real, want);
    EDDY_CHECK_ERR(eddy_path_real(scratch("l"), real, strlen(want)), -ENAMETOOLONG);
    EDDY_CHECK_ERR(eddy_path_real(scratch("x"), real, sizeof real), -ENOENT);
}

EDDY_TEST(space_is_told)
{
    struct eddy_space space;
    struct statvfs about;

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_path_space(scratch(""), &space), 0);
    EDDY_CHECK_EQ(statvfs(scratch(""), &about), 0);
    EDDY_CHECK_EQ(space.bytes, about.f_blocks * about.f_frsize);
    EDDY_CHECK_EQ(space.files, about.f_files);
    EDDY_CHECK(space.available <= space.bytes && space.free <= space.bytes);
    EDDY_CHECK_ERR(eddy_path_space(scratch("x"), &space), -ENOENT);
}

EDDY_TEST(errors_are_the_kernels)
{
    char long_name[300], deep[5000];
    struct eddy_file_info about;

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    memset(deep, '/', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    EDDY_CHECK_ERR(eddy_path_stat(long_name, 0, &about), -ENAMETOOLONG);
    EDDY_CHECK_ERR(eddy_path_mkdir(scratch(long_name), 0700, 0), -ENAMETOOLONG);
    EDDY_CHECK_ERR(eddy_path_mkdir(deep, 0700, EDDY_PATH_PARENTS), -ENAMETOOLONG);
    EDDY_CHECK_ERR(eddy_path_sync(scratch("x")), -ENOENT);
    scratch_put(scratch("f"), "");
    EDDY_CHECK_EQ(eddy_path_sync(scratch("f")), 0);
    EDDY_CHECK_EQ(eddy_path_sync(scratch("")), 0);
    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_path_symlink("round", scratch("round")), 0);
    EDDY_CHECK_ERR(eddy_path_stat(scratch("round"), 0, &about), -ELOOP);
    EDDY_CHECK_ERR(eddy_path_exists(scratch("round")), -ELOOP);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("f"), "/proc/eddy", 0), -EXDEV);
}

EDDY_TEST(disks_that_are_full_or_read_only)
{
    char name[32];
    int r = 0;

    if (on_sim())
        return;
    if (!scratch_mount(scratch("ro"), true))
        return;
    EDDY_CHECK_ERR(eddy_path_mkdir(scratch("ro/x"), 0700, 0), -EROFS);
    EDDY_CHECK_ERR(eddy_path_access(scratch("ro"), W_OK), -EROFS);
    EDDY_CHECK_ERR(eddy_path_chmod(scratch("ro"), 0700), -EROFS);
    scratch_unmount(scratch("ro"));
    if (!scratch_mount(scratch("small"), false))
        return;
    for (int i = 0; r == 0 && i < 100; i++) {
        (void)snprintf(name, sizeof name, "small/%d", i);
        r = eddy_path_mkdir(scratch(name), 0700, 0);
    }
    EDDY_CHECK_ERR(r, -ENOSPC);
    EDDY_CHECK_ERR(eddy_path_symlink("x", scratch("small/l")), -ENOSPC);
    EDDY_CHECK_ERR(eddy_path_remove(scratch("small")), -EBUSY);
    EDDY_CHECK_ERR(eddy_path_rename(scratch("small/1"), scratch("1"), 0), -EXDEV);
    scratch_put(scratch("f"), "");
    EDDY_CHECK_ERR(eddy_path_link(scratch("f"), scratch("small/f")), -EXDEV);
    scratch_unmount(scratch("small"));
}

/* --- scopes and callbacks ------------------------------------------------------------------------ */

static void all_fail(int want)
{
    struct eddy_file_info about;
    struct eddy_space space;
    char buf[16];

    EDDY_CHECK_ERR(eddy_path_stat("", 99, &about), want);
    EDDY_CHECK_ERR(eddy_path_exists(""), want);
    EDDY_CHECK_ERR(eddy_path_access("", 99), want);
    EDDY_CHECK_ERR(eddy_path_rename("", "", 99), want);
    EDDY_CHECK_ERR(eddy_path_link("", ""), want);
    EDDY_CHECK_ERR(eddy_path_symlink("", ""), want);
    EDDY_CHECK_ERR(eddy_path_readlink("", buf, 0), want);
    EDDY_CHECK_ERR(eddy_path_mkdir("", 0, 99), want);
    EDDY_CHECK_ERR(eddy_path_remove(""), want);
    EDDY_CHECK_ERR(eddy_path_remove_tree("", NULL), want);
    EDDY_CHECK_ERR(eddy_path_truncate("", -1), want);
    EDDY_CHECK_ERR(eddy_path_chmod("", 0), want);
    EDDY_CHECK_ERR(eddy_path_chown("", 0, 0, 99), want);
    EDDY_CHECK_ERR(eddy_path_utimes("", 0, 0, 99), want);
    EDDY_CHECK_ERR(eddy_path_real("", buf, 0), want);
    EDDY_CHECK_ERR(eddy_path_space("", &space), want);
    EDDY_CHECK_ERR(eddy_path_sync(""), want);
}

EDDY_TEST(a_cancelled_call_does_nothing)
{
    scratch_put(scratch("f"), "x");
    {
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        all_fail(-ECANCELED);
        EDDY_CHECK_ERR(eddy_path_rename(scratch("f"), scratch("g"), 0), -ECANCELED);
        EDDY_CHECK_ERR(eddy_path_remove(scratch("f")), -ECANCELED);
    }
    scratch_has(scratch("f"), "x");
}

static void use_all(void *ctx)
{
    (void)ctx;
    all_fail(-EDEADLK);
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    in_callback(use_all, NULL);
}

/* Its name is the old one or the new, never both or none, whenever the cancel comes. */
struct renaming_args {
    const char *from, *to;
    int *ret;
};

static int renaming(struct renaming_args *a)
{
    *a->ret = eddy_path_rename(a->from, a->to, 0);
    return 0;
}
EDDY_TASK(renaming);

EDDY_TEST(a_rename_that_is_cancelled_is_done_or_not)
{
    char from[64], to[64];

    (void)snprintf(from, sizeof from, "%s", scratch("from"));
    (void)snprintf(to, sizeof to, "%s", scratch("to"));
    for (int i = 0; i < 60; i++) {
        int result = 1;

        scratch_put(from, "x");
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            EDDY_GO(&s, renaming, .from = from, .to = to, .ret = &result);
            for (int k = 0; k < i % 4; k++)
                eddy_yield();
            if (i % 3 == 0 && !on_sim())
                usleep((useconds_t)(i % 7) * 10);
            eddy_scope_cancel(&s);
        }
        EDDY_CHECK(result == 0 || result == -ECANCELED);
        EDDY_CHECK_EQ(eddy_path_exists(from), result != 0);
        EDDY_CHECK_EQ(eddy_path_exists(to), result == 0);
        EDDY_CHECK_EQ(eddy_path_remove(result ? from : to), 0);
    }
}

EDDY_TEST(the_simulator_refuses_by_name)
{
    struct eddy_space space;
    char buf[16];

    if (!on_sim())
        return;
    EDDY_CHECK_ERR(eddy_path_access("f", R_OK), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_symlink("f", "g"), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_readlink("f", buf, sizeof buf), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_remove_tree("f", NULL), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_truncate("f", 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_chmod("f", 0600), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_chown("f", 0, 0, 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_utimes("f", 0, 0, 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_real("f", buf, sizeof buf), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_path_space("f", &space), -EDDY_ESIM);
}

/* --- faults --------------------------------------------------------------------------------------- */

static int scenario(void)
{
    struct eddy_file_info about;
    char buf[PATH_MAX];

    int r = eddy_path_mkdir(scratch("d"), 0700, 0);
    if (r == 0)
        r = eddy_path_mkdir(scratch("d/e"), 0700, EDDY_PATH_PARENTS);
    if (r == 0)
        r = eddy_path_rename(scratch("d/e"), scratch("d/f"), 0);
    if (r == 0)
        r = eddy_path_stat(scratch("d/f"), 0, &about);
    if (r == 0)
        r = eddy_path_sync(scratch("d"));
    if (r == 0 && !on_sim())
        r = eddy_path_chmod(scratch("d"), 0711);
    if (r == 0 && !on_sim())
        r = eddy_path_real(scratch("d"), buf, sizeof buf);
    if (r >= 0)
        r = eddy_path_remove(scratch("d/f"));
    if (r == 0)
        r = eddy_path_remove(scratch("d"));
    return r;
}

static void clean(void)
{
    (void)eddy_path_remove(scratch("d/e"));
    (void)eddy_path_remove(scratch("d/f"));
    (void)eddy_path_remove(scratch("d"));
}

EDDY_TEST(every_failed_allocation_and_call_is_an_error_and_leaks_nothing)
{
    EDDY_CHECK_EQ(scenario(), 0); /* the pool's threads, the task's room */
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = scenario();
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK_ERR(r, fired ? -ENOMEM : 0);
        clean();
    }
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        int r = scenario();
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK(r == 0 || fired); /* a close that fails is nobody's */
        clean();
    }
    for (int k = 1; scratch_fail(k); k++) {
        int r = scenario();
        bool fired = scratch_failed();
        scratch_fail(0);
        EDDY_CHECK(r == 0 || fired);
        clean();
    }
}
