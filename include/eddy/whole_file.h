/*
 * eddy/whole_file.h - a whole file as one job: read it, replace it, copy it; and temporary ones
 *
 *     struct eddy_buffer text = EDDY_BUFFER(0);
 *     r = eddy_file_read_all("app.conf", 1 << 20, &text, NULL);
 *     ...
 *     r = eddy_file_replace("app.conf", bytes, len, NULL);
 *
 * A file that is replaced is whole at every moment, the old one or the new: the bytes are written
 * to a neighbour with a name of its own (".eddy-" and sixteen letters), which is synced, renamed,
 * and its folder synced. A crash leaves the old or the new one, and maybe the neighbour.
 *
 * What holds, with the test that shows it (tests/file/{whole,copy,temporary,crash}_test.c, on every
 * driver):
 *
 *  rule                                                      test
 *  --------------------------------------------------------  ---------------------------------
 *  All is read up to the bound, and over it nothing is kept  read_all_reads_all_up_to_its_bound
 *  The size need not be told beforehand (/proc)              read_all_needs_no_size
 *  What replaces a file has its mode and its owner           replace_keeps_mode_and_owner
 *  Readers see the old file or the new one, whole            readers_see_one_or_the_other
 *  On failure or cancel the old file stands, and no          a_replace_that_fails_changes_nothing
 *   neighbour is left                                        a_cancelled_replace_changes_nothing
 *  A crash at any step leaves the old file or the new one    a_crash_leaves_the_old_or_the_new
 *  After 0 a crash leaves the new one                        what_was_replaced_survives_a_crash
 *  Errors tell what, where, and how to mend it               errors_tell_what_to_mend
 *  A copy has the bytes and the mode, also where the kernel  a_copy_is_the_same
 *   cannot copy by itself                                    a_copy_without_the_kernels_help
 *  Holes stay holes                                          holes_stay_holes
 *  On failure or cancel no copy is left                      a_cancelled_copy_leaves_nothing
 *  A temporary file is gone when it is closed or freed,      a_temporary_file_is_gone_afterwards
 *   unless it was kept                                       a_temporary_file_may_be_kept
 *  A temporary folder is its own                             a_temporary_folder_is_new
 *  Without memory or disk a call fails, and nothing leaks    every_failure_is_an_error_and_...
 */
#ifndef EDDY_WHOLE_FILE_H
#define EDDY_WHOLE_FILE_H

#include <eddy/buffer.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/file.h>

EDDY_BEGIN

/**
 * eddy_file_read_all() - the bytes of a file
 * @path:      borrowed until return
 * @max_bytes: more is an error; so a file that grows, or a device, cannot fill the memory
 * @ret_bytes: empty; afterwards it holds them, with @max_bytes as its maximum: eddy_buffer_done().
 *   Unchanged on failure
 * @err:       told what, where, and how to mend it; may be NULL
 *
 * Suspends, as often as the file has pieces. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; what open(2) and read(2) say: -ENOENT, -EACCES, -EISDIR, -ELOOP, -ENAMETOOLONG,
 * -EMFILE, -EIO; -EDDY_ETOOBIG; -ENOMEM, -EAGAIN (no thread could be started), -ETIMEDOUT,
 * -ECANCELED, -EDEADLK. The last five are those of every call here.
 * Source: Python's Path.read_bytes.   Since: 0.1
 */
EDDY_API int eddy_file_read_all(const char *path, size_t max_bytes, struct eddy_buffer *ret_bytes,
                                struct eddy_error *err);

struct eddy_replace_options {
    size_t size;     /* filled by EDDY_OPT(replace, ...) */
    unsigned mode;   /* of the new file, exactly; 0: as the old one's, or 0666 less umask */
    bool unsynced;   /* whole to readers, but a crash may leave the old one, or neither */
    bool no_replace; /* -EEXIST where there is a file already */
    struct eddy_error *error; /* told what, where, and how to mend it; may be NULL */
};

/**
 * eddy_file_replace() - have a file hold these bytes, all or none of them
 * @path:    made, or replaced; of a symbolic link the link itself is
 * @bytes:   borrowed until return
 * @len:     may be 0
 * @options: may be NULL
 *
 * Suspends several times. Looks at its scope first. Mode and owner are those of the file that is
 * replaced; other names of it (hard links) keep the old bytes; extended attributes are not carried
 * over. Cancelled: nothing happened; once the new file has the name the folder's sync is waited for
 * all the same, and 0 is returned.
 *
 * Return: 0; -ENOENT (the folder), -EACCES, -EPERM (the owner cannot be kept), -EROFS, -ENOSPC,
 * -EDQUOT, -EISDIR, -EINVAL (a device, a pipe, a socket has the name), -EEXIST, -ENAMETOOLONG,
 * -EIO: the old file stands, unless the text says that only the last step failed: the new one is
 * there, and may be lost in a crash; as eddy_file_read_all().
 * Source: rename(2), fsync(2); Python's atomicwrites.   Since: 0.1
 */
