/*
 * tls/context.c - contexts: birth, end, and what TLS both sides speak
 */
#include "tls/filter.h"

#include "base/memory.h"
#include <assert.h>
#include <openssl/err.h>

#define SESSIONS_DEFAULT 64
#define SESSIONS_MAX 4096

/* Mozilla's "intermediate", version 5.7, without DHE: its keys are costly and its groups old. */
static const char suites_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char suites_12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

/* --- identities ------------------------------------------------------------------------------ */

struct tls_identity *tls_identity_new(size_t count)
{
    struct tls_identity *id = eddy__zalloc(sizeof *id);

    if (!id)
        return NULL;
    atomic_init(&id->references, 1);
    id->count = count;
    id->ctx = eddy__zalloc(count * sizeof *id->ctx);
    if (!id->ctx) {
        eddy__free(id, sizeof *id);
        return NULL;
    }
    return id;
}

void tls_identity_unref(struct tls_identity *id)
{
    if (!id || atomic_fetch_sub(&id->references, 1) != 1)
        return;
    for (size_t i = 0; i < id->count; i++)
        SSL_CTX_free(id->ctx[i]);
    for (size_t i = 0; i < id->name_count; i++)
        eddy__free(id->names[i].text, strlen(id->names[i].text) + 1);
    eddy__free(id->names, id->name_cap * sizeof *id->names);
    eddy__free(id->ctx, id->count * sizeof *id->ctx);
    eddy__free(id, sizeof *id);
}

struct tls_identity *tls_identity_of(struct eddy_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    struct tls_identity *id = tls->identity;
    atomic_fetch_add(&id->references, 1);
    pthread_mutex_unlock(&tls->lock);
    return id;
}

/* --- the end --------------------------------------------------------------------------------- */

static void text_free(char *text)
{
    if (text)
        eddy__free(text, strlen(text) + 1);
}

static void tls_free(struct eddy_tls *tls)
{
    tls_sessions_forget(tls, NULL);
    tls_tickets_wipe(tls);
    tls_identity_unref(tls->identity);
    for (size_t i = 0; i < tls->file_count; i++) {
        text_free(tls->files[i].cert);
        text_free(tls->files[i].key);
    }
    eddy__free(tls->files, tls->file_count * sizeof *tls->files);
    text_free(tls->client_ca_file);
    eddy__free(tls->pins, tls->pin_count * sizeof *tls->pins);
    tls_seeded_free(tls->seeded);
    pthread_mutex_destroy(&tls->lock);
    eddy__free(tls, sizeof *tls);
}

void tls_ref(struct eddy_tls *tls)
{
    atomic_fetch_add(&tls->references, 1);
}

void tls_unref(struct eddy_tls *tls)
{
    unsigned before = atomic_fetch_sub(&tls->references, 1);

    assert(before > 0);
    if (before == 1)
        tls_free(tls);
}

void eddy_tls_free(struct eddy_tls *tls)
{
    if (tls)
        tls_unref(tls);
}

bool eddy__tls_is_server(const struct eddy_tls *tls)
{
    return tls->server;
}

struct eddy_tls *eddy__tls_share(struct eddy_tls *tls)
{
    tls_ref(tls);
    return tls;
}

void eddy_tls_stats(const struct eddy_tls *tls, struct eddy_tls_stats *ret_stats)
{
    *ret_stats = (struct eddy_tls_stats){
        .handshakes = atomic_load_explicit(&tls->handshakes, memory_order_relaxed),
        .resumed = atomic_load_explicit(&tls->resumed, memory_order_relaxed),
        .failed = atomic_load_explicit(&tls->failed, memory_order_relaxed),
        .waited = atomic_load_explicit(&tls->waited, memory_order_relaxed),
        .reloads = atomic_load_explicit(&tls->reloads, memory_order_relaxed),
    };
}

/* --- birth ----------------------------------------------------------------------------------- */

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

static int set_versions(struct eddy_tls *tls, int min, int max, struct eddy_error *err)
{
    tls->min_version = min ? min : TLS1_2_VERSION;
    tls->max_version = max; /* 0: the newest */
    if (tls->min_version < TLS1_2_VERSION || tls->min_version > TLS1_3_VERSION ||
        (max && (max < tls->min_version || max > TLS1_3_VERSION)))
        return eddy_error_set(err, -EINVAL, 0,
                              "no version of TLS from %#x to %#x: EDDY_TLS_1_2, EDDY_TLS_1_3",
                              (unsigned)min, (unsigned)max);
    return 0;
}

