/*
 * file/neighbour.c - a file written beside the one that it will replace
 *
 * The folder is opened first and everything is reached from it, so a link that somebody puts in the
 * path meanwhile leads nowhere else. Its sync at the end is not cancelled: by then the new file has
 * the name, and half a promise is none.
 */
#include "file/inside.h"

#include <eddy/path.h>
#include <eddy/task.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

int eddy_neighbour_fail(struct neighbour *n, int r, const char *step)
{
    return eddy_file_explain(n->error, r, n->what, n->path, step);
}

static int open_folder(struct neighbour *n)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(n->path, '/');
    size_t len = slash ? (size_t)(slash - n->path) : 0;

    n->base = slash ? slash + 1 : n->path;
    if (!*n->path)
        return -ENOENT;
    if (!*n->base || strcmp(n->base, ".") == 0 || strcmp(n->base, "..") == 0)
        return -EISDIR;
    if (len >= sizeof folder)
        return -ENAMETOOLONG;
    memcpy(folder, n->path, len);
    strcpy(folder + len, slash ? (len ? "" : "/") : ".");
    return eddy_file_open(folder, O_RDONLY | O_DIRECTORY, 0, &n->dir);
}

static int look_at_old(struct neighbour *n, bool no_replace)
{
    int r = eddy_file_stat_in(n->dir->fd, n->base, AT_SYMLINK_NOFOLLOW, &n->old);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (no_replace)
        return -EEXIST;
    if (n->old.type == EDDY_FILE_DIRECTORY)
        return -EISDIR;
    if (n->old.type != EDDY_FILE_REGULAR && n->old.type != EDDY_FILE_LINK)
        return -EINVAL; /* a device, a pipe, a socket: who has rights enough would lose /dev/null */
    n->replaces = n->old.type == EDDY_FILE_REGULAR; /* of a link there is nothing to be kept */
    return 0;
}

/* Mode and owner, while nobody else can open it. */
static int dress(struct neighbour *n, unsigned mode)
{
    struct eddy_file_info now;

    int r = eddy_file_stat(n->file, &now);
    if (r < 0)
        return r;
    if (n->replaces && (now.uid != n->old.uid || now.gid != n->old.gid))
        r = eddy_file_set_owner(n->file->fd, "", n->old.uid, n->old.gid, 0);
    if (r == 0 && now.mode != mode)
        r = eddy_file_set_mode(n->file->fd, "", mode);
    return r;
}

int eddy_neighbour_open(struct neighbour *n, const char *path, unsigned mode, bool no_replace)
{
    n->path = path;
    int r = open_folder(n);
    if (r < 0)
        return eddy_neighbour_fail(n, r, "its folder:");
    r = look_at_old(n, no_replace);
    if (r < 0)
        return eddy_neighbour_fail(n, r, "");
    if (mode == 0 && n->replaces)
        mode = n->old.mode;
    const bool is_plain = mode == 0 || eddy_file_is_simulated(); /* which has no modes to change */
    r = eddy_file_new_in(n->dir->fd, ".eddy-", "", is_plain ? (mode ? mode : 0666) : 0600,
                         &n->file);
    if (r < 0)
        return eddy_neighbour_fail(n, r, "a file beside it:");
    r = is_plain ? 0 : dress(n, mode);
    return r < 0 ? eddy_neighbour_fail(n, r, "its mode and owner:") : 0;
}

static int take_place(struct neighbour *n, bool no_replace)
{
    struct eddy_file_op op;
    const char *name = n->file->name->path;

    eddy_op_rename(&op, n->dir->fd, name, n->dir->fd, n->base, no_replace ? RENAME_NOREPLACE : 0,
                   NULL);
    int r = eddy__op_wait(&op.op);
    if (r == -EINVAL &&
        no_replace) { /* a file system that cannot; it goes on with the other name */
        eddy_op_link(&op, n->dir->fd, name, n->dir->fd, n->base, 0, NULL);
        return eddy__op_wait(&op.op);
    }
    if (r < 0)
        return r;
    eddy_file_name_free(n->file->name);
    n->file->name = NULL;
    return 0;
}

int eddy_neighbour_done(struct neighbour *n, bool no_replace, bool synced)
{
    int r = synced ? eddy_file_sync(n->file) : 0;

    if (r < 0)
        return eddy_neighbour_fail(n, r, "syncing:");
    r = take_place(n, no_replace);
    if (r < 0)
        return eddy_neighbour_fail(n, r, "giving it the name:");
    if (synced) {
        EDDY_SHIELD(last_step, .timeout_ms = 0);
        r = eddy_file_sync(n->dir);
    }
    return r < 0 ? eddy_neighbour_fail(n, r, "it is new, but syncing its folder:") : 0;
}

void eddy_neighbour_close(struct neighbour *n)
{
    eddy_file_close(EDDY_TAKE(n->file)); /* before the folder that its name begins at */
    eddy_file_close(EDDY_TAKE(n->dir));
}
