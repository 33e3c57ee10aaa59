/*
 * task/future_debug.c - futures that nobody set, awaited or freed, told in debug
 *
 * A future may end on any thread, after the loop it was made on: so those that a loop in debug makes
 * stand in a list of their own, under a lock, and each knows by its site where it was made.
 */
#include "task/future.h"

#include <eddy/log.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct eddy_list all; /* zero before the first one */

void eddy_future_noted(struct eddy_future *f, struct eddy_loop *loop)
{
    f->debug = loop;
    pthread_mutex_lock(&lock);
    if (!all.next)
        eddy_list_init(&all);
    eddy_list_push(&all, &f->noted);
    pthread_mutex_unlock(&lock);
}

static void tell(const struct eddy_future *f, const char *mistake)
{
    eddy_log(EDDY_LOG_WARNING, "a future was never %s; made at %s:%d", mistake,
             f->site.file ? f->site.file : "the library", f->site.line);
}

/* That it was set and nobody looked says no more of one that was not set. */
static const char *mistake(const struct eddy_future *f)
{
    if (!atomic_load(&f->done))
        return "set";
    return atomic_load(&f->awaited) ? NULL : "awaited";
}

void eddy_future_forgotten(struct eddy_future *f)
{
    const char *what = mistake(f);

    if (eddy_forked_since(f->forks))
        return; /* the lock may be another thread's of the parent */
    pthread_mutex_lock(&lock);
    bool told = eddy_list_is_empty(&f->noted); /* at its loop's end */
    eddy_list_remove(&f->noted);
    pthread_mutex_unlock(&lock);
    if (what && !told)
        tell(f, what);
}

void eddy_futures_left(struct eddy_loop *loop)
{
    struct eddy_list *link, *next;

    if (!loop->debug)
        return;
    pthread_mutex_lock(&lock);
    for (link = all.next; link && link != &all; link = next) {
        struct eddy_future *f = eddy_container_of(link, struct eddy_future, noted);
        next = link->next;
        if (f->debug != loop)
            continue;
        const char *what = mistake(f);
        tell(f, what ? what : "freed");
        eddy_list_remove(link);
    }
    pthread_mutex_unlock(&lock);
}
