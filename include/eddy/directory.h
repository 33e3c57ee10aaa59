/*
 * eddy/directory.h - what is in a folder
 *
 *     EDDY_OWN(eddy_directory) d = NULL;
 *     struct eddy_directory_entry e;
 *
 *     r = eddy_directory_open("spool", NULL, &d);
 *     while (r == 0 && (r = eddy_directory_next(d, &e)) > 0)
 *         printf("%s%s\n", e.name, e.type == EDDY_FILE_DIRECTORY ? "/" : "");
 *
 * Read in batches on the pool's threads for files, so a folder of a million names takes 32 KiB, and
 * one wait for some hundred names; sorted, all of them, up to a bound. The simulator's disk has no
 * such list: -EDDY_ESIM.
 *
 * What holds, with the test that shows it (tests/file/directory_test.c):
 *
 *  rule                                                      test
 *  --------------------------------------------------------  ---------------------------------
 *  Each name comes once, with its type, without "." and ".." each_name_comes_once
 *  A large folder takes as little memory as a small one      a_large_folder_takes_little_memory
 *  Sorted if wanted, by bytes, up to a bound                 sorted_by_bytes_up_to_a_bound
 *  Where the file system does not tell a type, it is asked   a_type_not_told_is_asked_for
 *  Errors are the kernel's, with a text if wanted            errors_are_the_kernels
 *  A call looks at its scope first                           a_cancelled_call_does_nothing
 *  A callback may not wait: -EDEADLK                         a_callback_gets_edeadlk
 *  Without memory or disk a call fails, and nothing leaks    every_failed_allocation_and_...
 */
#ifndef EDDY_DIRECTORY_H
#define EDDY_DIRECTORY_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/file.h>

EDDY_BEGIN

struct eddy_directory;

struct eddy_directory_entry {
    const char *name; /* valid until the next call on this folder; any bytes but 0 and '/' */
    enum eddy_file_type type;
    uint64_t inode;
};

struct eddy_directory_options {
    size_t size;              /* filled by EDDY_OPT(directory, ...) */
    bool sorted;              /* by the bytes of the names */
    size_t max_bytes;         /* sorted: of memory for the list; 0: 64 MiB, about a million names */
    struct eddy_error *error; /* told why it could not be opened; may be NULL */
};

/**
 * eddy_directory_open() - begin to read a folder
 * @path:    borrowed until return
 * @options: may be NULL
 * @ret_d:   owned; ended with eddy_directory_free()
 *
 * Suspends; sorted, until all names are read. Looks at its scope first. Cancelled: nothing
 * happened.
 *
 * Return: 0; -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EMFILE, -EIO; -EDDY_ETOOBIG
 * (sorted, over .max_bytes), -EDDY_ESIM; -ENOMEM, -EAGAIN (no thread could be started), -ETIMEDOUT,
 * -ECANCELED, -EDEADLK.
 * Source: opendir(3).   Since: 0.1
 */
EDDY_API int eddy_directory_open(const char *path, const struct eddy_directory_options *options,
                                 struct eddy_directory **ret_d);

/**
 * eddy_directory_next() - the next name
 * @d:         one task at a time
 * @ret_entry: filled, when 1 is returned
 *
 * Suspends when a new batch has to be read. Looks at its scope first. What is made or removed
 * meanwhile may come or not. Cancelled: nothing happened.
 *
 * Return: 1; 0 at the end, again and again; -EIO, -ENOENT (the folder was removed), -EBUSY (another
 * task is in this call), -ENOMEM, -EAGAIN (no thread could be started), -ETIMEDOUT, -ECANCELED,
 * -EDEADLK.
 * Source: getdents64(2).   Since: 0.1
 */
EDDY_API int eddy_directory_next(struct eddy_directory *d, struct eddy_directory_entry *ret_entry);

/** eddy_directory_free() - end it
 * @d: NULL is fine; no call of another task may be under way
 *
 * Does not suspend.
 *
 * Return: nothing.   Source: closedir(3).   Since: 0.1 */
EDDY_API void eddy_directory_free(struct eddy_directory *d);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_directory)
#endif

EDDY_END

#endif
