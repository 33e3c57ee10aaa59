/*
 * http/server.h - the server from inside: server, connection, exchange, output
 *
 * The model. A connection is a small struct on a transport; it owns no stack, no buffer and no
 * arena while it is idle. What a request needs is one exchange: a block of the loop's pool that
 * holds the request, its reply, its scope and the first bytes of its arena. What replies need on
 * their way out is one output: another block, into which a batch gathers and which leaves in one
 * write.
 *
 *   phase     x          what is awaited                      deadline
 *   IDLE      NULL       the first byte of a request          idle_timeout: closed silently
 *    shaking             the handshake, before all that       head_timeout: closed silently
 *   HEAD      NULL       the rest of a head, kept in `in`     head_timeout, in all: 408
 *   BODY      receiving  the rest of a body                   body_timeout, in all: 408
 *   RUN       running    a handler that has suspended         handler_timeout: 503
 *   STREAM    running    the kernel, to take what it wrote    write_timeout without progress
 *   WRITE     NULL       the kernel, to take replies          write_timeout without progress
 *   TURN      NULL       the next turn, for requests in `in`  none
 *   LINGER    NULL       the client's end, after our last     LINGER_MS: closed
 *   CLOSED    any        closed(), and the handler's end      none
 *
 * Who may free: a connection frees itself once the transport said closed() and no handler runs;
 * an exchange is given back once its reply has left; an output once its write is done.
 *
 *   server_pool.c      blocks, the date
 *   server.c           the public calls, stopping, limits
 *   server_conn.c      the transport's callbacks, phases, the one timer
 *   server_input.c     bytes to heads, bodies and refusals
 *   server_exchange.c  a handler's start, its end, what its result means
 *   server_output.c    gathering and writing
 *   server_head.c      a reply's head
 *   reply.c, request.c what handlers call
 */
#ifndef EDDY_HTTP_SERVER_H
#define EDDY_HTTP_SERVER_H

#include "base/list.h"
#include "base/memory.h"
#include "codec/http/http1.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/buffer.h>
#include <eddy/http.h>
#include <eddy/transport.h>

#define HTTP_BLOCK ((size_t)8192)       /* an exchange, or an output */
#define HTTP_READ_AHEAD ((size_t)16384) /* kept while a handler runs; then reading pauses */
#define HTTP_RACED ((size_t)9 << 20)    /* what a transport may still deliver at once after that */
#define HTTP_REQUESTS_A_TURN 64         /* of one connection; then others have theirs */
#define HTTP_LINGER_MS 2000             /* how long we listen after our last reply */
#define HTTP_LINGER_HARD_MS 250         /* the same once a stop's grace is over */
/* Thrown away meanwhile. Closing on a client in the middle of an upload resets the connection, and
 * most read our answer only behind what they send: the time is the bound, this one is for floods. */
#define HTTP_LINGER_BYTES ((size_t)64 << 20)
#define HTTP_OUTPUT_IOV 32

/* What a loop keeps for its servers, in EDDY_SLOT_SERVER. */
struct eddy_server_pool {
    void *free; /* blocks, linked through their first word */
    unsigned count;
    int64_t date_until_ns; /* on the loop's clock: the date is good before it */
    uint64_t date_serial;  /* changes with the date */
    char date[EDDY__HTTP_DATE];
};

struct eddy_server_pool *eddy_server_pool_of(struct eddy_loop *loop); /* NULL: no memory */
void *eddy_server_block_take(struct eddy_server_pool *pool);          /* NULL: no memory */
void eddy_server_block_give(struct eddy_server_pool *pool, void *block);
void eddy_server_date_refresh(struct eddy_server_pool *pool, struct eddy_loop *loop);

struct eddy_server_stop_wait {
    struct eddy_wait wait;
    struct eddy_list link; /* in server->waiters */
};

struct eddy_http_server {
    struct eddy_loop *loop;
    struct eddy_server_pool *pool;  /* the loop's */
    struct eddy_listener *listener; /* owned; NULL once it is stopped, or if there is none */
    eddy_handler_fn *handler;
    struct eddy_http_limits limits; /* none is zero but `requests` */
    bool cancel_on_eof;
    bool stopping; /* no new connection, every reply closes */
    bool hard;     /* the grace is over */
    bool full;     /* the listener rests because of limits.connections */
    bool orphan;   /* freed by eddy_http_server_free() in a callback: goes with the last conn */
    const struct eddy_app *app;
    const void *ctx;
    struct eddy_tls *tls; /* over what the listener brings; shared; NULL: plain */
    void *owned;          /* the framework's router, which goes with the server */
    void (*free_owned)(void *owned);
    struct eddy_header *scratch; /* limits.headers of them: a head is parsed into it */
    struct eddy__http1_limits scan_limits;
    size_t arena_max; /* a reply, the head it answers, its own, and room for small things */
    struct eddy_slice
        good_type; /* the last constant Content-Type that was judged, by its address */