EDDY_API int eddy_file_replace(const char *path, const void *bytes, size_t len,
                               const struct eddy_replace_options *options);

struct eddy_copy_options {
    size_t size;              /* filled by EDDY_OPT(copy, ...) */
    unsigned mode;            /* of the copy, exactly; 0: as the original's */
    bool synced;              /* until it is on the disk */
    bool no_replace;          /* -EEXIST where there is a file already */
    struct eddy_error *error; /* told what, where, and how to mend it; may be NULL */
};

/**
 * eddy_file_copy() - copy a file's bytes and mode
 * @from:    of a file; links are followed
 * @to:      made, or replaced in one step when all is copied; of a symbolic link the link itself is
 * @options: may be NULL
 *
 * Suspends, again after each piece of at most 8 MiB. Looks at its scope first. By
 * copy_file_range(2), which shares what the file system can share, else by reading and writing;
 * holes stay holes. Set-user-id bits are not copied. Cancelled: nothing happened.
 *
 * Return: 0; what opening, reading and writing say: -ENOENT, -EACCES, -EISDIR, -ENOSPC, -EDQUOT,
 * -EROFS, -EFBIG, -EIO, -EMFILE; -EINVAL (@from or @to is no file: a pipe, a device), -EEXIST; as
 * eddy_file_read_all().
 * Source: copy_file_range(2); Python's shutil.copy.   Since: 0.1
 */
EDDY_API int eddy_file_copy(const char *from, const char *to,
                            const struct eddy_copy_options *options);

/* --- temporary ones --------------------------------------------------------------------------- */

struct eddy_temporary_options {
    size_t size;        /* filled by EDDY_OPT(temporary, ...) */
    const char *folder; /* NULL: $TMPDIR, or /tmp */
    const char *prefix; /* of the name; NULL: "eddy-" */
    const char *suffix; /* of the name; NULL: none */
    bool nameless;      /* without a name from the start, where the file system can; else it is
                               * taken away at once. A crash leaves nothing of it */
    struct eddy_error *error; /* told what, where, and how to mend it; may be NULL */
};

/**
 * eddy_file_temporary() - a file of one's own, for a while
 * @options:  may be NULL
 * @ret_file: open for reading and writing, for this user only (0600)
 *
 * Suspends. Looks at its scope first. Closed or freed, it is removed, unless eddy_file_keep() was
 * called. Cancelled: nothing happened.
 *
 * Return: 0; -ENOENT, -EACCES, -EROFS, -ENOSPC, -EDQUOT, -EMFILE, -ENAMETOOLONG, -EEXIST (a hundred
 * names were taken), -EINVAL (a '/' in prefix or suffix); as eddy_file_read_all().
 * Source: mkostemp(3), open(2) O_TMPFILE.   Since: 0.1
 */
EDDY_API int eddy_file_temporary(const struct eddy_temporary_options *options,
                                 struct eddy_file **ret_file);

/** eddy_file_path() - the name of a temporary file
 * @f: borrowed; the text lives as long, or until it is kept
 *
 * Return: its path, absolute where the folder was; NULL: it has none, or is not temporary.
 * Source: none.   Since: 0.1 */
EDDY_API const char *eddy_file_path(const struct eddy_file *f);

/**
 * eddy_file_keep() - let a temporary file stay
 * @f:    of eddy_file_temporary(), with a name
 * @path: its new name, on the same file system; a file there is replaced. NULL: where it is
 *
 * Suspends if it is renamed. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -EINVAL: it is not temporary, or has no name; what eddy_path_rename() says.
 * Source: rename(2).   Since: 0.1
 */
EDDY_API int eddy_file_keep(struct eddy_file *f, const char *path);

/**
 * eddy_directory_temporary() - a folder of one's own (0700)
 * @options:  may be NULL; .nameless is -EINVAL
 * @buf:      its path, terminated
 * @cap:      bytes; PATH_MAX is always enough
 *
 * Suspends. Looks at its scope first. It stays until eddy_path_remove_tree(). Cancelled: nothing
 * happened.
 *
 * Return: the length of the path; -ENAMETOOLONG (longer than fits); as eddy_file_temporary().
 * Source: mkdtemp(3).   Since: 0.1
 */
EDDY_API int eddy_directory_temporary(const struct eddy_temporary_options *options, char *buf,
                                      size_t cap);

EDDY_END

#endif
