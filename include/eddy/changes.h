/*
 * eddy/changes.h - what happens to files and folders: written, made, renamed, removed
 *
 *     EDDY_OWN(eddy_changes) c = NULL;
 *     struct eddy_change change;
 *
 *     r = eddy_changes_open(&c);
 *     r = eddy_changes_add(c, "spool", EDDY_CHANGE_CLOSED | EDDY_CHANGE_RENAMED_TO, NULL);
 *     while (r == 0 && (r = eddy_changes_next(c, &change)) == 0)
 *         printf("%s/%s is complete\n", change.path, change.name);
 *
 * By inotify(7): a folder tells of what lies in it, not of what lies deeper; a file tells of
 * itself. What other machines change on a network file system is not told. Where there is no
 * inotify (BSD, macOS) a watch cannot be opened: -EOPNOTSUPP. The simulator refuses it: -EDDY_ESIM.
 *
 * What holds, with the test that shows it (tests/file/changes_test.c):
 *
 *  rule                                                   test
 *  -----------------------------------------------------  ----------------------------------------
 *  Each kind of change is told, of a folder's files       what_happens_in_a_folder_is_told
 *   and of a file itself                                  what_happens_to_a_file_is_told
 *  The two halves of a renaming carry one cookie          a_renaming_has_one_cookie
 *  Changes come in order, none twice, none lost           a_burst_comes_in_order
 *  When too much happened unread that is told, once       too_much_is_told_as_lost
 *  What is removed tells so, and then nothing more        what_is_gone_tells_so_last
 *  What was taken out tells nothing more                  what_was_taken_out_is_silent
 *  Looks at its scope first; cancelled, nothing is lost   a_cancelled_wait_loses_nothing
 *  One task at a time                                     a_second_reader_is_busy
 *  Errors are the kernel's, a path twice is -EEXIST       errors_are_the_kernels
 *  A callback may not wait: -EDEADLK                      a_callback_gets_edeadlk
 *  The simulator refuses                                  the_simulator_refuses
 *  Without memory or descriptors nothing leaks            every_failure_leaves_nothing
 */
#ifndef EDDY_CHANGES_H
#define EDDY_CHANGES_H

#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

struct eddy_changes;

enum eddy_change_kind {
    EDDY_CHANGE_MODIFIED = 1,      /* bytes were written, or its length was set */
    EDDY_CHANGE_CLOSED = 2,        /* who had it open for writing closed it */
    EDDY_CHANGE_CREATED = 4,       /* a name came into the folder */
    EDDY_CHANGE_REMOVED = 8,       /* a name went, or the watched path itself */
    EDDY_CHANGE_RENAMED_FROM = 16, /* a name went elsewhere, or the watched path itself */
    EDDY_CHANGE_RENAMED_TO = 32,   /* a name came from elsewhere */
    EDDY_CHANGE_ATTRIBUTES = 64,   /* mode, owner, times, number of links */
    EDDY_CHANGE_ALL = 127,
    EDDY_CHANGE_LOST = 128, /* unasked: more happened than the kernel keeps; look for yourself */
    EDDY_CHANGE_GONE = 256, /* unasked: the path is removed or unmounted, and watched no more */
};

struct eddy_change {
    unsigned what;    /* one of them */
    int id;           /* of eddy_changes_add(); -1: EDDY_CHANGE_LOST */
    const char *path; /* as it was added; like name valid until the next call on this watch */
    const char *name; /* in the folder; "": the path itself */
    bool is_folder;   /* the name is a folder's */
    uint32_t cookie;  /* the two halves of a renaming have the same; else 0 */
};

/**
 * eddy_changes_open() - a watch with nothing in it
 * @ret_c: owned, of this thread's loop; EDDY_OWN(eddy_changes)
 *
 * Does not suspend.
 *
 * Return: 0; -EMFILE (also: the user's limit of watches, fs.inotify.max_user_instances), -ENFILE,
 * -ENOMEM; -EOPNOTSUPP (no inotify here); -EDDY_ESIM.
 * Source: inotify_init(2).   Since: 0.1
 */
EDDY_API int eddy_changes_open(struct eddy_changes **ret_c);

/** eddy_changes_free() - watch no more
 * @c: NULL is fine; no task may be waiting
 *
 * Return: nothing.   Source: close(2).   Since: 0.1 */
EDDY_API void eddy_changes_free(struct eddy_changes *c);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_changes)
#endif

/**
 * eddy_changes_add() - watch a folder or a file
 * @c:      open
 * @path:   copied; followed now if it is a symbolic link
 * @what:   EDDY_CHANGE_... that are to be told; 0: all
 * @ret_id: told with each change; may be NULL
 *
 * Suspends. Looks at its scope first. Cancelled: it never began, or its result is returned.
 *
 * Return: 0, or negative:
 *   -EEXIST  watched already, maybe by another name     -ENOENT, -EACCES, -ENOTDIR, ...  see open(2)
 *   -ENOSPC  the user's limit of watched paths, fs.inotify.max_user_watches
 *   -EINVAL  an unknown kind     -ENOMEM, -ETIMEDOUT, -ECANCELED, -EDEADLK
 * Source: inotify_add_watch(2).   Since: 0.1
 */
EDDY_API int eddy_changes_add(struct eddy_changes *c, const char *path, unsigned what, int *ret_id);

/** eddy_changes_remove() - watch a path no more
 * @c:  open
 * @id: of eddy_changes_add()
 *
 * Does not suspend. Changes that happened before are not told any more.
 *
 * Return: 0, or -ENOENT (gone already).   Source: inotify_rm_watch(2).   Since: 0.1 */
EDDY_API int eddy_changes_remove(struct eddy_changes *c, int id);

/**
 * eddy_changes_next() - wait for the next change
 * @c:          open; one task at a time
 * @ret_change: filled when 0 is returned
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -EBUSY (another task waits); -EDDY_EFORKED, -ENOMEM, -ETIMEDOUT, -ECANCELED, -EDEADLK.
 * Source: inotify(7).   Since: 0.1
 */
EDDY_API int eddy_changes_next(struct eddy_changes *c, struct eddy_change *ret_change);

EDDY_END

#endif
