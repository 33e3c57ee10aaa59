/*
 * loop/file_op.h - operations on files: what may wait for a disk
 *
 * A struct of their own around struct eddy_op, because connections should not carry the room for
 * it. Everything op.h says holds. On io_uring they are entries of the ring; under the ready driver
 * they go to the pool (loop/pool.h), whose work is embedded here; the simulator has a disk.
 *
 * READ and WRITE take pipes, terminals and sockets, too, blocking or not, and never change which: they
 * ignore the offset, wait for readiness, and a write without readers is -EPIPE and no signal. READ and
 * WRITE may move less than was asked for, of files as well. Cancelled, they have moved nothing, or
 * res says how much. OPEN waits as open(2) does (a FIFO for its other end); whoever cancels one never
 * gets a descriptor. CLOSE is not of these: the ring hands to a thread of the kernel's what has to
 * be flushed at its close (network file systems), the ready driver closes on the spot, so FSYNC first
 * where a close may be slow.
 *
 * RENAME, UNLINK, MKDIR, LINK and SYMLINK change names. Cancelled, they have done nothing, or are done
 * and say 0. Where the ring has no entries for them they go to the pool there, too. The simulator's
 * disk has no symbolic links.
 */
#ifndef EDDY_LOOP_FILE_OP_H
#define EDDY_LOOP_FILE_OP_H

#include "loop/op.h"
#include "loop/pool.h"

struct eddy_file_op {
    struct eddy_op op; /* first */
    const char *path;  /* from op.fd or AT_FDCWD; stays valid until completion. SYMLINK: the text */
    const char *to;    /* RENAME, LINK: from to_dir; SYMLINK: the link, from op.fd */
    int to_dir;        /* RENAME, LINK */
    void *ptr;         /* READ, WRITE: the bytes; STAT: struct statx, filled */
    size_t len;        /* READ, WRITE */
    int64_t offset;    /* READ, WRITE: in the file; -1: where the descriptor stands */
    int flags;         /* OPEN: open(2)'s, O_CLOEXEC is added; STAT: AT_SYMLINK_NOFOLLOW, ...;
                            * RENAME: RENAME_NOREPLACE, ...; UNLINK: AT_REMOVEDIR */
    unsigned mode;     /* OPEN, MKDIR */
    bool data_only;    /* FSYNC: fdatasync(2) */
    bool
        direct; /* READ, WRITE, set after the initialiser: opened with O_DIRECT, where a call that is
                  * told not to wait waits for the disk all the same */
    struct eddy_work work; /* the driver's */
};

static inline struct eddy_file_op *eddy_file_op_of(struct eddy_op *op)
{
    assert(eddy_op_is_file(op));
    return (struct eddy_file_op *)(void *)op;
}

static inline void eddy_op_open(struct eddy_file_op *f, int dir, const char *path, int flags,
                                unsigned mode, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_OPEN, .fd = dir, .done = done },
                                .path = path,
                                .flags = flags,
                                .mode = mode };
}

static inline void eddy_op_read(struct eddy_file_op *f, int fd, void *ptr, size_t len,
                                int64_t offset, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_READ, .fd = fd, .done = done },
                                .ptr = ptr,
                                .len = len,
                                .offset = offset };
}

static inline void eddy_op_write(struct eddy_file_op *f, int fd, const void *ptr, size_t len,
                                 int64_t offset, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_WRITE, .fd = fd, .done = done },
                                .ptr = (void *)(uintptr_t)ptr,
                                .len = len,
                                .offset = offset };
}

static inline void eddy_op_fsync(struct eddy_file_op *f, int fd, bool data_only, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_FSYNC, .fd = fd, .done = done },
                                .data_only = data_only };
}

static inline void eddy_op_stat(struct eddy_file_op *f, int dir, const char *path, int flags,
                                void *statx, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_STAT, .fd = dir, .done = done },
                                .path = path,
                                .flags = flags,
                                .ptr = statx };
}

static inline void eddy_op_rename(struct eddy_file_op *f, int from_dir, const char *from,
                                  int to_dir, const char *to, unsigned flags, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_RENAME, .fd = from_dir, .done = done },
                                .path = from,
                                .to_dir = to_dir,
                                .to = to,
                                .flags = (int)flags };
}

static inline void eddy_op_unlink(struct eddy_file_op *f, int dir, const char *path, int flags,
                                  eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_UNLINK, .fd = dir, .done = done },
                                .path = path,
                                .flags = flags };
}

static inline void eddy_op_mkdir(struct eddy_file_op *f, int dir, const char *path, unsigned mode,
                                 eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_MKDIR, .fd = dir, .done = done },
                                .path = path,
                                .mode = mode };
}

static inline void eddy_op_link(struct eddy_file_op *f, int from_dir, const char *from, int to_dir,
                                const char *to, int flags, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_LINK, .fd = from_dir, .done = done },
                                .path = from,
                                .to_dir = to_dir,
                                .to = to,
                                .flags = flags };
}

static inline void eddy_op_symlink(struct eddy_file_op *f, const char *target, int dir,
                                   const char *path, eddy_op_fn *done)
{
    *f = (struct eddy_file_op){ .op = { .kind = EDDY_OP_SYMLINK, .fd = dir, .done = done },
                                .path = target,
                                .to = path };
}

/* It changes names: what a ring may have no entry for. */
static inline bool eddy_op_is_naming(const struct eddy_op *op)
{
    return op->kind >= EDDY_OP_RENAME && op->kind <= EDDY_OP_SYMLINK;
}

/* ready_file.c: the plain, blocking call behind any of these but READ and WRITE; for threads. */
int eddy_file_op_call(const struct eddy_file_op *f);

#endif
