/*
 * tree_test.c - eddy_path_remove_tree()
 *
 * backends: select poll epoll uring
 * faults: yes
 * threads: yes
 */
#include "scratch.h"

#include "base/fault.h"
#include "base/sys.h"

void eddy_check_teardown(void)
{
    scratch_clean();
}

static void put(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        abort();
    close(fd);
}

/* @folders of @files each, and one in another. */
static const char *grow(int folders, int files)
{
    char name[64];

    mkdir(scratch("t"), 0700);
    for (int i = 0; i < folders; i++) {
        (void)snprintf(name, sizeof name, "t/%d", i);
        mkdir(scratch(name), 0700);
        for (int k = 0; k < files; k++) {
            (void)snprintf(name, sizeof name, "t/%d/a file with a longer name %d", i, k);
            put(scratch(name));
        }
    }
    mkdir(scratch("t/0/x"), 0700);
    mkdir(scratch("t/0/x/y"), 0700);
    put(scratch("t/0/x/y/z"));
    return scratch("t");
}

EDDY_TEST(a_tree_is_removed)
{
    EDDY_CHECK_EQ(eddy_path_remove_tree(grow(12, 150), NULL), 0);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
    EDDY_CHECK_ERR(eddy_path_remove_tree(scratch("t"), NULL), -ENOENT);
    put(scratch("f"));
    EDDY_CHECK_EQ(eddy_path_remove_tree(scratch("f"), NULL), 0);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
}

static int unlink_refused(int dir, const char *path, int flags)
{
    (void)dir, (void)path, (void)flags;
    return -EISDIR;
}

static int open_refused(int dir, const char *path, int flags, unsigned mode)
{
    (void)dir, (void)path, (void)flags, (void)mode;
    return -EIO;
}

EDDY_TEST(what_has_no_name_of_its_own_is_not_removed)
{
    const char *const paths[] = { "/", "//", ".", "..", "a/.", "a/..", "a/../", "/.." };
    struct eddy_error error = { 0 };

    eddy__sys.unlink = unlink_refused; /* nothing is removed, whatever becomes of this test */
    eddy__sys.open = open_refused;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        EDDY_CHECK_ERR(eddy_path_remove_tree(paths[i], EDDY_OPT(remove, .error = &error)), -EINVAL);
        EDDY_CHECK(strstr(error.text, "name a folder") != NULL);
    }
    EDDY_CHECK_ERR(eddy_path_remove_tree("a/..b", NULL), -EIO);
    EDDY_CHECK_ERR(eddy_path_remove_tree(".a/", NULL), -EIO);
}

EDDY_TEST(no_link_is_followed)
{
    mkdir(scratch("kept"), 0700);
    put(scratch("kept/f"));
    grow(1, 1);
    EDDY_CHECK_EQ(symlink("../kept", scratch("t/link")), 0);
    EDDY_CHECK_EQ(symlink("nowhere", scratch("t/dangling")), 0);
    EDDY_CHECK_EQ(symlink("kept", scratch("link")), 0);
    EDDY_CHECK_EQ(eddy_path_remove_tree(scratch("t"), NULL), 0);
    EDDY_CHECK_EQ(eddy_path_remove_tree(scratch("link"), NULL), 0); /* itself */
    EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
    EDDY_CHECK_EQ(scratch_count(scratch("kept")), 1);
}

/* Somebody puts a link in a folder's place between the look at it and its opening. */
static int open_swapped(int dir, const char *path, int flags, unsigned mode)
{
    if (strcmp(path, "victim") == 0 && unlinkat(dir, path, AT_REMOVEDIR) == 0)
        EDDY_CHECK_EQ(symlinkat("../kept", dir, path), 0);
    return eddy__sys_kernel.open(dir, path, flags, mode);
}

EDDY_TEST(a_link_put_in_a_folders_place_is_not_followed)
{
    mkdir(scratch("kept"), 0700);
    put(scratch("kept/f"));
    mkdir(scratch("t"), 0700);
    mkdir(scratch("t/victim"), 0700);
    eddy__sys.open = open_swapped;
    EDDY_CHECK_EQ(eddy_path_remove_tree(scratch("t"), NULL), 0);
    eddy__sys.open = eddy__sys_kernel.open;
    EDDY_CHECK_EQ(scratch_count(scratch("kept")), 1);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
}

