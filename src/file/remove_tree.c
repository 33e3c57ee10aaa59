/*
 * file/remove_tree.c - a folder with all that is in it
 *
 * A row of open folders, each in the one before: the way down to where we are. Everything is opened and
 * removed from the last of them (openat, O_NOFOLLOW), so whoever swaps a folder for a link on the way,
 * or moves one, leads us nowhere. Removing goes on in slices, each one call on a thread.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "file/inside.h"

#include <eddy/path.h>

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 128
#define SLICE 256    /* removals */
#define AGAIN_MAX 64 /* times a folder is read anew, because something had been put in it */
#define BATCH ((size_t)4096)

struct level {
    struct level *above;
    int fd;
    unsigned again;
    bool removed; /* something, since it was read from its start */
    size_t at, len;
    char name[NAME_MAX + 1]; /* in the one above */
    char batch[BATCH] __attribute__((aligned(8)));
};

struct removal {
    const char *path;
    struct level *last; /* where we are; NULL: before the first step, or all is done */
    unsigned depth, max_depth;
    bool begun, over;
};

static int enter(struct removal *r, int dir, const char *name)
{
    if (r->depth == r->max_depth)
        return -EDDY_EDEPTH;
    int fd = eddy__sys.open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    struct level *l = eddy__alloc(sizeof *l);
    if (!l) {
        eddy__sys.close(fd);
        return -ENOMEM;
    }
    *l = (struct level){ .above = r->last, .fd = fd };
    if (r->last)
        strcpy(l->name, name); /* from a batch: never longer */
    r->last = l;
    r->depth++;
    return 0;
}

static void leave(struct removal *r)
{
    struct level *l = r->last;

    r->last = l->above;
    r->depth--;
    eddy__sys.close(l->fd);
    eddy__free(l, sizeof *l);
}

/* A file is removed, a folder entered. 1: nothing is left of it, 0: it was entered. */
static int take(struct removal *r, int dir, const char *name, bool maybe_folder)
{
    int result = -EISDIR;

    if (!maybe_folder) {
        result = eddy__sys.unlink(dir, name, 0);
        if (result == 0 || result == -ENOENT)
            return 1;
        if (result != -EISDIR && result != -EPERM)
            return result;
    }
    int entered = enter(r, dir, name);
    if (entered == -ENOENT)
        return 1;
    /* No folder after all, or a link by now: as a file, once. */
    if ((entered == -ENOTDIR || entered == -ELOOP) && maybe_folder)
        return take(r, dir, name, false);
    return entered == -ENOTDIR || entered == -ELOOP ? result : entered;
}

/* The folder we are in is empty, as far as we saw. */
static int finish(struct removal *r)
{
    struct level *l = r->last;
    const int dir = l->above ? l->above->fd : AT_FDCWD;

    int result = eddy__sys.unlink(dir, l->above ? l->name : r->path, AT_REMOVEDIR);
    if ((result == -ENOTEMPTY || result == -EEXIST) && l->again++ < AGAIN_MAX) {
        /* Something came, or was passed over because what was before it went. */
        int64_t at = eddy__sys.seek(l->fd, 0, SEEK_SET);
        return at < 0 ? (int)at : 0;
    }
    if (result < 0 && result != -ENOENT)
        return result;
    leave(r);
    r->over = !r->last;
    return 0;
}

static int step(struct removal *r)
{
    struct level *l = r->last;

    if (l->at == l->len) {
        ssize_t n = eddy__sys.getdents(l->fd, l->batch, sizeof l->batch);
        if (n == -ENOENT)
            n = 0; /* somebody else removed it */
        if (n <= 0)
            return n < 0 ? (int)n : finish(r);
        l->at = 0;
        l->len = (size_t)n;
    }
    const struct dirent64 *e = (const struct dirent64 *)(const void *)(l->batch + l->at);
    l->at += e->d_reclen;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
        return 0;
    int result = take(r, l->fd, e->d_name, e->d_type == DT_DIR);
    return result < 0 ? result : 0;
}

static int begin(struct removal *r)
{
    r->begun = true;
    int result = eddy__sys.unlink(AT_FDCWD, r->path, 0);
    if (result != -EISDIR && result != -EPERM) {
        r->over = true;
        return result;
    }
    int entered = enter(r, AT_FDCWD, r->path);
    return entered == -ENOTDIR || entered == -ELOOP ? result : entered;
}

static int do_slice(void *arg)
{
    struct removal *r = arg;
    int result = r->begun ? 0 : begin(r);

    for (int i = 0; i < SLICE && result == 0 && !r->over; i++)
        result = step(r);
    return result;
}

/* "/", "x/." and "x/..": what has no name of its own there, so that a path put together wrongly does
 * not take away more than it names. */
static bool is_nameless(const char *path)
{
    size_t end = strlen(path), start;

    while (end > 0 && path[end - 1] == '/')
        end--;
    for (start = end; start > 0 && path[start - 1] != '/';)
        start--;
    const size_t len = end - start;
    return (len == 0 && *path) || (len <= 2 && len > 0 && strncmp(path + start, "..", len) == 0);
}

int eddy_path_remove_tree(const char *path, const struct eddy_remove_options *options)
{
    struct eddy_remove_options o = { .size = sizeof o };

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    struct removal r = { .path = path, .max_depth = o.max_depth ? o.max_depth : DEPTH };
    int result = eddy__wait_check();
    if (result < 0)
        return result;
    if (is_nameless(path))
        return eddy_error_set(o.error, -EINVAL, 0, "removing %.80s: name a folder or a file", path);
    while (result == 0 && !r.over)
        result = eddy_file_on_thread("removing trees", do_slice, &r);
    const char *in = r.last && r.last->above ? r.last->name : "";
    if (result < 0)
        eddy_file_explain(o.error, result, "removing", path, in);
    while (r.last)
        leave(&r);
    return result;
}
