/*
 * file/about.c - what files are like: told, and set
 *
 * STAT is an operation; what sets has no entry in the ring, and goes to a thread. Paths and open files
 * share the calls: a path of "" is the descriptor itself, as it is in the table of system calls.
 */
#include "base/sys.h"
#include "file/inside.h"

#include <eddy/path.h>

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* --- told ------------------------------------------------------------------------------------- */

static enum eddy_file_type type_of(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return EDDY_FILE_REGULAR;
    case S_IFDIR: return EDDY_FILE_DIRECTORY;
    case S_IFLNK: return EDDY_FILE_LINK;
    case S_IFIFO: return EDDY_FILE_FIFO;
    case S_IFSOCK: return EDDY_FILE_SOCKET;
    case S_IFCHR: return EDDY_FILE_CHARACTER;
    case S_IFBLK: return EDDY_FILE_BLOCK;
    default: return EDDY_FILE_OTHER;
    }
}

static int64_t time_of(const struct statx_timestamp *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

int eddy_file_stat_in(int dir, const char *path, int flags, struct eddy_file_info *ret)
{
    struct statx about = { 0 };
    struct eddy_file_op op;

    eddy_op_stat(&op, dir, path, flags, &about, NULL);
    int r = eddy__op_wait(&op.op);
    if (r < 0)
        return r;
    *ret = (struct eddy_file_info){
        .type = type_of(about.stx_mode),
        .mode = about.stx_mode & 07777,
        .uid = about.stx_uid,
        .gid = about.stx_gid,
        .bytes = about.stx_size,
        .allocated = about.stx_blocks * 512,
        .inode = about.stx_ino,
        .device = makedev(about.stx_dev_major, about.stx_dev_minor),
        .links = about.stx_nlink,
        .read_ns = time_of(&about.stx_atime),
        .written_ns = time_of(&about.stx_mtime),
        .changed_ns = time_of(&about.stx_ctime),
        .born_ns = about.stx_mask & STATX_BTIME ? time_of(&about.stx_btime) : 0,
    };
    return 0;
}

int eddy_file_stat(struct eddy_file *f, struct eddy_file_info *ret_info)
{
    int r = eddy_file_check(f);

    return r < 0 ? r : eddy_file_stat_in(f->fd, "", AT_EMPTY_PATH, ret_info);
}

int64_t eddy_file_size(struct eddy_file *f)
{
    struct eddy_file_info about;

    int r = eddy_file_stat(f, &about);
    return r < 0 ? r : (int64_t)about.bytes;
}

int eddy_path_stat(const char *path, unsigned flags, struct eddy_file_info *ret_info)
{
    int r = eddy__wait_check();

    if (r < 0)
        return r;
    if (flags & ~(unsigned)EDDY_PATH_NO_FOLLOW)
        return -EINVAL;
    if (!*path)
        return -ENOENT; /* which to the kernel would be the working folder here */
    return eddy_file_stat_in(AT_FDCWD, path, flags ? AT_SYMLINK_NOFOLLOW : 0, ret_info);
}

int eddy_path_exists(const char *path)
{
    struct eddy_file_info about;

    int r = eddy_path_stat(path, 0, &about);
    return r == 0 ? 1 : r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* --- set --------------------------------------------------------------------------------------- */

struct setting {
    int dir;
    const char *path;
    int flags;
    unsigned mode;
    uid_t uid;
    gid_t gid;
    int64_t offset, len;
    struct timespec times[2];
};

static int do_chmod(void *arg)
{
    const struct setting *s = arg;

    return eddy__sys.chmod(s->dir, s->path, s->mode);
}

int eddy_file_set_mode(int dir, const char *path, unsigned mode)
{
    struct setting s = { .dir = dir, .path = path, .mode = mode };

    return eddy_file_on_thread("changing who may use a file", do_chmod, &s);
}

static int do_chown(void *arg)
{
    const struct setting *s = arg;

    return eddy__sys.chown(s->dir, s->path, s->uid, s->gid, s->flags);
}

int eddy_file_set_owner(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    struct setting s = { .dir = dir, .path = path, .uid = uid, .gid = gid, .flags = flags };

    return eddy_file_on_thread("changing a file's owner", do_chown, &s);
}

static struct timespec timespec_of(int64_t ns)
{
    if (ns == EDDY_TIME_NOW)
        return (struct timespec){ .tv_nsec = UTIME_NOW };
    if (ns == EDDY_TIME_KEEP)
        return (struct timespec){ .tv_nsec = UTIME_OMIT };
    int64_t s = ns / 1000000000, rest = ns % 1000000000;
    return (struct timespec){ .tv_sec = s - (rest < 0),
                              .tv_nsec = rest < 0 ? rest + 1000000000 : rest };
}

static int do_utimes(void *arg)
{
    const struct setting *s = arg;

    return eddy__sys.utimes(s->dir, s->path, s->times, s->flags);
}

int eddy_file_set_times(int dir, const char *path, int64_t read_ns, int64_t written_ns, int flags)
{
    struct setting s = { .dir = dir,
                         .path = path,
                         .flags = flags,
                         .times = { timespec_of(read_ns), timespec_of(written_ns) } };

    return eddy_file_on_thread("changing a file's times", do_utimes, &s);
}

static int do_truncate(void *arg)
{
    const struct setting *s = arg;

    if (!s->path)
        return eddy__sys.ftruncate(s->dir, s->len);
    int fd = eddy__sys.open(AT_FDCWD, s->path, O_WRONLY | O_NONBLOCK,
                            0); /* a FIFO does not hold it */
    int r = fd < 0 ? fd : eddy__sys.ftruncate(fd, s->len);
    if (fd >= 0)
        eddy__sys.close(fd);
    return r;
}

int eddy_file_set_size(int fd, const char *path, int64_t len)
{
    struct setting s = { .dir = fd, .path = path, .len = len };

    return eddy_file_on_thread("truncating a file", do_truncate, &s);
}

/* --- of an open file ------------------------------------------------------------------------------ */

int eddy_file_truncate(struct eddy_file *f, int64_t len)
{
    int r = eddy_file_check(f);

    return r < 0 ? r : len < 0 ? -EINVAL : eddy_file_set_size(f->fd, NULL, len);
}

int eddy_file_chmod(struct eddy_file *f, unsigned mode)
{
    int r = eddy_file_check(f);

    return r < 0 ? r : eddy_file_set_mode(f->fd, "", mode);
}

int eddy_file_chown(struct eddy_file *f, uid_t uid, gid_t gid)
{
    int r = eddy_file_check(f);

    return r < 0 ? r : eddy_file_set_owner(f->fd, "", uid, gid, 0);
}

int eddy_file_utimes(struct eddy_file *f, int64_t read_ns, int64_t written_ns)
{
    int r = eddy_file_check(f);

    return r < 0 ? r : eddy_file_set_times(f->fd, "", read_ns, written_ns, 0);
}

static int do_preallocate(void *arg)
{
    const struct setting *s = arg;

    return eddy__sys.fallocate(s->dir, FALLOC_FL_KEEP_SIZE, s->offset, s->len);
}

int eddy_file_preallocate(struct eddy_file *f, int64_t offset, int64_t len)
{
    struct setting s = { .dir = f->fd, .offset = offset, .len = len };

    int r = eddy_file_check(f);
    return r < 0 ? r : eddy_file_on_thread("keeping room for a file", do_preallocate, &s);
}

static int do_advise(void *arg)
{
    const struct setting *s = arg;

    return eddy__sys.fadvise(s->dir, s->offset, s->len, s->flags);
}

int eddy_file_advise(struct eddy_file *f, int64_t offset, int64_t len, int advice)
{
    struct setting s = { .dir = f->fd, .offset = offset, .len = len, .flags = advice };

    int r = eddy_file_check(f);
    return r < 0 ? r : eddy_file_on_thread("advising how a file is read", do_advise, &s);
}
