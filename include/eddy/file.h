/*
 * eddy/file.h - files, read and written without holding up the loop
 *
 *     EDDY_OWN(eddy_file) f = NULL;
 *     r = eddy_file_open("journal", O_WRONLY | O_CREAT, 0644, &f);
 *     r = eddy_file_write(f, line, len, 0);
 *     r = eddy_file_sync(f);
 *     r = eddy_file_close(f);
 *
 * Every call suspends its task while the disk works: on io_uring as an entry of the ring, under the
 * other backends on the pool's threads for files, in the simulator on its disk. Reads and writes
 * say where: a file has no position, so any number of tasks may use one at a time.
 *
 * Cancelled, by a scope's end: an open, a read, a sync, a size has not happened, or completed and
 * is returned; a write may have happened in part (its bytes are unknown until written again).
 *
 * What holds, with the test that shows it (tests/file/file_test.c, on every driver):
 *
 *  rule                                                      test
 *  --------------------------------------------------------  ---------------------------------
 *  What was written is read, and its size told               what_was_written_is_read
 *  Any number of tasks use one file at a time                many_tasks_write_one_file
 *  With O_APPEND a write goes to the end, wherever it says   o_append_writes_at_the_end
 *  Errors are the kernel's                                   errors_are_the_kernels
 *  A call looks at its scope first, whatever its arguments   a_cancelled_call_does_nothing
 *  A callback may not wait: -EDEADLK                         a_callback_gets_edeadlk
 *  Closing in a callback is left to the loop                 close_in_a_callback_is_the_loops
 *  Closing is not cancelled                                  a_cancelled_call_does_nothing
 *  Without memory or disk a call fails, and nothing leaks    every_failed_allocation_and_...
 */
#ifndef EDDY_FILE_H
#define EDDY_FILE_H

#include <eddy/common.h>
#include <eddy/error.h>

#include <fcntl.h>

EDDY_BEGIN

struct eddy_file;

/**
 * eddy_file_open() - open a file
 * @path:     borrowed until return
 * @flags:    open(2)'s: O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT, O_EXCL, O_TRUNC, O_APPEND, ...;
 *            close-on-exec is added
 * @mode:     of a file that is made
 * @ret_file: owned; ended with eddy_file_close() or eddy_file_free()
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or the file is open.
 *
 * Return: 0; what open(2) says: -ENOENT, -EACCES, -EEXIST, -EISDIR, -EMFILE, -ENOSPC, ...; -ENOMEM;
 * -ETIMEDOUT, -ECANCELED, -EDEADLK (a callback).
 * Source: open(2).   Since: 0.1
 */
EDDY_API int eddy_file_open(const char *path, int flags, unsigned mode,
                            struct eddy_file **ret_file);

/**
 * eddy_file_read() - read at a place of the file
 * @f:      open for reading
 * @buf:    filled from the start
 * @cap:    bytes at most; over 2 GiB it is taken as that
 * @offset: from the start of the file, not negative
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 1..@cap bytes; 0 at the end of the file, or when @cap is; what pread(2) says: -EIO,
 * -EISDIR, -EBADF, -EINVAL; -ETIMEDOUT, -ECANCELED, -EDEADLK.
 * Source: pread(2).   Since: 0.1
 */
EDDY_API ssize_t eddy_file_read(struct eddy_file *f, void *buf, size_t cap, int64_t offset);

/**
 * eddy_file_write() - write all of it at a place of the file
 * @f:      open for writing
 * @buf:    borrowed until return
 * @len:    bytes
 * @offset: from the start of the file, not negative; with O_APPEND it is ignored
 *
 * Suspends, as often as the kernel takes only a part. Looks at its scope first, for no bytes, too.
 * What is written is in the kernel's hands, and on the disk after eddy_file_sync(). Cancelled:
 * unknown, a part of it may be in the file.
 *
 * Return: 0: all of it; what pwrite(2) says: -ENOSPC, -EIO, -EFBIG, -EBADF, -EINVAL; -ETIMEDOUT,
 * -ECANCELED, -EDEADLK.
 * Source: pwrite(2).   Since: 0.1
 */
EDDY_API int eddy_file_write(struct eddy_file *f, const void *buf, size_t len, int64_t offset);

/** eddy_file_sync() - until what was written is on the disk
 * @f: open
 *
 * Suspends. Looks at its scope first. Cancelled: unknown whether it is.
 *
 * Return: 0; -EIO, -ENOSPC, -EDQUOT, -EINVAL (no such thing for this file); -ETIMEDOUT, -ECANCELED,
 * -EDEADLK.   Source: fsync(2).   Since: 0.1 */
EDDY_API int eddy_file_sync(struct eddy_file *f);

/** eddy_file_size() - how long the file is
 * @f: open
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: bytes; -EIO, -ETIMEDOUT, -ECANCELED, -EDEADLK.   Source: statx(2).   Since: 0.1 */
EDDY_API int64_t eddy_file_size(struct eddy_file *f);

/**
 * eddy_file_close() - close and free it
 * @f: NULL is fine; no call of another task may be under way
 *
 * Suspends, and is not itself cancelled. In a callback the loop closes it, as eddy_file_free() has
 * it do. It does not sync.
 *
 * Return: 0.   Source: close(2).   Since: 0.1
 */
EDDY_API int eddy_file_close(struct eddy_file *f);

/** eddy_file_free() - the same without suspending: the loop closes it
 * @f: NULL is fine; no call of another task may be under way
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_file_free(struct eddy_file *f);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_file)
#endif

EDDY_END

#endif
