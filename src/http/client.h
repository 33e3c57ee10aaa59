/*
 * http/client.h - the client from inside: one pool for each loop, one job for each fetch
 *
 * A connection of the pool (struct eddy_client_conn) is the right to have one open. It counts
 * from the moment it is granted, before it is connected, until it is dropped:
 *
 *   granted, new     stream NULL           the fetch connects it
 *   granted, reused  stream set            the fetch uses it
 *   idle             transport set         nobody's: the pool watches it, and drops it when the
 *                                          peer ends it, sends what nobody asked for, or time is up
 *
 *   client_pool.c     bounds, turns, idle connections
 *   client_connect.c  a name, TCP, TLS
 *   fetch.c           the public calls; one deadline over all
 *   fetch_request.c   what is sent, and what may not be
 *   fetch_answer.c    what comes back
 */
#ifndef EDDY_HTTP_CLIENT_H
#define EDDY_HTTP_CLIENT_H

#include "base/list.h"
#include "codec/http/http1.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/buffer.h>
#include <eddy/fetch.h>
#include <eddy/stream.h>
#include <eddy/url.h>

#define CLIENT_HOST_MAX 255 /* of a name; more cannot be resolved (RFC 1035 2.3.4) */

/* Whose connections are interchangeable. */
struct eddy_client_key {
    char host[CLIENT_HOST_MAX + 1]; /* lower case */
    bool ipv6;                      /* it needs brackets */
    uint16_t port;
    struct eddy_tls *tls; /* NULL: plain. A live connection keeps its context alive */
};

/* One host the pool has to do with. Freed when nothing is open and nobody waits. */
struct eddy_client_host {
    struct eddy_list link; /* in pool->hosts */
    struct eddy_client_key key;
    struct eddy_list idle; /* of conns, the one used last in front */
    unsigned idle_count;
    unsigned open; /* idle ones included */
    unsigned waiting;
};

struct eddy_client_conn {
    struct eddy_list link;   /* in host->idle; self-linked while granted */
    struct eddy_list by_age; /* in pool->idle, oldest first */
    struct eddy_client_pool *pool;
    struct eddy_client_host *host; /* NULL: a spare, not granted yet */
    struct eddy_stream *stream;
    struct eddy_transport *transport;
    int64_t idle_until_ns;
};

struct eddy_client_pool {
    struct eddy_loop *loop;
    struct eddy_client_options bounds; /* none is zero */
    struct eddy_list hosts;
    struct eddy_list idle;    /* of conns, oldest first */
    struct eddy_list waiters; /* in their order */
    unsigned idle_count;
    unsigned open;
    struct eddy_timer expiry; /* of the oldest idle one */
    struct eddy_tls *tls;     /* for https without a context; made when first needed */
};

/* This loop's pool, made when first asked for; NULL: no memory, or no loop. */
struct eddy_client_pool *eddy_client_pool_of_loop(void);

/*
 * A connection, in one's turn. Suspends where a bound is reached; cancelled: nothing happened.
 * Ends with eddy_client_give_back() or eddy_client_drop(). -ENOMEM, and what waits return.
 */
int eddy_client_take(struct eddy_client_pool *pool, const struct eddy_client_key *key,
                     struct eddy_client_conn **ret_conn);

/* The exchange is complete and the peer keeps the connection: let others use it. */
void eddy_client_give_back(struct eddy_client_conn *conn);

/* Close what is open, and let the next one have its turn. */
void eddy_client_drop(struct eddy_client_conn *conn);

/* Fill conn->stream. Suspends. Errors as eddy_connect() and eddy_tls_handshake(). */
int eddy_client_connect(struct eddy_client_conn *conn, int64_t timeout_ms, struct eddy_error *err);

/* --- one fetch -------------------------------------------------------------------------------- */

struct eddy_fetch_job {
    const struct eddy_fetch_options *options; /* complete: no field is missing */
    struct eddy_error *err;                   /* the caller's, or one of our own; never NULL */
    struct eddy_url url;
    struct eddy_client_key key;
    enum eddy_method method;
    struct eddy_slice method_text;
    struct eddy_buffer head; /* the request's, complete */
    bool close;              /* the caller's headers ask for the end of the connection */
    size_t max_body;
    int64_t deadline_ns;
    struct eddy_arena *arena; /* where the answer goes */

    struct eddy_buffer in; /* what was received and not used yet */
    bool got_a_byte;       /* of the answer */
    bool keep;             /* the connection is clean, and may be used again */
    struct eddy_response answer;
};

/* Judge URL, method and headers; write the head. */
int eddy_fetch_prepare(struct eddy_fetch_job *job, const char *url);

/* Read the answer to what was sent on @s. Suspends. */
int eddy_fetch_answer(struct eddy_fetch_job *job, struct eddy_stream *s);

#endif
