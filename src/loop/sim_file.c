/*
 * loop/sim_file.c - operations on simulated files
 *
 * Each is an errand: what it does, it does when its time comes, so the dice decide the order of
 * those that are under way together. It works on the host of the descriptor, or of the task.
 */
#include "loop/file_op.h"
#include "loop/sim.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int64_t delay_of(struct sim *s, const struct eddy_op *op, int host)
{
    const struct eddy_sim_fault *rule = eddy_sim_rule(s, EDDY_SIM_LATENCY, host, host, 0);

    if (rule)
        return eddy_sim_delay(s, rule);
    /* A disk's cache answers in 10 to 80 us, the disk itself in 0.5 to 4 ms. */
    int64_t unit_ns = op->kind == EDDY_OP_FSYNC ? 500000 : 10000;
    return unit_ns * (int64_t)(1 + eddy_sim_roll(s, 8));
}

/* The descriptor's file; with @dir, AT_FDCWD is allowed and is NULL. */
static int slot_of(struct sim *s, int fd, bool dir, struct sim_slot **ret)
{
    struct sim_slot *slot = eddy_sim_slot(s, fd);

    *ret = slot;
    if (dir && fd == AT_FDCWD)
        return 0;
    if (!slot)
        return eddy_sim_not_ours(s, fd);
    if (slot->type != SIM_FILE)
        return dir ? -ENOTDIR : -ESPIPE;
    if (slot->reset)
        return -EIO;
    return 0;
}

bool eddy_sim_file_submit(struct sim *s, struct eddy_op *op)
{
    const char *path = eddy_file_op_of(op)->path;
    bool by_path = op->kind == EDDY_OP_OPEN || eddy_op_is_naming(op) ||
                   (op->kind == EDDY_OP_STAT && *path);
    struct sim_slot *of = NULL;

    op->more = op->pending = false;
    if (op->kind == EDDY_OP_SYMLINK) {
        op->res = eddy_sim_refused(s, "symbolic links");
        return true;
    }
    op->res = by_path && *path == '/' ? 0 : slot_of(s, op->fd, by_path, &of);
    if (op->res < 0)
        return true;
    int host = of ? of->host : eddy_sim_host_here(s);
    if (!eddy_sim_errand(s, op, delay_of(s, op, host)))
        return true;
    struct sim_slot *errand = eddy_sim_errand_of(s, op);
    errand->host = (uint16_t)host;
    if (of) {
        errand->file = of->file; /* lives on though its descriptor be closed by a crash */
        errand->file->users++;
    }
    return false;
}

/* --- when the time has come -------------------------------------------------------------------- */

static int path_of(const struct sim_slot *errand, const struct eddy_file_op *f, char buf[PATH_MAX])
{
    if (errand->file && !errand->file->is_directory)
        return -ENOTDIR;
    return eddy_sim_disk_path(errand->file ? errand->file->path : "", f->path, buf, PATH_MAX);
}

static int do_open(struct sim *s, struct sim_slot *errand, const struct eddy_file_op *f)
{
    struct sim_host *h = s->hosts[errand->host];
    char path[PATH_MAX];
    struct sim_slot *slot = NULL;
    struct sim_file *file = NULL;

    int r = path_of(errand, f, path);
    if (r == 0)
        r = eddy_sim_slot_new(s, SIM_FILE, &slot);
    if (r < 0)
        return r;
    assert(slot);
    r = eddy_sim_disk_open(s, h, path, f->flags, f->mode, &file);
    if (r < 0) {
        eddy_sim_slot_free(s, slot);
        return r;
    }
    slot->host = errand->host;
    slot->file = file;
    slot->flags = f->flags;
    return eddy_sim_fd(slot);
}

/* A disk moves all it is asked for, unless a row, or a test, says less. */
static size_t some_of(struct sim *s, int host, size_t len)
{
    bool is_short = s->short_io || eddy_sim_rule(s, EDDY_SIM_SHORT, host, host, 0);
    size_t few = is_short ? 1 + eddy_sim_roll(s, 3) : len;

    return few < len ? few : len;
}

static int do_read(struct sim *s, const struct sim_file *file, const struct sim_slot *errand,
                   const struct eddy_file_op *f, size_t offset)
{
    if (file->is_directory)
        return -EISDIR;
    size_t len = f->len < INT_MAX ? f->len : INT_MAX;
    size_t left = offset < file->size ? file->size - offset : 0;
    len = some_of(s, errand->host, len < left ? len : left);
    if (len)
        memcpy(f->ptr, file->data + offset, len);
    return (int)len;
}

static int do_write(struct sim *s, struct sim_file *file, const struct sim_slot *errand,
                    const struct eddy_file_op *f, size_t offset)
{
    size_t len = f->len < INT_MAX ? f->len : INT_MAX;

    len = some_of(s, errand->host, len);
    return (int)eddy_sim_disk_write(s, s->hosts[errand->host], file, f->ptr, len, offset);
}

