/*
 * eddy/tls_info.h - what a TLS connection has agreed on, and who is at its other end
 *
 *     struct eddy_tls_info info;
 *     int r = eddy_stream_info(s, EDDY_INFO_TLS, &info);
 */
#ifndef EDDY_TLS_INFO_H
#define EDDY_TLS_INFO_H

#include <eddy/common.h>

EDDY_BEGIN

struct eddy_tls;

/* A certificate of the peer's. Texts are cut where they are too long. */
struct eddy_tls_peer {
    bool present;         /* it showed one: a server always, a client when asked; else all is 0 */
    bool verified;        /* by our roots, for the name we wanted; false when .insecure */
    char subject[192];    /* "CN=alice,O=Example" */
    char issuer[192];     /* likewise */
    char names[320];      /* subjectAltName: "DNS:example.org, IP Address:127.0.0.1"; "" */
    int64_t not_before_s; /* since 1970 */
    int64_t not_after_s;  /* since 1970 */
    char fingerprint[65]; /* SHA-256 of the certificate, in hex */
    char pin[45];         /* SHA-256 of its public key, in base64: what .pins takes */
};

/* EDDY_INFO_TLS, once the handshake is done; -EAGAIN before. */
struct eddy_tls_info {
    const char *version;   /* "TLSv1.3": constant */
    const char *cipher;    /* "TLS_AES_256_GCM_SHA384": constant */
    char alpn[32];         /* the protocol agreed on; "" */
    bool resumed;          /* an earlier connection's session: no certificate was exchanged */
    char server_name[256]; /* SNI: what the client asked for; "" */
    struct eddy_tls_peer peer;
    uint64_t spare[16]; /* room for what comes; 0 */
};

/* Of all connections of one context. */
struct eddy_tls_stats {
    uint64_t handshakes; /* done */
    uint64_t resumed;    /* of them */
    uint64_t failed;     /* that did not get so far */
    uint64_t waited;     /* that had to wait for their turn: see eddy_tls_wrap() */
    uint64_t reloads;    /* that were done */
    uint64_t spare[8];   /* room for what comes; 0 */
};

/** eddy_tls_stats() - counters of a context
 * @tls:       any thread
 * @ret_stats: filled
 *
 * Return: nothing.   Source: SSL_CTX_sess_number(3).   Since: 0.1 */
EDDY_API void eddy_tls_stats(const struct eddy_tls *tls, struct eddy_tls_stats *ret_stats);

EDDY_END

#endif
