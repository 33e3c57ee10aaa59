/*
 * loop/sim_names.c - the names on a host's disk, and in which order they reach it
 *
 * A name is an absolute path and the file that has it; a file may have several, or none while it is
 * open. There are no directories but those that MKDIR made and those that names are in; so creating
 * "a/b/c" needs no "a/b".
 *
 * What changes names is at once there to be seen, and stands in a journal until it is on the disk.
 * The journal reaches the disk from its front, as those of file systems do: when a directory is synced,
 * up to the last change in it; when a file is, up to the change that made it, but its renames are not
 * waited for; when there are many, the oldest. A crash takes any number of those that remain back,
 * from the end: so a rename is there or is not, but never half, and never before what came before it.
 */
#include "base/memory.h"
#include "loop/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_MAX 256 /* changes that a disk keeps back */

enum { MADE = 1, GONE, MOVED };

struct sim_name {
    struct sim_name *next;
    char *path; /* absolute, no "." or ".." in it, no slash at its end */
    struct sim_file *file;
    char *moving; /* what the path will be, while names are moved */
};

struct sim_change {
    struct sim_change *newer;
    int kind;
    struct sim_name *name; /* MADE: it; GONE: it, taken out of the names; MOVED: what it replaced */
    char *from, *to;       /* MOVED */
};

/* --- names ---------------------------------------------------------------------------------------- */

static void text_free(char *text)
{
    if (text)
        eddy__free(text, strlen(text) + 1);
}

static void name_free(struct sim_name *name)
{
    text_free(name->path);
    eddy__free(name, sizeof *name);
}

static struct sim_name *name_find(struct sim_host *h, const char *path)
{
    struct sim_name *name = h->names;

    while (name && strcmp(name->path, path) != 0)
        name = name->next;
    return name;
}

/* A file without names, users and places in the journal is no more. */
static void put_in(struct sim_host *h, struct sim_name *name)
{
    name->next = h->names;
    h->names = name;
    name->file->names++;
}

static void take_out(struct sim_host *h, struct sim_name *name)
{
    struct sim_name **at = &h->names;

    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    name->file->names--;
}

