/*
 * eddy/path.h - files by their names: what they are, where they are, that they are no more
 *
 *     r = eddy_path_mkdir("var/spool/out", 0755, EDDY_PATH_PARENTS);
 *     r = eddy_path_rename("job.new", "job", 0);
 *     r = eddy_path_sync(".");                            the new name survives a crash
 *
 * Every call suspends its task while the disk works: rename, remove, mkdir, link and symlink as
 * entries of the ring on io_uring, the rest, and all of them elsewhere, on the pool's threads for
 * files. The simulator's disk does the first four (but no exchange), eddy_path_stat(), _exists() and
 * _sync(); it refuses the others by name: -EDDY_ESIM.
 *
 * Relative paths begin at the process's working folder. Errors are the kernel's. Cancelled: nothing
 * happened, or it is done and its result is returned, unless a call says otherwise.
 *
 * What holds, with the test that shows it (tests/file/path_test.c, on every driver that can):
 *
 *  rule                                                      test
 *  --------------------------------------------------------  ---------------------------------
 *  A file is what stat tells of it, a link only if asked     stat_tells_what_a_file_is
 *  A new name replaces what was there, unless told not to    rename_replaces_unless_told_not_to
 *  Two names may change places                               rename_exchanges
 *  A link is another name, a symbolic one says where         links_of_both_kinds
 *  Folders are made, with those above them if wanted         mkdir_makes_parents
 *  Files and empty folders are removed, full ones not        remove_takes_files_and_empty_folders
 *  What was set is told                                      what_was_set_is_told
 *  The real path has no links in it                          the_real_path_has_no_links
 *  Space is told as the system tells it                      space_is_told
 *  Errors are the kernel's                                   errors_are_the_kernels
 *  A full disk, a disk that may not be written, another      disks_that_are_full_or_read_only
 *   disk: -ENOSPC, -EROFS, -EXDEV
 *  A call looks at its scope first, whatever its arguments   a_cancelled_call_does_nothing
 *  A callback may not wait: -EDEADLK                         a_callback_gets_edeadlk
 *  A tree goes with all that is in it, and no link is        a_tree_is_removed (tree_test.c)
 *   followed                                                 no_link_is_followed
 *  "/", "x/." and "x/.." are not removed, by mistake or not  what_has_no_name_of_its_own_is_not_...
 *  Deeper than its bound a tree is refused                   a_tree_too_deep_is_refused
 *  Cancelled, a part of it is gone                           a_cancelled_removal_leaves_the_rest
 *  A renamed file may have its old name after a crash,       a_rename_is_lost_unless_its_folder_
 *   unless its folder was synced                              is_synced (tests/file/crash_test.c)
 *  The simulator refuses by name what its disk has not       the_simulator_refuses_by_name
 */
#ifndef EDDY_PATH_H
#define EDDY_PATH_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/file.h>

EDDY_BEGIN

enum eddy_path_flag {
    EDDY_PATH_NO_FOLLOW = 1,  /* a symbolic link itself is meant, not what it leads to */
    EDDY_PATH_NO_REPLACE = 2, /* rename: -EEXIST where something has the new name */
    EDDY_PATH_EXCHANGE = 4,   /* rename: both change places */
    EDDY_PATH_PARENTS = 8,    /* mkdir: with the folders above; one that is there is fine */
};

/**
 * eddy_path_stat() - what a file is
 * @path:     borrowed until return, as in every call here
 * @flags:    EDDY_PATH_NO_FOLLOW, or 0
 * @ret_info: filled
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EIO; -EINVAL (flags), -ENOMEM,
 * -EAGAIN (no thread could be started), -ETIMEDOUT, -ECANCELED, -EDEADLK. The last seven are those
 * of every call here.
 * Source: statx(2).   Since: 0.1
 */
EDDY_API int eddy_path_stat(const char *path, unsigned flags, struct eddy_file_info *ret_info);

/** eddy_path_exists() - whether there is something
 * @path: borrowed; links are followed
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened. What it tells may be over when
 * it returns: to make a file only if there is none, open it with O_EXCL.
 *
 * Return: 1, 0; -EACCES, -ELOOP, -ENAMETOOLONG, -EIO; as eddy_path_stat().
 * Source: statx(2).   Since: 0.1 */