    struct eddy_list conns;   /* of struct eddy_server_conn */
    struct eddy_scope scope;  /* around every request's */
    struct eddy_timer grace;  /* of a stop */
    struct eddy_list waiters; /* of struct eddy_server_stop_wait */
    int stop_cancelled;       /* requests a stop had to cancel */
    struct eddy_http_stats stats;

    /* What every reply begins with, rebuilt when the date changes. */
    uint64_t date_serial;
    char *name; /* "Server: eddy\r\n"; owned, name_len + 1 bytes */
    size_t name_len;
    char *ok; /* "HTTP/1.1 200 OK\r\n" and then what `common` is; owned, ok_cap bytes */
    size_t ok_len;
    size_t ok_cap;
};

enum eddy_server_phase {
    HTTP_IDLE,
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_RUN,
    HTTP_STREAM,
    HTTP_WRITE,
    HTTP_TURN,
    HTTP_LINGER,
    HTTP_CLOSED,
};

struct eddy_server_exchange;
struct eddy_server_output;

/* At most 1 KiB together with a socket's transport: keep it small. */
struct eddy_server_conn {
    struct eddy_transport *t; /* owned until closed() */
    struct eddy_http_server *server;
    struct eddy_list link;          /* in server->conns */
    struct eddy_timer timer;        /* one for all phases; armed at or before deadline_ns */
    int64_t deadline_ns;            /* 0: none */
    struct eddy_buffer in;          /* unconsumed bytes; holds no memory while idle */
    struct eddy_server_exchange *x; /* receiving its body, or running */
    struct eddy_server_output *out; /* being gathered */
    struct eddy_soon flush;         /* settling is put off to the end of the turn */
    struct eddy_soon soon;          /* the handler has ended, or the next turn has come */
    struct eddy_write last;         /* the end of output, or the reply there is no memory for */
    struct iovec last_iov;
    struct eddy__http1_scan scan; /* of the head in `in` */
    size_t lingered;              /* bytes thrown away */
    size_t write_left;            /* what waited to leave when the write timer last looked */
    uint64_t turn;                /* the loop's, that `served` belongs to */
    unsigned served;              /* requests begun in it */
    unsigned requests;            /* begun on this connection */
    unsigned writes;              /* outputs in the transport's hands */
    uint8_t phase;                /* enum eddy_server_phase */
    bool reading;                 /* the transport is resumed */
    bool shaking;                 /* a TLS handshake may be under way */
    bool waiting;                 /* served its share; `soon` goes on. No handler runs */
    bool ended;                   /* the client ended its input */
    bool closing;                 /* the last reply has been gathered */
    bool no_memory;               /* ... but for the constant 503, which goes with `last` */
    bool finishing;               /* `last` is in the transport's hands, or was */
    bool finished;                /* our end has left */
    bool closed;                  /* closed() came: t is gone */
    int why;                      /* once gone: the error */
};

struct eddy_server_field {
    struct eddy_server_field *next;
    size_t len;
    char text[]; /* "Name: value\r\n" */
};

struct eddy_reply {
    struct eddy_slice body;
    size_t body_cap;        /* of a body in the arena that may grow; 0: it may not */
    struct eddy_slice type; /* .ptr NULL: none set */
    struct eddy_server_field *fields, **fields_tail;
    size_t fields_len;
    int status;     /* 0: not set */
    int error;      /* the first one */
    bool whole;     /* a body was set */
    bool streaming; /* the head has left */
    bool chunked;   /* streaming with a length for each piece */
    bool bodiless;  /* HEAD, 204, 304: pieces are dropped */
    bool keep;      /* decided with the head: the connection goes on */
};