static bool is_inside(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

struct sim_file *eddy_sim_disk_find(struct sim_host *h, const char *path)
{
    struct sim_name *name = name_find(h, path);

    return name ? name->file : NULL;
}

static bool has_inside(const struct sim_host *h, const char *path)
{
    for (const struct sim_name *name = h->names; name; name = name->next)
        if (is_inside(name->path, path))
            return true;
    return false;
}

bool eddy_sim_disk_is_directory(struct sim_host *h, const char *path)
{
    const struct sim_file *f = eddy_sim_disk_find(h, path);

    return !*path || (f ? f->is_directory : has_inside(h, path));
}

bool eddy_sim_disk_is_through_a_file(const struct sim_host *h, const char *path)
{
    for (const struct sim_name *name = h->names; name; name = name->next)
        if (!name->file->is_directory && is_inside(path, name->path))
            return true;
    return false;
}

/* --- moving --------------------------------------------------------------------------------------- */

static bool is_at_or_inside(const char *path, const char *at)
{
    return strcmp(path, at) == 0 || is_inside(path, at);
}

static char *moved(const char *path, const char *from, const char *to)
{
    const char *rest = path + strlen(from);
    char *text = eddy__alloc(strlen(to) + strlen(rest) + 1);

    if (text) {
        memcpy(text, to, strlen(to));
        memcpy(text + strlen(to), rest, strlen(rest) + 1);
    }
    return text;
}

/* All names at and in @from; and where open directories are. Without memory nothing is done. */
static int move_all(struct sim_host *h, const char *from, const char *to)
{
    int r = 0;

    for (struct sim_name *n = h->names; n && r == 0; n = n->next)
        if (is_at_or_inside(n->path, from) && !(n->moving = moved(n->path, from, to)))
            r = -ENOMEM;
    for (struct sim_file *f = h->files; f && r == 0; f = f->next)
        if (f->path && is_at_or_inside(f->path, from) && !(f->moving = moved(f->path, from, to)))
            r = -ENOMEM;
    for (struct sim_name *n = h->names; n; n = n->next) {
        char *rest = r == 0 && n->moving ? n->path : n->moving;
        n->path = r == 0 && n->moving ? n->moving : n->path;
        n->moving = NULL;
        text_free(rest);
    }
    for (struct sim_file *f = h->files; f; f = f->next) {
        char *rest = r == 0 && f->moving ? f->path : f->moving;
        f->path = r == 0 && f->moving ? f->moving : f->path;
        f->moving = NULL;
        text_free(rest);
    }
    return r;
}

/* --- the journal ------------------------------------------------------------------------------------ */

static void change_free(struct sim_host *h, struct sim_change *c)
{
    assert(h->journal_count > 0);
    h->journal_count--;
    text_free(c->from);
    text_free(c->to);
    eddy__free(c, sizeof *c);
}

/* A name that is out of the names, and of the journal: its file may be no more. */
static void forget(struct sim_host *h, struct sim_name *name)
{
    name->file->users++;
    name->file->kept--;
    struct sim_file *file = name->file;
    name_free(name);
    eddy_sim_disk_drop(h, file);
}

/* The oldest is on the disk. */
static void settle_first(struct sim_host *h)
{
    struct sim_change *c = h->journal;

    h->journal = c->newer;
    if (c->name && c->kind != MADE)
        forget(h, c->name);
    change_free(h, c);
}

/* Keeps the newest @left of them. */
static void settle_to(struct sim_host *h, size_t left)
{
    while (h->journal_count > left)
        settle_first(h);
}

static void journal_push(struct sim_host *h, struct sim_change *c)
{
    struct sim_change **at = &h->journal;

    while (*at)
        at = &(*at)->newer;
    *at = c;
    h->journal_count++;
    settle_to(h, JOURNAL_MAX);
}

static struct sim_change *change_new(int kind, struct sim_name *name)
{
    struct sim_change *c = eddy__zalloc(sizeof *c);

    if (c) {
        c->kind = kind;
        c->name = name;
    }
    return c;
}

static bool is_directly_in(const char *path, const char *dir)
{
    return is_inside(path, dir) && !strchr(path + strlen(dir) + 1, '/');
}

static bool concerns(const struct sim_change *c, const struct sim_file *f)
{
    if (!f->is_directory)
        return c->kind == MADE && c->name->file == f;
    if (c->kind == MOVED)
        return is_directly_in(c->from, f->path) || is_directly_in(c->to, f->path);
    return is_directly_in(c->name->path, f->path);
}

void eddy_sim_disk_sync_names(struct sim_host *h, const struct sim_file *f)
{
    size_t nth = 0, last = 0;

    for (const struct sim_change *c = h->journal; c; c = c->newer) {
        nth++;
        if (concerns(c, f))
            last = nth;
    }
    settle_to(h, h->journal_count - last);
}

void eddy_sim_disk_settle_names(struct sim_host *h)
{
    settle_to(h, 0);
}

static int undo(struct sim_host *h, struct sim_change *c)
{
    struct sim_name *name = c->name;

    if (c->kind == MADE) {
        take_out(h, name);
        name->file->kept++;
        forget(h, name);
        return 0;
    }
    int r = c->kind == MOVED ? move_all(h, c->to, c->from) : 0;
    if (r == 0 && name) {
        name->file->kept--;
        put_in(h, name);
    }
    return r;
}

void eddy_sim_disk_crash_names(struct sim *s, struct sim_host *h)
{
    size_t keep = (size_t)eddy_sim_roll(s, h->journal_count + 1);

    while (h->journal_count > keep) {
        struct sim_change **at = &h->journal;
        assert(*at);
        while ((*at)->newer)
            at = &(*at)->newer;
        if (undo(h, *at) < 0)
            break; /* no memory: this one, and all before it, reached the disk */
        struct sim_change *c = *at;
        *at = NULL;
        change_free(h, c);
    }
    settle_to(h, 0);
}

void eddy_sim_disk_free_names(struct sim_host *h)
{
    settle_to(h, 0);
    while (h->names) {
        struct sim_name *name = h->names;
        take_out(h, name);
        name->file->kept++;
        forget(h, name);
    }
}

/* --- changes ----------------------------------------------------------------------------------------- */

int eddy_sim_disk_name(struct sim_host *h, const char *path, struct sim_file *f)
{
    struct sim_name *name = eddy__zalloc(sizeof *name);
    struct sim_change *c = name ? change_new(MADE, name) : NULL;

    if (c)
        name->path = eddy__strdup(path);
    if (!c || !name->path) {
        if (c)
            eddy__free(c, sizeof *c);
        eddy__free(name, sizeof *name);
        return -ENOMEM;
    }
    name->file = f;
    put_in(h, name);
    journal_push(h, c);
    return 0;
}

int eddy_sim_disk_unlink(struct sim_host *h, const char *path, bool directory)
{
    struct sim_name *name = name_find(h, path);

    if (eddy_sim_disk_is_directory(h, path)) {
        if (!directory)
            return -EISDIR;
        if (!*path)
            return -EBUSY;
        if (has_inside(h, path))
            return -ENOTEMPTY;
    } else if (!name) {
        return eddy_sim_disk_is_through_a_file(h, path) ? -ENOTDIR : -ENOENT;
    } else if (directory) {
        return -ENOTDIR;
    }
    assert(name);
    struct sim_change *c = change_new(GONE, name);
    if (!c)
        return -ENOMEM;
    name->file->kept++;
    take_out(h, name);
    journal_push(h, c);
    return 0;
}

int eddy_sim_disk_link(struct sim_host *h, const char *from, const char *to)
{
    struct sim_file *f = eddy_sim_disk_find(h, from);

    if (eddy_sim_disk_is_directory(h, from))
        return -EPERM;
    if (!f)
        return eddy_sim_disk_is_through_a_file(h, from) ? -ENOTDIR : -ENOENT;
    if (eddy_sim_disk_find(h, to) || eddy_sim_disk_is_directory(h, to))
        return -EEXIST;
    if (eddy_sim_disk_is_through_a_file(h, to))
        return -ENOTDIR;
    return eddy_sim_disk_name(h, to, f);
}

/* As rename(2) says it; @replaced is the name that gives way, if any. */
static int rename_check(struct sim_host *h, const char *from, const char *to, bool no_replace,
                        struct sim_name **ret_replaced)
{
    const bool is_directory = eddy_sim_disk_is_directory(h, from);
    const bool to_directory = eddy_sim_disk_is_directory(h, to);
    struct sim_name *at = name_find(h, to);

    *ret_replaced = at;
    if (!*from || !*to)
        return -EBUSY;
    if (!is_directory && !name_find(h, from))
        return eddy_sim_disk_is_through_a_file(h, from) ? -ENOTDIR : -ENOENT;
    if (strcmp(from, to) == 0)
        return no_replace ? -EEXIST : 0;
    if (is_inside(to, from))
        return is_directory ? -EINVAL : -ENOTDIR;
    if (eddy_sim_disk_is_through_a_file(h, to))
        return -ENOTDIR;
    if (no_replace && (at || to_directory))
        return -EEXIST;
    if (at && !is_directory && to_directory)
        return -EISDIR;
    if (at && is_directory && !to_directory)
        return -ENOTDIR;
    if (to_directory && has_inside(h, to))
        return is_directory ? -ENOTEMPTY : -EISDIR;
    return 0;
}

int eddy_sim_disk_rename(struct sim_host *h, const char *from, const char *to, bool no_replace)
{
    struct sim_name *replaced;

    int r = rename_check(h, from, to, no_replace, &replaced);
    if (r < 0)
        return r;
    if (strcmp(from, to) == 0 || (replaced && replaced->file == eddy_sim_disk_find(h, from)))
        return 0; /* two names of one file: nothing is to be done, and both stay */
    struct sim_change *c = change_new(MOVED, replaced);
    if (c) {
        c->from = eddy__strdup(from);
        c->to = eddy__strdup(to);
    }
    r = c && c->from && c->to ? move_all(h, from, to) : -ENOMEM;
    if (r < 0) {
        if (c) {
            text_free(c->from);
            text_free(c->to);
            eddy__free(c, sizeof *c);
        }
        return r;
    }
    if (replaced) {
        replaced->file->kept++;
        take_out(h, replaced);
    }
    journal_push(h, c);
    return 0;
}
