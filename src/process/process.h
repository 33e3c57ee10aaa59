/*
 * process/process.h - a child process from inside
 *
 *   pid > 0, result RUNS      its end is watched for: by the pidfd, by SIGCHLD, or by a look at times
 *   result 0 or -ECHILD       it has been reaped
 *   ending ASKED, KILLED      its group has got SIGTERM or SIGKILL
 *   over                      reaped, and nothing is left to be ended: its scope has let it go
 *
 * In its loop's room (EDDY_SLOT_PROCESS) stand those that are not over. One that was freed before
 * (`orphan`) is the loop's alone, and frees itself when it has been reaped.
 *
 *   plan.c     options -> what the child is to do (base/child.h), in one arena
 *   streams.c  its standard streams: who opens what, and who closes it
 *   spawn.c    the birth, on the pool, and the text of what went wrong
 *   watch.c    its end: noticed, told, reaped
 *   end.c      its end: asked for. Signals, grace, scopes, the loop's end
 *   run.c      commands run to their end
 */
#ifndef EDDY_PROCESS_PROCESS_H
#define EDDY_PROCESS_PROCESS_H

#include "base/child.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/arena.h>
#include <eddy/process.h>

enum { RUNS = 1 }; /* of result */

enum ending { NOT_ASKED, ASKED, KILLED };

struct eddy_process {
    struct eddy_loop *loop; /* NULL: that has ended, and this too */
    struct eddy_list link;  /* in the room */
    struct eddy_ward ward;
    struct eddy_op watch; /* POLL of pidfd */
    struct eddy_hearer hearer;
    struct eddy_timer look;  /* where nothing tells of its end */
    struct eddy_timer grace; /* ending: until SIGKILL; then, of what is left of the group */
    struct eddy_list waiters;
    struct eddy_process_status status;
    struct eddy_stream *streams[3]; /* the parent's ends; with a terminal only the second */
    int64_t grace_ms;
    int64_t kill_ns; /* when the grace ends */
    int result;      /* RUNS; or what a wait returns */
    pid_t pid;
    int pidfd;
    uint8_t ending;
    bool has_group;
    bool has_terminal; /* the second stream is it */
    bool detached;
    bool waited; /* somebody has asked how it ended */
    bool over;
    bool orphan;
};

struct eddy_process_room {
    struct eddy_list live;
};

/* --- plan.c --- */

struct plan {
    struct eddy_child child;
    struct eddy_arena arena;
    struct eddy_child_fd fds[3 + 64];
    int own[3]; /* the child's ends of what we have opened, to be closed; -1: none */
    int terminal[2];
    const char *name; /* for texts */
    struct eddy_error *error;
};

#define PROCESS_FDS_MAX 64

/* @o: options of this library's size. 0, or -ENOMEM, -EINVAL with a text. plan_done() in any case. */
int plan_make(struct plan *plan, const char *const *argv, const struct eddy_process_options *o);
void plan_done(struct plan *plan);

/* --- streams.c --- */

/* Open what the standard streams want, the parent's ends into @p. Suspends for files. */
int streams_open(struct plan *plan, const struct eddy_process_options *o, struct eddy_process *p);

/* What .in, .out or .err names, or /dev/null, for the child: a descriptor. Suspends. */
int process_open_file(int which, const struct eddy_process_io *io);

/* Of an end of ours, owned when 0 is returned. */
int process_stream(int fd, bool in, bool out, struct eddy_stream **ret_stream);

/* --- watch.c --- */

/* The loop's, made when there is none; NULL: no memory. */
struct eddy_process_room *process_room(struct eddy_loop *loop);
void process_watch(struct eddy_process *p);           /* it runs: nothing can fail from here on */
void process_unwatch(struct eddy_process *p);         /* the loop ends */
bool process_look(struct eddy_process *p, bool wait); /* reap it if, or when, it has ended */
void process_tell(struct eddy_process *p);            /* those whose time to know has come */
void process_reaped(struct eddy_process *p, int result);
int process_wait(struct eddy_process *p, bool until_over);
void process_free_streams(struct eddy_process *p);
void process_dispose(struct eddy_process *p); /* free the memory of one that is over */

/* --- end.c --- */

int process_send(const struct eddy_process *p, int signo, bool group);
void process_end(struct eddy_process *p);   /* ask; harmless when repeated */
void process_ended(struct eddy_process *p); /* it has been reaped: what of the group? */
void process_over(struct eddy_process *p);
void process_ward_end(struct eddy_ward *w);
void process_room_free(void *slot);

/* Of any size: the caller's first bytes, the rest zero. */
struct eddy_process_options process_options(const struct eddy_process_options *options);

#endif
