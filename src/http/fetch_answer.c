/*
 * http/fetch_answer.c - reading an answer: its head, and a body that ends in one of three ways
 *
 * What is read goes to job->in until the head is whole; then the head moves to the arena, where the
 * answer's slices point, and what stood behind it is the beginning of the body. A body with a
 * length is read to its place in the arena; one without is gathered and copied there at its end,
 * because an arena cannot grow what it gave out. Both are held to job->max_body before memory is
 * asked for.
 */
#include "http/client.h"

#include <assert.h>

#define READ_PIECE ((size_t)16384)
#define IN_MAX ((size_t)98304) /* over the largest head and one piece */
#define INTERIM_MAX 16         /* of 1xx answers before the real one */

static int complain(struct eddy_fetch_job *job, int code, const char *why)
{
    return eddy_error_set(job->err, code, 0, "%.80s: %s", job->key.host, why);
}

/* Memory of the answer's. An arena of the caller's may be bounded below what we need. */
static int room(struct eddy_fetch_job *job, size_t size, void *ret_ptr)
{
    void *p = eddy_arena_alloc(job->arena, size);

    if (!p) {
        bool bound = size > job->arena->max - job->arena->used;
        return bound ? complain(job, -EDDY_EANSWER_TOOBIG,
                                "the answer is larger than the arena may be")
                     : -ENOMEM;
    }
    memcpy(ret_ptr, &p, sizeof p);
    return 0;
}

/* Read some more behind job->in. 0 is the end. */
static ssize_t read_more(struct eddy_fetch_job *job, struct eddy_stream *s)
{
    char *at;

    int r = eddy_buffer_room(&job->in, READ_PIECE, &at);
    if (r < 0)
        return r;
    ssize_t n = eddy_read(s, at, READ_PIECE);
    if (n > 0) {
        eddy_buffer_grew(&job->in, (size_t)n);
        job->got_a_byte = true;
    }
    return n;
}

/* --- the head ------------------------------------------------------------------------------------- */

static int read_head(struct eddy_fetch_job *job, struct eddy_stream *s, ssize_t *ret_len,
                     size_t *ret_fields)
{
    struct eddy__http1_scan scan = { 0 };

    for (;;) {
        struct eddy_slice have = eddy_buffer_bytes(&job->in);
        ssize_t len = eddy__http1_scan(&scan, have.ptr, have.len, NULL);
        if (len < 0) {
            return complain(job, -EDDY_EUPSTREAM, scan.why);
        }
        if (len > 0) {
            *ret_len = len;
            *ret_fields = scan.fields;
            return 0;
        }
        ssize_t n = read_more(job, s);
        if (n == 0)
            return complain(job, -EDDY_EEOF,
                            job->got_a_byte ? "it closed the connection in the middle of the head"
                                            : "it closed the connection without an answer");
        if (n < 0)
            return (int)n;
    }
}

static int parse_head(struct eddy_fetch_job *job, size_t len, size_t fields,
                      struct eddy__http1_head *ret)
{
    struct eddy_header *headers = NULL;
    char *copy = NULL;

    int r = room(job, len, &copy);
    if (r == 0)
        r = room(job, (fields + 1) * sizeof *headers, &headers);
    if (r < 0)
        return r;
    assert(copy && headers);
    memcpy(copy, eddy_buffer_bytes(&job->in).ptr, len);
    eddy_buffer_take(&job->in, len);

    struct eddy_error err = { 0 };
    r = eddy__http1_parse_response(copy, len, job->method, headers, fields + 1, ret, &err);
    /* The finer codes are for servers: as a handler's result they would blame its visitor. */
    return r < 0 ? complain(job, -EDDY_EUPSTREAM, err.text) : 0;
}

/* The head of the answer; interim ones are passed over. */
static int final_head(struct eddy_fetch_job *job, struct eddy_stream *s,
                      struct eddy__http1_head *ret)
{
    for (int i = 0; i < INTERIM_MAX; i++) {
        ssize_t len = 0;
        size_t fields = 0;

        int r = read_head(job, s, &len, &fields);
        if (r == 0)
            r = parse_head(job, (size_t)len, fields, ret);
        if (r < 0)
            return r;
        if (ret->status == 101)
            return complain(job, -EDDY_EUPSTREAM, "it switched protocols, which nobody asked for");
        if (ret->status >= 200)
            return 0;
    }
    return complain(job, -EDDY_EUPSTREAM, "interim answers without end");
}

/* --- the body ------------------------------------------------------------------------------------- */

static int too_big(struct eddy_fetch_job *job)
{
    return eddy_error_set(job->err, -EDDY_EANSWER_TOOBIG, 0,
                          "%.60s: the body is over %zu bytes (.max_body)", job->key.host,
                          job->max_body);
}

static int cut_short(struct eddy_fetch_job *job)
{
    return complain(job, -EDDY_EEOF, "the connection ended in the middle of the body");
}

