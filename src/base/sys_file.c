/*
 * base/sys_file.c - the kernel's entries of the table: files: what may wait for a disk
 */
#include "base/sys_kernel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int eddy_kernel_open(int dir, const char *path, int flags, unsigned mode)
{
    int r;

    FAULT(EMFILE);
    RETRY(r, openat(dir, path, flags | O_CLOEXEC, mode));
    return answer(r);
}

ssize_t eddy_kernel_pread(int fd, void *buf, size_t len, int64_t offset, int flags)
{
    ssize_t n;

    FAULT(EIO);
#ifdef __linux__
    const struct iovec iov = { buf, len };
    RETRY(n, preadv2(fd, &iov, 1, offset, flags));
#else
    if (flags)
        return -EOPNOTSUPP;
    RETRY(n, offset < 0 ? read(fd, buf, len) : pread(fd, buf, len, offset));
#endif
    return n < 0 ? -errno : n;
}

ssize_t eddy_kernel_pwrite(int fd, const void *buf, size_t len, int64_t offset, int flags)
{
    ssize_t n;

    FAULT(EIO);
#ifdef __linux__
    const struct iovec iov = { (void *)(uintptr_t)buf, len };
    RETRY(n, pwritev2(fd, &iov, 1, offset, flags));
#else
    if (flags)
        return -EOPNOTSUPP;
    RETRY(n, offset < 0 ? write(fd, buf, len) : pwrite(fd, buf, len, offset));
#endif
    return n < 0 ? -errno : n;
}

int eddy_kernel_fsync(int fd, bool data_only)
{
    int r;

    FAULT(EIO);
#ifdef __APPLE__
    (void)data_only;
    RETRY(r, fsync(fd));
#else
    RETRY(r, data_only ? fdatasync(fd) : fsync(fd));
#endif
    return answer(r);
}

#ifdef __linux__
int eddy_kernel_stat(int dir, const char *path, int flags, struct statx *ret)
{
    FAULT(EIO);
    return answer(statx(dir, path, flags | (*path ? 0 : AT_EMPTY_PATH),
                        STATX_BASIC_STATS | STATX_BTIME, ret));
}
#endif
