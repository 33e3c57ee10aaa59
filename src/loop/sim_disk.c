/*
 * loop/sim_disk.c - the files of one host, and what a crash leaves of them
 *
 * A file has two contents: `data` is what is read, `safe` is what was there when it was last
 * synced. A crash makes one of both, sector by sector, as if the dice were the kernel's write-back:
 * each sector that differs may have reached the disk or not, and so may the new size. What becomes of
 * names is sim_names.c's.
 */
#include "base/memory.h"
#include "loop/sim.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR 512

/* --- paths ------------------------------------------------------------------------------------ */

/* @path, seen from the directory @dir, without ".", ".." and spare slashes; "" is the root. */
int eddy_sim_disk_path(const char *dir, const char *path, char *buf, size_t cap)
{
    size_t len = 0;

    if (!*path)
        return -ENOENT;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (*path != '/') {
        len = strlen(dir);
        memcpy(buf, dir, len);
    }
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.') {
            while (len && buf[--len] != '/')
                ;
        } else if (n > NAME_MAX || len + n + 2 > cap) {
            return -ENAMETOOLONG;
        } else if (n && !(n == 1 && path[0] == '.')) {
            buf[len++] = '/';
            memcpy(buf + len, path, n);
            len += n;
        }
        path += n + (path[n] == '/');
    }
    buf[len] = '\0';
    return 0;
}

/* --- content ---------------------------------------------------------------------------------- */

static int reserve(char **bytes, size_t *cap, size_t want)
{
    size_t new_cap = *cap ? *cap : 1024;

    if (want <= *cap)
        return 0;
    while (new_cap < want)
        new_cap *= 2;
    char *grown = eddy__resize(*bytes, *cap, new_cap);
    if (!grown)
        return -ENOMEM;
    *bytes = grown;
    *cap = new_cap;
    return 0;
}

static void set_size(struct sim_host *h, struct sim_file *f, size_t size)
{
    assert(size <= f->cap || size <= f->size);
    if (size > f->size)
        memset(f->data + f->size, 0, size - f->size);
    h->disk_used += size - f->size;
    f->size = size;
}

ssize_t eddy_sim_disk_write(struct sim *s, struct sim_host *h, struct sim_file *f, const char *ptr,
                            size_t len, size_t offset)
{
    size_t room = s->disk_bytes > h->disk_used ? s->disk_bytes - h->disk_used : 0;

    if (len == 0)
        return 0;
    if (offset + len > f->size + room) {
        /* What was removed keeps its room only as long as nobody wants it. */
        eddy_sim_disk_settle_names(h);
        room = s->disk_bytes > h->disk_used ? s->disk_bytes - h->disk_used : 0;
    }
    if (offset >= f->size + room)
        return offset > s->disk_bytes ? -EFBIG : -ENOSPC;
    if (len > f->size + room - offset)
        len = f->size + room - offset;
    if (offset + len > f->size) {
        int r = reserve(&f->data, &f->cap, offset + len);
        if (r < 0)
            return r;
        set_size(h, f, offset + len);
    }
    memcpy(f->data + offset, ptr, len);
    f->changed_ns = s->now_ns + s->wall_offset_ns;
    return (ssize_t)len;
}

static int make_safe(struct sim_file *f)
{
    int r = reserve(&f->safe, &f->safe_cap, f->size);

    if (r < 0)
        return r;
    if (f->size)
        memcpy(f->safe, f->data, f->size);
    f->safe_size = f->size;
    return 0;
}

int eddy_sim_disk_sync(struct sim_host *h, struct sim_file *f)
{
    int r = f->is_directory ? 0 : make_safe(f);

    if (r == 0)
        eddy_sim_disk_sync_names(h, f);
    return r;
}

/* --- files ------------------------------------------------------------------------------------- */

/* @path: NULL, or of a directory. It has a user, and no name. */
static struct sim_file *file_new(struct sim *s, struct sim_host *h, const char *path, unsigned mode)
{
    struct sim_file *f = eddy__zalloc(sizeof *f);

    if (!f)
        return NULL;
    f->path = path ? eddy__strdup(path) : NULL;
    if (path && !f->path) {
        eddy__free(f, sizeof *f);
        return NULL;
    }
    f->is_directory = path != NULL;
    f->mode = mode;
    f->changed_ns = s->now_ns + s->wall_offset_ns;
    f->ino = ++h->next_ino;
    f->users = 1;
    f->next = h->files;
    h->files = f;
    return f;
}

