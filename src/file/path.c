/*
 * file/path.c - the calls of eddy/path.h, but those that tell what a file is, and whole trees
 *
 * What changes names is one operation each; the rest are calls on a thread.
 */
#include "base/sys.h"
#include "file/inside.h"

#include <eddy/path.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int checked(unsigned flags, unsigned allowed)
{
    int r = eddy__wait_check();

    return r < 0 ? r : flags & ~allowed ? -EINVAL : 0;
}

/* --- names -------------------------------------------------------------------------------------- */

int eddy_path_rename(const char *from, const char *to, unsigned flags)
{
    struct eddy_file_op op;

    int r = checked(flags, EDDY_PATH_NO_REPLACE | EDDY_PATH_EXCHANGE);
    if (r < 0)
        return r;
    eddy_op_rename(&op, AT_FDCWD, from, AT_FDCWD, to,
                   (flags & EDDY_PATH_NO_REPLACE ? (unsigned)RENAME_NOREPLACE : 0) |
                       (flags & EDDY_PATH_EXCHANGE ? (unsigned)RENAME_EXCHANGE : 0),
                   NULL);
    return eddy__op_wait(&op.op);
}

int eddy_path_link(const char *from, const char *to)
{
    struct eddy_file_op op;

    eddy_op_link(&op, AT_FDCWD, from, AT_FDCWD, to, 0, NULL);
    return eddy__op_wait(&op.op);
}

int eddy_path_symlink(const char *target, const char *path)
{
    struct eddy_file_op op;

    eddy_op_symlink(&op, target, AT_FDCWD, path, NULL);
    return eddy__op_wait(&op.op);
}

int eddy_path_remove(const char *path)
{
    struct eddy_file_op op;

    eddy_op_unlink(&op, AT_FDCWD, path, 0, NULL);
    int r = eddy__op_wait(&op.op);
    if (r != -EISDIR && r != -EPERM) /* POSIX has the latter for a folder */
        return r;
    eddy_op_unlink(&op, AT_FDCWD, path, AT_REMOVEDIR, NULL);
    int as_folder = eddy__op_wait(&op.op);
    return as_folder == -ENOTDIR ? r : as_folder;
}

/* --- folders -------------------------------------------------------------------------------------- */

static int make_one(const char *path, unsigned mode)
{
    struct eddy_file_op op;

    eddy_op_mkdir(&op, AT_FDCWD, path, mode, NULL);
    return eddy__op_wait(&op.op);
}

static int is_there(const char *path)
{
    struct eddy_file_info about;

    int r = eddy_path_stat(path, 0, &about);
    return r < 0 ? r : about.type == EDDY_FILE_DIRECTORY ? 0 : -EEXIST;
}

/* From the first one down: what is there costs a call each, but nobody can take one away between a look
 * and a step without being noticed. */
static int make_all(const char *path, unsigned mode)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    int r = 0;

    if (len >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len && r == 0; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        if (part[i - 1] == '/')
            continue;
        part[i] = '\0';
        r = make_one(part, mode);
        if (r == -EEXIST)
            r = is_there(part);
        part[i] = path[i];
    }
    return r;
}

int eddy_path_mkdir(const char *path, unsigned mode, unsigned flags)
{
    int r = checked(flags, EDDY_PATH_PARENTS);

    if (r < 0)
        return r;
    if (!flags || !*path)
        return make_one(path, mode);
    r = make_one(path, mode); /* mostly those above are there */
    return r == -EEXIST ? is_there(path) : r == -ENOENT ? make_all(path, mode) : r;
}

int eddy_path_sync(const char *path)
{
    EDDY_OWN(eddy_file) f = NULL;

    int r = eddy_file_open(path, O_RDONLY | O_NONBLOCK, 0, &f);
    if (r == 0)
        r = eddy_file_sync(f);
    eddy_file_close(EDDY_TAKE(f));
    return r;
}