EDDY_API int eddy_path_exists(const char *path);

/** eddy_path_access() - whether this process may
 * @path: borrowed
 * @mode: R_OK, W_OK, X_OK together, or F_OK; asked of the effective user
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -EACCES, -EROFS, -ENOENT, -EDDY_ESIM; as eddy_path_stat().
 * Source: faccessat(2), AT_EACCESS.   Since: 0.1 */
EDDY_API int eddy_path_access(const char *path, int mode);

/**
 * eddy_path_rename() - give a file or folder another name
 * @from:  what has it
 * @to:    a file there is replaced in one step: at every moment there is the old or the new one. A
 *   folder is replaced if it is empty and @from is a folder
 * @flags: EDDY_PATH_NO_REPLACE or EDDY_PATH_EXCHANGE, or 0
 *
 * Suspends. Looks at its scope first. It survives a crash for certain after eddy_path_sync() of the
 * folder. Cancelled: nothing happened, or it is done and 0 is returned.
 *
 * Return: 0; -ENOENT, -EEXIST, -ENOTEMPTY, -EXDEV (another disk: eddy_file_copy() and remove),
 * -EISDIR, -ENOTDIR, -EACCES, -EPERM, -EBUSY, -EROFS, -ENOSPC, -EDQUOT, -EINVAL (into itself; flags
 * that the file system has not); as eddy_path_stat().
 * Source: renameat2(2).   Since: 0.1
 */
EDDY_API int eddy_path_rename(const char *from, const char *to, unsigned flags);

/** eddy_path_link() - give a file one more name
 * @from: a file; of a symbolic link the link itself
 * @to:   not there yet
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -EEXIST, -ENOENT, -EPERM (a folder), -EMLINK, -EXDEV, -EROFS, -ENOSPC, -EACCES; as
 * eddy_path_stat().   Source: linkat(2).   Since: 0.1 */
EDDY_API int eddy_path_link(const char *from, const char *to);

/** eddy_path_symlink() - make a symbolic link
 * @target: any text; need not be there
 * @path:   not there yet
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -EEXIST, -ENOENT, -EROFS, -ENOSPC, -EACCES; as eddy_path_stat().
 * Source: symlinkat(2).   Since: 0.1 */
EDDY_API int eddy_path_symlink(const char *target, const char *path);

/** eddy_path_readlink() - where a symbolic link leads
 * @path: of the link
 * @buf:  a terminated text
 * @cap:  bytes; PATH_MAX is always enough
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: its length; -EINVAL (no link), -ENAMETOOLONG (longer than fits), -ENOENT, -EDDY_ESIM; as
 * eddy_path_stat().   Source: readlinkat(2).   Since: 0.1 */
EDDY_API int eddy_path_readlink(const char *path, char *buf, size_t cap);

/** eddy_path_mkdir() - make a folder
 * @path:  its name
 * @mode:  permission bits, less the process's umask; those above it get the same
 * @flags: EDDY_PATH_PARENTS, or 0
 *
 * Suspends, with EDDY_PATH_PARENTS more than once. Looks at its scope first. Cancelled: some of
 * those above may have been made.
 *
 * Return: 0; -EEXIST, -ENOENT, -ENOTDIR, -EACCES, -EROFS, -ENOSPC, -EMLINK, -ENAMETOOLONG; as
 * eddy_path_stat().   Source: mkdirat(2).   Since: 0.1 */
EDDY_API int eddy_path_mkdir(const char *path, unsigned mode, unsigned flags);

/** eddy_path_remove() - remove a file, a link, or an empty folder
 * @path: of a symbolic link the link itself
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -ENOENT, -ENOTEMPTY, -EACCES, -EPERM, -EBUSY, -EROFS; as eddy_path_stat().
 * Source: unlinkat(2).   Since: 0.1 */
EDDY_API int eddy_path_remove(const char *path);

struct eddy_remove_options {
    size_t size;              /* filled by EDDY_OPT(remove, ...) */
    unsigned max_depth;       /* folders in each other; each is one descriptor. 0: 128 */
    struct eddy_error *error; /* told what, where, and how to mend it; may be NULL */
};

