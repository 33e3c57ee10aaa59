/*
 * file/inside.h - an open file from inside, and what the calls of this room share
 */
#ifndef EDDY_FILE_INSIDE_H
#define EDDY_FILE_INSIDE_H

#include "loop/file_op.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/file.h>

/* The name of a file that is to go with it. */
struct file_name {
    struct eddy_file_op unlink; /* first */
    struct eddy_file *file;
    int dir; /* that the path begins at: AT_FDCWD, or a descriptor that lives longer */
    char *path;
};

struct eddy_file {
    struct eddy_op close; /* first */
    struct eddy_wait wait;
    struct eddy_loop *loop;
    struct file_name *name; /* NULL: it stays when the file is closed, or has none */
    int64_t at;             /* of eddy_file_read_next() and its like */
    bool is_moving;         /* a task is in one of them */
    bool reads, writes;     /* what it was opened for */
    bool direct;            /* past the cache */
    int fd;
};

/* file.c */
int eddy_file_open_in(int dir, const char *path, int flags, unsigned mode, struct eddy_file **ret);
int eddy_file_check(const struct eddy_file *f); /* whether a call may wait for it */
void eddy_file_name_free(struct file_name *name);

/* Blocking calls on a thread of the pool, waited for. @what, for people: "chmod"; the simulator refuses
 * it by that name. Cancelled: it never began, or its result is returned. Steady: not cancelled. */
int eddy_file_on_thread(const char *what, int (*fn)(void *arg), void *arg);
int eddy_file_on_thread_steadily(const char *what, int (*fn)(void *arg), void *arg);

static inline bool eddy_file_is_simulated(void)
{
    return eddy_driver_is_simulated(eddy__loop()->driver);
}

/* about.c */
int eddy_file_stat_in(int dir, const char *path, int flags, struct eddy_file_info *ret);
int eddy_file_set_mode(int dir, const char *path, unsigned mode);
int eddy_file_set_owner(int dir, const char *path, uid_t uid, gid_t gid, int flags);
int eddy_file_set_times(int dir, const char *path, int64_t read_ns, int64_t written_ns, int flags);
int eddy_file_set_size(int fd, const char *path, int64_t len); /* of @path, unless it is NULL */

/* temporary.c: a new file with a name of its own in @dir: @prefix, sixteen letters, @suffix. It goes when
 * it is closed, unless its name is taken from it. */
int eddy_file_new_in(int dir, const char *prefix, const char *suffix, unsigned mode,
                     struct eddy_file **ret);
/* What is left of a name that may have been made; its own error is nobody's. Not cancelled. */
void eddy_file_sweep(int dir, const char *path, int flags);

/* neighbour.c: a file beside the one it is to replace. */
struct neighbour {
    struct eddy_file *dir, *file; /* owned */
    const char *base;             /* in the path that was given */
    const char *path;
    struct eddy_file_info old; /* of what is there */
    bool replaces;             /* something is */
    struct eddy_error *error;
    const char *what; /* for people: "replace", "copy to" */
};
int eddy_neighbour_open(struct neighbour *n, const char *path, unsigned mode, bool no_replace);
/* Give it the name. Synced: as its bytes are, so is the name. 0: it is done. */
int eddy_neighbour_done(struct neighbour *n, bool no_replace, bool synced);
int eddy_neighbour_fail(struct neighbour *n, int r, const char *step); /* returns @r */
void eddy_neighbour_close(struct neighbour *n);

/* explain.c: @error says "WHAT PATH: STEP: why; how to mend it". Returns @r. */
int eddy_file_explain(struct eddy_error *error, int r, const char *what, const char *path,
                      const char *step);

#endif
