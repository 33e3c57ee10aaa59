/*
 * tls/context.h - what connections of one kind share, from inside
 *
 * An identity is what files said: one SSL_CTX for each certificate, and whose names they are for.
 * It does not change once made; a reload makes another and puts it in the place of the first, which
 * lives on as long as a connection that was made with it. A client has one, with one SSL_CTX.
 *
 * Contexts may be used by several threads: what changes after birth is behind `lock`, or counted
 * atomically.
 */
#ifndef EDDY_TLS_CONTEXT_H
#define EDDY_TLS_CONTEXT_H

#include "base/list.h"

#include <eddy/tls.h>

#include <openssl/provider.h>
#include <openssl/ssl.h>

#include <pthread.h>
#include <stdatomic.h>

/* seeded.c: for contexts made under the simulator, and of no use elsewhere. */
struct tls_seeded {
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *ours, *theirs;
};
int tls_seeded_new(struct tls_seeded **ret); /* 0 or -ENOMEM */
void tls_seeded_free(struct tls_seeded *s);  /* NULL is fine */

/* A name of a certificate's, in small letters; "*.example.org" as it is written. */
struct tls_name {
    char *text;
    size_t at; /* which certificate */
};

struct tls_identity {
    _Atomic unsigned references;
    SSL_CTX **ctx; /* the first is for everybody else */
    size_t count;
    struct tls_name *names; /* sorted by text, then by certificate */
    size_t name_count, name_cap;
};

#define TICKET_KEYS 3 /* one that seals, those that still open */
struct tls_ticket_key {
    unsigned char name[16];
    unsigned char aes[32];
    unsigned char mac[32];
    int64_t born_ns; /* 0: none */
};

/* A server's certificates by file, kept for a reload. */
struct tls_files {
    char *cert, *key; /* key: NULL when it is in cert */
};

#define PIN_LEN 32
struct tls_pin {
    unsigned char hash[PIN_LEN];
};

struct eddy_tls {
    struct tls_seeded *seeded;   /* NULL: made on a real loop, or before there was one */
    _Atomic unsigned references; /* the owner's, and one a connection */
    bool server;
    bool insecure;
    bool no_resumption;
    bool client_optional;
    int min_version, max_version; /* as on the wire */
    unsigned char alpn[256];      /* as on the wire: lengths and names */
    unsigned alpn_len;

    pthread_mutex_t lock;
    struct tls_identity *identity; /* lock */

    /* client */
    struct tls_pin *pins;
    size_t pin_count;
    struct eddy_list sessions; /* lock; of struct kept_session, the newest first */
    size_t session_count;      /* lock */
    size_t session_max;

    /* server */
    struct tls_files *files;
    size_t file_count;
    char *client_ca_file;
    int64_t ticket_key_ns;
    struct tls_ticket_key keys[TICKET_KEYS]; /* lock; the first seals */

    _Atomic uint64_t handshakes, resumed, failed, waited, reloads;
};

/* context.c */
void tls_ref(struct eddy_tls *tls);
void tls_unref(struct eddy_tls *tls);
struct tls_identity *tls_identity_of(struct eddy_tls *tls); /* the current one, with a reference */
struct tls_identity *tls_identity_new(size_t count);        /* NULL: out of memory */
void tls_identity_unref(struct tls_identity *id);
int tls_base_new(bool server, const char *alpn, int min_version, int max_version,
                 struct eddy_tls **ret, struct eddy_error *err);
/* A bare SSL_CTX with everything but files. */
int tls_ctx_new(struct eddy_tls *tls, SSL_CTX **ret, struct eddy_error *err);

/* load.c: what files hold. Each names the file and what is wrong with it. */
int tls_load_roots(SSL_CTX *ctx, const char *file, struct eddy_error *err);
int tls_load_client_roots(SSL_CTX *ctx, const char *file, struct eddy_error *err);
int tls_load_cert(SSL_CTX *ctx, const char *cert_file, const char *key_file,
                  struct eddy_error *err);
int tls_parse_pins(const char *text, struct tls_pin **ret, size_t *ret_count,
                   struct eddy_error *err);
bool tls_pin_of(const X509 *cert, struct tls_pin *ret); /* false: out of memory */

/* names.c: which certificate is for a name */
int tls_names_add(struct tls_identity *id, size_t at, X509 *cert);
void tls_names_sort(struct tls_identity *id);
SSL_CTX *tls_names_find(const struct tls_identity *id, const char *name); /* NULL: none */

/* sessions.c: what a client keeps to come back faster */
void tls_sessions_use(SSL_CTX *ctx); /* have what servers hand out kept */
bool tls_sessions_offer(struct eddy_tls *tls, const char *host,
                        SSL *ssl); /* whether there was one */
/* After a resumed handshake: TLS 1.2 may have brought a new ticket; OpenSSL does not say so. */
void tls_sessions_renew(SSL *ssl);
void tls_sessions_forget(struct eddy_tls *tls, const char *host); /* NULL: all */

/* tickets.c: what a server seals its sessions with */
void tls_tickets_use(SSL_CTX *ctx);
void tls_tickets_wipe(struct eddy_tls *tls);

#endif
