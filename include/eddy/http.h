/*
 * eddy/http.h - HTTP/1.1 for servers: requests, replies, and a server over a listener
 *
 * Below the framework (eddy/web.h): one handler gets every request. It runs as a task on a
 * pooled stack, so it may wait for anything; its result is the reply's status:
 *
 *     >= 100   that status (with what the handler wrote, or its reason phrase as text)
 *     0        already written
 *     < 0      mapped through eddy_error_status(), unless something was written already
 *
 * The request, its headers, its body and what is taken from its arena live until the handler
 * returns. A client that is gone (reset, failed write) cancels the handler's scope; one that
 * only ended its input gets its reply.
 */
#ifndef EDDY_HTTP_H
#define EDDY_HTTP_H

#include <eddy/arena.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/http_types.h>
#include <eddy/slice.h>

EDDY_BEGIN

struct eddy_listener;
struct eddy_transport;
struct eddy_reply;
struct eddy_http_server;
struct eddy_app;
struct eddy_tls;

/* A path parameter: /users/{id} makes { "id", "42" }, percent-decoded. */
struct eddy_param {
    struct eddy_slice name, value;
};

/* Read-only for handlers, but for what @arena gives. */
struct eddy_request {
    enum eddy_method method;
    struct eddy_slice method_text; /* as sent */
    struct eddy_slice target;      /* as sent: path and query, not decoded */
    struct eddy_slice path;        /* before the '?', not decoded */
    struct eddy_slice query;       /* behind the '?'; empty without one */
    struct eddy_slice host;        /* of the target or the Host field, with its port */
    int minor_version;             /* 1 for HTTP/1.1, 0 for HTTP/1.0 */
    const struct eddy_header *headers;
    size_t header_count;
    struct eddy_slice body; /* whole; limits.body bounds it */
    const struct eddy_param *params;
    size_t param_count;
    struct eddy_arena *arena;   /* lives as long as the request */
    const struct eddy_app *app; /* NULL below the framework */
};

typedef int eddy_handler_fn(struct eddy_request *req, struct eddy_reply *reply);

/**
 * eddy_request_header() - a header field's value
 * @req:  borrowed
 * @name: compared without case
 *
 * Return: the first value of that name, trimmed; .ptr is NULL when there is none.
 * Source: RFC 9110 5.1.   Since: 0.1
 */
EDDY_API struct eddy_slice eddy_request_header(const struct eddy_request *req, const char *name);

/** eddy_request_param() - a path parameter of the route
 * @req:  borrowed
 * @name: as in the route: "id" for /users/{id}
 *
 * Return: its value, percent-decoded; .ptr is NULL when the route has none of that name.
 * Source: FastAPI's path parameters.   Since: 0.1 */
EDDY_API struct eddy_slice eddy_request_param(const struct eddy_request *req, const char *name);

/** eddy_request_query() - a field of the query string
 * @req:  borrowed
 * @name: percent-decoded name
 *
 * Return: the first value, decoded into the arena, '+' read as a blank; .ptr NULL: none, or no
 * memory.   Source: WHATWG URL 5.1.   Since: 0.1 */
EDDY_API struct eddy_slice eddy_request_query(const struct eddy_request *req, const char *name);

/** eddy_request_peer() - the client's address as text, "127.0.0.1:51234"
 * @req: borrowed
 *
 * Return: a terminated text in the arena; "" when it is not known.
 * Source: getpeername(2).   Since: 0.1 */
EDDY_API const char *eddy_request_peer(struct eddy_request *req);

/** eddy_request_ctx() - what the server's options said as .ctx
 * @req: borrowed
 *
 * Return: the pointer.   Source: none.   Since: 0.1 */
EDDY_API const void *eddy_request_ctx(const struct eddy_request *req);

/* --- the reply: whole ------------------------------------------------------------------------
 * Each sets the body and a Content-Type; none sends yet: the reply leaves when the handler has
 * returned, so it can still be replaced. They return 0, or -ENOMEM, -EDDY_ETOOBIG (over the
 * arena's bound), -EALREADY (streaming has begun); the first error also stays in the reply.
 */