/* --- what it is like -------------------------------------------------------------------------------- */

int eddy_path_truncate(const char *path, int64_t len)
{
    int r = eddy__wait_check();

    return r < 0 ? r : len < 0 ? -EINVAL : eddy_file_set_size(-1, path, len);
}

int eddy_path_chmod(const char *path, unsigned mode)
{
    int r = eddy__wait_check();

    return r < 0 ? r : !*path ? -ENOENT : eddy_file_set_mode(AT_FDCWD, path, mode);
}

int eddy_path_chown(const char *path, uid_t uid, gid_t gid, unsigned flags)
{
    int r = checked(flags, EDDY_PATH_NO_FOLLOW);

    if (r < 0)
        return r;
    return !*path ? -ENOENT
                  : eddy_file_set_owner(AT_FDCWD, path, uid, gid, flags ? AT_SYMLINK_NOFOLLOW : 0);
}

int eddy_path_utimes(const char *path, int64_t read_ns, int64_t written_ns, unsigned flags)
{
    int r = checked(flags, EDDY_PATH_NO_FOLLOW);

    if (r < 0)
        return r;
    return !*path ? -ENOENT
                  : eddy_file_set_times(AT_FDCWD, path, read_ns, written_ns,
                                        flags ? AT_SYMLINK_NOFOLLOW : 0);
}

/* --- questions --------------------------------------------------------------------------------------- */

struct question {
    const char *path;
    int mode;
    char *buf;
    size_t cap;
    struct eddy_space *space;
};

static int do_access(void *arg)
{
    const struct question *q = arg;

    return eddy__sys.access(AT_FDCWD, q->path, q->mode, AT_EACCESS);
}

int eddy_path_access(const char *path, int mode)
{
    struct question q = { .path = path, .mode = mode };

    return eddy_file_on_thread("asking what this user may", do_access, &q);
}

static int do_readlink(void *arg)
{
    const struct question *q = arg;

    ssize_t n = eddy__sys.readlink(AT_FDCWD, q->path, q->buf, q->cap);
    if (n >= 0 && (size_t)n == q->cap)
        return -ENAMETOOLONG;
    if (n >= 0)
        q->buf[n] = '\0';
    return (int)n;
}

int eddy_path_readlink(const char *path, char *buf, size_t cap)
{
    struct question q = { .path = path, .cap = cap < INT_MAX ? cap : INT_MAX };

    q.buf = buf;
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    return cap == 0 ? -ENAMETOOLONG
                    : eddy_file_on_thread("reading symbolic links", do_readlink, &q);
}

static int do_real(void *arg)
{
    const struct question *q = arg;
    char real[PATH_MAX];

    int r = eddy__sys.realpath(q->path, real);
    if (r < 0)
        return r;
    size_t len = strlen(real);
    if (len >= q->cap)
        return -ENAMETOOLONG;
    memcpy(q->buf, real, len + 1);
    return (int)len;
}

int eddy_path_real(const char *path, char *buf, size_t cap)
{
    struct question q = { .path = path, .cap = cap };

    q.buf = buf;
    return eddy_file_on_thread("real paths", do_real, &q);
}

static int do_space(void *arg)
{
    const struct question *q = arg;
    struct statvfs about;

    int r = eddy__sys.statvfs(q->path, &about);
    if (r < 0)
        return r;
    *q->space = (struct eddy_space){
        .bytes = (uint64_t)about.f_blocks * about.f_frsize,
        .free = (uint64_t)about.f_bfree * about.f_frsize,
        .available = (uint64_t)about.f_bavail * about.f_frsize,
        .files = about.f_files,
        .files_free = about.f_ffree,
    };
    return 0;
}

int eddy_path_space(const char *path, struct eddy_space *ret_space)
{
    struct question q = { .path = path, .space = ret_space };

    return eddy_file_on_thread("the space of a disk", do_space, &q);
}
