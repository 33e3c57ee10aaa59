/*
 * http/fetch.c - one call fetches a page: a turn, a connection, a question, an answer, one deadline
 *
 * Everything happens inside a scope of the job's own, whose deadline is .timeout_ms. How the job
 * ended is told apart when that scope is left: a scope of the caller's that has ended outranks, and
 * its reason is returned; else -ETIMEDOUT is the job's own, and means that the upstream was slow.
 *
 * A connection that was kept alive may have died while we were writing to it. If that happens before
 * a byte of the answer, and the method may be repeated, the question is asked once more on a new
 * connection; the turn is kept for it.
 */
#include "http/client.h"

#include <eddy/task.h>
#include <eddy/tls.h>

#define TIMEOUT_MS 30000
#define BODY_MAX ((size_t)16 * 1024 * 1024)
#define BODY_SMALL ((size_t)16 * 1024) /* sent before the answer is looked for */
#define HEADS_MAX ((size_t)256 * 1024) /* of an answer's own arena, besides the body */

static bool may_be_repeated(enum eddy_method m)
{
    switch (m) {
    case EDDY_METHOD_GET:
    case EDDY_METHOD_HEAD:
    case EDDY_METHOD_PUT:
    case EDDY_METHOD_DELETE:
    case EDDY_METHOD_OPTIONS:
    case EDDY_METHOD_TRACE: return true;
    default: return false;
    }
}

static bool connection_died(int r)
{
    return r == -EDDY_EEOF || r == -ECONNRESET || r == -EPIPE;
}

static int ask(struct eddy_fetch_job *job, struct eddy_stream *s)
{
    struct eddy_slice head = eddy_buffer_bytes(&job->head);
    struct eddy_slice body = job->options->body;
    struct iovec iov[2] = {
        { .iov_base = (void *)(uintptr_t)head.ptr, .iov_len = head.len },
        { .iov_base = (void *)(uintptr_t)body.ptr, .iov_len = body.len },
    };

    return eddy_writev(s, iov, body.len ? 2 : 1);
}

struct ask_beside_args {
    struct eddy_fetch_job *job;
    struct eddy_stream *s;
    int *asked;
};

static int ask_beside(struct ask_beside_args *a)
{
    *a->asked = ask(a->job, a->s);
    if (*a->asked < 0 && !connection_died(*a->asked))
        (void)eddy_stream_close(a->s); /* no answer will come to that */
    return 0;
}
EDDY_TASK(ask_beside);

/* A server may answer while it reads: a body that no buffer on the way may hold is sent by a task of
 * its own. When the answer is whole, nobody waits for the rest of the question to leave. */
static int ask_and_listen(struct eddy_fetch_job *job, struct eddy_stream *s, int *asked)
{
    EDDY_SCOPE(sending, .timeout_ms = 0);

    int r = EDDY_GO(&sending, ask_beside, .job = job, .s = s, .asked = asked);
    return r < 0 ? r : eddy_fetch_answer(job, s);
}

/* Question and answer. A server may answer (413) and close before it has read all of a body, so a
 * failed write is an error only when no answer follows. */
static int exchange(struct eddy_fetch_job *job, struct eddy_stream *s)
{
    int asked = -ECANCELED, r;

    if (job->options->body.len > BODY_SMALL) {
        r = ask_and_listen(job, s, &asked);
        if (r < 0 && asked < 0 && asked != -ECANCELED && !connection_died(asked))
            return asked;
    } else {
        asked = ask(job, s);
        if (asked < 0 && !connection_died(asked))
            return asked;
        r = eddy_fetch_answer(job, s);
    }
    if (asked < 0) {
        job->keep = false;
        if (r < 0 && !job->got_a_byte && connection_died(r))
            r = asked;
    }
    return r;
}

static int connect_for(struct eddy_fetch_job *job, struct eddy_client_conn *conn)
{
    int64_t left_ms = (job->deadline_ns - eddy_now_ns()) / 1000000;

    return eddy_client_connect(conn, left_ms > 0 ? left_ms : 1, job->err);
}

