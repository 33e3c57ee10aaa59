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
 * other backends on the pool's threads for files, in the simulator on its disk. What the ring has
 * no entry for (owners, locks, room kept) goes to those threads on every backend, and the simulator
 * refuses it: -EDDY_ESIM. Reads and writes say where: a file has no position, so any number of
 * tasks may use one at a time; who wants one has eddy_file_read_next() and its like.
 *
 * Paths are eddy/path.h's, folders eddy/directory.h's; a whole file at once is eddy/whole_file.h's.
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
 *  What is read past the cache (O_DIRECT) holds up nobody    what_goes_past_the_cache_does_not_...
 *  Without memory or disk a call fails, and nothing leaks    every_failed_allocation_and_...
 *
 * and, in tests/file/{position,lock}_test.c:
 *
 *  Reads in a row go on where the last one ended             reads_in_a_row_go_on
 *  Two tasks at one position: the second is refused          one_task_at_a_time_has_the_position
 *  A stream over a file goes on where its place is           a_stream_goes_on_from_the_place
 *  What is told of a file is what was set                    what_is_told_is_what_was_set
 *  Room kept is there, and is no content                     room_kept_is_no_content
 *  A lock excludes other opens of the file, in this process  a_lock_excludes_another_open
 *   and in others                                            a_lock_excludes_another_process
 *  Shared locks do not exclude each other                    shared_locks_stand_together
 *  Ranges that do not meet may be locked by two              ranges_apart_do_not_meet
 *  Who waits for a lock holds up nobody, and may be          waiting_for_a_lock_holds_up_nobody
 *   cancelled: nothing happened                              a_cancelled_lock_is_not_taken
 *  Closing drops the locks                                   close_drops_the_lock
 *  The simulator refuses by name what its disk has not       the_simulator_refuses_by_name
 */
#ifndef EDDY_FILE_H
#define EDDY_FILE_H

#include <eddy/common.h>
#include <eddy/error.h>

#include <fcntl.h>

EDDY_BEGIN

struct eddy_file;
struct eddy_stream;

enum eddy_file_type {
    EDDY_FILE_OTHER, /* or not known */
    EDDY_FILE_REGULAR,
    EDDY_FILE_DIRECTORY,
    EDDY_FILE_LINK, /* a symbolic one */
    EDDY_FILE_FIFO,
    EDDY_FILE_SOCKET,
    EDDY_FILE_CHARACTER,
    EDDY_FILE_BLOCK,
};

/* What is known of a file. Times are nanoseconds since 1970. */
struct eddy_file_info {
    enum eddy_file_type type;
    unsigned mode; /* permission bits, and set-user-id and its like: 07777 */
    uid_t uid;
    gid_t gid;
    uint64_t bytes;     /* how long it is */
    uint64_t allocated; /* bytes that the disk keeps for it */
    uint64_t inode;
    uint64_t device;
    uint64_t links; /* names it has */
    int64_t read_ns;
    int64_t written_ns;
    int64_t changed_ns; /* its bytes, or what is told here */
    int64_t born_ns;    /* 0: the file system does not say */
    uint64_t reserved[8];
};

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
 * eddy_file_stat() - what is known of an open file
 * @f:        open
 * @ret_info: filled
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -EIO, -ETIMEDOUT, -ECANCELED, -EDEADLK.
 * Source: statx(2).   Since: 0.1
 */
EDDY_API int eddy_file_stat(struct eddy_file *f, struct eddy_file_info *ret_info);

/* --- with a position ---------------------------------------------------------------------------
 *
 * Each open file keeps one place, at first 0, that these three share. One task at a time.
 */

/**
 * eddy_file_read_next() - read on from where the last such call ended
 * @f:   open for reading
 * @buf: filled from the start
 * @cap: bytes at most
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, the place is as it was.
 *
 * Return: as eddy_file_read(); -EBUSY: another task is in such a call.
 * Source: read(2).   Since: 0.1
 */
EDDY_API ssize_t eddy_file_read_next(struct eddy_file *f, void *buf, size_t cap);