void eddy_sim_disk_drop(struct sim_host *h, struct sim_file *f)
{
    struct sim_file **at = &h->files;

    assert(f->users > 0);
    f->users--;
    if (f->users || f->names || f->kept)
        return;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    h->disk_used -= f->size;
    eddy__free(f->data, f->cap);
    eddy__free(f->safe, f->safe_cap);
    if (f->path)
        eddy__free(f->path, strlen(f->path) + 1);
    eddy__free(f, sizeof *f);
}

/* With a name of its own; one that cannot have it is no more. */
static int file_made(struct sim_host *h, const char *path, struct sim_file *f)
{
    int r = eddy_sim_disk_name(h, path, f);

    if (r < 0)
        eddy_sim_disk_drop(h, f);
    return r;
}

int eddy_sim_disk_mkdir(struct sim *s, struct sim_host *h, const char *path, unsigned mode)
{
    if (eddy_sim_disk_find(h, path) || eddy_sim_disk_is_directory(h, path))
        return -EEXIST;
    if (eddy_sim_disk_is_through_a_file(h, path))
        return -ENOTDIR;
    struct sim_file *f = file_new(s, h, path, S_IFDIR | (mode & 0777 & ~022U));
    if (!f)
        return -ENOMEM;
    int r = file_made(h, path, f);
    if (r == 0)
        eddy_sim_disk_drop(h, f);
    return r;
}

/* One that was not made, but is there because of what is in it, lives as long as it is open. */
static int open_directory(struct sim *s, struct sim_host *h, const char *path, int flags,
                          struct sim_file **ret)
{
    struct sim_file *f = eddy_sim_disk_find(h, path);

    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT))
        return flags & O_EXCL ? -EEXIST : -EISDIR;
    if (f)
        f->users++;
    else
        f = file_new(s, h, path, S_IFDIR | 0755);
    *ret = f;
    return f ? 0 : -ENOMEM;
}

int eddy_sim_disk_open(struct sim *s, struct sim_host *h, const char *path, int flags,
                       unsigned mode, struct sim_file **ret)
{
    struct sim_file *f = eddy_sim_disk_find(h, path);

    if (f && (flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (eddy_sim_disk_is_directory(h, path))
        return open_directory(s, h, path, flags, ret);
    if (f && (flags & O_DIRECTORY))
        return -ENOTDIR;
    if (!f && eddy_sim_disk_is_through_a_file(h, path))
        return -ENOTDIR;
    if (!f && (!(flags & O_CREAT) || (flags & O_DIRECTORY)))
        return -ENOENT;
    if (!f) {
        f = file_new(s, h, NULL, S_IFREG | (mode & 0777 & ~022U));
        if (!f)
            return -ENOMEM;
        int r = file_made(h, path, f);
        *ret = r < 0 ? *ret : f;
        return r;
    }
    if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) {
        set_size(h, f, 0);
        f->changed_ns = s->now_ns + s->wall_offset_ns;
    }
    f->users++;
    *ret = f;
    return 0;
}

/* --- crashes ------------------------------------------------------------------------------------ */

static void settle(struct sim *s, struct sim_host *h, struct sim_file *f)
{
    size_t most = f->size > f->safe_size ? f->size : f->safe_size;
    size_t old = f->size;

    if (reserve(&f->data, &f->cap, most) < 0)
        most = f->size < f->cap ? f->size : f->cap; /* only what needs no memory */
    if (most > f->size)
        set_size(h, f, most);
    for (size_t at = 0; at < most; at += SECTOR) {
        size_t n = most - at < SECTOR ? most - at : SECTOR;
        size_t kept = f->safe_size > at ? f->safe_size - at : 0;
        kept = kept < n ? kept : n;
        if ((kept == n || at + kept >= old) && kept &&
            memcmp(f->data + at, f->safe + at, kept) == 0)
            continue;
        if (eddy_sim_roll(s, 2))
            continue; /* it was written back in time */
        if (kept)
            memcpy(f->data + at, f->safe + at, kept);
        memset(f->data + at + kept, 0, n - kept);
    }
    if (old != f->safe_size)
        set_size(h, f, eddy_sim_roll(s, 2) || f->safe_size > most ? old : f->safe_size);
    else
        set_size(h, f, old);
}

void eddy_sim_disk_crash(struct sim *s, struct sim_host *h)
{
    eddy_sim_disk_crash_names(s, h);
    for (struct sim_file *f = h->files; f; f = f->next) {
        if (f->is_directory)
            continue;
        settle(s, h, f);
        (void)make_safe(f); /* without memory the next crash may take some more */
    }
}

void eddy_sim_disk_free(struct sim_host *h)
{
    eddy_sim_disk_free_names(h);
    while (h->files) {
        h->files->users = 1;
        eddy_sim_disk_drop(h, h->files);
    }
}