/* One request and its reply; the first bytes of a block, whose rest is its arena. */
struct eddy_server_exchange {
    struct eddy_request req;
    struct eddy_reply reply;
    struct eddy_arena arena;
    struct eddy_server_conn *conn;
    struct eddy_server_exchange *next; /* held by an output */
    struct eddy_buffer body;           /* a body whose length is not known, or not believed */
    struct eddy__http1_chunks chunks;
    uint64_t body_left; /* of a body of known length */
    bool chunked;
    int result; /* the handler's */
    int forced; /* status a timeout or a stop decided; 0: none */
    bool started;
    bool suspended; /* eddy__go_now() came back before the handler's end */
    bool finished;
    bool keep;               /* the request allows another behind it */
    bool referred;           /* an output points into this block or its arena */
    struct eddy_scope scope; /* not cleared with the rest */
};

static_assert(sizeof(struct eddy_server_exchange) < HTTP_BLOCK / 4, "most of a block is arena");
static_assert(sizeof(struct eddy_server_conn) <= 512, "an idle connection stays under its budget");

struct eddy_server_output {
    struct eddy_write write;
    struct eddy_server_conn *conn;
    struct eddy_server_exchange *held; /* replies that are referred to, not copied */
    struct eddy_wait *waiter;          /* a handler that streams */
    size_t used;                       /* of data[] */
    unsigned count;                    /* of iov */
    struct iovec iov[HTTP_OUTPUT_IOV];
    char data[];
};

#define HTTP_OUTPUT_ROOM (HTTP_BLOCK - sizeof(struct eddy_server_output))

/* server.c */
int eddy_server_admit(struct eddy_http_server *server, struct eddy_transport *t);
void eddy_server_conn_gone(struct eddy_http_server *server); /* a connection was freed */

/* server_conn.c */
int eddy_server_conn_new(struct eddy_http_server *server, struct eddy_transport *t);
void eddy_server_conn_close(struct eddy_server_conn *conn, int why);
void eddy_server_conn_settle(
    struct eddy_server_conn *conn); /* after a batch: flush, next phase, deadline */
void eddy_server_conn_advance(struct eddy_server_conn *conn); /* go on with what was read ahead */
void eddy_server_conn_deadline(struct eddy_server_conn *conn, unsigned delay_ms);
void eddy_server_conn_free_if_done(struct eddy_server_conn *conn);

/* server_input.c: how many bytes were used; the rest waits for more, or for a handler. */
size_t eddy_server_input(struct eddy_server_conn *conn, const char *data, size_t len);
void eddy_server_refuse(struct eddy_server_conn *conn,
                        int status); /* the last answer of this connection */

/* server_exchange.c */
struct eddy_server_exchange *eddy_server_exchange_new(struct eddy_server_conn *conn);
void eddy_server_exchange_free(struct eddy_server_exchange *x);
void eddy_server_exchange_start(struct eddy_server_exchange *x);
void eddy_server_exchange_end(struct eddy_server_exchange *x); /* the handler has returned */

static inline bool eddy_server_conn_is_running(const struct eddy_server_conn *conn)
{
    return conn->x && conn->x->started;
}

/* server_output.c */
char *eddy_server_output_copy(struct eddy_server_conn *conn,
                              size_t len); /* room for len bytes, or NULL */
void eddy_server_output_refer(struct eddy_server_conn *conn, const void *ptr, size_t len);
bool eddy_server_output_reserve(struct eddy_server_conn *conn, size_t bytes, unsigned pieces);
void eddy_server_output_hold(struct eddy_server_conn *conn, struct eddy_server_exchange *x);
/* Hand the gathered output to the transport. With a waiter: true when it is done, *ret_res set;
 * false: the waiter will be woken. */
bool eddy_server_output_flush(struct eddy_server_conn *conn, struct eddy_wait *waiter,
                              int *ret_res);
void eddy_server_output_drop(struct eddy_server_conn *conn);

/* server_head.c: the head of x's reply. */
struct eddy_server_framing {
    bool chunked;
    bool until_close;
    bool has_length;
    size_t length;
};
bool eddy_server_head_gather(struct eddy_server_exchange *x, int status,
                             struct eddy_server_framing framing,
                             size_t behind); /* reserves `behind` bytes and three pieces more */
bool eddy_server_reply_gather(struct eddy_server_exchange *x, int status);

/* reply.c */
void eddy_server_reply_reset(struct eddy_reply *reply); /* forget body and fields */

static inline struct eddy_server_exchange *eddy_server_exchange_of_reply(struct eddy_reply *reply)
{
    return eddy_container_of(reply, struct eddy_server_exchange, reply);
}

static inline struct eddy_server_exchange *eddy_server_exchange_of_request(
    const struct eddy_request *req)
{
    return eddy_container_of((struct eddy_request *)(uintptr_t)req, struct eddy_server_exchange,
                             req);
}

#endif
