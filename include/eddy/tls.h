/*
 * eddy/tls.h - TLS 1.2 and 1.3 as a filter over any transport; libeddy-tls, on OpenSSL 3
 *
 *     EDDY_OWN(eddy_tls) tls = NULL;
 *     struct eddy_error err;
 *
 *     int r = eddy_tls_client_new(NULL, &tls, &err);           the system's roots
 *     r = eddy_tls_wrap(tls, tcp, "example.org", &secured);    the handshake starts by itself
 *     r = eddy_tls_handshake(secured, &err);                   a task may wait for it
 *
 * The filter does no I/O of its own: records go in and out through the transport below. Writes
 * made before the handshake is complete wait for it. Buffers are bounded: 16 KiB of plaintext and
 * one record of ciphertext each way, and none while nothing is under way.
 *
 * An end of input without close-notify is cut off, maybe by somebody else: closed() says
 * -EDDY_EEOF, never ended(). eddy_transport_finish() sends our close-notify.
 *
 * OpenSSL allocates by itself: eddy_memory_hook() does not reach it (CRYPTO_set_mem_functions()
 * would, and is the program's to call).
 */
#ifndef EDDY_TLS_H
#define EDDY_TLS_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/transport.h>

EDDY_BEGIN

struct eddy_tls; /* what connections of one kind share: certificates, roots, protocols */

struct eddy_tls_client_options {
    size_t size;         /* filled by EDDY_OPT(tls_client, ...) */
    const char *ca_file; /* PEM; trusted instead of the system's roots */
    bool insecure;       /* believe any certificate: for experiments only */
    const char *alpn;    /* protocols to offer, "h2,http/1.1"; NULL: none */
};

struct eddy_tls_server_options {
    size_t size;           /* filled by EDDY_OPT(tls_server, ...) */
    const char *cert_file; /* PEM: ours, then the intermediate ones */
    const char *key_file;  /* PEM; NULL: in cert_file */
    const char *alpn;      /* protocols we speak, the best first; NULL: none */
};

/**
 * eddy_tls_client_new() - what outgoing connections share
 * @options: EDDY_OPT(tls_client, .ca_file = "roots.pem"), may be NULL
 * @ret_tls: owned; connections keep it alive after it is freed
 * @err:     says which file, and what is wrong with it; may be NULL
 *
 * Reads files: call it once, not for each connection. The peer's chain, dates and host name are
 * verified, unless .insecure.
 *
 * Return: 0; -EDDY_ETLS (a file cannot be used); -ENOENT, -EACCES; -EINVAL (.alpn); -ENOMEM.
 * Source: SSL_CTX_new(3), RFC 9525.   Since: 0.1
 */
EDDY_API int eddy_tls_client_new(const struct eddy_tls_client_options *options,
                                 struct eddy_tls **ret_tls, struct eddy_error *err);

/**
 * eddy_tls_server_new() - what incoming connections share
 * @options: EDDY_OPT(tls_server, .cert_file = "cert.pem", .key_file = "key.pem")
 * @ret_tls: owned; connections keep it alive after it is freed
 * @err:     says which file, and what is wrong with it; may be NULL
 *
 * Return: as eddy_tls_client_new(); -EINVAL without a certificate.
 * Source: SSL_CTX_use_certificate_chain_file(3).   Since: 0.1
 */
EDDY_API int eddy_tls_server_new(const struct eddy_tls_server_options *options,
                                 struct eddy_tls **ret_tls, struct eddy_error *err);

/** eddy_tls_free() - give the context back
 * @tls: NULL is fine
 *
 * Return: nothing.   Source: SSL_CTX_free(3).   Since: 0.1 */
EDDY_API void eddy_tls_free(struct eddy_tls *tls);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_tls)
#endif

/**
 * eddy_tls_wrap() - TLS over a transport; the handshake starts by itself
 * @tls:         client's or server's; borrowed
 * @below:       paused; owned by the filter from now on when 0 is returned
 * @server_name: client: the host to be verified, a name or an IP address, also sent as SNI (a
 *               name); NULL is -EINVAL unless the context is .insecure. Server: NULL
 * @ret_t:       owned, paused
 *
 * A handshake that fails ends the transport: closed() says -EDDY_ECERT or -EDDY_ETLS, and
 * eddy_tls_failure(), called in it, why. The handshake has no timeout of its own.
 *
 * Return: 0, -EINVAL or -ENOMEM; -EDDY_ESIM (@tls was made under the simulator, this loop is real).
 * Source: SSL_new(3), RFC 6066 3.   Since: 0.1
 */
EDDY_API int eddy_tls_wrap(struct eddy_tls *tls, struct eddy_transport *below,
                           const char *server_name, struct eddy_transport **ret_t);

/**
 * eddy_tls_handshake() - wait until the handshake is done
 * @t:   of eddy_tls_wrap(), with no protocol or stream over it yet
 * @err: what went wrong and what to mend ("the certificate expired on ..."); may be NULL
 *
 * Suspends. One task at a time. Once it has failed, close @t, which is still the caller's.
 * Cancelled: unknown, close it.
 *
 * Return: 0, or negative:
 *   -EDDY_ECERT  the peer's certificate was refused: expired, another host's, unknown issuer
 *   -EDDY_ETLS   the peer speaks no TLS that we accept, or refused us
 *   -EDDY_EEOF   it ended the connection    -ECONNRESET, ...  as eddy_read()
 *   -ECANCELED, -ETIMEDOUT, -EDEADLK        see eddy/task.h
 * Source: SSL_do_handshake(3).   Since: 0.1
 */
EDDY_API int eddy_tls_handshake(struct eddy_transport *t, struct eddy_error *err);

/** eddy_tls_failure() - why it failed, as text
 * @t:       of eddy_tls_wrap()
 * @ret_err: filled; code 0 when nothing failed
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_tls_failure(const struct eddy_transport *t, struct eddy_error *ret_err);

/* EDDY_INFO_TLS, once the handshake is done; -EAGAIN before. */
struct eddy_tls_info {
    const char *version; /* "TLSv1.3": constant */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384": constant */
    char alpn[32];       /* the protocol agreed on; "" */
    bool resumed;
};

EDDY_END

#endif
