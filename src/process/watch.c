/*
 * process/watch.c - the end of a process: noticed, reaped, and told to who waits
 *
 * It is reaped as soon as it has ended, whether anybody waits or not. What tells of the end, a pidfd
 * or SIGCHLD, only says when to look. Where there is neither (no pidfd, and another loop has the
 * signal) the look is taken at times, so that nothing of this can fail once the process runs.
 */
#include "process/process.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"

#include <eddy/poller.h>

#include <sys/wait.h>

#define LOOK_NS 20000000 /* 20 ms */

static void watch_by_signal(struct eddy_process *p);

struct eddy_process_room *process_room(struct eddy_loop *loop)
{
    struct eddy_process_room *room = loop->slot[EDDY_SLOT_PROCESS];

    if (room)
        return room;
    room = eddy__alloc(sizeof *room);
    if (!room)
        return NULL;
    eddy_list_init(&room->live);
    loop->slot[EDDY_SLOT_PROCESS] = room;
    loop->slot_free[EDDY_SLOT_PROCESS] = process_room_free;
    return room;
}

/* --- reaping ------------------------------------------------------------------------------------------ */

static int64_t in_ns(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

static void note(struct eddy_process_status *s, int raw, const struct rusage *usage)
{
    *s = (struct eddy_process_status){ .raw = raw,
                                       .code = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1,
                                       .signo = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0,
                                       .core_dumped = WIFSIGNALED(raw) && WCOREDUMP(raw),
                                       .user_ns = in_ns(usage->ru_utime),
                                       .system_ns = in_ns(usage->ru_stime),
                                       .max_rss = (int64_t)usage->ru_maxrss * 1024 };
}

struct waiter {
    struct eddy_wait wait; /* first */
    struct eddy_list link;
    bool until_over;
};

/* Those whose time has come: all when it is over, else who only wants its status. */
void process_tell(struct eddy_process *p)
{
    struct eddy_list *next;

    for (struct eddy_list *l = p->waiters.next; l != &p->waiters; l = next) {
        struct waiter *w = eddy_container_of(l, struct waiter, link);
        next = l->next;
        if (w->until_over && !p->over)
            continue;
        eddy_list_remove(l);
        eddy__wake(&w->wait, p->result);
    }
}

void process_reaped(struct eddy_process *p, int result)
{
    assert(p->result == RUNS);
    p->result = result;
    (void)eddy__signal_unhear(&p->hearer);
    eddy__timer_stop(p->loop, &p->look);
    process_ended(p);
    if (!p->orphan)
        process_tell(p);
    else if (p->over)
        process_dispose(p);
}

bool process_look(struct eddy_process *p, bool wait)
{
    struct rusage usage = { .ru_maxrss = 0 };
    int raw = 0;

    int r = eddy__sys.reap(p->pid, p->pidfd, wait, &raw, &usage);
    if (r == 0)
        return false;
    if (r > 0)
        note(&p->status, raw, &usage);
    process_reaped(p, r > 0 ? 0 : -ECHILD);
    return true;
}

/* --- hearing of it ------------------------------------------------------------------------------------- */

static void time_to_look(struct eddy_timer *t)
{
    struct eddy_process *p = eddy_container_of(t, struct eddy_process, look);

    if (!process_look(p, false))
        eddy__timer_start(p->loop, t, eddy_loop_clock(p->loop) + LOOK_NS, time_to_look);
}

static void some_child_changed(struct eddy_hearer *h)
{
    process_look(eddy_container_of(h, struct eddy_process, hearer), false);
}

static void descriptor_told(struct eddy_op *op, int res)
{
    struct eddy_process *p = eddy_container_of(op, struct eddy_process, watch);

    if (p->over) { /* the loop is ending */
        if (p->orphan)
            process_dispose(p);
        return;
    }
    if (process_look(p, false))
        return;
    if (res < 0) /* of the poller: not what was asked for */
        watch_by_signal(p);
    else
        process_watch(p);
}

static void watch_by_signal(struct eddy_process *p)
{
    p->hearer = (struct eddy_hearer){ .fn = some_child_changed };
    if (eddy__signal_hear(p->loop, SIGCHLD, &p->hearer) < 0) {
        p->hearer.loop = NULL;
        time_to_look(&p->look);
    } else {
        process_look(p, false); /* it may have ended before we heard */
    }
}

void process_watch(struct eddy_process *p)
{
    if (p->pidfd >= 0) {
        eddy_op_poll(&p->watch, p->pidfd, EDDY_READABLE, descriptor_told);
        if (!eddy__op_submit(p->loop, &p->watch) || (p->watch.res >= 0 && process_look(p, false)))
            return;
    }
    watch_by_signal(p);
}

void process_unwatch(struct eddy_process *p)
{
    if (p->watch.pending)
        eddy__op_cancel(p->loop, &p->watch);
    (void)eddy__signal_unhear(&p->hearer);
    eddy__timer_stop(p->loop, &p->look);
    eddy__timer_stop(p->loop, &p->grace);
}

/* --- waiting ---------------------------------------------------------------------------------------------- */

static void wait_interrupted(struct eddy_wait *w, int why)
{
    eddy_list_remove(&((struct waiter *)(void *)w)->link);
    eddy__wake(w, why);
}

int process_wait(struct eddy_process *p, bool until_over)
{
    struct waiter w = { .wait = EDDY_WAIT(until_over ? NULL : wait_interrupted, "process"),
                        .until_over = until_over };

    p->waited = true;
    if (p->over || (p->result != RUNS && !until_over))
        return p->result;
    eddy_list_init(&w.link);
    eddy_list_push(&p->waiters, &w.link);
    w.wait.fd = p->pidfd;
    return eddy__wait(&w.wait);
}

int eddy_process_wait(struct eddy_process *p, struct eddy_process_status *ret_status)
{
    int r = p->loop && eddy_loop_is_parents(p->loop) ? -EDDY_EFORKED : eddy__wait_check();

    if (r == 0)
        r = process_wait(p, false);
    if (r == 0 && ret_status)
        *ret_status = p->status;
    return r;
}

int eddy_process_stop(struct eddy_process *p, struct eddy_process_status *ret_status)
{
    if (p->loop && eddy_loop_is_parents(p->loop))
        return -EDDY_EFORKED;
    process_end(p);
    int r = eddy__wait_check();
    if (r == -EDEADLK || r == -ENOMEM)
        return r;
    r = process_wait(p, true);
    if (r == 0 && ret_status)
        *ret_status = p->status;
    return r;
}
