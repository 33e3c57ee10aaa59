/*
 * tls/filter.h - the filter from inside
 */
#ifndef EDDY_TLS_FILTER_H
#define EDDY_TLS_FILTER_H

#include "stream/writes.h"
#include "task/wait.h"
#include "tls/context.h"

#include <eddy/buffer.h>
#include <eddy/tls.h>

struct tls_turns;

struct tls_filter {
    struct eddy_transport base; /* first */
    struct eddy_loop *loop;
    struct eddy_transport *below; /* NULL: closed() came */
    struct eddy_tls *tls;
    struct tls_identity *identity; /* the one it was made with */
    struct tls_turns *turns;
    SSL *ssl;

    /* input: `cipher` first, then what is being lent */
    struct eddy_buffer cipher;
    const char *lent;
    size_t lent_len;

    /* output: records gather in `out`, and leave as `sending`, which `down` holds while busy */
    struct eddy_buffer out;
    struct eddy_buffer sending;
    struct eddy_write down;
    struct iovec down_iov;
    struct eddy_writes writes; /* from above; scratch[0] says how far one is: enum write_state */

    struct eddy_wait *shaker; /* eddy_tls_handshake() */
    struct eddy_soon soon;
    struct eddy_list in_line;  /* of turns->line; alone while it need not wait */
    struct eddy_error failure; /* code 0: none */
    char *host;                /* client: whom we want; owned */
    int why;                   /* closing: for closed() */
    int out_error;
    bool resumed;
    bool below_resumed;
    bool below_ended;
    bool begun;   /* the first step of the handshake was done */
    bool shaken;  /* the handshake is done */
    bool turn;    /* its turn in the line has come */
    bool offered; /* client: a session of an earlier connection */
    bool ended;   /* the peer's close-notify came */
    bool told;
    bool busy; /* `down` is in the hands of the layer below */
    bool closing;
};

/* filter.c */
extern const struct eddy_transport_ops tls_ops;
void tls_settle(struct tls_filter *f); /* from the loop; may free @f */

/* peer.c */
int tls_info(const struct tls_filter *f, struct eddy_tls_info *ret);
/* subjectAltName as text; @prefix_dns NULL: without "DNS:" before host names. */
void tls_names_text(X509 *cert, char *to, size_t cap, const char *prefix_dns);

/* turns.c */
struct tls_turns *tls_turns_of(struct eddy_loop *loop); /* NULL: out of memory */
/* Whether a step of the handshake may be done now; if not, the loop will settle @f in its turn. */
bool tls_turn_begin(struct tls_filter *f, int64_t *ret_began_ns);
void tls_turn_end(struct tls_filter *f, int64_t began_ns);

/* bio.c: a BIO over the filter's buffers. NULL: out of memory. */
BIO *tls_bio_new(struct tls_filter *f);

/* failure.c */
int tls_verify(int ok, X509_STORE_CTX *store); /* SSL_set_verify()'s: remembers what is refused */
int tls_verify_chain(X509_STORE_CTX *store, void *unused); /* all of it, and then the pins */
void tls_explain(struct tls_filter *f,
                 int ssl_error); /* fills ->failure, empties OpenSSL's queue */

#endif