/** eddy_reply_status() - the status, 200 unless set
 * @reply: of this request
 * @status: 100 to 599; the handler's own result >= 100 outranks it
 *
 * Return: 0, -EINVAL, -EALREADY.   Source: RFC 9110 15.   Since: 0.1 */
EDDY_API int eddy_reply_status(struct eddy_reply *reply, int status);

/**
 * eddy_reply_header() - add a header field
 * @reply: before its head has left
 * @name:  a token; Content-Type replaces the default one. Content-Length, Transfer-Encoding,
 *         Connection and Date are the server's
 * @value: no CR, LF or NUL
 *
 * Return: 0, -EINVAL (name or value cannot be sent, or is the server's), -ENOMEM, -EALREADY.
 * Source: RFC 9110 5.   Since: 0.1
 */
EDDY_API int eddy_reply_header(struct eddy_reply *reply, const char *name, const char *value);

/** eddy_reply_text() - text/plain; charset=utf-8
 * @reply: of this request
 * @text:  copied
 *
 * Return: as said above.   Source: none.   Since: 0.1 */
EDDY_API int eddy_reply_text(struct eddy_reply *reply, const char *text);

/** eddy_reply_html() - text/html; charset=utf-8
 * @reply: of this request
 * @html:  copied
 *
 * Return: as said above.   Source: none.   Since: 0.1 */
EDDY_API int eddy_reply_html(struct eddy_reply *reply, const char *html);

/** eddy_reply_printf() - append formatted text to the body; text/plain unless a type was set
 * @reply:  of this request
 * @format: printf's
 *
 * Return: as said above.   Source: printf(3).   Since: 0.1 */
EDDY_API int eddy_reply_printf(struct eddy_reply *reply, const char *format, ...) EDDY_PRINTF(2, 3);

/** eddy_reply_json() - application/json, from text that is JSON already
 * @reply: of this request
 * @json:  copied; eddy/json.h writes it
 *
 * Return: as said above.   Source: RFC 8259.   Since: 0.1 */
EDDY_API int eddy_reply_json(struct eddy_reply *reply, struct eddy_slice json);

/** eddy_reply_bytes() - any body, copied
 * @reply: of this request
 * @type:  the Content-Type
 * @data:  copied
 *
 * Return: as said above, -EINVAL for a type that cannot be sent.   Source: none.   Since: 0.1 */
EDDY_API int eddy_reply_bytes(struct eddy_reply *reply, const char *type, struct eddy_slice data);

/** eddy_reply_static() - a body by reference: constant, or from the request's arena
 * @reply: of this request
 * @type:  a constant; the Content-Type
 * @data:  not copied: it must stay as it is until the reply has left
 *
 * Return: as said above.   Source: none.   Since: 0.1 */
EDDY_API int eddy_reply_static(struct eddy_reply *reply, const char *type, struct eddy_slice data);

/**
 * eddy_reply_fail() - answer with an error page of one line
 * @reply:  of this request
 * @status: what the client gets
 * @error:  negative; its text is logged, and only its general text is shown
 *
 * Return: @status, so that `return eddy_reply_fail(reply, 502, r)` is one line.
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_reply_fail(struct eddy_reply *reply, int status, int error);

/**
 * eddy_reply_write() - stream: send a piece of the body now
 * @reply: the first call sends the head; chunked on HTTP/1.1, until close on HTTP/1.0
 * @data:  borrowed until return
 * @len:   0 sends the head alone
 *
 * Suspends until the kernel has it: back-pressure is this wait. Cancelled: unknown, the
 * connection is closed when the handler returns.
 *
 * Return: 0, -ECONNRESET or -EPIPE (the client is gone), -ETIMEDOUT, -ECANCELED, -EALREADY (a
 * whole body was set before).
 * Source: RFC 9112 7.1.   Since: 0.1
 */
EDDY_API int eddy_reply_write(struct eddy_reply *reply, const void *data, size_t len);

/* --- the server ------------------------------------------------------------------------------- */

