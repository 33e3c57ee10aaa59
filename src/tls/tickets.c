/*
 * tls/tickets.c - the keys that a server seals its sessions with
 *
 * A ticket is the session itself, sealed and given to the client to keep. Who has the key can read
 * all connections that were made with its tickets under TLS 1.2, so a key seals for a while only,
 * opens for as long again, and is then wiped. Keys are made when one is needed, never written down,
 * and outlive a reload.
 */
#include "tls/filter.h"

#include "base/memory.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static bool is_over(const struct eddy_tls *tls, const struct tls_ticket_key *key, int64_t now_ns)
{
    return !key->born_ns || now_ns - key->born_ns >= 2 * tls->ticket_key_ns;
}

/* With the lock held: those whose time is over, and a new one in front where it is needed. */
static bool rotate(struct eddy_tls *tls, int64_t now_ns, bool seal)
{
    struct tls_ticket_key *keys = tls->keys;

    for (int i = 0; i < TICKET_KEYS; i++)
        if (is_over(tls, &keys[i], now_ns))
            OPENSSL_cleanse(&keys[i], sizeof keys[i]);
    if (!seal || (keys[0].born_ns && now_ns - keys[0].born_ns < tls->ticket_key_ns))
        return true;
    struct tls_ticket_key fresh = { .born_ns = now_ns ? now_ns : 1 };
    OSSL_LIB_CTX *lib = tls->seeded ? tls->seeded->lib : NULL;
    if (RAND_bytes_ex(lib, fresh.name, sizeof fresh.name, 0) != 1 ||
        RAND_priv_bytes_ex(lib, fresh.aes, sizeof fresh.aes, 0) != 1 ||
        RAND_priv_bytes_ex(lib, fresh.mac, sizeof fresh.mac, 0) != 1)
        return false;
    memmove(keys + 1, keys, (TICKET_KEYS - 1) * sizeof *keys);
    keys[0] = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return true;
}

static bool key_to_seal(struct eddy_tls *tls, struct tls_ticket_key *ret)
{
    pthread_mutex_lock(&tls->lock);
    bool ok = rotate(tls, eddy_now_ns(), true);
    *ret = tls->keys[0];
    pthread_mutex_unlock(&tls->lock);
    return ok;
}

static bool key_to_open(struct eddy_tls *tls, const unsigned char *name, struct tls_ticket_key *ret,
                        bool *ret_old)
{
    bool found = false;

    pthread_mutex_lock(&tls->lock);
    int64_t now_ns = eddy_now_ns();
    rotate(tls, now_ns, false);
    for (int i = 0; i < TICKET_KEYS && !found; i++) {
        found = tls->keys[i].born_ns &&
                CRYPTO_memcmp(tls->keys[i].name, name, sizeof tls->keys[i].name) == 0;
        if (found) {
            *ret = tls->keys[i];
            *ret_old = now_ns - ret->born_ns >= tls->ticket_key_ns;
        }
    }
    pthread_mutex_unlock(&tls->lock);
    return found;
}

static bool use_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: go on; 2: go on, and hand out a new one; 0: no ticket; negative: the handshake fails. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int sealing)
{
    struct tls_filter *f = SSL_get_app_data(ssl);
    struct tls_ticket_key key;
    bool old = false;
    int r = 0;

    if (sealing) {
        OSSL_LIB_CTX *lib = f->tls->seeded ? f->tls->seeded->lib : NULL;
        if (!key_to_seal(f->tls, &key) ||
            RAND_bytes_ex(lib, iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()), 0) != 1)
            return -1;
        memcpy(name, key.name, sizeof key.name);
        r = use_mac(mac, &key) &&
                    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv) == 1
                ? 1
                : -1;
    } else if (key_to_open(f->tls, name, &key, &old)) {
        r = use_mac(mac, &key) &&
                    EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv) == 1
                ? 1
                : -1;
        /* A TLS 1.3 client uses each once: it needs another for its next visit. */
        if (r == 1 && (old || SSL_version(ssl) >= TLS1_3_VERSION))
            r = 2;
    }
    OPENSSL_cleanse(&key, sizeof key);
    return r;
}

void tls_tickets_use(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
}

void tls_tickets_wipe(struct eddy_tls *tls)
{
    OPENSSL_cleanse(tls->keys, sizeof tls->keys);
}
