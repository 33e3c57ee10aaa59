#include "scratch.h"

#include "base/sys.h"

#include <eddy/loop.h>

#include <dirent.h>
#include <ftw.h>
#include <stdatomic.h>
#include <sys/mount.h>

static bool made;

bool on_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

const char *scratch(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];

    if (on_sim()) { /* whose root is there, and empty, for each test */
        (void)snprintf(path, sizeof paths[0], "/%s", name);
        return path;
    }
    int len = snprintf(path, sizeof paths[0], "scratch-%s-%d", eddy_check_backend(), (int)getpid());
    if (!made && mkdir(path, 0700) < 0 && errno != EEXIST)
        abort();
    made = true;
    if (*name)
        (void)snprintf(path + len, sizeof paths[0] - (size_t)len, "/%s", name);
    return path;
}

void scratch_put(const char *path, const char *text)
{
    EDDY_OWN(eddy_file) f = NULL;

    EDDY_CHECK_EQ(eddy_file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f), 0);
    if (f)
        EDDY_CHECK_EQ(eddy_file_write(f, text, strlen(text), 0), 0);
    eddy_file_close(EDDY_TAKE(f));
}

bool scratch_has(const char *path, const char *text)
{
    struct eddy_buffer bytes = EDDY_BUFFER(0);
    bool same;

    int r = eddy_file_read_all(path, 1 << 20, &bytes, NULL);
    if (!text)
        return EDDY_CHECK_ERR(r, -ENOENT);
    if (!EDDY_CHECK_EQ(r, 0))
        return false;
    same = EDDY_CHECK_MEM(eddy_buffer_bytes(&bytes).ptr, eddy_buffer_bytes(&bytes).len, text,
                          strlen(text));
    eddy_buffer_done(&bytes);
    return same;
}

int scratch_count(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    if (!d)
        return -1;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

/* --- failing calls ------------------------------------------------------------------------------- */

static atomic_int countdown; /* to the call that fails; negative: it has, or none is to */
static bool counting, has_failed;

static bool fails_now(void)
{
    return counting && atomic_fetch_sub(&countdown, 1) == 1;
}

#define FAILING(type, name, parameters, arguments)                                                 \
    static type failing_##name parameters                                                          \
    {                                                                                              \
        return fails_now() ? -EIO : eddy__sys_kernel.name arguments;                               \
    }
FAILING(int, open, (int dir, const char *path, int flags, unsigned mode), (dir, path, flags, mode))
FAILING(int, unlink, (int dir, const char *path, int flags), (dir, path, flags))
FAILING(int, rename, (int a, const char *from, int b, const char *to, unsigned flags),
        (a, from, b, to, flags))
FAILING(int, mkdir, (int dir, const char *path, unsigned mode), (dir, path, mode))
FAILING(int, stat, (int dir, const char *path, int flags, struct statx *ret),
        (dir, path, flags, ret))
FAILING(int, chmod, (int dir, const char *path, unsigned mode), (dir, path, mode))
FAILING(int, chown, (int dir, const char *path, uid_t uid, gid_t gid, int flags),
        (dir, path, uid, gid, flags))
FAILING(int, realpath, (const char *path, char *ret), (path, ret))
FAILING(ssize_t, getdents, (int fd, void *buf, size_t cap), (fd, buf, cap))
FAILING(int64_t, seek, (int fd, int64_t offset, int whence), (fd, offset, whence))
FAILING(int, ftruncate, (int fd, int64_t len), (fd, len))
FAILING(int, fsync, (int fd, bool data_only), (fd, data_only))
FAILING(ssize_t, copy_range, (int a, int64_t from, int b, int64_t to, size_t len),
        (a, from, b, to, len))
FAILING(ssize_t, pread, (int fd, void *buf, size_t len, int64_t offset, int flags),
        (fd, buf, len, offset, flags))
FAILING(ssize_t, pwrite, (int fd, const void *buf, size_t len, int64_t offset, int flags),
        (fd, buf, len, offset, flags))

#define TAKE(name) eddy__sys.name = failing_##name
#define GIVE(name) eddy__sys.name = eddy__sys_kernel.name

/* One by one: threads of the pool may be reading others of the table. */
static void give_all(void)
{
    GIVE(open), GIVE(unlink), GIVE(rename), GIVE(mkdir), GIVE(stat), GIVE(chmod), GIVE(chown);
    GIVE(realpath), GIVE(getdents), GIVE(seek), GIVE(ftruncate), GIVE(fsync), GIVE(copy_range);
    GIVE(pread), GIVE(pwrite);
}

bool scratch_failed(void)
{
    return atomic_load(&countdown) <= 0;
}

bool scratch_fail(int k)
{
    if (k == 0) {
        has_failed = scratch_failed();
        counting = false;
        give_all();
        return false;
    }
    if (k > 1 && !has_failed)
        return false;
    atomic_store(&countdown, k);
    counting = true;
    TAKE(open), TAKE(unlink), TAKE(rename), TAKE(mkdir), TAKE(stat), TAKE(chmod), TAKE(chown);
    TAKE(realpath), TAKE(getdents), TAKE(seek), TAKE(ftruncate), TAKE(fsync), TAKE(copy_range);
    TAKE(pread), TAKE(pwrite);
    return true;
}

static int gone(const char *path, const struct stat *about, int type, struct FTW *ftw)
{
    (void)about, (void)type, (void)ftw;
    return remove(path);
}

void scratch_clean(void)
{
    give_all();
    if (made && !on_sim())
        (void)nftw(scratch(""), gone, 16, FTW_DEPTH | FTW_PHYS);
    made = false;
}

/* --- callbacks, and disks ---------------------------------------------------------------------------- */

struct once {
    void (*fn)(void *ctx);
    void *ctx;
    bool called;
};

static void call(void *ctx)
{
    struct once *o = ctx;

    o->fn(o->ctx);
    o->called = true;
}

void in_callback(void (*fn)(void *ctx), void *ctx)
{
    struct once o = { fn, ctx, false };

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), call, &o), 0);
    while (!o.called)
        eddy_loop_turn(eddy_loop_current(), -1);
}

bool scratch_mount(const char *path, bool read_only)
{
    (void)mkdir(path, 0700);
    if (mount("eddy-test", path, "tmpfs", read_only ? MS_RDONLY : 0, "size=64k,nr_inodes=32") == 0)
        return true;
    EDDY_CHECK_NOT_RUN("a file system of one's own cannot be mounted here (root is needed)");
    return false;
}

void scratch_unmount(const char *path)
{
    EDDY_CHECK_EQ(umount2(path, MNT_DETACH), 0);
}
