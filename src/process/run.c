/*
 * process/run.c - commands run to their end: one, or several joined by pipes
 *
 * All of it happens in a scope of its own, the job's, to which the processes and three tasks belong:
 * one writes the input, two read the outputs, each at its own pace, so nothing waits for anything
 * else. Whatever ends the job early (a failure, the time, the caller's scope) ends the processes with
 * it, because they are the scope's.
 */
#include "process/process.h"

#include "base/memory.h"
#include "base/sys.h"

#include <eddy/buffer.h>
#include <eddy/command.h>
#include <eddy/stream.h>

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS_MAX 64
#define OUTPUT_MAX ((size_t)16 << 20)
#define CHUNK ((size_t)16384)

struct capture {
    struct eddy_stream *from; /* NULL: it is not captured */
    struct eddy_buffer bytes;
    bool cut;
};

struct job {
    const struct eddy_process_options *o;
    struct eddy_process *p[COMMANDS_MAX];
    struct eddy_process_status *statuses; /* the caller's, or NULL */
    struct eddy_process_status last;
    size_t count;
    struct eddy_stream *input;
    struct capture out, err;
    int fds[3]; /* what the next command gets, to be closed once it runs; -1: it is not ours */
    int next;   /* the reading end for the one after it; -1: none */
    size_t max_output;
};

/* --- its tasks ---------------------------------------------------------------------------------------- */

struct job_args {
    struct job *job;
    struct capture *to;
};
#define feed_args job_args
#define gather_args job_args

/* Who has read enough closes its input early: that is its business. */
static int feed(struct job_args *a)
{
    struct job *job = a->job;

    int r = eddy_write(job->input, job->o->input, job->o->input_len);
    if (r == 0)
        r = eddy_stream_finish(job->input);
    return r == -EPIPE ? 0 : r;
}
EDDY_TASK(feed);

/* Past the bound: whether there is more. */
static int see_the_rest(struct job *job, struct capture *to)
{
    char scrap[2048];
    ssize_t n;

    while ((n = eddy_read(to->from, scrap, sizeof scrap)) > 0) {
        if (!job->o->truncate)
            return -EDDY_ETOOBIG;
        to->cut = true;
    }
    return (int)n;
}

static int gather(struct job_args *a)
{
    struct capture *to = a->to;

    for (;;) {
        size_t left = a->job->max_output - to->bytes.end;
        char *room = NULL;
        if (!left)
            return see_the_rest(a->job, to);
        int r = eddy_buffer_room(&to->bytes, left < CHUNK ? left : CHUNK, &room);
        if (r < 0)
            return r;
        ssize_t n = eddy_read(to->from, room, left < CHUNK ? left : CHUNK);
        if (n <= 0)
            return (int)n;
        eddy_buffer_grew(&to->bytes, (size_t)n);
    }
}
EDDY_TASK(gather);

/* --- starting ------------------------------------------------------------------------------------------- */

static void close_at(int *fd)
{
    if (*fd >= 0)
        eddy__sys.close(*fd);
    *fd = -1;
}

static int pipe_to_us(int *ret_theirs, struct eddy_stream **ret_ours, bool they_write)
{
    int ends[2];

    int r = eddy__sys.pipe(ends);
    if (r < 0)
        return r;
    *ret_theirs = ends[they_write];
    r = process_stream(ends[!they_write], they_write, !they_write, ret_ours);
    if (r < 0)
        close_at(&ends[!they_write]);
    return r;
}

