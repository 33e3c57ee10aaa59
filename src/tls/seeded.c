/*
 * tls/seeded.c - OpenSSL's randomness from the simulator, for contexts made under it
 *
 * A library context of its own, with a random generator of our own in it (a provider, as OpenSSL
 * calls what brings algorithms along). So nothing of this is ever found by a context that was made
 * on a real loop. The generator keeps no state: each byte is asked of the simulator this thread
 * runs, and where there is none it fails, and the handshake with it, rather than be guessable.
 */
#include "base/memory.h"
#include "tls/filter.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#define NAME "EDDY-SIM"

/* --- the generator --------------------------------------------------------------------------- */

static void *new_ctx(void *provider, void *parent, const OSSL_DISPATCH *parent_calls)
{
    static int state = EVP_RAND_STATE_READY; /* a context must be something */

    (void)provider;
    (void)parent;
    (void)parent_calls;
    return &state;
}

static void free_ctx(void *ctx)
{
    (void)ctx;
}

static int instantiate(void *ctx, unsigned strength, int resist, const unsigned char *text,
                       size_t len, const OSSL_PARAM params[])
{
    (void)ctx;
    (void)strength;
    (void)resist;
    (void)text;
    (void)len;
    (void)params;
    return 1;
}

static int uninstantiate(void *ctx)
{
    (void)ctx;
    return 1;
}

static int generate(void *ctx, unsigned char *out, size_t len, unsigned strength, int resist,
                    const unsigned char *text, size_t text_len)
{
    struct eddy_loop *loop = eddy__loop();

    (void)ctx;
    (void)strength;
    (void)resist;
    (void)text;
    (void)text_len;
    return loop && eddy_driver_is_simulated(loop->driver) &&
           loop->driver->ops->random(loop->driver, out, len) == 0;
}

static int enable_locking(void *ctx)
{
    (void)ctx;
    return 1;
}

static int get_params(void *ctx, OSSL_PARAM params[])
{
    OSSL_PARAM *p;

    (void)ctx;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
    if (p && !OSSL_PARAM_set_int(p, EVP_RAND_STATE_READY))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
    if (p && !OSSL_PARAM_set_uint(p, 256))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
    return !p || OSSL_PARAM_set_size_t(p, (size_t)1 << 16);
}

/* --- the provider ---------------------------------------------------------------------------- */

#define CALL(id, fn)                                                                               \
    {                                                                                              \
        (id), (void (*)(void))(fn)                                                                 \
    }

static const OSSL_DISPATCH generator[] = {
    CALL(OSSL_FUNC_RAND_NEWCTX, new_ctx),
    CALL(OSSL_FUNC_RAND_FREECTX, free_ctx),
    CALL(OSSL_FUNC_RAND_INSTANTIATE, instantiate),
    CALL(OSSL_FUNC_RAND_UNINSTANTIATE, uninstantiate),
    CALL(OSSL_FUNC_RAND_GENERATE, generate),
    CALL(OSSL_FUNC_RAND_ENABLE_LOCKING, enable_locking),
    CALL(OSSL_FUNC_RAND_GET_CTX_PARAMS, get_params),
    { 0, NULL },
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM algorithms[] = {
        { NAME, "provider=eddy", generator, "eddy's simulator" },
        { NULL, NULL, NULL, NULL },
    };

    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_RAND ? algorithms : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **ret_out, void **ret_provider)
{
    static const OSSL_DISPATCH calls[] = {
        CALL(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
        { 0, NULL },
    };
    static int nothing;

    (void)handle;
    (void)in;
    *ret_provider = &nothing;
    *ret_out = calls;
    return 1;
}

/* --- the library context --------------------------------------------------------------------- */

void tls_seeded_free(struct tls_seeded *s)
{
    if (!s)
        return;
    if (s->ours)
        OSSL_PROVIDER_unload(s->ours);
    if (s->theirs)
        OSSL_PROVIDER_unload(s->theirs);
    OSSL_LIB_CTX_free(s->lib);
    eddy__free(s, sizeof *s);
}

int tls_seeded_new(struct tls_seeded **ret)
{
    struct tls_seeded *s = eddy__zalloc(sizeof *s);

    if (!s)
        return -ENOMEM;
    s->lib = OSSL_LIB_CTX_new();
    if (s->lib && OSSL_PROVIDER_add_builtin(s->lib, "eddy", provider_init) == 1) {
        s->ours = OSSL_PROVIDER_load(s->lib, "eddy");
        s->theirs = OSSL_PROVIDER_load(s->lib, "default");
    }
    if (!s->ours || !s->theirs || RAND_set_DRBG_type(s->lib, NAME, NULL, NULL, NULL) != 1) {
        tls_seeded_free(s);
        ERR_clear_error();
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}
