/*
 * file/directory.c - what is in a folder, in batches of what getdents64(2) gives
 *
 * A batch is read and judged on a thread: "." and ".." are left out, and where the file system tells no
 * type (DT_UNKNOWN) the file is asked. Sorted, all batches are read at the open, into one row of
 * entries and one of their names.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "file/inside.h"
#include "loop/debug.h"

#include <eddy/buffer.h>
#include <eddy/directory.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH ((size_t)32 << 10)
#define SORTED_BYTES ((size_t)64 << 20)

struct listed {
    size_t name; /* its place among the names */
    uint64_t inode;
    enum eddy_file_type type;
};

struct eddy_directory {
    struct eddy_loop *loop;
    int fd;
    bool is_busy;
    bool over;
    size_t at, len;                 /* in the batch */
    struct eddy_buffer names, list; /* sorted: all of them */
    size_t next;                    /* in the list */
    char batch[BATCH] __attribute__((aligned(8)));
};

static enum eddy_file_type type_of(unsigned char type)
{
    switch (type) {
    case DT_REG: return EDDY_FILE_REGULAR;
    case DT_DIR: return EDDY_FILE_DIRECTORY;
    case DT_LNK: return EDDY_FILE_LINK;
    case DT_FIFO: return EDDY_FILE_FIFO;
    case DT_SOCK: return EDDY_FILE_SOCKET;
    case DT_CHR: return EDDY_FILE_CHARACTER;
    case DT_BLK: return EDDY_FILE_BLOCK;
    default: return EDDY_FILE_OTHER;
    }
}

/* The next entry in the batch that is to be told; NULL: there is none left. */
static struct dirent64 *next_in_batch(struct eddy_directory *d)
{
    while (d->at < d->len) {
        struct dirent64 *e = (struct dirent64 *)(void *)(d->batch + d->at);

        d->at += e->d_reclen;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            return e;
    }
    return NULL;
}

static void ask_types(struct eddy_directory *d)
{
    struct dirent64 *e;

    while ((e = next_in_batch(d))) {
        struct statx about;

        if (e->d_type == DT_UNKNOWN &&
            eddy__sys.stat(d->fd, e->d_name, AT_SYMLINK_NOFOLLOW, &about) == 0)
            e->d_type = (unsigned char)IFTODT(about.stx_mode);
    }
    d->at = 0;
}

static int do_batch(void *arg)
{
    struct eddy_directory *d = arg;

    ssize_t n = eddy__sys.getdents(d->fd, d->batch, sizeof d->batch);
    if (n < 0)
        return (int)n;
    d->at = 0;
    d->len = (size_t)n;
    d->over = n == 0;
    ask_types(d);
    return 0;
}

static int read_batch(struct eddy_directory *d)
{
    return eddy_file_on_thread("reading folders", do_batch, d);
}

/* --- sorted ----------------------------------------------------------------------------------------- */

static int list_batch(struct eddy_directory *d)
{
    struct dirent64 *e;

    while ((e = next_in_batch(d))) {
        const struct listed one = { d->names.end, e->d_ino, type_of(e->d_type) };
        const size_t len = strlen(e->d_name) + 1;

        if (d->list.end + sizeof one + d->names.end + len > d->list.max)
            return -EDDY_ETOOBIG;
        int r = eddy_buffer_append(&d->list, &one, sizeof one);
        if (r == 0)
            r = eddy_buffer_append(&d->names, e->d_name, len);
        if (r < 0)
            return r;
    }
    return 0;
}

static int by_name(const void *a, const void *b, void *names)
{
    const struct listed *x = a, *y = b;

    return strcmp((const char *)names + x->name, (const char *)names + y->name);
}

static int do_sort(void *arg)
{
    struct eddy_directory *d = arg;

    if (d->list.end)
        qsort_r(d->list.ptr, d->list.end / sizeof(struct listed), sizeof(struct listed), by_name,
                d->names.ptr);
    return 0;
}

static int read_sorted(struct eddy_directory *d, size_t max_bytes)
{
    int r = 0;

    d->list = EDDY_BUFFER(max_bytes);
    d->names = EDDY_BUFFER(max_bytes);
    while (r == 0 && !d->over) {
        r = read_batch(d);
        if (r == 0)
            r = list_batch(d);
    }
    return r < 0 ? r : eddy_file_on_thread("reading folders", do_sort, d);
}

static int next_sorted(struct eddy_directory *d, struct eddy_directory_entry *ret)
{
    const struct listed *list = (const struct listed *)(const void *)d->list.ptr;

    if (d->next == d->list.end / sizeof *list)
        return 0;
    const struct listed *one = &list[d->next++];
    *ret = (struct eddy_directory_entry){ d->names.ptr + one->name, one->type, one->inode };
    return 1;
}

/* --- calls ------------------------------------------------------------------------------------------- */

static int open_it(const char *path, const struct eddy_directory_options *o,
                   struct eddy_directory **ret)
{
    struct eddy_file_op op;

    int r = eddy__sim_refuse(eddy__loop(), "reading folders");
    if (r < 0)
        return r;
    struct eddy_directory *d = eddy__alloc(sizeof *d);
    if (!d)
        return -ENOMEM;
    memset(d, 0, offsetof(struct eddy_directory, batch));
    eddy_op_open(&op, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, NULL);
    d->fd = eddy__op_wait(&op.op);
    if (d->fd < 0) {
        r = d->fd;
        eddy__free(d, sizeof *d);
        return r;
    }
    d->loop = eddy__loop();
    if (o->sorted)
        r = read_sorted(d, o->max_bytes ? o->max_bytes : SORTED_BYTES);
    if (r < 0)
        eddy_directory_free(d);
    else
        *ret = d;
    return r;
}

int eddy_directory_open(const char *path, const struct eddy_directory_options *options,
                        struct eddy_directory **ret_d)
{
    struct eddy_directory_options o = { .size = sizeof o };

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    r = open_it(path, &o, ret_d);
    if (r < 0)
        return eddy_file_explain(o.error, r, "reading the folder", path, "");
    eddy__debug_born((*ret_d)->loop, *ret_d, "a folder");
    return 0;
}

int eddy_directory_next(struct eddy_directory *d, struct eddy_directory_entry *ret_entry)
{
    struct dirent64 *e;

    int r = eddy_loop_is_parents(d->loop) ? -EDDY_EFORKED : eddy__wait_check();
    if (r < 0)
        return r;
    if (d->is_busy)
        return -EBUSY;
    if (d->list.max)
        return next_sorted(d, ret_entry);
    while (!(e = next_in_batch(d))) {
        if (d->over)
            return 0;
        d->is_busy = true;
        r = read_batch(d);
        d->is_busy = false;
        if (r < 0)
            return r;
    }
    *ret_entry = (struct eddy_directory_entry){ e->d_name, type_of(e->d_type), e->d_ino };
    return 1;
}

void eddy_directory_free(struct eddy_directory *d)
{
    if (!d)
        return;
    eddy__debug_gone(d->loop, d);
    eddy__sys.close(d->fd); /* of a folder nothing is to be flushed */
    eddy_buffer_done(&d->names);
    eddy_buffer_done(&d->list);
    eddy__free(d, sizeof *d);
}
