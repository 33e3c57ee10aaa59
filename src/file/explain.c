/*
 * file/explain.c - a failure for a person: what was done to which file, which step failed, what to mend
 */
#include "file/inside.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 40 /* bytes of a path: its end says more than its beginning */

static const struct {
    int code;
    const char *mend;
} remedies[] = {
    { -ENOENT, "check the path; a folder in it may not be made yet" },
    { -ENOTDIR, "something in the path is a file; check the path" },
    { -EISDIR, "it is a folder; name a file" },
    { -EEXIST, "remove it first, or choose another name" },
    { -EACCES, "give this user the right (chmod, chown), or run as one who has it" },
    { -EPERM, "its owner has to do this, or root" },
    { -EROFS, "the disk is mounted read-only; choose another folder" },
    { -ENOSPC, "the disk is full; free some of it" },
    { -EDQUOT, "this user's quota is used up; free some of it" },
    { -EMFILE, "raise ulimit -n, or close some" },
    { -ENFILE, "on this machine: others have to close some" },
    { -ELOOP, "too many symbolic links; one may lead to itself" },
    { -ENAMETOOLONG, "choose a shorter name" },
    { -EDDY_ETOOBIG, "raise the bound, or read it in pieces" },
    { -EDDY_EDEPTH, "raise .max_depth" },
    { -EIO, "the disk may be failing; see dmesg" },
    { -EXDEV, "another disk; copy it there" },
    { -EINVAL, "no plain file, or not possible there" },
    { -EBUSY, "something is mounted there, or uses it" },
    { -ENOTEMPTY, "others make files in it; stop them first" },
    { -EDDY_ESIM, "run it on a real backend" },
};

static const char *mend_of(int code)
{
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].code == code)
            return remedies[i].mend;
    return NULL;
}

int eddy_file_explain(struct eddy_error *error, int r, const char *what, const char *path,
                      const char *step)
{
    const size_t len = strlen(path);
    const char *shown = len > SHOWN ? path + len - SHOWN : path;
    const char *mend = mend_of(r);

    return eddy_error_set(error, r, 0, "%s %s%s:%s%s %s%s%s", what, shown == path ? "" : "...",
                          shown, *step ? " " : "", step, eddy_strerror(r), mend ? "; " : "",
                          mend ? mend : "");
}