/**
 * eddy_file_write_next() - write all of it from there on
 * @f:   open for writing
 * @buf: borrowed until return
 * @len: bytes
 *
 * Suspends. Looks at its scope first. Cancelled: unknown, a part may be in the file; the place
 * stands behind what is known to be.
 *
 * Return: as eddy_file_write(); -EBUSY: another task is in such a call.
 * Source: write(2).   Since: 0.1
 */
EDDY_API int eddy_file_write_next(struct eddy_file *f, const void *buf, size_t len);

/** eddy_file_seek() - set the place
 * @f:      open; no other task in a call of these
 * @offset: not negative; may lie behind the end
 *
 * Does not suspend.
 *
 * Return: 0, -EINVAL, -EBUSY.   Source: lseek(2).   Since: 0.1 */
EDDY_API int eddy_file_seek(struct eddy_file *f, int64_t offset);

/** eddy_file_tell() - the place
 * @f: open
 *
 * Return: bytes from the start.   Source: ftell(3).   Since: 0.1 */
EDDY_API int64_t eddy_file_tell(const struct eddy_file *f);

/**
 * eddy_file_stream() - a stream over the file, from its place on: for lines, framings, pumps
 * @f:          the stream's from now on when 0 is returned: it closes it
 * @ret_stream: owned; reads if the file was opened for reading, writes likewise, each from the
 *   file's place on. Does not sync
 *
 * Does not suspend.
 *
 * Return: 0; -EINVAL: a temporary file that is to be removed, keep it first; -EBUSY: a task is in
 * one of the calls above; -ENOMEM. Then @f is as it was.
 * Source: fdopen(3).   Since: 0.1
 */
EDDY_API int eddy_file_stream(struct eddy_file *f, struct eddy_stream **ret_stream);

/* --- what it is like -------------------------------------------------------------------------- */

/** eddy_file_truncate() - make it that long: cut it, or let zeros follow
 * @f:   open for writing
 * @len: bytes
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done and returned.
 *
 * Return: 0; -EINVAL, -EFBIG, -EIO, -EPERM; -EDDY_ESIM; -EAGAIN (no thread), -ETIMEDOUT,
 * -ECANCELED, -EDEADLK.   Source: ftruncate(2).   Since: 0.1 */
EDDY_API int eddy_file_truncate(struct eddy_file *f, int64_t len);

/** eddy_file_chmod() - set who may do what
 * @f:    open
 * @mode: permission bits, exactly
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done and returned.
 *
 * Return: 0; -EPERM, -EROFS, -EIO; as eddy_file_truncate().   Source: fchmod(2).   Since: 0.1 */
EDDY_API int eddy_file_chmod(struct eddy_file *f, unsigned mode);

/** eddy_file_chown() - give it to somebody
 * @f:   open
 * @uid: (uid_t)-1: as it is
 * @gid: (gid_t)-1: as it is
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done and returned.
 *
 * Return: 0; -EPERM, -EROFS, -EIO; as eddy_file_truncate().   Source: fchown(2).   Since: 0.1 */
EDDY_API int eddy_file_chown(struct eddy_file *f, uid_t uid, gid_t gid);

/** eddy_file_utimes() - set when it was read and written
 * @f:          open
 * @read_ns:    since 1970; EDDY_TIME_NOW, EDDY_TIME_KEEP
 * @written_ns: likewise
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done and returned.
 *
 * Return: 0; -EPERM, -EACCES, -EROFS; as eddy_file_truncate().   Source: futimens(3).   Since: 0.1
 * */
EDDY_API int eddy_file_utimes(struct eddy_file *f, int64_t read_ns, int64_t written_ns);
#define EDDY_TIME_NOW INT64_MAX
#define EDDY_TIME_KEEP INT64_MIN

/**
 * eddy_file_preallocate() - keep room on the disk, so that writing there cannot fail for want of it
 * @f:      open for writing
 * @offset: from there on
 * @len:    bytes; the size of the file stays as it is
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done and returned.
 *
 * Return: 0; -ENOSPC, -EFBIG, -EINVAL, -EOPNOTSUPP (this file system cannot), -EIO; as
 * eddy_file_truncate().
 * Source: fallocate(2), FALLOC_FL_KEEP_SIZE.   Since: 0.1
 */