/* Its standard streams, where the options leave them open. */
static int open_streams(struct job *job, size_t i, struct eddy_process_options *o)
{
    bool is_last = i + 1 == job->count;
    int ends[2] = { -1, -1 };
    int r = 0;

    job->fds[0] = job->next;
    job->next = -1;
    if (i == 0 && !o->in.kind && o->input)
        r = pipe_to_us(&job->fds[0], &job->input, false);
    if (r == 0 && !is_last) {
        r = eddy__sys.pipe(ends);
        job->fds[1] = ends[1];
        job->next = ends[0];
    } else if (r == 0 && !o->out.kind) {
        r = pipe_to_us(&job->fds[1], &job->out.from, true);
    }
    if (r == 0 && i == 0 && !o->err.kind) /* one for all of them */
        r = pipe_to_us(&job->fds[2], &job->err.from, true);
    if (job->fds[0] >= 0)
        o->in = (struct eddy_process_io)EDDY_IO_FD(job->fds[0]);
    else if (!o->in.kind)
        o->in = (struct eddy_process_io)EDDY_IO_NULL;
    if (job->fds[1] >= 0)
        o->out = (struct eddy_process_io)EDDY_IO_FD(job->fds[1]);
    if (job->fds[2] >= 0)
        o->err = (struct eddy_process_io)EDDY_IO_FD(job->fds[2]);
    if (r >= 0)
        return 0;
    return eddy_error_set(o->error, r, 0, "cannot run a command: no pipe: %s", eddy_strerror(r));
}

/* One open file for the errors of all: opened by each, they would write over each other. */
static int open_errors(struct job *job)
{
    const struct eddy_process_io *err = &job->o->err;

    if (job->count == 1 || !err->path ||
        (err->kind != EDDY_IO_KIND_FILE && err->kind != EDDY_IO_KIND_APPEND))
        return 0;
    int r = process_open_file(STDERR_FILENO, err);
    if (r < 0)
        return eddy_error_set(job->o->error, r, 0, "cannot run a command: .err of it, %.50s: %s",
                              err->path, eddy_strerror(r));
    job->fds[2] = r;
    return 0;
}

static int start_all(struct job *job, const char *const *const *commands)
{
    int r = open_errors(job);

    for (size_t i = 0; i < job->count && r == 0; i++) {
        struct eddy_process_options o = *job->o;
        r = open_streams(job, i, &o);
        o.input = NULL; /* what follows is ours to do */
        o.input_len = o.max_output = 0;
        o.truncate = false;
        o.timeout_ms = 0;
        if (r == 0)
            r = eddy_process_spawn(commands[i], &o, &job->p[i]);
        close_at(&job->fds[0]);
        close_at(&job->fds[1]);
    }
    close_at(&job->fds[2]);
    return r;
}

/* --- to the end -------------------------------------------------------------------------------------------- */

static int see_it_through(struct job *job)
{
    struct eddy_error *error = job->o->error;
    EDDY_SCOPE(flows, .timeout_ms = 0);

    if (job->input)
        EDDY_GO(&flows, feed, .job = job);
    if (job->out.from)
        EDDY_GO(&flows, gather, .job = job, .to = &job->out);
    if (job->err.from)
        EDDY_GO(&flows, gather, .job = job, .to = &job->err);
    int r = eddy_join(&flows);
    for (size_t i = 0; i < job->count && r == 0; i++) {
        r = eddy_process_wait(job->p[i], &job->last);
        if (r == 0 && job->statuses)
            job->statuses[i] = job->last;
    }
    if (r == -EDDY_ETOOBIG)
        return eddy_error_set(error, r, 0,
                              "it printed more than %zu bytes, and was ended (raise "
                              ".max_output, or say .truncate)",
                              job->max_output);
    return r < 0 ? eddy_error_set(error, r, 0, "a command: %s", eddy_strerror(r)) : 0;
}

static int run_job(struct job *job, const char *const *const *commands)
{
    EDDY_SCOPE(scope, .timeout_ms = job->o->timeout_ms);

    int r = start_all(job, commands);
    if (r == 0)
        r = see_it_through(job);
    if ((r == -ETIMEDOUT || r == -ECANCELED) && eddy_scope_expired(&scope))
        r = eddy_error_set(job->o->error, -ETIMEDOUT, 0,
                           "it took longer than %lld ms, and was ended",
                           (long long)job->o->timeout_ms);
    return r;
}

static void job_done(struct job *job)
{
    for (int i = 0; i < 3; i++)
        close_at(&job->fds[i]);
    close_at(&job->next);
    eddy_stream_free(job->input);
    eddy_stream_free(job->out.from);
    eddy_stream_free(job->err.from);
    eddy_buffer_done(&job->out.bytes);
    eddy_buffer_done(&job->err.bytes);
    for (size_t i = 0; i < job->count; i++)
        eddy_process_free(job->p[i]);
}