static int do_bytes(struct sim *s, struct sim_slot *errand, struct eddy_file_op *f)
{
    struct sim_slot *slot = eddy_sim_slot(s, f->op.fd);
    bool is_write = f->op.kind == EDDY_OP_WRITE;

    assert(slot && slot->file == errand->file);
    if ((slot->flags & O_ACCMODE) == (is_write ? O_RDONLY : O_WRONLY))
        return -EBADF;
    if (f->offset < -1)
        return -EINVAL;
    size_t offset = (size_t)(f->offset < 0 ? slot->position : f->offset);
    if (is_write && (slot->flags & O_APPEND))
        offset = errand->file->size; /* pwrite(2), BUGS: wherever it was told to */
    int r = is_write ? do_write(s, errand->file, errand, f, offset)
                     : do_read(s, errand->file, errand, f, offset);
    if (r > 0 && f->offset < 0)
        slot->position = (int64_t)offset + r;
    return r;
}

static void set_time(struct statx_timestamp *to, int64_t ns)
{
    to->tv_sec = ns / 1000000000;
    to->tv_nsec = (uint32_t)(ns % 1000000000);
}

static int do_stat(struct sim *s, struct sim_slot *errand, const struct eddy_file_op *f)
{
    struct sim_host *h = s->hosts[errand->host];
    const struct sim_file *file = errand->file;
    struct statx *x = f->ptr;
    char path[PATH_MAX];

    if (*f->path) {
        int r = path_of(errand, f, path);
        if (r < 0)
            return r;
        file = eddy_sim_disk_find(h, path);
        if (!file && !eddy_sim_disk_is_directory(h, path))
            return eddy_sim_disk_is_through_a_file(h, path) ? -ENOTDIR : -ENOENT;
    }
    memset(x, 0, sizeof *x);
    x->stx_mask = STATX_BASIC_STATS;
    x->stx_blksize = 4096;
    x->stx_nlink = file && !file->is_directory ? file->names : 1;
    x->stx_mode = (uint16_t)(file ? file->mode : S_IFDIR | 0755);
    if (!file)
        return 0;
    x->stx_ino = file->ino;
    x->stx_size = file->size;
    x->stx_blocks = (file->size + 511) / 512;
    set_time(&x->stx_mtime, file->changed_ns);
    set_time(&x->stx_ctime, file->changed_ns);
    set_time(&x->stx_atime, file->changed_ns);
    return 0;
}

/* --- names ------------------------------------------------------------------------------------------ */

/* The other path of a RENAME or a LINK: in its own directory, on the same disk. */
static int other_path(struct sim *s, const struct sim_slot *errand, const struct eddy_file_op *f,
                      char buf[PATH_MAX])
{
    struct sim_slot *of = NULL;

    if (*f->to != '/') {
        int r = slot_of(s, f->to_dir, true, &of);
        if (r < 0)
            return r;
    }
    if (of && (!of->file || !of->file->is_directory))
        return -ENOTDIR;
    if (of && of->host != errand->host)
        return -EXDEV;
    return eddy_sim_disk_path(of ? of->file->path : "", f->to, buf, PATH_MAX);
}

static int do_name(struct sim *s, struct sim_slot *errand, const struct eddy_file_op *f)
{
    struct sim_host *h = s->hosts[errand->host];
    char path[PATH_MAX], to[PATH_MAX];

    int r = path_of(errand, f, path);
    if (r == 0 && (f->op.kind == EDDY_OP_RENAME || f->op.kind == EDDY_OP_LINK))
        r = other_path(s, errand, f, to);
    if (r < 0)
        return r;
    switch (f->op.kind) {
    case EDDY_OP_UNLINK: return eddy_sim_disk_unlink(h, path, f->flags & AT_REMOVEDIR);
    case EDDY_OP_MKDIR: return eddy_sim_disk_mkdir(s, h, path, f->mode);
    case EDDY_OP_LINK: return eddy_sim_disk_link(h, path, to);
    default: break;
    }
    if (f->flags & ~RENAME_NOREPLACE)
        return eddy_sim_refused(s, "names that change places");
    return eddy_sim_disk_rename(h, path, to, f->flags & RENAME_NOREPLACE);
}

int eddy_sim_file_do(struct sim *s, struct sim_slot *errand, struct eddy_op *op)
{
    struct eddy_file_op *f = eddy_file_op_of(op);
    const bool touches = op->kind != EDDY_OP_OPEN && op->kind != EDDY_OP_STAT;
    const struct eddy_sim_fault *rule = touches ? eddy_sim_rule(s, EDDY_SIM_DISK, errand->host,
                                                                errand->host, 0)
                                                : NULL;

    if (errand->reset || s->hosts[errand->host]->down)
        return -EIO;
    if (rule)
        return rule->error;
    switch (op->kind) {
    case EDDY_OP_OPEN: return do_open(s, errand, f);
    case EDDY_OP_FSYNC: return eddy_sim_disk_sync(s->hosts[errand->host], errand->file);
    case EDDY_OP_STAT: return do_stat(s, errand, f);
    case EDDY_OP_RENAME:
    case EDDY_OP_UNLINK:
    case EDDY_OP_MKDIR:
    case EDDY_OP_LINK: return do_name(s, errand, f);
    default: return do_bytes(s, errand, f);
    }
}