/**
 * eddy_path_remove_tree() - remove a folder with all that is in it, or a file
 * @path:    a symbolic link there is removed itself
 * @options: may be NULL
 *
 * Suspends, again after each few hundred files. Looks at its scope first. No link is followed, also
 * if one is put in a folder's place meanwhile: everything is reached from the folder above, opened
 * with O_NOFOLLOW. Cancelled, and after an error: what had been removed is gone, the rest is there.
 *
 * Return: 0; -EINVAL ("/", or what ends with "." or "..": it has no name of its own there);
 * -ENOENT, -EACCES, -EPERM, -EBUSY (something is mounted there), -EROFS, -EDDY_EDEPTH (deeper than
 * .max_depth), -EMFILE, -ENOTEMPTY (others make files in it faster), -EDDY_ESIM; as
 * eddy_path_stat().
 * Source: openat(2), unlinkat(2).   Since: 0.1
 */
EDDY_API int eddy_path_remove_tree(const char *path, const struct eddy_remove_options *options);

/** eddy_path_truncate() - make a file that long
 * @path: of a file
 * @len:  bytes
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -EINVAL, -EFBIG, -EISDIR, -EACCES, -EROFS, -EDDY_ESIM; as eddy_path_stat().
 * Source: truncate(2).   Since: 0.1 */
EDDY_API int eddy_path_truncate(const char *path, int64_t len);

/** eddy_path_chmod() - set who may do what
 * @path: links are followed
 * @mode: permission bits, exactly
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -EPERM, -EROFS, -EDDY_ESIM; as eddy_path_stat().   Source: fchmodat(2).   Since: 0.1
 * */
EDDY_API int eddy_path_chmod(const char *path, unsigned mode);

/** eddy_path_chown() - give it to somebody
 * @path:  borrowed
 * @uid:   (uid_t)-1: as it is
 * @gid:   (gid_t)-1: as it is
 * @flags: EDDY_PATH_NO_FOLLOW, or 0
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -EPERM, -EROFS, -EDDY_ESIM; as eddy_path_stat().   Source: fchownat(2).   Since: 0.1
 * */
EDDY_API int eddy_path_chown(const char *path, uid_t uid, gid_t gid, unsigned flags);

/** eddy_path_utimes() - set when it was read and written
 * @path:       borrowed
 * @read_ns:    since 1970; EDDY_TIME_NOW, EDDY_TIME_KEEP
 * @written_ns: likewise
 * @flags:      EDDY_PATH_NO_FOLLOW, or 0
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened, or it is done.
 *
 * Return: 0; -EPERM, -EACCES, -EROFS, -EDDY_ESIM; as eddy_path_stat().
 * Source: utimensat(2).   Since: 0.1 */
EDDY_API int eddy_path_utimes(const char *path, int64_t read_ns, int64_t written_ns,
                              unsigned flags);

/** eddy_path_real() - the same, absolute, without links, "." and ".."
 * @path: of something that is there
 * @buf:  a terminated text
 * @cap:  bytes; PATH_MAX is always enough
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: its length; -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG (longer than fits),
 * -EDDY_ESIM; as eddy_path_stat().   Source: realpath(3).   Since: 0.1 */
EDDY_API int eddy_path_real(const char *path, char *buf, size_t cap);

struct eddy_space {
    uint64_t bytes; /* of the file system */
    uint64_t free;
    uint64_t available; /* of it, to this user */
    uint64_t files;     /* that it can hold; 0: it has no such bound */
    uint64_t files_free;
    uint64_t reserved[4];
};

/** eddy_path_space() - how much room there is
 * @path:      of anything on that file system
 * @ret_space: filled
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -ENOENT, -EACCES, -EIO, -EDDY_ESIM; as eddy_path_stat().
 * Source: statvfs(3).   Since: 0.1 */
EDDY_API int eddy_path_space(const char *path, struct eddy_space *ret_space);

/** eddy_path_sync() - until a folder's names, or a file's bytes, are on the disk
 * @path: opened for reading
 *
 * Suspends. Looks at its scope first. Cancelled: unknown whether they are.
 *
 * Return: 0; -ENOENT, -EACCES, -EIO, -ENOSPC, -EDQUOT, -EMFILE, -EINVAL (no such thing there); as
 * eddy_path_stat().   Source: fsync(2).   Since: 0.1 */
EDDY_API int eddy_path_sync(const char *path);

EDDY_END

#endif
