/*
 * process/end.c - the end of a process, asked for: signals, grace, scopes, the loop's end
 *
 *   NOT_ASKED -> ASKED   SIGTERM to the group; the grace's timer runs
 *   ASKED -> KILLED      at its end SIGKILL
 *
 * The process is ours to reap and so tells of its end. The others of its group are not: whether any
 * of them is left is looked at a few times a second, until the grace is over and they are killed.
 * A group is reached by the pidfd of its leader (Linux 6.9), which holds its number for it; before
 * that by number, and only while the leader has not been reaped: later it may be another's.
 */
#include "process/process.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"

#include <eddy/log.h>
#include <eddy/stream.h>

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#define GROUP_LOOK_NS 5000000 /* 5 ms */

/* --- signals ------------------------------------------------------------------------------------------- */

static int send_to_group(const struct eddy_process *p, int signo)
{
    int r = p->pidfd >= 0 ? eddy__sys.pidfd_signal(p->pidfd, signo, true) : -ENOSYS;

    if (r != -EINVAL && r != -ENOSYS)
        return r;
    return p->result == RUNS ? eddy__sys.kill(-p->pid, signo) : -ESRCH;
}

int process_send(const struct eddy_process *p, int signo, bool group)
{
    if (group && p->has_group)
        return send_to_group(p, signo);
    if (p->result != RUNS)
        return -ESRCH;
    int r = p->pidfd >= 0 ? eddy__sys.pidfd_signal(p->pidfd, signo, false) : -ENOSYS;
    return r == -ENOSYS ? eddy__sys.kill(p->pid, signo) : r;
}

int eddy_process_signal(struct eddy_process *p, int signo)
{
    if (p->loop && eddy_loop_is_parents(p->loop))
        return -EDDY_EFORKED;
    return process_send(p, signo, false);
}

int eddy_process_kill_group(struct eddy_process *p, int signo)
{
    if (p->loop && eddy_loop_is_parents(p->loop))
        return -EDDY_EFORKED;
    return p->has_group ? process_send(p, signo, true) : -EINVAL;
}

int eddy_process_resize(struct eddy_process *p, unsigned short rows, unsigned short cols)
{
    struct winsize size = { .ws_row = rows, .ws_col = cols };
    int fd = -1;

    if (p->loop && eddy_loop_is_parents(p->loop))
        return -EDDY_EFORKED;
    if (!p->has_terminal || !p->streams[1])
        return -ENOTTY;
    if (!rows || !cols)
        return -EINVAL;
    /* A stream that a cancelled write has broken gave its descriptor back: it may be another's. */
    if (eddy_stream_info(p->streams[1], EDDY_INFO_FD, &fd) < 0 || fd < 0)
        return -ENOTTY;
    return eddy__sys.set_window_size(fd, &size);
}

/* --- the end ---------------------------------------------------------------------------------------------- */

void process_over(struct eddy_process *p)
{
    p->over = true;
    eddy__timer_stop(p->loop, &p->grace);
    eddy_list_remove(&p->link);
    eddy__ward_leave(&p->ward);
}

/* One that has become another user's cannot be ended, and nobody waits until it ends by itself:
 * false. */
static bool kill_now(struct eddy_process *p)
{
    p->ending = KILLED;
    (void)process_send(p, SIGKILL, true);
    if (process_send(p, SIGKILL, false) != -EPERM) /* it may have left its group */
        return true;
    eddy_log(EDDY_LOG_WARNING, "process %ld may not be killed by us: it is left alone",
             (long)p->pid);
    eddy__ward_leave(&p->ward);
    return false;
}

/* Somebody of its group lives, as far as can be told. */
static bool group_lives(const struct eddy_process *p)
{
    return p->has_group && process_send(p, 0, true) != -ESRCH;
}

static void over_and_told(struct eddy_process *p)
{
    process_over(p);
    process_tell(p);
    if (p->orphan)
        process_dispose(p);
}

