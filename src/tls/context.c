/*
 * tls/context.c - what connections of one kind share: certificates, roots, protocols
 */
#include "base/memory.h"
#include "tls/filter.h"

#include <assert.h>
#include <openssl/err.h>

#include <stdatomic.h>
#include <unistd.h>

void tls_unref(struct eddy_tls *tls)
{
    if (atomic_fetch_sub(&tls->references, 1) != 1)
        return;
    SSL_CTX_free(tls->ctx);
    tls_seeded_free(tls->seeded);
    eddy__free(tls, sizeof *tls);
}

void eddy_tls_free(struct eddy_tls *tls)
{
    if (tls)
        tls_unref(tls);
}

/* "h2,http/1.1" as the wire has it. */
static int set_alpn(struct eddy_tls *tls, const char *names, struct eddy_error *err)
{
    unsigned at = 0;

    for (const char *p = names; p && *p;) {
        size_t len = strcspn(p, ",");
        if (len == 0 || len > 255 || at + 1 + len > sizeof tls->alpn)
            return eddy_error_set(err, -EINVAL, (size_t)(p - names),
                                  "\"%.60s\" is not a list of protocols", names);
        tls->alpn[at++] = (unsigned char)len;
        memcpy(tls->alpn + at, p, len);
        at += (unsigned)len;
        p += len;
        if (*p == ',')
            p++;
    }
    tls->alpn_len = at;
    return 0;
}

/* Server: our first protocol that the client offers; none in common: none is used. */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offer, unsigned offer_len, void *ctx)
{
    const struct eddy_tls *tls = ctx;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_len, tls->alpn, tls->alpn_len, offer, offer_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int file_error(struct eddy_error *err, const char *file, const char *what)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    int r = access(file, R_OK) < 0 ? -errno : -EDDY_ETLS;

    ERR_clear_error();
    return eddy_error_set(err, r, 0, "%.80s cannot be used as %s: %.50s", file, what,
                          r == -EDDY_ETLS && reason ? reason : eddy_strerror(r));
}

static int context_new(bool server, const char *alpn, struct eddy_tls **ret, struct eddy_error *err)
{
    struct eddy_tls *tls = eddy__zalloc(sizeof *tls);

    struct eddy_loop *loop = eddy__loop();
    int seeded = tls && loop && eddy_driver_is_simulated(loop->driver)
                     ? tls_seeded_new(&tls->seeded)
                     : 0;
    if (tls && seeded == 0)
        tls->ctx = SSL_CTX_new_ex(tls->seeded ? tls->seeded->lib : NULL, NULL,
                                  server ? TLS_server_method() : TLS_client_method());
    if (!tls || !tls->ctx) {
        if (tls)
            tls_seeded_free(tls->seeded);
        eddy__free(tls, sizeof *tls);
        ERR_clear_error();
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    }
    atomic_init(&tls->references, 1);
    tls->server = server;
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int r = set_alpn(tls, alpn, err);
    if (r < 0) {
        tls_unref(tls);
        return r;
    }
    if (server && tls->alpn_len)
        SSL_CTX_set_alpn_select_cb(tls->ctx, choose_protocol, tls);
    *ret = tls;
    return 0;
}

int eddy_tls_client_new(const struct eddy_tls_client_options *options, struct eddy_tls **ret_tls,
                        struct eddy_error *err)
{
    const char *ca_file = options ? options->ca_file : NULL;
    EDDY_OWN(eddy_tls) tls = NULL;

    int r = context_new(false, options ? options->alpn : NULL, &tls, err);
    if (r < 0)
        return r;
    assert(tls);
    tls->insecure = options && options->insecure;
    if (ca_file && SSL_CTX_load_verify_file(tls->ctx, ca_file) != 1)
        return file_error(err, ca_file, "trusted certificates");
    if (!ca_file && !tls->insecure && SSL_CTX_set_default_verify_paths(tls->ctx) != 1) {
        ERR_clear_error();
        return eddy_error_set(err, -EDDY_ETLS, 0, "the system's trusted certificates are missing");
    }
    if (tls->alpn_len && SSL_CTX_set_alpn_protos(tls->ctx, tls->alpn, tls->alpn_len) != 0)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    *ret_tls = EDDY_TAKE(tls);
    return 0;
}

int eddy_tls_server_new(const struct eddy_tls_server_options *options, struct eddy_tls **ret_tls,
                        struct eddy_error *err)
{
    EDDY_OWN(eddy_tls) tls = NULL;

    if (!options || !options->cert_file)
        return eddy_error_set(err, -EINVAL, 0, "a TLS server needs a .cert_file");
    const char *key_file = options->key_file ? options->key_file : options->cert_file;
    int r = context_new(true, options->alpn, &tls, err);
    if (r < 0)
        return r;
    assert(tls);
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, options->cert_file) != 1)
        return file_error(err, options->cert_file, "our certificate");
    if (SSL_CTX_use_PrivateKey_file(tls->ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return file_error(err, key_file, "the key of our certificate");
    static const unsigned char id[] = "eddy";
    SSL_CTX_set_session_id_context(tls->ctx, id, sizeof id - 1);
    *ret_tls = EDDY_TAKE(tls);
    return 0;
}
