/*
 * task/offload.c - blocking work on the loop's pool: the program's own, and eddy's
 *
 * A job lies on the stack of the task that waits for it, which therefore waits until the work has
 * come home, unless it was withdrawn before it began.
 */
#include "task/offload.h"

struct job {
    struct eddy_wait wait; /* first */
    struct eddy_work work;
    int (*fn)(void *arg);
    void *arg;
    int result;
};

static void run(struct eddy_work *w)
{
    struct job *job = eddy_container_of(w, struct job, work);

    job->result = job->fn(job->arg);
}

static void done(struct eddy_work *w)
{
    eddy__wake(&eddy_container_of(w, struct job, work)->wait, 0);
}

static void withdraw(struct eddy_wait *w, int why)
{
    if (eddy__work_withdraw(&((struct job *)(void *)w)->work))
        eddy__wake(w, why);
}

int eddy__offload(enum eddy_work_class class, const char *what, bool steadily, int (*fn)(void *arg),
                  void *arg)
{
    struct job job = { .wait = EDDY_WAIT(steadily ? NULL : withdraw, what),
                       .work = { .run = run, .done = done },
                       .fn = fn,
                       .arg = arg };

    int r = eddy__wait_check();
    if (r < 0 && !(steadily && (r == -ECANCELED || r == -ETIMEDOUT)))
        return r;
    r = eddy__work_submit(eddy__loop(), class, &job.work);
    if (r == 0)
        r = eddy__wait(&job.wait);
    return r < 0 ? r : job.result;
}

int eddy_offload(int (*fn)(void *arg), void *arg)
{
    return eddy__offload(EDDY_WORK_USER, "offload", false, fn, arg);
}
