/*
 * file/lock.c - advisory locks of an open file
 *
 * They belong to the open file (F_OFD_SETLK), so they exclude within a process, too, and closing some
 * other open of the same file drops none. The kernel wakes only threads that sleep in F_OFD_SETLKW, of
 * which one cannot be called back; so who waits asks again, less and less often.
 */
#include "base/sys.h"
#include "file/inside.h"

#include <eddy/task.h>

#include <unistd.h>

#define AGAIN_MS 64 /* at most between two tries */

struct
try {
    int fd;
    struct flock lock;
};

static int do_lock(void *arg)
{
    struct try *t = arg;

    int r = eddy__sys.lock(t->fd, &t->lock);
    return r == -EAGAIN || r == -EACCES ? -EBUSY : r; /* POSIX lets it say either */
}

static int try_of(const struct eddy_file *f, const struct eddy_lock_options *options, short type,
                  struct try *ret)
{
    const struct eddy_lock_options none = { .size = sizeof none };
    const struct eddy_lock_options *o = options ? options : &none;

    *ret = (struct try){ .fd = f->fd,
                         .lock = { .l_type = o->shared && type == F_WRLCK ? F_RDLCK : type,
                                   .l_whence = SEEK_SET,
                                   .l_start = o->offset,
                                   .l_len = o->len } };
    return o->offset < 0 || o->len < 0 ? -EINVAL : 0;
}

int eddy_file_try_lock(struct eddy_file *f, const struct eddy_lock_options *options)
{
    struct try t;

    int r = eddy_file_check(f);
    if (r == 0)
        r = try_of(f, options, F_WRLCK, &t);
    return r < 0 ? r : eddy_file_on_thread("locks of files", do_lock, &t);
}

int eddy_file_lock(struct eddy_file *f, const struct eddy_lock_options *options)
{
    for (int64_t ms = 1;; ms = ms < AGAIN_MS ? ms * 2 : AGAIN_MS) {
        int r = eddy_file_try_lock(f, options);
        if (r != -EBUSY)
            return r;
        r = eddy_sleep(ms);
        if (r < 0)
            return r;
    }
}

int eddy_file_unlock(struct eddy_file *f, const struct eddy_lock_options *options)
{
    struct try t;

    if (eddy_loop_is_parents(f->loop))
        return -EDDY_EFORKED;
    int r = try_of(f, options, F_UNLCK, &t);
    return r < 0 ? r : eddy_file_on_thread_steadily("locks of files", do_lock, &t);
}