static int body_by_length(struct eddy_fetch_job *job, struct eddy_stream *s, uint64_t length)
{
    struct eddy_slice have = eddy_buffer_bytes(&job->in);
    char *body = NULL;

    if (length > job->max_body)
        return too_big(job);
    size_t len = (size_t)length;
    int r = room(job, len + 1, &body);
    if (r < 0)
        return r;
    assert(body);
    size_t early = have.len < len ? have.len : len;
    memcpy(body, have.ptr, early);
    eddy_buffer_take(&job->in, early);
    if (early < len)
        r = eddy_read_exactly(s, body + early, len - early);
    if (r < 0)
        return r == -EDDY_EEOF ? cut_short(job) : r;
    body[len] = '\0'; /* not of the body; for those who look at it in a debugger */
    job->answer.body = (struct eddy_slice){ body, len };
    return 0;
}

static int gather(struct eddy_fetch_job *job, struct eddy_buffer *body, struct eddy_slice piece)
{
    int r = eddy_buffer_append(body, piece.ptr, piece.len);

    return r == -EDDY_ETOOBIG ? too_big(job) : r;
}

/* What was gathered goes where the answer lives. */
static int keep_gathered(struct eddy_fetch_job *job, const struct eddy_buffer *body)
{
    struct eddy_slice bytes = eddy_buffer_bytes(body);
    char *copy = NULL;

    int r = room(job, bytes.len + 1, &copy);
    if (r < 0)
        return r;
    assert(copy);
    memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    job->answer.body = (struct eddy_slice){ copy, bytes.len };
    return 0;
}

/* Decode what stands in job->in. 1: the body is over; 0: more is needed. */
static int feed_chunks(struct eddy_fetch_job *job, struct eddy__http1_chunks *chunks,
                       struct eddy_buffer *body)
{
    for (;;) {
        struct eddy_slice have = eddy_buffer_bytes(&job->in);
        struct eddy_slice piece = { NULL, 0 };
        size_t used = 0;

        int result = eddy__http1_chunks_feed(chunks, have.ptr, have.len, &used, &piece);
        int r = 0;
        if (result == EDDY__HTTP1_CHUNKS_PIECE)
            r = gather(job, body, piece);
        eddy_buffer_take(&job->in, used);
        if (result < 0)
            return complain(job, -EDDY_EUPSTREAM, chunks->why);
        if (r < 0)
            return r;
        if (result == EDDY__HTTP1_CHUNKS_DONE)
            return 1;
        if (result == EDDY__HTTP1_CHUNKS_MORE)
            return 0;
    }
}

static int body_by_chunks(struct eddy_fetch_job *job, struct eddy_stream *s,
                          struct eddy_buffer *body)
{
    struct eddy__http1_chunks chunks = { 0 };

    for (;;) {
        int r = feed_chunks(job, &chunks, body);
        if (r != 0)
            return r < 0 ? r : 0;
        ssize_t n = read_more(job, s);
        if (n <= 0)
            return n == 0 || n == -EDDY_EEOF ? cut_short(job) : (int)n;
    }
}

static int body_until_close(struct eddy_fetch_job *job, struct eddy_stream *s,
                            struct eddy_buffer *body)
{
    for (;;) {
        struct eddy_slice have = eddy_buffer_bytes(&job->in);
        int r = gather(job, body, have);
        if (r < 0)
            return r;
        eddy_buffer_take(&job->in, have.len);
        ssize_t n = read_more(job, s);
        if (n <= 0)
            return n == -EDDY_EEOF ? cut_short(job) : (int)n; /* TLS: cut off, maybe by another */
    }
}

static int read_body(struct eddy_fetch_job *job, struct eddy_stream *s,
                     const struct eddy__http1_head *head)
{
    if (!eddy__http1_has_body(head)) {
        job->answer.body = (struct eddy_slice){ "", 0 };
        return 0;
    }
    if (!head->chunked && head->content_length >= 0)
        return body_by_length(job, s, (uint64_t)head->content_length);

    struct eddy_buffer body = EDDY_BUFFER(job->max_body);
    int r = head->chunked ? body_by_chunks(job, s, &body) : body_until_close(job, s, &body);
    if (r == 0)
        r = keep_gathered(job, &body);
    eddy_buffer_done(&body);
    return r;
}

int eddy_fetch_answer(struct eddy_fetch_job *job, struct eddy_stream *s)
{
    struct eddy__http1_head head = { 0 };

    job->in = EDDY_BUFFER(IN_MAX);
    job->got_a_byte = false;
    int r = final_head(job, s, &head);
    if (r == 0)
        r = read_body(job, s, &head);
    if (r == 0) {
        /* Bytes behind the answer belong to no question of ours. */
        job->keep = head.keep_alive && !head.until_close && !job->close &&
                    eddy_buffer_bytes(&job->in).len == 0;
        job->answer.status = head.status;
        job->answer.headers = head.headers;
        job->answer.header_count = head.header_count;
    }
    eddy_buffer_done(&job->in);
    assert(r <= 0);
    return r;
}
