/*
 * file/pool_call.c - what the ring has no entry for: a blocking call on the pool's threads for files
 *
 * A call lies on the stack of the task that waits for it, which therefore waits until it has come
 * home, unless it was withdrawn before it began.
 */
#include "file/inside.h"
#include "loop/pool.h"

struct call {
    struct eddy_wait wait; /* first */
    struct eddy_work work;
    int (*fn)(void *arg);
    void *arg;
    int result;
};

static void run(struct eddy_work *w)
{
    struct call *call = eddy_container_of(w, struct call, work);

    call->result = call->fn(call->arg);
}

static void done(struct eddy_work *w)
{
    eddy__wake(&eddy_container_of(w, struct call, work)->wait, 0);
}

static void withdraw(struct eddy_wait *w, int why)
{
    if (eddy__work_withdraw(&((struct call *)(void *)w)->work))
        eddy__wake(w, why);
}

static int wait_for(struct call *call)
{
    struct eddy_loop *loop = eddy__loop();

    int r = eddy__sim_refuse(loop, call->wait.what);
    if (r == 0)
        r = eddy__work_submit(loop, EDDY_WORK_FILES, &call->work);
    if (r == 0)
        r = eddy__wait(&call->wait);
    return r < 0 ? r : call->result;
}

int eddy_file_on_thread(const char *what, int (*fn)(void *arg), void *arg)
{
    struct call call = { .wait = EDDY_WAIT(withdraw, what),
                         .work = { .run = run, .done = done },
                         .fn = fn,
                         .arg = arg };

    int r = eddy__wait_check();
    return r < 0 ? r : wait_for(&call);
}

int eddy_file_on_thread_steadily(const char *what, int (*fn)(void *arg), void *arg)
{
    struct call call = {
        .wait = EDDY_WAIT(NULL, what), .work = { .run = run, .done = done }, .fn = fn, .arg = arg
    };

    int r = eddy__wait_check();
    return r < 0 && r != -ECANCELED && r != -ETIMEDOUT ? r : wait_for(&call);
}