static void grace_timer(struct eddy_timer *t)
{
    struct eddy_process *p = eddy_container_of(t, struct eddy_process, grace);
    int64_t now = eddy_loop_clock(p->loop);

    if (now >= p->kill_ns)
        (void)kill_now(p);
    if (p->result == RUNS)
        return; /* its own end comes next */
    if (p->ending == KILLED || !group_lives(p))
        over_and_told(p);
    else
        eddy__timer_start(p->loop, t,
                          now + GROUP_LOOK_NS < p->kill_ns ? now + GROUP_LOOK_NS : p->kill_ns,
                          grace_timer);
}

void process_ended(struct eddy_process *p)
{
    if (p->ending == KILLED)
        (void)process_send(p, SIGKILL, true); /* who was born meanwhile */
    if (p->ending == KILLED || !group_lives(p) || (p->ending != ASKED && p->detached)) {
        process_over(p);
    } else if (p->ending == ASKED) {
        eddy__timer_stop(p->loop, &p->grace);
        eddy__timer_start(p->loop, &p->grace, eddy_loop_clock(p->loop), grace_timer);
    } /* else what is left of the group is the scope's, until that ends */
}

void process_end(struct eddy_process *p)
{
    if (p->over || p->ending != NOT_ASKED)
        return;
    p->ending = ASKED;
    p->kill_ns = eddy_deadline_ns(eddy_loop_clock(p->loop), p->grace_ms);
    if (p->grace_ms < 0)
        (void)kill_now(p);
    else if (process_send(p, SIGTERM, true) == 0 || p->result == RUNS)
        eddy__timer_start(p->loop, &p->grace,
                          p->result == RUNS ? p->kill_ns : eddy_loop_clock(p->loop), grace_timer);
    else
        p->ending = KILLED;
    if (p->result != RUNS && p->ending == KILLED)
        over_and_told(p);
}

void process_ward_end(struct eddy_ward *w)
{
    process_end(eddy_container_of(w, struct eddy_process, ward));
}

/* --- freeing ----------------------------------------------------------------------------------------------- */

void process_dispose(struct eddy_process *p)
{
    if (p->watch.pending) /* the loop is ending, and this comes again with the last completion */
        return;
    if (p->pidfd >= 0)
        eddy__sys.close(p->pidfd);
    eddy__free(p, sizeof *p);
}

void process_free_streams(struct eddy_process *p)
{
    for (int i = 0; i < 3; i++)
        eddy_stream_free(EDDY_TAKE(p->streams[i]));
}

void eddy_process_free(struct eddy_process *p)
{
    if (!p)
        return;
    if (p->loop && eddy_loop_is_parents(p->loop)) {
        /* In the child of a fork: its copies of the descriptors; the lists are the parent's. */
        process_free_streams(p);
        process_dispose(p);
        return;
    }
    assert(eddy_list_is_empty(&p->waiters) && "somebody waits for it");
    if (p->loop) {
        if (!p->waited && !p->detached && p->ending == NOT_ASKED)
            eddy__debug_complain(p->loop, p, "was never waited for");
        eddy__debug_gone(p->loop, p);
    }
    process_free_streams(p);
    if (!p->over && !p->detached)
        (void)kill_now(p);
    if (p->over || p->result != RUNS) {
        if (!p->over)
            process_over(p);
        process_dispose(p);
        return;
    }
    p->orphan = true; /* the loop's, until it has been reaped */
    eddy__ward_leave(&p->ward);
}

/* The loop ends. What is killed ends at once; a detached one is the program's from here on. */
static void end_with_loop(struct eddy_process *p)
{
    bool is_ours = p->orphan;

    process_unwatch(p);
    process_free_streams(p);
    bool is_killed = !p->detached && kill_now(p);
    if (p->result != RUNS)
        over_and_told(p);
    else if (is_killed)
        process_look(p, true);
    else
        process_reaped(p, -ECHILD);
    if (!is_ours)
        p->loop = NULL;
}

void process_room_free(void *slot)
{
    struct eddy_process_room *room = slot;

    while (!eddy_list_is_empty(&room->live)) {
        struct eddy_process *p = eddy_container_of(room->live.next, struct eddy_process, link);
        end_with_loop(p);
    }
    eddy__free(room, sizeof *room);
}
