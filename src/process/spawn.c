/*
 * process/spawn.c - the birth of a process, and the text of what went wrong
 *
 * Everything that can fail is done before: our ends of pipes are streams already when the child is
 * born. The birth itself, from clone to the program's first instruction, is work for the pool: it
 * takes half a millisecond from a warm disk, and from a cold one as long as that takes. Nothing can
 * fail behind it, so a process that was started is always returned.
 */
#include "process/process.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"
#include "loop/pool.h"

#include <eddy/stream.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define GRACE_MS 2000

struct birth {
    struct eddy_wait wait; /* first */
    struct eddy_work work;
    struct plan *plan;
    pid_t pid;
    int pidfd;
    unsigned
        mode; /* of a program that could not be run; 0: it is not there, or was not looked at */
};

/* --- on the pool ------------------------------------------------------------------------------------------ */

/* Why the kernel would not run it is clearer with what it is. */
static unsigned mode_of(const struct plan *plan)
{
    unsigned mode = 0;
#ifdef __linux__
    const char *program = plan->child.programs[plan->child.failure.index];
    struct statx about = { .stx_mode = 0 };

    if (*program && (*program == '/' || !plan->child.folder) &&
        eddy__sys.stat(AT_FDCWD, program, 0, &about) == 0)
        mode = about.stx_mode;
#else
    (void)plan;
#endif
    return mode;
}

static void give_birth(struct eddy_work *w)
{
    struct birth *b = eddy_container_of(w, struct birth, work);

    b->pid = eddy__sys.spawn(&b->plan->child, &b->pidfd);
    if (b->pid < 0 && b->plan->child.failure.step == EDDY_CHILD_PROGRAM) {
        EDDY_FAULT_BENIGN_BEGIN(); /* for the text alone */
        b->mode = mode_of(b->plan);
        EDDY_FAULT_BENIGN_END();
    }
}

static void born(struct eddy_work *w)
{
    eddy__wake(&eddy_container_of(w, struct birth, work)->wait, 0);
}

static void withdraw(struct eddy_wait *w, int why)
{
    if (eddy__work_withdraw(&((struct birth *)(void *)w)->work))
        eddy__wake(w, why);
}

/* --- texts -------------------------------------------------------------------------------------------------- */

static const char *why_not_run(const struct birth *b, int r)
{
    if (r == -ENOENT && b->mode)
        return "what its first line names as its interpreter, or its loader, is not there";
    if (r == -ENOENT && b->plan->child.programs[1])
        return "not found in PATH";
    if (r == -EACCES && S_ISDIR(b->mode))
        return "it is a folder";
    if (r == -EACCES && b->mode && !(b->mode & 0111))
        return "it is not executable (chmod +x)";
    if (r == -ENOEXEC)
        return "the kernel knows no such format (a script begins with #!/bin/sh)";
    return eddy_strerror(r);
}

static int tell_failure(const struct birth *b)
{
    static const char *const user[] = { "groups", "group", "user" };
    const struct plan *plan = b->plan;
    const struct eddy_child *c = &plan->child;
    const struct eddy_child_failure *f = &c->failure;
    const char *text = eddy_strerror(f->error);
    int r = f->error;

    switch ((enum eddy_child_step)f->step) {
    case EDDY_CHILD_PROGRAM:
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: %s", plan->name,
                              why_not_run(b, r));
    case EDDY_CHILD_FOLDER:
        return eddy_error_set(plan->error, r, 0, "cannot run %.40s: cannot enter %.60s: %s",
                              plan->name, c->folder, text);
    case EDDY_CHILD_USER:
        return eddy_error_set(plan->error, r, 0, "cannot run %.40s as user %ld, group %ld (%s): %s",
                              plan->name, (long)c->uid, (long)c->gid, user[f->index], text);
    case EDDY_CHILD_LIMIT:
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: its limit %d: %s", plan->name,
                              c->limits[f->index].resource, text);
    case EDDY_CHILD_NICE:
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: .nice = %d: %s", plan->name,
                              c->nice, text);
    case EDDY_CHILD_DESCRIPTOR:
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: its descriptor %d: %s",
                              plan->name, plan->fds[f->index].as, text);
    case EDDY_CHILD_TERMINAL:
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: its terminal: %s", plan->name,
                              text);
    case EDDY_CHILD_GROUP:
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: a group of its own: %s",
                              plan->name, text);
    case EDDY_CHILD_RUNS:
    case EDDY_CHILD_BIRTH: break;
    }
    return eddy_error_set(plan->error, r, 0, "cannot run %.60s: no new process: %s", plan->name,
                          text);
}