/* With a turn: until there is an answer. @conn is the callee's. */
static int fetch_on(struct eddy_fetch_job *job, struct eddy_client_conn *conn)
{
    bool reused = conn->stream != NULL;
    int r = reused ? 0 : connect_for(job, conn);

    if (r == 0)
        r = exchange(job, conn->stream);
    if (reused && connection_died(r) && !job->got_a_byte && may_be_repeated(job->method)) {
        eddy_stream_free(EDDY_TAKE(conn->stream));
        r = connect_for(job, conn);
        if (r == 0)
            r = exchange(job, conn->stream);
    }
    if ((r == -EDDY_ETLS || r == -EDDY_ECERT) && conn->stream)
        (void)eddy_stream_info(conn->stream, EDDY_INFO_FAILURE, job->err); /* else it has none */
    if (r == 0 && job->keep)
        eddy_client_give_back(conn);
    else
        eddy_client_drop(conn);
    return r;
}

static int fetch_in_turn(struct eddy_fetch_job *job, struct eddy_client_pool *pool)
{
    struct eddy_client_conn *conn = NULL;

    if (eddy_slice_ieq(job->url.scheme, EDDY_SLICE("https")) && !job->key.tls) {
        if (!pool->tls) {
            int r = eddy_tls_client_new(NULL, &pool->tls, job->err);
            if (r < 0)
                return r;
        }
        job->key.tls = pool->tls;
    }
    int r = eddy_client_take(pool, &job->key, &conn);
    return r < 0 ? r : fetch_on(job, conn);
}

/* The caller's scope has not ended, or it would have been asked before. */
static int timed_out(struct eddy_fetch_job *job, int64_t timeout_ms)
{
    return eddy_error_set(job->err, -EDDY_EUPSTREAM_TIMEOUT, 0,
                          "%.80s: no complete answer within %lld ms", job->key.host,
                          (long long)timeout_ms);
}

static int fetch_within(struct eddy_fetch_job *job, struct eddy_client_pool *pool)
{
    int64_t timeout_ms = job->options->timeout_ms > 0 ? job->options->timeout_ms : TIMEOUT_MS;
    struct eddy_scope scope;

    job->deadline_ns = eddy_deadline_ns(eddy_now_ns(), timeout_ms);
    job->err->text[0] = '\0';
    eddy_scope_enter(&scope, EDDY_OPT(scope, .timeout_ms = timeout_ms));
    int r = fetch_in_turn(job, pool);
    eddy_scope_leave(&scope);

    if (r == -ETIMEDOUT || r == -ECANCELED) {
        int ended = eddy__wait_check();
        if (ended < 0)
            return eddy_error_set(job->err, ended, 0, "%.80s: %s", job->key.host,
                                  eddy_strerror(ended));
        return timed_out(job, timeout_ms);
    }
    if (r < 0 && !job->err->text[0])
        return eddy_error_set(job->err, r, 0, "%.80s: %s", job->key.host, eddy_strerror(r));
    return r;
}

int eddy_fetch(const char *url, const struct eddy_fetch_options *options,
               struct eddy_response *ret_response)
{
    struct eddy_fetch_options o = { .size = sizeof o };
    struct eddy_error own_error = { 0 };
    struct eddy_fetch_job job = { .options = &o, .err = &own_error };

    if (!url || !ret_response)
        return -EINVAL;
    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (o.error)
        job.err = o.error;
    int r = eddy__wait_check();
    if (r < 0)
        return eddy_error_set(job.err, r, 0, "%s", eddy_strerror(r));

    job.max_body = o.max_body ? o.max_body : BODY_MAX;
    job.answer.own = EDDY_ARENA(job.max_body < SIZE_MAX - HEADS_MAX ? job.max_body + HEADS_MAX
                                                                    : SIZE_MAX);
    job.arena = o.arena ? o.arena : &job.answer.own;
    r = eddy_fetch_prepare(&job, url);
    if (r == 0) {
        struct eddy_client_pool *pool = eddy_client_pool_of_loop();
        r = pool ? fetch_within(&job, pool)
                 : eddy_error_set(job.err, eddy__loop_refusal(), 0, "no pool of connections");
    }
    eddy_buffer_done(&job.head);
    if (r < 0) {
        eddy_arena_done(&job.answer.own);
        job.err->code = r;
        return r;
    }
    *ret_response = job.answer;
    return 0;
}

void eddy_response_done(struct eddy_response *response)
{
    eddy_arena_done(&response->own);
    *response = (struct eddy_response){ 0 };
}

struct eddy_slice eddy_response_header(const struct eddy_response *response, const char *name)
{
    return eddy__http1_header(response->headers, response->header_count, eddy_slice_of(name));
}
