/*
 * file/changes.c - inotify, read by a task
 *
 * The kernel knows a path by a number, and gives a number out again only when its paths run out of
 * numbers. One that was taken out is forgotten here at once, so what is still on its way from it is
 * passed over; the kernel's own last word of a path (IN_IGNORED) is told as EDDY_CHANGE_GONE.
 */
#include "base/list.h"
#include "base/memory.h"
#include "base/sys.h"
#include "file/inside.h"
#include "loop/debug.h"

#include <eddy/changes.h>
#include <eddy/poller.h>

#include <string.h>

#ifdef __linux__
#include <sys/inotify.h>

#define BUFFER 16384

struct watched {
    struct eddy_list link;
    int id;
    size_t size; /* of this struct, with the path behind it */
    char path[];
};

struct eddy_changes {
    struct eddy_list paths; /* of struct watched */
    struct watched *gone;   /* told of in the last change, freed with the next call */
    struct eddy_loop *loop;
    int fd;
    bool waiting;
    size_t at, len; /* of what is read and not told yet */
    _Alignas(struct inotify_event) char buffer[BUFFER];
};

static const struct {
    unsigned kind;
    uint32_t flags;
} kinds[] = {
    { EDDY_CHANGE_MODIFIED, IN_MODIFY },
    { EDDY_CHANGE_CLOSED, IN_CLOSE_WRITE },
    { EDDY_CHANGE_CREATED, IN_CREATE },
    { EDDY_CHANGE_REMOVED, IN_DELETE | IN_DELETE_SELF },
    { EDDY_CHANGE_RENAMED_FROM, IN_MOVED_FROM | IN_MOVE_SELF },
    { EDDY_CHANGE_RENAMED_TO, IN_MOVED_TO },
    { EDDY_CHANGE_ATTRIBUTES, IN_ATTRIB },
    { EDDY_CHANGE_LOST, IN_Q_OVERFLOW },
    { EDDY_CHANGE_GONE, IN_IGNORED },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* --- paths ------------------------------------------------------------------------------------- */

static struct watched *find(struct eddy_changes *c, int id)
{
    for (struct eddy_list *l = c->paths.next; l != &c->paths; l = l->next) {
        struct watched *w = eddy_container_of(l, struct watched, link);
        if (w->id == id)
            return w;
    }
    return NULL;
}

static void forget_gone(struct eddy_changes *c)
{
    if (c->gone)
        eddy__free(c->gone, c->gone->size);
    c->gone = NULL;
}

struct addition {
    int fd;
    const char *path;
    uint32_t flags;
};

static int add_path(void *arg)
{
    const struct addition *a = arg;

    return eddy__sys.inotify_add(a->fd, a->path, a->flags);
}

int eddy_changes_add(struct eddy_changes *c, const char *path, unsigned what, int *ret_id)
{
    struct addition a = { c->fd, path, IN_MASK_CREATE };
    size_t size = sizeof(struct watched) + strlen(path) + 1;

    int r = eddy_loop_is_parents(c->loop) ? -EDDY_EFORKED : eddy__wait_check();
    if (r < 0)
        return r;
    if (what & ~(unsigned)EDDY_CHANGE_ALL)
        return -EINVAL;
    for (size_t i = 0; i < KINDS; i++)
        if ((what ? what : EDDY_CHANGE_ALL) & kinds[i].kind)
            a.flags |= kinds[i].flags;
    struct watched *w = eddy__alloc(size);
    if (!w)
        return -ENOMEM;
    w->size = size;
    memcpy(w->path, path, size - sizeof *w);
    r = eddy_file_on_thread("watch a path", add_path, &a);
    if (r < 0) {
        eddy__free(w, size);
        return r;
    }
    w->id = r;
    eddy_list_push(&c->paths, &w->link);
    if (ret_id)
        *ret_id = r;
    return 0;
}

int eddy_changes_remove(struct eddy_changes *c, int id)
{
    struct watched *w = find(c, id);

    forget_gone(c);
    if (!w)
        return -ENOENT;
    eddy_list_remove(&w->link);
    eddy__free(w, w->size);
    (void)eddy__sys.inotify_remove(c->fd, id); /* it may be gone meanwhile */
    return 0;
}

/* --- changes ----------------------------------------------------------------------------------- */

/* The next of what is read. False: it is of nobody's interest. */
static bool take(struct eddy_changes *c, struct eddy_change *ret)
{
    const struct inotify_event *e = (const void *)(c->buffer + c->at);

    c->at += sizeof *e + e->len;
    struct watched *w = find(c, e->wd);
    if (!w && !(e->mask & IN_Q_OVERFLOW))
        return false;
    for (size_t i = 0; i < KINDS; i++) {
        if (!(e->mask & kinds[i].flags))
            continue;
        *ret = (struct eddy_change){ .what = kinds[i].kind,
                                     .id = w ? w->id : -1,
                                     .path = w ? w->path : "",
                                     .name = e->len ? e->name : "",
                                     .is_folder = e->mask & IN_ISDIR,
                                     .cookie = e->cookie };
        if (w && kinds[i].kind == EDDY_CHANGE_GONE) {
            eddy_list_remove(&w->link);
            c->gone = w;
        }
        return true;
    }
    return false; /* IN_UNMOUNT: the last word follows */
}

/* Suspends while there is nothing. */
static int read_some(struct eddy_changes *c)
{
    for (;;) {
        ssize_t n = eddy__sys.read(c->fd, c->buffer, sizeof c->buffer);
        if (n > 0) {
            c->at = 0;
            c->len = (size_t)n;
            return 0;
        }
        if (n != -EAGAIN)
            return n < 0 ? (int)n : -EIO;
        struct eddy_op op;
        eddy_op_poll(&op, c->fd, EDDY_READABLE, NULL);
        int r = eddy__op_wait(&op);
        if (r < 0)
            return r;
    }
}

int eddy_changes_next(struct eddy_changes *c, struct eddy_change *ret_change)
{
    int r = eddy_loop_is_parents(c->loop) ? -EDDY_EFORKED : eddy__wait_check();

    if (r < 0)
        return r;
    if (c->waiting)
        return -EBUSY;
    forget_gone(c);
    c->waiting = true;
    for (;;) {
        if (c->at < c->len) {
            if (take(c, ret_change))
                break;
            continue;
        }
        r = read_some(c);
        if (r < 0)
            break;
    }
    c->waiting = false;
    if (r == 0)
        eddy__budget_spend();
    return r;
}

/* --- beginning and end ------------------------------------------------------------------------- */

int eddy_changes_open(struct eddy_changes **ret_c)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!loop)
        return eddy__loop_refusal();
    int r = eddy__sim_refuse(loop, "watching paths");
    if (r < 0)
        return r;
    struct eddy_changes *c = eddy__alloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    r = eddy__sys.inotify();
    if (r < 0) {
        eddy__free(c, sizeof *c);
        return r;
    }
    eddy_list_init(&c->paths);
    c->gone = NULL;
    c->loop = loop;
    c->fd = r;
    c->waiting = false;
    c->at = c->len = 0;
    eddy__debug_born(loop, c, "a watch of paths");
    *ret_c = c;
    return 0;
}

