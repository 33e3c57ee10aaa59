/*
 * tls/load.c - files: certificates, keys, roots; and pins
 *
 * Every refusal names the file and what to do about it. OpenSSL's reasons are for who knows
 * OpenSSL, so those that people meet have a text of their own.
 */
#include "tls/context.h"

#include "base/memory.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The first of the queue is the cause. Empties it. */
static int file_error(struct eddy_error *err, const char *file, const char *what)
{
    unsigned long error = ERR_peek_error();
    int library = ERR_GET_LIB(error), reason = ERR_GET_REASON(error);
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    int r = faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0 ? -errno : -EDDY_ETLS;

    ERR_clear_error();
    if (r != -EDDY_ETLS)
        return eddy_error_set(err, r, 0, "%.80s cannot be used as %s: %.50s", file, what,
                              eddy_strerror(r));
    if (reason == ERR_R_MALLOC_FAILURE)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    if (library == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE)
        text = "it holds none in PEM form (-----BEGIN ...)";
    else if (library == ERR_LIB_SSL && reason == SSL_R_EE_KEY_TOO_SMALL)
        text = "its key is too short: RSA from 2048 bits on";
    else if (library == ERR_LIB_SSL && reason == SSL_R_CA_MD_TOO_WEAK)
        text = "it is signed with a digest that is too weak";
    return eddy_error_set(err, r, 0, "%.80s cannot be used as %s: %.60s", file, what,
                          text ? text : "it is damaged");
}

int tls_load_roots(SSL_CTX *ctx, const char *file, struct eddy_error *err)
{
    if (file)
        return SSL_CTX_load_verify_file(ctx, file) == 1
                   ? 0
                   : file_error(err, file, "trusted certificates");
    if (SSL_CTX_set_default_verify_paths(ctx) == 1)
        return 0;
    ERR_clear_error();
    return eddy_error_set(err, -EDDY_ETLS, 0, "the system's trusted certificates are missing");
}

int tls_load_client_roots(SSL_CTX *ctx, const char *file, struct eddy_error *err)
{
    STACK_OF(X509_NAME) *names = NULL;

    if (SSL_CTX_load_verify_file(ctx, file) == 1)
        names = SSL_load_client_CA_file(file);
    if (!names)
        return file_error(err, file, "what certificates of clients are signed with");
    SSL_CTX_set_client_CA_list(ctx, names);
    return 0;
}

static bool is_encrypted(unsigned long error)
{
    int reason = ERR_GET_REASON(error);

    return (ERR_GET_LIB(error) == ERR_LIB_PEM &&
            (reason == PEM_R_BAD_PASSWORD_READ || reason == PEM_R_BAD_DECRYPT)) ||
           (ERR_GET_LIB(error) == ERR_LIB_CRYPTO && reason == ERR_R_INTERRUPTED_OR_CANCELLED);
}

static int key_error(const char *cert, const char *key, struct eddy_error *err)
{
    bool encrypted = false;
    unsigned long error = ERR_peek_error();

    if (ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH) {
        ERR_clear_error();
        return eddy_error_set(err, -EDDY_ETLS, 0,
                              "the key in %.60s is not that of the certificate in %.60s", key,
                              cert);
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
        ERR_GET_REASON(error) == SSL_R_NO_CERTIFICATE_ASSIGNED) {
        ERR_clear_error();
        return eddy_error_set(err, -EDDY_ETLS, 0,
                              "the key in %.60s is of another kind than the certificate in %.60s",
                              key, cert);
    }
    /* The decoders leave a trail; the passphrase that nobody gave is somewhere in it. */
    FILE *in = fopen(key, "re");
    char line[128];
    while (in && !encrypted && fgets(line, sizeof line, in))
        encrypted = strncmp(line, "-----BEGIN ENCRYPTED", 20) == 0 ||
                    strncmp(line, "Proc-Type: 4,ENCRYPTED", 22) == 0;
    if (in)
        (void)fclose(in);
    if (encrypted || is_encrypted(error)) {
        ERR_clear_error();
        return eddy_error_set(err, -EDDY_ETLS, 0,
                              "%.60s has a passphrase: take it off (openssl pkey -in ... -out ...)",
                              key);
    }
    return file_error(err, key, "the key of our certificate");
}

int tls_load_cert(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct eddy_error *err)
{
    const char *key = key_file ? key_file : cert_file;

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return file_error(err, cert_file, "our certificate");
    /* A key of another kind goes into another slot and is only missed by the check. */
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return key_error(cert_file, key, err);
    return 0;
}

/* --- pins ------------------------------------------------------------------------------------ */

bool tls_pin_of(const X509 *cert, struct tls_pin *ret)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, ret->hash, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return ok;
}

/* 44 characters of base64, of which the last is '='. */
static bool parse_pin(const char *text, size_t len, struct tls_pin *ret)
{
    unsigned char bytes[PIN_LEN + 1];

    if (len != 44 || text[43] != '=' || memchr(text, '=', 43) ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text, 44) != PIN_LEN + 1)
        return false;
    memcpy(ret->hash, bytes, PIN_LEN);
    return true;
}

int tls_parse_pins(const char *text, struct tls_pin **ret, size_t *ret_count,
                   struct eddy_error *err)
{
    size_t count = 1;

    for (const char *p = text; *p; p++)
        count += *p == ',';
    struct tls_pin *pins = eddy__alloc(count * sizeof *pins);
    if (!pins)
        return eddy_error_set(err, -ENOMEM, 0, "TLS: out of memory");
    const char *p = text;
    for (size_t i = 0; i < count; i++, p++) {
        size_t len = strcspn(p, ",");
        if (!parse_pin(p, len, &pins[i])) {
            eddy__free(pins, count * sizeof *pins);
            ERR_clear_error();
            return eddy_error_set(err, -EINVAL, (size_t)(p - text),
                                  "\"%.50s\" is no pin: SHA-256 of a public key, in base64, is 44 "
                                  "characters long",
                                  p);
        }
        p += len;
    }
    *ret = pins;
    *ret_count = count;
    return 0;
}