int tls_base_new(bool server, const char *alpn, int min_version, int max_version,
                 struct eddy_tls **ret, struct eddy_error *err)
{
    EDDY_OWN(eddy_tls) tls = NULL;
    struct eddy_loop *loop = eddy__loop();

    tls = eddy__zalloc(sizeof *tls);
    if (!tls)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    atomic_init(&tls->references, 1);
    pthread_mutex_init(&tls->lock, NULL);
    eddy_list_init(&tls->sessions);
    tls->server = server;
    tls->session_max = SESSIONS_DEFAULT;
    if (loop && eddy_driver_is_simulated(loop->driver) && tls_seeded_new(&tls->seeded) < 0)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    int r = set_alpn(tls, alpn, err);
    if (r == 0)
        r = set_versions(tls, min_version, max_version, err);
    if (r == 0)
        *ret = EDDY_TAKE(tls);
    return r;
}

/* The system's own configuration may ask for more than this, and then gets it. */
static int harden(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_get_security_level(ctx) < 2)
        SSL_CTX_set_security_level(ctx, 2); /* RSA from 2048 bits on, no SHA-1 */
    return SSL_CTX_set_ciphersuites(ctx, suites_13) == 1 &&
                   SSL_CTX_set_cipher_list(ctx, suites_12) == 1 &&
                   SSL_CTX_set1_groups_list(ctx, groups) == 1
               ? 0
               : -ENOMEM;
}

/* Who asks for the passphrase of a key: nobody is there to answer, and a terminal would block. */
static int no_passphrase(char *buf, int cap, // NOLINT(readability-non-const-parameter)
                         int writing, void *ctx)
{
    (void)buf, (void)cap, (void)writing, (void)ctx;
    return -1;
}

int tls_ctx_new(struct eddy_tls *tls, SSL_CTX **ret, struct eddy_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(tls->seeded ? tls->seeded->lib : NULL, NULL,
                                  tls->server ? TLS_server_method() : TLS_client_method());

    if (!ctx || harden(ctx) < 0 || SSL_CTX_set_min_proto_version(ctx, tls->min_version) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, tls->max_version) != 1) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    }
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    *ret = ctx;
    return 0;
}

/* --- clients --------------------------------------------------------------------------------- */

static int load_client(struct eddy_tls *tls, SSL_CTX *ctx, const struct eddy_tls_client_options *o,
                       struct eddy_error *err)
{
    int r = 0;

    if (o->ca_file || !tls->insecure)
        r = tls_load_roots(ctx, o->ca_file, err);
    if (r == 0 && o->cert_file)
        r = tls_load_cert(ctx, o->cert_file, o->key_file, err);
    if (r == 0 && o->pins)
        r = tls_parse_pins(o->pins, &tls->pins, &tls->pin_count, err);
    if (r == 0 && o->pins)
        SSL_CTX_set_cert_verify_callback(ctx, tls_verify_chain, NULL);
    if (r == 0 && tls->alpn_len && SSL_CTX_set_alpn_protos(ctx, tls->alpn, tls->alpn_len) != 0)
        r = eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    return r;
}

int eddy_tls_client_new(const struct eddy_tls_client_options *options, struct eddy_tls **ret_tls,
                        struct eddy_error *err)
{
    struct eddy_tls_client_options o = { 0 };
    EDDY_OWN(eddy_tls) tls = NULL;

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    int r = tls_base_new(false, o.alpn, (int)o.min_version, (int)o.max_version, &tls, err);
    if (r < 0)
        return r;
    assert(tls);
    tls->insecure = o.insecure;
    tls->no_resumption = o.no_resumption;
    if (o.sessions)
        tls->session_max = o.sessions < SESSIONS_MAX ? o.sessions : SESSIONS_MAX;
    tls->identity = tls_identity_new(1);
    if (!tls->identity)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    r = tls_ctx_new(tls, &tls->identity->ctx[0], err);
    if (r == 0)
        r = load_client(tls, tls->identity->ctx[0], &o, err);
    if (r < 0)
        return r;
    if (!tls->no_resumption)
        tls_sessions_use(tls->identity->ctx[0]);
    *ret_tls = EDDY_TAKE(tls);
    return 0;
}