EDDY_API int eddy_file_preallocate(struct eddy_file *f, int64_t offset, int64_t len);

/**
 * eddy_file_advise() - tell the kernel how it will be read
 * @f:      open
 * @offset: from there on
 * @len:    bytes; 0: to the end
 * @advice: POSIX_FADV_SEQUENTIAL, _RANDOM, _WILLNEED, _DONTNEED, ...
 *
 * Suspends: _DONTNEED and _WILLNEED may wait for the disk. Looks at its scope first. Cancelled:
 * nothing happened, or it is done and returned.
 *
 * Return: 0; -EINVAL, -ESPIPE; as eddy_file_truncate().
 * Source: posix_fadvise(2).   Since: 0.1
 */
EDDY_API int eddy_file_advise(struct eddy_file *f, int64_t offset, int64_t len, int advice);

/* --- locks ---------------------------------------------------------------------------------------
 *
 * Advisory: they keep out those who ask, too. They belong to this open of the file, not to the
 * process: two opens exclude each other in one program as in two, and closing one drops its own
 * locks alone. A child of a fork shares the open, and so the lock, until both have closed it.
 */

struct eddy_lock_options {
    size_t size;    /* filled by EDDY_OPT(lock, ...) */
    bool shared;    /* others may have it shared, too; the file must be open for reading. Else it is
                     * exclusive, and the file must be open for writing */
    int64_t offset; /* of the first byte */
    int64_t len;    /* bytes; 0: to the end, wherever that will be */
};

/**
 * eddy_file_lock() - wait until the lock is ours
 * @f:       open
 * @options: may be NULL: exclusive, all of the file
 *
 * Suspends. Looks at its scope first. It asks again after 1, 2, 4 ... 64 ms: the kernel tells
 * nobody when a lock becomes free but threads that sleep in it, and one that sleeps there could not
 * be cancelled. So no thread is held, and who has waited longest is not first. Cancelled: nothing
 * happened. Put a deadline around it: whoever holds a lock may never let go.
 *
 * Return: 0; -EBADF (not open for this), -EINVAL, -ENOLCK, -EDEADLK (a callback); as
 * eddy_file_truncate().
 * Source: fcntl(2), F_OFD_SETLK.   Since: 0.1
 */
EDDY_API int eddy_file_lock(struct eddy_file *f, const struct eddy_lock_options *options);

/** eddy_file_try_lock() - the same, once
 * @f:       open
 * @options: may be NULL
 *
 * Suspends while the file system answers. Looks at its scope first. Cancelled: nothing happened, or
 * it is ours and 0.
 *
 * Return: 0; -EBUSY: somebody has it; else as eddy_file_lock().
 * Source: fcntl(2), F_OFD_SETLK.   Since: 0.1 */
EDDY_API int eddy_file_try_lock(struct eddy_file *f, const struct eddy_lock_options *options);

/** eddy_file_unlock() - give it back
 * @f:       open
 * @options: may be NULL: all of the file; .shared is not looked at. What is not locked may be given
 *   back, too
 *
 * Suspends while the file system answers, and is not itself cancelled.
 *
 * Return: 0; -EINVAL, -ENOLCK, -EDDY_ESIM, -EDEADLK (a callback), -ENOMEM, -EAGAIN (no thread).
 * Source: fcntl(2), F_OFD_SETLK.   Since: 0.1 */
EDDY_API int eddy_file_unlock(struct eddy_file *f, const struct eddy_lock_options *options);

/* --- ending ----------------------------------------------------------------------------------- */

/**
 * eddy_file_close() - close and free it
 * @f: NULL is fine; no call of another task may be under way
 *
 * Suspends, and is not itself cancelled. In a callback the loop closes it, as eddy_file_free() has
 * it do. It does not sync. A temporary one (eddy/whole_file.h) that was not kept is removed first.
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