/* --- the call ------------------------------------------------------------------------------------------------- */

static int be_born(struct plan *plan, struct eddy_process *p)
{
    struct birth b = { .wait = EDDY_WAIT(withdraw, "spawn"),
                       .work = { .run = give_birth, .done = born },
                       .plan = plan,
                       .pidfd = -1 };

    int r = eddy__work_submit(p->loop, EDDY_WORK_FILES, &b.work);
    if (r == 0)
        r = eddy__wait(&b.wait);
    if (r < 0)
        return eddy_error_set(plan->error, r, 0, "cannot run %.60s: %s", plan->name,
                              eddy_strerror(r));
    if (b.pid < 0)
        return tell_failure(&b);
    p->pid = b.pid;
    p->pidfd = b.pidfd;
    return 0;
}

static struct eddy_process *new_process(struct eddy_loop *loop,
                                        const struct eddy_process_options *o)
{
    struct eddy_process *p = process_room(loop) ? eddy__zalloc(sizeof *p) : NULL;

    if (!p)
        return NULL;
    p->loop = loop;
    p->result = RUNS;
    p->pidfd = -1;
    p->has_terminal = o->pty;
    p->has_group = o->pty || o->group != EDDY_PROCESS_OUR_GROUP;
    p->detached = o->detach;
    p->grace_ms = o->grace_ms ? o->grace_ms : GRACE_MS;
    p->ward.end = process_ward_end;
    eddy_list_init(&p->waiters);
    return p;
}

static int start(struct plan *plan, const struct eddy_process_options *o, struct eddy_process *p)
{
    int r = streams_open(plan, o, p);

    if (r == 0)
        r = eddy__wait_check(); /* what was opened may have taken its time */
    if (r == 0)
        r = be_born(plan, p);
    if (r < 0)
        return r;
    eddy_list_push(&process_room(p->loop)->live, &p->link);
    if (!p->detached)
        eddy__ward_enter(&p->ward);
    process_watch(p);
    return 0;
}

int eddy_process_spawn(const char *const *argv, const struct eddy_process_options *options,
                       struct eddy_process **ret_p)
{
    struct eddy_process_options o = process_options(options);
    struct plan plan;

    int r = eddy__wait_check();
    if (r == 0)
        r = eddy__sim_refuse(eddy__loop(), "processes");
    if (r < 0)
        return eddy_error_set(o.error, r, 0, "cannot run a program: %s", eddy_strerror(r));
    if (o.input || o.input_len || o.max_output || o.truncate || o.timeout_ms)
        return eddy_error_set(
            o.error, -EINVAL, 0,
            "cannot run a program: .input, .max_output, .truncate and .timeout_ms "
            "are for eddy_process_run()");
    struct eddy_process *p = new_process(eddy__loop(), &o);
    if (!p)
        return eddy_error_set(o.error, -ENOMEM, 0, "cannot run a program: out of memory");
    r = plan_make(&plan, argv, &o);
    if (r == 0)
        r = start(&plan, &o, p);
    plan_done(&plan);
    if (r < 0) {
        p->over = true;
        p->result = -ECHILD;
        process_free_streams(p);
        process_dispose(p);
        return r;
    }
    eddy__debug_born(p->loop, p, "a process");
    *ret_p = p;
    return 0;
}