void eddy_changes_free(struct eddy_changes *c)
{
    if (!c)
        return;
    assert(!c->waiting && "a task waits for changes");
    eddy__debug_gone(c->loop, c);
    forget_gone(c);
    while (!eddy_list_is_empty(&c->paths)) {
        struct watched *w = eddy_container_of(eddy_list_shift(&c->paths), struct watched, link);
        eddy__free(w, w->size);
    }
    eddy__sys.close(c->fd);
    eddy__free(c, sizeof *c);
}

#else /* kqueue(2) could tell of single files: not written yet, for want of a machine to try it */

int eddy_changes_open(struct eddy_changes **ret_c)
{
    (void)ret_c;
    return -EOPNOTSUPP;
}

void eddy_changes_free(struct eddy_changes *c)
{
    (void)c;
}

int eddy_changes_add(struct eddy_changes *c, const char *path, unsigned what, int *ret_id)
{
    (void)c, (void)path, (void)what, (void)ret_id;
    return -EOPNOTSUPP;
}

int eddy_changes_remove(struct eddy_changes *c, int id)
{
    (void)c, (void)id;
    return -EOPNOTSUPP;
}

int eddy_changes_next(struct eddy_changes *c, struct eddy_change *ret_change)
{
    (void)c, (void)ret_change;
    return -EOPNOTSUPP;
}
#endif
