/*
 * eddy/fetch.h - the HTTP client: one call fetches a page, over connections kept alive
 *
 * Each loop keeps a pool of idle connections, bounded for each host and in all.
 */
#ifndef EDDY_FETCH_H
#define EDDY_FETCH_H

#include <eddy/arena.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/http_types.h>
#include <eddy/slice.h>

EDDY_BEGIN

struct eddy_tls;

struct eddy_fetch_options {
    size_t size;        /* filled by EDDY_OPT(fetch, ...) */
    const char *method; /* NULL: GET, or POST with a body */
    const struct eddy_header *headers;
    size_t header_count;
    struct eddy_slice body;
    int64_t timeout_ms;       /* the whole job, name to last byte: 0: 30 s */
    size_t max_body;          /* 0: 16 MiB; more is -EDDY_EANSWER_TOOBIG */
    struct eddy_arena *arena; /* the body and headers live there; NULL: in the response */
    struct eddy_tls *tls;     /* for https; NULL: system roots */
    struct eddy_error *error; /* where the text of a failure goes */
};

struct eddy_response {
    int status;
    struct eddy_header *headers;
    size_t header_count;
    struct eddy_slice body;
    struct eddy_arena own; /* used when the options named no arena */
};

/**
 * eddy_fetch() - fetch a URL
 * @url:          http:// or https://, absolute
 * @options:      EDDY_OPT(fetch, .timeout_ms = 2000), may be NULL
 * @ret_response: written on success only; ended by eddy_response_done(), which EDDY_AUTO calls
 *
 * Suspends. Looks at its scope first. Redirects are not followed. A connection that was kept alive
 * and turns out dead before a byte of the answer is replaced once, for methods that may be
 * repeated. Cancelled: unknown (the server may have acted); the connection is closed.
 *
 * Return: 0 for any answer, whatever its status; or negative, and as a handler's result a 502 or
 * 504 unless said otherwise:
 *   -EDDY_EURL  the URL cannot be used, or names a user
 *   -EINVAL  a method or header that cannot be sent, or is the client's (Content-Length, ...)
 *   -EDDY_ENONAME, -EDDY_ERESOLVER  the name
 *   -ECONNREFUSED, -EHOSTUNREACH, ...  as connect(2)
 *   -EDDY_EUPSTREAM_TIMEOUT  .timeout_ms passed
 *   -EDDY_EEOF  the answer was cut short
 *   -EDDY_EANSWER_TOOBIG  the body is over .max_body, or over what .arena has room for
 *   -EDDY_EUPSTREAM  the answer breaks HTTP's rules, or its head is too large
 *   -EDDY_ETLS, -EDDY_ECERT  TLS
 *   -ETIMEDOUT, -ECANCELED  a scope of the caller's ended   -EDEADLK  in a callback
 * Source: RFC 9110, RFC 9112.   Since: 0.1
 */
EDDY_API int eddy_fetch(const char *url, const struct eddy_fetch_options *options,
                        struct eddy_response *ret_response);

/** eddy_response_done() - free what a response holds
 * @response: zeroed or filled; safe twice
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_response_done(struct eddy_response *response);

/** eddy_response_header() - a header field's value
 * @response: borrowed
 * @name:     compared without case
 *
 * Return: the first value; .ptr is NULL when there is none.   Source: RFC 9110 5.1.   Since: 0.1 */
EDDY_API struct eddy_slice eddy_response_header(const struct eddy_response *response,
                                                const char *name);

/* The pool's bounds, for this thread's loop: 8 idle a host, 64 idle in all, idle for 30 s; 64
 * open a host and 256 in all, beyond which a fetch waits its turn. Zero keeps what stands. */
struct eddy_client_options {
    size_t size; /* filled by EDDY_OPT(client, ...) */
    unsigned idle_per_host, idle_total;
    unsigned open_per_host, open_total;
    unsigned idle_ms;
};

/** eddy_client_configure() - set the bounds of this loop's client
 * @options: EDDY_OPT(client, .open_per_host = 4)
 *
 * Return: 0 or -ENOMEM.   Source: httpx.Limits.   Since: 0.1 */
EDDY_API int eddy_client_configure(const struct eddy_client_options *options);

EDDY_END

#endif
