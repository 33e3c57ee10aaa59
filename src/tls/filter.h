/*
 * tls/filter.h - the filter from inside
 */
#ifndef EDDY_TLS_FILTER_H
#define EDDY_TLS_FILTER_H

#include "stream/writes.h"
#include "task/wait.h"

#include <eddy/buffer.h>
#include <eddy/tls.h>

#include <openssl/provider.h>
#include <openssl/ssl.h>

/* seeded.c: for contexts made under the simulator, and of no use elsewhere. */
struct tls_seeded {
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *ours, *theirs;
};
int tls_seeded_new(struct tls_seeded **ret); /* 0 or -ENOMEM */
void tls_seeded_free(struct tls_seeded *s);  /* NULL is fine */

struct eddy_tls {
    SSL_CTX *ctx;
    struct tls_seeded *seeded;   /* NULL: made on a real loop, or before there was one */
    _Atomic unsigned references; /* the owner's, and one a connection */
    bool server;
    bool insecure;
    unsigned char alpn[256]; /* as on the wire: lengths and names */
    unsigned alpn_len;
};

void tls_unref(struct eddy_tls *tls);

struct tls_filter {
    struct eddy_transport base; /* first */
    struct eddy_loop *loop;
    struct eddy_transport *below; /* NULL: closed() came */
    struct eddy_tls *tls;
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
    struct eddy_error failure; /* code 0: none */
    char *host;                /* client: whom we want; owned */
    int why;                   /* closing: for closed() */
    int out_error;
    bool resumed;
    bool below_resumed;
    bool below_ended;
    bool shaken; /* the handshake is done */
    bool ended;  /* the peer's close-notify came */
    bool told;
    bool busy; /* `down` is in the hands of the layer below */
    bool closing;
};

extern const struct eddy_transport_ops tls_ops; /* filter.c */

int tls_info(const struct tls_filter *f, struct eddy_tls_info *ret); /* handshake.c */

/* bio.c: a BIO over the filter's buffers. NULL: out of memory. */
BIO *tls_bio_new(struct tls_filter *f);

/* failure.c */
int tls_verify(int ok, X509_STORE_CTX *store); /* SSL_set_verify()'s: remembers what is refused */
void tls_explain(struct tls_filter *f,
                 int ssl_error); /* fills ->failure, empties OpenSSL's queue */

#endif
