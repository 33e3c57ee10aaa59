/*
 * base/sys_path.c - the kernel's entries of the table: names, folders, and what files are like
 */
#include "base/sys_kernel.h"

#ifdef __linux__
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int eddy_kernel_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    FAULT(EIO);
    return answer(renameat2(from_dir, from, to_dir, to, flags));
}

int eddy_kernel_unlink(int dir, const char *path, int flags)
{
    FAULT(EIO);
    return answer(unlinkat(dir, path, flags));
}

int eddy_kernel_mkdir(int dir, const char *path, unsigned mode)
{
    FAULT(EIO);
    return answer(mkdirat(dir, path, mode));
}

int eddy_kernel_link(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    FAULT(EIO);
    return answer(linkat(from_dir, from, to_dir, to, flags));
}

int eddy_kernel_symlink(const char *target, int dir, const char *path)
{
    FAULT(EIO);
    return answer(symlinkat(target, dir, path));
}

ssize_t eddy_kernel_readlink(int dir, const char *path, char *buf, size_t cap)
{
    FAULT(EIO);
    ssize_t n = readlinkat(dir, path, buf, cap);
    return n < 0 ? -errno : n;
}

int eddy_kernel_access(int dir, const char *path, int mode, int flags)
{
    FAULT(EIO);
    return answer(faccessat(dir, path, mode, flags));
}

int eddy_kernel_chmod(int dir, const char *path, unsigned mode)
{
    FAULT(EIO);
    return answer(*path ? fchmodat(dir, path, mode, 0) : fchmod(dir, mode));
}

int eddy_kernel_chown(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    FAULT(EIO);
    return answer(fchownat(dir, path, uid, gid, flags | (*path ? 0 : AT_EMPTY_PATH)));
}

int eddy_kernel_utimes(int dir, const char *path, const struct timespec times[2], int flags)
{
    FAULT(EIO);
    return answer(*path ? utimensat(dir, path, times, flags) : futimens(dir, times));
}

int eddy_kernel_realpath(const char *path, char *ret_path)
{
    FAULT(EIO);
    return realpath(path, ret_path) ? 0 : -errno;
}

int eddy_kernel_statvfs(const char *path, struct statvfs *ret)
{
    int r;

    FAULT(EIO);
    RETRY(r, statvfs(path, ret));
    return answer(r);
}

ssize_t eddy_kernel_getdents(int fd, void *buf, size_t cap)
{
    FAULT(EIO);
    ssize_t n = getdents64(fd, buf, cap);
    return n < 0 ? -errno : n;
}

int64_t eddy_kernel_seek(int fd, int64_t offset, int whence)
{
    FAULT(EIO);
    off_t at = lseek(fd, offset, whence);
    return at < 0 ? -errno : at;
}

int eddy_kernel_ftruncate(int fd, int64_t len)
{
    int r;

    FAULT(EIO);
    RETRY(r, ftruncate(fd, len));
    return answer(r);
}

int eddy_kernel_fallocate(int fd, int mode, int64_t offset, int64_t len)
{
    int r;

    FAULT(ENOSPC);
    RETRY(r, fallocate(fd, mode, offset, len));
    return answer(r);
}

int eddy_kernel_fadvise(int fd, int64_t offset, int64_t len, int advice)
{
    FAULT(EIO);
    return -posix_fadvise(fd, offset, len, advice);
}

ssize_t eddy_kernel_sendfile(int to, int from, int64_t offset, size_t len)
{
    off_t at = offset;
    ssize_t n;

    FAULT(EIO);
    RETRY(n, sendfile(to, from, &at, len));
    return n < 0 ? -errno : n;
}

ssize_t eddy_kernel_splice(int from, int to, size_t len)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    return n < 0 ? -errno : n;
}

ssize_t eddy_kernel_copy_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t len)
{
    off_t in = from_offset, out = to_offset;
    ssize_t n;

    FAULT(EIO);
    RETRY(n, copy_file_range(from, &in, to, &out, len, 0));
    return n < 0 ? -errno : n;
}

int eddy_kernel_lock(int fd, struct flock *lock)
{
    FAULT(ENOLCK);
    return answer(fcntl(fd, F_OFD_SETLK, lock));
}
#endif