/* The captured bytes become a text of the caller's. */
static int hand_over(struct capture *from, struct eddy_slice *ret)
{
    size_t len = from->bytes.end;

    if (!from->from)
        return 0;
    char *text = eddy__resize(from->bytes.ptr, from->bytes.cap, len + 1);
    if (!text)
        return -ENOMEM;
    text[len] = '\0';
    from->bytes = EDDY_BUFFER(0);
    *ret = (struct eddy_slice){ text, len };
    return 0;
}

void eddy_process_result_done(struct eddy_process_result *result)
{
    if (result->out.ptr)
        eddy__free((void *)(uintptr_t)result->out.ptr, result->out.len + 1);
    if (result->err.ptr)
        eddy__free((void *)(uintptr_t)result->err.ptr, result->err.len + 1);
    *result = (struct eddy_process_result){ .out_cut = false };
}

static int give_result(struct job *job, struct eddy_process_result *ret)
{
    EDDY_AUTO(eddy_process_result)
    result = { .status = job->last, .out_cut = job->out.cut, .err_cut = job->err.cut };

    int r = hand_over(&job->out, &result.out);
    if (r == 0)
        r = hand_over(&job->err, &result.err);
    if (r < 0)
        return eddy_error_set(job->o->error, r, 0, "a command: out of memory");
    *ret = result;
    result = (struct eddy_process_result){ .out_cut = false };
    return 0;
}

static const char *what_is_wrong(const struct eddy_process_options *o, size_t count)
{
    if (!count || count > COMMANDS_MAX)
        return "a pipeline has 1 to 64 commands";
    if (o->pty || o->detach)
        return ".pty and .detach are for eddy_process_spawn()";
    if (o->in.kind == EDDY_IO_KIND_PIPE || o->out.kind == EDDY_IO_KIND_PIPE ||
        o->err.kind == EDDY_IO_KIND_PIPE)
        return "EDDY_IO_PIPE is for eddy_process_spawn(); outputs are captured as it is";
    return o->in.kind && o->input ? "either .in or .input is to be set" : NULL;
}

static int run(const char *const *const *commands, size_t count,
               const struct eddy_process_options *options, struct eddy_process_status *statuses,
               struct eddy_process_result *ret_result)
{
    struct eddy_process_options o = process_options(options);

    int r = eddy__wait_check();
    if (r < 0)
        return eddy_error_set(o.error, r, 0, "cannot run a command: %s", eddy_strerror(r));
    const char *wrong = what_is_wrong(&o, count);
    if (wrong)
        return eddy_error_set(o.error, -EINVAL, 0, "cannot run a command: %s", wrong);
    r = eddy__sim_refuse(eddy__loop(), "processes");
    if (r < 0)
        return eddy_error_set(o.error, r, 0, "cannot run a command: %s", eddy_strerror(r));
    struct job *job = eddy__zalloc(sizeof *job);
    if (!job)
        return eddy_error_set(o.error, -ENOMEM, 0, "cannot run a command: out of memory");
    job->o = &o;
    job->count = count;
    job->statuses = statuses;
    job->max_output = o.max_output ? o.max_output : OUTPUT_MAX;
    job->out.bytes = job->err.bytes = EDDY_BUFFER(job->max_output);
    job->fds[0] = job->fds[1] = job->fds[2] = job->next = -1;
    r = run_job(job, commands);
    if (r == 0)
        r = give_result(job, ret_result);
    job_done(job);
    eddy__free(job, sizeof *job);
    if (r == -ECANCELED) { /* the reason as the caller's scope has it */
        int why = eddy__wait_check();
        r = why < 0 ? why : r;
    }
    return r;
}

int eddy_process_run(const char *const *argv, const struct eddy_process_options *options,
                     struct eddy_process_result *ret_result)
{
    return run(&argv, 1, options, NULL, ret_result);
}

int eddy_process_pipeline(const char *const *const *commands, size_t count,
                          const struct eddy_process_options *options,
                          struct eddy_process_status *ret_statuses,
                          struct eddy_process_result *ret_result)
{
    return run(commands, count, options, ret_statuses, ret_result);
}
