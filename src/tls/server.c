/*
 * tls/server.c - a server's identity: certificates by name, whom it asks for one, and the reload
 */
#include "tls/filter.h"

#include "base/memory.h"
#include "base/wheel.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define TICKET_KEY_MS INT64_C(3600000)
#define CERTS_MAX 10000

/* Our first protocol that the client offers; none in common: it is refused (RFC 7301 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offer, unsigned offer_len, void *ctx)
{
    const struct eddy_tls *tls = ctx;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_len, tls->alpn, tls->alpn_len, offer, offer_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *ssl,
                              int *ret_alert, // NOLINT(readability-non-const-parameter)
                              void *ctx)
{
    struct tls_filter *f = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)ret_alert, (void)ctx;
    SSL_CTX *chosen = name ? tls_names_find(f->identity, name) : NULL;
    if (!chosen)
        return SSL_TLSEXT_ERR_NOACK;
    if (chosen != SSL_get_SSL_CTX(ssl) && SSL_set_SSL_CTX(ssl, chosen) != chosen)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* Sessions are resumed where this is the same: with other judges of clients, none is. */
static bool set_session_context(SSL_CTX *ctx)
{
    const STACK_OF(X509_NAME) *judges = SSL_CTX_get_client_CA_list(ctx);
    const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
    unsigned char id[EVP_MAX_MD_SIZE], print[EVP_MAX_MD_SIZE];
    unsigned len = 0, print_len;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, "eddy", 4) == 1;

    for (int i = 0; judges && i < sk_X509_OBJECT_num(all); i++) {
        const X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        ok = ok && (!cert || (X509_digest(cert, EVP_sha256(), print, &print_len) == 1 &&
                              EVP_DigestUpdate(md, print, print_len) == 1));
    }
    ok = ok && EVP_DigestFinal_ex(md, id, &len) == 1 &&
         SSL_CTX_set_session_id_context(ctx, id, len) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static int load_one(struct eddy_tls *tls, const struct tls_files *files, SSL_CTX **ret,
                    struct eddy_error *err)
{
    int r = tls_ctx_new(tls, ret, err);

    if (r == 0)
        r = tls_load_cert(*ret, files->cert, files->key, err);
    if (r == 0 && tls->client_ca_file)
        r = tls_load_client_roots(*ret, tls->client_ca_file, err);
    if (r < 0)
        return r;
    if (tls->alpn_len)
        SSL_CTX_set_alpn_select_cb(*ret, choose_protocol, tls);
    SSL_CTX_set_tlsext_servername_callback(*ret, choose_certificate);
    SSL_CTX_set_session_cache_mode(*ret, SSL_SESS_CACHE_OFF);
    if (tls->no_resumption) {
        SSL_CTX_set_options(*ret, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(*ret, 0);
    } else {
        int64_t seconds = tls->ticket_key_ns / 1000000000;
        SSL_CTX_set_timeout(*ret, seconds < 1 ? 1 : (long)seconds);
        tls_tickets_use(*ret);
    }
    if (!set_session_context(*ret)) {
        ERR_clear_error();
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    }
    return 0;
}

static int load_all(struct eddy_tls *tls, struct tls_identity **ret, struct eddy_error *err)
{
    struct tls_identity *id = tls_identity_new(tls->file_count);
    int r = 0;

    if (!id)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    for (size_t i = 0; r == 0 && i < tls->file_count; i++) {
        r = load_one(tls, &tls->files[i], &id->ctx[i], err);
        if (r == 0 && tls_names_add(id, i, SSL_CTX_get0_certificate(id->ctx[i])) < 0)
            r = eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    }
    if (r < 0) {
        tls_identity_unref(id);
        return r;
    }
    tls_names_sort(id);
    *ret = id;
    return 0;
}

static int keep_files(struct tls_files *to, const char *cert, const char *key)
{
    to->cert = eddy__strdup(cert);
    to->key = key ? eddy__strdup(key) : NULL;
    return to->cert && (to->key || !key) ? 0 : -ENOMEM;
}

static int keep_options(struct eddy_tls *tls, const struct eddy_tls_server_options *o)
{
    size_t first = o->cert_file ? 1 : 0;
    int r = 0;

    tls->files = eddy__zalloc((first + o->cert_count) * sizeof *tls->files);
    if (!tls->files)
        return -ENOMEM;
    tls->file_count = first + o->cert_count;
    if (first)
        r = keep_files(&tls->files[0], o->cert_file, o->key_file);
    for (size_t i = 0; r == 0 && i < o->cert_count; i++)
        r = keep_files(&tls->files[first + i], o->certs[i].cert_file, o->certs[i].key_file);
    if (r == 0 && o->client_ca_file) {
        tls->client_ca_file = eddy__strdup(o->client_ca_file);
        r = tls->client_ca_file ? 0 : -ENOMEM;
    }
    tls->client_optional = o->client_optional;
    tls->no_resumption = o->no_resumption;
    tls->ticket_key_ns = eddy_deadline_ns(0,
                                          o->ticket_key_ms > 0 ? o->ticket_key_ms : TICKET_KEY_MS);
    return r;
}

static int check_options(const struct eddy_tls_server_options *o, struct eddy_error *err)
{
    bool named = o->cert_file || o->cert_count;

    for (size_t i = 0; i < o->cert_count; i++)
        named = named && o->certs[i].cert_file;
    if (!named || (o->key_file && !o->cert_file))
        return eddy_error_set(err, -EINVAL, 0, "a TLS server needs a .cert_file");
    if (o->cert_count > CERTS_MAX || o->ticket_key_ms < 0 || o->ticket_key_ms > 7 * 86400000)
        return eddy_error_set(err, -EINVAL, 0,
                              "a TLS server has at most %d .certs, and changes "
                              "keys of tickets within 7 days",
                              CERTS_MAX);
    return 0;
}

int eddy_tls_server_new(const struct eddy_tls_server_options *options, struct eddy_tls **ret_tls,
                        struct eddy_error *err)
{
    struct eddy_tls_server_options o = { 0 };
    EDDY_OWN(eddy_tls) tls = NULL;

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    int r = check_options(&o, err);
    if (r == 0)
        r = tls_base_new(true, o.alpn, (int)o.min_version, (int)o.max_version, &tls, err);
    if (r < 0)
        return r;
    assert(tls);
    if (keep_options(tls, &o) < 0)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    r = load_all(tls, &tls->identity, err);
    if (r < 0)
        return r;
    *ret_tls = EDDY_TAKE(tls);
    return 0;
}

int eddy_tls_server_reload(struct eddy_tls *tls, struct eddy_error *err)
{
    struct tls_identity *id = NULL;

    if (!tls->server)
        return eddy_error_set(err, -EINVAL, 0, "only a server's certificates are read again");
    int r = load_all(tls, &id, err);
    if (r < 0)
        return r;
    pthread_mutex_lock(&tls->lock);
    struct tls_identity *before = tls->identity;
    tls->identity = id;
    pthread_mutex_unlock(&tls->lock);
    tls_identity_unref(before);
    atomic_fetch_add(&tls->reloads, 1);
    return 0;
}
