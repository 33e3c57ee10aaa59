/*
 * file/temporary.c - files and folders with names of their own, and what goes with its name
 */
#include "base/memory.h"
#include "base/sys.h"
#include "file/inside.h"
#include "loop/debug.h"

#include <eddy/path.h>
#include <eddy/task.h>
#include <eddy/whole_file.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 100
#define LETTERS 16

/* --- names ------------------------------------------------------------------------------------- */

/* @folder (or "") / @prefix, sixteen letters, @suffix. To be freed with its length and one. */
static int name_make(const char *folder, const char *prefix, const char *suffix, char **ret)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    const size_t folder_len = strlen(folder), len = folder_len + strlen(prefix) + strlen(suffix);
    struct eddy_driver *d = eddy__loop()->driver;
    unsigned char dice[LETTERS];
    char text[LETTERS + 1] = "";

    int r = d->ops->random(d, dice, sizeof dice);
    if (r < 0)
        return r;
    char *name = eddy__alloc(len + LETTERS + 2);
    if (!name)
        return -ENOMEM;
    for (int i = 0; i < LETTERS; i++)
        text[i] = letters[dice[i] % 32];
    (void)snprintf(name, len + LETTERS + 2, "%s%s%s%s%s", folder,
                   folder_len && folder[folder_len - 1] != '/' ? "/" : "", prefix, text, suffix);
    *ret = name;
    return 0;
}

static void name_free(char *name, const char *folder)
{
    (void)folder;
    if (name)
        eddy__free(name, strlen(name) + 1);
}

void eddy_file_sweep(int dir, const char *path, int flags)
{
    struct eddy_file_op op;
    EDDY_SHIELD(sweep, .timeout_ms = 0);

    eddy_op_unlink(&op, dir, path, flags, NULL);
    (void)eddy__op_wait(&op.op);
}

/* An open that was cancelled leaves no descriptor, but may have made its file. */
static void sweep_after(int r, int dir, const char *path)
{
    if (r == -ECANCELED || r == -ETIMEDOUT)
        eddy_file_sweep(dir, path, 0);
}

/* The file goes with @path, which becomes its own. */
static int go_with(struct eddy_file *f, int dir, char *path)
{
    f->name = eddy__zalloc(sizeof *f->name);
    if (!f->name)
        return -ENOMEM;
    f->name->file = f;
    f->name->dir = dir;
    f->name->path = path;
    return 0;
}

static int new_named(int dir, char *name, unsigned mode, struct eddy_file **ret)
{
    struct eddy_file *f = NULL;

    int r = eddy_file_open_in(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode, &f);
    if (r < 0) {
        sweep_after(r, dir, name);
        return r;
    }
    r = go_with(f, dir, name);
    if (r < 0) {
        eddy_file_sweep(dir, name, 0);
        eddy_file_close(f);
        return r;
    }
    *ret = f;
    return 0;
}

static int new_in(int dir, const char *folder, const char *prefix, const char *suffix,
                  unsigned mode, struct eddy_file **ret)
{
    int r = -EEXIST;

    for (int i = 0; i < TRIES && r == -EEXIST; i++) {
        char *name = NULL;

        r = name_make(folder, prefix, suffix, &name);
        if (r < 0)
            return r;
        r = new_named(dir, name, mode, ret);
        if (r < 0)
            name_free(name, folder);
    }
    return r;
}

int eddy_file_new_in(int dir, const char *prefix, const char *suffix, unsigned mode,
                     struct eddy_file **ret)
{
    return new_in(dir, "", prefix, suffix, mode, ret);
}

/* --- options ------------------------------------------------------------------------------------- */

/* Where: absolute, if need be, because the program may go elsewhere before it is removed. */
static int folder_of(const struct eddy_temporary_options *o, char buf[PATH_MAX])
{
    const char *folder = o->folder;

    if (!folder)
        folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/tmp";
    if (*folder != '/' && !eddy_file_is_simulated()) {
        int r = eddy_path_real(folder, buf, PATH_MAX);
        return r < 0 ? r : 0;
    }
    if (strlen(folder) >= PATH_MAX)
        return -ENAMETOOLONG;
    strcpy(buf, folder);
    return 0;
}