EDDY_TEST(a_tree_too_deep_is_refused)
{
    struct eddy_error error = { 0 };

    grow(1, 0); /* t/0/x/y is four */
    EDDY_CHECK_ERR(
        eddy_path_remove_tree(scratch("t"), EDDY_OPT(remove, .max_depth = 3, .error = &error)),
        -EDDY_EDEPTH);
    EDDY_CHECK_EQ(error.code, -EDDY_EDEPTH);
    EDDY_CHECK(strstr(error.text, "max_depth") != NULL);
    EDDY_CHECK_EQ(scratch_count(scratch("t/0/x")), 1);
    EDDY_CHECK_EQ(eddy_path_remove_tree(scratch("t"), EDDY_OPT(remove, .max_depth = 4)), 0);
}

static unsigned removals;

static int unlink_and_count(int dir, const char *path, int flags)
{
    __atomic_add_fetch(&removals, 1, __ATOMIC_RELAXED); /* on a thread of the pool */
    return eddy__sys_kernel.unlink(dir, path, flags);
}

struct removing_args {
    const char *path;
    int *ret;
};

static int removing(struct removing_args *a)
{
    *a->ret = eddy_path_remove_tree(a->path, NULL);
    return 0;
}
EDDY_TASK(removing);

EDDY_TEST(a_cancelled_removal_leaves_the_rest)
{
    int result = 1;

    grow(10, 200);
    removals = 0;
    eddy__sys.unlink = unlink_and_count;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, removing, .path = scratch("t"), .ret = &result);
        while (__atomic_load_n(&removals, __ATOMIC_RELAXED) < 300)
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
        eddy_scope_cancel(&s);
    }
    eddy__sys.unlink = eddy__sys_kernel.unlink;
    EDDY_CHECK(result == -ECANCELED || result == 0); /* 0: it was faster */
    if (result < 0)
        EDDY_CHECK(scratch_count(scratch("t")) > 0);
    else
        EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
    (void)eddy_path_remove_tree(scratch("t"), NULL);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
}

/* A folder that others fill again is read anew. */
static int unlink_and_fill(int dir, const char *path, int flags)
{
    static int times;

    if (flags & AT_REMOVEDIR && times++ < 3) {
        int fd = openat(AT_FDCWD, scratch("t/late"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
    }
    return eddy__sys_kernel.unlink(dir, path, flags);
}

EDDY_TEST(what_comes_late_is_removed_too)
{
    mkdir(scratch("t"), 0700);
    eddy__sys.unlink = unlink_and_fill;
    EDDY_CHECK_EQ(eddy_path_remove_tree(scratch("t"), NULL), 0);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
}

static char late[512];

static int unlink_and_fill_always(int dir, const char *path, int flags)
{
    if (flags & AT_REMOVEDIR)
        put(late);
    return eddy__sys_kernel.unlink(dir, path, flags);
}

EDDY_TEST(a_folder_that_is_filled_for_ever_is_enotempty)
{
    mkdir(scratch("t"), 0700);
    (void)snprintf(late, sizeof late, "%s", scratch("t/late"));
    eddy__sys.unlink = unlink_and_fill_always;
    EDDY_CHECK_ERR(eddy_path_remove_tree(scratch("t"), NULL), -ENOTEMPTY);
}

EDDY_TEST(a_mounted_folder_is_ebusy)
{
    struct eddy_error error = { 0 };

    mkdir(scratch("t"), 0700);
    if (!scratch_mount(scratch("t/m"), false))
        return;
    EDDY_CHECK_ERR(eddy_path_remove_tree(scratch("t"), EDDY_OPT(remove, .error = &error)), -EBUSY);
    EDDY_CHECK(strstr(error.text, "mounted") != NULL);
    scratch_unmount(scratch("t/m"));
}

EDDY_TEST(every_failure_is_an_error_and_leaks_nothing)
{
    EDDY_CHECK_EQ(eddy_path_remove_tree(grow(2, 3), NULL), 0); /* the pool's threads */
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = eddy_path_remove_tree(grow(2, 3), NULL);
        EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
    }
    for (int k = 1; scratch_fail(k); k++) {
        int r = eddy_path_remove_tree(grow(2, 3), NULL);
        EDDY_CHECK_ERR(r, scratch_failed() ? -EIO : 0);
        scratch_fail(0);
    }
    EDDY_CHECK_EQ(eddy_path_remove_tree(grow(2, 3), NULL), 0);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 0);
}