/* Every bound, with its default; reaching one answers as said. Zero means the default. */
struct eddy_http_limits {
    size_t head;                 /* bytes of request line and headers: 32 KiB; 431, line: 414 */
    size_t headers;              /* header fields: 100; 431 */
    size_t body;                 /* bytes of a body: 1 MiB; 413 */
    size_t reply;                /* bytes of a reply that is not streamed: 16 MiB */
    size_t connections;          /* at once: 10 000; more wait in the kernel's backlog */
    unsigned head_timeout_ms;    /* a head, in all: 10 s; 408 */
    unsigned body_timeout_ms;    /* a body, in all: 30 s; 408 */
    unsigned handler_timeout_ms; /* a handler: 60 s; 503 */
    unsigned idle_timeout_ms;    /* between requests: 75 s; closed silently */
    unsigned write_timeout_ms;   /* a reply that makes no progress: 30 s; closed */
    unsigned requests;           /* of one connection: no bound; then Connection: close */
};

struct eddy_http_options {
    size_t size; /* filled by EDDY_OPT(http, ...) */
    struct eddy_http_limits limits;
    const char *server_name;    /* the Server field; NULL: "eddy" */
    bool cancel_on_eof;         /* the client's end of input cancels its handler, too */
    const struct eddy_app *app; /* for requests' ->app; set by the framework */
    const void *ctx;            /* eddy_request_ctx() */
    struct eddy_tls *tls;       /* https: over every connection of the listener; shared, not taken;
                                 * the handshake has limits.head_timeout_ms; NULL: plain */
};

/**
 * eddy_http_serve() - serve every connection of a listener
 * @listener: owned from now on when 0 is returned
 * @handler:  called in a task for each request
 * @options:  EDDY_OPT(http, .limits.body = 1 << 20), copied; may be NULL
 * @ret:      owned; ended with eddy_http_stop() and eddy_http_server_free()
 *
 * Does not suspend. Works from any of the three contexts.
 *
 * Return: 0, -ENOMEM, -EINVAL (a server name that cannot be sent), -EBUSY (tasks accept on the
 * listener).   Source: RFC 9112.   Since: 0.1
 */
EDDY_API int eddy_http_serve(struct eddy_listener *listener, eddy_handler_fn *handler,
                             const struct eddy_http_options *options,
                             struct eddy_http_server **ret);

/**
 * eddy_http_serve_transport() - serve one connection that exists already
 * @server: made by eddy_http_serve(), or by eddy_http_serve(NULL, ...) with no listener
 * @t:      owned from now on; TLS or any other filter, a pair
 *
 * Return: 0, -ENOMEM, -EDDY_EDRAINING; @t is closed on failure too.
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_http_serve_transport(struct eddy_http_server *server, struct eddy_transport *t);

/**
 * eddy_http_stop() - stop gracefully: accept no more, let running requests end, then cancel
 * @server:   idle connections are closed at once; running requests answer with Connection: close
 * @grace_ms: after it handlers are cancelled and answer 503; 0: at once
 *
 * Suspends until the last connection is gone. Cancelled, before it waits or while it does: the stop
 * has begun and goes on. A second call from elsewhere may shorten the time.
 *
 * Return: how many requests had to be cancelled; -EDEADLK; -ECANCELED or -ETIMEDOUT (the stop goes
 * on).
 * Source: uvicorn's graceful shutdown.   Since: 0.1
 */
EDDY_API int eddy_http_stop(struct eddy_http_server *server, int64_t grace_ms);

/** eddy_http_server_free() - free a server
 * @server: stopped, or it is stopped now with no grace; NULL is fine
 *
 * Suspends when it has to stop it, and is not itself cancelled; in a callback the loop frees it.
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_http_server_free(struct eddy_http_server *server);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_http_server)
#endif

/* What a server has done so far. */
struct eddy_http_stats {
    size_t connections;      /* open now */
    size_t requests_running; /* handlers now */
    uint64_t accepted;
    uint64_t requests;  /* answered */
    uint64_t refused;   /* heads and bodies that broke a rule or a limit */
    uint64_t timeouts;  /* 408, idle and write timeouts */
    uint64_t cancelled; /* handlers cancelled because the client was gone */
};

/** eddy_http_stats() - counters
 * @server:    borrowed
 * @ret_stats: filled
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_http_stats(const struct eddy_http_server *server,
                              struct eddy_http_stats *ret_stats);

EDDY_END

#endif