static int read_options(const struct eddy_temporary_options *options,
                        struct eddy_temporary_options *ret, char folder[PATH_MAX])
{
    int r = eddy__wait_check();

    *ret = (struct eddy_temporary_options){ .size = sizeof *ret };
    if (options)
        memcpy(ret, options, options->size < sizeof *ret ? options->size : sizeof *ret);
    if (r < 0)
        return r;
    if (!ret->prefix)
        ret->prefix = "eddy-";
    if (!ret->suffix)
        ret->suffix = "";
    if (strchr(ret->prefix, '/') || strchr(ret->suffix, '/'))
        return eddy_error_set(ret->error, -EINVAL, 0,
                              "a temporary file: no '/' in .prefix and .suffix; say .folder");
    r = folder_of(ret, folder);
    if (r < 0)
        return eddy_file_explain(ret->error, r, "a temporary file in",
                                 ret->folder ? ret->folder : "$TMPDIR", "");
    return 0;
}

/* --- files --------------------------------------------------------------------------------------- */

static int nameless(const char *folder, struct eddy_file **ret)
{
    return eddy_file_open_in(AT_FDCWD, folder, O_TMPFILE | O_RDWR, 0600, ret);
}

/* Taken away at once, so that nothing is left of it by a crash later. */
static int lose_name(struct eddy_file *f)
{
    struct eddy_file_op op;

    eddy_op_unlink(&op, f->name->dir, f->name->path, 0, NULL);
    int r = eddy__op_wait(&op.op);
    if (r < 0)
        return r;
    eddy_file_name_free(f->name);
    f->name = NULL;
    return 0;
}

int eddy_file_temporary(const struct eddy_temporary_options *options, struct eddy_file **ret_file)
{
    struct eddy_temporary_options o;
    struct eddy_file *f = NULL;
    char folder[PATH_MAX];

    int r = read_options(options, &o, folder);
    if (r < 0)
        return r;
    r = -EOPNOTSUPP;
    if (o.nameless)
        r = nameless(folder, &f);
    if (r == -EOPNOTSUPP || r == -EISDIR) {
        r = new_in(AT_FDCWD, folder, o.prefix, o.suffix, 0600, &f);
        if (r == 0 && o.nameless)
            r = lose_name(f);
    }
    if (r < 0) {
        eddy_file_close(f);
        return eddy_file_explain(o.error, r, "a temporary file in", folder, "");
    }
    eddy__debug_born(f->loop, f, "a temporary file");
    *ret_file = f;
    return 0;
}

const char *eddy_file_path(const struct eddy_file *f)
{
    return f->name ? f->name->path : NULL;
}

int eddy_file_keep(struct eddy_file *f, const char *path)
{
    int r = eddy_file_check(f);

    if (r < 0)
        return r;
    if (!f->name)
        return -EINVAL;
    if (path)
        r = eddy_path_rename(f->name->path, path, 0);
    if (r < 0)
        return r;
    eddy_file_name_free(f->name);
    f->name = NULL;
    return 0;
}

/* --- folders --------------------------------------------------------------------------------------- */

static int make_folder(const char *path)
{
    struct eddy_file_op op;

    eddy_op_mkdir(&op, AT_FDCWD, path, 0700, NULL);
    return eddy__op_wait(&op.op);
}

int eddy_directory_temporary(const struct eddy_temporary_options *options, char *buf, size_t cap)
{
    struct eddy_temporary_options o;
    char folder[PATH_MAX];

    int r = read_options(options, &o, folder);
    if (r < 0)
        return r;
    if (o.nameless)
        return eddy_error_set(o.error, -EINVAL, 0, "a folder cannot be nameless");
    r = -EEXIST;
    for (int i = 0; i < TRIES && r == -EEXIST; i++) {
        char *name = NULL;

        r = name_make(folder, o.prefix, o.suffix, &name);
        if (r == 0)
            r = strlen(name) < cap ? make_folder(name) : -ENAMETOOLONG;
        if (r == 0) {
            r = (int)strlen(name);
            memcpy(buf, name, (size_t)r + 1);
        }
        name_free(name, folder);
    }
    return r < 0 ? eddy_file_explain(o.error, r, "a temporary folder in", folder, "") : r;
}
